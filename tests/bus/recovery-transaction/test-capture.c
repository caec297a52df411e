/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The capture before the action: what it holds back, and what never holds back the action. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"

#define U       "worker@1.service"
#define CAPTURE "varta-capture@1001.service"
#define CAP     (10 * NSEC_PER_SEC)

/* A policy with a capture, and the oneshot for the first agent's pid. */
static FakeUnit *stage_with_capture(Stage *s, FakeJob next) {
        FakeUnit *c;

        stage_init(s);
        s->w.policy.capture_timeout = CAP;
        (void) snprintf(s->w.policy.capture_unit, sizeof(s->w.policy.capture_unit),
                        "varta-capture@%%p.service");
        c = fake_unit(&s->f, CAPTURE, 1);
        c->state = ACTIVE_STATE_INACTIVE;
        c->next = next;
        return c;
}

static const FakeUnit *unit(const Stage *s) {
        for (size_t i = 0; i < FAKE_UNITS; i++)
                if (strcmp(s->f.units[i].name, U) == 0)
                        return &s->f.units[i];
        return NULL;
}

static RecoveryUnitState state(const Stage *s) {
        RecoveryUnitView view;

        recovery_unit(s->w.recovery, U, &view);
        return view.state;
}

static void recovers(Stage *s, WorldAgent *a) {
        world_expect(&s->w, "started silent", NULL);
        ck_assert_uint_eq(unit(s)->calls, 1);
        stage_beats_anew(s, a, unit(s));
        world_expect(&s->w, "finished recovered", NULL);
        ck_assert_uint_eq(s->w.recovery->captures_used, 0);
}

