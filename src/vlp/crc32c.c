/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC-32C three ways, and the choice between them.
 *
 * A frame has 28 bytes under its CRC. With the CPU's own instruction that is three steps of eight bytes and
 * one of four, some twelve cycles, and nothing cleverer (interleaved streams, carry-less multiplication)
 * pays for its set-up at this length. So the hardware kinds are plain loops.
 *
 * The portable kind works through eight bytes per step with eight tables ("slicing"). A CRC is linear: the
 * table entry of an index is the XOR of the entries of its single bits. Eight constants therefore determine
 * a table of 256, and the preprocessor writes the tables out of them: they are constant data, there is no
 * moment before which they are not filled, and sixty-four numbers can be checked where two thousand cannot.
 * (The first row is where each single bit ends up after eight shifts through the polynomial, and every
 * further row is the row before after one more zero byte; a test recomputes every CRC bit by bit.)
 *
 * The choice is a function pointer that begins at a resolver: the first call asks the CPU and puts the
 * answer in its place. That needs no constructor, whose order among other constructors nobody controls, and
 * no ifunc, which sanitizers and some libcs do not take. Two threads that resolve at the same time store the
 * same value.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "vlp/crc32c.h"
#include "vlp/unaligned.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
/* From the kernel's asm/hwcap.h for arm64: the CRC32 instructions are there. Part of the ABI. */
#define HWCAP_ARMV8_CRC32 (1UL << 7)
#endif

#define CRC_INIT      UINT32_C(0xffffffff)
#define CRC_FINAL_XOR UINT32_C(0xffffffff)

/* A table of 2^n entries from the n entries of single bits, lowest first: the half with the highest bit
 * clear, then the same half with that bit's entry XORed in. */
#define LINEAR_1(x, a)                   (x), (x) ^ (a)
#define LINEAR_2(x, a, b)                LINEAR_1(x, a), LINEAR_1((x) ^ (b), a)
#define LINEAR_3(x, a, b, c)             LINEAR_2(x, a, b), LINEAR_2((x) ^ (c), a, b)
#define LINEAR_4(x, a, b, c, d)          LINEAR_3(x, a, b, c), LINEAR_3((x) ^ (d), a, b, c)
#define LINEAR_5(x, a, b, c, d, e)       LINEAR_4(x, a, b, c, d), LINEAR_4((x) ^ (e), a, b, c, d)
#define LINEAR_6(x, a, b, c, d, e, f)    LINEAR_5(x, a, b, c, d, e), LINEAR_5((x) ^ (f), a, b, c, d, e)
#define LINEAR_7(x, a, b, c, d, e, f, g) LINEAR_6(x, a, b, c, d, e, f), LINEAR_6((x) ^ (g), a, b, c, d, e, f)
#define LINEAR_8(x, a, b, c, d, e, f, g, h)                                                                 \
        LINEAR_7(x, a, b, c, d, e, f, g), LINEAR_7((x) ^ (h), a, b, c, d, e, f, g)
#define TABLE(a, b, c, d, e, f, g, h)                                                                       \
        { LINEAR_8(UINT32_C(0), a, b, c, d, e, f, g, h) }

/* Row k: what a byte contributes that still has k bytes of its step behind it. */
static const uint32_t crc_tables[8][256] = {
        TABLE(0xf26b8303U, 0xe13b70f7U, 0xc79a971fU, 0x8ad958cfU, 0x105ec76fU, 0x20bd8edeU, 0x417b1dbcU,
              0x82f63b78U),
        TABLE(0x13a29877U, 0x274530eeU, 0x4e8a61dcU, 0x9d14c3b8U, 0x3fc5f181U, 0x7f8be302U, 0xff17c604U,
              0xfbc3faf9U),
        TABLE(0xa541927eU, 0x4f6f520dU, 0x9edea41aU, 0x38513ec5U, 0x70a27d8aU, 0xe144fb14U, 0xc76580d9U,
              0x8b277743U),
        TABLE(0xdd45aab8U, 0xbf672381U, 0x7b2231f3U, 0xf64463e6U, 0xe964b13dU, 0xd725148bU, 0xaba65fe7U,
              0x52a0c93fU),
        TABLE(0x38116facU, 0x7022df58U, 0xe045beb0U, 0xc5670b91U, 0x8f2261d3U, 0x1ba8b557U, 0x37516aaeU,
              0x6ea2d55cU),
        TABLE(0xef306b19U, 0xdb8ca0c3U, 0xb2f53777U, 0x6006181fU, 0xc00c303eU, 0x85f4168dU, 0x0e045bebU,
              0x1c08b7d6U),
        TABLE(0x68032cc8U, 0xd0065990U, 0xa5e0c5d1U, 0x4e2dfd53U, 0x9c5bfaa6U, 0x3d5b83bdU, 0x7ab7077aU,
              0xf56e0ef4U),
        TABLE(0x493c7d27U, 0x9278fa4eU, 0x211d826dU, 0x423b04daU, 0x847609b4U, 0x0d006599U, 0x1a00cb32U,
              0x34019664U),
};

