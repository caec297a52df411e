/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The gates, one by one and in their order: a frame that several gates would refuse ends at the first of them.
 */

#include <check.h>

#include "scene.h"

#define PER_PID_10 .settings.per_pid_rate = { 10, SEC }
#define GLOBAL_2   .settings.global_rate = { 2, SEC }, .settings.global_burst = 2

static void rejection_names_pids(Stage *s) {
        ck_assert_uint_eq(s->last.claimed_pid, 200);
        ck_assert_uint_eq(s->last.attested_pid, 100);
        ck_assert_uint_eq(s->last.observed_origin, ORIGIN_KERNEL_ATTESTED);
}

static void decode_error_is_crc(Stage *s) {
        ck_assert_int_eq(s->last.decode_error, VLP_ERROR_BAD_CRC);
        ck_assert_uint_eq(s->last.claimed_pid, 0); /* a frame that does not decode names nobody */
}

static void asked_pid_max_once(Stage *s) {
        ck_assert_uint_eq(s->pid_max_asked, 1);
}

static void asked_pid_max_twice(Stage *s) {
        ck_assert_uint_eq(s->pid_max_asked, 2);
}

static void lower_pid_max(Stage *s) {
        s->pid_max = 1000;
}

static void hide_pid_max(Stage *s) {
        s->pid_max = 0;
}

static void never_looked(Stage *s) {
        ck_assert_uint_eq(s->identified, 0);
        ck_assert_uint_eq(s->looked_inside, 0);
}

static void looked_once(Stage *s) {
        ck_assert_uint_eq(s->identified, 1);
}

static void drop_names_namespace(Stage *s) {
        ck_assert_uint_eq(s->last.observed_namespace, 77);
        ck_assert_uint_eq(s->last.attested_pid, 100);
}

