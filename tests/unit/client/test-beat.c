/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Beats against a real socket: what arrives, and what is said when it does not. The clock can be replaced,
 * to see which timestamps are remembered.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"

/* What clock_gettime() says, ns; 0 for the truth. */
static uint64_t fake_clock;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        if (fake_clock == 0)
                return __real_clock_gettime(id, ret);

        *ret = (struct timespec){
                .tv_sec = (time_t) (fake_clock / 1000000000),
                .tv_nsec = (long) (fake_clock % 1000000000),
        };
        return 0;
}

START_TEST(test_fields) {
        static const VartaStatus statuses[] = { VARTA_STATUS_OK, VARTA_STATUS_DEGRADED,
                                                VARTA_STATUS_CRITICAL };
        struct timespec before, after;
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
                uint32_t payload = UINT32_C(0xfffffff0) + (uint32_t) i;
                VlpFrame frame;
                pid_t pid;

                ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &before), 0);
                ck_assert_int_eq(varta_beat(agent, statuses[i], payload), VARTA_SENT);
                ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &after), 0);

                ck_assert(listener_take(&l, &frame, &pid));
                ck_assert_int_eq(pid, getpid());
                ck_assert_uint_eq(frame.pid, (uint32_t) pid);
                ck_assert_uint_eq(frame.status, statuses[i]);
                ck_assert_uint_eq(frame.payload, payload);
                ck_assert_uint_ge(frame.timestamp, (uint64_t) before.tv_sec * 1000000000 + before.tv_nsec);
                ck_assert_uint_le(frame.timestamp, (uint64_t) after.tv_sec * 1000000000 + after.tv_nsec);
        }

        listener_expect_none(&l);
        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_sequence) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);
        VlpFrame last = {};

        for (int i = 0; i < 100; i++) {
                ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
                VlpFrame frame = listener_expect(&l);
                if (i > 0)
                        ck_assert_uint_eq(frame.nonce, last.nonce + 1);
                ck_assert_uint_gt(frame.timestamp, last.timestamp);
                last = frame;
        }

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_queue_full) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);
        unsigned n = fill_queue(&l);

        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_DEGRADED, 0), VARTA_DROPPED_QUEUE_FULL);

        VlpFrame last = listener_expect(&l);
        for (unsigned i = 1; i < n; i++) {
                VlpFrame frame = listener_expect(&l);
                ck_assert_uint_eq(frame.nonce, last.nonce + 1);
                last = frame;
        }
        listener_expect_none(&l);

        /* None of the dropped beats used up a nonce. */
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&l).nonce, last.nonce + 1);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_timestamp_commit) {
        /* Beyond any real time of this machine, which the process's session may have seen already. */
        const uint64_t base = UINT64_C(1) << 62;
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        fake_clock = base;
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&l).timestamp, base);

        /* A clock that stands still or goes back. */
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&l).timestamp, base + 1);
        fake_clock = base - 1000;
        ck_assert_int_eq(varta_beat_terminal(agent, 0, 0), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&l).timestamp, base + 2);

        /* A beat that was dropped in the future, then the present. */
        listener_leave(&l);
        fake_clock = base + 1000000;
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_NO_OBSERVER);
        ck_assert_int_eq(varta_beat_terminal(agent, 0, 0), VARTA_DROPPED_NO_OBSERVER);
        listener_bind(&l);
        fake_clock = base + 1000;
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&l).timestamp, base + 1000);

        fake_clock = 0;
        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_terminal_number) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_int_eq(varta_beat_terminal(agent, 4711, 0), VARTA_SENT);
        ck_assert_int_eq(varta_beat_terminal(agent, 4712, 0), VARTA_SENT);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_CRITICAL, 0), VARTA_SENT);

        VlpFrame before = listener_expect(&l), word = listener_expect(&l), again = listener_expect(&l),
                 after = listener_expect(&l);
        ck_assert(vlp_frame_is_terminal(&word));
        ck_assert_uint_eq(word.status, VLP_STATUS_CRITICAL);
        ck_assert_uint_eq(word.payload, 4711);
        ck_assert(vlp_frame_is_terminal(&again));
        ck_assert_uint_gt(again.timestamp, word.timestamp);
        ck_assert_uint_eq(after.nonce, before.nonce + 1);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_reopen) {
        Listener l;
        listener_open(&l);
        VartaAgent *first = listener_agent(&l);

        ck_assert_int_eq(varta_beat(first, VARTA_STATUS_OK, 0), VARTA_SENT);
        uint64_t nonce = listener_expect(&l).nonce;
        varta_close(first);

        VartaAgent *second = listener_agent(&l), *third = listener_agent(&l);
        ck_assert_int_eq(varta_beat(second, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_int_eq(varta_beat(third, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_int_eq(varta_beat(second, VARTA_STATUS_OK, 0), VARTA_SENT);
        for (int i = 1; i <= 3; i++)
                ck_assert_uint_eq(listener_expect(&l).nonce, nonce + i);

        varta_close(second);
        varta_close(third);
        listener_close(&l);
}
END_TEST

START_TEST(test_appears_later) {
        Listener l;
        listener_prepare(&l);
        VartaAgent *agent = listener_agent(&l);

        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_NO_OBSERVER);

        listener_bind(&l);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 1), VARTA_SENT);
        uint64_t nonce = listener_expect(&l).nonce;

        /* It dies, and its socket's name stays behind. */
        listener_leave(&l);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 2), VARTA_DROPPED_NO_OBSERVER);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 3), VARTA_DROPPED_NO_OBSERVER);

        listener_bind(&l);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 4), VARTA_SENT);
        VlpFrame frame = listener_expect(&l);
        ck_assert_uint_eq(frame.payload, 4);
        ck_assert_uint_eq(frame.nonce, nonce + 1);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_replaced) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        uint64_t nonce = listener_expect(&l).nonce;

        listener_leave(&l);
        listener_bind(&l);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT); /* nothing is lost */
        ck_assert_uint_eq(listener_expect(&l).nonce, nonce + 1);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_replaced_while_full) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);
        int old = l.fd;

        (void) fill_queue(&l);

        /* With the path gone the full queue is all there is. */
        ck_assert_int_eq(unlink(l.path), 0);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_QUEUE_FULL);

        listener_bind(&l);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 42), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&l).payload, 42);

        ck_assert_int_eq(close(old), 0);
        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_shut_down) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        ck_assert_int_eq(shutdown(l.fd, SHUT_RD), 0);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_NO_OBSERVER);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_no_socket) {
        Listener l;
        listener_prepare(&l);
        VartaAgent *agent = listener_agent(&l);
        int fd;

        fd = open(l.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_NO_OBSERVER);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_stream_socket) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        Listener l;
        listener_prepare(&l);
        VartaAgent *agent = listener_agent(&l);

        memcpy(sa.sun_path, l.path, sizeof(sa.sun_path));
        l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(l.fd, 0);
        ck_assert_int_eq(bind(l.fd, (struct sockaddr *) &sa, sizeof(sa)), 0);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), -EPROTOTYPE);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_abstract) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        char address[64];
        Listener l = { .fd = -1 };
        VartaAgent *agent = NULL;
        int n;

        n = snprintf(address, sizeof(address), "@varta-client-test-%d", (int) getpid());
        memcpy(sa.sun_path + 1, address + 1, (size_t) n - 1);
        l.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(l.fd, 0);
        ck_assert_int_eq(setsockopt(l.fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)), 0);
        ck_assert_int_eq(bind(l.fd, (struct sockaddr *) &sa,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)),
                         0);

        ck_assert_int_eq(varta_open(address, &agent), 0);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 7), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&l).payload, 7);

        listener_leave(&l);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 8), VARTA_DROPPED_NO_OBSERVER);
        varta_close(agent);
}
END_TEST

