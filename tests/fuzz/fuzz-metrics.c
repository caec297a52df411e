/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Snapshots of anything: lines of "key TAB name TAB place TAB value" are put in, a value of digits as a number, any other as a
 * text. What comes out must be lines that Prometheus can read, whatever the names of units are, and no family
 * twice.
 */

#include <string.h>

#include "fuzz.h"
#include "metrics/metrics.h"

#define FIELDS 4

static void put_line(Metrics *m, char *line) {
        const char *fields[FIELDS] = { "", "", "", "" };
        char *end;
        uint64_t value;
        size_t place;

        for (size_t i = 0; i < FIELDS && line; i++)
                fields[i] = strsep(&line, "\t");
        place = strtoul(fields[2], NULL, 10);
        value = strtoull(fields[3], &end, 10);
        if (fields[3][0] && !*end)
                (void) metrics_put_number(m, fields[0], fields[1][0] ? fields[1] : NULL, place, value);
        else
                (void) metrics_put_text(m, fields[0], place, fields[3]);
}

/* name{label="value",...} number */
static void check_sample(const char *line, size_t size) {
        const char *p = line, *end = line + size;

        CHECK(strncmp(p, "varta_", 6) == 0);
        while (p < end && (*p == '_' || (*p >= 'a' && *p <= 'z')))
                p++;
        if (*p == '{') {
                bool quoted = false;

                for (p++; p < end && (quoted || *p != '}'); p++) {
                        if (*p == '\\') {
                                CHECK(quoted);
                                p++;
                                CHECK(*p == '\\' || *p == 'n' || *p == '"');
                        } else if (*p == '"')
                                quoted = !quoted;
                }
                CHECK(p < end && *p == '}');
                p++;
        }
        CHECK(p < end && *p++ == ' ' && p < end);
        for (; p < end; p++)
                CHECK((*p >= '0' && *p <= '9') || *p == '.');
}

static void check_text(const Metrics *m, MetricsForm form) {
        MetricsText t = {};
        const char *p, *end, *last = NULL;

        CHECK(metrics_write(m, METRICS_SCRAPE | METRICS_OBSERVER | METRICS_EXPORTER, form, &t) == 0);
        CHECK(metrics_write_end(form, &t) == 0);
        end = t.size > 0 ? t.text + t.size : NULL; /* without a sample the older form is no text at all */
        for (p = t.text; p < end;) {
                const char *next = memchr(p, '\n', (size_t) (end - p));

                CHECK(next);
                if (*p != '#')
                        check_sample(p, (size_t) (next - p));
                last = p;
                p = next + 1;
        }
        CHECK(form != METRICS_OPENMETRICS || (last && strncmp(last, "# EOF\n", 6) == 0));
        metrics_text_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1), *rest = text;
        Metrics *m;

        CHECK(text && metrics_new(&m) == 0);
        if (size > 0) /* there may be no data at all to point at */
                memcpy(text, data, size);
        text[size] = 0;
        while (rest)
                put_line(m, strsep(&rest, "\n"));
        for (MetricsForm form = 0; form < _METRICS_FORM_MAX; form++)
                check_text(m, form);

        metrics_free(m);
        free(text);
        return 0;
}
