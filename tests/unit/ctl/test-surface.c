/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Help, manual page and both completions name the same verbs and options, and the help fits 80 columns. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "support.h"

#define TEXT_MAX 65536U

static char help[TEXT_MAX], manual[TEXT_MAX], bash[TEXT_MAX], zsh[TEXT_MAX];

static void read_text(const char *name, char *text) {
        char path[4096];
        size_t n;
        FILE *f;

        (void) snprintf(path, sizeof(path), SOURCE_ROOT "/%s", name);
        f = fopen(path, "re");
        ck_assert_msg(f, "%s cannot be read", path);
        n = fread(text, 1, TEXT_MAX - 1, f);
        text[n] = 0;
        (void) fclose(f);
}

static void read_all(void) {
        const char *args[] = { VARTA_CTL, "--help", NULL };
        static Outcome o;

        run_program(args, NULL, NULL, NULL, NULL, &o);
        ck_assert_int_eq(o.code, 0);
        (void) snprintf(help, sizeof(help), "%s", o.out);
        read_text("docs/man/varta-ctl.1.scd", manual);
        read_text("src/ctl/completion/varta-ctl.bash", bash);
        read_text("src/ctl/completion/varta-ctl.zsh", zsh);
}

START_TEST(test_verbs) {
        read_all();
        for (const Verb *v = ctl_verbs; v->name; v++) {
                char text[64];

                (void) snprintf(text, sizeof(text), "\n  %s ", v->name);
                ck_assert_msg(strstr(help, text), "the help does not name %s", v->name);
                (void) snprintf(text, sizeof(text), "\n*%s*", v->name);
                ck_assert_msg(strstr(manual, text), "the manual page does not name %s", v->name);
                (void) snprintf(text, sizeof(text), "%s", v->name);
                ck_assert_msg(strstr(bash, text), "bash does not complete %s", v->name);
                (void) snprintf(text, sizeof(text), "%s\\:", v->name);
                ck_assert_msg(strstr(zsh, text), "zsh does not complete %s", v->name);
        }
}
END_TEST

/* Each "--option" of a text must be in the others. */
static void check_options(const char *of, const char *text) {
        const struct {
                const char *name, *text;
        } others[] = {
                { "the help", help }, { "the manual page", manual }, { "bash", bash }, { "zsh", zsh }
        };

        for (const char *p = text; (p = strstr(p, "--")); p += 2) {
                size_t n = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-");
                char option[64];

                if (n < 2 || n > sizeof(option) - 3 || (p > text && p[-1] == '-'))
                        continue;
                (void) snprintf(option, sizeof(option), "%.*s", (int) n + 2, p);
                for (size_t i = 0; i < ELEMENTSOF(others); i++)
                        ck_assert_msg(strstr(others[i].text, option), "%s has %s, %s has not", of, option,
                                      others[i].name);
        }
}

START_TEST(test_options) {
        read_all();
        check_options("the help", help);
        check_options("the manual page", strstr(manual, "# OPTIONS"));
        check_options("zsh", strstr(zsh, "_arguments"));
}
END_TEST

START_TEST(test_width) {
        read_all();
        for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
                ck_assert_msg(strcspn(line, "\n") <= 80, "too wide: %.*s", (int) strcspn(line, "\n"), line);
}
END_TEST

START_TEST(test_suggestions) {
        static const struct {
                const char *wrong, *right;
        } cases[] = {
                { "stauts", "status" }, { "lists", "list" },
                { "unit", "units" },    { "moniter", "monitor" },
                { "verfy", "verify" },  { "decoed", "decode" },
                { "relaod", "reload" }, { "STATUS", "status" },
                { "xyzzy", NULL },      { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *found = ctl_verb_suggest(cases[i].wrong);

                if (cases[i].right)
                        ck_assert_str_eq(found, cases[i].right);
                else
                        ck_assert_ptr_null(found);
        }
}
END_TEST

/* What bash offers for a line, whose words are as bash cuts them; tests/system has it in a terminal. */
static void complete(const char *line, const char *wanted) {
        const char *args[] = { "/bin/bash", "-c", NULL, NULL };
        char script[2048];
        static Outcome o;

        (void) snprintf(script, sizeof(script),
                        "source " SOURCE_ROOT "/src/ctl/completion/varta-ctl.bash\n"
                        "COMP_WORDS=(%s) COMP_LINE='%s'\n"
                        "COMP_LINE=${COMP_LINE// = /=} COMP_POINT=${#COMP_LINE}\n"
                        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                        "_varta_ctl; echo \"${COMPREPLY[*]}\"",
                        line, line);
        args[2] = script;
        run_program(args, NULL, NULL, NULL, NULL, &o);
        ck_assert_msg(o.code == 0 && strcmp(o.out, wanted) == 0, "%s completes to %s%s", line, o.out, o.err);
}

START_TEST(test_bash) {
        complete("varta-ctl stat", "status\n");
        complete("varta-ctl ca", "cat-config\n");
        complete("varta-ctl --json = s", "short\n");
        complete("varta-ctl --status = d", "degraded\n");
        complete("varta-ctl --no-l", "--no-legend\n");
        complete("varta-ctl --inst", "--instance\n");
        complete("varta-ctl --instance = a --json = p", "pretty\n");
        complete("varta-ctl --json = short un", "units\n");
}
END_TEST

/* name(section) "footer" "header": whoever prints a page or pastes one into a report knows what it is of. */
START_TEST(test_pages_have_headers) {
        static const char *const pages[] = { "libvarta.3",  "org.varta.Observer1.5",
                                             "varta-ctl.1", "varta-exporter.8",
                                             "varta.7",     "varta.conf.5",
                                             "vartad.8" };

        for (size_t i = 0; i < ELEMENTSOF(pages); i++) {
                const char *dot = strrchr(pages[i], '.');
                char path[64], wanted[96];

                (void) snprintf(path, sizeof(path), "docs/man/%s.scd", pages[i]);
                (void) snprintf(wanted, sizeof(wanted), "%.*s(%s) \"varta @VERSION@\" \"",
                                (int) (dot - pages[i]), pages[i], dot + 1);
                read_text(path, manual);
                ck_assert_msg(strncmp(manual, wanted, strlen(wanted)) == 0, "%s does not begin with %s",
                              path, wanted);
        }
}
END_TEST

/* journalctl -x has something to say of every message. */
START_TEST(test_catalog) {
        static char ids[TEXT_MAX], catalog[TEXT_MAX];
        size_t n = 0;

        read_text("src/daemon/message-ids.h", ids);
        read_text("docs/catalog/varta.catalog", catalog);
        for (const char *p = ids; (p = strstr(p, "_ID ")); p++) {
                const char *id = strchr(p, '"');
                char wanted[64];

                ck_assert_ptr_nonnull(id);
                (void) snprintf(wanted, sizeof(wanted), "\n-- %.32s\nSubject: ", id + 1);
                ck_assert_msg(strstr(catalog, wanted), "the catalog has no%s", wanted);
                n++;
        }
        ck_assert_uint_ge(n, 18);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "every verb is in the help, the manual page and both completions", test_verbs },
                { "every option is everywhere", test_options },
                { "every manual page has a header and a footer", test_pages_have_headers },
                { "every message is in the catalog", test_catalog },
                { "the help fits 80 columns", test_width },
                { "slips of the pen", test_suggestions },
                { "bash completes", test_bash },
        };

        return tests_main("ctl-surface", tests, ELEMENTSOF(tests));
}
