/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring of decisions, and what a decision leaves in it. */

#include <string.h>

#include "runner.h"
#include "world.h"

START_TEST(test_ring) {
        static History h;

        ck_assert_ptr_null(history_at(&h, 0));
        for (unsigned i = 1; i <= HISTORY_MAX + 3; i++)
                history_add(&h)->attempt = i;
        ck_assert_uint_eq(h.n, HISTORY_MAX);
        ck_assert_uint_eq(history_at(&h, 0)->attempt, HISTORY_MAX + 3);
        ck_assert_uint_eq(history_at(&h, HISTORY_MAX - 1)->attempt, 4);
        ck_assert_ptr_null(history_at(&h, HISTORY_MAX));
}
END_TEST

START_TEST(test_decisions) {
        static const struct {
                const char *title;
                UnitMode mode;
                unsigned entries;
        } rows[] = {
                { "what is only counted is no decision to look for", UNIT_MODE_OFF, 0 },
                { "a refusal", UNIT_MODE_WARN, 1 },
                { "a beginning and its end", UNIT_MODE_ENFORCE, 2 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                World w;

                world_init(&w);
                w.policy.mode = rows[i].mode;
                world_stall(&w, world_agent(&w, "a.service", 1));
                for (unsigned k = 0; k < rows[i].entries; k++) {
                        const RecoveryPast *p = recovery_history_at(w.recovery, rows[i].entries - 1 - k);
                        const RecoveryRecord *record = &w.records[k].record;

                        ck_assert_msg(p, "%s", rows[i].title);
                        ck_assert_int_eq(p->kind, record->kind);
                        ck_assert_str_eq(p->unit, "a.service");
                        ck_assert_str_eq(p->reason, record->reason);
                        ck_assert_str_eq(p->sentence, record->sentence);
                        ck_assert_uint_eq(p->pid, 1001);
                        ck_assert_uint_gt(p->wall, 0);
                }
                ck_assert_msg(!recovery_history_at(w.recovery, rows[i].entries), "%s", rows[i].title);
                world_done(&w);
        }
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_ring, test_decisions };

        return run_tests("recovery-history", tests, ELEMENTSOF(tests));
}
