/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One action: from the call to the proof.
 *
 *     CALLING --reply--> JOB --JobRemoved--> (look) --> PROVING --beat--> recovered
 *         \                \                   |            \--deadline--> (last look) --> no-beat
 *          \--error--> over \--deadline--> (last look)       \--unit down--> over
 *                                              \--between two states--> SETTLING --unit changed--> (look)
 *
 * Nothing that arrives by signal is believed: it only says that it is time to look, and "look" reads the unit and
 * asks transaction_verdict(). So a lost signal costs time and never the truth: after every return of the bus, or of
 * systemd, all actions look again, and before a deadline is announced as missed there is one last look.
 *
 * A beat of the new invocation may come before its job is over (Type=notify services beat while they start). It is
 * remembered, and counts from the moment the unit is seen to be active anew.
 *
 * Action=start: is the same with another witness: the operator's oneshot has to end well, and then any beat of the
 * unit that comes after it is the proof, because whether there is a new invocation is the oneshot's business. If there
 * is one, its first beat may well come while the oneshot still waits for its start.
 *
 * How it ends, and what follows from that, is action-end.c.
 */

#include <stdio.h>
#include <string.h>

#include "recovery/recovery-private.h"

/* The shortest time that a new process gets for its first beat. Thresholds go down to 10 ms, and exec alone can
 * take longer than that on a busy host; a late "no-beat" is better than a restart loop. */
#define PROOF_MIN (5 * NSEC_PER_SEC)

/* How long the last look may take before its answer is not waited for any more. */
#define LAST_LOOK (5 * NSEC_PER_SEC)

/* Restart only what still runs, and never at the cost of somebody else's job. */
#define JOB_MODE "fail"

static void action_look(Recovery *r, Action *a);

RecoveryUnit *action_unit(const Recovery *r, const Action *a) {
        return &r->registry.units[a->unit];
}

Action *action_of(Recovery *r, const RecoveryUnit *u) {
        assert(r);
        assert(u);

        return u->action == REGISTRY_NONE ? NULL : &r->actions[u->action];
}

bool action_needs_watch(const Action *a) {
        return a->phase == ACTION_SETTLING || a->phase == ACTION_PROVING;
}

void action_release(Recovery *r, Action *a) {
        RecoveryUnit *u = action_unit(r, a);

        unit_job_detach(&a->job);
        unit_reader_cancel(&a->reader);
        a->phase = ACTION_FREE;
        r->actions_used--;
        u->action = REGISTRY_NONE;
}

/* ---- Looking ---------------------------------------------------------------------------------------------- */

nsec_t action_proof_time(const UnitPolicy *policy) {
        nsec_t first = MAX(policy->stall_threshold, PROOF_MIN);
        nsec_t grace = nsec_add(policy->startup_grace, first);

        return MAX(grace, policy->first_beat);
}

/* `facts`: the reading that shows a new invocation; NULL where none is called for (Action=start:). */
static void begin_proof(Recovery *r, RecoveryUnit *u, Action *a, const UnitFacts *facts) {
        UnitPolicy policy;

        if (facts && memcmp(a->after, facts->invocation, INVOCATION_ID_SIZE) != 0) {
                memcpy(a->after, facts->invocation, INVOCATION_ID_SIZE);
                if (!a->restarted) {
                        u->restarts++;
                        a->seen = recovery_now(r);
                }
                a->restarted = true;
                a->accepted = true; /* whatever became of the reply */
        }
        if (facts ? proof_is_there(r, a, facts) : a->proven) {
                action_finish(r, a, OUTCOME_RECOVERED, "");
                return;
        }
        if (a->phase == ACTION_PROVING)
                return;
        r->hooks.policy(r->userdata, u->name, &policy);
        a->phase = ACTION_PROVING;
        a->late = false;
        a->limit = action_proof_time(&policy);
        a->deadline = nsec_add(recovery_now(r), a->limit);
        recovery_arm(r, a->deadline);
        durable_action_goes_on(r, a);
        judge_update_watch(r, u);
}

/* The time for the proof is over. Nobody need be new where a oneshot mended the unit: who is not stalled by now has beaten
 * since, as that time is no shorter than the threshold. An observer that inherited the action cannot say so: it has never
 * seen whom it was for, and may know only those that were well all the time. */
static RecoveryOutcome proof_failed(Recovery *r, const RecoveryUnit *u, const Action *a) {
        RecoveryAgents agents = {};

        if (a->verb == UNIT_ACTION_START && a->proof_after == 0)
                r->hooks.agents(r->userdata, u->name, &agents);
        return agents.tracked > 0 && agents.stalled == 0 ? OUTCOME_RECOVERED : OUTCOME_NO_BEAT;
}

