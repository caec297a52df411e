/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Making an observer, asking it, and the names of things. */

#include <check.h>
#include <string.h>

#include "core/tracker.h"
#include "core/units.h"
#include "scene.h"

static void make_nothing(ObserverSettings *s) {
}

static void make_threshold_short(ObserverSettings *s) {
        s->threshold = 10 * MSEC - 1;
}

static void make_threshold_shortest(ObserverSettings *s) {
        s->threshold = 10 * MSEC;
}

static void make_threshold_longest(ObserverSettings *s) {
        s->threshold = NSEC_PER_DAY;
}

static void make_threshold_long(ObserverSettings *s) {
        s->threshold = NSEC_PER_DAY + 1;
}

static void make_capacity_zero(ObserverSettings *s) {
        s->capacity = 0;
}

static void make_capacity_one(ObserverSettings *s) {
        s->capacity = 1;
}

static void make_capacity_largest(ObserverSettings *s) {
        s->capacity = TRACKER_CAPACITY_MAX;
}

static void make_capacity_too_large(ObserverSettings *s) {
        s->capacity = TRACKER_CAPACITY_MAX + 1;
}

static void make_units_largest(ObserverSettings *s) {
        s->units = UNITS_LIMIT;
}

static void make_units_too_many(ObserverSettings *s) {
        s->units = UNITS_LIMIT + 1;
}

static void make_share_zero(ObserverSettings *s) {
        s->per_uid_share = 0;
}

static void make_share_above(ObserverSettings *s) {
        s->per_uid_share = 101;
}

static void make_eviction_unknown(ObserverSettings *s) {
        s->eviction = _EVICTION_POLICY_MAX;
}

static void make_eviction_invalid(ObserverSettings *s) {
        s->eviction = _EVICTION_POLICY_INVALID;
}

static void make_origins_unknown(ObserverSettings *s) {
        s->origin_policy = _ORIGIN_POLICY_MAX;
}

static void make_origins_invalid(ObserverSettings *s) {
        s->origin_policy = _ORIGIN_POLICY_INVALID;
}

/* settings: out of their range they are refused, and at its ends accepted */
START_TEST(test_settings) {
        static const struct {
                const char *title;
                void (*make)(ObserverSettings *s);
                int result;
        } cases[] = {
                { "the defaults", make_nothing, 0 },
                { "a threshold below 10 ms", make_threshold_short, -EINVAL },
                { "10 ms", make_threshold_shortest, 0 },
                { "a day", make_threshold_longest, 0 },
                { "more than a day", make_threshold_long, -EINVAL },
                { "no slots", make_capacity_zero, -EINVAL },
                { "one slot", make_capacity_one, 0 },
                { "1,048,576 slots", make_capacity_largest, 0 },
                { "one more", make_capacity_too_large, -EINVAL },
                { "the most units", make_units_largest, 0 },
                { "more units than numbers", make_units_too_many, -EINVAL },
                { "a share of nothing", make_share_zero, -EINVAL },
                { "a share of more than all", make_share_above, -EINVAL },
                { "an eviction policy that is none", make_eviction_unknown, -EINVAL },
                { "one below the range", make_eviction_invalid, -EINVAL },
                { "an origin policy that is none", make_origins_unknown, -EINVAL },
                { "one below the range", make_origins_invalid, -EINVAL },
        };
        static Stage s;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ObserverSettings settings = scene_settings(&(ObserverSettings){}, false);
                Observer *o = NULL;
                int r;

                cases[i].make(&settings);
                r = observer_new(&settings, &stage_hooks, &s, 0, &o);
                ck_assert_msg(r == cases[i].result, "%s: %d instead of %d", cases[i].title, r,
                              cases[i].result);
                ck_assert_msg(!!o == (r == 0), "%s: the output is touched on failure only", cases[i].title);
                observer_free(o);
        }
        ck_assert_ptr_null(observer_free(NULL));
}
END_TEST

/* settings: 64 listeners and no more */
START_TEST(test_listeners) {
        static const Scene scene = { .title = "listeners" };
        static Stage s;

        stage_open(&s, &scene);
        for (int i = 1; i < (int) OBSERVER_LISTENERS_MAX; i++)
                ck_assert_int_eq(observer_add_listener(s.observer, s.now), i);
        ck_assert_int_eq(observer_add_listener(s.observer, s.now), -E2BIG);
        stage_close(&s);
}
END_TEST

