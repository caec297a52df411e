/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who makes room in a full table, and who must not. */

#include <check.h>

#include "scene.h"

#define STRICT   .settings.eviction = EVICTION_STRICT
#define BALANCED .settings.eviction = EVICTION_BALANCED

static void slot_is_others(Stage *s) {
        AgentInfo info;

        ck_assert_int_eq(observer_agent_by_pid(s->observer, SOURCE_LOCAL, 100, &info), -ENOENT);
        ck_assert_uint_eq(observer_tracked(s->observer), 2);
}

static void no_pidfd_is_kept(Stage *s) {
        ck_assert_int_eq(s->pidfds, 2);
}

static const Scene scenes[] = {
        {
                        .title = "eviction strict: a full table of live agents refuses",
                        STRICT,
                        .settings.capacity = 2,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   WAIT(NSEC_PER_HOUR), /* silent for long, but nobody was told */
                                   LOCAL(102, 1, .is = "capacity-exceeded"), CHECK(no_pidfd_is_kept) },
                        .counts = "Beats=2 CapacityExceeded=1",
        },
        {
                        .title = "eviction strict: a stalled agent leaves after more than 10 thresholds of "
                                 "silence",
                        STRICT,
                        .settings.capacity = 2,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   WAIT(9 * SEC + SEC / 2),
                                   LOCAL(101, 2, .is = "refreshed", .tells = "confirmed(101)"),
                                   WAIT(SEC / 2), EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   LOCAL(102, 1, .is = "capacity-exceeded"), WAIT(1),
                                   LOCAL(102, 1, .is = "inserted", .tells = "evicted(100) appeared(102)"),
                                   CHECK(slot_is_others) },
                        .counts = "Beats=4 Stalls=1 CapacityExceeded=1 Evictions=1",
        },
        {
                        .title = "eviction strict: the longest silent goes first, and its stall is told "
                                 "before that",
                        STRICT,
                        .settings.capacity = 2,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(1),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"), WAIT(11 * SEC),
                                   EMPTY(0), TICK(),
                                   LOCAL(102, 1, .is = "inserted",
                                         .tells = "stall:silent(100) stall:silent(101) evicted(100) "
                                                  "appeared(102)"),
                                   LOCAL(103, 1, .is = "inserted", .tells = "evicted(101) appeared(103)"),
                                   LOCAL(104, 1, .is = "capacity-exceeded") },
                        .counts = "Beats=4 Stalls=2 Evictions=2 CapacityExceeded=1",
        },
        {
                        .title = "eviction strict: ten thresholds are those of the agent's own unit",
                        STRICT,
                        .settings.capacity = 1,
                        .rules = (const UnitRules[3]){ { 100 * MSEC, NSEC_PER_HOUR, EXIT_RULE_EVENT } },
                        .processes = { { .pid = 100, .unit = "x.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   LOCAL(101, 1, .is = "capacity-exceeded"), WAIT(1),
                                   LOCAL(101, 1, .is = "inserted", .tells = "evicted(100) appeared(101)") },
                        .counts = "Beats=2 Stalls=1 Evictions=1 CapacityExceeded=1",
        },
        {
                        .title = "eviction balanced: with no such agent the longest silent leaves, whatever "
                                 "its state",
                        BALANCED,
                        .settings.capacity = 2,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"), WAIT(MSEC),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   LOCAL(102, 1, .is = "inserted", .tells = "evicted(101) appeared(102)") },
                        .counts = "Beats=4 Evictions=1",
        },
        {
                        .title = "eviction balanced: a stalled agent beyond 10 thresholds goes before one "
                                 "silent for longer",
                        BALANCED,
                        .settings.capacity = 2,
                        .rules = (const UnitRules[3]){ { NSEC_PER_HOUR, NSEC_PER_HOUR, EXIT_RULE_EVENT } },
                        .processes = { { .pid = 100, .unit = "x.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"), WAIT(11 * SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(101)"),
                                   LOCAL(102, 1, .is = "inserted", .tells = "evicted(101) appeared(102)") },
                        .counts = "Beats=3 Stalls=1 Evictions=1",
        },
        {
                        .title = "eviction share: a uid above its share gives its own longest-silent slot, "
                                 "not another's",
                        BALANCED,
                        .settings.capacity = 4,
                        .settings.per_uid_share = 50,
                        .processes = { { .pid = 90, .uid = 7 }, { .pid = 91, .uid = 8 } },
                        .steps = { LOCAL(90, 1, .uid = 7, .is = "inserted", .tells = "appeared(90)"),
                                   WAIT(MSEC), LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(MSEC), LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   WAIT(MSEC), LOCAL(102, 1, .is = "inserted", .tells = "appeared(102)"),
                                   WAIT(MSEC),
                                   LOCAL(103, 1, .is = "inserted", .tells = "evicted(100) appeared(103)"),
                                   LOCAL(91, 1, .uid = 8, .is = "inserted",
                                         .tells = "evicted(90) appeared(91)") },
                        .counts = "Beats=6 Evictions=2",
        },
        {
                        .title = "eviction share: exactly the share is not above it",
                        BALANCED,
                        .settings.capacity = 2,
                        .settings.per_uid_share = 50,
                        .processes = { { .pid = 90, .uid = 7 } },
                        .steps = { LOCAL(90, 1, .uid = 7, .is = "inserted", .tells = "appeared(90)"),
                                   WAIT(MSEC), LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "evicted(90) appeared(101)") },
                        .counts = "Beats=3 Evictions=1",
        },
        {
                        .title = "eviction share: with nothing of its own to give, the uid is refused",
                        STRICT,
                        .settings.capacity = 2,
                        .settings.per_uid_share = 50,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   LOCAL(102, 1, .is = "rate-limited") },
                        .counts = "Beats=2 RateLimited.per-uid=1",
        },
        {
                        .title = "eviction share: senders without a uid share one",
                        STRICT,
                        .settings.capacity = 2,
                        .settings.per_uid_share = 50,
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)", .source = 1),
                                   NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)", .source = 2),
                                   NETWORK(100, 1, .is = "rate-limited", .source = 3),
                                   LOCAL(100, 1, .is = "capacity-exceeded") },
                        .counts = "Beats=2 RateLimited.per-uid=1 CapacityExceeded=1",
        },
};

