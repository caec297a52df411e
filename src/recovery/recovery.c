/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recovery's front: the observer's events come in here, the bus comes and goes here, and here is the one timer.
 *
 * The work is split by what it depends on. Pure and tested as tables: gates (may we?), ladder (how often?), verdict
 * (what became of it?), process (what does /proc say?). Around them: registry (what stands?), judge (facts to the
 * gates), action (one transaction), systemd (the bus), report (words). Control flows one way: events and the timer
 * make stalls due; judging starts actions; actions only wake what waited for their end, and the timer comes round.
 *
 * The timer is armed at the earliest moment that anything waits for, and is not moved back when that vanishes: an
 * early wake-up finds nothing to do, and that is cheaper than to keep an exact order.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recovery/recovery-private.h"

/* The observer's own bounds: stalls are kept per agent, units have 16-bit numbers there. */
#define STALLS_MAX (UINT32_C(1) << 20)
#define UNITS_MAX  65534U

/* RecheckSec= below this would be polling. */
#define RECHECK_MIN NSEC_PER_MSEC

/* Timers of this kind are not urgent to the microsecond; let the kernel collect wake-ups. */
#define TIMER_ACCURACY_USEC 1000

nsec_t recovery_monotonic(const Recovery *r) {
        usec_t t;

        if (r->settings.clock == CLOCK_MONOTONIC)
                return recovery_now(r);
        if (sd_event_now(r->event, CLOCK_MONOTONIC, &t) < 0)
                return 0;
        return t * NSEC_PER_USEC;
}

/* ---- Time ------------------------------------------------------------------------------------------------- */

void recovery_arm(Recovery *r, nsec_t when) {
        assert(r);

        if (when >= r->armed)
                return;
        r->armed = when;
        /* Both can only fail for programmer errors, or in a process that was forked off. */
        (void) sd_event_source_set_time(r->timer, nsec_to_usec_up(when));
        (void) sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

/* Makes due what waited for this moment, and finds the next one. */
static void wake_by_time(Recovery *r, RecoveryUnit *u, nsec_t now) {
        nsec_t next = NSEC_INFINITY;

        if (u->rest_at > now)
                return;
        for (RecoveryStall *s = registry_first(&r->registry, &u->resting), *after; s; s = after) {
                after = registry_next(&r->registry, s);
                if (s->again_at <= now)
                        registry_stall_due(&r->registry, s);
                else
                        next = MIN(next, s->again_at);
        }
        u->rest_at = next;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Recovery *r = userdata;
        nsec_t now = recovery_now(r);

        r->armed = NSEC_INFINITY;
        durable_tick(r, now);
        hand_tick(r, now);
        action_tick(r, now);
        capture_tick(r, now);
        watch_tick(r, now);
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u;
             u = registry_unit_next(&r->registry, u)) {
                if (u->judge_at <= now) {
                        wake_by_time(r, u, now);
                        judge_unit(r, u);
                } else
                        recovery_arm(r, u->judge_at);
        }
        recovery_arm(r, MIN(action_next(r), r->pauses_next));
        recovery_arm(r, MIN(capture_next(r), watch_next(r)));
        return 0;
}

void recovery_wake(Recovery *r, RecoveryUnit *u, RecoveryAgain what) {
        assert(r);
        assert(u);

        if (u->waiting[what] == 0)
                return;
        for (RecoveryStall *s = registry_first(&r->registry, &u->resting), *next; s; s = next) {
                next = registry_next(&r->registry, s);
                if (s->again == what)
                        registry_stall_due(&r->registry, s);
        }
        judge_schedule(r, u);
}

void recovery_wake_all(Recovery *r, RecoveryAgain what) {
        assert(r);

        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                recovery_wake(r, u, what);
}

void recovery_wake_for_room(Recovery *r) {
        assert(r);

        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                if (u->waits_for_capacity) {
                        u->waits_for_capacity = false;
                        recovery_wake(r, u, AGAIN_OTHER_ENDS);
                }
}