/* listing: every page size shows every agent exactly once, gaps in the table included */
START_TEST(test_listing) {
        enum {
                AGENTS = 300
        };
        static const Scene scene = { .title = "listing", .settings = { .capacity = 400 } };
        static const size_t pages[] = { 1, 2, 7, 64, 299, 300, 1000 };
        static AgentInfo infos[1000];
        static Stage s;

        stage_open(&s, &scene);
        s.quiet = true;
        for (uint32_t i = 0; i < AGENTS; i++)
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(1000 + i, 1)), VERDICT_INSERTED);
        for (uint32_t i = 0; i < AGENTS; i += 3)
                ck_assert_int_eq(observer_forget_agent(s.observer, stage_agent(&s, 1000 + i).id, s.now), 0);

        for (size_t p = 0; p < ELEMENTSOF(pages); p++) {
                uint8_t seen[AGENTS] = {};
                uint32_t cursor = 0, calls = 0;

                do {
                        size_t n = observer_list(s.observer, cursor, infos, pages[p], &cursor);

                        ck_assert_uint_le(n, pages[p]);
                        for (size_t i = 0; i < n; i++)
                                seen[infos[i].pid - 1000]++;
                        ck_assert_uint_le(++calls, 2 * AGENTS);
                } while (cursor != 0);
                for (uint32_t i = 0; i < AGENTS; i++)
                        ck_assert_msg(seen[i] == (i % 3 != 0), "pages of %zu: %u was seen %u times",
                                      pages[p], i, seen[i]);
        }
        stage_close(&s);
}
END_TEST

/* listing: whoever is there for the whole walk is seen once, though others come and go between the pages */
START_TEST(test_listing_while_agents_change) {
        enum {
                AGENTS = 200
        };
        static const Scene scene = { .title = "listing", .settings = { .capacity = 300 } };
        static AgentInfo infos[16];
        uint8_t seen[AGENTS] = {};
        uint32_t cursor = 0, newcomer = 5000;
        static Stage s;

        stage_open(&s, &scene);
        s.quiet = true;
        for (uint32_t i = 0; i < AGENTS; i++)
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(1000 + i, 1)), VERDICT_INSERTED);
        do {
                size_t n = observer_list(s.observer, cursor, infos, 16, &cursor);

                for (size_t i = 0; i < n; i++)
                        if (infos[i].pid < 5000)
                                seen[infos[i].pid - 1000]++;
                /* Even ones stay. Of the odd ones two leave, and newcomers take their slots. */
                for (int k = 0; k < 2; k++) {
                        AgentInfo info;
                        uint32_t pid = 1001 + (newcomer * 14) % AGENTS;

                        if (pid % 2 == 1 && observer_agent_by_pid(s.observer, SOURCE_LOCAL, pid, &info) == 0)
                                ck_assert_int_eq(observer_forget_agent(s.observer, info.id, s.now), 0);
                        ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(newcomer++, 1)), VERDICT_INSERTED);
                }
        } while (cursor != 0);
        for (uint32_t i = 0; i < AGENTS; i += 2)
                ck_assert_msg(seen[i] == 1, "%u was seen %u times", i, seen[i]);
        stage_close(&s);
}
END_TEST

/* listing: in a nearly empty table each page is bounded work, and the end is reached */
START_TEST(test_listing_of_an_empty_table) {
        static const Scene scene = { .title = "listing", .settings = { .capacity = 100000 } };
        uint32_t cursor = 0, pages = 0, found = 0;
        static Stage s;
        AgentInfo info;

        stage_open(&s, &scene);
        s.quiet = true;
        for (uint32_t i = 0; i < 100000; i++)
                require(stage_send(&s, &(Step) NETWORK(1000 + i, 1)) == VERDICT_INSERTED);
        for (uint32_t i = 0; i < 99999; i++)
                require(observer_forget_agent(s.observer, stage_agent(&s, 1000 + i).id, s.now) == 0);
        do {
                found += (uint32_t) observer_list(s.observer, cursor, &info, 1, &cursor);
                pages++;
        } while (cursor != 0);
        require(found == 1);
        require(pages > 2);
        require(pages < 20);
        stage_close(&s);
}
END_TEST

