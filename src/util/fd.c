/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading small files: procfs answers in one read, but does not promise to. */

#include <fcntl.h>

#include "util/fd.h"

ssize_t read_small_file(int dirfd, const char *path, char *buf, size_t size) {
        _cleanup_close_ int fd = -1;
        size_t n = 0;

        assert(path);
        assert(buf && size > 1);

        fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return negative_errno();

        for (;;) {
                ssize_t k = read(fd, buf + n, size - n);

                if (k < 0) {
                        if (errno == EINTR)
                                continue;
                        return negative_errno();
                }
                if (k == 0)
                        break;
                n += (size_t) k;
                if (n == size)
                        return -E2BIG;
        }
        buf[n] = 0;
        return (ssize_t) n;
}
