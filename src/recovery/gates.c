/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The gates: one small question each, asked in the order of a table, so that the order is data and "the first that
 * holds is the reason" is one loop. No gate knows of another.
 *
 * Some of them need systemd's word, which takes a round trip. As long as it is missing the loop stops before the
 * first of those with GATE_NEED_UNIT, unless something final speaks against the stall anyway: then the question
 * would be wasted on systemd.
 */

#include <string.h>

#include "recovery/gates.h"
#include "recovery/starved.h"

typedef struct Gate {
        bool (*holds)(const GateFacts *f);
        RecoveryAgain again;
        nsec_t (*until)(const GateFacts *f); /* for AGAIN_AT */
} Gate;

static const char *const active_state_table[_ACTIVE_STATE_MAX] = {
        [ACTIVE_STATE_UNKNOWN] = "unknown",
        [ACTIVE_STATE_ACTIVE] = "active",
        [ACTIVE_STATE_RELOADING] = "reloading",
        [ACTIVE_STATE_INACTIVE] = "inactive",
        [ACTIVE_STATE_FAILED] = "failed",
        [ACTIVE_STATE_ACTIVATING] = "activating",
        [ACTIVE_STATE_DEACTIVATING] = "deactivating",
        [ACTIVE_STATE_MAINTENANCE] = "maintenance",
};

const char *active_state_to_string(ActiveState s) {
        if (s < 0 || s >= _ACTIVE_STATE_MAX)
                return NULL;
        return active_state_table[s];
}

ActiveState active_state_from_string(const char *s) {
        assert(s);

        for (ActiveState i = 0; i < _ACTIVE_STATE_MAX; i++)
                if (strcmp(active_state_table[i], s) == 0)
                        return i;
        return ACTIVE_STATE_UNKNOWN;
}

bool quorum_reached(const Quorum *quorum, uint32_t agents, uint32_t stalled) {
        assert(quorum);

        if (agents == 0)
                return true;
        if (quorum->is_share)
                return (uint64_t) stalled * 100 >= (uint64_t) agents * quorum->value;
        /* A count above the number of agents there are asks for all of them: else it could never be reached. */
        return stalled >= MIN(quorum->value, agents);
}

static bool holds_mode_off(const GateFacts *f) {
        return f->mode == UNIT_MODE_OFF;
}

static bool holds_mode_warn(const GateFacts *f) {
        return f->mode != UNIT_MODE_ENFORCE;
}

static bool holds_unauthenticated_transport(const GateFacts *f) {
        return f->has_agent && f->origin == ORIGIN_NETWORK_UNVERIFIED;
}

static bool holds_socket_mode_only(const GateFacts *f) {
        return f->has_agent && f->origin == ORIGIN_SOCKET_MODE_ONLY;
}

static bool holds_cross_namespace(const GateFacts *f) {
        return f->has_agent && f->foreign_namespace && !f->allow_cross_namespace;
}

static bool holds_unconfirmed(const GateFacts *f) {
        /* Who is not attested has no identity that a second beat could confirm: the operator vouches for it. */
        return f->has_agent && f->origin == ORIGIN_KERNEL_ATTESTED && !f->confirmed;
}

static bool holds_process_changed(const GateFacts *f) {
        return f->process_changed || (f->unit_known && !f->in_flight && f->invocation_changed);
}

static bool holds_no_unit(const GateFacts *f) {
        return !f->has_unit;
}

static bool holds_not_eligible(const GateFacts *f) {
        return !f->eligible || (f->unit_known && f->refuses_manual);
}

static bool holds_resumed(const GateFacts *f) {
        return f->resumed;
}

static bool holds_paused(const GateFacts *f) {
        return f->paused_until > f->now;
}

static bool holds_traced(const GateFacts *f) {
        return f->traced;
}

static bool holds_frozen(const GateFacts *f) {
        return f->frozen;
}

static bool holds_unit_not_active(const GateFacts *f) {
        return f->unit_known && !f->in_flight && (f->active_state != ACTIVE_STATE_ACTIVE || f->has_job);
}

static bool holds_quorum(const GateFacts *f) {
        return !quorum_reached(&f->quorum, f->agents, f->stalled);
}

static nsec_t until_grace(const GateFacts *f) {
        return MAX(f->grace_until, f->in_flight ? 0 : f->unit_grace_until);
}

static bool holds_grace(const GateFacts *f) {
        return until_grace(f) > f->now;
}

static bool holds_host_starved(const GateFacts *f) {
        return f->host_starved;
}

static bool holds_backoff(const GateFacts *f) {
        return f->backoff_until > f->now;
}

