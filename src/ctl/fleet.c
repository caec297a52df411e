/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Rates, from two looks at the fleet.
 *
 * The observer counts beats for each agent and not for each unit, and agents come and go: the beats of a unit are those
 * that its present agents sent since the last look. Both looks are sorted alike, so that one pass finds every agent again.
 * Rates are counted in beats per ten seconds: a whole number, with the one decimal that is worth showing.
 */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus/bus-names.h"
#include "ctl/fleet.h"
#include "ctl/format.h"
#include "ctl/link.h"
#include "ctl/pattern.h"

const char *const fleet_sort_keys[] = { "unit", "state", "agents", "stalled", "beats", "restarts", NULL };

static int build_rows(Fleet *f) {
        size_t a = 0;

        /* One for agents without a unit, which are the first in their list. */
        f->rows = calloc(f->units.n_rows + 1, sizeof(FleetRow));
        if (!f->rows)
                return -ENOMEM;

        if (f->agents.n_rows > 0 && f->agents.rows[0].unit[0] == 0)
                f->rows[f->n_rows++] = (FleetRow){ .name = "", .state = BUS_UNIT_OK, .mode = "" };
        for (size_t i = 0; i < f->units.n_rows; i++) {
                const UnitRow *u = &f->units.rows[i];

                f->rows[f->n_rows++] = (FleetRow){
                        .name = u->name, .state = u->state, .mode = u->mode, .restarts = u->restarts
                };
        }

        for (size_t i = 0; i < f->n_rows; i++) {
                FleetRow *row = &f->rows[i];

                assert(row->name);
                while (a < f->agents.n_rows && strcmp(f->agents.rows[a].unit, row->name) < 0)
                        a++;
                for (; a < f->agents.n_rows && strcmp(f->agents.rows[a].unit, row->name) == 0; a++) {
                        const AgentRow *agent = &f->agents.rows[a];

                        row->agents++;
                        row->stalled += agent->stalled;
                        row->degraded += strcmp(agent->status, "degraded") == 0;
                        row->critical += strcmp(agent->status, "critical") == 0;
                        if (row->last_beat == 0 || agent->last_beat < row->last_beat)
                                row->last_beat = agent->last_beat;
                }
                if (row->name[0] == 0 && row->stalled > 0)
                        row->state = BUS_UNIT_STALLED;
        }
        return 0;
}

int fleet_fetch(const Options *options, sd_bus *bus, Fleet *ret, sd_bus_error *error) {
        _cleanup_(fleet_done) Fleet f = { .when = now_usec(CLOCK_MONOTONIC) };
        int r;

        r = observer_view_fetch(bus, &f.observer, error);
        if (r < 0 && link_is_idle(options, bus, error)) {
                sd_bus_error_free(error);
                f.idle = true;
                goto done;
        }
        if (r < 0)
                return r;
        r = units_view_fetch(bus, &f.units, error);
        if (r < 0)
                return r;
        r = agents_view_fetch(bus, &f.agents, error);
        if (r < 0)
                return r;

        r = build_rows(&f);
        if (r < 0)
                return r;
done:
        *ret = f;
        f = (Fleet){};
        return 0;
}

void fleet_done(Fleet *f) {
        observer_view_done(&f->observer);
        units_view_done(&f->units);
        agents_view_done(&f->agents);
        free(f->rows);
        *f = (Fleet){};
}

static uint64_t to_rate(const Fleet *f, const Fleet *before, uint64_t beats) {
        usec_t span = nsec_sub(f->when, before->when);

        /* Nobody knows a rate from one look. */
        if (before->when == 0)
                return 0;
        return span == 0 ? 0 : (beats * 10 * USEC_PER_SEC + span / 2) / span;
}

void fleet_compare(Fleet *f, const Fleet *before) {
        size_t a = 0, b = 0;

        for (size_t i = 0; i < f->n_rows; i++) {
                FleetRow *row = &f->rows[i];
                uint64_t beats = 0;

                while (a < f->agents.n_rows && strcmp(f->agents.rows[a].unit, row->name) < 0)
                        a++;
                for (; a < f->agents.n_rows && strcmp(f->agents.rows[a].unit, row->name) == 0; a++) {
                        const AgentRow *now = &f->agents.rows[a], *then = NULL;

                        while (b < before->agents.n_rows &&
                               agent_row_compare(&before->agents.rows[b], now) < 0)
                                b++;
                        if (b < before->agents.n_rows && before->agents.rows[b].id == now->id)
                                then = &before->agents.rows[b];
                        /* One that is new has sent all of its beats since. */
                        beats += now->beats - (then ? MIN(then->beats, now->beats) : 0);
                }
                row->rate = to_rate(f, before, beats);
        }
}

uint64_t fleet_rate(const Fleet *f, const Fleet *before) {
        uint64_t now = observer_view_counter(&f->observer, "Beats"),
                 then = observer_view_counter(&before->observer, "Beats");

        /* It may have been restarted in between. */
        return to_rate(f, before,
                       now >= then && f->observer.start == before->observer.start ? now - then : now);
}

