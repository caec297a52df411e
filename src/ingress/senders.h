/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A bounded map from senders to what is remembered of them, ordered by when they were last heard. All memory is taken at
 * the start; look-ups cost the same whatever the size. Pure: time is passed in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/types.h"
#include "util/hash.h"
#include "vlp/secure.h"

/* The replay table's bounds (vlp.md): by default, and as far as it can be configured. */
#define SENDERS_DEFAULT 1024U
#define SENDERS_MAX     65536U

#define SENDER_NONE UINT32_MAX

/* Who: a key and the pid it authenticated, or a network address and 0. */
typedef struct SenderId {
        uint64_t scope; /* hash of the key or of the address; never 0 */
        uint32_t pid;
} SenderId;

/* The prefixes of a sender's sessions: the one it uses, and the one before. */
typedef struct SenderPrefix {
        uint8_t iv_random[VLP_IV_RANDOM_SIZE];
        uint32_t counter; /* the highest accepted */
        bool known;
} SenderPrefix;

/* What every beat of a sender reads and writes is in the first cache line. */
typedef struct Sender {
        uint64_t scope;
        uint32_t pid;
        uint32_t chain, older, newer; /* links of the map */
        uint32_t window;              /* of an address: the second in which it failed last */
        uint16_t failures;            /* of an address: frames that did not open in that second */
        bool has_nonce;
        bool has_terminal;
        nsec_t last;    /* when it was last accepted */
        uint64_t nonce; /* the highest regular one of this session */
        SenderPrefix prefixes[2];
        uint64_t terminal_timestamp;
} __attribute__((aligned(64))) Sender;

typedef struct Senders {
        Sender *entries;
        uint32_t *chains;
        uint32_t capacity, used;
        unsigned shift;          /* of a hash, down to a chain's number */
        uint32_t free;           /* head of the free entries, linked by `chain` */
        uint32_t oldest, newest; /* by `last` */
        uint64_t key;            /* of the hash: peers choose pids and addresses, not collisions */
} Senders;

/* The number of the chain that a sender is in. */
static inline uint32_t senders_hash(const Senders *s, SenderId id) {
        return (uint32_t) (hash_mix(id.scope ^ s->key, id.pid) >> s->shift);
}

static inline SenderId sender_id(const Sender *s) {
        return (SenderId){ .scope = s->scope, .pid = s->pid };
}

/* Returns 0, -EINVAL for a capacity outside 1..SENDERS_MAX, -ENOMEM. */
int senders_init(Senders *s, uint32_t capacity, uint64_t key);
void senders_done(Senders *s);

/* NULL when the sender is unknown. */
Sender *senders_find(Senders *s, SenderId id);
/* The same, for somebody who thinks to know the entry's number; any number will do, and the right one saves the chain. */
Sender *senders_find_at(Senders *s, SenderId id, uint32_t guess);
static inline uint32_t sender_number(const Senders *s, const Sender *sender) {
        return (uint32_t) (sender - s->entries);
}

/* Ask memory for what a look-up will wait for: its chain, and when that has come, the first entry of it; or the entry of
 * this number, of which nothing is expected. (The empty assembler line is there because gcc takes a function that only
 * prefetches for one without effect, and drops the call.) */
static inline void senders_prefetch_chain(const Senders *s, SenderId id) {
        __builtin_prefetch(&s->chains[senders_hash(s, id)]);
        __asm__ volatile("");
}
static inline void senders_prefetch_at(const Senders *s, uint32_t number) {
        if (number < s->capacity)
                __builtin_prefetch(&s->entries[number], 1);
        __asm__ volatile("");
}
static inline void senders_prefetch_entry(const Senders *s, SenderId id) {
        senders_prefetch_at(s, s->chains[senders_hash(s, id)]);
}

/* The entries beside this one in the list, which a touch writes to. */
static inline void senders_prefetch_neighbours(const Senders *s, uint32_t number) {
        if (number < s->capacity) {
                senders_prefetch_at(s, s->entries[number].older);
                senders_prefetch_at(s, s->entries[number].newer);
        }
}

/* A new, zeroed entry as the newest, for a sender that is not in the map and whose scope is not 0. NULL when it is full. */
Sender *senders_add(Senders *s, SenderId id, nsec_t now);
/* It was heard now: the newest of all. */
void senders_touch(Senders *s, Sender *sender, nsec_t now);
void senders_remove(Senders *s, Sender *sender);
/* The one not heard for longest; NULL when the map is empty. */
Sender *senders_oldest(Senders *s);