START_TEST(test_arguments) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        ck_assert_int_eq(varta_open(NULL, NULL), -EINVAL);
        ck_assert_ptr_null(varta_close(NULL));
        ck_assert_int_eq(varta_beat(NULL, VARTA_STATUS_OK, 0), -EINVAL);
        ck_assert_int_eq(varta_beat_wait(NULL, VARTA_STATUS_OK, 0, 100), -EINVAL);
        ck_assert_int_eq(varta_beat_terminal(NULL, 0, 0), -EINVAL);
        ck_assert_int_eq(varta_beat(agent, (VartaStatus) VLP_STATUS_STALL, 0), -EINVAL);
        ck_assert_int_eq(varta_beat(agent, (VartaStatus) 256, 0), -EINVAL);
        ck_assert_int_eq(varta_beat(agent, _VARTA_STATUS_INVALID, 0), -EINVAL);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, VARTA_WAIT_MAX_MS + 1), -EINVAL);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, (unsigned) -1), -EINVAL);
        ck_assert_int_eq(varta_beat_terminal(agent, 0, (unsigned) -1), -EINVAL);
        listener_expect_none(&l);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_descriptor) {
        int fd = next_fd();
        Listener l;
        listener_prepare(&l);
        VartaAgent *agent = listener_agent(&l);

        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        ck_assert_ptr_null(varta_close(agent));
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        listener_close(&l);
}
END_TEST

