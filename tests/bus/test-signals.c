/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is told without being asked: signals, changes, and what happens when nobody reads them. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fixture.h"

/* The five arguments of the signals about an agent's life. */
static void assert_agent_signal(Fixture *f, const char *member, uint32_t pid, const char *unit,
                                const char *first, const char *second) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = fixture_signal(f, member);
        const char *u, *a, *b;
        uint64_t id;
        uint32_t p;

        ck_assert_str_eq(sd_bus_message_get_signature(m, true), "tusss");
        ck_assert_int_gt(sd_bus_message_read(m, "tusss", &id, &p, &u, &a, &b), 0);
        ck_assert_uint_eq(p, pid);
        ck_assert_str_eq(u, unit);
        ck_assert_str_eq(a, first);
        ck_assert_str_eq(b, second);
}

START_TEST(test_life) {
        uint64_t id;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);

        fixture_beat(&f, 1001, VLP_STATUS_OK);
        id = fixture_agent(&f, 1001);
        assert_agent_signal(&f, "AgentAppeared", 1001, "worker@1.service", "kernel-attested", "ok");

        fixture_beat(&f, 1001, VLP_STATUS_DEGRADED);
        assert_agent_signal(&f, "StatusChanged", 1001, "worker@1.service", "ok", "degraded");

        fixture_pass(&f, 6 * NSEC_PER_SEC);
        sd_bus_message_unref(fixture_signal(&f, "Stall"));
        fixture_beat(&f, 1001, VLP_STATUS_DEGRADED);
        assert_agent_signal(&f, "Resumed", 1001, "worker@1.service", "beat", "degraded");

        observer_agent_exited(f.observer, id, f.now);
        assert_agent_signal(&f, "AgentExited", 1001, "worker@1.service", "exited", "");
        fixture_done(&f);
}
END_TEST

START_TEST(test_ways_to_go) {
        static const struct {
                EventKind kind;
                bool gone, last_word;
                const char *reason, *detail;
        } cases[] = {
                { EVENT_EXIT, false, false, "exited", "" },
                { EVENT_EXIT, false, true, "exited", "last-word" },
                { EVENT_EXIT, true, false, "gone", "" },
                { EVENT_FORGOTTEN, false, false, "forgotten", "" },
                { EVENT_EVICTED, false, false, "evicted", "" },
        };
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Event event = {
                        .kind = cases[i].kind,
                        .agent.pid = 7,
                        .unit = "",
                        .gone = cases[i].gone,
                        .last_word = cases[i].last_word,
                };

                bus_server_event(f.server, &event);
                assert_agent_signal(&f, "AgentExited", 7, "", cases[i].reason, cases[i].detail);
        }
        fixture_done(&f);
}
END_TEST

/* Enters the details and returns the value of a key as text; "" when it is not there. */
static const char *get_detail(sd_bus_message *m, const char *wanted) {
        static char text[64];
        const char *key, *type;

        text[0] = 0;
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                union {
                        const char *s;
                        uint64_t t;
                        uint32_t u;
                        int b;
                } v;

                ck_assert_int_gt(sd_bus_message_read(m, "s", &key), 0);
                ck_assert_int_gt(sd_bus_message_peek_type(m, NULL, &type), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(m, 'v', type), 0);
                ck_assert_int_gt(sd_bus_message_read_basic(m, type[0], &v), 0);
                if (strcmp(key, wanted) == 0 && type[0] == 's')
                        (void) snprintf(text, sizeof(text), "%s", v.s);
                else if (strcmp(key, wanted) == 0)
                        (void) snprintf(text, sizeof(text), "%" PRIu64, type[0] == 't' ? v.t : v.u);
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        }
        ck_assert_int_ge(sd_bus_message_rewind(m, true), 0);
        return text;
}

/* Moves behind the arguments in front of the details. */
static void skip_to_details(sd_bus_message *m, const char *types) {
        ck_assert_int_ge(sd_bus_message_skip(m, types), 0);
}

