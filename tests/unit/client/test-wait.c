/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for room. The library's poll() passes through a hook here, which says when it waits, so that
 * nothing has to be guessed with sleeps.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"

/* Long enough that it ends only when something is wrong. */
#define LONG_MS 30000

/* Called before each poll() of the library, if set. Returns 0 to go on to the real one, or an errno to
 * fail with. */
static int (*poll_hook)(void);
static unsigned n_polls;
static int last_timeout;
static Listener listener;

int __real_poll(struct pollfd *fds, nfds_t n_fds, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n_fds, int timeout);

int __wrap_poll(struct pollfd *fds, nfds_t n_fds, int timeout) {
        int error;

        n_polls++;
        last_timeout = timeout;
        error = poll_hook ? poll_hook() : 0;
        if (error > 0) {
                errno = error;
                return -1;
        }

        return __real_poll(fds, n_fds, timeout);
}

static uint64_t now_ms(void) {
        struct timespec ts;

        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

static void begin(int (*hook)(void)) {
        poll_hook = hook;
        n_polls = 0;
        last_timeout = -1;
        listener_open(&listener);
}

START_TEST(test_room) {
        begin(NULL);
        VartaAgent *agent = listener_agent(&listener);

        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, LONG_MS), VARTA_SENT);
        ck_assert_uint_eq(n_polls, 0);
        (void) fill_queue(&listener);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_DROPPED_QUEUE_FULL);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, 0), VARTA_DROPPED_QUEUE_FULL);
        ck_assert_int_eq(varta_beat_terminal(agent, 0, 0), VARTA_DROPPED_QUEUE_FULL);
        ck_assert_uint_eq(n_polls, 0);

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

static int waiting; /* an eventfd */

static int hook_announce(void) {
        (void) eventfd_write(waiting, 1);
        return 0;
}

/* Reads one frame as soon as the beat has begun to wait. */
static void *reader_run(void *userdata) {
        eventfd_t value;

        ck_assert_int_eq(eventfd_read(waiting, &value), 0);
        (void) listener_expect(&listener);
        return NULL;
}

START_TEST(test_reader) {
        pthread_t thread;

        begin(hook_announce);
        waiting = eventfd(0, EFD_CLOEXEC);
        ck_assert_int_ge(waiting, 0);
        VartaAgent *agent = listener_agent(&listener);

        unsigned n = fill_queue(&listener);
        ck_assert_int_eq(pthread_create(&thread, NULL, reader_run, NULL), 0);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_DEGRADED, 42, LONG_MS), VARTA_SENT);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_uint_ge(n_polls, 1);

        VlpFrame last = {};
        for (unsigned i = 0; i < n; i++)
                last = listener_expect(&listener);
        listener_expect_none(&listener);
        ck_assert_uint_eq(last.payload, 42);
        ck_assert_uint_eq(last.status, VLP_STATUS_DEGRADED);

        ck_assert_int_eq(close(waiting), 0);
        varta_close(agent);
        listener_close(&listener);
}
END_TEST

static int hook_take_one(void) {
        (void) listener_take(&listener, NULL, NULL);
        return 0;
}

START_TEST(test_sequence) {
        begin(hook_take_one);
        VartaAgent *agent = listener_agent(&listener);
        unsigned n = fill_queue(&listener);

        /* Not so many that the kernel would hold the handle's own send buffer against it. */
        for (unsigned i = 0; i < BEATS_PER_HANDLE; i++)
                ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, LONG_MS), VARTA_SENT);
        ck_assert_uint_ge(n_polls, BEATS_PER_HANDLE);

        VlpFrame last = listener_expect(&listener);
        for (unsigned i = 1; i < n; i++) {
                VlpFrame frame = listener_expect(&listener);
                ck_assert_uint_eq(frame.nonce, last.nonce + 1);
                ck_assert_uint_gt(frame.timestamp, last.timestamp);
                last = frame;
        }

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

START_TEST(test_terminal) {
        begin(hook_take_one);
        VartaAgent *agent = listener_agent(&listener);
        unsigned n = fill_queue(&listener);

        ck_assert_int_eq(varta_beat_terminal(agent, 1, LONG_MS), VARTA_SENT);

        VlpFrame last = {};
        for (unsigned i = 0; i < n; i++)
                last = listener_expect(&listener);
        ck_assert(vlp_frame_is_terminal(&last));

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

START_TEST(test_timeout) {
        begin(NULL);
        VartaAgent *agent = listener_agent(&listener);
        unsigned n = fill_queue(&listener);
        uint64_t before = now_ms();

        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, 20), VARTA_DROPPED_QUEUE_FULL);
        ck_assert_uint_ge(now_ms() - before, 20 - 1); /* both readings were rounded down */
        ck_assert_int_le(last_timeout, 20);
        ck_assert_uint_eq(listener_drain(&listener), n);

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

static int hook_interrupt_twice(void) {
        if (n_polls <= 2)
                return EINTR;

        return hook_take_one();
}

START_TEST(test_interrupted) {
        begin(hook_interrupt_twice);
        VartaAgent *agent = listener_agent(&listener);

        (void) fill_queue(&listener);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, LONG_MS), VARTA_SENT);
        ck_assert_uint_ge(n_polls, 3);

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

static int hook_interrupt(void) {
        return EINTR;
}

START_TEST(test_interrupted_forever) {
        begin(hook_interrupt);
        VartaAgent *agent = listener_agent(&listener);

        (void) fill_queue(&listener);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, 5), VARTA_DROPPED_QUEUE_FULL);
        ck_assert_int_le(last_timeout, 5);

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

static int hook_no_memory(void) {
        return ENOMEM;
}

START_TEST(test_poll_fails) {
        begin(hook_no_memory);
        VartaAgent *agent = listener_agent(&listener);

        (void) fill_queue(&listener);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, LONG_MS), VARTA_DROPPED_QUEUE_FULL);
        ck_assert_uint_eq(n_polls, 1);

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

static int hook_leave(void) {
        if (n_polls == 1)
                listener_leave(&listener);
        return 0;
}

START_TEST(test_observer_dies) {
        begin(hook_leave);
        VartaAgent *agent = listener_agent(&listener);

        (void) fill_queue(&listener);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 0, LONG_MS), VARTA_DROPPED_NO_OBSERVER);

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

static int hook_replace(void) {
        if (n_polls == 1) {
                listener_leave(&listener);
                listener_bind(&listener);
        }
        return 0;
}

START_TEST(test_observer_replaced) {
        begin(hook_replace);
        VartaAgent *agent = listener_agent(&listener);

        (void) fill_queue(&listener);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 42, LONG_MS), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&listener).payload, 42);
        listener_expect_none(&listener);

        varta_close(agent);
        listener_close(&listener);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "where there is room, nothing waits", test_room },
                { "a beat that waits gets through when a reader makes room", test_reader },
                { "beats that had to wait carry the sequence on", test_sequence },
                { "a terminal frame can wait too", test_terminal },
                { "without a reader the wait ends at its time and sends nothing", test_timeout },
                { "a signal does not shorten the wait", test_interrupted },
                { "a storm of signals does not prolong the wait", test_interrupted_forever },
                { "a poll() that fails ends the wait", test_poll_fails },
                { "an observer that dies ends the wait", test_observer_dies },
                { "an observer that is replaced meanwhile gets the beat", test_observer_replaced },
        };

        return cases_run("client-wait", cases, sizeof(cases) / sizeof(cases[0]));
}
