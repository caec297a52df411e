/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* UDP sockets: IPv4 and IPv6, plain and secure. */

#include <netinet/in.h>
#include <sys/socket.h>

#include "ingress/listener.h"

/* Large enough for either family, small enough to sit 64 in a row. */
typedef union PeerAddress {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
} PeerAddress;

/* "udp:ADDRESS:PORT" or "udp-secure:ADDRESS:PORT", the address numeric and an IPv6 one in brackets. Returns 0, -EINVAL for
 * another form (names are not looked up), -ERANGE for a port outside 1..65535. */
int listener_parse_udp(const char *text, Transport *ret_transport, PeerAddress *ret, socklen_t *ret_size);

/* What the receiving side needs of a bound socket: non-blocking, kernel drop counts, no mapped addresses. */
int listener_configure_udp(Listener *l);

/* Fills in the address as text and whether only this host can reach it. */
void listener_describe_udp(Listener *l);

/* Room for "[ADDRESS%SCOPE]:PORT" of either family. */
#define PEER_TEXT_SIZE (INET6_ADDRSTRLEN + sizeof("[%4294967295]:65535"))

/* The address and the port as text: "192.0.2.7:4711", "[2001:db8::7]:4711", "[fe80::7%2]:4711". */
const char *peer_address_to_text(const PeerAddress *peer, char buf[static PEER_TEXT_SIZE]);

/* A hash of the address, without the port, never 0: senders choose ports, and a replay comes from another one. */
uint64_t peer_address_hash(const PeerAddress *peer, const uint64_t key[2]);
