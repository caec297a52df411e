/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What can be read: properties, counters, lists in pages, agents as objects. Over a socket pair. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

START_TEST(test_texts) {
        static const struct {
                const char *name, *value;
        } cases[] = {
                { "Version", "0.1.0" },
                { "ClockSource", "monotonic" },
                { "Capabilities", "none" },
                { "State", BUS_STATE_RUNNING },
        };
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                const char *value;

                m = fixture_get(&f, BUS_PATH, BUS_INTERFACE, cases[i].name, "s");
                ck_assert_int_gt(sd_bus_message_read(m, "s", &value), 0);
                ck_assert_str_eq(value, cases[i].value);
        }
        fixture_done(&f);
}
END_TEST

static uint64_t get_number(Fixture *f, const char *name, const char *type) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                        fixture_get(f, BUS_PATH, BUS_INTERFACE, name, type);
        uint64_t t = 0;
        uint32_t u = 0;

        if (strcmp(type, "t") == 0)
                ck_assert_int_gt(sd_bus_message_read(m, "t", &t), 0);
        else
                ck_assert_int_gt(sd_bus_message_read(m, "u", &u), 0);
        return t + u;
}

START_TEST(test_numbers) {
        static const struct {
                const char *name, *type;
                uint64_t value;
        } cases[] = {
                { "Capacity", "u", 16 },
                { "PidNamespaceInode", "t", 4026531836 },
                { "StartUSec", "t", 995 * USEC_PER_SEC },
                { "AgentsTracked", "u", 3 },
                { "AgentsStalled", "u", 2 },
                { "ThresholdUSec", "t", 5 * USEC_PER_SEC },
                { "DescriptorBudget", "u", 4000 },
                { "SignalsSuppressed", "t", 0 },
                { "JournalDropped", "t", 99 },
                { "Beats", "t", 4 },
                { "Stalls", "t", 2 },
                { "AuthFailures", "t", 1 },
        };
        VlpFrame liar = { .timestamp = 1, .nonce = 1, .pid = 777 };
        uint8_t bytes[VLP_FRAME_SIZE];
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        f.journal_dropped = 99;
        for (uint32_t pid = 1001; pid <= 1003; pid++)
                fixture_beat(&f, pid, VLP_STATUS_OK);
        f.now += 3 * NSEC_PER_SEC;
        fixture_beat(&f, 1003, VLP_STATUS_OK);
        fixture_pass(&f, 3 * NSEC_PER_SEC);
        ck_assert_int_eq(vlp_frame_encode(&liar, bytes), 0);
        fixture_datagram(&f, bytes, 1003, ORIGIN_KERNEL_ATTESTED);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(get_number(&f, cases[i].name, cases[i].type) == cases[i].value,
                              "%s is not %" PRIu64, cases[i].name, cases[i].value);
        fixture_done(&f);
}
END_TEST

START_TEST(test_counters) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
#define X(field, name, help) ck_assert_uint_eq(get_number(&f, name, "t"), 0);
        COUNTER_TABLE(X)
#undef X
        fixture_done(&f);
}
END_TEST

/* A dictionary of counters as "key=value ...". */
static const char *get_dictionary(Fixture *f, const char *name) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                        fixture_get(f, BUS_PATH, BUS_INTERFACE, name, "a{st}");
        static char text[512];
        const char *key;
        uint64_t value;

        text[0] = 0;
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{st}"), 0);
        while (sd_bus_message_read(m, "{st}", &key, &value) > 0)
                (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%" PRIu64,
                                text[0] ? " " : "", key, value);
        return text;
}

START_TEST(test_dictionaries) {
        uint8_t garbage[VLP_FRAME_SIZE] = {};
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        ck_assert_str_eq(
                        get_dictionary(&f, "DecodeErrors"),
                        "BadMagic=0 BadVersion=0 BadCrc=0 BadStatus=0 StallOnWire=0 BadPid=0 BadTimestamp=0 "
                        "BadNonce=0");
        fixture_datagram(&f, garbage, 1001, ORIGIN_KERNEL_ATTESTED);
        garbage[0] = 'V';
        garbage[1] = 'A';
        fixture_datagram(&f, garbage, 1001, ORIGIN_KERNEL_ATTESTED);
        fixture_datagram(&f, garbage, 1001, ORIGIN_KERNEL_ATTESTED);
        ck_assert_str_eq(
                        get_dictionary(&f, "DecodeErrors"),
                        "BadMagic=1 BadVersion=2 BadCrc=0 BadStatus=0 StallOnWire=0 BadPid=0 BadTimestamp=0 "
                        "BadNonce=0");
        ck_assert_str_eq(get_dictionary(&f, "RateLimited"), "per-pid=0 global=0 per-uid=0 unopened=0");
        ck_assert_str_eq(get_dictionary(&f, "RecoveryOutcomes"), "recovered=7 no-beat=8");
        ck_assert_str_eq(get_dictionary(&f, "RecoveryRefusals"), "mode-warn=3");
        fixture_done(&f);
}
END_TEST

