/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The daemon's way of a beat in a process of our own: sd-event, src/ingress, src/core and src/daemon/timing.c as they
 * are, wired as src/daemon/receiving.c wires them, and recovery's tables beside them.
 *
 * One thing is made up, because no machine has a million processes: the kernel attests the bench's own pid on every
 * datagram, and the hook between ingress and core writes the frame's pid in its place. From there on each beat is that
 * of a kernel-attested agent of its own, with an identity that needs no look at /proc.
 */

#include "bench.h"
#include "daemon/manager-private.h"

typedef struct Rig {
        Manager manager;
        void (*event)(void *userdata, const Event *event); /* may be NULL */
        void *userdata;
} Rig;

/* All gates are on, with limits above any load: 10,000 beats a second for each agent, the global bucket full. */
void rig_init(Rig *rig, uint32_t capacity, nsec_t threshold);
void rig_done(Rig *rig);

/* Listens on "@name", or at an address as --listen= has it. */
void rig_listen(Rig *rig, const char *name);
void rig_listen_at(Rig *rig, const char *address);

/* Lets agents 0..n-1 beat twice (nonces 1 and 2), so that each is known and confirmed. They come in the order of their
 * numbers and not through a socket. */
void rig_introduce(Rig *rig, uint32_t n);

/* Runs the loop until as many more beats were taken off the sockets. */
void rig_receive(Rig *rig, uint64_t n);

/* Ends the bench with an error unless every datagram so far was an accepted beat. */
void rig_check(const Rig *rig, uint64_t expected);
