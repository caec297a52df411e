/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Units that never beat (FirstBeatSec=).
 *
 * A process that hangs before its first beat is no agent, and nobody would miss it. So where a section asks for it,
 * systemd tells which units run, and of every change; nothing is polled, and when no section asks there is not even a
 * match on the bus. An entry is kept for each such unit while it starts or runs. It is looked at once, when its time
 * is over, unless an agent of the unit was heard before: a unit that beats costs nothing more.
 *
 * Signals may be lost, doubled or collected into one, so they only say when to look. The look is one reading of the unit,
 * and what it says counts: that the unit is active, and since when. Then the observer is told, which announces the
 * stall like any other; what is done about it is for the gates. It is told once for each time the unit becomes active.
 *
 * The time counts from the latest of three: that the unit became active, that the observer began to listen, and the
 * last jump of the clock. Whoever was known before (a reload that adds FirstBeatSec=) has it from now on.
 *
 * While one of our own actions is under way for the unit, that action will say what became of it.
 */

#include <stdio.h>
#include <string.h>

#include "recovery/recovery-private.h"

static uint32_t hash_name(const char *s) {
        uint32_t h = 2166136261U; /* FNV-1a: who may name units needs no collisions to do harm */

        for (; *s; s++)
                h = (h ^ (uint8_t) *s) * 16777619U;
        return h;
}

static WatchUnit *find(Watch *w, const char *name) {
        uint32_t h;

        if (w->n == 0)
                return NULL;
        h = hash_name(name);
        for (uint32_t i = 0; i < w->n; i++)
                if (w->hashes[i] == h && strcmp(w->units[i].name, name) == 0)
                        return &w->units[i];
        return NULL;
}

static void forget(Watch *w, WatchUnit *e) {
        uint32_t i = (uint32_t) (e - w->units);

        w->n--;
        w->hashes[i] = w->hashes[w->n];
        w->units[i] = w->units[w->n];
        w->full = false;
}

/* What the unit's policy gives it; 0: it is not watched. */
static nsec_t first_beat(const Recovery *r, const char *name) {
        UnitPolicy policy;

        if (!unit_name_has_suffix(name, ".service") || strlen(name) >= UNIT_NAME_SIZE ||
            strcmp(name, r->own_unit) == 0)
                return 0;
        r->hooks.policy(r->userdata, name, &policy);
        return policy.is_protected ? 0 : policy.first_beat;
}

static WatchUnit *take(Recovery *r, const char *name) {
        Watch *w = &r->watch;
        WatchUnit *e = find(w, name);

        if (e)
                return e;
        if (w->n == WATCH_UNITS_MAX) {
                if (!w->full)
                        report_unwatched(r, name, WATCH_UNITS_MAX);
                w->full = true;
                return NULL;
        }
        e = &w->units[w->n];
        *e = (WatchUnit){ .due = NSEC_INFINITY };
        (void) snprintf(e->name, sizeof(e->name), "%s", name);
        w->hashes[w->n++] = hash_name(name);
        return e;
}

/* systemd's time on the observer's clock. */
static nsec_t own_time(const Recovery *r, usec_t monotonic) {
        nsec_t age = nsec_sub(recovery_monotonic(r), monotonic * NSEC_PER_USEC);

        return MAX(nsec_sub(recovery_now(r), age), 1U); /* 0 is no time */
}

static nsec_t deadline(const Recovery *r, const WatchUnit *e, nsec_t span) {
        nsec_t from = MAX(r->started, r->jumped);

        return nsec_add(MAX(e->since, from), span);
}

static void look_at(Recovery *r, WatchUnit *e, nsec_t when) {
        e->due = when;
        recovery_arm(r, when);
}

/* What stands of another invocation than this: whoever began this one has taken care of it. */
static void end_old_stall(Recovery *r, const char *unit, const uint8_t invocation[INVOCATION_ID_SIZE]) {
        RecoveryUnit *u = registry_unit(&r->registry, unit);
        RecoveryStall *s;

        if (!u || u->own_stall == REGISTRY_NONE || u->action != REGISTRY_NONE)
                return;
        s = &r->registry.stalls[u->own_stall];
        if (!s->decided || !invocation_is_set(s->agent.invocation) || !invocation_is_set(invocation) ||
            memcmp(s->agent.invocation, invocation, INVOCATION_ID_SIZE) == 0)
                return;
        recovery_drop(r, s);
        judge_update_watch(r, u);
}

