/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One transaction at a time: what systemd does, and what is made of it. */

#include <stdio.h>
#include <string.h>

#include "stage.h"

#define U "worker@1.service"

static const FakeUnit *unit(const Stage *s) {
        return &s->f.units[0];
}

static RecoveryUnitView view(const Stage *s) {
        RecoveryUnitView v;

        recovery_unit(s->w.recovery, U, &v);
        return v;
}

START_TEST(test_recovered) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_DONE);
        ck_assert_uint_eq(s.f.subscriptions, 1);
        ck_assert_uint_eq(unit(&s)->calls, 1);
        ck_assert_str_eq(unit(&s)->method, "TryRestartUnit");
        ck_assert_str_eq(unit(&s)->mode, "fail");
        ck_assert_int_eq(view(&s).state, UNIT_STATE_RECOVERING);
        ck_assert_uint_eq(recovery_in_flight(s.w.recovery), 1);
        world_expect(&s.w, "started silent", NULL);

        s.w.now += 120 * NSEC_PER_MSEC;
        stage_beats_anew(&s, a, unit(&s));
        ck_assert_uint_eq(s.w.records[0].record.attempt, 1);
        ck_assert_str_eq(s.w.records[0].job, "/org/freedesktop/systemd1/job/1");
        ck_assert_ptr_nonnull(strstr(s.w.records[0].sentence, "Recovered after 120ms"));
        world_expect(&s.w, "finished recovered", NULL);
        ck_assert_uint_eq(view(&s).restarts, 1);
        ck_assert_uint_eq(view(&s).attempt, 1);
        ck_assert_int_eq(view(&s).state, UNIT_STATE_BACKOFF);
        ck_assert_int_eq(view(&s).last_outcome, OUTCOME_RECOVERED);
        ck_assert_uint_eq(view(&s).backoff_until, s.w.now + 5 * NSEC_PER_SEC);
        ck_assert_uint_eq(recovery_in_flight(s.w.recovery), 0);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        world_advance(&s.w, NSEC_PER_HOUR);
        ck_assert_int_eq(view(&s).state, UNIT_STATE_HEALTHY);
        ck_assert_uint_eq(unit(&s)->calls, 1);
        stage_done(&s);
}
END_TEST

