/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The end of every test program of this folder: one suite, its tests in a row. */

#include <check.h>
#include <stdlib.h>

#include "util/macro.h"

static inline int run_tests(const char *name, const TTest *const tests[], size_t n) {
        Suite *suite = suite_create(name);
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        for (size_t i = 0; i < n; i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
