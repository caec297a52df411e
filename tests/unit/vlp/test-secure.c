/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The secure envelope: the protocol's conformance vectors, read from the project's copy of them, and every
 * way to spoil a datagram.
 */

#include <check.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"
#include "vlp/secure.h"

/* What is refused must leave this as it was. */
#define UNTOUCHED 0x5a

static struct json_object *vectors;

/* One row of `shared_key` or `master_key`. */
typedef struct Vector {
        uint8_t given[VLP_KEY_SIZE]; /* shared or master */
        uint8_t key[VLP_KEY_SIZE];   /* what seals: given, or derived from it */
        uint8_t plain[VLP_FRAME_SIZE];
        uint8_t wire[VLP_SECURE_MAX_SIZE];
        size_t size;
        VlpSecureHeader header;
} Vector;

static void row_bytes(struct json_object *row, const char *key, uint8_t *data, size_t size) {
        ck_assert_uint_eq(unhex(row_string(row, key), data, size), size);
}

static uint32_t row_u32(struct json_object *row, const char *key) {
        uint64_t value = row_number(row, key);

        ck_assert_uint_le(value, UINT32_MAX);
        return (uint32_t) value;
}

static Vector vector_load(VlpSecureForm form, int i) {
        bool master = form == VLP_SECURE_MASTER;
        struct json_object *rows = json_object_object_get(vectors, master ? "master_key" : "shared_key"),
                           *row = json_object_array_get_idx(rows, (size_t) i);
        Vector v = { .header.form = form };

        v.size = master ? VLP_SECURE_MASTER_SIZE : VLP_SECURE_SHARED_SIZE;
        row_bytes(row, master ? "master_key_hex" : "key_hex", v.given, sizeof(v.given));
        row_bytes(row, master ? "agent_key_hex" : "key_hex", v.key, sizeof(v.key));
        row_bytes(row, "plaintext_hex", v.plain, sizeof(v.plain));
        row_bytes(row, "wire_hex", v.wire, v.size);
        row_bytes(row, "iv_random_hex", v.header.iv_random, sizeof(v.header.iv_random));
        v.header.iv_counter = row_u32(row, "iv_counter");
        if (master)
                v.header.agent_pid = row_u32(row, "agent_pid");

        return v;
}

/* Opens a copy that ends exactly where the datagram ends, so that a sanitizer sees a read beyond it. */
static int open_copy(const uint8_t *data, size_t size, const uint8_t *key, uint8_t *ret) {
        uint8_t *copy = malloc(size > 0 ? size : 1);
        int r;

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, data, size);
        r = vlp_secure_open(copy, size, key, ret);
        free(copy);
        return r;
}

static void expect_refused(const uint8_t *data, size_t size, const uint8_t *key, int error) {
        uint8_t out[VLP_FRAME_SIZE], untouched[VLP_FRAME_SIZE];

        memset(out, UNTOUCHED, sizeof(out));
        memset(untouched, UNTOUCHED, sizeof(untouched));
        ck_assert_int_eq(open_copy(data, size, key, out), error);
        ck_assert_mem_eq(out, untouched, sizeof(out));
}

static void check_vector(const Vector *v) {
        uint8_t wire[VLP_SECURE_MAX_SIZE], plain[VLP_FRAME_SIZE];
        VlpSecureHeader header;
        VlpFrame frame;

        ck_assert_uint_eq(vlp_secure_seal(&v->header, v->key, v->plain, wire), v->size);
        ck_assert_mem_eq(wire, v->wire, v->size);

        ck_assert_int_eq(vlp_secure_parse(v->wire, v->size, &header), 0);
        ck_assert_int_eq(header.form, v->header.form);
        ck_assert_uint_eq(header.agent_pid, v->header.agent_pid);
        ck_assert_uint_eq(header.iv_counter, v->header.iv_counter);
        ck_assert_mem_eq(header.iv_random, v->header.iv_random, VLP_IV_RANDOM_SIZE);

        ck_assert_int_eq(open_copy(v->wire, v->size, v->key, plain), 0);
        ck_assert_mem_eq(plain, v->plain, VLP_FRAME_SIZE);
        ck_assert_int_eq(vlp_frame_decode(plain, &frame), VLP_ERROR_NONE);
        if (v->header.form == VLP_SECURE_MASTER)
                ck_assert_uint_eq(frame.pid, header.agent_pid);
}

