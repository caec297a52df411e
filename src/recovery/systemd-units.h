/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What systemd says of all units at once: which of them run, and every change of one. It knows the bus and no policy. */

#include "recovery/systemd.h"

/* Patterns in one question; a file with more sections than that asks for all units instead. */
#define UNITS_PATTERNS_MAX 256U

typedef struct UnitsHandlers {
        /* A row of the list that was asked for; `state` is active, reloading or activating. */
        void (*listed)(const char *unit, ActiveState state, void *userdata);
        /* All rows were told. false: there is no list, and nothing was told. */
        void (*list_done)(bool ok, void *userdata);
        /* A unit changed. What the signal does not say is zero in `facts`. */
        void (*changed)(const char *unit, const UnitFacts *facts, void *userdata);
        /* systemd has read its units anew. */
        void (*reloaded)(void *userdata);
} UnitsHandlers;

/* Zeroed: off. */
typedef struct UnitsMonitor {
        sd_bus_slot *list, *changed, *reloading;
        const UnitsHandlers *handlers;
        void *userdata;
} UnitsMonitor;

/* Tells of changes from now on (once), and asks for the list of units that match one of the patterns and run; an
 * earlier question is dropped. Returns 0, -ENOTCONN, or what sd-bus says. */
int units_monitor_start(UnitsMonitor *m, Systemd *s, const char *const *patterns, size_t n_patterns,
                        const UnitsHandlers *handlers, void *userdata);
void units_monitor_stop(UnitsMonitor *m);
static inline bool units_monitor_is_on(const UnitsMonitor *m) {
        return m->changed;
}
