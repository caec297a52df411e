/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The verdict on an action. The only witnesses that cannot lie are the unit's InvocationID and ActiveState, read
 * afterwards: a new invocation that is active is a restart, whoever brought it about. What the job said decides
 * only where those two leave a choice:
 *
 *   - try-restart of a stopped unit ends with "done", and so does one that was stopped a moment later;
 *   - a bus that restarts loses JobRemoved, and a systemd that re-executes loses replies: no hint at all;
 *   - the same invocation, still active and without a job means that the request never arrived or was canceled.
 */

#include <string.h>

#include "recovery/verdict.h"

/* For units whose timeout is infinite: "auto" has to be a time. Longer than any start that somebody waits for. */
#define TIMEOUT_FOR_INFINITE (10 * NSEC_PER_MINUTE)

/* What systemd itself may need on top of the unit's own timeouts: SIGKILL, and jobs queued before ours. */
#define TIMEOUT_ALLOWANCE (10 * NSEC_PER_SEC)

JobHint job_hint_from_result(const char *result) {
        assert(result);

        if (strcmp(result, "done") == 0)
                return JOB_HINT_DONE;
        if (strcmp(result, "canceled") == 0)
                return JOB_HINT_CANCELED;
        if (strcmp(result, "timeout") == 0)
                return JOB_HINT_TIMEOUT;
        return JOB_HINT_FAILED;
}

static TransactionStep over(RecoveryOutcome outcome, RecoveryOutcome *ret) {
        *ret = outcome;
        return TRANSACTION_OVER;
}

/* The unit does not run, or is about not to. `changed`: it was started anew before that. */
static TransactionStep verdict_down(const UnitFacts *now, JobHint hint, bool changed, RecoveryOutcome *ret) {
        bool failed = now->active_state == ACTIVE_STATE_FAILED || now->auto_restart;

        if (now->start_limit_hit)
                return over(OUTCOME_START_LIMIT_HIT, ret);
        switch (hint) {
        case JOB_HINT_TIMEOUT:
                return over(OUTCOME_TIMEOUT, ret);
        case JOB_HINT_FAILED:
                return over(OUTCOME_JOB_FAILED, ret);
        case JOB_HINT_CANCELED:
        case JOB_HINT_REFUSED:
                return over(OUTCOME_STOPPED_MEANWHILE, ret);
        default:
                /* Failed without a new invocation: it went down by itself before our job could do anything. */
                return over(failed && changed ? OUTCOME_JOB_FAILED : OUTCOME_STOPPED_MEANWHILE, ret);
        }
}

/* The unit runs as before: nothing was done, or not yet. */
static TransactionStep verdict_unchanged(JobHint hint, RecoveryOutcome *ret) {
        switch (hint) {
        case JOB_HINT_CANCELED:
        case JOB_HINT_REFUSED:
                return over(OUTCOME_JOB_CANCELED, ret);
        case JOB_HINT_TIMEOUT:
                return over(OUTCOME_TIMEOUT, ret);
        case JOB_HINT_NONE:
                return over(OUTCOME_BUS_LOST, ret);
        default:
                return over(OUTCOME_JOB_FAILED, ret);
        }
}

