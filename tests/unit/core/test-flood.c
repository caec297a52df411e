/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Floods: honest agents stay tracked and unsilenced, memory does not grow, nothing is allocated on the way of a beat.
 *
 * The allocators are wrapped at link time, for this program and the libraries linked into it: whatever core calls is
 * counted.
 */

#include <check.h>
#include <string.h>
#include <sys/mman.h>

#include "core/tracker.h"
#include "scene.h"

/* Counted while core is at work: the test and its library may allocate as they like. */
static uint64_t allocations;
static bool counting;

#define WRAPPED(type, name, parameters)                                                                     \
        type __real_##name parameters;                                                                      \
        type __wrap_##name parameters;                                                                      \
        type __wrap_##name parameters

WRAPPED(void *, malloc, (size_t size)) {
        allocations += counting;
        return __real_malloc(size);
}

WRAPPED(void *, calloc, (size_t n, size_t size)) {
        allocations += counting;
        return __real_calloc(n, size);
}

WRAPPED(void *, realloc, (void *p, size_t size)) {
        allocations += counting;
        return __real_realloc(p, size);
}

WRAPPED(void *, mmap, (void *address, size_t size, int protection, int flags, int fd, off_t offset)) {
        allocations += counting;
        return __real_mmap(address, size, protection, flags, fd, offset);
}

WRAPPED(int, observer_new,
        (const ObserverSettings *settings, const ObserverHooks *hooks, void *userdata, nsec_t now,
         Observer **ret)) {
        int r;

        counting = true;
        r = __real_observer_new(settings, hooks, userdata, now, ret);
        counting = false;
        return r;
}

WRAPPED(void, observer_receive,
        (Observer * o, const Datagram *batch, size_t n, nsec_t now, Verdict *ret_verdicts)) {
        counting = true;
        __real_observer_receive(o, batch, n, now, ret_verdicts);
        counting = false;
}

WRAPPED(void, observer_tick, (Observer * o, nsec_t now, nsec_t lateness, nsec_t suspended)) {
        counting = true;
        __real_observer_tick(o, now, lateness, suspended);
        counting = false;
}

WRAPPED(bool, observer_dispatch_stall, (Observer * o)) {
        bool r;

        counting = true;
        r = __real_observer_dispatch_stall(o);
        counting = false;
        return r;
}

WRAPPED(void, observer_agent_exited, (Observer * o, uint64_t agent, nsec_t now)) {
        counting = true;
        __real_observer_agent_exited(o, agent, now);
        counting = false;
}

#define AGENTS 1000U
#define FIRST  10000U /* their pids */

static const Scene fleet = {
        .title = "fleet",
        .settings = {
                .capacity = 4096,
                .threshold = 3 * SEC,
                .max_deferral = SEC,
                .per_pid_rate = { 100, SEC },
                .global_rate = { 2000, SEC },
                .global_burst = 2000,
        },
};

/* A thousand agents appear, and beat a second time. */
static void fleet_open(Stage *s) {
        stage_open(s, &fleet);
        s->quiet = true;
        for (uint64_t nonce = 1; nonce <= 2; nonce++) {
                for (uint32_t i = 0; i < AGENTS; i++)
                        (void) stage_send(s, &(Step) LOCAL(FIRST + i, nonce));
                s->now += SEC;
        }
        ck_assert_uint_eq(observer_tracked(s->observer), AGENTS);
        ck_assert_uint_eq(observer_counters(s->observer)->beats, 2 * AGENTS);
}

/* One more second: each agent beats once, `between` happens between any two of them, and then silence is judged. */
static void fleet_second(Stage *s, uint64_t nonce, void (*between)(Stage *s, uint64_t n)) {
        for (uint32_t i = 0; i < AGENTS; i++) {
                require(stage_send(s, &(Step) LOCAL(FIRST + i, nonce)) == VERDICT_REFRESHED);
                between(s, nonce * AGENTS + i);
                s->now += SEC / AGENTS;
        }
        observer_listener_empty(s->observer, 0, s->now);
        observer_tick(s->observer, s->now, 0, 0);
}

static void fleet_close(Stage *s, unsigned seconds) {
        require(s->events[EVENT_EVICTED] == 0);
        for (uint32_t i = 0; i < AGENTS; i++) {
                require(stage_agent(s, FIRST + i).beats == 2 + seconds);
                require(!stage_agent(s, FIRST + i).stalled);
        }
        stage_close(s);
}

static void one_agent_floods(Stage *s, uint64_t n) {
        for (uint64_t i = 0; i < 100; i++)
                (void) stage_send(s, &(Step) LOCAL(77, n * 100 + i));
}

