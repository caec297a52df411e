/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bus dies, systemd leaves and comes back, replies are lost: in every phase, with one outcome each. */

#include <errno.h>

#include "stage.h"

#define U "worker@1.service"

START_TEST(test_no_bus_at_first) {
        Stage s;

        stage_init(&s);
        stage_disconnect(&s);
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect(&s.w, "started silent", "finished bus-lost", NULL);
        stage_connect(&s);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_one_bus_at_a_time) {
        sd_bus *other;
        Stage s;

        stage_init(&s);
        other = private_bus_connect(&s.private_bus, s.w.event);
        ck_assert_int_eq(recovery_attach_bus(s.w.recovery, other), -EBUSY);
        sd_bus_close(other);
        (void) sd_bus_unref(other);
        recovery_detach_bus(s.w.recovery);
        recovery_detach_bus(s.w.recovery);
        stage_done(&s);
}
END_TEST

START_TEST(test_while_the_unit_is_read) {
        Stage s;

        stage_init(&s);
        s.f.mute = true;
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_expect_nothing(&s.w);
        stage_bus_dies(&s);
        world_expect(&s.w, "started silent", "finished bus-lost", NULL);
        s.f.mute = false;
        stage_bus_returns(&s);
        world_expect(&s.w, "started silent", NULL);
        ck_assert_uint_eq(s.f.units[0].calls, 1);
        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* The request may have been heard or not: the unit tells. */
START_TEST(test_while_the_call_is_unanswered) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_DEAF);
        world_expect(&s.w, "started silent", NULL);
        stage_bus_dies(&s);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(recovery_in_flight(s.w.recovery), 1);
        stage_bus_returns(&s);
        /* It was not heard: that is said, and with the bus back it is tried again. */
        world_expect(&s.w, "finished bus-lost", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        ck_assert_uint_eq(s.w.records[0].record.attempt, 1);
        world_expect(&s.w, "started silent", NULL);
        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_while_the_job_runs) {
        static const struct {
                const char *result, *expected;
        } rows[] = {
                { "done", "finished recovered" },
                { "failed", "finished job-failed" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                FakeUnit *u;
                Stage s;

                stage_init(&s);
                (void) stage_stalled(&s, U, FAKE_HELD);
                u = &s.f.units[0];
                stage_bus_dies(&s);
                fake_finish(&s.f, u, rows[i].result);
                if (i == 1) {
                        u->state = ACTIVE_STATE_FAILED;
                        u->invocation++;
                }
                stage_bus_returns(&s);
                if (i == 0)
                        stage_beats_anew(&s, &s.w.agents[0], u);
                world_expect(&s.w, "started silent", rows[i].expected, NULL);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_the_job_outlives_the_bus) {
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        u = &s.f.units[0];
        stage_bus_dies(&s);
        stage_bus_returns(&s);
        world_expect(&s.w, "started silent", NULL);
        fake_finish(&s.f, u, "done"); /* told on the new connection */
        world_settle(&s.w);
        stage_beats_anew(&s, &s.w.agents[0], u);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_job_was_canceled_behind_our_back) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        stage_bus_dies(&s);
        fake_finish(&s.f, &s.f.units[0], "canceled");
        stage_bus_returns(&s);
        world_expect(&s.w, "started silent", "finished job-canceled", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_unit_was_stopped_behind_our_back) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        stage_bus_dies(&s);
        fake_finish(&s.f, &s.f.units[0], "canceled");
        fake_set_state(&s.f, &s.f.units[0], ACTIVE_STATE_INACTIVE);
        stage_bus_returns(&s);
        world_expect(&s.w, "started silent", "finished stopped-meanwhile", NULL);
        world_exit(&s.w, &s.w.agents[0]);
        world_advance(&s.w, NSEC_PER_HOUR);
        ck_assert_uint_eq(s.f.units[0].calls, 1);
        stage_done(&s);
}
END_TEST

START_TEST(test_while_the_proof_is_awaited) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_DONE);
        stage_bus_dies(&s);
        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
        world_expect(&s.w, "started silent", "finished recovered", NULL); /* a beat needs no bus */
        stage_bus_returns(&s);
        stage_done(&s);
}
END_TEST

