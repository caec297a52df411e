/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The last decisions, for whoever asks why something was restarted, or was not. */

#include "core/types.h"
#include "recovery/names.h"
#include "util/time.h"
#include "util/unit-name.h"

/* Decisions kept: a day's worth of a fleet that behaves, and some minutes of one that does not. */
#define HISTORY_MAX 1024U

/* Longer sentences are cut; the journal has all of them. */
#define HISTORY_SENTENCE_MAX 384

typedef struct RecoveryPast {
        usec_t wall; /* CLOCK_REALTIME: people ask for the time of day */
        RecoveryRecordKind kind;
        uint32_t pid; /* 0: none */
        unsigned attempt;
        char unit[UNIT_NAME_MAX]; /* "": none */
        char reason[40];          /* as in the record */
        char sentence[HISTORY_SENTENCE_MAX];
} RecoveryPast;

/* A ring. Zeroed: empty. */
typedef struct History {
        uint32_t first, n;
        RecoveryPast entries[HISTORY_MAX];
} History;

/* A place for the newest decision, the oldest making room if need be; zeroed. */
RecoveryPast *history_add(History *h);
/* The i-th newest, from 0; NULL when there are not so many. */
const RecoveryPast *history_at(const History *h, uint32_t i);
