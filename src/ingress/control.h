/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The ancillary data beside a datagram: credentials are read, descriptors are closed, the rest is passed over.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for everything the kernel may put beside one datagram: credentials, a security label (the kernel's own bound
 * is 255 bytes and a NUL), the 253 descriptors that one message can carry (SCM_MAX_FD), a pidfd, a time stamp and a
 * drop count. So nothing is ever cut for lack of room. */
#define CONTROL_SIZE                                                                                        \
        (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(256) + CMSG_SPACE(253 * sizeof(int)) +               \
         CMSG_SPACE(sizeof(int)) + CMSG_SPACE(4 * sizeof(long)) + CMSG_SPACE(sizeof(uint32_t)))

typedef struct Control {
        uint32_t pid, uid;    /* as the kernel names them; pid 0: a sender that it cannot translate */
        uint32_t drops;       /* SO_RXQ_OVFL: datagrams dropped since the socket was made */
        uint32_t descriptors; /* how many came with it and were handed to `close_fd` */
        bool has_credentials;
        bool has_drops;
} Control;

/* Walks the control messages of one received message. Descriptors go to close_fd, whatever else is wrong. Never
 * fails: what is malformed ends the walk. */
void control_parse(struct msghdr *message, void (*close_fd)(int fd), Control *ret);
