/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two tables of fixed size with chained buckets. Chains (and not open addressing, as in the tracker) because entries
 * come and go rarely here and removal is simplest with them; the memory is calloc()ed and an empty table is all zeros, so
 * that a table for a million stalls costs what the stalls that really stand cost.
 *
 * A unit's entry outlives its stalls: it holds the ladder and the counts that status shows. When the table is full,
 * the oldest entry goes that has nothing in force: no stall, no action, no back-off, not given up.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recovery/registry.h"

#define LIST_EMPTY                                                                                          \
        (StallList) {                                                                                       \
                REGISTRY_NONE, REGISTRY_NONE, 0                                                             \
        }

/* The next power of two: one bucket per entry at most. */
static uint32_t buckets_for(uint32_t n) {
        uint32_t b = 1;

        while (b < n)
                b <<= 1;
        return b;
}

static uint32_t hash_id(uint64_t id) {
        /* Ids are a sequence number above a slot number: both change slowly. An odd constant (2^64 over the golden
         * ratio) spreads them over the upper half. */
        return (uint32_t) ((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static uint32_t hash_name(const char *name) {
        /* FNV-1a. Names of units are chosen by who may load units, not by who may send beats. */
        uint32_t h = UINT32_C(2166136261);

        for (; *name; name++)
                h = (h ^ (uint8_t) *name) * UINT32_C(16777619);
        return h ^ (h >> 16);
}

/* What buckets, chains and the lists of free entries hold: an entry's number and one, so that zero is none. */
static uint32_t link_to(uint32_t i) {
        return i + 1;
}

int registry_init(Registry *g, uint32_t stalls, uint32_t units) {
        uint32_t n_stalls, n_units;

        assert(g);

        /* Every unit may have a stall of its own beside those of its agents. */
        stalls += units;
        n_stalls = buckets_for(stalls);
        n_units = buckets_for(units);
        *g = (Registry){
                .stalls = calloc(stalls, sizeof(RecoveryStall)),
                .stall_buckets = calloc(n_stalls, sizeof(uint32_t)),
                .stalls_max = stalls,
                .stall_mask = n_stalls - 1,
                .orphans = LIST_EMPTY,
                .units = calloc(units, sizeof(RecoveryUnit)),
                .unit_buckets = calloc(n_units, sizeof(uint32_t)),
                .units_max = units,
                .unit_mask = n_units - 1,
                .unit_first = REGISTRY_NONE,
                .unit_last = REGISTRY_NONE,
        };
        if (!g->stalls || !g->stall_buckets || !g->units || !g->unit_buckets)
                return -ENOMEM;
        return 0;
}

void registry_done(Registry *g) {
        assert(g);

        free(g->stalls);
        free(g->stall_buckets);
        free(g->units);
        free(g->unit_buckets);
        *g = (Registry){};
}

/* ---- Stalls ----------------------------------------------------------------------------------------------- */

RecoveryStall *registry_stall(Registry *g, uint64_t agent) {
        RecoveryStall *s;

        assert(g);

        for (uint32_t l = g->stall_buckets[hash_id(agent) & g->stall_mask]; l > 0; l = s->hash_next) {
                s = &g->stalls[l - 1];
                if (s->agent.id == agent)
                        return s;
        }
        return NULL;
}

static void list_append(Registry *g, StallList *list, RecoveryStall *s) {
        uint32_t i = (uint32_t) (s - g->stalls);

        s->prev = list->last;
        s->next = REGISTRY_NONE;
        if (list->last == REGISTRY_NONE)
                list->first = i;
        else
                g->stalls[list->last].next = i;
        list->last = i;
        list->n++;
}

static void list_remove(Registry *g, StallList *list, RecoveryStall *s) {
        if (s->prev == REGISTRY_NONE)
                list->first = s->next;
        else
                g->stalls[s->prev].next = s->next;
        if (s->next == REGISTRY_NONE)
                list->last = s->prev;
        else
                g->stalls[s->next].prev = s->prev;
        list->n--;
}

/* Out of whatever list it is in. */
static void stall_unlink(Registry *g, RecoveryStall *s) {
        RecoveryUnit *u = registry_stall_unit(g, s);

        if (!u)
                list_remove(g, &g->orphans, s);
        else if (s->due)
                list_remove(g, &u->due, s);
        else {
                list_remove(g, &u->resting, s);
                u->waiting[s->again]--;
        }
}

void registry_stall_due(Registry *g, RecoveryStall *s) {
        RecoveryUnit *u;

        assert(g);
        assert(s);

        u = registry_stall_unit(g, s);
        if (!u || s->due)
                return;
        stall_unlink(g, s);
        s->due = true;
        list_append(g, &u->due, s);
}

void registry_stall_rest(Registry *g, RecoveryStall *s, RecoveryAgain again, nsec_t again_at) {
        RecoveryUnit *u;

        assert(g);
        assert(s);
        assert(again >= 0 && again < _RECOVERY_AGAIN_MAX);

        u = registry_stall_unit(g, s);
        if (u)
                stall_unlink(g, s);
        s->due = false;
        s->again = again;
        s->again_at = again_at;
        if (!u)
                return;
        list_append(g, &u->resting, s);
        u->waiting[again]++;
        u->rest_at = MIN(u->rest_at, again_at);
}

RecoveryStall *registry_stall_add(Registry *g, const AgentInfo *agent, StallReason reason,
                                  RecoveryUnit *unit) {
        RecoveryStall *s;
        uint32_t i, *bucket;

        assert(g);
        assert(agent);
        assert(agent->id != 0 || unit);

        if (g->stall_free > 0) {
                i = g->stall_free - 1;
                g->stall_free = g->stalls[i].hash_next;
        } else if (g->stall_fresh < g->stalls_max)
                i = g->stall_fresh++;
        else
                return NULL;

        s = &g->stalls[i];
        *s = (RecoveryStall){
                .agent = *agent,
                .reason = reason,
                .refusal = _RECOVERY_REFUSAL_INVALID,
                .again_at = NSEC_INFINITY,
        };
        if (agent->id != 0) {
                bucket = &g->stall_buckets[hash_id(agent->id) & g->stall_mask];
                s->hash_next = *bucket;
                *bucket = link_to(i);
        }
        s->unit = unit ? registry_unit_number(g, unit) : REGISTRY_NONE;
        s->due = unit;
        list_append(g, unit ? &unit->due : &g->orphans, s);
        if (unit && agent->id == 0)
                unit->own_stall = i;
        if (unit && reason == STALL_EXITED)
                unit->n_exited++;
        g->stalls_used++;
        return s;
}

void registry_stall_remove(Registry *g, RecoveryStall *s) {
        RecoveryUnit *u;
        uint32_t i;

        assert(g);
        assert(s);

        i = (uint32_t) (s - g->stalls);
        u = registry_stall_unit(g, s);
        stall_unlink(g, s);
        if (u && s->reason == STALL_EXITED)
                u->n_exited--;
        if (s->agent.id == 0)
                u->own_stall = REGISTRY_NONE;
        else {
                uint32_t *p = &g->stall_buckets[hash_id(s->agent.id) & g->stall_mask];

                while (*p != link_to(i))
                        p = &g->stalls[*p - 1].hash_next;
                *p = s->hash_next;
        }
        s->hash_next = g->stall_free;
        g->stall_free = link_to(i);
        g->stalls_used--;
}

RecoveryUnit *registry_stall_unit(const Registry *g, const RecoveryStall *s) {
        assert(g);
        assert(s);

        return s->unit == REGISTRY_NONE ? NULL : &g->units[s->unit];
}

/* ---- Units ------------------------------------------------------------------------------------------------ */

RecoveryUnit *registry_unit(const Registry *g, const char *name) {
        RecoveryUnit *u;

        assert(g);
        assert(name);

        for (uint32_t l = g->unit_buckets[hash_name(name) & g->unit_mask]; l > 0; l = u->hash_next) {
                u = &g->units[l - 1];
                if (strcmp(u->name, name) == 0)
                        return u;
        }
        return NULL;
}

bool registry_unit_is_needed(const RecoveryUnit *u, nsec_t now) {
        return registry_unit_stalls(u) > 0 || u->action != REGISTRY_NONE ||
               unit_reader_is_busy(&u->reader) || ladder_wait(&u->ladder, now) > 0 ||
               u->ladder.gave_up_until > 0;
}

static void unit_release(Registry *g, RecoveryUnit *u) {
        uint32_t i = registry_unit_number(g, u);
        uint32_t *p = &g->unit_buckets[hash_name(u->name) & g->unit_mask];

        unit_reader_cancel(&u->reader);
        unit_watch_stop(&u->watch);
        while (*p != link_to(i))
                p = &g->units[*p - 1].hash_next;
        *p = u->hash_next;
        u->name[0] = '\0';
        if (u->prev == REGISTRY_NONE)
                g->unit_first = u->next;
        else
                g->units[u->prev].next = u->next;
        if (u->next == REGISTRY_NONE)
                g->unit_last = u->prev;
        else
                g->units[u->next].prev = u->prev;
        u->hash_next = g->unit_free;
        g->unit_free = link_to(i);
        g->units_used--;
}

static bool unit_make_room(Registry *g, nsec_t now) {
        for (RecoveryUnit *u = registry_unit_first(g); u; u = registry_unit_next(g, u))
                if (!registry_unit_is_needed(u, now)) {
                        unit_release(g, u);
                        return true;
                }
        return false;
}

RecoveryUnit *registry_unit_take(Registry *g, const char *name, nsec_t now) {
        uint32_t i, *bucket;
        RecoveryUnit *u;

        assert(g);
        assert(name);

        u = registry_unit(g, name);
        if (u)
                return u;
        if (g->unit_free == 0 && g->unit_fresh == g->units_max && !unit_make_room(g, now))
                return NULL;
        if (g->unit_free > 0) {
                i = g->unit_free - 1;
                g->unit_free = g->units[i].hash_next;
        } else
                i = g->unit_fresh++;

        u = &g->units[i];
        bucket = &g->unit_buckets[hash_name(name) & g->unit_mask];
        *u = (RecoveryUnit){
                .last_outcome = _RECOVERY_OUTCOME_INVALID,
                .judge_at = NSEC_INFINITY,
                .action = REGISTRY_NONE,
                .lost = _RECOVERY_OUTCOME_INVALID,
                .due = LIST_EMPTY,
                .resting = LIST_EMPTY,
                .rest_at = NSEC_INFINITY,
                .own_stall = REGISTRY_NONE,
                .prev = g->unit_last,
                .next = REGISTRY_NONE,
                .hash_next = *bucket,
        };
        (void) snprintf(u->name, sizeof(u->name), "%s", name);
        *bucket = link_to(i);
        if (g->unit_last == REGISTRY_NONE)
                g->unit_first = i;
        else
                g->units[g->unit_last].next = i;
        g->unit_last = i;
        g->units_used++;
        return u;
}

RecoveryUnit *registry_unit_first(const Registry *g) {
        assert(g);

        return g->unit_first == REGISTRY_NONE ? NULL : &g->units[g->unit_first];
}

RecoveryUnit *registry_unit_next(const Registry *g, const RecoveryUnit *u) {
        assert(g);
        assert(u);

        return u->next == REGISTRY_NONE ? NULL : &g->units[u->next];
}
