/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Judging silence.
 *
 * Agents of one threshold sit in one list ordered by their last beat, so whoever is silent too long sits at a head:
 * a tick looks at the heads, never at the fleet, and a beat never touches a timer. What is concluded goes into a
 * queue of fixed size; while that is full, later ones stay where they are, in their order.
 *
 * A verdict waits while it cannot be trusted: beats may sit in a queue that was never read to its end, or were
 * refused or dropped on the way. It waits at most MaxDeferralSec, then it stands and says so. After a jump of the
 * clock everybody is granted one threshold from the jump on: silence during a suspend proves nothing.
 */

#include "core/observer-private.h"

nsec_t slot_deadline(const Observer *o, const Slot *s) {
        return nsec_add(MAX(s->last_beat, o->grace), o->tracker.header->class[s->class].threshold);
}

void observer_expect(Observer *o, nsec_t deadline) {
        if (deadline < o->next)
                o->next = deadline;
}

nsec_t observer_next_deadline(const Observer *o) {
        return o->next;
}

static nsec_t class_deadline(const Observer *o, const TrackerClass *c) {
        uint32_t head = c->lists[SLOT_LIST_LIVE].head;

        return head == SLOT_NONE ? NSEC_INFINITY : slot_deadline(o, &o->tracker.slots[head]);
}

static nsec_t class_forget_deadline(const Observer *o, const TrackerClass *c) {
        uint32_t head = c->lists[SLOT_LIST_STALLED_FREE].head;

        if (head == SLOT_NONE)
                return NSEC_INFINITY;
        return nsec_add(nsec_add(o->tracker.slots[head].last_beat, c->threshold), c->forget);
}

/* Half the smallest threshold in force, but never more than CLOCK_JUMP_MAX. */
static nsec_t jump_limit(const Observer *o) {
        const TrackerHeader *h = o->tracker.header;
        nsec_t smallest = NSEC_INFINITY;

        for (uint32_t c = 0; c < h->classes; c++)
                if (h->class[c].lists[SLOT_LIST_LIVE].head != SLOT_NONE)
                        smallest = MIN(smallest, h->class[c].threshold);
        if (smallest == NSEC_INFINITY)
                smallest = o->settings.threshold;
        return MIN(smallest / 2, CLOCK_JUMP_MAX);
}

static void judge_jump(Observer *o, nsec_t now, nsec_t lateness, nsec_t suspended) {
        Event event = { .kind = EVENT_CLOCK_JUMP, .now = now, .jump = MAX(lateness, suspended) };

        if (event.jump <= jump_limit(o))
                return;
        o->grace = now;
        o->counters.clock_jumps++;
        observer_emit(o, &event);
}

typedef struct Doubt {
        nsec_t until;  /* when it ends at the latest, without news; 0: there is none */
        bool listener; /* ... or as soon as a listener runs empty */
} Doubt;

/* Whether beats of the last `threshold` may have been lost or not yet read. */
static Doubt doubt_of(const Observer *o, nsec_t threshold, nsec_t now) {
        Doubt d = {};

        for (unsigned i = 0; i < o->n_listeners; i++)
                if (nsec_sub(now, o->listeners[i].empty) >= threshold) {
                        d.until = NSEC_INFINITY;
                        d.listener = true;
                }
        if (o->refused && nsec_sub(now, o->refused_at) < threshold)
                d.until = MAX(d.until, nsec_add(o->refused_at, threshold));
        if (o->dropped && nsec_sub(now, o->dropped_at) < threshold)
                d.until = MAX(d.until, nsec_add(o->dropped_at, threshold));
        return d;
}

static void stall_push(Observer *o, uint32_t slot, nsec_t deadline, bool waited, nsec_t now) {
        StallEntry *e = &o->queue[(o->queue_head + o->queue_used) % STALL_QUEUE_MAX];

        assert(o->queue_used < STALL_QUEUE_MAX);

        agent_set_stalled(o, slot, true);
        o->counters.stalls++;
        observer_info(o, slot, &e->agent);
        (void) units_hold(&o->units, e->agent.unit); /* its name is needed when the entry is handed out */
        e->deadline = deadline;
        e->waited = waited;
        e->now = now;
        o->queue_used++;
}

/* The class whose longest silent agent is due first, leaving out those that wait. NULL: none is due. */
static TrackerClass *class_due(Observer *o, const bool *waits, nsec_t now) {
        TrackerHeader *h = o->tracker.header;
        TrackerClass *best = NULL;
        nsec_t deadline = NSEC_INFINITY;

        for (uint32_t c = 0; c < h->classes; c++) {
                nsec_t d = class_deadline(o, &h->class[c]);

                if (!waits[c] && d <= now && d < deadline) {
                        best = &h->class[c];
                        deadline = d;
                }
        }
        return best;
}

