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
#include "varta-build.h"
#include "world.h"
#if HAVE_SECURE_UDP
#include "sealed.h"
#endif

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

static const struct {
        const char *address; /* as --listen= has it */
        uint32_t scope;
        const char *text;
} peers[] = {
        { "udp:192.0.2.7:4711", 0, "192.0.2.7:4711" },
        { "udp:[2001:db8::7]:4711", 0, "[2001:db8::7]:4711" },
        { "udp:[fe80::7]:4711", 2, "[fe80::7%2]:4711" },
        { "udp:[fe80:1111:2222:3333:4444:5555:6666:7777]:65535", UINT32_MAX,
          "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535" },
};

START_TEST(test_peer_text) {
        for (size_t i = 0; i < ELEMENTSOF(peers); i++) {
                char text[PEER_TEXT_SIZE];
                PeerAddress a;
                Transport t;
                socklen_t n;

                ck_assert_int_eq(listener_parse_udp(peers[i].address, &t, &a, &n), 0);
                if (peers[i].scope > 0)
                        a.in6.sin6_scope_id = peers[i].scope;
                ck_assert_str_eq(peer_address_to_text(&a, text), peers[i].text);
        }
}
END_TEST

/* ---- receiving -------------------------------------------------------------------------------------------- */

/* Binds to a port that the kernel chooses; returns a socket that is connected to it. */
static int listen_as(int family, const char *name, Transport transport) {
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
        ck_assert_int_eq(listener_adopt(fd, name, _FEATURE_ALL, &l), 0);
        ck_assert_int_eq(l.transport, transport);
        ck_assert(l.loopback);
        (void) world_add(&world, &l);
        ingress_set_rules(world.ingress, 0, &rules);

        fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(fd, &a.sa, n), 0);
        return fd;
}

