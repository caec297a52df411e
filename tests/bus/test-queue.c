/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A reader who does not read: what piles up, what is suppressed, when the connection is given up, and that all is well again
 * when he reads. */

#include "bus/bus-signals.h"
#include "fixture.h"

/* Short, so that the test is; long enough that a busy machine does not take its own pause for the reader's. */
#define SIGNALS_USEC (300 * (usec_t) 1000)
#define CLOSE_USEC   (900 * (usec_t) 1000)

/* More than any socket buffer holds. */
#define FLOOD_MAX 100000U

static uint64_t queued(const Fixture *f) {
        uint64_t n;

        ck_assert_int_ge(sd_bus_get_n_queued_write(f->bus, &n), 0);
        return n;
}

static void signal_once(Fixture *f) {
        bus_signal_storm_summary(f->server, "decode", 1, 0);
}

/* The reader stops, and some signals wait. */
static void stop_reading(Fixture *f) {
        ck_assert_int_ge(sd_bus_detach_event(f->client), 0);
        for (unsigned i = 0; i < FLOOD_MAX && queued(f) < 10; i++)
                signal_once(f);
        ck_assert_uint_eq(queued(f), 10);
}

static bool is_suppressing(Fixture *f) {
        uint64_t before = bus_server_signals_suppressed(f->server);

        signal_once(f);
        return bus_server_signals_suppressed(f->server) > before;
}

static bool is_empty(Fixture *f) {
        return queued(f) == 0;
}

static bool is_stuck(Fixture *f) {
        return f->stuck > 0;
}

START_TEST(test_suppressed) {
        Fixture f;

        fixture_init(&f, 16);
        bus_server_set_patience(f.server, SIGNALS_USEC, 1000 * USEC_PER_SEC);
        fixture_connect(&f);
        stop_reading(&f);
        ck_assert_uint_eq(bus_server_signals_suppressed(f.server), 0);
        fixture_run_until(&f, is_suppressing);
        ck_assert_uint_lt(queued(&f), 1024);

        /* He reads again. */
        ck_assert_int_ge(sd_bus_attach_event(f.client, f.event, 0), 0);
        fixture_run_until(&f, is_empty);
        fixture_settle(&f);
        fixture_forget_signals(&f);
        ck_assert(!is_suppressing(&f));
        sd_bus_message_unref(fixture_signal(&f, "StormSummary"));
        ck_assert_uint_eq(f.stuck, 0);
        fixture_done(&f);
}
END_TEST

START_TEST(test_given_up) {
        uint64_t before;
        Fixture f;

        fixture_init(&f, 16);
        bus_server_set_patience(f.server, SIGNALS_USEC, CLOSE_USEC);
        fixture_connect(&f);
        stop_reading(&f);
        fixture_run_until(&f, is_stuck);
        ck_assert_uint_eq(f.stuck, 1);
        ck_assert_uint_eq(f.disconnects, 0);
        ck_assert(!bus_server_is_attached(f.server));

        /* What waited is lost, and what happens until somebody can be told, too: both are counted. */
        before = bus_server_signals_suppressed(f.server);
        ck_assert_uint_ge(before, 10);
        ck_assert(is_suppressing(&f));
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        ck_assert_uint_eq(bus_server_signals_suppressed(f.server), before + 2);

        /* The next connection. */
        f.client = sd_bus_close_unref(f.client);
        f.bus = sd_bus_close_unref(f.bus);
        fixture_connect(&f);
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        sd_bus_message_unref(fixture_signal(&f, "AgentAppeared"));
        ck_assert(!is_suppressing(&f));
        fixture_done(&f);
}
END_TEST

/* Whoever asks and does not read the answers: they do not pile up without end. */
START_TEST(test_answers) {
        uint64_t before = 0;
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        ck_assert_int_ge(sd_bus_detach_event(f.client), 0);
        for (unsigned i = 0; i < FLOOD_MAX; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                ck_assert_int_ge(sd_bus_message_new_method_call(f.client, &m, NULL, BUS_PATH, BUS_INTERFACE,
                                                                "ListUnits"),
                                 0);
                ck_assert_int_ge(sd_bus_send(f.client, m, &(uint64_t){ 0 }), 0);
                if (i % 500 != 499)
                        continue;
                fixture_settle(&f);
                if (before >= 1024 && queued(&f) == before)
                        break;
                before = queued(&f);
        }
        ck_assert_uint_eq(queued(&f), 1024);
        fixture_done(&f);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "a queue that does not move takes no more signals, until it does", test_suppressed },
                { "a queue that does not move for long is given up, and all is counted", test_given_up },
                { "answers that nobody reads end", test_answers },
        };

        return tests_main("bus-queue", tests, ELEMENTSOF(tests));
}
