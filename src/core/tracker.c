/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One region, four parts: header, index, links, slots.
 *
 * The index is open addressing with linear probing, at most half full, keyed by a secret so that peers who choose
 * pids do not choose collisions. An entry carries 32 bits of the hash: home positions are known without touching
 * a slot, so deletion shifts entries back and leaves no tombstones, and a look-up that fails touches one or two
 * cache lines. Links live beside the slots, not in them: moving an agent to the end of its list touches three
 * links, 8 bytes each, instead of three slots.
 *
 * Everything is taken and populated at start. Peers can fill slots; they cannot make the process grow.
 */

#include <string.h>
#include <sys/mman.h>

#include "core/tracker.h"

/* "VARTATRK", and the layout below it. Raise the version with any change of a struct or of the hash. */
#define TRACKER_MAGIC   UINT64_C(0x4b52544154524156)
#define TRACKER_VERSION 1U

/* The longest probe. At half load a run of 64 is already rarer than one in 10^9 tables; beyond the bound the frame
 * is refused and counted rather than letting one frame cost a scan. */
#define PROBE_MAX 128U

#define ID_SLOT_BITS 20U
static_assert((TRACKER_CAPACITY_MAX - 1) >> ID_SLOT_BITS == 0, "every slot number fits an id");

/* Regions above this are worth transparent huge pages: random look-ups in more than 2 MiB miss the TLB. */
#define HUGE_PAGE_SIZE (UINT64_C(2) << 20)

static uint64_t align_up(uint64_t n, uint64_t to) {
        return (n + to - 1) / to * to;
}

static uint32_t index_entries(uint32_t capacity) {
        uint32_t n = 8; /* smaller tables gain nothing */

        while (n < 2 * capacity)
                n *= 2;
        return n;
}

static void class_clear(TrackerClass *c, nsec_t threshold, nsec_t forget) {
        *c = (TrackerClass){ .threshold = threshold, .forget = forget };
        for (size_t i = 0; i < _SLOT_LIST_MAX; i++)
                c->lists[i] = (SlotHead){ SLOT_NONE, SLOT_NONE, SLOT_NONE };
}

static TrackerHeader *region_new(uint64_t size) {
        uint64_t room = size >= HUGE_PAGE_SIZE ? size + HUGE_PAGE_SIZE : size;
        uint8_t *p, *start;

        p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                return NULL;

        start = p;
        if (size >= HUGE_PAGE_SIZE) {
                /* Kernels before 6.7 align no mapping to huge pages by themselves: cut ours to it. */
                uint64_t address = (uint64_t) (uintptr_t) p,
                         lead = align_up(address, HUGE_PAGE_SIZE) - address;

                start = p + lead;
                if (lead > 0)
                        (void) munmap(p, lead);
                (void) munmap(start + size, room - lead - size);
                (void) madvise(start, size, MADV_HUGEPAGE); /* a hint: kernels without it lose speed only */
        }

        /* Every page now, not under load. MADV_POPULATE_WRITE is Linux 5.14; touching does the same. */
        for (uint64_t i = 0; i < size; i += 4096)
                ((volatile uint8_t *) start)[i] = 0;
        return (TrackerHeader *) (void *) start;
}

int tracker_init(Tracker *t, uint32_t capacity, const uint64_t hash_key[2]) {
        uint64_t index_offset, links_offset, slots_offset, size;
        uint32_t entries;
        TrackerHeader *h;

        assert(t);
        assert(hash_key);

        if (capacity < 1 || capacity > TRACKER_CAPACITY_MAX)
                return -EINVAL;

        entries = index_entries(capacity);
        index_offset = align_up(sizeof(TrackerHeader), 64);
        links_offset = align_up(index_offset + entries * sizeof(uint64_t), 64);
        slots_offset = align_up(links_offset + capacity * sizeof(SlotLink), 64);
        size = align_up(slots_offset + capacity * sizeof(Slot), 4096);

        h = region_new(size);
        if (!h)
                return -ENOMEM;

        *h = (TrackerHeader){
                .magic = TRACKER_MAGIC,
                .version = TRACKER_VERSION,
                .header_size = sizeof(TrackerHeader),
                .slot_size = sizeof(Slot),
                .capacity = capacity,
                .index_mask = entries - 1,
                .free = SLOT_NONE,
                .hash_key = { hash_key[0], hash_key[1] },
                .index_offset = index_offset,
                .links_offset = links_offset,
                .slots_offset = slots_offset,
                .size = size,
        };
        t->header = h;
        t->index = (uint64_t *) (void *) ((uint8_t *) h + index_offset);
        t->links = (SlotLink *) (void *) ((uint8_t *) h + links_offset);
        t->slots = (Slot *) (void *) ((uint8_t *) h + slots_offset);
        return 0;
}

