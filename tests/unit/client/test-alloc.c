/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No memory is asked for after varta_open(): every allocation function that the library could call is
 * counted here, through every outcome a beat can have.
 */

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"
#include "receiver.h"

static unsigned n_allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

void *__wrap_malloc(size_t size) {
        n_allocations++;
        return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
        n_allocations++;
        return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size) {
        n_allocations++;
        return __real_realloc(p, size);
}

void __wrap_free(void *p) {
        n_allocations++;
        __real_free(p);
}

START_TEST(test_open_and_close) {
        VartaAgent *agent = NULL;
        Listener l;

        listener_open(&l);

        /* Shows that the counter sees the library. */
        n_allocations = 0;
        int r = varta_open(l.path, &agent);
        unsigned n_open = n_allocations;

        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(n_open, 1);

        n_allocations = 0;
        varta_close(agent);
        unsigned n_close = n_allocations;

        ck_assert_uint_eq(n_close, 1);
        listener_close(&l);
}
END_TEST

/* How often a beat of each kind allocates, over and over: it must be never. */
static unsigned beat_all_kinds(VartaAgent *agent, int expected) {
        unsigned n_before = n_allocations, n_wrong = 0;

        for (int i = 0; i < 100; i++) {
                n_wrong += varta_beat(agent, VARTA_STATUS_OK, 0) != expected;
                n_wrong += varta_beat_wait(agent, VARTA_STATUS_DEGRADED, 0, i % 50 == 0) != expected;
                n_wrong += varta_beat_terminal(agent, 0, 0) != expected;
                n_wrong += !varta_outcome_to_string(expected);
        }

        unsigned n = n_allocations - n_before;
        ck_assert_uint_eq(n_wrong, 0);
        return n;
}

START_TEST(test_beats) {
        VartaAgent *agent;
        Listener l;

        listener_open(&l);
        agent = listener_agent(&l);

        for (int i = 0; i < 1000; i++) {
                unsigned n_before = n_allocations;
                int r = varta_beat_wait(agent, VARTA_STATUS_OK, 0, 100);
                unsigned n = n_allocations - n_before; /* the asserts allocate, too */

                ck_assert_int_eq(r, VARTA_SENT);
                ck_assert_uint_eq(n, 0);
                (void) listener_expect(&l);
        }

        (void) fill_queue(&l);
        ck_assert_uint_eq(beat_all_kinds(agent, VARTA_DROPPED_QUEUE_FULL), 0);
        listener_leave(&l);
        ck_assert_uint_eq(beat_all_kinds(agent, VARTA_DROPPED_NO_OBSERVER), 0);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

START_TEST(test_udp) {
        VartaAgent *agent = NULL;
        unsigned n_wrong = 0;
        Receiver receiver;

        receiver_open(&receiver, AF_INET6);
        agent = receiver_agent(&receiver);

        /* The queue is never full; it runs over. */
        ck_assert_uint_eq(beat_all_kinds(agent, VARTA_SENT), 0);
        receiver_leave(&receiver);

        unsigned n_before = n_allocations;
        for (int i = 0; i < 100; i++)
                n_wrong += varta_beat(agent, VARTA_STATUS_OK, 0) < 0;
        unsigned n = n_allocations - n_before;
        ck_assert_uint_eq(n, 0);
        ck_assert_uint_eq(n_wrong, 0);

        varta_close(agent);
        receiver_close(&receiver);
}
END_TEST

START_TEST(test_child) {
        VartaAgent *agent;
        Listener l;
        int status;
        pid_t pid;

        listener_open(&l);
        agent = listener_agent(&l);

        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                n_allocations = 0;
                int r = varta_beat(agent, VARTA_STATUS_OK, 0);
                _exit(r == VARTA_SENT && n_allocations == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);

        varta_close(agent);
        listener_close(&l);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "opening allocates once and closing frees it", test_open_and_close },
                { "no beat allocates, whatever becomes of it", test_beats },
                { "no beat over UDP allocates, whether anybody listens or not", test_udp },
                { "a child's first beat does not allocate", test_child },
        };

        return cases_run("client-alloc", cases, sizeof(cases) / sizeof(cases[0]));
}