START_TEST(test_stall) {
        static const struct {
                const char *key, *value;
        } details[] = {
                { "Origin", "kernel-attested" },
                { "PidNamespaceInode", "0" },
                { "ObserverNSec", "7000000000" },
                { "LastBeatNSec", "1000000000" },
                { "Status", "critical" },
                { "Payload", "42" },
                { "LastWord", "0" },
                { "Waited", "0" },
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *unit, *invocation, *reason;
        uint64_t id, last_beat, nonce, deadline;
        uint32_t pid;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_pass(&f, NSEC_PER_SEC);
        fixture_beat(&f, 1001, VLP_STATUS_CRITICAL);
        fixture_pass(&f, 6 * NSEC_PER_SEC);

        m = fixture_signal(&f, "Stall");
        ck_assert_str_eq(sd_bus_message_get_signature(m, true), "tusssttta{sv}");
        ck_assert_int_gt(sd_bus_message_read(m, "tusssttt", &id, &pid, &unit, &invocation, &reason,
                                             &last_beat, &nonce, &deadline),
                         0);
        ck_assert_uint_eq(id, fixture_agent(&f, 1001));
        ck_assert_uint_eq(pid, 1001);
        ck_assert_str_eq(unit, "worker@1.service");
        ck_assert_str_eq(invocation, "abababababababababababababababab");
        ck_assert_str_eq(reason, "silent");
        ck_assert_uint_eq(last_beat, 996 * USEC_PER_SEC);
        ck_assert_uint_eq(nonce, 1);
        ck_assert_uint_eq(deadline, 1001 * USEC_PER_SEC);
        for (size_t i = 0; i < ELEMENTSOF(details); i++) {
                ck_assert_str_eq(get_detail(m, details[i].key), details[i].value);
                skip_to_details(m, "tusssttt");
        }

        fixture_pass(&f, 60 * NSEC_PER_SEC);
        fixture_settle(&f);
        ck_assert_uint_eq(fixture_count_signals(&f, "Stall"), 0);
        fixture_done(&f);
}
END_TEST

START_TEST(test_never_beat) {
        const Event event = { .kind = EVENT_STALL,
                              .reason = STALL_NEVER_BEAT,
                              .unit = "worker@9.service",
                              .now = FIXTURE_START + NSEC_PER_SEC,
                              .deadline = FIXTURE_START };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *unit, *invocation, *reason;
        uint64_t id, last_beat, nonce, deadline;
        uint32_t pid;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        bus_server_event(f.server, &event);
        m = fixture_signal(&f, "Stall");
        ck_assert_int_gt(sd_bus_message_read(m, "tusssttt", &id, &pid, &unit, &invocation, &reason,
                                             &last_beat, &nonce, &deadline),
                         0);
        ck_assert_uint_eq(id, 0);
        ck_assert_uint_eq(pid, 0);
        ck_assert_str_eq(unit, "worker@9.service");
        ck_assert_str_eq(invocation, "");
        ck_assert_str_eq(reason, "never-beat");
        ck_assert_uint_eq(last_beat, 0);
        ck_assert_uint_eq(deadline, 995 * USEC_PER_SEC);
        ck_assert_str_eq(get_detail(m, "ObserverNSec"), "1000000000");
        fixture_done(&f);
}
END_TEST

static const struct {
        Event event;
        const char *class, *detail, *key, *value;
} rejections[] = {
        { { .reject = REJECT_DECODE,
            .decode_error = VLP_ERROR_BAD_CRC,
            .observed_origin = ORIGIN_KERNEL_ATTESTED,
            .attested_pid = 12 },
          "decode",
          "BadCrc",
          "AttestedPid",
          "12" },
        { { .reject = REJECT_AUTH_FAILURE,
            .claimed_pid = 99,
            .attested_pid = 12,
            .observed_origin = ORIGIN_KERNEL_ATTESTED },
          "auth-failure",
          "12",
          "ObservedOrigin",
          "kernel-attested" },
        { { .reject = REJECT_ORIGIN_CONFLICT,
            .claimed_pid = 99,
            .observed_origin = ORIGIN_NETWORK_UNVERIFIED,
            .slot_origin = ORIGIN_KERNEL_ATTESTED },
          "origin-conflict",
          "",
          "SlotOrigin",
          "kernel-attested" },
        { { .reject = REJECT_NAMESPACE_CONFLICT, .claimed_pid = 99, .observed_namespace = 5 },
          "namespace-conflict",
          "",
          "ObservedNamespace",
          "5" },
        { { .reject = REJECT_NAMESPACE_CONFLICT },
          "namespace-conflict",
          "",
          "ObserverNamespace",
          "4026531836" },
        { { .reject = REJECT_CONTROL_TRUNCATED, .observed_origin = ORIGIN_SOCKET_MODE_ONLY },
          "control-truncated",
          "",
          "ObservedOrigin",
          "socket-mode-only" },
        { { .reject = REJECT_IO_ERROR, .error = -ENOBUFS },
          "io-error",
          "ENOBUFS",
          "ObserverNSec",
          "2000000000" },
        { { .reject = REJECT_IO_ERROR, .error = -ENOBUFS }, "io-error", "ENOBUFS", "ObservedOrigin", "" },
        { { .reject = REJECT_DECRYPT_FAILED, .peer = "[2001:db8::7]:4711" },
          "decrypt-failed",
          "",
          "Peer",
          "[2001:db8::7]:4711" },
        { { .reject = REJECT_DECODE, .decode_error = VLP_ERROR_BAD_MAGIC, .attested_pid = 12, .peer = "" },
          "decode",
          "BadMagic",
          "Peer",
          "" },
};

START_TEST(test_rejected) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        for (size_t i = 0; i < ELEMENTSOF(rejections); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                Event event = rejections[i].event;
                const char *class, *detail;
                uint32_t pid;

                event.kind = EVENT_REJECTED;
                event.now = FIXTURE_START + 2 * NSEC_PER_SEC;
                bus_server_event(f.server, &event);
                m = fixture_signal(&f, "Rejected");
                ck_assert_str_eq(sd_bus_message_get_signature(m, true), "susa{sv}");
                ck_assert_int_gt(sd_bus_message_read(m, "sus", &class, &pid, &detail), 0);
                ck_assert_str_eq(class, rejections[i].class);
                ck_assert_uint_eq(pid, event.claimed_pid);
                ck_assert_str_eq(detail, rejections[i].detail);
                ck_assert_str_eq(get_detail(m, rejections[i].key), rejections[i].value);
        }
        fixture_done(&f);
}
END_TEST

