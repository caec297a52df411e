/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets that we bind, and sockets that others made for us. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ingress/identity.h"
#include "ingress/listener.h"
#include "rows.h"
#include "support.h"
#include "util/fd.h"

static Scratch scratch;

static void setup(void) {
        scratch_init(&scratch);
}

static void teardown(void) {
        scratch_done(&scratch);
}

static int option(int fd, int name) {
        socklen_t n = sizeof(int);
        int value;

        ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, name, &value, &n), 0);
        return value;
}

/* What every listener must be, whoever made it. */
static void check_options(const Listener *l) {
        ck_assert_int_ge(l->fd, 0);
        ck_assert_int_eq(option(l->fd, SO_PASSCRED), 1);
        ck_assert(fcntl(l->fd, F_GETFL) & O_NONBLOCK);
        ck_assert_uint_eq(l->receive_buffer, (uint32_t) option(l->fd, SO_RCVBUF));
        ck_assert_int_eq(l->transport, TRANSPORT_UNIX);
        ck_assert_uint_eq(l->datagrams, 0);
}

/* Something is received there. */
static void check_receives(const Listener *l, const char *path) {
        _cleanup_close_ int fd = connect_to(path);
        char byte;

        ck_assert_int_eq(send_bytes(fd, "x", 1, 0), 0);
        ck_assert_int_eq(recv(l->fd, &byte, 1, MSG_DONTWAIT), 1);
        ck_assert_int_eq(byte, 'x');
}

static bool is_there(const char *path) {
        struct stat st;

        return lstat(path, &st) >= 0;
}

/* A socket as somebody else would make it. */
static int foreign_socket(int type, const char *path) {
        union {
                struct sockaddr_un sa;
                char bytes[sizeof(struct sockaddr_un) +
                           1]; /* valgrind looks for the NUL of the longest path */
        } address = { .sa.sun_family = AF_UNIX };
        size_t n = strlen(path);
        int fd;

        ck_assert_uint_le(n, sizeof(address.sa.sun_path));
        memcpy(address.bytes + offsetof(struct sockaddr_un, sun_path), path, n);
        fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, (const struct sockaddr *) &address,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)),
                         0);
        if (type == SOCK_STREAM)
                ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

/* A path of so many characters in the scratch directory. */
static const char *path_of_length(size_t n) {
        char name[256];
        size_t taken = strlen(scratch.path) + 1;

        ck_assert_uint_lt(n - taken, sizeof(name));
        memset(name, 'n', n - taken);
        name[n - taken] = 0;
        return scratch_path(&scratch, name);
}

static const char *unix_address(const char *path) {
        static char buf[300];

        (void) snprintf(buf, sizeof(buf), "unix:%s", path);
        return buf;
}

/* ---- bind ------------------------------------------------------------------------------------------------- */

START_TEST(test_bind) {
        const char *path = scratch_path(&scratch, "v.sock");
        mode_t mask = umask(0);
        Listener l;

        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &l), 0);
        ck_assert_uint_eq(umask(mask), 0); /* it is put back */
        check_options(&l);
        ck_assert(fcntl(l.fd, F_GETFD) & FD_CLOEXEC);
        ck_assert_str_eq(l.name, "unix");
        ck_assert_str_eq(transport_to_string(l.transport), "unix");
        ck_assert_str_eq(l.address, path);
        check_receives(&l, path);
        listener_done(&l);
        ck_assert_int_eq(l.fd, -1);
}
END_TEST

START_TEST(test_mode) {
        static const mode_t masks[] = { 0, 0022, 0077, 0777 };
        Listener l;
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(masks); i++) {
                mode_t old = umask(masks[i]);

                ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &l), 0);
                ck_assert_uint_eq(umask(old), masks[i]);
                ck_assert_int_eq(stat(scratch_path(&scratch, "v.sock"), &st), 0);
                ck_assert_uint_eq(st.st_mode, S_IFSOCK | 0660);
                listener_done(&l);
        }
}
END_TEST

