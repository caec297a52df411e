/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who makes room when the table is full.
 *
 * The lists are ordered by silence, so the best victim of all is among their heads: the cost is the number of
 * classes, not of agents. Only the search for a uid's own longest-silent agent walks into the lists; it is bounded,
 * and ending at the bound is counted.
 */

#include "core/observer-private.h"

typedef struct Search {
        Observer *o;
        nsec_t now;
        uint32_t uid;
        unsigned visits;
        bool truncated;
        uint32_t best;
} Search;

/* What `strict` demands: the stall was announced, and the silence is beyond any doubt. */
static bool slot_long_dead(const Observer *o, const Slot *s, nsec_t now) {
        nsec_t threshold = o->tracker.header->class[s->class].threshold;

        return (s->flags & SLOT_STALLED) && nsec_sub(now, s->last_beat) > threshold * EVICTION_SILENCE;
}

static void search_offer(Search *s, uint32_t slot) {
        const Slot *slots = s->o->tracker.slots;

        if (s->best == SLOT_NONE || slots[slot].last_beat < slots[s->best].last_beat)
                s->best = slot;
}

/* The longest silent agent of the uid in one list, as far as the visits last. */
static void search_list(Search *s, const SlotHead *list, bool strict) {
        const Tracker *t = &s->o->tracker;

        for (uint32_t slot = list->head; slot != SLOT_NONE; slot = t->links[slot].next) {
                if (s->visits == 0) {
                        s->truncated = true;
                        return;
                }
                s->visits--;
                if (strict && !slot_long_dead(s->o, &t->slots[slot], s->now))
                        return;
                if (t->slots[slot].uid == s->uid) {
                        search_offer(s, slot);
                        return;
                }
        }
}

static uint32_t find_own(Observer *o, uint32_t uid, nsec_t now) {
        Search s = { .o = o, .now = now, .uid = uid, .visits = EVICTION_VISITS_MAX, .best = SLOT_NONE };
        bool strict = o->settings.eviction == EVICTION_STRICT;
        TrackerHeader *h = o->tracker.header;

        for (uint32_t c = 0; c < h->classes && !s.truncated; c++)
                for (size_t i = strict ? SLOT_LIST_STALLED_HELD : 0; i < _SLOT_LIST_MAX && !s.truncated; i++)
                        search_list(&s, &h->class[c].lists[i], strict);
        if (s.truncated)
                o->counters.eviction_truncated++;
        return s.best;
}

static uint32_t find_any(Observer *o, bool strict, nsec_t now) {
        Search s = { .o = o, .best = SLOT_NONE };
        TrackerHeader *h = o->tracker.header;

        for (uint32_t c = 0; c < h->classes; c++)
                for (size_t i = strict ? SLOT_LIST_STALLED_HELD : 0; i < _SLOT_LIST_MAX; i++) {
                        uint32_t slot = h->class[c].lists[i].head;

                        if (slot != SLOT_NONE &&
                            (!strict || slot_long_dead(o, &o->tracker.slots[slot], now)))
                                search_offer(&s, slot);
                }
        return s.best;
}

static void evict(Observer *o, uint32_t slot, nsec_t now) {
        observer_flush_stalls(o);
        o->counters.evictions++;
        observer_emit_slot(o, EVENT_EVICTED, slot, now);
        agent_remove(o, slot);
}

int observer_make_room(Observer *o, uint32_t uid, nsec_t now) {
        const ObserverSettings *s = &o->settings;
        uint32_t victim;

        if (!tracker_full(&o->tracker))
                return 0;

        if ((uint64_t) uids_count(&o->uids, uid) * 100 > (uint64_t) s->per_uid_share * s->capacity) {
                victim = find_own(o, uid, now);
                if (victim == SLOT_NONE)
                        return -EDQUOT;
                evict(o, victim, now);
                return 0;
        }

        victim = find_any(o, true, now);
        if (victim == SLOT_NONE && s->eviction == EVICTION_BALANCED)
                victim = find_any(o, false, now);
        if (victim == SLOT_NONE)
                return -ENOSPC;
        evict(o, victim, now);
        return 0;
}