START_TEST(test_the_capture_comes_first) {
        WorldAgent *a;
        FakeUnit *c;
        Stage s;

        c = stage_with_capture(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(c->calls, 1);
        ck_assert_str_eq(c->method, "StartUnit");
        ck_assert_str_eq(c->mode, "fail");
        ck_assert_uint_eq(unit(&s)->calls, 0);
        ck_assert_int_eq(state(&s), UNIT_STATE_RECOVERING);
        ck_assert_int_eq(recovery_recover(s.w.recovery, U), -EBUSY);
        fake_finish(&s.f, c, "done");
        world_settle(&s.w);
        ck_assert_ptr_nonnull(strstr(s.w.records[0].sentence, "CaptureUnit= has run"));
        recovers(&s, a);
        ck_assert_uint_eq(c->calls, 1);
        stage_done(&s);
}
END_TEST

/* Whatever becomes of the oneshot: it is told, and the unit is restarted. */
START_TEST(test_a_capture_that_fails) {
        static const struct {
                const char *title;
                FakeJob next;
                nsec_t wait;
                const char *record, *word;
        } rows[] = {
                { "it fails", FAKE_FAILED, 0, "helper-failed job-failed", "ended with \"failed\"" },
                { "it is masked", FAKE_NO_SUCH_UNIT, 0, "helper-failed not-started", "masked" },
                { "polkit says no", FAKE_DENIED, 0, "helper-failed not-started", "polkit" },
                { "a job stands in its way", FAKE_CONFLICT, 0, "helper-failed not-started", "a job of" },
                { "something new", FAKE_BROKEN, 0, "helper-failed not-started", "It broke." },
                { "it hangs", FAKE_HELD, CAP, "helper-failed timeout", "10s (CaptureSec=)" },
                { "nobody replies", FAKE_DEAF, CAP, "helper-failed timeout", "not waited for" },
                { "its end is lost", FAKE_SILENT_DONE, CAP, "helper-failed timeout", "not waited for" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a;
                Stage s;

                (void) stage_with_capture(&s, rows[i].next);
                a = stage_stalled(&s, U, FAKE_DONE);
                if (rows[i].wait > 0) {
                        world_advance(&s.w, rows[i].wait - 1);
                        world_expect_nothing(&s.w);
                        world_advance(&s.w, 1);
                }
                ck_assert_msg(s.w.n_records == 2, "%s: %u records", rows[i].title, s.w.n_records);
                ck_assert_msg(strcmp(world_record(&s.w, 0), rows[i].record) == 0, "%s: %s", rows[i].title,
                              world_record(&s.w, 0));
                ck_assert_msg(strstr(s.w.records[0].sentence, rows[i].word), "%s: %s", rows[i].title,
                              s.w.records[0].sentence);
                ck_assert_str_eq(s.w.records[0].unit, U);
                ck_assert_ptr_null(strstr(s.w.records[1].sentence, "CaptureUnit="));
                world_expect(&s.w, rows[i].record, "started silent", NULL);
                stage_beats_anew(&s, a, unit(&s));
                world_expect(&s.w, "finished recovered", NULL);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_a_unit_that_does_not_exist) {
        WorldAgent *a;
        Stage s;

        stage_with_capture(&s, FAKE_DONE)->name[0] = '\0';
        a = stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "helper-failed not-started", "started silent", NULL);
        stage_beats_anew(&s, a, unit(&s));
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* There is no process of this host to look at, or nobody wants it. */
static void change_remote(Stage *s, WorldAgent *a) {
        a->info.source = SOURCE_LOCAL + 7;
        a->info.origin = ORIGIN_OPERATOR_ATTESTED;
}

static void change_no_time(Stage *s, WorldAgent *a) {
        s->w.policy.capture_timeout = 0;
}

static void change_no_unit(Stage *s, WorldAgent *a) {
        s->w.policy.capture_unit[0] = '\0';
}

START_TEST(test_nothing_to_capture) {
        static const struct {
                const char *title;
                void (*change)(Stage *s, WorldAgent *a);
        } rows[] = {
                { "an agent of another host", change_remote },
                { "CaptureSec=0", change_no_time },
                { "no CaptureUnit=", change_no_unit },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a;
                FakeUnit *c;
                Stage s;

                c = stage_with_capture(&s, FAKE_DONE);
                (void) fake_unit(&s.f, U, 1);
                a = world_agent(&s.w, U, 1);
                rows[i].change(&s, a);
                world_stall(&s.w, a);
                world_settle(&s.w);
                ck_assert_msg(c->calls == 0, "%s", rows[i].title);
                recovers(&s, a);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_a_unit_that_never_beat_has_no_process) {
        FakeUnit *c;
        Stage s;

        c = stage_with_capture(&s, FAKE_DONE);
        (void) fake_unit(&s.f, U, 1);
        world_never_beat(&s.w, U);
        world_settle(&s.w);
        world_expect(&s.w, "started never-beat", NULL);
        ck_assert_uint_eq(c->calls, 0);
        world_appear(&s.w, world_agent(&s.w, U, 2));
        world_settle(&s.w);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* What happens while the capture runs is found by the judgement after it. */
static void event_resumed(Stage *s, WorldAgent *a) {
        world_resume(&s->w, a);
}

static void event_exited(Stage *s, WorldAgent *a) {
        world_exit(&s->w, a);
}

static void event_restarted(Stage *s, WorldAgent *a) {
        FakeUnit *u = (FakeUnit *) unit(s);

        u->invocation++;
}

static void event_stopping(Stage *s, WorldAgent *a) {
        fake_set_state(&s->f, (FakeUnit *) unit(s), ACTIVE_STATE_DEACTIVATING);
}

static void event_stopped(Stage *s, WorldAgent *a) {
        fake_set_state(&s->f, (FakeUnit *) unit(s), ACTIVE_STATE_INACTIVE);
}

static void event_paused(Stage *s, WorldAgent *a) {
        ck_assert_int_eq(recovery_pause(s->w.recovery, U, 0, ""), 0);
        s->w.n_records = 0;
}

static void event_warn(Stage *s, WorldAgent *a) {
        RecoverySettings settings = world_settings();

        s->w.policy.mode = UNIT_MODE_WARN;
        ck_assert_int_eq(recovery_reconfigure(s->w.recovery, &settings), 0);
}

static void event_traced(Stage *s, WorldAgent *a) {
        world_text(&s->w, "/proc/1001/status", "Name:\tx\nTracerPid:\t4711\nNSpid:\t1\n");
        world_text(&s->w, "/proc/4711/cgroup", "0::/user.slice/user-0.slice/session-1.scope\n");
}

START_TEST(test_meanwhile) {
        static const struct {
                const char *title;
                void (*happens)(Stage *s, WorldAgent *a);
                const char *record;
                bool at_once; /* it is told before the capture is over */
        } rows[] = {
                { "it beats again", event_resumed, "refused resumed", true },
                { "its process exits", event_exited, "refused process-changed", true },
                { "somebody restarts the unit", event_restarted, "refused process-changed", false },
                { "somebody is stopping it", event_stopping, "refused unit-not-active", false },
                { "somebody stopped it", event_stopped, "refused unit-not-active", false },
                { "it is paused", event_paused, "refused paused", false },
                { "a reload takes the right away", event_warn, "refused mode-warn", true },
                { "somebody begins to debug it", event_traced, "refused traced", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a;
                FakeUnit *c;
                Stage s;

                c = stage_with_capture(&s, FAKE_HELD);
                a = stage_stalled(&s, U, FAKE_DONE);
                rows[i].happens(&s, a);
                world_settle(&s.w);
                ck_assert_msg(s.w.n_records == (rows[i].at_once ? 1 : 0), "%s: %u", rows[i].title,
                              s.w.n_records);
                fake_finish(&s.f, c, "done");
                world_settle(&s.w);
                ck_assert_msg(s.w.n_records == 1, "%s: %u", rows[i].title, s.w.n_records);
                ck_assert_msg(strcmp(world_record(&s.w, 0), rows[i].record) == 0, "%s: %s", rows[i].title,
                              world_record(&s.w, 0));
                s.w.n_records = 0;
                ck_assert_uint_eq(unit(&s)->calls, 0);
                ck_assert_uint_eq(s.w.recovery->captures_used, 0);
                stage_done(&s);
        }
}
END_TEST

/* The gate's end comes later, and the process is the same: it was looked at. */
START_TEST(test_once_for_each_stall) {
        WorldAgent *a;
        FakeUnit *c;
        Stage s;

        c = stage_with_capture(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        event_paused(&s, a);
        fake_finish(&s.f, c, "done");
        world_settle(&s.w);
        world_expect(&s.w, "refused paused", NULL);
        ck_assert_int_eq(recovery_resume(s.w.recovery, U), 0);
        world_settle(&s.w);
        ck_assert_uint_eq(c->calls, 1);
        world_expect(&s.w, "resumed by-hand", "started silent", NULL);
        stage_beats_anew(&s, a, unit(&s));
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_reload_that_changes_nothing) {
        RecoverySettings settings = world_settings();
        WorldAgent *a;
        FakeUnit *c;
        Stage s;

        c = stage_with_capture(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        ck_assert_int_eq(recovery_reconfigure(s.w.recovery, &settings), 0);
        world_settle(&s.w);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(c->calls, 1);
        fake_finish(&s.f, c, "done");
        world_settle(&s.w);
        recovers(&s, a);
        stage_done(&s);
}
END_TEST

/* A debugger of the capture's own, which goes on beyond its cap, is not somebody at a debugger. */
START_TEST(test_its_own_debugger) {
        WorldAgent *a;
        Stage s;

        (void) stage_with_capture(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_text(&s.w, "/proc/1001/status", "Name:\tx\nTracerPid:\t4711\nNSpid:\t1\n");
        world_text(&s.w, "/proc/4711/cgroup",
                   "0::/system.slice/system-varta\\x2dcapture.slice/varta-capture@1001.service\n");
        world_advance(&s.w, CAP);
        world_expect(&s.w, "helper-failed timeout", "started silent", NULL);
        stage_beats_anew(&s, a, unit(&s));
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* All agents of the unit wedge: one capture, one restart. */
START_TEST(test_others_of_the_unit_wait) {
        static const struct {
                const char *title;
                bool resumes;
                unsigned captures;
        } rows[] = {
                { "for its action", false, 1 },
                { "until it is well: then it is their turn", true, 2 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a, *b;
                FakeUnit *c, *d;
                Stage s;

                c = stage_with_capture(&s, FAKE_HELD);
                d = fake_unit(&s.f, "varta-capture@1002.service", 1);
                d->state = ACTIVE_STATE_INACTIVE;
                a = stage_stalled(&s, U, FAKE_DONE);
                b = world_agent(&s.w, U, 1);
                world_stall(&s.w, b);
                world_settle(&s.w);
                world_expect(&s.w, "refused in-flight", NULL);
                if (rows[i].resumes) {
                        world_resume(&s.w, a);
                        world_settle(&s.w);
                        world_expect(&s.w, "refused resumed", "started silent", NULL);
                } else {
                        fake_finish(&s.f, c, "done");
                        world_settle(&s.w);
                        world_expect(&s.w, "started silent", NULL);
                }
                ck_assert_msg(c->calls + d->calls == rows[i].captures, "%s", rows[i].title);
                ck_assert_uint_eq(unit(&s)->calls, 1);
                world_exit(&s.w, b);
                stage_beats_anew(&s, a, unit(&s));
                ck_assert_str_eq(world_record(&s.w, s.w.n_records - 1), "finished recovered");
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

/* As many at once as there may be actions; the next one has its turn when one of them is over. */
START_TEST(test_capacity) {
        FakeUnit *captures[RECOVERY_ACTIONS_MAX];
        Stage s;

        stage_with_capture(&s, FAKE_DONE)->name[0] = '\0';
        for (unsigned i = 0; i < RECOVERY_ACTIONS_MAX; i++) {
                char name[UNIT_NAME_SIZE];

                (void) snprintf(name, sizeof(name), "varta-capture@%u.service", 1001 + i);
                captures[i] = fake_unit(&s.f, name, 1);
                captures[i]->next = FAKE_HELD;
        }
        for (unsigned i = 0; i <= RECOVERY_ACTIONS_MAX; i++) {
                char name[UNIT_NAME_SIZE];
                WorldAgent *a;

                (void) snprintf(name, sizeof(name), "w@%u.service", i);
                (void) fake_unit(&s.f, name, 1);
                a = world_agent(&s.w, name, 1);
                a->info.threshold = NSEC_PER_MSEC;
                world_stall(&s.w, a);
        }
        world_settle(&s.w);
        world_expect(&s.w, "refused capacity", NULL);
        ck_assert_uint_eq(s.w.recovery->captures_used, RECOVERY_ACTIONS_MAX);
        world_resume(&s.w, &s.w.agents[3]);
        world_settle(&s.w);
        world_expect(&s.w, "refused resumed", "helper-failed not-started", "started silent", NULL);
        for (unsigned i = 0; i < RECOVERY_ACTIONS_MAX; i++)
                if (i != 3)
                        fake_finish(&s.f, captures[i], "done");
        world_settle(&s.w);
        ck_assert_uint_eq(s.w.n_records, RECOVERY_ACTIONS_MAX - 1);
        ck_assert_uint_eq(s.w.recovery->captures_used, 0);
        ck_assert_uint_eq(recovery_in_flight(s.w.recovery), RECOVERY_ACTIONS_MAX);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

START_TEST(test_the_bus_dies_meanwhile) {
        WorldAgent *a;
        FakeUnit *c;
        Stage s;

        c = stage_with_capture(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        stage_bus_dies(&s);
        world_expect(&s.w, "helper-failed bus-lost", "started silent", "finished bus-lost", NULL);
        stage_bus_returns(&s);
        ck_assert_uint_eq(c->calls, 1);
        recovers(&s, a);
        stage_done(&s);
}
END_TEST

/* It executes itself anew, and its jobs with it; only that one is told of on the same bus. */
START_TEST(test_systemd_leaves_and_returns_meanwhile) {
        WorldAgent *a;
        FakeUnit *c;
        Stage s;

        c = stage_with_capture(&s, FAKE_HELD);
        a = stage_stalled(&s, U, FAKE_DONE);
        fake_leave(&s.f);
        world_settle(&s.w);
        fake_join(&s.f);
        world_settle(&s.w);
        world_expect_nothing(&s.w);
        fake_finish(&s.f, c, "done");
        world_settle(&s.w);
        recovers(&s, a);
        stage_done(&s);
}
END_TEST

START_TEST(test_freed_in_the_middle) {
        Stage s;

        (void) stage_with_capture(&s, FAKE_HELD);
        (void) stage_stalled(&s, U, FAKE_DONE);
        s.w.recovery = recovery_free(s.w.recovery);
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
                test_the_capture_comes_first,
                test_a_capture_that_fails,
                test_a_unit_that_does_not_exist,
                test_nothing_to_capture,
                test_a_unit_that_never_beat_has_no_process,
                test_meanwhile,
                test_once_for_each_stall,
                test_a_reload_that_changes_nothing,
                test_its_own_debugger,
                test_others_of_the_unit_wait,
                test_capacity,
                test_the_bus_dies_meanwhile,
                test_systemd_leaves_and_returns_meanwhile,
                test_freed_in_the_middle,
        };

        return run_tests("recovery-capture", tests, ELEMENTSOF(tests));
}
