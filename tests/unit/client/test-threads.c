/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several threads on one handle, also those of a child whose first beats they are. The queue is short and
 * the receiver slow enough for all of them to wait and give nonces back all the time.
 */

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"

#define N_THREADS 4
#define N_BEATS   500
#define N_FRAMES  (N_THREADS * N_BEATS)

/* Only runs out when something is wrong. */
#define LONG_MS 30000

typedef struct Crowd {
        VartaAgent *agent;
        pthread_barrier_t start;
        pthread_t threads[N_THREADS];
} Crowd;

/* Returns NULL when every beat was sent. */
static void *sender_run(void *userdata) {
        Crowd *c = userdata;
        unsigned n_failed = 0;

        pthread_barrier_wait(&c->start);
        for (uint32_t i = 0; i < N_BEATS; i++)
                n_failed += varta_beat_wait(c->agent, VARTA_STATUS_OK, i, LONG_MS) != VARTA_SENT;

        return n_failed == 0 ? NULL : c;
}

static bool crowd_start(Crowd *c, VartaAgent *agent) {
        c->agent = agent;
        if (pthread_barrier_init(&c->start, NULL, N_THREADS) != 0)
                return false;

        for (int i = 0; i < N_THREADS; i++)
                if (pthread_create(c->threads + i, NULL, sender_run, c) != 0)
                        return false;

        return true;
}

/* True when every beat of every thread was sent. */
static bool crowd_join(Crowd *c) {
        bool good = true;

        for (int i = 0; i < N_THREADS; i++) {
                void *failed;

                good = pthread_join(c->threads[i], &failed) == 0 && !failed && good;
        }

        return pthread_barrier_destroy(&c->start) == 0 && good;
}

static int nonce_compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

/* Receives all frames of one crowd, which must differ in their nonces, and returns the lowest of these. */
static uint64_t receive_all(Listener *l, pid_t from) {
        static uint64_t nonces[N_FRAMES];

        for (size_t n = 0; n < N_FRAMES;) {
                struct pollfd p = { .fd = l->fd, .events = POLLIN };
                VlpFrame frame;
                pid_t pid;

                ck_assert_int_eq(poll(&p, 1, LONG_MS), 1);
                while (n < N_FRAMES && listener_take(l, &frame, &pid)) {
                        ck_assert_int_eq(pid, from);
                        ck_assert_uint_eq(frame.pid, (uint32_t) from);
                        nonces[n++] = frame.nonce;
                }
        }
        listener_expect_none(l);

        qsort(nonces, N_FRAMES, sizeof(nonces[0]), nonce_compare);
        for (size_t i = 1; i < N_FRAMES; i++)
                ck_assert_msg(nonces[i] != nonces[i - 1], "nonce %llu came twice",
                              (unsigned long long) nonces[i]);

        return nonces[0];
}

START_TEST(test_threads) {
        Listener l;
        Crowd c;

        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        ck_assert(crowd_start(&c, agent));
        (void) receive_all(&l, getpid());
        ck_assert(crowd_join(&c));

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_threads_of_child) {
        Listener l;
        int status;
        pid_t pid;

        listener_open(&l);
        VartaAgent *agent = listener_agent(&l);

        for (int i = 0; i < 5; i++)
                ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_uint_eq(listener_drain(&l), 5);

        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                Crowd c;

                _exit(crowd_start(&c, agent) && crowd_join(&c) ? EXIT_SUCCESS : EXIT_FAILURE);
        }

        ck_assert_uint_eq(receive_all(&l, pid), 1);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "beats of several threads all arrive, each with its own nonce", test_threads },
                { "threads of a child begin one sequence together, at nonce 1", test_threads_of_child },
        };

        return cases_run("client-threads", cases, sizeof(cases) / sizeof(cases[0]));
}