START_TEST(test_unlink) {
        const char *path = scratch_path(&scratch, "v.sock");
        Listener l;

        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &l), 0);
        ck_assert(is_there(path));
        listener_done(&l);
        ck_assert(!is_there(path));
}
END_TEST

START_TEST(test_unlink_replaced) {
        const char *path = scratch_path(&scratch, "v.sock");
        Listener first, second;

        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &first), 0);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &second), 0);
        listener_done(&first);
        check_receives(&second, path);
        listener_done(&second);
        ck_assert(!is_there(path));
}
END_TEST

START_TEST(test_abstract) {
        char address[64];
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        Listener l, other;
        int n;

        n = snprintf(address, sizeof(address), "unix:@varta-test-%d", (int) getpid());
        ck_assert_int_eq(listener_bind(address, _FEATURE_ALL, &l), 0);
        check_options(&l);
        ck_assert_str_eq(l.address, address + STRLEN("unix:"));
        ck_assert(!l.unlink);

        ck_assert_int_eq(listener_bind(address, _FEATURE_ALL, &other), -EADDRINUSE);

        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        memcpy(sa.sun_path + 1, address + STRLEN("unix:@"), (size_t) n - STRLEN("unix:@"));
        ck_assert_int_eq(connect(fd, (const struct sockaddr *) &sa,
                                 (socklen_t) (offsetof(struct sockaddr_un, sun_path) + (size_t) n -
                                              STRLEN("unix:"))),
                         0);
        ck_assert_int_eq(send_bytes(fd, "x", 1, 0), 0);
        listener_done(&l);

        ck_assert_int_eq(listener_bind(address, _FEATURE_ALL, &l), 0);
        listener_done(&l);
}
END_TEST

START_TEST(test_stale) {
        static const int types[] = { SOCK_DGRAM, SOCK_STREAM, SOCK_SEQPACKET };
        const char *path = scratch_path(&scratch, "v.sock");
        Listener l;

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                ck_assert_int_eq(close(foreign_socket(types[i], path)), 0);
                ck_assert(is_there(path));
                ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &l), 0);
                check_receives(&l, path);
                listener_done(&l);
        }
}
END_TEST

START_TEST(test_live) {
        const char *path = scratch_path(&scratch, "v.sock");
        size_t before = count_fds();
        Listener first, second = { .fd = -7 };

        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &first), 0);
        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &second),
                         -EADDRINUSE);
        ck_assert_int_eq(second.fd, -7);
        check_receives(&first, path);
        listener_done(&first);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

START_TEST(test_live_stream) {
        const char *path = scratch_path(&scratch, "v.sock");
        _cleanup_close_ _unused_ int fd = foreign_socket(SOCK_STREAM, path);
        Listener l;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), _FEATURE_ALL, &l), -EADDRINUSE);
        ck_assert(is_there(path));
}
END_TEST

START_TEST(test_taken) {
        const char *path = scratch_path(&scratch, "v.sock"), *address = scratch_address(&scratch, "v.sock");
        const char *target = scratch_path(&scratch, "target");
        Listener l;
        int fd;

        fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
        ck_assert_int_eq(listener_bind(address, _FEATURE_ALL, &l), -EEXIST);
        ck_assert_int_eq(unlink(path), 0); /* it was still there */

        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_int_eq(listener_bind(address, _FEATURE_ALL, &l), -EEXIST);
        ck_assert_int_eq(rmdir(path), 0);

        ck_assert_int_eq(symlink("nowhere", path), 0);
        ck_assert_int_eq(listener_bind(address, _FEATURE_ALL, &l), -EEXIST);
        ck_assert_int_eq(unlink(path), 0);

        /* A link to a leftover: whose leftover it is cannot be known. */
        ck_assert_int_eq(close(foreign_socket(SOCK_DGRAM, target)), 0);
        ck_assert_int_eq(symlink("target", path), 0);
        ck_assert_int_eq(listener_bind(address, _FEATURE_ALL, &l), -EEXIST);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert(is_there(target));
}
END_TEST

