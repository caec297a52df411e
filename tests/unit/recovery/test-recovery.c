/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recovery without a bus: what is refused by what is known here, what is said once, and what waits. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runner.h"
#include "world.h"

typedef struct Row {
        const char *title;
        const char *unit;
        void (*change)(World *w, WorldAgent *a);
        const char *expected;
} Row;

static void change_off(World *w, WorldAgent *a) {
        w->policy.mode = UNIT_MODE_OFF;
}
static void change_warn(World *w, WorldAgent *a) {
        w->policy.mode = UNIT_MODE_WARN;
}
static void change_network(World *w, WorldAgent *a) {
        a->info.origin = ORIGIN_NETWORK_UNVERIFIED;
}
static void change_socket(World *w, WorldAgent *a) {
        a->info.origin = ORIGIN_SOCKET_MODE_ONLY;
}
static void change_container(World *w, WorldAgent *a) {
        world_text(w, "/proc/1001/status", "TracerPid:\t0\nNSpid:\t1001\t7\n");
}
static void change_once(World *w, WorldAgent *a) {
        a->info.confirmed = false;
}
static void change_process_gone(World *w, WorldAgent *a) {
        world_text(w, "/proc/1001/stat", NULL);
}
static void change_recycled(World *w, WorldAgent *a) {
        a->info.generation = 78;
}
static void change_protected(World *w, WorldAgent *a) {
        w->policy.is_protected = true;
}

