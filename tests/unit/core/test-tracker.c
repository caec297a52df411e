/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A known agent's frame: who may speak for it, and what moves it on. */

#include <check.h>

#include "scene.h"

#define WRAP_WINDOW (UINT64_C(1) << 20)
#define LAST_NONCE  (VLP_NONCE_TERMINAL - 1)

static void is_second_life(Stage *s) {
        ck_assert_uint_eq(stage_agent(s, 100).generation, 7001);
        ck_assert_uint_eq(stage_agent(s, 100).beats, 1);
        ck_assert_uint_eq(stage_agent(s, 100).last_nonce, 1);
        ck_assert(!stage_agent(s, 100).confirmed);
}

static void is_attested(Stage *s) {
        AgentInfo info = stage_agent(s, 100);

        ck_assert_uint_eq(info.origin, ORIGIN_KERNEL_ATTESTED);
        ck_assert_uint_eq(info.uid, SCENE_UID);
        ck_assert(info.has_pidfd);
}

static void conflict_names_origins(Stage *s) {
        ck_assert_uint_eq(s->last.slot_origin, ORIGIN_KERNEL_ATTESTED);
        ck_assert_uint_eq(s->last.observed_origin, ORIGIN_NETWORK_UNVERIFIED);
        ck_assert_uint_eq(stage_agent(s, 100).last_nonce, 1);
        ck_assert_uint_eq(stage_agent(s, 100).last_beat, SCENE_START);
}

static void conflict_names_namespace(Stage *s) {
        ck_assert_uint_eq(s->last.observed_namespace, 88);
        ck_assert_uint_eq(stage_agent(s, 100).namespace_inode, 77);
        ck_assert_uint_eq(stage_agent(s, 100).last_nonce, 1);
}

static void namespace_is_unknown(Stage *s) {
        ck_assert_uint_eq(stage_agent(s, 100).namespace_inode, 0);
}

static void namespace_is_known(Stage *s) {
        ck_assert_uint_eq(stage_agent(s, 100).namespace_inode, 77);
}

static void last_word_kept_the_nonce(Stage *s) {
        AgentInfo info = stage_agent(s, 100);

        ck_assert_uint_eq(info.last_nonce, 8);
        ck_assert_uint_eq(info.status, VLP_STATUS_CRITICAL);
        ck_assert_uint_eq(info.last_beat, s->now);
        ck_assert(info.terminal);
}

static void nothing_changed(Stage *s) {
        AgentInfo info = stage_agent(s, 100);

        ck_assert_uint_eq(info.last_nonce, 5);
        ck_assert_uint_eq(info.last_beat, SCENE_START);
        ck_assert_uint_eq(info.payload, 11);
        ck_assert_uint_eq(info.beats, 1);
        ck_assert_int_eq(info.status, VLP_STATUS_OK);
}

