/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asking the observer: nothing here changes what it thinks of an agent, but for the two verbs at the end. */

#include <string.h>

#include "core/observer-private.h"

/* Slots that one page looks at: a table of a million, long since nearly empty, must not cost one call 10 ms. */
#define LIST_VISITS_MAX 16384U

const Counters *observer_counters(const Observer *o) {
        return &o->counters;
}

const ObserverSettings *observer_settings(const Observer *o) {
        return &o->settings;
}

uint32_t observer_tracked(const Observer *o) {
        return o->tracker.header->used;
}

uint32_t observer_stalled(const Observer *o) {
        return o->tracker.header->stalled;
}

uint32_t observer_degraded(const Observer *o) {
        return o->degraded;
}

uint32_t observer_critical(const Observer *o) {
        return o->critical;
}

bool observer_overloaded(const Observer *o) {
        return o->overloaded;
}

size_t observer_memory(const Observer *o) {
        return sizeof(Observer) + o->tracker.header->size +
               (size_t) (o->units.max + 2) * (sizeof(Unit) + sizeof(uint64_t)) +
               ((size_t) o->units.chains_mask + 1) * sizeof(uint16_t);
}

int observer_agent(const Observer *o, uint64_t id, AgentInfo *ret) {
        uint32_t slot = tracker_find_id(&o->tracker, id);

        if (slot == SLOT_NONE)
                return -ENOENT;
        observer_info(o, slot, ret);
        return 0;
}

int observer_agent_by_pid(const Observer *o, uint64_t source, uint32_t pid, AgentInfo *ret) {
        Tracker t = o->tracker; /* a view: finding may count trouble, reading changes nothing else */
        uint32_t slot = tracker_find(&t, tracker_hash(&t, source, pid), source, pid);

        if (slot == SLOT_NONE)
                return -ENOENT;
        observer_info(o, slot, ret);
        return 0;
}

/* Which agents are listed: those that meet all of it. */
typedef struct Choice {
        bool ailing;   /* stalled, or not well by their own word */
        uint16_t unit; /* UNIT_NONE: of any, or of none */
        uint32_t pid;  /* 0: any */
} Choice;

static bool is_chosen(const Choice *c, const Slot *s) {
        if (!(s->flags & SLOT_USED))
                return false;
        if (c->ailing && !(s->flags & SLOT_STALLED) && s->status == VLP_STATUS_OK)
                return false;
        return (c->unit == UNIT_NONE || s->unit == c->unit) && (c->pid == 0 || s->pid == c->pid);
}

static size_t list(const Observer *o, const Choice *choice, uint32_t cursor, AgentInfo *ret, size_t max,
                   uint32_t *ret_next) {
        const TrackerHeader *h = o->tracker.header;
        uint32_t end = h->fresh;
        size_t n = 0;

        assert(ret || max == 0);
        assert(ret_next);

        if (end > cursor && end - cursor > LIST_VISITS_MAX)
                end = cursor + LIST_VISITS_MAX;
        for (; cursor < end && n < max; cursor++) {
                if (is_chosen(choice, &o->tracker.slots[cursor]))
                        observer_info(o, cursor, &ret[n++]);
        }

        *ret_next = cursor < h->fresh ? cursor : 0;
        return n;
}

size_t observer_list(const Observer *o, uint32_t cursor, AgentInfo *ret, size_t max, uint32_t *ret_next) {
        return list(o, &(Choice){}, cursor, ret, max, ret_next);
}

size_t observer_list_ailing(const Observer *o, uint32_t cursor, AgentInfo *ret, size_t max,
                            uint32_t *ret_next) {
        return list(o, &(Choice){ .ailing = true }, cursor, ret, max, ret_next);
}

size_t observer_find(const Observer *o, uint16_t unit, uint32_t pid, uint32_t cursor, AgentInfo *ret,
                     size_t max, uint32_t *ret_next) {
        return list(o, &(Choice){ .unit = unit, .pid = pid }, cursor, ret, max, ret_next);
}

uint16_t observer_units_max(const Observer *o) {
        return units_overflow(&o->units);
}

int observer_unit(const Observer *o, uint16_t unit, UnitInfo *ret) {
        const Unit *u;

        if (unit > units_overflow(&o->units))
                return -ENOENT;
        u = &o->units.units[unit];
        if (u->refs == 0 || (unit == units_overflow(&o->units) && u->agents == 0))
                return -ENOENT;

        *ret = (UnitInfo){
                .name = u->name,
                .agents = u->agents,
                .stalled = u->stalled,
                .degraded = u->degraded,
                .critical = u->critical,
                .beats = o->units.beats[unit],
                .rules = u->rules,
        };
        return 0;
}

int observer_unit_by_name(const Observer *o, const char *name, uint16_t *ret) {
        uint16_t unit = units_find(&o->units, name);

        if (unit == UNIT_NONE)
                return -ENOENT;
        *ret = unit;
        return 0;
}

void observer_unit_unref(Observer *o, uint16_t unit) {
        units_unref(&o->units, unit);
}

int observer_reset_agent(Observer *o, uint64_t id, nsec_t now) {
        uint32_t slot = tracker_find_id(&o->tracker, id);

        if (slot == SLOT_NONE)
                return -ENOENT;
        now = observer_clock(o, now);
        observer_flush_stalls(o);
        o->tracker.slots[slot].last_beat = now;
        agent_set_stalled(o, slot, false);
        tracker_touch(&o->tracker, slot);
        observer_expect(o, slot_deadline(o, &o->tracker.slots[slot]));
        return 0;
}

int observer_forget_agent(Observer *o, uint64_t id, nsec_t now) {
        uint32_t slot = tracker_find_id(&o->tracker, id);

        if (slot == SLOT_NONE)
                return -ENOENT;
        observer_flush_stalls(o);
        o->counters.forgotten++;
        observer_emit_slot(o, EVENT_FORGOTTEN, slot, observer_clock(o, now));
        agent_remove(o, slot);
        return 0;
}
