/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small questions about text that people wrote. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What makes a noun many: "s", or nothing for one. */
static inline const char *plural(uint64_t n) {
        return n == 1 ? "" : "s";
}

/* Well-formed UTF-8 without NUL: no overlong forms, surrogates or values beyond U+10FFFF. */
bool text_is_utf8(const char *s, size_t n);

/*
 * How many insertions, deletions, replacements and swaps of neighbours turn a into b, letters compared without
 * their case. Texts longer than 63 bytes are infinitely far apart (UINT_MAX).
 */
unsigned text_distance(const char *a, const char *b);

/* Whether b is near enough to a for a "did you mean": up to a third of the letters of the longer one differ. */
bool text_is_similar(const char *a, const char *b, unsigned *ret_distance);

struct option;

/*
 * What getopt_long() made nothing of, as half a sentence without its end: unknown option "--lisen=x" (did you mean
 * --listen?). `c` is what it returned, '?' or ':'; opterr is 0, and its string of options begins with ':'. Returns buf.
 */
char *text_refused_option(char *buf, size_t size, const struct option *options, char *const argv[], int c);

/*
 * Copies s for showing to people: control characters and bytes that are not UTF-8 become \xNN, and a text that
 * does not fit ends in "...". Returns buf. size must be at least 8.
 */
char *text_printable(char *buf, size_t size, const char *s);
