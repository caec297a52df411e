/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ancillary data: any bytes in place of what the kernel writes beside a datagram, compared with another walk over them
 * that knows nothing but offsets.
 */

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "ingress/control.h"

/* As control.c and the kernel say. */
#define TYPE_PIDFD 0x04

static uint32_t n_closed;
static uint64_t closed_hash;

static uint64_t mix(uint64_t hash, int fd) {
        return (hash ^ (uint32_t) fd) * UINT64_C(0x100000001b3);
}

static void close_fd(int fd) {
        n_closed++;
        closed_hash = mix(closed_hash, fd);
}

typedef struct Walk {
        Control control;
        uint64_t hash;
} Walk;

static void visit(const struct cmsghdr *header, const uint8_t *data, Walk *w) {
        size_t size = header->cmsg_len - CMSG_LEN(0);
        struct ucred ucred;

        if (header->cmsg_level != SOL_SOCKET)
                return;
        if (header->cmsg_type == SCM_RIGHTS || header->cmsg_type == TYPE_PIDFD)
                for (; size >= sizeof(int); size -= sizeof(int), data += sizeof(int)) {
                        int fd;

                        memcpy(&fd, data, sizeof(fd));
                        w->hash = mix(w->hash, fd);
                        w->control.descriptors++;
                }
        else if (header->cmsg_type == SCM_CREDENTIALS && size >= sizeof(ucred)) {
                memcpy(&ucred, data, sizeof(ucred));
                w->control.pid = (uint32_t) ucred.pid;
                w->control.uid = ucred.uid;
                w->control.has_credentials = true;
        } else if (header->cmsg_type == SO_RXQ_OVFL && size >= sizeof(uint32_t)) {
                memcpy(&w->control.drops, data, sizeof(uint32_t));
                w->control.has_drops = true;
        }
}

static Walk walk(const uint8_t *data, size_t size) {
        Walk w = {};
        size_t at = 0;

        while (size - at >= sizeof(struct cmsghdr)) {
                struct cmsghdr header;

                memcpy(&header, data + at, sizeof(header));
                if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > size - at)
                        break;
                visit(&header, data + at + CMSG_LEN(0), &w);
                if (CMSG_ALIGN(header.cmsg_len) > size - at)
                        break;
                at += CMSG_ALIGN(header.cmsg_len);
        }
        return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *copy = malloc(size > 0 ? size : 1); /* aligned, and of exactly this size */
        struct msghdr message = { .msg_control = copy, .msg_controllen = size };
        Control control;
        Walk expected;

        CHECK(copy);
        if (size > 0)
                memcpy(copy, data, size);
        n_closed = 0;
        closed_hash = 0;
        control_parse(&message, close_fd, &control);
        expected = walk(copy, size);

        CHECK(control.descriptors == n_closed);
        CHECK(control.descriptors == expected.control.descriptors);
        CHECK(closed_hash == expected.hash);
        CHECK(control.has_credentials == expected.control.has_credentials);
        CHECK(control.pid == expected.control.pid && control.uid == expected.control.uid);
        CHECK(control.has_drops == expected.control.has_drops);
        CHECK(control.drops == expected.control.drops);
        CHECK(message.msg_controllen == size && (size == 0 || memcmp(copy, data, size) == 0));
        free(copy);
        return 0;
}
