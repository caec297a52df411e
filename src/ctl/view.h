/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the observer tells, as the verbs want it: typed rows. Strings live in the bus messages that brought them,
 * which the view owns, so that a hundred thousand rows cost no copy.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "util/macro.h"
#include "util/time.h"

typedef struct ListenerRow {
        const char *name, *transport, *address;
        uint32_t receive_buffer;
        uint64_t datagrams;
} ListenerRow;

typedef struct PauseRow {
        const char *what, *reason; /* what: as it was asked for; "" is everything */
        usec_t until;              /* 0: until resumed */
} PauseRow;

typedef struct CounterRow {
        const char *name; /* "Beats", "DecodeErrors" */
        const char *key;  /* "BadCrc"; NULL for a plain counter */
        uint64_t value;
} CounterRow;

typedef struct ObserverView {
        sd_bus_message *message;
        const char *version, *clock_source, *capabilities, *state,
                        *config_error; /* "" when an old observer does not tell */
        uint32_t capacity, tracked, stalled, degraded, critical, descriptor_budget;
        uint64_t pid_namespace;
        usec_t start, threshold, brake_until; /* of the storm brake; 0: it does not hold */
        ListenerRow *listeners;
        size_t n_listeners;
        PauseRow *pauses;
        size_t n_pauses;
        CounterRow *counters;
        size_t n_counters;
} ObserverView;

/* Asks for all properties. Returns 0, or negative errno, with *error set when the answer was one. */
int observer_view_fetch(sd_bus *bus, ObserverView *ret, sd_bus_error *error);
void observer_view_done(ObserverView *v);

/* The value of a plain counter; 0 when there is none of this name. */
uint64_t observer_view_counter(const ObserverView *v, const char *name);
/* The sum over a dictionary of counters. */
uint64_t observer_view_sum(const ObserverView *v, const char *name);

typedef struct AgentRow {
        uint64_t id, last_nonce, beats;
        usec_t last_beat;
        const char *unit, *status, *origin, *class;
        uint32_t pid, payload, uid;
        bool stalled;
        bool chosen, named; /* by the user, by its unit or by its pid; for the verbs' own use */
} AgentRow;

/* The order of the view: by unit, then pid, then id. */
int agent_row_compare(const void *a, const void *b);

typedef struct AgentsView {
        sd_bus_message **pages;
        size_t n_pages;
        AgentRow *rows; /* in the order of agent_row_compare() */
        size_t n_rows;
} AgentsView;

/* Asks for all agents, page by page. Returns as above. */
int agents_view_fetch(sd_bus *bus, AgentsView *ret, sd_bus_error *error);
/* The same, of those that are stalled or not well by their own word; stops once there are AILING_ENOUGH. */
int agents_view_fetch_ailing(sd_bus *bus, AgentsView *ret, sd_bus_error *error);
/* Adds those of a unit ("": of any, or of none) and with a pid (0: any) that the view does not have yet; stops once it has
 * `enough`. Returns as above; the view is usable whatever happens. */
int agents_view_find(sd_bus *bus, const char *unit, uint32_t pid, size_t enough, AgentsView *v,
                     sd_bus_error *error);
/* The same, of one process: none for pid 0, which no agent has. */
int agents_view_find_process(sd_bus *bus, uint32_t pid, AgentsView *v, sd_bus_error *error);
/* Nobody reads more lines of trouble than this; whoever wants all of them lists all agents. */
#define AILING_ENOUGH 1000U
void agents_view_done(AgentsView *v);

typedef struct UnitRow {
        const char *name, *mode, *state, *last_outcome;
        uint32_t agents, stalled;
        uint64_t restarts;
        usec_t backoff_until; /* CLOCK_MONOTONIC; 0: none */
        uint32_t degraded,
                        critical; /* agents that say so of themselves; filled by units_view_fetch_ailing() */
        bool chosen;              /* as above */
} UnitRow;

/* By name. */
int unit_row_compare(const void *a, const void *b);

typedef struct UnitsView {
        sd_bus_message *message;
        UnitRow *rows; /* by name */
        size_t n_rows;
} UnitsView;

int units_view_fetch(sd_bus *bus, UnitsView *ret, sd_bus_error *error);
void units_view_done(UnitsView *v);

/* Asks what the units' agents say of themselves, and fills that in. Returns as above. */
int units_view_fetch_ailing(UnitsView *v, sd_bus *bus, sd_bus_error *error);

/* The rows as JSON. The caller owns the reference. */
json_object *agent_row_to_json(const AgentRow *row);
json_object *unit_row_to_json(const UnitRow *row);
json_object *pause_row_to_json(const PauseRow *row);
json_object *observer_view_to_json(const ObserverView *v);
