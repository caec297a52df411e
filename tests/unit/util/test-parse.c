/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers, spans, rates and shares: what is understood, what is malformed (-EINVAL), and what is understood and
 * does not fit (-ERANGE). On failure the output must be as it was.
 */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/parse.h"

/* No parser here gives this by accident. */
#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

START_TEST(test_bool) {
        static const struct {
                const char *title, *text;
                int r;
                bool expected;
        } rows[] = {
                { "yes is true", "yes", 0, true },
                { "letters have no case", "On", 0, true },
                { "1 is true", "1", 0, true },
                { "t is true", "t", 0, true },
                { "no is false", "no", 0, false },
                { "OFF is false", "OFF", 0, false },
                { "0 is false", "0", 0, false },
                { "blanks around do not matter", " false\t", 0, false },
                { "nothing is neither", "", -EINVAL, false },
                { "two words are neither", "yes no", -EINVAL, false },
                { "maybe is neither", "maybe", -EINVAL, false },
                { "2 is neither", "2", -EINVAL, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                bool v = !rows[i].expected;

                ck_assert_msg(parse_bool(rows[i].text, &v) == rows[i].r, "%s", rows[i].title);
                ck_assert_msg(v == (rows[i].r < 0 ? !rows[i].expected : rows[i].expected), "%s",
                              rows[i].title);
        }
}
END_TEST

START_TEST(test_u64) {
        static const struct {
                const char *title, *text;
                uint64_t min, max;
                int r;
                uint64_t expected;
        } rows[] = {
                { "a number is itself", "17", 0, 100, 0, 17 },
                { "the lowest of the range is in it", "5", 5, 9, 0, 5 },
                { "the highest of the range is in it", "9", 5, 9, 0, 9 },
                { "one less is out of range", "4", 5, 9, -ERANGE, 0 },
                { "one more is out of range", "10", 5, 9, -ERANGE, 0 },
                { "leading zeros are not octal", "010", 0, 100, 0, 10 },
                { "the largest number fits", "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
                { "one more overflows", "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
                { "thirty digits overflow", "999999999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
                { "an overflow with rubbish behind it is malformed", "99999999999999999999x", 0, 9, -EINVAL,
                  0 },
                { "a negative number is out of range", "-1", 0, 9, -ERANGE, 0 },
                { "minus zero is negative, too", "-0", 0, 9, -ERANGE, 0 },
                { "blanks around do not matter", "  3 ", 0, 9, 0, 3 },
                { "blanks inside do", "3 3", 0, 99, -EINVAL, 0 },
                { "nothing is no number", "", 0, 9, -EINVAL, 0 },
                { "a minus alone is no number", "-", 0, 9, -EINVAL, 0 },
                { "a plus is not taken", "+3", 0, 9, -EINVAL, 0 },
                { "hexadecimal is not taken", "0x3", 0, 9, -EINVAL, 0 },
                { "letters are no number", "three", 0, 9, -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t v = UNTOUCHED;
                int r = parse_u64(rows[i].text, rows[i].min, rows[i].max, &v);

                ck_assert_msg(r == rows[i].r, "%s (%d)", rows[i].title, r);
                ck_assert_msg(v == (r < 0 ? UNTOUCHED : rows[i].expected), "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_u32) {
        uint32_t v = 7;

        ck_assert_int_eq(parse_u32("4294967296", 0, UINT32_MAX, &v), -ERANGE);
        ck_assert_uint_eq(v, 7);
        ck_assert_int_eq(parse_u32("4294967295", 0, UINT32_MAX, &v), 0);
        ck_assert_uint_eq(v, UINT32_MAX);
}
END_TEST

START_TEST(test_size) {
        static const struct {
                const char *title, *text;
                int r;
                uint64_t expected;
        } rows[] = {
                { "a plain number is bytes", "512", 0, 512 },
                { "B is bytes, too", "512B", 0, 512 },
                { "K is 1024", "64K", 0, 65536 },
                { "M is 1024 K", "1M", 0, 1048576 },
                { "G is 1024 M", "2 G", 0, UINT64_C(2147483648) },
                { "T is 1024 G", "1T", 0, UINT64_C(1099511627776) },
                { "what does not fit 64 bits is out of range", "99999999999T", -ERANGE, 0 },
                { "a negative size is out of range", "-1K", -ERANGE, 0 },
                { "small letters are no factors", "1k", -EINVAL, 0 },
                { "two factors are malformed", "1KM", -EINVAL, 0 },
                { "a factor alone is malformed", "K", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t v = UNTOUCHED;
                int r = parse_size(rows[i].text, &v);

                ck_assert_msg(r == rows[i].r, "%s (%d)", rows[i].title, r);
                ck_assert_msg(v == (r < 0 ? UNTOUCHED : rows[i].expected), "%s", rows[i].title);
        }
}
END_TEST

static const struct {
        const char *title, *text;
        int r;
        nsec_t expected;
} spans[] = {
        { "a plain number is seconds", "5", 0, 5 * NSEC_PER_SEC },
        { "seconds", "2s", 0, 2 * NSEC_PER_SEC },
        { "a blank before the unit", "2 s", 0, 2 * NSEC_PER_SEC },
        { "long names", "3 seconds", 0, 3 * NSEC_PER_SEC },
        { "milliseconds", "500ms", 0, 500 * NSEC_PER_MSEC },
        { "microseconds", "7us", 0, 7 * NSEC_PER_USEC },
        { "microseconds with the micro sign", "7\xc2\xb5s", 0, 7 * NSEC_PER_USEC },
        { "microseconds with the Greek letter", "7\xce\xbcs", 0, 7 * NSEC_PER_USEC },
        { "nanoseconds", "7ns", 0, 7 },
        { "minutes", "5min", 0, 5 * NSEC_PER_MINUTE },
        { "m is minutes", "5m", 0, 5 * NSEC_PER_MINUTE },
        { "M is months", "1M", 0, UINT64_C(2629800) * NSEC_PER_SEC },
        { "hours", "1hr", 0, NSEC_PER_HOUR },
        { "days", "1d", 0, NSEC_PER_DAY },
        { "weeks", "2 weeks", 0, 14 * NSEC_PER_DAY },
        { "years", "1y", 0, UINT64_C(31557600) * NSEC_PER_SEC },
        { "parts add up", "1min 30s", 0, 90 * NSEC_PER_SEC },
        { "parts need no blank between them", "1min30s", 0, 90 * NSEC_PER_SEC },
        { "the last part may be plain seconds", "1min30", 0, 90 * NSEC_PER_SEC },
        { "equal units add up, too", "5s 5s", 0, 10 * NSEC_PER_SEC },
        { "fractions", "1.5h", 0, 90 * NSEC_PER_MINUTE },
        { "fractions without a whole part", ".5s", 0, 500 * NSEC_PER_MSEC },
        { "fractions of minutes", "0.25min", 0, 15 * NSEC_PER_SEC },
        { "fractions below a nanosecond fall away", "1.9ns", 0, 1 },
        { "more digits than a unit has nanoseconds", "0.00000000012345678901234567890s", 0, 0 },
        { "zero", "0", 0, 0 },
        { "blanks around do not matter", "\t1s ", 0, NSEC_PER_SEC },
        { "infinity", "infinity", 0, NSEC_INFINITY },
        { "infinity with blanks", " infinity ", 0, NSEC_INFINITY },
        { "584 years fit", "584y", 0, UINT64_C(584) * 31557600 * NSEC_PER_SEC },
        { "one nanosecond less than for ever fits", "18446744073709551614ns", 0, NSEC_INFINITY - 1 },
        { "the number that means for ever is out of range", "18446744073709551615ns", -ERANGE, 0 },
        { "600 years do not fit", "600y", -ERANGE, 0 },
        { "a sum may overflow as well", "584y 1y", -ERANGE, 0 },
        { "so may a fraction", "18446744073.8s", -ERANGE, 0 },
        { "so may the digits", "99999999999999999999999ns", -ERANGE, 0 },
        { "a negative span is out of range", "-5s", -ERANGE, 0 },
        { "with a blank behind the minus, too", "- 5s", -ERANGE, 0 },
        { "a negative part is out of range", "1min -5s", -ERANGE, 0 },
        { "a negative fraction is out of range", "-.5s", -ERANGE, 0 },
        { "nothing is no span", "", -EINVAL, 0 },
        { "blanks are no span", "  ", -EINVAL, 0 },
        { "a unit alone is no span", "s", -EINVAL, 0 },
        { "an unknown unit", "5parsecs", -EINVAL, 0 },
        { "units have a case", "5S", -EINVAL, 0 },
        { "a dot without digits", "5.s", -EINVAL, 0 },
        { "a dot alone", ".", -EINVAL, 0 },
        { "two dots", "1.5.5s", 0, 1500 * NSEC_PER_MSEC + 500 * NSEC_PER_MSEC },
        { "exponents are not taken", "1e3", -EINVAL, 0 },
        { "words are no span", "soon", -EINVAL, 0 },
        { "infinity and more", "infinity 1s", -EINVAL, 0 },
        { "more and infinity", "1s infinity", -EINVAL, 0 },
        { "an overflow with rubbish behind it is malformed", "600y x", -EINVAL, 0 },
};

START_TEST(test_timespan) {
        for (size_t i = 0; i < ELEMENTSOF(spans); i++) {
                nsec_t v = UNTOUCHED;
                int r = parse_timespan(spans[i].text, &v);

                ck_assert_msg(r == spans[i].r, "%s: \"%s\" (%d)", spans[i].title, spans[i].text, r);
                ck_assert_msg(v == (r < 0 ? UNTOUCHED : spans[i].expected), "%s: \"%s\" (%llu)",
                              spans[i].title, spans[i].text, (unsigned long long) v);
        }
}
END_TEST

START_TEST(test_timespan_range) {
        nsec_t v = UNTOUCHED;

        ck_assert_int_eq(parse_timespan_range("9ms", 10 * NSEC_PER_MSEC, NSEC_PER_DAY, &v), -ERANGE);
        ck_assert_int_eq(parse_timespan_range("infinity", 0, NSEC_PER_DAY, &v), -ERANGE);
        ck_assert_int_eq(parse_timespan_range("x", 0, NSEC_PER_DAY, &v), -EINVAL);
        ck_assert_uint_eq(v, UNTOUCHED);
        ck_assert_int_eq(parse_timespan_range("10ms", 10 * NSEC_PER_MSEC, NSEC_PER_DAY, &v), 0);
        ck_assert_uint_eq(v, 10 * NSEC_PER_MSEC);
        ck_assert_int_eq(parse_timespan_range("24h", 0, NSEC_PER_DAY, &v), 0);
        ck_assert_int_eq(parse_timespan_range("infinity", 0, NSEC_INFINITY, &v), 0);
        ck_assert_uint_eq(v, NSEC_INFINITY);
}
END_TEST

START_TEST(test_rate) {
        static const struct {
                const char *title, *text;
                int r;
                Rate expected;
        } rows[] = {
                { "so many per second", "100/s", 0, { 100, NSEC_PER_SEC } },
                { "so many per several minutes", "5/10min", 0, { 5, 10 * NSEC_PER_MINUTE } },
                { "a plain span is seconds", "5/10", 0, { 5, 10 * NSEC_PER_SEC } },
                { "a fraction of a span", "5/.5s", 0, { 5, 500 * NSEC_PER_MSEC } },
                { "blanks around the slash do not matter", " 5 / 10 min ", 0, { 5, 10 * NSEC_PER_MINUTE } },
                { "a span of parts", "5/1min 30s", 0, { 5, 90 * NSEC_PER_SEC } },
                { "0 is off", "0", 0, { 0, 0 } },
                { "0 per anything is off", "0/10min", 0, { 0, 0 } },
                { "a count without a span is malformed", "5", -EINVAL, {} },
                { "a span without a count is malformed", "/10min", -EINVAL, {} },
                { "a slash without a span is malformed", "5/", -EINVAL, {} },
                { "an unknown unit is malformed", "5/fortnight", -EINVAL, {} },
                { "a fraction of a count is malformed", "5.5/s", -EINVAL, {} },
                { "two slashes are malformed", "5/s/s", -EINVAL, {} },
                { "nothing is malformed", "", -EINVAL, {} },
                { "a negative count is out of range", "-5/s", -ERANGE, {} },
                { "a negative span is out of range", "5/-1s", -ERANGE, {} },
                { "a negative plain number is out of range", "-5", -ERANGE, {} },
                { "no time at all is out of range", "5/0s", -ERANGE, {} },
                { "for ever is out of range", "5/infinity", -ERANGE, {} },
                { "a count beyond 32 bits is out of range", "4294967296/s", -ERANGE, {} },
                { "an absurdly long count is malformed",
                  "00000000000000000000000000000000000000000000000000000000000000000001/s",
                  -EINVAL,
                  {} },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Rate v = { 77, 77 };
                int r = parse_rate(rows[i].text, &v);

                ck_assert_msg(r == rows[i].r, "%s (%d)", rows[i].title, r);
                ck_assert_msg(v.count == (r < 0 ? 77 : rows[i].expected.count), "%s", rows[i].title);
                ck_assert_msg(v.span == (r < 0 ? 77 : rows[i].expected.span), "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_quorum) {
        static const struct {
                const char *title, *text;
                int r;
                Quorum expected;
        } rows[] = {
                { "a count", "3", 0, { false, 3 } },
                { "a share", "50%", 0, { true, 50 } },
                { "a share with blanks", " 50 % ", 0, { true, 50 } },
                { "the smallest count", "1", 0, { false, 1 } },
                { "the smallest share", "1%", 0, { true, 1 } },
                { "the largest share", "100%", 0, { true, 100 } },
                { "a count of none is out of range", "0", -ERANGE, {} },
                { "a share of nothing is out of range", "0%", -ERANGE, {} },
                { "a share of more than all is out of range", "101%", -ERANGE, {} },
                { "a negative count is out of range", "-1", -ERANGE, {} },
                { "a negative share is out of range", "-50%", -ERANGE, {} },
                { "half a percent is malformed", "0.5%", -EINVAL, {} },
                { "a sign alone is malformed", "%", -EINVAL, {} },
                { "a sign in front is malformed", "%50", -EINVAL, {} },
                { "two signs are malformed", "50%%", -EINVAL, {} },
                { "words are malformed", "half", -EINVAL, {} },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Quorum v = { true, 77 };
                int r = parse_quorum(rows[i].text, &v);

                ck_assert_msg(r == rows[i].r, "%s (%d)", rows[i].title, r);
                ck_assert_msg(v.value == (r < 0 ? 77 : rows[i].expected.value), "%s", rows[i].title);
                ck_assert_msg(v.is_share == (r < 0 || rows[i].expected.is_share), "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_percent) {
        unsigned v = 7;

        ck_assert_int_eq(parse_percent("50", 1, 100, &v), -EINVAL);
        ck_assert_int_eq(parse_percent("", 1, 100, &v), -EINVAL);
        ck_assert_int_eq(parse_percent("0%", 1, 100, &v), -ERANGE);
        ck_assert_int_eq(parse_percent("101%", 1, 100, &v), -ERANGE);
        ck_assert_uint_eq(v, 7);
        ck_assert_int_eq(parse_percent("100%", 1, 100, &v), 0);
        ck_assert_uint_eq(v, 100);
}
END_TEST

START_TEST(test_span_range) {
        static const struct {
                const char *title, *text;
                int r;
                SpanRange expected;
        } rows[] = {
                { "from a span to a longer one", "5s..5min", 0, { 5 * NSEC_PER_SEC, 5 * NSEC_PER_MINUTE } },
                { "blanks around the dots do not matter",
                  "5s .. 5min",
                  0,
                  { 5 * NSEC_PER_SEC, 5 * NSEC_PER_MINUTE } },
                { "plain numbers are seconds", "5..10", 0, { 5 * NSEC_PER_SEC, 10 * NSEC_PER_SEC } },
                { "equal ends do not grow", "5s..5s", 0, { 5 * NSEC_PER_SEC, 5 * NSEC_PER_SEC } },
                { "the wrong way round is out of range", "5min..5s", -ERANGE, {} },
                { "for ever is out of range", "5s..infinity", -ERANGE, {} },
                { "negative is out of range", "-5s..5s", -ERANGE, {} },
                { "an overflow is out of range", "5s..600y", -ERANGE, {} },
                { "one end is malformed", "5s", -EINVAL, {} },
                { "a missing end is malformed", "5s..", -EINVAL, {} },
                { "a missing beginning is malformed", "..5s", -EINVAL, {} },
                { "three dots are malformed", "5s...x", -EINVAL, {} },
                { "an unknown unit is malformed", "5s..5x", -EINVAL, {} },
                { "malformed comes before out of range", "-5s..5x", -EINVAL, {} },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                SpanRange v = { 77, 77 };
                int r = parse_span_range(rows[i].text, &v);

                ck_assert_msg(r == rows[i].r, "%s (%d)", rows[i].title, r);
                ck_assert_msg(v.min == (r < 0 ? 77 : rows[i].expected.min), "%s", rows[i].title);
                ck_assert_msg(v.max == (r < 0 ? 77 : rows[i].expected.max), "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_hex) {
        static const struct {
                const char *title, *text;
                int r;
                size_t n;
                uint8_t expected[4];
        } rows[] = {
                { "pairs of digits", "deadbeef", 0, 4, { 0xde, 0xad, 0xbe, 0xef } },
                { "capitals", "DEAD", 0, 2, { 0xde, 0xad } },
                { "blanks between pairs", " de ad\nbe\tef ", 0, 4, { 0xde, 0xad, 0xbe, 0xef } },
                { "with 0x in front", "0x0102", 0, 2, { 1, 2 } },
                { "nothing is no bytes", "", 0, 0, {} },
                { "half a pair is malformed", "dea", -EINVAL, 0, {} },
                { "a blank inside of a pair is malformed", "d e", -EINVAL, 0, {} },
                { "other letters are malformed", "xy", -EINVAL, 0, {} },
                { "more than fits", "0102030405", -ENOBUFS, 0, {} },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint8_t buf[4] = {};
                size_t n = 77;
                int r = parse_hex(rows[i].text, buf, sizeof(buf), &n);

                ck_assert_msg(r == rows[i].r, "%s (%d)", rows[i].title, r);
                ck_assert_msg(n == (r < 0 ? 77 : rows[i].n), "%s", rows[i].title);
                if (r >= 0)
                        ck_assert_msg(memcmp(buf, rows[i].expected, rows[i].n) == 0, "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_format_timespan_rough) {
        static const struct {
                nsec_t span;
                const char *expected;
        } rows[] = {
                { 0, "0" },
                { 999, "999ns" },
                { 12 * NSEC_PER_USEC + 345, "12us" },
                { 500 * NSEC_PER_MSEC + 79 * NSEC_PER_USEC + 15, "500ms" },
                { 59 * NSEC_PER_SEC + 999 * NSEC_PER_MSEC + 999999, "59s 999ms" },
                { NSEC_PER_MINUTE + 2 * NSEC_PER_SEC + 3 * NSEC_PER_MSEC, "1min 2s" },
                { NSEC_INFINITY, "infinity" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char buf[FORMAT_TIMESPAN_MAX];

                ck_assert_str_eq(format_timespan_rough(buf, sizeof(buf), rows[i].span), rows[i].expected);
        }
}
END_TEST

START_TEST(test_format_timespan) {
        static const struct {
                nsec_t span;
                const char *expected;
        } rows[] = {
                { 0, "0" },
                { 1, "1ns" },
                { 500 * NSEC_PER_MSEC, "500ms" },
                { 90 * NSEC_PER_SEC, "1min 30s" },
                { 5 * NSEC_PER_MINUTE, "5min" },
                { NSEC_PER_HOUR, "1h" },
                { 40 * NSEC_PER_DAY + 1, "40d 1ns" },
                { NSEC_INFINITY, "infinity" },
                { NSEC_INFINITY - 1, "213503d 23h 34min 33s 709ms 551us 614ns" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char buf[FORMAT_TIMESPAN_MAX], small[6];
                nsec_t v;

                ck_assert_str_eq(format_timespan(buf, sizeof(buf), rows[i].span), rows[i].expected);
                ck_assert_int_eq(parse_timespan(buf, &v), 0);
                ck_assert_uint_eq(v, rows[i].span);
                /* What does not fit is cut off, not written. */
                ck_assert_uint_lt(strlen(format_timespan(small, sizeof(small), rows[i].span)),
                                  sizeof(small));
        }
}
END_TEST

START_TEST(test_format_others) {
        char buf[FORMAT_SPAN_RANGE_MAX];

        ck_assert_str_eq(format_rate(buf, sizeof(buf), &(Rate){ 100, NSEC_PER_SEC }), "100/s");
        ck_assert_str_eq(format_rate(buf, sizeof(buf), &(Rate){ 10, NSEC_PER_MINUTE }), "10/1min");
        ck_assert_str_eq(format_rate(buf, sizeof(buf), &(Rate){ 10, 90 * NSEC_PER_SEC }), "10/1min 30s");
        ck_assert_str_eq(format_rate(buf, sizeof(buf), &(Rate){ 10, 10 * NSEC_PER_SEC }), "10/10s");
        ck_assert_str_eq(format_rate(buf, sizeof(buf), &(Rate){ 10, NSEC_PER_DAY }), "10/d");
        ck_assert_str_eq(format_rate(buf, sizeof(buf), &(Rate){}), "0");
        ck_assert_str_eq(format_quorum(buf, sizeof(buf), &(Quorum){ true, 50 }), "50%");
        ck_assert_str_eq(format_quorum(buf, sizeof(buf), &(Quorum){ false, 3 }), "3");
        ck_assert_str_eq(format_span_range(buf, sizeof(buf),
                                           &(SpanRange){ 5 * NSEC_PER_SEC, 5 * NSEC_PER_MINUTE }),
                         "5s..5min");
        ck_assert_str_eq(format_hex(buf, sizeof(buf), (const uint8_t[]){ 0xde, 0xad, 0x01 }, 3), "dead01");
        ck_assert_str_eq(format_hex(buf, 6, (const uint8_t[]){ 0xde, 0xad, 0x01 }, 3), "dead");
}
END_TEST

/* xorshift64*: the same numbers in every run, so that a failure can be repeated. */
static uint64_t random_next(uint64_t *state) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * UINT64_C(0x2545f4914f6cdd1d);
}

START_TEST(test_round_trip) {
        uint64_t state = 1;

        for (unsigned i = 0; i < 20000; i++) {
                nsec_t span = random_next(&state) >> (i % 64), v;
                Rate rate = { (uint32_t) random_next(&state) | 1, MAX(span, (nsec_t) 1) }, rate_back;
                char buf[FORMAT_RATE_MAX];

                ck_assert_int_eq(parse_timespan(format_timespan(buf, sizeof(buf), span), &v), 0);
                ck_assert_uint_eq(v, span);
                if (rate.span == NSEC_INFINITY)
                        continue;
                ck_assert_msg(parse_rate(format_rate(buf, sizeof(buf), &rate), &rate_back) == 0, "%s", buf);
                ck_assert_uint_eq(rate_back.count, rate.count);
                ck_assert_uint_eq(rate_back.span, rate.span);
        }
}
END_TEST

/* No text whatever may be more than refused. */
START_TEST(test_random_text) {
        static const char alphabet[] = "0123456789 .-/%smhdwyMKGTin\xc2\xb5\xceusec+infty\tx";
        uint64_t state = 2;

        for (unsigned i = 0; i < 50000; i++) {
                char text[24];
                size_t n = random_next(&state) % (sizeof(text) - 1);
                uint64_t number;
                uint8_t bytes[8];
                SpanRange range;
                Quorum quorum;
                unsigned percent;
                Rate rate;
                bool b;
                int r;

                for (size_t k = 0; k < n; k++)
                        text[k] = alphabet[random_next(&state) % (sizeof(alphabet) - 1)];
                text[n] = '\0';

                r = parse_timespan(text, &number);
                ck_assert(r == 0 || r == -EINVAL || r == -ERANGE);
                r = parse_rate(text, &rate);
                ck_assert(r == -EINVAL || r == -ERANGE || (r == 0 && (rate.count == 0) == (rate.span == 0)));
                r = parse_span_range(text, &range);
                ck_assert(r == -EINVAL || r == -ERANGE || (r == 0 && range.min <= range.max));
                r = parse_quorum(text, &quorum);
                ck_assert(r == -EINVAL || r == -ERANGE || (r == 0 && quorum.value >= 1));
                (void) parse_size(text, &number);
                (void) parse_u64(text, 0, UINT64_MAX, &number);
                (void) parse_percent(text, 0, 100, &percent);
                (void) parse_bool(text, &b);
                (void) parse_hex(text, bytes, sizeof(bytes), &n);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("parse");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_bool);
        tcase_add_test(tcase, test_u64);
        tcase_add_test(tcase, test_u32);
        tcase_add_test(tcase, test_size);
        tcase_add_test(tcase, test_timespan);
        tcase_add_test(tcase, test_timespan_range);
        tcase_add_test(tcase, test_rate);
        tcase_add_test(tcase, test_quorum);
        tcase_add_test(tcase, test_percent);
        tcase_add_test(tcase, test_span_range);
        tcase_add_test(tcase, test_hex);
        tcase_add_test(tcase, test_format_timespan);
        tcase_add_test(tcase, test_format_timespan_rough);
        tcase_add_test(tcase, test_format_others);
        tcase_add_test(tcase, test_round_trip);
        tcase_add_test(tcase, test_random_text);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