START_TEST(test_listeners) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *name, *transport, *address;
        uint64_t datagrams;
        uint32_t buffer;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        m = fixture_get(&f, BUS_PATH, BUS_INTERFACE, "Listeners", "a(sssut)");
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sssut)"), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "(sssut)", &name, &transport, &address, &buffer, &datagrams),
                         0);
        ck_assert_str_eq(name, "local");
        ck_assert_str_eq(transport, "unix");
        ck_assert_str_eq(address, "/run/varta/varta.sock");
        ck_assert_uint_eq(buffer, 212992);
        ck_assert_uint_eq(datagrams, 12);
        ck_assert_int_gt(sd_bus_message_read(m, "(sssut)", &name, &transport, &address, &buffer, &datagrams),
                         0);
        ck_assert_str_eq(transport, "udp");
        ck_assert_int_eq(sd_bus_message_read(m, "(sssut)", &name, &transport, &address, &buffer, &datagrams),
                         0);
        fixture_done(&f);
}
END_TEST

START_TEST(test_history) {
        static const struct {
                const char *title, *glob;
                uint32_t max;
                unsigned rows;
        } cases[] = {
                { "all", "", 0, 3 },
                { "two of them", "", 2, 2 },
                { "a unit", "b.service", 0, 1 },
                { "a glob", "*.service", 0, 2 },
                { "another unit", "z.service", 0, 0 },
        };
        Fixture f;

        fixture_init(&f, 4);
        fixture_connect(&f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                unsigned rows = 0;

                m = fixture_ask(&f, "History", "su", cases[i].glob, cases[i].max);
                ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(" BUS_HISTORY_ROW ")"), 0);
                while (sd_bus_message_skip(m, "(" BUS_HISTORY_ROW ")") > 0)
                        rows++;
                ck_assert_msg(rows == cases[i].rows, "%s: %u rows", cases[i].title, rows);
        }
        fixture_assert_error(fixture_ask(&f, "History", "su", "a/b", 0), BUS_ERROR_INVALID_ARGUMENT);
        fixture_done(&f);
}
END_TEST

START_TEST(test_no_such_property) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_assert_error(fixture_call(&f, f.client, BUS_PATH, PROPERTIES, "Get", "ss", BUS_INTERFACE,
                                          "Nonsense"),
                             SD_BUS_ERROR_UNKNOWN_PROPERTY);
        fixture_assert_error(fixture_call(&f, f.client, BUS_PATH, PROPERTIES, "Set", "ssv", BUS_INTERFACE,
                                          "State", "s", "paused"),
                             SD_BUS_ERROR_PROPERTY_READ_ONLY);
        fixture_assert_error(fixture_ask(&f, "ListAgents", "s", "all"), SD_BUS_ERROR_INVALID_ARGS);
        fixture_assert_error(fixture_ask(&f, "Undo", "s", "worker.service"), SD_BUS_ERROR_UNKNOWN_METHOD);
        fixture_done(&f);
}
END_TEST

/* One page; appends the ids found to `seen` and returns the next cursor. */
static uint32_t read_page(Fixture *f, uint32_t cursor, uint32_t max, size_t *ret_rows, bool *seen,
                          size_t n_seen) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = fixture_ask(f, "ListAgents", "uu", cursor, max);
        const char *unit, *status, *origin, *class;
        uint64_t id, last_beat, nonce, beats;
        uint32_t pid, payload, uid, next;
        size_t rows = 0;
        int stalled;

        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(tusssbttutus)"), 0);
        while (sd_bus_message_read(m, "(tusssbttutus)", &id, &pid, &unit, &status, &origin, &stalled,
                                   &last_beat, &nonce, &payload, &beats, &uid, &class) > 0) {
                ck_assert_uint_lt(pid, n_seen);
                ck_assert_msg(!seen[pid], "pid %u is listed twice", pid);
                seen[pid] = true;
                rows++;
        }
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "u", &next), 0);
        *ret_rows = rows;
        return next;
}