static bool holds_gave_up(const GateFacts *f) {
        return f->gave_up_until > f->now || f->limit_spent;
}

static bool holds_storm(const GateFacts *f) {
        return f->storm_until > f->now;
}

static bool holds_in_flight(const GateFacts *f) {
        return f->in_flight;
}

static bool holds_capacity(const GateFacts *f) {
        return f->capacity;
}

static nsec_t until_paused(const GateFacts *f) {
        return f->paused_until;
}

static nsec_t until_backoff(const GateFacts *f) {
        return f->backoff_until;
}

static nsec_t until_gave_up(const GateFacts *f) {
        return f->gave_up_until > f->now ? f->gave_up_until : nsec_add(f->now, f->limit_span);
}

static nsec_t until_storm(const GateFacts *f) {
        return f->storm_until;
}

/* "Re-checked each second": RecheckSec= may be longer. */
static nsec_t until_host_starved(const GateFacts *f) {
        return nsec_add(f->now, MIN(f->recheck, STARVED_RECHECK));
}

static const Gate gates[_RECOVERY_REFUSAL_MAX] = {
        [REFUSAL_MODE_OFF] = { holds_mode_off, AGAIN_NEVER, NULL },
        [REFUSAL_MODE_WARN] = { holds_mode_warn, AGAIN_NEVER, NULL },
        [REFUSAL_UNAUTHENTICATED_TRANSPORT] = { holds_unauthenticated_transport, AGAIN_NEVER, NULL },
        [REFUSAL_SOCKET_MODE_ONLY] = { holds_socket_mode_only, AGAIN_NEVER, NULL },
        [REFUSAL_CROSS_NAMESPACE] = { holds_cross_namespace, AGAIN_NEVER, NULL },
        [REFUSAL_UNCONFIRMED] = { holds_unconfirmed, AGAIN_BEAT, NULL },
        [REFUSAL_PROCESS_CHANGED] = { holds_process_changed, AGAIN_NEVER, NULL },
        [REFUSAL_NO_UNIT] = { holds_no_unit, AGAIN_NEVER, NULL },
        [REFUSAL_NOT_ELIGIBLE] = { holds_not_eligible, AGAIN_NEVER, NULL },
        [REFUSAL_RESUMED] = { holds_resumed, AGAIN_NEVER, NULL },
        [REFUSAL_PAUSED] = { holds_paused, AGAIN_AT, until_paused },
        [REFUSAL_TRACED] = { holds_traced, AGAIN_RECHECK, NULL },
        [REFUSAL_FROZEN] = { holds_frozen, AGAIN_RECHECK, NULL },
        [REFUSAL_UNIT_NOT_ACTIVE] = { holds_unit_not_active, AGAIN_UNIT_CHANGE, NULL },
        [REFUSAL_QUORUM] = { holds_quorum, AGAIN_AGENTS, NULL },
        [REFUSAL_GRACE] = { holds_grace, AGAIN_AT, until_grace },
        [REFUSAL_HOST_STARVED] = { holds_host_starved, AGAIN_RECHECK, until_host_starved },
        [REFUSAL_BACKOFF] = { holds_backoff, AGAIN_AT, until_backoff },
        [REFUSAL_GAVE_UP] = { holds_gave_up, AGAIN_AT, until_gave_up },
        [REFUSAL_STORM] = { holds_storm, AGAIN_AT, until_storm },
        [REFUSAL_IN_FLIGHT] = { holds_in_flight, AGAIN_OTHER_ENDS, NULL },
        [REFUSAL_CAPACITY] = { holds_capacity, AGAIN_OTHER_ENDS, NULL },
};

/* The last gate that can be asked without systemd's word. */
#define LAST_WITHOUT_UNIT REFUSAL_NOT_ELIGIBLE

GateVerdict gates_judge(const GateFacts *f, GateDecision *ret) {
        assert(f);
        assert(ret);

        for (RecoveryRefusal i = 0; i < _RECOVERY_REFUSAL_MAX; i++) {
                const Gate *g = &gates[i];

                if (i > LAST_WITHOUT_UNIT && !f->unit_known && !f->in_flight)
                        return GATE_NEED_UNIT;
                if (!g->holds(f))
                        continue;

                *ret = (GateDecision){
                        .refusal = i,
                        .again = g->again,
                        .again_at = g->until                  ? g->until(f)
                                  : g->again == AGAIN_RECHECK ? nsec_add(f->now, f->recheck)
                                                              : NSEC_INFINITY,
                };
                return GATE_REFUSED;
        }
        return GATE_PASS;
}
