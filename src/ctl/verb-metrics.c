/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * metrics: everything that the observer counts, as varta-exporter would show it.
 *
 * For hosts that collect texts instead of being scraped (node_exporter's textfile directory reads format 0.0.4), and for
 * looking at. Without an observer, but with its socket listening, the answer is that it is not up, which is
 * true, and no error.
 */

#include <inttypes.h>
#include <string.h>

#include "bus/bus-names.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "metrics/metrics.h"
#include "util/bus-dict.h"

static int on_number(void *userdata, const char *key, const char *name, size_t i, uint64_t value) {
        int r = metrics_put_number(userdata, key, name, i, value);

        /* More units than a snapshot holds: it shows those that fit. */
        return r == -E2BIG ? 0 : r;
}

static int on_text(void *userdata, const char *key, size_t i, const char *value) {
        int r = metrics_put_text(userdata, key, i, value);

        return r == -E2BIG || r == -EINVAL ? 0 : r;
}

/* Asks the observer. Sets *ret_error where that is what went wrong. */
static int fetch(sd_bus *bus, Metrics *metrics, sd_bus_error *ret_error) {
        static const BusDictHooks hooks = { .number = on_number, .text = on_text };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r;

        r = link_new_call(bus, NULL, "GetMetrics", &m);
        if (r < 0)
                return r;
        r = sd_bus_call(bus, m, 0, ret_error, &reply);
        if (r < 0)
                return r;
        r = bus_dict_walk(reply, &hooks, metrics);
        if (r < 0)
                return r;

        r = metrics_put_number(metrics, "SnapshotAgeUSec", NULL, 0, 0);
        return r < 0 ? r : metrics_put_number(metrics, "Up", NULL, 0, 1);
}

static json_object *number_to_json(const Metric *metric, uint64_t number) {
        char text[METRICS_NUMBER_MAX];

        if (!metric->unit)
                return json_object_new_uint64(number);
        return json_object_new_double_s((double) number / (double) USEC_PER_SEC,
                                        metrics_format_number(metric, number, text));
}

static int add_sample(const MetricSample *s, void *userdata) {
        json_object *labels = json_object_new_object(), *sample = json_object_new_object();
        char name[METRICS_TEXT_MAX];

        if (s->unit)
                json_object_object_add(labels, "unit", json_object_new_string(s->unit));
        if (s->value)
                json_object_object_add(labels, s->metric->label, json_object_new_string(s->value));

        (void) snprintf(name, sizeof(name), "%s%s", s->metric->name, metric_suffix(s->metric));
        json_object_object_add(sample, "name", json_object_new_string(name));
        json_object_object_add(sample, "type",
                               json_object_new_string(metric_type_to_string(s->metric->type)));
        json_object_object_add(sample, "labels", labels);
        json_object_object_add(sample, "value", number_to_json(s->metric, s->number));
        json_object_array_add(userdata, sample);
        return 0;
}

static int put_text(const Metrics *metrics) {
        _cleanup_(metrics_text_done) MetricsText text = {};
        int r;

        r = metrics_write(metrics, METRICS_SCRAPE | METRICS_OBSERVER, METRICS_TEXT_0_0_4, &text);
        if (r < 0)
                return r;

        (void) fwrite(text.text, 1, text.size, stdout);
        return 0;
}

static int put_json(const Options *options, const Metrics *metrics) {
        json_object *array = json_object_new_array();

        (void) metrics_each(metrics, METRICS_SCRAPE | METRICS_OBSERVER, add_sample, array);
        output_json(options->json, array);
        return 0;
}

CtlExit verb_metrics(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(metrics_freep) Metrics *metrics = NULL;
        CtlExit code;
        int r;

        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        r = metrics_new(&metrics);
        if (r >= 0) {
                r = fetch(bus, metrics, &error);
                if (r < 0 && link_is_idle(options, bus, &error))
                        r = metrics_put_number(metrics, "Up", NULL, 0, 0);
                if (r < 0)
                        return link_failed(options, bus, r, &error);

                output_page(options);
                r = options->json != JSON_OFF ? put_json(options, metrics) : put_text(metrics);
        }
        if (r < 0) {
                ctl_error("Out of memory.");
                return CTL_FAILURE;
        }
        return CTL_OK;
}
