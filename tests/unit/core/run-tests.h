/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The main function that the test programs of this folder share. */

#include <check.h>

/* Runs `rows` (a loop test over n_rows, or NULL) and then each of `tests`. Returns the program's exit code. */
int run_tests(const char *name, const TTest *rows, size_t n_rows, const TTest *const *tests, size_t n_tests);

/* An assertion for inner loops: check's own write to a file even when they hold. */
#define require(condition)                                                                                  \
        do {                                                                                                \
                if (!(condition))                                                                           \
                        ck_abort_msg("%s", #condition);                                                     \
        } while (0)

#define TESTS_MAIN(name, ...)                                                                               \
        int main(void) {                                                                                    \
                const TTest *const tests[] = { __VA_ARGS__ };                                               \
                                                                                                            \
                return run_tests(name, NULL, 0, tests, sizeof(tests) / sizeof(tests[0]));                   \
        }
