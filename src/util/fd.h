/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* File descriptors: closing them without fuss, and reading small files whole. */

#include <errno.h>
#include <unistd.h>

#include "util/macro.h"

/* Closes and returns -1. Takes negative descriptors; leaves errno alone. */
static inline int safe_close(int fd) {
        if (fd >= 0) {
                int e = errno;

                (void) close(fd); /* on Linux the descriptor is gone even where this says EINTR */
                errno = e;
        }
        return -1;
}

static inline void closep(int *fd) {
        (void) safe_close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

/* errno as an error to return: never 0, even where a library forgot to set it. */
static inline int negative_errno(void) {
        return errno > 0 ? -errno : -EIO;
}

/* Reads up to size - 1 bytes of a small file (procfs and the like) in as few reads as it takes and ends them with
 * NUL. dirfd as for openat(2). Returns the length, or negative errno; -E2BIG when there is more. */
ssize_t read_small_file(int dirfd, const char *path, char *buf, size_t size);