static const Scene scenes[] = {
        {
                        .title = "admission 1: a frame at an earlier time is judged at the latest time "
                                 "known",
                        PER_PID_10,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"), BACK(SEC),
                                   LOCAL(100, 3, .is = "rate-limited"), WAIT(100 * MSEC),
                                   LOCAL(100, 3, .is = "refreshed") },
                        .counts = "Beats=3 ClockRegressions=1 RateLimited.per-pid=1",
        },
        {
                        .title = "admission 2: a frame that does not decode is announced and counted by its "
                                 "error's name",
                        .steps = { LOCAL(100, 1, .is = "decode-error", .tells = "rejected:decode",
                                         .defect = VLP_ERROR_BAD_CRC),
                                   CHECK(decode_error_is_crc) },
                        .counts = "DecodeErrors.BadCrc=1",
        },
        {
                        .title = "admission 2: decoding comes before the pid is looked at",
                        .pid_max = 1000,
                        .steps = { NETWORK(2000, 1, .is = "decode-error", .tells = "rejected:decode",
                                           .defect = VLP_ERROR_BAD_MAGIC) },
                        .counts = "DecodeErrors.BadMagic=1",
        },
        {
                        .title = "admission 3: a local pid above pid_max is counted and not announced",
                        .pid_max = 1000,
                        .steps = { NETWORK(1001, 1, .is = "pid-above-max"),
                                   NETWORK(1000, 1, .is = "inserted", .tells = "appeared(1000)"),
                                   NAMELESS(1001, 1, .is = "pid-above-max") },
                        .counts = "PidAboveMaxDrops=2 Beats=1",
        },
        {
                        .title = "admission 3: an attested pid and a pid of another host pass above pid_max",
                        .pid_max = 1000,
                        .steps = { LOCAL(1001, 1, .is = "inserted", .tells = "appeared(1001)"),
                                   NETWORK(1001, 1, .is = "inserted", .tells = "appeared(1001)",
                                           .source = 7) },
                        .counts = "Beats=2",
        },
        {
                        .title = "admission 3: pid_max is read at the start and again at most once in 60 s",
                        .steps = { CHECK(asked_pid_max_once), CHECK(lower_pid_max), WAIT(59 * SEC),
                                   NETWORK(1001, 1, .is = "inserted", .tells = "appeared(1001)"),
                                   CHECK(asked_pid_max_once), WAIT(SEC),
                                   NETWORK(1001, 2, .is = "pid-above-max"), CHECK(asked_pid_max_twice),
                                   CHECK(hide_pid_max), WAIT(59 * SEC),
                                   NETWORK(1001, 2, .is = "pid-above-max"), CHECK(asked_pid_max_twice),
                                   WAIT(SEC), NETWORK(1001, 2, .is = "refreshed") },
                        .counts = "Beats=2 PidAboveMaxDrops=2",
        },
        {
                        .title = "admission 4: a frame naming another process of our namespace is a forgery",
                        .steps = { LOCAL(100, 1, .claims = 200, .is = "auth-failure",
                                         .tells = "rejected:auth-failure"),
                                   CHECK(rejection_names_pids) },
                        .counts = "AuthFailures=1",
        },
        {
                        .title = "admission 4: a tracked process of our namespace is judged before any rate "
                                 "limit",
                        PER_PID_10,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .claims = 200, .is = "auth-failure",
                                         .tells = "rejected:auth-failure") },
                        .counts = "Beats=1 AuthFailures=1",
        },
        {
                        .title = "admission 4: where the process is not known, the rate limits come first",
                        GLOBAL_2,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   LOCAL(102, 1, .claims = 200, .is = "rate-limited") },
                        .counts = "Beats=2 RateLimited.global=1",
        },
        {
                        .title = "admission 5: a beat closer than 1/rate to the last accepted one is "
                                 "counted, not announced",
                        PER_PID_10,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(100 * MSEC - 1), LOCAL(100, 2, .is = "rate-limited"), WAIT(1),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=2 RateLimited.per-pid=1",
        },
        {
                        .title = "admission 5: a refused beat does not push the next one away",
                        PER_PID_10,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(60 * MSEC), LOCAL(100, 2, .is = "rate-limited"), WAIT(40 * MSEC),
                                   LOCAL(100, 3, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=2 RateLimited.per-pid=1",
        },
        {
                        .title = "admission 5: a rate that does not divide its span is rounded to the slow "
                                 "side",
                        .settings.per_pid_rate = { 3, SEC },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(333333333), LOCAL(100, 2, .is = "rate-limited"), WAIT(1),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=2 RateLimited.per-pid=1",
        },
        {
                        .title = "admission 5: the first last word after a regular beat passes, a second "
                                 "one pays",
                        PER_PID_10,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LAST_WORD(100, 5, .is = "refreshed", .tells = "status+confirmed(100)"),
                                   LAST_WORD(100, 6, .is = "rate-limited"), WAIT(100 * MSEC),
                                   LAST_WORD(100, 6, .is = "refreshed") },
                        .counts = "Beats=3 RateLimited.per-pid=1",
        },
        {
                        .title = "admission 5: another origin is not held to the agent's interval",
                        PER_PID_10,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "origin-conflict",
                                           .tells = "rejected:origin-conflict") },
                        .counts = "Beats=1 OriginConflicts=1",
        },
        {
                        .title = "admission 5: what the interval refuses takes no global token",
                        PER_PID_10,
                        GLOBAL_2,
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "rate-limited"),
                                   NETWORK(100, 3, .is = "rate-limited"),
                                   NETWORK(101, 1, .is = "inserted", .tells = "appeared(101)") },
                        .counts = "Beats=2 RateLimited.per-pid=2",
        },
        {
                        .title = "admission 6: without a token a frame is counted and not announced",
                        GLOBAL_2,
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   NETWORK(102, 1, .is = "rate-limited"), WAIT(500 * MSEC - 1),
                                   NETWORK(102, 1, .is = "rate-limited"), WAIT(1),
                                   NETWORK(102, 1, .is = "inserted", .tells = "appeared(102)") },
                        .counts = "Beats=3 RateLimited.global=2",
        },
        {
                        .title = "admission 6: a tracked agent that the kernel attests pays no token",
                        PER_PID_10,
                        GLOBAL_2,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   WAIT(100 * MSEC), NETWORK(101, 2, .is = "rate-limited"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=3 RateLimited.global=1",
        },
        {
                        .title = "admission 6: without a per-pid limit it pays like everybody",
                        GLOBAL_2,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   LOCAL(100, 3, .is = "rate-limited") },
                        .counts = "Beats=2 RateLimited.global=1",
        },
        {
                        .title = "admission 6: an unknown process pays before anything is read of it",
                        PER_PID_10,
                        .settings.global_rate = { 1, NSEC_PER_HOUR },
                        .settings.global_burst = 1,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   CHECK(looked_once), LOCAL(101, 1, .is = "rate-limited"),
                                   CHECK(looked_once) },
                        .counts = "Beats=1 RateLimited.global=1",
        },
        {
                        .title = "admission 6: a burst of 0 switches the limit off, and so does a rate of 0",
                        .settings.global_rate = { 1, NSEC_PER_HOUR },
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "refreshed"),
                                   RELOAD(.global_burst = 1, .global_rate = { 0, NSEC_PER_HOUR }),
                                   NETWORK(100, 3, .is = "refreshed"), NETWORK(100, 4, .is = "refreshed") },
                        .counts = "Beats=4",
        },
        {
                        .title = "admission 7: a process of another pid namespace is refused and announced",
                        .processes = { { .pid = 100, .inner = 7, .inode = 77 } },
                        .steps = { LOCAL(100, 1, .is = "namespace-drop",
                                         .tells = "rejected:namespace-conflict"),
                                   CHECK(drop_names_namespace) },
                        .counts = "NamespaceDrops=1",
        },
        {
                        .title = "admission 7: it is welcome where cross-namespace agents are allowed",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .inner = 7 } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)") },
                        .counts = "Beats=1",
        },
        {
                        .title = "admission 7: an observer that does not know its own namespace refuses, "
                                 "without a look",
                        .no_own_namespace = true,
                        .settings.allow_cross_namespace = true,
                        .steps = { LOCAL(100, 1, .is = "namespace-drop",
                                         .tells = "rejected:namespace-conflict"),
                                   NAMELESS(100, 1, .is = "namespace-drop",
                                            .tells = "rejected:namespace-conflict"),
                                   NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   CHECK(never_looked) },
                        .counts = "NamespaceDrops=2 Beats=1",
        },
        {
                        .title = "admission 7: a sender whom the kernel calls 0 counts as foreign",
                        .steps = { NAMELESS(100, 1, .is = "namespace-drop",
                                            .tells = "rejected:namespace-conflict"),
                                   RELOAD(.allow_cross_namespace = true),
                                   NAMELESS(100, 1, .is = "inserted", .tells = "appeared(100)") },
                        .counts = "NamespaceDrops=1 Beats=1",
        },
        {
                        .title = "admission 7: a tracked foreigner is refused once they are no longer "
                                 "allowed",
                        .settings.allow_cross_namespace = true,
                        .processes = { { .pid = 100, .inner = 7, .inode = 77 } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), RELOAD(),
                                   LOCAL(100, 2, .is = "namespace-drop",
                                         .tells = "rejected:namespace-conflict"),
                                   CHECK(drop_names_namespace) },
                        .counts = "Beats=1 NamespaceDrops=1",
        },
        {
                        .title = "admission 8: what the tracker refuses as old or too many is counted only, "
                                 "conflicts are told",
                        .settings.capacity = 1,
                        .steps = { LOCAL(100, 5, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(20 * MSEC), LOCAL(100, 5, .is = "out-of-order"),
                                   LOCAL(101, 1, .is = "capacity-exceeded"),
                                   NETWORK(100, 6, .is = "origin-conflict",
                                           .tells = "rejected:origin-conflict"),
                                   LOCAL(100, 6, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=2 OutOfOrder=1 CapacityExceeded=1 OriginConflicts=1",
        },
};

SCENES_MAIN("core: admission", scenes)
