/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected in and out, initial value and final XOR 0xFFFFFFFF.
 * libc only; no allocation; every function here may be called from a signal handler and from any thread.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* The ways to compute it. All of them return the same values; they differ in speed alone. */
typedef enum VlpCrc32cKind {
        VLP_CRC32C_PORTABLE, /* tables, any machine */
        VLP_CRC32C_SSE42,    /* the crc32 instruction of x86-64 */
        VLP_CRC32C_ARMV8,    /* the crc32c instructions of AArch64 */
        _VLP_CRC32C_KIND_MAX,
        _VLP_CRC32C_KIND_INVALID = -EINVAL,
} VlpCrc32cKind;

typedef uint32_t (*VlpCrc32cFunc)(const void *data, size_t n);

/* The CRC of `n` bytes at `data`, at any alignment. `data` may be NULL when `n` is 0; the CRC of nothing is
 * 0. Uses the fastest kind that this CPU has, chosen at the first call, or the one that was last asked for
 * with vlp_crc32c_use(). */
uint32_t vlp_crc32c(const void *data, size_t n);

/* The function behind a kind, for those who want to compare kinds. NULL when this program was not built with
 * it, when this CPU lacks it, or when `kind` is no kind. */
VlpCrc32cFunc vlp_crc32c_get(VlpCrc32cKind kind);

/* Makes vlp_crc32c() use `kind` from now on, in the whole process. For tests and benchmarks: whoever does
 * not call it gets the best.
 * Returns 0, -EINVAL when `kind` is no kind, -EOPNOTSUPP when this CPU or this build lacks it (the choice
 * in force then stays). */
int vlp_crc32c_use(VlpCrc32cKind kind);

/* The fastest kind that works here: never fails, since the portable one always works. */
VlpCrc32cKind vlp_crc32c_best(void);

/* "portable", "sse4.2", "armv8"; NULL when `kind` is no kind. */
const char *vlp_crc32c_kind_to_string(VlpCrc32cKind kind);
