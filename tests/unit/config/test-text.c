/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The form of the file: comments, continuations, blanks, headers, and lines that are no text. */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

/* Text with its length, for NUL bytes. */
#define TEXT(s) (s), sizeof(s) - 1

static void load_bytes(Loaded *l, const char *text, size_t size) {
        *l = (Loaded){};
        ck_assert_int_eq(config_new(&l->config), 0);
        ck_assert_int_eq(config_add_text(l->config, "a.conf", text, size, collect_message, l), 0);
        ck_assert_int_eq(config_finish(l->config, collect_message, l), 0);
}

static const struct {
        const char *title, *text;
        size_t size;
        const char *expected; /* of [Observer] StallThresholdSec= */
        const char *messages;
} forms[] = {
        { "an assignment", TEXT("[Observer]\nStallThresholdSec=2s\n"), "2s", "" },
        { "without a line end at the end", TEXT("[Observer]\nStallThresholdSec=2s"), "2s", "" },
        { "with the line ends of other systems", TEXT("[Observer]\r\nStallThresholdSec=2s\r\n"), "2s", "" },
        { "with a byte order mark", TEXT("\xef\xbb\xbf[Observer]\nStallThresholdSec=2s\n"), "2s", "" },
        { "with blanks everywhere", TEXT(" \t[ Observer ]\t\n\t StallThresholdSec \t= \t2s \t\n"), "2s",
          "" },
        { "comments stand on their own lines",
          TEXT("# one\n; two\n  # "
               "three\n[Observer]\n;StallThresholdSec=1s\nStallThresholdSec=2s\n#\n"),
          "2s", "" },
        { "a value may have comment signs and equals signs in it",
          TEXT("[Observer]\nStallThresholdSec=2s # two\nStallThresholdSec=a=b\n"), "5s",
          "E a.conf:2: [Observer] StallThresholdSec=2s # two: This is not a time span; allowed: a "
          "time span "
          "from 10ms to 1d\n"
          "E a.conf:3: [Observer] StallThresholdSec=a=b: This is not a time span; allowed: a time "
          "span from "
          "10ms to 1d\n" },
        { "a backslash continues the line", TEXT("[Observer]\nStallThresholdSec=1min \\\n  30s\n"),
          "1min 30s", "" },
        { "even between key and value", TEXT("[Observer]\nStallThresholdSec\\\n=\\\n2s\n"), "2s", "" },
        { "comments are left out of a continued line",
          TEXT("[Observer]\nStallThresholdSec=1min \\\n# half\n; more\n30s\n"), "1min 30s", "" },
        { "a blank line ends a continued line", TEXT("[Observer]\nStallThresholdSec=2s \\\n\n"), "2s", "" },
        { "so does the end of the file", TEXT("[Observer]\nStallThresholdSec=2s \\"), "2s", "" },
        { "a continued line with the line ends of other systems",
          TEXT("[Observer]\r\nStallThresholdSec=1min \\\r\n30s\r\n"), "1min 30s", "" },
        { "two backslashes do not continue", TEXT("[Observer]\nStallThresholdSec=2s\\\\\nRecheckSec=1s\n"),
          "5s",
          "E a.conf:2: [Observer] StallThresholdSec=2s\\\\: This is not a time span; allowed: a "
          "time span from "
          "10ms to 1d\n"
          "W a.conf:3: [Observer] RecheckSec=1s: There is no such key in this section, it is passed "
          "over; it "
          "belongs to [Recovery]\n" },
        { "a comment is never continued", TEXT("[Observer]\n# \\\nStallThresholdSec=2s\n"), "2s", "" },
        { "a message has the line where the value begins",
          TEXT("\n[Observer]\n\nStallThresholdSec=\\\n\\\n2x\n"), "5s",
          "E a.conf:4: [Observer] StallThresholdSec=2x: This is not a time span; allowed: a time "
          "span from "
          "10ms to 1d\n" },
        { "lines of nothing but backslashes are blank",
          TEXT("\\\n\\\n\n\\\n[Observer]\nStallThresholdSec=2s"), "2s", "" },
        { "a NUL byte costs its line",
          TEXT("[Observer]\nStallThresholdSec=2s\nCapacity=1\0"
               "2\nRubbish"),
          "2s",
          "E a.conf:3: There is a NUL byte in this line; it is passed over\n"
          "E a.conf:4: [Observer] \"Rubbish\": This is neither a [section] nor an assignment "
          "(Key=value)\n" },
        { "a NUL byte is found in comments, too", TEXT("#\0\0\0\0"), "5s",
          "E a.conf:1: There is a NUL byte in this line; it is passed over\n" },
        { "bytes that are no text cost their line", TEXT("[Observer]\n\xff\xfe=1\nStallThresholdSec=2s\n"),
          "2s", "E a.conf:2: This line is not valid UTF-8; it is passed over\n" },
        { "but not in a comment", TEXT("# caf\xe9\n[Observer]\nStallThresholdSec=2s\n"), "2s", "" },
        { "a bad line takes its continuation with it, and names where the trouble is",
          TEXT("[Observer]\nStallThresholdSec=1min \\\n\xff \\\n30s\nCapacity=1\n"), "5s",
          "E a.conf:3: This line is not valid UTF-8; it is passed over\n" },
        { "escape sequences in a value are not passed on", TEXT("[Observer]\nStallThresholdSec=\x1b[2J\n"),
          "5s",
          "E a.conf:2: [Observer] StallThresholdSec=\\x1b[2J: This is not a time span; allowed: a "
          "time span "
          "from 10ms to 1d\n" },
        { "a word that is no assignment", TEXT("[Observer]\nStallThresholdSec\n"), "5s",
          "E a.conf:2: [Observer] \"StallThresholdSec\": This is neither a [section] nor an "
          "assignment "
          "(Key=value)\n" },
        { "an assignment to nothing", TEXT("[Observer]\n=2s\n"), "5s",
          "E a.conf:2: [Observer] \"\": There is no key in front of the '='\n" },
        { "an assignment outside of any section", TEXT("StallThresholdSec=2s\n[Observer]\n"), "5s",
          "E a.conf:1: StallThresholdSec=2s: This assignment stands outside of any section; "
          "allowed: a section "
          "first, such as [Observer]\n" },
        { "a header that is not closed", TEXT("[Observer\nStallThresholdSec=2s\n"), "5s",
          "E a.conf:1: \"[Observer\": The closing ']' of the section is missing; the section is "
          "passed over; "
          "allowed: [Observer], [Recovery], [Listener NAME], [Unit GLOB]\n" },
        { "a header that is nothing but a bracket", TEXT("["), "5s",
          "E a.conf:1: \"[\": The closing ']' of the section is missing; the section is passed "
          "over; allowed: "
          "[Observer], [Recovery], [Listener NAME], [Unit GLOB]\n" },
        { "a comment behind a header", TEXT("[Observer] # mine\nStallThresholdSec=2s\n"), "5s",
          "E a.conf:1: \"[Observer] # mine\": There is something behind the closing ']' of the "
          "section; the "
          "section is passed over; allowed: [Observer], [Recovery], [Listener NAME], [Unit "
          "GLOB]\n" },
        { "an empty header", TEXT("[]\nStallThresholdSec=2s\n"), "5s",
          "W a.conf:1: [] There is no such section, it is passed over; allowed: [Observer], "
          "[Recovery], "
          "[Listener NAME], [Unit GLOB]\n" },
        { "nothing", TEXT(""), "5s", "" },
        { "blank lines", TEXT("\n\n \t\n\r\n"), "5s", "" },
};

