/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The global brake: how many recoveries of all units begin within one span (StormLimit=). */

#include "config/config.h"
#include "util/time.h"

typedef struct Brake {
        /* When the recoveries within the span began, oldest first: a ring. */
        uint32_t first, n;
        nsec_t starts[CONFIG_STORM_LIMIT_MAX];
} Brake;

/* A recovery begins. */
void brake_count(Brake *b, nsec_t now);

/* Until when the next one has to wait; 0: it need not (as always with a limit of 0). Forgets what left the span. */
nsec_t brake_until(Brake *b, const Rate *limit, nsec_t now);

/* By hand: the span begins anew. */
void brake_release(Brake *b);
