/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The floor: what receiving a datagram with its sender's credentials costs at the very least. epoll, recvmmsg() into
 * buffers as small as they can be, and nothing is looked at. No observer can be faster.
 */

#include <sys/socket.h>

#include "bench.h"

#define FLOOR_BATCH 64U

typedef struct Floor {
        int fd, epoll_fd; /* both owned */
        struct mmsghdr messages[FLOOR_BATCH];
        struct iovec vectors[FLOOR_BATCH];
        uint8_t buffers[FLOOR_BATCH][64];
        uint8_t controls[FLOOR_BATCH][CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
} Floor;

/* Takes over a nonblocking socket. */
void floor_init(Floor *f, int fd);
void floor_done(Floor *f);

/* Takes one batch. Returns how many datagrams there were. */
size_t floor_take(Floor *f);

/* Waits, batch by batch, until so many datagrams were taken. */
void floor_drain(Floor *f, size_t n);
