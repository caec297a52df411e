/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Units that have to beat in time: which are watched, from when on, and what ends it. */

#include <stdio.h>
#include <string.h>

#include "stage.h"

#define U    "worker@1.service"
#define S    NSEC_PER_SEC
#define SPAN (20 * S)

static void reload(Stage *s) {
        RecoverySettings settings = world_settings();

        ck_assert_int_eq(recovery_reconfigure(s->w.recovery, &settings), 0);
        world_settle(&s->w);
}

/* A host with one unit, which was started a minute ago, and FirstBeatSec=20s from now on. */
static FakeUnit *stage_with_watch(Stage *s, ActiveState state) {
        FakeUnit *u;

        stage_init(s);
        u = fake_unit(&s->f, U, 1);
        u->state = state;
        if (state != ACTIVE_STATE_ACTIVE)
                u->entered = 0;
        s->w.now += NSEC_PER_MINUTE;
        s->w.now -= s->w.now % NSEC_PER_USEC; /* systemd's times have no more */
        s->w.first_beat = "worker@*";
        s->w.policy.first_beat = SPAN;
        reload(s);
        ck_assert_uint_eq(s->f.lists, 1);
        return u;
}

static void start_unit(Stage *s, FakeUnit *u) {
        u->invocation++;
        fake_set_state(&s->f, u, ACTIVE_STATE_ACTIVE);
        world_settle(&s->w);
}

static void stop_unit(Stage *s, FakeUnit *u) {
        fake_set_state(&s->f, u, ACTIVE_STATE_DEACTIVATING);
        fake_set_state(&s->f, u, ACTIVE_STATE_INACTIVE);
        world_settle(&s->w);
}

static WorldAgent *beats(Stage *s, const FakeUnit *u) {
        WorldAgent *a = world_agent(&s->w, u->name, u->invocation);

        world_appear(&s->w, a);
        world_settle(&s->w);
        return a;
}

/* Nothing is announced until just before the moment, and it is then. */
static void told_after(Stage *s, nsec_t span) {
        unsigned before = s->w.never_beats;

        world_advance(&s->w, span - 1);
        ck_assert_uint_eq(s->w.never_beats, before);
        world_expect_nothing(&s->w);
        world_advance(&s->w, 1);
        ck_assert_uint_eq(s->w.never_beats, before + 1);
        ck_assert_uint_eq(s->w.never_beat_deadline, s->w.now);
}

/* Nobody waits for anything any more: the loop sleeps. */
static void expect_sleep(Stage *s) {
        world_advance(&s->w, NSEC_PER_HOUR);
        world_expect_nothing(&s->w);
        ck_assert_uint_eq(watch_next(s->w.recovery), NSEC_INFINITY);
        ck_assert_uint_eq(s->w.recovery->armed, NSEC_INFINITY);
}

START_TEST(test_told_restarted_and_proven) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        told_after(&s, SPAN);
        ck_assert_ptr_nonnull(strstr(s.w.records[0].sentence, U " runs and does not beat"));
        world_expect(&s.w, "started never-beat", NULL);
        ck_assert_uint_eq(u->calls, 1);
        (void) beats(&s, u);
        world_expect(&s.w, "finished recovered", NULL);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 1);
        ck_assert_uint_eq(u->calls, 1);
        stage_done(&s);
}
END_TEST

START_TEST(test_it_beats_in_time) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        world_advance(&s.w, SPAN - 1);
        (void) beats(&s, u);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 0);
        ck_assert_uint_eq(u->reads, 0);
        stage_done(&s);
}
END_TEST

/* One beat is enough, though nobody of the unit is tracked when the time is over. */
START_TEST(test_one_beat_and_gone) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        world_exit(&s.w, beats(&s, u));
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 0);
        stage_done(&s);
}
END_TEST

/* Its beats were heard before anybody watched it. */
START_TEST(test_it_beats_already) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_INACTIVE);
        u->invocation++;
        (void) beats(&s, u);
        fake_set_state(&s.f, u, ACTIVE_STATE_ACTIVE);
        world_settle(&s.w);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 0);
        stage_done(&s);
}
END_TEST

