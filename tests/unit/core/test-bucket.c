/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The global bucket by itself: exact over any period, neither fast nor starving. */

#include <check.h>

#include "run-tests.h"
#include "util/bucket.h"

#define SEC NSEC_PER_SEC

/* xorshift64*: the same periods in every run. */
static uint64_t random_next(uint64_t *state) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* bucket: it starts full and refills by its rate */
START_TEST(test_starts_full) {
        Bucket b;

        bucket_init(&b, (Rate){ 1, SEC }, 3, 0);
        for (int i = 0; i < 3; i++)
                require(bucket_take(&b, 0));
        require(!bucket_take(&b, 0));
        require(!bucket_take(&b, SEC - 1));
        require(bucket_take(&b, SEC));
        require(!bucket_take(&b, SEC));
}
END_TEST

/* bucket: a rate, a span or a burst of 0 switches it off */
START_TEST(test_off) {
        static const struct {
                Rate rate;
                uint32_t burst;
        } off[] = { { { 0, SEC }, 5 }, { { 5, 0 }, 5 }, { { 5, SEC }, 0 }, { { 0, 0 }, 0 } };
        Bucket b;

        for (size_t i = 0; i < ELEMENTSOF(off); i++) {
                bucket_init(&b, off[i].rate, off[i].burst, 0);
                require(!bucket_enabled(&b));
                for (int k = 0; k < 1000; k++)
                        require(bucket_take(&b, 0));
        }
}
END_TEST

/* bucket: at one per second, asked every microsecond, it admits one per second, to the nanosecond */
START_TEST(test_asked_every_microsecond) {
        unsigned admitted = 0;
        nsec_t last = 0;
        Bucket b;

        bucket_init(&b, (Rate){ 1, SEC }, 1, 0);
        for (nsec_t now = 0; now <= 5 * SEC; now += NSEC_PER_USEC)
                if (bucket_take(&b, now)) {
                        require(now == last);
                        last = now + SEC;
                        admitted++;
                }
        require(admitted == 6); /* the burst, and one for each second */
}
END_TEST

/* bucket: asked every nanosecond, at a rate that divides nothing evenly, it loses no fraction */
START_TEST(test_no_fraction_is_lost) {
        uint64_t admitted = 0;
        Bucket b;

        bucket_init(&b, (Rate){ 7, 1000003 }, 1, 0);
        for (nsec_t now = 0; now < 10000030; now++)
                admitted += bucket_take(&b, now);
        require(admitted == 70);
}
END_TEST

/* bucket: over any period it admits at most burst + rate x seconds + 1 */
START_TEST(test_any_period) {
        uint64_t state = 11;

        for (int round = 0; round < 2000; round++) {
                Rate rate = { 1 + (uint32_t) (random_next(&state) % 5000),
                              1 + random_next(&state) % (3 * NSEC_PER_SEC) };
                uint32_t burst = 1 + (uint32_t) (random_next(&state) % 50);
                nsec_t step = 1 + random_next(&state) % (2 * rate.span / rate.count + 2), now = 1000,
                       start = now;
                uint64_t admitted = 0;
                Bucket b;

                bucket_init(&b, rate, burst, now);
                for (int i = 0; i < 400; i++) {
                        unsigned __int128 most;

                        admitted += bucket_take(&b, now);
                        most = (unsigned __int128) (now - start) * rate.count / rate.span + burst + 1;
                        require(admitted <= (uint64_t) most);
                        now += random_next(&state) % (2 * step);
                }

                /* Greedily from here on: every token that a period earns is had within it. */
                for (nsec_t from = now, tokens = 0; now < from + 50 * (rate.span / rate.count + 1);
                     now += 1 + step / 4)
                        while (bucket_take(&b, now))
                                require(++tokens <= (uint64_t) ((unsigned __int128) (now - from) *
                                                                rate.count / rate.span) +
                                                                    burst + 1);
        }
}
END_TEST

/* bucket: who always asks gets all of rate x time */
START_TEST(test_greedy_gets_all) {
        uint64_t state = 12;

        for (int round = 0; round < 500; round++) {
                Rate rate = { 1 + (uint32_t) (random_next(&state) % 100),
                              1000 + random_next(&state) % 1000000 };
                uint64_t admitted = 0;
                nsec_t now;
                Bucket b;

                bucket_init(&b, rate, 1000000, 0);
                while (bucket_take(&b, 0))
                        ;
                for (now = 0; now < 20 * rate.span; now += 1 + random_next(&state) % 1000)
                        while (bucket_take(&b, now))
                                admitted++;
                while (bucket_take(&b, now))
                        admitted++;
                require(admitted == (uint64_t) ((unsigned __int128) now * rate.count / rate.span));
        }
}
END_TEST

