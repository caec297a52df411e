/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one file in the state directory that recovery keeps: read whole at start, appended to, now and then written
 * afresh. Bytes only; what they mean is not known here. Every call blocks as long as the file system does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names in the directory: the file, the next one being written, the last one that was no good. */
#define STATE_FILE_NAME  "recovery"
#define STATE_FILE_NEXT  "recovery.new"
#define STATE_FILE_ASIDE "recovery.bad"

/* A larger file is none of ours: it is written afresh long before (STATE_FILE_GROWTH beyond twice what 1,024 units,
 * 1,024 decisions and all pauses with the longest of names take, 1.7 MB). */
#define STATE_FILE_MAX ((size_t) 8 * 1024 * 1024)

/* Appended at least, before it is written afresh: a thousand decisions, so that what this costs is spread. */
#define STATE_FILE_GROWTH ((size_t) 512 * 1024)

typedef struct StateFile {
        int dir;  /* -1: there is none */
        int fd;   /* the file; -1: nothing to append to */
        int next; /* the one being written; -1 */
        size_t size, next_size;
        size_t limit; /* beyond this size it should be written afresh */
} StateFile;

/* None. */
#define STATE_FILE_INIT                                                                                     \
        (StateFile) {                                                                                       \
                .dir = -1, .fd = -1, .next = -1                                                             \
        }

/* Opens the directory behind dir_fd (which stays the caller's) anew and locks it. Returns 0, -EPERM when it is not
 * ours alone to write to, -ENOTDIR, -EBUSY when another observer has it, or what the system says. */
int state_file_open(StateFile *f, int dir_fd);
void state_file_close(StateFile *f);

/* Reads the file whole. Returns 0 and its bytes (free them; NULL when it is empty), -ENOENT when there is none, -ELOOP
 * for a link, -EBADF for what is no regular file, -EPERM when others may have written it, -EFBIG, -ENOMEM, or what the
 * system says. */
int state_file_load(const StateFile *f, uint8_t **ret_data, size_t *ret_size);

/* Puts the file out of the way, whatever it is, in place of the last one. Returns 0, or what the system says: then it
 * is still there. */
int state_file_set_aside(const StateFile *f);

/* Appends all of it or nothing; or waits until everything is on the disk. Returns 0, -EBADF when there is no file, -EFBIG
 * when it would grow beyond STATE_FILE_MAX, or what the system says; after that the file must be written afresh. */
int state_file_append(StateFile *f, const uint8_t *data, size_t size);
int state_file_sync(StateFile *f);

/* Writes the file afresh: begin, write as often as need be, commit; abort after a failure, and the old one goes on. Only
 * with the commit the new one takes its place, whole and on the disk. Return 0, or what the system says. */
int state_file_begin(StateFile *f);
int state_file_write(StateFile *f, const uint8_t *data, size_t size);
int state_file_commit(StateFile *f);
void state_file_abort(StateFile *f);

static inline bool state_file_is_open(const StateFile *f) {
        return f->dir >= 0;
}
static inline bool state_file_is_full(const StateFile *f) {
        return f->size > f->limit;
}
