/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The protocol's conformance vectors, read from the project's copy of them: every row of `crc32c`, `frames`
 * and `rejects` is a case of its own whose title is the row's name. Nothing is retyped here, so a row that
 * is added to the file is a test from then on.
 */

#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"
#include "vlp/crc32c.h"
#include "vlp/frame.h"

/* The longest input of a CRC vector that is worth a fixed buffer. */
#define INPUT_MAX 4096

static struct json_object *vectors;

static struct json_object *row_get(const char *list, int i) {
        return json_object_array_get_idx(json_object_object_get(vectors, list), (size_t) i);
}

START_TEST(test_crc32c) {
        struct json_object *row = row_get("crc32c", _i);
        uint8_t data[INPUT_MAX];
        size_t n = unhex(row_string(row, "input_hex"), data, sizeof(data));
        uint32_t crc = (uint32_t) strtoul(row_string(row, "crc_hex"), NULL, 16);

        ck_assert_uint_eq(vlp_crc32c(data, n), crc);

        for (VlpCrc32cKind kind = 0; kind < _VLP_CRC32C_KIND_MAX; kind++) {
                VlpCrc32cFunc func = vlp_crc32c_get(kind);

                if (func)
                        ck_assert_msg(func(data, n) == crc, "kind '%s' differs",
                                      vlp_crc32c_kind_to_string(kind));
        }
}
END_TEST

START_TEST(test_frame) {
        struct json_object *row = row_get("frames", _i);
        uint8_t wire[VLP_FRAME_SIZE], encoded[VLP_FRAME_SIZE];
        VlpStatus status = vlp_status_from_string(row_string(row, "status"));
        VlpFrame frame;

        ck_assert_uint_eq(unhex(row_string(row, "wire_hex"), wire, sizeof(wire)), VLP_FRAME_SIZE);
        ck_assert_int_ge(status, 0);

        ck_assert_int_eq(vlp_frame_decode(wire, &frame), VLP_ERROR_NONE);
        ck_assert_uint_eq(frame.status, status);
        ck_assert_uint_eq(frame.pid, row_number(row, "pid"));
        ck_assert_uint_eq(frame.timestamp, row_number(row, "timestamp"));
        ck_assert_uint_eq(frame.nonce, row_number(row, "nonce"));
        ck_assert_uint_eq(frame.payload, row_number(row, "payload"));

        ck_assert_int_eq(vlp_frame_encode(&frame, encoded), 0);
        ck_assert_mem_eq(encoded, wire, VLP_FRAME_SIZE);
}
END_TEST

START_TEST(test_reject) {
        struct json_object *row = row_get("rejects", _i);
        uint8_t wire[VLP_FRAME_SIZE];
        VlpError expected = vlp_error_from_string(row_string(row, "error"));
        union {
                VlpFrame frame;
                uint8_t bytes[sizeof(VlpFrame)];
        } out, untouched;

        ck_assert_uint_eq(unhex(row_string(row, "wire_hex"), wire, sizeof(wire)), VLP_FRAME_SIZE);
        ck_assert_int_gt(expected, VLP_ERROR_NONE);

        memset(out.bytes, 0x5a, sizeof(out.bytes));
        memset(untouched.bytes, 0x5a, sizeof(untouched.bytes));

        ck_assert_str_eq(vlp_error_to_string(vlp_frame_decode(wire, &out.frame)), row_string(row, "error"));
        ck_assert_mem_eq(out.bytes, untouched.bytes,
                         sizeof(out.bytes)); /* a refused frame is not handed out */
}
END_TEST

/* One case per row; what a row has no name for is known by its input. */
static void add_rows(Suite *s, const char *list, const TTest *test) {
        struct json_object *rows = json_object_object_get(vectors, list);

        if (!rows || json_object_array_length(rows) == 0) {
                fprintf(stderr, "%s has no '%s': nothing would be tested.\n", VLP_VECTORS_PATH, list);
                exit(EXIT_FAILURE);
        }

        for (int i = 0; i < (int) json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, (size_t) i);
                struct json_object *name = NULL;
                static char titles[256][160]; /* check keeps the pointers */
                static size_t n_titles;

                if (!json_object_object_get_ex(row, "name", &name))
                        json_object_object_get_ex(row, "input_hex", &name);
                if (n_titles == sizeof(titles) / sizeof(titles[0])) {
                        fprintf(stderr, "More vectors than this test has room for.\n");
                        exit(EXIT_FAILURE);
                }

                char *title = titles[n_titles++];

                snprintf(title, sizeof(titles[0]), "%s: '%s'", list, json_object_get_string(name));

                TCase *tc = tcase_create(title);

                tcase_add_loop_test(tc, test, i, i + 1);
                suite_add_tcase(s, tc);
        }
}

int main(void) {
        Suite *s = suite_create("vlp-vectors");
        SRunner *runner;
        int n_failed;

        vectors = json_object_from_file(VLP_VECTORS_PATH);
        if (!vectors) {
                fprintf(stderr, "Cannot read %s: %s\n", VLP_VECTORS_PATH, json_util_get_last_err());
                return EXIT_FAILURE;
        }

        add_rows(s, "crc32c", test_crc32c);
        add_rows(s, "frames", test_frame);
        add_rows(s, "rejects", test_reject);

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        json_object_put(vectors);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
