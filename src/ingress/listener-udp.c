/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* UDP: addresses are numeric, since looking up a name would block, and could change under an observer's feet. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ingress/listener-udp.h"
#include "util/fd.h"
#include "util/hash.h"
#include "util/parse.h"

#define SCHEME_PLAIN  "udp:"
#define SCHEME_SECURE "udp-secure:"

static int parse_port(const char *text, in_port_t *ret) {
        uint32_t port;
        int r;

        if (*text == '-') /* no number too small, but no port at all */
                return -EINVAL;
        r = parse_u32(text, 1, UINT16_MAX, &port);
        if (r < 0)
                return r;
        *ret = htons((uint16_t) port);
        return 0;
}

static int parse_address(const char *text, PeerAddress *ret, socklen_t *ret_size) {
        char host[INET6_ADDRSTRLEN];
        const char *end, *begin = text;
        PeerAddress a = {};
        in_port_t port;
        bool six;
        int r;

        six = text[0] == '[';
        if (six) {
                begin++;
                end = strchr(begin, ']');
                if (!end || end[1] != ':')
                        return -EINVAL;
                r = parse_port(end + 2, &port);
        } else {
                end = strrchr(begin, ':');
                if (!end)
                        return -EINVAL;
                r = parse_port(end + 1, &port);
        }
        if (r < 0)
                return r;
        if (end == begin || (size_t) (end - begin) >= sizeof(host))
                return -EINVAL;
        memcpy(host, begin, (size_t) (end - begin));
        host[end - begin] = 0;

        if (six) {
                a.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
                if (inet_pton(AF_INET6, host, &a.in6.sin6_addr) != 1)
                        return -EINVAL;
                *ret_size = sizeof(a.in6);
        } else {
                a.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
                if (inet_pton(AF_INET, host, &a.in.sin_addr) != 1)
                        return -EINVAL;
                *ret_size = sizeof(a.in);
        }
        *ret = a;
        return 0;
}

int listener_parse_udp(const char *text, Transport *ret_transport, PeerAddress *ret, socklen_t *ret_size) {
        Transport transport;
        int r;

        if (strncmp(text, SCHEME_PLAIN, STRLEN(SCHEME_PLAIN)) == 0) {
                transport = TRANSPORT_UDP;
                text += STRLEN(SCHEME_PLAIN);
        } else if (strncmp(text, SCHEME_SECURE, STRLEN(SCHEME_SECURE)) == 0) {
                transport = TRANSPORT_SECURE_UDP;
                text += STRLEN(SCHEME_SECURE);
        } else
                return -EINVAL;

        r = parse_address(text, ret, ret_size);
        if (r < 0)
                return r;
        *ret_transport = transport;
        return 0;
}

int listener_configure_udp(Listener *l) {
        int flags, on = 1, size = 0;
        socklen_t n = sizeof(size);

        flags = fcntl(l->fd, F_GETFL);
        if (flags < 0 || fcntl(l->fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return negative_errno();
        if (setsockopt(l->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)) < 0)
                return negative_errno();
        if (getsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &size, &n) >= 0 && size > 0)
                l->receive_buffer = (uint32_t) size;
        return 0;
}

static bool is_loopback(const PeerAddress *a) {
        if (a->sa.sa_family == AF_INET)
                return ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

const char *peer_address_to_text(const PeerAddress *peer, char buf[static PEER_TEXT_SIZE]) {
        char host[INET6_ADDRSTRLEN] = "", scope[sizeof("%4294967295")] = "";

        if (peer->sa.sa_family == AF_INET) {
                (void) inet_ntop(AF_INET, &peer->in.sin_addr, host, sizeof(host));
                (void) snprintf(buf, PEER_TEXT_SIZE, "%s:%u", host, ntohs(peer->in.sin_port));
                return buf;
        }
        (void) inet_ntop(AF_INET6, &peer->in6.sin6_addr, host, sizeof(host));
        if (peer->in6.sin6_scope_id > 0)
                (void) snprintf(scope, sizeof(scope), "%%%u", peer->in6.sin6_scope_id);
        (void) snprintf(buf, PEER_TEXT_SIZE, "[%s%s]:%u", host, scope, ntohs(peer->in6.sin6_port));
        return buf;
}

void listener_describe_udp(Listener *l) {
        char text[PEER_TEXT_SIZE];
        socklen_t n = sizeof(PeerAddress);
        PeerAddress a = {};

        if (getsockname(l->fd, &a.sa, &n) < 0)
                return;
        l->loopback = is_loopback(&a);
        (void) snprintf(l->address, sizeof(l->address), "%s", peer_address_to_text(&a, text));
}

uint64_t peer_address_hash(const PeerAddress *peer, const uint64_t key[2]) {
        uint64_t halves[2] = { 0, 0 }, h;

        if (peer->sa.sa_family == AF_INET6)
                memcpy(halves, &peer->in6.sin6_addr, sizeof(halves));
        else
                memcpy(halves, &peer->in.sin_addr, sizeof(peer->in.sin_addr));
        h = hash_mix(key[0] ^ halves[0], halves[1]);
        h = hash_mix(key[1] ^ h, peer->sa.sa_family);
        h ^= h >> 32;
        return h != 0 ? h : 1; /* 0 is this host */
}
