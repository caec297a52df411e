/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Storms of one kind of news, summarised: the first of a window are told one by one, the rest is counted and told in
 * one line. Counters elsewhere stay exact. Pure: time is passed in.
 */

#include "core/types.h"

/* Singles per window and kind, of what was refused: enough to see who it is; few enough that a flood of forgeries costs
 * the journal and the bus next to nothing. */
#define STORM_BURST 20U
/* Of what agents do: a fleet that starts, stops or falls silent on a host of usual size is told agent by agent; a flood
 * of short-lived agents is not. */
#define STORM_BURST_AGENTS 2000U
#define STORM_WINDOW       (10 * NSEC_PER_SEC)

/* What is summarised: the classes of refusals, and these. */
typedef enum StormKind {
        STORM_APPEARED = _REJECT_CLASS_MAX,
        STORM_EXITED,
        STORM_RESUMED,
        STORM_STATUS_CHANGED,
        STORM_STALLED,
        STORM_RECOVERY_REFUSED,
        _STORM_KIND_MAX,
        _STORM_KIND_INVALID = -EINVAL,
} StormKind;

/* As StormSummary has it: "decode" for a class of refusals, else the name of the signal. */
const char *storm_kind_to_string(unsigned kind) _const_;

typedef struct Storm {
        nsec_t begin;
        uint64_t count; /* in this window */
} Storm;

typedef struct Storms {
        Storm kinds[_STORM_KIND_MAX];
} Storms;

/* One more of this kind; `burst` are told. Returns true when it is to be told. *ret_suppressed is how many were not told in a
 * window that ended before this one: tell that first; 0 when there is nothing to tell. */
bool storm_count(Storm *s, uint64_t burst, nsec_t now, uint64_t *ret_suppressed);

/* The same for a kind of the table. */
bool storms_count(Storms *s, unsigned kind, nsec_t now, uint64_t *ret_suppressed);

/* When the first window ends in which something was not told; NSEC_INFINITY when there is none. */
nsec_t storms_next(const Storms *s);

/* Ends one window that is over and in which something was not told: returns its kind and how many; -ENOENT when there is
 * none. */
int storms_take(Storms *s, nsec_t now, uint64_t *ret_suppressed);
