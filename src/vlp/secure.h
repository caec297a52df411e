/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The secure envelope of VLP v0.2: ChaCha20-Poly1305 (RFC 8439) around the 32-byte frame, for transports on which
 * anybody can write. libsodium does the cryptography; nothing here keeps state, reads entropy or does I/O.
 *
 *   shared key, 60 bytes:              iv_random[8] iv_counter[4] ciphertext[32] tag[16]
 *   master key, 64 bytes: agent_pid[4] iv_random[8] iv_counter[4] ciphertext[32] tag[16]
 *
 * Integers are unsigned little-endian. The AEAD's nonce is the 12 bytes iv_random || iv_counter as sent; its additional
 * data is empty, or the 4 bytes agent_pid as sent.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "vlp/frame.h"

#define VLP_KEY_SIZE           32
#define VLP_IV_RANDOM_SIZE     8
#define VLP_SALT_SIZE          16
#define VLP_SECURE_SHARED_SIZE 60
#define VLP_SECURE_MASTER_SIZE 64
#define VLP_SECURE_MAX_SIZE    VLP_SECURE_MASTER_SIZE

typedef enum VlpSecureForm {
        VLP_SECURE_SHARED,
        VLP_SECURE_MASTER,
        _VLP_SECURE_FORM_MAX,
        _VLP_SECURE_FORM_INVALID = -EINVAL,
} VlpSecureForm;

/* What is in front of the ciphertext: readable by everybody, believed by nobody before the tag was checked. */
typedef struct VlpSecureHeader {
        VlpSecureForm form;
        uint32_t agent_pid; /* 0 in the shared form */
        uint32_t iv_counter;
        uint8_t iv_random[VLP_IV_RANDOM_SIZE];
} VlpSecureHeader;

/* To be called once before anything below that takes a key; may be called again, from any thread, but from no signal
 * handler. In the first second of a machine's life it may wait for entropy. Returns 0, or -EIO when libsodium cannot work
 * here. Everything else may be called from any thread and from signal handlers, and never waits. */
int vlp_secure_init(void);

/* The form is told by the size alone. Returns 0, -EMSGSIZE for any other size. */
int vlp_secure_parse(const uint8_t *data, size_t size, VlpSecureHeader *ret);

/* Opens a datagram of exactly the size of its form with one key (in the master form the agent's own, derived key).
 * Returns 0 and the plaintext, VLP_FRAME_SIZE bytes that still have to be decoded; -EBADMSG when the key does not fit or
 * a bit was changed, -EMSGSIZE. *ret_frame is untouched on failure. Takes the same time for every key that does not fit.
 */
int vlp_secure_open(const uint8_t *data, size_t size, const uint8_t key[VLP_KEY_SIZE], uint8_t *ret_frame);

/* Seals VLP_FRAME_SIZE bytes. ret_data has room for VLP_SECURE_MAX_SIZE; returns the datagram's size. The caller never
 * uses a pair (iv_random, iv_counter) twice under one key. */
size_t vlp_secure_seal(const VlpSecureHeader *header, const uint8_t key[VLP_KEY_SIZE], const uint8_t *frame,
                       uint8_t *ret_data);

/* HKDF-SHA256 (RFC 5869) with an empty salt. */
void vlp_derive_agent_key(const uint8_t master[VLP_KEY_SIZE], uint32_t pid, uint8_t ret[VLP_KEY_SIZE]);
void vlp_derive_iv_prefix(const uint8_t salt[VLP_SALT_SIZE], uint32_t index, uint8_t ret[VLP_IV_RANDOM_SIZE]);
/* Reserved by the protocol and unused on the wire. */
void vlp_derive_epoch_key(const uint8_t agent_key[VLP_KEY_SIZE], uint64_t epoch, uint8_t ret[VLP_KEY_SIZE]);
