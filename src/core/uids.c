/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Open addressing with linear probing, at most half full, entries shifted back on removal. Uids are assigned by the
 * administrator, not by peers, so an unkeyed multiplicative hash will do.
 */

#include "core/uids.h"

#define UIDS_MASK (UIDS_ENTRIES - 1)
static_assert((UIDS_ENTRIES & UIDS_MASK) == 0, "the mask needs a power of two");

static uint32_t uids_home(uint32_t uid) {
        return (uid * UINT32_C(2654435769)) >> 19 & UIDS_MASK; /* Fibonacci hashing: 2^32 / golden ratio */
}

static uint32_t uids_find(const UidTable *t, uint32_t uid) {
        uint32_t i = uids_home(uid);

        while (t->entries[i].count > 0 && t->entries[i].uid != uid)
                i = (i + 1) & UIDS_MASK;
        return i;
}

bool uids_add(UidTable *t, uint32_t uid) {
        uint32_t i = uids_find(t, uid);

        if (t->entries[i].count == 0) {
                if (t->used >= UIDS_MAX) {
                        t->pool++;
                        return true;
                }
                t->entries[i].uid = uid;
                t->used++;
        }
        t->entries[i].count++;
        return false;
}

void uids_remove(UidTable *t, uint32_t uid, bool pooled) {
        uint32_t hole, next;

        if (pooled) {
                assert(t->pool > 0);
                t->pool--;
                return;
        }

        hole = uids_find(t, uid);
        assert(t->entries[hole].count > 0);
        if (--t->entries[hole].count > 0)
                return;

        t->used--;
        for (next = (hole + 1) & UIDS_MASK; t->entries[next].count > 0; next = (next + 1) & UIDS_MASK) {
                uint32_t home = uids_home(t->entries[next].uid);

                if (((next - home) & UIDS_MASK) >= ((next - hole) & UIDS_MASK)) {
                        t->entries[hole] = t->entries[next];
                        t->entries[next].count = 0;
                        hole = next;
                }
        }
}

uint32_t uids_count(const UidTable *t, uint32_t uid) {
        uint32_t i = uids_find(t, uid);

        if (t->entries[i].count > 0)
                return t->entries[i].count;
        return t->used >= UIDS_MAX ? t->pool : 0;
}
