/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether the whole host is slow, and not the process that fell silent. The parser and the judge are pure. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/macro.h"
#include "util/time.h"

/* The two readings lie this far apart. */
#define STARVED_SAMPLE_SPAN (100 * NSEC_PER_MSEC)
/* What is known of the host is good for this long, and asked again after it. */
#define STARVED_RECHECK NSEC_PER_SEC
/* The loop's lag is remembered for so many seconds. */
#define LAG_SECONDS 10

typedef enum Pressure {
        PRESSURE_CPU_SOME,
        PRESSURE_IO_FULL,
        PRESSURE_MEMORY_FULL,
        _PRESSURE_MAX,
        _PRESSURE_INVALID = -EINVAL,
} Pressure;

/* Stall time since boot, as /proc/pressure/ tells it. */
typedef struct PressureSample {
        nsec_t when;
        bool known[_PRESSURE_MAX];
        uint64_t total[_PRESSURE_MAX]; /* us */
} PressureSample;

const char *pressure_path(Pressure p) _const_;
/* `total=` of the line that is looked at. Returns 0, -EINVAL when the text is none of the kernel's. */
int pressure_parse(Pressure p, const char *text, uint64_t *ret);

/* The worst lag of the event loop, second by second. Zeroed: none. */
typedef struct LagWindow {
        uint64_t second[LAG_SECONDS]; /* which second the entry is of */
        nsec_t lag[LAG_SECONDS];
} LagWindow;
void lag_window_add(LagWindow *w, nsec_t now, nsec_t lag);
nsec_t lag_window_worst(const LagWindow *w, nsec_t now) _pure_;

/* What made it starved; zeroed with `starved` false when nothing did. */
typedef struct Starvation {
        bool starved;
        bool by_lag;
        Pressure pressure;
        unsigned percent;
        nsec_t lag;
} Starvation;

/* cpu some >= 80 %, io full or memory full >= 40 %, or lag >= threshold / 4. What is not known in both samples says
 * nothing. */
Starvation starvation_judge(const PressureSample *first, const PressureSample *second, nsec_t lag,
                            nsec_t threshold);
