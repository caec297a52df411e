/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses: every form that is understood, and every way to get one wrong.
 */

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client/address.h"
#include "client/varta.h"

#define TEN_BYTES "abcdefghij"
#define HUNDRED_BYTES                                                                                       \
        TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES

static const struct Row {
        const char *title;
        const char *address;
        int expected;
        const char *name; /* sun_path, its first byte left out when that is NUL */
        bool abstract;
} rows[] = {
        { "no address is the default one", NULL, 0, "/run/varta/varta.sock", false },
        { "an absolute path", "/tmp/v.sock", 0, "/tmp/v.sock", false },
        { "an absolute path with its scheme", "unix:/tmp/v.sock", 0, "/tmp/v.sock", false },
        { "a path may contain what looks like a scheme", "/tmp/udp:x", 0, "/tmp/udp:x", false },
        { "an abstract name", "@varta", 0, "varta", true },
        { "an abstract name with its scheme", "unix:@varta", 0, "varta", true },
        { "an abstract name of one byte", "@v", 0, "v", true },
        { "the longest path", "/12345/" HUNDRED_BYTES, 0, "/12345/" HUNDRED_BYTES, false },
        { "a path one byte too long", "/123456/" HUNDRED_BYTES, -ENAMETOOLONG, NULL, false },
        { "a path much too long", "/" HUNDRED_BYTES HUNDRED_BYTES HUNDRED_BYTES, -ENAMETOOLONG, NULL,
          false },
        { "the longest abstract name", "@1234567" HUNDRED_BYTES, 0, "1234567" HUNDRED_BYTES, true },
        { "an abstract name one byte too long", "@12345678" HUNDRED_BYTES, -ENAMETOOLONG, NULL, false },
        { "an empty address", "", -EINVAL, NULL, false },
        { "an empty abstract name", "@", -EINVAL, NULL, false },
        { "nothing behind the scheme", "unix:", -EINVAL, NULL, false },
        { "an empty abstract name behind the scheme", "unix:@", -EINVAL, NULL, false },
        { "the scheme twice", "unix:unix:/tmp/v.sock", -EINVAL, NULL, false },
        { "a relative path", "varta.sock", -EINVAL, NULL, false },
        { "a relative path with its scheme", "unix:varta.sock", -EINVAL, NULL, false },
        { "a relative path with a dot", "./varta.sock", -EINVAL, NULL, false },
        { "a scheme in capitals", "UNIX:/tmp/v.sock", -EINVAL, NULL, false },
        { "a space in front", " /tmp/v.sock", -EINVAL, NULL, false },
        { "nothing but a colon", ":", -EINVAL, NULL, false },
        { "a digit in front of a colon", "1:2", -EINVAL, NULL, false },
        { "another transport", "udp:127.0.0.1:8675", -EPROTONOSUPPORT, NULL, false },
        { "another transport with a plus", "udp+secure:[::1]:8674", -EPROTONOSUPPORT, NULL, false },
        { "a scheme nobody knows", "x:", -EPROTONOSUPPORT, NULL, false },
};

START_TEST(test_parse) {
        const struct Row *row = rows + _i;
        VartaAddress address, untouched;

        memset(&address, 0x5a, sizeof(address));
        memcpy(&untouched, &address, sizeof(address));

        ck_assert_int_eq(varta_address_parse(row->address, &address), row->expected);
        if (row->expected < 0) {
                ck_assert_mem_eq(&address, &untouched, sizeof(address));
                return;
        }

        size_t n = strlen(row->name);

        ck_assert_int_eq(address.sockaddr.sun_family, AF_UNIX);
        ck_assert_uint_eq(address.size, offsetof(struct sockaddr_un, sun_path) + n + 1);
        ck_assert_uint_le(address.size, sizeof(address.sockaddr));
        if (row->abstract) {
                ck_assert_int_eq(address.sockaddr.sun_path[0], 0);
                ck_assert_mem_eq(address.sockaddr.sun_path + 1, row->name, n);
        } else
                ck_assert_mem_eq(address.sockaddr.sun_path, row->name, n + 1);
}
END_TEST

/* What the parser says is what varta_open() says. */
START_TEST(test_open) {
        const struct Row *row = rows + _i;
        VartaAgent *agent = NULL;

        ck_assert_int_eq(varta_open(row->address, &agent), row->expected);
        ck_assert_int_eq(agent != NULL, row->expected == 0);
        ck_assert_ptr_null(varta_close(agent));
}
END_TEST

int main(void) {
        Suite *s = suite_create("client-address");
        SRunner *runner;
        int n_failed;

        for (int i = 0; i < (int) (sizeof(rows) / sizeof(rows[0])); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_add_loop_test(tc, test_parse, i, i + 1);
                tcase_add_loop_test(tc, test_open, i, i + 1);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
