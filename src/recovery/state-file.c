/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Appending, and replacing.
 *
 * The running file is only ever appended to, in one write per decision: what the observer's own death can tear is the
 * last record. Replacing goes through a second file that is synced before it is renamed, and the directory after it, so
 * that at every moment one of the two is whole.
 *
 * An append that fails half way (a full disk) is cut off again; should even that fail, the file is given up as it is
 * (nothing follows the torn record), and the next one is written afresh.
 *
 * Reading trusts nothing by its name: no link is followed, nothing but a regular file of our own that nobody else may
 * write to is read, and not more of it than could be ours. A FIFO in its place must not hold the start up: hence
 * O_NONBLOCK. The directory is locked, because two observers that append to one file would each break the other's chain.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recovery/state-file.h"
#include "util/fd.h"

static bool is_ours(const struct stat *st) {
        return st->st_uid == geteuid() && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int state_file_open(StateFile *f, int dir_fd) {
        _cleanup_close_ int dir = -1;
        struct stat st;

        assert(f);

        dir = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return negative_errno();
        if (fstat(dir, &st) < 0)
                return negative_errno();
        if (!is_ours(&st))
                return -EPERM;
        if (flock(dir, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : negative_errno();

        *f = STATE_FILE_INIT;
        f->dir = TAKE_FD(dir);
        return 0;
}

void state_file_close(StateFile *f) {
        assert(f);

        f->next = safe_close(f->next);
        f->fd = safe_close(f->fd);
        f->dir = safe_close(f->dir);
}

/* ---- Reading ---------------------------------------------------------------------------------------------- */

static int read_whole(int fd, uint8_t *data, size_t size) {
        size_t n = 0;

        while (n < size) {
                ssize_t k = pread(fd, data + n, size - n, (off_t) n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return negative_errno();
                if (k == 0)
                        return -EIO; /* it shrank under our hands */
                n += (size_t) k;
        }
        return 0;
}

int state_file_load(const StateFile *f, uint8_t **ret_data, size_t *ret_size) {
        _cleanup_free_ uint8_t *data = NULL;
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        assert(f);
        assert(ret_data);
        assert(ret_size);

        fd = openat(f->dir, STATE_FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENXIO ? -EBADF : negative_errno(); /* ENXIO: a socket */
        if (fstat(fd, &st) < 0)
                return negative_errno();
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        if (!is_ours(&st) || st.st_nlink != 1)
                return -EPERM;
        if (st.st_size < 0 || (uintmax_t) st.st_size > STATE_FILE_MAX)
                return -EFBIG;
        if (st.st_size > 0) {
                data = malloc((size_t) st.st_size);
                if (!data)
                        return -ENOMEM;
                r = read_whole(fd, data, (size_t) st.st_size);
                if (r < 0)
                        return r;
        }
        *ret_data = TAKE_PTR(data);
        *ret_size = (size_t) st.st_size;
        return 0;
}

int state_file_set_aside(const StateFile *f) {
        assert(f);

        if (renameat(f->dir, STATE_FILE_NAME, f->dir, STATE_FILE_ASIDE) >= 0)
                return 0;
        /* A directory does not take the place of a file, nor a file that of a directory: make room, once. */
        if (unlinkat(f->dir, STATE_FILE_ASIDE, 0) < 0 && errno != ENOENT)
                (void) unlinkat(f->dir, STATE_FILE_ASIDE, AT_REMOVEDIR);
        if (renameat(f->dir, STATE_FILE_NAME, f->dir, STATE_FILE_ASIDE) < 0)
                return negative_errno();
        return 0;
}

/* ---- Writing ---------------------------------------------------------------------------------------------- */

static int write_whole(int fd, size_t at, const uint8_t *data, size_t size) {
        size_t n = 0;

        while (n < size) {
                ssize_t k = pwrite(fd, data + n, size - n, (off_t) (at + n));

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return negative_errno();
                if (k == 0)
                        return -EIO;
                n += (size_t) k;
        }
        return 0;
}

/* What follows a torn record would be lost. */
static int give_up(StateFile *f, int error) {
        (void) ftruncate(f->fd, (off_t) f->size);
        f->fd = safe_close(f->fd);
        return error;
}

int state_file_append(StateFile *f, const uint8_t *data, size_t size) {
        int r;

        assert(f);
        assert(data);

        if (f->fd < 0)
                return -EBADF;
        if (size > STATE_FILE_MAX - f->size)
                return give_up(f, -EFBIG);
        r = write_whole(f->fd, f->size, data, size);
        if (r < 0)
                return give_up(f, r);
        f->size += size;
        return 0;
}

int state_file_sync(StateFile *f) {
        assert(f);

        if (f->fd < 0)
                return -EBADF;
        if (fdatasync(f->fd) < 0)
                return give_up(f, negative_errno());
        return 0;
}

int state_file_begin(StateFile *f) {
        assert(f);
        assert(f->next < 0);

        if (unlinkat(f->dir, STATE_FILE_NEXT, 0) < 0 && errno != ENOENT)
                return negative_errno();
        f->next = openat(f->dir, STATE_FILE_NEXT,
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
        if (f->next < 0)
                return negative_errno();
        f->next_size = 0;
        return 0;
}

int state_file_write(StateFile *f, const uint8_t *data, size_t size) {
        int r;

        assert(f);
        assert(f->next >= 0);

        r = write_whole(f->next, f->next_size, data, size);
        if (r < 0)
                return r;
        f->next_size += size;
        return 0;
}

int state_file_commit(StateFile *f) {
        assert(f);
        assert(f->next >= 0);

        if (fsync(f->next) < 0)
                return negative_errno();
        if (renameat(f->dir, STATE_FILE_NEXT, f->dir, STATE_FILE_NAME) < 0)
                return negative_errno();
        (void) safe_close(f->fd);
        f->fd = TAKE_FD(f->next);
        f->size = f->next_size;
        f->limit = 2 * f->size + STATE_FILE_GROWTH;
        if (fsync(f->dir) < 0)
                return give_up(f, negative_errno());
        return 0;
}

void state_file_abort(StateFile *f) {
        assert(f);

        f->limit = f->size + STATE_FILE_GROWTH; /* not at once again */
        if (f->next < 0)
                return;
        f->next = safe_close(f->next);
        (void) unlinkat(f->dir, STATE_FILE_NEXT, 0);
}
