/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of slots by itself: the index against a plain array, ids, lists, and the trouble that cannot happen.
 */

#include <check.h>
#include <string.h>

#include "core/tracker.h"
#include "run-tests.h"

static const uint64_t key[2] = { 1, 2 };
static uint64_t violations, exhausted;

static void table_open(Tracker *t, uint32_t capacity) {
        violations = exhausted = 0;
        *t = (Tracker){ .invariant_violations = &violations, .probe_exhausted = &exhausted };
        require(tracker_init(t, capacity, key) == 0);
        require(tracker_class(t, NSEC_PER_SEC, NSEC_PER_SEC) == 0);
}

static uint32_t take(Tracker *t, uint64_t source, uint32_t pid) {
        uint32_t slot = tracker_take(t, tracker_hash(t, source, pid), source, pid);

        if (slot != SLOT_NONE)
                tracker_link(t, slot);
        return slot;
}

static uint32_t find(Tracker *t, uint64_t source, uint32_t pid) {
        return tracker_find(t, tracker_hash(t, source, pid), source, pid);
}

/* xorshift64*: the same operations in every run. */
static uint64_t random_next(uint64_t *state) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* table: it takes as many as it was made for, and finds them all */
START_TEST(test_capacities) {
        static const uint32_t bad[] = { 0, TRACKER_CAPACITY_MAX + 1, UINT32_MAX };
        static const uint32_t good[] = { 1, 2, 3, 4096, 70000 };
        Tracker t = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                require(tracker_init(&t, bad[i], key) == -EINVAL);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                table_open(&t, good[i]);
                for (uint32_t k = 0; k < good[i]; k++)
                        require(take(&t, 0, 2 + k) != SLOT_NONE);
                require(tracker_full(&t));
                require(take(&t, 0, 1) == SLOT_NONE);
                for (uint32_t k = 0; k < good[i]; k++)
                        require(find(&t, 0, 2 + k) != SLOT_NONE);
                tracker_done(&t);
        }
        require(exhausted == 0);
        require(violations == 0);
}
END_TEST

/* table: half a million times in and out, what is found is what an array says is there */
START_TEST(test_index_against_array) {
        enum {
                CAPACITY = 100,
                PIDS = 150,
                SOURCES = 3
        };
        static uint32_t slots[SOURCES][PIDS];
        uint64_t state = 3;
        uint32_t used = 0;
        Tracker t;

        table_open(&t, CAPACITY);
        memset(slots, 0xff, sizeof(slots));
        for (int i = 0; i < 500000; i++) {
                uint64_t r = random_next(&state), source = r % SOURCES;
                uint32_t pid = (uint32_t) (r >> 8) % PIDS, *slot = &slots[source][pid];

                require(find(&t, source, pid) == *slot);
                if (*slot != SLOT_NONE) {
                        tracker_give_back(&t, *slot);
                        *slot = SLOT_NONE;
                        used--;
                } else {
                        *slot = take(&t, source, pid);
                        require((*slot != SLOT_NONE) == (used < CAPACITY));
                        used += *slot != SLOT_NONE;
                }
                require(t.header->used == used);
        }
        require(exhausted == 0);
        require(violations == 0);
        tracker_done(&t);
}
END_TEST

/* ids: an id is never given twice, and an old one finds nobody */
START_TEST(test_ids) {
        enum {
                ROUNDS = 100000
        };
        uint64_t last = 0;
        Tracker t;

        table_open(&t, 4);
        for (int i = 0; i < ROUNDS; i++) {
                uint32_t slot = take(&t, 0, 7);
                uint64_t id = t.slots[slot].id;

                require(id > last);
                require(tracker_find_id(&t, last) == SLOT_NONE);
                require(tracker_find_id(&t, id) == slot);
                last = id;
                tracker_give_back(&t, slot);
                require(tracker_find_id(&t, id) == SLOT_NONE);
        }
        require(tracker_find_id(&t, UINT64_MAX) == SLOT_NONE);
        tracker_done(&t);
}
END_TEST

/* counter ProbeExhausted: a probe ends at its bound, in a search and for a newcomer; the table works on */
START_TEST(test_probe_bound) {
        enum {
                HASH = 77,
                RUN = 128
        };
        Tracker t;

        table_open(&t, 1000);
        for (uint32_t i = 0; i < RUN; i++)
                require(tracker_take(&t, HASH, 0, 2 + i) != SLOT_NONE);
        require(exhausted == 0);
        require(tracker_take(&t, HASH, 0, 5000) == SLOT_NONE);
        require(exhausted == 1);
        require(tracker_find(&t, HASH, 0, 5000) == SLOT_NONE);
        require(exhausted == 2);
        /* One hash, yet each is itself. */
        for (uint32_t i = 0; i < RUN; i++)
                require(t.slots[tracker_find(&t, HASH, 0, 2 + i)].pid == 2 + i);
        require(tracker_find(&t, HASH, 1, 2) == SLOT_NONE);
        require(exhausted == 3);
        require(t.header->used == RUN);
        require(tracker_guess(&t, HASH + 1) == SLOT_NONE);
        require(take(&t, 0, 6000) != SLOT_NONE);
        tracker_done(&t);
}
END_TEST

/* counter InvariantViolations: an entry that points nowhere is passed by, one that is missing is survived */
START_TEST(test_invariants) {
        uint32_t slot, hash, home;
        Tracker t;

        table_open(&t, 10);
        hash = tracker_hash(&t, 0, 50);
        home = hash & t.header->index_mask;
        t.index[home] = (uint64_t) hash << 32 | 0xfffff;
        require(tracker_find(&t, hash, 0, 50) == SLOT_NONE);
        require(violations == 1);

        slot = take(&t, 0, 50); /* goes behind the bad entry, and is found there */
        require(find(&t, 0, 50) == slot);
        require(violations == 2);
        t.index[(home + 1) & t.header->index_mask] = 0;
        tracker_give_back(&t, slot);
        require(violations == 3);
        require(t.header->used == 0);
        tracker_done(&t);
}
END_TEST

