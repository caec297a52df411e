/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The sender of sealed beats, on the loopback interface: a thread of its own, as in load.h.
 *
 * Agents are spread over as many addresses (127.1.0.0 and up) as a queue has places, and each has a session of its own:
 * the observer sees known senders from known addresses, every one with a counter and a nonce that rise.
 */

#include "bench.h"
#include "vlp/secure.h"

/* Datagrams in a full queue. */
#define SEALED_QUEUE 512U

typedef struct SealedLoad SealedLoad;

/* Brings up the loopback interface of a network namespace of the bench's own, or skips the bench. */
void sealed_private_network(void);

/* A UDP socket at 127.0.0.1 and this port, with room for SEALED_QUEUE datagrams, nonblocking, that tells of drops as a
 * listener's does. */
int sealed_receiver(uint16_t port);
/* Makes room in the queue of a socket that somebody else made. */
void sealed_make_room(int fd);

/* A sender of the beats of `agents` agents, in random order, sealed with the shared key. */
SealedLoad *sealed_load_new(uint32_t agents, const uint8_t key[VLP_KEY_SIZE]);
void sealed_load_free(SealedLoad *l);
DEFINE_CLEANUP_FUNC(SealedLoad, sealed_load_free)

/* Fills the queue at this port with SEALED_QUEUE beats and waits until that is done. */
void sealed_load_fill(SealedLoad *l, uint16_t port);

/* As load_drain(): fills and drains `n` times (at most 64), only the drains are timed. Returns the CPU time of the median
 * drain, in ns per datagram. */
double sealed_load_drain(SealedLoad *l, uint16_t port, unsigned n, void (*drain)(void *userdata),
                         void *userdata);