/* ---- Choosing ------------------------------------------------------------------------------------------------ */

/* The worst first. */
static int state_rank(const char *state) {
        static const char *const states[] = { BUS_UNIT_GAVE_UP, BUS_UNIT_STALLED, BUS_UNIT_BACKOFF,
                                              BUS_UNIT_RECOVERING, BUS_UNIT_PAUSED };

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (strcmp(states[i], state) == 0)
                        return (int) i;
        return (int) ELEMENTSOF(states);
}

static int compare_numbers(uint64_t a, uint64_t b) {
        return a > b ? -1 : a < b;
}

typedef struct Order {
        const char *key;
        bool reverse;
} Order;

static int compare_rows(const void *a, const void *b, void *userdata) {
        const FleetRow *x = a, *y = b;
        const Order *order = userdata;
        int r = 0;

        if (strcmp(order->key, "state") == 0) {
                r = state_rank(x->state) - state_rank(y->state);
                if (r == 0)
                        r = compare_numbers(x->degraded + x->critical, y->degraded + y->critical);
        } else if (strcmp(order->key, "agents") == 0) {
                r = compare_numbers(x->agents, y->agents);
        } else if (strcmp(order->key, "stalled") == 0) {
                r = compare_numbers(x->stalled, y->stalled);
        } else if (strcmp(order->key, "beats") == 0) {
                r = compare_numbers(x->rate, y->rate);
        } else if (strcmp(order->key, "restarts") == 0) {
                r = compare_numbers(x->restarts, y->restarts);
        }

        if (r == 0)
                r = strcmp(x->name, y->name);
        return order->reverse ? -r : r;
}

void fleet_choose(Fleet *f, const Options *options, char **args, size_t n_args, const char *key,
                  bool reverse) {
        Order order = { key, reverse };
        size_t kept = 0;

        for (size_t i = 0; i < f->n_rows; i++)
                if (pattern_match(options, args, n_args, f->rows[i].name))
                        f->rows[kept++] = f->rows[i];
        f->n_rows = kept;
        if (kept > 0)
                qsort_r(f->rows, kept, sizeof(FleetRow), compare_rows, &order);
}

/* ---- For programs -------------------------------------------------------------------------------------------- */

char *fleet_format_rate(char *buf, size_t size, uint64_t rate) {
        (void) snprintf(buf, size, "%" PRIu64 ".%" PRIu64, rate / 10, rate % 10);
        return buf;
}

static json_object *rate_to_json(uint64_t rate) {
        char buf[32];

        return json_object_new_double_s((double) rate / 10, fleet_format_rate(buf, sizeof(buf), rate));
}

static json_object *row_to_json(const FleetRow *row) {
        json_object *o = json_object_new_object();

        json_object_object_add(o, "unit", row->name[0] ? json_object_new_string(row->name) : NULL);
        json_object_object_add(o, "state", json_object_new_string(row->state));
        json_object_object_add(o, "mode", row->mode[0] ? json_object_new_string(row->mode) : NULL);
        json_object_object_add(o, "agents", json_object_new_uint64(row->agents));
        json_object_object_add(o, "stalled", json_object_new_uint64(row->stalled));
        json_object_object_add(o, "degraded", json_object_new_uint64(row->degraded));
        json_object_object_add(o, "critical", json_object_new_uint64(row->critical));
        json_object_object_add(o, "beats_per_sec", rate_to_json(row->rate));
        json_object_object_add(o, "oldest_beat_usec",
                               row->last_beat > 0 ? json_object_new_uint64(row->last_beat) : NULL);
        json_object_object_add(o, "restarts", json_object_new_uint64(row->restarts));
        return o;
}

json_object *fleet_to_json(const Fleet *f, const Fleet *before) {
        json_object *o = json_object_new_object(), *units = json_object_new_array();

        for (size_t i = 0; i < f->n_rows; i++)
                json_object_array_add(units, row_to_json(&f->rows[i]));

        json_object_object_add(o, "state", json_object_new_string(f->idle ? "idle" : f->observer.state));
        json_object_object_add(
                        o, "span_usec",
                        json_object_new_uint64(before->when > 0 ? nsec_sub(f->when, before->when) : 0));
        json_object_object_add(o, "agents_tracked", json_object_new_uint64(f->observer.tracked));
        json_object_object_add(o, "agents_stalled", json_object_new_uint64(f->observer.stalled));
        json_object_object_add(o, "agents_degraded", json_object_new_uint64(f->observer.degraded));
        json_object_object_add(o, "agents_critical", json_object_new_uint64(f->observer.critical));
        json_object_object_add(o, "beats_per_sec", rate_to_json(fleet_rate(f, before)));
        json_object_object_add(o, "units", units);
        return o;
}
