/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * OpenMetrics 1.0 and the text format 0.0.4 that came before it.
 *
 * They differ little: the older one names a family as its samples are named ("_total" included), knows no units and no infos,
 * has no end, and leaves quotes in help texts alone. Numbers are written as digits, without floating point: a counter keeps
 * all of its 64 bits, and 0.1 s is 0.1.
 */

#include <string.h>

#include "metrics/metrics.h"

/* The first piece of memory of a text: enough for everything but units. */
#define FIRST_SIZE 16384U

/* Digits behind the point of seconds that come in µs. */
#define USEC_DIGITS    6
#define USEC_PER_WHOLE UINT64_C(1000000)

typedef struct Writer {
        MetricsText *text;
        MetricsForm form;
} Writer;

static int append(MetricsText *t, const char *s, size_t n) {
        if (n > t->allocated - t->size) {
                size_t doubled = MAX(t->allocated * 2, (size_t) FIRST_SIZE),
                       wanted = MAX(doubled, t->size + n);
                char *grown = realloc(t->text, wanted);

                if (!grown)
                        return -ENOMEM;
                t->text = grown;
                t->allocated = wanted;
        }

        memcpy(t->text + t->size, s, n);
        t->size += n;
        return 0;
}

/* Several pieces, NULL at the end. */
static int append_all(MetricsText *t, const char *const *pieces) {
        int r;

        for (; *pieces; pieces++) {
                r = append(t, *pieces, strlen(*pieces));
                if (r < 0)
                        return r;
        }
        return 0;
}
#define APPEND(t, ...) append_all(t, (const char *const[]){ __VA_ARGS__, NULL })

/* A backslash before what would end the text: backslashes, line ends, and quotes where they do. */
static int append_escaped(MetricsText *t, const char *s, bool quotes) {
        const char *special = quotes ? "\\\n\"" : "\\\n";
        size_t n;
        int r;

        for (;;) {
                n = strcspn(s, special);
                r = append(t, s, n);
                if (r < 0 || s[n] == 0)
                        return r;
                r = append(t, s[n] == '\n' ? "\\n" : s[n] == '"' ? "\\\"" : "\\\\", 2);
                if (r < 0)
                        return r;
                s += n + 1;
        }
}

static int append_head(const Writer *w, const Metric *metric) {
        bool modern = w->form == METRICS_OPENMETRICS;
        const char *tail = modern ? "" : metric_suffix(metric);
        const char *type = metric_type_to_string(!modern && metric->type == METRIC_INFO ? METRIC_GAUGE
                                                                                        : metric->type);
        int r;

        r = APPEND(w->text, "# HELP ", metric->name, tail, " ");
        if (r < 0)
                return r;
        r = append_escaped(w->text, metric->help, modern);
        if (r < 0)
                return r;
        r = APPEND(w->text, "\n# TYPE ", metric->name, tail, " ", type, "\n");
        if (r < 0 || !modern || !metric->unit)
                return r;
        return APPEND(w->text, "# UNIT ", metric->name, " ", metric->unit, "\n");
}

static int append_label(MetricsText *t, const char *before, const char *name, const char *value) {
        int r;

        r = APPEND(t, before, name, "=\"");
        if (r < 0)
                return r;
        r = append_escaped(t, value, true);
        if (r < 0)
                return r;
        return append(t, "\"", 1);
}

const char *metrics_format_number(const Metric *metric, uint64_t number,
                                  char buf[static METRICS_NUMBER_MAX]) {
        char *p = buf + METRICS_NUMBER_MAX - 1;
        uint64_t whole = metric->unit ? number / USEC_PER_WHOLE : number;
        uint64_t rest = metric->unit ? number % USEC_PER_WHOLE : 0;

        *p = 0;
        if (rest > 0) {
                int digits = USEC_DIGITS;

                for (; rest % 10 == 0; digits--)
                        rest /= 10;
                for (; digits > 0; digits--, rest /= 10)
                        *--p = (char) ('0' + rest % 10);
                *--p = '.';
        }
        do
                *--p = (char) ('0' + whole % 10);
        while ((whole /= 10) > 0);

        return memmove(buf, p, (size_t) (buf + METRICS_NUMBER_MAX - p));
}

static int write_sample(const MetricSample *s, void *userdata) {
        const Writer *w = userdata;
        char number[METRICS_NUMBER_MAX];
        int r;

        if (s->first) {
                r = append_head(w, s->metric);
                if (r < 0)
                        return r;
        }

        r = APPEND(w->text, s->metric->name, metric_suffix(s->metric));
        if (r >= 0 && s->unit)
                r = append_label(w->text, "{", "unit", s->unit);
        if (r >= 0 && s->value)
                r = append_label(w->text, s->unit ? "," : "{", s->metric->label, s->value);
        if (r < 0)
                return r;
        return APPEND(w->text, s->unit || s->value ? "} " : " ",
                      metrics_format_number(s->metric, s->number, number), "\n");
}

int metrics_write(const Metrics *m, unsigned groups, MetricsForm form, MetricsText *text) {
        Writer w = { .text = text, .form = form };

        assert(m);
        assert(text);

        return metrics_each(m, groups, write_sample, &w);
}

int metrics_write_end(MetricsForm form, MetricsText *text) {
        assert(text);

        return form == METRICS_OPENMETRICS ? APPEND(text, "# EOF\n") : 0;
}

void metrics_text_done(MetricsText *t) {
        assert(t);

        free(t->text);
        *t = (MetricsText){};
}

const char *metrics_content_type(MetricsForm form) {
        static const char *const types[_METRICS_FORM_MAX] = {
                [METRICS_TEXT_0_0_4] = "text/plain; version=0.0.4; charset=utf-8",
                [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        };

        return (int) form >= 0 && form < _METRICS_FORM_MAX ? types[form] : NULL;
}
