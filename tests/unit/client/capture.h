/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A sealed handle, the receiver it beats to, and everything that was ever on the wire between them: each
 * datagram is opened with the key, and no pair of prefix and counter may come twice. Everything fails the
 * running test by itself.
 */

#include "client/sealer.h"
#include "receiver.h"
#include "vlp/secure.h"

/* Pairs that a capture has room for. */
#define CAPTURE_MAX 16384

typedef struct CapturedPair {
        uint8_t iv_random[VLP_IV_RANDOM_SIZE];
        uint32_t iv_counter;
} CapturedPair;

typedef struct Capture {
        Receiver receiver;
        uint8_t key[VARTA_KEY_SIZE];
        VartaKeyForm form;
        VartaAgent *agent;
        VartaIv *iv; /* of the handle */
        CapturedPair *pairs;
        size_t n_pairs;
} Capture;

void capture_open(Capture *capture, VartaKeyForm form, int family);
void capture_close(Capture *capture);

/* Closes the handle and opens another one. */
void capture_reopen(Capture *capture);

/* Takes one datagram that is there, in *ret_header and *ret_frame; false when there is none. */
bool capture_take(Capture *capture, VlpSecureHeader *ret_header, VlpFrame *ret_frame);

/* Waits for one. */
VlpFrame capture_wait(Capture *capture, VlpSecureHeader *ret_header);

/* Whether no pair was captured twice; also called by capture_close(). */
void capture_check(Capture *capture);
