/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rates from two looks at the fleet, the order of top's rows, and what the user's words match. */

#include <stdio.h>
#include <string.h>

#include "ctl/fleet.h"
#include "ctl/pattern.h"
#include "support.h"

/* A look at agents (sorted, as views are) and the rows of their units. */
static Fleet look(usec_t when, AgentRow *agents, size_t n_agents, FleetRow *rows, size_t n_rows) {
        return (Fleet){ .when = when,
                        .agents = { .rows = agents, .n_rows = n_agents },
                        .rows = rows,
                        .n_rows = n_rows };
}

#define AGENT(number, name, sent)                                                                           \
        { .id = (number), .pid = (number), .unit = (name), .status = "ok", .beats = (sent) }

START_TEST(test_rates) {
        AgentRow then[] = { AGENT(1, "", 100), AGENT(2, "a.service", 50), AGENT(3, "a.service", 70),
                            AGENT(5, "b.service", 10) };
        AgentRow now[] = { AGENT(1, "", 104), AGENT(3, "a.service", 75), AGENT(4, "a.service", 6),
                           AGENT(5, "b.service", 10) };
        FleetRow rows[] = { { .name = "" }, { .name = "a.service" }, { .name = "b.service" } };
        Fleet before = look(1000000, then, ELEMENTSOF(then), NULL, 0);
        Fleet after = look(3000000, now, ELEMENTSOF(now), rows, ELEMENTSOF(rows));

        fleet_compare(&after, &before);
        ck_assert_uint_eq(rows[0].rate, 20); /* 4 in two seconds */
        ck_assert_uint_eq(rows[1].rate,
                          55); /* 5 of the old one, 6 of the new one; the one that left counts no more */
        ck_assert_uint_eq(rows[2].rate, 0);

        before.when = 0;
        fleet_compare(&after, &before);
        ck_assert_uint_eq(rows[1].rate, 0);
}
END_TEST

START_TEST(test_fleet_rate) {
        CounterRow then = { .name = "Beats", .value = 1000 }, now = { .name = "Beats", .value = 1010 };
        Fleet before = { .when = 1000000, .observer = { .start = 1, .counters = &then, .n_counters = 1 } };
        Fleet after = { .when = 2000000, .observer = { .start = 1, .counters = &now, .n_counters = 1 } };

        ck_assert_uint_eq(fleet_rate(&after, &before), 100);
        /* Another observer has counted from zero. */
        after.observer.start = 2;
        now.value = 7;
        ck_assert_uint_eq(fleet_rate(&after, &before), 70);
}
END_TEST

START_TEST(test_order) {
        static const struct {
                const char *key;
                bool reverse;
                const char *wanted;
        } cases[] = {
                { "unit", false, "abcd" },  { "unit", true, "dcba" },      { "state", false, "dbca" },
                { "state", true, "acbd" },  { "agents", false, "cabd" },   { "stalled", false, "bacd" },
                { "beats", false, "acbd" }, { "restarts", false, "dabc" },
        };
        const Options options = {};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                FleetRow rows[] = {
                        { .name = "c", .state = "ok", .agents = 9, .rate = 5, .degraded = 1 },
                        { .name = "a", .state = "ok", .agents = 1, .rate = 6 },
                        { .name = "d", .state = "gave-up", .restarts = 5 },
                        { .name = "b", .state = "stalled", .stalled = 1 },
                };
                Fleet f = { .rows = rows, .n_rows = ELEMENTSOF(rows) };
                char order[ELEMENTSOF(rows) + 1] = {};

                fleet_choose(&f, &options, NULL, 0, cases[i].key, cases[i].reverse);
                for (size_t k = 0; k < f.n_rows; k++)
                        order[k] = rows[k].name[0];
                ck_assert_msg(strcmp(order, cases[i].wanted) == 0, "by %s: %s", cases[i].key, order);
        }
}
END_TEST

START_TEST(test_patterns) {
        static const struct {
                const char *arg, *unit;
                bool match;
        } cases[] = {
                { "worker", "worker.service", true },
                { "worker.service", "worker.service", true },
                { "worker", "worker.socket", false },
                { "worker.socket", "worker.socket", true },
                { "worker@2", "worker@2.service", true },
                { "worker@*", "worker@2.service", true },
                { "worker@*", "worker.service", false },
                { "*", "", true },
                { "worker", "", false },
        };
        const Options none = {}, option = { .units = { "other" }, .n_units = 1 };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *args[] = { (char *) cases[i].arg };

                ck_assert_msg(pattern_match(&none, args, 1, cases[i].unit) == cases[i].match,
                              "%s and \"%s\"", cases[i].arg, cases[i].unit);
                ck_assert(pattern_match(&option, args, 1, "other.service"));
        }
        ck_assert(pattern_match(&none, NULL, 0, "anything.service"));
        ck_assert(pattern_match(&none, NULL, 0, ""));
        ck_assert(!pattern_match(&option, NULL, 0, ""));
}
END_TEST

START_TEST(test_lists) {
        ck_assert(pattern_in_list(NULL, "ok"));
        ck_assert(pattern_in_list("ok", "ok"));
        ck_assert(pattern_in_list("stalled,ok", "ok"));
        ck_assert(pattern_in_list("ok,stalled", "ok"));
        ck_assert(!pattern_in_list("okay,stalled", "ok"));
        ck_assert(!pattern_in_list("", "ok"));
        ck_assert(!pattern_in_list("o", "ok"));
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "a unit's rate is what its present agents sent since", test_rates },
                { "the fleet's rate survives a restart of the observer", test_fleet_rate },
                { "rows come in the order of the key, what is worst and largest first", test_order },
                { "units are meant by name, without suffix, and by globs", test_patterns },
                { "words in a list are whole words", test_lists },
        };

        return tests_main("ctl-fleet", tests, ELEMENTSOF(tests));
}
