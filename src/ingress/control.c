/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Walking ancillary data. The kernel writes it, but a length is checked before a value is read all the same. */

#include <string.h>

#include "ingress/control.h"
#include "util/macro.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04 /* Linux 6.5 */
#endif

static void close_all(const struct cmsghdr *c, void (*close_fd)(int fd), Control *control) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                close_fd(fd);
        }
        control->descriptors += (uint32_t) n;
}

static void read_credentials(const struct cmsghdr *c, Control *control) {
        struct ucred ucred;

        if (c->cmsg_len < CMSG_LEN(sizeof(ucred)))
                return;
        memcpy(&ucred, CMSG_DATA(c), sizeof(ucred));
        control->pid = (uint32_t) ucred.pid;
        control->uid = ucred.uid;
        control->has_credentials = true;
}

void control_parse(struct msghdr *message, void (*close_fd)(int fd), Control *ret) {
        Control control = {};

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                const uint8_t *end = (const uint8_t *) message->msg_control + message->msg_controllen;

                if (c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > (size_t) (end - (const uint8_t *) c))
                        break;
                if (c->cmsg_level != SOL_SOCKET)
                        continue;
                if (c->cmsg_type == SCM_CREDENTIALS)
                        read_credentials(c, &control);
                else if (c->cmsg_type == SCM_RIGHTS || c->cmsg_type == SCM_PIDFD)
                        close_all(c, close_fd, &control);
                else if (c->cmsg_type == SO_RXQ_OVFL && c->cmsg_len >= CMSG_LEN(sizeof(uint32_t))) {
                        memcpy(&control.drops, CMSG_DATA(c), sizeof(uint32_t));
                        control.has_drops = true;
                }
        }
        *ret = control;
}
