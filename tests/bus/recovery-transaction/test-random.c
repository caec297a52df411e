/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thousand recoveries at random: see random.h. VARTA_TEST_SEED= begins with the round that failed, VARTA_TEST_TRACE=1
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

/* A play in which nothing goes wrong proves nothing. */
static void add(Play *sum, const Play *p) {
        for (RecoveryOutcome o = 0; o < _RECOVERY_OUTCOME_MAX; o++)
                sum->total.outcomes[o] += p->total.outcomes[o];
        for (Trouble t = 1; t < _TROUBLE_MAX; t++)
                sum->troubles[t] += p->troubles[t];
        sum->stops += p->stops;
        sum->races += p->races;
        sum->gave_ups += p->gave_ups;
        sum->captures += p->captures;
        sum->never_beats += p->never_beats;
        sum->torn += p->torn;
        sum->rebooted += p->rebooted;
}

static void tell_of(const Play *sum) {
        static const char *const troubles[_TROUBLE_MAX] = {
                [TROUBLE_BUS_DIES] = "the bus died",
                [TROUBLE_CONNECTION] = "the connection ended",
                [TROUBLE_SYSTEMD] = "systemd left the bus",
                [TROUBLE_OBSERVER] = "the observer was killed",
        };

        for (RecoveryOutcome o = 0; o < _RECOVERY_OUTCOME_MAX; o++) {
                printf("%6" PRIu64 " %s\n", sum->total.outcomes[o], recovery_outcome_to_string(o));
                ck_assert_msg(sum->total.outcomes[o] > 0, "nothing ended in %s",
                              recovery_outcome_to_string(o));
        }
        for (Trouble t = 1; t < _TROUBLE_MAX; t++) {
                printf("%6" PRIu64 " times %s\n", sum->troubles[t], troubles[t]);
                ck_assert_uint_gt(sum->troubles[t], 0);
        }
        printf("%6" PRIu64 " times it found its state torn, %" PRIu64 " times of another boot\n", sum->torn,
               sum->rebooted);
        printf("%6" PRIu64 " captures, %" PRIu64 " units that never beat\n", sum->captures,
               sum->never_beats);
        ck_assert(sum->captures > 0 && sum->never_beats > 0);
        ck_assert(sum->torn > 0 && sum->rebooted > 0);
        printf("%6" PRIu64 " units given up\n", sum->gave_ups);
        printf("%6" PRIu64 " units stopped by hand, %" PRIu64 " of them during a recovery\n", sum->stops,
               sum->races);
        ck_assert_uint_gt(sum->races, 0);
}

START_TEST(test_a_thousand_recoveries) {
        bool trace = getenv("VARTA_TEST_TRACE");
        uint64_t seed = first_seed();
        static Play p, sum;

        for (unsigned i = 0; i < ROUNDS; i++, seed++) {
                printf("VARTA_TEST_SEED=%" PRIu64 "\n", seed);
                (void) fflush(stdout);
                play_init(&p, seed, trace);
                play_run(&p, RECOVERIES);
                play_end(&p);
                play_done(&p);
                add(&sum, &p);
        }
        tell_of(&sum);
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_a_thousand_recoveries };

        return run_tests("recovery-random", tests, ELEMENTSOF(tests));
}
