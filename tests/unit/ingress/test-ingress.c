/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes off real sockets, in which order, and what the kernel said of its senders. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "ingress/identity.h"
#include "rows.h"
#include "util/fd.h"
#include "world.h"

#define WITHOUT_PASSRIGHTS (_FEATURE_ALL & ~(unsigned) FEATURE_PASSRIGHTS)

/* An ordinary user, where the test is run by root. */
#define OTHER_UID 4321U

static World the_world, *const w = &the_world;

static void setup(void) {
        world_init(w);
}

static void teardown(void) {
        world_done(w);
}

static uint64_t nonce_of(const Record *r) {
        VlpFrame frame;

        ck_assert_int_eq(r->datagram.verdict, RECEIVE_OK);
        ck_assert_int_eq(vlp_frame_decode(r->frame, &frame), VLP_ERROR_NONE);
        return frame.nonce;
}

/* ---- batches ---------------------------------------------------------------------------------------------- */

typedef struct Queue {
        const char *title;
        unsigned n;
        uint64_t batches;
} Queue;

static const Queue queues[] = {
        { "a single datagram is a batch", 1, 1 },
        { "63 datagrams are one batch", 63, 1 },
        { "64 datagrams are one batch", 64, 1 },
        { "65 datagrams are two batches", 65, 2 },
        { "200 datagrams are four batches, in the order of arrival", 200, 4 },
        { "a queue of 1,000 is handed up in the order of arrival", 1000, 16 },
};

START_TEST(test_batches) {
        const Queue *c = &queues[_i];
        _cleanup_close_ int fd = world_listen_pair(w, _FEATURE_ALL);

        for (unsigned i = 0; i < c->n; i++)
                ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), i), 0);
        world_settle(w);

        ck_assert_uint_eq(w->datagrams, c->n);
        ck_assert_uint_eq(w->batches, c->batches);
        ck_assert_uint_eq(w->settled, c->batches);
        /* A batch that is not full says that nothing is left; after a full one nobody knows until the next try. */
        ck_assert_uint_eq(w->empties, c->n % INGRESS_BATCH > 0 ? 1 : 0);
        for (unsigned i = 0; i < c->n; i++) {
                ck_assert_uint_eq(nonce_of(&w->records[i]), i);
                ck_assert_uint_eq(w->records[i].batch, 1 + i / INGRESS_BATCH);
        }
        ck_assert_uint_eq(ingress_listener(w->ingress, 0)->datagrams, c->n);
}
END_TEST

START_TEST(test_path) {
        uint8_t listener = world_listen(w, "v.sock", _FEATURE_ALL);
        _cleanup_close_ int fd = connect_to(scratch_path(&w->scratch, "v.sock"));

        for (uint64_t i = 1; i <= 100; i++) {
                const Record *r = &w->records[i - 1];

                ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), i), 0);
                world_until(w, &w->datagrams, i);
                ck_assert_uint_eq(nonce_of(r), i);
                ck_assert_uint_eq(r->datagram.listener, listener);
                ck_assert_uint_eq(r->datagram.source, SOURCE_LOCAL);
                ck_assert_uint_eq(r->datagram.unit, UNIT_NONE);
        }
        world_settle(w);
        ck_assert_uint_eq(w->failures, 0);
}
END_TEST

START_TEST(test_listeners) {
        static const char *const names[] = { "a", "b", "c" };
        const Listener *l;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                ck_assert_uint_eq(world_listen(w, names[i], _FEATURE_ALL), i);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_close_ int fd = connect_to(scratch_path(&w->scratch, names[i]));

                ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), i), 0);
        }
        world_settle(w);
        ck_assert_uint_eq(w->datagrams, ELEMENTSOF(names));
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                ck_assert_uint_eq(nonce_of(&w->records[i]), w->records[i].datagram.listener);

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                l = ingress_listener(w->ingress, i);
                ck_assert_str_eq(l->address, scratch_path(&w->scratch, names[i]));
                ck_assert_uint_eq(l->datagrams, 1);
                ck_assert_uint_eq(l->index, i);
        }
        ck_assert_ptr_null(ingress_listener(w->ingress, ELEMENTSOF(names)));
}
END_TEST

