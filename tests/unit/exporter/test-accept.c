/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Headers: which form is wanted, and whether the token is the right one. */

#include <string.h>

#include "exporter/accept.h"
#include "support.h"

#define OPENMETRICS "application/openmetrics-text"

START_TEST(test_accept) {
        static const struct {
                const char *title, *header;
                MetricsForm form;
        } cases[] = {
                { "no header", NULL, METRICS_TEXT_0_0_4 },
                { "an empty one", "", METRICS_TEXT_0_0_4 },
                { "anything", "*/*", METRICS_TEXT_0_0_4 },
                { "plain text", "text/plain", METRICS_TEXT_0_0_4 },
                { "OpenMetrics", OPENMETRICS, METRICS_OPENMETRICS },
                { "in other letters", "Application/OpenMetrics-Text", METRICS_OPENMETRICS },
                { "its version", OPENMETRICS ";version=1.0.0", METRICS_OPENMETRICS },
                { "its version in quotes", OPENMETRICS "; version=\"1.0.0\"", METRICS_OPENMETRICS },
                { "another version", OPENMETRICS ";version=0.0.1", METRICS_TEXT_0_0_4 },
                { "what Prometheus sends",
                  OPENMETRICS ";version=1.0.0," OPENMETRICS
                              ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                  METRICS_OPENMETRICS },
                { "both alike", OPENMETRICS ", text/plain", METRICS_OPENMETRICS },
                { "rather plain text", OPENMETRICS ";q=0.5, text/plain;q=0.6", METRICS_TEXT_0_0_4 },
                { "rather OpenMetrics", OPENMETRICS ";q=0.501, text/plain;q=0.5", METRICS_OPENMETRICS },
                { "the precise word beats the wildcard", OPENMETRICS ";q=0.5, text/plain;q=0.4, */*;q=0.9",
                  METRICS_OPENMETRICS },
                { "rather any text", OPENMETRICS ";q=0.5, text/*;q=0.9", METRICS_TEXT_0_0_4 },
                { "not OpenMetrics", OPENMETRICS ";q=0", METRICS_TEXT_0_0_4 },
                { "blanks and tabs", " \t" OPENMETRICS "\t; q = 0.9 \t, text/plain ; q=0.1 ",
                  METRICS_OPENMETRICS },
                { "a quoted comma", "text/html;x=\"a, " OPENMETRICS "\"", METRICS_TEXT_0_0_4 },
                { "a quoted quote", "text/html;x=\"\\\"\", " OPENMETRICS, METRICS_OPENMETRICS },
                { "a quote that does not end", "text/html;x=\"a, " OPENMETRICS, METRICS_TEXT_0_0_4 },
                { "a weight that is none", OPENMETRICS ";q=high", METRICS_TEXT_0_0_4 },
                { "a weight above one", OPENMETRICS ";q=1.001", METRICS_TEXT_0_0_4 },
                { "a weight with too many digits", OPENMETRICS ";q=0.1234", METRICS_TEXT_0_0_4 },
                { "an empty weight", OPENMETRICS ";q=", METRICS_TEXT_0_0_4 },
                { "a longer word", OPENMETRICS "s", METRICS_TEXT_0_0_4 },
                { "commas", ",,;,=,;=," OPENMETRICS, METRICS_OPENMETRICS },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(accept_choose(cases[i].header) == cases[i].form, "%s", cases[i].title);
}
END_TEST

START_TEST(test_bearer) {
        static const struct {
                const char *header, *token;
        } cases[] = {
                { NULL, NULL },           { "", NULL },
                { "Bearer", NULL },       { "Bearer ", NULL },
                { "Bearer  \t", NULL },   { "Bearerabc", NULL },
                { "Basic abc", NULL },    { "Bearer abc", "abc" },
                { "bearer\tabc", "abc" }, { "BEARER   abc  ", "abc" },
                { "Bearer a b", "a b" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t size = 4711;
                const char *found = bearer_find(cases[i].header, &size);

                if (!cases[i].token) {
                        ck_assert_ptr_null(found);
                        ck_assert_uint_eq(size, 4711);
                        continue;
                }
                ck_assert_uint_eq(size, strlen(cases[i].token));
                ck_assert_int_eq(strncmp(found, cases[i].token, size), 0);
        }
}
END_TEST

START_TEST(test_equal) {
        static const char token[] = "0123456789abcdef";
        static const struct {
                const char *given;
                bool equal;
        } cases[] = {
                { "0123456789abcdef", true },
                { "0123456789abcdeg", false },
                { "1123456789abcdef", false },
                { "0123456789abcde", false },
                { "0123456789abcdef0123456789abcdef", false },
                { "", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(token_equal(token, strlen(token), cases[i].given, strlen(cases[i].given)) ==
                                              cases[i].equal,
                              "\"%s\"", cases[i].given);
}
END_TEST

START_TEST(test_valid) {
        static char text[TOKEN_MAX + 2];
        static const struct {
                const char *token;
                bool valid;
        } cases[] = {
                { "", false },
                { "secret", false },
                { "0123456789abcde", false },
                { "0123456789abcdef", true },
                { "0123456789ABC-._~+/==", true },
                { "================", false },
                { "01234567=89abcdef", false },
                { "0123456789 abcdef", false },
                { "0123456789abcdef\n", false },
                { "0123456789abcdef\xc3\xa9", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(token_is_valid(cases[i].token, strlen(cases[i].token)) == cases[i].valid,
                              "\"%s\"", cases[i].token);
        memset(text, 'x', TOKEN_MAX + 1);
        ck_assert(token_is_valid(text, TOKEN_MAX));
        ck_assert(!token_is_valid(text, TOKEN_MAX + 1));
        text[20] = 0;
        ck_assert(!token_is_valid(text, TOKEN_MAX));
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "the form that is wanted most", test_accept },
                { "a token is found in its header", test_bearer },
                { "tokens are equal or not, whatever their lengths", test_equal },
                { "what may be a token", test_valid },
        };

        return tests_main("exporter-accept", tests, ELEMENTSOF(tests));
}
