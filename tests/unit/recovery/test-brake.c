/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The storm brake: a sliding window, whatever the limit was before. */

#include "recovery/brake.h"
#include "runner.h"

#define S NSEC_PER_SEC

START_TEST(test_window) {
        static const struct {
                const char *title;
                unsigned n;
                nsec_t starts[6];
                Rate limit;
                nsec_t now, until;
        } rows[] = {
                { "nothing began", 0, {}, { 3, 60 * S }, 100 * S, 0 },
                { "no limit", 3, { 1 * S, 1 * S, 1 * S }, { 0, 0 }, 2 * S, 0 },
                { "one less than the limit", 2, { 1 * S, 2 * S }, { 3, 60 * S }, 3 * S, 0 },
                { "the limit: until the oldest leaves",
                  3,
                  { 1 * S, 2 * S, 3 * S },
                  { 3, 60 * S },
                  3 * S,
                  61 * S },
                { "a nanosecond before", 3, { 1 * S, 2 * S, 3 * S }, { 3, 60 * S }, 61 * S - 1, 61 * S },
                { "and then", 3, { 1 * S, 2 * S, 3 * S }, { 3, 60 * S }, 61 * S, 0 },
                { "a smaller limit looks at the last",
                  4,
                  { 1 * S, 2 * S, 3 * S, 4 * S },
                  { 2, 60 * S },
                  5 * S,
                  63 * S },
                { "a span without end", 1, { 1 * S }, { 1, NSEC_INFINITY }, 5 * S, NSEC_INFINITY },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                static Brake b;

                b = (Brake){};
                for (unsigned k = 0; k < rows[i].n; k++)
                        brake_count(&b, rows[i].starts[k]);
                ck_assert_msg(brake_until(&b, &rows[i].limit, rows[i].now) == rows[i].until, "%s",
                              rows[i].title);
                brake_release(&b);
                ck_assert_msg(brake_until(&b, &rows[i].limit, rows[i].now) == 0, "%s: released",
                              rows[i].title);
        }
}
END_TEST

START_TEST(test_a_full_ring) {
        static Brake b;
        Rate limit = { CONFIG_STORM_LIMIT_MAX, 3600 * S };

        for (unsigned i = 0; i < CONFIG_STORM_LIMIT_MAX + 5; i++)
                brake_count(&b, i);
        ck_assert_uint_eq(b.n, CONFIG_STORM_LIMIT_MAX);
        ck_assert_uint_eq(brake_until(&b, &limit, 2000), 5 + 3600 * S);
        ck_assert_uint_eq(brake_until(&b, &limit, 5 + 3600 * S), 0);
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_window, test_a_full_ring };

        return run_tests("recovery-brake", tests, ELEMENTSOF(tests));
}
