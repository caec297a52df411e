/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame beyond the conformance vectors: what holds for all frames rather than for chosen ones.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vlp/crc32c.h"
#include "vlp/frame.h"

static const VlpFrame sample = {
        .timestamp = UINT64_C(0x0123456789abcdef),
        .nonce = UINT64_C(0x1122334455667788),
        .pid = UINT32_C(0x0a0b0c0d),
        .payload = UINT32_C(0xdeadbeef),
        .status = VLP_STATUS_DEGRADED,
};

/* xorshift64*: the same frames in every run, so that a failure can be repeated. */
static uint64_t random_next(uint64_t *state) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static void frame_assert_equal(const VlpFrame *a, const VlpFrame *b) {
        ck_assert_uint_eq(a->timestamp, b->timestamp);
        ck_assert_uint_eq(a->nonce, b->nonce);
        ck_assert_uint_eq(a->pid, b->pid);
        ck_assert_uint_eq(a->payload, b->payload);
        ck_assert_uint_eq(a->status, b->status);
}

/* Makes the CRC right again after bytes were changed on purpose. */
static void wire_seal(uint8_t *wire) {
        uint32_t crc = vlp_crc32c(wire, VLP_OFFSET_CRC);

        for (int i = 0; i < 4; i++)
                wire[VLP_OFFSET_CRC + i] = (uint8_t) (crc >> (8 * i));
}

START_TEST(test_layout) {
        static const uint8_t expected[VLP_OFFSET_CRC] = {
                'V',  'A',  2,    1,                            /* magic, version, status */
                0x0d, 0x0c, 0x0b, 0x0a,                         /* pid */
                0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, /* timestamp */
                0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* nonce */
                0xef, 0xbe, 0xad, 0xde,                         /* payload */
        };
        uint8_t wire[VLP_FRAME_SIZE];

        ck_assert_int_eq(vlp_frame_encode(&sample, wire), 0);
        ck_assert_mem_eq(wire, expected, sizeof(expected));
}
END_TEST

START_TEST(test_round_trip) {
        uint64_t state = 20261;

        for (int i = 0; i < 20000; i++) {
                uint8_t buffer[VLP_FRAME_SIZE + 8], *wire = buffer + i % 8; /* at every alignment */
                VlpFrame out, in = {
                        .timestamp = random_next(&state) % VLP_TIMESTAMP_INVALID,
                        .nonce = random_next(&state) % VLP_NONCE_TERMINAL,
                        .pid = (uint32_t) (VLP_PID_MIN +
                                           random_next(&state) % (UINT32_MAX - VLP_PID_MIN + 1)),
                        .payload = (uint32_t) random_next(&state),
                        .status = (uint8_t) (random_next(&state) % VLP_STATUS_STALL),
                };

                ck_assert_int_eq(vlp_frame_encode(&in, wire), 0);
                ck_assert_int_eq(vlp_frame_decode(wire, &out), VLP_ERROR_NONE);
                frame_assert_equal(&in, &out);
        }
}
END_TEST

/* Whatever decodes encodes to the very bytes it came from: there is one encoding of a meaning. */
START_TEST(test_decoded_is_canonical) {
        uint64_t state = 77;
        int n_accepted = 0;

        for (int i = 0; i < 20000; i++) {
                uint8_t wire[VLP_FRAME_SIZE], again[VLP_FRAME_SIZE];
                VlpFrame frame;

                for (size_t j = 0; j < sizeof(wire); j++)
                        wire[j] = (uint8_t) random_next(&state);
                wire[VLP_OFFSET_MAGIC] = 'V';
                wire[VLP_OFFSET_MAGIC + 1] = 'A';
                wire[VLP_OFFSET_VERSION] = VLP_VERSION;
                wire[VLP_OFFSET_STATUS] &= 7;
                wire_seal(wire);

                if (vlp_frame_decode(wire, &frame) != VLP_ERROR_NONE)
                        continue;

                n_accepted++;
                ck_assert_int_eq(vlp_frame_encode(&frame, again), 0);
                ck_assert_mem_eq(wire, again, VLP_FRAME_SIZE);
        }

        ck_assert_int_gt(n_accepted, 1000);
}
END_TEST

