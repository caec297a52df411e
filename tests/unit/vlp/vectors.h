/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading rows of the protocol's conformance vectors; what is not as it should be fails the test. */

#include <check.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Fills `data` from hex digits and returns the number of bytes. */
static inline size_t unhex(const char *hex, uint8_t *data, size_t size) {
        size_t n = strlen(hex) / 2;

        ck_assert_uint_eq(strlen(hex) % 2, 0);
        ck_assert_uint_le(n, size);
        for (size_t i = 0; i < n; i++) {
                char digits[3] = { hex[2 * i], hex[2 * i + 1], 0 }, *end;

                data[i] = (uint8_t) strtoul(digits, &end, 16);
                ck_assert_msg(end == digits + 2, "'%s' is not hex", digits);
        }

        return n;
}

static inline struct json_object *row_value(struct json_object *row, const char *key, enum json_type type) {
        struct json_object *value = NULL;

        ck_assert_msg(json_object_object_get_ex(row, key, &value), "the row has no '%s'", key);
        ck_assert_msg(json_object_is_type(value, type), "'%s' is not a %s", key, json_type_to_name(type));
        return value;
}

/* Borrowed from the row. */
static inline const char *row_string(struct json_object *row, const char *key) {
        return json_object_get_string(row_value(row, key, json_type_string));
}

static inline uint64_t row_number(struct json_object *row, const char *key) {
        return json_object_get_uint64(row_value(row, key, json_type_int));
}