START_TEST(test_length) {
        Listener l;

        ck_assert_int_eq(listener_bind(unix_address(path_of_length(107)), _FEATURE_ALL, &l), 0);
        ck_assert_str_eq(l.address, path_of_length(107));
        check_receives(&l, l.address);
        listener_done(&l);
        ck_assert(!is_there(path_of_length(107)));

        ck_assert_int_eq(listener_bind(unix_address(path_of_length(108)), _FEATURE_ALL, &l), -ENAMETOOLONG);
        ck_assert_int_eq(listener_bind(unix_address(path_of_length(200)), _FEATURE_ALL, &l), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_no_directory) {
        Listener l;

        ck_assert_int_eq(listener_bind(scratch_address(&scratch, "missing/v.sock"), _FEATURE_ALL, &l),
                         -ENOENT);
}
END_TEST

static const char *const bad_addresses[] = {
        "",         "/tmp/v.sock",        "unix",           "unix:",        "unix:/",  "unix:@",
        "unix:v.s", "unix:./v.sock",      "UNIX:/v.sock",   "unix://",      "udp:1:2", "unix =/v.sock",
        ":/v.sock", "unixgram:/tmp/v.so", " unix:/tmp/v.s", "vsock:2:1234",
};

START_TEST(test_bad_address) {
        size_t before = count_fds();
        Listener l = { .fd = -7 };
        int r;

        r = listener_bind(bad_addresses[_i], _FEATURE_ALL, &l);
        if (strcmp(bad_addresses[_i], "unix://") ==
            0) /* an absolute path, though one that cannot be bound */
                ck_assert_int_lt(r, 0);
        else
                ck_assert_int_eq(r, -EINVAL);
        ck_assert_int_eq(l.fd, -7);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* ---- adopt ------------------------------------------------------------------------------------------------ */

START_TEST(test_adopt) {
        const char *path = scratch_path(&scratch, "v.sock");
        int fd = foreign_socket(SOCK_DGRAM, path), off = 0;
        Listener l;

        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off)), 0);
        ck_assert_int_eq(listener_adopt(fd, "varta.socket", _FEATURE_ALL, &l), 0);
        check_options(&l);
        ck_assert_int_eq(l.fd, fd);
        ck_assert_str_eq(l.name, "varta.socket");
        ck_assert_str_eq(l.address, path);
        check_receives(&l, path);

        listener_done(&l);
        ck_assert(is_there(path)); /* it is systemd's */
}
END_TEST

START_TEST(test_adopt_unnamed) {
        Listener l;
        int pair[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(listener_adopt(pair[0], "", _FEATURE_ALL, &l), 0);
        check_options(&l);
        ck_assert_str_eq(l.address, "");
        ck_assert_str_eq(l.name, "");
        listener_done(&l);
        ck_assert_int_eq(close(pair[1]), 0);
}
END_TEST

START_TEST(test_adopt_longest) {
        char path[sizeof(((struct sockaddr_un *) NULL)->sun_path) + 1], name[LISTENER_NAME_SIZE];
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        Listener l;
        int fd;

        /* systemd uses all 108 bytes of sun_path, with no room for a NUL. */
        (void) snprintf(path, sizeof(path), "%s", path_of_length(sizeof(sa.sun_path)));
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        fd = foreign_socket(SOCK_DGRAM, path);
        ck_assert_int_eq(listener_adopt(fd, name, _FEATURE_ALL, &l), 0);
        ck_assert_str_eq(l.address, path);
        ck_assert_str_eq(l.name, name);
        listener_done(&l);

        /* And all of an abstract name. */
        memset(sa.sun_path + 1, 'a', sizeof(sa.sun_path) - 1);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(fd, (const struct sockaddr *) &sa, sizeof(sa)), 0);
        ck_assert_int_eq(listener_adopt(fd, "x", _FEATURE_ALL, &l), 0);
        ck_assert_uint_eq(strlen(l.address), sizeof(sa.sun_path));
        ck_assert_int_eq(l.address[0], '@');
        listener_done(&l);
}
END_TEST

