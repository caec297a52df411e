/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rate of answers, as a single time: when the last of them would have been given at the steady rate. A turn moves it by
 * one interval, a rest lets the clock overtake it, and a burst is how far it may run ahead.
 */

#include "exporter/pace.h"
#include "util/macro.h"

#define INTERVAL (USEC_PER_SEC / PACE_RATE)

usec_t pace_take(Pace *p, usec_t now) {
        usec_t due;

        assert(p);

        due = MAX(p->due, now) + INTERVAL;
        if (due > now + PACE_BURST * INTERVAL)
                return due - PACE_BURST * INTERVAL;

        p->due = due;
        return 0;
}
