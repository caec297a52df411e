/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stable names: all there, all different, in the specification's order, and none outside. */

#include <string.h>

#include "recovery/names.h"
#include "runner.h"

START_TEST(test_refusals_in_order) {
        static const char *const expected[] = {
                "mode-off",
                "mode-warn",
                "unauthenticated-transport",
                "socket-mode-only",
                "cross-namespace",
                "unconfirmed",
                "process-changed",
                "no-unit",
                "not-eligible",
                "resumed",
                "paused",
                "traced",
                "frozen",
                "unit-not-active",
                "quorum",
                "grace",
                "host-starved",
                "backoff",
                "gave-up",
                "storm",
                "in-flight",
                "capacity",
        };

        ck_assert_uint_eq(ELEMENTSOF(expected), _RECOVERY_REFUSAL_MAX);
        for (RecoveryRefusal i = 0; i < _RECOVERY_REFUSAL_MAX; i++)
                ck_assert_str_eq(recovery_refusal_to_string(i), expected[i]);
}
END_TEST

START_TEST(test_outcomes_in_order) {
        static const char *const expected[] = {
                "recovered", "no-beat",         "stopped-meanwhile", "job-failed", "job-canceled",
                "timeout",   "start-limit-hit", "access-denied",     "unit-gone",  "bus-lost",
        };

        ck_assert_uint_eq(ELEMENTSOF(expected), _RECOVERY_OUTCOME_MAX);
        for (RecoveryOutcome i = 0; i < _RECOVERY_OUTCOME_MAX; i++)
                ck_assert_str_eq(recovery_outcome_to_string(i), expected[i]);
}
END_TEST

/* A table without holes or doubles, and NULL before and behind it. */
#define CHECK_TABLE(function, type, max)                                                                    \
        do {                                                                                                \
                ck_assert_ptr_null(function((type) -1));                                                    \
                ck_assert_ptr_null(function((type) (max)));                                                 \
                for (int i = 0; i < (int) (max); i++) {                                                     \
                        ck_assert_ptr_nonnull(function((type) i));                                          \
                        for (int k = 0; k < i; k++)                                                         \
                                ck_assert_str_ne(function((type) i), function((type) k));                   \
                }                                                                                           \
        } while (0)

START_TEST(test_tables_are_complete) {
        CHECK_TABLE(recovery_refusal_to_string, RecoveryRefusal, _RECOVERY_REFUSAL_MAX);
        CHECK_TABLE(recovery_outcome_to_string, RecoveryOutcome, _RECOVERY_OUTCOME_MAX);
        CHECK_TABLE(recovery_again_to_string, RecoveryAgain, _RECOVERY_AGAIN_MAX);
        CHECK_TABLE(recovery_record_kind_to_string, RecoveryRecordKind, _RECOVERY_RECORD_KIND_MAX);
        CHECK_TABLE(recovery_unit_state_to_string, RecoveryUnitState, _RECOVERY_UNIT_STATE_MAX);
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_refusals_in_order, test_outcomes_in_order, test_tables_are_complete };

        return run_tests("recovery-names", tests, ELEMENTSOF(tests));
}
