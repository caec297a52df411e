/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An agent's life: first sight, accepted beats, the end.
 *
 * Every way into a slot and out of it passes here, so that the unit's aggregates, the count per uid, the pidfd and
 * the lists can be kept in one place.
 */

#include <string.h>

#include "core/observer-private.h"

void identity_release(Observer *o, Identity *identity) {
        if (identity->pidfd >= 0 && o->hooks.release)
                o->hooks.release(o->userdata, identity->pidfd);
        identity->pidfd = -1;
}

int agent_identify(Observer *o, const Passage *p, Identity *ret) {
        Identity identity = { .pidfd = -1, .uid = p->datagram->uid };
        int r;

        if (o->hooks.identify) {
                r = o->hooks.identify(o->userdata, p->pid, p->datagram->uid, &identity);
                if (r < 0)
                        return r;
        }
        *ret = identity;
        return 0;
}

uint16_t observer_unit_ref(Observer *o, const char *name) {
        uint16_t unit;
        bool fresh;

        assert(o);
        assert(name);

        unit = units_ref(&o->units, name, &fresh);
        if (fresh) {
                Unit *u = &o->units.units[unit];

                o->hooks.unit_rules(o->userdata, u->name, &u->rules);
                u->class = tracker_class(&o->tracker, u->rules.threshold, u->rules.forget);
        }
        return unit;
}

/* The unit of a new slot: of its process, or of the listener it came through. */
static uint16_t agent_unit(Observer *o, const Passage *p, const Identity *identity) {
        if (identity)
                return observer_unit_ref(o, identity->unit);
        return units_hold(&o->units, p->datagram->unit);
}

static void agent_fill(Observer *o, uint32_t slot, const Passage *p, const Identity *identity, nsec_t now) {
        Slot *s = &o->tracker.slots[slot];

        s->unit = agent_unit(o, p, identity);
        s->class = o->units.units[s->unit].class;
        s->origin = p->datagram->origin;
        s->uid = p->datagram->uid;
        s->inner_pid = p->frame.pid;
        s->first_seen = now;
        s->last_beat = now;
        if (identity) {
                s->generation = identity->generation;
                s->namespace_inode = identity->namespace_inode;
                s->relation = (uint8_t) identity->relation;
                memcpy(s->invocation, identity->invocation, INVOCATION_ID_SIZE);
        }
        if (uids_add(&o->uids, s->uid))
                s->flags |= SLOT_UID_POOLED;
        o->units.units[s->unit].agents++;
}

uint32_t agent_insert(Observer *o, const Passage *p, Identity *identity, nsec_t now) {
        uint32_t slot;
        Slot *s;

        slot = tracker_take(&o->tracker, p->hash, p->datagram->source, p->pid);
        if (slot == SLOT_NONE) {
                if (identity)
                        identity_release(o, identity);
                return SLOT_NONE;
        }

        agent_fill(o, slot, p, identity, now);
        s = &o->tracker.slots[slot];
        if (identity && identity->pidfd >= 0) {
                if (o->hooks.watch && o->hooks.watch(o->userdata, identity->pidfd, s->id) >= 0)
                        s->pidfd = TAKE_FD(identity->pidfd);
                else
                        identity_release(o, identity);
        }
        tracker_link(&o->tracker, slot);
        agent_accept(o, slot, &p->frame, BEAT_APPEARED, now);
        return slot;
}

/* So many more (1) or fewer (-1) agents of a unit have this status. */
static void count_status(Observer *o, Unit *u, VlpStatus status, uint32_t change) {
        switch (status) {
        case VLP_STATUS_DEGRADED:
                u->degraded += change;
                o->degraded += change;
                break;
        case VLP_STATUS_CRITICAL:
                u->critical += change;
                o->critical += change;
                break;
        default: /* ok is the rest, and stall does not come over the wire */
                break;
        }
}

