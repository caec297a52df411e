/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What vartad says of arguments and an environment that it cannot use: one line that names the thing and what is
 * allowed, and exit status 2. */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "program.h"
#include "rows.h"
#include "varta-build.h"

#define LEVELS "emerg, alert, crit, err, warning, notice, info, debug"

typedef struct Case {
        const char *title;
        const char *argv[4]; /* behind vartad's own name */
        const char *env;     /* "NAME=VALUE", NULL: none */
        const char *says[3]; /* each is in the line */
} Case;

static const Case cases[] = {
        { "an option that there is not",
          { "--lisen=unix:/x" },
          NULL,
          { "\"--lisen=unix:/x\" (did you mean --listen?);", "--listen=ADDRESS" } },
        { "one that is near to none", { "--bogus" }, NULL, { "\"--bogus\"; allowed: --help" } },
        { "an option of one letter that there is not", { "-x" }, NULL, { "\"-x\"", "--help" } },
        { "one such letter behind another", { "-xh" }, NULL, { "\"-x\"", "--help" } },
        { "an option that could be several", { "--l=x" }, NULL, { "\"--l=x\"", "--log-level=LEVEL" } },
        { "an option behind a good one", { "--user", "--colour" }, NULL, { "\"--colour\"", "--user" } },
        { "a value that is not taken", { "--user=me" }, NULL, { "--user takes no value" } },
        { "a version that is asked for with a value",
          { "--version=2" },
          NULL,
          { "--version takes no value" } },
        { "no value for --listen=",
          { "--listen" },
          NULL,
          { "--listen= needs a value", "unix:/ABSOLUTE/PATH" } },
        { "an empty value for --listen=",
          { "--listen=" },
          NULL,
          { "--listen=:", "unix:/ABSOLUTE/PATH", "unix:@" } },
        { "a relative path",
          { "--listen=unix:v.sock" },
          NULL,
          { "--listen=unix:v.sock:", "unix:/ABSOLUTE/PATH" } },
        { "a path without its kind",
          { "--listen=/v.sock" },
          NULL,
          { "--listen=/v.sock:", "unix:/ABSOLUTE/PATH" } },
        { "an address of another kind",
          { "--listen=carrier-pigeon:coop" },
          NULL,
          { "carrier-pigeon:coop", "unix:/ABSOLUTE/PATH" } },
        { "an abstract name of nothing",
          { "--listen=unix:@" },
          NULL,
          { "--listen=unix:@:", "unix:@ABSTRACT-NAME" } },
        { "no value for --config=", { "--config" }, NULL, { "--config= needs a value", "path" } },
        { "an empty value for --config=", { "--config=" }, NULL, { "--config=:", "path" } },
        { "no value for --instance=",
          { "--instance" },
          NULL,
          { "--instance= needs a value", "1 to 64 letters" } },
        { "an instance without a name", { "--instance=" }, NULL, { "--instance=:", "1 to 64 letters" } },
        { "an instance whose name has a dot",
          { "--instance=a.b" },
          NULL,
          { "--instance=a.b:", "letters, digits, - and _" } },
        { "an instance whose name is a path",
          { "--instance=../a" },
          NULL,
          { "--instance=../a:", "1 to 64" } },
        { "an instance whose name has letters of another alphabet",
          { "--instance=\xc3\xa9" },
          NULL,
          { "not a name", "1 to 64" } },
        { "an instance whose name is too long",
          { "--instance=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
          NULL,
          { "not a name", "1 to 64" } },
        { "no value for --log-level=", { "--log-level" }, NULL, { "--log-level= needs a value", LEVELS } },
        { "a level that there is not", { "--log-level=loud" }, NULL, { "--log-level=loud:", LEVELS } },
        { "a level as a number", { "--log-level=7" }, NULL, { "--log-level=7:", LEVELS } },
        { "a level in capitals", { "--log-level=INFO" }, NULL, { "--log-level=INFO:", LEVELS } },
        { "an argument", { "start" }, NULL, { "\"start\"", "--listen=ADDRESS" } },
        { "an argument behind options",
          { "--user", "--", "--user" },
          NULL,
          { "unexpected argument \"--user\"", "--help" } },
        { "an empty argument", { "" }, NULL, { "unexpected argument \"\"", "--help" } },
        { "a feature that there is not",
          { "--listen=unix:@varta-test" },
          "VARTA_DISABLE_FEATURES=pidfd,telepathy",
          { "VARTA_DISABLE_FEATURES=pidfd,telepathy:", "pidfd, passrights, invocation, nspid" } },
        { "features with spaces",
          { "--listen=unix:@varta-test" },
          "VARTA_DISABLE_FEATURES=pidfd nspid",
          { "VARTA_DISABLE_FEATURES=pidfd nspid:", "pidfd, passrights, invocation, nspid" } },
};

static Program vartad;

static void teardown(void) {
        program_kill(&vartad);
}

START_TEST(test_refused) {
        const Case *c = &cases[_i];
        const char *argv[ELEMENTSOF(c->argv) + 2] = { "vartad" };

        memcpy(argv + 1, c->argv, sizeof(c->argv));
        program_start(&vartad, &(Environment){ .extra = { c->env } }, argv);
        ck_assert_int_eq(program_wait(&vartad), 2);
        ck_assert_str_eq(vartad.out_text, "");
        ck_assert_msg(count_lines(vartad.err_text) == 1, "not one line: %s", vartad.err_text);
        ck_assert_msg(strncmp(vartad.err_text, "vartad: ", strlen("vartad: ")) == 0, "%s", vartad.err_text);
        for (size_t i = 0; i < ELEMENTSOF(c->says) && c->says[i]; i++)
                ck_assert_msg(strstr(vartad.err_text, c->says[i]), "\"%s\" is not in: %s", c->says[i],
                              vartad.err_text);
}
END_TEST

START_TEST(test_too_many) {
        const char *argv[PROGRAM_ARGS_MAX] = { "vartad" };

        for (size_t i = 1; i <= 65; i++)
                argv[i] = "--listen=unix:@varta-test";
        program_start(&vartad, &(Environment){}, argv);
        ck_assert_int_eq(program_wait(&vartad), 2);
        ck_assert_str_eq(vartad.err_text, "vartad: --listen= given more than 64 times\n");
}
END_TEST

START_TEST(test_help) {
        static const char *const options[] = { "--help", "-h" };
        static const char *const words[] = { "--help",    "--version",   "--user",       "--listen=",
                                             "--config=", "--instance=", "--log-level=", "unix:PATH",
                                             "debug",     "vartad(8)" };

        for (size_t k = 0; k < ELEMENTSOF(options); k++) {
                program_start(&vartad, &(Environment){},
                              (const char *const[]){ "vartad", options[k], NULL });
                ck_assert_int_eq(program_wait(&vartad), 0);
                ck_assert_str_eq(vartad.err_text, "");
                for (size_t i = 0; i < ELEMENTSOF(words); i++)
                        ck_assert_msg(strstr(vartad.out_text, words[i]), "\"%s\" is not in: %s", words[i],
                                      vartad.out_text);
                for (const char *p = vartad.out_text; *p; p += strcspn(p, "\n") + 1)
                        ck_assert_uint_le(strcspn(p, "\n"), 80);
        }
}
END_TEST

START_TEST(test_version) {
        program_start(&vartad, &(Environment){}, (const char *const[]){ "vartad", "--version", NULL });
        ck_assert_int_eq(program_wait(&vartad), 0);
        ck_assert_str_eq(vartad.err_text, "");
        ck_assert_str_eq(vartad.out_text, "varta " VARTA_VERSION "\n");
}
END_TEST

static void add(Suite *s, const char *title, const TTest *test, int i) {
        TCase *tc = tcase_create(title);

        tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_loop_test(tc, test, i, i + 1);
        suite_add_tcase(s, tc);
}

int main(void) {
        Suite *s = suite_create("daemon-options");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                add(s, cases[i].title, test_refused, (int) i);
        add(s, "more addresses than there is room for", test_too_many, 0);
        add(s, "--help names every option, within 80 columns", test_help, 0);
        add(s, "--version is a line", test_version, 0);
        return suite_run(s);
}
