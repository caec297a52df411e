/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A token bucket in integers that loses no fraction and never runs fast.
 *
 * One token is worth `span` credits and every nanosecond earns `count` credits, so that a rate of "count per
 * span" needs no division and no rounding: whatever the calls' spacing, credits earned are exactly
 * count x elapsed. Asked every microsecond at 1/s, it still admits one frame per second.
 */

#include <stdbool.h>
#include <stdint.h>

#include "util/parse.h"
#include "util/time.h"

typedef struct Bucket {
        uint64_t credit;
        uint64_t limit; /* burst x span; 0: the bucket is off and admits everything */
        uint64_t cost;  /* span: what one token is worth */
        uint64_t count;
        nsec_t last;
} Bucket;

/* Starts full. A count, span or burst of 0 switches it off. A burst whose credits do not fit 64 bits (more than
 * 100,000 tokens at a span of a day) is cut to what fits: less than was allowed, never more. */
void bucket_init(Bucket *b, Rate rate, uint32_t burst, nsec_t now);

/* New numbers, the same fill: what was spent stays spent, so that reloading is no way to get a fresh burst. */
void bucket_reconfigure(Bucket *b, Rate rate, uint32_t burst, nsec_t now);

static inline bool bucket_enabled(const Bucket *b) {
        return b->limit > 0;
}

/* Whether a token is there; takes none. */
bool bucket_has(Bucket *b, nsec_t now);

/* Takes one token. False: there is none, and nothing was taken. */
bool bucket_take(Bucket *b, nsec_t now);
