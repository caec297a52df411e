/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What recovery remembers: the stalls that stand, and the units they belong to. Fixed memory, taken at once and
 * touched only when used; entries refer to each other by number. The rules are not here.
 */

#include "core/types.h"
#include "recovery/ladder.h"
#include "recovery/names.h"
#include "recovery/systemd.h"

#define REGISTRY_NONE UINT32_MAX

/* A list of stalls by number. */
typedef struct StallList {
        uint32_t first, last, n;
} StallList;

/* What became of the stall's capture. */
typedef enum StallCapture {
        STALL_CAPTURE_NONE,
        STALL_CAPTURE_RUNNING,
        STALL_CAPTURE_DONE,
        STALL_CAPTURE_FAILED, /* or nobody waits for it any more */
} StallCapture;

/* A stall that stands. */
typedef struct RecoveryStall {
        AgentInfo agent; /* as it was when it stalled; id 0: the unit itself, which did not beat */
        StallReason reason;
        bool due;     /* what it waited for has come (or it is new): it is to be judged */
        bool by_hand; /* somebody wants it recovered now, whatever the gates of policy say */
        StallCapture capture;
        bool capture_open; /* what becomes of the stall after it is not known yet: others of its unit wait */
        nsec_t starved_since;    /* the host was starved when it was first judged; 0: it was not */
        bool decided;            /* at least one record says what became of it */
        RecoveryRefusal refusal; /* the last record's, if it was a refusal */
        RecoveryAgain again;
        nsec_t again_at;
        nsec_t since; /* when it was announced */

        uint32_t unit;       /* REGISTRY_NONE: of no unit */
        uint32_t prev, next; /* in the list of the unit */
        uint32_t hash_next; /* 0: the last one, else a number and one; doubles as the link of the free list */
} RecoveryStall;

typedef struct RecoveryUnit RecoveryUnit;
struct RecoveryUnit {
        char name[UNIT_NAME_SIZE]; /* "": a free entry */
        Ladder ladder;
        UnitReader reader; /* the question on its way to systemd */
        UnitWatch watch;   /* set while a stall waits for the unit to change, or an action needs to know */
        bool waits_to_be_read;   /* as many units are being read as may be */
        bool waits_for_capacity; /* one of the stalls was refused as `capacity` */
        RecoveryOutcome lost;    /* it was said already that systemd cannot be asked, in this way */
        uint64_t restarts;
        RecoveryOutcome last_outcome;
        nsec_t last_action; /* 0: never */
        nsec_t host_at;     /* what is due waits for a reading of the host until then; 0: it does not */
        nsec_t judge_at;    /* when the unit is to be judged; NSEC_INFINITY: not by time */
        uint32_t action;    /* number of the action under way; REGISTRY_NONE */

        StallList due;                         /* to be judged */
        StallList resting;                     /* all others */
        uint32_t waiting[_RECOVERY_AGAIN_MAX]; /* of those, how many for what */
        nsec_t rest_at;                        /* none of them waits for an earlier moment */
        uint32_t own_stall;                    /* the stall with id 0; REGISTRY_NONE */
        uint32_t n_exited;                     /* stalls of processes that are gone */
        uint32_t prev, next; /* in the list of units in use, the least recently taken first */
        uint32_t hash_next;
        uint64_t saved; /* tells what the state file has of it; 0: nothing */
};

typedef struct Registry {
        RecoveryStall *stalls;
        uint32_t *stall_buckets;
        uint32_t stalls_max, stall_mask, stalls_used, stall_fresh, stall_free;
        StallList orphans; /* of no unit */

        RecoveryUnit *units;
        uint32_t *unit_buckets;
        uint32_t units_max, unit_mask, units_used, unit_fresh, unit_free;
        uint32_t unit_first, unit_last;
} Registry;

/* Returns 0, -ENOMEM. registry_done() takes a zeroed or half-built one. */
int registry_init(Registry *g, uint32_t stalls, uint32_t units);
void registry_done(Registry *g);

/* The stall of an agent, NULL when none stands. */
RecoveryStall *registry_stall(Registry *g, uint64_t agent);
/* A new stall of a unit (NULL: of none); agent.id is the key, and id 0 the unit's own. There must be none yet. It is
 * due, unless it has no unit. NULL when the table is full. */
RecoveryStall *registry_stall_add(Registry *g, const AgentInfo *agent, StallReason reason,
                                  RecoveryUnit *unit);
void registry_stall_remove(Registry *g, RecoveryStall *s);

/* What it waited for has come: it is to be judged. Nothing happens when it is due already, or of no unit. */
void registry_stall_due(Registry *g, RecoveryStall *s);
/* It was judged, and waits. */
void registry_stall_rest(Registry *g, RecoveryStall *s, RecoveryAgain again, nsec_t again_at);

static inline RecoveryStall *registry_stall_at(const Registry *g, uint32_t i) {
        return i == REGISTRY_NONE ? NULL : &g->stalls[i];
}
/* Walks. Who may remove or move the stall asks for the next one before. */
static inline RecoveryStall *registry_first(const Registry *g, const StallList *list) {
        return registry_stall_at(g, list->first);
}
static inline RecoveryStall *registry_next(const Registry *g, const RecoveryStall *s) {
        return registry_stall_at(g, s->next);
}

/* The unit of that name, NULL when nothing is known of it. */
RecoveryUnit *registry_unit(const Registry *g, const char *name);
/* The same, taken if need be: in place of the oldest one with nothing in force if the table is full. NULL when all
 * of them are needed. */
RecoveryUnit *registry_unit_take(Registry *g, const char *name, nsec_t now);
/* Whether anything is in force for it: then its entry is not given away. */
bool registry_unit_is_needed(const RecoveryUnit *u, nsec_t now);
RecoveryUnit *registry_unit_first(const Registry *g);
RecoveryUnit *registry_unit_next(const Registry *g, const RecoveryUnit *u);
RecoveryUnit *registry_stall_unit(const Registry *g, const RecoveryStall *s);

/* Whether what stalled belongs to one invocation of its unit and ends with it. Others beat across invocations. */
static inline bool stall_is_of_invocation(const RecoveryStall *s) {
        return s->agent.id == 0 || s->agent.origin == ORIGIN_KERNEL_ATTESTED;
}

static inline uint32_t registry_unit_stalls(const RecoveryUnit *u) {
        return u->due.n + u->resting.n;
}

static inline uint32_t registry_unit_number(const Registry *g, const RecoveryUnit *u) {
        return (uint32_t) (u - g->units);
}