/* The unit has become active (again). */
static void activated(Recovery *r, WatchUnit *e, usec_t active_enter, nsec_t span) {
        e->beaten = e->beaten && e->since == 0; /* while it was starting, that is */
        e->told = false;
        e->active_enter = active_enter;
        e->since = active_enter > 0 ? own_time(r, active_enter) : recovery_now(r);
        if (!e->beaten)
                look_at(r, e, deadline(r, e, span));
}

/* The unit is on its way to become so. */
static void starting(WatchUnit *e) {
        if (e->since == 0)
                return;
        e->since = 0;
        e->beaten = e->told = false;
        e->due = NSEC_INFINITY;
}

/* ---- What systemd says ------------------------------------------------------------------------------------ */

static void on_unit_listed(const char *unit, ActiveState state, void *userdata) {
        Recovery *r = userdata;
        nsec_t span = first_beat(r, unit);
        WatchUnit *e = span > 0 ? take(r, unit) : NULL;

        if (!e)
                return;
        e->listed = true;
        if (state == ACTIVE_STATE_ACTIVATING)
                starting(e);
        else if (e->since == 0)
                activated(r, e, 0, span);
        else if (r->watch.doubt || (!e->beaten && !e->told))
                /* It was known; but was it restarted while nobody told? Or is its time another one now? */
                look_at(r, e, MAX(deadline(r, e, span), recovery_now(r)));
}

static void on_list_done(bool ok, void *userdata) {
        Recovery *r = userdata;
        Watch *w = &r->watch;

        if (!ok) {
                w->list_at = nsec_add(recovery_now(r), r->settings.recheck);
                recovery_arm(r, w->list_at);
        }
        w->doubt = w->doubt && !ok;
        for (uint32_t i = w->n; ok && i > 0; i--)
                if (!w->units[i - 1].listed)
                        forget(w, &w->units[i - 1]);
}

static void on_unit_changed(const char *unit, const UnitFacts *facts, void *userdata) {
        Recovery *r = userdata;
        WatchUnit *e = find(&r->watch, unit);
        nsec_t span;

        switch (facts->active_state) {
        case ACTIVE_STATE_UNKNOWN:
                return; /* the signal is about something else */
        case ACTIVE_STATE_ACTIVE:
        case ACTIVE_STATE_RELOADING:
        case ACTIVE_STATE_ACTIVATING:
                break;
        default:
                if (e)
                        forget(&r->watch, e);
                return;
        }
        span = first_beat(r, unit);
        if (span > 0 && !e)
                e = take(r, unit);
        if (span == 0 || !e)
                return;
        end_old_stall(r, unit, facts->invocation);
        e->listed = true; /* a list that is on its way may be older than this */
        if (facts->active_state == ACTIVE_STATE_ACTIVATING)
                starting(e);
        else if (e->since == 0 || (e->active_enter > 0 && e->active_enter != facts->active_enter))
                activated(r, e, facts->active_enter, span);
}

static void on_reloaded(void *userdata) {
        watch_start(userdata, false);
}

static const UnitsHandlers handlers = {
        .listed = on_unit_listed,
        .list_done = on_list_done,
        .changed = on_unit_changed,
        .reloaded = on_reloaded,
};

/* ---- Looking ---------------------------------------------------------------------------------------------- */

/* When there is something to announce of the unit: now, later, or never. */
static nsec_t announce_at(const Recovery *r, WatchUnit *e, nsec_t span) {
        const RecoveryUnit *u = registry_unit(&r->registry, e->name);
        RecoveryAgents agents = {};

        r->hooks.agents(r->userdata, e->name, &agents);
        e->beaten = e->beaten || agents.tracked > 0;
        e->told = e->told || (u && u->own_stall != REGISTRY_NONE);
        if (e->beaten || e->told)
                return NSEC_INFINITY;
        if (u && u->action != REGISTRY_NONE)
                return nsec_add(recovery_now(r), r->settings.recheck);
        return deadline(r, e, span);
}

