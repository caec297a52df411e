/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sealed beats and rings of keys for tests, made as the protocol says and not as the receiving side does. */

#include <check.h>
#include <sodium.h>
#include <string.h>

#include "ingress/secure.h"
#include "vlp/crc32c.h"
#include "vlp/unaligned.h"

typedef struct Sealed {
        uint8_t data[VLP_SECURE_MAX_SIZE];
        size_t size;
} Sealed;

/* A frame by its fields; nothing checks them, so that bad ones can be sealed, too. */
typedef struct Beat {
        VlpSecureForm form;
        uint32_t agent_pid; /* master form: of the envelope; 0: the frame's */
        uint32_t pid;
        uint64_t session; /* becomes iv_random */
        uint32_t counter;
        uint64_t nonce;
        uint64_t timestamp;
} Beat;

/* Key number n: any bytes, as long as they differ. */
static inline void key_number(unsigned n, uint8_t *ret) {
        memset(ret, (int) (0x40 + n), VLP_KEY_SIZE);
}

static inline KeyRing *ring_new(size_t shared, size_t master) {
        KeyRing *ring;

        ck_assert_int_eq(vlp_secure_init(), 0);
        ring = sodium_malloc(sizeof(KeyRing));
        ck_assert_ptr_nonnull(ring);
        memset(ring, 0, sizeof(*ring));
        ring->n[VLP_SECURE_SHARED] = shared;
        ring->n[VLP_SECURE_MASTER] = master;
        for (unsigned form = 0; form < _VLP_SECURE_FORM_MAX; form++)
                for (unsigned i = 0; i < ring->n[form]; i++) {
                        key_number(i + 16 * form, ring->keys[form][i]);
                        ring->scopes[form][i] = 1 + i + 16 * form;
                }
        return ring;
}

/* Puts a pid into a frame, without a question whether an agent can have it, and the right CRC behind. */
static inline void frame_set_pid(uint8_t *frame, uint32_t pid) {
        store_le32(frame + VLP_OFFSET_PID, pid);
        store_le32(frame + VLP_OFFSET_CRC, vlp_crc32c(frame, VLP_OFFSET_CRC));
}

/* Seals these 32 bytes, whatever they are, with the key of this number of the form, counted as ring_new() does. */
static inline void seal_bytes(const VlpSecureHeader *header, unsigned key, const uint8_t *frame,
                              Sealed *ret) {
        uint8_t k[VLP_KEY_SIZE];

        key_number(key + 16 * header->form, k);
        if (header->form == VLP_SECURE_MASTER)
                vlp_derive_agent_key(k, header->agent_pid, k);
        ret->size = vlp_secure_seal(header, k, frame, ret->data);
}

/* Seals a beat, likewise; its pid may be one that no agent has. */
static inline void seal_beat(const Beat *b, unsigned key, Sealed *ret) {
        VlpSecureHeader h = { .form = b->form, .iv_counter = b->counter };
        VlpFrame f = { .pid = MAX(b->pid, VLP_PID_MIN), .nonce = b->nonce, .timestamp = b->timestamp };
        uint8_t frame[VLP_FRAME_SIZE];

        if (b->nonce == VLP_NONCE_TERMINAL)
                f.status = VLP_STATUS_CRITICAL;
        ck_assert_int_eq(vlp_frame_encode(&f, frame), 0);
        frame_set_pid(frame, b->pid);
        memcpy(h.iv_random, &b->session, sizeof(h.iv_random));
        if (b->form == VLP_SECURE_MASTER)
                h.agent_pid = b->agent_pid ?: b->pid;
        seal_bytes(&h, key, frame, ret);
}
