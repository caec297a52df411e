/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses: every form that is understood, and every way to get one wrong.
 */

#include <arpa/inet.h>
#include <check.h>
#include <net/if.h>
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
        { "another transport", "tcp:127.0.0.1:8675", -EPROTONOSUPPORT, NULL, false },
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

        const struct sockaddr_un *un = &address.sockaddr.un;

        ck_assert_int_eq(un->sun_family, AF_UNIX);
        ck_assert(!varta_address_is_udp(&address));
        ck_assert_uint_eq(address.size, offsetof(struct sockaddr_un, sun_path) + n + 1);
        ck_assert_uint_le(address.size, sizeof(*un));
        if (row->abstract) {
                ck_assert_int_eq(un->sun_path[0], 0);
                ck_assert_mem_eq(un->sun_path + 1, row->name, n);
        } else
                ck_assert_mem_eq(un->sun_path, row->name, n + 1);
}
END_TEST

static const struct UdpRow {
        const char *title;
        const char *address;
        int expected;
        int family;
        const char *host; /* as libc writes it */
        uint16_t port;
        bool scoped; /* to the loopback interface */
} udp_rows[] = {
        { "IPv4", "udp:127.0.0.1:8675", 0, AF_INET, "127.0.0.1", 8675, false },
        { "IPv4, the lowest port", "udp:192.0.2.1:1", 0, AF_INET, "192.0.2.1", 1, false },
        { "IPv4, the highest port", "udp:255.255.255.255:65535", 0, AF_INET, "255.255.255.255", 65535,
          false },
        { "IPv6", "udp:[::1]:8675", 0, AF_INET6, "::1", 8675, false },
        { "IPv6 in full", "udp:[2001:0db8:0000:0000:0000:0000:0000:0001]:8674", 0, AF_INET6, "2001:db8::1",
          8674, false },
        { "IPv6 in capitals", "udp:[2001:DB8::A]:8674", 0, AF_INET6, "2001:db8::a", 8674, false },
        { "IPv4 in IPv6", "udp:[::ffff:192.0.2.1]:8674", 0, AF_INET6, "::ffff:192.0.2.1", 8674, false },
        { "a link-local address with its interface", "udp:[fe80::1%lo]:8674", 0, AF_INET6, "fe80::1", 8674,
          true },
        { "a link-local address without its interface", "udp:[fe80::1]:8674", -EINVAL, 0, NULL, 0, false },
        { "an interface that does not exist", "udp:[fe80::1%nonexistent0]:8674", -ENODEV, 0, NULL, 0,
          false },
        { "an interface without a name", "udp:[fe80::1%]:8674", -ENODEV, 0, NULL, 0, false },
        { "an interface with too long a name", "udp:[fe80::1%" HUNDRED_BYTES "]:1", -EINVAL, 0, NULL, 0,
          false },
        { "an interface that means nothing", "udp:[::1%lo]:8674", -EINVAL, 0, NULL, 0, false },
        { "an interface that means nothing in IPv4", "udp:127.0.0.1%lo:8674", -EINVAL, 0, NULL, 0, false },
        { "no host and no port", "udp:", -EINVAL, 0, NULL, 0, false },
        { "no host", "udp::8675", -EINVAL, 0, NULL, 0, false },
        { "no host in brackets", "udp:[]:8675", -EINVAL, 0, NULL, 0, false },
        { "no port", "udp:127.0.0.1", -EINVAL, 0, NULL, 0, false },
        { "no port behind the colon", "udp:127.0.0.1:", -EINVAL, 0, NULL, 0, false },
        { "IPv6 without a port", "udp:[::1]", -EINVAL, 0, NULL, 0, false },
        { "IPv6 without a port behind the colon", "udp:[::1]:", -EINVAL, 0, NULL, 0, false },
        { "IPv6 without brackets", "udp:::1:8675", -EINVAL, 0, NULL, 0, false },
        { "IPv6 without its closing bracket", "udp:[::1:8675", -EINVAL, 0, NULL, 0, false },
        { "something between bracket and colon", "udp:[::1]x:8675", -EINVAL, 0, NULL, 0, false },
        { "IPv4 in brackets", "udp:[127.0.0.1]:8675", -EINVAL, 0, NULL, 0, false },
        { "a name", "udp:localhost:8675", -EINVAL, 0, NULL, 0, false },
        { "three numbers", "udp:127.0.1:8675", -EINVAL, 0, NULL, 0, false },
        { "a number too large", "udp:127.0.0.256:8675", -EINVAL, 0, NULL, 0, false },
        { "a host much too long", "udp:" HUNDRED_BYTES ":8675", -EINVAL, 0, NULL, 0, false },
        { "a path", "udp:/run/varta/varta.sock", -EINVAL, 0, NULL, 0, false },
        { "port 0", "udp:127.0.0.1:0", -EINVAL, 0, NULL, 0, false },
        { "a port with a leading zero", "udp:127.0.0.1:08675", -EINVAL, 0, NULL, 0, false },
        { "a port too large", "udp:127.0.0.1:65536", -EINVAL, 0, NULL, 0, false },
        { "a port that would wrap", "udp:127.0.0.1:4294967297", -EINVAL, 0, NULL, 0, false },
        { "a port with a sign", "udp:127.0.0.1:+8675", -EINVAL, 0, NULL, 0, false },
        { "a port with a name", "udp:127.0.0.1:varta", -EINVAL, 0, NULL, 0, false },
        { "something behind the port", "udp:127.0.0.1:8675/", -EINVAL, 0, NULL, 0, false },
        { "a blank behind the port", "udp:127.0.0.1:8675 ", -EINVAL, 0, NULL, 0, false },
        { "the scheme twice", "udp:udp:127.0.0.1:8675", -EINVAL, 0, NULL, 0, false },
};

START_TEST(test_udp) {
        const struct UdpRow *row = udp_rows + _i;
        VartaAddress address, untouched;
        char host[INET6_ADDRSTRLEN];

        memset(&address, 0x5a, sizeof(address));
        memcpy(&untouched, &address, sizeof(address));

        ck_assert_int_eq(varta_address_parse(row->address, &address), row->expected);
        if (row->expected < 0) {
                ck_assert_mem_eq(&address, &untouched, sizeof(address));
                return;
        }

        const struct sockaddr_in *in = &address.sockaddr.in;
        const struct sockaddr_in6 *in6 = &address.sockaddr.in6;
        bool ipv6 = row->family == AF_INET6;

        ck_assert_int_eq(address.sockaddr.any.sa_family, row->family);
        ck_assert(varta_address_is_udp(&address));
        ck_assert_uint_eq(address.size, ipv6 ? sizeof(*in6) : sizeof(*in));
        ck_assert_ptr_nonnull(inet_ntop(row->family, ipv6 ? (const void *) &in6->sin6_addr : &in->sin_addr,
                                        host, sizeof(host)));
        ck_assert_str_eq(host, row->host);
        ck_assert_uint_eq(ntohs(ipv6 ? in6->sin6_port : in->sin_port), row->port);
        if (ipv6) {
                ck_assert_uint_eq(in6->sin6_scope_id, row->scoped ? if_nametoindex("lo") : 0);
                ck_assert_uint_eq(in6->sin6_flowinfo, 0);
        }
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
        for (int i = 0; i < (int) (sizeof(udp_rows) / sizeof(udp_rows[0])); i++) {
                TCase *tc = tcase_create(udp_rows[i].title);

                tcase_add_loop_test(tc, test_udp, i, i + 1);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
