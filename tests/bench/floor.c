/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "floor.h"
#include "util/fd.h"

void floor_init(Floor *f, int fd) {
        struct epoll_event event = { .events = EPOLLIN };

        memset(f, 0, sizeof(*f)); /* and so every page of it is there */
        f->fd = fd;
        f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (f->epoll_fd < 0 || epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                bench_die("Cannot make an epoll descriptor");
        for (size_t i = 0; i < FLOOR_BATCH; i++) {
                f->vectors[i] = (struct iovec){ f->buffers[i], sizeof(f->buffers[i]) };
                f->messages[i].msg_hdr = (struct msghdr){
                        .msg_iov = &f->vectors[i],
                        .msg_iovlen = 1,
                        .msg_control = f->controls[i],
                        .msg_controllen = sizeof(f->controls[i]),
                };
        }
}

void floor_done(Floor *f) {
        f->epoll_fd = safe_close(f->epoll_fd);
        f->fd = safe_close(f->fd);
}

size_t floor_take(Floor *f) {
        int n;

        /* The kernel wrote into each header how much control data it left: as much as there is room for. */
        n = recvmmsg(f->fd, f->messages, FLOOR_BATCH, MSG_DONTWAIT, NULL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
                bench_die("Cannot receive");
        return n > 0 ? (size_t) n : 0;
}

void floor_drain(Floor *f, size_t n) {
        struct epoll_event event;

        for (size_t taken = 0; taken < n;)
                if (epoll_wait(f->epoll_fd, &event, 1, -1) > 0)
                        taken += floor_take(f);
}
