/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Turns: how many at once, how often then, and what a rest is worth. */

#include "exporter/pace.h"
#include "support.h"
#include "util/macro.h"

#define START (7 * USEC_PER_SEC)

/* Turns that can be taken at `now`. */
static unsigned turns(Pace *p, usec_t now) {
        unsigned n = 0;

        while (pace_take(p, now) == 0)
                n++;
        return n;
}

START_TEST(test_turns) {
        static const struct {
                const char *title;
                usec_t rest; /* after all turns of START were taken */
                unsigned turns;
        } cases[] = {
                { "no rest, no turn", 0, 0 },
                { "a bit less than an interval", USEC_PER_SEC / PACE_RATE - 1, 0 },
                { "an interval is a turn", USEC_PER_SEC / PACE_RATE, 1 },
                { "half a second", USEC_PER_SEC / 2, PACE_RATE / 2 },
                { "a long rest is a burst, and no more", 60 * USEC_PER_SEC, PACE_BURST },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Pace p = {};

                ck_assert_uint_eq(turns(&p, START), PACE_BURST);
                ck_assert_msg(turns(&p, START + cases[i].rest) == cases[i].turns, "%s", cases[i].title);
        }
}
END_TEST

START_TEST(test_when) {
        Pace p = {};
        usec_t when;

        (void) turns(&p, START);
        when = pace_take(&p, START);
        ck_assert_uint_gt(when, START);
        ck_assert_uint_gt(pace_take(&p, when - 1), 0);
        ck_assert_uint_eq(pace_take(&p, when), 0);
        ck_assert_uint_gt(pace_take(&p, when), when);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "how many at once, and after a rest", test_turns },
                { "who has to wait is told until when, exactly", test_when },
        };

        return tests_main("exporter-pace", tests, ELEMENTSOF(tests));
}
