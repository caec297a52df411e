/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Small questions about text that people wrote: is it text at all, how near is one word to another, and how is it
 * shown without letting it move the reader's cursor.
 */

#include "util/text.h"

#include <assert.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/macro.h"

/* The length of the UTF-8 sequence that s begins with, 0 when it is malformed. n > 0. */
static size_t utf8_length(const char *s, size_t n) {
        uint8_t lead = (uint8_t) s[0];
        size_t length;
        uint32_t c;

        if (lead < 0x80)
                return 1;
        if (lead >= 0xc2 && lead <= 0xdf) /* c0 and c1 could only be overlong */
                length = 2;
        else if (lead >= 0xe0 && lead <= 0xef)
                length = 3;
        else if (lead >= 0xf0 && lead <= 0xf4)
                length = 4;
        else
                return 0;

        if (n < length)
                return 0;

        c = lead & (0x7fU >> length);
        for (size_t i = 1; i < length; i++) {
                if (((uint8_t) s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | ((uint8_t) s[i] & 0x3f);
        }

        if (length == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
                return 0;
        if (length == 4 && (c < 0x10000 || c > 0x10ffff))
                return 0;
        return length;
}

bool text_is_utf8(const char *s, size_t n) {
        assert(s || n == 0);

        for (size_t i = 0; i < n;) {
                size_t length = utf8_length(s + i, n - i);

                if (length == 0 || s[i] == '\0')
                        return false;
                i += length;
        }

        return true;
}

/* Longer than any key or section name; keeps the table of distances on the stack. */
#define DISTANCE_TEXT_MAX 63

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

unsigned text_distance(const char *a, const char *b) {
        unsigned rows[3][DISTANCE_TEXT_MAX + 1];
        size_t n, m;

        assert(a);
        assert(b);

        n = strlen(a);
        m = strlen(b);
        if (n > DISTANCE_TEXT_MAX || m > DISTANCE_TEXT_MAX)
                return UINT_MAX;

        for (size_t j = 0; j <= m; j++)
                rows[0][j] = (unsigned) j;

        /* Three rows in turn: a swap of neighbours looks back two. */
        for (size_t i = 1; i <= n; i++) {
                unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

                row[0] = (unsigned) i;
                for (size_t j = 1; j <= m; j++) {
                        unsigned cost = lower(a[i - 1]) != lower(b[j - 1]);

                        row[j] = MIN(above[j], row[j - 1]) + 1;
                        row[j] = MIN(row[j], above[j - 1] + cost);
                        if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                            lower(a[i - 2]) == lower(b[j - 1]))
                                row[j] = MIN(row[j], above2[j - 2] + 1);
                }
        }

        return rows[n % 3][m];
}

bool text_is_similar(const char *a, const char *b, unsigned *ret_distance) {
        unsigned distance;
        size_t longer;

        assert(ret_distance);

        distance = text_distance(a, b);
        longer = MAX(strlen(a), strlen(b));
        if (distance == UINT_MAX || distance * 3 > longer)
                return false;

        *ret_distance = distance;
        return true;
}

char *text_printable(char *buf, size_t size, const char *s) {
        static const char digits[] = "0123456789abcdef", dots[] = "...";
        size_t n = 0, cut = 0;

        assert(buf);
        assert(size >= 8);
        assert(s);

        for (size_t left = strlen(s), step; left > 0; s += step, left -= step) {
                size_t length = utf8_length(s, left);
                uint8_t c = (uint8_t) *s;
                /* C1 control characters hide in two-byte sequences, and terminals obey them, too. */
                bool plain = length > 0 && c >= 0x20 && c != 0x7f &&
                             !(length == 2 && c == 0xc2 && (uint8_t) s[1] < 0xa0);
                size_t need = plain ? length : 4;

                /* The last place from which the dots still fit. */
                if (n + STRLEN("...") < size)
                        cut = n;
                if (n + need >= size) {
                        memcpy(buf + cut, dots, sizeof(dots));
                        return buf;
                }

                if (plain)
                        memcpy(buf + n, s, length);
                else
                        memcpy(buf + n, (char[]){ '\\', 'x', digits[c >> 4], digits[c & 0xf] }, 4);
                n += need;
                step = plain ? length : 1;
        }

        buf[n] = '\0';
        return buf;
}

/* The option that was meant by "--name" or "--name=value", NULL when none is near; and how many begin like that. */
static const char *find_option(const struct option *options, const char *arg, unsigned *ret_begin) {
        unsigned distance, nearest = UINT_MAX, begin = 0;
        size_t n = strcspn(arg + 2, "=");
        const char *found = NULL;
        char name[64];

        (void) snprintf(name, sizeof(name), "%.*s", (int) n, arg + 2);
        for (const struct option *o = options; o->name; o++) {
                begin += n > 0 && strncmp(o->name, arg + 2, n) == 0;
                if (text_is_similar(name, o->name, &distance) && distance < nearest) {
                        nearest = distance;
                        found = o->name;
                }
        }
        *ret_begin = begin;
        return found;
}

char *text_refused_option(char *buf, size_t size, const struct option *options, char *const argv[], int c) {
        const char *arg = argv[optind - 1], *meant;
        bool is_long = strncmp(arg, "--", 2) == 0;
        unsigned begin;

        if (c == ':') {
                if (is_long)
                        (void) snprintf(buf, size, "%s= needs a value", arg);
                else
                        (void) snprintf(buf, size, "-%c needs a value", optopt);
                return buf;
        }

        /* A known one is only refused for its value. By argv that cannot be told: it may still stand before "-xh". */
        for (const struct option *o = options; o->name && optopt != 0; o++)
                if (o->val == optopt) {
                        (void) snprintf(buf, size, "--%s takes no value", o->name);
                        return buf;
                }
        if (optopt != 0) {
                (void) snprintf(buf, size, "unknown option \"-%c\"", optopt);
                return buf;
        }

        meant = find_option(options, arg, &begin);
        (void) snprintf(buf, size, "%s option \"%s\"%s%s%s", begin > 1 ? "ambiguous" : "unknown", arg,
                        meant ? " (did you mean --" : "", meant ?: "", meant ? "?)" : "");
        return buf;
}
