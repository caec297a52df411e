/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plain beats over UDP: what arrives, what is said when nobody listens, and machines whose addresses change.
 * The clock can be replaced, since a connection is renewed every half minute.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/transport.h"
#include "listener.h"
#include "receiver.h"

/* What a child says when it could not have a network of its own, and when something is wrong. */
#define CHILD_SKIPPED 77
#define CHILD_WRONG   100

#define HALF_MINUTE_NS UINT64_C(30000000000)

/* Added to the truth, ns. */
static _Atomic uint64_t clock_ahead;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        int r = __real_clock_gettime(id, ret);

        ret->tv_sec += (time_t) (clock_ahead / 1000000000);
        ret->tv_nsec += (long) (clock_ahead % 1000000000);
        if (ret->tv_nsec >= 1000000000) {
                ret->tv_sec++;
                ret->tv_nsec -= 1000000000;
        }
        return r;
}

static const int families[] = { AF_INET, AF_INET6 };

START_TEST(test_arrives) {
        Receiver receiver;

        receiver_open(&receiver, families[_i]);
        VartaAgent *agent = receiver_agent(&receiver);

        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 1), VARTA_SENT);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_DEGRADED, 2, 100), VARTA_SENT);
        ck_assert_int_eq(varta_beat_terminal(agent, 3, 0), VARTA_SENT);

        VlpFrame first = receiver_frame(&receiver), second = receiver_frame(&receiver),
                 last = receiver_frame(&receiver);
        ck_assert_uint_eq(first.pid, (uint32_t) getpid());
        ck_assert_uint_eq(first.payload, 1);
        ck_assert_uint_eq(second.nonce, first.nonce + 1);
        ck_assert_uint_eq(second.status, VLP_STATUS_DEGRADED);
        ck_assert_uint_gt(second.timestamp, first.timestamp);
        ck_assert(vlp_frame_is_terminal(&last));
        ck_assert_uint_eq(last.payload, 3);
        receiver_expect_none(&receiver);

        varta_close(agent);
        receiver_close(&receiver);
}
END_TEST

START_TEST(test_descriptor) {
        Receiver receiver;

        receiver_open(&receiver, families[_i]);
        int fd = next_fd();
        VartaAgent *agent = receiver_agent(&receiver);

        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        varta_close(agent);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        receiver_close(&receiver);
}
END_TEST

START_TEST(test_shares_sequence) {
        Receiver receiver;
        Listener listener;

        receiver_open(&receiver, families[_i]);
        listener_open(&listener);
        VartaAgent *far = receiver_agent(&receiver), *near = listener_agent(&listener);

        ck_assert_int_eq(varta_beat(far, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_int_eq(varta_beat(near, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_int_eq(varta_beat(far, VARTA_STATUS_OK, 0), VARTA_SENT);
        uint64_t nonce = receiver_frame(&receiver).nonce;
        ck_assert_uint_eq(listener_expect(&listener).nonce, nonce + 1);
        ck_assert_uint_eq(receiver_frame(&receiver).nonce, nonce + 2);

        varta_close(far);
        varta_close(near);
        listener_close(&listener);
        receiver_close(&receiver);
}
END_TEST

/* Nobody listens: the first beat cannot know, the others do, and are sent all the same. So the observer that
 * is back gets the very beat that was told "no observer", and its number is not used again. */
START_TEST(test_no_observer) {
        Receiver receiver;

        receiver_open(&receiver, families[_i]);
        int fd = next_fd();
        VartaAgent *agent = receiver_agent(&receiver);

        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        uint64_t nonce = receiver_frame(&receiver).nonce;

        receiver_leave(&receiver);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 1), VARTA_SENT);
        wait_for_refusal(fd);
        for (uint32_t i = 2; i <= 4; i++) {
                ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, i), VARTA_DROPPED_NO_OBSERVER);
                wait_for_refusal(fd);
        }
        ck_assert_int_eq(varta_beat_terminal(agent, 4, 100), VARTA_DROPPED_NO_OBSERVER);
        wait_for_refusal(fd);

        receiver_return(&receiver);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 5), VARTA_DROPPED_NO_OBSERVER);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 6), VARTA_SENT);
        for (uint32_t i = 5; i <= 6; i++) {
                VlpFrame frame = receiver_frame(&receiver);
                ck_assert_uint_eq(frame.payload, i);
                ck_assert_uint_eq(frame.nonce, nonce + i);
        }
        receiver_expect_none(&receiver);

        varta_close(agent);
        receiver_close(&receiver);
}
END_TEST

/* An observer that restarts between two beats is not noticed at all. */
START_TEST(test_replaced) {
        Receiver receiver;

        receiver_open(&receiver, families[_i]);
        VartaAgent *agent = receiver_agent(&receiver);

        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        uint64_t nonce = receiver_frame(&receiver).nonce;
        receiver_leave(&receiver);
        receiver_return(&receiver);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_uint_eq(receiver_frame(&receiver).nonce, nonce + 1);

        varta_close(agent);
        receiver_close(&receiver);
}
END_TEST

