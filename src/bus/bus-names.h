/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How the observer is called on the bus: names, paths, errors. For the observer itself and for everybody who
 * talks to it; includes nothing, links nothing.
 */

#define BUS_NAME            "org.varta.Observer1"
#define BUS_PATH            "/org/varta/Observer1"
#define BUS_INTERFACE       "org.varta.Observer1"
#define BUS_AGENT_PATH      BUS_PATH "/agent" /* below it one object per agent, named by the agent's id */
#define BUS_AGENT_INTERFACE BUS_INTERFACE ".Agent"

/* Whoever polkit lets do this may change things, as root may. */
#define BUS_POLKIT_ACTION "org.varta.observer1.manage"

/* Errors: each comes with a sentence that says what to do. */
#define BUS_ERROR_PREFIX                BUS_INTERFACE ".Error."
#define BUS_ERROR_NO_SUCH_AGENT         BUS_ERROR_PREFIX "NoSuchAgent"
#define BUS_ERROR_ACCESS_DENIED         BUS_ERROR_PREFIX "AccessDenied"
#define BUS_ERROR_CONFIGURATION_REFUSED BUS_ERROR_PREFIX "ConfigurationRefused"
#define BUS_ERROR_INVALID_ARGUMENT      BUS_ERROR_PREFIX "InvalidArgument"
#define BUS_ERROR_NOTHING_HELD          BUS_ERROR_PREFIX "NothingHeld"
#define BUS_ERROR_BUSY                  BUS_ERROR_PREFIX "Busy"

/* The most rows that one answer holds: about 100 KiB with usual unit names, and never near 4 MiB. */
#define BUS_LIST_AGENTS_MAX 1024U
/* ListUnits() has no pages; the observer's table of units is half this size unless it is told otherwise. */
#define BUS_LIST_UNITS_MAX 2048U
/* Units with figures of their own in GetMetrics(): as many as the observer's table holds, unless it is told otherwise. */
#define BUS_METRICS_UNITS_MAX 1024U
/* Agents are enumerated as objects (busctl tree) only while there are at most so many. */
#define BUS_ENUMERATE_MAX 1024U

/* One row of ListAgents(): id, pid, unit, status, origin, stalled, last beat, last nonce, payload, beats, uid, class. */
#define BUS_AGENT_ROW "tusssbttutus"
/* One row of ListUnits(): name, mode, state, agents, stalled, restarts, last outcome, back-off until. */
#define BUS_UNIT_ROW "sssuutst"
/* One row of History(): when (us of CLOCK_REALTIME), kind, unit, pid, reason, attempt, sentence. */
#define BUS_HISTORY_ROW "tssusus"
/* One row of ShowPolicy(): key, value as the configuration writes it, FILE:LINE ("": the default). */
#define BUS_POLICY_ROW "sss"
/* One row of ListAilingUnits(): name, agents that say degraded, agents that say critical. */
#define BUS_AILING_ROW "suu"
/* One row of Pauses: what, until when (us of CLOCK_MONOTONIC; 0: until resumed), reason. */
#define BUS_PAUSE_ROW "sts"
/* The most rows of History(); recovery keeps no more. */
#define BUS_HISTORY_MAX 1024U
/* One row of Listeners: name, transport, address, receive buffer, datagrams. */
#define BUS_LISTENER_ROW "sssut"

/* Values of State. */
#define BUS_STATE_RUNNING         "running"
#define BUS_STATE_PAUSED          "paused"
#define BUS_STATE_OVERLOADED      "overloaded"
#define BUS_STATE_DEGRADED_CONFIG "degraded-config"

/* Values of the state in a row of ListUnits(). */
#define BUS_UNIT_OK         "ok"         /* nothing is stalled and nothing is going on */
#define BUS_UNIT_STALLED    "stalled"    /* something is stalled, and nothing is being done about it */
#define BUS_UNIT_RECOVERING "recovering" /* an action is under way */
#define BUS_UNIT_BACKOFF    "backoff"    /* the next action waits for its time */
#define BUS_UNIT_PAUSED     "paused"     /* recovery of the unit was paused by hand */
#define BUS_UNIT_GAVE_UP    "gave-up"    /* too many restarts: somebody has to look */

/* The first argument of Overloaded. */
#define BUS_OVERLOADED_BEGIN "begin"
#define BUS_OVERLOADED_END   "end"
