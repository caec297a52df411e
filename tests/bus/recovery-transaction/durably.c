/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durably.h"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

void revive(Durably *d) {
        d->settings.state_fd = d->dir;
        world_revive(&d->s.w, &d->settings);
        stage_connect(&d->s);
        world_settle(&d->s.w);
}

void die(Durably *d) {
        Stage *s = &d->s;

        world_kill(&s->w);
        if (s->bus) {
                (void) sd_bus_detach_event(s->bus);
                sd_bus_close(s->bus);
                s->bus = sd_bus_unref(s->bus);
        }
        world_settle(&s->w);
}

void die_and_return(Durably *d) {
        die(d);
        revive(d);
}

void durably_init(Durably *d) {
        *d = (Durably){ .path = "/tmp/varta-test-state-XXXXXX", .settings = world_settings() };
        ck_assert_ptr_nonnull(mkdtemp(d->path));
        d->dir = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(d->dir, 0);
        stage_init(&d->s);
        die_and_return(d);
        d->s.w.now += NSEC_PER_HOUR; /* its own start is over */
        world_expect_nothing(&d->s.w);
}

void durably_done(Durably *d) {
        stage_done(&d->s);
        (void) close(d->dir);
        ck_assert_int_eq(nftw(d->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

WorldAgent *appears(Durably *d, const FakeUnit *u) {
        WorldAgent *a = world_agent(&d->s.w, u->name, u->invocation);

        world_appear(&d->s.w, a);
        world_settle(&d->s.w);
        return a;
}