START_TEST(test_pages) {
        static const struct {
                const char *title;
                uint32_t agents, max;
                size_t pages[5];
        } cases[] = {
                { "nobody", 0, 10, { 0 } },
                { "one page that is not full", 3, 10, { 3 } },
                { "pages as small as asked for", 5, 2, { 2, 2, 1 } },
                { "a maximum of 0 means as many as there may be", 1500, 0, { 1024, 476 } },
                { "no page is longer than 1,024 rows", 2500, UINT32_MAX, { 1024, 1024, 452 } },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                static bool seen[100000];
                uint32_t cursor = 0;
                size_t page = 0;
                Fixture f;

                memset(seen, 0, sizeof(seen));
                fixture_init(&f, 4096);
                for (uint32_t n = 0; n < cases[i].agents; n++)
                        fixture_beat(&f, 10000 + n, VLP_STATUS_OK);
                fixture_connect(&f);
                do {
                        size_t rows;

                        cursor = read_page(&f, cursor, cases[i].max, &rows, seen, ELEMENTSOF(seen));
                        ck_assert_msg(rows == cases[i].pages[page], "%s: page %zu has %zu rows",
                                      cases[i].title, page, rows);
                        page++;
                } while (cursor != 0);
                for (uint32_t n = 0; n < cases[i].agents; n++)
                        ck_assert_msg(seen[10000 + n], "%s: pid %u is missing", cases[i].title, 10000 + n);
                fixture_done(&f);
        }
}
END_TEST

START_TEST(test_cursor_beyond_the_end) {
        bool seen[1] = {};
        Fixture f;
        size_t rows;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        ck_assert_uint_eq(read_page(&f, UINT32_MAX, 10, &rows, seen, 1), 0);
        ck_assert_uint_eq(rows, 0);
        fixture_done(&f);
}
END_TEST

/* Fails unless these pids, in the order of their slots, are what FindAgents() brings, page by page. */
static void assert_found(Fixture *f, const char *title, const char *unit, uint32_t pid, uint32_t max,
                         const uint32_t *pids) {
        uint32_t cursor = 0, got;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                                fixture_ask(f, "FindAgents", "suuu", unit, pid, cursor, max);
                uint32_t rows = 0;

                ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(tusssbttutus)"), 0);
                while (sd_bus_message_enter_container(m, 'r', "tusssbttutus") > 0) {
                        ck_assert_int_gt(sd_bus_message_skip(m, "t"), 0);
                        ck_assert_int_gt(sd_bus_message_read(m, "u", &got), 0);
                        ck_assert_msg(got == *pids, "%s: found %u and not %u", title, got, *pids);
                        pids++;
                        ck_assert_int_gt(sd_bus_message_skip(m, "sssbttutus"), 0);
                        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
                        rows++;
                }
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
                ck_assert_int_gt(sd_bus_message_read(m, "u", &cursor), 0);
                ck_assert_msg(max == 0 || rows <= max, "%s: %u rows in a page", title, rows);
        } while (cursor != 0);
        ck_assert_msg(*pids == 0, "%s: pid %u is missing", title, *pids);
}

START_TEST(test_find) {
        static const struct {
                const char *title, *unit;
                uint32_t pid, max, found[6]; /* ends with 0 */
        } cases[] = {
                { "those of a unit", "worker@3.service", 0, 0, { 1003, 1013, 1023 } },
                { "page by page", "worker@3.service", 0, 2, { 1003, 1013, 1023 } },
                { "by pid", "", 5000, 0, { 5000 } },
                { "of a unit and with a pid", "worker@3.service", 1013, 0, { 1013 } },
                { "a pid that is another unit's", "worker@2.service", 1013, 0, {} },
                { "a pid that nobody has", "", 77, 0, {} },
                { "a unit that nobody is of", "worker@4.service", 0, 0, {} },
                { "all", "", 0, 1, { 1003, 1002, 1013, 1023, 5000 } },
        };
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        assert_found(&f, "nobody is there", "", 0, 0, &(uint32_t){ 0 });
        fixture_beat(&f, 1003, VLP_STATUS_OK);
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        fixture_beat(&f, 1013, VLP_STATUS_OK);
        fixture_beat(&f, 1023, VLP_STATUS_OK);
        fixture_beat(&f, 5000, VLP_STATUS_OK);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_found(&f, cases[i].title, cases[i].unit, cases[i].pid, cases[i].max, cases[i].found);
        fixture_assert_error(fixture_ask(&f, "FindAgents", "uu", 0, 0), SD_BUS_ERROR_INVALID_ARGS);
        fixture_done(&f);
}
END_TEST