static uint32_t crc32c_portable(const void *data, size_t n) {
        const uint8_t *p = data;
        uint32_t crc = CRC_INIT;

        for (; n >= 8; n -= 8, p += 8) {
                uint32_t low = crc ^ load_le32(p), high = load_le32(p + 4);

                crc = crc_tables[7][low & 0xff] ^ crc_tables[6][(low >> 8) & 0xff] ^
                      crc_tables[5][(low >> 16) & 0xff] ^ crc_tables[4][low >> 24] ^
                      crc_tables[3][high & 0xff] ^ crc_tables[2][(high >> 8) & 0xff] ^
                      crc_tables[1][(high >> 16) & 0xff] ^ crc_tables[0][high >> 24];
        }

        for (; n > 0; n--, p++)
                crc = (crc >> 8) ^ crc_tables[0][(crc ^ *p) & 0xff];

        return crc ^ CRC_FINAL_XOR;
}

#if defined(__x86_64__)

#define HARDWARE_KIND VLP_CRC32C_SSE42

static bool hardware_present(void) {
        /* Costs little the second time; without it the first constructors of a program would see no CPU. */
        __builtin_cpu_init();
        return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(const void *data, size_t n) {
        const uint8_t *p = data;
        /* The instruction's destination has 64 bits of which the upper half is always zero: kept in one such
         * variable, so that no step has to widen it again. */
        uint64_t wide = CRC_INIT;

        for (; n >= 8; n -= 8, p += 8)
                wide = _mm_crc32_u64(wide, load_le64(p));

        uint32_t crc = (uint32_t) wide;

        if (n >= 4) {
                crc = _mm_crc32_u32(crc, load_le32(p));
                n -= 4;
                p += 4;
        }

        for (; n > 0; n--, p++)
                crc = _mm_crc32_u8(crc, *p);

        return crc ^ CRC_FINAL_XOR;
}

#elif defined(__aarch64__)

#define HARDWARE_KIND VLP_CRC32C_ARMV8

static bool hardware_present(void) {
        return getauxval(AT_HWCAP) & HWCAP_ARMV8_CRC32;
}

/* Assembler and not intrinsics: compilers disagree on how a single function asks for the extension. */
static inline uint32_t armv8_crc32cx(uint32_t crc, uint64_t v) {
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(v));
        return crc;
}

static inline uint32_t armv8_crc32cw(uint32_t crc, uint32_t v) {
        __asm__(".arch_extension crc\n\tcrc32cw %w0, %w0, %w1" : "+r"(crc) : "r"(v));
        return crc;
}

static inline uint32_t armv8_crc32cb(uint32_t crc, uint8_t v) {
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t) v));
        return crc;
}

static uint32_t crc32c_hardware(const void *data, size_t n) {
        const uint8_t *p = data;
        uint32_t crc = CRC_INIT;

        for (; n >= 8; n -= 8, p += 8)
                crc = armv8_crc32cx(crc, load_le64(p));

        if (n >= 4) {
                crc = armv8_crc32cw(crc, load_le32(p));
                n -= 4;
                p += 4;
        }

        for (; n > 0; n--, p++)
                crc = armv8_crc32cb(crc, *p);

        return crc ^ CRC_FINAL_XOR;
}

#endif

static uint32_t crc32c_resolve(const void *data, size_t n);

static _Atomic(VlpCrc32cFunc) crc32c_chosen = crc32c_resolve;

static uint32_t crc32c_resolve(const void *data, size_t n) {
        VlpCrc32cFunc func = vlp_crc32c_get(vlp_crc32c_best());
        VlpCrc32cFunc expected = crc32c_resolve;

        /* An explicit choice that another thread makes at this moment wins. */
        atomic_compare_exchange_strong_explicit(&crc32c_chosen, &expected, func, memory_order_relaxed,
                                                memory_order_relaxed);
        return func(data, n);
}

uint32_t vlp_crc32c(const void *data, size_t n) {
        return atomic_load_explicit(&crc32c_chosen, memory_order_relaxed)(data, n);
}

VlpCrc32cFunc vlp_crc32c_get(VlpCrc32cKind kind) {
        if (kind == VLP_CRC32C_PORTABLE)
                return crc32c_portable;
#ifdef HARDWARE_KIND
        if (kind == HARDWARE_KIND && hardware_present())
                return crc32c_hardware;
#endif
        return NULL;
}

int vlp_crc32c_use(VlpCrc32cKind kind) {
        if (kind < 0 || kind >= _VLP_CRC32C_KIND_MAX)
                return -EINVAL;

        VlpCrc32cFunc func = vlp_crc32c_get(kind);
        if (!func)
                return -EOPNOTSUPP;

        atomic_store_explicit(&crc32c_chosen, func, memory_order_relaxed);
        return 0;
}

VlpCrc32cKind vlp_crc32c_best(void) {
#ifdef HARDWARE_KIND
        if (hardware_present())
                return HARDWARE_KIND;
#endif
        return VLP_CRC32C_PORTABLE;
}

const char *vlp_crc32c_kind_to_string(VlpCrc32cKind kind) {
        switch (kind) {
        case VLP_CRC32C_PORTABLE:
                return "portable";
        case VLP_CRC32C_SSE42:
                return "sse4.2";
        case VLP_CRC32C_ARMV8:
                return "armv8";
        case _VLP_CRC32C_KIND_MAX:
        case _VLP_CRC32C_KIND_INVALID:
                break;
        }

        return NULL;
}
