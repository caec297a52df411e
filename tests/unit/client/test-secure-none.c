/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A build without libsodium says so, and opens nothing.
 */

#include <errno.h>

#include "client/varta-secure.h"
#include "listener.h"

START_TEST(test_refused) {
        uint8_t key[VARTA_KEY_SIZE] = { 1 };
        VartaAgent *agent = NULL;
        int fd = next_fd();

        ck_assert_int_eq(varta_open_secure("udp:127.0.0.1:8674", VARTA_KEY_SHARED, key, &agent),
                         -EOPNOTSUPP);
        ck_assert_int_eq(varta_key_from_file("/dev/null", key), -EOPNOTSUPP);
        ck_assert_ptr_null(agent);
        ck_assert_int_eq(next_fd(), fd);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "sealed beats are not supported", test_refused },
        };

        return cases_run("client-secure-none", cases, sizeof(cases) / sizeof(cases[0]));
}
