/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rules, for a sender that is known:
 *
 *   a prefix in use, current or previous    only a strictly higher counter
 *   a new prefix                            only a higher nonce (a terminal frame: a later timestamp)
 *   a new prefix, an old nonce              a new session, after one threshold of silence; never a terminal frame
 *
 * An unknown sender is welcome while there is room. When there is none, whoever was silent for ten thresholds makes room
 * and leaves the highest nonce behind, so that recordings of it stay worthless for a day; when nobody was, the unknown
 * sender is refused: state of a live sender is never given up, since that would be how to make a replay pass.
 *
 * Which sender a frame is of is known when it is open. Which sender it will probably be of is known before, from its prefix:
 * a table of hints says who used that last, so that memory can be asked for it while other frames are being opened.
 *
 * What cannot be told apart without asking the sender back: a recording of a whole session, played to an observer that has
 * seen nothing of that sender for a threshold. docs/network.md says so.
 */

#include <stdlib.h>
#include <string.h>

#include "ingress/replay.h"
#include "vlp/unaligned.h"

/* Hints for each place: so many that most prefixes in use have one to themselves. */
#define HINTS_PER_SENDER 2U

int replay_init(Replay *r, uint32_t capacity, uint64_t hash_key) {
        unsigned bits = 4;
        int k;

        assert(r);

        *r = (Replay){};
        k = senders_init(&r->live, capacity, hash_key);
        if (k < 0)
                return k;
        k = senders_init(&r->swept, capacity, hash_key);
        if (k < 0) {
                senders_done(&r->live);
                return k;
        }

        while (UINT32_C(1) << bits < HINTS_PER_SENDER * capacity)
                bits++;
        r->hint_shift = 64 - bits;
        r->hints = calloc(UINT32_C(1) << bits, sizeof(uint32_t));
        if (!r->hints) {
                replay_done(r);
                return -ENOMEM;
        }
        return 0;
}

void replay_done(Replay *r) {
        senders_done(&r->live);
        senders_done(&r->swept);
        free(r->hints);
        r->hints = NULL;
}

/* Prefixes are as good as random where senders keep to the protocol; others spoil nothing but their own hints, and only who
 * has a key writes any. */
static uint32_t *hint_of(const Replay *r, const VlpSecureHeader *header) {
        return &r->hints[(load_le64(header->iv_random) * UINT64_C(0x9e3779b97f4a7c15)) >> r->hint_shift];
}

void replay_prefetch_hint(const Replay *r, const VlpSecureHeader *header) {
        __builtin_prefetch(hint_of(r, header));
        __asm__ volatile(""); /* as in senders.h */
}

void replay_prefetch_sender(const Replay *r, const VlpSecureHeader *header) {
        senders_prefetch_at(&r->live, *hint_of(r, header));
}

void replay_prefetch_neighbours(const Replay *r, const VlpSecureHeader *header) {
        senders_prefetch_neighbours(&r->live, *hint_of(r, header));
}

static void set_hint(Replay *r, const VlpSecureHeader *header, const Sender *s) {
        uint32_t *hint = hint_of(r, header), number = sender_number(&r->live, s);

        if (*hint != number)
                *hint = number;
}

static bool is_terminal(const VlpFrame *frame) {
        return frame->nonce == VLP_NONCE_TERMINAL;
}

static SenderPrefix *find_prefix(Sender *s, const VlpSecureHeader *header) {
        for (size_t i = 0; i < ELEMENTSOF(s->prefixes); i++)
                if (s->prefixes[i].known &&
                    memcmp(s->prefixes[i].iv_random, header->iv_random, VLP_IV_RANDOM_SIZE) == 0)
                        return &s->prefixes[i];
        return NULL;
}

static void set_prefix(Sender *s, const VlpSecureHeader *header) {
        s->prefixes[1] = s->prefixes[0];
        s->prefixes[0] = (SenderPrefix){ .counter = header->iv_counter, .known = true };
        memcpy(s->prefixes[0].iv_random, header->iv_random, VLP_IV_RANDOM_SIZE);
}

