/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a reading of the unit says of an action, whatever the job may have said. */

#include <string.h>

#include "recovery/verdict.h"
#include "runner.h"

static const uint8_t old_id[INVOCATION_ID_SIZE] = { 1 };

/* Not outcomes of transaction_verdict(), for the tables. */
#define WAIT  (-1)
#define PROVE (-2)

enum {
        SAME_INVOCATION = 1 << 0,
        NO_INVOCATION = 1 << 1,
        JOB = 1 << 2,
        AUTO_RESTART = 1 << 3,
        START_LIMIT = 1 << 4,
        NOT_FOUND = 1 << 5,
        LATE = 1 << 6,
        ACCEPTED = 1 << 7,
        BEGAN = 1 << 8,
};

typedef struct Row {
        const char *title;
        ActiveState state;
        unsigned flags;
        JobHint hint;
        int expected;
} Row;

static UnitFacts facts_of(const Row *row) {
        UnitFacts facts = {
                .found = !(row->flags & NOT_FOUND),
                .has_job = row->flags & JOB,
                .auto_restart = row->flags & AUTO_RESTART,
                .start_limit_hit = row->flags & START_LIMIT,
                .active_state = row->state,
        };

        if (!(row->flags & NO_INVOCATION))
                facts.invocation[0] = row->flags & SAME_INVOCATION ? 1 : 2;
        return facts;
}

static const char *step_name(int step) {
        return step == WAIT ? "wait" : step == PROVE ? "prove" : recovery_outcome_to_string(step);
}

static void check_row(const Row *row, TransactionStep step, RecoveryOutcome outcome) {
        int got = step == TRANSACTION_WAIT ? WAIT : step == TRANSACTION_PROVE ? PROVE : (int) outcome;

        ck_assert_msg(got == row->expected, "%s: %s", row->title, step_name(got));
}

