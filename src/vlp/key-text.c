/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys in text.
 *
 * Strict, because a key that is read leniently is a key that two programs read differently. The digits'
 * values are computed and not looked up: a table would leave their trace in the cache.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vlp/key-text.h"

/* All ones if first <= c <= last, else zero. */
static unsigned in_range(unsigned c, unsigned first, unsigned last) {
        return (((c - first) | (last - c)) >> 31) - 1;
}

/* The value of a hexadecimal digit; 16 when it is none. */
static unsigned digit_value(char digit) {
        unsigned c = (unsigned char) digit;
        unsigned decimal = in_range(c, '0', '9'), lower = in_range(c, 'a', 'f'), upper = in_range(c, 'A', 'F');

        return (decimal & (c - '0')) | (lower & (c - 'a' + 10)) | (upper & (c - 'A' + 10)) |
               (~(decimal | lower | upper) & 16);
}

static bool is_key(const char *line, size_t size) {
        unsigned seen = 0;

        if (size != VLP_KEY_DIGITS)
                return false;

        for (size_t i = 0; i < size; i++)
                seen |= digit_value(line[i]);

        return seen < 16;
}

int vlp_keys_parse(const char *text, size_t size, uint8_t (*ret_keys)[VLP_KEY_SIZE]) {
        size_t n = 0;

        assert((text || size == 0) && ret_keys);

        if (size == 0)
                return -ENODATA;

        for (size_t at = 0; at < size; n++) {
                const char *line = text + at, *newline = memchr(line, '\n', size - at);
                size_t line_size = newline ? (size_t) (newline - line) : size - at;

                if (n == VLP_KEYS_MAX)
                        return -E2BIG;
                if (!is_key(line, line_size))
                        return -EBADMSG;

                at += line_size + 1;
        }

        for (size_t i = 0; i < n; i++) {
                const char *line = text + i * (VLP_KEY_DIGITS + 1);

                for (size_t j = 0; j < VLP_KEY_SIZE; j++)
                        ret_keys[i][j] = (uint8_t) (digit_value(line[2 * j]) << 4 |
                                                    digit_value(line[2 * j + 1]));
        }

        return (int) n;
}