void tracker_done(Tracker *t) {
        if (t->header)
                (void) munmap(t->header, t->header->size);
        t->header = NULL;
}

uint32_t tracker_guess(const Tracker *t, uint32_t hash) {
        uint32_t mask = t->header->index_mask, limit = MIN(PROBE_MAX, mask + 1);

        for (uint32_t i = 0; i < limit; i++) {
                uint64_t e = t->index[(hash + i) & mask];

                if (e == 0)
                        return SLOT_NONE;
                if ((uint32_t) (e >> 32) == hash && (uint32_t) e <= t->header->capacity)
                        return (uint32_t) e - 1;
        }
        return SLOT_NONE;
}

uint32_t tracker_find(Tracker *t, uint32_t hash, uint64_t source, uint32_t pid) {
        uint32_t mask = t->header->index_mask, limit = MIN(PROBE_MAX, mask + 1);

        for (uint32_t i = 0; i < limit; i++) {
                uint64_t e = t->index[(hash + i) & mask];
                uint32_t slot = (uint32_t) e - 1;

                if (e == 0)
                        return SLOT_NONE;
                if ((uint32_t) (e >> 32) != hash)
                        continue;
                if (_unlikely_(slot >= t->header->capacity)) {
                        (*t->invariant_violations)++;
                        continue;
                }
                if (t->slots[slot].pid == pid && t->slots[slot].source == source)
                        return slot;
        }
        (*t->probe_exhausted)++;
        return SLOT_NONE;
}

uint32_t tracker_find_id(const Tracker *t, uint64_t id) {
        uint32_t slot = (uint32_t) (id & (TRACKER_CAPACITY_MAX - 1));

        if (slot >= t->header->capacity || !(t->slots[slot].flags & SLOT_USED) || t->slots[slot].id != id)
                return SLOT_NONE;
        return slot;
}

static int index_insert(Tracker *t, uint32_t hash, uint32_t slot) {
        uint32_t mask = t->header->index_mask, limit = MIN(PROBE_MAX, mask + 1);

        for (uint32_t i = 0; i < limit; i++) {
                uint64_t *e = &t->index[(hash + i) & mask];

                if (*e != 0)
                        continue;
                *e = (uint64_t) hash << 32 | (slot + 1);
                return 0;
        }
        return -ENOSPC;
}

static void index_remove(Tracker *t, uint32_t hash, uint32_t slot) {
        uint32_t mask = t->header->index_mask, limit = MIN(PROBE_MAX, mask + 1), at = hash & mask, hole,
                 next;
        uint64_t entry = (uint64_t) hash << 32 | (slot + 1);

        for (uint32_t i = 0; t->index[at] != entry; i++, at = (at + 1) & mask)
                if (t->index[at] == 0 || i >= limit) {
                        (*t->invariant_violations)++;
                        return;
                }

        /* Shift back whatever follows in the same run and may move closer to its home. */
        hole = at;
        for (next = (at + 1) & mask; t->index[next] != 0 && next != at; next = (next + 1) & mask) {
                uint32_t home = (uint32_t) (t->index[next] >> 32) & mask;

                if (((next - home) & mask) >= ((next - hole) & mask)) {
                        t->index[hole] = t->index[next];
                        hole = next;
                }
        }
        t->index[hole] = 0;
}

uint32_t tracker_take(Tracker *t, uint32_t hash, uint64_t source, uint32_t pid) {
        TrackerHeader *h = t->header;
        uint32_t slot;

        if (tracker_full(t))
                return SLOT_NONE;

        slot = h->free != SLOT_NONE ? h->free : h->fresh;
        if (index_insert(t, hash, slot) < 0) {
                (*t->probe_exhausted)++;
                return SLOT_NONE;
        }
        if (slot == h->fresh)
                h->fresh++;
        else
                h->free = t->links[slot].next;
        h->used++;

        t->links[slot] = (SlotLink){ SLOT_NONE, SLOT_NONE };
        t->slots[slot] = (Slot){
                .source = source,
                .pid = pid,
                .id = ++h->sequence << ID_SLOT_BITS | slot,
                .flags = SLOT_USED,
                .pidfd = -1,
        };
        return slot;
}

void tracker_give_back(Tracker *t, uint32_t slot) {
        TrackerHeader *h = t->header;
        Slot *s = &t->slots[slot];

        assert(s->flags & SLOT_USED);

        tracker_unlink(t, slot);
        index_remove(t, tracker_hash(t, s->source, s->pid), slot);
        if (s->flags & SLOT_STALLED)
                h->stalled--;
        s->flags = 0;
        t->links[slot].next = h->free;
        h->free = slot;
        h->used--;
}

SlotList slot_list(const Slot *s) {
        if (!(s->flags & SLOT_STALLED))
                return SLOT_LIST_LIVE;
        return s->pidfd >= 0 ? SLOT_LIST_STALLED_HELD : SLOT_LIST_STALLED_FREE;
}