static const Row restart_rows[] = {
        { "a new invocation is active", ACTIVE_STATE_ACTIVE, 0, JOB_HINT_DONE, PROVE },
        { "the same without any hint", ACTIVE_STATE_ACTIVE, 0, JOB_HINT_NONE, PROVE },
        { "the same though the job is said to have failed", ACTIVE_STATE_ACTIVE, 0, JOB_HINT_FAILED, PROVE },
        { "the same when it was late", ACTIVE_STATE_ACTIVE, LATE, JOB_HINT_NONE, PROVE },
        { "somebody else's restart stood in the way", ACTIVE_STATE_ACTIVE, 0, JOB_HINT_REFUSED, PROVE },

        { "done, but the unit was stopped: try-restart of a stopped unit", ACTIVE_STATE_INACTIVE,
          SAME_INVOCATION, JOB_HINT_DONE, OUTCOME_STOPPED_MEANWHILE },
        { "done and then stopped", ACTIVE_STATE_INACTIVE, 0, JOB_HINT_DONE, OUTCOME_STOPPED_MEANWHILE },
        { "canceled by a stop", ACTIVE_STATE_INACTIVE, SAME_INVOCATION, JOB_HINT_CANCELED,
          OUTCOME_STOPPED_MEANWHILE },
        { "canceled by a stop that failed", ACTIVE_STATE_FAILED, SAME_INVOCATION, JOB_HINT_CANCELED,
          OUTCOME_STOPPED_MEANWHILE },
        { "refused because a stop is queued", ACTIVE_STATE_DEACTIVATING, SAME_INVOCATION | JOB,
          JOB_HINT_REFUSED, OUTCOME_STOPPED_MEANWHILE },
        { "refused, and it is down already", ACTIVE_STATE_INACTIVE, SAME_INVOCATION, JOB_HINT_REFUSED,
          OUTCOME_STOPPED_MEANWHILE },
        { "nobody saw what happened, and it is down", ACTIVE_STATE_INACTIVE, SAME_INVOCATION, JOB_HINT_NONE,
          OUTCOME_STOPPED_MEANWHILE },
        { "it had failed by itself before", ACTIVE_STATE_FAILED, SAME_INVOCATION, JOB_HINT_DONE,
          OUTCOME_STOPPED_MEANWHILE },
        { "a stopped unit without an invocation", ACTIVE_STATE_INACTIVE, NO_INVOCATION, JOB_HINT_DONE,
          OUTCOME_STOPPED_MEANWHILE },

        { "the job failed", ACTIVE_STATE_FAILED, 0, JOB_HINT_FAILED, OUTCOME_JOB_FAILED },
        { "the job failed before a new invocation", ACTIVE_STATE_FAILED, SAME_INVOCATION, JOB_HINT_FAILED,
          OUTCOME_JOB_FAILED },
        { "started anew and down at once", ACTIVE_STATE_FAILED, 0, JOB_HINT_DONE, OUTCOME_JOB_FAILED },
        { "the same, and nobody heard of it", ACTIVE_STATE_FAILED, 0, JOB_HINT_NONE, OUTCOME_JOB_FAILED },
        { "failed, and systemd will try again", ACTIVE_STATE_ACTIVATING, AUTO_RESTART, JOB_HINT_FAILED,
          OUTCOME_JOB_FAILED },
        { "failed, and nothing has changed", ACTIVE_STATE_ACTIVE, SAME_INVOCATION, JOB_HINT_FAILED,
          OUTCOME_JOB_FAILED },
        { "done without any effect", ACTIVE_STATE_ACTIVE, SAME_INVOCATION, JOB_HINT_DONE,
          OUTCOME_JOB_FAILED },

        { "canceled, and it runs as before", ACTIVE_STATE_ACTIVE, SAME_INVOCATION, JOB_HINT_CANCELED,
          OUTCOME_JOB_CANCELED },
        { "refused, and it runs as before", ACTIVE_STATE_ACTIVE, SAME_INVOCATION | JOB, JOB_HINT_REFUSED,
          OUTCOME_JOB_CANCELED },

        { "the job ran out of systemd's time", ACTIVE_STATE_FAILED, 0, JOB_HINT_TIMEOUT, OUTCOME_TIMEOUT },
        { "likewise, and it still runs", ACTIVE_STATE_ACTIVE, SAME_INVOCATION, JOB_HINT_TIMEOUT,
          OUTCOME_TIMEOUT },
        { "the job never ends", ACTIVE_STATE_ACTIVE, SAME_INVOCATION | JOB | LATE, JOB_HINT_NONE,
          OUTCOME_TIMEOUT },
        { "stopping never ends", ACTIVE_STATE_DEACTIVATING, SAME_INVOCATION | JOB | LATE, JOB_HINT_NONE,
          OUTCOME_TIMEOUT },
        { "starting never ends", ACTIVE_STATE_ACTIVATING, LATE, JOB_HINT_NONE, OUTCOME_TIMEOUT },

        { "the unit's own start limit", ACTIVE_STATE_FAILED, START_LIMIT, JOB_HINT_FAILED,
          OUTCOME_START_LIMIT_HIT },
        { "likewise without a hint", ACTIVE_STATE_FAILED, START_LIMIT | SAME_INVOCATION, JOB_HINT_NONE,
          OUTCOME_START_LIMIT_HIT },

        { "the unit is not there any more", ACTIVE_STATE_INACTIVE, NOT_FOUND | NO_INVOCATION, JOB_HINT_NONE,
          OUTCOME_UNIT_GONE },
        { "its file is gone, but it runs anew", ACTIVE_STATE_ACTIVE, NOT_FOUND, JOB_HINT_DONE, PROVE },

        { "the request never arrived", ACTIVE_STATE_ACTIVE, SAME_INVOCATION, JOB_HINT_NONE,
          OUTCOME_BUS_LOST },

        { "the job is queued", ACTIVE_STATE_ACTIVE, SAME_INVOCATION | JOB, JOB_HINT_NONE, WAIT },
        { "it stops", ACTIVE_STATE_DEACTIVATING, SAME_INVOCATION | JOB, JOB_HINT_NONE, WAIT },
        { "it starts", ACTIVE_STATE_ACTIVATING, JOB, JOB_HINT_NONE, WAIT },
        { "it starts, and the job is over already", ACTIVE_STATE_ACTIVATING, 0, JOB_HINT_DONE, WAIT },
        { "done, and somebody stops it", ACTIVE_STATE_DEACTIVATING, JOB, JOB_HINT_DONE, WAIT },
        { "it reloads", ACTIVE_STATE_RELOADING, 0, JOB_HINT_DONE, WAIT },
        { "a state that nobody knows", ACTIVE_STATE_UNKNOWN, 0, JOB_HINT_DONE, WAIT },
};

START_TEST(test_restart) {
        for (size_t i = 0; i < ELEMENTSOF(restart_rows); i++) {
                RecoveryOutcome outcome = _RECOVERY_OUTCOME_INVALID;
                UnitFacts facts = facts_of(&restart_rows[i]);
                TransactionStep step;

                step = transaction_verdict(old_id, &facts, restart_rows[i].hint,
                                           restart_rows[i].flags & LATE, &outcome);
                check_row(&restart_rows[i], step, outcome);
        }
}
END_TEST

