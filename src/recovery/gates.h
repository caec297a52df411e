/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The gates between a stall and an action, as one pure function over facts. */

#include <stdbool.h>

#include "config/config.h"
#include "core/types.h"
#include "recovery/names.h"

/* systemd's ActiveState=, as far as anybody here tells them apart. */
typedef enum ActiveState {
        ACTIVE_STATE_UNKNOWN,
        ACTIVE_STATE_ACTIVE,
        ACTIVE_STATE_RELOADING,
        ACTIVE_STATE_INACTIVE,
        ACTIVE_STATE_FAILED,
        ACTIVE_STATE_ACTIVATING,
        ACTIVE_STATE_DEACTIVATING,
        ACTIVE_STATE_MAINTENANCE,
        _ACTIVE_STATE_MAX,
        _ACTIVE_STATE_INVALID = -EINVAL,
} ActiveState;

const char *active_state_to_string(ActiveState s) _const_;
/* ACTIVE_STATE_UNKNOWN for a word it does not know. */
ActiveState active_state_from_string(const char *s);

/* Everything the gates look at. Zeroed facts of a stalled agent pass nothing: the mode is off. */
typedef struct GateFacts {
        nsec_t now;
        nsec_t recheck; /* RecheckSec= */

        /* From the configuration. */
        UnitMode mode;
        bool allow_cross_namespace;

        /* The agent. Without one (a unit that never beat) only its unit is judged. */
        bool has_agent;
        Origin origin;
        bool foreign_namespace;
        bool confirmed;
        bool process_changed; /* the pid is somebody else's by now, or nobody's */
        bool resumed;

        /* The unit, as far as its name and the configuration tell. */
        bool has_unit;
        bool eligible; /* a .service, not protected, not ourselves */

        /* The process and its control group. */
        nsec_t paused_until; /* 0: not; NSEC_INFINITY: until resumed by hand */
        bool traced;
        bool frozen;

        /* The unit, as systemd tells it. */
        bool unit_known; /* false: nobody asked yet, and what follows up to unit_grace_until says nothing */
        bool invocation_changed;
        bool refuses_manual; /* RefuseManualStart= or RefuseManualStop= */
        ActiveState active_state;
        bool has_job;
        nsec_t unit_grace_until; /* 0: none */

        Quorum quorum;
        uint32_t agents, stalled;

        nsec_t grace_until;   /* of a clock jump and of our own start; 0: none */
        bool host_starved;    /* it is, and MaxDeferralSec= is not over */
        nsec_t backoff_until; /* 0: none, as below */
        nsec_t gave_up_until;
        bool limit_spent;  /* one more restart would exceed RestartLimit= ... */
        nsec_t limit_span; /* ... and that is how long the unit would be given up */
        nsec_t storm_until;

        bool in_flight; /* an action of ours for this unit: what systemd says of the unit is our own doing */
        bool capacity;  /* no room for one more action */
} GateFacts;

typedef enum GateVerdict {
        GATE_PASS,      /* act */
        GATE_REFUSED,   /* see the decision */
        GATE_NEED_UNIT, /* nothing is known against it, but systemd has to be asked first */
        _GATE_VERDICT_MAX,
        _GATE_VERDICT_INVALID = -EINVAL,
} GateVerdict;

typedef struct GateDecision {
        RecoveryRefusal refusal;
        RecoveryAgain again;
        nsec_t again_at; /* NSEC_INFINITY unless `again` is AT or RECHECK */
} GateDecision;

/* Asks the gates in their order. ret is filled for GATE_REFUSED only. */
GateVerdict gates_judge(const GateFacts *facts, GateDecision *ret);

/* Whether enough of the unit's agents are stalled. A unit without agents (all of them gone, or none yet) passes. */
bool quorum_reached(const Quorum *quorum, uint32_t agents, uint32_t stalled) _pure_;
