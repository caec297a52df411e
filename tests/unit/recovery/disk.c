/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk.h"

void disk_init(Disk *d) {
        *d = (Disk){ .path = "/tmp/varta-test-durable-XXXXXX", .settings = world_settings() };
        ck_assert_ptr_nonnull(mkdtemp(d->path));
        d->dir = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(d->dir, 0);
        d->settings.state_fd = d->dir;
        world_init_with(&d->w, &d->settings);
}

void disk_clear(Disk *d) {
        static const char *const names[] = { STATE_FILE_NAME, STATE_FILE_NEXT, STATE_FILE_ASIDE, "other" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (unlinkat(d->dir, names[i], 0) < 0)
                        (void) unlinkat(d->dir, names[i], AT_REMOVEDIR);
}

void disk_done(Disk *d) {
        world_done(&d->w);
        disk_clear(d);
        (void) close(d->dir);
        ck_assert_int_eq(rmdir(d->path), 0); /* and nothing else was left in it */
}

void disk_revive(Disk *d) {
        world_revive(&d->w, &d->settings);
        world_settle(&d->w);
}

void disk_revive_at_once(Disk *d) {
        world_revive(&d->w, &d->settings);
        durable_tick(d->w.recovery, d->w.now);
}

void disk_write(const Disk *d, const char *name, const uint8_t *data, size_t size) {
        int fd = openat(d->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        if (size > 0)
                ck_assert_int_eq(write(fd, data, size), (ssize_t) size);
        (void) close(fd);
}
