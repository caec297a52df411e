/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * decode: what does this frame say? For whoever looks at a packet dump or writes an agent in another language.
 *
 * The answer to a frame that the protocol refuses is the protocol's name of the error: it is what was asked for,
 * so it goes to standard output, and the exit code is 1.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctl/output.h"
#include "util/parse.h"
#include "vlp/frame.h"

/* Room for what people paste: a few frames' worth of digits and blanks. */
#define HEX_SIZE 512U

/* The arguments, one after the other. Returns false when they are too long. */
static bool join(char **args, size_t n_args, char *buf, size_t size) {
        size_t used = 0;

        for (size_t i = 0; i < n_args; i++) {
                int n = snprintf(buf + used, size - used, "%s%s", i > 0 ? " " : "", args[i]);

                if (n < 0 || (size_t) n >= size - used)
                        return false;
                used += (size_t) n;
        }
        return true;
}

static void put_error(const Options *options, VlpError error) {
        json_object *o;

        if (options->json == JSON_OFF) {
                (void) puts(vlp_error_to_string(error));
                return;
        }

        o = json_object_new_object();
        json_object_object_add(o, "error", json_object_new_string(vlp_error_to_string(error)));
        output_json(options->json, o);
}

static void put_frame_json(const Options *options, const VlpFrame *frame, uint32_t crc) {
        json_object *o = json_object_new_object();

        json_object_object_add(o, "version", json_object_new_int(VLP_VERSION));
        json_object_object_add(o, "status", json_object_new_string(vlp_status_to_string(frame->status)));
        json_object_object_add(o, "pid", json_object_new_uint64(frame->pid));
        json_object_object_add(o, "timestamp", json_object_new_uint64(frame->timestamp));
        json_object_object_add(o, "nonce", json_object_new_uint64(frame->nonce));
        json_object_object_add(o, "terminal", json_object_new_boolean(vlp_frame_is_terminal(frame)));
        json_object_object_add(o, "payload", json_object_new_uint64(frame->payload));
        json_object_object_add(o, "crc32c", json_object_new_uint64(crc));
        output_json(options->json, o);
}

static void put_frame(const VlpFrame *frame, uint32_t crc) {
        (void) printf("  version: %d\n"
                      "   status: %s\n"
                      "      pid: %" PRIu32 "\n"
                      "timestamp: %" PRIu64 "\n"
                      "    nonce: %" PRIu64 "%s\n"
                      "  payload: %" PRIu32 "\n"
                      "   crc32c: 0x%08" PRIx32 "\n",
                      VLP_VERSION, vlp_status_to_string(frame->status), frame->pid, frame->timestamp,
                      frame->nonce, vlp_frame_is_terminal(frame) ? " (terminal)" : "", frame->payload, crc);
}

CtlExit verb_decode(const Options *options, char **args, size_t n_args) {
        uint8_t bytes[HEX_SIZE / 2];
        char hex[HEX_SIZE];
        VlpError error;
        VlpFrame frame;
        uint32_t crc;
        size_t n;
        int r;

        r = join(args, n_args, hex, sizeof(hex)) ? parse_hex(hex, bytes, sizeof(bytes), &n) : -ENOBUFS;
        if (r == -EINVAL) {
                ctl_error("A frame is written as pairs of hexadecimal digits: 5641 02 00 ...");
                return CTL_USAGE;
        }
        if (r == -ENOBUFS || n != VLP_FRAME_SIZE) {
                if (r == -ENOBUFS)
                        ctl_error("A frame has %d bytes; this is far more.", VLP_FRAME_SIZE);
                else
                        ctl_error("A frame has %d bytes; this is %zu.", VLP_FRAME_SIZE, n);
                return CTL_FAILURE;
        }

        error = vlp_frame_decode(bytes, &frame);
        if (error != VLP_ERROR_NONE) {
                put_error(options, error);
                return CTL_FAILURE;
        }

        crc = (uint32_t) bytes[VLP_OFFSET_CRC] | (uint32_t) bytes[VLP_OFFSET_CRC + 1] << 8 |
              (uint32_t) bytes[VLP_OFFSET_CRC + 2] << 16 | (uint32_t) bytes[VLP_OFFSET_CRC + 3] << 24;
        if (options->json != JSON_OFF)
                put_frame_json(options, &frame, crc);
        else
                put_frame(&frame, crc);
        return CTL_OK;
}
