/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of sockets and processes share. */

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "support.h"
#include "util/fd.h"
#include "vlp/frame.h"

/* Forked children and other threads come here, too. They must not use check's assertions, which write to one file of
 * the whole program even when all is well. */
#define REQUIRE(condition)                                                                                  \
        do {                                                                                                \
                if (!(condition))                                                                           \
                        ck_abort_msg("not so: %s (%s)", #condition, strerror(errno));                       \
        } while (0)

#define SO_PASSRIGHTS_NUMBER 83 /* asm-generic */

void scratch_init(Scratch *s) {
        (void) snprintf(s->path, sizeof(s->path), "/tmp/varta-test-XXXXXX");
        REQUIRE(mkdtemp(s->path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

void scratch_done(Scratch *s) {
        REQUIRE(nftw(s->path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static const char *scratch_name(const char *prefix, const Scratch *s, const char *name) {
        static char buffers[8][512];
        static unsigned next;
        char *buf = buffers[next++ % ELEMENTSOF(buffers)];
        int n;

        n = snprintf(buf, sizeof(buffers[0]), "%s%s/%s", prefix, s->path, name);
        REQUIRE(n > 0 && (size_t) n < sizeof(buffers[0]));
        return buf;
}

const char *scratch_path(const Scratch *s, const char *name) {
        return scratch_name("", s, name);
}

const char *scratch_address(const Scratch *s, const char *name) {
        return scratch_name("unix:", s, name);
}

size_t count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        size_t n = 0;

        REQUIRE(dir);
        for (const struct dirent *e; (e = readdir(dir));)
                n += e->d_name[0] != '.';
        (void) closedir(dir);
        return n - 1; /* the directory's own */
}

rlim_t set_fd_limit(rlim_t limit) {
        struct rlimit old, new;

        REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
        new = old;
        new.rlim_cur = limit;
        REQUIRE(setrlimit(RLIMIT_NOFILE, &new) == 0);
        return old.rlim_cur;
}

rlim_t leave_fds(unsigned n) {
        int fd = 0;

        /* Numbers below may be free, and numbers above taken. */
        for (n++; n > 0; fd++)
                n -= fcntl(fd, F_GETFD) < 0;
        return set_fd_limit((rlim_t) fd - 1);
}

int connect_to(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd;

        REQUIRE(strlen(path) < sizeof(sa.sun_path));
        memcpy(sa.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        REQUIRE(fd >= 0);
        REQUIRE(connect(fd, (const struct sockaddr *) &sa, sizeof(sa)) == 0);
        return fd;
}

int send_bytes(int fd, const void *data, size_t size, size_t n_fds) {
        uint8_t control[CMSG_SPACE(253 * sizeof(int))] __attribute__((aligned(8))) = {};
        struct msghdr message = { .msg_iov = &(struct iovec){ .iov_base = (void *) data, .iov_len = size },
                                  .msg_iovlen = 1 };

        REQUIRE(n_fds <= 253);
        if (n_fds > 0) {
                struct cmsghdr *c = (struct cmsghdr *) control;

                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                for (size_t i = 0; i < n_fds; i++)
                        memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){ STDERR_FILENO }, sizeof(int));
        }
        return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? negative_errno() : 0;
}

void make_beat(uint8_t *ret_frame, uint32_t pid, uint64_t nonce) {
        VlpFrame frame = { .pid = pid, .nonce = nonce, .timestamp = nonce, .status = VLP_STATUS_OK };

        REQUIRE(vlp_frame_encode(&frame, ret_frame) == 0);
}

int send_beat(int fd, uint32_t pid, uint64_t nonce) {
        uint8_t frame[VLP_FRAME_SIZE];

        make_beat(frame, pid, nonce);
        return send_bytes(fd, frame, sizeof(frame), 0);
}

bool kernel_has_passrights(void) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t n = sizeof(int);
        int value;

        REQUIRE(fd >= 0);
        return getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS_NUMBER, &value, &n) >= 0;
}
