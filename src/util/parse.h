/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text into numbers and back, as systemd's configuration files write them. Pure: no locale, no allocation, no I/O.
 *
 * Every parser takes the whole string: leading and trailing blanks are tolerated, anything else that is not part
 * of the value is not. Returns, unless said otherwise: 0, -EINVAL when the text is malformed, -ERANGE when it is
 * well formed but negative, overflowing or outside of the range asked for. ret is untouched on failure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"
#include "util/time.h"

/* `count` events in `span`; count 0 means "off" (span is 0 then, too). */
typedef struct Rate {
        uint32_t count;
        nsec_t span;
} Rate;

/* A span that grows from min to max; min <= max. */
typedef struct SpanRange {
        nsec_t min;
        nsec_t max;
} SpanRange;

/* A number of things, or a share of them: value is 1..100 (percent) when is_share, else a count >= 1. */
typedef struct Quorum {
        bool is_share;
        uint32_t value;
} Quorum;

/* 1 yes y true t on / 0 no n false f off, in any case of letters. Never -ERANGE. */
int parse_bool(const char *s, bool *ret);

/* Decimal digits only (no sign but a '-' that earns -ERANGE, no 0x, no octal), min <= value <= max. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret);

/*
 * A time span in ns: "2s", "1min 30s", "1.5h", "500ms", a plain number of seconds, or "infinity" (NSEC_INFINITY).
 * Units: ns us µs ms s m min h d w M y and systemd's long names. What is finite but does not fit is -ERANGE.
 */
int parse_timespan(const char *s, nsec_t *ret);

/* The same within min..max; "infinity" passes only if max is NSEC_INFINITY. */
int parse_timespan_range(const char *s, nsec_t min, nsec_t max, nsec_t *ret);

/* A number with an optional factor B, K, M, G or T (1024-based, as systemd's sizes). */
int parse_size(const char *s, uint64_t *ret);

/*
 * "100/s", "5/10min", "0" (off). A count without a span is malformed. The span alone ("/s") may leave out its 1.
 * The span is positive and finite (-ERANGE otherwise).
 */
int parse_rate(const char *s, Rate *ret);

/* "50%" with min..max; the sign is required. */
int parse_percent(const char *s, unsigned min, unsigned max, unsigned *ret);

/* "3" or "50%"; a count of 0, and shares of 0 % or beyond 100 %, are -ERANGE. */
int parse_quorum(const char *s, Quorum *ret);

/* "5s..5min"; the second must not be below the first (-ERANGE); both finite. */
int parse_span_range(const char *s, SpanRange *ret);

/*
 * Pairs of hexadecimal digits, blanks between pairs tolerated (and required by nobody), an optional leading "0x".
 * At most `size` bytes are written to buf, *ret_n says how many. -ENOBUFS when the text holds more than that.
 * Unlike the other parsers this one may have written to buf when it fails.
 */
int parse_hex(const char *s, uint8_t *buf, size_t size, size_t *ret_n);

/*
 * The way back. Each writes a terminated string to buf (cut off when it does not fit) and returns buf, so that it
 * can stand in an argument list. The text parses to the same value again. The buffer sizes below always suffice.
 */
#define FORMAT_TIMESPAN_MAX   64
#define FORMAT_RATE_MAX       (FORMAT_TIMESPAN_MAX + 16)
#define FORMAT_QUORUM_MAX     16
#define FORMAT_SPAN_RANGE_MAX (2 * FORMAT_TIMESPAN_MAX)

/* "1min 30s", "500ms", "0", "infinity"; days are the largest unit, because months and years are not exact. */
char *format_timespan(char *buf, size_t size, nsec_t n);
/* The same for sentences, where nobody reads nanoseconds: cut off after the milliseconds, from a minute on after the
 * seconds. */
char *format_timespan_rough(char *buf, size_t size, nsec_t n);
char *format_rate(char *buf, size_t size, const Rate *rate);
char *format_quorum(char *buf, size_t size, const Quorum *quorum);
char *format_span_range(char *buf, size_t size, const SpanRange *range);
/* Lower-case hex without blanks; size must be 2 * n + 1 to hold everything. */
char *format_hex(char *buf, size_t size, const uint8_t *bytes, size_t n);
