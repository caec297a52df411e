/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The stable vocabulary of recovery: why nothing was done, what became of what was done, and when a standing
 * stall is judged again. The names are those of the bus, the journal, the metrics and the manual; they are added
 * to and never changed.
 */

#include <errno.h>

#include "util/macro.h"

/* The gates, in the order in which they are asked: the first that holds is the reason. */
typedef enum RecoveryRefusal {
        REFUSAL_MODE_OFF,                  /* Mode=off: counted, not announced */
        REFUSAL_MODE_WARN,                 /* Mode=warn: announced, nothing is done */
        REFUSAL_UNAUTHENTICATED_TRANSPORT, /* the beats came from a network that vouches for nothing */
        REFUSAL_SOCKET_MODE_ONLY,          /* the kernel could not name the sender */
        REFUSAL_CROSS_NAMESPACE,           /* a process of another pid namespace, and that is not allowed */
        REFUSAL_UNCONFIRMED,     /* only one beat so far: the pid might be somebody else's by now */
        REFUSAL_PROCESS_CHANGED, /* pid recycled or gone, or another invocation: somebody restarted it */
        REFUSAL_NO_UNIT,         /* the process belongs to no unit */
        REFUSAL_NOT_ELIGIBLE,    /* not a .service, protected, or RefuseManualStart=/Stop= */
        REFUSAL_RESUMED,         /* it beat meanwhile */
        REFUSAL_PAUSED,          /* by hand */
        REFUSAL_TRACED,          /* under a debugger */
        REFUSAL_FROZEN,          /* its control group is frozen */
        REFUSAL_UNIT_NOT_ACTIVE, /* stopped, stopping, starting, or in somebody's job */
        REFUSAL_QUORUM,          /* too few of the unit's agents are stalled */
        REFUSAL_GRACE,           /* too soon after the unit's start, a clock jump or our own start */
        REFUSAL_HOST_STARVED,    /* the whole machine is slow, not this process */
        REFUSAL_BACKOFF,         /* too soon after the last restart */
        REFUSAL_GAVE_UP,         /* RestartLimit= is used up */
        REFUSAL_STORM,           /* StormLimit= is used up: the global brake */
        REFUSAL_IN_FLIGHT,       /* this unit is being recovered already */
        REFUSAL_CAPACITY,        /* as many recoveries are under way as fit */
        _RECOVERY_REFUSAL_MAX,
        _RECOVERY_REFUSAL_INVALID = -EINVAL,
} RecoveryRefusal;

/* What became of an action. Every action that was announced as started ends in exactly one of these. */
typedef enum RecoveryOutcome {
        OUTCOME_RECOVERED,         /* a process of the new invocation beats */
        OUTCOME_NO_BEAT,           /* restarted, but the new invocation does not beat within its grace */
        OUTCOME_STOPPED_MEANWHILE, /* somebody stopped the unit: left alone */
        OUTCOME_JOB_FAILED,
        OUTCOME_JOB_CANCELED,
        OUTCOME_TIMEOUT,         /* RecoveryTimeoutSec= */
        OUTCOME_START_LIMIT_HIT, /* StartLimitBurst= of the unit: reported, not fought */
        OUTCOME_ACCESS_DENIED,
        OUTCOME_UNIT_GONE,
        OUTCOME_BUS_LOST, /* systemd could not be reached, or never got the request */
        _RECOVERY_OUTCOME_MAX,
        _RECOVERY_OUTCOME_INVALID = -EINVAL,
} RecoveryOutcome;

/* What brings a standing stall before the gates again. A reload and a return by hand (`resume`) always do. */
typedef enum RecoveryAgain {
        AGAIN_NEVER,       /* final until the next beat or invocation */
        AGAIN_AT,          /* at a known moment */
        AGAIN_UNIT_CHANGE, /* when systemd says that the unit changed */
        AGAIN_AGENTS,      /* when another agent of the unit stalls, resumes or exits */
        AGAIN_OTHER_ENDS,  /* when the recovery that stands in the way ends */
        AGAIN_RECHECK,     /* looked at again and again, each RecheckSec= */
        AGAIN_BEAT,        /* at its second beat */
        AGAIN_BUS,         /* when systemd can be reached again */
        _RECOVERY_AGAIN_MAX,
        _RECOVERY_AGAIN_INVALID = -EINVAL,
} RecoveryAgain;

typedef enum RecoveryRecordKind {
        RECORD_REFUSED,
        RECORD_STARTED,
        RECORD_FINISHED,
        RECORD_GAVE_UP, /* once each time the unit enters that state; follows the REFUSED record `gave-up` */
        RECORD_LEFT_GAVE_UP,  /* by time, by hand, or because somebody restarted it */
        RECORD_PAUSED,        /* by hand, */
        RECORD_RESUMED,       /* by hand, or because the time of a pause was over */
        RECORD_BRAKE,         /* the storm brake took hold, or was released */
        RECORD_HELPER_FAILED, /* a unit of OnGaveUp= or CaptureUnit= did not do its work */
        RECORD_STATE,         /* something is wrong with the durable state */
        _RECOVERY_RECORD_KIND_MAX,
        _RECOVERY_RECORD_KIND_INVALID = -EINVAL,
} RecoveryRecordKind;

/* What ListUnits and status show of a unit. */
typedef enum RecoveryUnitState {
        UNIT_STATE_HEALTHY,    /* no standing stall */
        UNIT_STATE_STALLED,    /* a stall stands, and a gate holds it back */
        UNIT_STATE_RECOVERING, /* an action is under way */
        UNIT_STATE_BACKOFF,    /* healthy or not: the next restart would have to wait */
        UNIT_STATE_GAVE_UP,
        UNIT_STATE_PAUSED,
        _RECOVERY_UNIT_STATE_MAX,
        _RECOVERY_UNIT_STATE_INVALID = -EINVAL,
} RecoveryUnitState;

/* The names: "mode-off", "no-beat", ... NULL for what is not a member. */
const char *recovery_refusal_to_string(RecoveryRefusal r) _const_;
const char *recovery_outcome_to_string(RecoveryOutcome o) _const_;
const char *recovery_again_to_string(RecoveryAgain a) _const_;
const char *recovery_record_kind_to_string(RecoveryRecordKind k) _const_;
const char *recovery_unit_state_to_string(RecoveryUnitState s) _const_;