START_TEST(test_start) {
        static const Row rows[] = {
                { "the oneshot is done", ACTIVE_STATE_INACTIVE, 0, JOB_HINT_DONE, PROVE },
                { "it remains after its exit", ACTIVE_STATE_ACTIVE, 0, JOB_HINT_DONE, PROVE },
                { "it runs", ACTIVE_STATE_ACTIVATING, JOB, JOB_HINT_NONE, WAIT },
                { "it runs for too long", ACTIVE_STATE_ACTIVATING, JOB | LATE, JOB_HINT_NONE,
                  OUTCOME_TIMEOUT },
                { "it failed", ACTIVE_STATE_FAILED, 0, JOB_HINT_FAILED, OUTCOME_JOB_FAILED },
                { "it failed, and nobody heard of it", ACTIVE_STATE_FAILED, ACCEPTED | BEGAN, JOB_HINT_NONE,
                  OUTCOME_JOB_FAILED },
                { "likewise, and the reply was lost, too", ACTIVE_STATE_FAILED, BEGAN, JOB_HINT_NONE,
                  OUTCOME_JOB_FAILED },
                { "it failed earlier, and the request never arrived", ACTIVE_STATE_FAILED, 0, JOB_HINT_NONE,
                  OUTCOME_BUS_LOST },
                { "it failed earlier, and its job is gone", ACTIVE_STATE_FAILED, ACCEPTED, JOB_HINT_NONE,
                  OUTCOME_JOB_CANCELED },
                { "it failed earlier, and is queued", ACTIVE_STATE_FAILED, ACCEPTED | JOB, JOB_HINT_NONE,
                  WAIT },
                { "it failed earlier, and is canceled", ACTIVE_STATE_FAILED, START_LIMIT, JOB_HINT_CANCELED,
                  OUTCOME_JOB_CANCELED },
                { "it was started too often earlier, and the request never arrived", ACTIVE_STATE_FAILED,
                  START_LIMIT, JOB_HINT_NONE, OUTCOME_BUS_LOST },
                { "it was started too often, and nobody heard of it", ACTIVE_STATE_FAILED,
                  START_LIMIT | ACCEPTED, JOB_HINT_NONE, OUTCOME_START_LIMIT_HIT },
                { "it was stopped", ACTIVE_STATE_INACTIVE, 0, JOB_HINT_CANCELED, OUTCOME_JOB_CANCELED },
                { "it ran out of its time", ACTIVE_STATE_FAILED, 0, JOB_HINT_TIMEOUT, OUTCOME_TIMEOUT },
                { "it was started too often", ACTIVE_STATE_FAILED, START_LIMIT, JOB_HINT_FAILED,
                  OUTCOME_START_LIMIT_HIT },
                { "there is none", ACTIVE_STATE_INACTIVE, NOT_FOUND, JOB_HINT_NONE, OUTCOME_UNIT_GONE },
                { "it is over, and nobody heard of it", ACTIVE_STATE_INACTIVE, 0, JOB_HINT_NONE, PROVE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                RecoveryOutcome outcome = _RECOVERY_OUTCOME_INVALID;
                UnitFacts facts = facts_of(&rows[i]);
                TransactionStep step;

                step = start_verdict(&facts, rows[i].hint, rows[i].flags & ACCEPTED, rows[i].flags & BEGAN,
                                     rows[i].flags & LATE, &outcome);
                check_row(&rows[i], step, outcome);
        }
}
END_TEST

START_TEST(test_hints) {
        static const struct {
                const char *result;
                JobHint hint;
        } rows[] = {
                { "done", JOB_HINT_DONE },         { "canceled", JOB_HINT_CANCELED },
                { "timeout", JOB_HINT_TIMEOUT },   { "failed", JOB_HINT_FAILED },
                { "dependency", JOB_HINT_FAILED }, { "skipped", JOB_HINT_FAILED },
                { "", JOB_HINT_FAILED },           { "something new", JOB_HINT_FAILED },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_msg(job_hint_from_result(rows[i].result) == rows[i].hint, "%s", rows[i].result);
}
END_TEST

START_TEST(test_climbs) {
        static const bool expected[_RECOVERY_OUTCOME_MAX] = {
                [OUTCOME_RECOVERED] = true, [OUTCOME_NO_BEAT] = true,         [OUTCOME_JOB_FAILED] = true,
                [OUTCOME_TIMEOUT] = true,   [OUTCOME_START_LIMIT_HIT] = true,
        };

        for (RecoveryOutcome i = 0; i < _RECOVERY_OUTCOME_MAX; i++)
                ck_assert_msg(outcome_climbs(i) == expected[i], "%s", recovery_outcome_to_string(i));
}
END_TEST

START_TEST(test_timeout) {
        static const struct {
                const char *title;
                usec_t start, stop;
                nsec_t expected;
        } rows[] = {
                { "systemd's defaults", 90 * USEC_PER_SEC, 90 * USEC_PER_SEC, 190 * NSEC_PER_SEC },
                { "a long stop is waited for", USEC_PER_SEC, 3600 * USEC_PER_SEC, 3611 * NSEC_PER_SEC },
                { "infinity is a time, too", USEC_INFINITY, 90 * USEC_PER_SEC, 700 * NSEC_PER_SEC },
                { "not a service", 0, 0, 10 * NSEC_PER_SEC },
                { "absurd", USEC_INFINITY - 1, USEC_INFINITY - 1, NSEC_INFINITY },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                UnitFacts facts = { .timeout_start = rows[i].start, .timeout_stop = rows[i].stop };

                ck_assert_msg(transaction_timeout(&facts) == rows[i].expected, "%s", rows[i].title);
        }
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_restart, test_start, test_hints, test_climbs, test_timeout };

        return run_tests("recovery-verdict", tests, ELEMENTSOF(tests));
}