void recovery_drop(Recovery *r, RecoveryStall *s) {
        RecoveryUnit *u;

        assert(r);
        assert(s);

        u = registry_stall_unit(&r->registry, s);
        if (u)
                capture_stall_over(r, u, s);
        registry_stall_remove(&r->registry, s);
        if (u) {
                u->ladder.trouble = recovery_now(r);
                durable_unit(r, u);
        }
}

/* ---- The bus ---------------------------------------------------------------------------------------------- */

static void on_systemd_returned(void *userdata) {
        Recovery *r = userdata;

        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                u->lost = _RECOVERY_OUTCOME_INVALID;
        action_bus_back(r);
        recovery_wake_all(r, AGAIN_BUS);
        recovery_wake_all(r, AGAIN_UNIT_CHANGE); /* it may have changed while systemd was off the bus */
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                judge_bus_back(r, u);
        watch_start(r, true);
}

static void on_systemd_disconnected(void *userdata) {
        recovery_detach_bus(userdata);
}

static const SystemdHandlers systemd_handlers = {
        .returned = on_systemd_returned,
        .disconnected = on_systemd_disconnected,
};

int recovery_attach_bus(Recovery *r, sd_bus *bus) {
        int k;

        assert(r);
        assert(bus);

        if (systemd_is_attached(&r->systemd))
                return -EBUSY;
        k = systemd_attach(&r->systemd, bus, &systemd_handlers, r);
        if (k < 0)
                return k;
        on_systemd_returned(r);
        return 0;
}

void recovery_detach_bus(Recovery *r) {
        assert(r);

        if (!systemd_is_attached(&r->systemd))
                return;
        systemd_detach(&r->systemd);
        action_bus_gone(r);
        helpers_bus_gone(r);
        captures_bus_gone(r);
        watch_bus_gone(r);
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                judge_bus_gone(r, u);
}

bool recovery_has_bus(const Recovery *r) {
        assert(r);

        return systemd_is_attached(&r->systemd);
}

/* ---- The observer's events -------------------------------------------------------------------------------- */

/* Another agent of the unit stalled, resumed or left: only if that reaches the quorum is there anything to judge. */
static void agents_changed(Recovery *r, RecoveryUnit *u) {
        RecoveryAgents agents = {};
        UnitPolicy policy;

        if (u->waiting[AGAIN_AGENTS] == 0)
                return;
        r->hooks.policy(r->userdata, u->name, &policy);
        r->hooks.agents(r->userdata, u->name, &agents);
        if (quorum_reached(&policy.quorum, agents.tracked, agents.stalled))
                recovery_wake(r, u, AGAIN_AGENTS);
}

/* There is no room to let the stall stand: said once, and forgotten. */
static void refuse_for_room(Recovery *r, const Event *event) {
        GateFacts facts = { .now = recovery_now(r) };
        GateDecision decision = { REFUSAL_CAPACITY, AGAIN_NEVER, NSEC_INFINITY };
        UnitPolicy policy;
        ReportRefusal report = {
                .agent = &event->agent,
                .reason = event->reason,
                .facts = &facts,
                .decision = &decision,
                .policy = &policy,
        };

        r->hooks.policy(r->userdata, event->unit, &policy);
        report_refused(r, event->unit, 0, &report);
}

static void on_stall(Recovery *r, const Event *event) {
        RecoveryUnit *u = NULL;
        UnitPolicy policy;
        RecoveryStall *s;

        if (event->unit[0] != '\0') {
                u = registry_unit_take(&r->registry, event->unit, event->now);
                if (!u) {
                        refuse_for_room(r, event);
                        return;
                }
        }
        if (event->agent.id != 0)
                s = registry_stall(&r->registry, event->agent.id);
        else if (!u)
                return; /* neither agent nor unit: nobody to speak of */
        else
                s = u->own_stall == REGISTRY_NONE ? NULL : &r->registry.stalls[u->own_stall];
        if (s)
                registry_stall_remove(&r->registry, s); /* it resumed and stalled again, or the unit did */
        s = registry_stall_add(&r->registry, &event->agent, event->reason, u);
        if (!s) {
                refuse_for_room(r, event);
                return;
        }
        s->since = event->now;
        if (event->agent.id == 0)
                memcpy(s->agent.invocation, r->watch.never_beat, INVOCATION_ID_SIZE);
        if (!u) {
                judge_orphan(r, s);
                return;
        }
        r->hooks.policy(r->userdata, u->name, &policy);
        if (registry_unit_stalls(u) == 1 && u->action == REGISTRY_NONE)
                (void) ladder_trouble(&u->ladder, &policy.restart_backoff, event->now);
        judge_unit(r, u);
        agents_changed(r, u);
}

