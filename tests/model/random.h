/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* splitmix64: a few lines, every seed is good, and the same numbers on every machine. */

#include <stdbool.h>
#include <stdint.h>

typedef struct Random {
        uint64_t state;
} Random;

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t random_next(Random *r) {
        uint64_t x = r->state += RANDOM_STEP;

        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        return x ^ x >> 31;
}

/* 0 .. n - 1 */
static inline uint32_t random_below(Random *r, uint32_t n) {
        return (uint32_t) ((random_next(r) >> 32) * n >> 32);
}

/* True in `percent` of a hundred calls. */
static inline bool random_percent(Random *r, uint32_t percent) {
        return random_below(r, 100) < percent;
}

#define random_pick(r, array) ((array)[random_below((r), (uint32_t) (sizeof(array) / sizeof((array)[0])))])