typedef struct Refused {
        const char *title;
        int domain, type; /* domain AF_UNSPEC: a regular file, or what `type` says below */
} Refused;

enum {
        REGULAR_FILE,
        PIPE,
        CLOSED
};

static const Refused refused[] = {
        { "a stream socket is refused", AF_UNIX, SOCK_STREAM },
        { "a sequential packet socket is refused", AF_UNIX, SOCK_SEQPACKET },
        { "a TCP socket is refused", AF_INET, SOCK_STREAM },
        { "a regular file is refused", AF_UNSPEC, REGULAR_FILE },
        { "a pipe is refused", AF_UNSPEC, PIPE },
        { "a descriptor that is not open is refused", AF_UNSPEC, CLOSED },
};

static int open_refused(const Refused *c) {
        int fds[2];

        if (c->domain != AF_UNSPEC)
                return socket(c->domain, c->type | SOCK_CLOEXEC, 0);
        if (c->type == REGULAR_FILE)
                return open(scratch_path(&scratch, "file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq(close(fds[1]), 0);
        if (c->type == CLOSED)
                ck_assert_int_eq(close(fds[0]), 0);
        return fds[0];
}

START_TEST(test_adopt_refused) {
        const Refused *c = &refused[_i];
        Listener l = { .fd = -7 };
        int fd = open_refused(c);

        if (fd < 0 && errno == EAFNOSUPPORT) {
                printf("SKIP \"%s\": this kernel has no such sockets\n", c->title);
                return;
        }
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(listener_adopt(fd, "x", _FEATURE_ALL, &l), -EPROTOTYPE);
        ck_assert_int_eq(l.fd, -7);
        if (c->domain == AF_UNSPEC && c->type == CLOSED)
                return;
        ck_assert_int_ge(fcntl(fd, F_GETFD), 0); /* still the caller's */
        ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(test_passrights) {
        Listener l;
        int r;

        if (!kernel_has_passrights()) {
                printf("SKIP \"SO_PASSRIGHTS\": this kernel does not have it\n");
                return;
        }
        for (unsigned on = 0; on < 2; on++) {
                unsigned features = on ? _FEATURE_ALL : _FEATURE_ALL & ~(unsigned) FEATURE_PASSRIGHTS;

                ck_assert_int_eq(listener_bind(scratch_address(&scratch, "v.sock"), features, &l), 0);
                _cleanup_close_ int fd = connect_to(scratch_path(&scratch, "v.sock"));
                r = send_bytes(fd, "x", 1, 1);
                ck_assert_int_eq(r, on ? -EPERM : 0);
                ck_assert_int_eq(send_bytes(fd, "x", 1, 0), 0);
                listener_done(&l);
        }
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
                { "a path is bound, and kernel credentials are asked for", test_bind },
                { "a path has mode 0660, whatever the umask, and the umask stays", test_mode },
                { "a path is taken away in the end", test_unlink },
                { "a path that somebody else put there since stays", test_unlink_replaced },
                { "an abstract name is bound once, and leaves nothing", test_abstract },
                { "a socket file that nobody listens to is replaced", test_stale },
                { "a path where somebody receives is refused, and they go on", test_live },
                { "a path where somebody accepts streams is refused", test_live_stream },
                { "a path with something else than a socket is refused, and it stays", test_taken },
                { "107 characters are taken, 108 are too long", test_length },
                { "a path without a directory is refused", test_no_directory },
                { "an activated socket is taken over, with the options that judgement needs", test_adopt },
                { "an activated socket without an address has none", test_adopt_unnamed },
                { "an activated socket may use every byte of its address", test_adopt_longest },
                { "descriptors are refused to the sender where the kernel can", test_passrights },
        };
        Suite *s = suite_create("ingress-listener");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                add(s, rows[i].title, rows[i].test, 0);
        for (size_t i = 0; i < ELEMENTSOF(bad_addresses); i++)
                add(s, "an address of another form is refused", test_bad_address, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                add(s, refused[i].title, test_adopt_refused, (int) i);
        return suite_run(s);
}
