/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Two observers through one history, compared after every step.
 */

#include "model.h"
#include "ops.h"
#include "world.h"

typedef struct Held {
        uint16_t real, model;
} Held;

typedef struct Drive {
        const History *history;
        World world;
        Side real_side, model_side;
        Observer *real;
        Model *model;
        ObserverSettings settings; /* as last reloaded */
        nsec_t clock;
        bool fell_back;
        unsigned listeners;

        Held held[8];
        unsigned n_held;

        uint64_t *ids; /* the real id of each of the model's */
        size_t max_ids;
        uint64_t last_real_id;

        Datagram batch[OBSERVER_BATCH_MAX], model_batch[OBSERVER_BATCH_MAX];
        uint8_t frames[OBSERVER_BATCH_MAX][VLP_FRAME_SIZE];
        size_t n_batch;
        uint64_t datagrams; /* taken off a socket, and errors of sockets */

        AgentInfo *infos;
        size_t step;
        bool failed;
        char message[1024];
} Drive;

/* Runs a history. Returns true when nothing differed; else *ret_step is the operation behind which something did,
 * and the message says what. */
bool drive_history(const History *h, size_t *ret_step, char *ret_message, size_t size);

/* Between the driver's files. */
void drive_fail(Drive *d, const char *format, ...) _printf_(2, 3);
void drive_beat(Drive *d, const Op *op);
void drive_crowd(Drive *d, const Op *op);
void drive_batch(Drive *d);
void compare_all(Drive *d, bool thoroughly);
void compare_verdicts(Drive *d, const Verdict *real, const Verdict *model, size_t n);