START_TEST(test_too_many) {
        size_t before = count_fds();
        Listener l;
        char name[16];

        for (unsigned i = 0; i < 64; i++) {
                (void) snprintf(name, sizeof(name), "%u", i);
                (void) world_listen(w, name, _FEATURE_ALL);
        }
        ck_assert_uint_eq(count_fds(), before + 64);
        ck_assert_int_eq(listener_bind(scratch_address(&w->scratch, "more"), _FEATURE_ALL, &l), 0);
        ck_assert_int_eq(ingress_add(w->ingress, &l), -E2BIG);
        ck_assert_int_ge(l.fd, 0); /* still ours */
        listener_done(&l);

        w->ingress = ingress_free(w->ingress);
        ck_assert_uint_eq(count_fds(), before);
        ck_assert_int_lt(access(scratch_path(&w->scratch, "0"), F_OK), 0);
        ck_assert_int_lt(access(scratch_path(&w->scratch, "63"), F_OK), 0);
}
END_TEST

/* ---- lengths ---------------------------------------------------------------------------------------------- */

#define LARGEST SIZE_MAX /* as much as the kernel takes in one datagram */

static const struct {
        const char *title;
        size_t size;
        ReceiveVerdict verdict;
} lengths[] = {
        { "no byte at all is mis-sized", 0, RECEIVE_MIS_SIZED },
        { "one byte is mis-sized", 1, RECEIVE_MIS_SIZED },
        { "31 bytes are mis-sized", 31, RECEIVE_MIS_SIZED },
        { "32 bytes are received", 32, RECEIVE_OK },
        { "33 bytes are mis-sized, not cut to fit", 33, RECEIVE_MIS_SIZED },
        { "60 bytes, a secure frame, are mis-sized here", 60, RECEIVE_MIS_SIZED },
        { "64 bytes are mis-sized", 64, RECEIVE_MIS_SIZED },
        { "127 bytes are mis-sized", 127, RECEIVE_MIS_SIZED },
        { "128 bytes are mis-sized", 128, RECEIVE_MIS_SIZED },
        { "129 bytes are mis-sized", 129, RECEIVE_MIS_SIZED },
        { "65,507 bytes are mis-sized", 65507, RECEIVE_MIS_SIZED },
        { "the longest datagram that the kernel takes is mis-sized", LARGEST, RECEIVE_MIS_SIZED },
};

/* The kernel takes as much as the sender's buffer holds, less 32 bytes. */
static size_t largest(int fd) {
        socklen_t n = sizeof(int);
        int size;

        ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &n), 0);
        return (size_t) size - 32;
}

START_TEST(test_length) {
        (void) world_listen(w, "v.sock", _FEATURE_ALL);
        _cleanup_close_ int fd = connect_to(scratch_path(&w->scratch, "v.sock"));
        size_t before = count_fds(), size = lengths[_i].size == LARGEST ? largest(fd) : lengths[_i].size;
        _cleanup_free_ uint8_t *data = calloc(1, size + 2 + VLP_FRAME_SIZE);

        ck_assert_ptr_nonnull(data);
        make_beat(data, (uint32_t) getpid(), 1); /* a good frame at its beginning must not be enough */
        if (lengths[_i].size == LARGEST)
                ck_assert_int_eq(send_bytes(fd, data, size + 1, 0), -EMSGSIZE);
        ck_assert_int_eq(send_bytes(fd, data, size, 0), 0);
        world_until(w, &w->datagrams, 1); /* the longest leaves no room for another */
        ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), 2), 0);
        world_until(w, &w->datagrams, 2);

        ck_assert_int_eq(w->records[0].datagram.verdict, lengths[_i].verdict);
        ck_assert_uint_eq(w->records[0].datagram.pid, (uint32_t) getpid());
        ck_assert_uint_eq(nonce_of(&w->records[1]), 2);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* ---- descriptors ------------------------------------------------------------------------------------------ */