void agent_remove(Observer *o, uint32_t slot) {
        Slot *s = &o->tracker.slots[slot];
        Unit *u = &o->units.units[s->unit];

        if (s->flags & SLOT_STALLED)
                u->stalled--;
        u->agents--;
        count_status(o, u, s->status, -1U);
        uids_remove(&o->uids, s->uid, s->flags & SLOT_UID_POOLED);
        units_unref(&o->units, s->unit);
        if (s->pidfd >= 0 && o->hooks.release)
                o->hooks.release(o->userdata, s->pidfd);
        /* The list a slot is in depends on its pidfd, so that one goes last. */
        tracker_give_back(&o->tracker, slot);
        s->pidfd = -1;
}

void agent_exit(Observer *o, uint32_t slot, nsec_t now) {
        const Slot *s = &o->tracker.slots[slot];
        Event event = { .kind = EVENT_EXIT, .now = now, .last_word = s->flags & SLOT_LAST_TERMINAL };
        char unit[UNIT_NAME_SIZE];
        ExitRule rule;

        observer_info(o, slot, &event.agent);
        memcpy(unit, o->units.units[s->unit].name, sizeof(unit));
        rule = o->units.units[s->unit].rules.on_exit;
        event.unit = unit;

        observer_flush_stalls(o);
        agent_remove(o, slot);
        o->counters.exits++;
        observer_emit(o, &event);

        /* One beat may have been a trial; two are a service that nobody restarts. */
        if (rule == EXIT_RULE_STALL && event.agent.beats >= 2) {
                event.kind = EVENT_STALL;
                event.reason = STALL_EXITED;
                event.deadline = now;
                observer_emit(o, &event);
        }
}

void agent_set_stalled(Observer *o, uint32_t slot, bool stalled) {
        Slot *s = &o->tracker.slots[slot];

        if (stalled == !!(s->flags & SLOT_STALLED))
                return;
        tracker_set_stalled(&o->tracker, slot, stalled);
        o->units.units[s->unit].stalled += stalled ? 1U : -1U;
}

/* The latch is set and a beat came: silence starts anew, and may end before anything that is armed now. */
static void agent_resume(Observer *o, uint32_t slot) {
        observer_flush_stalls(o); /* nobody hears of a resume before the stall */
        agent_set_stalled(o, slot, false);
        o->counters.resumes++;
        observer_expect(o, slot_deadline(o, &o->tracker.slots[slot]));
}

void agent_accept(Observer *o, uint32_t slot, const VlpFrame *frame, unsigned flags, nsec_t now) {
        Slot *s = &o->tracker.slots[slot];
        VlpStatus old = s->status;

        s->last_beat = now;
        if (_unlikely_(frame->status != old)) { /* a new slot is ok */
                count_status(o, &o->units.units[s->unit], old, -1U);
                count_status(o, &o->units.units[s->unit], frame->status, 1);
                s->status = frame->status;
        }
        s->payload = frame->payload;
        s->beats++;
        o->units.beats[s->unit]++;
        o->counters.beats++;
        if (_unlikely_(frame->nonce == VLP_NONCE_TERMINAL)) {
                s->flags |= SLOT_HAS_TERMINAL | SLOT_LAST_TERMINAL;
                s->terminal_timestamp = frame->timestamp;
        } else {
                s->flags = (uint8_t) ((s->flags | SLOT_HAS_NONCE) & ~SLOT_LAST_TERMINAL);
                s->last_nonce = frame->nonce;
        }

        if (_unlikely_(s->flags & SLOT_STALLED)) {
                agent_resume(o, slot);
                flags |= BEAT_RESUMED;
        } else
                tracker_touch(&o->tracker, slot);

        if (_unlikely_(flags & BEAT_APPEARED))
                observer_expect(o, slot_deadline(o, s));
        else if (_unlikely_(s->status != old))
                flags |= BEAT_STATUS_CHANGED;

        if (_unlikely_(flags != 0)) {
                Event event = { .kind = EVENT_BEAT, .now = now, .flags = flags, .old_status = old };

                observer_info(o, slot, &event.agent);
                event.unit = o->units.units[s->unit].name;
                observer_emit(o, &event);
        }
}
