/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sealed beats and rings of keys for tests, made as the protocol says and not as the receiving side does. */

#include <check.h>
#include <sodium.h>
#include <string.h>

#include "ingress/secure.h"

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

/* Seals with the key of this number of the form, counted as ring_new() does. */
static inline void seal_beat(const Beat *b, unsigned key, Sealed *ret) {
        VlpSecureHeader h = { .form = b->form, .iv_counter = b->counter };
        uint8_t k[VLP_KEY_SIZE], frame[VLP_FRAME_SIZE];
        VlpFrame f = { .pid = b->pid, .nonce = b->nonce, .timestamp = b->timestamp };

        if (b->nonce == VLP_NONCE_TERMINAL)
                f.status = VLP_STATUS_CRITICAL;
        if (b->pid < VLP_PID_MIN)
                memset(frame, 0, sizeof(frame)); /* whatever: it is no frame */
        else
                ck_assert_int_eq(vlp_frame_encode(&f, frame), 0);
        memcpy(h.iv_random, &b->session, sizeof(h.iv_random));
        key_number(key + 16 * b->form, k);
        if (b->form == VLP_SECURE_MASTER) {
                h.agent_pid = b->agent_pid ?: b->pid;
                vlp_derive_agent_key(k, h.agent_pid, k);
        }
        ret->size = vlp_secure_seal(&h, k, frame, ret->data);
}
