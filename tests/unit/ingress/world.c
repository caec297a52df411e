/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ingress on a real event loop, with everything that it hands up written down. */

#include <check.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/priorities.h"
#include "util/fd.h"
#include "world.h"

/* As deep as a pair's queue is to be: some thousand datagrams, more where the administrator allows more. */
#define PAIR_BUFFER (4 * 1024 * 1024)

static nsec_t on_now(void *userdata) {
        struct timespec ts;

        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        return (nsec_t) ts.tv_sec * NSEC_PER_SEC + (nsec_t) ts.tv_nsec;
}

static void on_datagrams(void *userdata, const Datagram *batch, size_t n, nsec_t now) {
        World *w = userdata;

        ck_assert_uint_ge(n, 1);
        ck_assert_uint_le(n, INGRESS_BATCH);
        w->batches++;
        w->datagrams += n;
        w->largest_batch = MAX(w->largest_batch, n);
        for (size_t i = 0; i < n && w->n_records < RECORDS_MAX; i++) {
                Record *r = &w->records[w->n_records++];

                *r = (Record){ .datagram = batch[i], .batch = w->batches };
                if (batch[i].verdict == RECEIVE_OK)
                        memcpy(r->frame, batch[i].frame, sizeof(r->frame));
        }
        if (w->on_batch)
                w->on_batch(w, batch, n);
}

static void on_failed(void *userdata, uint8_t listener, int error, nsec_t now) {
        World *w = userdata;

        w->failures++;
        w->last_error = error;
}

static void on_empty(void *userdata, uint8_t listener, nsec_t now) {
        World *w = userdata;

        ck_assert_uint_lt(listener, w->n_listeners);
        w->empties++;
}

static void on_settled(void *userdata) {
        World *w = userdata;

        w->settled++;
}

static void on_dropped(void *userdata, uint8_t listener, uint64_t n, nsec_t now) {
        World *w = userdata;

        ck_assert_uint_lt(listener, w->n_listeners);
        ck_assert_uint_gt(n, 0);
        w->dropped += n;
}

static void on_attempted(void *userdata, uint64_t n) {
        World *w = userdata;

        ck_assert_uint_gt(n, 0);
        w->attempted += n;
}

static const IngressHooks hooks = {
        .now = on_now,
        .datagrams = on_datagrams,
        .failed = on_failed,
        .empty = on_empty,
        .dropped = on_dropped,
        .attempted = on_attempted,
        .settled = on_settled,
};

void world_init(World *w) {
        IngressPriorities priorities = { .normal = PRIORITY_INGRESS, .yielding = PRIORITY_INGRESS_YIELDING };

        memset(w, 0, sizeof(*w));
        scratch_init(&w->scratch);
        ck_assert_int_eq(sd_event_new(&w->event), 0);
        ck_assert_int_eq(ingress_new(w->event, &hooks, w, priorities, (const uint64_t[]){ 1, 2 },
                                     &w->ingress),
                         0);
}

void world_done(World *w) {
        w->ingress = ingress_free(w->ingress);
        w->event = sd_event_unref(w->event);
        scratch_done(&w->scratch);
}

void world_clear(World *w) {
        w->batches = w->datagrams = w->empties = w->settled = w->failures = 0;
        w->dropped = w->attempted = 0;
        w->largest_batch = w->n_records = 0;
        w->last_error = 0;
}

uint8_t world_add(World *w, Listener *l) {
        l->index = w->n_listeners;
        ck_assert_int_eq(ingress_add(w->ingress, l), 0);
        ck_assert_int_eq(l->fd, -1);
        return w->n_listeners++;
}

uint8_t world_listen(World *w, const char *name, unsigned features) {
        Listener l;

        ck_assert_int_eq(listener_bind(scratch_address(&w->scratch, name), features, &l), 0);
        return world_add(w, &l);
}

int world_listen_pair(World *w, unsigned features) {
        int pair[2], size = PAIR_BUFFER;
        Listener l;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
        ck_assert_int_eq(listener_adopt(pair[1], "pair", features, &l), 0);
        (void) world_add(w, &l);
        return pair[0];
}

void world_settle(World *w) {
        int r;

        do {
                r = sd_event_run(w->event, 0);
                ck_assert_int_ge(r, 0);
        } while (r > 0);
}

void world_until(World *w, const uint64_t *counter, uint64_t n) {
        while (*counter < n) {
                int r = sd_event_run(w->event, 10 * USEC_PER_SEC);

                ck_assert_int_ge(r, 0);
                ck_assert_msg(r > 0, "nothing happened for ten seconds");
        }
}
