/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Receiving: sockets on the event loop, batches off them, and the kernel's word on each sender, handed upward as
 * datagrams with the time they were read at.
 */

#include <systemd/sd-event.h>

#include "ingress/listener.h"

typedef struct Secure Secure;
typedef struct SecureKeys SecureKeys;

typedef struct Ingress Ingress;

/* One recvmmsg() takes at most this many; core/observer.h takes as many at once. */
#define INGRESS_BATCH 64U

typedef struct IngressHooks {
        nsec_t (*now)(void *userdata);
        /* A batch, in the order of arrival. Borrowed for the call. */
        void (*datagrams)(void *userdata, const Datagram *batch, size_t n, nsec_t now);
        /* The socket could not be read (negative errno); it stays in service. */
        void (*failed)(void *userdata, uint8_t listener, int error, nsec_t now);
        /* The queue ran empty just now. */
        void (*empty)(void *userdata, uint8_t listener, nsec_t now);
        /* The kernel dropped so many since the last word. */
        void (*dropped)(void *userdata, uint8_t listener, uint64_t n, nsec_t now);
        /* So many keys were tried. */
        void (*attempted)(void *userdata, uint64_t n);
        /* After whatever was read in one turn: the moment to arm timers. */
        void (*settled)(void *userdata);
} IngressHooks;

typedef struct IngressPriorities {
        int64_t normal;   /* above whatever judges silence and exits */
        int64_t yielding; /* below everything else, for a round after INGRESS_TURNS turns in a row */
} IngressPriorities;

/* Turns in a row, each of one batch, before everything else that waits gets its turn, and how many turns of others that
 * is at most: a bus call, a signal and the timer are then each served within two rounds, that is eight batches. */
#define INGRESS_TURNS 4U

/* Which host an agent of a listener is of; see varta.conf(5), Source=. */
typedef enum SourceRule {
        SOURCE_RULE_AUTO,
        SOURCE_RULE_LOCAL,
        SOURCE_RULE_KEY,
        SOURCE_RULE_ADDRESS,
        _SOURCE_RULE_MAX,
        _SOURCE_RULE_INVALID = -EINVAL,
} SourceRule;

/* What the configuration says of a network listener. */
typedef struct ListenerRules {
        bool operator_attested;
        SourceRule source;
        uint16_t unit;    /* the observer's number for Unit=; held by the caller */
        nsec_t threshold; /* silence after which a secure sender may start a session anew */
} ListenerRules;

/* hash_key is secret: addresses are told apart by it. Returns 0, -ENOMEM. */
int ingress_new(sd_event *event, const IngressHooks *hooks, void *userdata, IngressPriorities priorities,
                const uint64_t hash_key[2], Ingress **ret);
Ingress *ingress_free(Ingress *i);
DEFINE_CLEANUP_FUNC(Ingress, ingress_free)

/* Takes a listener over (its index must be set) and starts to read it. Returns 0, -E2BIG, or what sd-event said; on
 * failure the listener stays the caller's. */
int ingress_add(Ingress *i, Listener *listener);

/* Rules and keys of listener n (ingress_listener()), from the next datagram on. The keys are taken over, and the old ones
 * dropped; NULL: nothing opens. */
void ingress_set_rules(Ingress *i, size_t n, const ListenerRules *rules);
void ingress_set_keys(Ingress *i, size_t n, SecureKeys *keys);

/* What is remembered of secure senders, for all listeners together: a recording of one is a replay on another, too. Taken
 * over; to be set before a secure listener is added. */
void ingress_set_secure(Ingress *i, Secure *secure);

/* Reads what is queued now, on every listener, up to the length of a queue: what arrives meanwhile need not be waited
 * for. */
void ingress_drain(Ingress *i);

/* Who sent a datagram of the batch that hooks.datagrams has in hand: "192.0.2.7:4711" in buf, or "" for one that came off no
 * network, and for NULL. A longer text than buf is cut. */
const char *ingress_peer(const Ingress *i, const Datagram *datagram, char *buf, size_t size);

/* Listeners in the order they were added: i from 0 until NULL. */
const Listener *ingress_listener(const Ingress *i, size_t n);
