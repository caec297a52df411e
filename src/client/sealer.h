/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Seals the frames of one handle: its key, and what each process that uses it needs besides.
 */

#include "client/iv.h"
#include "client/seal.h"
#include "client/varta-secure.h"

typedef struct VartaSealer VartaSealer;

/* Copies the key (VARTA_KEY_SIZE bytes) into memory that is left out of core dumps, and locked as far as
 * RLIMIT_MEMLOCK allows. vlp_secure_init() has been called. Returns 0, and in *ret a sealer that the caller
 * owns; -ENOMEM; -EINVAL or another negative errno of madvise() when the kernel cannot keep the promises that
 * sealing rests on. */
int varta_sealer_new(VartaKeyForm form, const uint8_t *key, VartaSealer **ret);

/* Wipes and frees it. NULL is fine. Returns NULL. */
VartaSealer *varta_sealer_free(VartaSealer *sealer);

/* Seals the VLP_FRAME_SIZE bytes at `frame` for process `pid`. Returns the datagram's size, or a negative
 * errno of varta_iv_take(); *ret_datagram, which has room for VLP_SECURE_MAX_SIZE bytes, is then untouched.
 * For any thread and for signal handlers. */
int varta_sealer_seal(VartaSealer *sealer, pid_t pid, const uint8_t *frame, uint8_t *ret_datagram);

/* The handle's way to say all that. The sealer stays the caller's until varta_open_sealed() succeeds. */
VartaSeal varta_sealer_as_seal(VartaSealer *sealer);

/* For tests, which cannot wait for 2^32 beats: the calling process's pairs. */
VartaIv *varta_sealer_iv(VartaSealer *sealer);
