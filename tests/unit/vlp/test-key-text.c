/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys in text: what is read, and every way to get it wrong.
 */

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vlp/key-text.h"

#define TEN    "0123456789"
#define KEY_63 "abcdefABCDEFab" TEN TEN TEN TEN "012345678"
#define KEY    KEY_63 "9"
#define LINE   KEY "\n"

static const struct Row {
        const char *title;
        const char *text;
        int expected;
} rows[] = {
        { "one key", LINE, 1 },
        { "one key without a newline", KEY, 1 },
        { "two keys", LINE LINE, 2 },
        { "two keys, the last one without a newline", LINE KEY, 2 },
        { "as many keys as are allowed", LINE LINE LINE LINE LINE LINE LINE LINE, 8 },
        { "the same without a newline", LINE LINE LINE LINE LINE LINE LINE KEY, 8 },
        { "one key too many", LINE LINE LINE LINE LINE LINE LINE LINE KEY, -E2BIG },
        { "one line too many", LINE LINE LINE LINE LINE LINE LINE LINE "\n", -E2BIG },
        { "nothing", "", -ENODATA },
        { "an empty line", "\n", -EBADMSG },
        { "an empty line in front", "\n" LINE, -EBADMSG },
        { "an empty line at the end", LINE "\n", -EBADMSG },
        { "an empty line in between", LINE "\n" LINE, -EBADMSG },
        { "a digit too few", KEY_63 "\n", -EBADMSG },
        { "a digit too few without a newline", KEY_63, -EBADMSG },
        { "a digit too many", KEY "0\n", -EBADMSG },
        { "two keys in one line", KEY KEY, -EBADMSG },
        { "a bad second key", LINE KEY_63 "g\n", -EBADMSG },
        { "a letter behind f", KEY_63 "g", -EBADMSG },
        { "a letter behind F", KEY_63 "G", -EBADMSG },
        { "what is in front of 0", KEY_63 "/", -EBADMSG },
        { "what is behind 9", KEY_63 ":", -EBADMSG },
        { "what is in front of A", KEY_63 "@", -EBADMSG },
        { "what is in front of a", KEY_63 "`", -EBADMSG },
        { "a blank", KEY_63 " ", -EBADMSG },
        { "a blank in front", " " LINE, -EBADMSG },
        { "a blank at the end", KEY " \n", -EBADMSG },
        { "a carriage return", KEY "\r\n", -EBADMSG },
        { "a prefix", "0x" LINE, -EBADMSG },
        { "a sign", "-" KEY_63, -EBADMSG },
        { "a comment", "# " LINE, -EBADMSG },
        { "a letter of another script", KEY_63 "\xc3\xa9", -EBADMSG },
};

START_TEST(test_row) {
        static const uint8_t key[VLP_KEY_SIZE] = {
                0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0xab, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67,
                0x89, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67, 0x89,
        };
        uint8_t keys[VLP_KEYS_MAX][VLP_KEY_SIZE], untouched[VLP_KEYS_MAX][VLP_KEY_SIZE];
        size_t size = strlen(rows[_i].text);
        char *text = malloc(size > 0 ? size : 1); /* ends exactly where the text ends */
        int n;

        ck_assert_ptr_nonnull(text);
        memcpy(text, rows[_i].text, size);
        memset(keys, 0x5a, sizeof(keys));
        memset(untouched, 0x5a, sizeof(untouched));

        n = vlp_keys_parse(text, size, keys);
        free(text);
        ck_assert_int_eq(n, rows[_i].expected);

        n = n < 0 ? 0 : n;
        for (int i = 0; i < n; i++)
                ck_assert_mem_eq(keys[i], key, VLP_KEY_SIZE);
        ck_assert_mem_eq(keys + n, untouched + n, (size_t) (VLP_KEYS_MAX - n) * VLP_KEY_SIZE);
}
END_TEST

/* Every byte in the place of a digit, against libc's opinion of it; NUL among them. */
START_TEST(test_every_byte) {
        static const char digits[] = "0123456789abcdef";

        for (int c = 0; c <= UINT8_MAX; c++) {
                char text[VLP_KEY_DIGITS];
                uint8_t keys[VLP_KEYS_MAX][VLP_KEY_SIZE];
                const char *digit = c ? strchr(digits, c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c) : NULL;

                memset(text, '0', sizeof(text));
                text[1] = (char) c;
                ck_assert_int_eq(vlp_keys_parse(text, sizeof(text), keys), digit ? 1 : -EBADMSG);
                if (digit)
                        ck_assert_uint_eq(keys[0][0], digit - digits);
        }
}
END_TEST

START_TEST(test_order) {
        char text[VLP_KEY_TEXT_MAX + 1];
        uint8_t keys[VLP_KEYS_MAX][VLP_KEY_SIZE];

        for (int i = 0; i < VLP_KEYS_MAX; i++)
                ck_assert_int_eq(snprintf(text + i * (VLP_KEY_DIGITS + 1), VLP_KEY_DIGITS + 2, "%064x\n", i + 1),
                                 VLP_KEY_DIGITS + 1);

        ck_assert_int_eq(vlp_keys_parse(text, VLP_KEY_TEXT_MAX, keys), VLP_KEYS_MAX);
        for (int i = 0; i < VLP_KEYS_MAX; i++)
                ck_assert_uint_eq(keys[i][VLP_KEY_SIZE - 1], i + 1);
}
END_TEST

int main(void) {
        Suite *s = suite_create("vlp-key-text");
        SRunner *runner;
        int n_failed;

        for (int i = 0; i < (int) (sizeof(rows) / sizeof(rows[0])); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_add_loop_test(tc, test_row, i, i + 1);
                suite_add_tcase(s, tc);
        }

        TCase *tc = tcase_create("every byte in the place of a digit");
        tcase_add_test(tc, test_every_byte);
        suite_add_tcase(s, tc);
        tc = tcase_create("keys come in the order of their lines");
        tcase_add_test(tc, test_order);
        suite_add_tcase(s, tc);

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
