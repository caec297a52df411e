/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds recovery back as a whole: the storm brake, pauses, a unit given up, a starved host; and who releases it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"

#define U "worker@1.service"
#define S NSEC_PER_SEC

static void set_storm_limit(Stage *s, uint32_t count, nsec_t span) {
        RecoverySettings settings = world_settings();

        settings.storm_limit = (Rate){ count, span };
        settings.max_deferral = NSEC_PER_MINUTE;
        ck_assert_int_eq(recovery_reconfigure(s->w.recovery, &settings), 0);
        world_settle(&s->w);
}

/* Many units wedge together: their number, and how many of them were restarted. */
static void wedge(Stage *s, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                char name[32];
                WorldAgent *a;

                (void) snprintf(name, sizeof(name), "w@%u.service", i);
                (void) fake_unit(&s->f, name, 1);
                a = world_agent(&s->w, name, 1);
                a->info.threshold = NSEC_PER_MSEC;
                world_stall(&s->w, a);
        }
        world_settle(&s->w);
}

static unsigned calls(const Stage *s) {
        unsigned n = 0;

        for (size_t i = 0; i < FAKE_UNITS; i++)
                n += s->f.units[i].calls;
        return n;
}

START_TEST(test_brake) {
        static const struct {
                const char *title;
                bool by_hand;
        } rows[] = { { "it opens by time", false }, { "it is released", true } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Stage s;

                stage_init(&s);
                set_storm_limit(&s, 3, NSEC_PER_MINUTE);
                wedge(&s, 8);
                ck_assert_msg(calls(&s) == 3, "%s: %u", rows[i].title, calls(&s));
                ck_assert_uint_eq(recovery_counters(s.w.recovery)->refusals[REFUSAL_STORM], 5);
                ck_assert_uint_gt(recovery_brake_until(s.w.recovery), s.w.now);
                s.w.n_records = 0;
                if (rows[i].by_hand) {
                        ck_assert_int_eq(recovery_resume(s.w.recovery, "brake"), 0);
                        ck_assert_int_eq(recovery_resume(s.w.recovery, "brake"), -ENOENT);
                } else
                        s.w.now += NSEC_PER_MINUTE - S;
                world_settle(&s.w);
                if (!rows[i].by_hand) {
                        ck_assert_uint_eq(calls(&s), 3);
                        world_advance(&s.w, S);
                }
                ck_assert_msg(calls(&s) == 6, "%s: %u", rows[i].title, calls(&s));
                s.w.n_records = 0;
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_pauses) {
        static const struct {
                const char *title, *what, *resume;
        } rows[] = {
                { "the unit", U, U },
                { "a glob", "worker@*.service", "worker@*.service" },
                { "everything", "", "" },
                { "the process", "pid:1001", "pid:1001" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                RecoveryUnitView view;
                Stage s;

                stage_init(&s);
                ck_assert_int_eq(recovery_pause(s.w.recovery, rows[i].what, 0, "maintenance"), 0);
                world_expect(&s.w, "paused paused", NULL);
                (void) stage_stalled(&s, U, FAKE_DONE);
                ck_assert_uint_eq(s.w.records[0].record.again_at, NSEC_INFINITY);
                world_expect(&s.w, "refused paused", NULL);
                recovery_unit(s.w.recovery, U, &view);
                ck_assert_int_eq(view.state, i == 3 ? UNIT_STATE_STALLED : UNIT_STATE_PAUSED);
                ck_assert_int_eq(recovery_resume(s.w.recovery, "other.service"), -ENOENT);
                ck_assert_int_eq(recovery_resume(s.w.recovery, rows[i].resume), 0);
                world_settle(&s.w);
                world_expect(&s.w, "resumed by-hand", "started silent", NULL);
                ck_assert_ptr_null(recovery_pause_at(s.w.recovery, 0));
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_a_pause_expires) {
        Stage s;

        stage_init(&s);
        ck_assert_int_eq(recovery_pause(s.w.recovery, U, NSEC_PER_HOUR, ""), 0);
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "paused paused", "refused paused", NULL);
        ck_assert_str_eq(recovery_pause_at(s.w.recovery, 0)->what, U);
        world_advance(&s.w, NSEC_PER_HOUR - 10 * S);
        world_expect_nothing(&s.w);
        world_advance(&s.w, 10 * S);
        world_expect(&s.w, "resumed expired", "started silent", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_pause_ends_with_its_process) {
        WorldAgent *a, *other;
        char text[64];
        Stage s;

        stage_init(&s);
        ck_assert_int_eq(recovery_pause(s.w.recovery, "pid:1001", 0, ""), 0);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "paused paused", "refused paused", NULL);
        other = world_agent(&s.w, "other.service", 2);
        world_exit(&s.w, other);
        world_expect_nothing(&s.w);
        world_exit(&s.w, a);
        world_expect(&s.w, "resumed exited", NULL);
        ck_assert_ptr_null(recovery_pause_at(s.w.recovery, 0));

        /* The same pid, and another process: seen at its first beat. */
        other = world_agent(&s.w, "other.service", 3);
        (void) snprintf(text, sizeof(text), "pid:%u", other->info.pid);
        ck_assert_int_eq(recovery_pause(s.w.recovery, text, 0, ""), 0);
        other->info.generation++;
        world_appear(&s.w, other);
        world_expect(&s.w, "paused paused", "resumed exited", NULL);

        /* The process of another host that has the number: is not meant. */
        other->info.generation--;
        ck_assert_int_eq(recovery_pause(s.w.recovery, text, 0, ""), 0);
        other->info.source = 1;
        world_exit(&s.w, other);
        world_expect(&s.w, "paused paused", NULL);

        /* One that never was an agent: gone when the next pause comes. */
        (void) snprintf(text, sizeof(text), "/proc/%u/stat", other->info.pid);
        world_text(&s.w, text, NULL);
        ck_assert_int_eq(recovery_pause(s.w.recovery, "pid:2000", 0, ""), 0);
        world_expect(&s.w, "resumed exited", "paused paused", NULL);
        ck_assert_str_eq(recovery_pause_at(s.w.recovery, 0)->what, "pid:2000");
        ck_assert_ptr_null(recovery_pause_at(s.w.recovery, 1));
        stage_done(&s);
}
END_TEST

START_TEST(test_bad_pauses) {
        char reason[PAUSE_REASON_MAX + 1];
        Stage s;

        stage_init(&s);
        memset(reason, 'x', sizeof(reason) - 1);
        reason[sizeof(reason) - 1] = '\0';
        ck_assert_int_eq(recovery_pause(s.w.recovery, "no-unit", 0, ""), -EINVAL);
        ck_assert_int_eq(recovery_resume(s.w.recovery, "no-unit"), -EINVAL);
        ck_assert_int_eq(recovery_pause(s.w.recovery, U, 0, reason), -E2BIG);
        world_text(&s.w, "/proc/7/stat", NULL);
        ck_assert_int_eq(recovery_pause(s.w.recovery, "pid:7", 0, ""), -ESRCH);
        for (unsigned i = 0; i <= PAUSES_MAX; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "w@%u.service", i);
                ck_assert_int_eq(recovery_pause(s.w.recovery, name, 0, ""), i < PAUSES_MAX ? 0 : -ENOSPC);
        }
        s.w.n_records = 0;
        ck_assert_int_eq(recovery_resume(s.w.recovery, ""), 0);
        world_expect(&s.w, "resumed by-hand", NULL);
        stage_done(&s);
}
END_TEST

/* A unit that stalls again after its one restart. */
static FakeUnit *given_up(Stage *s) {
        WorldAgent *a;
        FakeUnit *u;

        s->w.policy.restart_limit = (Rate){ 1, 10 * NSEC_PER_MINUTE };
        s->w.policy.restart_backoff = (SpanRange){ S, S };
        a = stage_stalled(s, U, FAKE_DONE);
        world_wait(&s->w, 1);
        world_settle(&s->w);
        u = &s->f.units[0];
        stage_beats_anew(s, a, u);
        world_wait(&s->w, 2);
        world_stall(&s->w, &s->w.agents[0]);
        world_wait(&s->w, 4);
        world_settle(&s->w);
        return u;
}

START_TEST(test_on_gave_up) {
        static const struct {
                const char *title;
                FakeJob next;
                bool there;
                const char *failed;
        } rows[] = {
                { "it is started once", FAKE_DONE, true, NULL },
                { "it is not allowed", FAKE_DENIED, true, "helper-failed not-started" },
                { "it is not there", FAKE_NO_SUCH_UNIT, true, "helper-failed not-started" },
                { "its job fails", FAKE_FAILED, true, "helper-failed job-failed" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *o;
                Stage s;

                stage_init(&s);
                (void) snprintf(s.w.policy.on_gave_up, sizeof(s.w.policy.on_gave_up), "varta-mail.service");
                o = fake_unit(&s.f, "varta-mail.service", 3);
                o->next = rows[i].next;
                /* fake_unit() gives places in order: the worker's must be the first that given_up() looks at. */
                s.f.units[1] = s.f.units[0];
                s.f.units[0] = (FakeUnit){};
                (void) given_up(&s);
                world_stall(&s.w, world_agent(&s.w, U, s.f.units[0].invocation));
                world_settle(&s.w);
                ck_assert_msg(s.f.units[1].calls == 1, "%s: %u", rows[i].title, s.f.units[1].calls);
                ck_assert_str_eq(s.f.units[1].method, "StartUnit");
                if (rows[i].failed)
                        world_expect(&s.w, "started silent", "finished recovered", "refused gave-up",
                                     "gave-up gave-up", rows[i].failed, "refused gave-up", NULL);
                else
                        world_expect(&s.w, "started silent", "finished recovered", "refused gave-up",
                                     "gave-up gave-up", "refused gave-up", NULL);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_gave_up_is_left) {
        static const struct {
                const char *title;
                bool resumed, restarted;
        } rows[] = {
                { "by time", false, false },
                { "by varta-ctl resume", true, false },
                { "by a restart by hand", false, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *u;
                Stage s;

                stage_init(&s);
                u = given_up(&s);
                world_expect(&s.w, "started silent", "finished recovered", "refused gave-up",
                             "gave-up gave-up", NULL);
                fake_changed(&s.f, u); /* no other invocation: nothing follows from it */
                world_settle(&s.w);
                world_expect_nothing(&s.w);
                if (rows[i].resumed) {
                        ck_assert_int_eq(recovery_resume(s.w.recovery, "worker@*.service"), 0);
                        world_settle(&s.w);
                        world_expect(&s.w, "left-gave-up by-hand", "started silent", NULL);
                } else if (rows[i].restarted) {
                        u->invocation += 5;
                        fake_changed(&s.f, u);
                        world_settle(&s.w);
                        world_expect(&s.w, "left-gave-up restarted", "refused process-changed", NULL);
                } else {
                        world_exit(&s.w, &s.w.agents[0]); /* even with nobody there to be judged */
                        world_advance(&s.w, 10 * NSEC_PER_MINUTE);
                        world_expect(&s.w, "left-gave-up by-time", NULL);
                        ck_assert_uint_eq(s.w.recovery->watches, 0);
                }
                ck_assert_msg(recovery_gave_up(s.w.recovery) == 0, "%s", rows[i].title);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_recover_by_hand) {
        WorldAgent *a;
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        s.w.policy.mode = UNIT_MODE_WARN;
        ck_assert_int_eq(recovery_recover(s.w.recovery, U), -ENOENT);
        a = stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "refused mode-warn", NULL);
        u = &s.f.units[0];
        u->state = ACTIVE_STATE_INACTIVE;
        ck_assert_int_eq(recovery_recover(s.w.recovery, U), 0);
        world_settle(&s.w);
        world_expect(&s.w, "refused unit-not-active", NULL);
        u->state = ACTIVE_STATE_ACTIVE;
        ck_assert_int_eq(recovery_recover(s.w.recovery, U), 0);
        world_settle(&s.w);
        ck_assert_ptr_nonnull(strstr(s.w.records[0].sentence, "by hand"));
        world_expect(&s.w, "started silent", NULL);
        ck_assert_int_eq(recovery_recover(s.w.recovery, U), -EBUSY);
        stage_beats_anew(&s, a, u);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

static void pressure(Stage *s, const char *text) {
        world_text(&s->w, "/proc/pressure/cpu", text);
}

START_TEST(test_a_starved_host) {
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        set_storm_limit(&s, 0, 0);
        pressure(&s, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n");
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect_nothing(&s.w); /* it waits for the second reading */
        u = &s.f.units[0];
        ck_assert_uint_eq(u->reads, 0);
        pressure(&s, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1090000\n");
        world_advance(&s.w, 100 * NSEC_PER_MSEC);
        ck_assert_uint_eq(s.w.records[0].record.again_at, s.w.now + S);
        world_expect(&s.w, "refused host-starved", NULL);
        world_advance(&s.w, S);
        pressure(&s, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1100000\n");
        world_advance(&s.w, 100 * NSEC_PER_MSEC);
        world_expect(&s.w, "started silent", NULL);
        ck_assert_uint_eq(u->calls, 1);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_host_starved_for_ever) {
        unsigned seconds = 0;
        Stage s;

        stage_init(&s);
        set_storm_limit(&s, 0, 0);
        recovery_loop_lag(s.w.recovery, 2 * S);
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "refused host-starved", NULL);
        while (s.w.n_records == 0 && seconds < 70) {
                recovery_loop_lag(s.w.recovery, 2 * S);
                world_advance(&s.w, S);
                seconds++;
        }
        ck_assert_uint_eq(seconds, 60);
        ck_assert_ptr_nonnull(strstr(s.w.records[0].sentence, "MaxDeferralSec"));
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_brake,           test_pauses,
                test_a_pause_expires, test_a_pause_ends_with_its_process,
                test_bad_pauses,      test_on_gave_up,
                test_gave_up_is_left, test_recover_by_hand,
                test_a_starved_host,  test_a_host_starved_for_ever,
        };

        return run_tests("recovery-hand", tests, ELEMENTSOF(tests));
}
