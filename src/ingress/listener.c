/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Sockets. Activated ones come as systemd made them; the options that a beat's judgement depends on are set again
 * here, so that a socket unit cannot take the kernel's word away from us by mistake.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ingress/identity.h"
#include "ingress/listener-udp.h"
#include "ingress/listener.h"
#include "util/fd.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16, asm-generic */
#endif

/* Whoever may send beats is in the socket's group; nobody else needs to see it. */
#define LISTENER_UMASK 0117

const char *transport_to_string(Transport t) {
        static const char *const names[_TRANSPORT_MAX] = {
                [TRANSPORT_UNIX] = "unix",
                [TRANSPORT_UDP] = "udp",
                [TRANSPORT_SECURE_UDP] = "udp-secure",
        };

        return (int) t >= 0 && t < _TRANSPORT_MAX ? names[t] : NULL;
}

static int set_option(int fd, int option, int value) {
        if (setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) < 0)
                return negative_errno();
        return 0;
}

static int configure_unix(Listener *l, unsigned features) {
        socklen_t n = sizeof(int);
        int r, flags, size = 0;

        flags = fcntl(l->fd, F_GETFL);
        if (flags < 0 || fcntl(l->fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return negative_errno();

        r = set_option(l->fd, SO_PASSCRED, 1);
        if (r < 0)
                return r;
        if (features & FEATURE_PASSRIGHTS)
                (void) set_option(l->fd, SO_PASSRIGHTS,
                                  0); /* kernels without it: they are closed on arrival */

        if (getsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &size, &n) >= 0 && size > 0)
                l->receive_buffer = (uint32_t) size;
        return 0;
}

static void describe_unix(Listener *l) {
        struct sockaddr_un sa = {};
        socklen_t n = sizeof(sa);
        size_t path;

        if (getsockname(l->fd, (struct sockaddr *) &sa, &n) < 0 ||
            n <= offsetof(struct sockaddr_un, sun_path))
                return;
        /* A path may use every byte there is; the kernel then counts a NUL that has no room. */
        path = MIN(n - offsetof(struct sockaddr_un, sun_path), sizeof(sa.sun_path));
        if (sa.sun_path[0] == 0)
                (void) snprintf(l->address, sizeof(l->address), "@%.*s", (int) (path - 1), sa.sun_path + 1);
        else
                (void) snprintf(l->address, sizeof(l->address), "%.*s", (int) path, sa.sun_path);
}

/* What a descriptor is: by its family, and for UDP by its name. Negative for what cannot carry beats. */
static Transport transport_of(int fd, const char *name) {
        socklen_t n = sizeof(int);
        int domain = 0, type = 0;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_DGRAM)
                return _TRANSPORT_INVALID;
        if (domain == AF_UNIX)
                return TRANSPORT_UNIX;
        if (domain != AF_INET && domain != AF_INET6)
                return _TRANSPORT_INVALID;
        return strcmp(name, LISTENER_NAME_PLAINTEXT) == 0 ? TRANSPORT_UDP : TRANSPORT_SECURE_UDP;
}

int listener_adopt(int fd, const char *name, unsigned features, Listener *ret) {
        Listener l = { .fd = fd };
        int r;

        assert(name && ret);

        l.transport = transport_of(fd, name);
        if (l.transport < 0)
                return -EPROTOTYPE;
        r = l.transport == TRANSPORT_UNIX ? configure_unix(&l, features) : listener_configure_udp(&l);
        if (r < 0)
                return r;
        (void) snprintf(l.name, sizeof(l.name), "%s", name);
        if (l.transport == TRANSPORT_UNIX)
                describe_unix(&l);
        else
                listener_describe_udp(&l);
        *ret = l;
        return 0;
}

