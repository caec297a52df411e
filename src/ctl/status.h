/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files behind the verb status share. */

#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/view.h"

typedef struct Status {
        const Options *options;
        sd_bus *bus;
        ObserverView observer;
        AgentsView agents;
        UnitsView units;
        bool has_clock;
        usec_t offset, now; /* of the observer's CLOCK_MONOTONIC */
} Status;

/* How bad it is, best first, so that the worst of several is their maximum. */
typedef enum Health {
        HEALTH_OK,
        HEALTH_DEGRADED,
        HEALTH_STALLED,
        _HEALTH_MAX,
} Health;

/* What a health means to scripts, to the eye and to programs. */
typedef struct HealthInfo {
        CtlExit code;
        Colour colour;
        const char *name;
} HealthInfo;

extern const HealthInfo health_info[_HEALTH_MAX];

Health agent_health(const AgentRow *a);
Health unit_health(const UnitRow *u);

/* What a unit's line and card begin with: the glyph says what recovery does about it, the colour how bad it is. What is
 * well, but being recovered or left alone, is yellow. */
Glyph unit_glyph(const UnitRow *u);
Colour unit_colour(const UnitRow *u);

/* How the words of ListUnits() and of agents look. */
Colour unit_state_colour(const char *state);
Colour agent_status_colour(const char *status);

/* "5s ago", or that the observer's clock is not known. Returns buf or a constant. */
const char *status_relative(const Status *s, usec_t when, char *buf, size_t size);

/* "worker@*.service, ends in 2h (disk swap)". Returns buf. */
const char *status_pause(const Status *s, const PauseRow *p, char *buf, size_t size);

/* What a pause and its reason take at most, and some words. */
#define STATUS_PAUSE_SIZE 768U

/* The observer's card and the lines of what is not well. Returns the exit code. */
CtlExit status_show_overview(const Status *s);

/* Asks for the agents that the arguments name, by pid or by their unit; s->units is there. Returns 0, or negative errno
 * with *error set when the answer was one. */
int status_fetch_chosen(Status *s, char **args, size_t n_args, sd_bus_error *error);

/* Their cards; says on stderr which are not there. Returns the exit
 * code. */
CtlExit status_show_chosen(Status *s, char **args, size_t n_args);
