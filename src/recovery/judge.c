/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Judging: gathers the facts of a stall, has the gates look at them, and does what they say.
 *
 * A stall is judged when it is new and when what it waits for has come ("due"), never by polling. First with what is
 * known here; if nothing final speaks against it, systemd is asked for the unit, once for all of its due stalls, and
 * the reply puts them before the gates again, with every fact taken anew: that is the check just before acting, and
 * nothing lies between it and the call but the same turn of the loop. Only a few units are read at once, however many
 * stall together: each reading that ends lets the next begin.
 */

#include <stdio.h>
#include <string.h>

#include "recovery/process.h"
#include "recovery/recovery-private.h"
#include "util/proc.h"
#include "util/unit-name.h"

/* Stalls of one unit judged in one turn of the loop. Each costs a few small files of /proc, some 50 us: a unit with
 * thousands of agents must not keep beats waiting for longer than a few milliseconds. */
#define JUDGE_BATCH_MAX 64U

/* "/sys/fs/cgroup", a path of the kernel's, "/cgroup.events". */
#define CGROUP_PATH_MAX 4096

static bool cgroup_is_frozen(const Recovery *r, uint32_t pid) {
        char text[PROCESS_TEXT_MAX], path[CGROUP_PATH_MAX], file[CGROUP_PATH_MAX + 32];

        (void) snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
        if (recovery_read_text(r, path, text, sizeof(text)) < 0 ||
            process_parse_cgroup(text, path, sizeof(path)) < 0)
                return false;
        (void) snprintf(file, sizeof(file), "/sys/fs/cgroup%s/cgroup.events", path);
        return recovery_read_text(r, file, text, sizeof(text)) >= 0 && process_parse_frozen(text);
}

/* What /proc says of a process of this host. What cannot be read speaks neither for nor against it. */
static void gather_process(const Recovery *r, const char *unit, const UnitPolicy *policy,
                           const AgentInfo *agent, GateFacts *f) {
        char text[PROCESS_TEXT_MAX], path[64];
        ProcessStatus status;
        uint64_t start;
        int k;

        (void) snprintf(path, sizeof(path), "/proc/%u/stat", agent->pid);
        k = recovery_read_text(r, path, text, sizeof(text));
        f->process_changed = k == -ENOENT || k == -ESRCH ||
                             (k >= 0 && agent->generation != 0 && proc_parse_start_time(text, &start) >= 0 &&
                              start != agent->generation);
        if (f->process_changed)
                return;

        (void) snprintf(path, sizeof(path), "/proc/%u/status", agent->pid);
        if (recovery_read_text(r, path, text, sizeof(text)) >= 0 &&
            process_parse_status(text, &status) >= 0) {
                f->traced = status.tracer != 0 &&
                            !capture_is_tracer(r, unit, policy, agent->pid, status.tracer);
                f->foreign_namespace = status.namespaces > 1;
        }
        f->frozen = cgroup_is_frozen(r, agent->pid);
}

static void gather_agent(const Recovery *r, const char *unit, const UnitPolicy *policy,
                         const RecoveryStall *s, GateFacts *f) {
        AgentInfo agent = s->agent;
        int k;

        if (s->agent.id == 0) {
                /* Taken over from an observer before this one: not an agent, but maybe a process. */
                if (s->agent.pid != 0 && s->reason != STALL_EXITED && f->mode == UNIT_MODE_ENFORCE)
                        gather_process(r, unit, policy, &s->agent, f);
                return;
        }
        f->has_agent = true;
        k = r->hooks.agent(r->userdata, s->agent.id, &agent);
        f->origin = agent.origin;
        f->confirmed = agent.confirmed;
        if (s->reason == STALL_EXITED)
                return; /* that it is gone is what it stalled for */
        f->process_changed = k < 0;
        f->resumed = k >= 0 && !agent.stalled;
        if (k >= 0 && f->mode == UNIT_MODE_ENFORCE && agent.source == SOURCE_LOCAL &&
            agent.origin == ORIGIN_KERNEL_ATTESTED)
                gather_process(r, unit, policy, &agent, f);
}