START_TEST(test_forms) {
        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                _cleanup_loaded_ Loaded l = {};

                load_bytes(&l, forms[i].text, forms[i].size);
                ck_assert_msg(strcmp(l.messages, forms[i].messages) == 0, "%s:\n%s", forms[i].title,
                              l.messages);
                ck_assert_msg(strcmp(value_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL),
                                     forms[i].expected) == 0,
                              "%s", forms[i].title);
        }
}
END_TEST

/* 8,191 bytes are a line, 8,192 are not, and what follows is read in either case. */
START_TEST(test_long_lines) {
        static char text[64 * 1024];

        for (size_t length = 8190; length <= 8193; length++) {
                _cleanup_loaded_ Loaded l = {};
                size_t n;

                n = (size_t) snprintf(text, sizeof(text), "[Observer]\nCapacity=");
                memset(text + n, ' ', length - strlen("Capacity=") - 1);
                n += length - strlen("Capacity=") - 1;
                n += (size_t) snprintf(text + n, sizeof(text) - n, "7\nStallThresholdSec=2s\n");

                load_bytes(&l, text, n);
                ck_assert_str_eq(value_of(&l, CONFIG_OBSERVER, "Capacity", NULL),
                                 length <= 8191 ? "7" : "4096");
                ck_assert_str_eq(value_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL), "2s");
                ck_assert_str_eq(l.messages, length <= 8191 ? ""
                                                            : "E a.conf:2: This line is longer than 8191 "
                                                              "bytes; it is passed over\n");
        }
}
END_TEST