/* How each kind of job ends, with an agent that never beats again. */
START_TEST(test_outcomes) {
        static const struct {
                const char *title;
                FakeJob job;
                const char *expected;
                unsigned attempts; /* rungs of the ladder afterwards */
                const char *words;
        } rows[] = {
                { "the job failed", FAKE_FAILED, "finished job-failed", 1, "systemctl status " U },
                { "the unit's start limit", FAKE_START_LIMIT, "finished start-limit-hit", 1,
                  "StartLimitBurst=" },
                { "the job was canceled", FAKE_CANCELED, "finished job-canceled", 0, "canceled" },
                { "the job ran out of time", FAKE_TIMEOUT, "finished timeout", 1, "did not end" },
                { "a dependency failed", FAKE_DEPENDENCY, "finished job-failed", 1, "systemctl status " U },
                { "a condition keeps it down", FAKE_SKIPPED, "finished job-failed", 1,
                  "systemctl status " U },
                { "stopped before the job", FAKE_STOPPED_FIRST, "finished stopped-meanwhile", 0,
                  "left alone" },
                { "stopped in the middle", FAKE_STOPPED, "finished stopped-meanwhile", 0, "left alone" },
                { "the unit vanished", FAKE_VANISHED, "finished unit-gone", 0, "no such unit" },
                { "not allowed", FAKE_DENIED, "finished access-denied", 0,
                  "install polkit and varta's rule" },
                { "polkit is masked", FAKE_NO_POLKIT, "finished access-denied", 0,
                  "install polkit and varta's rule" },
                { "masked", FAKE_NO_SUCH_UNIT, "finished unit-gone", 0, "\"Unit is masked.\"" },
                { "masked, and unmasked again", FAKE_UNMASKED, "finished job-failed", 0, "is masked.\"" },
                { "a unit that it requires is masked", FAKE_NEED_MASKED, "finished job-failed", 0,
                  "\"Unit need.service is masked.\"" },
                { "somebody's job in the way", FAKE_CONFLICT, "finished job-canceled", 0, "beside another" },
                { "an unknown error", FAKE_BROKEN, "finished job-failed", 0, "\"It broke.\"" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                RecoveryOutcome outcome;
                Stage s;

                stage_init(&s);
                (void) stage_stalled(&s, U, rows[i].job);
                ck_assert_msg(s.w.n_records >= 2, "%s: %u records", rows[i].title, s.w.n_records);
                ck_assert_str_eq(world_record(&s.w, 0), "started silent");
                ck_assert_msg(strcmp(world_record(&s.w, 1), rows[i].expected) == 0, "%s: %s", rows[i].title,
                              world_record(&s.w, 1));
                ck_assert_msg(strstr(s.w.records[1].sentence, rows[i].words), "%s: \"%s\"", rows[i].title,
                              s.w.records[1].sentence);
                outcome = s.w.records[1].record.outcome;
                ck_assert_uint_eq(recovery_counters(s.w.recovery)->outcomes[outcome], 1);
                ck_assert_msg(view(&s).attempt == rows[i].attempts, "%s: %u rungs", rows[i].title,
                              view(&s).attempt);
                ck_assert_int_eq(view(&s).last_outcome, outcome);
                ck_assert_uint_eq(recovery_in_flight(s.w.recovery), 0);
                ck_assert_uint_eq(unit(&s)->calls, 1);
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

/* No outcome without a way to it: a new one fails here until it has its row. */
START_TEST(test_every_outcome) {
        static const struct {
                FakeJob job;
                bool beats, joins; /* what happens then; otherwise time passes */
        } ways[_RECOVERY_OUTCOME_MAX] = {
                [OUTCOME_RECOVERED] = { FAKE_DONE, .beats = true },
                [OUTCOME_NO_BEAT] = { FAKE_DONE },
                [OUTCOME_STOPPED_MEANWHILE] = { FAKE_STOPPED },
                [OUTCOME_JOB_FAILED] = { FAKE_FAILED },
                [OUTCOME_JOB_CANCELED] = { FAKE_CANCELED },
                [OUTCOME_TIMEOUT] = { FAKE_TIMEOUT },
                [OUTCOME_START_LIMIT_HIT] = { FAKE_START_LIMIT },
                [OUTCOME_ACCESS_DENIED] = { FAKE_DENIED },
                [OUTCOME_UNIT_GONE] = { FAKE_VANISHED },
                [OUTCOME_BUS_LOST] = { FAKE_LEAVE, .joins = true },
        };

        for (RecoveryOutcome o = 0; o < _RECOVERY_OUTCOME_MAX; o++) {
                char expected[64];
                WorldAgent *a;
                Stage s;

                stage_init(&s);
                a = stage_stalled(&s, U, ways[o].job);
                if (ways[o].beats)
                        stage_beats_anew(&s, a, unit(&s));
                else if (ways[o].joins)
                        fake_join(&s.f);
                if (s.w.n_records < 2)
                        world_advance(&s.w, ways[o].joins ? 0 : 5 * NSEC_PER_SEC);
                (void) snprintf(expected, sizeof(expected), "finished %s", recovery_outcome_to_string(o));
                ck_assert_str_eq(world_record(&s.w, 1), expected);
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_beats_before_the_job_is_over) {
        FakeUnit *u;
        WorldAgent *a, *b;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_HELD);
        u = &s.f.units[0];
        world_exit(&s.w, a);
        b = world_agent(&s.w, U, 2);
        world_appear(&s.w, b);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        fake_finish(&s.f, u, "done");
        world_settle(&s.w);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_job_is_over_before_the_reply) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_EARLY);
        stage_beats_anew(&s, a, unit(&s));
        world_expect(&s.w, "started silent", "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_slow_start) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_SLOW_START);
        world_expect(&s.w, "started silent", NULL);
        ck_assert_uint_eq(recovery_in_flight(s.w.recovery), 1);
        fake_finish(&s.f, &s.f.units[0], "done");
        world_settle(&s.w);
        stage_beats_anew(&s, a, unit(&s));
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_job_that_never_ends) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        world_expect(&s.w, "started silent", NULL);
        world_advance(&s.w, 190 * NSEC_PER_SEC - 1);
        world_expect_nothing(&s.w);
        world_advance(&s.w, 1); /* the unit's timeouts and 10 s */
        ck_assert_ptr_nonnull(strstr(s.w.records[0].sentence, "3min 10s"));
        /* The stalled process is still there; once the back-off is over its unit has a job queued. */
        world_expect(&s.w, "finished timeout", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "refused unit-not-active", NULL);
        ck_assert_uint_eq(unit(&s)->calls, 1);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_configured_timeout) {
        RecoverySettings settings = world_settings();
        Stage s;

        stage_init(&s);
        settings.recovery_timeout = 30 * NSEC_PER_SEC;
        ck_assert_int_eq(recovery_reconfigure(s.w.recovery, &settings), 0);
        (void) stage_stalled(&s, U, FAKE_HELD);
        world_advance(&s.w, 30 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", "finished timeout", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_lost_end_of_job_is_found_by_the_last_look) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_SILENT_DONE);
        world_advance(&s.w, 190 * NSEC_PER_SEC);
        stage_beats_anew(&s, a, unit(&s));
        world_expect(&s.w, "started silent", "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* systemd does not answer the last look either. */
START_TEST(test_a_deaf_last_look) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        s.f.mute = true;
        world_advance(&s.w, 190 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "finished timeout", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_no_beat_and_the_ladder) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_exit(&s.w, a);
        world_advance(&s.w, 5 * NSEC_PER_SEC - 1);
        world_expect(&s.w, "started silent", NULL);
        world_advance(&s.w, 1);
        ck_assert_int_eq(s.w.records[0].record.again, AGAIN_AT);
        ck_assert_uint_eq(s.w.records[0].record.again_at, s.w.now + 5 * NSEC_PER_SEC);
        world_expect(&s.w, "finished no-beat", NULL);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 1);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        ck_assert_uint_eq(s.w.records[0].record.attempt, 2);
        world_expect(&s.w, "started never-beat", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        ck_assert_uint_eq(s.w.records[0].record.again_at, s.w.now + 10 * NSEC_PER_SEC);
        world_expect(&s.w, "finished no-beat", NULL);
        world_advance(&s.w, 10 * NSEC_PER_SEC);
        world_appear(&s.w, world_agent(&s.w, U, unit(&s)->invocation));
        world_settle(&s.w);
        world_expect(&s.w, "started never-beat", "finished recovered", NULL);
        ck_assert_uint_eq(unit(&s)->calls, 3);
        ck_assert_uint_eq(view(&s).restarts, 3);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        stage_done(&s);
}
END_TEST

START_TEST(test_it_beats_after_all_before_the_next_attempt) {
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_exit(&s.w, a);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", "finished no-beat", NULL);
        world_appear(&s.w, world_agent(&s.w, U, unit(&s)->invocation));
        world_advance(&s.w, NSEC_PER_HOUR);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(unit(&s)->calls, 1);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_grace_of_the_proof) {
        static const struct {
                const char *title;
                nsec_t threshold, grace, first_beat, expected;
        } rows[] = {
                { "a short threshold: never less than 5 s", 10 * NSEC_PER_MSEC, 0, 0, 5 * NSEC_PER_SEC },
                { "a long threshold", NSEC_PER_MINUTE, 0, 0, NSEC_PER_MINUTE },
                { "a start that takes its time", NSEC_PER_SEC, NSEC_PER_MINUTE, 0, 65 * NSEC_PER_SEC },
                { "FirstBeatSec= says it", NSEC_PER_SEC, NSEC_PER_SEC, NSEC_PER_MINUTE, NSEC_PER_MINUTE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a;
                Stage s;

                stage_init(&s);
                s.w.policy.stall_threshold = rows[i].threshold;
                s.w.policy.startup_grace = rows[i].grace;
                s.w.policy.first_beat = rows[i].first_beat;
                a = stage_stalled(&s, U, FAKE_DONE);
                world_exit(&s.w, a);
                world_advance(&s.w, rows[i].expected - 1);
                ck_assert_msg(s.w.n_records == 1, "%s", rows[i].title);
                world_advance(&s.w, 1);
                ck_assert_msg(s.w.n_records == 2, "%s", rows[i].title);
                world_expect(&s.w, "started silent", "finished no-beat", NULL);
                stage_done(&s);
        }
}
END_TEST

/* Between the restart and the first beat. */
START_TEST(test_the_unit_goes_down_before_the_proof) {
        static const struct {
                const char *title;
                ActiveState state;
                const char *sub_state;
                const char *expected; /* NULL: nothing yet */
        } rows[] = {
                { "stopped", ACTIVE_STATE_INACTIVE, "dead", "finished stopped-meanwhile" },
                { "failed", ACTIVE_STATE_FAILED, "failed", "finished job-failed" },
                { "systemd restarts it by itself", ACTIVE_STATE_ACTIVATING, "auto-restart", NULL },
                { "being stopped", ACTIVE_STATE_DEACTIVATING, "stop-sigterm", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *u;
                WorldAgent *a;
                Stage s;

                stage_init(&s);
                a = stage_stalled(&s, U, FAKE_DONE);
                world_exit(&s.w, a);
                world_expect(&s.w, "started silent", NULL);
                u = &s.f.units[0];
                (void) snprintf(u->sub_state, sizeof(u->sub_state), "%s", rows[i].sub_state);
                fake_set_state(&s.f, u, rows[i].state);
                world_settle(&s.w);
                if (!rows[i].expected) {
                        ck_assert_msg(s.w.n_records == 0, "%s: %s", rows[i].title, world_record(&s.w, 0));
                        world_advance(&s.w, 5 * NSEC_PER_SEC);
                        world_expect(&s.w, "finished no-beat", NULL);
                } else {
                        ck_assert_msg(s.w.n_records == 1, "%s", rows[i].title);
                        world_expect(&s.w, rows[i].expected, NULL);
                }
                stage_done(&s);
        }
}
END_TEST

/* A beat of the old invocation, or of somebody whom nobody vouches for, proves nothing. */
START_TEST(test_what_is_no_proof) {
        WorldAgent *a, *b;
        Stage s;

        stage_init(&s);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_resume(&s.w, a);
        b = world_agent(&s.w, U, 1);
        world_appear(&s.w, b);
        b = world_agent(&s.w, U, 2);
        b->info.origin = ORIGIN_NETWORK_UNVERIFIED;
        world_appear(&s.w, b);
        b = world_agent(&s.w, "other.service", 2);
        world_appear(&s.w, b);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        b = world_agent(&s.w, U, 0); /* vouched for, though nobody knows its invocation */
        b->info.origin = ORIGIN_OPERATOR_ATTESTED;
        world_appear(&s.w, b);
        world_settle(&s.w);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_access_denied_is_asked_again_after_the_longest_wait) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_DENIED);
        world_expect(&s.w, "started silent", "finished access-denied", NULL);
        world_advance(&s.w, 300 * NSEC_PER_SEC - 1);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(unit(&s)->calls, 1);
        s.f.units[0].next = FAKE_DENIED;
        world_advance(&s.w, 1);
        ck_assert_uint_eq(s.w.records[0].record.attempt, 1);
        world_expect(&s.w, "started silent", "finished access-denied", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_remedy_depends_on_the_verb) {
        static const struct {
                UnitAction verb;
                const char *method, *words;
        } rows[] = {
                { UNIT_ACTION_TRY_RESTART, "TryRestartUnit", "try-restart services" },
                { UNIT_ACTION_RESTART, "RestartUnit", "does not give the verb `restart`" },
                { UNIT_ACTION_START, "StartUnit", "varta-*.service" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *target = NULL;
                Stage s;

                stage_init(&s);
                s.w.policy.action.verb = rows[i].verb;
                (void) snprintf(s.w.policy.action.unit, sizeof(s.w.policy.action.unit),
                                "varta-fix@%%p.service");
                target = fake_unit(&s.f, "varta-fix@1001.service", 1);
                target->next = FAKE_DENIED;
                (void) stage_stalled(&s, U, FAKE_DENIED);
                ck_assert_str_eq(rows[i].verb == UNIT_ACTION_START ? target->method : s.f.units[1].method,
                                 rows[i].method);
                ck_assert_msg(strstr(s.w.records[1].sentence, rows[i].words), "%s: %s", rows[i].method,
                              s.w.records[1].sentence);
                world_expect(&s.w, "started silent", "finished access-denied", NULL);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_a_oneshot_instead) {
        FakeUnit *target;
        WorldAgent *a;
        Stage s;

        stage_init(&s);
        target = stage_oneshot(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        ck_assert_ptr_nonnull(strstr(s.w.records[0].sentence, "start varta-fix@1001.service"));
        world_resume(&s.w, a); /* before it was done: no proof */
        fake_finish(&s.f, target, "done");
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        ck_assert_uint_eq(s.f.units[1].calls, 0);
        a->info.threshold = NSEC_PER_SEC; /* within the time for the proof */
        world_stall(&s.w, a);
        world_settle(&s.w);
        world_expect(&s.w, "refused in-flight", NULL);
        world_resume(&s.w, a);
        world_settle(&s.w);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* It failed in an earlier recovery, or in this one: what its state says is of the one only that it ran in. */
START_TEST(test_a_oneshot_that_failed_earlier) {
        static const struct {
                const char *title;
                bool began;
                const char *expected;
        } rows[] = {
                { "the request never arrived", false, "finished bus-lost" },
                { "it ran and failed, and the reply was lost", true, "finished job-failed" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *target;
                Stage s;

                stage_init(&s);
                target = stage_oneshot(&s, FAKE_DEAF);
                target->state = ACTIVE_STATE_FAILED;
                target->inactive_exit = s.w.now / NSEC_PER_USEC - 1;
                s.w.now += NSEC_PER_SEC;
                (void) stage_stalled(&s, U, FAKE_DONE);
                world_expect(&s.w, "started silent", NULL);
                s.w.now += NSEC_PER_SEC;
                if (rows[i].began)
                        target->inactive_exit = s.w.now / NSEC_PER_USEC;
                fake_no_reply(&s.f, target);
                world_settle(&s.w);
                ck_assert_msg(s.w.n_records == 1 && strcmp(world_record(&s.w, 0), rows[i].expected) == 0,
                              "%s: %s", rows[i].title, s.w.n_records > 0 ? world_record(&s.w, 0) : "-");
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_names_that_need_escaping) {
        static const char *const names[] = {
                "a\\x2db@c:d.e_f.service",
                "0.service",
                "with-dash@\\x20.service",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                WorldAgent *a;
                Stage s;

                stage_init(&s);
                a = stage_stalled(&s, names[i], FAKE_DONE);
                stage_beats_anew(&s, a, unit(&s));
                world_expect(&s.w, "started silent", "finished recovered", NULL);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_freed_in_the_middle) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        world_stall(&s.w, world_agent(&s.w, "b.service", 1)); /* being read */
        s.w.recovery = recovery_free(s.w.recovery);
        world_expect(&s.w, "started silent", NULL);
        fake_finish(&s.f, &s.f.units[0], "done");
        while (sd_event_run(s.w.event, 20 * 1000) > 0)
                ;
        world_expect_nothing(&s.w);
        (void) sd_bus_detach_event(s.bus);
        sd_bus_close(s.bus);
        s.bus = sd_bus_unref(s.bus);
        fake_done(&s.f);
        world_done(&s.w);
        private_bus_done(&s.private_bus);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_recovered,
                test_outcomes,
                test_every_outcome,
                test_beats_before_the_job_is_over,
                test_the_job_is_over_before_the_reply,
                test_a_slow_start,
                test_a_job_that_never_ends,
                test_the_configured_timeout,
                test_a_lost_end_of_job_is_found_by_the_last_look,
                test_a_deaf_last_look,
                test_no_beat_and_the_ladder,
                test_it_beats_after_all_before_the_next_attempt,
                test_the_grace_of_the_proof,
                test_the_unit_goes_down_before_the_proof,
                test_what_is_no_proof,
                test_access_denied_is_asked_again_after_the_longest_wait,
                test_the_remedy_depends_on_the_verb,
                test_a_oneshot_instead,
                test_a_oneshot_that_failed_earlier,
                test_names_that_need_escaping,
                test_freed_in_the_middle,
        };

        return run_tests("recovery-outcomes", tests, ELEMENTSOF(tests));
}