static void gather_unit(const Recovery *r, RecoveryStall *s, const UnitFacts *unit, const UnitPolicy *policy,
                        GateFacts *f) {
        nsec_t grace = policy->startup_grace, started, age;

        f->unit_known = true;
        /* Where nobody could read the invocation of a process, it is taken for the one that runs when the stall is
         * first judged: else nothing would tell later that the unit was started anew since. */
        if (stall_is_of_invocation(s) && !invocation_is_set(s->agent.invocation))
                memcpy(s->agent.invocation, unit->invocation, INVOCATION_ID_SIZE);
        f->invocation_changed = invocation_is_set(s->agent.invocation) &&
                                invocation_is_set(unit->invocation) &&
                                memcmp(s->agent.invocation, unit->invocation, INVOCATION_ID_SIZE) != 0;
        f->refuses_manual = unit->refuse_manual_start || unit->refuse_manual_stop;
        f->active_state = unit->found ? unit->active_state : ACTIVE_STATE_INACTIVE;
        f->has_job = unit->has_job;
        f->frozen = f->frozen || unit->frozen;

        /* Who beats over a network does so across invocations: silence counts from the unit's start. */
        if (!stall_is_of_invocation(s))
                grace = MAX(grace, policy->stall_threshold);
        if (grace == 0 || unit->inactive_exit == 0)
                return;
        started = unit->inactive_exit * NSEC_PER_USEC;
        age = nsec_sub(recovery_monotonic(r), started);
        if (age < grace)
                f->unit_grace_until = nsec_add(f->now, grace - age);
}

static bool is_eligible(const Recovery *r, const char *unit, const UnitPolicy *policy) {
        return unit_name_has_suffix(unit, ".service") && !policy->is_protected &&
               strcmp(unit, r->own_unit) != 0;
}

/* A starved host puts a verdict off, but not for ever: then something else may be wrong with the process, too. */
static bool host_holds(const Recovery *r, RecoveryStall *s, const UnitPolicy *policy, nsec_t now) {
        if (!host_judge(r, now, policy->stall_threshold).starved) {
                s->starved_since = 0;
                return false;
        }
        if (s->starved_since == 0)
                s->starved_since = now;
        return nsec_sub(now, s->starved_since) < r->settings.max_deferral;
}

static void gather_brakes(Recovery *r, const RecoveryUnit *u, const RecoveryStall *s, GateFacts *f) {
        /* A pid of another host is not what "pid:N" means. */
        uint32_t pid = s->agent.source == SOURCE_LOCAL ? s->agent.pid : 0;
        const Pause *pause = pauses_find(&r->pauses, u ? u->name : "", pid, s->agent.generation, f->now);

        f->paused_until = pause ? pause->until : 0;
        f->storm_until = brake_until(&r->brake, &r->settings.storm_limit, f->now);
        if (f->storm_until == 0)
                r->braked = false;
}

/* Somebody wants it now: what is policy does not count. What guards against acting on the wrong process, against an
 * administrator's stop or beside another action does. */
static void forgive(GateFacts *f, const UnitPolicy *policy) {
        f->mode = UNIT_MODE_ENFORCE;
        f->quorum = (Quorum){ .value = 1 };
        f->paused_until = f->grace_until = f->unit_grace_until = 0;
        f->backoff_until = f->gave_up_until = f->storm_until = 0;
        f->limit_spent = f->host_starved = false;
}

