/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UDP listeners, with real sockets on the loopback interface. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ingress/identity.h"
#include "ingress/listener-udp.h"
#include "rows.h"
#include "util/fd.h"
#include "world.h"

static World world;
static ListenerRules rules;

static void setup(void) {
        world_init(&world);
        rules = (ListenerRules){ .threshold = NSEC_PER_SEC };
}

static void teardown(void) {
        world_done(&world);
}

/* ---- addresses -------------------------------------------------------------------------------------------- */

typedef struct Address {
        const char *text;
        int r;
        Transport transport;
        int family;
        unsigned port;
} Address;

static const Address addresses[] = {
        { "udp:127.0.0.1:1", 0, TRANSPORT_UDP, AF_INET, 1 },
        { "udp-secure:0.0.0.0:65535", 0, TRANSPORT_SECURE_UDP, AF_INET, 65535 },
        { "udp:[::1]:8675", 0, TRANSPORT_UDP, AF_INET6, 8675 },
        { "udp-secure:[2001:db8::1]:8674", 0, TRANSPORT_SECURE_UDP, AF_INET6, 8674 },
        { "udp:127.0.0.1:0", -ERANGE, 0, 0, 0 },
        { "udp:127.0.0.1:65536", -ERANGE, 0, 0, 0 },
        { "udp:127.0.0.1:99999999999999999999", -ERANGE, 0, 0, 0 },
        { "udp:127.0.0.1:", -EINVAL, 0, 0, 0 },
        { "udp:127.0.0.1:-1", -EINVAL, 0, 0, 0 },
        { "udp:127.0.0.1:8x", -EINVAL, 0, 0, 0 },
        { "udp:127.0.0.1", -EINVAL, 0, 0, 0 },
        { "udp:127.1:8675", -EINVAL, 0, 0, 0 },
        { "udp:localhost:8675", -EINVAL, 0, 0, 0 },
        { "udp::8675", -EINVAL, 0, 0, 0 },
        { "udp:::1:8675", -EINVAL, 0, 0, 0 },
        { "udp:[::1]8675", -EINVAL, 0, 0, 0 },
        { "udp:[::1:8675", -EINVAL, 0, 0, 0 },
        { "udp:[]:8675", -EINVAL, 0, 0, 0 },
        { "udp:[127.0.0.1]:8675", -EINVAL, 0, 0, 0 },
        { "udp6:[::1]:8675", -EINVAL, 0, 0, 0 },
        { "udp:", -EINVAL, 0, 0, 0 },
        { "", -EINVAL, 0, 0, 0 },
};

START_TEST(test_address) {
        const Address *a = &addresses[_i];
        Transport transport;
        PeerAddress peer;
        socklen_t size;

        ck_assert_int_eq(listener_parse_udp(a->text, &transport, &peer, &size), a->r);
        if (a->r < 0)
                return;
        ck_assert_int_eq(transport, a->transport);
        ck_assert_int_eq(peer.sa.sa_family, a->family);
        ck_assert_uint_eq(ntohs(peer.in.sin_port), a->port); /* at one place in both families */
        ck_assert_uint_eq(size, a->family == AF_INET ? sizeof(peer.in) : sizeof(peer.in6));
}
END_TEST

START_TEST(test_hash) {
        const uint64_t key[2] = { 1, 2 }, other[2] = { 1, 3 };
        PeerAddress a, b;
        Transport t;
        socklen_t n;

        ck_assert_int_eq(listener_parse_udp("udp:192.0.2.1:1", &t, &a, &n), 0);
        ck_assert_int_eq(listener_parse_udp("udp:192.0.2.1:2", &t, &b, &n), 0);
        ck_assert_uint_eq(peer_address_hash(&a, key), peer_address_hash(&b, key));
        ck_assert_uint_ne(peer_address_hash(&a, key), peer_address_hash(&a, other));
        ck_assert_int_eq(listener_parse_udp("udp:192.0.2.2:1", &t, &b, &n), 0);
        ck_assert_uint_ne(peer_address_hash(&a, key), peer_address_hash(&b, key));
}
END_TEST

/* ---- receiving -------------------------------------------------------------------------------------------- */

/* Binds to a port that the kernel chooses; returns a socket that is connected to it. */
static int listen_udp(int family) {
        PeerAddress a = { .sa.sa_family = (sa_family_t) family };
        socklen_t n = family == AF_INET ? sizeof(a.in) : sizeof(a.in6);
        Listener l;
        int fd;

        if (family == AF_INET)
                a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        else
                a.in6.sin6_addr = in6addr_loopback;
        fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, &a.sa, n) < 0) {
                safe_close(fd);
                return -1;
        }
        ck_assert_int_eq(getsockname(fd, &a.sa, &n), 0);
        ck_assert_int_eq(listener_adopt(fd, LISTENER_NAME_PLAINTEXT, _FEATURE_ALL, &l), 0);
        ck_assert_int_eq(l.transport, TRANSPORT_UDP);
        ck_assert(l.loopback);
        (void) world_add(&world, &l);
        ingress_set_rules(world.ingress, 0, &rules);

        fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(fd, &a.sa, n), 0);
        return fd;
}

