/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every kind of CRC-32C against a bit-by-bit computation that is too simple to be wrong, and the choice
 * between the kinds.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vlp/crc32c.h"

/* Long enough for many steps of eight bytes with every length of tail behind them. */
#define LENGTH_MAX 300

/* All offsets within a cache line's worth of vector alignments. */
#define ALIGNMENT_MAX 16

static uint32_t crc32c_bitwise(const uint8_t *p, size_t n) {
        uint32_t crc = 0xffffffff;

        for (size_t i = 0; i < n; i++) {
                crc ^= p[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
        }

        return crc ^ 0xffffffff;
}

/* xorshift64*: the same bytes in every run, so that a failure can be repeated. */
static uint64_t random_next(uint64_t *state) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static VlpCrc32cFunc kind_get(VlpCrc32cKind kind) {
        VlpCrc32cFunc func = vlp_crc32c_get(kind);

        if (!func)
                printf("Not tested here: kind '%s', which this machine does not have.\n",
                       vlp_crc32c_kind_to_string(kind));
        return func;
}

START_TEST(test_lengths_and_alignments) {
        VlpCrc32cFunc func = kind_get((VlpCrc32cKind) _i);
        uint8_t data[LENGTH_MAX + ALIGNMENT_MAX];
        uint64_t state = 42;

        if (!func)
                return;

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) random_next(&state);

        for (size_t alignment = 0; alignment < ALIGNMENT_MAX; alignment++)
                for (size_t n = 0; n <= LENGTH_MAX; n++)
                        ck_assert_msg(func(data + alignment, n) == crc32c_bitwise(data + alignment, n),
                                      "%zu bytes at alignment %zu", n, alignment);
}
END_TEST

START_TEST(test_random) {
        VlpCrc32cFunc func = kind_get((VlpCrc32cKind) _i);
        static uint8_t data[8192];
        uint64_t state = 4711;

        if (!func)
                return;

        for (int round = 0; round < 500; round++) {
                size_t start = random_next(&state) % 64;
                size_t n = random_next(&state) % (sizeof(data) - start);

                for (size_t i = 0; i < n; i++)
                        data[start + i] = (uint8_t) random_next(&state);

                ck_assert_uint_eq(func(data + start, n), crc32c_bitwise(data + start, n));
        }
}
END_TEST

/* Any error in a table entry shows here: every byte value at every place of a step. */
START_TEST(test_every_byte_everywhere) {
        VlpCrc32cFunc func = kind_get((VlpCrc32cKind) _i);
        uint8_t data[28];

        if (!func)
                return;

        for (size_t place = 0; place < sizeof(data); place++)
                for (int value = 0; value < 256; value++) {
                        memset(data, 0, sizeof(data));
                        data[place] = (uint8_t) value;
                        ck_assert_msg(func(data, sizeof(data)) == crc32c_bitwise(data, sizeof(data)),
                                      "value %d at %zu", value, place);
                }
}
END_TEST

START_TEST(test_nothing) {
        for (VlpCrc32cKind kind = 0; kind < _VLP_CRC32C_KIND_MAX; kind++) {
                VlpCrc32cFunc func = kind_get(kind);

                if (func)
                        ck_assert_uint_eq(func(NULL, 0), 0);
        }
}
END_TEST

START_TEST(test_choice) {
        VlpCrc32cKind best = vlp_crc32c_best();

        ck_assert_ptr_nonnull(vlp_crc32c_get(best));
        ck_assert_ptr_nonnull(vlp_crc32c_get(VLP_CRC32C_PORTABLE));
        ck_assert_uint_eq(vlp_crc32c("123456789", 9), 0xe3069283);

        for (VlpCrc32cKind kind = 0; kind < _VLP_CRC32C_KIND_MAX; kind++) {
                ck_assert_int_eq(vlp_crc32c_use(kind), vlp_crc32c_get(kind) ? 0 : -EOPNOTSUPP);
                ck_assert_uint_eq(vlp_crc32c("123456789", 9), 0xe3069283);
                ck_assert_ptr_nonnull(vlp_crc32c_kind_to_string(kind));
        }

        ck_assert_int_eq(vlp_crc32c_use(_VLP_CRC32C_KIND_MAX), -EINVAL);
        ck_assert_int_eq(vlp_crc32c_use(_VLP_CRC32C_KIND_INVALID), -EINVAL);
        ck_assert_ptr_null(vlp_crc32c_get(_VLP_CRC32C_KIND_MAX));
        ck_assert_ptr_null(vlp_crc32c_get(_VLP_CRC32C_KIND_INVALID));
        ck_assert_ptr_null(vlp_crc32c_kind_to_string(_VLP_CRC32C_KIND_MAX));
        ck_assert_ptr_null(vlp_crc32c_kind_to_string(_VLP_CRC32C_KIND_INVALID));
        ck_assert_int_eq(vlp_crc32c_use(best), 0);
}
END_TEST

typedef struct Row {
        const char *title;
        const TTest *test;
        int begin, end;
} Row;

int main(void) {
        const Row rows[] = {
                { "every kind is right for every short length at every alignment",
                  test_lengths_and_alignments, 0, _VLP_CRC32C_KIND_MAX },
                { "every kind is right for random lengths of random bytes", test_random, 0,
                  _VLP_CRC32C_KIND_MAX },
                { "every kind is right for every byte value at every place of a frame",
                  test_every_byte_everywhere, 0, _VLP_CRC32C_KIND_MAX },
                { "the CRC of nothing is zero, and nothing may be at NULL", test_nothing, 0, 1 },
                { "any kind this machine has can be chosen, others are refused", test_choice, 0, 1 },
        };
        Suite *s = suite_create("vlp-crc32c");
        SRunner *runner;
        int n_failed;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_add_loop_test(tc, rows[i].test, rows[i].begin, rows[i].end);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