static const struct {
        const char *title;
        size_t n_fds;
        bool refuse; /* SO_PASSRIGHTS in use */
        size_t size;
} attached[] = {
        { "one attached descriptor", 1, true, VLP_FRAME_SIZE },
        { "50 attached descriptors", 50, true, VLP_FRAME_SIZE },
        { "200 attached descriptors", 200, true, VLP_FRAME_SIZE },
        { "one attached descriptor, on a kernel that cannot refuse it", 1, false, VLP_FRAME_SIZE },
        { "50 attached descriptors, on a kernel that cannot refuse them", 50, false, VLP_FRAME_SIZE },
        { "200 attached descriptors, on a kernel that cannot refuse them", 200, false, VLP_FRAME_SIZE },
        { "as many as one message holds, on a kernel that cannot refuse them", 253, false, VLP_FRAME_SIZE },
        { "200 descriptors with a datagram that is too short", 200, false, VLP_FRAME_SIZE - 1 },
        { "200 descriptors with a datagram that is too long", 200, false, VLP_FRAME_SIZE + 1 },
        { "200 descriptors with nothing", 200, false, 0 },
};

/* Refused to the sender, or closed on arrival and the verdict is what it would be without. */
START_TEST(test_descriptors) {
        unsigned features = attached[_i].refuse ? _FEATURE_ALL : WITHOUT_PASSRIGHTS;
        bool refused = attached[_i].refuse && kernel_has_passrights();
        uint8_t data[VLP_FRAME_SIZE + 1] = {};
        size_t before;

        (void) world_listen(w, "v.sock", features);
        _cleanup_close_ int fd = connect_to(scratch_path(&w->scratch, "v.sock"));
        before = count_fds();
        make_beat(data, (uint32_t) getpid(), 1);

        for (unsigned i = 0; i < 5; i++) {
                int r = send_bytes(fd, data, attached[_i].size, attached[_i].n_fds);

                ck_assert_int_eq(r, refused ? -EPERM : 0);
        }
        ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), 2), 0);
        world_until(w, &w->datagrams, refused ? 1 : 6);
        world_settle(w);

        ck_assert_uint_eq(w->datagrams, refused ? 1 : 6);
        for (size_t i = 0; i + 1 < w->n_records; i++) {
                const Datagram *d = &w->records[i].datagram;

                ck_assert_int_eq(d->verdict,
                                 attached[_i].size == VLP_FRAME_SIZE ? RECEIVE_OK : RECEIVE_MIS_SIZED);
                ck_assert_int_eq(d->origin, ORIGIN_KERNEL_ATTESTED);
                ck_assert_uint_eq(d->pid, (uint32_t) getpid());
        }
        ck_assert_uint_eq(nonce_of(&w->records[w->n_records - 1]), 2);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

static const struct {
        const char *title;
        unsigned room; /* descriptors that may still be had */
        size_t n_fds, size;
        ReceiveVerdict verdict;
} cuts[] = {
        { "no descriptor can be had: the control data is cut", 0, 1, VLP_FRAME_SIZE,
          RECEIVE_CONTROL_TRUNCATED },
        { "some descriptors can be had: the control data is cut, those that came are closed", 2, 5,
          VLP_FRAME_SIZE, RECEIVE_CONTROL_TRUNCATED },
        { "just enough descriptors can be had", 5, 5, VLP_FRAME_SIZE, RECEIVE_OK },
        { "cut control data is seen before a wrong size", 2, 5, 7, RECEIVE_CONTROL_TRUNCATED },
        { "no descriptor can be had and none is sent", 0, 0, VLP_FRAME_SIZE, RECEIVE_OK },
};

START_TEST(test_control_truncated) {
        uint8_t data[VLP_FRAME_SIZE];
        size_t before;
        rlim_t limit;

        (void) world_listen(w, "v.sock", WITHOUT_PASSRIGHTS);
        _cleanup_close_ int fd = connect_to(scratch_path(&w->scratch, "v.sock"));
        make_beat(data, (uint32_t) getpid(), 1);
        ck_assert_int_eq(send_bytes(fd, data, cuts[_i].size, cuts[_i].n_fds), 0);
        ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), 2), 0);
        before = count_fds();

        limit = leave_fds(cuts[_i].room);
        world_until(w, &w->datagrams, 2);
        (void) set_fd_limit(limit);

        ck_assert_int_eq(w->records[0].datagram.verdict, cuts[_i].verdict);
        ck_assert_uint_eq(nonce_of(&w->records[1]), 2);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* ---- credentials ------------------------------------------------------------------------------------------ */

