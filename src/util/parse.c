/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Text into numbers and back.
 *
 * Why not strtoull() and friends: they skip blanks, take signs, "0x" and "+", saturate instead of failing, depend
 * on errno, and strtod() on the locale. Everything here walks a cursor over plain digits and checks each step for
 * overflow, so that what is not understood completely is refused, and what does not fit is told apart (-ERANGE)
 * from what makes no sense (-EINVAL): the two ask for different words in a message.
 *
 * The grammar of time spans is systemd's, down to "1min30" and ".5h", because people will copy values from unit
 * files. One difference: a span is kept in nanoseconds.
 */

#include "util/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- Cursor ------------------------------------------------------------------------------------------------ */

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *p) {
        while (is_blank(*p))
                p++;
        return p;
}

/* Reads one or more digits at *p and moves past them. -EINVAL when there is none, -ERANGE on overflow. */
static int take_digits(const char **p, uint64_t *ret) {
        uint64_t v = 0;
        bool overflow = false;
        const char *q = *p;

        if (!is_digit(*q))
                return -EINVAL;

        /* All digits are consumed even after an overflow: "malformed" is the graver finding and comes first. */
        for (; is_digit(*q); q++)
                if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
                    __builtin_add_overflow(v, (uint64_t) (*q - '0'), &v))
                        overflow = true;

        *p = q;
        if (overflow)
                return -ERANGE;

        *ret = v;
        return 0;
}

/* The text begins with a minus before digits: well formed, and below every range here. */
static bool is_negative(const char *p) {
        return *p == '-' && (is_digit(skip_blanks(p + 1)[0]) || p[1] == '.');
}

/* Copies s without the blanks around it, for parsers that need to cut the text. -EINVAL when it does not fit. */
static int copy_trimmed(const char *s, size_t n, char *buf, size_t size) {
        while (n > 0 && is_blank(*s))
                s++, n--;
        while (n > 0 && is_blank(s[n - 1]))
                n--;
        if (n == 0 || n >= size)
                return -EINVAL;

        memcpy(buf, s, n);
        buf[n] = '\0';
        return 0;
}

/* No value that consists of parts (a rate, a range) is longer than two spans, and no sane span is longer. */
#define PART_MAX 64

/* ---- Numbers ----------------------------------------------------------------------------------------------- */

int parse_bool(const char *s, bool *ret) {
        static const char *const yes[] = { "1", "yes", "y", "true", "t", "on" };
        static const char *const no[] = { "0", "no", "n", "false", "f", "off" };
        char word[PART_MAX];
        int r;

        assert(s);
        assert(ret);

        r = copy_trimmed(s, strlen(s), word, sizeof(word));
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                if (strcasecmp(word, yes[i]) == 0) {
                        *ret = true;
                        return 0;
                }

        for (size_t i = 0; i < ELEMENTSOF(no); i++)
                if (strcasecmp(word, no[i]) == 0) {
                        *ret = false;
                        return 0;
                }

        return -EINVAL;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;
        bool negative;
        int r;

        assert(s);
        assert(ret);

        s = skip_blanks(s);
        negative = is_negative(s);
        if (negative)
                s = skip_blanks(s + 1);

        r = take_digits(&s, &v);
        if (r == -EINVAL || *skip_blanks(s))
                return -EINVAL;
        if (r < 0 || negative || v < min || v > max)
                return -ERANGE;

        *ret = v;
        return 0;
}

int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret) {
        uint64_t v;
        int r;

        r = parse_u64(s, min, max, &v);
        if (r < 0)
                return r;

        *ret = (uint32_t) v;
        return 0;
}

int parse_size(const char *s, uint64_t *ret) {
        static const char factors[] = "BKMGT"; /* each 1024 of the one before */
        uint64_t v = 0;
        bool negative;
        int r;

        assert(s);
        assert(ret);

        s = skip_blanks(s);
        negative = is_negative(s);
        if (negative)
                s = skip_blanks(s + 1);

        r = take_digits(&s, &v);
        if (r == -EINVAL)
                return r;

        s = skip_blanks(s);
        if (*s) {
                const char *f = strchr(factors, *s);

                if (!f || *skip_blanks(s + 1))
                        return -EINVAL;
                if (__builtin_mul_overflow(v, UINT64_C(1) << (10 * (f - factors)), &v))
                        r = -ERANGE;
        }

        if (r < 0 || negative)
                return -ERANGE;

        *ret = v;
        return 0;
}

