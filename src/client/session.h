/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One process's sequence of nonces and timestamps. No clock and no system call: pid and time are passed in.
 * Every function may be called from any thread and from signal handlers; none waits.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* All zero is a session that has not begun. */
typedef struct VartaSession {
        _Atomic pid_t pid;          /* whose sequence it is */
        _Atomic uint64_t nonce;     /* of the next beat */
        _Atomic uint64_t timestamp; /* of the latest frame sent, ns; 0 before the first */
} VartaSession;

/* Takes the next nonce for process `pid`; a pid other than the last one begins a new sequence at 1. The
 * nonce is never the terminal one. Whoever could not send gives it back with varta_session_return(). */
uint64_t varta_session_take(VartaSession *session, pid_t pid);

/* Gives a nonce back that was taken and not used. If another thread has taken the next one meanwhile, it
 * stays unused: gaps are harmless, repetitions are not. */
void varta_session_return(VartaSession *session, uint64_t nonce);

/* The timestamp for a frame built at `now` (ns of a monotonic clock): `now`, or one more than the last one
 * sent if the clock has not got beyond it. Nothing is remembered before varta_session_commit(). */
uint64_t varta_session_stamp(const VartaSession *session, uint64_t now);

/* Remembers that a frame with this timestamp was sent. An older one than the latest changes nothing. */
void varta_session_commit(VartaSession *session, uint64_t timestamp);
