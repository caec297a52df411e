/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each counter by itself: the smallest scene that moves it, and nothing else moves. The counts name all that is not
 * zero, and every datagram must have ended in exactly one.
 */

#include <check.h>
#include <string.h>

#include "core/tracker.h"
#include "scene.h"

#define SPOILED(d)                                                                                          \
        {                                                                                                   \
                .kind = STEP_BEAT, .origin = ORIGIN_KERNEL_ATTESTED, .pid = 100, .defect = (d),             \
                .is = "decode-error", .tells = "rejected:decode"                                            \
        }
#define RECEIVED(r, v, ...)                                                                                 \
        { .kind = STEP_BEAT, .pid = 100, .received = (r), .is = (v), __VA_ARGS__ }
#define SILENCE WAIT(SEC), EMPTY(0), TICK(), DISPATCH(.tells = "stall:silent(100)")
#define APPEARS LOCAL(100, 1, .is = "inserted", .tells = "appeared(100)")

static const Scene scenes[] = {
        { .title = "counter Beats: an accepted beat", .steps = { APPEARS }, .counts = "Beats=1" },
        { .title = "counter Stalls: a stall from silence",
          .steps = { APPEARS, SILENCE },
          .counts = "Beats=1 Stalls=1" },
        { .title = "counter Stalls: neither an exit nor a unit that never spoke",
          .steps = { APPEARS,
                     LOCAL(100, 2, .is = "refreshed", .tells = "confirmed(100)"),
                     EXITED(100, .tells = "exit(100) stall:exited(100)"),
                     { .kind = STEP_NEVER_BEAT, .unit = "x.service", .tells = "stall:never-beat(0)" } },
          .counts = "Beats=2 Exits=1" },
        { .title = "counter Resumes: a stalled agent beats",
          .steps = { APPEARS, SILENCE, LOCAL(100, 2, .is = "refreshed", .tells = "resumed+confirmed(100)") },
          .counts = "Beats=2 Stalls=1 Resumes=1" },
        { .title = "counter Exits: an agent's process ends",
          .steps = { APPEARS, EXITED(100, .tells = "exit(100)") },
          .counts = "Beats=1 Exits=1" },
        { .title = "counter AuthFailures: another process's pid",
          .steps = { LOCAL(100, 1, .claims = 101, .is = "auth-failure", .tells = "rejected:auth-failure") },
          .counts = "AuthFailures=1" },
        { .title = "counter NamespaceDrops: a foreign pid namespace",
          .steps = { NAMELESS(100, 1, .is = "namespace-drop", .tells = "rejected:namespace-conflict") },
          .counts = "NamespaceDrops=1" },
        { .title = "counter PidAboveMaxDrops: a pid that no process here can have",
          .pid_max = 99,
          .steps = { NETWORK(100, 1, .is = "pid-above-max") },
          .counts = "PidAboveMaxDrops=1" },
        { .title = "counter OriginConflicts: a weaker sender for a known agent",
          .steps = { APPEARS,
                     NETWORK(100, 2, .is = "origin-conflict", .tells = "rejected:origin-conflict") },
          .counts = "Beats=1 OriginConflicts=1" },
        { .title = "counter NamespaceConflicts: a known agent from another namespace",
          .settings.allow_cross_namespace = true,
          .processes = { { .pid = 100, .no_pidfd = true } },
          .steps = { APPEARS, PROCESS(.pid = 100, .inner = 100, .no_pidfd = true),
                     LOCAL(100, 2, .is = "namespace-conflict", .tells = "rejected:namespace-conflict") },
          .counts = "Beats=1 NamespaceConflicts=1" },
        { .title = "counter OutOfOrder: a nonce that is not news",
          .steps = { APPEARS, LOCAL(100, 1, .is = "out-of-order") },
          .counts = "Beats=1 OutOfOrder=1" },
        { .title = "counter NonceWraps: the nonce after the last",
          .steps = { NETWORK(100, VLP_NONCE_TERMINAL - 1, .is = "inserted", .tells = "appeared(100)"),
                     NETWORK(100, 0, .is = "refreshed") },
          .counts = "Beats=2 NonceWraps=1" },
        { .title = "counter Evictions: a slot given to another",
          .settings.capacity = 1,
          .settings.eviction = EVICTION_BALANCED,
          .steps = { APPEARS, LOCAL(101, 1, .is = "inserted", .tells = "evicted(100) appeared(101)") },
          .counts = "Beats=2 Evictions=1" },
        { .title = "counter CapacityExceeded: no slot for a new agent",
          .settings.capacity = 1,
          .steps = { APPEARS, LOCAL(101, 1, .is = "capacity-exceeded") },
          .counts = "Beats=1 CapacityExceeded=1" },
        { .title = "counter PidRecycles: a pid returns as another process",
          .steps = { APPEARS, PROCESS(.pid = 100, .life = 1),
                     LOCAL(100, 2, .is = "inserted", .tells = "exit(100) appeared(100)") },
          .counts = "Beats=2 PidRecycles=1 Exits=1" },
        { .title = "counter MisSized: no frame has this size",
          .steps = { RECEIVED(RECEIVE_MIS_SIZED, "mis-sized") },
          .counts = "MisSized=1" },
        { .title = "counter ControlTruncated: ancillary data was cut",
          .steps = { RECEIVED(RECEIVE_CONTROL_TRUNCATED, "control-truncated",
                              .tells = "rejected:control-truncated") },
          .counts = "ControlTruncated=1" },
        { .title = "counter IoErrors: a socket's error, and a datagram without credentials",
          .steps = { { .kind = STEP_FAILED, .error = -EIO, .tells = "rejected:io-error" },
                     RECEIVED(RECEIVE_NO_CREDENTIALS, "io-error", .tells = "rejected:io-error") },
          .counts = "IoErrors=2" },
        { .title = "counter QueueDrops: as many as the kernel dropped",
          .steps = { { .kind = STEP_DROPPED, .n = 5 },
                     { .kind = STEP_DROPPED, .n = 0 },
                     { .kind = STEP_DROPPED, .n = 2 } },
          .counts = "QueueDrops=7" },
        { .title = "counter ClockRegressions: time fell back",
          .steps = { BACK(1), TICK() },
          .counts = "ClockRegressions=1" },
        { .title = "counter ClockJumps: time jumped",
          .steps = { TICK(.n = SEC, .tells = "jump") },
          .counts = "ClockJumps=1" },
        { .title = "counter DecryptFailures: no key opens it",
          .steps = { RECEIVED(RECEIVE_DECRYPT_FAILED, "decrypt-failed",
                              .tells = "rejected:decrypt-failed") },
          .counts = "DecryptFailures=1" },
        { .title = "counter AeadAttempts: keys tried",
          .steps = { { .kind = STEP_AEAD, .n = 3 }, { .kind = STEP_AEAD, .n = 4 } },
          .counts = "AeadAttempts=7" },
        { .title = "counter ReplaysRefused: seen before",
          .steps = { RECEIVED(RECEIVE_REPLAYED, "replayed") },
          .counts = "ReplaysRefused=1" },
        { .title = "counter SenderTableFull: no room to remember the sender",
          .steps = { RECEIVED(RECEIVE_SENDER_TABLE_FULL, "sender-table-full") },
          .counts = "SenderTableFull=1" },
        { .title = "counter Forgotten: a stalled agent that nobody will ever hear of",
          .settings.forget = SEC,
          .processes = { { .pid = 100, .no_pidfd = true } },
          .steps = { APPEARS, SILENCE, WAIT(SEC), TICK(.tells = "forgotten(100)") },
          .counts = "Beats=1 Stalls=1 Forgotten=1" },
        { .title = "counter DecodeErrors: BadMagic",
          .steps = { SPOILED(VLP_ERROR_BAD_MAGIC) },
          .counts = "DecodeErrors.BadMagic=1" },
        { .title = "counter DecodeErrors: BadVersion",
          .steps = { SPOILED(VLP_ERROR_BAD_VERSION) },
          .counts = "DecodeErrors.BadVersion=1" },
        { .title = "counter DecodeErrors: BadCrc",
          .steps = { SPOILED(VLP_ERROR_BAD_CRC) },
          .counts = "DecodeErrors.BadCrc=1" },
        { .title = "counter DecodeErrors: BadStatus",
          .steps = { SPOILED(VLP_ERROR_BAD_STATUS) },
          .counts = "DecodeErrors.BadStatus=1" },
        { .title = "counter DecodeErrors: StallOnWire",
          .steps = { SPOILED(VLP_ERROR_STALL_ON_WIRE) },
          .counts = "DecodeErrors.StallOnWire=1" },
        { .title = "counter DecodeErrors: BadPid",
          .steps = { SPOILED(VLP_ERROR_BAD_PID) },
          .counts = "DecodeErrors.BadPid=1" },
        { .title = "counter DecodeErrors: BadTimestamp",
          .steps = { SPOILED(VLP_ERROR_BAD_TIMESTAMP) },
          .counts = "DecodeErrors.BadTimestamp=1" },
        { .title = "counter DecodeErrors: BadNonce",
          .steps = { SPOILED(VLP_ERROR_BAD_NONCE) },
          .counts = "DecodeErrors.BadNonce=1" },
        { .title = "counter RateLimited: per-pid",
          .settings.per_pid_rate = { 1, SEC },
          .steps = { APPEARS, LOCAL(100, 2, .is = "rate-limited") },
          .counts = "Beats=1 RateLimited.per-pid=1" },
        { .title = "counter RateLimited: global",
          .settings = { .global_rate = { 1, SEC }, .global_burst = 1 },
          .steps = { APPEARS, LOCAL(101, 1, .is = "rate-limited") },
          .counts = "Beats=1 RateLimited.global=1" },
        { .title = "counter RateLimited: per-uid",
          .settings = { .capacity = 1, .per_uid_share = 50 },
          .steps = { APPEARS, LOCAL(101, 1, .is = "rate-limited") },
          .counts = "Beats=1 RateLimited.per-uid=1" },
        { .title = "counter RateLimited: unopened",
          .steps = { RECEIVED(RECEIVE_UNOPENED_LIMITED, "rate-limited") },
          .counts = "RateLimited.unopened=1" },
        { .title = "counter zero: a new observer has all of them, at zero", .steps = {}, .counts = "" },
};

