/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The observer dies in every phase of an action and comes back: one outcome each, and what was in force still is. */

#include <stdio.h>
#include <string.h>

#include "durably.h"

#define U "worker@1.service"
#define S NSEC_PER_SEC

/* Whether anything more is said of it later, by this observer or the next. */
static void expect_the_end(Durably *d) {
        world_expect_nothing(&d->s.w);
        ck_assert_uint_eq(recovery_in_flight(d->s.w.recovery), 0);
        die_and_return(d);
        world_expect_nothing(&d->s.w);
        ck_assert_uint_eq(recovery_in_flight(d->s.w.recovery), 0);
}

typedef struct Phase {
        const char *title;
        FakeJob job;
        const char *result; /* of the job, while nobody looks; NULL: it was over, or never began */
        bool beats, stopped;
        const char *expected;
} Phase;

/* Up to the observer's death, and what happens while it is dead. */
static void phase_begin(Durably *d, const Phase *p) {
        FakeUnit *u;

        (void) stage_stalled(&d->s, U, p->job);
        u = &d->s.f.units[0];
        world_expect(&d->s.w, "started silent", NULL);
        ck_assert_uint_eq(recovery_in_flight(d->s.w.recovery), 1);
        die(d);
        if (p->job == FAKE_LEAVE_DONE)
                fake_join(&d->s.f);
        if (p->result)
                fake_finish(&d->s.f, u, p->result);
        if (p->stopped)
                fake_set_state(&d->s.f, u, ACTIVE_STATE_INACTIVE);
        revive(d);
        if (p->beats)
                (void) appears(d, u);
        for (unsigned i = 0; d->s.w.n_records == 0 && i < 2; i++)
                world_advance(&d->s.w, 5 * S);
}

static void phase_check(Durably *d, const Phase *p) {
        const Recovery *r = d->s.w.recovery;
        const RecoveryRecord *record;
        RecoveryUnitView view;

        ck_assert_msg(d->s.w.n_records == 1 && strcmp(world_record(&d->s.w, 0), p->expected) == 0,
                      "%s: %u records, the first %s", p->title, d->s.w.n_records,
                      d->s.w.n_records > 0 ? world_record(&d->s.w, 0) : "-");
        record = &d->s.w.records[0].record;
        ck_assert_uint_eq(record->attempt, 1);
        ck_assert_uint_eq(record->pid, 1001);
        ck_assert_str_eq(recovery_history_at(r, 0)->sentence, record->sentence);
        ck_assert_str_eq(recovery_history_at(r, 1)->reason, "silent");
        ck_assert_ptr_null(recovery_history_at(r, 2));
        recovery_unit(r, U, &view);
        ck_assert_int_eq(view.last_outcome, record->outcome);
        ck_assert_uint_eq(d->s.f.units[0].calls, 1);
        d->s.w.n_records = 0;
        if (view.last_outcome != OUTCOME_NO_BEAT)
                expect_the_end(d);
}