/* While the proof is awaited: a unit that is up or on its way up has until the deadline. */
static void looked_proving(Recovery *r, RecoveryUnit *u, Action *a, const UnitFacts *facts) {
        RecoveryOutcome outcome = OUTCOME_NO_BEAT;
        TransactionStep step = TRANSACTION_WAIT;

        /* What the oneshot made of the unit: another restart by hand has to be told from that. */
        if (a->verb == UNIT_ACTION_START)
                memcpy(a->after, facts->invocation, INVOCATION_ID_SIZE);
        else if (!facts->auto_restart)
                step = transaction_verdict(a->before, facts, JOB_HINT_DONE, false, &outcome);
        if (step == TRANSACTION_PROVE)
                begin_proof(r, u, a, facts);
        else if (step == TRANSACTION_OVER) {
                action_finish(r, a, outcome, "");
                return;
        }
        if (a->phase == ACTION_PROVING && a->late)
                action_finish(r, a, proof_failed(r, u, a), "");
}

static void looked_job(Recovery *r, RecoveryUnit *u, Action *a, const UnitFacts *facts) {
        RecoveryOutcome outcome;

        switch (transaction_verdict(a->before, facts, a->hint, a->late, &outcome)) {
        case TRANSACTION_PROVE:
                begin_proof(r, u, a, facts);
                return;
        case TRANSACTION_OVER:
                /* The request was heard, and its end was not: then it was not the bus that kept it from us. */
                if (outcome == OUTCOME_BUS_LOST && a->accepted)
                        outcome = OUTCOME_JOB_CANCELED;
                action_finish(r, a, outcome, "");
                return;
        default:
                if (a->phase == ACTION_JOB && a->hint == JOB_HINT_NONE && facts->has_job)
                        return; /* as it should be: the job will tell of its end */
                a->phase = ACTION_SETTLING;
                judge_update_watch(r, u);
        }
}

/* Whether the unit that was read has been started since `started`. Compared are spans: systemd's times are of
 * CLOCK_MONOTONIC, ours may be of another clock. */
static bool has_begun(nsec_t now, nsec_t started, nsec_t monotonic, const UnitFacts *facts) {
        nsec_t exit = facts->inactive_exit * NSEC_PER_USEC;

        return exit > 0 && nsec_sub(monotonic, exit) <= nsec_sub(now, started);
}

/* The operator's oneshot. */
static void looked_start(Recovery *r, RecoveryUnit *u, Action *a, const UnitFacts *facts) {
        RecoveryOutcome outcome;
        bool began = has_begun(recovery_now(r), a->started, recovery_monotonic(r), facts);

        switch (start_verdict(facts, a->hint, a->accepted, began, a->late, &outcome)) {
        case TRANSACTION_PROVE:
                a->accepted = true;
                begin_proof(r, u, a, NULL);
                return;
        case TRANSACTION_OVER:
                action_finish(r, a, outcome, "");
                return;
        default:
                /* Its changes are not watched (the unit's own are): the job tells, or nobody does. */
                a->look_at = nsec_add(recovery_now(r), r->settings.recheck);
                recovery_arm(r, a->look_at);
        }
}

/* The time of an action that was taken over is an older observer's word. What set it, where RecoveryTimeoutSec= did not, is
 * known again now. */
static void bound_inherited(Recovery *r, Action *a, const UnitFacts *facts) {
        nsec_t limit = transaction_timeout(facts);

        if (a->proof_after == 0 || a->phase == ACTION_PROVING || a->late || r->settings.recovery_timeout > 0)
                return;
        a->limit = MIN(a->limit, limit);
        a->deadline = MIN(a->deadline, nsec_add(recovery_now(r), limit));
        recovery_arm(r, a->deadline);
}

static void on_looked(UnitReader *reader, CallResult result, const UnitFacts *facts, void *userdata) {
        UnitFacts known = *facts;
        Action *a = userdata;
        Recovery *r = a->recovery;
        RecoveryUnit *u = action_unit(r, a);

        if (result == CALL_NO_UNIT)
                known = (UnitFacts){ .active_state = ACTIVE_STATE_INACTIVE };
        else if (result != CALL_OK) {
                a->look_at = nsec_add(recovery_now(r), r->settings.recheck);
                recovery_arm(r, a->look_at);
                return;
        }
        bound_inherited(r, a, &known);
        if (a->doubted) /* it is there: the error was about one that it requires, or somebody has unmasked it since */
                action_finish(r, a, known.loaded ? OUTCOME_JOB_FAILED : OUTCOME_UNIT_GONE, a->words);
        else if (a->phase == ACTION_PROVING)
                looked_proving(r, u, a, &known);
        else if (a->verb == UNIT_ACTION_START)
                looked_start(r, u, a, &known);
        else
                looked_job(r, u, a, &known);
}

