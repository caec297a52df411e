/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd's word adds to the gates, and what brings a standing stall before them again. */

#include <stdio.h>
#include <string.h>

#include "stage.h"

#define U "worker@1.service"

/* Stalls an agent of a unit in some state. */
static WorldAgent *stalled_in(Stage *s, void (*change)(FakeUnit *u)) {
        FakeUnit *u = fake_unit(&s->f, U, 1);
        WorldAgent *a = world_agent(&s->w, U, 1);

        change(u);
        world_stall(&s->w, a);
        world_settle(&s->w);
        return a;
}

static void inactive(FakeUnit *u) {
        u->state = ACTIVE_STATE_INACTIVE;
}
static void failed(FakeUnit *u) {
        u->state = ACTIVE_STATE_FAILED;
}
static void stopping(FakeUnit *u) {
        u->state = ACTIVE_STATE_DEACTIVATING;
}
static void starting(FakeUnit *u) {
        u->state = ACTIVE_STATE_ACTIVATING;
}
static void reloading(FakeUnit *u) {
        u->state = ACTIVE_STATE_RELOADING;
}
static void in_a_job(FakeUnit *u) {
        u->job = 77;
}
static void not_found(FakeUnit *u) {
        u->found = false;
        u->state = ACTIVE_STATE_INACTIVE;
}
static void restarted(FakeUnit *u) {
        u->invocation = 9;
}
static void refuses(FakeUnit *u) {
        u->refuse_manual = true;
}
static void is_frozen(FakeUnit *u) {
        u->frozen = true;
}

