/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A test program is a table of rows: what is so, in a sentence, and the test that holds it. A row of a table of cases
 * has the case's index for the test's `_i`.
 */

#include <check.h>
#include <stdlib.h>

#include "util/macro.h"

/* Nothing here takes a tenth of this, unless it hangs; valgrind and busy machines included. */
#define ROW_TIMEOUT_SEC 120

typedef struct Row {
        const char *title;
        const TTest *test;
} Row;

static inline void suite_add_row(Suite *s, const char *title, const TTest *test, int i) {
        TCase *tc = tcase_create(title);

        tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
        tcase_add_loop_test(tc, test, i, i + 1);
        suite_add_tcase(s, tc);
}

static inline void suite_add_rows(Suite *s, const Row *rows, size_t n) {
        for (size_t i = 0; i < n; i++)
                suite_add_row(s, rows[i].title, rows[i].test, 0);
}

/* Returns what main() returns. */
static inline int suite_run(Suite *s) {
        SRunner *runner = srunner_create(s);
        int n_failed;

        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
