/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the observer counts. Every counter is monotonic, 64 bits wide and present from the start, at zero.
 * The names are the bus properties of org.varta.Observer1; metrics are made from the same table.
 */

#include <stdint.h>

#include "core/types.h"

/* field, property name, what is counted */
#define COUNTER_TABLE(X)                                                                                    \
        X(beats, "Beats", "beats accepted")                                                                 \
        X(stalls, "Stalls", "stalls concluded from silence")                                                \
        X(resumes, "Resumes", "stalled agents that beat again")                                             \
        X(exits, "Exits", "processes of agents that exited")                                                \
        X(auth_failures, "AuthFailures", "frames that named another process's pid")                         \
        X(namespace_drops, "NamespaceDrops", "frames from a foreign pid namespace")                         \
        X(pid_above_max, "PidAboveMaxDrops", "frames naming a pid above kernel.pid_max")                    \
        X(origin_conflicts, "OriginConflicts", "frames for an agent known by another origin")               \
        X(namespace_conflicts, "NamespaceConflicts", "frames for an agent pinned to another namespace")     \
        X(out_of_order, "OutOfOrder", "frames that did not move on")                                        \
        X(nonce_wraps, "NonceWraps", "nonces that wrapped around")                                          \
        X(evictions, "Evictions", "agents that gave their slot to another")                                 \
        X(capacity_exceeded, "CapacityExceeded", "frames of new agents for which there was no slot")        \
        X(eviction_truncated, "EvictionTruncated", "searches for a victim that ended at their bound")       \
        X(pid_recycles, "PidRecycles", "pids that came back as another process")                            \
        X(invariant_violations, "InvariantViolations", "index trouble that cannot happen, survived")        \
        X(probe_exhausted, "ProbeExhausted", "index probes that ended at their bound")                      \
        X(mis_sized, "MisSized", "datagrams of a size that no frame has")                                   \
        X(control_truncated, "ControlTruncated", "datagrams whose ancillary data the kernel cut")           \
        X(io_errors, "IoErrors", "errors of the receiving sockets")                                         \
        X(queue_drops, "QueueDrops", "datagrams that the kernel dropped before they were read")             \
        X(clock_regressions, "ClockRegressions", "clock readings below the one before")                     \
        X(clock_jumps, "ClockJumps", "jumps of the clock, each followed by one threshold of grace")         \
        X(decrypt_failures, "DecryptFailures", "secure datagrams that no key opened")                       \
        X(aead_attempts, "AeadAttempts", "keys tried on secure datagrams")                                  \
        X(replays_refused, "ReplaysRefused", "secure datagrams seen before")                                \
        X(sender_table_full, "SenderTableFull", "secure senders for whom the replay table had no room")     \
        X(forgotten, "Forgotten", "stalled agents without a pidfd that were forgotten")

typedef struct Counters {
#define X(field, name, help) uint64_t field;
        COUNTER_TABLE(X)
#undef X
        uint64_t decode_errors[_VLP_ERROR_MAX]; /* VLP_ERROR_NONE stays zero and is not shown */
        uint64_t rate_limited[_RATE_LIMIT_MAX];
} Counters;
