/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The end of an action, and what follows: a step on the unit's ladder, when the stall comes before the gates again, and
 * one report. An action never judges: when it is over it wakes what waited for its end, and the loop comes round to it.
 */

#include <string.h>

#include "recovery/recovery-private.h"

/* What the ladder makes of an outcome, and when the unit's next action is thinkable; 0: not by time. */
static nsec_t climb(Recovery *r, RecoveryUnit *u, const Action *a, const UnitPolicy *policy,
                    RecoveryOutcome outcome) {
        nsec_t now = recovery_now(r);

        if (outcome_climbs(outcome) && a->accepted) {
                ladder_climb(&u->ladder, &policy->restart_backoff, now);
                return u->ladder.backoff_until;
        }
        switch (outcome) {
        case OUTCOME_ACCESS_DENIED:
                /* Somebody has to install or write something: the longest wait there is. */
                ladder_hold(&u->ladder, now, policy->restart_backoff.max);
                break;
        case OUTCOME_JOB_CANCELED:
        case OUTCOME_JOB_FAILED:
        case OUTCOME_TIMEOUT:
                ladder_hold(&u->ladder, now, policy->restart_backoff.min);
                break;
        default:
                return 0;
        }
        return u->ladder.hold_until;
}

/* When the stall, if it still stands, comes before the gates again. */
static RecoveryAgain again_after(const Recovery *r, RecoveryOutcome outcome, nsec_t wait, nsec_t *ret_at) {
        nsec_t at = NSEC_INFINITY;
        RecoveryAgain again;

        switch (outcome) {
        case OUTCOME_RECOVERED:
        case OUTCOME_STOPPED_MEANWHILE:
        case OUTCOME_START_LIMIT_HIT:
        case OUTCOME_UNIT_GONE:
                again = AGAIN_NEVER;
                break;
        case OUTCOME_BUS_LOST:
                again = AGAIN_BUS;
                if (systemd_is_attached(&r->systemd))
                        at = nsec_add(recovery_now(r), r->settings.recheck);
                break;
        default:
                again = AGAIN_AT;
                at = wait;
        }
        *ret_at = at;
        return again;
}

/* The restarted unit does not beat: there is no agent to carry the stall on, so the unit itself does. */
static void carry_on(Recovery *r, RecoveryUnit *u, const Action *a, nsec_t at) {
        AgentInfo agent = a->agent;
        RecoveryStall *s;

        if (u->own_stall != REGISTRY_NONE)
                registry_stall_remove(&r->registry, &r->registry.stalls[u->own_stall]);
        agent.id = 0;
        agent.pid = 0;
        memcpy(agent.invocation, a->after, INVOCATION_ID_SIZE);
        s = registry_stall_add(&r->registry, &agent, STALL_NEVER_BEAT, u);
        if (!s)
                return; /* one place per unit is kept for this; should it be taken, the agents' own stalls remain */
        s->since = recovery_now(r);
        s->decided = true;
        registry_stall_rest(&r->registry, s, AGAIN_AT, at);
}

static RecoveryStall *action_stall(Recovery *r, const RecoveryUnit *u, const Action *a) {
        if (a->agent.id != 0)
                return registry_stall(&r->registry, a->agent.id);
        return u->own_stall == REGISTRY_NONE ? NULL : &r->registry.stalls[u->own_stall];
}

void action_finish(Recovery *r, Action *a, RecoveryOutcome outcome, const char *text) {
        RecoveryUnit *u;
        UnitPolicy policy;
        RecoveryStall *s;
        RecoveryAgain again;
        nsec_t wait, at;

        assert(r);
        assert(a);
        assert(text);

        u = action_unit(r, a);
        r->hooks.policy(r->userdata, u->name, &policy);
        wait = climb(r, u, a, &policy, outcome);
        again = again_after(r, outcome, wait, &at);
        u->last_outcome = outcome;
        if (a->restarted)
                proof_settle_stalls(r, u, a);

        s = action_stall(r, u, a);
        if (s) {
                s->refusal = _RECOVERY_REFUSAL_INVALID; /* whatever the gates say next is news */
                /* A restarted unit's old process is gone, or soon: the gates will say `process-changed`. What the
                 * unit itself did not do is done when it beats, and begins anew when it does not. */
                if ((s->agent.id == 0 || s->reason == STALL_EXITED) && again == AGAIN_NEVER)
                        recovery_drop(r, s);
                else if (a->restarted)
                        registry_stall_due(&r->registry, s);
                else
                        registry_stall_rest(&r->registry, s, again, at);
        }
        if (outcome == OUTCOME_NO_BEAT)
                carry_on(r, u, a, wait);

        durable_action_ends(r, a);
        report_finished(r, u->name, a, outcome, text, again, at);
        action_release(r, a);
        recovery_wake(r, u, AGAIN_OTHER_ENDS);
        recovery_wake_for_room(r);
        judge_update_watch(r, u);
        judge_schedule(r, u);
}

void action_end_unbegun(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const Action *a,
                        const UnitPolicy *policy, RecoveryOutcome outcome, const char *text) {
        RecoveryAgain again;
        nsec_t wait, at;

        wait = climb(r, u, a, policy, outcome);
        again = again_after(r, outcome, wait, &at);
        u->last_outcome = outcome;
        s->decided = true;
        s->refusal = _RECOVERY_REFUSAL_INVALID;
        report_started(r, u->name, a);
        report_finished(r, u->name, a, outcome, text, again, at);
}
