/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One random history: the settings it starts from and the operations that follow. An operation says what happens in
 * terms of the world as it then is ("process 3 sends its next nonce"), so that any of them can be left out and
 * the rest still makes a history: that is what lets a failure be shrunk.
 */

#include <stdio.h>

#include "core/observer.h"

typedef enum OpKind {
        OP_BEAT,
        OP_TIME,
        OP_BACK, /* the clock falls back */
        OP_TICK,
        OP_DISPATCH,
        OP_EMPTY,
        OP_DROPPED,
        OP_FAILED,
        OP_ADD_LISTENER,
        OP_DIE,
        OP_NOTICE, /* the observer is told of a death */
        OP_SPAWN,
        OP_EXITED, /* told of an exit by id, dead or not, known or not */
        OP_RELOAD,
        OP_RESET,
        OP_FORGET,
        OP_UNIT_REF,
        OP_UNIT_UNREF,
        OP_NEVER_BEAT,
        OP_HIDE,
        OP_BUDGET,
        OP_WATCH,
        OP_PID_MAX,
        OP_AEAD,
        OP_CROWD, /* many network agents beat at once */
        _OP_MAX,
} OpKind;

typedef enum NonceMode {
        NONCE_NEXT,
        NONCE_SAME,
        NONCE_BACK,
        NONCE_FIRST,
        NONCE_ZERO,
        NONCE_SKIP,
        NONCE_LAST,      /* near 2^64-2 */
        NONCE_EDGE_HIGH, /* near 2^64-1-2^20 */
        NONCE_EDGE_LOW,  /* near 2^20 */
        NONCE_ANY,
        NONCE_TERMINAL,
        _NONCE_MODE_MAX,
} NonceMode;

typedef enum ClaimMode {
        CLAIM_OWN,       /* what the process believes to be */
        CLAIM_OUTER,     /* its pid as the observer sees it */
        CLAIM_NEIGHBOUR, /* another process's */
        CLAIM_SMALL,     /* a container's kind of pid */
        CLAIM_HIGH,      /* above any pid_max */
        _CLAIM_MODE_MAX,
} ClaimMode;

typedef struct Op {
        uint8_t kind;
        uint8_t joined; /* BEAT: in one batch with the beat before it */
        uint8_t process;
        uint8_t origin;
        uint8_t source; /* 0: local */
        uint8_t claim;
        uint8_t nonce;
        uint8_t stamp; /* of a terminal frame: 0 later, 1 the same, 2 earlier, 3 the latest there is */
        uint8_t status;
        uint8_t defect; /* VlpError to provoke; 0: none */
        uint8_t verdict;
        uint8_t listener;
        uint8_t uid; /* 0: the process's own; else a dead predecessor's */
        uint8_t held;
        uint64_t n, m;
} Op;

/* What can change at reload, drawn from a number. */
void settings_vary(ObserverSettings *s, uint64_t seed);

typedef struct History {
        uint64_t seed;
        ObserverSettings settings;
        nsec_t start;
        uint32_t processes;
        uint32_t uids; /* a mask: how many owners the processes have */
        bool crowded;  /* a table beyond every bound of queues and searches */
        uint32_t budget;
        uint32_t pid_max;
        bool no_identify, no_inner_pid, no_pid_max;
        Op *ops;
        size_t n_ops;
} History;

void history_make(History *h, uint64_t seed, size_t n_ops);
void history_done(History *h);
void history_print(const History *h, FILE *f);