/* The slot behind which one with this last beat belongs; SLOT_NONE: in front of all.
 *
 * A list is filled in the order of its members' last beats, so this is its tail. Not so after a reload: agents that a
 * short threshold has latched may then share a class with others, silent for longer, whom a long threshold has yet
 * to latch. These arrive in order among themselves, so each search starts where the one before ended, and all of
 * them together walk the list once. */
static uint32_t list_position(const Tracker *t, const SlotHead *h, nsec_t last_beat) {
        uint32_t at = h->hint, next;

        if (h->tail == SLOT_NONE || _likely_(t->slots[h->tail].last_beat <= last_beat))
                return h->tail;

        if (at != SLOT_NONE && t->slots[at].last_beat > last_beat)
                at = SLOT_NONE;
        next = at == SLOT_NONE ? h->head : t->links[at].next;
        while (t->slots[next].last_beat <= last_beat) { /* the tail ends it */
                at = next;
                next = t->links[at].next;
        }
        return at;
}

void tracker_link(Tracker *t, uint32_t slot) {
        Slot *s = &t->slots[slot];
        SlotHead *h = &t->header->class[s->class].lists[slot_list(s)];
        uint32_t prev = list_position(t, h, s->last_beat), next;

        next = prev == SLOT_NONE ? h->head : t->links[prev].next;
        t->links[slot] = (SlotLink){ .prev = prev, .next = next };
        if (prev == SLOT_NONE)
                h->head = slot;
        else
                t->links[prev].next = slot;
        if (next == SLOT_NONE)
                h->tail = slot;
        else {
                t->links[next].prev = slot;
                h->hint = slot;
        }
}

void tracker_unlink(Tracker *t, uint32_t slot) {
        Slot *s = &t->slots[slot];
        SlotHead *h = &t->header->class[s->class].lists[slot_list(s)];
        SlotLink l = t->links[slot];

        if (h->hint == slot)
                h->hint = l.prev;
        if (l.prev == SLOT_NONE)
                h->head = l.next;
        else
                t->links[l.prev].next = l.next;
        if (l.next == SLOT_NONE)
                h->tail = l.prev;
        else
                t->links[l.next].prev = l.prev;
}

void tracker_set_stalled(Tracker *t, uint32_t slot, bool stalled) {
        Slot *s = &t->slots[slot];

        if (stalled == !!(s->flags & SLOT_STALLED))
                return;
        tracker_unlink(t, slot);
        s->flags ^= SLOT_STALLED;
        t->header->stalled += stalled ? 1U : -1U;
        tracker_link(t, slot);
}

uint8_t tracker_class(Tracker *t, nsec_t threshold, nsec_t forget) {
        TrackerHeader *h = t->header;

        for (uint32_t i = 0; i < h->classes; i++)
                if (h->class[i].threshold == threshold && h->class[i].forget == forget)
                        return (uint8_t) i;
        if (h->classes >= TRACKER_CLASSES_MAX)
                return 0;
        class_clear(&h->class[h->classes], threshold, forget);
        return (uint8_t) h->classes++;
}

/* Takes the longest silent slot off the old lists of one kind; SLOT_NONE when they are empty. The lists are sorted,
 * so the oldest of all is the oldest of their heads. */
static uint32_t old_lists_pop(Tracker *t, SlotHead *heads, uint32_t n) {
        SlotHead *best = NULL;
        uint32_t slot;

        for (uint32_t i = 0; i < n; i++) {
                if (heads[i].head == SLOT_NONE)
                        continue;
                if (!best || t->slots[heads[i].head].last_beat < t->slots[best->head].last_beat)
                        best = &heads[i];
        }
        if (!best)
                return SLOT_NONE;
        slot = best->head;
        best->head = t->links[slot].next;
        return slot;
}

void tracker_reclassify(Tracker *t, nsec_t threshold, nsec_t forget,
                        uint8_t (*classify)(void *userdata, const Slot *slot), void *userdata) {
        TrackerHeader *h = t->header;
        SlotHead old[_SLOT_LIST_MAX][TRACKER_CLASSES_MAX];
        uint32_t n = h->classes, slot;

        for (uint32_t c = 0; c < n; c++)
                for (size_t i = 0; i < _SLOT_LIST_MAX; i++)
                        old[i][c] = h->class[c].lists[i];

        class_clear(&h->class[0], threshold, forget);
        h->classes = 1;
        for (size_t i = 0; i < _SLOT_LIST_MAX; i++)
                while ((slot = old_lists_pop(t, old[i], n)) != SLOT_NONE) {
                        t->slots[slot].class = classify(userdata, &t->slots[slot]);
                        tracker_link(t, slot);
                }
}