static const Scene scenes[] = {
        {
                        .title = "tracker 1: another start time is another process, the slot starts afresh",
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 9, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .no_pidfd = true, .life = 1),
                                   LOCAL(100, 1, .is = "inserted", .tells = "evicted(100) appeared(100)"),
                                   CHECK(is_second_life) },
                        .counts = "Beats=2 PidRecycles=1",
        },
        {
                        .title = "tracker 1: a lower nonce makes the pidfd be asked, and a dead one is an "
                                 "exit",
                        .steps = { LOCAL(100, 9, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 10, .is = "refreshed", .tells = "confirmed(100)"),
                                   WAIT(10 * MSEC), PROCESS(.pid = 100, .life = 1),
                                   LOCAL(100, 1, .is = "inserted",
                                         .tells = "exit(100) stall:exited(100) appeared(100)"),
                                   CHECK(is_second_life) },
                        .counts = "Beats=3 PidRecycles=1 Exits=1",
        },
        {
                        .title = "tracker 1: a lower nonce of a process that lives is out of order",
                        .steps = { LOCAL(100, 9, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 1, .is = "out-of-order") },
                        .counts = "Beats=1 OutOfOrder=1",
        },
        {
                        .title = "tracker 1: two unknown start times are no difference",
                        .processes = { { .pid = 100, .no_pidfd = true, .ageless = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .no_pidfd = true, .life = 1),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=2",
        },
        {
                        .title = "tracker 2: a stronger origin takes the slot entirely",
                        .steps = { NETWORK(100, 50, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 1, .is = "inserted", .tells = "evicted(100) appeared(100)"),
                                   CHECK(is_attested),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=3",
        },
        {
                        .title = "tracker 2: a weaker origin is dropped and announced, the slot stays as it "
                                 "is",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC / 2),
                                   NETWORK(100, 2, .is = "origin-conflict",
                                           .tells = "rejected:origin-conflict"),
                                   CHECK(conflict_names_origins) },
                        .counts = "Beats=1 OriginConflicts=1",
        },
        {
                        .title = "tracker 2: operator-attested stands above socket-mode-only above "
                                 "network-unverified",
                        .settings.allow_cross_namespace = true,
                        .steps = { NETWORK(100, 9, .is = "inserted", .tells = "appeared(100)"),
                                   NAMELESS(100, 1, .is = "inserted", .tells = "evicted(100) appeared(100)"),
                                   VOUCHED(100, 1, .is = "inserted", .tells = "evicted(100) appeared(100)"),
                                   NAMELESS(100, 9, .is = "origin-conflict",
                                            .tells = "rejected:origin-conflict"),
                                   NETWORK(100, 9, .is = "origin-conflict",
                                           .tells = "rejected:origin-conflict") },
                        .counts = "Beats=3 OriginConflicts=2",
        },
        {
                        .title = "tracker 2: where the first wins, whoever differs from it is dropped",
                        .settings.origin_policy = ORIGIN_POLICY_FIRST_WINS,
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .is = "origin-conflict",
                                         .tells = "rejected:origin-conflict"),
                                   VOUCHED(100, 2, .is = "origin-conflict",
                                           .tells = "rejected:origin-conflict"),
                                   NETWORK(100, 2, .is = "refreshed") },
                        .counts = "Beats=2 OriginConflicts=2",
        },
        {
                        .title = "tracker 3: another namespace is a conflict, the slot stays as it is",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .inner = 100, .inode = 77, .no_pidfd = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .inner = 100, .inode = 88, .no_pidfd = true),
                                   LOCAL(100, 2, .is = "namespace-conflict",
                                         .tells = "rejected:namespace-conflict"),
                                   CHECK(conflict_names_namespace) },
                        .counts = "Beats=1 NamespaceConflicts=1",
        },
        {
                        .title = "tracker 3: own turned foreign is a conflict even where no inode can be "
                                 "read",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .inner = 100, .no_pidfd = true),
                                   LOCAL(100, 2, .is = "namespace-conflict",
                                         .tells = "rejected:namespace-conflict") },
                        .counts = "Beats=1 NamespaceConflicts=1",
        },
        {
                        .title = "tracker 3: pinned and now unknown is a conflict, but not for a dying "
                                 "process's last word",
                        .processes = { { .pid = 100, .no_pidfd = true } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .no_pidfd = true, .hidden = true),
                                   LOCAL(100, 2, .is = "namespace-conflict",
                                         .tells = "rejected:namespace-conflict"),
                                   WAIT(10 * MSEC),
                                   LAST_WORD(100, 1, .is = "refreshed", .tells = "status+confirmed(100)") },
                        .counts = "Beats=2 NamespaceConflicts=1",
        },
        {
                        .title = "tracker 3: a namespace that becomes known is remembered with an accepted "
                                 "nonce only",
                        .processes = { { .pid = 100, .no_pidfd = true, .hidden = true } },
                        .steps = { LOCAL(100, 5, .is = "inserted", .tells = "appeared(100)"),
                                   PROCESS(.pid = 100, .no_pidfd = true, .inode = 77),
                                   LOCAL(100, 5, .is = "out-of-order"), CHECK(namespace_is_unknown),
                                   LOCAL(100, 6, .is = "refreshed", .tells = "confirmed(100)"),
                                   CHECK(namespace_is_known) },
                        .counts = "Beats=2 OutOfOrder=1",
        },
        {
                        .title = "tracker 4: a last word sets status and last beat, never the regular nonce",
                        .steps = { LOCAL(100, 8, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC / 2),
                                   LAST_WORD(100, 40, .is = "refreshed", .tells = "status+confirmed(100)"),
                                   CHECK(last_word_kept_the_nonce),
                                   LOCAL(100, 9, .is = "refreshed", .tells = "status(100)") },
                        .counts = "Beats=3",
        },
        {
                        .title = "tracker 4: its timestamp must exceed the last one's",
                        .steps = { LOCAL(100, 8, .is = "inserted", .tells = "appeared(100)"),
                                   LAST_WORD(100, 40, .is = "refreshed", .tells = "status+confirmed(100)"),
                                   LAST_WORD(100, 40, .is = "out-of-order"),
                                   LAST_WORD(100, 39, .is = "out-of-order"),
                                   LAST_WORD(100, 41, .is = "refreshed") },
                        .counts = "Beats=3 OutOfOrder=2",
        },
        {
                        .title = "tracker 4: the first one may carry any timestamp, and be the first frame "
                                 "of all",
                        .steps = { LAST_WORD(100, 0, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 0, .is = "refreshed", .tells = "status+confirmed(100)") },
                        .counts = "Beats=2",
        },
        {
                        .title = "tracker 5: a greater nonce moves the agent on, gaps included",
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "refreshed"), NETWORK(100, 900, .is = "refreshed"),
                                   NETWORK(100, LAST_NONCE, .is = "refreshed") },
                        .counts = "Beats=4",
        },
        {
                        .title = "tracker 5: an old or equal nonce is out of order and changes nothing, the "
                                 "last beat included",
                        .steps = { NETWORK(100, 5, .is = "inserted", .tells = "appeared(100)",
                                           .payload = 11),
                                   WAIT(SEC - 1),
                                   NETWORK(100, 5, .is = "out-of-order", .payload = 12,
                                           .status = VLP_STATUS_DEGRADED),
                                   NETWORK(100, 4, .is = "out-of-order", .payload = 12),
                                   CHECK(nothing_changed) },
                        .counts = "Beats=1 OutOfOrder=2",
        },
        {
                        .title = "tracker 5: the nonce after the last one is a wrap",
                        .steps = { NETWORK(100, LAST_NONCE, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 0, .is = "refreshed"), NETWORK(100, 1, .is = "refreshed") },
                        .counts = "Beats=3 NonceWraps=1",
        },
        {
                        .title = "tracker 5: both ends of the wrap's window belong to it",
                        .steps = { NETWORK(100, VLP_NONCE_TERMINAL - WRAP_WINDOW, .is = "inserted",
                                           .tells = "appeared(100)"),
                                   NETWORK(100, WRAP_WINDOW, .is = "refreshed") },
                        .counts = "Beats=2 NonceWraps=1",
        },
        {
                        .title = "tracker 5: one before the window, or one behind it, is out of order",
                        .steps = { NETWORK(100, VLP_NONCE_TERMINAL - WRAP_WINDOW - 1, .is = "inserted",
                                           .tells = "appeared(100)"),
                                   NETWORK(100, 0, .is = "out-of-order"),
                                   NETWORK(100, VLP_NONCE_TERMINAL - WRAP_WINDOW, .is = "refreshed"),
                                   NETWORK(100, WRAP_WINDOW + 1, .is = "out-of-order") },
                        .counts = "Beats=2 OutOfOrder=2",
        },
        {
                        .title = "tracker 5: a network agent that fell silent for a threshold may start "
                                 "anew",
                        .steps = { NETWORK(100, 500, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(SEC - 1), NETWORK(100, 1, .is = "out-of-order"), WAIT(1),
                                   NETWORK(100, 500, .is = "out-of-order"),
                                   NETWORK(100, 1, .is = "inserted",
                                           .tells = "evicted(100) appeared(100)") },
                        .counts = "Beats=2 OutOfOrder=2",
        },
        {
                        .title = "tracker 5: an attested agent may not, its process would be another",
                        .steps = { LOCAL(100, 500, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(NSEC_PER_HOUR), LOCAL(100, 1, .is = "out-of-order") },
                        .counts = "Beats=1 OutOfOrder=1",
        },
        {
                        .title = "tracker new: an agent's first frame appears, whatever its nonce, and the "
                                 "next is plain progress",
                        .steps = { NETWORK(100, 77, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 78, .is = "refreshed"),
                                   NETWORK(100, 79, .is = "refreshed", .status = VLP_STATUS_DEGRADED,
                                           .tells = "status(100)"),
                                   NETWORK(100, 80, .is = "refreshed", .status = VLP_STATUS_DEGRADED) },
                        .counts = "Beats=4",
        },
};

SCENES_MAIN("core: tracker", scenes)
