/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is put into a snapshot, and the text that comes out. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "metrics/metrics.h"
#include "support.h"

static char text_of[1 << 21];

/* The text of some groups, terminated. */
static const char *text(const Metrics *m, unsigned groups, MetricsForm form) {
        MetricsText t = {};

        ck_assert_int_eq(metrics_write(m, groups, form, &t), 0);
        ck_assert_int_eq(metrics_write_end(form, &t), 0);
        ck_assert_uint_lt(t.size, sizeof(text_of));
        if (t.size > 0)
                memcpy(text_of, t.text, t.size);
        text_of[t.size] = 0;
        metrics_text_done(&t);
        return text_of;
}

static Metrics *fresh(void) {
        Metrics *m;

        ck_assert_int_eq(metrics_new(&m), 0);
        return m;
}

static void number(Metrics *m, const char *key, const char *name, size_t i, uint64_t value) {
        ck_assert_int_eq(metrics_put_number(m, key, name, i, value), 0);
}

START_TEST(test_empty) {
        Metrics *m = fresh();

        ck_assert_str_eq(text(m, METRICS_SCRAPE | METRICS_OBSERVER, METRICS_TEXT_0_0_4), "");
        ck_assert_str_eq(text(m, METRICS_SCRAPE | METRICS_OBSERVER, METRICS_OPENMETRICS), "# EOF\n");
        metrics_free(m);
}
END_TEST

START_TEST(test_forms) {
        Metrics *m = fresh();

        ck_assert_int_eq(metrics_put_text(m, "Version", 0, "0.1.0"), 0);
        number(m, "ThresholdUSec", NULL, 0, 2500000);
        number(m, "Beats", NULL, 0, UINT64_MAX);
        ck_assert_str_eq(text(m, METRICS_OBSERVER, METRICS_TEXT_0_0_4),
                         "# HELP varta_build_info The observer's version.\n"
                         "# TYPE varta_build_info gauge\n"
                         "varta_build_info{version=\"0.1.0\"} 1\n"
                         "# HELP varta_stall_threshold_seconds The silence that makes a stall, where "
                         "nothing else is "
                         "configured for a unit.\n"
                         "# TYPE varta_stall_threshold_seconds gauge\n"
                         "varta_stall_threshold_seconds 2.5\n"
                         "# HELP varta_beats_total Beats accepted.\n"
                         "# TYPE varta_beats_total counter\n"
                         "varta_beats_total 18446744073709551615\n");
        ck_assert_str_eq(text(m, METRICS_OBSERVER, METRICS_OPENMETRICS),
                         "# HELP varta_build The observer's version.\n"
                         "# TYPE varta_build info\n"
                         "varta_build_info{version=\"0.1.0\"} 1\n"
                         "# HELP varta_stall_threshold_seconds The silence that makes a stall, where "
                         "nothing else is "
                         "configured for a unit.\n"
                         "# TYPE varta_stall_threshold_seconds gauge\n"
                         "# UNIT varta_stall_threshold_seconds seconds\n"
                         "varta_stall_threshold_seconds 2.5\n"
                         "# HELP varta_beats Beats accepted.\n"
                         "# TYPE varta_beats counter\n"
                         "varta_beats_total 18446744073709551615\n"
                         "# EOF\n");
        metrics_free(m);
}
END_TEST

