/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * list and units: everything there is, or what was asked for, one line each.
 *
 * The two differ in what a row is and in nothing else: a Listing says what it is, and run_listing() does the rest.
 * Choosing is done here and not by the observer, which would have to understand it; its whole answer is small.
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
#include "ctl/pattern.h"
#include "ctl/status.h"
#include "ctl/table.h"
#include "ctl/view.h"
#include "util/text.h"

/* More columns than any listing has. */
#define COLUMNS_MAX 12U

typedef struct Clock {
        bool known;
        usec_t now; /* of the observer's CLOCK_MONOTONIC */
} Clock;

/* One column: how it is headed, and what --sort= calls it; without a comparison it cannot be sorted by. */
typedef struct ListingColumn {
        TableColumn column;
        const char *key;
        int (*compare)(const void *a, const void *b);
} ListingColumn;

typedef struct Listing {
        const char *noun;
        const char *const *states; /* what --state= may say */
        const ListingColumn *columns;
        size_t n_columns, row_size;
        int (*fetch)(sd_bus *bus, void *view, sd_bus_error *error);
        void *(*rows)(void *view, size_t **ret_n); /* the view's rows, and where it keeps their number */
        bool (*matches)(const Options *options, char **args, size_t n_args, const void *row);
        void (*add)(Table *t, const void *row, const Clock *clock);
        json_object *(*to_json)(const void *row);
} Listing;

/* What is equal stays in the order of the view. */
#define DEFINE_COMPARE_NUMBER(name, type, field, otherwise)                                                 \
        static int compare_##name(const void *a, const void *b) {                                           \
                const type *x = a, *y = b;                                                                  \
                                                                                                            \
                if (x->field != y->field)                                                                   \
                        return x->field < y->field ? -1 : 1;                                                \
                return otherwise(a, b);                                                                     \
        }
#define DEFINE_COMPARE_TEXT(name, type, field, otherwise)                                                   \
        static int compare_##name(const void *a, const void *b) {                                           \
                const type *x = a, *y = b;                                                                  \
                int r = strcmp(x->field, y->field);                                                         \
                                                                                                            \
                return r != 0 ? r : otherwise(a, b);                                                        \
        }

/* ---- Agents -------------------------------------------------------------------------------------------------- */

#define AGENT_ALIVE   "alive"
#define AGENT_STALLED "stalled"

DEFINE_COMPARE_NUMBER(agent_id, AgentRow, id, agent_row_compare)
DEFINE_COMPARE_NUMBER(agent_pid, AgentRow, pid, agent_row_compare)
DEFINE_COMPARE_NUMBER(agent_state, AgentRow, stalled, agent_row_compare)
DEFINE_COMPARE_TEXT(agent_status, AgentRow, status, agent_row_compare)
DEFINE_COMPARE_NUMBER(agent_last_beat, AgentRow, last_beat, agent_row_compare)
DEFINE_COMPARE_NUMBER(agent_beats, AgentRow, beats, agent_row_compare)
DEFINE_COMPARE_NUMBER(agent_payload, AgentRow, payload, agent_row_compare)
DEFINE_COMPARE_TEXT(agent_origin, AgentRow, origin, agent_row_compare)

static const ListingColumn agent_columns[] = {
        { { "ID", TABLE_RIGHT }, "id", compare_agent_id },
        { { "PID", TABLE_RIGHT }, "pid", compare_agent_pid },
        { { "UNIT", TABLE_SHRINK }, "unit", agent_row_compare },
        { { "STATE", TABLE_LEFT }, "state", compare_agent_state },
        { { "STATUS", TABLE_LEFT }, "status", compare_agent_status },
        { { "LAST BEAT", TABLE_LEFT }, "last-beat", compare_agent_last_beat },
        { { "BEATS", TABLE_RIGHT }, "beats", compare_agent_beats },
        { { "PAYLOAD", TABLE_RIGHT }, "payload", compare_agent_payload },
        { { "ORIGIN", TABLE_LEFT }, "origin", compare_agent_origin },
};

static const char *agent_state(const AgentRow *a) {
        return a->stalled ? AGENT_STALLED : AGENT_ALIVE;
}

static int fetch_agents(sd_bus *bus, void *view, sd_bus_error *error) {
        return agents_view_fetch(bus, view, error);
}

static void *agent_rows(void *view, size_t **ret_n) {
        AgentsView *v = view;

        *ret_n = &v->n_rows;
        return v->rows;
}

static bool agent_matches(const Options *options, char **args, size_t n_args, const void *row) {
        const AgentRow *a = row;

        return (a->stalled || !options->stalled) && pattern_in_list(options->state, agent_state(a)) &&
               pattern_in_list(options->status, a->status) && pattern_match(options, args, n_args, a->unit);
}