static void looked(Recovery *r, WatchUnit *e, const UnitFacts *facts) {
        nsec_t span = first_beat(r, e->name), due;
        char name[UNIT_NAME_SIZE];
        bool anew;

        if (facts->active_state == ACTIVE_STATE_ACTIVATING) {
                starting(e);
                return;
        }
        if (span == 0 ||
            (facts->active_state != ACTIVE_STATE_ACTIVE && facts->active_state != ACTIVE_STATE_RELOADING)) {
                forget(&r->watch, e); /* should it start, a signal says so */
                return;
        }
        anew = e->active_enter > 0 ? e->active_enter != facts->active_enter
                                   : own_time(r, facts->active_enter) > e->since;
        if (anew)
                activated(r, e, facts->active_enter, span);
        e->active_enter = facts->active_enter;
        end_old_stall(r, e->name, facts->invocation);
        due = announce_at(r, e, span);
        if (due > recovery_now(r)) {
                look_at(r, e, due);
                return;
        }
        e->told = true;
        e->due = NSEC_INFINITY;
        memcpy(r->watch.never_beat, facts->invocation, INVOCATION_ID_SIZE);
        (void) snprintf(name, sizeof(name), "%s", e->name);
        r->hooks.never_beat(r->userdata, name, due);
        memset(r->watch.never_beat, 0, INVOCATION_ID_SIZE);
}

static void on_looked(UnitReader *reader, CallResult result, const UnitFacts *facts, void *userdata) {
        Recovery *r = userdata;
        UnitFacts known = *facts;
        WatchUnit *e = find(&r->watch, r->watch.looking);

        if (e && e->due <= recovery_now(r)) {
                if (result == CALL_NO_UNIT)
                        forget(&r->watch, e);
                else if (result != CALL_OK)
                        look_at(r, e, nsec_add(recovery_now(r), r->settings.recheck));
                else
                        looked(r, e, &known);
        }
        recovery_arm(r, watch_next(r));
}

void watch_tick(Recovery *r, nsec_t now) {
        Watch *w = &r->watch;

        assert(r);

        if (w->list_at <= now)
                watch_start(r, w->doubt);
        for (uint32_t i = 0; i < w->n && !unit_reader_is_busy(&w->reader); i++) {
                WatchUnit *e = &w->units[i];

                if (e->due > now)
                        continue;
                /* The list that comes with the bus, or the next turn, has it looked at again. */
                if (!systemd_is_attached(&r->systemd))
                        e->due = NSEC_INFINITY;
                else if (unit_reader_start(&w->reader, &r->systemd, e->name, on_looked, r) < 0)
                        look_at(r, e, nsec_add(now, r->settings.recheck));
                else
                        (void) snprintf(w->looking, sizeof(w->looking), "%s", e->name);
        }
}

nsec_t watch_next(const Recovery *r) {
        nsec_t next;

        assert(r);

        next = r->watch.list_at;
        if (unit_reader_is_busy(&r->watch.reader))
                return next; /* its answer comes round to the others */
        for (uint32_t i = 0; i < r->watch.n; i++)
                next = MIN(next, r->watch.units[i].due);
        return next;
}

void watch_beat(Recovery *r, const char *unit) {
        WatchUnit *e;

        assert(r);
        assert(unit);

        e = find(&r->watch, unit);
        if (e) {
                e->beaten = true;
                e->due = NSEC_INFINITY;
        }
}

/* ---- Beginning and end ------------------------------------------------------------------------------------- */

void watch_start(Recovery *r, bool doubt) {
        const char *patterns[UNITS_PATTERNS_MAX];
        Watch *w = &r->watch;
        size_t n = 0;

        assert(r);

        w->list_at = NSEC_INFINITY;
        if (!r->hooks.first_beat_at || !r->hooks.never_beat)
                return;
        while (n < UNITS_PATTERNS_MAX && (patterns[n] = r->hooks.first_beat_at(r->userdata, n)))
                n++;
        if (n == 0) {
                watch_bus_gone(r);
                w->n = 0;
                return;
        }
        if (!systemd_is_attached(&r->systemd))
                return;
        w->doubt = w->doubt || doubt;
        for (uint32_t i = 0; i < w->n; i++)
                w->units[i].listed = false;
        if (units_monitor_start(&w->monitor, &r->systemd, patterns, n < UNITS_PATTERNS_MAX ? n : 0,
                                &handlers, r) < 0) {
                w->list_at = nsec_add(recovery_now(r), r->settings.recheck);
                recovery_arm(r, w->list_at);
        }
}

void watch_bus_gone(Recovery *r) {
        assert(r);

        units_monitor_stop(&r->watch.monitor);
        unit_reader_cancel(&r->watch.reader);
        r->watch.list_at = NSEC_INFINITY;
}