START_TEST(test_recovery) {
        static const uint8_t invocation[INVOCATION_ID_SIZE] = { 0x01, 0x23 };
        static const struct {
                const char *member;
                void (*emit)(BusServer *s, const BusRecovery *recovery);
        } cases[] = {
                { "RecoveryStarted", bus_signal_recovery_started },
                { "RecoveryFinished", bus_signal_recovery_finished },
                { "RecoveryRefused", bus_signal_recovery_refused },
        };
        const BusRecovery recovery = { 17, 1001, 2, "worker@1.service", "backoff", invocation };
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                const char *unit, *inv, *reason;
                uint32_t pid, attempt;
                uint64_t id;

                cases[i].emit(f.server, &recovery);
                m = fixture_signal(&f, cases[i].member);
                ck_assert_str_eq(sd_bus_message_get_signature(m, true), "tusssu");
                ck_assert_int_gt(sd_bus_message_read(m, "tusssu", &id, &pid, &unit, &inv, &reason, &attempt),
                                 0);
                ck_assert_uint_eq(id, 17);
                ck_assert_uint_eq(pid, 1001);
                ck_assert_str_eq(unit, "worker@1.service");
                ck_assert_str_eq(inv, "01230000000000000000000000000000");
                ck_assert_str_eq(reason, "backoff");
                ck_assert_uint_eq(attempt, 2);
        }
        fixture_done(&f);
}
END_TEST

static void assert_stt(Fixture *f, const char *member, const char *text, uint64_t first, uint64_t second) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = fixture_signal(f, member);
        const char *s;
        uint64_t a, b;

        ck_assert_str_eq(sd_bus_message_get_signature(m, true), "stt");
        ck_assert_int_gt(sd_bus_message_read(m, "stt", &s, &a, &b), 0);
        ck_assert_str_eq(s, text);
        ck_assert_uint_eq(a, first);
        ck_assert_uint_eq(b, second);
}

