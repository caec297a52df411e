/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manual page and the example file know every key, with its default, and no other. */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

#define MAN_PAGE SOURCE_ROOT "/docs/man/varta.conf.5.scd"
#define EXAMPLE  SOURCE_ROOT "/docs/varta.conf"

static char text[256 * 1024];

static void read_text(const char *path) {
        FILE *f = fopen(path, "re");
        size_t n;

        ck_assert_msg(f, "%s", path);
        n = fread(text, 1, sizeof(text) - 1, f);
        ck_assert_uint_lt(n, sizeof(text) - 1);
        text[n] = '\0';
        ck_assert_int_eq(fclose(f), 0);
}

/* The text from a line that begins with `from` up to the next line that begins with `to`. Static buffer. */
static const char *part_of(const char *from, const char *to) {
        static char part[sizeof(text)];
        char line[128];
        const char *begin, *end;

        (void) snprintf(line, sizeof(line), "\n%s", from);
        begin = strstr(text, line);
        ck_assert_msg(begin, "there is no line \"%s\"", from);
        (void) snprintf(line, sizeof(line), "\n%s", to);
        end = strstr(begin + 1, line);
        if (!end)
                end = begin + strlen(begin);
        memcpy(part, begin, (size_t) (end - begin));
        part[end - begin] = '\0';
        return part;
}

START_TEST(test_man_page) {
        const ConfigKey *key;

        read_text(MAN_PAGE);
        for (size_t i = 0; (key = config_key_at(i)); i++) {
                const char *placeholder = config_section_to_placeholder(config_key_section(key)), *part;
                char header[64], entry[64], allowed[64];

                (void) snprintf(header, sizeof(header), "# [%s%s%s]",
                                config_section_to_string(config_key_section(key)), placeholder ? " " : "",
                                placeholder ?: "");
                part = part_of(header, "# ");

                (void) snprintf(entry, sizeof(entry), "\n*%s=*\n", config_key_name(key));
                part = strstr(part, entry);
                ck_assert_msg(part, "%s: %s= is missing", header, config_key_name(key));

                /* The default stands at the end of the entry's first paragraph. */
                if (*config_key_default(key))
                        (void) snprintf(allowed, sizeof(allowed), "Default: *%s*", config_key_default(key));
                else
                        (void) snprintf(allowed, sizeof(allowed), "Default: ");
                part = strstr(part, "Default: ");
                ck_assert_msg(part && strncmp(part, allowed, strlen(allowed)) == 0,
                              "%s %s= has another default", header, config_key_name(key));
        }
}
END_TEST

/* Every entry of the manual page is a key. */
START_TEST(test_man_page_has_no_more) {
        ConfigSection section = _CONFIG_SECTION_INVALID;
        char *line, *rest = text;

        read_text(MAN_PAGE);
        while ((line = strsep(&rest, "\n"))) {
                if (strncmp(line, "# ", 2) == 0) {
                        section = _CONFIG_SECTION_INVALID;
                        for (ConfigSection s = 0; s < _CONFIG_SECTION_MAX; s++)
                                if (strncmp(line, "# [", 3) == 0 &&
                                    strncmp(line + 3, config_section_to_string(s),
                                            strlen(config_section_to_string(s))) == 0)
                                        section = s;
                } else if (section >= 0 && line[0] == '*' && strstr(line, "=*")) {
                        *strstr(line, "=*") = '\0';
                        ck_assert_msg(config_key_find(section, line + 1), "there is no %s=", line + 1);
                }
        }
}
END_TEST

START_TEST(test_example) {
        const ConfigKey *key;

        read_text(EXAMPLE);
        for (size_t i = 0; (key = config_key_at(i)); i++) {
                const char *placeholder = config_section_to_placeholder(config_key_section(key)), *part;
                char header[64], entry[128];

                (void) snprintf(header, sizeof(header), "%s[%s", placeholder ? "#" : "",
                                config_section_to_string(config_key_section(key)));
                part = part_of(header, placeholder ? "#[" : "[");
                (void) snprintf(entry, sizeof(entry), "\n#%s=%s\n", config_key_name(key),
                                config_key_default(key));
                ck_assert_msg(strstr(part, entry), "%s: #%s=%s is missing", header, config_key_name(key),
                              config_key_default(key));
        }
}
END_TEST

/* As it is shipped it says nothing, and with its comment signs taken away it is right. */
START_TEST(test_example_parses) {
        static char bare[sizeof(text)];
        _cleanup_loaded_ Loaded l = {};
        size_t n = 0;

        read_text(EXAMPLE);
        LOAD(&l, text);
        ck_assert_str_eq(l.messages, "");
        loaded_done(&l);

        for (const char *p = text; *p; p++)
                if (*p != '#' || p[1] == ' ' || p[1] == '\n' || (p > text && p[-1] != '\n'))
                        bare[n++] = *p;
        bare[n] = '\0';
        LOAD(&l, bare);
        ck_assert_str_eq(l.messages, "");
        ck_assert_ptr_nonnull(config_unit_section_at(l.config, 0));
        ck_assert_ptr_nonnull(config_listener_at(l.config, 0));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("config-docs");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_man_page);
        tcase_add_test(tcase, test_man_page_has_no_more);
        tcase_add_test(tcase, test_example);
        tcase_add_test(tcase, test_example_parses);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
