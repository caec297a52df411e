/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Time that falls back, jumps, or stands still. */

#include <check.h>

#include "scene.h"

/* x: a long threshold, y: a short one. */
static const UnitRules two[3] = {
        { NSEC_PER_MINUTE, NSEC_PER_HOUR, EXIT_RULE_EVENT },
        { 100 * MSEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
        { SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT },
};

static void beat_is_at_the_highest_time(Stage *s) {
        ck_assert_uint_eq(stage_agent(s, 100).last_beat, SCENE_START + SEC / 2);
}

static void jump_is_told(Stage *s) {
        ck_assert_uint_eq(s->last.jump, SEC);
        ck_assert_uint_eq(s->last.now, s->now);
}

static void deadline_has_grace(Stage *s) {
        ck_assert_uint_eq(observer_next_deadline(s->observer), s->now + SEC);
}

static void stall_counts_from_the_grace(Stage *s) {
        ck_assert_uint_eq(s->last.deadline, SCENE_START + NSEC_PER_HOUR + SEC);
        ck_assert_uint_eq(s->last.agent.last_beat, SCENE_START);
}

static const Scene scenes[] = {
        {
                        .title = "clock regression: a reading below the last one is clamped and counted",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC / 2),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                                   BACK(SEC / 2), LOCAL(100, 3, .is = "refreshed"),
                                   CHECK(beat_is_at_the_highest_time) },
                        .counts = "Beats=3 ClockRegressions=1",
        },
        {
                        .title = "clock regression: every kind of call that carries a time counts its own",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   BACK(1),
                                   TICK(),
                                   BACK(1),
                                   EMPTY(0),
                                   BACK(1),
                                   { .kind = STEP_DROPPED, .n = 1 },
                                   BACK(1),
                                   { .kind = STEP_FAILED, .error = -EIO, .tells = "rejected:io-error" },
                                   BACK(1),
                                   { .kind = STEP_RESET, .pid = 100 },
                                   BACK(1),
                                   { .kind = STEP_LISTEN },
                                   BACK(1),
                                   RELOAD(),
                                   BACK(1),
                                   { .kind = STEP_NEVER_BEAT, .unit = "a", .tells = "stall:never-beat(0)" },
                                   BACK(1),
                                   EXITED(100, .tells = "exit(100)") },
                        .counts = "Beats=1 Exits=1 IoErrors=1 QueueDrops=1 ClockRegressions=9",
        },
        {
                        .title = "clock jump: waking later than half the smallest threshold in force is a "
                                 "jump",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   TICK(.n = SEC / 2), TICK(.n = SEC / 2 + 1, .tells = "jump") },
                        .counts = "Beats=1 ClockJumps=1",
        },
        {
                        .title = "clock jump: so is a suspend of that length",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   TICK(.m = SEC / 2), TICK(.m = SEC, .tells = "jump"),
                                   CHECK(jump_is_told) },
                        .counts = "Beats=1 ClockJumps=1",
        },
        {
                        .title = "clock jump: never more than 5 s are asked for",
                        .settings.threshold = NSEC_PER_HOUR,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   TICK(.n = 5 * SEC), TICK(.n = 5 * SEC + 1, .tells = "jump") },
                        .counts = "Beats=1 ClockJumps=1",
        },
        {
                        .title = "clock jump: thresholds that no agent lives by are not in force",
                        .settings.threshold = NSEC_PER_HOUR,
                        .rules = two,
                        .processes = { { .pid = 100, .unit = "x.service" },
                                       { .pid = 101, .unit = "y.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), TICK(.n = SEC),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   TICK(.n = 50 * MSEC + 1, .tells = "jump"), WAIT(100 * MSEC), EMPTY(0),
                                   TICK(), DISPATCH(.tells = "stall:silent(101)"), TICK(.n = SEC) },
                        .counts = "Beats=2 ClockJumps=1 Stalls=1",
        },
        {
                        .title = "clock jump: idleness is none, however long",
                        .steps = { WAIT(NSEC_PER_DAY), TICK(),
                                   LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(NSEC_PER_DAY), EMPTY(0), TICK(),
                                   DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=1 Stalls=1",
        },
        {
                        .title = "clock grace: after a jump everybody has one threshold before it can be "
                                 "called silent",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   WAIT(NSEC_PER_HOUR), EMPTY(0), TICK(.m = NSEC_PER_HOUR, .tells = "jump"),
                                   CHECK(deadline_has_grace), WAIT(SEC - 1), EMPTY(0), TICK(), DISPATCH(),
                                   WAIT(1), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   CHECK(stall_counts_from_the_grace) },
                        .counts = "Beats=1 ClockJumps=1 Stalls=1",
        },
        {
                        .title = "clock grace: each class has its own threshold of it",
                        .rules = two,
                        .processes = { { .pid = 100, .unit = "x.service" },
                                       { .pid = 101, .unit = "y.service" } },
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "inserted", .tells = "appeared(101)"),
                                   WAIT(NSEC_PER_HOUR), EMPTY(0), TICK(.n = NSEC_PER_HOUR, .tells = "jump"),
                                   WAIT(100 * MSEC), EMPTY(0), TICK(),
                                   DISPATCH(.tells = "stall:silent(101)"),
                                   WAIT(NSEC_PER_MINUTE - 100 * MSEC), EMPTY(0), TICK(),
                                   DISPATCH(.tells = "stall:silent(100)") },
                        .counts = "Beats=2 ClockJumps=1 Stalls=2",
        },
        {
                        .title = "clock grace: who was stalled before stays stalled",
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), WAIT(SEC),
                                   EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)"),
                                   TICK(.n = NSEC_PER_HOUR, .tells = "jump"), WAIT(10 * SEC), EMPTY(0),
                                   TICK(), DISPATCH() },
                        .counts = "Beats=1 ClockJumps=1 Stalls=1",
        },
        {
                        .title = "clock end: a clock near the end of its range stalls nobody too early and "
                                 "overflows nothing",
                        .steps = { WAIT(UINT64_MAX - SCENE_START - SEC / 2),
                                   LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"), EMPTY(0),
                                   TICK(), WAIT(SEC / 2 - 1), EMPTY(0), TICK(), DISPATCH(),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=2",
        },
};

SCENES_MAIN("core: clock", scenes)