START_TEST(test_refused_here) {
        static const Row rows[] = {
                { "Mode=off", "a.service", change_off, "refused mode-off" },
                { "Mode=warn", "a.service", change_warn, "refused mode-warn" },
                { "an agent of no unit, warned of first", "", change_warn, "refused mode-warn" },
                { "from an unverified network", "a.service", change_network,
                  "refused unauthenticated-transport" },
                { "from a sender that the kernel cannot name", "a.service", change_socket,
                  "refused socket-mode-only" },
                { "from a container, and that is not allowed", "a.service", change_container,
                  "refused cross-namespace" },
                { "after a single beat", "a.service", change_once, "refused unconfirmed" },
                { "the process is gone", "a.service", change_process_gone, "refused process-changed" },
                { "the pid is another process's", "a.service", change_recycled, "refused process-changed" },
                { "no unit", "", NULL, "refused no-unit" },
                { "a scope", "session-1.scope", NULL, "refused not-eligible" },
                { "a protected unit", "a.service", change_protected, "refused not-eligible" },
                { "the observer's own unit", "varta@7.service", NULL, "refused not-eligible" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                RecoveryRefusal refusal;
                WorldAgent *a;
                World w;

                world_init(&w);
                a = world_agent(&w, rows[i].unit, 1);
                if (rows[i].change)
                        rows[i].change(&w, a);
                world_stall(&w, a);
                ck_assert_msg(w.n_records == 1, "%s: %u records", rows[i].title, w.n_records);
                ck_assert_msg(strcmp(world_record(&w, 0), rows[i].expected) == 0, "%s: %s", rows[i].title,
                              world_record(&w, 0));
                refusal = w.records[0].record.refusal;
                ck_assert_int_eq(w.records[0].record.announce, refusal != REFUSAL_MODE_OFF);
                ck_assert_uint_eq(recovery_counters(w.recovery)->refusals[refusal], 1);
                world_settle(&w);
                ck_assert_uint_eq(w.n_records, 1);
                world_done(&w);
        }
}
END_TEST

START_TEST(test_all_fields) {
        const RecoveryRecord *r;
        WorldAgent *a;
        World w;

        world_init(&w);
        w.policy.mode = UNIT_MODE_WARN;
        a = world_agent(&w, "a.service", 7);
        world_stall(&w, a);
        r = &w.records[0].record;
        ck_assert_int_eq(r->kind, RECORD_REFUSED);
        ck_assert_uint_eq(r->when, w.now);
        ck_assert_uint_eq(r->agent, a->info.id);
        ck_assert_uint_eq(r->pid, a->info.pid);
        ck_assert_str_eq(r->unit, "a.service");
        ck_assert_mem_eq(r->invocation, a->info.invocation, INVOCATION_ID_SIZE);
        ck_assert_int_eq(r->origin, ORIGIN_KERNEL_ATTESTED);
        ck_assert_int_eq(r->stall_reason, STALL_SILENT);
        ck_assert_uint_eq(r->last_nonce, 42);
        ck_assert_uint_eq(r->silence, 5 * NSEC_PER_SEC);
        ck_assert_uint_eq(r->attempt, 0);
        ck_assert_int_eq(r->again, AGAIN_NEVER);
        ck_assert_str_eq(r->reason, "mode-warn");
        ck_assert_str_eq(r->job, "");
        ck_assert_str_eq(r->sentence,
                         "a.service (process 1001) has been silent for 5s. Nothing is done with "
                         "Mode=warn; Mode=enforce in a [Unit] section would have it restarted.");
        world_done(&w);
}
END_TEST

/* Over the bus a pause may be told to last longer than time itself. */
START_TEST(test_paused_for_ever) {
        static const nsec_t spans[] = { 0, NSEC_INFINITY, NSEC_INFINITY - 1 };
        World w;

        world_init(&w);
        for (size_t i = 0; i < ELEMENTSOF(spans); i++) {
                ck_assert_int_eq(recovery_pause(w.recovery, "a.service", spans[i], "why"), 0);
                ck_assert_str_eq(w.records[i].sentence,
                                 "Recovery of a.service is paused until it is resumed by hand: why.");
        }
        world_done(&w);
}
END_TEST

START_TEST(test_systemd_cannot_be_reached) {
        WorldAgent *a, *b, *c;
        World w;

        world_init(&w);
        a = world_agent(&w, "a.service", 1);
        b = world_agent(&w, "a.service", 1);
        c = world_agent(&w, "c.service", 2);
        world_stall(&w, a);
        world_expect(&w, "started silent", "finished bus-lost", NULL);
        world_stall(&w, b);
        world_expect_nothing(&w);
        world_stall(&w, c);
        world_expect(&w, "started silent", "finished bus-lost", NULL);
        world_advance(&w, NSEC_PER_HOUR);
        world_expect_nothing(&w);
        ck_assert_uint_eq(recovery_in_flight(w.recovery), 0);
        ck_assert_uint_eq(recovery_standing(w.recovery), 3);
        world_resume(&w, a); /* it had its decision */
        world_expect_nothing(&w);
        world_resume(&w, b); /* it had none yet */
        world_expect(&w, "refused resumed", NULL);
        world_exit(&w, c);
        world_expect_nothing(&w);
        ck_assert_uint_eq(recovery_standing(w.recovery), 0);
        ck_assert_uint_eq(recovery_counters(w.recovery)->started, 2);
        ck_assert_uint_eq(recovery_counters(w.recovery)->outcomes[OUTCOME_BUS_LOST], 2);
        world_done(&w);
}
END_TEST

START_TEST(test_reload_judges_again) {
        RecoverySettings settings = world_settings();
        WorldAgent *a, *o;
        World w;

        world_init(&w);
        w.policy.mode = UNIT_MODE_WARN;
        a = world_agent(&w, "a.service", 1);
        o = world_agent(&w, "", 0);
        world_stall(&w, a);
        world_stall(&w, o);
        world_expect(&w, "refused mode-warn", "refused mode-warn", NULL);
        ck_assert_int_eq(recovery_reconfigure(w.recovery, &settings), 0);
        world_settle(&w);
        world_expect_nothing(&w); /* the same reason is no news */
        w.policy.mode = UNIT_MODE_ENFORCE;
        ck_assert_int_eq(recovery_reconfigure(w.recovery, &settings), 0);
        world_settle(&w);
        world_expect(&w, "refused no-unit", "started silent", "finished bus-lost", NULL);
        w.policy.mode = UNIT_MODE_WARN;
        ck_assert_int_eq(recovery_reconfigure(w.recovery, &settings), 0);
        world_settle(&w);
        world_expect(&w, "refused mode-warn", "refused mode-warn", NULL);
        world_done(&w);
}
END_TEST

START_TEST(test_every_stall_is_a_new_one) {
        WorldAgent *a;
        World w;

        world_init(&w);
        w.policy.mode = UNIT_MODE_WARN;
        a = world_agent(&w, "a.service", 1);
        for (unsigned i = 0; i < 3; i++) {
                world_stall(&w, a);
                world_expect(&w, "refused mode-warn", NULL);
                world_resume(&w, a);
                world_expect_nothing(&w);
        }
        ck_assert_uint_eq(recovery_counters(w.recovery)->refusals[REFUSAL_MODE_WARN], 3);
        world_done(&w);
}
END_TEST

/* An exit that is a stall: the agent is not in the observer's tables any more. */
START_TEST(test_exited) {
        WorldAgent *a, last;
        Event event;
        World w;

        world_init(&w);
        w.policy.mode = UNIT_MODE_WARN;
        a = world_agent(&w, "a.service", 1);
        last = *a;
        a->info.id = 0;
        event = (Event){
                .kind = EVENT_STALL,
                .now = w.now,
                .agent = last.info,
                .unit = last.unit,
                .reason = STALL_EXITED,
        };
        recovery_event(w.recovery, &event);
        world_expect(&w, "refused mode-warn", NULL);
        ck_assert_msg(recovery_standing(w.recovery) == 0, "what is final and gone does not stand");

        w.policy.mode = UNIT_MODE_ENFORCE;
        recovery_event(w.recovery, &event);
        world_expect(&w, "started exited", "finished bus-lost", NULL);
        event.kind = EVENT_EXIT;
        recovery_event(w.recovery, &event);
        ck_assert_msg(recovery_standing(w.recovery) == 1, "its exit is what it stands for");
        a = world_agent(&w, "a.service", 2);
        world_appear(&w, a);
        ck_assert_msg(recovery_standing(w.recovery) == 0, "the unit's next life begins");
        world_done(&w);
}
END_TEST

START_TEST(test_never_beat) {
        WorldAgent *a;
        World w;

        world_init(&w);
        world_never_beat(&w, "");
        world_expect_nothing(&w);
        world_never_beat(&w, "a.service");
        world_expect(&w, "started never-beat", "finished bus-lost", NULL);
        ck_assert_uint_eq(recovery_standing(w.recovery), 1);
        a = world_agent(&w, "a.service", 2);
        world_appear(&w, a);
        ck_assert_uint_eq(recovery_standing(w.recovery), 0);
        world_expect_nothing(&w);
        world_done(&w);
}
END_TEST

START_TEST(test_no_room) {
        RecoverySettings settings = world_settings();
        World w;

        settings.units = 1;
        settings.stalls = 1;
        world_init_with(&w, &settings);
        world_stall(&w, world_agent(&w, "a.service", 1));
        world_expect(&w, "started silent", "finished bus-lost", NULL);
        world_stall(&w, world_agent(&w, "b.service", 1));
        world_expect(&w, "refused capacity", NULL);
        world_stall(&w, world_agent(&w, "a.service", 1));
        world_expect_nothing(&w);
        world_stall(&w, world_agent(&w, "a.service", 1));
        world_expect(&w, "refused capacity", NULL);
        world_done(&w);
}
END_TEST

START_TEST(test_the_view_of_a_unit) {
        RecoveryUnitView view;
        WorldAgent *a;
        World w;

        world_init(&w);
        recovery_unit(w.recovery, "a.service", &view);
        ck_assert_int_eq(view.mode, UNIT_MODE_ENFORCE);
        ck_assert_int_eq(view.state, UNIT_STATE_HEALTHY);
        ck_assert_int_eq(view.last_outcome, _RECOVERY_OUTCOME_INVALID);
        ck_assert_int_eq(view.last_refusal, _RECOVERY_REFUSAL_INVALID);
        w.policy.mode = UNIT_MODE_WARN;
        a = world_agent(&w, "a.service", 1);
        world_stall(&w, a);
        recovery_unit(w.recovery, "a.service", &view);
        ck_assert_int_eq(view.mode, UNIT_MODE_WARN);
        ck_assert_int_eq(view.state, UNIT_STATE_STALLED);
        ck_assert_int_eq(view.last_refusal, REFUSAL_MODE_WARN);
        world_resume(&w, a);
        recovery_unit(w.recovery, "a.service", &view);
        ck_assert_int_eq(view.state, UNIT_STATE_HEALTHY);
        world_done(&w);
}
END_TEST

START_TEST(test_other_events_are_ignored) {
        World w;

        world_init(&w);
        for (EventKind kind = 0; kind < _EVENT_KIND_MAX; kind++) {
                Event event = { .kind = kind, .now = w.now, .unit = "" };

                recovery_event(w.recovery, &event);
        }
        world_settle(&w);
        world_expect_nothing(&w);
        world_done(&w);
}
END_TEST

START_TEST(test_bad_settings) {
        RecoverySettings rows[6];
        Recovery *r = NULL;
        World w;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                rows[i] = world_settings();
        rows[0].clock = CLOCK_REALTIME;
        rows[1].stalls = 0;
        rows[2].stalls = (1U << 20) + 1;
        rows[3].units = 0;
        rows[4].units = 65535;
        rows[5].recheck = 0;
        world_init(&w);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_int_eq(recovery_new(w.event, &rows[i], &w.recovery->hooks, &w, &r), -EINVAL);
        ck_assert_ptr_null(r);
        ck_assert_int_eq(recovery_reconfigure(w.recovery, &rows[5]), -EINVAL);
        ck_assert_ptr_null(recovery_free(NULL));
        world_done(&w);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_refused_here,
                test_all_fields,
                test_paused_for_ever,
                test_systemd_cannot_be_reached,
                test_reload_judges_again,
                test_every_stall_is_a_new_one,
                test_exited,
                test_never_beat,
                test_no_room,
                test_the_view_of_a_unit,
                test_other_events_are_ignored,
                test_bad_settings,
        };

        return run_tests("recovery", tests, ELEMENTSOF(tests));
}
