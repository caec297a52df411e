/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See receiver.h.
 */

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "receiver.h"

static void receiver_bind(Receiver *receiver) {
        bool ipv6 = receiver->family == AF_INET6;
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
        struct sockaddr *sa = ipv6 ? (struct sockaddr *) &in6 : (struct sockaddr *) &in;
        socklen_t size = ipv6 ? sizeof(in6) : sizeof(in);

        receiver->fd = socket(receiver->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(receiver->fd, 0);
        ck_assert_int_eq(bind(receiver->fd, sa, size), 0);
        ck_assert_int_eq(getsockname(receiver->fd, sa, &size), 0);
        receiver->port = ipv6 ? in6.sin6_port : in.sin_port;
}

void receiver_open(Receiver *receiver, int family) {
        *receiver = (Receiver){ .family = family, .fd = -1 };
        receiver_bind(receiver);
        ck_assert_int_gt(snprintf(receiver->address, sizeof(receiver->address), "udp:%s:%u",
                                  family == AF_INET6 ? "[::1]" : "127.0.0.1", ntohs(receiver->port)),
                         0);
}

void receiver_leave(Receiver *receiver) {
        ck_assert_int_eq(close(receiver->fd), 0);
        receiver->fd = -1;
}

void receiver_return(Receiver *receiver) {
        receiver_bind(receiver);
}

void receiver_close(Receiver *receiver) {
        if (receiver->fd >= 0)
                receiver_leave(receiver);
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