START_TEST(test_no_proof_and_no_bus) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_exit(&s.w, &s.w.agents[0]);
        stage_bus_dies(&s);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_advance(&s.w, 5 * NSEC_PER_SEC); /* nobody answers the last look */
        world_expect(&s.w, "started silent", "finished no-beat", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "started never-beat", "finished bus-lost", NULL);
        stage_bus_returns(&s);
        world_expect(&s.w, "started never-beat", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_bus_never_returns) {
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        stage_bus_dies(&s);
        world_advance(&s.w, 190 * NSEC_PER_SEC);
        world_expect(&s.w, "started silent", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect(&s.w, "finished bus-lost", NULL);
        world_advance(&s.w, NSEC_PER_HOUR);
        world_expect_nothing(&s.w);
        ck_assert_uint_eq(recovery_in_flight(s.w.recovery), 0);
        stage_done(&s);
}
END_TEST

/* A re-execution: systemd's name leaves the bus and comes back, our connection stays. */
START_TEST(test_systemd_leaves_with_our_request) {
        static const struct {
                FakeJob how;
                const char *expected;
        } rows[] = {
                { FAKE_LEAVE, "finished bus-lost" },
                { FAKE_LEAVE_DONE, "finished recovered" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Stage s;

                stage_init(&s);
                (void) stage_stalled(&s, U, rows[i].how);
                world_expect(&s.w, "started silent", NULL);
                ck_assert(recovery_has_bus(s.w.recovery));
                fake_join(&s.f);
                world_settle(&s.w);
                ck_assert_uint_eq(s.f.subscriptions, 2);
                if (rows[i].how == FAKE_LEAVE_DONE)
                        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
                world_expect(&s.w, rows[i].expected, NULL);
                stage_done(&s);
        }
}
END_TEST

START_TEST(test_systemd_leaves_with_our_job) {
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        (void) stage_stalled(&s, U, FAKE_HELD);
        u = &s.f.units[0];
        fake_leave(&s.f);
        world_settle(&s.w);
        fake_join(&s.f);
        world_settle(&s.w);
        world_expect(&s.w, "started silent", NULL);
        fake_finish(&s.f, u, "done");
        world_settle(&s.w);
        stage_beats_anew(&s, &s.w.agents[0], u);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

/* systemd is on the bus and silent: the calls run into their own time limit. */
START_TEST(test_systemd_does_not_answer) {
        Stage s;

        stage_init(&s);
        ck_assert_int_ge(sd_bus_set_method_call_timeout(s.bus, 10 * 1000), 0);
        s.f.mute = true;
        (void) stage_stalled(&s, U, FAKE_DONE);
        world_wait(&s.w, 2);
        world_expect(&s.w, "started silent", "finished bus-lost", NULL);
        world_advance(&s.w, 5 * NSEC_PER_SEC); /* asked again, and it is no news */
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_expect_nothing(&s.w);
        s.f.mute = false;
        world_advance(&s.w, 5 * NSEC_PER_SEC);
        world_wait(&s.w, 1);
        world_expect(&s.w, "started silent", NULL);
        stage_beats_anew(&s, &s.w.agents[0], &s.f.units[0]);
        world_expect(&s.w, "finished recovered", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_the_request_is_not_answered) {
        Stage s;

        stage_init(&s);
        ck_assert_int_ge(sd_bus_set_method_call_timeout(s.bus, 10 * 1000), 0);
        (void) stage_stalled(&s, U, FAKE_DEAF);
        world_wait(&s.w, 2);
        world_expect(&s.w, "started silent", "finished bus-lost", NULL);
        stage_done(&s);
}
END_TEST

START_TEST(test_what_waited_for_a_change_when_the_bus_died) {
        FakeUnit *u;
        Stage s;

        stage_init(&s);
        u = fake_unit(&s.f, U, 1);
        u->state = ACTIVE_STATE_DEACTIVATING;
        world_stall(&s.w, world_agent(&s.w, U, 1));
        world_settle(&s.w);
        world_expect(&s.w, "refused unit-not-active", NULL);
        stage_bus_dies(&s);
        world_expect_nothing(&s.w);
        u->state = ACTIVE_STATE_ACTIVE; /* the change is lost with the bus */
        stage_bus_returns(&s);
        world_expect(&s.w, "started silent", NULL);
        stage_done(&s);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_no_bus_at_first,
                test_one_bus_at_a_time,
                test_while_the_unit_is_read,
                test_while_the_call_is_unanswered,
                test_while_the_job_runs,
                test_the_job_outlives_the_bus,
                test_the_job_was_canceled_behind_our_back,
                test_the_unit_was_stopped_behind_our_back,
                test_while_the_proof_is_awaited,
                test_no_proof_and_no_bus,
                test_the_bus_never_returns,
                test_systemd_leaves_with_our_request,
                test_systemd_leaves_with_our_job,
                test_systemd_does_not_answer,
                test_the_request_is_not_answered,
                test_what_waited_for_a_change_when_the_bus_died,
        };

        return run_tests("recovery-losses", tests, ELEMENTSOF(tests));
}
