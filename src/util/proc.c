/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The files are the kernel's, but the names inside them are the process's own choice. So nothing is searched for but at the
 * start of a line, and the fields of stat are counted from the last parenthesis that closes.
 */

#include <errno.h>
#include <string.h>

#include "util/proc.h"

const char *proc_find_line(const char *text, const char *prefix) {
        size_t n = strlen(prefix);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                if (*line == '\n')
                        line++;
                if (strncmp(line, prefix, n) == 0)
                        return line + n;
        }
        return NULL;
}

int proc_parse_number(const char **p, uint64_t *ret) {
        const char *s = *p;
        uint64_t n = 0;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(n, 10, &n) ||
                    __builtin_add_overflow(n, (uint64_t) (*s - '0'), &n))
                        return -EINVAL;
        *p = s;
        *ret = n;
        return 0;
}

int proc_parse_start_time(const char *stat, uint64_t *ret) {
        const char *p = strrchr(stat, ')'); /* the command may hold any ')' but the last */
        uint64_t n;
        int r;

        if (!p)
                return -EINVAL;
        p++;
        for (unsigned field = 3; field <= 22; field++) {
                size_t k;

                if (*p != ' ')
                        return -EINVAL;
                p++;
                k = strcspn(p, " \n");
                if (k == 0)
                        return -EINVAL;
                if (field < 22)
                        p += k;
        }
        r = proc_parse_number(&p, &n);
        if (r < 0)
                return r;
        if (*p && *p != ' ' && *p != '\n')
                return -EINVAL;
        *ret = n;
        return 0;
}
