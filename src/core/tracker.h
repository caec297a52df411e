/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where agents live: one contiguous region of fixed-size slots, an index and lists, and no opinion on any of
 * it. The rules are admission's; here a slot is found, taken, moved and given back.
 *
 * Nothing in the region is a pointer, so that it can live in a shared mapping and outlive the process.
 */

#include "core/types.h"
#include "util/hash.h"

#define SLOT_NONE UINT32_MAX

/* The most agents: an id is a sequence number above a 20-bit slot number. */
#define TRACKER_CAPACITY_MAX (UINT32_C(1) << 20)

/* Distinct pairs of (threshold, forget) in force; a slot holds its class in one byte. Class 0 is the default. */
#define TRACKER_CLASSES_MAX 256U

typedef enum SlotFlags {
        SLOT_USED = 1 << 0,
        SLOT_STALLED = 1 << 1, /* the latch */
        SLOT_CONFIRMED = 1 << 2,
        SLOT_HAS_NONCE = 1 << 3,     /* a regular frame was accepted */
        SLOT_HAS_TERMINAL = 1 << 4,  /* a terminal frame was accepted */
        SLOT_LAST_TERMINAL = 1 << 5, /* ... and it was the last accepted frame */
        SLOT_UID_POOLED = 1 << 6,    /* counted in the pool: the table of uids was full */
        SLOT_LOOK_REFUSED = 1 << 7,  /* the last look at its process ended in a refusal */
} SlotFlags;

/* Two cache lines: what an accepted beat touches, and the rest. */
typedef struct Slot {
        nsec_t last_beat;
        uint64_t last_nonce;
        uint64_t source;
        uint64_t beats;
        uint64_t id;
        uint32_t pid;
        uint32_t payload;
        uint32_t inner_pid; /* what the agent calls itself */
        uint32_t uid;
        uint16_t unit;
        uint8_t origin;
        uint8_t status;
        uint8_t flags;
        uint8_t class;
        uint8_t relation; /* NamespaceRelation */
        uint8_t reserved;

        uint64_t generation __attribute__((aligned(64)));
        uint64_t namespace_inode;
        uint64_t terminal_timestamp;
        nsec_t first_seen;
        nsec_t asked; /* when its process was last asked whether it is still the same */
        uint8_t invocation[INVOCATION_ID_SIZE];
        int32_t pidfd; /* -1: none */
        uint32_t reserved2;
} Slot;
static_assert(sizeof(Slot) == 128,
              "a slot is two cache lines: the memory goal and the prefetch count on it");
static_assert(offsetof(Slot, generation) == 64, "the beat path touches the first line only");

/* Every class has these lists, each ordered by the last beat, the longest silent first. */
typedef enum SlotList {
        SLOT_LIST_LIVE,
        SLOT_LIST_STALLED_HELD, /* latched, a pidfd tells of their end */
        SLOT_LIST_STALLED_FREE, /* latched, forgotten after a while */
        _SLOT_LIST_MAX,
} SlotList;

typedef struct SlotHead {
        uint32_t head, tail;
        uint32_t hint; /* stalled lists: the last slot that did not go to the end; SLOT_NONE */
} SlotHead;

typedef struct TrackerClass {
        nsec_t threshold;
        nsec_t forget;
        SlotHead lists[_SLOT_LIST_MAX];
} TrackerClass;

typedef struct SlotLink {
        uint32_t prev, next;
} SlotLink;

/* The region's head. A later process may map it only if magic, version and both sizes are its own. */
typedef struct TrackerHeader {
        uint64_t magic;
        uint32_t version;
        uint32_t header_size;
        uint32_t slot_size;
        uint32_t capacity;
        uint32_t index_mask; /* entries - 1, a power of two */
        uint32_t used;       /* slots in use */
        uint32_t stalled;    /* of these, with the latch set */
        uint32_t fresh;      /* slots from here on were never used */
        uint32_t free;       /* head of the free list, SLOT_NONE */
        uint32_t classes;    /* classes in force */
        uint64_t sequence;   /* of the last id given */
        uint64_t hash_key[2];
        uint64_t index_offset, links_offset, slots_offset, size; /* bytes from the region's start */
        TrackerClass class[TRACKER_CLASSES_MAX];
} TrackerHeader;

/* The process's view of a region: plain pointers into it, made anew by whoever maps it. */
typedef struct Tracker {
        TrackerHeader *header;
        uint64_t *index; /* tag << 32 | slot + 1; 0: empty */
        SlotLink *links;
        Slot *slots;
        /* Trouble that cannot happen, counted by the owner. */
        uint64_t *invariant_violations;
        uint64_t *probe_exhausted;
} Tracker;

