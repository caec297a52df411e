/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thousand recoveries at random: see random.h. VARTA_TEST_SEED= repeats a round that failed, VARTA_TEST_TRACE=1
 * prints every record. */

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "random.h"
#include "util/parse.h"

#define ROUNDS     5U
#define RECOVERIES 200U /* of each round */

static uint64_t first_seed(void) {
        const char *s = getenv("VARTA_TEST_SEED");
        uint64_t seed;

        if (s)
                ck_assert_int_ge(parse_u64(s, 0, UINT64_MAX, &seed), 0);
        else
                ck_assert_int_eq(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
        return seed;
}

/* What became of everything, in one line per name: a play in which nothing goes wrong proves nothing. */
static void tell_of(const Play *p, uint64_t outcomes[_RECOVERY_OUTCOME_MAX], uint64_t *stops,
                    uint64_t *races) {
        for (RecoveryOutcome o = 0; o < _RECOVERY_OUTCOME_MAX; o++)
                outcomes[o] += p->total.outcomes[o];
        *stops += p->stops;
        *races += p->races;
}

START_TEST(test_a_thousand_recoveries) {
        uint64_t outcomes[_RECOVERY_OUTCOME_MAX] = {}, stops = 0, races = 0, seed = first_seed();
        bool trace = getenv("VARTA_TEST_TRACE");
        static Play p;

        for (unsigned i = 0; i < ROUNDS; i++, seed++) {
                printf("VARTA_TEST_SEED=%" PRIu64 "\n", seed);
                (void) fflush(stdout);
                play_init(&p, seed, trace);
                play_run(&p, RECOVERIES);
                play_end(&p);
                play_done(&p);
                tell_of(&p, outcomes, &stops, &races);
        }
        for (RecoveryOutcome o = 0; o < _RECOVERY_OUTCOME_MAX; o++) {
                printf("%-18s %" PRIu64 "\n", recovery_outcome_to_string(o), outcomes[o]);
                ck_assert_msg(outcomes[o] > 0, "nothing ended in %s", recovery_outcome_to_string(o));
        }
        printf("stopped by hand    %" PRIu64 ", %" PRIu64 " of them during a recovery\n", stops, races);
        ck_assert_uint_gt(races, 0);
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_a_thousand_recoveries };

        return run_tests("recovery-random", tests, ELEMENTSOF(tests));
}
