/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children: each is an agent of its own, with a sequence and a socket of its own, whatever it did with the
 * descriptors it inherited. Children report with their exit code; their frames are judged by the parent.
 */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"

/* The user without rights that every Linux has. */
#define NOBODY 65534

/* What a child says when something is wrong that is no outcome. */
#define CHILD_WRONG 100

typedef struct Family {
        Listener listener;
        VartaAgent *agent;
        int fd; /* the handle's */
} Family;

static void family_open(Family *f) {
        listener_open(&f->listener);
        f->fd = next_fd();
        f->agent = listener_agent(&f->listener);
}

static void family_close(Family *f) {
        varta_close(f->agent);
        listener_close(&f->listener);
}

static int child_beat_twice(void *userdata) {
        Family *f = userdata;

        if (varta_beat(f->agent, VARTA_STATUS_OK, 1) != VARTA_SENT)
                return CHILD_WRONG;
        return varta_beat(f->agent, VARTA_STATUS_OK, 2);
}

START_TEST(test_sequences) {
        Family f;
        VlpFrame frame;
        pid_t pid;

        family_open(&f);
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(varta_beat(f.agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_int_eq(run_in_child(child_beat_twice, &f), VARTA_SENT);
        ck_assert_int_eq(varta_beat(f.agent, VARTA_STATUS_OK, 0), VARTA_SENT);

        uint64_t nonce = listener_expect(&f.listener).nonce;
        ck_assert_uint_eq(listener_expect(&f.listener).nonce, nonce + 1);
        ck_assert_uint_eq(listener_expect(&f.listener).nonce, nonce + 2);
        for (unsigned i = 1; i <= 2; i++) {
                ck_assert(listener_take(&f.listener, &frame, &pid));
                ck_assert_int_ne(pid, getpid());
                ck_assert_uint_eq(frame.pid, (uint32_t) pid);
                ck_assert_uint_eq(frame.nonce, i);
                ck_assert_uint_eq(frame.payload, i);
        }
        ck_assert(listener_take(&f.listener, &frame, &pid));
        ck_assert_int_eq(pid, getpid());
        ck_assert_uint_eq(frame.nonce, nonce + 3);

        family_close(&f);
}
END_TEST

static int child_is_parent_too(void *userdata) {
        Family *f = userdata;
        int status;
        pid_t pid;

        if (varta_beat(f->agent, VARTA_STATUS_OK, 10) != VARTA_SENT)
                return CHILD_WRONG;

        pid = fork();
        if (pid < 0)
                return CHILD_WRONG;
        if (pid == 0)
                _exit(varta_beat(f->agent, VARTA_STATUS_OK, 20));
        if (waitpid(pid, &status, 0) != pid || status != 0)
                return CHILD_WRONG;

        return varta_beat(f->agent, VARTA_STATUS_OK, 11);
}

START_TEST(test_grandchild) {
        static const uint64_t expected[][2] = { { 1, 10 }, { 1, 20 }, { 2, 11 } };
        Family f;

        family_open(&f);
        ck_assert_int_eq(run_in_child(child_is_parent_too, &f), VARTA_SENT);
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
                VlpFrame frame = listener_expect(&f.listener);
                ck_assert_uint_eq(frame.nonce, expected[i][0]);
                ck_assert_uint_eq(frame.payload, expected[i][1]);
        }
        family_close(&f);
}
END_TEST

static int child_checks_socket(void *userdata) {
        Family *f = userdata;
        ino_t inherited = fd_inode(f->fd);

        int lowest_free = dup(0);
        if (lowest_free < 0 || close(lowest_free) < 0 || inherited == 0)
                return CHILD_WRONG;

        if (varta_beat(f->agent, VARTA_STATUS_OK, 0) != VARTA_SENT)
                return CHILD_WRONG + 1;
        if (fd_inode(f->fd) != 0) /* its copy of the parent's is closed ... */
                return CHILD_WRONG + 2;
        if (fd_inode(lowest_free) == 0 ||
            fd_inode(lowest_free) == inherited) /* ... and it has one of its own */
                return CHILD_WRONG + 3;
        if (varta_beat(f->agent, VARTA_STATUS_OK, 0) != VARTA_SENT)
                return CHILD_WRONG + 4;

        varta_close(f->agent);
        return fd_inode(lowest_free) == 0 ? 0 : CHILD_WRONG + 5;
}

START_TEST(test_own_socket) {
        Family f;

        family_open(&f);
        ino_t inode = fd_inode(f.fd);

        ck_assert_int_eq(run_in_child(child_checks_socket, &f), 0);
        ck_assert_uint_eq(listener_drain(&f.listener), 2);
        ck_assert_uint_eq(fd_inode(f.fd), inode);
        ck_assert_int_eq(varta_beat(f.agent, VARTA_STATUS_OK, 0), VARTA_SENT);

        family_close(&f);
}
END_TEST

static int child_reuses_descriptor(void *userdata) {
        Family *f = userdata;
        int pair[2];
        char byte;

        if (close(f->fd) < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0 ||
            pair[0] != f->fd)
                return CHILD_WRONG;
        if (varta_beat(f->agent, VARTA_STATUS_OK, 0) != VARTA_SENT)
                return CHILD_WRONG + 1;
        if (recv(pair[1], &byte, 1, 0) >= 0 || errno != EAGAIN) /* nothing was written to it ... */
                return CHILD_WRONG + 2;

        varta_close(f->agent);
        return close(pair[0]) == 0 ? 0 : CHILD_WRONG + 3; /* ... and it was not closed */
}

START_TEST(test_reused_descriptor) {
        Family f;

        family_open(&f);
        ck_assert_int_eq(run_in_child(child_reuses_descriptor, &f), 0);
        ck_assert_uint_eq(listener_expect(&f.listener).nonce, 1);
        family_close(&f);
}
END_TEST

static int child_only_closes(void *userdata) {
        Family *f = userdata;

        varta_close(f->agent);
        return fd_inode(f->fd) == 0 ? 0 : CHILD_WRONG;
}

START_TEST(test_child_closes) {
        Family f;

        family_open(&f);
        ck_assert_int_eq(run_in_child(child_only_closes, &f), 0);
        ck_assert_int_eq(varta_beat(f.agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        (void) listener_expect(&f.listener);
        family_close(&f);
}
END_TEST

static int child_out_of_descriptors(void *userdata) {
        Family *f = userdata;
        struct rlimit old, none;

        if (getrlimit(RLIMIT_NOFILE, &old) < 0)
                return CHILD_WRONG;

        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &none) < 0)
                return CHILD_WRONG;
        if (varta_beat(f->agent, VARTA_STATUS_OK, 0) != VARTA_DROPPED_NO_RESOURCES)
                return CHILD_WRONG + 1;
        if (varta_beat_wait(f->agent, VARTA_STATUS_OK, 0, 100) != VARTA_DROPPED_NO_RESOURCES)
                return CHILD_WRONG + 2;

        if (setrlimit(RLIMIT_NOFILE, &old) < 0)
                return CHILD_WRONG;
        return varta_beat(f->agent, VARTA_STATUS_OK, 0);
}

START_TEST(test_out_of_descriptors) {
        Family f;

        family_open(&f);
        ck_assert_int_eq(run_in_child(child_out_of_descriptors, &f), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&f.listener).nonce, 1);
        listener_expect_none(&f.listener);
        family_close(&f);
}
END_TEST

