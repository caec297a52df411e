/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Processes behind agents: first sight, confirmation, exit, pids that come back, containers. */

#include <check.h>
#include <string.h>

#include "scene.h"

static const UnitRules stall_rules[3] = {
        { SCENE_THRESHOLD, SCENE_FORGET, EXIT_RULE_STALL },
        { SCENE_THRESHOLD, SCENE_FORGET, EXIT_RULE_EVENT },
        { SCENE_THRESHOLD, SCENE_FORGET, EXIT_RULE_EVENT },
};

static void looked_once(Stage *s) {
        ck_assert_uint_eq(s->identified, 1);
}

static void looked_twice(Stage *s) {
        ck_assert_uint_eq(s->identified, 2);
}

static void identity_is_kept(Stage *s) {
        AgentInfo info = stage_agent(s, 100);
        uint8_t invocation[INVOCATION_ID_SIZE];
        UnitInfo unit;

        memset(invocation, 1, sizeof(invocation));
        ck_assert_mem_eq(info.invocation, invocation, sizeof(invocation));
        ck_assert_uint_eq(info.generation, 7000);
        ck_assert_uint_eq(info.namespace_inode, 55);
        ck_assert_uint_eq(info.uid, SCENE_UID);
        ck_assert(info.has_pidfd);
        ck_assert(!info.confirmed);
        ck_assert_int_eq(observer_unit(s->observer, info.unit, &unit), 0);
        ck_assert_str_eq(unit.name, "x.service");
}

static void uid_is_the_kernels(Stage *s) {
        ck_assert_uint_eq(stage_agent(s, 100).uid, SCENE_UID);
        ck_assert_uint_eq(stage_agent(s, 100).generation, 0);
}

static void is_confirmed(Stage *s) {
        ck_assert(stage_agent(s, 100).confirmed);
}

static void is_not_confirmed(Stage *s) {
        ck_assert(!stage_agent(s, 100).confirmed);
}

static void has_no_pidfd(Stage *s) {
        ck_assert(!stage_agent(s, 100).has_pidfd);
        ck_assert_int_eq(s->pidfds, 0);
}

static void nobody_is_tracked(Stage *s) {
        ck_assert_uint_eq(observer_tracked(s->observer), 0);
        ck_assert_int_eq(s->pidfds, 0);
}

static void last_word_is_said(Stage *s) {
        ck_assert(s->last.last_word);
}

static void no_last_word_is_said(Stage *s) {
        ck_assert(!s->last.last_word);
}

static void gone_is_told_in_full(Stage *s) {
        ck_assert(s->last.gone);
        ck_assert_uint_eq(s->last.agent.id, 0);
        ck_assert_uint_eq(s->last.agent.pid, 100);
        ck_assert_uint_eq(s->last.agent.uid, SCENE_UID);
        ck_assert_uint_eq(s->last.agent.last_nonce, 0);
        ck_assert(s->last.last_word);
        ck_assert_str_eq(s->last_unit, "");
}

static void nothing_is_stalled(Stage *s) {
        ck_assert_uint_eq(observer_stalled(s->observer), 0);
        ck_assert(!observer_has_stalls(s->observer));
}

static void tracked_under_outer_pid(Stage *s) {
        ck_assert_uint_eq(stage_agent(s, 100).pid, 100);
        ck_assert_uint_eq(stage_agent(s, 100).namespace_inode, 77);
}

static void looked_inside_once(Stage *s) {
        ck_assert_uint_eq(s->looked_inside, 1);
}

