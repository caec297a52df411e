/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One suite per program, one case per suite. */

#include <stdlib.h>

#include "run-tests.h"

/* Enough for the slowest under valgrind or a sanitizer. */
#define TIMEOUT_SECONDS 300

int run_tests(const char *name, const TTest *rows, size_t n_rows, const TTest *const *tests,
              size_t n_tests) {
        Suite *suite = suite_create(name);
        TCase *tc = tcase_create(name);
        SRunner *runner;
        int failed;

        tcase_set_timeout(tc, TIMEOUT_SECONDS);
        if (rows)
                tcase_add_loop_test(tc, rows, 0, (int) n_rows);
        for (size_t i = 0; i < n_tests; i++)
                tcase_add_test(tc, tests[i]);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
