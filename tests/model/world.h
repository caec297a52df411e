/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A small world of processes behind the observer's hooks: pids that die and come back, containers, a /proc that can
 * be hidden, and few descriptors. Two observers look at it, each through a side of its own that owns the pidfds it
 * was given and writes down everything it was told.
 */

#include "core/observer.h"

#define WORLD_PROCESSES 24U
#define WORLD_PID_BASE  100U
#define WORLD_UNITS     10U /* names; the first is "none" */

/* What of a process cannot be read. */
enum {
        HIDE_GENERATION = 1 << 0,
        HIDE_INODE = 1 << 1,
        HIDE_RELATION = 1 << 2,
        HIDE_UNIT = 1 << 3,
        HIDE_ALL = (1 << 4) - 1,
};

typedef struct Process {
        bool alive;
        uint32_t life; /* counts the processes that had this pid */
        uint32_t uid;
        uint32_t inner;
        unsigned space; /* 0: the observer's own pid namespace */
        unsigned unit;
        unsigned hidden;
        uint64_t nonce; /* of its last regular frame */
        uint64_t stamp; /* of its last terminal frame */
} Process;

typedef struct World {
        Process processes[WORLD_PROCESSES];
        uint32_t n_processes;
        uint32_t uids;   /* mask of the processes' owners */
        uint64_t crowd;  /* nonce of the crowd */
        uint32_t budget; /* open pidfds per side */
        uint32_t pid_max;
        unsigned rules; /* which set of unit rules is in force */
        bool hidden;    /* /proc shows nothing of others */
        bool no_watch;
} World;

typedef struct SideFd {
        int fd;
        uint32_t process, life;
        bool watched;
        uint64_t agent;
} SideFd;

typedef struct SideEvent {
        Event event;
        char unit[UNIT_NAME_SIZE];
} SideEvent;

typedef struct Side {
        World *world;
        SideFd *fds;
        size_t n_fds, max_fds;
        int last_fd;
        SideEvent *events;
        size_t n_events, max_events;
        /* The questions asked since the last look, folded into a number; their order matters. */
        uint64_t asked;
        uint32_t n_asked;
        char trouble[128]; /* a hook was misused; empty: no */
} Side;

void side_done(Side *s);
void side_forget_talk(Side *s);

extern const ObserverHooks world_hooks;
extern const char *const world_units[WORLD_UNITS];

void world_rules(const World *w, const char *unit, UnitRules *ret);
/* What a process calls itself. */
uint32_t world_claim(const World *w, uint32_t process);
bool world_fd_dead(const World *w, const SideFd *fd);
void world_spawn(World *w, uint32_t process, uint64_t random);
