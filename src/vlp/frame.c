/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 32-byte frame: decode, encode, and the names of things.
 *
 * The decoder stands on the way of every beat, in front of everything that could know the sender, so it
 * must be fast for the good and the bad alike and right for any 32 bytes. Its order is the protocol's: magic
 * and version before the CRC tell an operator "something else is talking to this socket" from "damaged on
 * the way", and only what the CRC vouches for is worth an opinion about its fields.
 *
 * The rules for fields are written down once, and both directions go through them: the encoder cannot make
 * what the decoder would refuse. Bytes are fetched by named offset with explicit little-endian loads; no
 * struct is laid over the wire, so neither padding nor alignment nor byte order of the machine plays a part.
 */

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "vlp/crc32c.h"
#include "vlp/frame.h"
#include "vlp/unaligned.h"

/* 'V', 'A' as a little-endian number. */
#define MAGIC UINT16_C(0x4156)

_Static_assert(VLP_OFFSET_VERSION == VLP_OFFSET_MAGIC + 2, "the version follows two bytes of magic");
_Static_assert(VLP_OFFSET_STATUS == VLP_OFFSET_VERSION + 1, "the status follows the version byte");
_Static_assert(VLP_OFFSET_PID == VLP_OFFSET_STATUS + 1, "the pid follows the status byte");
_Static_assert(VLP_OFFSET_TIMESTAMP == VLP_OFFSET_PID + 4, "the timestamp follows four bytes of pid");
_Static_assert(VLP_OFFSET_NONCE == VLP_OFFSET_TIMESTAMP + 8, "the nonce follows eight bytes of timestamp");
_Static_assert(VLP_OFFSET_PAYLOAD == VLP_OFFSET_NONCE + 8, "the payload follows eight bytes of nonce");
_Static_assert(VLP_OFFSET_CRC == VLP_OFFSET_PAYLOAD + 4, "the CRC follows four bytes of payload");
_Static_assert(VLP_FRAME_SIZE == VLP_OFFSET_CRC + 4, "the CRC ends the frame");

/* The rules for fields, in the protocol's order. */
static inline VlpError frame_check(const VlpFrame *frame) {
        if (frame->status > VLP_STATUS_STALL)
                return VLP_ERROR_BAD_STATUS;
        if (frame->status == VLP_STATUS_STALL)
                return VLP_ERROR_STALL_ON_WIRE;
        if (frame->pid < VLP_PID_MIN)
                return VLP_ERROR_BAD_PID;
        if (frame->timestamp == VLP_TIMESTAMP_INVALID)
                return VLP_ERROR_BAD_TIMESTAMP;
        if (frame->nonce == VLP_NONCE_TERMINAL && frame->status != VLP_STATUS_CRITICAL)
                return VLP_ERROR_BAD_NONCE;

        return VLP_ERROR_NONE;
}

VlpError vlp_frame_decode(const uint8_t *data, VlpFrame *ret) {
        VlpError error;

        assert(data);
        assert(ret);

        if (load_le16(data + VLP_OFFSET_MAGIC) != MAGIC)
                return VLP_ERROR_BAD_MAGIC;
        if (data[VLP_OFFSET_VERSION] != VLP_VERSION)
                return VLP_ERROR_BAD_VERSION;
        if (load_le32(data + VLP_OFFSET_CRC) != vlp_crc32c(data, VLP_OFFSET_CRC))
                return VLP_ERROR_BAD_CRC;

        VlpFrame frame = {
                .timestamp = load_le64(data + VLP_OFFSET_TIMESTAMP),
                .nonce = load_le64(data + VLP_OFFSET_NONCE),
                .pid = load_le32(data + VLP_OFFSET_PID),
                .payload = load_le32(data + VLP_OFFSET_PAYLOAD),
                .status = data[VLP_OFFSET_STATUS],
        };

        error = frame_check(&frame);
        if (error != VLP_ERROR_NONE)
                return error;

        *ret = frame;
        return VLP_ERROR_NONE;
}

int vlp_frame_encode(const VlpFrame *frame, uint8_t *ret_data) {
        assert(frame);
        assert(ret_data);

        if (frame_check(frame) != VLP_ERROR_NONE)
                return -EINVAL;

        store_le16(ret_data + VLP_OFFSET_MAGIC, MAGIC);
        ret_data[VLP_OFFSET_VERSION] = VLP_VERSION;
        ret_data[VLP_OFFSET_STATUS] = frame->status;
        store_le32(ret_data + VLP_OFFSET_PID, frame->pid);
        store_le64(ret_data + VLP_OFFSET_TIMESTAMP, frame->timestamp);
        store_le64(ret_data + VLP_OFFSET_NONCE, frame->nonce);
        store_le32(ret_data + VLP_OFFSET_PAYLOAD, frame->payload);
        store_le32(ret_data + VLP_OFFSET_CRC, vlp_crc32c(ret_data, VLP_OFFSET_CRC));
        return 0;
}

static const char *const error_names[_VLP_ERROR_MAX] = {
        [VLP_ERROR_BAD_MAGIC] = "BadMagic",
        [VLP_ERROR_BAD_VERSION] = "BadVersion",
        [VLP_ERROR_BAD_CRC] = "BadCrc",
        [VLP_ERROR_BAD_STATUS] = "BadStatus",
        [VLP_ERROR_STALL_ON_WIRE] = "StallOnWire",
        [VLP_ERROR_BAD_PID] = "BadPid",
        [VLP_ERROR_BAD_TIMESTAMP] = "BadTimestamp",
        [VLP_ERROR_BAD_NONCE] = "BadNonce",
};

static const char *const status_names[_VLP_STATUS_MAX] = {
        [VLP_STATUS_OK] = "ok",
        [VLP_STATUS_DEGRADED] = "degraded",
        [VLP_STATUS_CRITICAL] = "critical",
        [VLP_STATUS_STALL] = "stall",
};

/* The index of `s` in a table of names, some of which may be NULL; -EINVAL when it is in none. */
static int name_find(const char *const *names, int n_names, const char *s) {
        if (!s)
                return -EINVAL;

        for (int i = 0; i < n_names; i++)
                if (names[i] && strcmp(names[i], s) == 0)
                        return i;

        return -EINVAL;
}

const char *vlp_error_to_string(VlpError error) {
        return error >= 0 && error < _VLP_ERROR_MAX ? error_names[error] : NULL;
}

VlpError vlp_error_from_string(const char *s) {
        return (VlpError) name_find(error_names, _VLP_ERROR_MAX, s);
}

const char *vlp_status_to_string(VlpStatus status) {
        return status >= 0 && status < _VLP_STATUS_MAX ? status_names[status] : NULL;
}

VlpStatus vlp_status_from_string(const char *s) {
        return (VlpStatus) name_find(status_names, _VLP_STATUS_MAX, s);
}
