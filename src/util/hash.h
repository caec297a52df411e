/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mixing numbers for hash tables whose keys peers choose. */

#include <stdint.h>

/* Two rounds of multiply and fold, with the odd constants of splitmix64. Put a secret into `a`, so that whoever chooses the
 * rest chooses no collisions. The high half is the better one. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
        uint64_t h;

        h = (a ^ (a >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        h ^= b;
        return (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
}
