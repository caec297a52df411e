/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Chained hashing over a fixed array: removal is simple, and names are looked up once per process, not per beat.
 * "None" and the overflow entry always exist and are in no chain.
 */

#include <string.h>

#include "core/units.h"

static uint32_t units_hash(const UnitTable *t, const char *name) {
        uint64_t h = UINT64_C(0xcbf29ce484222325) ^ t->key; /* FNV-1a, keyed */

        for (; *name; name++)
                h = (h ^ (uint8_t) *name) * UINT64_C(0x100000001b3);
        return (uint32_t) (h ^ h >> 32) & t->chains_mask;
}

int units_init(UnitTable *t, uint32_t max, uint64_t key) {
        uint32_t chains = 64;

        if (max < 1 || max > UNITS_LIMIT)
                return -EINVAL;
        while (chains < max)
                chains *= 2;

        *t = (UnitTable){ .max = (uint16_t) max, .chains_mask = chains - 1, .key = key };
        t->units = calloc(max + 2, sizeof(Unit));
        t->beats = calloc(max + 2, sizeof(uint64_t));
        t->chains = calloc(chains, sizeof(uint16_t));
        if (!t->units || !t->beats || !t->chains) {
                units_done(t);
                return -ENOMEM;
        }

        for (uint32_t i = 1; i <= max; i++)
                t->units[i].next = i < max ? (uint16_t) (i + 1) : 0;
        t->free = 1;
        t->units[0].refs = 1;
        t->units[max + 1].refs = 1;
        memcpy(t->units[max + 1].name, UNIT_OVERFLOW_NAME, sizeof(UNIT_OVERFLOW_NAME));
        return 0;
}

void units_done(UnitTable *t) {
        free(t->units);
        free(t->beats);
        free(t->chains);
        *t = (UnitTable){};
}

uint16_t units_find(const UnitTable *t, const char *name) {
        uint16_t i;

        for (i = t->chains[units_hash(t, name)]; i != 0; i = t->units[i].next)
                if (strcmp(t->units[i].name, name) == 0)
                        break;
        return i;
}

uint16_t units_ref(UnitTable *t, const char *name, bool *ret_new) {
        uint16_t i, *chain;

        *ret_new = false;
        if (name[0] == 0)
                return UNIT_NONE;

        i = units_find(t, name);
        if (i != 0) {
                t->units[i].refs++;
                return i;
        }
        if (t->free == 0 || strlen(name) >= UNIT_NAME_SIZE)
                return units_overflow(t);

        i = t->free;
        t->free = t->units[i].next;
        chain = &t->chains[units_hash(t, name)];
        t->units[i] = (Unit){ .refs = 1, .next = *chain };
        memcpy(t->units[i].name, name, strlen(name) + 1);
        t->beats[i] = 0;
        *chain = i;
        *ret_new = true;
        return i;
}

uint16_t units_hold(UnitTable *t, uint16_t unit) {
        if (unit != UNIT_NONE && unit != units_overflow(t)) {
                assert(t->units[unit].refs > 0);
                t->units[unit].refs++;
        }
        return unit;
}

void units_unref(UnitTable *t, uint16_t unit) {
        uint16_t *p;

        if (unit == UNIT_NONE || unit == units_overflow(t))
                return;

        assert(t->units[unit].refs > 0);
        if (--t->units[unit].refs > 0)
                return;

        for (p = &t->chains[units_hash(t, t->units[unit].name)]; *p != unit; p = &t->units[*p].next)
                ;
        *p = t->units[unit].next;
        t->units[unit].name[0] = 0;
        t->units[unit].next = t->free;
        t->free = unit;
}