/* ---- Time -------------------------------------------------------------------------------------------------- */

/* systemd's units. Months and years are its averages: a year is 365.25 days, a month a twelfth of it. */
#define NSEC_PER_WEEK  (7 * NSEC_PER_DAY)
#define NSEC_PER_YEAR  (NSEC_PER_DAY * 36525 / 100)
#define NSEC_PER_MONTH (NSEC_PER_YEAR / 12)

/* Finds the unit that a run of letters names. A span without a unit is in seconds. */
static bool find_time_unit(const char *word, size_t n, nsec_t *ret) {
        static const struct {
                const char *name;
                nsec_t length;
        } units[] = {
                { "", NSEC_PER_SEC },
                { "s", NSEC_PER_SEC },
                { "sec", NSEC_PER_SEC },
                { "second", NSEC_PER_SEC },
                { "seconds", NSEC_PER_SEC },
                { "m", NSEC_PER_MINUTE },
                { "min", NSEC_PER_MINUTE },
                { "minute", NSEC_PER_MINUTE },
                { "minutes", NSEC_PER_MINUTE },
                { "h", NSEC_PER_HOUR },
                { "hr", NSEC_PER_HOUR },
                { "hour", NSEC_PER_HOUR },
                { "hours", NSEC_PER_HOUR },
                { "d", NSEC_PER_DAY },
                { "day", NSEC_PER_DAY },
                { "days", NSEC_PER_DAY },
                { "w", NSEC_PER_WEEK },
                { "week", NSEC_PER_WEEK },
                { "weeks", NSEC_PER_WEEK },
                { "M", NSEC_PER_MONTH },
                { "month", NSEC_PER_MONTH },
                { "months", NSEC_PER_MONTH },
                { "y", NSEC_PER_YEAR },
                { "year", NSEC_PER_YEAR },
                { "years", NSEC_PER_YEAR },
                { "ms", NSEC_PER_MSEC },
                { "msec", NSEC_PER_MSEC },
                { "us", NSEC_PER_USEC },
                { "usec", NSEC_PER_USEC },
                { "\xc2\xb5s", NSEC_PER_USEC }, /* micro sign */
                { "\xce\xbcs", NSEC_PER_USEC }, /* Greek mu */
                { "ns", 1 },
                { "nsec", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].name) == n && memcmp(units[i].name, word, n) == 0) {
                        *ret = units[i].length;
                        return true;
                }

        return false;
}

/* One "NUMBER[.FRACTION] [UNIT]" at *p. -EINVAL, -ERANGE as everywhere; *p moves on in both good and -ERANGE. */
static int take_span(const char **p, nsec_t *ret) {
        const char *q = *p, *fraction = NULL, *fraction_end = NULL, *word;
        uint64_t whole = 0;
        nsec_t unit, v;
        int r = 0;

        if (*q != '.') {
                r = take_digits(&q, &whole);
                if (r == -EINVAL)
                        return r;
        }
        if (*q == '.') {
                fraction = fraction_end = ++q;
                while (is_digit(*fraction_end))
                        fraction_end++;
                if (fraction_end == fraction)
                        return -EINVAL;
                q = fraction_end;
        }

        word = q = skip_blanks(q);
        while (*q && !is_blank(*q) && !is_digit(*q) && *q != '.' && *q != '-')
                q++;
        if (!find_time_unit(word, (size_t) (q - word), &unit))
                return -EINVAL;

        *p = q;
        if (r < 0 || __builtin_mul_overflow(whole, unit, &v))
                return -ERANGE;

        /* What is below a nanosecond falls away. */
        for (const char *f = fraction; f < fraction_end && unit > 0; f++) {
                unit /= 10;
                if (__builtin_add_overflow(v, unit * (uint64_t) (*f - '0'), &v))
                        return -ERANGE;
        }

        *ret = v;
        return 0;
}

