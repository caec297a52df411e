/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The replay table beside a naive model: arrays that are searched from end to end, and the protocol's rules once more in
 * the order in which it states them. Every eight bytes of input are a frame. Both have to give the same verdict each time.
 */

#include <string.h>

#include "fuzz.h"
#include "ingress/replay.h"

#define CAPACITY  3U
#define THRESHOLD NSEC_PER_SEC
#define STEP_SIZE 8U

typedef struct Known {
        bool used;
        uint32_t pid;
        nsec_t last;
        uint64_t order; /* of the last change: breaks ties of time */
        uint8_t n_prefixes;
        struct {
                uint8_t id;
                uint32_t counter;
        } prefixes[2];
        bool has_nonce, has_terminal;
        uint64_t nonce, terminal;
} Known;

typedef struct Model {
        Known live[CAPACITY], swept[CAPACITY];
        uint64_t order;
} Model;

static Known *find(Known *all, uint32_t pid) {
        for (size_t i = 0; i < CAPACITY; i++)
                if (all[i].used && all[i].pid == pid)
                        return &all[i];
        return NULL;
}

static Known *find_place(Known *all) {
        for (size_t i = 0; i < CAPACITY; i++)
                if (!all[i].used)
                        return &all[i];
        return NULL;
}

static Known *find_oldest(Known *all) {
        Known *oldest = &all[0];

        for (size_t i = 1; i < CAPACITY; i++)
                if (all[i].order < oldest->order)
                        oldest = &all[i];
        return oldest;
}

static bool is_higher(const Known *k, const VlpFrame *f) {
        if (vlp_frame_is_terminal(f))
                return !k->has_terminal || f->timestamp > k->terminal;
        return !k->has_nonce || f->nonce > k->nonce;
}

static void accept_frame(Model *m, Known *k, const VlpFrame *f, bool afresh, nsec_t now) {
        if (vlp_frame_is_terminal(f)) {
                k->terminal = k->has_terminal ? MAX(k->terminal, f->timestamp) : f->timestamp;
                k->has_terminal = true;
        } else {
                k->nonce = k->has_nonce && !afresh ? MAX(k->nonce, f->nonce) : f->nonce;
                k->has_nonce = true;
        }
        k->last = now;
        k->order = ++m->order;
}

static void add_prefix(Known *k, uint8_t id, uint32_t counter) {
        k->prefixes[1] = k->prefixes[0];
        k->prefixes[0].id = id;
        k->prefixes[0].counter = counter;
        if (k->n_prefixes < 2)
                k->n_prefixes++;
}

static ReplayVerdict model_known(Model *m, Known *k, uint8_t prefix, uint32_t counter, const VlpFrame *f,
                                 nsec_t now) {
        bool afresh = false;

        for (size_t i = 0; i < k->n_prefixes; i++)
                if (k->prefixes[i].id == prefix) {
                        if (counter <= k->prefixes[i].counter)
                                return REPLAY_REFUSED;
                        k->prefixes[i].counter = counter;
                        accept_frame(m, k, f, false, now);
                        return REPLAY_ACCEPTED;
                }
        if (!is_higher(k, f)) {
                if (vlp_frame_is_terminal(f) || now - k->last < THRESHOLD)
                        return REPLAY_REFUSED;
                afresh = true;
        }
        add_prefix(k, prefix, counter);
        accept_frame(m, k, f, afresh, now);
        return REPLAY_ACCEPTED;
}

static bool model_make_room(Model *m, nsec_t now) {
        Known *stale = find_oldest(m->live), *place;

        if (find_place(m->live))
                return true;
        if (now - stale->last <= REPLAY_STALE * THRESHOLD)
                return false;
        place = find_place(m->swept) ?: find_oldest(m->swept);
        *place = *stale;
        place->order = ++m->order;
        stale->used = false;
        return true;
}

static ReplayVerdict model_judge(Model *m, uint8_t prefix, uint32_t counter, const VlpFrame *f, nsec_t now) {
        Known *k = find(m->live, f->pid), *old, left = {};

        if (k)
                return model_known(m, k, prefix, counter, f, now);
        old = find(m->swept, f->pid);
        if (old && now - old->last >= REPLAY_SWEPT_SPAN) {
                old->used = false;
                old = NULL;
        }
        if (old) {
                if (!is_higher(old, f))
                        return REPLAY_REFUSED;
                left = *old;
        }
        if (!model_make_room(m, now))
                return REPLAY_TABLE_FULL;
        old = find(m->swept, f->pid);
        if (old)
                old->used = false;
        left.used = true;
        left.pid = f->pid;
        left.n_prefixes = 0;
        k = find_place(m->live);
        *k = left;
        add_prefix(k, prefix, counter);
        accept_frame(m, k, f, false, now);
        return REPLAY_ACCEPTED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const nsec_t waits[] = {
                0, 1, THRESHOLD / 2, THRESHOLD, 4 * THRESHOLD, 11 * THRESHOLD, NSEC_PER_HOUR, NSEC_PER_DAY
        };
        nsec_t now = NSEC_PER_DAY;
        Model model = {};
        Replay replay;

        CHECK(replay_init(&replay, CAPACITY, 1) == 0);
        for (; size >= STEP_SIZE; data += STEP_SIZE, size -= STEP_SIZE) {
                VlpSecureHeader header = { .iv_random = { data[1] & 7 }, .iv_counter = data[2] };
                VlpFrame frame = { .pid = 2 + (data[0] & 7), .nonce = data[3], .timestamp = data[4] };
                ReplayVerdict got, wanted;

                if (data[5] & 1)
                        frame.nonce = VLP_NONCE_TERMINAL;
                if (data[5] & 2)
                        header.iv_counter = UINT32_MAX - data[2];
                now += waits[data[6] & 7];
                got = replay_judge(&replay, (SenderId){ .scope = 1, .pid = frame.pid }, &header, &frame,
                                   THRESHOLD, now);
                wanted = model_judge(&model, data[1] & 7, header.iv_counter, &frame, now);
                if (got != wanted) {
                        fprintf(stderr, "the table says %d, the model %d\n", (int) got, (int) wanted);
                        abort();
                }
        }
        replay_done(&replay);
        return 0;
}