START_TEST(test_descriptor_lost) {
        Receiver receiver;

        receiver_open(&receiver, families[_i]);
        int fd = next_fd();
        VartaAgent *agent = receiver_agent(&receiver);

        ck_assert_int_eq(close(fd), 0);
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), -EBADF);
        varta_close(agent);
        receiver_close(&receiver);
}
END_TEST

static in_port_t source_port(const Datagram *d) {
        return d->from.any.sa_family == AF_INET6 ? d->from.in6.sin6_port : d->from.in.sin_port;
}

START_TEST(test_renewed) {
        Receiver receiver;
        Datagram first, young, old;

        receiver_open(&receiver, families[_i]);
        VartaAgent *agent = receiver_agent(&receiver);

        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        receiver_wait(&receiver, &first);
        clock_ahead += HALF_MINUTE_NS / 3;
        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        receiver_wait(&receiver, &young);
        ck_assert_uint_eq(source_port(&young), source_port(&first));

        /* The kernel chooses a port at random, and may choose the same once. */
        bool changed = false;
        for (int i = 0; i < 5 && !changed; i++) {
                clock_ahead += HALF_MINUTE_NS;
                ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
                receiver_wait(&receiver, &old);
                changed = source_port(&old) != source_port(&first);
        }
        ck_assert(changed);

        varta_close(agent);
        receiver_close(&receiver);
}
END_TEST

/* In a network of its own the loopback interface is down and has no address. */

static bool interface_up(void) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool good = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;

        (void) close(fd);
        return good;
}

/* Gives the machine 10.20.0.HOST/24, in place of any other in that network. */
static bool interface_move(uint8_t host) {
        struct ifreq address = { .ifr_name = "lo:1" }, mask = { .ifr_name = "lo:1" };
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a140000U | host) };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool good;

        memcpy(&address.ifr_addr, &in, sizeof(in));
        in.sin_addr.s_addr = htonl(0xffffff00U);
        memcpy(&mask.ifr_netmask, &in, sizeof(in));
        good = fd >= 0 && ioctl(fd, SIOCSIFADDR, &address) == 0 && ioctl(fd, SIOCSIFNETMASK, &mask) == 0;
        (void) close(fd);
        return good;
}

/* A socket for whatever comes to this port. */
static int listen_anywhere(in_port_t port) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        return fd >= 0 && bind(fd, (struct sockaddr *) &in, sizeof(in)) == 0 ? fd : -1;
}

/* The last byte of the address that the next datagram comes from, and its nonce; 0 when there is none. */
static unsigned received_from(int fd, uint64_t *ret_nonce) {
        struct sockaddr_in from = {};
        socklen_t size = sizeof(from);
        uint8_t data[VLP_FRAME_SIZE];
        VlpFrame frame;

        if (recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *) &from, &size) != VLP_FRAME_SIZE ||
            vlp_frame_decode(data, &frame) != VLP_ERROR_NONE)
                return 0;

        *ret_nonce = frame.nonce;
        return ntohl(from.sin_addr.s_addr) & 0xff;
}

