/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The observer's rules against replays, each as a short history of frames. */

#include <string.h>

#include "ingress/replay.h"
#include "rows.h"

#define THRESHOLD (5 * NSEC_PER_SEC)
#define T         VLP_NONCE_TERMINAL
#define A         REPLAY_ACCEPTED
#define R         REPLAY_REFUSED
#define FULL      REPLAY_TABLE_FULL
#define STEPS_MAX 10

typedef struct Step {
        uint32_t sender; /* 0 ends the history */
        uint64_t session;
        uint32_t counter;
        uint64_t nonce, timestamp;
        nsec_t wait; /* before it */
        ReplayVerdict wanted;
} Step;

typedef struct History {
        const char *title;
        uint32_t capacity;
        Step steps[STEPS_MAX];
} History;

static const History histories[] = {
        { "the same frame again is refused", 4, { { 9, 1, 0, 1, 1, 0, A }, { 9, 1, 0, 1, 1, 0, R } } },
        { "counters that rise pass, gaps included, and an older one does not",
          4,
          { { 9, 1, 0, 1, 1, 0, A },
            { 9, 1, 1, 2, 1, 0, A },
            { 9, 1, 9, 3, 1, 0, A },
            { 9, 1, 5, 4, 1, 0, R },
            { 9, 1, 9, 4, 1, 0, R } } },
        { "silence makes no old counter new",
          4,
          { { 9, 1, 3, 4, 1, 0, A }, { 9, 1, 3, 4, 1, NSEC_PER_DAY, R }, { 9, 1, 2, 9, 1, 0, R } } },
        { "the largest counter passes once",
          4,
          { { 9, 1, UINT32_MAX, 1, 1, 0, A }, { 9, 1, UINT32_MAX, 2, 1, 0, R }, { 9, 1, 0, 3, 1, 0, R } } },
        { "a new prefix needs a higher nonce",
          4,
          { { 9, 1, 0, 5, 1, 0, A },
            { 9, 2, 0, 5, 1, 0, R },
            { 9, 3, 0, 4, 1, 0, R },
            { 9, 2, 0, 6, 1, 0, A } } },
        { "after a rotation the previous prefix goes on from its highest counter",
          4,
          { { 9, 1, 7, 5, 1, 0, A },
            { 9, 2, 0, 6, 1, 0, A },
            { 9, 1, 7, 5, 1, 0, R },
            { 9, 1, 8, 5, 1, 0, A },
            { 9, 1, 8, 5, 1, 0, R },
            { 9, 2, 1, 7, 1, 0, A } } },
        { "two rotations ago is a new prefix, and an old nonce is refused",
          4,
          { { 9, 1, 0, 1, 1, 0, A },
            { 9, 2, 0, 2, 1, 0, A },
            { 9, 3, 0, 3, 1, 0, A },
            { 9, 1, 0, 1, 1, 0, R },
            { 9, 1, 1, 3, 1, 0, R } } },
        { "a late frame of the previous prefix does not lower the nonce",
          4,
          { { 9, 1, 0, 1, 1, 0, A },
            { 9, 2, 0, 8, 1, 0, A },
            { 9, 1, 1, 2, 1, 0, A },
            { 9, 3, 0, 5, 1, 0, R } } },
        { "a new session with an old nonce waits for one threshold of silence",
          4,
          { { 9, 1, 0, 50, 1, 0, A },
            { 9, 2, 0, 1, 1, THRESHOLD - 1, R },
            { 9, 2, 0, 1, 1, 1, A },
            { 9, 2, 1, 2, 1, 0, A },
            { 9, 3, 0, 2, 1, 0, R },
            { 9, 3, 0, 3, 1, 0, A } } },
        { "what was refused does not prolong the silence that is waited for, nor break it",
          4,
          { { 9, 1, 0, 50, 1, 0, A },
            { 9, 1, 0, 50, 1, THRESHOLD / 2, R },
            { 9, 2, 0, 1, 1, THRESHOLD / 2, A } } },
        { "a terminal frame passes once, whatever the silence",
          4,
          { { 9, 1, 0, 1, 1, 0, A },
            { 9, 1, 1, T, 100, 0, A },
            { 9, 1, 1, T, 100, 0, R },
            { 9, 2, 0, T, 100, 10 * THRESHOLD, R },
            { 9, 2, 0, T, 99, 10 * THRESHOLD, R },
            { 9, 2, 0, T, 101, 0, A } } },
        { "a terminal frame does not raise the nonce",
          4,
          { { 9, 1, 0, 5, 1, 0, A }, { 9, 1, 1, T, 9, 0, A }, { 9, 2, 0, 6, 1, 0, A } } },
        { "an unknown sender's first frame may be terminal",
          4,
          { { 9, 1, 0, T, 9, 0, A }, { 9, 2, 0, T, 9, 0, R }, { 9, 2, 0, 1, 9, 0, A } } },
        { "senders do not know of each other",
          4,
          { { 9, 1, 5, 5, 1, 0, A },
            { 8, 1, 5, 5, 1, 0, A },
            { 9, 1, 5, 5, 1, 0, R },
            { 8, 1, 5, 5, 1, 0, R } } },
        { "a full table refuses the unknown and keeps the known",
          2,
          { { 1, 1, 0, 1, 1, 0, A },
            { 2, 1, 0, 1, 1, 0, A },
            { 3, 1, 0, 1, 1, 0, FULL },
            { 1, 1, 0, 1, 1, 0, R },
            { 1, 1, 1, 2, 1, 0, A },
            { 3, 1, 0, 1, 1, REPLAY_STALE *THRESHOLD, FULL } } },
        { "who was silent for more than ten thresholds makes room",
          1,
          { { 1, 1, 0, 7, 1, 0, A },
            { 2, 1, 0, 1, 1, REPLAY_STALE *THRESHOLD, FULL },
            { 2, 1, 0, 1, 1, 1, A },
            { 2, 1, 0, 1, 1, 0, R } } },
        { "a swept sender's recordings stay worthless for a day",
          1,
          { { 1, 1, 0, 7, 1, 0, A },
            { 2, 1, 0, 1, 1, REPLAY_STALE *THRESHOLD + 1, A },
            { 1, 1, 0, 7, 1, REPLAY_STALE *THRESHOLD + 1, R },
            { 1, 2, 0, 6, 1, 0, R },
            { 1, 1, 1, 8, 1, 0, A },
            { 1, 1, 1, 8, 1, 0, R } } },
        { "a swept sender's last word stays said",
          1,
          { { 1, 1, 0, T, 7, 0, A },
            { 2, 1, 0, 1, 1, REPLAY_STALE *THRESHOLD + 1, A },
            { 1, 1, 0, T, 7, REPLAY_STALE *THRESHOLD + 1, R },
            { 1, 1, 0, 1, 1, 0, A },
            { 1, 2, 0, T, 7, 0, R } } },
        { "after a day a swept sender is forgotten",
          1,
          { { 1, 1, 0, 7, 1, 0, A },
            { 2, 1, 0, 1, 1, REPLAY_STALE *THRESHOLD + 1, A },
            { 1, 1, 0, 7, 1, REPLAY_SWEPT_SPAN, A } } },
        { "of the swept ones the oldest is forgotten first",
          1,
          { { 1, 1, 0, 7, 1, 0, A },
            { 2, 1, 0, 7, 1, REPLAY_STALE *THRESHOLD + 1, A },
            { 3, 1, 0, 7, 1, REPLAY_STALE *THRESHOLD + 1, A },
            { 2, 1, 0, 7, 1, REPLAY_STALE *THRESHOLD + 1, R },
            { 1, 1, 0, 7, 1, 0, A } } },
};

