/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Times, as people read them: rough where exactness would hide the point, and in the reader's time zone. What
 * programs read is JSON, and has plain numbers.
 */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "ctl/format.h"
#include "util/macro.h"

#define USEC_PER_MSEC   ((usec_t) 1000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)

char *format_rough_span(char *buf, size_t size, usec_t span) {
        static const struct {
                const char *large, *small;
                usec_t large_unit, small_unit;
        } steps[] = {
                { "d", "h", USEC_PER_DAY, USEC_PER_HOUR },
                { "h", "min", USEC_PER_HOUR, USEC_PER_MINUTE },
                { "min", "s", USEC_PER_MINUTE, USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                uint64_t large = span / steps[i].large_unit, small;

                if (large == 0)
                        continue;
                small = span % steps[i].large_unit / steps[i].small_unit;
                if (small > 0)
                        (void) snprintf(buf, size, "%" PRIu64 "%s %" PRIu64 "%s", large, steps[i].large,
                                        small, steps[i].small);
                else
                        (void) snprintf(buf, size, "%" PRIu64 "%s", large, steps[i].large);
                return buf;
        }

        if (span >= 10 * USEC_PER_SEC)
                (void) snprintf(buf, size, "%" PRIu64 "s", span / USEC_PER_SEC);
        else if (span >= USEC_PER_SEC)
                (void) snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "s", span / USEC_PER_SEC,
                                span % USEC_PER_SEC / (100 * USEC_PER_MSEC));
        else if (span >= USEC_PER_MSEC)
                (void) snprintf(buf, size, "%" PRIu64 "ms", span / USEC_PER_MSEC);
        else
                (void) snprintf(buf, size, "%" PRIu64 "us", span);
        return buf;
}

char *format_relative(char *buf, size_t size, usec_t when, usec_t now) {
        char span[FORMAT_TIME_MAX];

        if (when > now)
                (void) snprintf(buf, size, "in %s", format_rough_span(span, sizeof(span), when - now));
        else if (now - when < USEC_PER_MSEC)
                (void) snprintf(buf, size, "just now");
        else
                (void) snprintf(buf, size, "%s ago", format_rough_span(span, sizeof(span), now - when));
        return buf;
}

static bool to_local(usec_t realtime, struct tm *ret) {
        time_t seconds = (time_t) (realtime / USEC_PER_SEC);

        return localtime_r(&seconds, ret);
}

char *format_timestamp(char *buf, size_t size, usec_t realtime) {
        struct tm tm;

        if (!to_local(realtime, &tm) || strftime(buf, size, "%a %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
                (void) snprintf(buf, size, "?"); /* A time that no calendar holds. */
        return buf;
}

char *format_date(char *buf, size_t size, usec_t realtime) {
        struct tm tm;

        if (!to_local(realtime, &tm) || strftime(buf, size, "%b %d %H:%M:%S", &tm) == 0)
                (void) snprintf(buf, size, "?");
        return buf;
}

char *format_time_of_day(char *buf, size_t size, usec_t realtime) {
        struct tm tm;

        if (to_local(realtime, &tm))
                (void) snprintf(buf, size, "%02d:%02d:%02d.%06" PRIu64, tm.tm_hour, tm.tm_min, tm.tm_sec,
                                realtime % USEC_PER_SEC);
        else
                (void) snprintf(buf, size, "?");
        return buf;
}

usec_t now_usec(int clock) {
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0)
                return 0;
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / NSEC_PER_USEC;
}