/* A child that sends one beat, as another user if that can be, and ends. */
static pid_t send_from_child(const char *path, uint32_t uid) {
        pid_t pid = fork();

        if (pid < 0)
                ck_abort_msg("cannot fork: %s", strerror(errno));
        if (pid == 0) { /* no assertion here: see support.c */
                int fd = connect_to(path);

                if (uid != getuid() && (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0))
                        _exit(2);
                _exit(send_beat(fd, (uint32_t) getpid(), 1) < 0 ? 1 : 0);
        }
        return pid;
}

START_TEST(test_credentials) {
        uint32_t uid = getuid() == 0 ? OTHER_UID : getuid();
        const Datagram *d = &w->records[0].datagram;
        pid_t pid;
        int status;

        (void) world_listen(w, "v.sock", _FEATURE_ALL);
        if (uid != getuid())
                ck_assert_int_eq(chmod(w->scratch.path, 0755), 0);
        else
                printf("NOTE \"credentials\": not root, so the sender is of the same user\n");
        pid = send_from_child(scratch_path(&w->scratch, "v.sock"), uid);
        world_until(w, &w->datagrams, 1);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);

        ck_assert_int_eq(d->verdict, RECEIVE_OK);
        ck_assert_int_eq(d->origin, ORIGIN_KERNEL_ATTESTED);
        ck_assert_uint_eq(d->pid, (uint32_t) pid);
        ck_assert_uint_eq(d->uid, uid);
}
END_TEST

START_TEST(test_pid_zero) {
        const Datagram *d = &w->records[0].datagram;
        int pair[2];
        Listener l;

        /* Sent before anybody asked for credentials: the kernel did not write any down. */
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(send_beat(pair[0], (uint32_t) getpid(), 1), 0);
        ck_assert_int_eq(listener_adopt(pair[1], "late", _FEATURE_ALL, &l), 0);
        (void) world_add(w, &l);
        world_until(w, &w->datagrams, 1);
        ck_assert_int_eq(close(pair[0]), 0);

        ck_assert_int_eq(d->verdict, RECEIVE_OK);
        ck_assert_int_eq(d->origin, ORIGIN_SOCKET_MODE_ONLY);
        ck_assert_uint_eq(d->pid, 0);
}
END_TEST

START_TEST(test_no_credentials) {
        _cleanup_close_ int fd = world_listen_pair(w, _FEATURE_ALL);
        int off = 0, on = 1;

        /* Whoever else holds the socket may take the option away. */
        ck_assert_int_eq(setsockopt(ingress_listener(w->ingress, 0)->fd, SOL_SOCKET, SO_PASSCRED, &off,
                                    sizeof(off)),
                         0);
        ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), 1), 0);
        ck_assert_int_eq(send_bytes(fd, "x", 1, 0), 0);
        world_until(w, &w->datagrams, 2);
        for (size_t i = 0; i < 2; i++) {
                ck_assert_uint_eq(w->records[i].datagram.pid, 0);
                ck_assert_uint_eq(w->records[i].datagram.uid, UID_NONE);
                ck_assert_int_ne(w->records[i].datagram.origin, ORIGIN_KERNEL_ATTESTED);
        }
        ck_assert_int_eq(w->records[0].datagram.verdict, RECEIVE_NO_CREDENTIALS);
        ck_assert_int_eq(w->records[1].datagram.verdict, RECEIVE_MIS_SIZED);

        ck_assert_int_eq(setsockopt(ingress_listener(w->ingress, 0)->fd, SOL_SOCKET, SO_PASSCRED, &on,
                                    sizeof(on)),
                         0);
        ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), 2), 0);
        world_until(w, &w->datagrams, 3);
        ck_assert_uint_eq(nonce_of(&w->records[2]), 2);
        ck_assert_uint_eq(w->records[2].datagram.pid, (uint32_t) getpid());
}
END_TEST

/* ---- errors and draining ---------------------------------------------------------------------------------- */

