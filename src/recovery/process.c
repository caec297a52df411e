/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A few files that anybody may read: who has this pid now (its start time), whether a debugger holds it, whether it
 * lives in another pid namespace, and whether its control group is frozen. The command name in `stat` may hold anything, parentheses and
 * line ends included: the fields are counted from the last closing one.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recovery/process.h"
#include "util/parse.h"

/* proc(5): the start time is field 22, the command's end closes field 2. */
#define STAT_START_TIME_AFTER_COMM 20

int process_parse_start_time(const char *text, uint64_t *ret) {
        char number[32];
        const char *p;
        size_t n;
        uint64_t v;
        int r;

        assert(text);
        assert(ret);

        p = strrchr(text, ')');
        if (!p)
                return -EINVAL;
        p++;
        for (int i = 1; i < STAT_START_TIME_AFTER_COMM; i++) {
                p += strspn(p, " ");
                p += strcspn(p, " ");
        }
        p += strspn(p, " ");
        n = strcspn(p, " \n");
        if (n == 0 || n >= sizeof(number))
                return -EINVAL;
        memcpy(number, p, n);
        number[n] = '\0';
        r = parse_u64(number, 0, UINT64_MAX, &v);
        if (r < 0)
                return -EINVAL;

        *ret = v;
        return 0;
}

/* The text behind "Key:" at the start of a line, NULL when there is none. */
static const char *find_key(const char *text, const char *key) {
        size_t n = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                if (*line == '\n')
                        line++;
                if (strncmp(line, key, n) == 0)
                        return line + n;
        }
        return NULL;
}

static uint32_t decimal(const char **p) {
        uint64_t v = 0;

        while (**p >= '0' && **p <= '9' && v <= UINT32_MAX) {
                v = v * 10 + (uint64_t) (**p - '0');
                (*p)++;
        }
        return v > UINT32_MAX ? UINT32_MAX : (uint32_t) v;
}

int process_parse_status(const char *text, ProcessStatus *ret) {
        ProcessStatus s = {};
        const char *p;

        assert(text);
        assert(ret);

        p = find_key(text, "TracerPid:");
        if (!p)
                return -EINVAL;
        p += strspn(p, " \t");
        if (*p < '0' || *p > '9')
                return -EINVAL;
        s.tracer = decimal(&p);

        p = find_key(text, "NSpid:");
        while (p) {
                p += strspn(p, " \t");
                if (*p < '0' || *p > '9')
                        break;
                (void) decimal(&p);
                s.namespaces++;
        }

        *ret = s;
        return 0;
}

int process_parse_cgroup(const char *text, char *buf, size_t size) {
        const char *p;
        size_t n;

        assert(text);
        assert(buf);

        p = find_key(text, "0::");
        if (!p || *p != '/')
                return -ENOENT;
        n = strcspn(p, "\n");
        if (n >= size)
                return -ENAMETOOLONG;
        memcpy(buf, p, n);
        buf[n] = '\0';
        return 0;
}

bool process_parse_frozen(const char *text) {
        const char *p;

        assert(text);

        p = find_key(text, "frozen ");
        return p && *p == '1';
}

int process_read_text(void *userdata, const char *path, char *buf, size_t size) {
        size_t n = 0;
        ssize_t l;
        int fd, error = 0;

        assert(path);
        assert(buf);
        assert(size > 0);

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        while (n < size - 1) {
                l = read(fd, buf + n, size - 1 - n);
                if (l < 0 && errno == EINTR)
                        continue;
                if (l < 0)
                        error = -errno;
                if (l <= 0)
                        break;
                n += (size_t) l;
        }
        (void) close(fd);
        if (error < 0)
                return error;
        buf[n] = '\0';
        return (int) n;
}
