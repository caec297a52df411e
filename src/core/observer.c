/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The observer's frame: making one, changing its settings, asking it.
 *
 * The rules are elsewhere: admission.c judges datagrams, lifecycle.c lets agents come and go, stalls.c judges
 * silence, eviction.c makes room. Their order of precedence is the order of the gates in docs/design.md.
 */

#include <string.h>

#include "core/observer-private.h"

/* What agents without a unit live by: nobody supervises them, so their exit is a stall. */
static UnitRules rules_default(const ObserverSettings *s) {
        return (UnitRules){ .threshold = s->threshold, .forget = s->forget, .on_exit = EXIT_RULE_STALL };
}

static int settings_check(const ObserverSettings *s) {
        if (s->threshold < 10 * NSEC_PER_MSEC || s->threshold > NSEC_PER_DAY)
                return -EINVAL;
        if (s->capacity < 1 || s->capacity > TRACKER_CAPACITY_MAX || s->units > UNITS_LIMIT)
                return -EINVAL;
        if (s->per_uid_share < 1 || s->per_uid_share > 100)
                return -EINVAL;
        if ((int) s->eviction < 0 || s->eviction >= _EVICTION_POLICY_MAX || (int) s->origin_policy < 0 ||
            s->origin_policy >= _ORIGIN_POLICY_MAX)
                return -EINVAL;
        return 0;
}

static nsec_t interval_of(Rate rate) {
        return rate.count == 0 || rate.span == 0 ? 0 : (rate.span + rate.count - 1) / rate.count;
}

/* "None" and the overflow entry live by the defaults; both are always there. */
static void units_set_defaults(Observer *o) {
        Unit *none = &o->units.units[UNIT_NONE], *overflow = &o->units.units[units_overflow(&o->units)];

        none->rules = overflow->rules = rules_default(&o->settings);
        none->class = overflow->class = 0;
}

int observer_new(const ObserverSettings *settings, const ObserverHooks *hooks, void *userdata, nsec_t now,
                 Observer **ret) {
        _cleanup_(observer_freep) Observer *o = NULL;
        int r;

        assert(settings);
        assert(hooks && hooks->event && hooks->unit_rules);
        assert(ret);

        r = settings_check(settings);
        if (r < 0)
                return r;

        o = calloc(1, sizeof(Observer));
        if (!o)
                return -ENOMEM;

        o->settings = *settings;
        o->hooks = *hooks;
        o->userdata = userdata;
        o->now = o->start = now;
        o->next = o->blocked = NSEC_INFINITY;
        o->tracker.invariant_violations = &o->counters.invariant_violations;
        o->tracker.probe_exhausted = &o->counters.probe_exhausted;

        r = tracker_init(&o->tracker, settings->capacity, settings->hash_key);
        if (r < 0)
                return r;
        r = units_init(&o->units, settings->units ?: UNITS_DEFAULT,
                       settings->hash_key[0] ^ settings->hash_key[1]);
        if (r < 0)
                return r;

        (void) tracker_class(&o->tracker, settings->threshold, settings->forget);
        units_set_defaults(o);
        o->per_pid_interval = interval_of(settings->per_pid_rate);
        bucket_init(&o->global, settings->global_rate, settings->global_burst, now);
        if (hooks->pid_max)
                o->pid_max = hooks->pid_max(userdata);
        o->pid_max_read = now;

        *ret = TAKE_PTR(o);
        return 0;
}

Observer *observer_free(Observer *o) {
        if (!o)
                return NULL;

        if (o->tracker.header && o->hooks.release)
                for (uint32_t i = 0; i < o->tracker.header->fresh; i++)
                        if ((o->tracker.slots[i].flags & SLOT_USED) && o->tracker.slots[i].pidfd >= 0)
                                o->hooks.release(o->userdata, o->tracker.slots[i].pidfd);
        tracker_done(&o->tracker);
        units_done(&o->units);
        free(o);
        return NULL;
}

static uint8_t classify(void *userdata, const Slot *slot) {
        Observer *o = userdata;
        Unit *u = &o->units.units[slot->unit];

        u->class = tracker_class(&o->tracker, u->rules.threshold, u->rules.forget);
        return u->class;
}

int observer_reconfigure(Observer *o, const ObserverSettings *settings, nsec_t now) {
        ObserverSettings s = *settings;
        int r;

        assert(o);

        s.capacity = o->settings.capacity;
        s.units = o->settings.units;
        memcpy(s.hash_key, o->settings.hash_key, sizeof(s.hash_key));
        r = settings_check(&s);
        if (r < 0)
                return r;

        now = observer_clock(o, now);
        o->settings = s;
        o->per_pid_interval = interval_of(s.per_pid_rate);
        bucket_reconfigure(&o->global, s.global_rate, s.global_burst, now);
        units_set_defaults(o);
        for (uint16_t i = 1; i <= o->units.max; i++)
                if (o->units.units[i].refs > 0)
                        o->hooks.unit_rules(o->userdata, o->units.units[i].name, &o->units.units[i].rules);
        tracker_reclassify(&o->tracker, s.threshold, s.forget, classify, o);
        /* Units held without an agent were in no list: they get their class here. */
        for (uint16_t i = 1; i <= o->units.max; i++)
                if (o->units.units[i].refs > 0)
                        o->units.units[i].class =
                                        tracker_class(&o->tracker, o->units.units[i].rules.threshold,
                                                      o->units.units[i].rules.forget);
        observer_expect(o, now);
        return 0;
}

int observer_add_listener(Observer *o, nsec_t now) {
        assert(o);

        if (o->n_listeners >= OBSERVER_LISTENERS_MAX)
                return -E2BIG;
        o->listeners[o->n_listeners].empty = observer_clock(o, now);
        return (int) o->n_listeners++;
}

nsec_t observer_clock(Observer *o, nsec_t now) {
        if (_unlikely_(now < o->now))
                o->counters.clock_regressions++;
        else
                o->now = now;
        return o->now;
}

void observer_emit(Observer *o, Event *event) {
        if (!event->unit)
                event->unit = "";
        o->hooks.event(o->userdata, event);
}

void observer_info(const Observer *o, uint32_t slot, AgentInfo *ret) {
        const Slot *s = &o->tracker.slots[slot];

        *ret = (AgentInfo){
                .id = s->id,
                .source = s->source,
                .generation = s->generation,
                .namespace_inode = s->namespace_inode,
                .last_nonce = s->last_nonce,
                .beats = s->beats,
                .first_seen = s->first_seen,
                .last_beat = s->last_beat,
                .threshold = o->tracker.header->class[s->class].threshold,
                .pid = s->pid,
                .uid = s->uid,
                .payload = s->payload,
                .unit = s->unit,
                .status = s->status,
                .origin = s->origin,
                .stalled = s->flags & SLOT_STALLED,
                .confirmed = s->flags & SLOT_CONFIRMED,
                .terminal = s->flags & SLOT_LAST_TERMINAL,
                .has_pidfd = s->pidfd >= 0,
        };
        memcpy(ret->invocation, s->invocation, INVOCATION_ID_SIZE);
}

void observer_emit_slot(Observer *o, EventKind kind, uint32_t slot, nsec_t now) {
        Event event = { .kind = kind, .now = now, .unit = o->units.units[o->tracker.slots[slot].unit].name };

        observer_info(o, slot, &event.agent);
        observer_emit(o, &event);
}
