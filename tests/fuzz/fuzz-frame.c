/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Frames: any 32 bytes, as they are and with their CRC put right, so that what lies behind that gate is reached.
 *
 * The decoder is compared with the protocol's rules written down once more, as slowly and plainly as can be, as is
 * every CRC that this machine can compute; and a frame that is accepted must encode to the bytes it came from.
 */

#include <string.h>

#include "fuzz.h"
#include "vlp/crc32c.h"
#include "vlp/frame.h"

static uint64_t load(const uint8_t *p, unsigned n) {
        uint64_t value = 0;

        while (n-- > 0)
                value = value * 256 + p[n];
        return value;
}

/* CRC-32C bit by bit. */
static uint32_t crc(const uint8_t *p, size_t n) {
        uint32_t value = UINT32_MAX;

        for (; n > 0; n--, p++) {
                value ^= *p;
                for (unsigned bit = 0; bit < 8; bit++)
                        value = value & 1 ? value >> 1 ^ UINT32_C(0x82f63b78) : value >> 1;
        }
        return ~value;
}

static VlpError judge(const uint8_t *p) {
        if (p[0] != 'V' || p[1] != 'A')
                return VLP_ERROR_BAD_MAGIC;
        if (p[2] != 2)
                return VLP_ERROR_BAD_VERSION;
        if (load(p + 28, 4) != crc(p, 28))
                return VLP_ERROR_BAD_CRC;
        if (p[3] > 3)
                return VLP_ERROR_BAD_STATUS;
        if (p[3] == 3)
                return VLP_ERROR_STALL_ON_WIRE;
        if (load(p + 4, 4) <= 1)
                return VLP_ERROR_BAD_PID;
        if (load(p + 8, 8) == UINT64_MAX)
                return VLP_ERROR_BAD_TIMESTAMP;
        if (load(p + 16, 8) == UINT64_MAX && p[3] != 2)
                return VLP_ERROR_BAD_NONCE;
        return VLP_ERROR_NONE;
}

static void check(const uint8_t *p) {
        uint8_t again[VLP_FRAME_SIZE];
        VlpFrame frame;
        VlpError error;

        memset(&frame, 0xa5, sizeof(frame));
        error = vlp_frame_decode(p, &frame);
        CHECK(error == judge(p));
        if (error != VLP_ERROR_NONE) {
                for (size_t i = 0; i < sizeof(frame); i++)
                        CHECK(((const uint8_t *) &frame)[i] == 0xa5);
                CHECK(vlp_error_from_string(vlp_error_to_string(error)) == error);
                return;
        }

        CHECK(frame.status == p[3]);
        CHECK(frame.pid == load(p + 4, 4));
        CHECK(frame.timestamp == load(p + 8, 8));
        CHECK(frame.nonce == load(p + 16, 8));
        CHECK(frame.payload == load(p + 24, 4));
        CHECK(vlp_frame_is_terminal(&frame) == (frame.nonce == UINT64_MAX));
        CHECK(vlp_frame_encode(&frame, again) == 0);
        CHECK(memcmp(p, again, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *frame;
        uint32_t value;

        value = crc(data, size);
        CHECK(vlp_crc32c(data, size) == value);
        for (int kind = 0; kind < _VLP_CRC32C_KIND_MAX; kind++) {
                VlpCrc32cFunc f = vlp_crc32c_get((VlpCrc32cKind) kind);

                CHECK(!f || f(data, size) == value);
        }
        if (size < VLP_FRAME_SIZE)
                return 0;

        /* In a block of its own, which ends where the frame does. */
        frame = malloc(VLP_FRAME_SIZE);
        CHECK(frame);
        memcpy(frame, data, VLP_FRAME_SIZE);
        check(frame);

        value = crc(frame, VLP_OFFSET_CRC);
        for (unsigned i = 0; i < 4; i++)
                frame[VLP_OFFSET_CRC + i] = (uint8_t) (value >> (8 * i));
        check(frame);
        free(frame);
        return 0;
}
