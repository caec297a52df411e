/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may prove a restart, whose silence is meant, and what is said when nobody can be asked. Each of these went wrong
 * once in the random recoveries. */

#include <stdio.h>
#include <string.h>

#include "stage.h"

#define U "worker@1.service"
#define S NSEC_PER_SEC

static RecoveryUnitView view(const Stage *s) {
        RecoveryUnitView v;

        recovery_unit(s->w.recovery, U, &v);
        return v;
}

START_TEST(test_who_survived_an_older_invocation_proves_nothing) {
        WorldAgent *a, *old;
        Stage s;

        stage_init(&s);
        fake_unit(&s.f, U, 4)->next = FAKE_DONE;
        old = world_agent(&s.w, U, 3);
        a = world_agent(&s.w, U, 4);
        world_stall(&s.w, a);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        world_exit(&s.w, a);
        world_resume(&s.w, old);
        world_settle(&s.w);
        world_expect_nothing(&s.w);
        world_advance(&s.w, 5 * S);
        world_expect(&s.w, "finished no-beat", NULL);
        stage_done(&s);
}
END_TEST

/* Systemd starts it once more (Restart=), and nobody told of that before the process beat. */
START_TEST(test_a_beat_of_a_still_newer_invocation_is_a_proof) {
        WorldAgent *a;
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_DONE);
        u = &s.f.units[0];
        u->invocation++;
        stage_beats_anew(&s, a, u);
        world_expect(&s.w, "started silent", "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* It is there before the end of the job is looked at. Nobody can tell its invocation, but when it beat. */
START_TEST(test_a_nameless_beat_before_the_look) {
        static const struct {
                const char *title;
                Origin origin;
                bool before; /* the unit's start */
                const char *expected;
        } rows[] = {
                { "by the operator's word", ORIGIN_OPERATOR_ATTESTED, false, "finished recovered" },
                { "by the kernel's", ORIGIN_KERNEL_ATTESTED, false, "finished recovered" },
                { "before the unit was started", ORIGIN_OPERATOR_ATTESTED, true, "finished no-beat" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a, *b;
                FakeUnit *u;
                Stage s;

                stage_init(&s);
                a = stage_stalled(&s, U, FAKE_HELD);
                u = &s.f.units[0];
                world_exit(&s.w, a);
                b = world_agent(&s.w, U, 0);
                b->info.origin = rows[i].origin;
                u->inactive_exit = s.w.now / NSEC_PER_USEC;
                if (rows[i].before)
                        u->inactive_exit += USEC_PER_SEC;
                world_appear(&s.w, b);
                s.w.now += S;
                fake_finish(&s.f, u, "done");
                world_settle(&s.w);
                world_advance(&s.w, 5 * S);
                ck_assert_msg(s.w.n_records == 2 && strcmp(world_record(&s.w, 1), rows[i].expected) == 0,
                              "%s", rows[i].title);
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

/* A process of no known invocation exits: the restart that answers it is the only one. */
START_TEST(test_a_nameless_exit_is_answered_once) {
        WorldAgent *a, *b, *c, last[2];
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        u = fake_unit(&s.f, U, 1);
        a = world_agent(&s.w, U, 0);
        b = world_agent(&s.w, U, 0);
        last[0] = *a;
        last[1] = *b;
        a->info.id = b->info.id = 0;
        for (size_t i = 0; i < ELEMENTSOF(last); i++) {
                Event event = {
                        .kind = EVENT_STALL,
                        .now = s.w.now,
                        .agent = last[i].info,
                        .unit = U,
                        .reason = STALL_EXITED,
                };

                recovery_event(s.w.recovery, &event);
                world_settle(&s.w);
        }
        world_expect(&s.w, "started exited", "refused in-flight", NULL);
        c = world_agent(&s.w, U, 0);
        world_appear(&s.w, c);
        world_advance(&s.w, 30 * S);
        world_expect(&s.w, "finished recovered", "refused process-changed", NULL);
        world_advance(&s.w, NSEC_PER_HOUR);
        ck_assert_uint_eq(u->calls, 1);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        stage_done(&s);
}
END_TEST

/* Its administrator restarts it while its silence stands: the process that is new has not been silent yet. */
START_TEST(test_silence_over_a_network_counts_from_the_units_start) {
        WorldAgent *a;
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        u = fake_unit(&s.f, U, 1);
        u->state = ACTIVE_STATE_INACTIVE;
        a = world_agent(&s.w, U, 0);
        a->info.origin = ORIGIN_OPERATOR_ATTESTED;
        world_stall(&s.w, a);
        world_settle(&s.w);
        world_expect(&s.w, "refused unit-not-active", NULL);
        s.w.now += NSEC_PER_MINUTE;
        u->invocation++;
        u->inactive_exit = s.w.now / NSEC_PER_USEC;
        fake_set_state(&s.f, u, ACTIVE_STATE_ACTIVE);
        world_settle(&s.w);
        world_expect(&s.w, "refused grace", NULL);
        world_advance(&s.w, 5 * S);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

/* That systemd cannot be asked is no reason where there is another one. */
START_TEST(test_without_a_bus_what_is_refused_anyway_is_refused) {
        Stage s;

        stage_init(&s);
        stage_disconnect(&s);
        ck_assert_int_eq(recovery_pause(s.w.recovery, U, 0, ""), 0);
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "paused paused", "refused paused", NULL);
        ck_assert_int_eq(recovery_resume(s.w.recovery, U), 0);
        world_settle(&s.w);
        world_expect(&s.w, "resumed by-hand", "started silent", "finished bus-lost", NULL);
        stage_connect(&s);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

/* Whoever asks by hand is told each time, and the wish does not outlive the answer. */
START_TEST(test_by_hand_without_a_bus) {
        Stage s;

        stage_init(&s);
        stage_disconnect(&s);
        s.w.policy.mode = UNIT_MODE_WARN;
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "refused mode-warn", NULL);
        for (unsigned i = 0; i < 2; i++) {
                ck_assert_int_eq(recovery_recover(s.w.recovery, U), 0);
                world_settle(&s.w);
                world_expect(&s.w, "started silent", "finished bus-lost", NULL);
        }
        stage_connect(&s);
        world_settle(&s.w);
        world_expect(&s.w, "refused mode-warn", NULL);
        ck_assert_uint_eq(s.f.units[0].calls, 0);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_timeout_without_a_reply_has_a_rest) {
        RecoverySettings settings = world_settings();
        Stage s;

        stage_init(&s);
        settings.recovery_timeout = S;
        ck_assert_int_eq(recovery_reconfigure(s.w.recovery, &settings), 0);
        (void) stage_stalled(&s, U, FAKE_DEAF);
        s.f.mute = true;
        world_advance(&s.w, S);
        world_advance(&s.w, 5 * S);
        world_expect(&s.w, "started silent", "finished timeout", NULL);
        s.f.mute = false;
        world_advance(&s.w, 5 * S - 1);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(view(&s).attempt, 0);
        world_advance(&s.w, 1);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

/* The unit's one restart is used up; the bus dies, and somebody restarts it before it is back. */
START_TEST(test_a_restart_by_hand_behind_a_dead_bus) {
        WorldAgent *a;
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        s.w.policy.restart_limit = (Rate){ 1, 10 * NSEC_PER_MINUTE };
        s.w.policy.restart_backoff = (SpanRange){ S, S };
        a = stage_stalled(&s, U, FAKE_DONE);
        u = &s.f.units[0];
        stage_beats_anew(&s, a, u);
        world_stall(&s.w, &s.w.agents[0]);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", "finished recovered", "refused gave-up", "gave-up gave-up",
                     NULL);
        stage_bus_dies(&s);
        world_exit(&s.w, &s.w.agents[0]);
        u->invocation++;
        stage_bus_returns(&s);
        world_expect(&s.w, "left-gave-up restarted", NULL);
        stage_done(&s);
}
END_TEST

/* An alarm that stays silent is the worst of all. */
START_TEST(test_the_connection_ends_with_the_alarm) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        s.w.policy.restart_limit = (Rate){ 1, 10 * NSEC_PER_MINUTE };
        s.w.policy.restart_backoff = (SpanRange){ S, S };
        (void) snprintf(s.w.policy.on_gave_up, sizeof(s.w.policy.on_gave_up), "varta-mail.service");
        a = stage_stalled(&s, U, FAKE_DONE);
        fake_unit(&s.f, "varta-mail.service", 1)->next = FAKE_DEAF;
        stage_beats_anew(&s, a, &s.f.units[0]);
        world_stall(&s.w, &s.w.agents[0]);
        world_settle(&s.w);
        ck_assert_uint_eq(s.f.units[1].calls, 1);
        s.w.n_records = 0;
        stage_disconnect(&s);
        world_expect(&s.w, "helper-failed bus-lost", NULL);
        stage_done(&s);
}
END_TEST

/* Systemd re-executes, and the unit changes while it is off the bus: nobody tells. */
START_TEST(test_a_change_while_systemd_was_away) {
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        u = fake_unit(&s.f, U, 1);
        u->job = 77;
        world_stall(&s.w, world_agent(&s.w, U, 1));
        world_settle(&s.w);
        world_expect(&s.w, "refused unit-not-active", NULL);
        fake_leave(&s.f);
        world_settle(&s.w);
        u->job = 0;
        fake_join(&s.f);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

/* The oneshot did not help; the unit's administrator stops and starts it. That is not to be restarted at once. */
START_TEST(test_a_oneshot_without_a_beat_and_a_restart_by_hand) {
        FakeUnit *u, *target;
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        u = fake_unit(&s.f, U, 1);
        target = stage_oneshot(&s, FAKE_DONE);
        a = world_agent(&s.w, U, 1);
        world_stall(&s.w, a);
        world_settle(&s.w);
        world_advance(&s.w, 5 * S);
        world_expect(&s.w, "started silent", "finished no-beat", NULL);
        u->invocation++;
        world_exit(&s.w, a);
        world_advance(&s.w, NSEC_PER_MINUTE);
        world_expect(&s.w, "refused process-changed", NULL);
        ck_assert_uint_eq(target->calls, 1);
        stage_done(&s);
}
END_TEST

/* The oneshot restarts the unit and waits for that: the new process beats before it is done. */
START_TEST(test_a_oneshot_that_restarts) {
        FakeUnit *target;
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        target = stage_oneshot(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_exit(&s.w, a);
        world_appear(&s.w, world_agent(&s.w, U, 2));
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        fake_finish(&s.f, target, "done");
        world_settle(&s.w);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* It mends the process itself, which beats before the oneshot is done, and ever since. */
START_TEST(test_a_oneshot_that_mends) {
        FakeUnit *target;
        WorldAgent *a;

        for (int mended = 0; mended < 2; mended++) {
                Stage s;

                stage_init(&s);
                target = stage_oneshot(&s, FAKE_HELD);
                a = stage_stalled(&s, U, FAKE_DONE);
                world_resume(&s.w, a);
                fake_finish(&s.f, target, "done");
                world_settle(&s.w);
                a->info.stalled = !mended;
                world_advance(&s.w, 5 * NSEC_PER_SEC);
                ck_assert_uint_eq(s.w.n_records, 2);
                ck_assert_str_eq(world_record(&s.w, 1), mended ? "finished recovered" : "finished no-beat");
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_a_oneshot_that_restarts,
                test_a_oneshot_that_mends,
                test_who_survived_an_older_invocation_proves_nothing,
                test_a_beat_of_a_still_newer_invocation_is_a_proof,
                test_a_nameless_beat_before_the_look,
                test_a_nameless_exit_is_answered_once,
                test_silence_over_a_network_counts_from_the_units_start,
                test_without_a_bus_what_is_refused_anyway_is_refused,
                test_by_hand_without_a_bus,
                test_a_timeout_without_a_reply_has_a_rest,
                test_a_restart_by_hand_behind_a_dead_bus,
                test_the_connection_ends_with_the_alarm,
                test_a_change_while_systemd_was_away,
                test_a_oneshot_without_a_beat_and_a_restart_by_hand,
        };

        return run_tests("recovery-proof", tests, ELEMENTSOF(tests));
}