START_TEST(test_shared_vector) {
        Vector v = vector_load(VLP_SECURE_SHARED, _i);

        check_vector(&v);
}
END_TEST

START_TEST(test_master_vector) {
        Vector v = vector_load(VLP_SECURE_MASTER, _i);
        uint8_t derived[VLP_KEY_SIZE];

        vlp_derive_agent_key(v.given, v.header.agent_pid, derived);
        ck_assert_mem_eq(derived, v.key, VLP_KEY_SIZE);
        check_vector(&v);

        /* The master key itself opens nothing. */
        expect_refused(v.wire, v.size, v.given, -EBADMSG);
}
END_TEST

START_TEST(test_kdf_vector) {
        struct json_object *row =
                        json_object_array_get_idx(json_object_object_get(vectors, "kdf"), (size_t) _i);
        const char *kind = row_string(row, "kind");
        uint64_t index = row_number(row, "index");
        uint8_t input[VLP_KEY_SIZE], expected[VLP_KEY_SIZE], out[VLP_KEY_SIZE];
        size_t size = VLP_KEY_SIZE;

        if (strcmp(kind, "iv-prefix") == 0) {
                size = VLP_IV_RANDOM_SIZE;
                row_bytes(row, "ikm_hex", input, VLP_SALT_SIZE);
                vlp_derive_iv_prefix(input, (uint32_t) index, out);
        } else if (strcmp(kind, "agent") == 0) {
                row_bytes(row, "ikm_hex", input, VLP_KEY_SIZE);
                vlp_derive_agent_key(input, (uint32_t) index, out);
        } else if (strcmp(kind, "epoch") == 0) {
                row_bytes(row, "ikm_hex", input, VLP_KEY_SIZE);
                vlp_derive_epoch_key(input, index, out);
        } else
                ck_abort_msg("no such derivation: %s", kind);

        row_bytes(row, "okm_hex", expected, size);
        ck_assert_mem_eq(out, expected, size);
}
END_TEST

/* The tests below run for both forms, _i being the form. */

START_TEST(test_bit_flips) {
        Vector v = vector_load((VlpSecureForm) _i, 0);

        for (size_t bit = 0; bit < v.size * 8; bit++) {
                v.wire[bit / 8] ^= (uint8_t) (1U << bit % 8);
                expect_refused(v.wire, v.size, v.key, -EBADMSG);
                v.wire[bit / 8] ^= (uint8_t) (1U << bit % 8);
        }

        expect_refused(v.wire, v.size - 1, v.key, -EMSGSIZE);
        check_vector(&v); /* nothing was left flipped */
}
END_TEST

START_TEST(test_key_flips) {
        Vector v = vector_load((VlpSecureForm) _i, 0);

        for (size_t bit = 0; bit < VLP_KEY_SIZE * 8; bit++) {
                v.key[bit / 8] ^= (uint8_t) (1U << bit % 8);
                expect_refused(v.wire, v.size, v.key, -EBADMSG);
                v.key[bit / 8] ^= (uint8_t) (1U << bit % 8);
        }
}
END_TEST

/* Cut or lengthened at its end: 60 and 64 bytes are taken for the other form, and do not open. */
START_TEST(test_sizes) {
        Vector v = vector_load((VlpSecureForm) _i, 0);
        uint8_t data[2 * VLP_SECURE_MAX_SIZE] = {};

        memcpy(data, v.wire, v.size);
        for (size_t size = 0; size < sizeof(data); size++) {
                VlpSecureHeader header, untouched;
                bool form = size == VLP_SECURE_SHARED_SIZE || size == VLP_SECURE_MASTER_SIZE;

                if (size != v.size)
                        expect_refused(data, size, v.key, form ? -EBADMSG : -EMSGSIZE);

                memset(&header, UNTOUCHED, sizeof(header));
                memset(&untouched, UNTOUCHED, sizeof(untouched));
                ck_assert_int_eq(vlp_secure_parse(data, size, &header), form ? 0 : -EMSGSIZE);
                if (!form)
                        ck_assert_mem_eq(&header, &untouched, sizeof(header));
                else
                        ck_assert_int_eq(header.form, size == VLP_SECURE_SHARED_SIZE ? VLP_SECURE_SHARED
                                                                                     : VLP_SECURE_MASTER);
        }
}
END_TEST