START_TEST(test_long_continuation) {
        _cleanup_loaded_ Loaded l = {};
        static char text[64 * 1024];
        size_t n;

        n = (size_t) snprintf(text, sizeof(text), "[Observer]\nCapacity=\\\n");
        for (unsigned i = 0; i < 1000; i++)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "0000000000\\\n");
        n += (size_t) snprintf(text + n, sizeof(text) - n, "7\nStallThresholdSec=2s\n");

        load_bytes(&l, text, n);
        ck_assert_str_eq(value_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL), "2s");
        ck_assert_str_eq(l.messages,
                         "E a.conf:746: This line is longer than 8191 bytes; it is passed over\n");
}
END_TEST

START_TEST(test_message_is_cut_to_the_buffer) {
        ConfigMessage message = {
                .level = CONFIG_ERROR,
                .file = "f",
                .line = 1,
                .section = "S",
                .key = "K",
                .value = "v",
                .message = "m",
                .allowed = "a",
        };
        char buf[64];

        ck_assert_str_eq(config_message_format(&message, buf, sizeof(buf)), "f:1: [S] K=v: m; allowed: a");
        ck_assert_str_eq(config_message_format(&message, buf, 8), "f:1: [S");
        message = (ConfigMessage){ .level = CONFIG_WARNING, .file = "f", .message = "m" };
        ck_assert_str_eq(config_message_format(&message, buf, sizeof(buf)), "f: m");
}
END_TEST

/* A file that is something else altogether: everything counts, fifty messages are enough. */
START_TEST(test_one_message_too_many) {
        _cleanup_loaded_ Loaded l = {};
        static char text[1024];
        size_t n = 0;

        for (unsigned i = 0; i < 51; i++)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "rubbish\n");

        load_bytes(&l, text, n);
        ck_assert_ptr_nonnull(strstr(l.messages, "\nW a.conf: There is 1 more message about this file\n"));
}
END_TEST

START_TEST(test_messages_are_limited) {
        _cleanup_loaded_ Loaded l = {};
        static char text[64 * 1024];
        size_t n = 0;

        for (unsigned i = 0; i < 1000; i++)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "rubbish\n");

        load_bytes(&l, text, n);
        ck_assert_uint_eq(config_n_errors(l.config), 1000);
        ck_assert_uint_eq(l.n_messages, 51);
        ck_assert_ptr_nonnull(
                        strstr(l.messages, "\nW a.conf: There are 950 more messages about this file\n"));
}
END_TEST

/* No text whatever may be more than complained about. */
START_TEST(test_random_text) {
        static const char *const pieces[] = {
                "[",           "]",        "Unit ",
                "Observer",    "Recovery", "Listener ",
                "\n",          "\n",       "\n",
                "=",           "Mode",     "enforce",
                "*",           ".service", "StallThresholdSec",
                "5s",          "..",       "\\",
                "#",           ";",        " ",
                "Protected",   "[a-z]",    "ForgetSec",
                "1/s",         "%",        "\xff",
                "Quorum",      "Action",   "start:",
                "varta-x@%i",  "KeyFile",  "Capacity",
                "-1",          "1M",       "\r",
                "a",           "b@",       "?",
                "GlobalRate",  "auto",     "RestartBackoffSec",
                "CaptureUnit",
        };
        uint64_t state = 88172645463325252;

        for (unsigned i = 0; i < 20000; i++) {
                _cleanup_loaded_ Loaded l = {};
                char text[512];
                size_t n = 0;

                while (n + 32 < sizeof(text)) {
                        const char *piece;

                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        if (state % 97 == 0)
                                break;
                        if (state % 89 == 0) {
                                text[n++] = (char) (state >> 32);
                                continue;
                        }
                        piece = pieces[(state >> 20) % ELEMENTSOF(pieces)];
                        for (; *piece; piece++)
                                text[n++] = *piece;
                }
                load_bytes(&l, text, n);
                (void) value_of(&l, CONFIG_UNIT, "Mode", "a.service");
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("config-text");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_forms);
        tcase_add_test(tcase, test_long_lines);
        tcase_add_test(tcase, test_long_continuation);
        tcase_add_test(tcase, test_message_is_cut_to_the_buffer);
        tcase_add_test(tcase, test_messages_are_limited);
        tcase_add_test(tcase, test_one_message_too_many);
        tcase_add_test(tcase, test_random_text);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