START_TEST(test_it_starts_later) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_INACTIVE);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.recovery->watch.n, 0);
        start_unit(&s, u);
        told_after(&s, SPAN);
        world_expect(&s.w, "started never-beat", NULL);
        (void) beats(&s, u);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_start_that_takes_its_time) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVATING);
        expect_sleep(&s);
        start_unit(&s, u);
        told_after(&s, SPAN);
        world_expect(&s.w, "started never-beat", NULL);
        (void) beats(&s, u);
        world_expect(&s.w, "finished recovered", NULL);

        /* What beats while it starts has beaten. */
        stop_unit(&s, u);
        world_exit(&s.w, &s.w.agents[0]);
        fake_set_state(&s.f, u, ACTIVE_STATE_ACTIVATING);
        world_settle(&s.w);
        u->invocation++;
        world_exit(&s.w, beats(&s, u));
        fake_set_state(&s.f, u, ACTIVE_STATE_ACTIVE);
        world_settle(&s.w);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 1);
        stage_done(&s);
}
END_TEST

START_TEST(test_it_is_stopped_before) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        world_advance(&s.w, SPAN / 2);
        stop_unit(&s, u);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 0);
        start_unit(&s, u); /* and it has all of its time anew */
        told_after(&s, SPAN);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

/* The signal of its end was lost: the look finds it. */
START_TEST(test_it_went_down_unheard) {
        static const struct {
                ActiveState state;
                bool found;
        } rows[] = {
                { ACTIVE_STATE_INACTIVE, true },   { ACTIVE_STATE_INACTIVE, false },
                { ACTIVE_STATE_FAILED, true },     { ACTIVE_STATE_DEACTIVATING, true },
                { ACTIVE_STATE_ACTIVATING, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *u;
                Stage s;

                u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
                u->state = rows[i].state;
                u->found = rows[i].found;
                expect_sleep(&s);
                ck_assert_uint_eq(s.w.never_beats, 0);
                ck_assert_uint_eq(u->reads, 1);
                stage_done(&s);
        }
}
END_TEST

/* So was that of its restart: it has all of its time. */
START_TEST(test_it_was_restarted_unheard) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_INACTIVE);
        start_unit(&s, u);
        world_advance(&s.w, SPAN / 2);
        u->invocation++;
        u->entered = u->invocation;
        u->active_enter = s.w.now / NSEC_PER_USEC;
        world_advance(&s.w, SPAN / 2);
        ck_assert_uint_eq(s.w.never_beats, 0);
        world_advance(&s.w, SPAN / 2);
        ck_assert_uint_eq(s.w.never_beats, 1);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

START_TEST(test_warn_only) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        s.w.policy.mode = UNIT_MODE_WARN;
        told_after(&s, SPAN);
        world_expect(&s.w, "refused mode-warn", NULL);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 1);
        expect_sleep(&s); /* it is told once */

        stop_unit(&s, u);
        start_unit(&s, u); /* by hand: what stood is over */
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        told_after(&s, SPAN);
        world_expect(&s.w, "refused mode-warn", NULL);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 1);
        (void) beats(&s, u);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 2);
        ck_assert_uint_eq(u->calls, 0);
        stage_done(&s);
}
END_TEST

/* Somebody restarts it while its stall waits for the end of a pause. */
START_TEST(test_restarted_by_hand_while_it_stands) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        ck_assert_int_eq(recovery_pause(s.w.recovery, U, 0, ""), 0);
        s.w.n_records = 0;
        told_after(&s, SPAN);
        world_expect(&s.w, "refused paused", NULL);
        u->invocation++; /* nobody tells, but whoever acts would see it */
        ck_assert_int_eq(recovery_resume(s.w.recovery, U), 0);
        world_settle(&s.w);
        world_expect(&s.w, "resumed by-hand", "refused process-changed", NULL);
        ck_assert_uint_eq(recovery_standing(s.w.recovery), 0);
        ck_assert_uint_eq(u->calls, 0);
        stage_done(&s);
}
END_TEST

