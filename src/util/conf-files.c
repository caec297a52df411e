/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Configuration files where systemd's programs look for theirs.
 *
 * The rules are those of systemd.unit(5) and of every program of its family: the administrator's directory before
 * the run-time one before the vendor's; one main file; drop-ins merged over all directories by their base name, so
 * that a file in /etc replaces the vendor's of the same name, and a link to /dev/null switches it off.
 *
 * Nothing here is fatal but the lack of memory. What cannot be read becomes an entry with its reason, in its
 * place in the order: the one who asked must be able to tell "there is no such file" from "there is one, and
 * nobody knows what it says".
 */

#include "util/conf-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/fd.h"
#include "varta-build.h"

/* In order of precedence. */
static const char *const conf_dirs[] = {
        VARTA_SYSCONF_DIR,
        "/run/varta",
        "/usr/local/lib/varta",
        VARTA_VENDOR_CONF_DIR,
};

/* The largest configuration that can mean anything (1,024 [Unit] sections with every key set) has half of this.
 * Without a limit, a link to a huge file would be a way to stop the observer from starting. */
#define FILE_SIZE_MAX ((size_t) 1024 * 1024)

/* As many as there can be sections. Beyond that, a directory is not configuration but an accident. */
#define DROPINS_MAX 1024U

static inline void closedirp(DIR **dir) {
        if (*dir)
                (void) closedir(*dir);
}

static void conf_files_done(ConfFiles *files) {
        for (size_t i = 0; i < files->n_files; i++) {
                free(files->files[i].path);
                free(files->files[i].contents);
                free(files->files[i].reason);
        }
        free(files->files);
}

ConfFiles *conf_files_free(ConfFiles *files) {
        if (!files)
                return NULL;

        conf_files_done(files);
        free(files);
        return NULL;
}

/* Makes room for one more entry, which starts empty. Returns NULL when out of memory. */
static ConfFile *conf_files_append(ConfFiles *files, const char *path) {
        ConfFile *array;
        char *copy;

        copy = strdup(path);
        if (!copy)
                return NULL;

        array = reallocarray(files->files, files->n_files + 1, sizeof(*array));
        if (!array) {
                free(copy);
                return NULL;
        }

        files->files = array;
        array[files->n_files] = (ConfFile){ .path = copy };
        return array + files->n_files++;
}

static int conf_file_fail(ConfFile *file, int error, const char *reason) {
        file->reason = strdup(reason);
        if (!file->reason)
                return -ENOMEM;

        file->error = error;
        return 0;
}

/* Reads all of fd into the entry. Returns 0, -ENOMEM; whatever else goes wrong is noted in the entry. */
static int conf_file_read_fd(ConfFile *file, int fd) {
        _cleanup_free_ char *contents = NULL;
        size_t allocated = 0, n = 0;

        for (;;) {
                ssize_t k;

                /* A file may grow while it is read: what fstat() said is not relied upon. */
                if (allocated - n < 2) {
                        size_t more = allocated > 0 ? allocated * 2 : 4096;
                        char *p;

                        p = realloc(contents, more);
                        if (!p)
                                return -ENOMEM;
                        contents = p;
                        allocated = more;
                }

                k = read(fd, contents + n, allocated - n - 1);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return conf_file_fail(file, -errno, strerror(errno));
                if (k == 0)
                        break;

                n += (size_t) k;
                if (n > FILE_SIZE_MAX)
                        return conf_file_fail(file, -EFBIG, "The file is larger than 1 MiB");
        }

        contents[n] = '\0';
        file->contents = TAKE_PTR(contents);
        file->size = n;
        return 0;
}

/*
 * Reads path into an entry that people know as shown. With missing_ok, a file that is not there gets no entry.
 * Neither does a link to /dev/null, whose whole meaning is to be in the place of another.
 * Returns 1 when the name exists (and masks others), 0 when not, -ENOMEM.
 */
static int conf_files_add(ConfFiles *files, const char *path, const char *shown, bool missing_ok) {
        _cleanup_close_ int fd = -1;
        ConfFile *file;
        struct stat st = {};
        int error = 0, r;

        /* O_NONBLOCK: a FIFO somebody left there must not hold us up. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                error = negative_errno();
        if (error == -ENOENT && missing_ok)
                return 0;
        if (error == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null on every Linux */
                return 1;

        file = conf_files_append(files, shown);
        if (!file)
                return -ENOMEM;

        if (error < 0)
                r = conf_file_fail(file, error, strerror(-error));
        else if (!S_ISREG(st.st_mode))
                r = conf_file_fail(file, S_ISDIR(st.st_mode) ? -EISDIR : -EBADFD,
                                   "This is not a regular file");
        else
                r = conf_file_read_fd(file, fd);
        return r < 0 ? r : 1;
}

/* ---- Drop-ins ---------------------------------------------------------------------------------------------- */

typedef struct DropIn {
        char *name;
        size_t dir; /* index into conf_dirs: smaller is stronger */
} DropIn;

typedef struct DropIns {
        DropIn *items;
        size_t n_items;
} DropIns;

static void dropins_done(DropIns *d) {
        for (size_t i = 0; i < d->n_items; i++)
                free(d->items[i].name);
        free(d->items);
}

static int dropin_compare(const void *a, const void *b) {
        const DropIn *x = a, *y = b;
        int c;

        c = strcmp(x->name, y->name);
        if (c != 0)
                return c;
        return x->dir < y->dir ? -1 : x->dir > y->dir;
}

