/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The codec of secure listeners: a datagram in, a frame or a verdict out. Pure but for the memory it takes at the start;
 * time is passed in.
 */

#include "core/types.h"
#include "ingress/keys.h"
#include "ingress/replay.h"
#include "util/bucket.h"

typedef struct Secure Secure;

/* Frames that do not open, in all: beyond, frames from unknown addresses are dropped before any cryptography. An open costs
 * about a microsecond, a derivation a few: even eight keys stay within a few per cent of a core. */
#define SECURE_FAILURES_PER_SEC 1000U

/* What an address that is known to hold a key may fail on its own account, whatever others do: enough for a sender in the
 * middle of a rotation, too little to matter if somebody forges its address. */
#define SECURE_FAILURES_RESERVED 32U

/* Returns 0, -EINVAL for a number of senders outside 1..SENDERS_MAX, -ENOMEM. hash_key is secret. */
int secure_new(uint32_t senders, uint64_t hash_key, nsec_t now, Secure **ret);
Secure *secure_free(Secure *s);
DEFINE_CLEANUP_FUNC(Secure, secure_free)

/* The keys of derived agents, one cache per key ring: made with it, dropped with it. */
typedef struct SecureKeys SecureKeys;

/* Takes the ring over, on success only. Returns 0, -ENOMEM. */
int secure_keys_new(KeyRing *ring, uint64_t hash_key, SecureKeys **ret);
SecureKeys *secure_keys_free(SecureKeys *k);
DEFINE_CLEANUP_FUNC(SecureKeys, secure_keys_free)

typedef struct SecureResult {
        ReceiveVerdict verdict;
        unsigned attempts; /* keys tried: always all of the form, or none */
        uint64_t scope;    /* of the key that fits; for RECEIVE_OK */
} SecureResult;

/* Opens and judges one datagram. `address` is a hash of the sender's address without its port. ret_frame gets
 * VLP_FRAME_SIZE bytes for RECEIVE_OK; they still have to be decoded, and may fail there. */
SecureResult secure_receive(Secure *s, SecureKeys *keys, const uint8_t *data, size_t size, uint64_t address,
                            nsec_t threshold, nsec_t now, uint8_t *ret_frame);

/* Ask memory for what secure_receive() will wait for, in steps: what each asks for is known when what the one before asked
 * for has come. To be called for the datagrams of a batch, one step after the other. */
typedef enum SecurePrefetch {
        SECURE_PREFETCH_INDEX,
        SECURE_PREFETCH_SENDERS,
        SECURE_PREFETCH_NEIGHBOURS,
        _SECURE_PREFETCH_MAX,
} SecurePrefetch;
void secure_prefetch(const Secure *s, SecurePrefetch step, const uint8_t *data, size_t size,
                     uint64_t address);
