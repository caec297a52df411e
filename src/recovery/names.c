/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The stable names of recovery: one table per enum, complete by construction (a hole would be NULL and a test
 * walks them all). */

#include "recovery/names.h"

static const char *const refusal_table[_RECOVERY_REFUSAL_MAX] = {
        [REFUSAL_MODE_OFF] = "mode-off",
        [REFUSAL_MODE_WARN] = "mode-warn",
        [REFUSAL_UNAUTHENTICATED_TRANSPORT] = "unauthenticated-transport",
        [REFUSAL_SOCKET_MODE_ONLY] = "socket-mode-only",
        [REFUSAL_CROSS_NAMESPACE] = "cross-namespace",
        [REFUSAL_UNCONFIRMED] = "unconfirmed",
        [REFUSAL_PROCESS_CHANGED] = "process-changed",
        [REFUSAL_NO_UNIT] = "no-unit",
        [REFUSAL_NOT_ELIGIBLE] = "not-eligible",
        [REFUSAL_RESUMED] = "resumed",
        [REFUSAL_PAUSED] = "paused",
        [REFUSAL_TRACED] = "traced",
        [REFUSAL_FROZEN] = "frozen",
        [REFUSAL_UNIT_NOT_ACTIVE] = "unit-not-active",
        [REFUSAL_QUORUM] = "quorum",
        [REFUSAL_GRACE] = "grace",
        [REFUSAL_HOST_STARVED] = "host-starved",
        [REFUSAL_BACKOFF] = "backoff",
        [REFUSAL_GAVE_UP] = "gave-up",
        [REFUSAL_STORM] = "storm",
        [REFUSAL_IN_FLIGHT] = "in-flight",
        [REFUSAL_CAPACITY] = "capacity",
};

static const char *const outcome_table[_RECOVERY_OUTCOME_MAX] = {
        [OUTCOME_RECOVERED] = "recovered",
        [OUTCOME_NO_BEAT] = "no-beat",
        [OUTCOME_STOPPED_MEANWHILE] = "stopped-meanwhile",
        [OUTCOME_JOB_FAILED] = "job-failed",
        [OUTCOME_JOB_CANCELED] = "job-canceled",
        [OUTCOME_TIMEOUT] = "timeout",
        [OUTCOME_START_LIMIT_HIT] = "start-limit-hit",
        [OUTCOME_ACCESS_DENIED] = "access-denied",
        [OUTCOME_UNIT_GONE] = "unit-gone",
        [OUTCOME_BUS_LOST] = "bus-lost",
};

static const char *const again_table[_RECOVERY_AGAIN_MAX] = {
        [AGAIN_NEVER] = "final",
        [AGAIN_AT] = "at",
        [AGAIN_UNIT_CHANGE] = "unit-change",
        [AGAIN_AGENTS] = "agents",
        [AGAIN_OTHER_ENDS] = "other-ends",
        [AGAIN_RECHECK] = "recheck",
        [AGAIN_BEAT] = "beat",
        [AGAIN_BUS] = "bus",
};

static const char *const record_kind_table[_RECOVERY_RECORD_KIND_MAX] = {
        [RECORD_REFUSED] = "refused",
        [RECORD_STARTED] = "started",
        [RECORD_FINISHED] = "finished",
        [RECORD_GAVE_UP] = "gave-up",
        [RECORD_LEFT_GAVE_UP] = "left-gave-up",
        [RECORD_PAUSED] = "paused",
        [RECORD_RESUMED] = "resumed",
        [RECORD_BRAKE] = "brake",
        [RECORD_HELPER_FAILED] = "helper-failed",
        [RECORD_STATE] = "state",
};

static const char *const unit_state_table[_RECOVERY_UNIT_STATE_MAX] = {
        [UNIT_STATE_HEALTHY] = "healthy",       [UNIT_STATE_STALLED] = "stalled",
        [UNIT_STATE_RECOVERING] = "recovering", [UNIT_STATE_BACKOFF] = "backoff",
        [UNIT_STATE_GAVE_UP] = "gave-up",       [UNIT_STATE_PAUSED] = "paused",
};

#define DEFINE_TO_STRING(name, type)                                                                        \
        const char *recovery_##name##_to_string(type v) {                                                   \
                if (v < 0 || (size_t) v >= ELEMENTSOF(name##_table))                                        \
                        return NULL;                                                                        \
                return name##_table[v];                                                                     \
        }

DEFINE_TO_STRING(refusal, RecoveryRefusal)
DEFINE_TO_STRING(outcome, RecoveryOutcome)
DEFINE_TO_STRING(again, RecoveryAgain)
DEFINE_TO_STRING(record_kind, RecoveryRecordKind)
DEFINE_TO_STRING(unit_state, RecoveryUnitState)