TransactionStep transaction_verdict(const uint8_t before[INVOCATION_ID_SIZE], const UnitFacts *now,
                                    JobHint hint, bool late, RecoveryOutcome *ret) {
        bool changed, in_between;

        assert(before);
        assert(now);
        assert(ret);

        if (!now->found && now->active_state != ACTIVE_STATE_ACTIVE)
                return over(OUTCOME_UNIT_GONE, ret);

        changed = invocation_is_set(now->invocation) &&
                  memcmp(before, now->invocation, INVOCATION_ID_SIZE) != 0;
        in_between = now->has_job || now->active_state == ACTIVE_STATE_RELOADING ||
                     (now->active_state == ACTIVE_STATE_ACTIVATING && !now->auto_restart) ||
                     now->active_state == ACTIVE_STATE_DEACTIVATING ||
                     now->active_state == ACTIVE_STATE_UNKNOWN;

        if (now->active_state == ACTIVE_STATE_ACTIVE && changed)
                return TRANSACTION_PROVE;
        if (hint == JOB_HINT_REFUSED && now->active_state == ACTIVE_STATE_DEACTIVATING)
                return over(OUTCOME_STOPPED_MEANWHILE,
                            ret); /* it is somebody's stop that stood in the way */
        if (hint == JOB_HINT_REFUSED && now->active_state == ACTIVE_STATE_ACTIVE)
                return verdict_unchanged(hint, ret);
        if (in_between)
                return late ? over(OUTCOME_TIMEOUT, ret) : TRANSACTION_WAIT;
        if (now->active_state == ACTIVE_STATE_ACTIVE)
                return verdict_unchanged(hint, ret);
        return verdict_down(now, hint, changed, ret);
}

/* Nobody said how it went: its state tells, if it is of our request and not of an earlier one. */
static TransactionStep start_unheard(const UnitFacts *now, bool accepted, bool began, bool late,
                                     RecoveryOutcome *ret) {
        if (now->has_job || now->active_state == ACTIVE_STATE_ACTIVATING)
                return late ? over(OUTCOME_TIMEOUT, ret) : TRANSACTION_WAIT;
        if (now->active_state == ACTIVE_STATE_FAILED) {
                if (now->start_limit_hit && (accepted || began))
                        return over(OUTCOME_START_LIMIT_HIT, ret);
                if (began)
                        return over(OUTCOME_JOB_FAILED, ret);
                /* It failed before, and was not begun again: the request never arrived, or its job was canceled. */
                return over(accepted ? OUTCOME_JOB_CANCELED : OUTCOME_BUS_LOST, ret);
        }
        /* A oneshot that ended well is inactive, and systemd may have forgotten when it ran: so is one that never began.
         * The proof will tell them apart. */
        return TRANSACTION_PROVE;
}

TransactionStep start_verdict(const UnitFacts *now, JobHint hint, bool accepted, bool began, bool late,
                              RecoveryOutcome *ret) {
        assert(now);
        assert(ret);

        if (!now->found)
                return over(OUTCOME_UNIT_GONE, ret);
        switch (hint) {
        case JOB_HINT_DONE:
                return TRANSACTION_PROVE;
        case JOB_HINT_CANCELED:
        case JOB_HINT_REFUSED:
                return over(OUTCOME_JOB_CANCELED, ret);
        case JOB_HINT_TIMEOUT:
                return over(OUTCOME_TIMEOUT, ret);
        case JOB_HINT_FAILED:
                if (now->start_limit_hit && now->active_state == ACTIVE_STATE_FAILED)
                        return over(OUTCOME_START_LIMIT_HIT, ret);
                return over(OUTCOME_JOB_FAILED, ret);
        default:
                return start_unheard(now, accepted, began, late, ret);
        }
}

bool outcome_climbs(RecoveryOutcome o) {
        switch (o) {
        case OUTCOME_RECOVERED:
        case OUTCOME_NO_BEAT:
        case OUTCOME_JOB_FAILED:
        case OUTCOME_TIMEOUT:
        case OUTCOME_START_LIMIT_HIT:
                return true;
        default:
                return false;
        }
}

static nsec_t timeout_part(usec_t t) {
        if (t == USEC_INFINITY)
                return TIMEOUT_FOR_INFINITE;
        return t > NSEC_INFINITY / NSEC_PER_USEC ? NSEC_INFINITY : t * NSEC_PER_USEC;
}

nsec_t transaction_timeout(const UnitFacts *facts) {
        assert(facts);

        return nsec_add(nsec_add(timeout_part(facts->timeout_start), timeout_part(facts->timeout_stop)),
                        TIMEOUT_ALLOWANCE);
}