/* Everything but systemd's word. `u` is NULL for a stall of no unit. */
static void gather(Recovery *r, const RecoveryUnit *u, RecoveryStall *s, const UnitFacts *unit,
                   const UnitPolicy *policy, GateFacts *ret) {
        const char *name = u ? u->name : "";
        RecoveryAgents agents = {};
        GateFacts f = {
                .now = recovery_now(r),
                .recheck = r->settings.recheck,
                .mode = s->by_hand ? UNIT_MODE_ENFORCE : policy->mode,
                .allow_cross_namespace = r->settings.allow_cross_namespace,
                .has_unit = u,
                .eligible = u && is_eligible(r, name, policy),
                .quorum = policy->quorum,
        };

        gather_agent(r, name, policy, s, &f);
        if (u) {
                r->hooks.agents(r->userdata, name, &agents);
                f.agents = agents.tracked;
                f.stalled = agents.stalled;
                if (s->reason == STALL_EXITED || (s->agent.id == 0 && s->agent.pid != 0)) {
                        /* It left the observer's tables, but not the question how many of them are in trouble. */
                        f.agents++;
                        f.stalled++;
                }
                f.backoff_until = ladder_wait(&u->ladder, f.now);
                f.gave_up_until = u->ladder.gave_up_until;
                f.in_flight = u->action != REGISTRY_NONE ||
                              (s->capture != STALL_CAPTURE_RUNNING && capture_is_running(r, name));
        }
        if (unit && !f.in_flight) {
                gather_unit(r, s, unit, policy, &f);
                f.host_starved = host_holds(r, s, policy, f.now);
        }
        gather_brakes(r, u, s, &f);
        f.grace_until = nsec_add(MAX(r->jumped, r->started), s->agent.id == 0 && policy->first_beat > 0
                                                                             ? policy->first_beat
                                                                             : policy->stall_threshold);
        f.capacity = s->capture != STALL_CAPTURE_RUNNING &&
                     r->actions_used + r->captures_used >= RECOVERY_ACTIONS_MAX;
        *ret = f;
}

/* One record per change of (stall, reason), not per check. */
static void refuse(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const GateFacts *facts,
                   const GateDecision *decision, const UnitPolicy *policy) {
        ReportRefusal report = {
                .agent = &s->agent,
                .reason = s->reason,
                .facts = facts,
                .decision = decision,
                .policy = policy,
        };
        bool news = !s->decided || s->refusal != decision->refusal;

        s->decided = true;
        s->refusal = decision->refusal;
        registry_stall_rest(&r->registry, s, decision->again, decision->again_at);
        if (news)
                report_refused(r, u ? u->name : "", u ? u->ladder.attempt : 0, &report);
        s->by_hand = false;
        if (decision->refusal == REFUSAL_STORM && !r->braked) {
                r->braked = true;
                report_brake(r, facts->storm_until);
        }
        if (u && decision->refusal == REFUSAL_GAVE_UP && u->ladder.gave_up_until <= facts->now) {
                ladder_give_up(&u->ladder, &policy->restart_limit, facts->now);
                memcpy(u->ladder.gave_up_on, s->agent.invocation, INVOCATION_ID_SIZE);
                report_gave_up(r, u->name, u->ladder.attempt, &report);
                if (policy->on_gave_up[0] != '\0')
                        helper_start(r, u->name, "OnGaveUp", policy->on_gave_up, s->agent.pid);
        }
        if (u && decision->refusal == REFUSAL_CAPACITY)
                u->waits_for_capacity = true;
        if (u)
                capture_stall_over(r, u, s);

        /* What is final and has no agent behind it any more does not stand: nothing could ever take it away. */
        if (decision->refusal == REFUSAL_RESUMED ||
            (decision->again == AGAIN_NEVER && facts->process_changed) ||
            (s->reason == STALL_EXITED &&
             (decision->again == AGAIN_NEVER || decision->refusal == REFUSAL_UNIT_NOT_ACTIVE)) ||
            (s->agent.id == 0 && decision->refusal == REFUSAL_PROCESS_CHANGED))
                recovery_drop(r, s);
}

/* Every fact, past the gates of policy where somebody wants it so. */
static void gather_all(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitFacts *unit,
                       const UnitPolicy *policy, GateFacts *ret) {
        gather(r, u, s, unit, policy, ret);
        ret->limit_spent = ladder_is_spent(&u->ladder, &policy->restart_limit, ret->now);
        ret->limit_span = policy->restart_limit.span;
        if (s->by_hand)
                forgive(ret, policy);
}

