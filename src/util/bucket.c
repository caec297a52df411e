/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A token bucket in integers: see the header for the arithmetic. */

#include "util/bucket.h"
#include "util/macro.h"

static void bucket_set(Bucket *b, Rate rate, uint32_t burst) {
        b->count = rate.count;
        b->cost = rate.span;
        if (rate.count == 0 || rate.span == 0 || burst == 0)
                b->limit = 0;
        else if (__builtin_mul_overflow((uint64_t) burst, rate.span, &b->limit))
                b->limit = UINT64_MAX;
}

void bucket_init(Bucket *b, Rate rate, uint32_t burst, nsec_t now) {
        assert(b);

        bucket_set(b, rate, burst);
        b->credit = b->limit;
        b->last = now;
}

/* What was earned since the last look. A clock that stands still or falls back earns nothing. */
static void bucket_refill(Bucket *b, nsec_t now) {
        uint64_t earned;

        if (now <= b->last)
                return;
        if (__builtin_mul_overflow(now - b->last, b->count, &earned) || earned > b->limit - b->credit)
                b->credit = b->limit;
        else
                b->credit += earned;
        b->last = now;
}

void bucket_reconfigure(Bucket *b, Rate rate, uint32_t burst, nsec_t now) {
        unsigned __int128 spent; /* credits of the new worth: their product does not fit 64 bits */
        Bucket old;

        assert(b);

        if (bucket_enabled(b))
                bucket_refill(b, now); /* at the old rate, which held until now */
        old = *b;
        bucket_init(b, rate, burst, now);
        if (!bucket_enabled(&old) || !bucket_enabled(b))
                return;

        /* Rounded up: not even a part of a credit is handed out. */
        spent = (unsigned __int128) (old.limit - old.credit) * b->cost;
        spent = spent / old.cost + (spent % old.cost > 0);
        b->credit = spent < b->limit ? b->limit - (uint64_t) spent : 0;
}

bool bucket_has(Bucket *b, nsec_t now) {
        assert(b);

        if (!bucket_enabled(b))
                return true;
        bucket_refill(b, now);
        return b->credit >= b->cost;
}

bool bucket_take(Bucket *b, nsec_t now) {
        if (!bucket_has(b, now))
                return false;
        if (bucket_enabled(b))
                b->credit -= b->cost;
        return true;
}
