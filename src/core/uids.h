/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How many agents each uid holds, so that one user's fleet cannot fill the table. Only asked when the table is full.
 */

#include "core/types.h"

/* Distinct uids counted one by one; agents of further uids are counted together in a pool. A host with more
 * than 4,096 users whose daemons beat at once shares the pool's share among the rest. */
#define UIDS_MAX     4096U
#define UIDS_ENTRIES (2U * UIDS_MAX)

typedef struct UidTable {
        struct {
                uint32_t uid;
                uint32_t count; /* 0: empty */
        } entries[UIDS_ENTRIES];
        uint32_t used;
        uint32_t pool;
} UidTable;

/* One more agent of this uid. Returns true when it was counted in the pool (tell uids_remove()). */
bool uids_add(UidTable *t, uint32_t uid);
void uids_remove(UidTable *t, uint32_t uid, bool pooled);
/* Agents of this uid; the pool's number for a uid that has no entry while the table is full. */
uint32_t uids_count(const UidTable *t, uint32_t uid);
