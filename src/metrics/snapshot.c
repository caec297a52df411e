/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The values of the metrics at one moment.
 *
 * Small and flat: a row of numbers for every row of the table, one per value of its closed set, and a column for every metric
 * of units. So its size is bounded whatever is put in, and putting in allocates only for units. One key may feed several
 * rows: decode errors are counted one by one, and as one reason among others.
 */

#include <string.h>

#include "metrics/metrics.h"
#include "util/text.h"

/* Rows of the table, at most; a test walks it. */
#define ROWS_MAX 72U

struct Metrics {
        uint64_t numbers[ROWS_MAX][METRICS_VALUES_MAX]; /* by value of the closed set; others: [0] */
        uint64_t *columns[ROWS_MAX];                    /* METRICS_UNITS_MAX each; NULL: never put in */
        char *texts[ROWS_MAX];
        bool present[ROWS_MAX];
        char *units[METRICS_UNITS_MAX]; /* NULL: no unit at this place */
        size_t n_units;
};

/* What a text of a closed set is kept as: its place in the set from 1, so that 0 is "none that we know". */
static size_t value_find(const Metric *metric, const char *value) {
        for (size_t i = 0; metric->values[i]; i++)
                if (strcmp(metric->values[i], value) == 0)
                        return i + 1;
        return 0;
}

int metrics_new(Metrics **ret) {
        Metrics *m;

        assert(ret);

        m = calloc(1, sizeof(Metrics));
        if (!m)
                return -ENOMEM;

        *ret = m;
        return 0;
}

Metrics *metrics_free(Metrics *m) {
        if (!m)
                return NULL;

        for (size_t i = 0; i < ROWS_MAX; i++) {
                free(m->columns[i]);
                free(m->texts[i]);
        }
        for (size_t i = 0; i < m->n_units; i++)
                free(m->units[i]);
        free(m);
        return NULL;
}

static int put_in_column(Metrics *m, size_t row, size_t i, uint64_t value) {
        if (i >= METRICS_UNITS_MAX)
                return -E2BIG;

        if (!m->columns[row]) {
                m->columns[row] = calloc(METRICS_UNITS_MAX, sizeof(uint64_t));
                if (!m->columns[row])
                        return -ENOMEM;
        }

        m->columns[row][i] = value;
        m->present[row] = true;
        return 0;
}

static void put_named(Metrics *m, size_t row, const Metric *metric, const char *name, uint64_t value) {
        size_t place = name && metric->values ? value_find(metric, name) : 0;

        if (place == 0)
                return;
        m->numbers[row][place - 1] = value;
        m->present[row] = true;
}

int metrics_put_number(Metrics *m, const char *key, const char *name, size_t i, uint64_t value) {
        int r;

        assert(m);
        assert(key);

        for (size_t row = 0; metrics_table[row].name; row++) {
                const Metric *metric = &metrics_table[row];

                if (strcmp(metric->key, key) != 0)
                        continue;

                switch (metric->shape) {
                case METRIC_NUMBER:
                        m->numbers[row][0] = value;
                        m->present[row] = true;
                        break;
                case METRIC_SUM:
                        m->numbers[row][0] += value;
                        m->present[row] = true;
                        break;
                case METRIC_EACH:
                        put_named(m, row, metric, name, value);
                        break;
                case METRIC_UNIT:
                        r = put_in_column(m, row, i, value);
                        if (r < 0)
                                return r;
                        break;
                default: /* these are texts */
                        break;
                }
        }

        return 0;
}

static int put_unit(Metrics *m, size_t i, const char *name) {
        char *copy;

        if (i >= METRICS_UNITS_MAX)
                return -E2BIG;

        copy = strdup(name);
        if (!copy)
                return -ENOMEM;

        free(m->units[i]);
        m->units[i] = copy;
        m->n_units = MAX(m->n_units, i + 1);
        return 0;
}

static int put_label(Metrics *m, size_t row, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;

        free(m->texts[row]);
        m->texts[row] = copy;
        m->numbers[row][0] = 1;
        m->present[row] = true;
        return 0;
}

int metrics_put_text(Metrics *m, const char *key, size_t i, const char *value) {
        size_t size;

        assert(m);
        assert(key);
        assert(value);

        size = strnlen(value, METRICS_TEXT_MAX + 1);
        if (size > METRICS_TEXT_MAX || !text_is_utf8(value, size))
                return -EINVAL;
        if (strcmp(key, METRICS_UNITS_KEY) == 0)
                return put_unit(m, i, value);

        for (size_t row = 0; metrics_table[row].name; row++) {
                const Metric *metric = &metrics_table[row];

                if (strcmp(metric->key, key) != 0)
                        continue;
                if (metric->shape == METRIC_TEXT)
                        return put_label(m, row, value);
                if (metric->shape == METRIC_UNIT_ONE_OF)
                        return put_in_column(m, row, i, value_find(metric, value));
                if (metric->shape == METRIC_ONE_OF) {
                        m->numbers[row][0] = value_find(metric, value);
                        m->present[row] = true;
                }
        }

        return 0;
}

/* ---- Reading ---------------------------------------------------------------------------------------------- */

typedef struct Walk {
        int (*sample)(const MetricSample *sample, void *userdata);
        void *userdata;
        const char *family; /* of the last sample */
} Walk;

static int walk_sample(Walk *w, const Metric *metric, const char *unit, const char *value, uint64_t number) {
        const MetricSample sample = {
                .metric = metric,
                .unit = unit,
                .value = value,
                .number = number,
                .first = !w->family || strcmp(w->family, metric->name) != 0,
        };

        w->family = metric->name;
        return w->sample(&sample, w->userdata);
}

/* One sample for each value of a closed set: numbers by value, or 1 for the place (from 1) that is `chosen`. */
static int walk_values(Walk *w, const Metric *metric, const char *unit, const uint64_t *numbers,
                       uint64_t chosen) {
        int r;

        for (size_t i = 0; metric->values[i]; i++) {
                r = walk_sample(w, metric, unit, metric->values[i], numbers ? numbers[i] : chosen == i + 1);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int walk_units(Walk *w, const Metrics *m, const Metric *metric, const uint64_t *column) {
        int r;

        for (size_t i = 0; i < m->n_units; i++) {
                if (!m->units[i])
                        continue;
                r = metric->values ? walk_values(w, metric, m->units[i], NULL, column[i])
                                   : walk_sample(w, metric, m->units[i], NULL, column[i]);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int walk_row(Walk *w, const Metrics *m, size_t row) {
        const Metric *metric = &metrics_table[row];
        const uint64_t *numbers = m->numbers[row];

        switch (metric->shape) {
        case METRIC_NUMBER:
        case METRIC_SUM:
                return walk_sample(w, metric, NULL, metric->value, numbers[0]);
        case METRIC_TEXT:
                return walk_sample(w, metric, NULL, m->texts[row], numbers[0]);
        case METRIC_EACH:
                return walk_values(w, metric, NULL, numbers, 0);
        case METRIC_ONE_OF:
                return walk_values(w, metric, NULL, NULL, numbers[0]);
        default:
                return walk_units(w, m, metric, m->columns[row]);
        }
}

int metrics_each(const Metrics *m, unsigned groups,
                 int (*sample)(const MetricSample *sample, void *userdata), void *userdata) {
        Walk w = { .sample = sample, .userdata = userdata };
        int r;

        assert(m);
        assert(sample);

        for (size_t row = 0; metrics_table[row].name; row++) {
                if (!m->present[row] || !(metrics_table[row].group & groups))
                        continue;
                r = walk_row(&w, m, row);
                if (r != 0)
                        return r;
        }
        return 0;
}
