/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The observer's end over UDP: a real socket on the loopback interface and the datagrams that arrive there.
 * Everything fails the running test by itself.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/varta.h"
#include "vlp/frame.h"

/* Only runs out when something is wrong. */
#define LONG_MS 30000

/* More than the largest datagram, to see what is too long. */
#define DATAGRAM_SIZE 128

typedef struct Datagram {
        uint8_t data[DATAGRAM_SIZE];
        size_t size;
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } from;
} Datagram;

typedef struct Receiver {
        int family;
        in_port_t port; /* network order */
        int fd;         /* -1 while nobody listens */
        int held;       /* meanwhile: holds the port, deaf to everybody; otherwise -1 */
        char address[64];
} Receiver;

/* Binds to a port that is free, of the loopback address of AF_INET or AF_INET6. */
void receiver_open(Receiver *receiver, int family);

/* Nobody listens any more. The port stays the receiver's until receiver_return(): other tests, which run at
 * the same time, would otherwise get what is sent to it, and it would get what is sent to them. */
void receiver_leave(Receiver *receiver);
void receiver_return(Receiver *receiver);
void receiver_close(Receiver *receiver);

/* Takes one datagram that is there; false when there is none. */
bool receiver_take(Receiver *receiver, Datagram *ret);

/* Waits for a datagram. */
void receiver_wait(Receiver *receiver, Datagram *ret);

/* Waits for a bare frame. */
VlpFrame receiver_frame(Receiver *receiver);

/* Nothing more may be there. */
void receiver_expect_none(Receiver *receiver);

/* A handle for plain beats to the receiver. */
VartaAgent *receiver_agent(const Receiver *receiver);

/* Waits until the kernel has an error for the owner of this descriptor: that nobody listens. */
void wait_for_refusal(int fd);
