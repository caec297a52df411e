/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The ladder of one unit: how often it was restarted, how long the next restart has to wait, when it is given up. */

#include <stdbool.h>

#include "config/config.h"
#include "core/types.h"
#include "util/time.h"

/* A spell without trouble of this many times the back-off's cap makes the next stall the first again. */
#define LADDER_HEALTHY_FACTOR 10U

typedef struct Ladder {
        unsigned attempt;     /* restarts since the unit was last healthy */
        nsec_t backoff_until; /* 0: none */
        nsec_t hold_until;    /* after a failed call, which is no rung: do not ask again before; 0: none */
        nsec_t trouble;       /* the last moment at which something was wrong with the unit; 0: never */
        nsec_t gave_up_until; /* 0: has not given up; NSEC_INFINITY: until released by hand */
        uint8_t gave_up_on[INVOCATION_ID_SIZE]; /* the invocation that ran then; all zero: not known */

        /* The restarts within RestartLimit='s span, oldest first: a ring. */
        uint32_t first, n;
        nsec_t restarts[CONFIG_RESTART_LIMIT_MAX];
} Ladder;

/* The wait after the nth restart (from 1): min, twice that, ... up to max. */
nsec_t ladder_delay(const SpanRange *backoff, unsigned n) _pure_;

/* Something is wrong now. If all had been well for long enough before, the ladder starts at its foot again. Returns
 * true when it did. */
bool ladder_trouble(Ladder *l, const SpanRange *backoff, nsec_t now);

/* A restart ended (well or not): one rung up. */
void ladder_climb(Ladder *l, const SpanRange *backoff, nsec_t now);

/* A call failed without any effect: no rung, but the next call waits for `wait`. */
void ladder_hold(Ladder *l, nsec_t now, nsec_t wait);

/* Whether one more restart now would exceed the limit (count 0: there is none). Forgets what left the window. */
bool ladder_is_spent(Ladder *l, const Rate *limit, nsec_t now);

/* Gives up for one span of the limit. */
void ladder_give_up(Ladder *l, const Rate *limit, nsec_t now);

/* Left by time: the state ends when its moment has come, with the window empty. Returns true when it ended. */
bool ladder_expire(Ladder *l, nsec_t now);

/* By hand: everything is forgiven. */
void ladder_reset(Ladder *l);

/* Until when a restart has to wait for back-off or a held call; 0: it need not. */
nsec_t ladder_wait(const Ladder *l, nsec_t now) _pure_;