/* ids: never given twice, and by the old one nobody is found */
START_TEST(test_ids) {
        static const Scene scene = { .title = "ids", .settings = { .capacity = 2 } };
        static Stage s;
        uint64_t last = 0;
        AgentInfo info;

        stage_open(&s, &scene);
        s.quiet = true;
        for (int i = 0; i < 10000; i++) {
                uint64_t id;

                require(stage_send(&s, &(Step) NETWORK(100, 1)) == VERDICT_INSERTED);
                id = stage_agent(&s, 100).id;
                require(id > last);
                require(observer_agent(s.observer, last, &info) == -ENOENT);
                require(observer_agent(s.observer, id, &info) == 0);
                require(observer_forget_agent(s.observer, id, s.now) == 0);
                require(observer_forget_agent(s.observer, id, s.now) == -ENOENT);
                require(observer_reset_agent(s.observer, id, s.now) == -ENOENT);
                last = id;
        }
        require(observer_agent_by_pid(s.observer, SOURCE_LOCAL, 100, &info) == -ENOENT);
        stage_close(&s);
}
END_TEST

/* memory: at most 160 bytes per agent, at the sizes that the documentation names */
START_TEST(test_memory) {
        static const uint32_t capacities[] = { 65536, TRACKER_CAPACITY_MAX };
        static Stage s;

        for (size_t i = 0; i < ELEMENTSOF(capacities); i++) {
                ObserverSettings settings =
                                scene_settings(&(ObserverSettings){ .capacity = capacities[i] }, false);
                Observer *o;

                ck_assert_int_eq(observer_new(&settings, &stage_hooks, &s, 0, &o), 0);
                /* The queue of stalls, the table of uids and that of units do not grow with the agents. */
                ck_assert_uint_lt(observer_memory(o), capacities[i] * UINT64_C(160) + (UINT64_C(2) << 20));
                observer_free(o);
        }
}
END_TEST

/* names: they are what the bus and the journal show, and there are none outside */
START_TEST(test_names) {
        static const char *const origins[] = { "network-unverified", "socket-mode-only", "operator-attested",
                                               "kernel-attested" };
        static const char *const reasons[] = { "silent", "exited", "never-beat" };
        static const char *const rejects[] = {
                "decode",   "auth-failure",  "origin-conflict", "namespace-conflict", "control-truncated",
                "io-error", "decrypt-failed"
        };
        static const char *const limits[] = { "per-pid", "global", "per-uid", "unopened" };

        for (int i = 0; i < _ORIGIN_MAX; i++)
                ck_assert_str_eq(origin_to_string((Origin) i), origins[i]);
        for (int i = 0; i < _STALL_REASON_MAX; i++)
                ck_assert_str_eq(stall_reason_to_string((StallReason) i), reasons[i]);
        for (int i = 0; i < _REJECT_CLASS_MAX; i++)
                ck_assert_str_eq(reject_class_to_string((RejectClass) i), rejects[i]);
        for (int i = 0; i < _RATE_LIMIT_MAX; i++)
                ck_assert_str_eq(rate_limit_to_string((RateLimit) i), limits[i]);
        for (int i = 0; i < _VERDICT_MAX; i++)
                ck_assert_ptr_nonnull(verdict_to_string((Verdict) i));

        ck_assert_ptr_null(origin_to_string(_ORIGIN_MAX));
        ck_assert_ptr_null(origin_to_string(_ORIGIN_INVALID));
        ck_assert_ptr_null(stall_reason_to_string(_STALL_REASON_MAX));
        ck_assert_ptr_null(reject_class_to_string(_REJECT_CLASS_INVALID));
        ck_assert_ptr_null(rate_limit_to_string(_RATE_LIMIT_MAX));
        ck_assert_ptr_null(verdict_to_string(_VERDICT_MAX));
        ck_assert_ptr_null(verdict_to_string(_VERDICT_INVALID));
}
END_TEST

TESTS_MAIN("core: observer", test_settings, test_listeners, test_listing, test_listing_while_agents_change,
           test_listing_of_an_empty_table, test_ids, test_memory, test_names)