/* bucket: a clock that falls back earns nothing, and nothing twice */
START_TEST(test_clock_stands_still_or_falls) {
        Bucket b;

        bucket_init(&b, (Rate){ 1, SEC }, 1, 10 * SEC);
        require(bucket_take(&b, 10 * SEC));
        require(!bucket_take(&b, 5 * SEC));
        require(!bucket_take(&b, 10 * SEC + SEC - 1));
        require(bucket_take(&b, 11 * SEC));
}
END_TEST

/* bucket: at the end of all ranges nothing overflows into free tokens */
START_TEST(test_extremes) {
        Bucket b;

        bucket_init(&b, (Rate){ UINT32_MAX, 1 }, UINT32_MAX, 0);
        for (int i = 0; i < 10; i++)
                require(bucket_take(&b, 0));
        require(bucket_take(&b, UINT64_MAX));
        require(b.credit == b.limit - b.cost);

        bucket_init(&b, (Rate){ 1, NSEC_PER_DAY }, UINT32_MAX, 0);
        require(b.limit == UINT64_MAX); /* cut to what fits: less than was allowed */
        require(bucket_take(&b, UINT64_MAX));
        require(b.credit < b.limit);

        bucket_init(&b, (Rate){ 1, UINT64_MAX }, 1, 0);
        require(bucket_take(&b, 0));
        require(!bucket_take(&b, UINT64_MAX - 1));
        require(bucket_take(&b, UINT64_MAX));
}
END_TEST

static unsigned tokens_left(Bucket *b, nsec_t now) {
        unsigned n = 0;

        while (bucket_take(b, now))
                n++;
        return n;
}

/* bucket: a reload keeps what was spent and what was earned */
START_TEST(test_reload) {
        static const struct {
                const char *title;
                Rate rate;
                uint32_t burst;
                unsigned taken, left;
                nsec_t later;
        } cases[] = {
                { "what was spent stays spent", { 1, SEC }, 10, 4, 6, 0 },
                { "a larger burst adds what it is larger by", { 1, SEC }, 15, 4, 11, 0 },
                { "a smaller burst takes it away", { 1, SEC }, 5, 4, 1, 0 },
                { "below what was spent nothing is left", { 1, SEC }, 3, 4, 0, 0 },
                { "another span keeps the number of tokens", { 5, NSEC_PER_HOUR }, 10, 4, 6, 0 },
                { "what was earned until now is kept", { 1, SEC }, 10, 10, 3, 3 * SEC },
                { "a fraction that was earned is not handed out as a whole one",
                  { 1, SEC },
                  10,
                  10,
                  2,
                  3 * SEC - 1 },
                { "switched off it admits everything", { 0, 0 }, 10, 4, 1000, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                unsigned left = 0;
                Bucket b;

                bucket_init(&b, (Rate){ 1, SEC }, 10, 0);
                for (unsigned k = 0; k < cases[i].taken; k++)
                        require(bucket_take(&b, 0));
                bucket_reconfigure(&b, cases[i].rate, cases[i].burst, cases[i].later);
                if (bucket_enabled(&b))
                        left = tokens_left(&b, cases[i].later);
                else
                        for (left = 0; left < 1000 && bucket_take(&b, cases[i].later); left++)
                                ;
                ck_assert_msg(left == cases[i].left, "%s: %u instead of %u", cases[i].title, left,
                              cases[i].left);
        }
}
END_TEST

/* bucket: reloading again and again neither fills it nor loses a fraction each time */
START_TEST(test_reload_again_and_again) {
        unsigned admitted = 0;
        Bucket b;

        bucket_init(&b, (Rate){ 10, SEC }, 5, 0);
        for (nsec_t now = 0; now < 10 * SEC; now += 10 * NSEC_PER_MSEC) {
                bucket_reconfigure(&b, (Rate){ 10, SEC }, 5, now);
                admitted += tokens_left(&b, now);
        }
        require(admitted == 5 + 99); /* the last token is earned at the end of the 10 s */
}
END_TEST

TESTS_MAIN("core: bucket", test_starts_full, test_off, test_asked_every_microsecond,
           test_no_fraction_is_lost, test_any_period, test_greedy_gets_all, test_clock_stands_still_or_falls,
           test_extremes, test_reload, test_reload_again_and_again)