static int child_without_rights(void *userdata) {
        Family *f = userdata;

        /* Root may write to any socket; anybody else is stopped by the mode alone. */
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return CHILD_WRONG;

        return varta_beat(f->agent, VARTA_STATUS_OK, 0);
}

START_TEST(test_not_permitted) {
        Family f;

        family_open(&f);
        ck_assert_int_eq(chmod(f.listener.path, 0), 0);
        ck_assert_int_eq(run_in_child(child_without_rights, &f), VARTA_DROPPED_NOT_PERMITTED);
        listener_expect_none(&f.listener);
        ck_assert_int_eq(chmod(f.listener.path, 0666), 0);
        ck_assert_int_eq(run_in_child(child_without_rights, &f), VARTA_SENT);
        family_close(&f);
}
END_TEST

/* A process that had its connection when it gave up its rights keeps it. */
static int child_drops_rights_later(void *userdata) {
        Family *f = userdata;
        VartaAgent *own;
        int r;

        if (varta_open(f->listener.path, &own) < 0 || chmod(f->listener.path, 0) < 0)
                return CHILD_WRONG;
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return CHILD_WRONG;

        r = varta_beat(own, VARTA_STATUS_OK, 0);
        varta_close(own);
        return r;
}

START_TEST(test_rights_dropped_later) {
        Family f;

        family_open(&f);
        ck_assert_int_eq(run_in_child(child_drops_rights_later, &f), VARTA_SENT);
        ck_assert_uint_eq(listener_expect(&f.listener).nonce, 1);
        family_close(&f);
}
END_TEST

static int child_of_new_namespace(void *userdata) {
        Family *f = userdata;

        if (getpid() != 1 || varta_beat(f->agent, VARTA_STATUS_OK, 0) != -EOPNOTSUPP)
                return CHILD_WRONG;

        return varta_beat_terminal(f->agent, 0, 100) == -EOPNOTSUPP ? 0 : CHILD_WRONG;
}

/* Unshares, so that the next child is pid 1 of a namespace; returns 77 where that is not allowed. */
static int child_unshares(void *userdata) {
        int status;
        pid_t pid;

        if (unshare(geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWPID) < 0)
                return 77;

        pid = fork();
        if (pid < 0)
                return 77;
        if (pid == 0)
                _exit(child_of_new_namespace(userdata));

        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_WRONG;
}

START_TEST(test_init) {
        Family f;
        int r;

        family_open(&f);
        r = run_in_child(child_unshares, &f);
        if (r == 77)
                printf("Not tested here: a process with pid 1, since pid namespaces may not be made.\n");
        else
                ck_assert_int_eq(r, 0);
        listener_expect_none(&f.listener);
        family_close(&f);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "a child begins at nonce 1 with its own pid, and its parent goes on", test_sequences },
                { "a grandchild begins at nonce 1, and the child goes on", test_grandchild },
                { "a child gets a socket of its own and closes its parent's only for itself",
                  test_own_socket },
                { "a child never writes to nor closes what took the socket's number",
                  test_reused_descriptor },
                { "a child that only closes takes nothing from its parent", test_child_closes },
                { "a child without descriptors drops beats until it has one", test_out_of_descriptors },
                { "a child that may not write to the socket is told so", test_not_permitted },
                { "a connection outlives the rights it was made with", test_rights_dropped_later },
                { "a process with pid 1 cannot be an agent", test_init },
        };

        return cases_run("client-fork", cases, sizeof(cases) / sizeof(cases[0]));
}
