/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The sender: a thread of its own, so that what it does costs the receiver's thread nothing.
 *
 * Every agent has at most one beat in a queue, and agents are processes with sockets of their own: so the sender has
 * as many sockets as the queue has places, and each datagram of a full queue comes from another one.
 */

#include <semaphore.h>

#include "bench.h"

/* As systemd sets net.unix.max_dgram_qlen: the length of a queue. */
#define QUEUE_LENGTH 512U

typedef struct Load Load;

/* A bound receiving socket with a queue of QUEUE_LENGTH, SO_PASSCRED set, nonblocking. Takes a name of its own in the
 * abstract namespace ("@" and `name`). */
int load_receiver(const char *name);

/* A sender of the beats of `agents` agents, in random order; `nonce`: what their last nonces are. */
Load *load_new(uint32_t agents, uint64_t nonce);
void load_free(Load *l);
DEFINE_CLEANUP_FUNC(Load, load_free)

/* Fills the queue of the socket "@name" with QUEUE_LENGTH beats and waits until that is done. */
void load_fill(Load *l, const char *name);

/* Sends `rate` beats per second to "@name", evenly, until load_pause(). Beats for which the queue has no room are sent
 * again. Agents for which silent[agent] is set are left out; the array is borrowed and may change under way. */
void load_run(Load *l, const char *name, double rate, const volatile bool *silent);
/* Returns how many were sent by load_run(). */
uint64_t load_pause(Load *l);

/* What taking QUEUE_LENGTH datagrams off a socket costs, per datagram. */
typedef struct Cost {
        double cpu, wall; /* ns */
} Cost;

/* Fills and drains `n` times; `drain` takes exactly QUEUE_LENGTH datagrams off the socket "@name". Only the drains are
 * timed, and the median one is returned. n is at most LOAD_DRAINS_MAX. */
#define LOAD_DRAINS_MAX 64U
Cost load_drain(Load *l, const char *name, unsigned n, void (*drain)(void *userdata), void *userdata);