#define CROWD 1100U

static const Scene crowd = {
        .title = "a crowd",
        .settings = { .capacity = CROWD + 12, .per_uid_share = 1, .eviction = EVICTION_BALANCED },
};

/* counter EvictionTruncated: a search that 1,024 others stand in the way of ends there and is counted */
START_TEST(test_search_is_bounded) {
        static Stage s;

        stage_open(&s, &crowd);
        s.quiet = true;
        for (uint32_t i = 0; i < CROWD; i++)
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(10000 + i, 1)), VERDICT_INSERTED);
        for (uint32_t i = 0; i < 12; i++)
                ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(100 + i, 1)), VERDICT_INSERTED);
        ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(200, 1)), VERDICT_RATE_LIMITED);
        stage_expect_counts(&s, "Beats=1112 RateLimited.per-uid=1 EvictionTruncated=1");

        /* Within the bound the search finds the one it wants. */
        s.now += MSEC;
        for (uint32_t i = 0; i < 100; i++)
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(10000 + i, 2)), VERDICT_REFRESHED);
        ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(200, 1)), VERDICT_INSERTED);
        ck_assert_uint_eq(s.events[EVENT_EVICTED], 1);
        stage_expect_counts(&s, "Beats=1213 RateLimited.per-uid=1 EvictionTruncated=1 Evictions=1");
        stage_close(&s);
}
END_TEST

SCENES_MAIN("core: eviction", scenes, test_search_is_bounded)
