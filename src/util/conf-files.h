/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Finds and reads a program's configuration file and drop-ins where systemd's programs look for theirs. */

#include <stdbool.h>
#include <stddef.h>

#include "util/macro.h"

typedef struct ConfFile {
        char *path;     /* as the operator knows it: without the root prefix */
        char *contents; /* followed by a NUL that does not count; NULL when error is not 0 */
        size_t size;    /* bytes in contents; NUL bytes may be among them */
        int error;      /* 0, or why it could not be read: a negative errno */
        char *reason;   /* a sentence for people, when error is not 0 */
} ConfFile;

typedef struct ConfFiles {
        ConfFile *files; /* in order of precedence: a later one overrides an earlier one */
        size_t n_files;
} ConfFiles;

ConfFiles *conf_files_free(ConfFiles *files);
DEFINE_CLEANUP_FUNC(ConfFiles, conf_files_free)

/*
 * Reads NAME (first found of /etc/varta, /run/varta, /usr/local/lib/varta, /usr/lib/varta) and after it all
 * NAME.d/ drop-ins ending in .conf of the same directories, ordered by base name; of equal base names only the one of the
 * directory named first counts, and a link to /dev/null or an empty file in its place masks the others.
 *
 * root is put before every path, NULL for none. A main file that does not exist is no error and has no entry.
 * Files that exist and cannot be read do have one, with error and reason; that is never fatal.
 *
 * Returns 0, -ENOMEM. The caller owns *ret.
 */
int conf_files_read(const char *root, const char *name, ConfFiles **ret);

/* Reads one file, for --config=: one entry, with error set if it is missing or unreadable. Returns 0, -ENOMEM. */
int conf_files_read_one(const char *path, ConfFiles **ret);