/* Those of the CRC itself included, and those of magic and version, which fail by their own names. */
START_TEST(test_bit_flips) {
        uint8_t wire[VLP_FRAME_SIZE];

        ck_assert_int_eq(vlp_frame_encode(&sample, wire), 0);

        for (size_t bit = 0; bit < VLP_FRAME_SIZE * 8; bit++) {
                VlpError expected = bit < VLP_OFFSET_VERSION * 8 ? VLP_ERROR_BAD_MAGIC
                                  : bit < VLP_OFFSET_STATUS * 8  ? VLP_ERROR_BAD_VERSION
                                                                 : VLP_ERROR_BAD_CRC;
                VlpFrame frame;

                wire[bit / 8] ^= (uint8_t) (1 << bit % 8);
                ck_assert_msg(vlp_frame_decode(wire, &frame) == expected, "bit %zu", bit);
                wire[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
}
END_TEST

START_TEST(test_every_magic_and_version) {
        uint8_t wire[VLP_FRAME_SIZE];
        VlpFrame frame;

        ck_assert_int_eq(vlp_frame_encode(&sample, wire), 0);

        for (unsigned magic = 0; magic <= UINT16_MAX; magic++) {
                wire[0] = (uint8_t) magic;
                wire[1] = (uint8_t) (magic >> 8);
                wire_seal(wire);
                ck_assert_int_eq(vlp_frame_decode(wire, &frame),
                                 memcmp(wire, "VA", 2) == 0 ? VLP_ERROR_NONE : VLP_ERROR_BAD_MAGIC);
        }

        memcpy(wire, "VA", 2);
        for (unsigned version = 0; version <= UINT8_MAX; version++) {
                wire[VLP_OFFSET_VERSION] = (uint8_t) version;
                wire_seal(wire);
                ck_assert_int_eq(vlp_frame_decode(wire, &frame),
                                 version == 2 ? VLP_ERROR_NONE : VLP_ERROR_BAD_VERSION);
        }
}
END_TEST

/* The edges of every field. Each row is judged by the decoder (with a good CRC) and by the encoder. */
static const struct Edge {
        const char *title;
        VlpFrame frame;
        VlpError expected;
} edges[] = {
        { "everything zero but the pid", { .pid = 2 }, VLP_ERROR_NONE },
        { "the largest pid", { .pid = UINT32_MAX }, VLP_ERROR_NONE },
        { "pid 1", { .pid = 1 }, VLP_ERROR_BAD_PID },
        { "pid 0", { .pid = 0 }, VLP_ERROR_BAD_PID },
        { "the last timestamp", { .pid = 2, .timestamp = UINT64_MAX - 1 }, VLP_ERROR_NONE },
        { "the timestamp that is none", { .pid = 2, .timestamp = UINT64_MAX }, VLP_ERROR_BAD_TIMESTAMP },
        { "the last regular nonce", { .pid = 2, .nonce = UINT64_MAX - 1 }, VLP_ERROR_NONE },
        { "critical at the last regular nonce",
          { .pid = 2, .nonce = UINT64_MAX - 1, .status = VLP_STATUS_CRITICAL },
          VLP_ERROR_NONE },
        { "a terminal frame",
          { .pid = 2, .nonce = UINT64_MAX, .status = VLP_STATUS_CRITICAL },
          VLP_ERROR_NONE },
        { "the terminal nonce with ok", { .pid = 2, .nonce = UINT64_MAX }, VLP_ERROR_BAD_NONCE },
        { "the terminal nonce with degraded",
          { .pid = 2, .nonce = UINT64_MAX, .status = VLP_STATUS_DEGRADED },
          VLP_ERROR_BAD_NONCE },
        { "stall", { .pid = 2, .status = VLP_STATUS_STALL }, VLP_ERROR_STALL_ON_WIRE },
        { "the first status that is none", { .pid = 2, .status = 4 }, VLP_ERROR_BAD_STATUS },
        { "the last status that is none", { .pid = 2, .status = UINT8_MAX }, VLP_ERROR_BAD_STATUS },
        { "the largest payload", { .pid = 2, .payload = UINT32_MAX }, VLP_ERROR_NONE },
};

START_TEST(test_edge) {
        const struct Edge *edge = edges + _i;
        uint8_t wire[VLP_FRAME_SIZE], by_hand[VLP_FRAME_SIZE] = "VA\2";
        VlpFrame frame;

        by_hand[VLP_OFFSET_STATUS] = edge->frame.status;
        for (int i = 0; i < 8; i++) {
                if (i < 4) {
                        by_hand[VLP_OFFSET_PID + i] = (uint8_t) (edge->frame.pid >> (8 * i));
                        by_hand[VLP_OFFSET_PAYLOAD + i] = (uint8_t) (edge->frame.payload >> (8 * i));
                }
                by_hand[VLP_OFFSET_TIMESTAMP + i] = (uint8_t) (edge->frame.timestamp >> (8 * i));
                by_hand[VLP_OFFSET_NONCE + i] = (uint8_t) (edge->frame.nonce >> (8 * i));
        }
        wire_seal(by_hand);

        ck_assert_int_eq(vlp_frame_decode(by_hand, &frame), edge->expected);
        if (edge->expected == VLP_ERROR_NONE) {
                frame_assert_equal(&frame, &edge->frame);
                ck_assert_int_eq(vlp_frame_encode(&edge->frame, wire), 0);
                ck_assert_mem_eq(wire, by_hand, VLP_FRAME_SIZE);
        } else {
                uint8_t untouched[VLP_FRAME_SIZE];

                memset(wire, 0x5a, sizeof(wire));
                memset(untouched, 0x5a, sizeof(untouched));
                ck_assert_int_eq(vlp_frame_encode(&edge->frame, wire), -EINVAL);
                ck_assert_mem_eq(wire, untouched, VLP_FRAME_SIZE);
        }
}
END_TEST

START_TEST(test_portable) {
        uint8_t hardware[VLP_FRAME_SIZE], portable[VLP_FRAME_SIZE];
        VlpFrame frame;

        ck_assert_int_eq(vlp_crc32c_use(vlp_crc32c_best()), 0);
        ck_assert_int_eq(vlp_frame_encode(&sample, hardware), 0);

        ck_assert_int_eq(vlp_crc32c_use(VLP_CRC32C_PORTABLE), 0);
        ck_assert_int_eq(vlp_frame_encode(&sample, portable), 0);
        ck_assert_mem_eq(hardware, portable, VLP_FRAME_SIZE);
        ck_assert_int_eq(vlp_frame_decode(hardware, &frame), VLP_ERROR_NONE);

        ck_assert_int_eq(vlp_crc32c_use(vlp_crc32c_best()), 0);
        ck_assert_int_eq(vlp_frame_decode(portable, &frame), VLP_ERROR_NONE);
}
END_TEST

START_TEST(test_nonce_next) {
        static const uint64_t steps[][2] = {
                { 0, 1 },
                { 1, 2 },
                { UINT32_MAX, UINT64_C(1) << 32 },
                { UINT64_MAX - 3, UINT64_MAX - 2 },
                { UINT64_MAX - 2, UINT64_MAX - 1 },
                { UINT64_MAX - 1, 0 },
                { UINT64_MAX, 0 }, /* not a regular nonce; nothing follows it but a beginning */
        };

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
                ck_assert_uint_eq(vlp_nonce_next(steps[i][0]), steps[i][1]);
}
END_TEST

START_TEST(test_terminal) {
        VlpFrame frame = sample;

        ck_assert(!vlp_frame_is_terminal(&frame));
        frame.nonce = UINT64_MAX - 1;
        ck_assert(!vlp_frame_is_terminal(&frame));
        frame.nonce = UINT64_MAX;
        ck_assert(vlp_frame_is_terminal(&frame));
}
END_TEST

START_TEST(test_names) {
        static const char *const errors[] = { "BadMagic",    "BadVersion", "BadCrc",       "BadStatus",
                                              "StallOnWire", "BadPid",     "BadTimestamp", "BadNonce" };
        static const char *const statuses[] = { "ok", "degraded", "critical", "stall" };

        ck_assert_int_eq(_VLP_ERROR_MAX, 1 + sizeof(errors) / sizeof(errors[0]));
        for (VlpError e = VLP_ERROR_BAD_MAGIC; e < _VLP_ERROR_MAX; e++) {
                ck_assert_str_eq(vlp_error_to_string(e), errors[e - 1]);
                ck_assert_int_eq(vlp_error_from_string(errors[e - 1]), e);
        }

        ck_assert_int_eq(_VLP_STATUS_MAX, sizeof(statuses) / sizeof(statuses[0]));
        for (VlpStatus s = VLP_STATUS_OK; s < _VLP_STATUS_MAX; s++) {
                ck_assert_str_eq(vlp_status_to_string(s), statuses[s]);
                ck_assert_int_eq(vlp_status_from_string(statuses[s]), s);
        }

        ck_assert_ptr_null(vlp_error_to_string(VLP_ERROR_NONE));
        ck_assert_ptr_null(vlp_error_to_string(_VLP_ERROR_MAX));
        ck_assert_ptr_null(vlp_error_to_string(_VLP_ERROR_INVALID));
        ck_assert_ptr_null(vlp_status_to_string(_VLP_STATUS_MAX));
        ck_assert_ptr_null(vlp_status_to_string(_VLP_STATUS_INVALID));

        static const char *const strangers[] = { NULL, "", "badmagic", "BadMagic ", "None", "OK", "okay" };
        for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
                ck_assert_int_eq(vlp_error_from_string(strangers[i]), _VLP_ERROR_INVALID);
                ck_assert_int_eq(vlp_status_from_string(strangers[i]), _VLP_STATUS_INVALID);
        }
}
END_TEST

typedef struct Row {
        const char *title;
        const TTest *test;
} Row;

int main(void) {
        const Row rows[] = {
                { "every field is where the protocol says, little-endian", test_layout },
                { "what is encoded decodes to itself", test_round_trip },
                { "what decodes encodes to the bytes it came from", test_decoded_is_canonical },
                { "every single flipped bit of a frame is refused", test_bit_flips },
                { "one magic and one version are accepted", test_every_magic_and_version },
                { "either kind of CRC accepts the other's frames", test_portable },
                { "nonces rise by one and skip the terminal one", test_nonce_next },
                { "the last nonce of all marks a terminal frame", test_terminal },
                { "errors and statuses have the protocol's names", test_names },
        };
        Suite *s = suite_create("vlp-frame");
        SRunner *runner;
        int n_failed;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_add_test(tc, rows[i].test);
                suite_add_tcase(s, tc);
        }
        for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
                TCase *tc = tcase_create(edges[i].title);

                tcase_add_loop_test(tc, test_edge, (int) i, (int) i + 1);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