static void check_list(const Tracker *t, uint8_t class, SlotList list, uint32_t n) {
        const SlotHead *h = &t->header->class[class].lists[list];
        uint32_t prev = SLOT_NONE, found = 0;

        for (uint32_t slot = h->head; slot != SLOT_NONE; slot = t->links[slot].next) {
                require(t->links[slot].prev == prev);
                if (prev != SLOT_NONE)
                        require(t->slots[prev].last_beat <= t->slots[slot].last_beat);
                require(slot_list(&t->slots[slot]) == list);
                require(t->slots[slot].class == class);
                prev = slot;
                found++;
        }
        require(h->tail == prev);
        require(found == n);
}

/* table: slots latched in any order stand by last beat, whatever comes and goes between */
START_TEST(test_stalled_lists_are_ordered) {
        enum {
                N = 200
        };
        uint64_t state = 5;
        uint32_t slots[N];
        Tracker t;

        table_open(&t, N);
        for (int round = 0; round < 50; round++) {
                uint32_t stalled = 0;

                for (uint32_t i = 0; i < N; i++) {
                        slots[i] = tracker_take(&t, tracker_hash(&t, 0, 2 + i), 0, 2 + i);
                        t.slots[slots[i]].last_beat = i / 3;
                        tracker_link(&t, slots[i]);
                }
                for (int k = 0; k < 600; k++) {
                        uint32_t i = (uint32_t) (random_next(&state) % N), slot = slots[i];

                        if (t.slots[slot].flags & SLOT_STALLED) {
                                t.slots[slot].last_beat = MAX(t.slots[slot].last_beat, (nsec_t) (100 + k));
                                tracker_set_stalled(&t, slot, false);
                                stalled--;
                        } else {
                                tracker_set_stalled(&t, slot, true);
                                stalled++;
                        }
                        check_list(&t, 0, SLOT_LIST_STALLED_FREE, stalled);
                        require(t.header->stalled == stalled);
                }
                for (uint32_t i = 0; i < N; i++)
                        tracker_give_back(&t, slots[i]);
        }
        check_list(&t, 0, SLOT_LIST_LIVE, 0);
        check_list(&t, 0, SLOT_LIST_STALLED_FREE, 0);
        tracker_done(&t);
}
END_TEST

/* table: a beat moves its agent to the end of its list, and nobody else */
START_TEST(test_touch) {
        enum {
                N = 5
        };
        uint32_t slots[N];
        Tracker t;

        table_open(&t, N);
        for (uint32_t i = 0; i < N; i++)
                slots[i] = take(&t, 0, 2 + i);
        tracker_touch(&t, slots[N - 1]); /* the tail stays */
        tracker_touch(&t, slots[0]);
        tracker_touch(&t, slots[2]);
        check_list(&t, 0, SLOT_LIST_LIVE, N);
        require(t.header->class[0].lists[SLOT_LIST_LIVE].head == slots[1]);
        require(t.header->class[0].lists[SLOT_LIST_LIVE].tail == slots[2]);
        tracker_done(&t);
}
END_TEST

/* table: equal rules share a class; beyond 256 classes the default holds */
START_TEST(test_classes) {
        Tracker t;

        table_open(&t, 4);
        require(tracker_class(&t, 1, 1) == 1);
        require(tracker_class(&t, 1, 2) == 2);
        require(tracker_class(&t, 1, 1) == 1);
        for (uint32_t i = 3; i < TRACKER_CLASSES_MAX; i++)
                require(tracker_class(&t, 100 + i, 1) == i);
        /* The table is full: whoever comes now lives by the default. */
        require(tracker_class(&t, 5, 5) == 0);
        require(tracker_class(&t, 100 + 255, 1) == 255);
        tracker_done(&t);
}
END_TEST

/* Only ever moved into what it is told; here, slots with an odd pid into a second class. */
static uint8_t classify_by_pid(void *userdata, const Slot *slot) {
        return slot->pid % 2 ? tracker_class(userdata, 7, 7) : 0;
}

/* table: reclassifying keeps every slot, in order */
START_TEST(test_reclassify) {
        enum {
                N = 60
        };
        Tracker t;

        table_open(&t, N);
        for (uint32_t i = 0; i < N; i++) {
                uint32_t slot = tracker_take(&t, tracker_hash(&t, 0, 2 + i), 0, 2 + i);

                t.slots[slot].class = tracker_class(&t, 1 + i % 4, 1);
                t.slots[slot].last_beat = i / 2;
                t.slots[slot].pidfd = i % 3 ? -1 : 3;
                tracker_link(&t, slot);
                if (i % 5 == 0)
                        tracker_set_stalled(&t, slot, true);
        }
        tracker_reclassify(&t, 9, 9, classify_by_pid, &t);
        require(t.header->classes == 2);
        require(t.header->class[0].threshold == 9);
        require(t.header->class[1].threshold == 7);
        for (uint8_t class = 0; class < 2; class ++) {
                check_list(&t, class, SLOT_LIST_LIVE, 24);
                check_list(&t, class, SLOT_LIST_STALLED_HELD, 2);
                check_list(&t, class, SLOT_LIST_STALLED_FREE, 4);
        }
        tracker_done(&t);
}
END_TEST

TESTS_MAIN("core: table", test_capacities, test_index_against_array, test_ids, test_probe_bound,
           test_invariants, test_stalled_lists_are_ordered, test_touch, test_classes, test_reclassify)