static int parse_unix(const char *address, struct sockaddr_un *ret, socklen_t *ret_size) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        const char *path;
        size_t n;

        if (strncmp(address, "unix:", STRLEN("unix:")) != 0)
                return -EINVAL;
        path = address + STRLEN("unix:");
        n = strlen(path);
        if ((path[0] != '/' && path[0] != '@') || n < 2)
                return -EINVAL;
        if (n >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        memcpy(sa.sun_path, path, n);
        *ret_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n);
        if (path[0] == '@')
                sa.sun_path[0] = 0;
        else
                (*ret_size)++;
        *ret = sa;
        return 0;
}

/* Takes a leftover away: a socket file, and nobody behind it. Returns 0 when the path is free now; -EADDRINUSE when
 * somebody is there, -EEXIST when it is no socket, or what the kernel said. */
static int remove_stale(const struct sockaddr_un *sa, socklen_t size) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (sa->sun_path[0] == 0)
                return -EADDRINUSE;
        if (lstat(sa->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : negative_errno();
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        if (connect(fd, (const struct sockaddr *) sa, size) >= 0 || errno != ECONNREFUSED)
                return -EADDRINUSE;
        return unlink(sa->sun_path) < 0 && errno != ENOENT ? negative_errno() : 0;
}

static int bind_once(int fd, const struct sockaddr_un *sa, socklen_t size) {
        mode_t mask;
        int r;

        mask = umask(LISTENER_UMASK);
        r = bind(fd, (const struct sockaddr *) sa, size) < 0 ? negative_errno() : 0;
        (void) umask(mask);
        return r;
}

static int bind_unix(int fd, const struct sockaddr_un *sa, socklen_t size) {
        int r;

        r = bind_once(fd, sa, size);
        if (r != -EADDRINUSE)
                return r;
        r = remove_stale(sa, size);
        if (r < 0)
                return r;
        return bind_once(fd, sa, size);
}

static int listener_bind_unix(const char *address, unsigned features, Listener *ret) {
        Listener l = { .transport = TRANSPORT_UNIX, .name = "unix" };
        _cleanup_close_ int fd = -1;
        struct sockaddr_un sa;
        struct stat st;
        socklen_t size;
        int r;

        r = parse_unix(address, &sa, &size);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        l.fd = fd;
        r = configure_unix(&l, features); /* before the first datagram can arrive */
        if (r < 0)
                return r;
        r = bind_unix(fd, &sa, size);
        if (r < 0)
                return r;

        if (sa.sun_path[0] != 0 && lstat(sa.sun_path, &st) >= 0) {
                l.unlink = true;
                l.device = st.st_dev;
                l.inode = st.st_ino;
        }
        describe_unix(&l);
        l.fd = TAKE_FD(fd);
        *ret = l;
        return 0;
}

static int listener_bind_udp(const char *address, Listener *ret) {
        _cleanup_close_ int fd = -1;
        Listener l = {};
        PeerAddress a;
        socklen_t size;
        int r, on = 1;

        r = listener_parse_udp(address, &l.transport, &a, &size);
        if (r < 0)
                return r;
        fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        /* An IPv6 listener must not take the IPv4 port as well: that one is a listener of its own. */
        if (a.sa.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
                return negative_errno();
        l.fd = fd;
        r = listener_configure_udp(&l);
        if (r < 0)
                return r;
        if (bind(fd, &a.sa, size) < 0)
                return negative_errno();

        (void) snprintf(l.name, sizeof(l.name), "%s",
                        l.transport == TRANSPORT_UDP ? LISTENER_NAME_PLAINTEXT : LISTENER_NAME_SECURE);
        listener_describe_udp(&l);
        l.fd = TAKE_FD(fd);
        *ret = l;
        return 0;
}

int listener_bind(const char *address, unsigned features, Listener *ret) {
        assert(address && ret);

        if (strncmp(address, "udp", STRLEN("udp")) == 0)
                return listener_bind_udp(address, ret);
        return listener_bind_unix(address, features, ret);
}

void listener_done(Listener *l) {
        struct stat st;

        if (l->unlink && lstat(l->address, &st) >= 0 && st.st_dev == l->device && st.st_ino == l->inode)
                (void) unlink(l->address);
        l->fd = safe_close(l->fd);
}
