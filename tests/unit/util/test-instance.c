/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of instances, and what is named after them. */

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "util/instance.h"
#include "util/macro.h"

#define LONGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static_assert(STRLEN(LONGEST) == INSTANCE_MAX, "as long as a name may be");

START_TEST(test_valid) {
        static const struct {
                const char *name;
                bool expected;
        } rows[] = {
                { "a", true },    { "7", true },     { "Ab-3_z", true },     { "-", true },
                { "_", true },    { LONGEST, true }, { LONGEST "a", false }, { "", false },
                { "a.b", false }, { "a b", false },  { "a@b", false },       { "a/b", false },
                { "..", false },  { "a\n", false },  { "\xc3\xa9", false },  { "a\\x2db", false },
                { "%i", false },  { "*", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_msg(instance_is_valid(rows[i].name) == rows[i].expected, "%s", rows[i].name);
}
END_TEST

START_TEST(test_names) {
        static const struct {
                const char *instance, *service, *bus;
        } rows[] = {
                { NULL, "varta.service", "org.varta.Observer1" },
                { "a", "varta@a.service", "org.varta.Observer1._a" },
                { "7", "varta@7.service", "org.varta.Observer1._7" },
                { LONGEST, "varta@" LONGEST ".service", "org.varta.Observer1._" LONGEST },
        };
        char buf[INSTANCE_NAME_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ck_assert_str_eq(instance_name(buf, "varta", rows[i].instance, ".service"), rows[i].service);
                ck_assert_str_eq(instance_bus_name(buf, "org.varta.Observer1", rows[i].instance),
                                 rows[i].bus);
        }
        /* The longest one has a socket that can be bound. */
        ck_assert_uint_lt(strlen(instance_name(buf, "/run/varta/varta", LONGEST, ".sock")),
                          sizeof(((struct sockaddr_un *) 0)->sun_path));
}
END_TEST

int main(void) {
        const struct {
                const char *title;
                const TTest *test;
        } cases[] = {
                { "letters, digits, - and _, at most 64", test_valid },
                { "units, files, sockets and bus names", test_names },
        };
        Suite *s = suite_create("util-instance");
        SRunner *sr;
        int failed;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                TCase *tc = tcase_create(cases[i].title);

                tcase_add_test(tc, cases[i].test);
                suite_add_tcase(s, tc);
        }
        sr = srunner_create(s);
        srunner_run_all(sr, CK_NORMAL);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed > 0;
}
