/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What became of an action, concluded from what systemd says of the unit afterwards. Pure. */

#include "core/types.h"
#include "recovery/gates.h"
#include "recovery/names.h"

/* One reading of a unit's properties. */
typedef struct UnitFacts {
        bool found;  /* LoadState= is not "not-found" */
        bool loaded; /* LoadState= is "loaded": not masked either, and nothing wrong with it */
        bool refuse_manual_start, refuse_manual_stop;
        bool has_job;
        bool auto_restart;    /* SubState=: systemd itself will start it again (Restart=) */
        bool start_limit_hit; /* Result= */
        bool frozen;          /* FreezerState=: by systemd's own hand */
        ActiveState active_state;
        uint8_t invocation[INVOCATION_ID_SIZE];
        usec_t inactive_exit;               /* CLOCK_MONOTONIC; when the unit left "inactive"; 0: never */
        usec_t active_enter;                /* likewise; when it became active; 0: never */
        usec_t timeout_start, timeout_stop; /* USEC_INFINITY: none */
        uint32_t n_restarts;                /* by Restart=, since somebody started it by hand */
} UnitFacts;

static inline bool invocation_is_set(const uint8_t id[INVOCATION_ID_SIZE]) {
        for (unsigned i = 0; i < INVOCATION_ID_SIZE; i++)
                if (id[i] != 0)
                        return true;
        return false;
}

/* What the job or the call said: a hint, no more. A job that "was done" may have found a stopped unit. */
typedef enum JobHint {
        JOB_HINT_NONE, /* nobody said anything: the signal, or the reply, may be lost */
        JOB_HINT_DONE,
        JOB_HINT_CANCELED,
        JOB_HINT_TIMEOUT,
        JOB_HINT_FAILED,  /* failed, dependency, and whatever else systemd may call it */
        JOB_HINT_REFUSED, /* the call: somebody's job stands in the way */
        _JOB_HINT_MAX,
        _JOB_HINT_INVALID = -EINVAL,
} JobHint;

/* The result word of JobRemoved. */
JobHint job_hint_from_result(const char *result);

typedef enum TransactionStep {
        TRANSACTION_WAIT,  /* not over: look again when the job or the unit changes */
        TRANSACTION_PROVE, /* the unit runs anew: now a beat of the new invocation has to come */
        TRANSACTION_OVER,  /* see the outcome */
        _TRANSACTION_STEP_MAX,
        _TRANSACTION_STEP_INVALID = -EINVAL,
} TransactionStep;

/*
 * Concludes from a reading that was asked for after the hint came. `before` is the invocation that was to be ended.
 * `late`: the time for the job is over, so that "wait" is no answer. ret_outcome is set for TRANSACTION_OVER only.
 */
TransactionStep transaction_verdict(const uint8_t before[INVOCATION_ID_SIZE], const UnitFacts *now,
                                    JobHint hint, bool late, RecoveryOutcome *ret_outcome);

/* The same for Action=start:, from a reading of the operator's oneshot. `accepted`: systemd queued the job. `began`: the
 * oneshot has left "inactive" or "failed" since it was asked for. TRANSACTION_PROVE: it has done its work. */
TransactionStep start_verdict(const UnitFacts *now, JobHint hint, bool accepted, bool began, bool late,
                              RecoveryOutcome *ret_outcome);

/* Whether the outcome is a restart that happened (or was tried by systemd in earnest): one rung of the ladder. */
bool outcome_climbs(RecoveryOutcome o) _const_;

/* RecoveryTimeoutSec=auto: the unit's stop and start timeouts and 10 s. */
nsec_t transaction_timeout(const UnitFacts *facts) _pure_;
