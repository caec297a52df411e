/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A starved host: what the kernel tells, what the loop's lag tells, and where the limits lie. */

#include <errno.h>
#include <string.h>

#include "recovery/starved.h"
#include "runner.h"

#define TEXT(some, full)                                                                                    \
        "some avg10=1.00 avg60=2.00 avg300=3.00 total=" some                                                \
        "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=" full "\n"

START_TEST(test_parse) {
        static const struct {
                const char *title, *text;
                Pressure pressure;
                int result;
                uint64_t total;
        } rows[] = {
                { "some of cpu", TEXT("123", "456"), PRESSURE_CPU_SOME, 0, 123 },
                { "full of io", TEXT("123", "456"), PRESSURE_IO_FULL, 0, 456 },
                { "full of memory", TEXT("123", "456"), PRESSURE_MEMORY_FULL, 0, 456 },
                { "the largest number", TEXT("18446744073709551615", "0"), PRESSURE_CPU_SOME, 0,
                  UINT64_MAX },
                { "too large a number", TEXT("18446744073709551616", "0"), PRESSURE_CPU_SOME, -EINVAL, 0 },
                { "no line of that kind", "some avg10=0.00 total=5\n", PRESSURE_IO_FULL, -EINVAL, 0 },
                { "no total in the line", "some avg10=0.00\nfull total=7\n", PRESSURE_CPU_SOME, -EINVAL, 0 },
                { "no number", "some total=x\n", PRESSURE_CPU_SOME, -EINVAL, 0 },
                { "nothing", "", PRESSURE_CPU_SOME, -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t total = 0;

                ck_assert_msg(pressure_parse(rows[i].pressure, rows[i].text, &total) == rows[i].result, "%s",
                              rows[i].title);
                ck_assert_msg(total == rows[i].total, "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_judge) {
        static const struct {
                const char *title;
                uint64_t cpu, io, memory; /* us within 100 ms */
                nsec_t lag, threshold;
                bool starved;
        } rows[] = {
                { "an idle host", 0, 0, 0, 0, NSEC_PER_SEC, false },
                { "cpu below 80 %", 79999, 0, 0, 0, NSEC_PER_SEC, false },
                { "cpu at 80 %", 80000, 0, 0, 0, NSEC_PER_SEC, true },
                { "io below 40 %", 0, 39999, 0, 0, NSEC_PER_SEC, false },
                { "io at 40 %", 0, 40000, 0, 0, NSEC_PER_SEC, true },
                { "memory below 40 %", 0, 0, 39999, 0, NSEC_PER_SEC, false },
                { "memory at 40 %", 0, 0, 40000, 0, NSEC_PER_SEC, true },
                { "more than there was time for", 900000, 0, 0, 0, NSEC_PER_SEC, true },
                { "a lag below a quarter of the threshold", 0, 0, 0, NSEC_PER_SEC - 1, 4 * NSEC_PER_SEC,
                  false },
                { "a lag of a quarter of it", 0, 0, 0, NSEC_PER_SEC, 4 * NSEC_PER_SEC, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                PressureSample a = { .when = NSEC_PER_SEC,
                                     .known = { true, true, true },
                                     .total = { 7, 7, 7 } };
                PressureSample b = a;

                b.when += STARVED_SAMPLE_SPAN;
                b.total[PRESSURE_CPU_SOME] += rows[i].cpu;
                b.total[PRESSURE_IO_FULL] += rows[i].io;
                b.total[PRESSURE_MEMORY_FULL] += rows[i].memory;
                ck_assert_msg(starvation_judge(&a, &b, rows[i].lag, rows[i].threshold).starved ==
                                              rows[i].starved,
                              "%s", rows[i].title);
                a.known[0] = a.known[1] = b.known[2] = false;
                ck_assert_msg(starvation_judge(&a, &b, 0, rows[i].threshold).starved == false,
                              "%s: what is known once says nothing", rows[i].title);
                ck_assert(!starvation_judge(&b, &b, 0, rows[i].threshold).starved);
        }
}
END_TEST

START_TEST(test_lag_window) {
        LagWindow w = {};
        nsec_t t = 1000 * NSEC_PER_SEC;

        ck_assert_uint_eq(lag_window_worst(&w, t), 0);
        lag_window_add(&w, t, 30);
        lag_window_add(&w, t + 1, 20);
        lag_window_add(&w, t + 5 * NSEC_PER_SEC, 25);
        ck_assert_uint_eq(lag_window_worst(&w, t + 9 * NSEC_PER_SEC), 30);
        ck_assert_uint_eq(lag_window_worst(&w, t + 10 * NSEC_PER_SEC), 25);
        ck_assert_uint_eq(lag_window_worst(&w, t + 15 * NSEC_PER_SEC), 0);
        lag_window_add(&w, t + 20 * NSEC_PER_SEC, 5); /* the place of the first */
        ck_assert_uint_eq(lag_window_worst(&w, t + 20 * NSEC_PER_SEC), 5);
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_parse, test_judge, test_lag_window };

        return run_tests("recovery-starved", tests, ELEMENTSOF(tests));
}
