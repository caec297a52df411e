/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit names, globs over them, and the escaping of instance names. */

#include <check.h>
#include <errno.h>
#include <string.h>

#include "util/macro.h"
#include "util/unit-name.h"

START_TEST(test_valid) {
        static const struct {
                const char *name;
                bool expected, template;
        } rows[] = {
                { "a.service", true, false },
                { "worker@1.service", true, false },
                { "worker@.service", true, true },
                { "worker@a@b.service", true, false },
                { "session-1.scope", true, false },
                { "user@1000.service", true, false },
                { "a\\x2db.service", true, false },
                { "a.b.c.service", true, false },
                { "dev-sda.device", true, false },
                { "a.automount", true, false },
                { "", false, false },
                { "a", false, false },
                { ".service", false, false },
                { "@.service", false, false },
                { "@a.service", false, false },
                { "a.servic", false, false },
                { "a.service ", false, false },
                { "a b.service", false, false },
                { "a/b.service", false, false },
                { "a*.service", false, false },
                { "a.Service", false, false },
                { "\xc3\xa9.service", false, false },
        };
        char name[260];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ck_assert_msg(unit_name_is_valid(rows[i].name) == rows[i].expected, "%s", rows[i].name);
                ck_assert_msg(unit_name_is_template(rows[i].name) == rows[i].template, "%s", rows[i].name);
        }

        memset(name, 'a', sizeof(name));
        memcpy(name + 255 - strlen(".service"), ".service", sizeof(".service"));
        ck_assert(unit_name_is_valid(name));
        memcpy(name + 256 - strlen(".service"), ".service", sizeof(".service"));
        name[255 - strlen(".service")] = 'a';
        ck_assert(!unit_name_is_valid(name));
}
END_TEST

START_TEST(test_suffix) {
        ck_assert(unit_name_has_suffix("a.service", ".service"));
        ck_assert(!unit_name_has_suffix(".service", ".service"));
        ck_assert(!unit_name_has_suffix("a.scope", ".service"));
        ck_assert(!unit_name_has_suffix("", ".service"));
}
END_TEST

START_TEST(test_glob_valid) {
        static const struct {
                const char *glob;
                bool valid, pattern;
                size_t literals;
        } rows[] = {
                { "a.service", true, false, 9 },
                { "*", true, true, 0 },
                { "worker@*.service", true, true, 15 },
                { "worker@?.service", true, true, 15 },
                { "worker@[0-9].service", true, true, 15 },
                { "worker@[!0-9]*.service", true, true, 15 },
                { "worker@[]a].service", true, true, 15 },
                { "worker@[!]a].service", true, true, 15 },
                { "worker@[[:digit:]].service", true, true, 15 },
                { "*@*", true, true, 1 },
                { "", false, false, 0 },
                { "worker@[0-9.service", false, true, 19 },
                { "worker@[.service", false, true, 16 },
                { "a b*", false, true, 3 },
                { "a/*", false, true, 2 },
                { "a{b,c}.service", false, false, 14 },
        };
        char glob[260];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ck_assert_msg(unit_glob_is_valid(rows[i].glob) == rows[i].valid, "%s", rows[i].glob);
                ck_assert_msg(unit_glob_is_pattern(rows[i].glob) == rows[i].pattern, "%s", rows[i].glob);
                ck_assert_msg(unit_glob_literals(rows[i].glob) == rows[i].literals, "%s", rows[i].glob);
        }

        memset(glob, '*', sizeof(glob));
        glob[256] = '\0';
        ck_assert(!unit_glob_is_valid(glob));
        glob[255] = '\0';
        ck_assert(unit_glob_is_valid(glob));
}
END_TEST

START_TEST(test_glob_match) {
        static const struct {
                const char *glob, *name;
                bool expected;
        } rows[] = {
                { "*", "a.service", true },
                { "worker@*.service", "worker@1.service", true },
                { "worker@*.service", "worker@a@b.service", true },
                { "worker@*.service", "worker@1.scope", false },
                { "worker@[0-9].service", "worker@7.service", true },
                { "worker@[0-9].service", "worker@77.service", false },
                { "worker@[!0-9].service", "worker@7.service", false },
                { "worker@[^0-9].service", "worker@a.service", true },
                { "worker@[[:digit:]].service", "worker@7.service", true },
                { "a.service", "a.service", true },
                { "a.service", "A.service", false },
                /* A backslash is a letter of escaped names, not an escape of ours. */
                { "a\\x2db*", "a\\x2db.service", true },
                { "*.service", ".service", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_msg(unit_glob_match(rows[i].glob, rows[i].name) == rows[i].expected, "%s, %s",
                              rows[i].glob, rows[i].name);
}
END_TEST

/* What systemd-escape(1) of systemd 252 prints for the same texts. */
START_TEST(test_escape) {
        static const struct {
                const char *text, *expected;
        } rows[] = {
                { "worker@1.service", "worker\\x401.service" },
                { "a/b", "a-b" },
                { "/foo//bar/", "-foo--bar-" },
                { ".a-b\\x/\xc3\xbc", "\\x2ea\\x2db\\x5cx-\\xc3\\xbc" },
                { "a:b_c.d", "a:b_c.d" },
        };
        char buf[16] = "x";

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char big[128];

                ck_assert_int_eq(unit_name_escape(rows[i].text, big, sizeof(big)), 0);
                ck_assert_str_eq(big, rows[i].expected);
        }

        ck_assert_int_eq(unit_name_escape("", buf, sizeof(buf)), -EINVAL);
        ck_assert_int_eq(unit_name_escape("0123456789abcde", buf, sizeof(buf)), 0);
        ck_assert_int_eq(unit_name_escape("0123456789abcdef", buf, sizeof(buf)), -ENAMETOOLONG);
        ck_assert_str_eq(buf, "");
        ck_assert_int_eq(unit_name_escape("0123456789ab-", buf, sizeof(buf)), -ENAMETOOLONG);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("unit-name");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_valid);
        tcase_add_test(tcase, test_suffix);
        tcase_add_test(tcase, test_glob_valid);
        tcase_add_test(tcase, test_glob_match);
        tcase_add_test(tcase, test_escape);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
