/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Time is a number that is passed in. Inside Varta it is nanoseconds (nsec_t); the bus and systemd speak
 * microseconds (usec_t). No function here reads a clock.
 */

#include <stdint.h>

typedef uint64_t nsec_t;
typedef uint64_t usec_t;

#define NSEC_PER_USEC   ((nsec_t) 1000)
#define NSEC_PER_MSEC   ((nsec_t) 1000 * 1000)
#define NSEC_PER_SEC    ((nsec_t) 1000 * 1000 * 1000)
#define NSEC_PER_MINUTE (60 * NSEC_PER_SEC)
#define NSEC_PER_HOUR   (60 * NSEC_PER_MINUTE)
#define NSEC_PER_DAY    (24 * NSEC_PER_HOUR)
#define USEC_PER_SEC    ((usec_t) 1000 * 1000)
#define NSEC_INFINITY   UINT64_MAX
#define USEC_INFINITY   UINT64_MAX

/* Saturating addition: a deadline beyond the end of time is "never". */
static inline nsec_t nsec_add(nsec_t a, nsec_t b) {
        return a > NSEC_INFINITY - b ? NSEC_INFINITY : a + b;
}

/* Saturating subtraction: before the beginning is zero. */
static inline nsec_t nsec_sub(nsec_t a, nsec_t b) {
        return a > b ? a - b : 0;
}

/* A deadline in ns as the µs of an event source: rounded up, so that nothing fires before its time. */
static inline usec_t nsec_to_usec_up(nsec_t n) {
        return n == NSEC_INFINITY ? USEC_INFINITY : n / NSEC_PER_USEC + (n % NSEC_PER_USEC ? 1 : 0);
}