/* What speaks against it whatever systemd would say: then it is not for want of systemd that nothing is done. */
static bool is_refused_anyway(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitPolicy *policy) {
        GateDecision decision;
        GateFacts facts;

        gather_all(r, u, s, NULL, policy, &facts);
        facts.unit_known = true;
        facts.active_state = ACTIVE_STATE_ACTIVE;
        if (gates_judge(&facts, &decision) != GATE_REFUSED)
                return false;
        refuse(r, u, s, &facts, &decision, policy);
        return true;
}

/* Systemd could not be asked: one of the stalls says so, the others wait in silence for the same thing. */
static void unreachable(Recovery *r, RecoveryUnit *u, const UnitPolicy *policy, RecoveryOutcome outcome) {
        bool attached = systemd_is_attached(&r->systemd);
        nsec_t at = attached ? nsec_add(recovery_now(r), r->settings.recheck) : NSEC_INFINITY;

        for (RecoveryStall *s = registry_first(&r->registry, &u->due), *next; s; s = next) {
                next = registry_next(&r->registry, s);
                if (is_refused_anyway(r, u, s, policy))
                        continue;
                if (u->lost != outcome || s->by_hand)
                        action_fail(r, u, s, policy, outcome,
                                    attached ? "systemd did not answer"
                                             : "there is no connection to systemd's bus");
                u->lost = outcome;
                s->by_hand = false; /* whoever asked was told; hours later nobody would expect it */
                registry_stall_rest(&r->registry, s, AGAIN_BUS, at);
        }
}

void judge_schedule(Recovery *r, RecoveryUnit *u) {
        assert(r);
        assert(u);

        if (u->due.n > 0 && !unit_reader_is_busy(&u->reader) && !u->waits_to_be_read)
                u->judge_at = MAX(recovery_now(r), u->host_at);
        else
                u->judge_at = u->rest_at;
        if (u->ladder.gave_up_until > 0)
                u->judge_at = MIN(u->judge_at, u->ladder.gave_up_until);
        recovery_arm(r, u->judge_at);
}

static void on_unit_read(UnitReader *reader, CallResult result, const UnitFacts *facts, void *userdata);

/* Reads the unit, now or when its turn comes. Returns 0 or what unit_reader_start() says. */
static int read_unit(Recovery *r, RecoveryUnit *u) {
        int k;

        u->waits_to_be_read = systemd_is_attached(&r->systemd) && r->readings >= RECOVERY_READINGS_MAX;
        if (u->waits_to_be_read)
                return 0;
        k = unit_reader_start(&u->reader, &r->systemd, u->name, on_unit_read, r);
        if (k >= 0)
                r->readings++;
        return k;
}

/* There may be room to read one more unit: the next that waits is judged, or read if nothing of it is to be judged. */
static void read_next(Recovery *r) {
        if (r->readings >= RECOVERY_READINGS_MAX)
                return;
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u;
             u = registry_unit_next(&r->registry, u)) {
                if (!u->waits_to_be_read)
                        continue;
                u->waits_to_be_read = false;
                if (u->due.n > 0)
                        judge_schedule(r, u);
                else if (u->ladder.gave_up_until == 0 || read_unit(r, u) < 0)
                        continue;
                return;
        }
}

/* Did somebody restart what was given up? If it cannot be asked now, its next change, or time, will tell. */
static void ask_of_hand(Recovery *r, RecoveryUnit *u) {
        if (u->ladder.gave_up_until > 0 && !unit_reader_is_busy(&u->reader))
                (void) read_unit(r, u);
}

static void on_unit_changed(UnitWatch *watch, void *userdata) {
        RecoveryUnit *u = (RecoveryUnit *) ((char *) watch - offsetof(RecoveryUnit, watch));
        Recovery *r = userdata;
        Action *a = action_of(r, u);

        if (a) {
                action_unit_changed(r, a);
                return;
        }
        recovery_wake(r, u, AGAIN_UNIT_CHANGE);
        ask_of_hand(r, u);
}