static void add_agent(Table *t, const void *row, const Clock *clock) {
        const AgentRow *a = row;
        char buf[FORMAT_TIME_MAX];

        table_add_u64(t, a->id);
        table_add_u64(t, a->pid);
        table_add(t, COLOUR_NONE, a->unit[0] ? a->unit : "-");
        table_add(t, a->stalled ? COLOUR_RED : COLOUR_NONE, agent_state(a));
        table_add(t, agent_status_colour(a->status), a->status);
        table_add(t, COLOUR_NONE,
                  clock->known ? format_relative(buf, sizeof(buf), a->last_beat, clock->now) : "-");
        table_add_u64(t, a->beats);
        table_add_u64(t, a->payload);
        table_add(t, COLOUR_NONE, a->origin);
}

static json_object *agent_to_json(const void *row) {
        return agent_row_to_json(row);
}

static const Listing agents_listing = {
        .noun = "agent",
        .states = (const char *const[]){ AGENT_ALIVE, AGENT_STALLED, NULL },
        .columns = agent_columns,
        .n_columns = ELEMENTSOF(agent_columns),
        .row_size = sizeof(AgentRow),
        .fetch = fetch_agents,
        .rows = agent_rows,
        .matches = agent_matches,
        .add = add_agent,
        .to_json = agent_to_json,
};

/* ---- Units --------------------------------------------------------------------------------------------------- */

DEFINE_COMPARE_TEXT(unit_mode, UnitRow, mode, unit_row_compare)
DEFINE_COMPARE_TEXT(unit_state, UnitRow, state, unit_row_compare)
DEFINE_COMPARE_NUMBER(unit_agents, UnitRow, agents, unit_row_compare)
DEFINE_COMPARE_NUMBER(unit_stalled, UnitRow, stalled, unit_row_compare)
DEFINE_COMPARE_NUMBER(unit_restarts, UnitRow, restarts, unit_row_compare)
DEFINE_COMPARE_TEXT(unit_outcome, UnitRow, last_outcome, unit_row_compare)
DEFINE_COMPARE_NUMBER(unit_backoff, UnitRow, backoff_until, unit_row_compare)

static const ListingColumn unit_columns[] = {
        { { "UNIT", TABLE_SHRINK }, "unit", unit_row_compare },
        { { "MODE", TABLE_LEFT }, "mode", compare_unit_mode },
        { { "STATE", TABLE_LEFT }, "state", compare_unit_state },
        { { "AGENTS", TABLE_RIGHT }, "agents", compare_unit_agents },
        { { "STALLED", TABLE_RIGHT }, "stalled", compare_unit_stalled },
        { { "RESTARTS", TABLE_RIGHT }, "restarts", compare_unit_restarts },
        { { "LAST OUTCOME", TABLE_LEFT }, "last-outcome", compare_unit_outcome },
        { { "BACKOFF", TABLE_LEFT }, "backoff", compare_unit_backoff },
};

static int fetch_units(sd_bus *bus, void *view, sd_bus_error *error) {
        return units_view_fetch(bus, view, error);
}

static void *unit_rows(void *view, size_t **ret_n) {
        UnitsView *v = view;

        *ret_n = &v->n_rows;
        return v->rows;
}

static bool unit_matches(const Options *options, char **args, size_t n_args, const void *row) {
        const UnitRow *u = row;

        return (u->stalled > 0 || !options->stalled) && pattern_in_list(options->state, u->state) &&
               pattern_match(options, args, n_args, u->name);
}

static void add_unit(Table *t, const void *row, const Clock *clock) {
        const UnitRow *u = row;
        bool waits = clock->known && u->backoff_until > clock->now;
        char buf[FORMAT_TIME_MAX];

        table_add(t, COLOUR_NONE, u->name);
        table_add(t, COLOUR_NONE, u->mode[0] ? u->mode : "-");
        table_add(t, unit_state_colour(u->state), u->state);
        table_add_u64(t, u->agents);
        table_add_u64(t, u->stalled);
        table_add_u64(t, u->restarts);
        table_add(t, COLOUR_NONE, u->last_outcome[0] ? u->last_outcome : "-");
        table_add(t, COLOUR_NONE,
                  waits ? format_rough_span(buf, sizeof(buf), u->backoff_until - clock->now) : "-");
}

static json_object *unit_to_json(const void *row) {
        return unit_row_to_json(row);
}

static const Listing units_listing = {
        .noun = "unit",
        .states = (const char *const[]){ BUS_UNIT_OK, BUS_UNIT_STALLED, BUS_UNIT_RECOVERING,
                                         BUS_UNIT_BACKOFF, BUS_UNIT_PAUSED, BUS_UNIT_GAVE_UP, NULL },
        .columns = unit_columns,
        .n_columns = ELEMENTSOF(unit_columns),
        .row_size = sizeof(UnitRow),
        .fetch = fetch_units,
        .rows = unit_rows,
        .matches = unit_matches,
        .add = add_unit,
        .to_json = unit_to_json,
};