#define COLLIDERS 130U

/* counter ProbeExhausted: more collisions than a probe goes on, which only who knows the key can provoke */
START_TEST(test_probe_exhausted) {
        static const Scene scene = { .title = "collisions", .settings = { .capacity = 512 } };
        static Stage s;
        /* What peers cannot know: the key. With it, pids that all want one place are easily found. */
        TrackerHeader header = { .hash_key = { 0x1234, 0x5678 } };
        Tracker t = { .header = &header };
        uint32_t found = 0;

        stage_open(&s, &scene);
        s.quiet = true;
        for (uint32_t pid = 2; found < COLLIDERS; pid++) {
                if (tracker_hash(&t, SOURCE_LOCAL, pid) % 1024 != 5)
                        continue;
                found++;
                ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(pid, 1)),
                                  found <= 128 ? VERDICT_INSERTED : VERDICT_CAPACITY_EXCEEDED);
        }
        ck_assert_uint_gt(stage_counter(&s, "ProbeExhausted"), 0);
        ck_assert_uint_eq(stage_counter(&s, "CapacityExceeded"), 2);
        ck_assert_uint_eq(stage_counter(&s, "Beats"), 128);

        /* Those who are in go on, and others find room. */
        ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(s.last.agent.pid, 2)), VERDICT_REFRESHED);
        ck_assert_uint_eq(stage_send(&s, &(Step) NETWORK(3000000, 1)), VERDICT_INSERTED);
        stage_close(&s);
}
END_TEST

SCENES_MAIN("core: counters", scenes, test_probe_exhausted)
