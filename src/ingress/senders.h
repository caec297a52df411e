/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A bounded map from senders to what is remembered of them, ordered by when they were last heard. All memory is taken at
 * the start; look-ups cost the same whatever the size. Pure: time is passed in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/types.h"
#include "vlp/secure.h"

/* The replay table's bounds (vlp.md): by default, and as far as it can be configured. */
#define SENDERS_DEFAULT 1024U
#define SENDERS_MAX     65536U

#define SENDER_NONE UINT32_MAX

/* Who: a key and the pid it authenticated, or a network address and 0. */
typedef struct SenderId {
        uint64_t scope; /* hash of the key or of the address */
        uint32_t pid;
} SenderId;

/* The prefixes of a sender's sessions: the one it uses, and the one before. */
typedef struct SenderPrefix {
        uint8_t iv_random[VLP_IV_RANDOM_SIZE];
        uint32_t counter; /* the highest accepted */
        bool known;
} SenderPrefix;

typedef struct Sender {
        SenderId id;
        nsec_t last; /* when it was last accepted */
        SenderPrefix prefixes[2];
        uint64_t nonce; /* the highest regular one of this session */
        uint64_t terminal_timestamp;
        uint32_t failures; /* of an address: frames that did not open since `window` */
        nsec_t window;
        bool has_nonce;
        bool has_terminal;
        uint32_t chain, older, newer; /* links of the map */
} Sender;

typedef struct Senders {
        Sender *entries;
        uint32_t *chains;
        uint32_t capacity, used, mask;
        uint32_t free;           /* head of the free entries, linked by `chain` */
        uint32_t oldest, newest; /* by `last` */
        uint64_t key;            /* of the hash: peers choose pids and addresses, not collisions */
} Senders;

/* Returns 0, -EINVAL for a capacity outside 1..SENDERS_MAX, -ENOMEM. */
int senders_init(Senders *s, uint32_t capacity, uint64_t key);
void senders_done(Senders *s);

/* NULL when the sender is unknown. */
Sender *senders_find(Senders *s, SenderId id);
/* A new, zeroed entry as the newest, for a sender that is not in the map. NULL when it is full. */
Sender *senders_add(Senders *s, SenderId id, nsec_t now);
/* It was heard now: the newest of all. */
void senders_touch(Senders *s, Sender *sender, nsec_t now);
void senders_remove(Senders *s, Sender *sender);
/* The one not heard for longest; NULL when the map is empty. */
Sender *senders_oldest(Senders *s);