/* Concludes what is due, in the order of the deadlines. Returns whether a verdict waits, and until when. */
static bool conclude(Observer *o, bool *waits, nsec_t now, nsec_t *ret_until) {
        TrackerHeader *h = o->tracker.header;
        nsec_t until = NSEC_INFINITY;
        bool any = false;
        TrackerClass *c;

        o->blocked = NSEC_INFINITY;
        while (o->queue_used < STALL_QUEUE_MAX && (c = class_due(o, waits, now))) {
                nsec_t deadline = class_deadline(o, c), limit = nsec_add(deadline, o->settings.max_deferral);
                Doubt d = doubt_of(o, c->threshold, now);

                if (d.until > 0 && now < limit) {
                        waits[c - h->class] = true;
                        any = true;
                        limit = MIN(limit, d.until);
                        until = MIN(until, limit);
                        if (d.listener)
                                o->blocked = MIN(o->blocked, c->threshold);
                        continue;
                }
                stall_push(o, c->lists[SLOT_LIST_LIVE].head, deadline, d.until > 0, now);
        }
        *ret_until = until;
        return any;
}

static void forget_due(Observer *o, nsec_t now) {
        TrackerHeader *h = o->tracker.header;

        for (uint32_t c = 0; c < h->classes; c++)
                while (class_forget_deadline(o, &h->class[c]) <= now) {
                        uint32_t slot = h->class[c].lists[SLOT_LIST_STALLED_FREE].head;

                        observer_flush_stalls(o);
                        o->counters.forgotten++;
                        observer_emit_slot(o, EVENT_FORGOTTEN, slot, now);
                        agent_remove(o, slot);
                }
}

static void set_overloaded(Observer *o, bool overloaded, nsec_t now) {
        Event event = { .kind = EVENT_OVERLOADED, .now = now, .overloaded = overloaded };

        if (o->overloaded == overloaded)
                return;
        o->overloaded = overloaded;
        observer_emit(o, &event);
}

void observer_tick(Observer *o, nsec_t now, nsec_t lateness, nsec_t suspended) {
        bool waits[TRACKER_CLASSES_MAX] = {}, waiting;
        TrackerHeader *h;
        nsec_t until;

        assert(o);

        h = o->tracker.header;
        now = observer_clock(o, now);
        judge_jump(o, now, lateness, suspended);
        waiting = conclude(o, waits, now, &until);
        forget_due(o, now);

        o->next = until;
        for (uint32_t c = 0; c < h->classes; c++) {
                nsec_t d = class_deadline(o, &h->class[c]);

                /* What is due and found the queue full is told again when an entry leaves it; that may have happened
                 * just now, for those who were forgotten. */
                if (!waits[c] && (d > now || o->queue_used < STALL_QUEUE_MAX))
                        observer_expect(o, d);
                observer_expect(o, class_forget_deadline(o, &h->class[c]));
        }
        set_overloaded(o, waiting, now);
}

bool observer_has_stalls(const Observer *o) {
        return o->queue_used > 0;
}

bool observer_dispatch_stall(Observer *o) {
        Event event = { .kind = EVENT_STALL, .reason = STALL_SILENT };
        StallEntry e;

        assert(o);

        if (o->queue_used == 0)
                return false;
        if (o->queue_used == STALL_QUEUE_MAX)
                observer_expect(o, o->now); /* there is room again for what waits in the lists */

        e = o->queue[o->queue_head];
        o->queue_head = (o->queue_head + 1) % STALL_QUEUE_MAX;
        o->queue_used--;

        event.now = e.now;
        event.agent = e.agent;
        event.deadline = e.deadline;
        event.waited = e.waited;
        event.unit = o->units.units[e.agent.unit].name;
        observer_emit(o, &event);
        units_unref(&o->units, e.agent.unit);
        return true;
}

void observer_flush_stalls(Observer *o) {
        while (observer_dispatch_stall(o))
                ;
}

void observer_never_beat(Observer *o, const char *unit, nsec_t deadline, nsec_t now) {
        Event event = {
                .kind = EVENT_STALL,
                .reason = STALL_NEVER_BEAT,
                .now = observer_clock(o, now),
                .deadline = deadline,
                .unit = unit,
                .agent = { .uid = UID_NONE, .origin = ORIGIN_KERNEL_ATTESTED },
        };

        observer_emit(o, &event);
}

void observer_agent_exited(Observer *o, uint64_t agent, nsec_t now) {
        uint32_t slot;

        assert(o);

        slot = tracker_find_id(&o->tracker, agent);
        if (slot != SLOT_NONE)
                agent_exit(o, slot, observer_clock(o, now));
}

void observer_listener_empty(Observer *o, uint8_t listener, nsec_t now) {
        ListenerState *l;

        assert(o && listener < o->n_listeners);

        l = &o->listeners[listener];
        now = observer_clock(o, now);
        if (nsec_sub(now, l->empty) >= o->blocked)
                observer_expect(o, now); /* a verdict waited for this */
        l->empty = now;
}

void observer_listener_dropped(Observer *o, uint8_t listener, uint64_t n, nsec_t now) {
        assert(o && listener < o->n_listeners);

        if (n == 0)
                return;
        o->counters.queue_drops += n;
        o->dropped = true;
        o->dropped_at = observer_clock(o, now);
}
