/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The frame: whatever is accepted obeys every rule and encodes to the same bytes again, whatever is refused has a name, and
 * every CRC that this machine can compute agrees. Since a fuzzer guesses no CRC, each input is also judged with the right
 * one put in.
 */

#include <string.h>

#include "fuzz.h"
#include "vlp/crc32c.h"
#include "vlp/frame.h"
#include "vlp/unaligned.h"

static void judge(const uint8_t *data) {
        uint8_t again[VLP_FRAME_SIZE];
        VlpFrame frame = {};
        VlpError e;

        e = vlp_frame_decode(data, &frame);
        if (e != VLP_ERROR_NONE) {
                CHECK(vlp_error_to_string(e));
                CHECK(frame.pid == 0); /* untouched */
                return;
        }
        CHECK(frame.pid >= VLP_PID_MIN);
        CHECK(frame.status < VLP_STATUS_STALL);
        CHECK(frame.timestamp != VLP_TIMESTAMP_INVALID);
        CHECK(frame.nonce != VLP_NONCE_TERMINAL || frame.status == VLP_STATUS_CRITICAL);
        CHECK(vlp_frame_encode(&frame, again) == 0);
        CHECK(memcmp(again, data, VLP_FRAME_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint32_t crc = vlp_crc32c(data, size);
        uint8_t frame[VLP_FRAME_SIZE];

        for (int kind = 0; kind < _VLP_CRC32C_KIND_MAX; kind++) {
                VlpCrc32cFunc f = vlp_crc32c_get((VlpCrc32cKind) kind);

                CHECK(!f || f(data, size) == crc);
        }
        if (size < VLP_FRAME_SIZE)
                return 0;

        judge(data);
        memcpy(frame, data, sizeof(frame));
        store_le32(frame + VLP_OFFSET_CRC, vlp_crc32c(frame, VLP_OFFSET_CRC));
        judge(frame);
        return 0;
}