static void remember(Sender *s, const VlpFrame *frame, bool session) {
        if (is_terminal(frame)) {
                if (!s->has_terminal || frame->timestamp > s->terminal_timestamp)
                        s->terminal_timestamp = frame->timestamp;
                s->has_terminal = true;
                return;
        }
        if (session || !s->has_nonce || frame->nonce > s->nonce)
                s->nonce = frame->nonce;
        s->has_nonce = true;
}

/* Whether a frame under a prefix that is not in use moves on from what is remembered. */
static bool moves_on(const Sender *s, const VlpFrame *frame) {
        if (is_terminal(frame))
                return !s->has_terminal || frame->timestamp > s->terminal_timestamp;
        return !s->has_nonce || frame->nonce > s->nonce;
}

static ReplayVerdict judge_known(Replay *r, Sender *s, const VlpSecureHeader *header, const VlpFrame *frame,
                                 nsec_t threshold, nsec_t now) {
        SenderPrefix *prefix = find_prefix(s, header);
        bool session = false;

        if (prefix) {
                if (header->iv_counter <= prefix->counter)
                        return REPLAY_REFUSED;
                prefix->counter = header->iv_counter;
        } else {
                if (!moves_on(s, frame)) {
                        if (is_terminal(frame) || nsec_sub(now, s->last) < threshold)
                                return REPLAY_REFUSED;
                        session = true;
                }
                set_prefix(s, header);
        }
        remember(s, frame, session);
        set_hint(r, header, s);
        senders_touch(&r->live, s, now);
        return REPLAY_ACCEPTED;
}

/* Room for one more: the stalest goes, if it is stale at all. */
static bool make_room(Replay *r, nsec_t threshold, nsec_t now) {
        Sender *stale, *left;

        if (r->live.used < r->live.capacity)
                return true;
        stale = senders_oldest(&r->live);
        if (nsec_sub(now, stale->last) <= threshold * REPLAY_STALE)
                return false;

        if (r->swept.used == r->swept.capacity)
                senders_remove(&r->swept, senders_oldest(&r->swept));
        left = senders_add(&r->swept, sender_id(stale), stale->last);
        left->nonce = stale->nonce;
        left->has_nonce = stale->has_nonce;
        left->terminal_timestamp = stale->terminal_timestamp;
        left->has_terminal = stale->has_terminal;
        senders_remove(&r->live, stale);
        return true;
}

ReplayVerdict replay_judge(Replay *r, SenderId id, const VlpSecureHeader *header, const VlpFrame *frame,
                           nsec_t threshold, nsec_t now) {
        Sender *s, *swept, left = {};

        assert(r && header && frame);

        s = senders_find_at(&r->live, id, *hint_of(r, header));
        if (s)
                return judge_known(r, s, header, frame, threshold, now);

        swept = senders_find(&r->swept, id);
        if (swept && nsec_sub(now, swept->last) >= REPLAY_SWEPT_SPAN) {
                senders_remove(&r->swept, swept);
                swept = NULL;
        }
        if (swept && !moves_on(swept, frame))
                return REPLAY_REFUSED;
        if (swept)
                left = *swept; /* whoever makes room may take its place */
        if (!make_room(r, threshold, now))
                return REPLAY_TABLE_FULL;
        swept = senders_find(&r->swept, id);
        if (swept)
                senders_remove(&r->swept, swept);

        s = senders_add(&r->live, id, now);
        s->nonce = left.nonce;
        s->has_nonce = left.has_nonce;
        s->terminal_timestamp = left.terminal_timestamp;
        s->has_terminal = left.has_terminal;
        set_prefix(s, header);
        set_hint(r, header, s);
        remember(s, frame, false);
        return REPLAY_ACCEPTED;
}