START_TEST(test_systemd_speaks_against_it) {
        static const struct {
                const char *title;
                void (*change)(FakeUnit *u);
                const char *expected;
        } rows[] = {
                { "stopped", inactive, "refused unit-not-active" },
                { "failed", failed, "refused unit-not-active" },
                { "being stopped", stopping, "refused unit-not-active" },
                { "being started", starting, "refused unit-not-active" },
                { "reloading", reloading, "refused unit-not-active" },
                { "a job is queued for it", in_a_job, "refused unit-not-active" },
                { "not found", not_found, "refused unit-not-active" },
                { "restarted by somebody", restarted, "refused process-changed" },
                { "it refuses the hand", refuses, "refused not-eligible" },
                { "frozen by systemd", is_frozen, "refused frozen" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Stage s;

                stage_init(&s);
                (void) stalled_in(&s, rows[i].change);
                ck_assert_msg(s.w.n_records == 1, "%s: %u records", rows[i].title, s.w.n_records);
                ck_assert_msg(strcmp(world_record(&s.w, 0), rows[i].expected) == 0, "%s: %s", rows[i].title,
                              world_record(&s.w, 0));
                ck_assert_uint_eq(s.f.units[0].calls, 0);
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_the_unit_becomes_active) {
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        (void) stalled_in(&s, in_a_job);
        world_expect(&s.w, "refused unit-not-active", NULL);
        u = &s.f.units[0];
        fake_set_state(&s.f, u, ACTIVE_STATE_RELOADING);
        world_settle(&s.w);
        world_expect_nothing(&s.w); /* the same reason is no news */
        u->job = 0;
        fake_set_state(&s.f, u, ACTIVE_STATE_ACTIVE);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        stage_beats_anew(&s, &s.w.agents[0], u);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_an_administrators_stop_is_never_undone) {
        FakeUnit *u;
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        a = stalled_in(&s, stopping);
        u = &s.f.units[0];
        fake_set_state(&s.f, u, ACTIVE_STATE_INACTIVE);
        world_settle(&s.w);
        world_advance(&s.w, NSEC_PER_HOUR);
        world_exit(&s.w, a);
        world_advance(&s.w, NSEC_PER_HOUR);
        world_expect(&s.w, "refused unit-not-active", NULL);
        ck_assert_uint_eq(u->calls, 0);
        ck_assert_uint_eq(s.w.recovery->watches, 0);
        stage_done(&s);
}
END_TEST

START_TEST(test_ten_of_ten) {
        WorldAgent *agents[10];
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        for (size_t i = 0; i < 10; i++)
                agents[i] = world_agent(&s.w, U, 1);
        for (size_t i = 0; i < 10; i++) {
                world_stall(&s.w, agents[i]);
                s.w.now -= agents[i]->info.threshold; /* all at the same moment */
        }
        world_settle(&s.w);
        ck_assert_uint_eq(s.f.units[0].calls, 1);
        ck_assert_str_eq(world_record(&s.w, 0), "started silent");
        for (unsigned i = 1; i < 10; i++)
                ck_assert_str_eq(world_record(&s.w, i), "refused in-flight");
        ck_assert_uint_eq(s.w.n_records, 10);
        s.w.n_records = 0;
        for (size_t i = 1; i < 10; i++)
                world_exit(&s.w, agents[i]);
        stage_beats_anew(&s, agents[0], &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        ck_assert_uint_eq(s.f.units[0].calls, 1);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        ck_assert_uint_eq(recovery_counters(s.w.recovery)->refusals[REFUSAL_IN_FLIGHT], 9);
        stage_done(&s);
}
END_TEST

/* More than are judged in one turn. */
START_TEST(test_two_hundred_of_two_hundred) {
        unsigned started = 0;
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        for (size_t i = 0; i < 200; i++) {
                WorldAgent *a = world_agent(&s.w, U, 1);

                a->info.threshold = NSEC_PER_MSEC;
                world_stall(&s.w, a);
        }
        world_wait(&s.w, 200);
        world_settle(&s.w);
        ck_assert_uint_eq(s.w.n_records, 200);
        for (unsigned i = 0; i < 200; i++)
                started += s.w.records[i].record.kind == RECORD_STARTED;
        ck_assert_uint_eq(started, 1);
        ck_assert_uint_eq(s.f.units[0].calls, 1);
        ck_assert_uint_eq(recovery_counters(s.w.recovery)->refusals[REFUSAL_IN_FLIGHT], 199);
        s.w.n_records = 0;
        for (size_t i = 1; i < 200; i++)
                world_exit(&s.w, &s.w.agents[i]);
        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        stage_done(&s);
}
END_TEST

/* More than the bus lets us ask for at once. */
START_TEST(test_many_units) {
        enum {
                UNITS = 60
        };
        unsigned asked = 0;
        Stage s;

        stage_init(&s);
        for (unsigned i = 0; i < UNITS; i++) {
                WorldAgent *a;
                char name[32];

                (void) snprintf(name, sizeof(name), "herd@%u.service", i);
                (void) fake_unit(&s.f, name, 1);
                a = world_agent(&s.w, name, 1);
                a->info.threshold = NSEC_PER_MSEC;
                world_stall(&s.w, a);
                ck_assert_uint_le(s.w.recovery->readings, RECOVERY_READINGS_MAX);
        }
        ck_assert_uint_eq(s.w.recovery->readings, RECOVERY_READINGS_MAX);
        world_settle(&s.w);
        ck_assert_uint_eq(s.w.recovery->readings, 0);
        for (unsigned i = 0; i < UNITS; i++) {
                ck_assert_uint_eq(s.f.units[i].reads, 1 + s.f.units[i].calls);
                asked += s.f.units[i].calls;
        }
        ck_assert_uint_eq(asked, RECOVERY_ACTIONS_MAX);
        ck_assert_uint_eq(recovery_counters(s.w.recovery)->refusals[REFUSAL_CAPACITY], UNITS - asked);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

START_TEST(test_what_waited_for_an_action_is_judged_at_its_end) {
        WorldAgent *a, *b;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_HELD);
        b = world_agent(&s.w, U, 1);
        world_stall(&s.w, b);
        world_expect(&s.w, "started silent", "refused in-flight", NULL);
        world_resume(&s.w, a); /* too late: the job is queued, and somebody cancels it */
        fake_finish(&s.f, &s.f.units[0], "canceled");
        world_settle(&s.w);
        world_expect(&s.w, "finished job-canceled", "refused backoff", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", NULL);
        ck_assert_uint_eq(s.f.units[0].calls, 2);
        world_exit(&s.w, a);
        stage_beats_anew(&s, b, &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_backoff_doubles) {
        static const nsec_t waits[] = { 5, 10, 20, 40 };
        WorldAgent *a;
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        u = fake_unit(&s.f, U, 1);
        a = world_agent(&s.w, U, 1);
        a->info.threshold = NSEC_PER_SEC;
        world_stall(&s.w, a);
        world_settle(&s.w);
        for (size_t i = 0; i < ELEMENTSOF(waits); i++) {
                stage_beats_anew(&s, a, u);
                ck_assert_uint_eq(s.w.records[0].record.attempt, i + 1);
                world_expect(&s.w, "started silent", "finished recovered", NULL);
                a = &s.w.agents[0];
                a->info.threshold = NSEC_PER_SEC;
                world_stall(&s.w, a);
                world_settle(&s.w);
                ck_assert_uint_eq(s.w.records[0].record.again_at, s.w.now + (waits[i] - 1) * NSEC_PER_SEC);
                world_expect(&s.w, "refused backoff", NULL);
                world_advance(&s.w, (waits[i] - 1) * NSEC_PER_SEC - 1);
                world_expect_nothing(&s.w);
                world_advance(&s.w, 1);
        }
        ck_assert_uint_eq(u->calls, ELEMENTSOF(waits) + 1);
        stage_beats_anew(&s, a, u);
        world_expect(&s.w, "started silent", "finished recovered", NULL);

        /* Ten times the cap without trouble: it begins at the foot again. */
        world_advance(&s.w, 3000 * NSEC_PER_SEC);
        world_stall(&s.w, &s.w.agents[0]);
        world_settle(&s.w);
        ck_assert_uint_eq(s.w.records[0].record.attempt, 1);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_gave_up) {
        RecoveryUnitView view;
        WorldAgent *a;
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        s.w.policy.restart_limit = (Rate){ 2, 10 * NSEC_PER_MINUTE };
        s.w.policy.restart_backoff = (SpanRange){ NSEC_PER_SEC, NSEC_PER_SEC };
        a = stage_stalled(&s, U, FAKE_DONE);
        u = &s.f.units[0];
        stage_beats_anew(&s, a, u);
        world_stall(&s.w, &s.w.agents[0]);
        world_settle(&s.w);
        stage_beats_anew(&s, &s.w.agents[0], u);
        world_expect(&s.w, "started silent", "finished recovered", "started silent", "finished recovered",
                     NULL);
        world_stall(&s.w, &s.w.agents[0]);
        world_settle(&s.w);
        ck_assert_uint_eq(s.w.records[1].record.again_at, s.w.now + 10 * NSEC_PER_MINUTE);
        ck_assert_ptr_nonnull(strstr(s.w.records[1].sentence, "2 times within 10min"));
        world_expect(&s.w, "refused gave-up", "gave-up gave-up", NULL);
        recovery_unit(s.w.recovery, U, &view);
        ck_assert_int_eq(view.state, UNIT_STATE_GAVE_UP);
        ck_assert_uint_eq(recovery_gave_up(s.w.recovery), 1);

        world_stall(&s.w, world_agent(&s.w, U, u->invocation));
        world_settle(&s.w);
        world_expect(&s.w, "refused gave-up", NULL); /* announced once */
        world_advance(&s.w, 10 * NSEC_PER_MINUTE);
        world_expect(&s.w, "left-gave-up by-time", "started silent", "refused in-flight", NULL);
        ck_assert_uint_eq(recovery_gave_up(s.w.recovery), 0);
        stage_done(&s);
}
END_TEST

START_TEST(test_quorum) {
        WorldAgent *agents[10];
        Stage s;

        stage_init(&s);
        s.w.policy.quorum = (Quorum){ .is_share = true, .value = 50 };
        (void) fake_unit(&s.f, U, 1);
        for (size_t i = 0; i < 10; i++)
                agents[i] = world_agent(&s.w, U, 1);
        for (size_t i = 0; i < 4; i++) {
                world_stall(&s.w, agents[i]);
                world_settle(&s.w);
                world_expect(&s.w, "refused quorum", NULL);
        }
        world_advance(&s.w, NSEC_PER_HOUR);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(s.f.units[0].calls, 0);
        world_stall(&s.w, agents[4]);
        world_settle(&s.w);
        ck_assert_uint_eq(s.f.units[0].calls, 1);
        ck_assert_str_eq(world_record(&s.w, 0), "started silent");
        s.w.n_records = 0;
        stage_beats_anew(&s, agents[0], &s.f.units[0]);
        for (size_t i = 1; i < 10; i++)
                world_exit(&s.w, agents[i]);
        world_settle(&s.w);
        ck_assert_uint_eq(s.f.units[0].calls, 1);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

/* A healthy agent leaves, and so the stalled ones become the half. */
START_TEST(test_quorum_by_an_exit) {
        WorldAgent *agents[3];
        Stage s;

        stage_init(&s);
        s.w.policy.quorum = (Quorum){ .is_share = true, .value = 50 };
        (void) fake_unit(&s.f, U, 1);
        for (size_t i = 0; i < 3; i++)
                agents[i] = world_agent(&s.w, U, 1);
        world_stall(&s.w, agents[0]);
        world_settle(&s.w);
        world_expect(&s.w, "refused quorum", NULL);
        world_exit(&s.w, agents[1]);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_grace_of_the_unit) {
        Stage s;

        stage_init(&s);
        s.w.policy.startup_grace = NSEC_PER_MINUTE;
        fake_unit(&s.f, U, 1)->inactive_exit = s.w.now / NSEC_PER_USEC;
        world_stall(&s.w, world_agent(&s.w, U, 1)); /* 5 s later */
        world_settle(&s.w);
        world_expect(&s.w, "refused grace", NULL);
        world_advance(&s.w, 54 * NSEC_PER_SEC);
        world_expect_nothing(&s.w);
        world_advance(&s.w, NSEC_PER_SEC + NSEC_PER_USEC);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_grace_of_a_clock_jump) {
        Event jump = { .kind = EVENT_CLOCK_JUMP, .unit = "" };
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        jump.now = s.w.now + 4 * NSEC_PER_SEC;
        recovery_event(s.w.recovery, &jump);
        world_stall(&s.w, world_agent(&s.w, U, 1)); /* 1 s after the jump */
        world_settle(&s.w);
        world_expect(&s.w, "refused grace", NULL);
        world_advance(&s.w, 4 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_traced_and_frozen_are_looked_at_again) {
        Stage s;

        stage_init(&s);
        world_text(&s.w, "/proc/1001/status", "TracerPid:\t5\nNSpid:\t1001\n");
        world_text(&s.w, "/sys/fs/cgroup/x/cgroup.events", "frozen 1\n");
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "refused traced", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect_nothing(&s.w);
        world_text(&s.w, "/proc/1001/status", "TracerPid:\t0\nNSpid:\t1001\n");
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "refused frozen", NULL);
        world_text(&s.w, "/sys/fs/cgroup/x/cgroup.events", "frozen 0\n");
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

/* While systemd is being asked. */
START_TEST(test_it_is_over_before_systemd_answers) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        a = world_agent(&s.w, U, 1);
        world_stall(&s.w, a);
        world_resume(&s.w, a);
        world_settle(&s.w);
        world_expect(&s.w, "refused resumed", NULL);
        world_stall(&s.w, a);
        world_exit(&s.w, a);
        world_settle(&s.w);
        world_expect(&s.w, "refused process-changed", NULL);
        a = world_agent(&s.w, U, 1);
        world_stall(&s.w, a);
        a->info.stalled = false; /* it beat, and its event is still to come */
        world_settle(&s.w);
        world_expect(&s.w, "refused resumed", NULL);
        world_resume(&s.w, a);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(s.f.units[0].calls, 0);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_second_beat_confirms) {
        WorldAgent *a;
        Event event;
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        a = world_agent(&s.w, U, 1);
        a->info.confirmed = false;
        world_stall(&s.w, a);
        world_settle(&s.w);
        world_expect(&s.w, "refused unconfirmed", NULL);
        a->info.confirmed = true;
        event = (Event){
                .kind = EVENT_BEAT,
                .now = s.w.now,
                .agent = a->info,
                .unit = U,
                .flags = BEAT_CONFIRMED,
        };
        recovery_event(s.w.recovery, &event);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_capacity) {
        char name[64];
        Stage s;

        stage_init(&s);
        for (unsigned i = 0; i <= RECOVERY_ACTIONS_MAX; i++) {
                (void) snprintf(name, sizeof(name), "worker@%u.service", i);
                (void) stage_stalled(&s, name, FAKE_HELD);
                ck_assert_str_eq(world_record(&s.w, 0),
                                 i < RECOVERY_ACTIONS_MAX ? "started silent" : "refused capacity");
                s.w.n_records = 0;
        }
        ck_assert_uint_eq(recovery_in_flight(s.w.recovery), RECOVERY_ACTIONS_MAX);
        fake_finish(&s.f, &s.f.units[3], "failed");
        world_settle(&s.w);
        ck_assert_str_eq(world_record(&s.w, 0), "finished job-failed");
        ck_assert_str_eq(world_record(&s.w, 1), "started silent");
        ck_assert_uint_eq(s.f.units[RECOVERY_ACTIONS_MAX].calls, 1);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

START_TEST(test_a_unit_that_never_beat) {
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        world_never_beat(&s.w, U);
        world_settle(&s.w);
        world_expect(&s.w, "started never-beat", NULL);
        world_appear(&s.w, world_agent(&s.w, U, 2));
        world_settle(&s.w);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* More units wait for a change than the bus lets us watch: the others are asked again. */
START_TEST(test_too_many_to_watch) {
        Stage s;

        stage_init(&s);
        s.w.recovery->watches = RECOVERY_WATCHES_MAX;
        (void) stalled_in(&s, stopping);
        world_expect(&s.w, "refused unit-not-active", NULL);
        s.f.units[0].state = ACTIVE_STATE_ACTIVE; /* and nobody tells */
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", NULL);
        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        s.w.recovery->watches -= RECOVERY_WATCHES_MAX;
        stage_done(&s);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_systemd_speaks_against_it,
                test_the_unit_becomes_active,
                test_an_administrators_stop_is_never_undone,
                test_ten_of_ten,
                test_two_hundred_of_two_hundred,
                test_many_units,
                test_what_waited_for_an_action_is_judged_at_its_end,
                test_backoff_doubles,
                test_gave_up,
                test_quorum,
                test_quorum_by_an_exit,
                test_grace_of_the_unit,
                test_grace_of_a_clock_jump,
                test_traced_and_frozen_are_looked_at_again,
                test_it_is_over_before_systemd_answers,
                test_a_second_beat_confirms,
                test_capacity,
                test_a_unit_that_never_beat,
                test_too_many_to_watch,
        };

        return run_tests("recovery-judging", tests, ELEMENTSOF(tests));
}
