/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Has this frame been here before? One answer per frame that opened and decoded; time is passed in.
 *
 * Remembered is, per key and authenticated pid, never per address: the current and the previous prefix with their highest
 * counters, the highest regular nonce, the latest terminal timestamp.
 */

#include "ingress/senders.h"
#include "vlp/frame.h"

typedef struct Replay {
        Senders live;    /* whoever is heard */
        Senders swept;   /* whoever made room: only their highest nonce counts, for a day */
        uint32_t *hints; /* by prefix: the number of the live sender that used it last, or anything */
        unsigned hint_shift;
} Replay;

typedef enum ReplayVerdict {
        REPLAY_ACCEPTED,
        REPLAY_REFUSED,    /* seen before, or cannot be told from what was */
        REPLAY_TABLE_FULL, /* an unknown sender, and nobody whose state could make room */
        _REPLAY_VERDICT_MAX,
        _REPLAY_VERDICT_INVALID = -EINVAL,
} ReplayVerdict;

/* Silence, in thresholds, after which a sender's state may make room for another's. */
#define REPLAY_STALE 10U

/* How long a swept sender's highest nonce is kept. */
#define REPLAY_SWEPT_SPAN NSEC_PER_DAY

/* Returns 0, -EINVAL for a capacity outside 1..SENDERS_MAX, -ENOMEM. */
int replay_init(Replay *r, uint32_t capacity, uint64_t hash_key);
void replay_done(Replay *r);

/* Ask memory for what judging a frame with this header will wait for, before it is opened: the header does not name the
 * sender, but its prefix says who that was the last time. Believing it costs at most time. First the hint, then, when that
 * has come, the sender, and then those who are beside it in the order of when they were heard. */
void replay_prefetch_hint(const Replay *r, const VlpSecureHeader *header);
void replay_prefetch_sender(const Replay *r, const VlpSecureHeader *header);
void replay_prefetch_neighbours(const Replay *r, const VlpSecureHeader *header);

/* Judges a frame and remembers it when it is accepted. `id` is the key's and the frame's pid; `threshold` the silence after
 * which a sender may start a new session with an old nonce. */
ReplayVerdict replay_judge(Replay *r, SenderId id, const VlpSecureHeader *header, const VlpFrame *frame,
                           nsec_t threshold, nsec_t now);
