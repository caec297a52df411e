/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checksums of bytes: the same everywhere, and other for other bytes. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"
#include "util/macro.h"

START_TEST(test_values) {
        static const struct {
                const char *title;
                uint64_t seed;
                const char *bytes;
                uint64_t expected;
        } rows[] = {
                { "nothing", 1, "", UINT64_C(0x5692161dbd2f29de) },
                { "a part of a word", 0, "abc", UINT64_C(0x1ebd536cf2d30f89) },
                { "a word", 0, "abcdefgh", UINT64_C(0xb4f2393010404248) },
                { "a word and a part", 7, "abcdefghi", UINT64_C(0x6ad3a244312f2942) },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_msg(hash_bytes(rows[i].seed, rows[i].bytes, strlen(rows[i].bytes)) ==
                                              rows[i].expected,
                              "%s: 0x%016llx", rows[i].title,
                              (unsigned long long) hash_bytes(rows[i].seed, rows[i].bytes,
                                                              strlen(rows[i].bytes)));
}
END_TEST

/* Every flipped bit, every cut and every other seed shows. */
START_TEST(test_differences) {
        uint8_t bytes[37];
        uint64_t whole;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) (i * 7);
        whole = hash_bytes(5, bytes, sizeof(bytes));
        ck_assert_uint_ne(hash_bytes(6, bytes, sizeof(bytes)), whole);
        for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
                bytes[bit / 8] ^= (uint8_t) (1U << (bit % 8));
                ck_assert_msg(hash_bytes(5, bytes, sizeof(bytes)) != whole, "bit %zu", bit);
                bytes[bit / 8] ^= (uint8_t) (1U << (bit % 8));
        }
        for (size_t n = 0; n < sizeof(bytes); n++)
                ck_assert_msg(hash_bytes(5, bytes, n) != whole, "cut at %zu", n);
        /* Zeroes at the end are not the same as none. */
        memset(bytes, 0, sizeof(bytes));
        for (size_t n = 1; n < sizeof(bytes); n++)
                ck_assert_uint_ne(hash_bytes(5, bytes, n), hash_bytes(5, bytes, n - 1));
}
END_TEST

/* Where the bytes lie makes no difference. */
START_TEST(test_alignment) {
        uint8_t room[64];

        for (size_t at = 0; at < 8; at++) {
                memcpy(room + at, "nineteen characters", sizeof("nineteen characters"));
                ck_assert_uint_eq(hash_bytes(1, room + at, 19), hash_bytes(1, "nineteen characters", 19));
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("util-hash");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_values);
        tcase_add_test(tcase, test_differences);
        tcase_add_test(tcase, test_alignment);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
