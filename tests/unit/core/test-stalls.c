/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Silence: when it is a stall, in which order stalls are told, when a verdict waits, and who is forgotten. */

#include <check.h>
#include <string.h>

#include "scene.h"

/* Three thresholds, three classes. */
static const UnitRules three[3] = {
        { 100 * MSEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
        { 200 * MSEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
        { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
};

static void stall_is_told_in_full(Stage *s) {
        const Event *e = &s->last;

        ck_assert_uint_eq(e->agent.pid, 100);
        ck_assert_uint_eq(e->agent.last_nonce, 4);
        ck_assert_uint_eq(e->agent.last_beat, SCENE_START);
        ck_assert_uint_eq(e->deadline, SCENE_START + 100 * MSEC);
        ck_assert_uint_eq(e->now, SCENE_START + 150 * MSEC);
        ck_assert_uint_eq(e->agent.origin, ORIGIN_KERNEL_ATTESTED);
        ck_assert_uint_eq(e->agent.namespace_inode, 55);
        ck_assert_uint_eq(e->agent.threshold, 100 * MSEC);
        ck_assert_str_eq(s->last_unit, "x.service");
        ck_assert(e->agent.stalled);
        ck_assert(!e->waited);
}

static void deadline_is_exact(Stage *s) {
        ck_assert_uint_eq(observer_next_deadline(s->observer), SCENE_START + SEC);
        ck_assert_uint_eq(observer_stalled(s->observer), 0);
}

static void one_is_stalled(Stage *s) {
        ck_assert_uint_eq(observer_stalled(s->observer), 1);
}

static void nothing_is_due(Stage *s) {
        ck_assert_uint_eq(observer_next_deadline(s->observer), NSEC_INFINITY);
}

static void stall_waited(Stage *s) {
        ck_assert(s->last.waited);
}

static void stall_did_not_wait(Stage *s) {
        ck_assert(!s->last.waited);
}

static void is_overloaded(Stage *s) {
        ck_assert(observer_overloaded(s->observer));
        ck_assert_uint_eq(observer_stalled(s->observer), 0);
}

static void is_not_overloaded(Stage *s) {
        ck_assert(!observer_overloaded(s->observer));
}

static void never_beat_is_told(Stage *s) {
        ck_assert_str_eq(s->last_unit, "x.service");
        ck_assert_uint_eq(s->last.agent.id, 0);
        ck_assert_uint_eq(s->last.deadline, SCENE_START);
}

static const Scene scenes[] = {
        {
                        .title = "stall latch: silence for the threshold is one stall, and only one",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC - 1),
                                   EMPTY(0), TICK(), CHECK(deadline_is_exact), WAIT(1), TICK(),
                                   DISPATCH(.tells = "stall:silent(100)"), CHECK(one_is_stalled),
                                   WAIT(10 * SEC), EMPTY(0), TICK(), DISPATCH() },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "stall latch: any accepted beat clears it, and that is a resume",
                        .steps = { LOCAL(100, 5, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   LOCAL(100, 5, .is = "out-of-order"), CHECK(one_is_stalled),
                                   LOCAL(100, 6, .is = "refreshed", .tells = "resumed+confirmed(100)"),
                                   WAIT(SEC), EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   LAST_WORD(100, 1, .is = "refreshed", .tells = "resumed+status(100)") },
                        .counts = "Beats=3 Stalls=2 Resumes=2 OutOfOrder=1",
        },
        {
                        .title = "stall event: it carries the agent, the unit, the reason, the last beat "
                                 "and the deadline",
                        .rules = three,
                        .processes = { { .pid = 100, .unit = "x.service", .inode = 55 } },
                        .steps = { LOCAL(100, 4, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(150 * MSEC), EMPTY(0), TICK(),
                                   DISPATCH(.tells = "stall:silent(100)"), CHECK(stall_is_told_in_full) },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "stall order: by deadline, over all thresholds",
                        .rules = three,
                        .processes = { { .pid = 100, .unit = "x.service" },
                                       { .pid = 101, .unit = "y.service" } },
                        .steps = { LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   WAIT(99 * MSEC),
                                   LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   LOCAL(102, 1, .is = "inserted", .tells = "appeared(102)"), WAIT(SEC),
                                   EMPTY(0), TICK(),
                                   DISPATCH(.tells = "stall:silent(100) stall:silent(101) "
                                                     "stall:silent(102)") },
                        .counts = "Beats=3 Stalls=3",
        },
        {
                        .title = "stall order: a resume is told behind every stall that was concluded "
                                 "before it",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(1),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"), WAIT(SEC),
                                   EMPTY(0), TICK(),
                                   LOCAL(100, 2, .is = "refreshed",
                                         .tells = "stall:silent(100) stall:silent(101) "
                                                  "resumed+confirmed(100)"),
                                   DISPATCH() },
                        .counts = "Beats=3 Stalls=2 Resumes=1",
        },
        {
                        .title = "stall order: so is the exit of a process that has no agent yet",
                        .processes = { { .pid = 200, .dead = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(),
                                   LOCAL(200, 1, .is = "gone",
                                         .tells = "stall:silent(100) exit:gone(200)") },
                        .counts = "Beats=2 Stalls=1 Exits=1",
        },
        {
                        .title = "stall doubt: while a listener never ran empty, the verdict waits, and the "
                                 "state says so",
                        .settings.max_deferral = 10 * SEC,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   TICK(.tells = "overloaded"), CHECK(is_overloaded), WAIT(SEC), TICK(),
                                   EMPTY(0), TICK(.tells = "recovered"), CHECK(is_not_overloaded),
                                   DISPATCH(.tells = "stall:silent(100)"), CHECK(stall_did_not_wait) },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "stall doubt: each of several listeners must have run empty",
                        .settings.max_deferral = 10 * SEC,
                        .steps = { { .kind = STEP_LISTEN },
                                   LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(SEC),
                                   EMPTY(0),
                                   TICK(.tells = "overloaded"),
                                   EMPTY(1),
                                   TICK(.tells = "recovered"),
                                   DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "stall doubt: a frame that the global bucket refused within the threshold "
                                 "makes it wait",
                        .settings = { .max_deferral = 10 * SEC,
                                      .global_rate = { 1, NSEC_PER_HOUR },
                                      .global_burst = 1 },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(1),
                                   NETWORK(9, 1, .is = "rate-limited"), WAIT(SEC - 1), EMPTY(0),
                                   TICK(.tells = "overloaded"), WAIT(1), TICK(.tells = "recovered"),
                                   DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=1 Stalls=1 RateLimited.global=1",
        },
        {
                        .title = "stall doubt: so does a datagram that the kernel dropped",
                        .settings.max_deferral = 10 * SEC,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(1),
                                   { .kind = STEP_DROPPED, .n = 3 },
                                   WAIT(SEC - 1),
                                   EMPTY(0),
                                   TICK(.tells = "overloaded"),
                                   WAIT(1),
                                   TICK(.tells = "recovered"),
                                   DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=1 Stalls=1 QueueDrops=3",
        },
        {
                        .title = "stall doubt: refusals by the agent's own rate are no doubt",
                        .settings = { .max_deferral = 10 * SEC, .per_pid_rate = { 1, NSEC_PER_HOUR } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   LOCAL(100, 2, .is = "rate-limited"), EMPTY(0), TICK(),
                                   DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=1 Stalls=1 RateLimited.per-pid=1",
        },
        {
                        .title = "stall deferral: it waits for MaxDeferralSec at most, then stands and says "
                                 "so",
                        .settings.max_deferral = 3 * SEC,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   TICK(.tells = "overloaded"), WAIT(3 * SEC - 1), TICK(), WAIT(1),
                                   TICK(.tells = "recovered"), DISPATCH(.tells = "stall:silent(100)"),
                                   CHECK(stall_waited) },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "stall deferral: a beat that was queued all the while saves the agent",
                        .settings.max_deferral = 3 * SEC,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   TICK(.tells = "overloaded"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"), EMPTY(0),
                                   TICK(.tells = "recovered"), DISPATCH() },
                        .counts = "Beats=2",
        },
        {
                        .title = "stall deferral: 0 waits for nothing",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   TICK(), DISPATCH(.tells = "stall:silent(100)"), CHECK(stall_waited) },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "stall never-beat: a unit that never spoke is announced without an agent",
                        .steps = { { .kind = STEP_NEVER_BEAT,
                                     .unit = "x.service",
                                     .tells = "stall:never-beat(0)" },
                                   CHECK(never_beat_is_told) },
                        .counts = "",
        },
        {
                        .title = "forget: an agent without a pidfd leaves ForgetSec after its stall",
                        .settings.forget = 30 * SEC,
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   WAIT(30 * SEC - 1), EMPTY(0), TICK(), WAIT(1),
                                   TICK(.tells = "forgotten(100)"), CHECK(nothing_is_due) },
                        .counts = "Beats=1 Stalls=1 Forgotten=1",
        },
        {
                        .title = "forget: an agent with a pidfd stays, its end will be told",
                        .settings.forget = 30 * SEC,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   WAIT(NSEC_PER_DAY), EMPTY(0), TICK(), CHECK(nothing_is_due),
                                   CHECK(one_is_stalled) },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "forget: one that resumed begins anew",
                        .settings.forget = 30 * SEC,
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"), WAIT(20 * SEC),
                                   NETWORK(100, 2, .is = "refreshed", .tells = "resumed(100)"),
                                   WAIT(20 * SEC), EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   WAIT(11 * SEC), EMPTY(0), TICK(.tells = "forgotten(100)") },
                        .counts = "Beats=2 Stalls=2 Resumes=1 Forgotten=1",
        },
        {
                        .title = "by hand: a reset clears the latch and starts the silence anew, without a "
                                 "resume",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(SEC),
                                   EMPTY(0),
                                   TICK(),
                                   { .kind = STEP_RESET, .pid = 100, .tells = "stall:silent(100)" },
                                   CHECK(is_not_overloaded),
                                   WAIT(SEC - 1),
                                   EMPTY(0),
                                   TICK(),
                                   DISPATCH(),
                                   WAIT(1),
                                   TICK(),
                                   DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=1 Stalls=2",
        },
        {
                        .title = "by hand: forgetting frees the slot and says so",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   { .kind = STEP_FORGET, .pid = 100, .tells = "forgotten(100)" },
                                   LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)") },
                        .counts = "Beats=2 Forgotten=1",
        },
};

