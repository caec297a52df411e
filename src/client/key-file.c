/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys from files.
 *
 * A file that others can read holds no secret, one that others can write holds whatever they like, and a
 * link leads where somebody else decided; all of it is refused instead of warned about, because a warning
 * of a library is seen by nobody. What is checked is the descriptor and not the path, which may lead
 * elsewhere a moment later. O_NONBLOCK keeps the opening of a FIFO from waiting for its other end.
 *
 * The text passes through one buffer on the stack, which is wiped. Streams would keep a copy.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/varta-secure.h"
#include "vlp/key-text.h"

#define _public_ __attribute__((visibility("default")))

static_assert(VARTA_KEY_SIZE == VLP_KEY_SIZE, "keys are the protocol's");

/* Whether nobody but the owner and root can read or write it. systemd opens a credential to a service's user
 * with an access list, whose upper bound is shown in place of the group's rights; the group is root's. */
static bool is_private(const struct stat *st) {
        if ((st->st_mode & (S_IRWXG | S_IRWXO)) == 0)
                return true;

        return st->st_uid == 0 && st->st_gid == 0 && (st->st_mode & ACCESSPERMS) == (S_IRUSR | S_IRGRP);
}

static int check(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EBADFD;
        if (st.st_uid != 0 && st.st_uid != geteuid())
                return -EPERM;

        return is_private(&st) ? 0 : -EPERM;
}

/* Returns the number of bytes at `text`, or -E2BIG when there are more than `size`. */
static ssize_t read_all(int fd, char *text, size_t size) {
        size_t n = 0;

        for (;;) {
                char extra;
                bool full = n == size;
                ssize_t r = read(fd, full ? &extra : text + n, full ? 1 : size - n);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -errno;
                if (r == 0)
                        return (ssize_t) n;
                if (full)
                        return -E2BIG;

                n += (size_t) r;
        }
}

static int load(int fd, uint8_t *ret_key) {
        uint8_t keys[VLP_KEYS_MAX][VLP_KEY_SIZE];
        char text[VLP_KEY_TEXT_MAX];
        ssize_t n;
        int r;

        r = check(fd);
        if (r < 0)
                return r;

        n = read_all(fd, text, sizeof(text));
        r = n < 0 ? (int) n : vlp_keys_parse(text, (size_t) n, keys);
        if (r > 0) {
                memcpy(ret_key, keys[0], VLP_KEY_SIZE);
                r = 0;
        }

        explicit_bzero(text, sizeof(text));
        explicit_bzero(keys, sizeof(keys));
        return r;
}

_public_ int varta_key_from_file(const char *path, uint8_t *ret_key) {
        int fd, r;

        if (!path || !ret_key)
                return -EINVAL;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;

        r = load(fd, ret_key);
        (void) close(fd);
        return r;
}
