/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Keys of secure listeners: read from files or systemd credentials, held in memory that is locked, left out of core dumps
 * and wiped. No message, log line or bus property ever holds a digit of one.
 */

#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"
#include "vlp/key-text.h"
#include "vlp/secure.h"

typedef struct KeyRing {
        uint8_t keys[_VLP_SECURE_FORM_MAX][VLP_KEYS_MAX][VLP_KEY_SIZE];
        uint64_t scopes[_VLP_SECURE_FORM_MAX]
                       [VLP_KEYS_MAX]; /* one-way: tells keys apart, and tells nothing of them */
        size_t n[_VLP_SECURE_FORM_MAX];
} KeyRing;

/* Reads the keys of both forms; a NULL path stands for no keys of that form. A file holds one key per line, 64 hex digits, and
 * nothing else; the first key is the current one, the others are accepted, too. It must be a regular file, no link, owned by this user or root, closed to group and others, in a directory that
 * only its owner can write.
 *
 * Returns 0, or negative errno and in *ret_reason one sentence that names file, line and what is allowed (free it). The
 * caller owns *ret. */
int keys_load(const char *shared, const char *master, KeyRing **ret, char **ret_reason);
KeyRing *keys_free(KeyRing *keys);
DEFINE_CLEANUP_FUNC(KeyRing, keys_free)