#define CROWD 3000U

static const Scene crowd = {
        .title = "a crowd",
        .settings = { .capacity = CROWD, .forget = NSEC_PER_DAY },
};

static uint32_t crowd_seen;

static void crowd_event(void *userdata, const Event *e) {
        if (e->kind != EVENT_STALL)
                return;
        ck_assert_uint_eq(e->agent.pid, 1000 + crowd_seen);
        ck_assert_uint_eq(e->deadline, e->agent.last_beat + SCENE_THRESHOLD);
        crowd_seen++;
}

/* stall queue: 3,000 stalls pass a queue of 1,024 and a slow consumer in order, and none is lost */
START_TEST(test_queue_survives_slow_consumer) {
        ObserverSettings settings = scene_settings(&crowd.settings, false);
        ObserverHooks hooks = stage_hooks;
        static Stage s;
        unsigned ticks = 0;

        stage_open(&s, &crowd);
        s.observer = observer_free(s.observer);
        hooks.event = crowd_event;
        ck_assert_int_eq(observer_new(&settings, &hooks, &s, s.now, &s.observer), 0);
        for (uint32_t i = 0; i < CROWD; i++) {
                s.now += 1000;
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(1000 + i, 1)), VERDICT_INSERTED);
        }

        s.now += SCENE_THRESHOLD;
        crowd_seen = 0;
        observer_tick(s.observer, s.now, 0, 0);
        ck_assert_uint_eq(observer_stalled(s.observer), 1024);
        while (observer_dispatch_stall(s.observer))
                if (crowd_seen % 500 == 1) {
                        if (observer_stalled(s.observer) < CROWD)
                                ck_assert_uint_le(observer_next_deadline(s.observer), s.now);
                        observer_tick(s.observer, s.now += MSEC, 0, 0);
                        ticks++;
                }
        while (observer_next_deadline(s.observer) <= s.now) {
                observer_tick(s.observer, s.now, 0, 0);
                while (observer_dispatch_stall(s.observer))
                        ;
        }
        ck_assert_uint_gt(ticks, 3);
        ck_assert_uint_eq(crowd_seen, CROWD);
        ck_assert_uint_eq(observer_counters(s.observer)->stalls, CROWD);
        stage_close(&s);
}
END_TEST

static const Scene forgetful = {
        .title = "a crowd that is forgotten",
        .settings = { .capacity = CROWD, .forget = 20 * MSEC },
};

/* stall queue: room that is made by forgetting is used, nobody waits for a beat that may never come */
START_TEST(test_queue_emptied_by_forgetting) {
        static Stage s;

        stage_open(&s, &forgetful);
        s.quiet = true;
        for (uint32_t i = 0; i < CROWD; i++)
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(1000 + i, 1)), VERDICT_INSERTED);
        s.now += NSEC_PER_MINUTE;
        while (observer_next_deadline(s.observer) <= s.now)
                observer_tick(s.observer, s.now, 0, 0);
        ck_assert_uint_eq(s.events[EVENT_STALL], CROWD);
        ck_assert_uint_eq(s.events[EVENT_FORGOTTEN], CROWD);
        ck_assert_uint_eq(observer_tracked(s.observer), 0);
        stage_close(&s);
}
END_TEST

SCENES_MAIN("core: stalls", scenes, test_queue_survives_slow_consumer, test_queue_emptied_by_forgetting)
