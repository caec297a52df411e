/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses of observers.
 *
 * Relative paths are refused rather than resolved: an agent connects again whenever the observer's socket
 * was replaced, and by then the working directory may be another one. Whoever writes "varta.sock" would have
 * an agent that works until the first restart of the observer.
 *
 * A scheme that this build does not know is told apart from nonsense, so that a program that is configured
 * for another transport says "not supported here" and not "bad argument".
 */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "client/address.h"
#include "client/varta.h"

#define UNIX_SCHEME      "unix:"
#define UNIX_SCHEME_SIZE (sizeof(UNIX_SCHEME) - 1)

/* One byte less than the kernel's field: a path keeps its terminating NUL, which other programs rely on,
 * and an abstract name has a NUL in front instead. */
#define NAME_MAX_SIZE (sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1)

static_assert(NAME_MAX_SIZE == 107, "varta.h promises 107 bytes");
static_assert(sizeof(VARTA_DEFAULT_ADDRESS) - 1 <= NAME_MAX_SIZE, "the default address fits");

/* Whether it begins like "udp:": a letter, then letters, digits, "+", "." or "-", then a colon. */
static int has_scheme(const char *s) {
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

        return s[0] >= 'a' && s[0] <= 'z' && s[n] == ':';
}

int varta_address_parse(const char *address, VartaAddress *ret) {
        VartaAddress parsed = { .sockaddr.sun_family = AF_UNIX };
        const char *name = address ? address : VARTA_DEFAULT_ADDRESS;
        size_t n;

        assert(ret);

        if (strncmp(name, UNIX_SCHEME, UNIX_SCHEME_SIZE) == 0)
                name += UNIX_SCHEME_SIZE;
        else if (has_scheme(name))
                return -EPROTONOSUPPORT;

        if (name[0] == '/') {
                n = strlen(name);
                if (n > NAME_MAX_SIZE)
                        return -ENAMETOOLONG;

                memcpy(parsed.sockaddr.sun_path, name, n + 1);
        } else if (name[0] == '@') {
                /* The "@" stands for the NUL that makes a name abstract; an empty name would ask the
                 * kernel to invent one. */
                n = strlen(name + 1);
                if (n == 0)
                        return -EINVAL;
                if (n > NAME_MAX_SIZE)
                        return -ENAMETOOLONG;

                memcpy(parsed.sockaddr.sun_path + 1, name + 1, n);
        } else
                return -EINVAL;

        parsed.size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + 1);
        *ret = parsed;
        return 0;
}
