/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who is not to be recovered for a while, by hand: units, one process, or everything. Pure. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/types.h"
#include "util/time.h"
#include "util/unit-name.h"

/* Pauses in force at once. They are made by hand, and a glob covers many units. */
#define PAUSES_MAX 64U

/* A reason is a sentence, not a document. */
#define PAUSE_REASON_MAX 256

typedef enum PauseKind {
        PAUSE_ALL,  /* "" */
        PAUSE_UNIT, /* a unit's name or a glob */
        PAUSE_PID,  /* "pid:N" */
        _PAUSE_KIND_MAX,
        _PAUSE_KIND_INVALID = -EINVAL,
} PauseKind;

typedef struct Pause {
        char what[UNIT_NAME_MAX]; /* as it was asked for */
        PauseKind kind;
        uint32_t pid;
        uint64_t generation; /* of the process, so that the next one with its pid is not meant; 0: not known */
        nsec_t until;        /* NSEC_INFINITY: until resumed */
        char reason[PAUSE_REASON_MAX];
} Pause;

typedef struct Pauses {
        Pause entries[PAUSES_MAX];
        uint32_t n;
} Pauses;

/* Sorts what can be paused: "", "pid:N", a unit's name or a glob over names. ret_pid is set for PAUSE_PID. Returns 0,
 * -EINVAL for anything else. */
int pause_parse(const char *what, PauseKind *ret_kind, uint32_t *ret_pid);

/* Adds a pause, or replaces the one for the same `what`. Returns 0, -ENOSPC when there are PAUSES_MAX already. */
int pauses_add(Pauses *p, const Pause *pause);

/* Ends the pauses for what is asked: "" all of them, a glob also those for units it covers. Returns how many. */
unsigned pauses_remove(Pauses *p, PauseKind kind, const char *what, uint32_t pid);

/* Ends those whose time has come. Returns how many. */
unsigned pauses_expire(Pauses *p, nsec_t now);

/* The process with this pid has exited, or is known to be another one now. `generation` is that of the process that
 * exited (0: not known, then of any), or of the one that is there now. Return how many pauses end with that. */
unsigned pauses_exited(Pauses *p, uint32_t pid, uint64_t generation);
unsigned pauses_recycled(Pauses *p, uint32_t pid, uint64_t generation);

/* The pause that holds a process of a unit ("" for none) the longest; pid 0: the unit itself. NULL: none does. */
const Pause *pauses_find(const Pauses *p, const char *unit, uint32_t pid, uint64_t generation, nsec_t now);
