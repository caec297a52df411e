/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two tables: found, removed, full, and which unit makes room. */

#include <stdio.h>
#include <string.h>

#include "recovery/registry.h"
#include "runner.h"

static RecoveryStall *add(Registry *g, uint64_t id, RecoveryUnit *u) {
        AgentInfo agent = { .id = id };

        return registry_stall_add(g, &agent, STALL_SILENT, u);
}

START_TEST(test_stalls_of_units) {
        RecoveryUnit *a, *b;
        Registry g;
        unsigned n = 0;

        ck_assert_int_eq(registry_init(&g, 8, 2), 0);
        a = registry_unit_take(&g, "a.service", 0);
        b = registry_unit_take(&g, "b.service", 0);
        ck_assert_ptr_eq(registry_unit_take(&g, "a.service", 0), a);
        for (uint64_t id = 1; id <= 6; id++)
                ck_assert_ptr_nonnull(add(&g, id << 20, id % 2 ? a : b));
        ck_assert_ptr_nonnull(add(&g, 0, a));
        ck_assert_uint_ne(a->own_stall, REGISTRY_NONE);
        ck_assert_uint_eq(b->own_stall, REGISTRY_NONE);

        ck_assert_uint_eq(registry_unit_stalls(a), 4);
        for (RecoveryStall *s = registry_first(&g, &a->due); s; s = registry_next(&g, s), n++)
                ck_assert_ptr_eq(registry_stall_unit(&g, s), a);
        ck_assert_uint_eq(n, 4);

        registry_stall_remove(&g, registry_stall(&g, UINT64_C(3) << 20));
        ck_assert_ptr_null(registry_stall(&g, UINT64_C(3) << 20));
        ck_assert_ptr_nonnull(registry_stall(&g, UINT64_C(1) << 20));
        ck_assert_ptr_nonnull(registry_stall(&g, UINT64_C(5) << 20));
        registry_stall_remove(&g, &g.stalls[a->own_stall]);
        ck_assert_uint_eq(a->own_stall, REGISTRY_NONE);
        ck_assert_uint_eq(registry_unit_stalls(a), 2);
        ck_assert_uint_eq(g.stalls_used, 5);
        registry_done(&g);
}
END_TEST

START_TEST(test_stalls_without_a_unit) {
        RecoveryStall *s;
        Registry g;

        ck_assert_int_eq(registry_init(&g, 4, 1), 0);
        for (uint64_t id = 1; id <= 3; id++)
                ck_assert_ptr_nonnull(add(&g, id, NULL));
        registry_stall_remove(&g, registry_stall(&g, 1));
        registry_stall_remove(&g, registry_stall(&g, 3));
        s = registry_first(&g, &g.orphans);
        ck_assert_uint_eq(s->agent.id, 2);
        ck_assert_ptr_null(registry_next(&g, s));
        registry_done(&g);
}
END_TEST

START_TEST(test_a_full_table_of_stalls) {
        RecoveryUnit *u;
        Registry g;

        ck_assert_int_eq(registry_init(&g, 3, 1), 0);
        u = registry_unit_take(&g, "a.service", 0);
        for (uint64_t id = 1; id <= 4; id++) /* three, and one that is kept for the unit */
                ck_assert_ptr_nonnull(add(&g, id, u));
        ck_assert_ptr_null(add(&g, 5, u));
        registry_stall_remove(&g, registry_stall(&g, 2));
        ck_assert_ptr_nonnull(add(&g, 5, u));
        ck_assert_ptr_null(registry_stall(&g, 2));
        registry_done(&g);
}
END_TEST

START_TEST(test_which_unit_makes_room) {
        RecoveryUnit *u;
        Registry g;

        ck_assert_int_eq(registry_init(&g, 4, 4), 0);
        (void) add(&g, 1, registry_unit_take(&g, "stalled.service", 100));
        registry_unit_take(&g, "given-up.service", 100)->ladder.gave_up_until = 200;
        registry_unit_take(&g, "waiting.service", 100)->ladder.backoff_until = 150;
        registry_unit_take(&g, "acting.service", 100)->action = 0;
        ck_assert_msg(!registry_unit_take(&g, "new.service", 149), "all of them are needed");

        u = registry_unit_take(&g, "new.service", 150);
        ck_assert_msg(u, "a back-off that is over is not needed");
        ck_assert_ptr_null(registry_unit(&g, "waiting.service"));
        ck_assert_ptr_nonnull(registry_unit(&g, "given-up.service"));
        ck_assert_ptr_eq(registry_unit(&g, "new.service"), u);
        ck_assert_uint_eq(g.units_used, 4);
        registry_done(&g);
}
END_TEST