START_TEST(test_numbers) {
        static const struct {
                uint64_t usec;
                const char *seconds;
        } cases[] = {
                { 0, "0" },         { 1, "0.000001" },         { 10, "0.00001" },
                { 100000, "0.1" },  { 999999, "0.999999" },    { 1000000, "1" },
                { 1500000, "1.5" }, { 90000001, "90.000001" }, { UINT64_MAX, "18446744073709.551615" },
        };
        const Metric seconds = { .unit = "seconds" };
        char buf[METRICS_NUMBER_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_str_eq(metrics_format_number(&seconds, cases[i].usec, buf), cases[i].seconds);
}
END_TEST

START_TEST(test_closed_sets) {
        Metrics *m = fresh();
        const char *t;

        number(m, "DecodeErrors", "BadCrc", 0, 3);
        number(m, "DecodeErrors", "BadMagic", 0, 4);
        number(m, "DecodeErrors", "FromTheFuture", 0, 5);
        ck_assert_int_eq(metrics_put_text(m, "State", 0, "overloaded"), 0);
        t = text(m, METRICS_OBSERVER, METRICS_TEXT_0_0_4);

        /* The whole set is there, at zero; the sum counts what no name is known for. */
        ck_assert_ptr_nonnull(strstr(t, "varta_decode_errors_total{reason=\"BadCrc\"} 3\n"));
        ck_assert_ptr_nonnull(strstr(t, "varta_decode_errors_total{reason=\"BadNonce\"} 0\n"));
        ck_assert_ptr_null(strstr(t, "FromTheFuture"));
        ck_assert_ptr_nonnull(strstr(t, "varta_datagrams_refused_total{reason=\"decode-error\"} 12\n"));
        ck_assert_ptr_nonnull(strstr(t, "varta_state{state=\"running\"} 0\n"));
        ck_assert_ptr_nonnull(strstr(t, "varta_state{state=\"overloaded\"} 1\n"));

        ck_assert_int_eq(metrics_put_text(m, "State", 0, "enlightened"), 0);
        t = text(m, METRICS_OBSERVER, METRICS_TEXT_0_0_4);
        ck_assert_ptr_nonnull(strstr(t, "varta_state{state=\"overloaded\"} 0\n"));
        ck_assert_ptr_null(strstr(t, "enlightened"));
        metrics_free(m);
}
END_TEST

START_TEST(test_families) {
        Metrics *m = fresh();
        const char *t, *first;

        number(m, "MisSized", NULL, 0, 1);
        number(m, "IoErrors", NULL, 0, 2);
        number(m, "OutOfOrder", NULL, 0, 3);
        t = text(m, METRICS_OBSERVER, METRICS_TEXT_0_0_4);
        first = strstr(t, "# TYPE varta_datagrams_refused_total counter\n");
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_null(strstr(first + 1, "# TYPE"));
        ck_assert_ptr_nonnull(strstr(t, "{reason=\"io-error\"} 2\n"));
        metrics_free(m);
}
END_TEST

START_TEST(test_units) {
        Metrics *m = fresh();
        const char *t;

        /* Columns come in any order, and may be shorter than the list of units. */
        number(m, "UnitBeats", NULL, 1, 7);
        ck_assert_int_eq(metrics_put_text(m, "UnitStates", 0, "gave-up"), 0);
        ck_assert_int_eq(metrics_put_text(m, METRICS_UNITS_KEY, 0, "a\\x2db@\"1\"\n.service"), 0);
        ck_assert_int_eq(metrics_put_text(m, METRICS_UNITS_KEY, 1, "b.service"), 0);
        t = text(m, METRICS_OBSERVER, METRICS_OPENMETRICS);
        ck_assert_ptr_nonnull(strstr(t, "varta_unit_beats_total{unit=\"a\\\\x2db@\\\"1\\\"\\n.service\"} 0\n"
                                        "varta_unit_beats_total{unit=\"b.service\"} 7\n"));
        ck_assert_ptr_nonnull(strstr(t, ".service\",state=\"gave-up\"} 1\n"));
        ck_assert_ptr_nonnull(strstr(t, "varta_unit_state{unit=\"b.service\",state=\"ok\"} 0\n"));
        ck_assert_ptr_null(strstr(t, "varta_unit_agents{"));
        metrics_free(m);
}
END_TEST

START_TEST(test_bounds) {
        Metrics *m = fresh();
        char long_text[METRICS_TEXT_MAX + 2];

        memset(long_text, 'x', sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = 0;
        ck_assert_int_eq(metrics_put_text(m, METRICS_UNITS_KEY, 0, long_text), -EINVAL);
        long_text[METRICS_TEXT_MAX] = 0;
        ck_assert_int_eq(metrics_put_text(m, METRICS_UNITS_KEY, 0, long_text), 0);
        ck_assert_int_eq(metrics_put_text(m, METRICS_UNITS_KEY, 1, "\xff.service"), -EINVAL);
        ck_assert_int_eq(metrics_put_text(m, METRICS_UNITS_KEY, METRICS_UNITS_MAX, "a.service"), -E2BIG);
        ck_assert_int_eq(metrics_put_number(m, "UnitBeats", NULL, METRICS_UNITS_MAX, 1), -E2BIG);
        ck_assert_int_eq(metrics_put_number(m, "UnitBeats", NULL, METRICS_UNITS_MAX - 1, 1), 0);
        ck_assert_int_eq(metrics_put_number(m, "NoSuchKey", "x", 0, 1), 0);
        ck_assert_int_eq(metrics_put_text(m, "NoSuchKey", 0, "x"), 0);
        metrics_free(m);
}
END_TEST

START_TEST(test_groups) {
        Metrics *m = fresh();

        number(m, "Up", NULL, 0, 1);
        number(m, "Scrapes", "stale", 0, 2);
        number(m, "Beats", NULL, 0, 3);
        ck_assert_ptr_null(
                        strstr(text(m, METRICS_SCRAPE | METRICS_OBSERVER, METRICS_TEXT_0_0_4), "exporter"));
        ck_assert_ptr_nonnull(strstr(text(m, METRICS_EXPORTER, METRICS_TEXT_0_0_4),
                                     "varta_exporter_scrapes_total{outcome=\"stale\"} 2\n"));
        ck_assert_ptr_null(strstr(text(m, METRICS_EXPORTER, METRICS_TEXT_0_0_4), "varta_up"));
        metrics_free(m);
}
END_TEST

START_TEST(test_large) {
        Metrics *m = fresh();
        char name[64];
        const char *t;
        size_t n = 0;

        for (size_t i = 0; i < METRICS_UNITS_MAX; i++) {
                (void) snprintf(name, sizeof(name), "worker@%zu.service", i);
                ck_assert_int_eq(metrics_put_text(m, METRICS_UNITS_KEY, i, name), 0);
                number(m, "UnitAgents", NULL, i, i);
                ck_assert_int_eq(metrics_put_text(m, "UnitStates", i, "ok"), 0);
        }
        t = text(m, METRICS_OBSERVER, METRICS_OPENMETRICS);
        for (const char *p = t; (p = strstr(p, "\nvarta_unit_")); p++)
                n++;
        ck_assert_uint_eq(n, METRICS_UNITS_MAX * 7);
        ck_assert_ptr_nonnull(strstr(t, "varta_unit_agents{unit=\"worker@1025.service\"} 1025\n"));
        metrics_free(m);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "a snapshot without values is an empty text", test_empty },
                { "the two forms, letter by letter", test_forms },
                { "µs become seconds without losing any", test_numbers },
                { "closed sets are whole, and names that nobody knows are not shown", test_closed_sets },
                { "a family has one head", test_families },
                { "units have columns, and their names are escaped", test_units },
                { "what is too long, too many or no text is refused", test_bounds },
                { "groups are written apart", test_groups },
                { "as many units as fit", test_large },
        };

        return tests_main("metrics-snapshot", tests, ELEMENTSOF(tests));
}