/* Maps and populates a private region. Returns 0, -EINVAL for a capacity outside 1..TRACKER_CAPACITY_MAX, -ENOMEM. */
int tracker_init(Tracker *t, uint32_t capacity, const uint64_t hash_key[2]);
void tracker_done(Tracker *t);

static inline uint32_t tracker_hash(const Tracker *t, uint64_t source, uint32_t pid) {
        uint64_t h = hash_mix(source ^ t->header->hash_key[0], (uint64_t) pid + t->header->hash_key[1]);

        /* 32 bits are enough for 2^21 index entries and leave 11 to tell neighbours apart without touching their
         * slots. */
        return (uint32_t) (h >> 32) ^ (uint32_t) h;
}

static inline void tracker_prefetch_index(const Tracker *t, uint32_t hash) {
        __builtin_prefetch(&t->index[hash & t->header->index_mask]);
}

static inline void tracker_prefetch_slot(const Tracker *t, uint32_t slot) {
        __builtin_prefetch(&t->slots[slot], 1);
        __builtin_prefetch(&t->links[slot], 1);
}

static inline void tracker_prefetch_neighbours(const Tracker *t, uint32_t slot) {
        SlotLink l = t->links[slot];

        if (l.prev != SLOT_NONE)
                __builtin_prefetch(&t->links[l.prev], 1);
        if (l.next != SLOT_NONE)
                __builtin_prefetch(&t->links[l.next], 1);
}

/* The first slot whose tag matches: a guess that touches no slot, to prefetch and to try first. SLOT_NONE when there is
 * none. */
uint32_t tracker_guess(const Tracker *t, uint32_t hash);

/* Whether the slot holds this agent. An agent has one slot at most, so a guess that holds it needs no look-up. */
static inline bool tracker_holds(const Tracker *t, uint32_t slot, uint64_t source, uint32_t pid) {
        const Slot *s = &t->slots[slot];

        return s->pid == pid && s->source == source && (s->flags & SLOT_USED);
}

/* The slot of an agent, SLOT_NONE when it is unknown. */
uint32_t tracker_find(Tracker *t, uint32_t hash, uint64_t source, uint32_t pid);
/* The slot of an id, SLOT_NONE when that agent is gone. */
uint32_t tracker_find_id(const Tracker *t, uint64_t id);

static inline bool tracker_full(const Tracker *t) {
        return t->header->used >= t->header->capacity;
}

/* Takes a slot for a new agent: keyed, with a new id, zeroed otherwise, in no list. SLOT_NONE when there is no room
 * in the table or within the probe's bound. */
uint32_t tracker_take(Tracker *t, uint32_t hash, uint64_t source, uint32_t pid);
/* Gives a slot back: out of its list, out of the index. */
void tracker_give_back(Tracker *t, uint32_t slot);

/* Lists. A slot in use is in exactly one: that of its class, latch and pidfd. */
SlotList slot_list(const Slot *s) _pure_;
/* Puts a slot in its place by last beat, behind its equals. That is the end of the list, in one step, but for slots
 * that are latched after a reload has put agents of two thresholds into one class. */
void tracker_link(Tracker *t, uint32_t slot);
void tracker_unlink(Tracker *t, uint32_t slot);
/* Sets or clears the latch and moves the slot to the list where it then belongs. */
void tracker_set_stalled(Tracker *t, uint32_t slot, bool stalled);

/* A live slot beat: to the end of its list. One move, whatever the capacity. */
static inline void tracker_touch(Tracker *t, uint32_t slot) {
        SlotHead *h = &t->header->class[t->slots[slot].class].lists[SLOT_LIST_LIVE];
        SlotLink *l = &t->links[slot];

        if (h->tail == slot)
                return;
        if (l->prev == SLOT_NONE)
                h->head = l->next;
        else
                t->links[l->prev].next = l->next;
        t->links[l->next].prev = l->prev;
        l->prev = h->tail;
        l->next = SLOT_NONE;
        t->links[h->tail].next = slot;
        h->tail = slot;
}

/* The class for (threshold, forget): found, or made. Class 0 when the table is full. */
uint8_t tracker_class(Tracker *t, nsec_t threshold, nsec_t forget);

/* Starts the table of classes anew with class 0 = (threshold, forget), and sorts every slot into the class that
 * `classify` now names, keeping the order by last beat. */
void tracker_reclassify(Tracker *t, nsec_t threshold, nsec_t forget,
                        uint8_t (*classify)(void *userdata, const Slot *slot), void *userdata);
