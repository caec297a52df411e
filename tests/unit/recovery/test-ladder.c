/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Back-off doubles, is capped and is forgiven; the limit gives up for one span; failed calls are no rungs. */

#include "recovery/ladder.h"
#include "runner.h"

#define S NSEC_PER_SEC

static const SpanRange backoff = { 5 * S, 300 * S };
static const Rate limit = { 5, 600 * S };

START_TEST(test_delay) {
        static const struct {
                SpanRange range;
                unsigned n;
                nsec_t expected;
        } rows[] = {
                { { 5 * S, 300 * S }, 1, 5 * S },
                { { 5 * S, 300 * S }, 2, 10 * S },
                { { 5 * S, 300 * S }, 3, 20 * S },
                { { 5 * S, 300 * S }, 6, 160 * S },
                { { 5 * S, 300 * S }, 7, 300 * S },
                { { 5 * S, 300 * S }, 1000000, 300 * S },
                { { 7 * S, 7 * S }, 3, 7 * S },
                { { 0, 0 }, 3, 0 },
                { { 1, NSEC_INFINITY }, 64, UINT64_C(1) << 63 },
                { { 1, NSEC_INFINITY }, 65, NSEC_INFINITY },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_uint_eq(ladder_delay(&rows[i].range, rows[i].n), rows[i].expected);
}
END_TEST

START_TEST(test_climb) {
        Ladder l = {};

        ladder_climb(&l, &backoff, 100 * S);
        ck_assert_uint_eq(l.attempt, 1);
        ck_assert_uint_eq(ladder_wait(&l, 100 * S), 105 * S);
        ck_assert_uint_eq(ladder_wait(&l, 105 * S), 0);
        ladder_climb(&l, &backoff, 110 * S);
        ck_assert_uint_eq(ladder_wait(&l, 110 * S), 120 * S);
}
END_TEST

START_TEST(test_failed_calls_are_no_rungs) {
        Ladder l = {};

        ladder_hold(&l, 100 * S, 300 * S);
        ck_assert_uint_eq(l.attempt, 0);
        ck_assert_uint_eq(l.n, 0);
        ck_assert_uint_eq(ladder_wait(&l, 100 * S), 400 * S);
        ladder_climb(&l, &backoff, 200 * S);
        ck_assert_msg(ladder_wait(&l, 200 * S) == 205 * S, "a restart that worked ends the hold");
}
END_TEST

START_TEST(test_healthy_spell) {
        static const struct {
                const char *title;
                nsec_t spell;
                bool reset;
        } rows[] = {
                { "at once", 0, false },
                { "one cap later", 300 * S, false },
                { "just before ten times the cap", 3000 * S - 1, false },
                { "ten times the cap", 3000 * S, true },
                { "a day", 86400 * S, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Ladder l = {};

                ladder_climb(&l, &backoff, 100 * S);
                ladder_climb(&l, &backoff, 200 * S);
                ck_assert_msg(ladder_trouble(&l, &backoff, 200 * S + rows[i].spell) == rows[i].reset, "%s",
                              rows[i].title);
                ck_assert_msg(l.attempt == (rows[i].reset ? 0 : 2), "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_trouble_begins_the_spell_anew) {
        Ladder l = {};

        ladder_climb(&l, &backoff, 100 * S);
        ck_assert(!ladder_trouble(&l, &backoff, 2000 * S));
        ck_assert(!ladder_trouble(&l, &backoff, 4000 * S));
        ck_assert_uint_eq(l.attempt, 1);
}
END_TEST

START_TEST(test_limit) {
        Ladder l = {};

        for (unsigned i = 0; i < 5; i++) {
                ck_assert(!ladder_is_spent(&l, &limit, (100 + i) * S));
                ladder_climb(&l, &backoff, (100 + i) * S);
        }
        ck_assert(ladder_is_spent(&l, &limit, 105 * S));
        ck_assert_msg(ladder_is_spent(&l, &limit, 700 * S - 1), "the first restart is still in the window");
        ck_assert_msg(!ladder_is_spent(&l, &limit, 700 * S), "the first restart has left the window");
        ck_assert_uint_eq(l.n, 4);
}
END_TEST

START_TEST(test_no_limit) {
        static const Rate none = { 0, 0 };
        Ladder l = {};

        for (unsigned i = 0; i < 1000; i++)
                ladder_climb(&l, &backoff, i * S);
        ck_assert(!ladder_is_spent(&l, &none, 1000 * S));
}
END_TEST

START_TEST(test_the_largest_limit_fits_the_ring) {
        static const Rate most = { CONFIG_RESTART_LIMIT_MAX, 600 * S };
        Ladder l = {};

        for (unsigned i = 0; i < CONFIG_RESTART_LIMIT_MAX - 1; i++)
                ladder_climb(&l, &backoff, S);
        ck_assert(!ladder_is_spent(&l, &most, 2 * S));
        for (unsigned i = 0; i < 3; i++) {
                ladder_climb(&l, &backoff, 3 * S);
                ck_assert(ladder_is_spent(&l, &most, 3 * S));
                ck_assert_uint_le(l.n, CONFIG_RESTART_LIMIT_MAX);
        }
}
END_TEST

START_TEST(test_give_up) {
        Ladder l = {};

        for (unsigned i = 0; i < 5; i++)
                ladder_climb(&l, &backoff, 100 * S);
        ladder_give_up(&l, &limit, 200 * S);
        ck_assert_uint_eq(l.gave_up_until, 800 * S);
        ck_assert(!ladder_expire(&l, 800 * S - 1));
        ck_assert_msg(!ladder_trouble(&l, &backoff, 800 * S - 1), "a unit that is given up is not healthy");
        ck_assert(ladder_expire(&l, 800 * S));
        ck_assert_uint_eq(l.gave_up_until, 0);
        ck_assert_uint_eq(l.attempt, 0);
        ck_assert(!ladder_is_spent(&l, &limit, 800 * S));
        ck_assert_msg(!ladder_expire(&l, 900 * S), "it ends once");
}
END_TEST

START_TEST(test_reset_by_hand) {
        Ladder l = {};

        for (unsigned i = 0; i < 5; i++)
                ladder_climb(&l, &backoff, 100 * S);
        ladder_give_up(&l, &limit, 100 * S);
        ladder_reset(&l);
        ck_assert_uint_eq(ladder_wait(&l, 100 * S), 0);
        ck_assert_uint_eq(l.gave_up_until, 0);
        ck_assert(!ladder_is_spent(&l, &limit, 100 * S));
}
END_TEST

START_TEST(test_the_end_of_time) {
        static const Rate endless = { 1, NSEC_INFINITY };
        Ladder l = {};

        ladder_climb(&l, &backoff, NSEC_INFINITY - 1);
        ck_assert_uint_eq(l.backoff_until, NSEC_INFINITY);
        ck_assert(ladder_is_spent(&l, &endless, NSEC_INFINITY - 1));
        ladder_give_up(&l, &endless, 1);
        ck_assert_uint_eq(l.gave_up_until, NSEC_INFINITY);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_delay,
                test_climb,
                test_failed_calls_are_no_rungs,
                test_healthy_spell,
                test_trouble_begins_the_spell_anew,
                test_limit,
                test_no_limit,
                test_the_largest_limit_fits_the_ring,
                test_give_up,
                test_reset_by_hand,
                test_the_end_of_time,
        };

        return run_tests("recovery-ladder", tests, ELEMENTSOF(tests));
}