START_TEST(test_history) {
        const History *h = &histories[_i];
        nsec_t now = NSEC_PER_DAY;
        Replay replay;

        ck_assert_int_eq(replay_init(&replay, h->capacity, 1), 0);
        for (size_t i = 0; i < STEPS_MAX && h->steps[i].sender; i++) {
                const Step *s = &h->steps[i];
                VlpSecureHeader header = { .iv_counter = s->counter };
                VlpFrame frame = { .pid = s->sender, .nonce = s->nonce, .timestamp = s->timestamp };
                ReplayVerdict v;

                now += s->wait;
                memcpy(header.iv_random, &s->session, sizeof(header.iv_random));
                v = replay_judge(&replay, (SenderId){ .scope = 1, .pid = s->sender }, &header, &frame,
                                 THRESHOLD, now);
                ck_assert_msg(v == s->wanted, "%s: step %zu gives %d instead of %d", h->title, i, (int) v,
                              (int) s->wanted);
        }
        replay_done(&replay);
}
END_TEST

/* A recording of a whole session, in any order, to an observer that heard all of it. */
START_TEST(test_recording) {
        enum {
                N = 64
        };
        nsec_t now = NSEC_PER_DAY;
        Replay replay;

        ck_assert_int_eq(replay_init(&replay, 4, 1), 0);
        for (uint32_t turn = 0; turn < 1 + N; turn++)
                for (uint32_t i = 0; i < N; i++) {
                        uint32_t n = turn == 0 ? i
                                               : (i * 37 + turn) % N; /* 37: each once, in another order */
                        VlpSecureHeader header = { .iv_random = { (uint8_t) (n / 32) },
                                                   .iv_counter = n % 32 };
                        VlpFrame frame = { .pid = 9, .nonce = n + 1, .timestamp = n };

                        now += NSEC_PER_MSEC;
                        ck_assert_int_eq(replay_judge(&replay, (SenderId){ 1, 9 }, &header, &frame,
                                                      THRESHOLD, now),
                                         turn == 0 ? REPLAY_ACCEPTED : REPLAY_REFUSED);
                }
        replay_done(&replay);
}
END_TEST

START_TEST(test_capacity) {
        Replay replay;

        ck_assert_int_eq(replay_init(&replay, 0, 1), -EINVAL);
        ck_assert_int_eq(replay_init(&replay, SENDERS_MAX + 1, 1), -EINVAL);
}
END_TEST

int main(void) {
        const Row rows[] = {
                { "a recording of two prefixes is refused in every order", test_recording },
                { "a table has 1 to 65,536 senders", test_capacity },
        };
        Suite *s = suite_create("ingress-replay");

        for (size_t i = 0; i < ELEMENTSOF(histories); i++)
                suite_add_row(s, histories[i].title, test_history, (int) i);
        suite_add_rows(s, rows, ELEMENTSOF(rows));
        return suite_run(s);
}
