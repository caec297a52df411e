/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Keys as people and systemd's credentials write them: one per line, 64 hexadecimal digits each. The first
 * one is current; the others are accepted while keys are being replaced.
 */

#include <stddef.h>
#include <stdint.h>

#include "vlp/secure.h"

/* Every key is tried for every frame, so there cannot be many. */
#define VLP_KEYS_MAX 8

/* Digits of a key in text. */
#define VLP_KEY_DIGITS (2 * VLP_KEY_SIZE)

/* The longest text: every line with its newline. */
#define VLP_KEY_TEXT_MAX (VLP_KEYS_MAX * (VLP_KEY_DIGITS + 1))

/* Reads the keys in `size` bytes of text. The last line's newline may be missing; nothing else may be
 * missing or added, not even blanks, empty lines or carriage returns.
 * Returns their number, 1 to VLP_KEYS_MAX, and as many keys in ret_keys, which has room for VLP_KEYS_MAX;
 * -ENODATA for an empty text; -EBADMSG when a line has not exactly 64 hexadecimal digits; -E2BIG when there
 * are more than VLP_KEYS_MAX lines. ret_keys is untouched on failure. The caller wipes the text and the keys;
 * nothing else remains of them. */
int vlp_keys_parse(const char *text, size_t size, uint8_t (*ret_keys)[VLP_KEY_SIZE]);
