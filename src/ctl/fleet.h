/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The fleet unit by unit, at one moment and since another: what top shows. */

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "ctl/ctl.h"
#include "ctl/table.h"
#include "ctl/view.h"

typedef struct FleetRow {
        const char *name; /* "": agents without a unit */
        const char *state, *mode;
        uint32_t agents, stalled, degraded, critical;
        uint64_t restarts;
        uint64_t rate;    /* beats in ten seconds */
        usec_t last_beat; /* the oldest among its agents; 0: it has none */
} FleetRow;

typedef struct Fleet {
        bool idle;   /* there is no observer, but there will be one with the first beat */
        usec_t when; /* CLOCK_MONOTONIC here */
        ObserverView observer;
        UnitsView units;
        AgentsView agents;
        FleetRow *rows; /* by name */
        size_t n_rows;
} Fleet;

/* Asks for everything. Returns 0, or negative errno, with *error set when the answer was one. */
int fleet_fetch(const Options *options, sd_bus *bus, Fleet *ret, sd_bus_error *error);
void fleet_done(Fleet *f);

/* Fills in the rates: what came since `before`, which is left as it is. */
void fleet_compare(Fleet *f, const Fleet *before);

/* Beats in ten seconds of the whole fleet since then. */
uint64_t fleet_rate(const Fleet *f, const Fleet *before);

/* "unit", "state", "agents", "stalled", "beats", "restarts"; ended by NULL. */
extern const char *const fleet_sort_keys[];

/* Keeps the rows that match and sorts them by a key of the above: names and states the usual way (the worst state
 * first), numbers with the largest first; `reverse` turns it round. */
void fleet_choose(Fleet *f, const Options *options, char **args, size_t n_args, const char *key,
                  bool reverse);

/* "12.3", whatever the locale makes of fractions; for JSON. Returns buf. */
char *fleet_format_rate(char *buf, size_t size, uint64_t rate);

json_object *fleet_to_json(const Fleet *f, const Fleet *before);
