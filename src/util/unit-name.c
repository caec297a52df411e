/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * systemd's unit names.
 *
 * The rules are written down in systemd.unit(5) and reproduced here, so that a bad name in the configuration is
 * found when the file is read, with its line, and not when a stalled unit waits for its restart. Names are judged
 * byte by byte: everything that is allowed is ASCII, so no locale can come into it.
 */

#include "util/unit-name.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdint.h>
#include <string.h>

#include "util/macro.h"

static bool is_alnum(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What may stand in a name besides '@', which may occur more than once but splits at the first. */
static bool is_name_char(char c) {
        return is_alnum(c) || (c != '\0' && strchr(":-_.\\", c));
}

static bool suffix_is_known(const char *suffix) {
        static const char *const suffixes[] = { ".service", ".socket",    ".target", ".device",
                                                ".mount",   ".automount", ".swap",   ".timer",
                                                ".path",    ".slice",     ".scope" };

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (strcmp(suffix, suffixes[i]) == 0)
                        return true;

        return false;
}

bool unit_name_is_valid(const char *name) {
        const char *dot;

        assert(name);

        if (strlen(name) >= UNIT_NAME_MAX)
                return false;

        dot = strrchr(name, '.');
        if (!dot || dot == name || name[0] == '@' || !suffix_is_known(dot))
                return false;

        for (const char *p = name; p < dot; p++)
                if (!is_name_char(*p) && *p != '@')
                        return false;

        return true;
}

bool unit_name_is_template(const char *name) {
        assert(name);

        if (!unit_name_is_valid(name))
                return false;

        const char *at = strchr(name, '@');
        return at && at + 1 == strrchr(name, '.');
}

bool unit_name_has_suffix(const char *name, const char *suffix) {
        size_t n, m;

        assert(name);
        assert(suffix);

        n = strlen(name);
        m = strlen(suffix);
        return n > m && strcmp(name + n - m, suffix) == 0;
}

/* Points behind a bracket expression that starts at p, NULL when it is never closed. A ']' that comes first is a
 * member. Classes such as [[:digit:]] are left to fnmatch(): their inner ']' would end the expression here, so
 * they are skipped over as a whole. */
static const char *bracket_end(const char *p) {
        assert(*p == '[');

        p++;
        if (*p == '!' || *p == '^')
                p++;
        if (*p == ']')
                p++;
        for (; *p; p++) {
                if (*p == ']')
                        return p + 1;
                if (*p == '[' && p[1] == ':') {
                        const char *close = strstr(p + 2, ":]");

                        if (close)
                                p = close + 1;
                }
        }

        return NULL;
}

bool unit_glob_is_valid(const char *glob) {
        assert(glob);

        if (!*glob || strlen(glob) >= UNIT_NAME_MAX)
                return false;

        for (const char *p = glob; *p; p++)
                if (!is_name_char(*p) && !strchr("@*?[]!^", *p))
                        return false;

        for (const char *p = strchr(glob, '['); p; p = strchr(p, '[')) {
                p = bracket_end(p);
                if (!p)
                        return false;
        }

        return true;
}

bool unit_glob_is_pattern(const char *glob) {
        assert(glob);

        return strpbrk(glob, "*?[");
}

bool unit_glob_match(const char *glob, const char *name) {
        assert(glob);
        assert(name);

        return fnmatch(glob, name, FNM_NOESCAPE) == 0;
}

size_t unit_glob_literals(const char *glob) {
        size_t n = 0;

        assert(glob);

        for (const char *p = glob; *p;) {
                if (*p == '[') {
                        const char *end = bracket_end(p);

                        if (end) {
                                p = end;
                                continue;
                        }
                }
                n += *p != '*' && *p != '?';
                p++;
        }

        return n;
}

int unit_name_escape(const char *s, char *buf, size_t size) {
        static const char digits[] = "0123456789abcdef";
        size_t n = 0;

        assert(s);
        assert(buf);
        assert(size > 0);

        buf[0] = '\0';
        if (!*s)
                return -EINVAL;

        for (const char *p = s; *p; p++) {
                bool plain = is_alnum(*p) || *p == ':' || *p == '_' || (*p == '.' && p != s);
                size_t need = plain || *p == '/' ? 1 : 4;

                if (n + need >= size) {
                        buf[0] = '\0';
                        return -ENAMETOOLONG;
                }

                if (need == 1)
                        buf[n++] = *p == '/' ? '-' : *p;
                else {
                        buf[n++] = '\\';
                        buf[n++] = 'x';
                        buf[n++] = digits[(uint8_t) *p >> 4];
                        buf[n++] = digits[(uint8_t) *p & 0xf];
                }
        }

        buf[n] = '\0';
        return 0;
}