static int listen_udp(int family) {
        return listen_as(family, LISTENER_NAME_PLAINTEXT, TRANSPORT_UDP);
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

/* The last datagram's sender, asked for while it is in hand. */
static void note_peer(World *w, const Datagram *batch, size_t n) {
        (void) ingress_peer(w->ingress, &batch[n - 1], w->userdata, PEER_TEXT_SIZE);
}

START_TEST(test_peer) {
        _cleanup_close_ int fd = listen_udp(AF_INET), local = -1;
        char expected[PEER_TEXT_SIZE], peer[PEER_TEXT_SIZE] = "nobody";
        socklen_t n = sizeof(PeerAddress);
        PeerAddress own;

        ck_assert_int_ge(fd, 0);
        world.on_batch = note_peer;
        world.userdata = peer;
        (void) receive_one(fd, "refused", 7);
        ck_assert_int_eq(getsockname(fd, &own.sa, &n), 0);
        ck_assert_str_eq(peer, peer_address_to_text(&own, expected));

        local = world_listen_pair(&world, _FEATURE_ALL);
        (void) receive_one(local, "refused", 7);
        ck_assert_str_eq(peer, "");
        ck_assert_str_eq(ingress_peer(world.ingress, NULL, expected, sizeof(expected)), "");
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

/* ---- what the kernel drops -------------------------------------------------------------------------------- */

/* Sends until the queue cannot have taken all of it; returns how many were sent. The kernel drops what finds no room and
 * tells the sender nothing. */
static uint64_t overflow(int fd, uint64_t n) {
        uint8_t frame[VLP_FRAME_SIZE];

        for (uint64_t i = 0; i < n; i++) {
                make_beat(frame, 4242, i + 1);
                ck_assert_int_eq(send_bytes(fd, frame, sizeof(frame), 0), 0);
        }
        return n;
}

/* The kernel tells of drops with the next datagram that it takes, so each round ends with one that finds room. */
START_TEST(test_drops) {
        _cleanup_close_ int fd = listen_udp(AF_INET);
        int small = 1; /* the kernel makes it its smallest: a few datagrams */
        uint64_t sent = 0, before = 0;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(setsockopt(ingress_listener(world.ingress, 0)->fd, SOL_SOCKET, SO_RCVBUF, &small,
                                    sizeof(small)),
                         0);
        for (unsigned round = 0; round < 3; round++) {
                sent += overflow(fd, 500);
                world_settle(&world);
                ck_assert_uint_lt(world.datagrams, sent);
                sent += overflow(fd, 1);
                world_settle(&world);
                ck_assert_uint_eq(world.datagrams + world.dropped, sent);
                ck_assert_uint_gt(world.dropped, before);
                before = world.dropped;
        }
        ck_assert_uint_eq(world.dropped, ingress_listener(world.ingress, 0)->drops);
}
END_TEST

/* The kernel's count has 32 bits, and goes on at 0. */
START_TEST(test_drops_wrap) {
        _cleanup_close_ int fd = listen_udp(AF_INET);
        Listener *l = (Listener *) ingress_listener(world.ingress, 0);
        int small = 1;

        ck_assert_int_eq(setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        l->drops = UINT32_MAX - 9; /* as if ten were missing to the round number when we last looked */
        (void) overflow(fd, 500);
        world_settle(&world);
        (void) overflow(fd, 1);
        world_settle(&world);
        ck_assert_uint_eq(world.dropped, l->drops + UINT64_C(10));
}
END_TEST

#if HAVE_SECURE_UDP
/* ---- sealed ----------------------------------------------------------------------------------------------- */

static int listen_secure(size_t shared, size_t master) {
        SecureKeys *keys;
        Secure *secure;
        int fd;

        fd = listen_as(AF_INET, LISTENER_NAME_SECURE, TRANSPORT_SECURE_UDP);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(secure_new(16, 1, 0, &secure), 0);
        ingress_set_secure(world.ingress, secure);
        if (shared + master > 0) {
                ck_assert_int_eq(secure_keys_new(ring_new(shared, master), 1, &keys), 0);
                ingress_set_keys(world.ingress, 0, keys);
        }
        return fd;
}

static Beat beat(VlpSecureForm form, uint32_t n) {
        return (Beat){
                .form = form, .pid = 4242, .session = 5, .counter = n, .nonce = n + 1, .timestamp = n
        };
}

static const Datagram *receive_beat(int fd, const Beat *b, unsigned key) {
        Sealed s;

        seal_beat(b, key, &s);
        return receive_one(fd, s.data, s.size);
}

START_TEST(test_sealed) {
        _cleanup_close_ int fd = listen_secure(3, 3);

        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                Beat b = beat(form, 0);
                const Datagram *d;
                VlpFrame frame;

                d = receive_beat(fd, &b, 1);
                ck_assert_int_eq(d->verdict, RECEIVE_OK);
                ck_assert_int_eq(d->origin, ORIGIN_NETWORK_UNVERIFIED);
                ck_assert_uint_eq(d->source, SOURCE_LOCAL);
                ck_assert_uint_eq(d->pid, 0);
                ck_assert_int_eq(vlp_frame_decode(world.records[0].frame, &frame), VLP_ERROR_NONE);
                ck_assert_uint_eq(frame.pid, 4242);
                ck_assert_uint_eq(world.attempted, 3);
                ck_assert_int_eq(receive_beat(fd, &b, 1)->verdict, RECEIVE_REPLAYED);
                ck_assert_int_eq(receive_beat(fd, &b, 3)->verdict, RECEIVE_DECRYPT_FAILED);
                ck_assert_uint_eq(world.attempted, 3);
        }
}
END_TEST

START_TEST(test_sealed_sizes) {
        _cleanup_close_ int fd = listen_secure(1, 1);
        static uint8_t data[2048];

        for (size_t n = 0; n <= 200; n++) {
                bool tried = n == VLP_SECURE_SHARED_SIZE || n == VLP_SECURE_MASTER_SIZE;

                ck_assert_int_eq(receive_one(fd, data, n)->verdict,
                                 tried ? RECEIVE_DECRYPT_FAILED : RECEIVE_MIS_SIZED);
                ck_assert_uint_eq(world.attempted, tried);
        }
        /* Longer than the buffer: cut off, and known as such. */
        ck_assert_int_eq(receive_one(fd, data, sizeof(data))->verdict, RECEIVE_MIS_SIZED);
        ck_assert_uint_eq(world.attempted, 0);
}
END_TEST

START_TEST(test_sealed_sources) {
        _cleanup_close_ int fd = listen_secure(2, 0);
        uint64_t sources[2];

        rules.source = SOURCE_RULE_KEY;
        ingress_set_rules(world.ingress, 0, &rules);
        for (unsigned key = 0; key < 2; key++) {
                Beat b = beat(VLP_SECURE_SHARED, 0);

                sources[key] = receive_beat(fd, &b, key)->source;
                ck_assert_uint_ne(sources[key], SOURCE_LOCAL);
        }
        ck_assert_uint_ne(sources[0], sources[1]);
        rules.source = SOURCE_RULE_ADDRESS;
        ingress_set_rules(world.ingress, 0, &rules);
        for (unsigned key = 0; key < 2; key++) {
                Beat b = beat(VLP_SECURE_SHARED, 1);

                sources[key] = receive_beat(fd, &b, key)->source;
        }
        ck_assert_uint_eq(sources[0], sources[1]);
}
END_TEST

START_TEST(test_no_keys) {
        _cleanup_close_ int fd = listen_secure(0, 0);
        Beat b = beat(VLP_SECURE_SHARED, 0);

        ck_assert_int_eq(receive_beat(fd, &b, 0)->verdict, RECEIVE_DECRYPT_FAILED);
        ck_assert_uint_eq(world.attempted, 0);
}
END_TEST
#endif

int main(void) {
        Suite *s = suite_create("ingress-listener-udp");

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++)
                suite_add_row(s, "an address is numeric, an IPv6 one in brackets, a port 1 to 65535",
                              test_address, (int) i);
        suite_add_row(s, "an address is known again from another port", test_hash, 0);
        suite_add_row(s, "an address and a port as text, an IPv6 one in brackets and with its scope",
                      test_peer_text, 0);
        for (int i = 0; i < 2; i++) {
                TCase *tc = tcase_create(
                                "a beat is received over IPv4 and IPv6, and believed as little as possible");

                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_add_loop_test(tc, test_receive, i, i + 1);
                suite_add_tcase(s, tc);
        }
        const Row more[] = {
                { "only 32 bytes are a beat", test_sizes },
                { "a datagram's sender has an address and a port over UDP, and none beside it", test_peer },
                { "the listener's rules give origin, source and unit", test_rules },
                { "one pid from two addresses is two agents", test_two_hosts },
                { "what the kernel drops is counted, each drop once", test_drops },
                { "the kernel's count of drops may go on at 0", test_drops_wrap },
#if HAVE_SECURE_UDP
                { "a secure listener opens both forms, counts its attempts, and refuses the rest",
                  test_sealed },
                { "other sizes cost no attempt", test_sealed_sizes },
                { "agents are told apart by key or by address, as the rules say", test_sealed_sources },
                { "without keys nothing opens", test_no_keys },
#endif
        };
        for (size_t i = 0; i < ELEMENTSOF(more); i++) {
                TCase *tc = tcase_create(more[i].title);

                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_add_test(tc, more[i].test);
                suite_add_tcase(s, tc);
        }
        return suite_run(s);
}