/* Flags are shared by whoever holds the socket; the library does not rely on them. */
START_TEST(test_descriptor_made_blocking) {
        Listener l;
        listener_open(&l);
        int fd = next_fd();
        VartaAgent *agent = listener_agent(&l);

        ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
        (void) fill_queue(&l);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_QUEUE_FULL);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_descriptor_lost) {
        int fd = next_fd(), stranger[2];
        Listener l;
        listener_prepare(&l);
        VartaAgent *agent = listener_agent(&l);

        ck_assert_int_eq(close(fd), 0);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), -EBADF);

        /* Somebody else's by now: the handle's end is none of its business. */
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, stranger), 0);
        ck_assert_int_eq(stranger[0], fd);
        varta_close(agent);
        ck_assert_int_eq(close(stranger[0]), 0);
        ck_assert_int_eq(close(stranger[1]), 0);
        listener_close(&l);
}
END_TEST

START_TEST(test_errno) {
        Listener l;
        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        errno = E2BIG;
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_int_eq(errno, E2BIG);

        while (varta_beat(agent, VARTA_STATUS_OK, 0) == VARTA_SENT)
                ;
        ck_assert_int_eq(errno, E2BIG);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, 1), VARTA_DROPPED_QUEUE_FULL);
        ck_assert_int_eq(errno, E2BIG);

        listener_leave(&l);
        errno = E2BIG;
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_NO_OBSERVER);
        ck_assert_int_eq(varta_beat_terminal(agent, 0, 0), VARTA_DROPPED_NO_OBSERVER);
        varta_close(agent);
        ck_assert_int_eq(errno, E2BIG);
        listener_close(&l);
}
END_TEST

START_TEST(test_names) {
        static const char *const names[] = { "sent",          "queue-full",   "no-observer",
                                             "not-permitted", "no-resources", "no-route" };

        ck_assert_int_eq(_VARTA_OUTCOME_MAX, sizeof(names) / sizeof(names[0]));
        for (int i = 0; i < _VARTA_OUTCOME_MAX; i++)
                ck_assert_str_eq(varta_outcome_to_string(i), names[i]);
        ck_assert_ptr_null(varta_outcome_to_string(_VARTA_OUTCOME_MAX));
        ck_assert_ptr_null(varta_outcome_to_string(-EINVAL));
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "a frame carries what was said, this pid and this moment", test_fields },
                { "nonces rise by one and timestamps rise", test_sequence },
                { "a full queue drops the beat and uses up no nonce", test_queue_full },
                { "timestamps rise without the clock, and only what was sent is remembered",
                  test_timestamp_commit },
                { "a terminal frame takes no number of the sequence", test_terminal_number },
                { "closing and opening continues the sequence, and handles share it", test_reopen },
                { "an observer that appears, dies and reappears gets the beats in between",
                  test_appears_later },
                { "an observer that was replaced costs no beat", test_replaced },
                { "a full queue that nobody owns any more is left for its successor",
                  test_replaced_while_full },
                { "a socket that was shut down is no observer", test_shut_down },
                { "a path without a socket is no observer", test_no_socket },
                { "a socket that is not for datagrams is an error", test_stream_socket },
                { "an observer in the abstract namespace", test_abstract },
                { "what no caller may ask for is refused and sends nothing", test_arguments },
                { "the descriptor is not inherited, does not block, and is closed", test_descriptor },
                { "a descriptor that somebody made blocking does not block a beat",
                  test_descriptor_made_blocking },
                { "a descriptor that somebody closed is an error, and not closed again",
                  test_descriptor_lost },
                { "errno stays what it was", test_errno },
                { "outcomes have names", test_names },
        };

        return cases_run("client-beat", cases, sizeof(cases) / sizeof(cases[0]));
}
