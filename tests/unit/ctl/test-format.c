/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Times, as people read them. */

#include <stdlib.h>
#include <time.h>

#include "ctl/format.h"
#include "support.h"
#include "util/macro.h"

START_TEST(test_spans) {
        static const struct {
                usec_t span;
                const char *text;
        } cases[] = {
                { 0, "0us" },
                { 999, "999us" },
                { 1000, "1ms" },
                { 412345, "412ms" },
                { 999999, "999ms" },
                { 1000000, "1.0s" },
                { 2590000, "2.5s" },
                { 9999999, "9.9s" },
                { 10000000, "10s" },
                { 59999999, "59s" },
                { 60000000, "1min" },
                { 61000000, "1min 1s" },
                { 3599000000, "59min 59s" },
                { 3600000000, "1h" },
                { 7380000000, "2h 3min" },
                { 86400000000, "1d" },
                { 90000000000, "1d 1h" },
                { UINT64_MAX, "213503982d 8h" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char buf[FORMAT_TIME_MAX];

                ck_assert_str_eq(format_rough_span(buf, sizeof(buf), cases[i].span), cases[i].text);
        }
}
END_TEST

START_TEST(test_relative) {
        static const struct {
                usec_t when, now;
                const char *text;
        } cases[] = {
                { 100, 100, "just now" },         { 100, 1099, "just now" }, { 100, 1100, "1ms ago" },
                { 0, 7380000000, "2h 3min ago" }, { 5000000, 0, "in 5.0s" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char buf[FORMAT_TIME_MAX];

                ck_assert_str_eq(format_relative(buf, sizeof(buf), cases[i].when, cases[i].now),
                                 cases[i].text);
        }
}
END_TEST

START_TEST(test_calendar) {
        const usec_t moment = 1763822340123456;
        char buf[FORMAT_TIME_MAX];

        (void) setenv("TZ", "UTC", true);
        tzset();
        ck_assert_str_eq(format_timestamp(buf, sizeof(buf), moment), "Sat 2025-11-22 14:39:00 UTC");
        ck_assert_str_eq(format_time_of_day(buf, sizeof(buf), moment), "14:39:00.123456");
        ck_assert_str_eq(format_timestamp(buf, sizeof(buf), UINT64_MAX), "Wed 586524-01-19 08:01:49 UTC");
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "spans are rough where exactness would hide the point", test_spans },
                { "moments, seen from now", test_relative },
                { "moments in the calendar", test_calendar },
        };

        return tests_main("ctl-format", tests, ELEMENTSOF(tests));
}
