/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Prints docs/metrics.md from the table of metrics. */

#include <stdio.h>
#include <string.h>

#include "metrics/metrics.h"

static const struct {
        unsigned group;
        const char *title, *text;
} sections[] = {
        { METRICS_SCRAPE, "The question itself",
          "Whether what follows is from now. `varta-ctl metrics` says so, too." },
        { METRICS_OBSERVER, "The observer",
          "While the observer is away these are what it said last, and `varta_snapshot_age_seconds` says "
          "when; before its\n"
          "first answer there are none. Counters begin anew when it is restarted." },
        { METRICS_EXPORTER, "The exporter", "What varta-exporter says of itself." },
};

static void print_labels(const Metric *row) {
        size_t family = 0;

        if (metric_is_of_units(row))
                printf("`unit`");
        if (!row->label)
                return;

        printf("%s`%s`:", metric_is_of_units(row) ? ", " : "", row->label);
        for (const Metric *m = row; m->name && m->value && strcmp(m->name, row->name) == 0; m++)
                printf("%s `%s`", family++ > 0 ? "," : "", m->value);
        for (size_t i = 0; row->values && row->values[i]; i++)
                printf("%s `%s`", family++ > 0 ? "," : "", row->values[i]);
        if (family == 0)
                printf(" any text");
}

static void print_section(unsigned group) {
        printf("| Name | Type | Labels | What it is |\n|---|---|---|---|\n");
        for (const Metric *m = metrics_table; m->name; m++) {
                if (m->group != group || (m > metrics_table && strcmp(m->name, m[-1].name) == 0))
                        continue;
                printf("| `%s%s` | %s | ", m->name,
                       m->type == METRIC_COUNTER ? "_total"
                       : m->type == METRIC_INFO  ? "_info"
                                                 : "",
                       metric_type_to_string(m->type));
                print_labels(m);
                printf(" | %s |\n", m->help);
        }
        printf("\n");
}

int main(void) {
        printf("# Metrics\n\n"
               "What varta-exporter(8) serves on 127.0.0.1:9674 and `varta-ctl metrics` prints. This file "
               "is made from the\n"
               "table in src/metrics/table.c; a test compares the two.\n\n"
               "Names and labels are added to, and never changed. Durations are seconds. Every series but "
               "those of units is\n"
               "there from the first answer on, at zero, so that a rise from nothing is a rise. No label "
               "ever holds a pid.\n"
               "Series of a unit appear with its first agent and disappear with its last one, or with what "
               "recovery still has to do\n"
               "for it. At most %u units have series of their own; `unit=\"(overflow)\"` adds up the "
               "others, and `unit=\"(none)\"`\n"
               "stands for agents that belong to no unit.\n\n",
               METRICS_UNITS_MAX - 2);
        for (size_t i = 0; i < ELEMENTSOF(sections); i++) {
                printf("## %s\n\n%s\n\n", sections[i].title, sections[i].text);
                print_section(sections[i].group);
        }
        printf("## Reading them\n\n"
               "- `varta_beats_total` and all of `varta_datagrams_refused_total` add up to the datagrams "
               "that were taken off the sockets.\n"
               "- `varta_agents_stalled` is what stands now; `varta_stalls_total` is how often it "
               "happened.\n"
               "- A stalled agent that nobody recovers says why in `varta_recovery_refusals_total`.\n"
               "- docs/observability has a scrape configuration, recording and alert rules, runbooks and a "
               "dashboard.\n");
        return 0;
}
