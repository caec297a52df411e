/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * list and units: everything there is, one line each.
 *
 * Without an observer, but with its socket listening, there is certainly no agent: an empty list is the answer and no
 * error.
 */

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "bus/bus-names.h"
#include "ctl/format.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/view.h"

static Colour status_colour(const char *status) {
        if (strcmp(status, "degraded") == 0)
                return COLOUR_YELLOW;
        if (strcmp(status, "critical") == 0)
                return COLOUR_RED;
        return COLOUR_NONE;
}

/* "12 agents listed.", and what an empty list means. */
static void put_count(const Options *options, size_t n, const char *what, bool idle) {
        if (options->no_legend)
                return;
        if (n > 0)
                (void) fputc('\n', stdout);
        (void) printf("%zu %s%s listed.%s\n", n, what, n == 1 ? "" : "s",
                      idle ? " The observer is idle, waiting for the first beat." : "");
}

static int put_agents(const Options *options, const AgentsView *v, bool has_clock, usec_t now) {
        static const TableColumn columns[] = {
                { "ID", TABLE_RIGHT },    { "PID", TABLE_RIGHT },     { "UNIT", TABLE_SHRINK },
                { "STATE", TABLE_LEFT },  { "STATUS", TABLE_LEFT },   { "LAST BEAT", TABLE_LEFT },
                { "BEATS", TABLE_RIGHT }, { "PAYLOAD", TABLE_RIGHT }, { "ORIGIN", TABLE_LEFT },
        };
        _cleanup_(table_freep) Table *table = NULL;
        char buf[FORMAT_TIME_MAX];
        int r;

        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < v->n_rows; i++) {
                const AgentRow *a = &v->rows[i];

                table_add_u64(table, a->id);
                table_add_u64(table, a->pid);
                table_add(table, COLOUR_NONE, a->unit[0] ? a->unit : "-");
                table_add(table, a->stalled ? COLOUR_RED : COLOUR_NONE, a->stalled ? "stalled" : "alive");
                table_add(table, status_colour(a->status), a->status);
                table_add(table, COLOUR_NONE,
                          has_clock ? format_relative(buf, sizeof(buf), a->last_beat, now) : "-");
                table_add_u64(table, a->beats);
                table_add_u64(table, a->payload);
                table_add(table, COLOUR_NONE, a->origin);
        }

        return table_print(table, !options->no_legend, output_columns());
}

static void put_agents_json(const Options *options, const AgentsView *v) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < v->n_rows; i++)
                json_object_array_add(array, agent_row_to_json(&v->rows[i]));
        output_json(options->json, array);
}

CtlExit verb_list(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(agents_view_done) AgentsView v = {};
        usec_t offset, now = 0;
        bool idle, has_clock;
        CtlExit code;
        int r;

        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        r = agents_view_fetch(bus, &v, &error);
        idle = r < 0 && link_is_idle(options, bus, &error);
        if (r < 0 && !idle)
                return link_failed(options, bus, r, &error);

        if (options->json != JSON_OFF) {
                put_agents_json(options, &v);
                return CTL_OK;
        }

        has_clock = link_clock(options, bus, &offset, &now) >= 0;
        output_page(options);
        if (v.n_rows > 0 && put_agents(options, &v, has_clock, now) < 0) {
                ctl_error("Out of memory.");
                return CTL_FAILURE;
        }
        put_count(options, v.n_rows, "agent", idle);
        return CTL_OK;
}

static Colour state_colour(const char *state) {
        if (strcmp(state, BUS_UNIT_STALLED) == 0 || strcmp(state, BUS_UNIT_GAVE_UP) == 0)
                return COLOUR_RED;
        if (strcmp(state, BUS_UNIT_OK) == 0)
                return COLOUR_GREEN;
        return COLOUR_YELLOW;
}

static int put_units(const Options *options, const UnitsView *v, bool has_clock, usec_t now) {
        static const TableColumn columns[] = {
                { "UNIT", TABLE_SHRINK },       { "MODE", TABLE_LEFT },     { "STATE", TABLE_LEFT },
                { "AGENTS", TABLE_RIGHT },      { "STALLED", TABLE_RIGHT }, { "RESTARTS", TABLE_RIGHT },
                { "LAST OUTCOME", TABLE_LEFT }, { "BACKOFF", TABLE_LEFT },
        };
        _cleanup_(table_freep) Table *table = NULL;
        char buf[FORMAT_TIME_MAX];
        int r;

        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < v->n_rows; i++) {
                const UnitRow *u = &v->rows[i];
                bool waits = has_clock && u->backoff_until > now;

                table_add(table, COLOUR_NONE, u->name);
                table_add(table, COLOUR_NONE, u->mode[0] ? u->mode : "-");
                table_add(table, state_colour(u->state), u->state);
                table_add_u64(table, u->agents);
                table_add_u64(table, u->stalled);
                table_add_u64(table, u->restarts);
                table_add(table, COLOUR_NONE, u->last_outcome[0] ? u->last_outcome : "-");
                table_add(table, COLOUR_NONE,
                          waits ? format_rough_span(buf, sizeof(buf), u->backoff_until - now) : "-");
        }

        return table_print(table, !options->no_legend, output_columns());
}

static void put_units_json(const Options *options, const UnitsView *v) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < v->n_rows; i++)
                json_object_array_add(array, unit_row_to_json(&v->rows[i]));
        output_json(options->json, array);
}

CtlExit verb_units(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(units_view_done) UnitsView v = {};
        usec_t offset, now = 0;
        bool idle, has_clock;
        CtlExit code;
        int r;

        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        r = units_view_fetch(bus, &v, &error);
        idle = r < 0 && link_is_idle(options, bus, &error);
        if (r < 0 && !idle)
                return link_failed(options, bus, r, &error);

        if (options->json != JSON_OFF) {
                put_units_json(options, &v);
                return CTL_OK;
        }

        has_clock = link_clock(options, bus, &offset, &now) >= 0;
        output_page(options);
        if (v.n_rows > 0 && put_units(options, &v, has_clock, now) < 0) {
                ctl_error("Out of memory.");
                return CTL_FAILURE;
        }
        put_count(options, v.n_rows, "unit", idle);
        return CTL_OK;
}