START_TEST(test_phases) {
        static const Phase rows[] = {
                { "the request was never heard", FAKE_DEAF, NULL, false, false, "finished bus-lost" },
                { "the job ended meanwhile", FAKE_HELD, "done", true, false, "finished recovered" },
                { "the job was canceled", FAKE_HELD, "canceled", false, false, "finished job-canceled" },
                { "the proof was awaited", FAKE_DONE, NULL, true, false, "finished recovered" },
                { "nobody beats", FAKE_DONE, NULL, false, false, "finished no-beat" },
                { "the unit was stopped", FAKE_HELD, "canceled", false, true, "finished stopped-meanwhile" },
                { "the reply was lost", FAKE_LEAVE_DONE, NULL, true, false, "finished recovered" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Durably d;

                durably_init(&d);
                phase_begin(&d, &rows[i]);
                phase_check(&d, &rows[i]);
                durably_done(&d);
        }
}
END_TEST

/* The job goes on while the observer is away, and after it came back. */
START_TEST(test_the_job_outlives_the_observer) {
        FakeUnit *u;
        Durably d;

        durably_init(&d);
        (void) stage_stalled(&d.s, U, FAKE_HELD);
        u = &d.s.f.units[0];
        die_and_return(&d);
        die_and_return(&d);
        world_expect(&d.s.w, "started silent", NULL);
        ck_assert_uint_eq(recovery_in_flight(d.s.w.recovery), 1);
        fake_finish(&d.s.f, u, "done");
        fake_changed(&d.s.f, u);
        world_settle(&d.s.w);
        die_and_return(&d); /* while the proof is awaited */
        (void) appears(&d, u);
        world_expect(&d.s.w, "finished recovered", NULL);
        expect_the_end(&d);
        durably_done(&d);
}
END_TEST

/* While nobody could hear it, its time ran out: it is heard all the same. */
START_TEST(test_the_deadline_passes_meanwhile) {
        Durably d;

        durably_init(&d);
        (void) stage_stalled(&d.s, U, FAKE_DONE);
        world_expect(&d.s.w, "started silent", NULL);
        die(&d);
        d.s.w.now += NSEC_PER_HOUR;
        revive(&d);
        world_advance(&d.s.w, 4 * S);
        (void) appears(&d, &d.s.f.units[0]);
        world_expect(&d.s.w, "finished recovered", NULL);
        expect_the_end(&d);
        durably_done(&d);
}
END_TEST

/* Without a bus the deadline holds. */
START_TEST(test_the_bus_does_not_come_back) {
        Durably d;

        durably_init(&d);
        (void) stage_stalled(&d.s, U, FAKE_HELD);
        world_expect(&d.s.w, "started silent", NULL);
        die(&d);
        d.settings.state_fd = d.dir;
        world_revive(&d.s.w, &d.settings);
        world_advance(&d.s.w, 185 * S);
        world_expect_nothing(&d.s.w);
        world_advance(&d.s.w, 5 * S);
        world_advance(&d.s.w, 5 * S);
        world_expect(&d.s.w, "finished bus-lost", NULL);
        stage_connect(&d.s);
        expect_the_end(&d);
        durably_done(&d);
}
END_TEST

/* A deadline that no observer wrote: the unit's own timeouts bound it, as soon as they are read. */
START_TEST(test_a_deadline_that_never_comes) {
        Durably d;
        Action *a;

        durably_init(&d);
        (void) stage_stalled(&d.s, U, FAKE_HELD);
        world_expect(&d.s.w, "started silent", NULL);
        a = &d.s.w.recovery->actions[0];
        a->deadline = a->limit = NSEC_INFINITY;
        durable_action_goes_on(d.s.w.recovery, a);
        die_and_return(&d);
        world_advance(&d.s.w, 185 * S);
        world_expect_nothing(&d.s.w);
        world_advance(&d.s.w, 5 * S);
        world_advance(&d.s.w, 5 * S);
        world_expect(&d.s.w, "finished timeout", "refused unit-not-active", NULL);
        durably_done(&d);
}
END_TEST

/* Another agent of the unit, that was well all the time, appears to the new observer: that is no proof. */
START_TEST(test_a_oneshot_is_not_proven_by_the_well) {
        static const struct {
                const char *title;
                uint32_t pid;
                uint64_t generation;
                bool proof;
        } rows[] = {
                { "an older process", 4711, 70, false },
                { "the one that had fallen silent", 1001, 77, true },
                { "another one with its pid", 1001, 76, false },
                { "a process of afterwards", 4711, UINT64_MAX / 2, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a;
                Durably d;

                durably_init(&d);
                d.s.w.policy.action.verb = UNIT_ACTION_START;
                (void) snprintf(d.s.w.policy.action.unit, sizeof(d.s.w.policy.action.unit),
                                "varta-fix@%%p.service");
                (void) fake_unit(&d.s.f, "varta-fix@1001.service", 9);
                (void) stage_stalled(&d.s, U, FAKE_DONE);
                world_expect(&d.s.w, "started silent", NULL);
                die_and_return(&d);
                a = world_agent(&d.s.w, U, 1);
                a->info.pid = rows[i].pid;
                a->info.generation = rows[i].generation;
                world_appear(&d.s.w, a);
                world_settle(&d.s.w);
                ck_assert_msg((d.s.w.n_records == 1) == rows[i].proof, "%s", rows[i].title);
                if (!rows[i].proof) {
                        world_advance(&d.s.w, 5 * S);
                        world_advance(&d.s.w, 5 * S);
                        ck_assert_str_eq(world_record(&d.s.w, 0), "finished no-beat");
                        d.s.w.n_records = 0;
                } else
                        world_expect(&d.s.w, "finished recovered", NULL);
                durably_done(&d);
        }
}
END_TEST

/* Restarted, and nobody beats: there is no agent that a new observer could find silent. The ladder goes on all the same. */
START_TEST(test_the_ladder_goes_on) {
        RecoveryUnitView view;
        FakeUnit *u;
        Durably d;

        durably_init(&d);
        (void) stage_stalled(&d.s, U, FAKE_DONE);
        u = &d.s.f.units[0];
        world_exit(&d.s.w, &d.s.w.agents[0]);
        world_advance(&d.s.w, 5 * S);
        world_expect(&d.s.w, "started silent", "finished no-beat", NULL);
        recovery_unit(d.s.w.recovery, U, &view);
        ck_assert_uint_gt(view.backoff_until, d.s.w.now);
        die_and_return(&d);
        world_expect_nothing(&d.s.w);
        ck_assert_uint_eq(recovery_standing(d.s.w.recovery), 1);
        world_advance(&d.s.w, 10 * S);
        ck_assert_uint_eq(d.s.w.records[0].record.attempt, 2);
        world_expect(&d.s.w, "started never-beat", NULL);
        ck_assert_uint_eq(u->calls, 2);
        (void) appears(&d, u);
        world_expect(&d.s.w, "finished recovered", NULL);
        expect_the_end(&d);
        ck_assert_uint_eq(recovery_standing(d.s.w.recovery), 0);
        durably_done(&d);
}
END_TEST

START_TEST(test_backoff) {
        RecoveryUnitView before, after;
        WorldAgent *a;
        Durably d;

        durably_init(&d);
        d.s.w.policy.restart_backoff = (SpanRange){ 60 * S, 600 * S };
        (void) stage_stalled(&d.s, U, FAKE_DONE);
        stage_beats_anew(&d.s, &d.s.w.agents[0], &d.s.f.units[0]);
        world_expect(&d.s.w, "started silent", "finished recovered", NULL);
        recovery_unit(d.s.w.recovery, U, &before);
        ck_assert_uint_gt(before.backoff_until, 0);
        die_and_return(&d);
        recovery_unit(d.s.w.recovery, U, &after);
        ck_assert_mem_eq(&before, &after, sizeof(before));
        d.s.w.now += 10 * S; /* its own start is over */
        a = appears(&d, &d.s.f.units[0]);
        world_stall(&d.s.w, a);
        world_settle(&d.s.w);
        ck_assert_uint_eq(d.s.w.records[0].record.again_at, before.backoff_until);
        world_expect(&d.s.w, "refused backoff", NULL);
        durably_done(&d);
}
END_TEST

/* Three restarts, and it is given up: once, and OnGaveUp= is started once. */
static FakeUnit *give_up(Durably *d) {
        FakeUnit *helper = fake_unit(&d->s.f, "varta-gave-up.service", 9), *u = &d->s.f.units[1];

        (void) snprintf(d->s.w.policy.on_gave_up, sizeof(d->s.w.policy.on_gave_up), "varta-gave-up.service");
        d->s.w.policy.restart_limit = (Rate){ 2, NSEC_PER_HOUR };
        d->s.w.policy.restart_backoff = (SpanRange){ S, 2 * S };
        (void) stage_stalled(&d->s, U, FAKE_DONE);
        for (unsigned i = 0; i < 2; i++) {
                WorldAgent *a = &d->s.w.agents[0];

                stage_beats_anew(&d->s, a, u);
                world_stall(&d->s.w, a);
                world_settle(&d->s.w);
        }
        world_expect(&d->s.w, "started silent", "finished recovered", "started silent", "finished recovered",
                     "refused gave-up", "gave-up gave-up", NULL);
        ck_assert_uint_eq(helper->calls, 1);
        return helper;
}

START_TEST(test_gave_up) {
        static const struct {
                const char *title;
                nsec_t away;
                bool restarted, by_hand;
                const char *left, *then; /* NULL: nothing is told */
        } rows[] = {
                { "it stays", S, false, false, NULL, NULL },
                { "its time ends meanwhile", NSEC_PER_HOUR, false, false, "left-gave-up by-time",
                  "started silent" },
                { "it is resumed", S, false, true, "left-gave-up by-hand", "started silent" },
                /* its stall was of the invocation before, and went with it */
                { "somebody restarts it meanwhile", S, true, false, "left-gave-up restarted", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *helper;
                Durably d;

                durably_init(&d);
                helper = give_up(&d);
                die(&d);
                d.s.w.now += rows[i].away;
                d.s.f.units[1].invocation += rows[i].restarted;
                revive(&d);
                if (rows[i].by_hand)
                        ck_assert_int_eq(recovery_resume(d.s.w.recovery, U), 0);
                ck_assert_msg((d.s.w.n_records > 0) == !!rows[i].left, "%s", rows[i].title);
                if (rows[i].left)
                        ck_assert_str_eq(world_record(&d.s.w, 0), rows[i].left);
                ck_assert_uint_eq(recovery_gave_up(d.s.w.recovery), !rows[i].left);
                d.s.w.n_records = 0;
                die_and_return(&d); /* and nothing of it comes back */
                world_expect_nothing(&d.s.w);
                ck_assert_uint_eq(recovery_gave_up(d.s.w.recovery), !rows[i].left);
                ck_assert_uint_eq(helper->calls, 1);

                /* Who was silent still is, and is judged once the observer's own grace is over. */
                ck_assert_uint_eq(recovery_standing(d.s.w.recovery), !rows[i].restarted);
                world_advance(&d.s.w, 5 * S);
                if (rows[i].then)
                        world_expect(&d.s.w, rows[i].then, NULL);
                ck_assert_uint_eq(helper->calls, 1);
                durably_done(&d);
        }
}
END_TEST

/* Who waits for the end of its back-off is silent, and does not make itself known to the next observer. */
START_TEST(test_a_stall_outlives_the_observer) {
        static const struct {
                const char *title;
                uint8_t invocation; /* of whoever beats then; 0: nobody */
                uint32_t pid;
                bool gone, traced;
                const char *expected;
        } rows[] = {
                { "nobody beats", 0, 0, false, false, "started silent" },
                { "it beats again", 2, 1002, false, false, NULL },
                { "another process of it beats", 2, 4711, false, false, "started silent" },
                { "it was restarted", 3, 4711, false, false, NULL },
                { "the process is gone", 0, 0, true, false, "refused process-changed" },
                { "a debugger has taken hold of it", 0, 0, false, true, "refused traced" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WorldAgent *a;
                Durably d;

                durably_init(&d);
                d.s.w.policy.restart_backoff = (SpanRange){ 60 * S, 600 * S };
                (void) stage_stalled(&d.s, U, FAKE_DONE);
                stage_beats_anew(&d.s, &d.s.w.agents[0], &d.s.f.units[0]);
                world_stall(&d.s.w, &d.s.w.agents[0]);
                world_settle(&d.s.w);
                world_expect(&d.s.w, "started silent", "finished recovered", "refused backoff", NULL);
                die_and_return(&d);
                die_and_return(&d);
                world_advance(&d.s.w, 10 * S); /* nothing new */
                world_expect_nothing(&d.s.w);
                if (rows[i].invocation > 0) {
                        a = world_agent(&d.s.w, U, rows[i].invocation);
                        a->info.pid = rows[i].pid;
                        world_appear(&d.s.w, a);
                }
                if (rows[i].gone)
                        world_text(&d.s.w, "/proc/1002/stat", NULL);
                if (rows[i].traced)
                        world_text(&d.s.w, "/proc/1002/status", "TracerPid:\t7\nNSpid:\t1002\n");
                world_advance(&d.s.w, 60 * S);
                if (rows[i].expected)
                        ck_assert_msg(d.s.w.n_records == 1 &&
                                                      strcmp(world_record(&d.s.w, 0), rows[i].expected) == 0,
                                      "%s: %u", rows[i].title, d.s.w.n_records);
                else
                        ck_assert_msg(recovery_standing(d.s.w.recovery) == 0, "%s", rows[i].title);
                ck_assert_msg(rows[i].expected || d.s.w.n_records == 0, "%s", rows[i].title);
                d.s.w.n_records = 0;
                durably_done(&d);
        }
}
END_TEST

START_TEST(test_brake) {
        Durably d;

        durably_init(&d);
        d.settings.storm_limit = (Rate){ 2, NSEC_PER_HOUR };
        ck_assert_int_eq(recovery_reconfigure(d.s.w.recovery, &d.settings), 0);
        for (unsigned i = 0; i < 3; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "w@%u.service", i);
                (void) stage_stalled(&d.s, name, FAKE_HELD);
        }
        world_expect(&d.s.w, "started silent", "started silent", "refused storm", "brake held", NULL);
        die_and_return(&d);
        ck_assert_uint_eq(recovery_in_flight(d.s.w.recovery), 2);
        ck_assert_uint_gt(recovery_brake_until(d.s.w.recovery), d.s.w.now);
        d.s.w.now += NSEC_PER_MINUTE;
        world_stall(&d.s.w, world_agent(&d.s.w, "w@2.service", 1));
        world_settle(&d.s.w);
        world_expect(&d.s.w, "refused storm", NULL); /* that it holds was said */
        ck_assert_int_eq(recovery_resume(d.s.w.recovery, "brake"), 0);
        die_and_return(&d);
        ck_assert_uint_eq(recovery_brake_until(d.s.w.recovery), 0);
        d.s.w.n_records = 0;
        durably_done(&d);
}
END_TEST

START_TEST(test_pauses) {
        const Pause *p;
        Durably d;

        durably_init(&d);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, "", NSEC_PER_MINUTE, "a"), 0);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, U, 0, "b"), 0);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, "pid:1001", 0, "c"), 0);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, "x@*.service", 0, "d"), 0);
        ck_assert_int_eq(recovery_resume(d.s.w.recovery, "x@*.service"), 0);
        d.s.w.n_records = 0;
        die_and_return(&d);
        world_expect_nothing(&d.s.w);
        p = recovery_pause_at(d.s.w.recovery, 0);
        ck_assert_uint_eq(p->until, d.s.w.now + NSEC_PER_MINUTE);
        ck_assert_str_eq(p->reason, "a");
        p = recovery_pause_at(d.s.w.recovery, 1);
        ck_assert_str_eq(p->what, U);
        ck_assert_uint_eq(p->until, NSEC_INFINITY);
        p = recovery_pause_at(d.s.w.recovery, 2);
        ck_assert(p->kind == PAUSE_PID && p->pid == 1001 && p->generation == 77);
        ck_assert_ptr_null(recovery_pause_at(d.s.w.recovery, 3));

        die(&d);
        d.s.w.now += NSEC_PER_MINUTE;
        revive(&d);
        world_expect(&d.s.w, "resumed expired", NULL);
        die_and_return(&d);
        world_expect_nothing(&d.s.w);

        /* The process exits while there is no observer. */
        die(&d);
        world_text(&d.s.w, "/proc/1001/stat", NULL);
        revive(&d);
        world_expect(&d.s.w, "resumed exited", NULL);
        ck_assert_ptr_null(recovery_pause_at(d.s.w.recovery, 1));
        die_and_return(&d);
        world_expect_nothing(&d.s.w);
        ck_assert_ptr_null(recovery_pause_at(d.s.w.recovery, 2));
        durably_done(&d);
}
END_TEST