START_TEST(test_rare) {
        Event event = { .kind = EVENT_CLOCK_JUMP, .jump = 90 * NSEC_PER_SEC };
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        bus_server_event(f.server, &event);
        assert_stt(&f, "ClockJumped", "monotonic", 0, 90 * USEC_PER_SEC);

        event = (Event){ .kind = EVENT_OVERLOADED, .overloaded = true };
        observer_listener_dropped(f.observer, 0, 5, f.now);
        bus_server_event(f.server, &event);
        assert_stt(&f, "Overloaded", "begin", 5, 60 * USEC_PER_SEC);
        event.overloaded = false;
        bus_server_event(f.server, &event);
        assert_stt(&f, "Overloaded", "end", 5, 60 * USEC_PER_SEC);

        bus_signal_gave_up(f.server, "worker@1.service", 5, 10 * NSEC_PER_MINUTE);
        assert_stt(&f, "GaveUp", "worker@1.service", 5, 600 * USEC_PER_SEC);
        bus_signal_storm_summary(f.server, "decode", 1000, 10 * NSEC_PER_SEC);
        assert_stt(&f, "StormSummary", "decode", 1000, 10 * USEC_PER_SEC);
        fixture_done(&f);
}
END_TEST

/* The names in a PropertiesChanged, as bits of BusChange. */
static unsigned get_changes(sd_bus_message *m) {
        static const char *const names[_BUS_CHANGE_MAX] = {
                "State",         "ConfigurationError", "AgentsTracked",
                "AgentsStalled", "AgentsDegraded",     "AgentsCritical",
                "ThresholdUSec", "Listeners",          "DescriptorBudget",
                "Pauses",
        };
        const char *interface, *name;
        unsigned changes = 0;

        ck_assert_int_gt(sd_bus_message_read(m, "s", &interface), 0);
        ck_assert_str_eq(interface, BUS_INTERFACE);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(m, "s", &name), 0);
                for (size_t i = 0; i < ELEMENTSOF(names); i++)
                        if (strcmp(names[i], name) == 0)
                                changes |= 1U << i;
                ck_assert_int_ge(sd_bus_message_skip(m, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        }
        return changes;
}

START_TEST(test_changes_together) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *first = NULL, *second = NULL;
        usec_t before, after;
        Fixture f;

        fixture_init(&f, 1024);
        fixture_connect(&f);
        for (uint32_t n = 0; n < 100; n++)
                fixture_beat(&f, 10000 + n, VLP_STATUS_OK);
        bus_server_changed(f.server, BUS_CHANGE_STATE);
        first = fixture_signal(&f, "PropertiesChanged");
        ck_assert_uint_eq(get_changes(first), 1U << BUS_CHANGE_STATE | 1U << BUS_CHANGE_AGENTS_TRACKED);

        /* What changes right after waits for 100 ms since the first announcement. */
        ck_assert_int_ge(sd_event_now(f.event, CLOCK_MONOTONIC, &before), 0);
        for (unsigned i = 0; i < 10; i++) {
                fixture_beat(&f, 20000 + i, VLP_STATUS_OK);
                fixture_settle(&f);
        }
        second = fixture_signal(&f, "PropertiesChanged");
        ck_assert_int_ge(sd_event_now(f.event, CLOCK_MONOTONIC, &after), 0);
        ck_assert_uint_eq(get_changes(second), 1U << BUS_CHANGE_AGENTS_TRACKED);
        ck_assert_uint_ge(after - before, 80 * 1000);
        fixture_settle(&f);
        ck_assert_uint_eq(fixture_count_signals(&f, "PropertiesChanged"), 0);
        fixture_done(&f);
}
END_TEST

START_TEST(test_changes_are_current) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint32_t tracked, stalled;
        const char *interface, *name;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        fixture_pass(&f, 6 * NSEC_PER_SEC);
        /* The event about a forgotten agent comes before it is gone. */
        ck_assert_int_eq(observer_forget_agent(f.observer, fixture_agent(&f, 1001), f.now), 0);
        m = fixture_signal(&f, "PropertiesChanged");
        ck_assert_int_gt(sd_bus_message_read(m, "s", &interface), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "{sv}", &name, "u", &tracked), 0);
        ck_assert_str_eq(name, "AgentsTracked");
        ck_assert_uint_eq(tracked, 1);
        ck_assert_int_gt(sd_bus_message_read(m, "{sv}", &name, "u", &stalled), 0);
        ck_assert_str_eq(name, "AgentsStalled");
        ck_assert_uint_eq(stalled, 1);
        fixture_done(&f);
}
END_TEST