void judge_update_watch(Recovery *r, RecoveryUnit *u) {
        const Action *a = action_of(r, u);
        bool want = u->waiting[AGAIN_UNIT_CHANGE] > 0 || u->ladder.gave_up_until > 0 ||
                    (a && action_needs_watch(a));
        int k;

        if (want == unit_watch_is_on(&u->watch))
                return;
        if (!want) {
                unit_watch_stop(&u->watch);
                r->watches--;
                return;
        }
        k = -ENOBUFS;
        if (r->watches < RECOVERY_WATCHES_MAX)
                k = unit_watch_start(&u->watch, &r->systemd, u->name, on_unit_changed, r);
        if (k >= 0) {
                r->watches++;
                return;
        }
        /* Nobody will tell: ask again. */
        for (RecoveryStall *s = registry_first(&r->registry, &u->resting); s;
             s = registry_next(&r->registry, s))
                if (s->again == AGAIN_UNIT_CHANGE)
                        s->again_at = nsec_add(recovery_now(r), r->settings.recheck);
        u->rest_at = MIN(u->rest_at, nsec_add(recovery_now(r), r->settings.recheck));
}

static void judge_one(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitFacts *unit,
                      const UnitPolicy *policy) {
        GateDecision decision;
        GateFacts facts;

        gather_all(r, u, s, unit, policy, &facts);
        switch (gates_judge(&facts, &decision)) {
        case GATE_REFUSED:
                refuse(r, u, s, &facts, &decision, policy);
                if (decision.refusal == REFUSAL_GAVE_UP && unit && !invocation_is_set(u->ladder.gave_up_on))
                        memcpy(u->ladder.gave_up_on, unit->invocation, INVOCATION_ID_SIZE);
                break;
        case GATE_PASS:
                registry_stall_rest(&r->registry, s, AGAIN_OTHER_ENDS, NSEC_INFINITY);
                if (capture_comes_first(r, u, s, policy))
                        break;
                s->decided = true;
                s->refusal = _RECOVERY_REFUSAL_INVALID;
                action_start(r, u, s, unit, policy);
                break;
        default:
                break; /* it stays due until systemd has answered */
        }
}

/* Puts the due stalls before the gates, as many as fit into one turn: the others are next. */
static void judge_due(Recovery *r, RecoveryUnit *u, const UnitFacts *unit, const UnitPolicy *policy) {
        unsigned n = 0;

        if (ladder_expire(&u->ladder, recovery_now(r)))
                hand_leave_gave_up(r, u, "by-time", "the time for that (RestartLimit=) is over.");
        for (RecoveryStall *s = registry_first(&r->registry, &u->due), *next; s; s = next) {
                next = registry_next(&r->registry, s);
                if (++n > JUDGE_BATCH_MAX)
                        break;
                judge_one(r, u, s, unit, policy);
        }
}

/* A unit that was given up and runs as another invocation, not begun by Restart=: somebody took care of it. */
static void notice_hand(Recovery *r, RecoveryUnit *u, const UnitFacts *facts) {
        if (u->ladder.gave_up_until == 0 || facts->active_state != ACTIVE_STATE_ACTIVE ||
            !invocation_is_set(facts->invocation) || facts->n_restarts > 0)
                return;
        if (!invocation_is_set(u->ladder.gave_up_on)) {
                memcpy(u->ladder.gave_up_on, facts->invocation, INVOCATION_ID_SIZE);
                durable_unit(r, u);
        } else if (memcmp(u->ladder.gave_up_on, facts->invocation, INVOCATION_ID_SIZE) != 0)
                hand_leave_gave_up(r, u, "restarted", "somebody restarted it.");
}