START_TEST(test_due_and_resting) {
        RecoveryStall *a, *b;
        RecoveryUnit *u;
        Registry g;

        ck_assert_int_eq(registry_init(&g, 8, 1), 0);
        u = registry_unit_take(&g, "a.service", 0);
        a = add(&g, 1, u);
        b = add(&g, 2, u);
        ck_assert_uint_eq(u->due.n, 2);
        registry_stall_rest(&g, a, AGAIN_AT, 70);
        registry_stall_rest(&g, b, AGAIN_AT, 50);
        ck_assert_uint_eq(u->due.n, 0);
        ck_assert_uint_eq(u->waiting[AGAIN_AT], 2);
        ck_assert_uint_eq(u->rest_at, 50);
        registry_stall_rest(&g, b, AGAIN_BEAT, NSEC_INFINITY);
        ck_assert_uint_eq(u->waiting[AGAIN_AT], 1);
        ck_assert_uint_eq(u->waiting[AGAIN_BEAT], 1);
        registry_stall_due(&g, a);
        registry_stall_due(&g, a);
        ck_assert_uint_eq(u->due.n, 1);
        ck_assert_uint_eq(u->waiting[AGAIN_AT], 0);
        registry_stall_remove(&g, b);
        ck_assert_uint_eq(u->waiting[AGAIN_BEAT], 0);
        registry_stall_remove(&g, a);
        ck_assert_uint_eq(registry_unit_stalls(u), 0);

        a = add(&g, 3, NULL);
        registry_stall_due(&g, a); /* of no unit: nobody would come to judge it */
        ck_assert(!a->due);
        registry_stall_rest(&g, a, AGAIN_NEVER, NSEC_INFINITY);
        ck_assert_ptr_eq(registry_first(&g, &g.orphans), a);
        registry_done(&g);
}
END_TEST

/* Taken and given back in a wild order, checked against a plain array. */
START_TEST(test_random) {
        bool there[64] = {};
        uint64_t state = 1;
        RecoveryUnit *u;
        Registry g;

        ck_assert_int_eq(registry_init(&g, 32, 1), 0);
        u = registry_unit_take(&g, "a.service", 0);
        for (unsigned round = 0; round < 20000; round++) {
                uint64_t id;
                unsigned n = 0;

                state = state * UINT64_C(6364136223846793005) + 1;
                id = 1 + (state >> 33) % 63;
                if (there[id]) {
                        registry_stall_remove(&g, registry_stall(&g, id));
                        there[id] = false;
                } else if (g.stalls_used < 32) {
                        ck_assert_ptr_nonnull(add(&g, id, id % 2 ? u : NULL));
                        there[id] = true;
                }
                for (uint64_t i = 1; i < 64; i++)
                        ck_assert_int_eq(registry_stall(&g, i) != NULL, there[i]);
                for (RecoveryStall *s = registry_first(&g, &u->due); s; s = registry_next(&g, s))
                        n++;
                ck_assert_uint_eq(n, registry_unit_stalls(u));
        }
        registry_done(&g);
}
END_TEST

START_TEST(test_many_units) {
        char name[32];
        Registry g;

        ck_assert_int_eq(registry_init(&g, 1, 100), 0);
        for (unsigned i = 0; i < 1000; i++) {
                (void) snprintf(name, sizeof(name), "worker@%u.service", i);
                ck_assert_ptr_nonnull(registry_unit_take(&g, name, 0));
        }
        ck_assert_uint_eq(g.units_used, 100);
        ck_assert_msg(!registry_unit(&g, "worker@899.service"), "the oldest made room");
        ck_assert_ptr_nonnull(registry_unit(&g, "worker@900.service"));
        registry_done(&g);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_stalls_of_units,
                test_stalls_without_a_unit,
                test_a_full_table_of_stalls,
                test_which_unit_makes_room,
                test_due_and_resting,
                test_random,
                test_many_units,
        };

        return run_tests("recovery-registry", tests, ELEMENTSOF(tests));
}
