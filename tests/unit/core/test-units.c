/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of units, and that of uids: names to numbers, and who holds how many. */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/uids.h"
#include "core/units.h"
#include "run-tests.h"
#include "scene.h"

/* units table: between 1 and 65,533 of them */
START_TEST(test_units_limits) {
        UnitTable t;

        ck_assert_int_eq(units_init(&t, 0, 1), -EINVAL);
        ck_assert_int_eq(units_init(&t, UNITS_LIMIT + 1, 1), -EINVAL);
        ck_assert_int_eq(units_init(&t, UNITS_LIMIT, 1), 0);
        units_done(&t);
}
END_TEST

/* units table: a name has one number for as long as somebody holds it */
START_TEST(test_units_numbers) {
        uint16_t numbers[20];
        bool fresh;
        UnitTable t;

        ck_assert_int_eq(units_init(&t, 20, 99), 0);
        ck_assert_uint_eq(units_ref(&t, "", &fresh), UNIT_NONE);
        ck_assert(!fresh);
        ck_assert_uint_eq(units_find(&t, "a.service"), UNIT_NONE);
        for (int i = 0; i < 20; i++) {
                char name[32];

                snprintf(name, sizeof(name), "unit-%d.service", i);
                numbers[i] = units_ref(&t, name, &fresh);
                ck_assert(fresh);
                ck_assert_uint_ge(numbers[i], 1);
                ck_assert_uint_le(numbers[i], 20);
                ck_assert_uint_eq(units_ref(&t, name, &fresh), numbers[i]);
                ck_assert(!fresh);
                for (int k = 0; k < i; k++)
                        ck_assert_uint_ne(numbers[k], numbers[i]);
        }

        /* Full: the next one shares the overflow entry, which needs no reference. */
        ck_assert_uint_eq(units_ref(&t, "late.service", &fresh), units_overflow(&t));
        ck_assert_uint_eq(units_find(&t, "late.service"), UNIT_NONE);
        units_unref(&t, units_overflow(&t));
        units_unref(&t, UNIT_NONE);

        units_unref(&t, numbers[7]);
        ck_assert_uint_eq(units_find(&t, "unit-7.service"), numbers[7]);
        units_unref(&t, numbers[7]);
        ck_assert_uint_eq(units_find(&t, "unit-7.service"), UNIT_NONE);
        ck_assert_uint_eq(units_ref(&t, "late.service", &fresh), numbers[7]);
        ck_assert(fresh);
        ck_assert_uint_eq(units_find(&t, "unit-8.service"), numbers[8]);
        units_done(&t);
}
END_TEST

/* units table: a name longer than systemd allows shares the overflow entry */
START_TEST(test_units_long_names) {
        char name[UNIT_NAME_SIZE + 1];
        bool fresh;
        UnitTable t;

        ck_assert_int_eq(units_init(&t, 4, 99), 0);
        memset(name, 'x', sizeof(name));
        name[UNIT_NAME_SIZE] = 0;
        ck_assert_uint_eq(units_ref(&t, name, &fresh), units_overflow(&t));
        name[UNIT_NAME_SIZE - 1] = 0;
        ck_assert_uint_ne(units_ref(&t, name, &fresh), units_overflow(&t));
        units_done(&t);
}
END_TEST

static void two_agents_in_x(Stage *s) {
        UnitInfo info;
        uint16_t unit;

        ck_assert_int_eq(observer_unit_by_name(s->observer, "x.service", &unit), 0);
        ck_assert_int_eq(observer_unit(s->observer, unit, &info), 0);
        ck_assert_str_eq(info.name, "x.service");
        ck_assert_uint_eq(info.agents, 2);
        ck_assert_uint_eq(info.stalled, 1);
        ck_assert_uint_eq(info.beats, 3);
        ck_assert_uint_eq(info.rules.threshold, SCENE_THRESHOLD);
}

static void x_is_free(Stage *s) {
        uint16_t unit;

        ck_assert_int_eq(observer_unit_by_name(s->observer, "x.service", &unit), -ENOENT);
}

static void overflow_has_one(Stage *s) {
        uint16_t max = observer_units_max(s->observer);
        UnitInfo info;

        ck_assert_int_eq(observer_unit(s->observer, max, &info), 0);
        ck_assert_str_eq(info.name, UNIT_OVERFLOW_NAME);
        ck_assert_uint_eq(info.agents, 1);
        ck_assert_str_eq(s->last_unit, UNIT_OVERFLOW_NAME);
        ck_assert_uint_eq(s->last.agent.threshold, SCENE_THRESHOLD);
        ck_assert_int_eq(observer_unit(s->observer, (uint16_t) (max + 1), &info), -ENOENT);
}

