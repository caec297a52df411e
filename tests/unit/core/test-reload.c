/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* New settings for a running observer: agents change their rules, never their state. */

#include <check.h>
#include <string.h>

#include "scene.h"

static const UnitRules one[3] = {
        { 10 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
        { 20 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
        { 20 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
};

static void shorten_x(Stage *s) {
        s->rules[0].threshold = 2 * SEC;
}

static void lengthen_x(Stage *s) {
        s->rules[0].threshold = NSEC_PER_HOUR;
}

static void x_exit_is_stall(Stage *s) {
        s->rules[0].on_exit = EXIT_RULE_STALL;
}

static void threshold_is_two_seconds(Stage *s) {
        ck_assert_uint_eq(stage_agent(s, 100).threshold, 2 * SEC);
        ck_assert_uint_eq(stage_agent(s, 100).last_nonce, 7);
        ck_assert_uint_eq(stage_agent(s, 100).beats, 2);
        ck_assert(stage_agent(s, 100).confirmed);
}

static void is_still_stalled(Stage *s) {
        ck_assert(stage_agent(s, 100).stalled);
        ck_assert_uint_eq(observer_stalled(s->observer), 1);
}

static void refuses_bad_settings(Stage *s) {
        ObserverSettings bad = s->settings;

        bad.per_uid_share = 0;
        bad.threshold = NSEC_PER_HOUR;
        ck_assert_int_eq(observer_reconfigure(s->observer, &bad, s->now - 1), -EINVAL);
        ck_assert_uint_eq(observer_settings(s->observer)->threshold, SCENE_THRESHOLD);
}

static void keeps_what_is_fixed(Stage *s) {
        ObserverSettings other = s->settings;

        other.capacity = 1;
        other.units = 1;
        other.hash_key[0] = 99;
        ck_assert_int_eq(observer_reconfigure(s->observer, &other, s->now), 0);
        ck_assert_uint_eq(observer_settings(s->observer)->capacity, s->settings.capacity);
        ck_assert_uint_eq(observer_settings(s->observer)->units, s->settings.units);
        ck_assert_uint_eq(observer_settings(s->observer)->hash_key[0], s->settings.hash_key[0]);
}

static const Scene scenes[] = {
        {
                        .title = "reload classes: an agent's new threshold holds at once, its state stays",
                        .rules = one,
                        .processes = { { .pid = 100, .unit = "x.service" } },
                        .steps = { LOCAL(100, 6, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 7, .is = "refreshed", .tells = "confirmed(100)"),
                                   WAIT(3 * SEC), EMPTY(0), TICK(), CHECK(shorten_x), RELOAD(),
                                   CHECK(threshold_is_two_seconds), EMPTY(0), TICK(),
                                   DISPATCH(.tells = "stall:silent(100)"),
                                   LOCAL(100, 8, .is = "refreshed", .tells = "resumed(100)") },
                        .counts = "Beats=3 Stalls=1 Resumes=1",
        },
        {
                        .title = "reload classes: a latch stays set under a longer threshold, and no second "
                                 "stall comes",
                        .rules = one,
                        .processes = { { .pid = 100, .unit = "x.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(10 * SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   CHECK(lengthen_x), RELOAD(), CHECK(is_still_stalled),
                                   WAIT(2 * NSEC_PER_HOUR), EMPTY(0), TICK(), DISPATCH() },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "reload classes: what an exit means is asked anew",
                        .rules = one,
                        .processes = { { .pid = 100, .unit = "x.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   CHECK(x_exit_is_stall), RELOAD(),
                                   EXITED(100, .tells = "exit(100) stall:exited(100)") },
                        .counts = "Beats=2 Exits=1",
        },
        {
                        .title = "reload limits: the global bucket keeps what was spent and what was earned",
                        .settings = { .global_rate = { 1, SEC }, .global_burst = 4 },
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "refreshed"), NETWORK(100, 3, .is = "refreshed"),
                                   NETWORK(100, 4, .is = "refreshed"), NETWORK(100, 5, .is = "rate-limited"),
                                   RELOAD(.global_rate = { 1, SEC }, .global_burst = 4),
                                   NETWORK(100, 5, .is = "rate-limited"), WAIT(2 * SEC),
                                   RELOAD(.global_rate = { 1, SEC }, .global_burst = 4),
                                   NETWORK(100, 5, .is = "refreshed"), NETWORK(100, 6, .is = "refreshed"),
                                   NETWORK(100, 7, .is = "rate-limited") },
                        .counts = "Beats=6 RateLimited.global=3",
        },
        {
                        .title = "reload limits: the per-pid rate changes at once",
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "refreshed"), RELOAD(.per_pid_rate = { 1, SEC }),
                                   NETWORK(100, 3, .is = "rate-limited"), WAIT(SEC),
                                   NETWORK(100, 3, .is = "refreshed") },
                        .counts = "Beats=3 RateLimited.per-pid=1",
        },
        {
                        .title = "reload refused: settings out of their range change nothing, not even the "
                                 "clock",
                        .steps = { CHECK(refuses_bad_settings) },
                        .counts = "",
        },
        {
                        .title = "reload fixed: capacity, units and the hash key are those of the start",
                        .steps = { CHECK(keeps_what_is_fixed) },
                        .counts = "",
        },
};

static const Scene merge = {
        .title = "two classes become one",
        .settings = { .capacity = 64, .forget = NSEC_PER_HOUR },
        .rules = (const UnitRules[3]){ { SEC, 30 * SEC, EXIT_RULE_EVENT },
                                       { NSEC_PER_MINUTE, 30 * SEC, EXIT_RULE_EVENT } },
};

/* Members of x are latched after 1 s, those of y, silent for longer, after a minute. A reload gives both one class while
 * only the first are latched. From then on they must be forgotten by silence: y's, which are latched last, first. */

/* reload order: agents of two thresholds that become one class leave by silence, not by latch */
START_TEST(test_merged_lists_stay_ordered) {
        static Stage s;
        uint32_t expected = 0;

        stage_open(&s, &merge);
        for (uint32_t i = 0; i < 20; i++) {
                /* 0 .. 19 by silence, x and y in turn but for the first three, which are y's. */
                const char *unit = i < 3 || i % 2 ? "y.service" : "x.service";

                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(1000 + i, 1, .unit = unit)),
                                  VERDICT_INSERTED);
                s.now += MSEC;
        }
        s.now += 10 * SEC;
        observer_listener_empty(s.observer, 0, s.now);
        observer_tick(s.observer, s.now, 0, 0);
        ck_assert_uint_eq(observer_stalled(s.observer), 8);
        s.rules[1] = s.rules[0] = (UnitRules){ 20 * SEC, 30 * SEC, EXIT_RULE_EVENT };
        ck_assert_int_eq(observer_reconfigure(s.observer, &s.settings, s.now), 0);
        s.now += 11 * SEC;
        observer_listener_empty(s.observer, 0, s.now);
        observer_tick(s.observer, s.now, 0, 0);
        ck_assert_uint_eq(observer_stalled(s.observer), 20);
        while (observer_dispatch_stall(s.observer))
                ;

        for (;;) {
                nsec_t next = observer_next_deadline(s.observer);

                if (next == NSEC_INFINITY)
                        break;
                ck_assert_uint_eq(next, SCENE_START + expected * MSEC + 50 * SEC);
                s.now = next;
                observer_tick(s.observer, s.now, 0, 0);
                ck_assert_int_eq(s.last.kind, EVENT_FORGOTTEN);
                ck_assert_uint_eq(s.last.agent.pid, 1000 + expected);
                expected++;
        }
        ck_assert_uint_eq(expected, 20);
        stage_close(&s);
}
END_TEST