START_TEST(test_row) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *unit, *status, *origin, *class;
        uint64_t id, last_beat, nonce, beats;
        uint32_t pid, payload, uid;
        int stalled;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1007, VLP_STATUS_OK);
        fixture_beat(&f, 1007, VLP_STATUS_CRITICAL);
        fixture_pass(&f, 6 * NSEC_PER_SEC);

        m = fixture_ask(&f, "ListAgents", "uu", 0, 0);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(tusssbttutus)"), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "(tusssbttutus)", &id, &pid, &unit, &status, &origin,
                                             &stalled, &last_beat, &nonce, &payload, &beats, &uid, &class),
                         0);
        ck_assert_uint_eq(id, fixture_agent(&f, 1007));
        ck_assert_uint_eq(pid, 1007);
        ck_assert_str_eq(unit, "worker@7.service");
        ck_assert_str_eq(status, "critical");
        ck_assert_str_eq(origin, "kernel-attested");
        ck_assert_int_eq(stalled, 1);
        ck_assert_uint_eq(last_beat, 995 * USEC_PER_SEC);
        ck_assert_uint_eq(nonce, 2);
        ck_assert_uint_eq(payload, 42);
        ck_assert_uint_eq(beats, 2);
        ck_assert_uint_eq(uid, 1000);
        ck_assert_str_eq(class, "Unit worker@*.service");
        fixture_done(&f);
}
END_TEST

START_TEST(test_units) {
        static const struct {
                const char *name, *mode, *state;
                uint32_t agents, stalled;
                uint64_t restarts;
                const char *outcome;
                uint64_t backoff;
        } cases[] = {
                { "worker@1.service", "enforce", BUS_UNIT_BACKOFF, 2, 1, 5, "no-beat", 1234567 },
                { "worker@2.service", "warn", BUS_UNIT_STALLED, 1, 1, 0, "", 0 },
                { "worker@3.service", "warn", BUS_UNIT_OK, 1, 0, 0, "", 0 },
                { "gone@7.service", "warn", BUS_UNIT_OK, 0, 0, 0, "", 0 }, /* recovery knows it */
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *name, *mode, *state, *outcome;
        uint64_t restarts, backoff;
        uint32_t agents, stalled;
        size_t rows = 0;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        f.now += 3 * NSEC_PER_SEC;
        fixture_beat(&f, 1011, VLP_STATUS_OK);
        fixture_beat(&f, 1003, VLP_STATUS_OK);
        fixture_beat(&f, 5000, VLP_STATUS_OK);
        fixture_pass(&f, 3 * NSEC_PER_SEC);

        f.ailing[0] = "worker@2.service"; /* has agents, and a row already */
        f.ailing[1] = "gone@7.service";
        m = fixture_ask(&f, "ListUnits", NULL);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sssuutst)"), 0);
        while (sd_bus_message_read(m, "(sssuutst)", &name, &mode, &state, &agents, &stalled, &restarts,
                                   &outcome, &backoff) > 0) {
                bool found = false;

                for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                        if (strcmp(cases[i].name, name) != 0)
                                continue;
                        found = true;
                        ck_assert_str_eq(mode, cases[i].mode);
                        ck_assert_str_eq(state, cases[i].state);
                        ck_assert_uint_eq(agents, cases[i].agents);
                        ck_assert_uint_eq(stalled, cases[i].stalled);
                        ck_assert_uint_eq(restarts, cases[i].restarts);
                        ck_assert_str_eq(outcome, cases[i].outcome);
                        ck_assert_uint_eq(backoff, cases[i].backoff);
                }
                ck_assert_msg(found, "unexpected unit %s", name);
                rows++;
        }
        ck_assert_uint_eq(rows, ELEMENTSOF(cases));
        fixture_done(&f);
}
END_TEST

START_TEST(test_agent_by_pid) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char expected[128];
        const char *path;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        m = fixture_ask(&f, "GetAgentByPID", "u", 1001);
        ck_assert_int_gt(sd_bus_message_read(m, "o", &path), 0);
        (void) snprintf(expected, sizeof(expected), BUS_AGENT_PATH "/%" PRIu64, fixture_agent(&f, 1001));
        ck_assert_str_eq(path, expected);
        fixture_assert_error(fixture_ask(&f, "GetAgentByPID", "u", 1002), BUS_ERROR_NO_SUCH_AGENT);
        fixture_done(&f);
}
END_TEST

