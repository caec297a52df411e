/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Datagrams of a secure listener. The input is received as it is; it can never open. Then its first 32 bytes are sealed
 * with a key of the listener, received, and received once more: what decodes passes once, what does not leaves no trace.
 */

#include <sodium.h>
#include <string.h>

#include "fuzz.h"
#include "ingress/secure.h"

static KeyRing *make_ring(void) {
        KeyRing *ring;

        CHECK(vlp_secure_init() == 0);
        ring = sodium_malloc(sizeof(KeyRing));
        CHECK(ring);
        memset(ring, 0, sizeof(*ring));
        for (unsigned form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                ring->n[form] = 2;
                for (unsigned i = 0; i < 2; i++) {
                        memset(ring->keys[form][i], (int) (0x51 + 2 * form + i), VLP_KEY_SIZE);
                        ring->scopes[form][i] = 1 + 2 * form + i;
                }
        }
        return ring;
}

static void seal_and_receive(Secure *s, SecureKeys *keys, VlpSecureForm form, const uint8_t *plain,
                             nsec_t now) {
        VlpSecureHeader h = { .form = form, .iv_random = { 1 } };
        uint8_t key[VLP_KEY_SIZE], sealed[VLP_SECURE_MAX_SIZE], opened[VLP_FRAME_SIZE];
        VlpError error;
        VlpFrame frame;
        SecureResult r;
        size_t n;

        CHECK(plain);
        memset(key, (int) (0x51 + 2 * form), sizeof(key));
        if (form == VLP_SECURE_MASTER) {
                memcpy(&h.agent_pid, plain + 4, sizeof(h.agent_pid));
                vlp_derive_agent_key(key, h.agent_pid, key);
        }
        n = vlp_secure_seal(&h, key, plain, sealed);
        error = vlp_frame_decode(plain, &frame);

        r = secure_receive(s, keys, sealed, n, 3, NSEC_PER_SEC, now, opened);
        CHECK(r.verdict == RECEIVE_OK && r.attempts == 2 && memcmp(opened, plain, sizeof(opened)) == 0);
        r = secure_receive(s, keys, sealed, n, 4, NSEC_PER_SEC, now, opened);
        CHECK(r.verdict == (error == VLP_ERROR_NONE ? RECEIVE_REPLAYED : RECEIVE_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const nsec_t now = NSEC_PER_DAY;
        uint8_t opened[VLP_FRAME_SIZE];
        SecureKeys *keys;
        SecureResult r;
        Secure *s;

        CHECK(secure_new(4, 1, now, &s) == 0);
        CHECK(secure_keys_new(make_ring(), 1, &keys) == 0);
        if (data) {
                r = secure_receive(s, keys, data, size, 2, NSEC_PER_SEC, now, opened);
                CHECK(r.verdict == (size == VLP_SECURE_SHARED_SIZE || size == VLP_SECURE_MASTER_SIZE
                                                    ? RECEIVE_DECRYPT_FAILED
                                                    : RECEIVE_MIS_SIZED));
        }
        if (size >= VLP_FRAME_SIZE)
                for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++)
                        seal_and_receive(s, keys, form, data, now);
        secure_keys_free(keys);
        secure_free(s);
        return 0;
}
