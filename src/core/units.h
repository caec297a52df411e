/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The table of units: names become small numbers once, at first sight, and nothing on the path of a beat is keyed by
 * a name. Fixed size; units beyond it share one overflow entry under the default rules.
 */

#include "core/observer.h"

/* The default size; a host with more service units that beat sets none of them aside silently: the overflow
 * entry shows in ListUnits. */
#define UNITS_DEFAULT 1024U
#define UNITS_LIMIT   65533U /* numbers are 16 bits: one is "none", one is the overflow */

#define UNIT_OVERFLOW_NAME "(overflow)"

typedef struct Unit {
        uint32_t refs; /* agents and holders; 0: free */
        uint32_t agents, stalled;
        uint32_t degraded, critical; /* agents whose last word of themselves was this */
        uint16_t next;               /* in its hash chain, or in the free list */
        uint8_t class;
        UnitRules rules;
        char name[UNIT_NAME_SIZE];
} Unit;

typedef struct UnitTable {
        Unit *units;     /* [max + 2]: none, 1 .. max, overflow */
        uint64_t *beats; /* beside the names: the beat path touches only this */
        uint16_t *chains;
        uint32_t chains_mask;
        uint16_t max;
        uint16_t free;
        uint64_t key;
} UnitTable;

/* Returns 0, -EINVAL (max outside 1..UNITS_LIMIT), -ENOMEM. */
int units_init(UnitTable *t, uint32_t max, uint64_t key);
void units_done(UnitTable *t);

static inline uint16_t units_overflow(const UnitTable *t) {
        return (uint16_t) (t->max + 1);
}

/* The number of a known unit; UNIT_NONE for an unknown one. */
uint16_t units_find(const UnitTable *t, const char *name);
/* One more reference. *ret_new says that the entry is fresh and wants its rules. The empty name is UNIT_NONE;
 * a full table answers with the overflow entry. */
uint16_t units_ref(UnitTable *t, const char *name, bool *ret_new);
/* One more reference to a number that is in use already; UNIT_NONE stays UNIT_NONE. */
uint16_t units_hold(UnitTable *t, uint16_t unit);
void units_unref(UnitTable *t, uint16_t unit);
