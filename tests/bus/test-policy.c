/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is in force and how the fleet is, told in one answer: policy, pauses, the brake, what agents say of themselves. */

#include <string.h>

#include "fixture.h"

/* Reads rows of three strings into one text, "a|b|c" a line. */
static const char *rows_to_text(sd_bus_message *m, char *buf, size_t size) {
        const char *a, *b, *c;
        size_t n = 0;

        buf[0] = '\0';
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sss)"), 0);
        while (sd_bus_message_read(m, "(sss)", &a, &b, &c) > 0)
                n += (size_t) snprintf(buf + n, size - n, "%s|%s|%s\n", a, b, c);
        return buf;
}

START_TEST(test_policy) {
        static const struct {
                const char *title, *unit, *rows;
        } cases[] = {
                { "a unit: every key, and where it is set", "worker@1.service",
                  "Mode|enforce|/etc/varta/varta.conf:7\nOnGaveUp||\n" },
                { "agents without a unit have a policy, too", "", "Mode|enforce|/etc/varta/varta.conf:7\n" },
        };
        char text[512];
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                                fixture_ask(&f, "ShowPolicy", "s", cases[i].unit);

                ck_assert_msg(strcmp(rows_to_text(m, text, sizeof(text)), cases[i].rows) == 0, "%s: %s",
                              cases[i].title, text);
        }
        fixture_done(&f);
}
END_TEST

START_TEST(test_no_unit) {
        static const char *const names[] = { "worker", "worker@*.service", "a b.service", "/x.service" };
        char longest[4096];
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                fixture_assert_error(fixture_ask(&f, "ShowPolicy", "s", names[i]),
                                     BUS_ERROR_INVALID_ARGUMENT);
        memset(longest, 'x', sizeof(longest));
        memcpy(longest + sizeof(longest) - sizeof(".service"), ".service", sizeof(".service"));
        fixture_assert_error(fixture_ask(&f, "ShowPolicy", "s", longest), BUS_ERROR_INVALID_ARGUMENT);
        fixture_done(&f);
}
END_TEST

START_TEST(test_pauses) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *none = NULL, *m = NULL, *brake = NULL;
        const char *what, *reason;
        uint64_t until;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        none = fixture_get(&f, BUS_PATH, BUS_INTERFACE, "Pauses", "a(sts)");
        ck_assert_int_gt(sd_bus_message_enter_container(none, 'a', "(sts)"), 0);
        ck_assert_int_eq(sd_bus_message_read(none, "(sts)", &what, &until, &reason), 0);

        f.n_pauses = 2;
        bus_server_changed(f.server, BUS_CHANGE_PAUSES);
        sd_bus_message_unref(fixture_signal(&f, "PropertiesChanged"));
        m = fixture_get(&f, BUS_PATH, BUS_INTERFACE, "Pauses", "a(sts)");
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sts)"), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "(sts)", &what, &until, &reason), 0);
        ck_assert_str_eq(what, "");
        ck_assert_str_eq(reason, "move");
        ck_assert_uint_eq(until, 0);
        ck_assert_int_gt(sd_bus_message_read(m, "(sts)", &what, &until, &reason), 0);
        ck_assert_str_eq(what, "worker@*.service");
        ck_assert_uint_eq(until, 1234567);
        ck_assert_int_eq(sd_bus_message_read(m, "(sts)", &what, &until, &reason), 0);

        f.brake_until = 7654321;
        brake = fixture_get(&f, BUS_PATH, BUS_INTERFACE, "BrakeUntilUSec", "t");
        ck_assert_int_gt(sd_bus_message_read(brake, "t", &until), 0);
        ck_assert_uint_eq(until, 7654321);
        fixture_done(&f);
}
END_TEST

static uint32_t get_number(Fixture *f, const char *property) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                        fixture_get(f, BUS_PATH, BUS_INTERFACE, property, "u");
        uint32_t value;

        ck_assert_int_gt(sd_bus_message_read(m, "u", &value), 0);
        return value;
}

/* These agents, in the order of their slots, are stalled or said that they are not well. */
static void assert_ailing(Fixture *f, const uint32_t *pids, size_t n) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = fixture_ask(f, "ListAilingAgents", "uu", 0, 0);
        uint32_t pid, next;

        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(tusssbttutus)"), 0);
        for (size_t i = 0; i < n; i++) {
                ck_assert_int_gt(sd_bus_message_enter_container(m, 'r', "tusssbttutus"), 0);
                ck_assert_int_gt(sd_bus_message_skip(m, "t"), 0);
                ck_assert_int_gt(sd_bus_message_read(m, "u", &pid), 0);
                ck_assert_uint_eq(pid, pids[i]);
                ck_assert_int_gt(sd_bus_message_skip(m, "sssbttutus"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        }
        ck_assert_int_gt(sd_bus_message_at_end(m, false), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "u", &next), 0);
        ck_assert_uint_eq(next, 0);
}

START_TEST(test_health) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint32_t degraded, critical;
        const char *name;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        fixture_beat(&f, 1011, VLP_STATUS_DEGRADED);
        fixture_beat(&f, 1021, VLP_STATUS_CRITICAL);
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        fixture_beat(&f, 1013, VLP_STATUS_CRITICAL);
        fixture_beat(&f, 5000, VLP_STATUS_DEGRADED);
        ck_assert_uint_eq(get_number(&f, "AgentsDegraded"), 2);
        ck_assert_uint_eq(get_number(&f, "AgentsCritical"), 2);

        /* Somebody gets well, somebody worse, and somebody goes. */
        fixture_beat(&f, 1011, VLP_STATUS_CRITICAL);
        fixture_beat(&f, 1013, VLP_STATUS_OK);
        ck_assert_int_eq(observer_forget_agent(f.observer, fixture_agent(&f, 5000), f.now), 0);
        ck_assert_uint_eq(get_number(&f, "AgentsDegraded"), 0);
        ck_assert_uint_eq(get_number(&f, "AgentsCritical"), 2);
        sd_bus_message_unref(fixture_signal(&f, "PropertiesChanged"));

        fixture_beat(&f, 1004, VLP_STATUS_OK);
        fixture_pass(&f, 4 * NSEC_PER_SEC);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        fixture_beat(&f, 1013, VLP_STATUS_OK);
        fixture_beat(&f, 1021, VLP_STATUS_CRITICAL);
        fixture_pass(&f, 2 * NSEC_PER_SEC);
        assert_ailing(&f, (const uint32_t[]){ 1011, 1021, 1004 }, 3);

        m = fixture_ask(&f, "ListAilingUnits", NULL);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(suu)"), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "(suu)", &name, &degraded, &critical), 0);
        ck_assert_str_eq(name, "worker@1.service");
        ck_assert_uint_eq(degraded, 0);
        ck_assert_uint_eq(critical, 2);
        ck_assert_int_eq(sd_bus_message_read(m, "(suu)", &name, &degraded, &critical), 0);
        fixture_done(&f);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "a unit's policy comes key by key with its places", test_policy },
                { "what is no unit has no policy", test_no_unit },
                { "pauses and the brake can be read", test_pauses },
                { "what agents say of themselves is counted", test_health },
        };

        return tests_main("bus-policy", tests, ELEMENTSOF(tests));
}