/* An action that waits for the first beat tells of it itself. */
START_TEST(test_while_an_action_waits) {
        WorldAgent *a;
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        s.w.policy.first_beat = S;
        a = beats(&s, u);
        world_stall(&s.w, a);
        world_settle(&s.w);
        world_exit(&s.w, a);
        world_advance(&s.w, 5 * S - 1);
        world_expect(&s.w, "started silent", NULL);
        world_advance(&s.w, 1);
        world_expect(&s.w, "finished no-beat", NULL);
        world_advance(&s.w, 5 * S);
        ck_assert_uint_eq(s.w.never_beats, 0);
        world_expect(&s.w, "started never-beat", NULL); /* the ladder goes on */
        ck_assert_uint_eq(u->calls, 2);
        (void) beats(&s, u);
        world_expect(&s.w, "finished recovered", NULL);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 0);
        stage_done(&s);
}
END_TEST

START_TEST(test_who_is_not_watched) {
        static const struct {
                const char *title, *name;
                nsec_t first_beat;
                bool is_protected;
        } rows[] = {
                { "FirstBeatSec=0", "a.service", 0, false },
                { "a protected unit", "a.service", SPAN, true },
                { "what is no service", "a.socket", SPAN, false },
                { "the observer", "varta@7.service", SPAN, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Stage s;

                stage_init(&s);
                (void) fake_unit(&s.f, rows[i].name, 1);
                s.w.first_beat = "*";
                s.w.policy.first_beat = rows[i].first_beat;
                s.w.policy.is_protected = rows[i].is_protected;
                reload(&s);
                fake_changed(&s.f, &s.f.units[0]);
                world_settle(&s.w);
                ck_assert_msg(s.w.recovery->watch.n == 0, "%s", rows[i].title);
                expect_sleep(&s);
                stage_done(&s);
        }
}
END_TEST

/* Without FirstBeatSec= in the configuration systemd is not asked for anything. */
START_TEST(test_nobody_is_watched) {
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        s.w.policy.first_beat = SPAN;
        reload(&s);
        ck_assert_uint_eq(s.f.lists, 0);
        ck_assert(!units_monitor_is_on(&s.w.recovery->watch.monitor));
        s.w.first_beat = "*";
        reload(&s);
        ck_assert_uint_eq(s.f.lists, 1);
        ck_assert_uint_eq(s.w.recovery->watch.n, 1);
        s.w.first_beat = NULL; /* and taken back */
        reload(&s);
        ck_assert_uint_eq(s.f.lists, 1);
        ck_assert(!units_monitor_is_on(&s.w.recovery->watch.monitor));
        expect_sleep(&s);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_reload_changes_the_time) {
        Stage s;

        (void) stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        world_advance(&s.w, SPAN / 2);
        s.w.policy.first_beat = 2 * SPAN;
        reload(&s);
        told_after(&s, SPAN + SPAN / 2);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

START_TEST(test_a_clock_jump_gives_grace) {
        Event jump = { .kind = EVENT_CLOCK_JUMP };
        Stage s;

        (void) stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        world_advance(&s.w, SPAN - 1);
        jump.now = s.w.now;
        recovery_event(s.w.recovery, &jump);
        told_after(&s, SPAN);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

/* The bus dies and returns; what happened meanwhile is found out. */
START_TEST(test_the_bus_dies_meanwhile) {
        static const struct {
                const char *title;
                bool told, beaten; /* before */
                bool restarted;    /* while nobody told */
                unsigned expected; /* announcements after it */
        } rows[] = {
                { "nobody beat before, and nothing happened", false, false, false, 1 },
                { "nobody beat before, and it was restarted", false, false, true, 1 },
                { "it had been told", true, false, false, 0 },
                { "it had been told, and was restarted", true, false, true, 1 },
                { "it had beaten", false, true, false, 0 },
                { "it had beaten, and was restarted", false, true, true, 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                unsigned before;
                FakeUnit *u;
                Stage s;

                u = stage_with_watch(&s, ACTIVE_STATE_INACTIVE);
                s.w.policy.mode = UNIT_MODE_WARN;
                start_unit(&s, u);
                if (rows[i].beaten)
                        world_exit(&s.w, beats(&s, u));
                if (rows[i].told)
                        world_advance(&s.w, SPAN);
                before = s.w.never_beats;
                ck_assert_uint_eq(before, rows[i].told);
                stage_bus_dies(&s);
                s.w.now += S;
                if (rows[i].restarted) {
                        u->invocation++;
                        u->entered = u->invocation;
                        u->active_enter = s.w.now / NSEC_PER_USEC;
                }
                s.w.now += S;
                stage_bus_returns(&s);
                world_advance(&s.w, SPAN);
                world_advance(&s.w, SPAN);
                ck_assert_msg(s.w.never_beats - before == rows[i].expected, "%s: %u", rows[i].title,
                              s.w.never_beats - before);
                s.w.n_records = 0;
                expect_sleep(&s);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_due_while_there_is_no_bus) {
        Stage s;

        (void) stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        stage_bus_dies(&s);
        world_advance(&s.w, 3 * SPAN);
        ck_assert_uint_eq(s.w.never_beats, 0);
        stage_bus_returns(&s);
        ck_assert_uint_eq(s.w.never_beats, 1);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

START_TEST(test_systemd_reads_its_units_anew) {
        FakeUnit *u;
        Stage s;

        u = stage_with_watch(&s, ACTIVE_STATE_ACTIVE);
        world_advance(&s.w, SPAN / 2);
        fake_reloaded(&s.f);
        world_settle(&s.w);
        ck_assert_uint_eq(s.f.lists, 2);
        told_after(&s, SPAN / 2);
        s.w.n_records = 0;
        (void) beats(&s, u);
        s.w.n_records = 0;
        fake_reloaded(&s.f);
        world_settle(&s.w);
        expect_sleep(&s);
        ck_assert_uint_eq(s.w.never_beats, 1);
        stage_done(&s);
}
END_TEST

START_TEST(test_a_list_that_fails) {
        Stage s;

        stage_init(&s);
        (void) fake_unit(&s.f, U, 1);
        s.f.no_list = true;
        s.w.first_beat = "*";
        s.w.policy.first_beat = SPAN;
        reload(&s);
        ck_assert_uint_eq(s.f.lists, 1);
        ck_assert_uint_eq(s.w.recovery->watch.n, 0);
        s.f.no_list = false;
        world_advance(&s.w, 5 * S); /* RecheckSec= */
        ck_assert_uint_eq(s.f.lists, 2);
        told_after(&s, SPAN);
        s.w.n_records = 0;
        stage_done(&s);
}
END_TEST

START_TEST(test_no_room) {
        Watch *w;
        Stage s;

        (void) stage_with_watch(&s, ACTIVE_STATE_INACTIVE);
        w = &s.w.recovery->watch;
        for (w->n = 0; w->n < WATCH_UNITS_MAX; w->n++)
                w->units[w->n] = (WatchUnit){ .due = NSEC_INFINITY, .since = 1 };
        start_unit(&s, &s.f.units[0]);
        world_expect(&s.w, "refused capacity", NULL);
        start_unit(&s, fake_unit(&s.f, "worker@2.service", 1)); /* said once */
        world_expect_nothing(&s.w);
        w->n = 0;
        stage_done(&s);
}
END_TEST

/* Many at once: one look after the other, and every one of them is told. */
START_TEST(test_many) {
        Stage s;

        stage_init(&s);
        for (unsigned i = 0; i < FAKE_UNITS; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "w@%u.service", i);
                (void) fake_unit(&s.f, name, 1);
        }
        s.w.policy.mode = UNIT_MODE_WARN;
        s.w.policy.first_beat = SPAN;
        s.w.first_beat = "w@*";
        reload(&s);
        ck_assert_uint_eq(s.w.recovery->watch.n, FAKE_UNITS);
        world_advance(&s.w, SPAN);
        ck_assert_uint_eq(s.w.never_beats, FAKE_UNITS);
        s.w.n_records = 0;
        expect_sleep(&s);
        stage_done(&s);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_told_restarted_and_proven,
                test_it_beats_in_time,
                test_one_beat_and_gone,
                test_it_beats_already,
                test_it_starts_later,
                test_a_start_that_takes_its_time,
                test_it_is_stopped_before,
                test_it_went_down_unheard,
                test_it_was_restarted_unheard,
                test_warn_only,
                test_restarted_by_hand_while_it_stands,
                test_while_an_action_waits,
                test_who_is_not_watched,
                test_nobody_is_watched,
                test_a_reload_changes_the_time,
                test_a_clock_jump_gives_grace,
                test_the_bus_dies_meanwhile,
                test_due_while_there_is_no_bus,
                test_systemd_reads_its_units_anew,
                test_a_list_that_fails,
                test_no_room,
                test_many,
        };

        return run_tests("recovery-watch", tests, ELEMENTSOF(tests));
}