int parse_timespan(const char *s, nsec_t *ret) {
        bool out_of_range = false, any = false;
        nsec_t sum = 0;

        assert(s);
        assert(ret);

        s = skip_blanks(s);
        if (strncmp(s, "infinity", STRLEN("infinity")) == 0 && !*skip_blanks(s + STRLEN("infinity"))) {
                *ret = NSEC_INFINITY;
                return 0;
        }

        for (; *s; s = skip_blanks(s)) {
                nsec_t v = 0;
                int r;

                if (is_negative(s)) {
                        out_of_range = true;
                        s = skip_blanks(s + 1);
                }

                r = take_span(&s, &v);
                if (r == -EINVAL)
                        return r;
                if (r < 0 || __builtin_add_overflow(sum, v, &sum))
                        out_of_range = true;
                any = true;
        }

        if (!any)
                return -EINVAL;
        /* The largest number means "for ever" and must be asked for by name. */
        if (out_of_range || sum == NSEC_INFINITY)
                return -ERANGE;

        *ret = sum;
        return 0;
}

int parse_timespan_range(const char *s, nsec_t min, nsec_t max, nsec_t *ret) {
        nsec_t v;
        int r;

        r = parse_timespan(s, &v);
        if (r < 0)
                return r;
        if (v < min || v > max)
                return -ERANGE;

        *ret = v;
        return 0;
}

int parse_span_range(const char *s, SpanRange *ret) {
        char first[PART_MAX], second[PART_MAX];
        SpanRange range;
        const char *dots;
        int r, q;

        assert(s);
        assert(ret);

        dots = strstr(s, "..");
        if (!dots)
                return -EINVAL;

        r = copy_trimmed(s, (size_t) (dots - s), first, sizeof(first));
        if (r < 0)
                return r;
        r = copy_trimmed(dots + 2, strlen(dots + 2), second, sizeof(second));
        if (r < 0)
                return r;

        r = parse_timespan(first, &range.min);
        q = parse_timespan(second, &range.max);
        if (r == -EINVAL || q == -EINVAL)
                return -EINVAL;
        if (r < 0 || q < 0 || range.min > range.max || range.max == NSEC_INFINITY)
                return -ERANGE;

        *ret = range;
        return 0;
}

/* ---- Rates and shares -------------------------------------------------------------------------------------- */

int parse_rate(const char *s, Rate *ret) {
        char count[PART_MAX], span[PART_MAX];
        Rate rate = {};
        const char *slash;
        bool has_number;
        int r, q;

        assert(s);
        assert(ret);

        slash = strchr(s, '/');
        if (!slash) {
                /* Only "off" may leave the span out. */
                r = parse_u32(s, 0, UINT32_MAX, &rate.count);
                if (r < 0)
                        return r;
                if (rate.count > 0)
                        return -EINVAL;

                *ret = rate;
                return 0;
        }

        r = copy_trimmed(s, (size_t) (slash - s), count, sizeof(count));
        if (r < 0)
                return r;

        /* "/s" is "/1s": an omitted number before a unit is one. */
        span[0] = '1';
        r = copy_trimmed(slash + 1, strlen(slash + 1), span + 1, sizeof(span) - 1);
        if (r < 0)
                return r;
        has_number = is_digit(span[1]) || span[1] == '.' || span[1] == '-' ||
                     strcmp(span + 1, "infinity") == 0;

        r = parse_u32(count, 0, UINT32_MAX, &rate.count);
        q = parse_timespan(has_number ? span + 1 : span, &rate.span);
        if (r == -EINVAL || q == -EINVAL)
                return -EINVAL;
        if (r < 0 || q < 0 || rate.span == 0 || rate.span == NSEC_INFINITY)
                return -ERANGE;
        if (rate.count == 0)
                rate.span = 0;

        *ret = rate;
        return 0;
}

int parse_percent(const char *s, unsigned min, unsigned max, unsigned *ret) {
        char number[PART_MAX];
        size_t n;
        int r;

        assert(s);
        assert(ret);

        n = strlen(s);
        while (n > 0 && is_blank(s[n - 1]))
                n--;
        if (n == 0 || s[n - 1] != '%')
                return -EINVAL;

        r = copy_trimmed(s, n - 1, number, sizeof(number));
        if (r < 0)
                return r;

        return parse_u32(number, min, max, ret);
}

int parse_quorum(const char *s, Quorum *ret) {
        Quorum quorum;
        int r;

        assert(s);
        assert(ret);

        quorum.is_share = strchr(s, '%');
        r = quorum.is_share ? parse_percent(s, 1, 100, &quorum.value)
                            : parse_u32(s, 1, UINT32_MAX, &quorum.value);
        if (r < 0)
                return r;

        *ret = quorum;
        return 0;
}

