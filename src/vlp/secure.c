/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seal, open and derive.
 *
 * libsodium 1.0.18, Debian 12's, has no HKDF call; its HMAC-SHA256 makes one: extract with a salt of zeros, and, since no
 * output is longer than one hash, a single round of expand.
 *
 * Of libsodium, only what computes is used here: the AEAD and HMAC-SHA256. They keep their state on the stack, allocate
 * nothing, take no lock and make no system call, so that agents may seal in signal handlers. sodium_init() does all three,
 * and chooses the implementations for this CPU.
 */

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "vlp/secure.h"
#include "vlp/unaligned.h"

#define NONCE_SIZE 12
#define TAG_SIZE   16

static_assert(NONCE_SIZE == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "RFC 8439");
static_assert(TAG_SIZE == crypto_aead_chacha20poly1305_ietf_ABYTES, "RFC 8439");
static_assert(VLP_KEY_SIZE == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "RFC 8439");
static_assert(NONCE_SIZE + VLP_FRAME_SIZE + TAG_SIZE == VLP_SECURE_SHARED_SIZE, "the shared form");
static_assert(VLP_SECURE_SHARED_SIZE + 4 == VLP_SECURE_MASTER_SIZE, "the master form has the pid in front");

int vlp_secure_init(void) {
        return sodium_init() < 0 ? -EIO : 0;
}

static size_t form_prefix(VlpSecureForm form) {
        return form == VLP_SECURE_MASTER ? sizeof(uint32_t) : 0;
}

int vlp_secure_parse(const uint8_t *data, size_t size, VlpSecureHeader *ret) {
        VlpSecureHeader h = {};
        size_t prefix;

        assert(data && ret);

        if (size == VLP_SECURE_MASTER_SIZE)
                h.form = VLP_SECURE_MASTER;
        else if (size == VLP_SECURE_SHARED_SIZE)
                h.form = VLP_SECURE_SHARED;
        else
                return -EMSGSIZE;

        prefix = form_prefix(h.form);
        if (prefix > 0)
                h.agent_pid = load_le32(data);
        memcpy(h.iv_random, data + prefix, VLP_IV_RANDOM_SIZE);
        h.iv_counter = load_le32(data + prefix + VLP_IV_RANDOM_SIZE);
        *ret = h;
        return 0;
}

int vlp_secure_open(const uint8_t *data, size_t size, const uint8_t key[VLP_KEY_SIZE], uint8_t *ret_frame) {
        uint8_t frame[VLP_FRAME_SIZE];
        size_t prefix;

        assert(data && key && ret_frame);

        if (size != VLP_SECURE_SHARED_SIZE && size != VLP_SECURE_MASTER_SIZE)
                return -EMSGSIZE;

        prefix = size - VLP_SECURE_SHARED_SIZE;
        if (crypto_aead_chacha20poly1305_ietf_decrypt(frame, NULL, NULL, data + prefix + NONCE_SIZE,
                                                      VLP_FRAME_SIZE + TAG_SIZE, data, prefix, data + prefix, key) != 0)
                return -EBADMSG;

        memcpy(ret_frame, frame, sizeof(frame));
        return 0;
}

size_t vlp_secure_seal(const VlpSecureHeader *header, const uint8_t key[VLP_KEY_SIZE], const uint8_t *frame,
                       uint8_t *ret_data) {
        size_t prefix;

        assert(header && header->form >= 0 && header->form < _VLP_SECURE_FORM_MAX && key && frame && ret_data);

        prefix = form_prefix(header->form);
        if (prefix > 0)
                store_le32(ret_data, header->agent_pid);
        memcpy(ret_data + prefix, header->iv_random, VLP_IV_RANDOM_SIZE);
        store_le32(ret_data + prefix + VLP_IV_RANDOM_SIZE, header->iv_counter);
        (void) crypto_aead_chacha20poly1305_ietf_encrypt(ret_data + prefix + NONCE_SIZE, NULL, frame, VLP_FRAME_SIZE,
                                                         ret_data, prefix, NULL, ret_data + prefix, key);
        return prefix + VLP_SECURE_SHARED_SIZE;
}

static void hkdf(const uint8_t *input, size_t input_size, const uint8_t *info, size_t info_size, uint8_t *ret,
                 size_t ret_size) {
        static const uint8_t salt[crypto_auth_hmacsha256_BYTES]; /* RFC 5869: no salt is a hash's length of zeros */
        static const uint8_t first = 1;
        crypto_auth_hmacsha256_state state;
        uint8_t prk[crypto_auth_hmacsha256_BYTES], okm[crypto_auth_hmacsha256_BYTES];

        assert(ret_size <= sizeof(okm));

        crypto_auth_hmacsha256_init(&state, salt, sizeof(salt));
        crypto_auth_hmacsha256_update(&state, input, input_size);
        crypto_auth_hmacsha256_final(&state, prk);

        crypto_auth_hmacsha256_init(&state, prk, sizeof(prk));
        crypto_auth_hmacsha256_update(&state, info, info_size);
        crypto_auth_hmacsha256_update(&state, &first, sizeof(first));
        crypto_auth_hmacsha256_final(&state, okm);

        memcpy(ret, okm, ret_size);
        sodium_memzero(&state, sizeof(state));
        sodium_memzero(prk, sizeof(prk));
        sodium_memzero(okm, sizeof(okm));
}

/* The label with its NUL, then the index. */
#define LABEL_AGENT     "varta-agent-v1"
#define LABEL_IV_PREFIX "varta-iv-prefix-v1"
#define LABEL_EPOCH     "varta-epoch-v1"

void vlp_derive_agent_key(const uint8_t master[VLP_KEY_SIZE], uint32_t pid, uint8_t ret[VLP_KEY_SIZE]) {
        uint8_t info[sizeof(LABEL_AGENT) + 4] = LABEL_AGENT;

        store_le32(info + sizeof(LABEL_AGENT), pid);
        hkdf(master, VLP_KEY_SIZE, info, sizeof(info), ret, VLP_KEY_SIZE);
}

void vlp_derive_iv_prefix(const uint8_t salt[VLP_SALT_SIZE], uint32_t index, uint8_t ret[VLP_IV_RANDOM_SIZE]) {
        uint8_t info[sizeof(LABEL_IV_PREFIX) + 4] = LABEL_IV_PREFIX;

        store_le32(info + sizeof(LABEL_IV_PREFIX), index);
        hkdf(salt, VLP_SALT_SIZE, info, sizeof(info), ret, VLP_IV_RANDOM_SIZE);
}

void vlp_derive_epoch_key(const uint8_t agent_key[VLP_KEY_SIZE], uint64_t epoch, uint8_t ret[VLP_KEY_SIZE]) {
        uint8_t info[sizeof(LABEL_EPOCH) + 8] = LABEL_EPOCH;

        store_le64(info + sizeof(LABEL_EPOCH), epoch);
        hkdf(agent_key, VLP_KEY_SIZE, info, sizeof(info), ret, VLP_KEY_SIZE);
}
