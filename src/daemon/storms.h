/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Storms of one kind of news, summarised: the first of a window are told one by one, the rest is counted and told in
 * one line. Counters elsewhere stay exact. Pure: time is passed in.
 */

#include "core/types.h"

/* Singles per window and kind. Enough to see who it is; few enough that a flood of forgeries costs the journal and
 * the bus next to nothing. */
#define STORM_BURST  20U
#define STORM_WINDOW (10 * NSEC_PER_SEC)

typedef struct Storm {
        nsec_t begin;
        uint64_t count; /* in this window */
} Storm;

typedef struct Storms {
        Storm rejects[_REJECT_CLASS_MAX];
} Storms;

/* One more of this kind. Returns true when it is to be told. *ret_suppressed is how many were not told in a window that
 * ended before this one: tell that first; 0 when there is nothing to tell. */
bool storm_count(Storm *s, nsec_t now, uint64_t *ret_suppressed);
