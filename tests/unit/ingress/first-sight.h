/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The scene of the tests of first sight: a world, a child process, and identities without a story of their own. Each test
 * program has one of each, so all of it is static. */

#include <check.h>

#include "ingress/identity.h"
#include "process.h"
#include "world.h"

#define WITHOUT(feature) (_FEATURE_ALL & ~(unsigned) (feature))

static World the_world, *const w = &the_world;
static Child child;
static size_t fds_before;

static void on_drain(void *userdata) {
}

static void on_exited(void *userdata, uint64_t agent) {
}

static void on_exhausted(void *userdata, bool exhausted) {
        ck_abort_msg("descriptors cannot have run out here");
}

static const IdentityHooks hooks = { .drain = on_drain, .exited = on_exited, .exhausted = on_exhausted };

static Identities *new_identities(const char *proc, const char *cgroups, bool user, unsigned features) {
        Identities *i;

        ck_assert_int_eq(identities_new(w->event, proc, cgroups, user, features, 0, &hooks, NULL, &i), 0);
        return i;
}

static void setup(void) {
        fds_before = count_fds();
        world_init(w);
        child_start(&child, NULL, NULL);
}

static void teardown(void) {
        if (child.pid > 0)
                child_end(&child);
        world_done(w);
        ck_assert_uint_eq(count_fds(), fds_before);
}

static bool is_zero(const uint8_t *p, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (p[i] != 0)
                        return false;
        return true;
}
