/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A few files that anybody may read: whether a debugger holds a process, whether it lives in another pid namespace, and
 * whether its control group is frozen. Who has the pid now is util/proc.h's to tell.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recovery/process.h"
#include "util/proc.h"

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

        p = proc_find_line(text, "TracerPid:");
        if (!p)
                return -EINVAL;
        p += strspn(p, " \t");
        if (*p < '0' || *p > '9')
                return -EINVAL;
        s.tracer = decimal(&p);

        p = proc_find_line(text, "NSpid:");
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

        p = proc_find_line(text, "0::");
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

        p = proc_find_line(text, "frozen ");
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
