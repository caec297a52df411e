/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From an address as people write it to one that the kernel takes. Pure: nothing is looked up.
 */

#include <sys/socket.h>
#include <sys/un.h>

/* Ready for connect(). */
typedef struct VartaAddress {
        struct sockaddr_un sockaddr;
        socklen_t size; /* the part of it that counts */
} VartaAddress;

/* Understands "/absolute/path" and "@abstract-name", each with or without "unix:" in front; NULL is the
 * default address of varta.h. Returns 0; -EINVAL for any other form and for an empty name; -ENAMETOOLONG
 * when the path, or the name after its "@", has more than 107 bytes; -EPROTONOSUPPORT for an address with
 * another scheme ("udp:..."). *ret is untouched on failure. */
int varta_address_parse(const char *address, VartaAddress *ret);