static void action_look(Recovery *r, Action *a) {
        int k;

        a->look_at = NSEC_INFINITY;
        if (unit_reader_is_busy(&a->reader) || !systemd_is_attached(&r->systemd) || a->overtaken)
                return; /* its answer will be newer than what made us look; or the return of the bus will */
        k = unit_reader_start(&a->reader, &r->systemd,
                              a->phase == ACTION_PROVING ? action_unit(r, a)->name : a->target, on_looked,
                              a);
        if (k < 0) {
                a->look_at = nsec_add(recovery_now(r), r->settings.recheck);
                recovery_arm(r, a->look_at);
        }
}

void action_unit_changed(Recovery *r, Action *a) {
        assert(r);
        assert(a);

        if (action_needs_watch(a))
                action_look(r, a);
}

void action_beat(Recovery *r, RecoveryUnit *u, const AgentInfo *agent) {
        Action *a;

        assert(r);
        assert(u);
        assert(agent);

        a = action_of(r, u);
        if (!a || agent->origin < ORIGIN_OPERATOR_ATTESTED)
                return;
        if (a->verb == UNIT_ACTION_START) {
                /* What the old invocation did before the oneshot was done proves nothing. */
                a->proven = a->proven || proof_is_of_another_invocation(a, agent) ||
                            (a->phase == ACTION_PROVING && proof_is_news(a, agent));
                if (a->proven && a->phase == ACTION_PROVING)
                        action_finish(r, a, OUTCOME_RECOVERED, "");
                return;
        }
        if (!invocation_is_set(agent->invocation)) {
                if (!proof_is_news(a, agent))
                        return;
                a->nameless_beat = recovery_now(r); /* the restart may yet have to be seen */
                if (a->phase == ACTION_PROVING)
                        action_finish(r, a, OUTCOME_RECOVERED, "");
                return;
        }
        if (memcmp(agent->invocation, a->before, INVOCATION_ID_SIZE) == 0)
                return;
        memcpy(a->beaten, agent->invocation, INVOCATION_ID_SIZE);
        if (a->phase != ACTION_PROVING)
                return;
        if (memcmp(a->beaten, a->after, INVOCATION_ID_SIZE) == 0)
                action_finish(r, a, OUTCOME_RECOVERED, "");
        else
                action_look(r, a); /* an old one, or one that was begun meanwhile */
}

/* ---- The call --------------------------------------------------------------------------------------------- */

static void on_replied(UnitJob *job, CallResult result, const char *text, void *userdata) {
        Action *a = userdata;
        Recovery *r = a->recovery;

        switch (result) {
        case CALL_OK:
                a->accepted = true;
                a->phase = ACTION_JOB;
                durable_action_goes_on(r, a);
                return;
        case CALL_DENIED:
                action_finish(r, a, OUTCOME_ACCESS_DENIED, text);
                return;
        case CALL_NO_UNIT:
                a->doubted = true;
                (void) snprintf(a->words, sizeof(a->words), "%s", text);
                break;
        case CALL_FAILED:
                action_finish(r, a, OUTCOME_JOB_FAILED, text);
                return;
        case CALL_CONFLICT:
                a->hint = JOB_HINT_REFUSED;
                break;
        default:
                break; /* it may have been heard all the same: the unit will tell */
        }
        a->phase = ACTION_SETTLING;
        action_look(r, a);
}

static void on_removed(UnitJob *job, JobHint hint, const char *result, void *userdata) {
        Action *a = userdata;

        a->hint = hint;
        a->phase = ACTION_SETTLING;
        action_look(a->recovery, a);
}

static const UnitJobHandlers job_handlers = {
        .replied = on_replied,
        .removed = on_removed,
};

static Action action_describe(Recovery *r, const RecoveryUnit *u, const RecoveryStall *s,
                              const UnitPolicy *policy) {
        return (Action){
                .recovery = r,
                .unit = registry_unit_number(&r->registry, u),
                .agent = s->agent,
                .reason = s->reason,
                .attempt = u->ladder.attempt + 1,
                .verb = policy->action.verb,
                .deferred = s->starved_since > 0,
                .by_hand = s->by_hand,
                .captured = s->capture == STALL_CAPTURE_DONE,
                .started = recovery_now(r),
                .deadline = NSEC_INFINITY,
                .look_at = NSEC_INFINITY,
        };
}

static int action_target(Action *a, const char *unit, const UnitPolicy *policy) {
        if (policy->action.verb == UNIT_ACTION_START)
                return config_expand_unit(policy->action.unit, unit, a->agent.pid, a->target,
                                          sizeof(a->target));
        (void) snprintf(a->target, sizeof(a->target), "%s", unit);
        return 0;
}

