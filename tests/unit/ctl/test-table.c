/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tables on terminals of any width, and what output does to text that comes from elsewhere. */

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl/table.h"
#include "support.h"

/* What is printed between begin and end, which must come in pairs. */
static int saved_stdout, capture;

static void capture_begin(void) {
        (void) fflush(stdout);
        saved_stdout = dup(STDOUT_FILENO);
        capture = memfd_create("capture", MFD_CLOEXEC);
        ck_assert_int_ge(dup2(capture, STDOUT_FILENO), 0);
}

static const char *capture_end(void) {
        static char text[4096];
        ssize_t n;

        (void) fflush(stdout);
        ck_assert_int_ge(dup2(saved_stdout, STDOUT_FILENO), 0);
        (void) close(saved_stdout);
        n = pread(capture, text, sizeof(text) - 1, 0);
        ck_assert_int_ge(n, 0);
        (void) close(capture);
        text[n] = 0;
        return text;
}

static const TableColumn columns[] = {
        { "ID", TABLE_RIGHT },
        { "UNIT", TABLE_SHRINK },
        { "STATE", TABLE_LEFT },
};

static void use_locale(const char *locale, bool colours) {
        (void) setenv("LC_ALL", locale, true);
        (void) setenv("SYSTEMD_COLORS", colours ? "1" : "0", true);
        output_init();
}

START_TEST(test_widths) {
        static const struct {
                const char *title;
                unsigned columns;
                bool legend;
                const char *text;
        } cases[] = {
                { "as wide as the widest cell, and nothing behind the last", 0, true,
                  "ID UNIT                    STATE\n 7 a.service               ok\n12 "
                  "a-long-worker@1.service stalled\n" },
                { "without a heading", 0, false,
                  " 7 a.service               ok\n12 a-long-worker@1.service stalled\n" },
                { "a terminal that is just wide enough", 37, false,
                  " 7 a.service               ok\n12 a-long-worker@1.service stalled\n" },
                { "the column that may shrinks", 30, false,
                  " 7 a.service           ok\n12 a-long-worker@1.se… stalled\n" },
                { "down to its least, and then lines are cut", 15, false,
                  " 7 a.servi… ok\n12 a-long-… st…\n" },
                { "a terminal that is hardly one", 2, false, " 7\n12\n" },
                { "one column", 1, false, "7\n…\n" },
        };

        use_locale("C.UTF-8", false);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(table_freep) Table *t = NULL;
                const char *text;

                ck_assert_int_eq(table_new(columns, ELEMENTSOF(columns), &t), 0);
                table_add_u64(t, 7);
                table_add(t, COLOUR_NONE, "a.service");
                table_add(t, COLOUR_NONE, "ok");
                table_addf(t, COLOUR_NONE, "%d", 12);
                table_add(t, COLOUR_NONE, "a-long-worker@1.service");
                table_add(t, COLOUR_RED, "stalled");
                capture_begin();
                ck_assert_int_eq(table_print(t, stdout, cases[i].legend, cases[i].columns), 0);
                text = capture_end();
                ck_assert_msg(strcmp(text, cases[i].text) == 0, "%s:\n%s", cases[i].title, text);
        }
}
END_TEST

START_TEST(test_legend) {
        _cleanup_(table_freep) Table *t = NULL;

        use_locale("C.UTF-8", false);
        ck_assert_int_eq(table_new(columns, ELEMENTSOF(columns), &t), 0);
        table_add_u64(t, 123);
        table_add(t, COLOUR_NONE, "a");
        table_add(t, COLOUR_NONE, "ok");
        capture_begin();
        ck_assert_int_eq(table_print(t, stdout, true, 0), 0);
        ck_assert_str_eq(capture_end(), " ID UNIT STATE\n123 a    ok\n");
}
END_TEST

START_TEST(test_text) {
        static const struct {
                const char *title, *locale, *text, *shown;
                unsigned width;
        } cases[] = {
                { "plain text", "C.UTF-8", "worker@1.service", "worker@1.service", 16 },
                { "an escape sequence does no harm", "C.UTF-8", "\033[31mred", "\\x1b[31mred", 11 },
                { "a newline does not begin a line", "C.UTF-8", "a\nb", "a\\x0ab", 6 },
                { "letters of other languages", "C.UTF-8", "größe", "größe", 5 },
                { "wide letters take two columns", "C.UTF-8", "心拍", "心拍", 4 },
                { "what is no UTF-8", "C.UTF-8", "a\xff", "a\\xff", 5 },
                { "a locale without UTF-8", "C", "größe", "gr????e", 7 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char buf[64];

                use_locale(cases[i].locale, false);
                output_text(buf, sizeof(buf), cases[i].text);
                ck_assert_msg(strcmp(buf, cases[i].shown) == 0, "%s: %s", cases[i].title, buf);
                ck_assert_msg(output_width(buf) == cases[i].width, "%s: %u", cases[i].title,
                              output_width(buf));
        }
}
END_TEST

START_TEST(test_dots_and_colours) {
        use_locale("C", false);
        ck_assert_str_eq(output_glyph(GLYPH_DOT), "*");
        ck_assert_str_eq(output_glyph(GLYPH_CIRCLE), "o");
        ck_assert_str_eq(output_glyph(GLYPH_ARROW), "@");
        ck_assert_str_eq(output_glyph(GLYPH_CROSS), "x");
        ck_assert_str_eq(output_ellipsis(), "...");
        ck_assert_str_eq(output_colour(COLOUR_RED), "");
        use_locale("C.UTF-8", true);
        ck_assert_str_eq(output_glyph(GLYPH_DOT), "●");
        ck_assert_str_eq(output_glyph(GLYPH_CIRCLE), "○");
        ck_assert_str_eq(output_glyph(GLYPH_ARROW), "↻");
        ck_assert_str_eq(output_glyph(GLYPH_CROSS), "×");
        ck_assert_str_eq(output_ellipsis(), "…");
        ck_assert_str_ne(output_colour(COLOUR_RED), "");
}
END_TEST

START_TEST(test_colour_variables) {
        static const struct {
                const char *systemd, *no_color;
                bool colours; /* standard output is no terminal here */
        } cases[] = {
                { NULL, NULL, false }, { "1", NULL, true },         { "0", NULL, false },
                { "256", NULL, true }, { "16", NULL, true },        { "1", "1", true },
                { NULL, "1", false },  { "nonsense", NULL, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                (void) unsetenv("SYSTEMD_COLORS");
                (void) unsetenv("NO_COLOR");
                if (cases[i].systemd)
                        (void) setenv("SYSTEMD_COLORS", cases[i].systemd, true);
                if (cases[i].no_color)
                        (void) setenv("NO_COLOR", cases[i].no_color, true);
                capture_begin();
                output_init();
                (void) capture_end();
                ck_assert_msg((output_colour(COLOUR_RED)[0] != 0) == cases[i].colours,
                              "SYSTEMD_COLORS=%s NO_COLOR=%s", cases[i].systemd ?: "(unset)",
                              cases[i].no_color ?: "(unset)");
        }
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "columns are as wide as they must be and the terminal allows", test_widths },
                { "headings", test_legend },
                { "text from elsewhere", test_text },
                { "dots and colours, with and without", test_dots_and_colours },
                { "the variables that ask for colours", test_colour_variables },
        };

        return tests_main("ctl-table", tests, ELEMENTSOF(tests));
}
