/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses of observers.
 *
 * Relative paths are refused rather than resolved: an agent connects again whenever the observer's socket
 * was replaced, and by then the working directory may be another one. Whoever writes "varta.sock" would have
 * an agent that works until the first restart of the observer.
 *
 * Hosts are numbers for a like reason. A name would have to be asked for, of a resolver that blocks and
 * allocates, and asked for again when its answer changes, from within a beat that promised to do neither.
 *
 * A scheme that this build does not know is told apart from nonsense, so that a program that is configured
 * for another transport says "not supported here" and not "bad argument".
 */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>

#include "client/address.h"
#include "client/varta.h"

#define UNIX_SCHEME "unix:"
#define UDP_SCHEME  "udp:"

/* One byte less than the kernel's field: a path keeps its terminating NUL, which other programs rely on,
 * and an abstract name has a NUL in front instead. */
#define NAME_MAX_SIZE (sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1)

static_assert(NAME_MAX_SIZE == 107, "varta.h promises 107 bytes");
static_assert(sizeof(VARTA_DEFAULT_ADDRESS) - 1 <= NAME_MAX_SIZE, "the default address fits");

/* The longest that can stand between brackets: an address, "%" and the name of an interface. */
#define HOST_MAX_SIZE (INET6_ADDRSTRLEN + IF_NAMESIZE)

/* Whether it begins like "udp:": a letter, then letters, digits, "+", "." or "-", then a colon. */
static bool has_scheme(const char *s) {
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

        return s[0] >= 'a' && s[0] <= 'z' && s[n] == ':';
}

/* Moves *s behind `scheme` if it begins so. */
static bool skip_scheme(const char **s, const char *scheme) {
        size_t n = strlen(scheme);

        if (strncmp(*s, scheme, n) != 0)
                return false;

        *s += n;
        return true;
}

static int parse_unix(const char *name, VartaAddress *ret) {
        VartaAddress parsed = { .sockaddr.un.sun_family = AF_UNIX };
        char *path = parsed.sockaddr.un.sun_path;
        size_t n;

        if (name[0] == '/') {
                n = strlen(name);
                if (n > NAME_MAX_SIZE)
                        return -ENAMETOOLONG;

                memcpy(path, name, n + 1);
        } else if (name[0] == '@') {
                /* The "@" stands for the NUL that makes a name abstract; an empty name would ask the
                 * kernel to invent one. */
                n = strlen(name + 1);
                if (n == 0)
                        return -EINVAL;
                if (n > NAME_MAX_SIZE)
                        return -ENAMETOOLONG;

                memcpy(path + 1, name + 1, n);
        } else
                return -EINVAL;

        parsed.size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + 1);
        *ret = parsed;
        return 0;
}

/* A decimal number from 1 to 65535 without sign and leading zeros, in network order. */
static int parse_port(const char *s, in_port_t *ret) {
        unsigned port = 0;

        if (s[0] == '0' || s[0] == '\0')
                return -EINVAL;

        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;

                port = port * 10 + (unsigned) (*s - '0');
                if (port > UINT16_MAX)
                        return -EINVAL;
        }

        *ret = htons((uint16_t) port);
        return 0;
}

/* The host may name the interface behind a "%". Link-local addresses exist once per interface and mean
 * nothing without it; for others the kernel would disregard it, and so nobody may rely on it. */
static int parse_ipv6(char *host, struct sockaddr_in6 *in6) {
        char *interface = strchr(host, '%');

        if (interface)
                *interface++ = '\0';

        if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
                return -EINVAL;
        if (!!IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) != (interface != NULL))
                return -EINVAL;
        if (!interface)
                return 0;

        in6->sin6_scope_id = if_nametoindex(interface);
        return in6->sin6_scope_id == 0 ? -ENODEV : 0;
}

static int parse_udp(const char *name, VartaAddress *ret) {
        VartaAddress parsed = {};
        bool ipv6 = name[0] == '[';
        const char *end = strchr(name, ipv6 ? ']' : ':'), *port = end;
        char host[HOST_MAX_SIZE];
        size_t n;
        int r;

        if (ipv6) {
                name++;
                port = end ? end + 1 : NULL;
        }
        if (!port || port[0] != ':')
                return -EINVAL;

        n = (size_t) (end - name);
        if (n >= sizeof(host))
                return -EINVAL;
        memcpy(host, name, n);
        host[n] = '\0';

        if (ipv6) {
                parsed.sockaddr.in6.sin6_family = AF_INET6;
                parsed.size = sizeof(parsed.sockaddr.in6);
                r = parse_ipv6(host, &parsed.sockaddr.in6);
        } else {
                parsed.sockaddr.in.sin_family = AF_INET;
                parsed.size = sizeof(parsed.sockaddr.in);
                r = inet_pton(AF_INET, host, &parsed.sockaddr.in.sin_addr) == 1 ? 0 : -EINVAL;
        }
        if (r < 0)
                return r;

        r = parse_port(port + 1, ipv6 ? &parsed.sockaddr.in6.sin6_port : &parsed.sockaddr.in.sin_port);
        if (r < 0)
                return r;

        *ret = parsed;
        return 0;
}

int varta_address_parse(const char *address, VartaAddress *ret) {
        const char *name = address ? address : VARTA_DEFAULT_ADDRESS;

        assert(ret);

        if (skip_scheme(&name, UDP_SCHEME))
                return parse_udp(name, ret);
        if (!skip_scheme(&name, UNIX_SCHEME) && has_scheme(name))
                return -EPROTONOSUPPORT;

        return parse_unix(name, ret);
}