void action_start(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitFacts *facts,
                  const UnitPolicy *policy) {
        Action *a = NULL;
        int k;

        assert(r);
        assert(u);
        assert(u->action == REGISTRY_NONE);
        assert(s);
        assert(facts);
        assert(policy);

        for (uint32_t i = 0; i < RECOVERY_ACTIONS_MAX && !a; i++)
                if (r->actions[i].phase == ACTION_FREE) {
                        a = &r->actions[i];
                        u->action = i;
                }
        assert(a);

        *a = action_describe(r, u, s, policy);
        a->phase = ACTION_CALLING;
        a->limit = r->settings.recovery_timeout > 0 ? r->settings.recovery_timeout
                                                    : transaction_timeout(facts);
        a->deadline = nsec_add(a->started, a->limit);
        memcpy(a->before, facts->invocation, INVOCATION_ID_SIZE);
        s->by_hand = false;
        r->actions_used++;
        brake_count(&r->brake, a->started);
        u->last_action = a->started;
        k = action_target(a, u->name, policy);
        if (k >= 0)
                durable_action_begins(r, a);
        report_started(r, u->name, a);
        if (k < 0) {
                action_finish(r, a, OUTCOME_UNIT_GONE, "the unit of Action= has no valid name for this one");
                return;
        }
        k = unit_job_start(&a->job, &r->systemd, a->verb, a->target, JOB_MODE, &job_handlers, a);
        if (k < 0) {
                action_finish(r, a, OUTCOME_BUS_LOST, "the request could not be sent");
                return;
        }
        recovery_arm(r, a->deadline);
}

void action_fail(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitPolicy *policy,
                 RecoveryOutcome outcome, const char *text) {
        Action a;

        assert(r);
        assert(u);
        assert(s);
        assert(policy);

        a = action_describe(r, u, s, policy);
        (void) action_target(&a, u->name, policy); /* for the words only */
        action_end_unbegun(r, u, s, &a, policy, outcome, text);
}

/* ---- Time and the bus ------------------------------------------------------------------------------------- */

static void action_overdue(Recovery *r, Action *a, nsec_t now) {
        if (!a->late) {
                a->late = true;
                a->deadline = nsec_add(now, LAST_LOOK);
                action_look(r, a);
                return;
        }
        if (a->phase == ACTION_PROVING)
                action_finish(r, a, proof_failed(r, action_unit(r, a), a), "");
        else
                action_finish(r, a, systemd_is_attached(&r->systemd) ? OUTCOME_TIMEOUT : OUTCOME_BUS_LOST,
                              "");
}

void action_tick(Recovery *r, nsec_t now) {
        assert(r);

        for (uint32_t i = 0; i < RECOVERY_ACTIONS_MAX; i++) {
                Action *a = &r->actions[i];

                if (a->phase == ACTION_FREE)
                        continue;
                if (a->overtaken) {
                        action_finish(r, a, OUTCOME_STOPPED_MEANWHILE, "the host was restarted");
                        continue;
                }
                if (a->look_at <= now)
                        action_look(r, a);
                if (a->deadline <= now)
                        action_overdue(r, a, now);
        }
}

nsec_t action_next(const Recovery *r) {
        nsec_t next = NSEC_INFINITY;

        assert(r);

        for (uint32_t i = 0; i < RECOVERY_ACTIONS_MAX; i++)
                if (r->actions[i].phase != ACTION_FREE) {
                        next = MIN(next, r->actions[i].deadline);
                        next = MIN(next, r->actions[i].look_at);
                }
        return next;
}

void action_bus_gone(Recovery *r) {
        assert(r);

        for (uint32_t i = 0; i < RECOVERY_ACTIONS_MAX; i++) {
                unit_job_detach(&r->actions[i].job);
                unit_reader_cancel(&r->actions[i].reader);
        }
}

void action_bus_back(Recovery *r) {
        assert(r);

        for (uint32_t i = 0; i < RECOVERY_ACTIONS_MAX; i++) {
                Action *a = &r->actions[i];

                if (a->phase == ACTION_FREE)
                        continue;
                /* systemd may be back on a connection that was never lost: then a reply is still to come, or its
                 * error. Otherwise nobody will reply any more. */
                if (a->phase == ACTION_CALLING && a->job.call)
                        continue;
                if (a->phase == ACTION_CALLING)
                        a->phase = ACTION_SETTLING;
                if (a->phase == ACTION_JOB && !a->job.match)
                        (void) unit_job_resume(&a->job, &r->systemd);
                action_look(r, a);
                judge_update_watch(r, action_unit(r, a));
        }
}

void action_release_all(Recovery *r) {
        assert(r);

        for (uint32_t i = 0; i < RECOVERY_ACTIONS_MAX; i++)
                if (r->actions[i].phase != ACTION_FREE)
                        action_release(r, &r->actions[i]);
}