static bool is_dropin_name(const char *name) {
        size_t n = strlen(name);

        return name[0] != '.' && n > STRLEN(".conf") && strcmp(name + n - STRLEN(".conf"), ".conf") == 0;
}

/* Returns 0, -ENOMEM, -E2BIG when there are too many, or why the directory cannot be read. */
static int dropins_scan(DropIns *d, const char *path, size_t dir_index) {
        _cleanup_(closedirp) DIR *dir = NULL;
        size_t before = d->n_items;

        dir = opendir(path); /* O_CLOEXEC is implied */
        if (!dir)
                return errno == ENOENT ? 0 : -errno;

        for (;;) {
                const struct dirent *entry;
                DropIn *items;
                char *name;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return -errno;
                if (!is_dropin_name(entry->d_name))
                        continue;
                if (d->n_items - before >= DROPINS_MAX)
                        return -E2BIG;

                items = reallocarray(d->items, d->n_items + 1, sizeof(*items));
                if (!items)
                        return -ENOMEM;
                d->items = items;

                name = strdup(entry->d_name);
                if (!name)
                        return -ENOMEM;
                d->items[d->n_items++] = (DropIn){ .name = name, .dir = dir_index };
        }
}

/* The path of a file or directory twice: as we open it and as people know it. The latter is a part of the former. */
static int make_path(const char *root, size_t dir, const char *name, char **ret_path,
                     const char **ret_shown) {
        char *path;

        if (asprintf(&path, "%s%s/%s", root, conf_dirs[dir], name) < 0)
                return -ENOMEM;

        *ret_path = path;
        *ret_shown = path + strlen(root);
        return 0;
}

/* Collects the names in subdir of all directories; one that cannot be read becomes an entry. Returns 0, -ENOMEM. */
static int conf_files_find_dropins(ConfFiles *files, const char *root, const char *subdir, DropIns *d) {
        for (size_t i = 0; i < ELEMENTSOF(conf_dirs); i++) {
                _cleanup_free_ char *path = NULL;
                const char *shown, *reason;
                ConfFile *file;
                int error, r;

                r = make_path(root, i, subdir, &path, &shown);
                if (r < 0)
                        return r;

                error = dropins_scan(d, path, i);
                if (error == -ENOMEM)
                        return error;
                if (error >= 0)
                        continue;

                reason = error == -E2BIG ? "There are more than 1,024 drop-ins here; only the first ones "
                                           "found are read"
                                         : strerror(-error);
                file = conf_files_append(files, shown);
                if (!file)
                        return -ENOMEM;
                r = conf_file_fail(file, error, reason);
                if (r < 0)
                        return r;
        }

        if (d->n_items > 0)
                qsort(d->items, d->n_items, sizeof(*d->items), dropin_compare);
        return 0;
}

/* Reads all drop-ins of NAME.d. Returns 0, -ENOMEM. */
static int conf_files_add_dropins(ConfFiles *files, const char *root, const char *name) {
        _cleanup_(dropins_done) DropIns d = {};
        _cleanup_free_ char *subdir = NULL;
        int r;

        if (asprintf(&subdir, "%s.d", name) < 0) {
                subdir = NULL;
                return -ENOMEM;
        }

        r = conf_files_find_dropins(files, root, subdir, &d);
        if (r < 0)
                return r;

        for (size_t i = 0; i < d.n_items; i++) {
                _cleanup_free_ char *file_name = NULL, *path = NULL;
                const char *shown;

                if (i > 0 && strcmp(d.items[i].name, d.items[i - 1].name) == 0)
                        continue; /* a stronger directory has this name */

                if (asprintf(&file_name, "%s/%s", subdir, d.items[i].name) < 0) {
                        file_name = NULL;
                        return -ENOMEM;
                }
                r = make_path(root, d.items[i].dir, file_name, &path, &shown);
                if (r < 0)
                        return r;

                r = conf_files_add(files, path, shown, false);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* ---- Entry points ------------------------------------------------------------------------------------------ */

/* Moves what was built on the stack into memory of its own. */
static int conf_files_hand_over(ConfFiles *files, ConfFiles **ret) {
        ConfFiles *copy;

        copy = malloc(sizeof(*copy));
        if (!copy)
                return -ENOMEM;

        *copy = *files;
        *files = (ConfFiles){};
        *ret = copy;
        return 0;
}

int conf_files_read(const char *root, const char *name, ConfFiles **ret) {
        _cleanup_(conf_files_done) ConfFiles files = {};
        int r = 0;

        assert(name);
        assert(ret);

        for (size_t i = 0; i < ELEMENTSOF(conf_dirs) && r == 0; i++) {
                _cleanup_free_ char *path = NULL;
                const char *shown;

                r = make_path(root ?: "", i, name, &path, &shown);
                if (r < 0)
                        return r;

                r = conf_files_add(&files, path, shown, true);
                if (r < 0)
                        return r;
        }

        r = conf_files_add_dropins(&files, root ?: "", name);
        if (r < 0)
                return r;

        return conf_files_hand_over(&files, ret);
}

int conf_files_read_one(const char *path, ConfFiles **ret) {
        _cleanup_(conf_files_done) ConfFiles files = {};
        int r;

        assert(path);
        assert(ret);

        r = conf_files_add(&files, path, path, false);
        if (r < 0)
                return r;

        return conf_files_hand_over(&files, ret);
}