START_TEST(test_history) {
        Durably d;

        durably_init(&d);
        d.s.w.policy.mode = UNIT_MODE_WARN;
        for (unsigned i = 0; i < HISTORY_MAX + 10; i++) {
                WorldAgent *a = world_agent(&d.s.w, U, 1);

                d.s.w.n_records = 0;
                world_stall(&d.s.w, a);
                world_exit(&d.s.w, a);
                if (i % 400 == 399)
                        die_and_return(&d);
        }
        d.s.w.n_records = 0;
        die_and_return(&d);
        for (unsigned i = 0; i < HISTORY_MAX; i++) {
                const RecoveryPast *p = recovery_history_at(d.s.w.recovery, i);

                ck_assert_str_eq(p->unit, U);
                ck_assert_uint_eq(p->pid, 1000 + HISTORY_MAX + 10 - i);
                ck_assert_str_eq(p->reason, "mode-warn");
                ck_assert_uint_gt(p->wall, 0);
        }
        ck_assert_ptr_null(recovery_history_at(d.s.w.recovery, HISTORY_MAX));
        durably_done(&d);
}
END_TEST

/* The host is restarted: whatever concerned its processes is over, what an operator said is not. */
START_TEST(test_reboot) {
        FakeUnit *helper;
        Durably d;

        durably_init(&d);
        helper = give_up(&d);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, "", NSEC_PER_HOUR, ""), 0);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, "pid:1001", 0, ""), 0);
        ck_assert_int_eq(recovery_resume(d.s.w.recovery, ""), 0);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, "other@*.service", NSEC_PER_HOUR, ""), 0);
        ck_assert_int_eq(recovery_pause(d.s.w.recovery, "pid:1001", 0, ""), 0);
        d.s.w.n_records = 0;
        (void) stage_stalled(&d.s, "w@2.service", FAKE_HELD);
        world_expect(&d.s.w, "started silent", NULL);
        die(&d);
        world_text(&d.s.w, "/proc/sys/kernel/random/boot_id", "3f1c2d7e-0000-4000-8000-00000000beef\n");
        d.s.w.now -= NSEC_PER_HOUR / 2; /* a younger clock */
        revive(&d);
        world_expect(&d.s.w, "left-gave-up restarted", "finished stopped-meanwhile", NULL);
        ck_assert_uint_eq(recovery_gave_up(d.s.w.recovery), 0);
        ck_assert_uint_eq(recovery_in_flight(d.s.w.recovery), 0);
        ck_assert_str_eq(recovery_pause_at(d.s.w.recovery, 0)->what, "other@*.service");
        ck_assert_uint_le(recovery_pause_at(d.s.w.recovery, 0)->until, d.s.w.now + NSEC_PER_HOUR);
        ck_assert_uint_gt(recovery_pause_at(d.s.w.recovery, 0)->until,
                          d.s.w.now + NSEC_PER_HOUR - NSEC_PER_MINUTE);
        ck_assert_ptr_null(recovery_pause_at(d.s.w.recovery, 1));
        ck_assert_str_eq(recovery_history_at(d.s.w.recovery, 3)->reason, "paused");
        ck_assert_uint_eq(helper->calls, 1);
        expect_the_end(&d);
        durably_done(&d);
}
END_TEST

/* Without a directory nothing is remembered, and nothing is missing. */
START_TEST(test_no_directory) {
        Durably d;

        durably_init(&d);
        (void) stage_stalled(&d.s, U, FAKE_HELD);
        world_expect(&d.s.w, "started silent", NULL);
        die(&d);
        d.settings.state_fd = -1;
        world_revive(&d.s.w, &d.settings);
        stage_connect(&d.s);
        world_settle(&d.s.w);
        ck_assert_uint_eq(recovery_in_flight(d.s.w.recovery), 0);
        ck_assert_ptr_null(recovery_history_at(d.s.w.recovery, 0));
        durably_done(&d);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_phases,
                test_the_job_outlives_the_observer,
                test_the_deadline_passes_meanwhile,
                test_the_bus_does_not_come_back,
                test_a_deadline_that_never_comes,
                test_a_oneshot_is_not_proven_by_the_well,
                test_the_ladder_goes_on,
                test_backoff,
                test_a_stall_outlives_the_observer,
                test_gave_up,
                test_brake,
                test_pauses,
                test_history,
                test_reboot,
                test_no_directory,
        };

        return run_tests("recovery-restarts", tests, ELEMENTSOF(tests));
}