START_TEST(test_error) {
        _cleanup_close_ int fd = world_listen_pair(w, _FEATURE_ALL);
        int listener = ingress_listener(w->ingress, 0)->fd;
        struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
        char byte;

        /* The peer turns away from us with something of ours unread: the kernel calls that a reset. */
        ck_assert_int_eq(send_bytes(listener, "x", 1, 0), 0);
        ck_assert_int_eq(connect(fd, &nowhere, sizeof(nowhere)), 0);
        world_until(w, &w->failures, 1);
        ck_assert_int_eq(w->last_error, -ECONNRESET);
        ck_assert_uint_eq(w->datagrams, 0);
        ck_assert_uint_eq(w->settled, 1);
        ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);

        /* It stays in service. */
        (void) world_listen(w, "v.sock", _FEATURE_ALL);
        world_settle(w);
        ck_assert_uint_eq(w->failures, 1);
        _cleanup_close_ int other = connect_to(scratch_path(&w->scratch, "v.sock"));
        ck_assert_int_eq(send_beat(other, (uint32_t) getpid(), 1), 0);
        world_until(w, &w->datagrams, 1);
}
END_TEST

START_TEST(test_drain) {
        _cleanup_close_ int a = world_listen_pair(w, _FEATURE_ALL), b = world_listen_pair(w, _FEATURE_ALL);

        for (unsigned i = 0; i < 300; i++)
                ck_assert_int_eq(send_beat(a, (uint32_t) getpid(), i), 0);
        for (unsigned i = 0; i < 128; i++)
                ck_assert_int_eq(send_beat(b, (uint32_t) getpid(), i), 0);
        ingress_drain(w->ingress);
        ck_assert_uint_eq(w->datagrams, 428);
        ck_assert_uint_eq(w->empties, 2);
        ck_assert_uint_eq(w->settled, 0); /* whoever drains settles */

        ingress_drain(w->ingress);
        ck_assert_uint_eq(w->datagrams, 428);
        ck_assert_uint_eq(w->empties, 4);
        ck_assert_int_eq(sd_event_run(w->event, 0), 0);
}
END_TEST

static void refill(World *world, const Datagram *batch, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void) send_beat(*(int *) world->userdata, (uint32_t) getpid(), 1);
}

START_TEST(test_drain_ends) {
        int fd = world_listen_pair(w, _FEATURE_ALL);

        for (unsigned i = 0; i < 700; i++)
                ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), i), 0);
        w->userdata = &fd;
        w->on_batch = refill;
        ingress_drain(w->ingress);
        ck_assert_uint_ge(w->datagrams, 512); /* a queue as systemd makes it */
        ck_assert_uint_le(w->datagrams, 512 + INGRESS_BATCH);
        ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(test_idle) {
        (void) world_listen(w, "v.sock", _FEATURE_ALL);
        for (unsigned i = 0; i < 10; i++)
                ck_assert_int_eq(sd_event_run(w->event, 0), 0);
        ck_assert_uint_eq(w->settled, 0);
        ck_assert_uint_eq(w->empties, 0);
}
END_TEST

static void add(Suite *s, const char *title, const TTest *test, int i) {
        TCase *tc = tcase_create(title);

        tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, test, i, i + 1);
        suite_add_tcase(s, tc);
}

int main(void) {
        const Row rows[] = {
                { "beats at a path are handed up as they come", test_path },
                { "several listeners are told apart", test_listeners },
                { "64 listeners are taken, the next one stays its owner's", test_too_many },
                { "the kernel names pid and user of the sender", test_credentials },
                { "pid 0 is a sender that only the socket's mode vouches for", test_pid_zero },
                { "a datagram without credentials is seen as such", test_no_credentials },
                { "an error of the socket is told, and the others go on", test_error },
                { "draining reads what is queued on every listener", test_drain },
                { "draining ends under a flood", test_drain_ends },
                { "an idle loop has nothing to do", test_idle },
        };
        Suite *s = suite_create("ingress");

        for (size_t i = 0; i < ELEMENTSOF(queues); i++)
                add(s, queues[i].title, test_batches, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(lengths); i++)
                add(s, lengths[i].title, test_length, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(attached); i++)
                add(s, attached[i].title, test_descriptors, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(cuts); i++)
                add(s, cuts[i].title, test_control_truncated, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                add(s, rows[i].title, rows[i].test, 0);
        return suite_run(s);
}
