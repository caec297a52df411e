/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UTF-8, the distance of words, and text made fit for a terminal. */

#include <check.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "util/macro.h"
#include "util/text.h"

START_TEST(test_utf8) {
        static const struct {
                const char *title, *text;
                size_t n;
                bool expected;
        } rows[] = {
                { "nothing", "", 0, true },
                { "ASCII", "abc", 3, true },
                { "two bytes", "\xc3\xa9", 2, true },
                { "three bytes", "\xe2\x82\xac", 3, true },
                { "four bytes", "\xf0\x9f\x92\x93", 4, true },
                { "the last code point", "\xf4\x8f\xbf\xbf", 4, true },
                { "a NUL byte", "a\0b", 3, false },
                { "a lone continuation", "\x80", 1, false },
                { "a sequence cut short", "\xe2\x82", 2, false },
                { "a sequence cut short by ASCII", "\xe2\x82 ", 3, false },
                { "an overlong slash", "\xc0\xaf", 2, false },
                { "an overlong slash in three bytes", "\xe0\x80\xaf", 3, false },
                { "an overlong slash in four bytes", "\xf0\x80\x80\xaf", 4, false },
                { "half of a surrogate pair", "\xed\xa0\x80", 3, false },
                { "beyond the last code point", "\xf4\x90\x80\x80", 4, false },
                { "a byte that never occurs", "\xff", 1, false },
                { "Latin-1", "caf\xe9", 4, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_msg(text_is_utf8(rows[i].text, rows[i].n) == rows[i].expected, "%s",
                              rows[i].title);
}
END_TEST

START_TEST(test_distance) {
        static const struct {
                const char *a, *b;
                unsigned expected;
        } rows[] = {
                { "", "", 0 },
                { "Mode", "Mode", 0 },
                { "mode", "MODE", 0 },
                { "Mode", "Modes", 1 },
                { "Mode", "Mde", 1 },
                { "Mode", "Mote", 1 },
                { "Mode", "Moed", 1 }, /* a swap is one step */
                { "", "abc", 3 },
                { "abc", "", 3 },
                { "kitten", "sitting", 3 },
                { "StallTreshold", "StallThresholdSec", 4 },
        };
        char longer[65];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ck_assert_msg(text_distance(rows[i].a, rows[i].b) == rows[i].expected, "%s, %s", rows[i].a,
                              rows[i].b);
                ck_assert_uint_eq(text_distance(rows[i].b, rows[i].a), rows[i].expected);
        }

        memset(longer, 'a', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        ck_assert_uint_eq(text_distance(longer, "a"), UINT_MAX);
        ck_assert_uint_eq(text_distance("a", longer), UINT_MAX);
        longer[63] = '\0';
        ck_assert_uint_eq(text_distance(longer, "a"), 62);
}
END_TEST

START_TEST(test_similar) {
        unsigned distance = 99;

        ck_assert(text_is_similar("StallThreshold", "StallThresholdSec", &distance));
        ck_assert_uint_eq(distance, 3);
        ck_assert(text_is_similar("Moed", "Mode", &distance));
        ck_assert(!text_is_similar("Colour", "Mode", &distance));
        ck_assert(!text_is_similar("x", "y", &distance));
        ck_assert_uint_eq(distance, 1);
}
END_TEST

START_TEST(test_printable) {
        static const struct {
                const char *title, *text, *expected;
                size_t size;
        } rows[] = {
                { "plain text stays", "abc", "abc", 64 },
                { "so does UTF-8", "\xc3\xa9\xf0\x9f\x92\x93", "\xc3\xa9\xf0\x9f\x92\x93", 64 },
                { "an escape sequence does nothing", "a\x1b[2Jb", "a\\x1b[2Jb", 64 },
                { "line ends do nothing", "a\nb\r", "a\\x0ab\\x0d", 64 },
                { "DEL does nothing", "\x7f", "\\x7f", 64 },
                { "the eight-bit control characters neither", "\xc2\x9b", "\\xc2\\x9b", 64 },
                { "a no-break space is text", "\xc2\xa0", "\xc2\xa0", 64 },
                { "bytes that are no text are shown", "caf\xe9", "caf\\xe9", 64 },
                { "what just fits is not cut", "1234567", "1234567", 8 },
                { "what does not fit ends in dots", "12345678", "1234...", 8 },
                { "a character is not cut in two",
                  "123\xe2\x82\xac"
                  "78",
                  "123...", 8 },
                { "an escape is not cut in two", "123\x01z", "123...", 8 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char buf[64];

                ck_assert_msg(strcmp(text_printable(buf, rows[i].size, rows[i].text), rows[i].expected) == 0,
                              "%s: %s", rows[i].title, buf);
        }
}
END_TEST

START_TEST(test_printable_never_overflows) {
        uint64_t state = 88172645463325252;

        for (unsigned i = 0; i < 50000; i++) {
                char text[24], buf[24];
                size_t size;

                for (size_t k = 0; k < sizeof(text); k++) {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        /* Mostly lead and continuation bytes, and now and then an end. */
                        text[k] = (char) (state % 9 == 0 ? 'a' : state % 31 == 0 ? 0 : 0x80 | state >> 40);
                }
                text[sizeof(text) - 1] = '\0';
                size = 8 + (size_t) (state >> 33) % (sizeof(buf) - 8);
                buf[size] = 0x55;

                ck_assert_uint_lt(strlen(text_printable(buf, size, text)), size);
                ck_assert_int_eq(buf[size], 0x55);
                ck_assert(text_is_utf8(buf, strlen(buf)));
        }
}
END_TEST

START_TEST(test_refused_option) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "listen", required_argument, NULL, 'l' },
                { "lines", required_argument, NULL, 0x100 },
                { "user", no_argument, NULL, 0x101 },
                {},
        };
        static const struct {
                const char *args[2], *expected;
        } rows[] = {
                { { "--lisen=x" }, "unknown option \"--lisen=x\" (did you mean --listen?)" },
                { { "--LINE" }, "unknown option \"--LINE\" (did you mean --lines?)" },
                { { "--colour" }, "unknown option \"--colour\"" },
                { { "--=listen" }, "unknown option \"--=listen\"" },
                { { "--li=x" }, "ambiguous option \"--li=x\"" },
                { { "-x" }, "unknown option \"-x\"" },
                { { "-xh" }, "unknown option \"-x\"" },
                { { "--user", "-xh" }, "unknown option \"-x\"" },
                { { "--user=me" }, "--user takes no value" },
                { { "--help=me" }, "--help takes no value" },
                { { "--lines" }, "--lines= needs a value" },
                { { "-l" }, "-l needs a value" },
                { { "-hl" }, "-l needs a value" },
        };

        opterr = 0;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *argv[] = { "program", (char *) rows[i].args[0], (char *) rows[i].args[1], NULL },
                     buf[128];
                int c;

                optind = 0;
                while ((c = getopt_long(rows[i].args[1] ? 3 : 2, argv, ":hl:", options, NULL)) != '?' &&
                       c != ':')
                        ck_assert_int_ge(c, 0);
                ck_assert_str_eq(text_refused_option(buf, sizeof(buf), options, argv, c), rows[i].expected);
        }
}
END_TEST

START_TEST(test_plural) {
        ck_assert_str_eq(plural(0), "s");
        ck_assert_str_eq(plural(1), "");
        ck_assert_str_eq(plural(2), "s");
        ck_assert_str_eq(plural(UINT64_MAX), "s");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("text");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_plural);
        tcase_add_test(tcase, test_refused_option);
        tcase_add_test(tcase, test_utf8);
        tcase_add_test(tcase, test_distance);
        tcase_add_test(tcase, test_similar);
        tcase_add_test(tcase, test_printable);
        tcase_add_test(tcase, test_printable_never_overflows);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