static bool new_network(void) {
        return unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static int child_comes_online(void *userdata) {
        static const char *const addresses[] = { "udp:127.0.0.1:8675", "udp:[::1]:8675",
                                                 "udp:192.0.2.1:8675" };
        VartaAgent *agents[3] = {};
        uint64_t nonce = 0;
        int fd;

        if (!new_network())
                return CHILD_SKIPPED;

        for (int i = 0; i < 3; i++) {
                if (varta_open(addresses[i], agents + i) != 0)
                        return CHILD_WRONG;
                if (varta_beat(agents[i], VARTA_STATUS_OK, 0) != VARTA_DROPPED_NO_ROUTE ||
                    varta_beat_wait(agents[i], VARTA_STATUS_OK, 0, 100) != VARTA_DROPPED_NO_ROUTE)
                        return CHILD_WRONG + 1;
        }

        fd = listen_anywhere(htons(8675));
        if (fd < 0 || !interface_up())
                return CHILD_WRONG + 2;
        if (varta_beat(agents[0], VARTA_STATUS_OK, 0) != VARTA_SENT)
                return CHILD_WRONG + 3;
        if (received_from(fd, &nonce) != 1 || nonce != 1) /* none of the others used up a number */
                return CHILD_WRONG + 4;

        for (int i = 0; i < 3; i++)
                varta_close(agents[i]);
        return 0;
}

static int child_moves(void *userdata) {
        VartaAgent *agent;
        uint64_t nonce = 0;
        int fd;

        if (!new_network())
                return CHILD_SKIPPED;

        fd = listen_anywhere(htons(8675));
        if (fd < 0 || !interface_up() || !interface_move(1) || varta_open("udp:10.20.0.9:8675", &agent) != 0)
                return CHILD_WRONG;
        if (varta_beat(agent, VARTA_STATUS_OK, 0) != VARTA_SENT || received_from(fd, &nonce) != 1 ||
            nonce != 1)
                return CHILD_WRONG + 1;

        /* It moves, and then is nowhere for a while. */
        clock_ahead += HALF_MINUTE_NS;
        if (!interface_move(2))
                return CHILD_WRONG;
        if (varta_beat(agent, VARTA_STATUS_OK, 0) != VARTA_SENT || received_from(fd, &nonce) != 2 ||
            nonce != 2)
                return CHILD_WRONG + 2;

        varta_close(agent);
        return 0;
}

static void run_in_network(int (*child)(void *userdata), const char *what) {
        int r = run_in_child(child, NULL);

        if (r == CHILD_SKIPPED)
                printf("Not tested here: %s, since networks may not be made.\n", what);
        else
                ck_assert_int_eq(r, 0);
}

START_TEST(test_comes_online) {
        run_in_network(child_comes_online, "a machine that comes online");
}
END_TEST

START_TEST(test_moves) {
        run_in_network(child_moves, "a machine whose address changes");
}
END_TEST

#define N_THREADS 3
#define N_BEATS   2000

typedef struct Crowd {
        VartaAgent *agent;
        _Atomic unsigned n_running, n_sent;
} Crowd;

static void *sender_run(void *userdata) {
        Crowd *c = userdata;
        bool good = true;

        for (int i = 0; i < N_BEATS; i++) {
                int r = varta_beat(c->agent, VARTA_STATUS_OK, 0);

                c->n_sent += r == VARTA_SENT;
                good = good && (r == VARTA_SENT || r == VARTA_DROPPED_NO_ROUTE);
        }

        c->n_running--;
        return good ? NULL : c;
}

/* A connection that is renewed all the time while others send on it. */
START_TEST(test_renewed_under_way) {
        static uint8_t seen[N_THREADS * N_BEATS + 1];
        Crowd c = { .n_running = N_THREADS };
        pthread_t threads[N_THREADS];
        unsigned n_received = 0;
        VartaAddress address;
        Receiver receiver;
        Datagram d;

        receiver_open(&receiver, families[_i]);
        int fd = next_fd();
        c.agent = receiver_agent(&receiver);
        memset(seen, 0, sizeof(seen));
        ck_assert_int_eq(varta_address_parse(receiver.address, &address), 0);
        ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        uint64_t first = receiver_frame(&receiver).nonce;

        for (int i = 0; i < N_THREADS; i++)
                ck_assert_int_eq(pthread_create(threads + i, NULL, sender_run, &c), 0);
        for (bool last = false; !last;) {
                VlpFrame frame;

                last = c.n_running == 0;
                (void) varta_transport_renew(&address, fd);
                while (receiver_take(&receiver, &d)) {
                        ck_assert_int_eq(vlp_frame_decode(d.data, &frame), VLP_ERROR_NONE);
                        ck_assert_uint_lt(frame.nonce - first, sizeof(seen));
                        ck_assert_msg(!seen[frame.nonce - first], "a nonce came twice");
                        seen[frame.nonce - first] = 1;
                        n_received++;
                }
        }
        for (int i = 0; i < N_THREADS; i++) {
                void *wrong;

                ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
                ck_assert_ptr_null(wrong);
        }
        ck_assert_uint_gt(c.n_sent, N_BEATS); /* now and then one gets lost, no more */
        ck_assert_uint_gt(n_received, 0);
        ck_assert_uint_le(n_received, c.n_sent);

        varta_close(c.agent);
        receiver_close(&receiver);
}
END_TEST

int main(void) {
        const struct {
                Case c;
                bool each_family;
        } cases[] = {
                { { "beats arrive over IPv4 and IPv6 as bare frames", test_arrives }, true },
                { { "the descriptor is not inherited, does not block, and is closed", test_descriptor },
                  true },
                { { "the sequence is the process's, whatever the transport", test_shares_sequence }, true },
                { { "that nobody listens is told from the second beat on, and no number comes twice",
                    test_no_observer },
                  true },
                { { "an observer that restarts between two beats costs none", test_replaced }, true },
                { { "a descriptor that somebody closed is an error", test_descriptor_lost }, true },
                { { "a connection is renewed after half a minute", test_renewed }, true },
                { { "beats of other threads survive that a connection is renewed", test_renewed_under_way },
                  true },
                { { "a machine without a network has no route, until it has one", test_comes_online },
                  false },
                { { "a machine whose address changes goes on from the new one", test_moves }, false },
        };
        Suite *s = suite_create("client-udp");
        SRunner *runner;
        int n_failed;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                TCase *tc = tcase_create(cases[i].c.title);

                tcase_add_loop_test(tc, cases[i].c.test, 0, cases[i].each_family ? 2 : 1);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
