/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What Varta measures: one table of metrics, a snapshot of their values, and its two text forms.
 *
 * The table is the only place where a metric is named. The observer's answer to GetMetrics() is put into a Metrics key by
 * key (as it comes from the bus; nothing here knows of a bus), and comes out as OpenMetrics 1.0, as the older text format
 * 0.0.4, or sample by sample. docs/metrics.md is made from the same table.
 *
 * Sets of label values are closed and written in the table: every series but those of units is there from the first scrape,
 * at zero, and nobody who talks to the observer can make one more. Units are limited in number.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"

/*
 * Units with series of their own: as many as the observer's table holds, and two rows that are no units (agents without a
 * unit, and the overflow). What comes beyond is left out.
 */
#define METRICS_UNITS_MAX 1026U

/* The longest unit name that is taken; systemd's are shorter. */
#define METRICS_TEXT_MAX 255U

/* Label values in a closed set, at most; a test walks the table. */
#define METRICS_VALUES_MAX 32U

/* The key of the snapshot that lists the units; the columns follow its order. */
#define METRICS_UNITS_KEY "Units"

typedef enum MetricType {
        METRIC_GAUGE,
        METRIC_COUNTER,
        METRIC_INFO, /* always 1; what it tells is in its label */
        _METRIC_TYPE_MAX,
        _METRIC_TYPE_INVALID = -EINVAL,
} MetricType;

/* How the values of a metric come, and what samples they make. */
typedef enum MetricShape {
        METRIC_NUMBER, /* a number: one sample */
        METRIC_TEXT,   /* a text: one sample, 1, the text in its label */
        METRIC_SUM,    /* named numbers: one sample, their sum */
        METRIC_EACH,   /* named numbers: a sample for each value of the label, by name */
        METRIC_ONE_OF, /* a text: a sample for each value of the label, 1 for the one that it names, else 0 */
        METRIC_UNIT,   /* a column of numbers: a sample for each unit */
        METRIC_UNIT_ONE_OF, /* a column of texts: for each unit as METRIC_ONE_OF */
        _METRIC_SHAPE_MAX,
        _METRIC_SHAPE_INVALID = -EINVAL,
} MetricShape;

/* Who knows a metric's value; bits, so that several can be written at once. */
enum {
        METRICS_SCRAPE = 1 << 0,   /* whoever asked the observer: whether it answered, and when */
        METRICS_OBSERVER = 1 << 1, /* the observer */
        METRICS_EXPORTER = 1 << 2, /* varta-exporter, of itself */
};

typedef struct Metric {
        const char *name; /* of the family: with its unit, without the "_total" of counters and the "_info" of infos */
        const char *help;  /* a sentence */
        const char *unit;  /* "seconds": the number comes in µs. NULL: a number of things */
        const char *label; /* beside "unit"; NULL: none */
        const char *value; /* the label's, where a family is made of several keys: rows that follow each other */
        const char *const *values; /* the closed set, ended by NULL, where the shape has one */
        const char *key;           /* in the snapshot; METRICS_OBSERVER: in the answer to GetMetrics() */
        MetricType type;
        MetricShape shape;
        unsigned group;
} Metric;

/* The table, ended by a row without a name. Rows of one family follow each other. */
extern const Metric metrics_table[];

/* "gauge", "counter", "info"; NULL for what is not a member. */
const char *metric_type_to_string(MetricType t) _const_;
/* What the names of its samples have behind that of the family: "_total", "_info", "". */
const char *metric_suffix(const Metric *metric) _pure_;
bool metric_is_of_units(const Metric *metric) _pure_;

/* ---- A snapshot ------------------------------------------------------------------------------------------- */

typedef struct Metrics Metrics;

/* One without any value. Returns 0 or -ENOMEM. The caller owns *ret. */
int metrics_new(Metrics **ret);
Metrics *metrics_free(Metrics *m);
DEFINE_CLEANUP_FUNC(Metrics, metrics_free)

/*
 * Puts a number in: that of a key, of a name within it (NULL: the key has none), or of the unit at place `i` (0 elsewhere).
 * Keys and names that the table does not have are passed over: the observer may be newer than we are. A number that
 * comes twice replaces the first, except in a sum. Returns 0, -E2BIG (i is beyond METRICS_UNITS_MAX; nothing was put in), -ENOMEM.
 */
int metrics_put_number(Metrics *m, const char *key, const char *name, size_t i, uint64_t value);

/* The same with a text; the units' names come like this, too. Returns also -EINVAL when the text is not UTF-8 or longer
 * than METRICS_TEXT_MAX bytes. */
int metrics_put_text(Metrics *m, const char *key, size_t i, const char *value);

/* One sample, borrowed for the call. */
typedef struct MetricSample {
        const Metric *metric;
        const char *unit;  /* value of the label "unit"; NULL: it has none */
        const char *value; /* value of metric->label; NULL: likewise */
        uint64_t number;   /* µs where metric->unit says seconds */
        bool first;        /* of its family */
} MetricSample;

/* Calls back for every sample of these groups that has a value, in the table's order, until a call returns other than 0.
 * Returns what the last call did, or 0. */
int metrics_each(const Metrics *m, unsigned groups,
                 int (*sample)(const MetricSample *sample, void *userdata), void *userdata);

/* ---- Text ------------------------------------------------------------------------------------------------- */

typedef enum MetricsForm {
        METRICS_TEXT_0_0_4,
        METRICS_OPENMETRICS,
        _METRICS_FORM_MAX,
        _METRICS_FORM_INVALID = -EINVAL,
} MetricsForm;

/* What HTTP calls a form; NULL for what is not a member. */
const char *metrics_content_type(MetricsForm form) _const_;

/* A text that grows; zeroed it is empty. Not terminated. */
typedef struct MetricsText {
        char *text;
        size_t size, allocated;
} MetricsText;

void metrics_text_done(MetricsText *t);

/* Appends these groups. Texts of different groups may follow each other; metrics_write_end() comes last, once. Both return 0
 * or -ENOMEM, and then nobody knows how much was appended. */
int metrics_write(const Metrics *m, unsigned groups, MetricsForm form, MetricsText *text);
int metrics_write_end(MetricsForm form, MetricsText *text);

/* A number as its sample shows it: "1.5" for 1500000 µs. Returns buf. */
#define METRICS_NUMBER_MAX 24
const char *metrics_format_number(const Metric *metric, uint64_t number,
                                  char buf[static METRICS_NUMBER_MAX]);
