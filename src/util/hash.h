/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mixing numbers for hash tables whose keys peers choose, and bytes for telling a damaged record from a whole one. */

#include <stddef.h>
#include <stdint.h>

/* Two rounds of multiply and fold, with the odd constants of splitmix64. Put a secret into `a`, so that whoever chooses the
 * rest chooses no collisions. The high half is the better one. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
        uint64_t h;

        h = (a ^ (a >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        h ^= b;
        return (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
}

/* The same over any number of bytes, the same on every machine: words are little-endian, and the length counts. Each
 * step is a bijection of either operand, so that damage within one aligned word of 8 bytes always shows, and any other
 * slips through once in 2^64. A checksum, not a MAC: it holds against accidents, not against people. */
static inline uint64_t hash_bytes(uint64_t seed, const void *data, size_t size) {
        const uint8_t *p = data;
        uint64_t h = hash_mix(seed, size);

        for (size_t i = 0; i < size; i += 8) {
                uint64_t word = 0;

                for (size_t k = 0; k < 8 && i + k < size; k++)
                        word |= (uint64_t) p[i + k] << (8 * k);
                h = hash_mix(h, word);
        }
        return h;
}
