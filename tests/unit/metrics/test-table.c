/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table keeps its own rules, and names what core, ingress and recovery name. */

#include <ctype.h>
#include <string.h>

#include "core/types.h"
#include "ingress/listener.h"
#include "metrics/metrics.h"
#include "recovery/names.h"
#include "support.h"

static const Metric *find(const char *key, MetricShape shape) {
        for (const Metric *m = metrics_table; m->name; m++)
                if (strcmp(m->key, key) == 0 && m->shape == shape)
                        return m;
        ck_abort_msg("%s is not in the table", key);
}

static bool ends_with(const char *s, const char *tail) {
        return strlen(s) > strlen(tail) && strcmp(s + strlen(s) - strlen(tail), tail) == 0;
}

START_TEST(test_names) {
        for (const Metric *m = metrics_table; m->name; m++) {
                ck_assert_msg(strncmp(m->name, "varta_", 6) == 0, "%s", m->name);
                for (const char *p = m->name; *p; p++)
                        ck_assert_msg(islower((unsigned char) *p) || *p == '_', "%s", m->name);
                ck_assert_msg(!ends_with(m->name, "_total") && !ends_with(m->name, "_info"), "%s", m->name);
                ck_assert_msg(ends_with(m->name, "_seconds") == (m->unit != NULL), "%s and its unit",
                              m->name);
                ck_assert_msg(isupper((unsigned char) m->help[0]) && ends_with(m->help, "."), "%s: %s",
                              m->name, m->help);
                ck_assert_msg(metric_type_to_string(m->type), "%s", m->name);
        }
}
END_TEST

START_TEST(test_families) {
        for (const Metric *m = metrics_table; m->name; m++)
                for (const Metric *other = m + 1; other->name; other++) {
                        if (strcmp(m->name, other->name) != 0)
                                continue;
                        ck_assert_msg(strcmp(other[-1].name, m->name) == 0, "%s is torn apart", m->name);
                        ck_assert_msg(m->value && other->value && strcmp(m->value, other->value) != 0,
                                      "%s has a series twice", m->name);
                        ck_assert_str_eq(m->help, other->help);
                        ck_assert_str_eq(m->label, other->label);
                        ck_assert(m->type == other->type && m->group == other->group);
                }
}
END_TEST

START_TEST(test_labels) {
        static const char *const allowed[] = { "state", "reason", "outcome", "kind", "version" };

        for (const Metric *m = metrics_table; m->name; m++) {
                bool known = !m->label, set = m->shape == METRIC_EACH || m->shape == METRIC_ONE_OF ||
                                              m->shape == METRIC_UNIT_ONE_OF;
                size_t n = 0;

                for (size_t i = 0; i < ELEMENTSOF(allowed); i++)
                        known = known || strcmp(m->label, allowed[i]) == 0;
                ck_assert_msg(known, "%s has the label %s", m->name, m->label);
                ck_assert_msg(!m->label || strcmp(m->label, "version") != 0 || m->type == METRIC_INFO, "%s",
                              m->name);
                ck_assert_msg(set == (m->values != NULL), "%s and its closed set", m->name);
                while (set && m->values[n])
                        n++;
                ck_assert_msg(n <= METRICS_VALUES_MAX, "%s has too many values", m->name);
        }
}
END_TEST

START_TEST(test_room) {
        Metrics *m;

        /* A number in every row: a table that outgrew the snapshot is found by whatever watches memory. */
        ck_assert_int_eq(metrics_new(&m), 0);
        for (const Metric *metric = metrics_table; metric->name; metric++) {
                ck_assert_int_eq(metrics_put_number(m, metric->key,
                                                    metric->values ? metric->values[0] : NULL, 0, 1),
                                 0);
                ck_assert_int_eq(metrics_put_text(m, metric->key, 0, "running"), 0);
        }
        metrics_free(m);
}
END_TEST

/* The set of a metric is names(0), names(1), ... until NULL, in whatever order. */
static void same_set(const char *key, MetricShape shape, const char *(*name)(int i), int from, int to) {
        const Metric *m = find(key, shape);
        int n = 0;

        while (m->values[n])
                n++;
        ck_assert_msg(n == to - from, "%s has %d values in the table and %d elsewhere", key, n, to - from);
        for (int i = from; i < to; i++) {
                bool found = false;

                for (int k = 0; k < n; k++)
                        found = found || strcmp(m->values[k], name(i)) == 0;
                ck_assert_msg(found, "%s of %s is not in the table", name(i), key);
        }
}

static const char *decode_error(int i) {
        return vlp_error_to_string((VlpError) i);
}
static const char *limit(int i) {
        return rate_limit_to_string((RateLimit) i);
}
static const char *outcome(int i) {
        return recovery_outcome_to_string((RecoveryOutcome) i);
}
static const char *refusal(int i) {
        return recovery_refusal_to_string((RecoveryRefusal) i);
}
static const char *transport(int i) {
        return transport_to_string((Transport) i);
}

START_TEST(test_sets) {
        same_set("DecodeErrors", METRIC_EACH, decode_error, VLP_ERROR_NONE + 1, _VLP_ERROR_MAX);
        same_set("RateLimited", METRIC_EACH, limit, 0, _RATE_LIMIT_MAX);
        same_set("RecoveryOutcomes", METRIC_EACH, outcome, 0, _RECOVERY_OUTCOME_MAX);
        same_set("RecoveryRefusals", METRIC_EACH, refusal, 0, _RECOVERY_REFUSAL_MAX);
        same_set("Datagrams", METRIC_EACH, transport, 0, _TRANSPORT_MAX);
}
END_TEST

START_TEST(test_verdicts) {
        /* What a datagram ends in is a beat, or a reason of this family. */
        for (Verdict v = VERDICT_GONE + 1; v < _VERDICT_MAX; v++) {
                bool found = false;

                for (const Metric *m = metrics_table; m->name; m++)
                        found = found || (strcmp(m->name, "varta_datagrams_refused") == 0 &&
                                          strcmp(m->value, verdict_to_string(v)) == 0);
                ck_assert_msg(found, "%s is no reason", verdict_to_string(v));
        }
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "names, units and helps follow the rules", test_names },
                { "the rows of a family stand together and differ", test_families },
                { "labels are of the few that there are, their sets closed", test_labels },
                { "a snapshot has room for every row", test_room },
                { "closed sets are those of the rest of the house", test_sets },
                { "every verdict on a datagram is a beat or a reason", test_verdicts },
        };

        return tests_main("metrics-table", tests, ELEMENTSOF(tests));
}