START_TEST(test_agent_properties) {
        static const struct {
                const char *name, *type, *text;
                uint64_t number;
        } cases[] = {
                { "Pid", "u", NULL, 1007 },
                { "Uid", "u", NULL, 1000 },
                { "FirstSeenUSec", "t", NULL, 995 * USEC_PER_SEC },
                { "Unit", "s", "worker@7.service", 0 },
                { "InvocationID", "s", "abababababababababababababababab", 0 },
                { "PidNamespaceInode", "t", NULL, 0 },
                { "Origin", "s", "kernel-attested", 0 },
                { "Class", "s", "Unit worker@*.service", 0 },
                { "ThresholdUSec", "t", NULL, 5 * USEC_PER_SEC },
                { "Status", "s", "degraded", 0 },
                { "Payload", "u", NULL, 42 },
                { "Stalled", "b", NULL, 0 },
                { "Confirmed", "b", NULL, 1 },
                { "Terminal", "b", NULL, 0 },
                { "HasPidfd", "b", NULL, 0 },
                { "LastBeatUSec", "t", NULL, 996 * USEC_PER_SEC },
                { "LastNonce", "t", NULL, 2 },
                { "Beats", "t", NULL, 2 },
        };
        char path[128];
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1007, VLP_STATUS_OK);
        fixture_pass(&f, NSEC_PER_SEC);
        fixture_beat(&f, 1007, VLP_STATUS_DEGRADED);
        (void) snprintf(path, sizeof(path), BUS_AGENT_PATH "/%" PRIu64, fixture_agent(&f, 1007));

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                union {
                        const char *s;
                        uint64_t t;
                        uint32_t u;
                        int b;
                } v = {};

                m = fixture_get(&f, path, BUS_AGENT_INTERFACE, cases[i].name, cases[i].type);
                ck_assert_int_gt(sd_bus_message_read_basic(m, cases[i].type[0], &v), 0);
                if (cases[i].text)
                        ck_assert_str_eq(v.s, cases[i].text);
                else
                        ck_assert_msg((cases[i].type[0] == 't' ? v.t : v.u) == cases[i].number,
                                      "%s is wrong", cases[i].name);
        }
        fixture_done(&f);
}
END_TEST

START_TEST(test_no_such_agent_object) {
        static const char *const paths[] = {
                BUS_AGENT_PATH,
                BUS_AGENT_PATH "/999",
                BUS_AGENT_PATH "/01",
                BUS_AGENT_PATH "/x",
                BUS_AGENT_PATH "/_31",
                BUS_AGENT_PATH "/1/2",
                BUS_AGENT_PATH "/18446744073709551616",
                BUS_PATH "/agents/1",
        };
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                sd_bus_message *m = fixture_call(&f, f.client, paths[i], PROPERTIES, "Get", "ss",
                                                 BUS_AGENT_INTERFACE, "Pid");

                ck_assert_msg(sd_bus_message_is_method_error(m, NULL), "%s exists", paths[i]);
                sd_bus_message_unref(m);
        }
        fixture_done(&f);
}
END_TEST

static size_t count_nodes(Fixture *f) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *xml;
        size_t n = 0;

        m = fixture_call(f, f->client, BUS_AGENT_PATH, "org.freedesktop.DBus.Introspectable", "Introspect",
                         NULL);
        ck_assert_int_gt(sd_bus_message_read(m, "s", &xml), 0);
        for (const char *p = xml; (p = strstr(p, "<node name=")); p++)
                n++;
        return n;
}

START_TEST(test_tree) {
        Fixture f;

        fixture_init(&f, 2048);
        fixture_connect(&f);
        for (uint32_t n = 0; n < BUS_ENUMERATE_MAX; n++)
                fixture_beat(&f, 10000 + n, VLP_STATUS_OK);
        ck_assert_uint_eq(count_nodes(&f), BUS_ENUMERATE_MAX);
        fixture_beat(&f, 20000, VLP_STATUS_OK);
        ck_assert_uint_eq(count_nodes(&f), 0);
        fixture_done(&f);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "texts among the properties", test_texts },
                { "numbers among the properties are what the observer counts", test_numbers },
                { "every counter is there from the start, at zero", test_counters },
                { "counters with reasons have every key from the start", test_dictionaries },
                { "listeners are rows", test_listeners },
                { "the past is told of the units a glob covers", test_history },
                { "unknown properties, writing, wrong types and later members are errors",
                  test_no_such_property },
                { "agents are listed in pages, each once", test_pages },
                { "a cursor beyond the end is the end", test_cursor_beyond_the_end },
                { "agents are found by unit, by pid, and by both", test_find },
                { "a row says what is known of an agent", test_row },
                { "units are rows, with what recovery knows", test_units },
                { "an agent is found by its pid", test_agent_by_pid },
                { "an agent is an object with properties", test_agent_properties },
                { "an object that stands for no agent does not exist", test_no_such_agent_object },
                { "agents are child nodes while they are at most 1,024", test_tree },
        };

        return tests_main("bus-objects", tests, ELEMENTSOF(tests));
}