static const Datagram *receive_one(int fd, const void *data, size_t size) {
        world_clear(&world);
        ck_assert_int_eq(send_bytes(fd, data, size, 0), 0);
        world_until(&world, &world.datagrams, 1);
        return &world.records[0].datagram;
}

START_TEST(test_receive) {
        static const int families[] = { AF_INET, AF_INET6 };
        _cleanup_close_ int fd = listen_udp(families[_i]);
        uint8_t frame[VLP_FRAME_SIZE];
        const Datagram *d;

        if (fd < 0) {
                printf("SKIP \"UDP is received\": no loopback address of family %d\n", families[_i]);
                return;
        }
        make_beat(frame, 4242, 1);
        d = receive_one(fd, frame, sizeof(frame));
        ck_assert_int_eq(d->verdict, RECEIVE_OK);
        ck_assert_int_eq(d->origin, ORIGIN_NETWORK_UNVERIFIED);
        ck_assert_uint_eq(d->pid, 0); /* a pid from the network names no process here */
        ck_assert_uint_eq(d->uid, UID_NONE);
        ck_assert_uint_eq(d->source, SOURCE_LOCAL);
        ck_assert_uint_eq(d->unit, UNIT_NONE);
        ck_assert_mem_eq(world.records[0].frame, frame, sizeof(frame));
}
END_TEST

START_TEST(test_sizes) {
        _cleanup_close_ int fd = listen_udp(AF_INET);
        static uint8_t data[2048];

        ck_assert_int_ge(fd, 0);
        for (size_t n = 0; n <= 100; n++) {
                const Datagram *d = receive_one(fd, data, n);

                ck_assert_int_eq(d->verdict, n == VLP_FRAME_SIZE ? RECEIVE_OK : RECEIVE_MIS_SIZED);
        }
        ck_assert_int_eq(receive_one(fd, data, sizeof(data))->verdict, RECEIVE_MIS_SIZED);
}
END_TEST

START_TEST(test_rules) {
        _cleanup_close_ int fd = listen_udp(AF_INET);
        uint8_t frame[VLP_FRAME_SIZE];
        const Datagram *d;

        ck_assert_int_ge(fd, 0);
        make_beat(frame, 4242, 1);
        rules.operator_attested = true;
        rules.source = SOURCE_RULE_ADDRESS;
        rules.unit = 7;
        ingress_set_rules(world.ingress, 0, &rules);
        d = receive_one(fd, frame, sizeof(frame));
        ck_assert_int_eq(d->origin, ORIGIN_OPERATOR_ATTESTED);
        ck_assert_uint_ne(d->source, SOURCE_LOCAL);
        ck_assert_uint_eq(d->unit, 7);

        rules.source = SOURCE_RULE_KEY; /* there is none: the address stands for it */
        ingress_set_rules(world.ingress, 0, &rules);
        ck_assert_uint_ne(receive_one(fd, frame, sizeof(frame))->source, SOURCE_LOCAL);
        rules.source = SOURCE_RULE_LOCAL;
        ingress_set_rules(world.ingress, 0, &rules);
        ck_assert_uint_eq(receive_one(fd, frame, sizeof(frame))->source, SOURCE_LOCAL);
}
END_TEST

START_TEST(test_two_hosts) {
        _cleanup_close_ int fd = listen_udp(AF_INET);
        struct sockaddr_in second = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) },
                           to;
        _cleanup_close_ int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        uint8_t frame[VLP_FRAME_SIZE];
        socklen_t n = sizeof(to);
        uint64_t source;

        ck_assert_int_ge(fd, 0);
        rules.source = SOURCE_RULE_ADDRESS;
        ingress_set_rules(world.ingress, 0, &rules);
        ck_assert_int_eq(getpeername(fd, (struct sockaddr *) &to, &n), 0);
        ck_assert_int_eq(bind(other, (struct sockaddr *) &second, sizeof(second)), 0);
        ck_assert_int_eq(connect(other, (struct sockaddr *) &to, sizeof(to)), 0);

        make_beat(frame, 4242, 1);
        source = receive_one(fd, frame, sizeof(frame))->source;
        ck_assert_uint_ne(receive_one(other, frame, sizeof(frame))->source, source);
        ck_assert_uint_eq(receive_one(fd, frame, sizeof(frame))->source, source);
}
END_TEST

int main(void) {
        Suite *s = suite_create("ingress-listener-udp");

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++)
                suite_add_row(s, "an address is numeric, an IPv6 one in brackets, a port 1 to 65535",
                              test_address, (int) i);
        suite_add_row(s, "an address is known again from another port", test_hash, 0);
        for (int i = 0; i < 2; i++) {
                TCase *tc = tcase_create(
                                "a beat is received over IPv4 and IPv6, and believed as little as possible");

                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_add_loop_test(tc, test_receive, i, i + 1);
                suite_add_tcase(s, tc);
        }
        const Row more[] = {
                { "only 32 bytes are a beat", test_sizes },
                { "the listener's rules give origin, source and unit", test_rules },
                { "one pid from two addresses is two agents", test_two_hosts },
        };
        for (size_t i = 0; i < ELEMENTSOF(more); i++) {
                TCase *tc = tcase_create(more[i].title);

                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_add_test(tc, more[i].test);
                suite_add_tcase(s, tc);
        }
        return suite_run(s);
}
