/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ingress on a real event loop, with everything that it hands up written down. */

#include <systemd/sd-event.h>

#include "ingress/ingress.h"
#include "support.h"

#define RECORDS_MAX 4096U

typedef struct Record {
        Datagram datagram;
        uint8_t frame[VLP_FRAME_SIZE];
        uint64_t batch; /* the number of its batch, from 1 */
} Record;

typedef struct World World;
struct World {
        Scratch scratch;
        sd_event *event;
        Ingress *ingress;
        uint8_t n_listeners;

        uint64_t batches, datagrams, empties, settled, failures;
        uint64_t dropped;   /* by the kernel */
        uint64_t attempted; /* keys */
        size_t largest_batch;
        int last_error;
        size_t n_records; /* the first RECORDS_MAX datagrams; counting goes on */
        Record records[RECORDS_MAX];

        /* Called in the middle of things, after a batch was written down. */
        void (*on_batch)(World *w, const Datagram *batch, size_t n);
        void *userdata;
};

void world_init(World *w);
void world_done(World *w);
/* Forgets what was written down. */
void world_clear(World *w);

/* Binds "NAME" in the scratch directory and listens there; returns the listener's number. */
uint8_t world_listen(World *w, const char *name, unsigned features);
/* Listens on one end of a pair of sockets whose queue is as deep as the sender's buffer; returns the sender's end. */
int world_listen_pair(World *w, unsigned features);
/* Takes over what listener_adopt() or listener_bind() made. */
uint8_t world_add(World *w, Listener *l);

/* Runs the loop until nothing more is ready. */
void world_settle(World *w);
/* Runs the loop until *counter is at least `n`; fails after ten seconds of nothing. */
void world_until(World *w, const uint64_t *counter, uint64_t n);