/* flood: one agent at full speed silences none of a thousand */
START_TEST(test_flooding_agent) {
        static Stage s;

        fleet_open(&s);
        for (uint64_t second = 3; second < 13; second++)
                fleet_second(&s, second, one_agent_floods);
        ck_assert_uint_le(stage_agent(&s, 77).beats, 10 * 100 + 1);
        ck_assert_uint_ge(stage_agent(&s, 77).beats, 10 * 100 - 1);
        fleet_close(&s, 10);
}
END_TEST

static void rotated_pids_flood(Stage *s, uint64_t n) {
        for (uint64_t i = 0; i < 100; i++)
                (void) stage_send(s, &(Step) NETWORK((uint32_t) (100000 + n * 100 + i), 1));
}

/* flood: a million frames with a million pids push nobody out, and memory does not grow */
START_TEST(test_rotating_sender) {
        static Stage s;
        size_t memory;

        fleet_open(&s);
        memory = observer_memory(s.observer);
        for (uint64_t second = 3; second < 13; second++)
                fleet_second(&s, second, rotated_pids_flood);
        ck_assert_uint_eq(observer_memory(s.observer), memory);
        ck_assert_uint_eq(observer_tracked(s.observer), fleet.settings.capacity);
        fleet_close(&s, 10);
}
END_TEST

static void everything_bad_floods(Stage *s, uint64_t n) {
        for (uint64_t i = 0; i < 10; i++) {
                uint32_t other = FIRST + (uint32_t) ((n + i) % AGENTS);

                for (int defect = VLP_ERROR_BAD_MAGIC; defect < _VLP_ERROR_MAX; defect++)
                        (void) stage_send(s, &(Step) LOCAL(77, 1, .defect = (VlpError) defect));
                for (int verdict = RECEIVE_CONTROL_TRUNCATED; verdict < _RECEIVE_VERDICT_MAX; verdict++)
                        (void) stage_send(s, &(Step) LOCAL(77, 1, .received = (ReceiveVerdict) verdict));
                (void) stage_send(s, &(Step) LOCAL(77, 1, .claims = other));
                (void) stage_send(s, &(Step) NETWORK(other, UINT32_MAX));
                (void) stage_send(s, &(Step) NAMELESS(other, UINT32_MAX));
                (void) stage_send(s, &(Step) NETWORK(UINT32_MAX, 1));
                (void) stage_send(s, &(Step) LOCAL(other, 1));
                (void) stage_send(s, &(Step) LAST_WORD(77, 0));
        }
}

/* flood: of every class of refusal at once, each datagram ends in exactly one counter */
START_TEST(test_every_refusal) {
        static Stage s;
        uint64_t datagrams;

        fleet_open(&s);
        for (uint64_t second = 3; second < 8; second++)
                fleet_second(&s, second, everything_bad_floods);
        datagrams = s.datagrams;
        ck_assert_uint_gt(datagrams, 1000000);
        ck_assert_uint_eq(s.pidfds, 1 + AGENTS);
        ck_assert_uint_eq(stage_dispositions(&s), datagrams);
        fleet_close(&s, 5);
}
END_TEST

static void beat(Stage *s, uint64_t n) {
        (void) stage_send(s, &(Step) LOCAL(77, n));
}

/* memory: nothing is allocated behind the start, whatever agents do and whoever floods */
START_TEST(test_no_allocation) {
        uint64_t before, nonce = 2;
        static Stage s;

        fleet_open(&s);
        before = allocations;
        ck_assert_uint_gt(before, 0); /* the wrappers are in place: observer_new() takes its memory */
        for (int round = 0; round < 3; round++) {
                fleet_second(&s, ++nonce, beat);
                fleet_second(&s, ++nonce, rotated_pids_flood);
                fleet_second(&s, ++nonce, everything_bad_floods);
                if (round == 1)
                        s.now += NSEC_PER_MINUTE; /* everybody stalls, and resumes */
                do {
                        observer_tick(s.observer, s.now, 0, 0);
                        while (observer_dispatch_stall(s.observer))
                                ;
                } while (observer_next_deadline(s.observer) <= s.now);
                s.now += SEC;
        }
        observer_agent_exited(s.observer, stage_agent(&s, FIRST).id, s.now);
        ck_assert_uint_gt(observer_counters(s.observer)->resumes, AGENTS / 2);
        ck_assert_uint_eq(observer_counters(s.observer)->exits, 1);
        ck_assert_uint_eq(allocations, before);
        stage_close(&s);
}
END_TEST

TESTS_MAIN("core: flood", test_flooding_agent, test_rotating_sender, test_every_refusal, test_no_allocation)