static const Scene scenes[] = {
        {
                        .title = "identity first sight: a process is looked at once, and what is seen is "
                                 "kept",
                        .processes = { { .pid = 100, .unit = "x.service", .inode = 55 } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   CHECK(identity_is_kept),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   LOCAL(100, 3, .is = "refreshed"), WAIT(SEC),
                                   LOCAL(100, 4, .is = "refreshed"), CHECK(looked_once) },
                        .counts = "Beats=4",
        },
        {
                        .title = "identity first sight: what /proc hides stays unknown, the uid is the "
                                 "credentials'",
                        .processes = { { .pid = 100, .unit = "x.service", .hidden = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   CHECK(uid_is_the_kernels) },
                        .counts = "Beats=1",
        },
        {
                        .title = "identity gone: dead at first sight, the beat counts, the exit is told, no "
                                 "slot is taken",
                        .processes = { { .pid = 100, .dead = true } },
                        .steps = { LAST_WORD(100, 1, .is = "gone", .tells = "exit:gone(100)"),
                                   CHECK(gone_is_told_in_full), CHECK(nobody_is_tracked) },
                        .counts = "Beats=1 Exits=1",
        },
        {
                        .title = "identity gone: a pid whose uid is another's by now is gone too",
                        .processes = { { .pid = 100, .uid = 7 } },
                        .steps = { LOCAL(100, 1, .is = "gone", .tells = "exit:gone(100)"),
                                   CHECK(nobody_is_tracked) },
                        .counts = "Beats=1 Exits=1",
        },
        {
                        .title = "identity confirmed: by a second beat that moves on while the process "
                                 "lives",
                        .steps = { LOCAL(100, 5, .is = "inserted", .tells = "appeared(100)"),
                                   CHECK(is_not_confirmed), LOCAL(100, 5, .is = "out-of-order"),
                                   CHECK(is_not_confirmed),
                                   LOCAL(100, 6, .is = "refreshed", .tells = "confirmed(100)"),
                                   CHECK(is_confirmed) },
                        .counts = "Beats=2 OutOfOrder=1",
        },
        {
                        .title = "identity confirmed: a network agent never is, nobody can look",
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "refreshed"), CHECK(is_not_confirmed) },
                        .counts = "Beats=2",
        },
        {
                        .title = "identity confirmed: a second beat out of the queue of a dead process "
                                 "brings nobody back",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .dead = true),
                                   LOCAL(100, 2, .is = "gone", .tells = "exit(100) stall:exited(100)"),
                                   CHECK(nobody_is_tracked),
                                   LOCAL(100, 3, .is = "gone", .tells = "exit:gone(100)"),
                                   CHECK(nobody_is_tracked) },
                        .counts = "Beats=3 Exits=2",
        },
        {
                        .title = "identity confirmed: nor does a wrap of its nonce go uncounted",
                        .steps = { LOCAL(100, VLP_NONCE_TERMINAL - 1, .is = "inserted",
                                         .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .dead = true),
                                   LOCAL(100, 0, .is = "gone", .tells = "exit(100) stall:exited(100)") },
                        .counts = "Beats=2 Exits=1 NonceWraps=1",
        },
        {
                        .title = "identity recycled: a flood of old nonces makes us look once in 10 ms",
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 5, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 5, .is = "out-of-order"), CHECK(looked_twice),
                                   LOCAL(100, 5, .is = "out-of-order"), LOCAL(100, 4, .is = "out-of-order"),
                                   WAIT(10 * MSEC - 1), LOCAL(100, 4, .is = "out-of-order"),
                                   CHECK(looked_twice) },
                        .counts = "Beats=1 OutOfOrder=4",
        },
        {
                        .title = "identity recycled: old last words of a stalled agent without a pidfd make "
                                 "us look never",
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LAST_WORD(100, 5, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   LAST_WORD(100, 5, .is = "out-of-order"),
                                   LAST_WORD(100, 4, .is = "out-of-order"), CHECK(looked_once) },
                        .counts = "Beats=1 Stalls=1 OutOfOrder=2",
        },
        {
                        .title = "identity recycled: frames that the last look refused make us look once in "
                                 "10 ms",
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .no_pidfd = true, .life = 1, .inner = 100),
                                   LOCAL(100, 2, .is = "namespace-drop",
                                         .tells = "rejected:namespace-conflict"),
                                   CHECK(looked_twice), LOCAL(100, 2, .is = "rate-limited"),
                                   WAIT(10 * MSEC - 1), LOCAL(100, 3, .is = "rate-limited"),
                                   CHECK(looked_twice), WAIT(1),
                                   LOCAL(100, 3, .is = "namespace-drop",
                                         .tells = "rejected:namespace-conflict"),
                                   LOCAL(100, 4, .is = "rate-limited"),
                                   PROCESS(.pid = 100, .no_pidfd = true),
                                   LOCAL(100, 4, .is = "rate-limited"), WAIT(10 * MSEC),
                                   LOCAL(100, 4, .is = "refreshed", .tells = "confirmed(100)"),
                                   LOCAL(100, 5, .is = "refreshed") },
                        .counts = "Beats=3 PidRecycles=2 NamespaceDrops=2 RateLimited.per-pid=4",
        },
        {
                        .title = "identity recycled: without a pidfd, an agent that returns from a stall is "
                                 "looked at again",
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   PROCESS(.pid = 100, .no_pidfd = true, .life = 1),
                                   LOCAL(100, 3, .is = "inserted", .tells = "evicted(100) appeared(100)") },
                        .counts = "Beats=3 Stalls=1 PidRecycles=1",
        },
        {
                        .title = "identity recycled: a newcomer whom the namespace gate refuses leaves the "
                                 "old slot alone",
                        .steps = { LOCAL(100, 5, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(10 * MSEC), PROCESS(.pid = 100, .life = 1, .inner = 100),
                                   LOCAL(100, 1, .is = "namespace-drop",
                                         .tells = "rejected:namespace-conflict"),
                                   EXITED(100, .tells = "exit(100)"), CHECK(nobody_is_tracked) },
                        .counts = "Beats=1 PidRecycles=1 NamespaceDrops=1 Exits=1",
        },
        {
                        .title = "identity budget: without a pidfd an agent is tracked by silence and start "
                                 "time",
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   CHECK(has_no_pidfd),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=2 Stalls=1",
        },
        {
                        .title = "exit event: the exit of a service's process is told at once, and is no "
                                 "stall",
                        .processes = { { .pid = 100, .unit = "x.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   EXITED(100, .tells = "exit(100)"), CHECK(nobody_is_tracked),
                                   CHECK(no_last_word_is_said), WAIT(SEC), EMPTY(0), TICK(), DISPATCH() },
                        .counts = "Beats=2 Exits=1",
        },
        {
                        .title = "exit stall: a process that nobody supervises and that beat twice has died",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   EXITED(100, .tells = "exit(100) stall:exited(100)"),
                                   CHECK(nothing_is_stalled) },
                        .counts = "Beats=2 Exits=1",
        },
        {
                        .title = "exit stall: one that beat once has not been a service",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   EXITED(100, .tells = "exit(100)") },
                        .counts = "Beats=1 Exits=1",
        },
        {
                        .title = "exit stall: a unit's own rule decides",
                        .rules = stall_rules,
                        .processes = { { .pid = 100, .unit = "x.service" },
                                       { .pid = 101, .unit = "y.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   LOCAL(101, 2, .is = "refreshed", .tells = "confirmed(101)"),
                                   EXITED(100, .tells = "exit(100) stall:exited(100)"),
                                   EXITED(101, .tells = "exit(101)") },
                        .counts = "Beats=4 Exits=2",
        },
        {
                        .title = "exit last word: a last word followed by the exit is a crash that spoke",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LAST_WORD(100, 1, .is = "refreshed", .tells = "status+confirmed(100)"),
                                   EXITED(100, .tells = "exit(100) stall:exited(100)"),
                                   CHECK(last_word_is_said) },
                        .counts = "Beats=2 Exits=1",
        },
        {
                        .title = "exit last word: not so when the agent went on after it",
                        .steps = { LAST_WORD(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 1, .is = "refreshed", .tells = "status+confirmed(100)"),
                                   EXITED(100, .tells = "exit(100) stall:exited(100)"),
                                   CHECK(no_last_word_is_said) },
                        .counts = "Beats=2 Exits=1",
        },
        {
                        .title = "exit ghost: no queued beat brings a retired process back",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .dead = true), EXITED(100, .tells = "exit(100)"),
                                   LOCAL(100, 2, .is = "gone", .tells = "exit:gone(100)"),
                                   CHECK(nobody_is_tracked) },
                        .counts = "Beats=2 Exits=2",
        },
        {
                        .title = "exit order: stalls that were concluded are told before it",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), EXITED(100, .tells = "stall:silent(100) exit(100)"),
                                   CHECK(nothing_is_stalled) },
                        .counts = "Beats=1 Stalls=1 Exits=1",
        },
        {
                        .title = "container: a frame naming the innermost pid of a container's process is "
                                 "its agent's",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .inner = 7, .inode = 77 } },
                        .steps = { LOCAL(100, 1, .claims = 7, .is = "inserted", .tells = "appeared(100)"),
                                   CHECK(tracked_under_outer_pid), CHECK(looked_inside_once),
                                   LOCAL(100, 2, .claims = 7, .is = "refreshed", .tells = "confirmed(100)"),
                                   CHECK(looked_inside_once) },
                        .counts = "Beats=2",
        },
        {
                        .title = "container: unless they are not allowed",
                        .processes = { { .pid = 100, .inner = 7 } },
                        .steps = { LOCAL(100, 1, .claims = 7, .is = "namespace-drop",
                                         .tells = "rejected:namespace-conflict") },
                        .counts = "NamespaceDrops=1",
        },
        {
                        .title = "container: any other difference is a forgery",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .inner = 7 } },
                        .steps = { LOCAL(100, 1, .claims = 8, .is = "auth-failure",
                                         .tells = "rejected:auth-failure"),
                                   LOCAL(100, 1, .claims = 7, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .claims = 8, .is = "auth-failure",
                                         .tells = "rejected:auth-failure"),
                                   LOCAL(200, 1, .claims = 7, .is = "auth-failure",
                                         .tells = "rejected:auth-failure") },
                        .counts = "Beats=1 AuthFailures=3",
        },
        {
                        .title = "container: a process that cannot be looked into is not believed",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .inner = 7, .hidden = true } },
                        .steps = { LOCAL(100, 1, .claims = 7, .is = "auth-failure",
                                         .tells = "rejected:auth-failure") },
                        .counts = "AuthFailures=1",
        },
        {
                        .title = "container: two containers may use one inner pid",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .inner = 7 }, { .pid = 101, .inner = 7 } },
                        .steps = { LOCAL(100, 1, .claims = 7, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .claims = 7, .is = "inserted", .tells = "appeared(101)") },
                        .counts = "Beats=2",
        },
};

