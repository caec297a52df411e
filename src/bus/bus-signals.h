/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One function per signal of org.varta.Observer1.
 *
 * None of them fails for its caller: a signal that cannot be sent is counted as suppressed, and without a
 * connection (or before it is up) there is nobody to tell.
 */

#include "bus/bus.h"

/* From the observer's events; bus_server_event() calls the right ones. */
void bus_signal_agent_appeared(BusServer *s, const Event *event);
void bus_signal_agent_exited(BusServer *s, const Event *event); /* EXIT, FORGOTTEN, EVICTED */
void bus_signal_resumed(BusServer *s, const Event *event);
void bus_signal_status_changed(BusServer *s, const Event *event);
void bus_signal_stall(BusServer *s, const Event *event);
void bus_signal_rejected(BusServer *s, const Event *event);
void bus_signal_clock_jumped(BusServer *s, const Event *event);
void bus_signal_overloaded(BusServer *s, const Event *event);

/* What recovery did or would not do. */
typedef struct BusRecovery {
        uint64_t id;               /* 0: a stall without an agent (never-beat) */
        uint32_t pid;              /* likewise */
        uint32_t attempt;          /* from 1; 0 where nothing was attempted */
        const char *unit;          /* "": none */
        const char *reason;        /* the stall's reason, the outcome, or the gate that refused */
        const uint8_t *invocation; /* INVOCATION_ID_SIZE bytes, or NULL */
} BusRecovery;

void bus_signal_recovery_started(BusServer *s, const BusRecovery *recovery);  /* reason: the stall's */
void bus_signal_recovery_finished(BusServer *s, const BusRecovery *recovery); /* reason: the outcome */
void bus_signal_recovery_refused(BusServer *s, const BusRecovery *recovery);  /* reason: the gate */

/* A unit was restarted `restarts` times within `window` and is left alone now. */
void bus_signal_gave_up(BusServer *s, const char *unit, uint64_t restarts, nsec_t window);

/* Beyond a burst, one of these stands for `count` single signals of a kind that were not emitted within `window`. */
void bus_signal_storm_summary(BusServer *s, const char *kind, uint64_t count, nsec_t window);