static void on_unit_read(UnitReader *reader, CallResult result, const UnitFacts *facts, void *userdata) {
        RecoveryUnit *u = (RecoveryUnit *) ((char *) reader - offsetof(RecoveryUnit, reader));
        UnitFacts known = *facts; /* the reader may begin anew meanwhile */
        Recovery *r = userdata;
        UnitPolicy policy;

        r->readings--;
        r->hooks.policy(r->userdata, u->name, &policy);
        switch (result) {
        case CALL_NO_UNIT:
                known = (UnitFacts){ .active_state = ACTIVE_STATE_INACTIVE };
                __attribute__((fallthrough));
        case CALL_OK:
                u->lost = _RECOVERY_OUTCOME_INVALID;
                notice_hand(r, u, &known);
                judge_due(r, u, &known, &policy);
                break;
        case CALL_DENIED:
                unreachable(r, u, &policy, OUTCOME_ACCESS_DENIED);
                break;
        default:
                unreachable(r, u, &policy, OUTCOME_BUS_LOST);
        }
        judge_update_watch(r, u);
        judge_schedule(r, u);
        read_next(r);
}

void judge_unit(Recovery *r, RecoveryUnit *u) {
        UnitPolicy policy;
        int k;

        assert(r);
        assert(u);

        if (unit_reader_is_busy(&u->reader))
                return; /* the answer finds everything that is due by then */
        r->hooks.policy(r->userdata, u->name, &policy);
        judge_due(r, u, NULL, &policy);
        u->host_at = 0;
        u->waits_to_be_read = false;
        if (u->due.n > 0 && u->action == REGISTRY_NONE &&
            (!systemd_is_attached(&r->systemd) || host_is_known(r, recovery_now(r), &u->host_at))) {
                k = read_unit(r, u);
                if (k < 0)
                        unreachable(r, u, &policy, OUTCOME_BUS_LOST);
        }
        judge_update_watch(r, u);
        judge_schedule(r, u);
        read_next(r);
}

void judge_orphan(Recovery *r, RecoveryStall *s) {
        GateDecision decision;
        UnitPolicy policy;
        GateFacts facts;

        assert(r);
        assert(s);

        r->hooks.policy(r->userdata, "", &policy);
        gather(r, NULL, s, NULL, &policy, &facts);
        /* Without a unit no stall passes: `no-unit` is asked before systemd would be. */
        if (gates_judge(&facts, &decision) == GATE_REFUSED)
                refuse(r, NULL, s, &facts, &decision, &policy);
}

void judge_ended(Recovery *r, const RecoveryUnit *u, const RecoveryStall *s, RecoveryRefusal why) {
        GateFacts facts = { .now = recovery_now(r), .has_unit = u, .eligible = true };
        GateDecision decision = { why, AGAIN_NEVER, NSEC_INFINITY };
        const char *name = u ? u->name : "";
        UnitPolicy policy;
        ReportRefusal report = {
                .agent = &s->agent,
                .reason = s->reason,
                .facts = &facts,
                .decision = &decision,
                .policy = &policy,
        };

        assert(r);
        assert(s);

        r->hooks.policy(r->userdata, name, &policy);
        report_refused(r, name, u ? u->ladder.attempt : 0, &report);
}

void judge_bus_back(Recovery *r, RecoveryUnit *u) {
        assert(r);
        assert(u);

        judge_update_watch(r, u);
        ask_of_hand(r, u);
}

void judge_bus_gone(Recovery *r, RecoveryUnit *u) {
        assert(r);
        assert(u);

        if (unit_watch_is_on(&u->watch)) {
                unit_watch_stop(&u->watch);
                r->watches--;
        }
        r->readings -= unit_reader_is_busy(&u->reader);
        unit_reader_cancel(&u->reader);
        u->waits_to_be_read = false;
        for (RecoveryStall *s = registry_first(&r->registry, &u->resting), *next; s; s = next) {
                next = registry_next(&r->registry, s);
                if (s->again == AGAIN_UNIT_CHANGE)
                        registry_stall_rest(&r->registry, s, AGAIN_BUS, NSEC_INFINITY);
        }
        judge_schedule(r, u); /* what is due has to say that nobody answers */
}