/* ---- Bytes ------------------------------------------------------------------------------------------------- */

static int hex_digit(char c) {
        if (is_digit(c))
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

int parse_hex(const char *s, uint8_t *buf, size_t size, size_t *ret_n) {
        size_t n = 0;

        assert(s);
        assert(buf || size == 0);
        assert(ret_n);

        s = skip_blanks(s);
        if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
                s += 2;

        for (s = skip_blanks(s); *s; s = skip_blanks(s)) {
                int high, low;

                high = hex_digit(s[0]);
                if (high < 0)
                        return -EINVAL;
                low = hex_digit(s[1]);
                if (low < 0)
                        return -EINVAL;
                if (n >= size)
                        return -ENOBUFS;

                buf[n++] = (uint8_t) (high << 4 | low);
                s += 2;
        }

        *ret_n = n;
        return 0;
}

/* ---- The way back ------------------------------------------------------------------------------------------ */

char *format_timespan(char *buf, size_t size, nsec_t n) {
        static const struct {
                const char *name;
                nsec_t length;
        } units[] = {
                { "d", NSEC_PER_DAY }, { "h", NSEC_PER_HOUR },  { "min", NSEC_PER_MINUTE },
                { "s", NSEC_PER_SEC }, { "ms", NSEC_PER_MSEC }, { "us", NSEC_PER_USEC },
                { "ns", 1 },
        };
        size_t used = 0;

        assert(buf);
        assert(size > 0);

        if (n == 0 || n == NSEC_INFINITY) {
                (void) snprintf(buf, size, "%s", n == 0 ? "0" : "infinity");
                return buf;
        }

        buf[0] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(units) && used < size; i++) {
                nsec_t k = n / units[i].length;

                if (k == 0)
                        continue;
                used += (size_t) snprintf(buf + used, size - used, "%s%" PRIu64 "%s", used > 0 ? " " : "", k,
                                          units[i].name);
                n -= k * units[i].length;
        }

        return buf;
}

char *format_timespan_rough(char *buf, size_t size, nsec_t n) {
        if (n >= NSEC_PER_MINUTE && n < NSEC_INFINITY)
                n -= n % NSEC_PER_SEC;
        else if (n >= NSEC_PER_USEC && n < NSEC_INFINITY)
                n -= n % (n < NSEC_PER_MSEC ? NSEC_PER_USEC : NSEC_PER_MSEC);
        return format_timespan(buf, size, n);
}

char *format_rate(char *buf, size_t size, const Rate *rate) {
        char span[FORMAT_TIMESPAN_MAX];
        const char *s;

        assert(buf);
        assert(rate);

        if (rate->count == 0) {
                (void) snprintf(buf, size, "0");
                return buf;
        }

        /* "100/s" reads better than "100/1s". Minutes keep their number: "10/1min" is how people write it. */
        s = format_timespan(span, sizeof(span), rate->span);
        if (s[0] == '1' && !is_digit(s[1]) && !strchr(s, ' ') && rate->span != NSEC_PER_MINUTE)
                s++;

        (void) snprintf(buf, size, "%" PRIu32 "/%s", rate->count, s);
        return buf;
}

char *format_quorum(char *buf, size_t size, const Quorum *quorum) {
        assert(buf);
        assert(quorum);

        (void) snprintf(buf, size, "%" PRIu32 "%s", quorum->value, quorum->is_share ? "%" : "");
        return buf;
}

char *format_span_range(char *buf, size_t size, const SpanRange *range) {
        char min[FORMAT_TIMESPAN_MAX], max[FORMAT_TIMESPAN_MAX];

        assert(buf);
        assert(range);

        (void) snprintf(buf, size, "%s..%s", format_timespan(min, sizeof(min), range->min),
                        format_timespan(max, sizeof(max), range->max));
        return buf;
}

char *format_hex(char *buf, size_t size, const uint8_t *bytes, size_t n) {
        static const char digits[] = "0123456789abcdef";
        size_t k = 0;

        assert(buf);
        assert(size > 0);
        assert(bytes || n == 0);

        for (size_t i = 0; i < n && k + 2 < size; i++) {
                buf[k++] = digits[bytes[i] >> 4];
                buf[k++] = digits[bytes[i] & 0xf];
        }
        buf[k] = '\0';
        return buf;
}