/* The agent beats again or has left. A stall that was still being judged gets its decision: that it is over. */
static void stall_ended(Recovery *r, RecoveryStall *s, RecoveryRefusal why) {
        RecoveryUnit *u = registry_stall_unit(&r->registry, s);

        if (!s->decided)
                judge_ended(r, u, s, why);
        recovery_drop(r, s);
        if (u)
                judge_update_watch(r, u);
}

/* A process of another invocation is there: the ends of those before it concern nobody any more. */
static void forget_exited(Recovery *r, RecoveryUnit *u, const AgentInfo *agent) {
        StallList *const lists[] = { &u->resting, &u->due };

        if (u->n_exited == 0 || !invocation_is_set(agent->invocation))
                return;
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (RecoveryStall *s = registry_first(&r->registry, lists[i]), *next; s; s = next) {
                        next = registry_next(&r->registry, s);
                        if (s->reason == STALL_EXITED &&
                            memcmp(s->agent.invocation, agent->invocation, INVOCATION_ID_SIZE) != 0)
                                stall_ended(r, s, REFUSAL_PROCESS_CHANGED);
                }
}

/* The unit itself beats when anybody of it does. What was taken over from an observer before this one is of a process:
 * that one has to beat, or one of another invocation. */
static bool ends_own_stall(const Recovery *r, const RecoveryUnit *u, const AgentInfo *agent) {
        const RecoveryStall *s = registry_stall_at(&r->registry, u->own_stall);

        if (!s)
                return false;
        return s->agent.pid == 0 ||
               (s->agent.pid == agent->pid && s->agent.generation == agent->generation) ||
               memcmp(s->agent.invocation, agent->invocation, INVOCATION_ID_SIZE) != 0;
}

static void on_beat(Recovery *r, const Event *event) {
        RecoveryUnit *u;
        RecoveryStall *s;

        s = registry_stall(&r->registry, event->agent.id);
        if (s && (event->flags & (BEAT_RESUMED | BEAT_APPEARED)))
                stall_ended(r, s, REFUSAL_RESUMED);

        if (event->flags & BEAT_APPEARED)
                watch_beat(r, event->unit);
        u = event->unit[0] == '\0' ? NULL : registry_unit(&r->registry, event->unit);
        if (!u)
                return;
        if (event->flags & (BEAT_APPEARED | BEAT_RESUMED)) {
                action_beat(r, u, &event->agent);
                if (ends_own_stall(r, u, &event->agent))
                        stall_ended(r, &r->registry.stalls[u->own_stall], REFUSAL_RESUMED);
                forget_exited(r, u, &event->agent);
                agents_changed(r, u);
        }
        if (event->flags & BEAT_CONFIRMED)
                recovery_wake(r, u, AGAIN_BEAT);
}

static void on_left(Recovery *r, const Event *event) {
        RecoveryUnit *u;
        RecoveryStall *s;

        s = registry_stall(&r->registry, event->agent.id);
        if (s && s->reason != STALL_EXITED)
                stall_ended(r, s, REFUSAL_PROCESS_CHANGED);
        u = event->unit[0] == '\0' ? NULL : registry_unit(&r->registry, event->unit);
        if (u)
                agents_changed(r, u);
}

