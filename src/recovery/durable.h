/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What of recovery outlives the observer: when it is written, and what it means to the next one. */

#include "recovery/state-file.h"
#include "recovery/state.h"

typedef struct Recovery Recovery;
typedef struct RecoveryUnit RecoveryUnit;
typedef struct Action Action;

/* Records on their way to the file: two of the largest, so that one always fits behind another. */
#define DURABLE_BUFFER_SIZE (2 * STATE_RECORD_MAX)

/* Zeroed but for durable_init(). */
typedef struct Durable {
        StateFile file;
        StateBuffer buffer;
        uint8_t data[DURABLE_BUFFER_SIZE];
        StateRecord record; /* too large for the stack */
        uint8_t boot[STATE_BOOT_SIZE];
        int error;       /* what keeps it from being written; 0: nothing does */
        bool tell_error; /* and that was not said yet */
        nsec_t retry_at; /* when writing is tried again; NSEC_INFINITY */

        /* What was found at the start, until the loop runs and it can be told. */
        int unusable;          /* why the directory is not used; 0 */
        const char *set_aside; /* why a file was set aside; NULL: none was */
        bool torn;             /* only its last record was bad */
        bool rebooted;         /* it is of another boot */
} Durable;

/* durable-load.c: says what was found at the start. */
void durable_tell_start(Recovery *r);
/* durable.c: writes the file afresh. */
void durable_rewrite(Recovery *r);

/* Before anything can fail. */
void durable_init(Recovery *r);
/* Takes over what is in the state directory (dir_fd is borrowed, -1: there is none) and goes on from there. What is wrong
 * with it is told when the loop runs, and is no failure. Returns 0, -ENOMEM. */
int durable_start(Recovery *r, int dir_fd);
/* Writes nothing: what was not written by now is lost, as it would be with the process. */
void durable_done(Recovery *r);

/* Tells what is to be told; writes the file afresh when it is time. */
void durable_tick(Recovery *r, nsec_t now);

/* A decision, and all that is known of the unit in it. */
void durable_decision(Recovery *r, const RecoveryPast *past);
/* A unit changed without a decision. */
void durable_unit(Recovery *r, RecoveryUnit *u);
/* An action is about to be asked for: returns when that is on the disk, or cannot be. */
void durable_action_begins(Recovery *r, const Action *a);
/* It came further; it is over (written with the decision that says so). */
void durable_action_goes_on(Recovery *r, const Action *a);
void durable_action_ends(Recovery *r, const Action *a);
/* The pauses, or the brake, changed. */
void durable_pauses(Recovery *r);
void durable_brake(Recovery *r);
/* An operator's word: returns when all of it is on the disk, or cannot be. */
void durable_sync(Recovery *r);
