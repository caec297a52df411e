/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See receiver.h.
 */

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "receiver.h"

/* The loopback address with the receiver's port. */
static socklen_t receiver_address(const Receiver *receiver, struct sockaddr_storage *ret) {
        struct sockaddr_in in = {
                .sin_family = AF_INET,
                .sin_port = receiver->port,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        struct sockaddr_in6 in6 = {
                .sin6_family = AF_INET6,
                .sin6_port = receiver->port,
                .sin6_addr = IN6ADDR_LOOPBACK_INIT,
        };

        if (receiver->family == AF_INET6) {
                memcpy(ret, &in6, sizeof(in6));
                return sizeof(in6);
        }

        memcpy(ret, &in, sizeof(in));
        return sizeof(in);
}

/* Binds to the receiver's port, or to a free one when it has none yet. */
static void receiver_bind(Receiver *receiver) {
        struct sockaddr_storage sa;
        socklen_t size = receiver_address(receiver, &sa);

        receiver->fd = socket(receiver->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(receiver->fd, 0);
        ck_assert_int_eq(bind(receiver->fd, (struct sockaddr *) &sa, size), 0);
        ck_assert_int_eq(getsockname(receiver->fd, (struct sockaddr *) &sa, &size), 0);
        receiver->port = receiver->family == AF_INET6 ? ((struct sockaddr_in6 *) &sa)->sin6_port
                                                      : ((struct sockaddr_in *) &sa)->sin_port;
}

void receiver_open(Receiver *receiver, int family) {
        *receiver = (Receiver){ .family = family, .fd = -1, .held = -1 };
        receiver_bind(receiver);
        ck_assert_int_gt(snprintf(receiver->address, sizeof(receiver->address), "udp:%s:%u",
                                  family == AF_INET6 ? "[::1]" : "127.0.0.1", ntohs(receiver->port)),
                         0);
}

void receiver_leave(Receiver *receiver) {
        struct sockaddr_storage sa;
        socklen_t size = receiver_address(receiver, &sa);

        ck_assert_int_eq(connect(receiver->fd, (struct sockaddr *) &sa, size), 0);
        receiver->held = receiver->fd;
        receiver->fd = -1;
}

void receiver_return(Receiver *receiver) {
        ck_assert_int_eq(close(receiver->held), 0);
        receiver->held = -1;
        receiver_bind(receiver);
}

void receiver_close(Receiver *receiver) {
        ck_assert_int_eq(close(receiver->fd >= 0 ? receiver->fd : receiver->held), 0);
}

bool receiver_take(Receiver *receiver, Datagram *ret) {
        socklen_t size = sizeof(ret->from);
        ssize_t n;

        n = recvfrom(receiver->fd, ret->data, sizeof(ret->data), 0, &ret->from.any, &size);
        if (n < 0) {
                ck_assert_int_eq(errno, EAGAIN);
                return false;
        }

        ret->size = (size_t) n;
        return true;
}

void receiver_wait(Receiver *receiver, Datagram *ret) {
        struct pollfd p = { .fd = receiver->fd, .events = POLLIN };

        ck_assert_int_eq(poll(&p, 1, LONG_MS), 1);
        ck_assert(receiver_take(receiver, ret));
}

VlpFrame receiver_frame(Receiver *receiver) {
        Datagram d;
        VlpFrame frame = {};

        receiver_wait(receiver, &d);
        ck_assert_uint_eq(d.size, VLP_FRAME_SIZE);
        ck_assert_int_eq(vlp_frame_decode(d.data, &frame), VLP_ERROR_NONE);
        return frame;
}

void receiver_expect_none(Receiver *receiver) {
        Datagram d;

        ck_assert_msg(!receiver_take(receiver, &d), "a datagram arrived that should not have");
}

VartaAgent *receiver_agent(const Receiver *receiver) {
        VartaAgent *agent = NULL;

        ck_assert_int_eq(varta_open(receiver->address, &agent), 0);
        ck_assert_ptr_nonnull(agent);
        return agent;
}

void wait_for_refusal(int fd) {
        struct pollfd p = { .fd = fd };

        ck_assert_int_eq(poll(&p, 1, LONG_MS), 1);
        ck_assert_int_ne(p.revents & POLLERR, 0);
}
