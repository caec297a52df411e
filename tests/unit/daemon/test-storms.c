/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storms of news: the first are told, the rest is counted, and the count is told when there is somebody to tell it. */

#include "daemon/storms.h"
#include "rows.h"

/* One event of a row: when it comes, and what is to become of it. `times` of them at the same moment. */
typedef struct Step {
        nsec_t at;
        unsigned times;
        unsigned told;       /* of those, the first so many */
        uint64_t suppressed; /* what the first of them brings up */
} Step;

#define SEC NSEC_PER_SEC

static const struct {
        const char *title;
        Step steps[8];
} storms[] = {
        { "a lone event is told at once", { { 5 * SEC, 1, 1, 0 } } },
        { "events before the clock began to count are told, too", { { 0, 1, 1, 0 }, { 0, 1, 1, 0 } } },
        { "the first 20 of a window are told", { { SEC, 20, 20, 0 } } },
        { "the 21st is not", { { SEC, 21, 20, 0 } } },
        { "20 spread over the window are told, the next is not",
          { { 0, 10, 10, 0 }, { 5 * SEC, 10, 10, 0 }, { 10 * SEC - 1, 1, 0, 0 } } },
        { "a window ends to the nanosecond",
          { { 0, 20, 20, 0 }, { 10 * SEC - 1, 1, 0, 0 }, { 10 * SEC, 1, 1, 1 } } },
        { "what was not told is told of when the next window begins, once",
          { { SEC, 1000, 20, 0 }, { 12 * SEC, 1, 1, 980 }, { 12 * SEC, 1, 1, 0 }, { 30 * SEC, 1, 1, 0 } } },
        { "a window without anything untold brings up nothing",
          { { SEC, 20, 20, 0 }, { 12 * SEC, 1, 1, 0 } } },
        { "a storm without an end is told in pieces",
          { { 0, 100, 20, 0 },
            { 10 * SEC, 100, 20, 80 },
            { 20 * SEC, 100, 20, 80 },
            { 30 * SEC, 1, 1, 80 } } },
        { "a window begins with its first event, not by the clock",
          { { 9 * SEC, 21, 20, 0 }, { 11 * SEC, 1, 0, 0 }, { 19 * SEC, 1, 1, 2 } } },
        { "a clock that goes back ends no window",
          { { 100 * SEC, 20, 20, 0 }, { 50 * SEC, 5, 0, 0 }, { 110 * SEC, 1, 1, 5 } } },
        { "the end of time", { { UINT64_MAX, 21, 20, 0 } } },
};

START_TEST(test_storm) {
        Storm s = {};

        for (const Step *step = storms[_i].steps; step->times > 0; step++)
                for (unsigned k = 0; k < step->times; k++) {
                        uint64_t suppressed = 77;

                        ck_assert_int_eq(storm_count(&s, STORM_BURST, step->at, &suppressed),
                                         k < step->told);
                        ck_assert_uint_eq(suppressed, k == 0 ? step->suppressed : 0);
                }
}
END_TEST

/* Told one by one and told of: together they are all. */
START_TEST(test_nothing_is_lost) {
        uint64_t told = 0, told_of = 0, state = 20260, suppressed;
        nsec_t now = 0;
        Storm s = {};

        for (unsigned k = 0; k < 100000; k++) {
                state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
                now += (state >> 33) % (500 * NSEC_PER_MSEC);
                told += storm_count(&s, STORM_BURST, now, &suppressed);
                told_of += suppressed;
        }
        told += storm_count(&s, STORM_BURST, now + STORM_WINDOW, &suppressed);
        told_of += suppressed;
        ck_assert_uint_eq(told + told_of, 100001);
        ck_assert_uint_gt(told_of, 0);
}
END_TEST

/* Windows that end by themselves: each is told of once, at its end. */
START_TEST(test_ends) {
        uint64_t suppressed;
        Storms s = {};

        ck_assert_uint_eq(storms_next(&s), NSEC_INFINITY);
        ck_assert_int_eq(storms_take(&s, SEC, &suppressed), -ENOENT);
        for (unsigned k = 0; k < STORM_BURST; k++)
                ck_assert(storms_count(&s, REJECT_DECODE, SEC, &suppressed));
        ck_assert_uint_eq(storms_next(&s), NSEC_INFINITY);
        ck_assert(!storms_count(&s, REJECT_DECODE, 2 * SEC, &suppressed));
        ck_assert_uint_eq(storms_next(&s), 11 * SEC);
        for (unsigned k = 0; k < STORM_BURST_AGENTS + 5; k++)
                ck_assert_int_eq(storms_count(&s, STORM_STALLED, 3 * SEC, &suppressed),
                                 k < STORM_BURST_AGENTS);
        ck_assert_uint_eq(storms_next(&s), 11 * SEC);
        ck_assert_int_eq(storms_take(&s, 11 * SEC - 1, &suppressed), -ENOENT);
        ck_assert_int_eq(storms_take(&s, 11 * SEC, &suppressed), REJECT_DECODE);
        ck_assert_uint_eq(suppressed, 1);
        ck_assert_int_eq(storms_take(&s, 11 * SEC, &suppressed), -ENOENT);
        ck_assert_uint_eq(storms_next(&s), 13 * SEC);
        ck_assert_int_eq(storms_take(&s, 13 * SEC, &suppressed), STORM_STALLED);
        ck_assert_uint_eq(suppressed, 5);
        ck_assert_uint_eq(storms_next(&s), NSEC_INFINITY);
        ck_assert(storms_count(&s, STORM_STALLED, 13 * SEC, &suppressed));
        ck_assert_uint_eq(suppressed, 0);
        for (unsigned k = 0; k < _STORM_KIND_MAX; k++)
                ck_assert_ptr_nonnull(storm_kind_to_string(k));
        ck_assert_ptr_null(storm_kind_to_string(_STORM_KIND_MAX));
}
END_TEST

int main(void) {
        Suite *s = suite_create("daemon-storms");

        for (size_t i = 0; i < ELEMENTSOF(storms); i++)
                suite_add_row(s, storms[i].title, test_storm, (int) i);
        suite_add_row(s, "nothing is lost between those told and those told of", test_nothing_is_lost, 0);
        suite_add_row(s, "what a window held back is told at its end", test_ends, 0);
        return suite_run(s);
}