/* A listener's unit, or recovery's, that is held without an agent. */
static void hold_and_release(Stage *s) {
        uint16_t unit = observer_unit_ref(s->observer, "x.service"), found;
        UnitInfo info;

        ck_assert_int_eq(observer_unit_by_name(s->observer, "x.service", &found), 0);
        ck_assert_uint_eq(found, unit);
        ck_assert_int_eq(observer_unit(s->observer, unit, &info), 0);
        ck_assert_uint_eq(info.agents, 0);
        observer_unit_unref(s->observer, unit);
        ck_assert_int_eq(observer_unit(s->observer, unit, &info), -ENOENT);
}

static const UnitRules long_y[3] = {
        { SCENE_THRESHOLD, SCENE_FORGET, EXIT_RULE_EVENT },
        { NSEC_PER_HOUR, SCENE_FORGET, EXIT_RULE_EVENT },
        { SCENE_THRESHOLD, SCENE_FORGET, EXIT_RULE_EVENT },
};

static const Scene scenes[] = {
        {
                        .title = "units counts: agents, stalled ones and beats are kept per unit",
                        .processes = { { .pid = 100, .unit = "x.service" },
                                       { .pid = 101, .unit = "x.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC / 2),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   LOCAL(101, 2, .is = "refreshed", .tells = "confirmed(101)"),
                                   WAIT(SEC / 2), EMPTY(0), TICK(), CHECK(two_agents_in_x),
                                   EXITED(100, .tells = "stall:silent(100) exit(100)"),
                                   EXITED(101, .tells = "exit(101)"), CHECK(x_is_free) },
                        .counts = "Beats=3 Stalls=1 Exits=2",
        },
        {
                        .title = "units overflow: beyond the table units share one entry, under the default "
                                 "rules",
                        .settings.units = 1,
                        .rules = long_y,
                        .processes = { { .pid = 100, .unit = "x.service" },
                                       { .pid = 101, .unit = "y.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   CHECK(overflow_has_one) },
                        .counts = "Beats=2",
        },
        {
                        .title = "units listener: a network agent belongs to its listener's unit and lives "
                                 "by its rules",
                        .rules = long_y,
                        .steps = { NETWORK(100, 1, .unit = "y.service", .is = "inserted",
                                           .tells = "appeared(100)"),
                                   NETWORK(101, 1, .is = "inserted", .tells = "appeared(101)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(101)") },
                        .counts = "Beats=2 Stalls=1",
        },
        {
                        .title = "units held: a unit keeps its number without an agent while somebody holds "
                                 "it",
                        .steps = { CHECK(hold_and_release), CHECK(x_is_free) },
                        .counts = "",
        },
};

/* uids: counted as an array counts them, at random */
START_TEST(test_uids_against_array) {
        enum {
                UIDS = 3000
        };
        static UidTable t;
        static uint32_t counts[UIDS];
        uint64_t state = 8;

        for (int i = 0; i < 300000; i++) {
                uint32_t n, uid;

                state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
                n = (uint32_t) (state >> 33) % UIDS;
                uid = n % 2 ? n * 65536 : n; /* neighbours, and far apart */
                require(uids_count(&t, uid) == counts[n]);
                if (counts[n] > 0 && (state >> 20 & 1)) {
                        uids_remove(&t, uid, false);
                        counts[n]--;
                } else {
                        require(!uids_add(&t, uid));
                        counts[n]++;
                }
        }
}
END_TEST

/* uids: more than the table holds are counted together, and leave the pool as they came */
START_TEST(test_uids_pool) {
        static UidTable t;

        for (uint32_t uid = 0; uid < UIDS_MAX; uid++)
                require(!uids_add(&t, uid));
        for (uint32_t uid = UIDS_MAX; uid < UIDS_MAX + 10; uid++)
                require(uids_add(&t, uid));
        require(uids_count(&t, UIDS_MAX + 3) == 10);
        require(uids_count(&t, UID_NONE) == 10);
        require(uids_count(&t, 5) == 1);

        uids_remove(&t, 5, false);
        require(uids_count(&t, 5) == 0);
        require(!uids_add(&t, UIDS_MAX + 3)); /* room again */
        require(uids_count(&t, UIDS_MAX + 3) == 1);
        for (uint32_t i = 0; i < 10; i++)
                uids_remove(&t, UIDS_MAX + i, true);
        require(uids_count(&t, UIDS_MAX + 4) == 0);
        for (uint32_t uid = 0; uid < UIDS_MAX; uid++)
                if (uid != 5)
                        uids_remove(&t, uid, false);
        uids_remove(&t, UIDS_MAX + 3, false);
        require(t.used == 0);
        require(t.pool == 0);
}
END_TEST

SCENES_MAIN("core: units", scenes, test_units_limits, test_units_numbers, test_units_long_names,
            test_uids_against_array, test_uids_pool)