/* identity budget: an observer without hooks knows nothing of processes, and tracks them all the same */
START_TEST(test_without_hooks) {
        static const Scene scene = { .title = "no hooks" };
        ObserverHooks hooks = { .event = stage_hooks.event, .unit_rules = stage_hooks.unit_rules };
        ObserverSettings settings = scene_settings(&scene.settings, false);
        static Stage s;

        stage_open(&s, &scene);
        s.observer = observer_free(s.observer);
        ck_assert_int_eq(observer_new(&settings, &hooks, &s, s.now, &s.observer), 0);
        ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(100, 1)), VERDICT_INSERTED);
        ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(100, 2)), VERDICT_REFRESHED);
        ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(100, 3, .claims = 4)), VERDICT_AUTH_FAILURE);
        ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(UINT32_MAX, 1)), VERDICT_INSERTED);
        ck_assert(!stage_agent(&s, 100).has_pidfd);
        ck_assert_uint_eq(stage_agent(&s, 100).uid, SCENE_UID);
        stage_close(&s);
}
END_TEST

static int refuse_watch(void *userdata, int pidfd, uint64_t agent) {
        return -ENOSPC;
}

/* identity budget: a pidfd that cannot be watched is released, and the agent tracked without */
START_TEST(test_watch_refused) {
        static const Scene scene = { .title = "a pidfd that cannot be watched" };
        ObserverSettings settings = scene_settings(&scene.settings, false);
        ObserverHooks hooks = stage_hooks;
        static Stage s;

        stage_open(&s, &scene);
        s.observer = observer_free(s.observer);
        hooks.watch = refuse_watch;
        ck_assert_int_eq(observer_new(&settings, &hooks, &s, s.now, &s.observer), 0);
        ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(100, 1)), VERDICT_INSERTED);
        has_no_pidfd(&s);
        stage_close(&s);
}
END_TEST

/* exit ghost: an id that is not tracked any more is ignored */
START_TEST(test_exit_of_nobody) {
        static const Scene scene = { .title = "an exit of nobody" };
        static Stage s;
        uint64_t id;

        stage_open(&s, &scene);
        ck_assert_uint_eq(stage_send(&s, &(Step) LOCAL(100, 1)), VERDICT_INSERTED);
        id = stage_agent(&s, 100).id;
        observer_agent_exited(s.observer, id + 1, s.now);
        observer_agent_exited(s.observer, id + (UINT64_C(1) << 20), s.now);
        observer_agent_exited(s.observer, UINT64_MAX, s.now);
        observer_agent_exited(s.observer, 0, s.now);
        ck_assert_uint_eq(observer_tracked(s.observer), 1);
        observer_agent_exited(s.observer, id, s.now);
        observer_agent_exited(s.observer, id, s.now);
        ck_assert_uint_eq(observer_counters(s.observer)->exits, 1);
        stage_close(&s);
}
END_TEST

SCENES_MAIN("core: identity", scenes, test_without_hooks, test_watch_refused, test_exit_of_nobody)
