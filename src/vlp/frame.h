/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The frame of the Varta Lifeline Protocol, wire version 2: 32 bytes, unsigned little-endian.
 *
 *   offset  size  field
 *        0     2  magic, "VA"
 *        2     1  version, 2
 *        3     1  status
 *        4     4  pid
 *        8     8  timestamp
 *       16     8  nonce
 *       24     4  payload
 *       28     4  CRC-32C of bytes 0..27
 *
 * libc only, no allocation, no state: bytes in, verdict out. Every function may be called from a signal
 * handler and from any thread.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/* A datagram of any other length is not a frame and must not be shown to the decoder. */
#define VLP_FRAME_SIZE 32

/* The version byte. Earlier versions are refused like unknown ones. */
#define VLP_VERSION 2

/* Where the fields are. The CRC covers everything in front of it. */
#define VLP_OFFSET_MAGIC     0
#define VLP_OFFSET_VERSION   2
#define VLP_OFFSET_STATUS    3
#define VLP_OFFSET_PID       4
#define VLP_OFFSET_TIMESTAMP 8
#define VLP_OFFSET_NONCE     16
#define VLP_OFFSET_PAYLOAD   24
#define VLP_OFFSET_CRC       28

/* The nonce that marks a dying agent's last frame; legal with VLP_STATUS_CRITICAL only. */
#define VLP_NONCE_TERMINAL UINT64_MAX

/* The nonce of a session's first beat. */
#define VLP_NONCE_FIRST UINT64_C(1)

/* The one timestamp that is no timestamp. */
#define VLP_TIMESTAMP_INVALID UINT64_MAX

/* No agent has a pid below: 0 is nobody, 1 is the system's own (or a container's) init. */
#define VLP_PID_MIN UINT32_C(2)

/* What an agent says of itself. The values are the wire's. */
typedef enum VlpStatus {
        VLP_STATUS_OK = 0,
        VLP_STATUS_DEGRADED = 1,
        VLP_STATUS_CRITICAL = 2,
        VLP_STATUS_STALL = 3, /* concluded by the observer; refused on the wire */
        _VLP_STATUS_MAX,
        _VLP_STATUS_INVALID = -EINVAL,
} VlpStatus;

/* Why a frame was refused, in the order in which it is judged: the first failure names the error. */
typedef enum VlpError {
        VLP_ERROR_NONE = 0,
        VLP_ERROR_BAD_MAGIC,
        VLP_ERROR_BAD_VERSION,
        VLP_ERROR_BAD_CRC,
        VLP_ERROR_BAD_STATUS,    /* none of 0..3 */
        VLP_ERROR_STALL_ON_WIRE, /* 3 */
        VLP_ERROR_BAD_PID,       /* 0 or 1 */
        VLP_ERROR_BAD_TIMESTAMP, /* VLP_TIMESTAMP_INVALID */
        VLP_ERROR_BAD_NONCE,     /* VLP_NONCE_TERMINAL without VLP_STATUS_CRITICAL */
        _VLP_ERROR_MAX,
        _VLP_ERROR_INVALID = -EINVAL,
} VlpError;

/* A frame's meaning. One that came out of vlp_frame_decode() obeys every rule of the protocol. */
typedef struct VlpFrame {
        uint64_t timestamp; /* the emitter's own monotonic clock, normally ns; 0..2^64-2 */
        uint64_t nonce;     /* 0..2^64-2, or VLP_NONCE_TERMINAL */
        uint32_t pid;       /* in the emitter's pid namespace; VLP_PID_MIN..2^32-1 */
        uint32_t payload;   /* opaque to the protocol */
        uint8_t status;     /* VlpStatus, never VLP_STATUS_STALL */
} VlpFrame;

/* Decodes VLP_FRAME_SIZE bytes at `data`, at any alignment.
 * Returns VLP_ERROR_NONE and fills *ret, or the first error in the protocol's order; *ret is then left
 * alone. */
VlpError vlp_frame_decode(const uint8_t *data, VlpFrame *ret);

/* Encodes a frame into the VLP_FRAME_SIZE bytes at `ret_data`.
 * Returns 0, or -EINVAL for a frame that vlp_frame_decode() would refuse; *ret_data is then left alone. */
int vlp_frame_encode(const VlpFrame *frame, uint8_t *ret_data);

/* The nonce that follows `nonce`: one more, except that VLP_NONCE_TERMINAL is skipped (2^64-2 -> 0). */
static inline uint64_t vlp_nonce_next(uint64_t nonce) {
        return nonce >= VLP_NONCE_TERMINAL - 1 ? 0 : nonce + 1;
}

/* Whether this is a dying agent's last frame. */
static inline bool vlp_frame_is_terminal(const VlpFrame *frame) {
        return frame->nonce == VLP_NONCE_TERMINAL;
}

/* The protocol's name of an error ("BadMagic" ... "BadNonce"). NULL for VLP_ERROR_NONE, which has no name,
 * and for values that are no error. */
const char *vlp_error_to_string(VlpError error);

/* The error of a name, letter case included; _VLP_ERROR_INVALID when there is none such, or `s` is NULL. */
VlpError vlp_error_from_string(const char *s);

/* "ok", "degraded", "critical", "stall"; NULL for values that are no status. */
const char *vlp_status_to_string(VlpStatus status);

/* The status of a name, letter case included; _VLP_STATUS_INVALID when there is none such or `s` is NULL. */
VlpStatus vlp_status_from_string(const char *s);