/* reload agents: a thousand agents pass a hundred reloads, none is lost and none changes */
START_TEST(test_no_agent_is_lost) {
        static const Scene scene = { .title = "a thousand agents", .settings = { .capacity = 1000 } };
        static Stage s;
        static AgentInfo before[1000], after[1000];
        uint32_t next;

        stage_open(&s, &scene);
        s.quiet = true;
        for (uint32_t i = 0; i < 1000; i++) {
                char unit[] = "u.service";

                unit[0] = (char) (i % 3 == 0 ? 'x' + i / 3 % 3 : 'a' + i % 5);
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(1000 + i, 1 + i, .unit = unit)),
                                  VERDICT_INSERTED);
                s.now += 10;
        }
        ck_assert_uint_eq(observer_list(s.observer, 0, before, 1000, &next), 1000);
        for (uint32_t i = 0; i < 100; i++) {
                s.settings.threshold = (1 + i % 7) * SEC;
                s.rules[i % 3].threshold = (1 + i % 11) * SEC;
                ck_assert_int_eq(observer_reconfigure(s.observer, &s.settings, s.now), 0);
        }
        ck_assert_uint_eq(observer_list(s.observer, 0, after, 1000, &next), 1000);
        for (size_t i = 0; i < 1000; i++) {
                ck_assert_uint_eq(before[i].id, after[i].id);
                ck_assert_uint_eq(before[i].pid, after[i].pid);
                ck_assert_uint_eq(before[i].unit, after[i].unit);
                ck_assert_uint_eq(before[i].last_nonce, after[i].last_nonce);
                ck_assert_uint_eq(before[i].last_beat, after[i].last_beat);
                ck_assert_uint_eq(before[i].beats, after[i].beats);
        }

        /* Everybody is still in exactly one list: silence finds each of them once. */
        s.now += NSEC_PER_MINUTE;
        observer_listener_empty(s.observer, 0, s.now);
        observer_tick(s.observer, s.now, 0, 0);
        ck_assert_uint_eq(observer_stalled(s.observer), 1000);
        stage_close(&s);
}
END_TEST

SCENES_MAIN("core: reload", scenes, test_merged_lists_stay_ordered, test_no_agent_is_lost)