void recovery_event(Recovery *r, const Event *event) {
        assert(r);
        assert(event);

        switch (event->kind) {
        case EVENT_STALL:
                on_stall(r, event);
                break;
        case EVENT_BEAT:
                if (event->flags & BEAT_APPEARED)
                        hand_process_gone(r, event);
                on_beat(r, event);
                break;
        case EVENT_EXIT:
                hand_process_gone(r, event);
                __attribute__((fallthrough));
        case EVENT_FORGOTTEN:
        case EVENT_EVICTED:
                if (event->agent.id != 0)
                        on_left(r, event);
                break;
        case EVENT_CLOCK_JUMP:
                r->jumped = event->now;
                break;
        default:
                break;
        }
}

/* ---- Life ------------------------------------------------------------------------------------------------- */

static bool settings_are_valid(const RecoverySettings *s) {
        return (s->clock == CLOCK_MONOTONIC || s->clock == CLOCK_BOOTTIME) && s->stalls >= 1 &&
               s->stalls <= STALLS_MAX && s->units >= 1 && s->units <= UNITS_MAX && s->recheck > 0;
}

int recovery_new(sd_event *event, const RecoverySettings *settings, const RecoveryHooks *hooks,
                 void *userdata, Recovery **ret) {
        _cleanup_(recovery_freep) Recovery *r = NULL;
        int k;

        assert(event);
        assert(settings);
        assert(hooks && hooks->now && hooks->record && hooks->policy && hooks->agent && hooks->agents);
        assert(ret);

        if (!settings_are_valid(settings))
                return -EINVAL;
        r = calloc(1, sizeof(Recovery));
        if (!r)
                return -ENOMEM;
        durable_init(r);
        r->event = sd_event_ref(event);
        r->settings = *settings;
        r->settings.recheck = MAX(settings->recheck, RECHECK_MIN);
        (void) snprintf(r->own_unit, sizeof(r->own_unit), "%s",
                        settings->own_unit ? settings->own_unit : "");
        r->settings.own_unit = r->own_unit;
        r->hooks = *hooks;
        r->userdata = userdata;
        r->armed = NSEC_INFINITY;
        r->pauses_next = NSEC_INFINITY;
        r->watch.list_at = NSEC_INFINITY;
        k = registry_init(&r->registry, settings->stalls, settings->units);
        if (k < 0)
                return k;
        k = sd_event_add_time(event, &r->timer, settings->clock, 0, TIMER_ACCURACY_USEC, on_timer, r);
        if (k < 0)
                return k;
        k = sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
        if (k < 0)
                return k;
        k = sd_event_source_set_priority(r->timer, settings->priority);
        if (k < 0)
                return k;
        (void) sd_event_source_set_description(r->timer, "recovery-timer");
        r->started = recovery_now(r);
        r->settings.state_fd = -1;
        k = durable_start(r, settings->state_fd);
        if (k < 0)
                return k;

        *ret = TAKE_PTR(r);
        return 0;
}

Recovery *recovery_free(Recovery *r) {
        if (!r)
                return NULL;
        action_release_all(r);
        helpers_release(r);
        captures_release_all(r);
        watch_bus_gone(r);
        for (RecoveryUnit *u = r->registry.units ? registry_unit_first(&r->registry) : NULL; u;
             u = registry_unit_next(&r->registry, u)) {
                unit_reader_cancel(&u->reader);
                unit_watch_stop(&u->watch);
        }
        systemd_detach(&r->systemd);
        durable_done(r);
        registry_done(&r->registry);
        sd_event_source_disable_unref(r->timer);
        sd_event_unref(r->event);
        free(r);
        return NULL;
}