START_TEST(test_each_change) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        for (BusChange c = 0; c < _BUS_CHANGE_MAX; c++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                bus_server_changed(f.server, c);
                m = fixture_signal(&f, "PropertiesChanged");
                ck_assert_uint_eq(get_changes(m), 1U << c);
        }
        fixture_done(&f);
}
END_TEST

START_TEST(test_beats_are_silent) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        sd_bus_message_unref(fixture_signal(&f, "PropertiesChanged"));
        for (unsigned i = 0; i < 1000; i++)
                fixture_beat(&f, 1001, VLP_STATUS_OK);
        fixture_settle(&f);
        ck_assert_uint_eq(f.n_signals, 0);
        fixture_done(&f);
}
END_TEST

/* More than any socket buffer and the queue hold together. */
#define FLOOD_MAX 1000000U

START_TEST(test_queue_bound) {
        uint64_t queued, suppressed;
        unsigned sent;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        ck_assert_uint_eq(bus_server_signals_suppressed(f.server), 0);

        /* Nobody turns the loop: the client reads nothing. */
        for (sent = 0; sent < FLOOD_MAX && bus_server_signals_suppressed(f.server) < 5000; sent++)
                bus_signal_storm_summary(f.server, "decode", sent, 0);
        ck_assert_int_ge(sd_bus_get_n_queued_write(f.bus, &queued), 0);
        ck_assert_uint_eq(queued, 1024);
        suppressed = bus_server_signals_suppressed(f.server);
        ck_assert_uint_eq(suppressed, 5000);
        ck_assert_uint_gt(sent, 5000 + 1024);

        /* A change is not lost, only late. */
        bus_server_changed(f.server, BUS_CHANGE_STATE);
        ck_assert_int_ge(sd_bus_get_n_queued_write(f.bus, &queued), 0);
        ck_assert_uint_eq(queued, 1024);

        fixture_settle(&f);
        fixture_forget_signals(&f);
        bus_server_changed(f.server, BUS_CHANGE_STATE);
        sd_bus_message_unref(fixture_signal(&f, "PropertiesChanged"));
        bus_signal_storm_summary(f.server, "decode", 1, 0);
        sd_bus_message_unref(fixture_signal(&f, "StormSummary"));
        ck_assert_uint_eq(bus_server_signals_suppressed(f.server), suppressed);
        fixture_done(&f);
}
END_TEST

START_TEST(test_nobody_there) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        fixture_pass(&f, 6 * NSEC_PER_SEC);
        bus_server_changed(f.server, BUS_CHANGE_STATE);
        fixture_settle(&f);
        ck_assert_uint_eq(bus_server_signals_suppressed(f.server), 0);

        /* Who comes later is not told of the past. */
        fixture_connect(&f);
        fixture_settle(&f);
        ck_assert_uint_eq(f.n_signals, 0);
        fixture_done(&f);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "an agent appears, changes, resumes and exits", test_life },
                { "the ways in which an agent can go", test_ways_to_go },
                { "a stall is told once, with all that is known", test_stall },
                { "a unit that never beat has no agent", test_never_beat },
                { "rejections, by class", test_rejected },
                { "what recovery does", test_recovery },
                { "clock jumps, overload, giving up, storms", test_rare },
                { "changes are announced together, and not more often than every 100 ms",
                  test_changes_together },
                { "what is announced is what is then true", test_changes_are_current },
                { "each property that changes is announced", test_each_change },
                { "a beat that changes nothing says nothing", test_beats_are_silent },
                { "a queue that nobody empties stays bounded, and what is not sent is counted",
                  test_queue_bound },
                { "without a bus nothing is sent and nothing is suppressed", test_nobody_there },
        };

        return tests_main("bus-signals", tests, ELEMENTSOF(tests));
}
