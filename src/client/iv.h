/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which (iv_random, iv_counter) pair a sealed frame carries: one that no frame under this key ever carried
 * before. Every function may be called from any thread and from signal handlers; none waits.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "vlp/secure.h"

/* All zero is a process that has not sent anything yet. Has to lie in memory that the kernel clears in
 * children (MADV_WIPEONFORK): iv.c rests on that. */
typedef struct VartaIv {
        _Atomic pid_t owner; /* whose memory this is; 0: nobody has asked yet */
        _Atomic uint64_t
                        entropy[3]; /* of this process: a prefix, then a salt for others; 0: not drawn yet */
        _Atomic uint64_t position;  /* of the next pair: index of the prefix << 32 | counter */
} VartaIv;

/* Takes the next pair for process `pid`, the calling one. A pair that is not used then is left out: nobody
 * gets it again. Returns 0; -EOPNOTSUPP when the memory is another process's; the negative errno of
 * getrandom() when the kernel has no entropy to give (-EAGAIN: not yet), -EIO when it gave too little. The
 * outputs are meaningless on failure. */
int varta_iv_take(VartaIv *iv, pid_t pid, uint8_t ret_iv_random[VLP_IV_RANDOM_SIZE],
                  uint32_t *ret_iv_counter);