/* A shared frame with a pid in front, and a master frame without its own. */
START_TEST(test_converted) {
        Vector shared = vector_load(VLP_SECURE_SHARED, 0), master = vector_load(VLP_SECURE_MASTER, 0);
        uint8_t data[VLP_SECURE_MASTER_SIZE];

        memcpy(data, master.wire, 4);
        memcpy(data + 4, shared.wire, VLP_SECURE_SHARED_SIZE);
        expect_refused(data, sizeof(data), shared.key, -EBADMSG);
        expect_refused(master.wire + 4, VLP_SECURE_SHARED_SIZE, master.key, -EBADMSG);
}
END_TEST

START_TEST(test_other_rows) {
        int n = (int) json_object_array_length(json_object_object_get(vectors, "shared_key"));

        for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) {
                        Vector a = vector_load((VlpSecureForm) _i, i),
                               b = vector_load((VlpSecureForm) _i, j);

                        if (memcmp(a.key, b.key, VLP_KEY_SIZE) != 0)
                                expect_refused(a.wire, a.size, b.key, -EBADMSG);
                }
}
END_TEST

START_TEST(test_init_again) {
        ck_assert_int_eq(vlp_secure_init(), 0);
        ck_assert_int_eq(vlp_secure_init(), 0);
}
END_TEST

START_TEST(test_derivations_differ) {
        uint8_t input[VLP_KEY_SIZE] = {}, a[VLP_KEY_SIZE], b[VLP_KEY_SIZE];

        vlp_derive_agent_key(input, 1, a);
        vlp_derive_agent_key(input, 2, b);
        ck_assert_mem_ne(a, b, sizeof(a));
        vlp_derive_agent_key(input, UINT32_C(0x01000000), b); /* the index is little-endian */
        ck_assert_mem_ne(a, b, sizeof(a));
        vlp_derive_epoch_key(input, 1, b);
        ck_assert_mem_ne(a, b, sizeof(a));
        vlp_derive_iv_prefix(input, 1, b);
        ck_assert_mem_ne(a, b, VLP_IV_RANDOM_SIZE);
}
END_TEST

/* One case per row of the vectors. */
static void add_rows(Suite *s, const char *list, const TTest *test) {
        struct json_object *rows = json_object_object_get(vectors, list);

        if (!rows || json_object_array_length(rows) == 0) {
                fprintf(stderr, "%s has no '%s': nothing would be tested.\n", VLP_VECTORS_PATH, list);
                exit(EXIT_FAILURE);
        }

        TCase *tc = tcase_create(list);

        tcase_add_loop_test(tc, test, 0, (int) json_object_array_length(rows));
        suite_add_tcase(s, tc);
}

static void add_forms(Suite *s, const char *title, const TTest *test) {
        TCase *tc = tcase_create(title);

        tcase_add_loop_test(tc, test, 0, _VLP_SECURE_FORM_MAX);
        suite_add_tcase(s, tc);
}

static void add_case(Suite *s, const char *title, const TTest *test) {
        TCase *tc = tcase_create(title);

        tcase_add_test(tc, test);
        suite_add_tcase(s, tc);
}

int main(void) {
        Suite *s = suite_create("vlp-secure");
        SRunner *runner;
        int n_failed;

        vectors = json_object_from_file(VLP_VECTORS_PATH);
        if (!vectors) {
                fprintf(stderr, "Cannot read %s: %s\n", VLP_VECTORS_PATH, json_util_get_last_err());
                return EXIT_FAILURE;
        }
        if (vlp_secure_init() < 0) {
                fprintf(stderr, "libsodium does not work here.\n");
                return EXIT_FAILURE;
        }

        add_rows(s, "shared_key", test_shared_vector);
        add_rows(s, "master_key", test_master_vector);
        add_rows(s, "kdf", test_kdf_vector);
        add_forms(s, "a datagram with any one bit flipped does not open", test_bit_flips);
        add_forms(s, "a key with any one bit flipped opens nothing", test_key_flips);
        add_forms(s, "another size is another form or none, and does not open", test_sizes);
        add_forms(s, "the key of another agent opens nothing", test_other_rows);
        add_case(s, "initialising again does no harm", test_init_again);
        add_case(s, "neither form opens as the other one", test_converted);
        add_case(s, "each derivation and each index gives another key", test_derivations_differ);

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        json_object_put(vectors);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
