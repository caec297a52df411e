/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A datagram and its way to the observer: one socket per handle, connected to the handle's address. No state
 * of its own, no allocation; every function may be called from any thread and from signal handlers, and none
 * waits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/address.h"

/* A new socket: close-on-exec, non-blocking, connected if the observer can be reached (if not, a beat will
 * find out). Returns the descriptor or a negative errno. */
int varta_transport_open(const VartaAddress *address);

/* Sends a datagram, connecting once if that may help. `seek` says whether a full queue is reason enough for
 * that: it is not when one waits for room, since connecting wakes other threads that wait on this socket.
 * Returns a VartaOutcome or a negative errno. *ret_used says whether the kernel took the datagram: always
 * with VARTA_SENT, but over UDP also with VARTA_DROPPED_NO_OBSERVER; it is set in any case. */
int varta_transport_send(const VartaAddress *address, int fd, const uint8_t *data, size_t size, bool seek,
                         bool *ret_used);

/* UDP only: lets the kernel choose the sender's address and port anew. What another thread sends meanwhile
 * is sent again by varta_transport_send(). Returns 0 or a negative errno. */
int varta_transport_renew(const VartaAddress *address, int fd);

/* Sorts errors of socket(), connect() and send() into "the next beat may get through", a VartaOutcome, and
 * "will fail likewise", the negative errno. */
int varta_transport_outcome(int error);
