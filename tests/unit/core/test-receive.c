/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the receive layer already knows of a datagram, and what is told of it. */

#include <check.h>
#include <string.h>

#include "scene.h"

#define RECEIVED(r, ...)                                                                                    \
        { .kind = STEP_BEAT, .origin = ORIGIN_KERNEL_ATTESTED, .pid = 100, .received = (r), __VA_ARGS__ }

static void rejection_knows_nothing(Stage *s) {
        ck_assert_uint_eq(s->last.claimed_pid, 0);
        ck_assert_uint_eq(s->last.attested_pid, 0);
        ck_assert_uint_eq(s->last.listener, 1);
}

static void error_is_enobufs(Stage *s) {
        ck_assert_int_eq(s->last.error, -ENOBUFS);
        ck_assert_uint_eq(s->last.listener, 1);
}

static void error_is_negative(Stage *s) {
        ck_assert_int_lt(s->last.error, 0);
}

static const Scene scenes[] = {
        {
                        .title = "receive control truncated: event and counter, whatever the bytes say",
                        .steps = { { .kind = STEP_LISTEN },
                                   RECEIVED(RECEIVE_CONTROL_TRUNCATED, .is = "control-truncated",
                                            .listener = 1, .tells = "rejected:control-truncated"),
                                   CHECK(rejection_knows_nothing) },
                        .counts = "ControlTruncated=1",
        },
        {
                        .title = "receive mis-sized: counter, no event",
                        .steps = { RECEIVED(RECEIVE_MIS_SIZED, .is = "mis-sized") },
                        .counts = "MisSized=1",
        },
        {
                        .title = "receive no credentials: an I/O event and its counter",
                        .steps = { RECEIVED(RECEIVE_NO_CREDENTIALS, .is = "io-error",
                                            .tells = "rejected:io-error"),
                                   CHECK(error_is_negative) },
                        .counts = "IoErrors=1",
        },
        {
                        .title = "receive error: an I/O event with the errno, and the listener stays in "
                                 "service",
                        .steps = { { .kind = STEP_LISTEN },
                                   { .kind = STEP_FAILED,
                                     .listener = 1,
                                     .error = -ENOBUFS,
                                     .tells = "rejected:io-error" },
                                   CHECK(error_is_enobufs),
                                   LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)",
                                         .listener = 1) },
                        .counts = "IoErrors=1 Beats=1",
        },
        {
                        .title = "receive secure: what does not open, was seen before, or finds no room, is "
                                 "counted only",
                        .steps = { RECEIVED(RECEIVE_DECRYPT_FAILED, .is = "decrypt-failed",
                                            .tells = "rejected:decrypt-failed"),
                                   RECEIVED(RECEIVE_REPLAYED, .is = "replayed"),
                                   RECEIVED(RECEIVE_SENDER_TABLE_FULL, .is = "sender-table-full"),
                                   RECEIVED(RECEIVE_UNOPENED_LIMITED, .is = "rate-limited") },
                        .counts = "DecryptFailures=1 ReplaysRefused=1 SenderTableFull=1 "
                                  "RateLimited.unopened=1",
        },
        {
                        .title = "receive source: one pid of two sources is two agents",
                        .steps = { NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)", .source = 1),
                                   NETWORK(100, 1, .is = "inserted", .tells = "appeared(100)", .source = 2),
                                   LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   NETWORK(100, 2, .is = "refreshed", .source = 2) },
                        .counts = "Beats=4",
        },
        {
                        .title = "receive batch: datagrams are judged in their order, each as if it were "
                                 "alone",
                        .settings.capacity = 1,
                        .steps = { LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)"),
                                   LOCAL(101, 1, .is = "capacity-exceeded"),
                                   LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)") },
                        .counts = "Beats=2 CapacityExceeded=1",
        },
};

static const Scene empty_scene = { .title = "batches" };

/* receive batch: one call with many datagrams does what many calls with one do */
START_TEST(test_batches_equal_singles) {
        static Stage together, alone;
        uint8_t bytes[OBSERVER_BATCH_MAX][VLP_FRAME_SIZE];
        Datagram d[OBSERVER_BATCH_MAX];
        Verdict a[OBSERVER_BATCH_MAX], b[OBSERVER_BATCH_MAX];

        stage_open(&together, &empty_scene);
        stage_open(&alone, &empty_scene);
        for (unsigned round = 0; round < 8; round++) {
                for (unsigned i = 0; i < OBSERVER_BATCH_MAX; i++) {
                        VlpFrame f = { .pid = 100 + i % 40, .nonce = (round * 7 + i * 13) % 11 };

                        ck_assert_int_eq(vlp_frame_encode(&f, bytes[i]), 0);
                        d[i] = (Datagram){ .frame = bytes[i],
                                           .pid = f.pid,
                                           .uid = SCENE_UID,
                                           .origin = ORIGIN_KERNEL_ATTESTED };
                        if (i % 9 == 0)
                                bytes[i][20] ^= 1;
                        observer_receive(alone.observer, &d[i], 1, alone.now, &b[i]);
                }
                observer_receive(together.observer, d, OBSERVER_BATCH_MAX, together.now, a);
                ck_assert_mem_eq(a, b, sizeof(a));
        }
        ck_assert_str_eq(stage_take_told(&together), stage_take_told(&alone));
        ck_assert_mem_eq(observer_counters(together.observer), observer_counters(alone.observer),
                         sizeof(Counters));
        observer_receive(together.observer, d, 0, together.now, NULL);
        stage_close(&together);
        stage_close(&alone);
}
END_TEST

SCENES_MAIN("core: receive", scenes, test_batches_equal_singles)