int recovery_reconfigure(Recovery *r, const RecoverySettings *settings) {
        assert(r);
        assert(settings);

        if (settings->recheck == 0)
                return -EINVAL;
        r->settings.recovery_timeout = settings->recovery_timeout;
        r->settings.recheck = MAX(settings->recheck, RECHECK_MIN);
        r->settings.allow_cross_namespace = settings->allow_cross_namespace;
        r->settings.storm_limit = settings->storm_limit;
        r->settings.max_deferral = settings->max_deferral;

        for (RecoveryStall *s = registry_first(&r->registry, &r->registry.orphans), *next; s; s = next) {
                next = registry_next(&r->registry, s);
                judge_orphan(r, s);
        }
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u;
             u = registry_unit_next(&r->registry, u)) {
                for (RecoveryStall *s = registry_first(&r->registry, &u->resting), *next; s; s = next) {
                        next = registry_next(&r->registry, s);
                        registry_stall_due(&r->registry, s);
                }
                u->rest_at = NSEC_INFINITY;
                judge_schedule(r, u);
        }
        watch_start(r, false);
        return 0;
}

/* ---- Reading ---------------------------------------------------------------------------------------------- */

const RecoveryPast *recovery_history_at(const Recovery *r, uint32_t i) {
        assert(r);

        return history_at(&r->history, i);
}

const RecoveryCounters *recovery_counters(const Recovery *r) {
        assert(r);

        return &r->counters;
}

uint32_t recovery_in_flight(const Recovery *r) {
        assert(r);

        return r->actions_used;
}

uint32_t recovery_standing(const Recovery *r) {
        assert(r);

        return r->registry.stalls_used;
}

static RecoveryUnitState unit_state(const Recovery *r, const RecoveryUnitView *view, const RecoveryUnit *u) {
        if (u->action != REGISTRY_NONE || capture_is_running(r, u->name))
                return UNIT_STATE_RECOVERING;
        if (view->gave_up_until > 0)
                return UNIT_STATE_GAVE_UP;
        if (view->paused_until > 0)
                return UNIT_STATE_PAUSED;
        if (view->backoff_until > 0)
                return UNIT_STATE_BACKOFF;
        return registry_unit_stalls(u) > 0 ? UNIT_STATE_STALLED : UNIT_STATE_HEALTHY;
}

void recovery_unit(const Recovery *r, const char *unit, RecoveryUnitView *ret) {
        RecoveryUnitView view = {
                .last_outcome = _RECOVERY_OUTCOME_INVALID,
                .last_refusal = _RECOVERY_REFUSAL_INVALID,
        };
        const RecoveryUnit *u;
        const Pause *pause;
        UnitPolicy policy;
        nsec_t now;

        assert(r);
        assert(unit);
        assert(ret);

        r->hooks.policy(r->userdata, unit, &policy);
        view.mode = policy.mode;
        now = recovery_now(r);
        pause = pauses_find(&r->pauses, unit, 0, 0, now);
        if (pause) {
                view.paused_until = pause->until;
                view.state = UNIT_STATE_PAUSED;
        }
        u = registry_unit(&r->registry, unit);
        if (!u) {
                *ret = view;
                return;
        }
        view.restarts = u->restarts;
        view.attempt = u->ladder.attempt;
        view.last_outcome = u->last_outcome;
        view.last_action = u->last_action;
        view.backoff_until = ladder_wait(&u->ladder, now);
        view.gave_up_until = u->ladder.gave_up_until > now ? u->ladder.gave_up_until : 0;
        if (u->resting.last != REGISTRY_NONE)
                view.last_refusal = r->registry.stalls[u->resting.last].refusal;
        view.state = unit_state(r, &view, u);
        *ret = view;
}

const char *recovery_ailing_unit(const Recovery *r, uint32_t *cursor) {
        nsec_t now;

        assert(r);
        assert(cursor);

        now = recovery_now(r);
        while (*cursor < r->registry.unit_fresh) {
                const RecoveryUnit *u = &r->registry.units[(*cursor)++];

                if (u->name[0] != '\0' && registry_unit_is_needed(u, now))
                        return u->name;
        }
        return NULL;
}

uint32_t recovery_gave_up(const Recovery *r) {
        nsec_t now;
        uint32_t n = 0;

        assert(r);

        now = recovery_now(r);
        for (const RecoveryUnit *u = registry_unit_first(&r->registry); u;
             u = registry_unit_next(&r->registry, u))
                n += u->ladder.gave_up_until > now;
        return n;
}
