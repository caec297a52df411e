/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From an address as people write it to one that the kernel takes. No name is resolved: that would wait for
 * other machines. Only the number of a network interface is asked for, where an address needs one.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Ready for connect(). */
typedef struct VartaAddress {
        union {
                struct sockaddr any;
                struct sockaddr_un un;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } sockaddr;
        socklen_t size; /* the part of it that counts */
} VartaAddress;

/* Understands "/absolute/path" and "@abstract-name", each with or without "unix:" in front; "udp:IPV4:PORT",
 * "udp:[IPV6]:PORT" and "udp:[IPV6%INTERFACE]:PORT"; NULL is the default address of varta.h.
 * Returns 0; -EINVAL for any other form and for an empty name, for a port outside 1..65535, and for an
 * interface that a link-local address lacks or another one has; -ENAMETOOLONG when the path, or the name
 * after its "@", has more than 107 bytes; -ENODEV when there is no such interface; -EPROTONOSUPPORT for an
 * address with another scheme ("tcp:..."). *ret is untouched on failure. */
int varta_address_parse(const char *address, VartaAddress *ret);

/* Whether datagrams to it travel through a network (the loopback one included) and may get lost there. */
static inline bool varta_address_is_udp(const VartaAddress *address) {
        return address->sockaddr.any.sa_family != AF_UNIX;
}
