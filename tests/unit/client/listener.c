/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See listener.h. The directory lies under /tmp and not under $TMPDIR, whose length nobody knows: a socket's
 * path has little room.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"

/* No queue of this world is longer: fill_queue() would otherwise run for ever against a socket that never
 * fills. */
#define QUEUE_MAX 100000

void listener_prepare(Listener *l) {
        *l = (Listener){ .dir = "/tmp/varta-client-XXXXXX", .fd = -1 };

        ck_assert_ptr_nonnull(mkdtemp(l->dir));
        ck_assert_int_eq(chmod(l->dir, 0755), 0); /* for tests that give up their uid */
        ck_assert_int_gt(snprintf(l->path, sizeof(l->path), "%s/sock", l->dir), 0);
}

void listener_bind(Listener *l) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };

        memcpy(sa.sun_path, l->path, sizeof(sa.sun_path));

        (void) unlink(l->path);
        l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(l->fd, 0);
        ck_assert_int_eq(bind(l->fd, (struct sockaddr *) &sa, sizeof(sa)), 0);
        ck_assert_int_eq(setsockopt(l->fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)), 0);
}

void listener_open(Listener *l) {
        listener_prepare(l);
        listener_bind(l);
}

void listener_leave(Listener *l) {
        ck_assert_int_eq(close(l->fd), 0);
        l->fd = -1;
}

void listener_close(Listener *l) {
        if (l->fd >= 0)
                listener_leave(l);
        (void) unlink(l->path);
        ck_assert_int_eq(rmdir(l->dir), 0);
}

bool listener_take(Listener *l, VlpFrame *ret, pid_t *ret_pid) {
        union {
                struct cmsghdr align;
                char space[CMSG_SPACE(sizeof(struct ucred))];
        } control;
        uint8_t wire[VLP_FRAME_SIZE + 1]; /* a byte more, to see what is too long */
        struct iovec iov = { .iov_base = wire, .iov_len = sizeof(wire) };
        struct msghdr mh = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct ucred ucred;
        VlpFrame frame;
        ssize_t n;

        n = recvmsg(l->fd, &mh, 0);
        if (n < 0) {
                ck_assert_int_eq(errno, EAGAIN);
                return false;
        }

        ck_assert_int_eq(n, VLP_FRAME_SIZE);
        ck_assert_int_eq(vlp_frame_decode(wire, &frame), VLP_ERROR_NONE);

        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&mh);
        ck_assert_ptr_nonnull(cmsg);
        ck_assert_int_eq(cmsg->cmsg_type, SCM_CREDENTIALS);
        memcpy(&ucred, CMSG_DATA(cmsg), sizeof(ucred));

        if (ret)
                *ret = frame;
        if (ret_pid)
                *ret_pid = ucred.pid;
        return true;
}

VlpFrame listener_expect(Listener *l) {
        VlpFrame frame = {};

        ck_assert_msg(listener_take(l, &frame, NULL), "a frame should have arrived");
        return frame;
}

void listener_expect_none(Listener *l) {
        ck_assert_msg(!listener_take(l, NULL, NULL), "a frame arrived that should not have");
}

unsigned listener_drain(Listener *l) {
        unsigned n = 0;

        while (listener_take(l, NULL, NULL))
                n++;

        return n;
}

VartaAgent *listener_agent(const Listener *l) {
        VartaAgent *agent = NULL;

        ck_assert_int_eq(varta_open(l->path, &agent), 0);
        ck_assert_ptr_nonnull(agent);
        return agent;
}

unsigned fill_queue(const Listener *l) {
        unsigned n = 0;

        while (n < QUEUE_MAX) {
                VartaAgent *agent = listener_agent(l);
                int r = VARTA_SENT;

                for (int i = 0; i < BEATS_PER_HANDLE && r == VARTA_SENT; i++) {
                        r = varta_beat(agent, VARTA_STATUS_OK, n);
                        n += r == VARTA_SENT;
                }

                varta_close(agent);
                if (r == VARTA_DROPPED_QUEUE_FULL) {
                        ck_assert_uint_gt(n, 0);
                        return n;
                }
                ck_assert_int_eq(r, VARTA_SENT);
        }

        ck_abort_msg("the queue never fills");
}

int next_fd(void) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
        return fd;
}

ino_t fd_inode(int fd) {
        struct stat st;

        return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

int run_in_child(int (*child)(void *userdata), void *userdata) {
        int status;
        pid_t pid;

        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                _exit(child(userdata));

        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFEXITED(status), "the child died of signal %d", WTERMSIG(status));
        return WEXITSTATUS(status);
}

int cases_run(const char *name, const Case *cases, size_t n_cases) {
        Suite *s = suite_create(name);
        SRunner *runner;
        int n_failed;

        for (size_t i = 0; i < n_cases; i++) {
                TCase *tc = tcase_create(cases[i].title);

                tcase_add_test(tc, cases[i].test);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
