/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sequence of numbers: pids and times are made up, so that a wrap needs no 2^64 beats.
 */

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "client/session.h"
#include "listener.h"

#define N_THREADS 4
#define N_TAKES   500000

/* A handler that comes so often finds every instruction of a take many times. */
#define N_INTERRUPTIONS 500
#define N_SEEN          (1 << 23)

START_TEST(test_first) {
        VartaSession session = {};

        ck_assert_uint_eq(varta_session_take(&session, 100), 1);
        ck_assert_uint_eq(varta_session_take(&session, 100), 2);
        ck_assert_uint_eq(varta_session_take(&session, 100), 3);
}
END_TEST

START_TEST(test_return) {
        VartaSession session = {};

        varta_session_return(&session, varta_session_take(&session, 100));
        ck_assert_uint_eq(varta_session_take(&session, 100), 1);
        varta_session_return(&session, varta_session_take(&session, 100));
        ck_assert_uint_eq(varta_session_take(&session, 100), 2);
}
END_TEST

START_TEST(test_return_too_late) {
        VartaSession session = {};
        uint64_t first = varta_session_take(&session, 100), second = varta_session_take(&session, 100);

        varta_session_return(&session, first);
        ck_assert_uint_eq(varta_session_take(&session, 100), second + 1);
}
END_TEST

START_TEST(test_return_in_any_order) {
        VartaSession session = {};
        uint64_t first = varta_session_take(&session, 100), second = varta_session_take(&session, 100);

        varta_session_return(&session, second);
        varta_session_return(&session, first);
        ck_assert_uint_eq(varta_session_take(&session, 100), first);
}
END_TEST

START_TEST(test_child) {
        VartaSession session = {};

        for (int i = 0; i < 1000; i++)
                (void) varta_session_take(&session, 100);

        ck_assert_uint_eq(varta_session_take(&session, 101), 1);
        ck_assert_uint_eq(varta_session_take(&session, 101), 2);
        ck_assert_uint_eq(varta_session_take(&session, 102), 1);
}
END_TEST

START_TEST(test_wrap) {
        VartaSession session = { .pid = 100, .nonce = UINT64_MAX - 2 };

        ck_assert_uint_eq(varta_session_take(&session, 100), UINT64_MAX - 2);
        ck_assert_uint_eq(varta_session_take(&session, 100), UINT64_MAX - 1);
        ck_assert_uint_eq(varta_session_take(&session, 100), 0);
        ck_assert_uint_eq(varta_session_take(&session, 100), 1);
}
END_TEST

START_TEST(test_return_at_wrap) {
        VartaSession session = { .pid = 100, .nonce = UINT64_MAX - 1 };

        varta_session_return(&session, varta_session_take(&session, 100));
        ck_assert_uint_eq(varta_session_take(&session, 100), UINT64_MAX - 1);
        varta_session_return(&session, varta_session_take(&session, 100));
        ck_assert_uint_eq(varta_session_take(&session, 100), 0);
}
END_TEST

START_TEST(test_timestamps) {
        VartaSession session = {};

        ck_assert_uint_eq(varta_session_stamp(&session, 1000), 1000);
        ck_assert_uint_eq(varta_session_stamp(&session, 900), 900); /* nothing was sent yet */

        varta_session_commit(&session, 1000);
        ck_assert_uint_eq(varta_session_stamp(&session, 1001), 1001);
        ck_assert_uint_eq(varta_session_stamp(&session, 1000), 1001);
        ck_assert_uint_eq(varta_session_stamp(&session, 5), 1001);

        varta_session_commit(&session, 7); /* a beat that was overtaken */
        ck_assert_uint_eq(varta_session_stamp(&session, 5), 1001);
}
END_TEST

typedef struct Takers {
        VartaSession session;
        pthread_barrier_t start;
        uint8_t seen[N_THREADS * N_TAKES]; /* by nonce - 1; atomic */
} Takers;

/* Returns NULL when every nonce was new and none beyond the number of takes: then none is left out. */
static void *taker_run(void *userdata) {
        Takers *t = userdata;
        bool good = true;

        pthread_barrier_wait(&t->start);
        for (int i = 0; i < N_TAKES; i++) {
                uint64_t nonce = varta_session_take(&t->session, 100);

                good = good && nonce >= 1 && nonce <= N_THREADS * N_TAKES &&
                       __atomic_exchange_n(&t->seen[nonce - 1], 1, __ATOMIC_RELAXED) == 0;
        }

        return good ? NULL : t;
}

START_TEST(test_threads) {
        static Takers takers = { .session = { .pid = 100, .nonce = 1 } };
        pthread_t threads[N_THREADS];

        ck_assert_int_eq(pthread_barrier_init(&takers.start, NULL, N_THREADS), 0);
        for (int i = 0; i < N_THREADS; i++)
                ck_assert_int_eq(pthread_create(threads + i, NULL, taker_run, &takers), 0);
        for (int i = 0; i < N_THREADS; i++) {
                void *result;

                ck_assert_int_eq(pthread_join(threads[i], &result), 0);
                ck_assert_msg(!result, "thread %d got a nonce that was not its own", i);
        }
        (void) pthread_barrier_destroy(&takers.start);
}
END_TEST

static VartaSession interrupted = { .pid = 100, .nonce = 1 };
static uint8_t seen[N_SEEN]; /* by nonce - 1; atomic */
static volatile sig_atomic_t n_interruptions, n_repeated;

static void take_and_see(void) {
        uint64_t nonce = varta_session_take(&interrupted, 100);

        if (nonce < 1 || nonce > N_SEEN || __atomic_exchange_n(&seen[nonce - 1], 1, __ATOMIC_SEQ_CST) != 0)
                n_repeated = 1;
}

static void on_timer(int sig) {
        n_interruptions++;
        take_and_see();
}

START_TEST(test_interrupted) {
        const struct itimerval every = { .it_interval.tv_usec = 50, .it_value.tv_usec = 50 }, never = {};
        const struct sigaction sa = { .sa_handler = on_timer };

        ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
        ck_assert_int_eq(setitimer(ITIMER_REAL, &every, NULL), 0);
        for (int i = 0; i < N_SEEN - N_INTERRUPTIONS * 2 && n_interruptions < N_INTERRUPTIONS; i++)
                take_and_see();
        ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
        ck_assert_ptr_ne(signal(SIGALRM, SIG_DFL), SIG_ERR);

        ck_assert_int_eq(n_repeated, 0);
        ck_assert_int_gt(n_interruptions, 0);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "a session begins at nonce 1 and rises by one", test_first },
                { "a nonce that is given back is the next one's", test_return },
                { "a nonce given back after another was taken is left out", test_return_too_late },
                { "nonces given back last first leave no gap", test_return_in_any_order },
                { "another pid begins at nonce 1", test_child },
                { "after the last regular nonce comes 0, never the terminal one", test_wrap },
                { "nonces around the wrap can be given back", test_return_at_wrap },
                { "timestamps rise although the clock does not, and only what was sent counts",
                  test_timestamps },
                { "a handler that interrupts never gets the nonce that was being taken", test_interrupted },
                { "threads never get the same nonce, nor leave one out", test_threads },
        };

        return cases_run("client-session", cases, sizeof(cases) / sizeof(cases[0]));
}
