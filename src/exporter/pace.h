/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How often something may be done: at a steady rate, and a number of times at once after a rest.
 */

#include "util/time.h"

/* All zeros: as after a rest. */
typedef struct Pace {
        usec_t due; /* when all that was done would have been, at the steady rate */
} Pace;

/* Answers in a second. A dozen scrapers that ask every second are far below, and the largest answer there can be (1,000 units,
 * 700 KiB) comes to 35 MB a second. */
#define PACE_RATE 50U

/* Answers at once: everybody who scrapes on the same full minute. */
#define PACE_BURST 32U

/* Takes a turn at `now` (µs, of a clock that does not go back). Returns 0 when it was taken, else the time at which the next one can
 * be; nothing is taken then. */
usec_t pace_take(Pace *p, usec_t now);