/* ---- Both ---------------------------------------------------------------------------------------------------- */

static CtlExit check_choice(const Listing *l, const Options *options, char **args, size_t n_args,
                            size_t *ret_sort) {
        static const char *const statuses[] = { "ok", "degraded", "critical", NULL };
        const char *keys[COLUMNS_MAX + 1] = {};
        size_t sort = 0;
        CtlExit code;

        for (size_t c = 0; c < l->n_columns; c++) {
                keys[c] = l->columns[c].key;
                if (options->sort && strcmp(options->sort, keys[c]) == 0)
                        sort = c;
        }

        code = pattern_check(options, args, n_args);
        if (code == CTL_OK)
                code = pattern_check_list("state", options->state, l->states);
        if (code == CTL_OK)
                code = pattern_check_list("status", options->status, statuses);
        if (code == CTL_OK && options->sort && strchr(options->sort, ',')) {
                ctl_error("--sort=%s: one column is enough; what is equal stays in order.", options->sort);
                code = CTL_USAGE;
        }
        if (code == CTL_OK)
                code = pattern_check_list("sort", options->sort, keys);

        *ret_sort = sort;
        return code;
}

/* Keeps the rows that were asked for, in the order that was asked for. */
static void choose(const Listing *l, void *view, const Options *options, char **args, size_t n_args,
                   size_t sort) {
        size_t *n, kept = 0;
        char *rows = l->rows(view, &n);

        for (size_t i = 0; i < *n; i++)
                if (l->matches(options, args, n_args, rows + i * l->row_size)) {
                        memmove(rows + kept * l->row_size, rows + i * l->row_size, l->row_size);
                        kept++;
                }
        *n = kept;

        if (options->sort && kept > 0)
                qsort(rows, kept, l->row_size, l->columns[sort].compare);
}

/* The i-th row as it is shown. */
static const void *row_at(const Listing *l, void *view, const Options *options, size_t i) {
        size_t *n;
        const char *rows = l->rows(view, &n);

        return rows + (options->reverse ? *n - 1 - i : i) * l->row_size;
}

static int put_table(const Listing *l, void *view, size_t n, const Options *options, const Clock *clock) {
        _cleanup_(table_freep) Table *table = NULL;
        TableColumn columns[COLUMNS_MAX];
        int r;

        for (size_t c = 0; c < l->n_columns; c++)
                columns[c] = l->columns[c].column;
        r = table_new(columns, l->n_columns, &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++)
                l->add(table, row_at(l, view, options, i), clock);
        return table_print(table, stdout, !options->no_legend, output_columns());
}

typedef struct JsonRows {
        const Listing *listing;
        const Options *options;
        void *view;
} JsonRows;

static json_object *json_row(void *userdata, size_t i) {
        const JsonRows *j = userdata;

        return j->listing->to_json(row_at(j->listing, j->view, j->options, i));
}

static void put_json(const Listing *l, void *view, size_t n, const Options *options) {
        JsonRows j = { .listing = l, .options = options, .view = view };

        output_json_rows(options->json, n, json_row, &j);
}

/* "12 agents listed.", and what an empty list means. */
static void put_count(const Options *options, size_t n, const char *noun, bool idle) {
        if (options->no_legend)
                return;
        if (n > 0)
                (void) fputc('\n', stdout);
        (void) printf("%zu %s%s listed.%s\n", n, noun, plural(n),
                      idle ? " The observer is idle, waiting for the first beat." : "");
}

static CtlExit run_listing(const Listing *l, void *view, const Options *options, char **args,
                           size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Clock clock = {};
        usec_t offset;
        size_t sort, *n;
        CtlExit code;
        bool idle;
        int r;

        code = check_choice(l, options, args, n_args, &sort);
        if (code != CTL_OK)
                return code;
        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        r = l->fetch(bus, view, &error);
        idle = r < 0 && link_is_idle(options, bus, &error);
        if (r < 0 && !idle)
                return link_failed(options, bus, r, &error);

        choose(l, view, options, args, n_args, sort);
        (void) l->rows(view, &n);
        if (options->json != JSON_OFF) {
                put_json(l, view, *n, options);
                return CTL_OK;
        }

        clock.known = link_clock(options, bus, &offset, &clock.now) >= 0;
        output_page(options);
        if (*n > 0 && put_table(l, view, *n, options, &clock) < 0) {
                ctl_error("Out of memory.");
                return CTL_FAILURE;
        }
        put_count(options, *n, l->noun, idle);
        return CTL_OK;
}

CtlExit verb_list(const Options *options, char **args, size_t n_args) {
        _cleanup_(agents_view_done) AgentsView v = {};

        return run_listing(&agents_listing, &v, options, args, n_args);
}

CtlExit verb_units(const Options *options, char **args, size_t n_args) {
        _cleanup_(units_view_done) UnitsView v = {};

        return run_listing(&units_listing, &v, options, args, n_args);
}
