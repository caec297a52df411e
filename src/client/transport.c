/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Datagrams to an observer that comes and goes.
 *
 * Sockets are connected rather than addressed each time, because only then does poll() say when the
 * observer's queue has room, because the way is then looked up once and not with every beat, and because
 * over UDP nobody else is told when a host refuses a datagram. The price is that a connection goes stale,
 * in a way of its own for each transport. Connecting a datagram socket never waits.
 *
 * AF_UNIX: when the observer's socket was closed the kernel answers ECONNREFUSED, then ENOTCONN, and the
 * beat connects to whatever is at the address by now and tries once more. A full queue gets the same
 * treatment, since it may belong to a socket that somebody still holds but nobody reads, while its
 * successor is already there.
 *
 * UDP: the kernel chose our own address when we connected and keeps to it. When the host moves to another
 * network, IPv4 answers ENETUNREACH from then on, whatever else is reachable, and a new connect() keeps the
 * old choice: it has to be taken back first, with AF_UNSPEC. IPv6 goes on sending from the address that is
 * no longer ours, without any error, and the first router that checks senders discards it. Hence
 * varta_transport_renew(), once in a while (see varta.c) and whenever the network is said to be unreachable.
 *
 * That nobody listens is learnt over UDP only after the fact, and from some hosts: an ICMP message makes the
 * *next* send() fail with ECONNREFUSED, and with nothing sent. That datagram is then sent after all, as the
 * observer may be back by now, and the failure is told nevertheless: without it a program could beat into
 * the void for ever and be told that all is well.
 */

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "client/transport.h"
#include "client/varta.h"

static int address_connect(const VartaAddress *address, int fd) {
        return connect(fd, &address->sockaddr.any, address->size) < 0 ? -errno : 0;
}

/* Never waits, never raises SIGPIPE. */
static int datagram_send(int fd, const uint8_t *data, size_t size) {
        return send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int varta_transport_outcome(int error) {
        switch (error) {
        case EAGAIN:
                return VARTA_DROPPED_QUEUE_FULL;
        case ENOENT:       /* no socket at the path */
        case ECONNREFUSED: /* nobody has it open, or what is there is no socket; a host refused a datagram */
        case ECONNRESET:
        case ENOTCONN: /* nobody was there when we last tried */
        case EPIPE:    /* it is open, but shut down */
                return VARTA_DROPPED_NO_OBSERVER;
        case EACCES:
        case EPERM: /* it talks to somebody else only; or a security module, or a packet filter */
                return VARTA_DROPPED_NOT_PERMITTED;
        case ENOMEM:
        case ENOBUFS:
        case EMFILE:
        case ENFILE:
                return VARTA_DROPPED_NO_RESOURCES;
        case ENETUNREACH:
        case ENETDOWN:
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case EADDRNOTAVAIL: /* no address of ours could be the sender's */
        case EDESTADDRREQ:  /* there was no way when we last tried */
                return VARTA_DROPPED_NO_ROUTE;
        default:
                return -error;
        }
}

int varta_transport_open(const VartaAddress *address) {
        int fd;

        assert(address);

        fd = socket(address->sockaddr.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;

        (void) address_connect(address, fd);
        return fd;
}

int varta_transport_renew(const VartaAddress *address, int fd) {
        const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

        assert(address);

        if (connect(fd, &nobody, sizeof(nobody)) < 0)
                return -errno;

        return address_connect(address, fd);
}

static int send_unix(const VartaAddress *address, int fd, const uint8_t *data, size_t size, bool seek) {
        int outcome, r;

        r = datagram_send(fd, data, size);
        if (r == 0)
                return VARTA_SENT;

        outcome = varta_transport_outcome(-r);
        if (outcome != VARTA_DROPPED_NO_OBSERVER && !(outcome == VARTA_DROPPED_QUEUE_FULL && seek))
                return outcome;

        r = address_connect(address, fd);
        if (r < 0)
                /* A full queue is still connected, and still the observer's as far as one can see. */
                return outcome == VARTA_DROPPED_QUEUE_FULL ? outcome : varta_transport_outcome(-r);

        r = datagram_send(fd, data, size);
        return r == 0 ? VARTA_SENT : varta_transport_outcome(-r);
}

static int send_udp(const VartaAddress *address, int fd, const uint8_t *data, size_t size, bool *used) {
        int outcome, r;

        r = datagram_send(fd, data, size);
        if (r == 0) {
                *used = true;
                return VARTA_SENT;
        }

        outcome = varta_transport_outcome(-r);
        if (outcome == VARTA_DROPPED_NO_OBSERVER) {
                /* Told of an earlier datagram; this one has not been sent yet. */
                *used = datagram_send(fd, data, size) == 0;
                return outcome;
        }
        if (outcome != VARTA_DROPPED_NO_ROUTE && r != -EINVAL) /* EINVAL: our address is gone */
                return outcome;

        r = varta_transport_renew(address, fd);
        if (r == 0)
                r = datagram_send(fd, data, size);
        if (r < 0)
                return varta_transport_outcome(-r);

        *used = true;
        return VARTA_SENT;
}

int varta_transport_send(const VartaAddress *address, int fd, const uint8_t *data, size_t size, bool seek,
                         bool *ret_used) {
        bool used = false;
        int r;

        assert(address && data && ret_used);

        if (varta_address_is_udp(address))
                r = send_udp(address, fd, data, size, &used);
        else {
                r = send_unix(address, fd, data, size, seek);
                used = r == VARTA_SENT;
        }

        *ret_used = used;
        return r;
}
