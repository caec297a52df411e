/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A small world around a Recovery: agents that a test makes up, a clock that only a test moves, policies by unit,
 * texts of /proc, and every record that came out. The event loop is a real one, so that a bus can be attached.
 */

#include "recovery/recovery-private.h"

#define WORLD_AGENTS  256
#define WORLD_RECORDS 512
#define WORLD_TEXTS   16

typedef struct WorldRecord {
        RecoveryRecord record; /* its strings are those below */
        char unit[UNIT_NAME_SIZE];
        char reason[64];
        char sentence[RECOVERY_SENTENCE_MAX];
        char job[JOB_PATH_MAX];
} WorldRecord;

typedef struct WorldAgent {
        AgentInfo info; /* id 0: not tracked */
        char unit[UNIT_NAME_SIZE];
} WorldAgent;

typedef struct WorldText {
        char path[128];
        const char *text; /* NULL: -ENOENT */
} WorldText;

typedef struct World {
        sd_event *event;
        Recovery *recovery;
        nsec_t start, now;
        UnitPolicy policy; /* of every unit but: */
        UnitPolicy special;
        char special_unit[UNIT_NAME_SIZE];
        WorldAgent agents[WORLD_AGENTS];
        WorldRecord records[WORLD_RECORDS];
        unsigned n_records;
        WorldText texts[WORLD_TEXTS];
        uint64_t ids;
        const char *first_beat;     /* the one pattern with FirstBeatSec=; NULL: none */
        unsigned never_beats;       /* units that were announced */
        nsec_t never_beat_deadline; /* of the last one */
} World;

/* Mode=enforce and the specification's defaults for everything else. */
UnitPolicy world_policy(void);

void world_init(World *w);
void world_init_with(World *w, const RecoverySettings *settings);
RecoverySettings world_settings(void);
void world_done(World *w);

/* The observer dies, without a word to anybody, and comes back: with settings.state_fd it has a memory. */
void world_kill(World *w);
void world_revive(World *w, const RecoverySettings *settings);

/* A confirmed, attested, silent agent of a unit ("" for none), its invocation all bytes `invocation`. */
WorldAgent *world_agent(World *w, const char *unit, uint8_t invocation);
/* What the observer would say of it. */
void world_stall(World *w, WorldAgent *a);
void world_resume(World *w, WorldAgent *a);
void world_exit(World *w, WorldAgent *a);
void world_appear(World *w, WorldAgent *a);
void world_never_beat(World *w, const char *unit);

void world_text(World *w, const char *path, const char *text);

/* Moves the clock, and lets what is due then happen. */
void world_advance(World *w, nsec_t span);
/* Runs the loop until nothing has come for a moment. */
void world_settle(World *w);
/* Runs the loop until there are so many records; fails when they do not come. */
void world_wait(World *w, unsigned n_records);

/* The record number n as words: "started silent", "finished no-beat", "refused backoff", "gave-up gave-up". Also
 * checks what holds for every record. */
const char *world_record(World *w, unsigned n);
/* There are exactly these records, the last argument being NULL; then forgets them. */
void world_expect(World *w, const char *first, ...) __attribute__((sentinel));
void world_expect_nothing(World *w);
