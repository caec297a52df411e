/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See capture.h.
 */

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

void capture_reopen(Capture *capture) {
        VartaSealer *sealer;
        VartaSeal seal;

        (void) varta_close(capture->agent);
        ck_assert_int_eq(varta_sealer_new(capture->form, capture->key, &sealer), 0);
        seal = varta_sealer_as_seal(sealer);
        ck_assert_int_eq(varta_open_sealed(capture->receiver.address, &seal, &capture->agent), 0);
        capture->iv = varta_sealer_iv(sealer);
}

void capture_open(Capture *capture, VartaKeyForm form, int family) {
        *capture = (Capture){ .form = form };
        for (size_t i = 0; i < sizeof(capture->key); i++)
                capture->key[i] = (uint8_t) (17 * i + 1);
        capture->pairs = calloc(CAPTURE_MAX, sizeof(capture->pairs[0]));
        ck_assert_ptr_nonnull(capture->pairs);

        receiver_open(&capture->receiver, family);
        capture_reopen(capture);
}

void capture_close(Capture *capture) {
        Datagram d;

        ck_assert_msg(capture->receiver.fd < 0 || !receiver_take(&capture->receiver, &d),
                      "a datagram arrived that should not have");
        capture_check(capture);
        (void) varta_close(capture->agent);
        receiver_close(&capture->receiver);
        free(capture->pairs);
}

/* Whether a part of the bare frame can be seen in what should be its ciphertext: eight bytes, so that chance
 * has no part in it. What is in front is no secret, and a counter can look like anything. */
static bool is_legible(const Datagram *d, const uint8_t frame[VLP_FRAME_SIZE]) {
        static const size_t parts[] = { VLP_OFFSET_MAGIC, VLP_OFFSET_TIMESTAMP, VLP_OFFSET_NONCE };
        const size_t sealed_size = VLP_FRAME_SIZE + 16; /* and the tag */

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (memmem(d->data + d->size - sealed_size, sealed_size, frame + parts[i], 8))
                        return true;

        return false;
}

static VlpFrame capture_open_datagram(Capture *capture, const Datagram *d, VlpSecureHeader *ret_header) {
        bool master = capture->form == VARTA_KEY_MASTER;
        uint8_t key[VLP_KEY_SIZE], bare[VLP_FRAME_SIZE];
        VlpSecureHeader header;
        VlpFrame frame = {};

        ck_assert_int_eq(vlp_secure_parse(d->data, d->size, &header), 0);
        ck_assert_int_eq(header.form, master ? VLP_SECURE_MASTER : VLP_SECURE_SHARED);

        memcpy(key, capture->key, sizeof(key));
        if (master)
                vlp_derive_agent_key(capture->key, header.agent_pid, key);
        ck_assert_int_eq(vlp_secure_open(d->data, d->size, key, bare), 0);
        ck_assert_int_eq(vlp_frame_decode(bare, &frame), VLP_ERROR_NONE);
        ck_assert(!is_legible(d, bare));
        if (master)
                ck_assert_uint_eq(frame.pid, header.agent_pid);

        ck_assert_uint_lt(capture->n_pairs, CAPTURE_MAX);
        CapturedPair *pair = capture->pairs + capture->n_pairs++;
        memcpy(pair->iv_random, header.iv_random, sizeof(pair->iv_random));
        pair->iv_counter = header.iv_counter;

        *ret_header = header;
        return frame;
}

bool capture_take(Capture *capture, VlpSecureHeader *ret_header, VlpFrame *ret_frame) {
        Datagram d;

        if (!receiver_take(&capture->receiver, &d))
                return false;

        *ret_frame = capture_open_datagram(capture, &d, ret_header);
        return true;
}

VlpFrame capture_wait(Capture *capture, VlpSecureHeader *ret_header) {
        Datagram d;

        receiver_wait(&capture->receiver, &d);
        return capture_open_datagram(capture, &d, ret_header);
}

static int pair_compare(const void *a, const void *b) {
        const CapturedPair *x = a, *y = b;
        int r = memcmp(x->iv_random, y->iv_random, sizeof(x->iv_random));

        return r != 0 ? r : (x->iv_counter > y->iv_counter) - (x->iv_counter < y->iv_counter);
}

void capture_check(Capture *capture) {
        qsort(capture->pairs, capture->n_pairs, sizeof(capture->pairs[0]), pair_compare);
        for (size_t i = 1; i < capture->n_pairs; i++)
                ck_assert_msg(pair_compare(capture->pairs + i - 1, capture->pairs + i) != 0,
                              "a pair of prefix and counter came twice: counter %u",
                              capture->pairs[i].iv_counter);
}
