/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One receiving socket: taken over from systemd, or bound by ourselves. */

#include <sys/types.h>

#include "core/types.h"

typedef enum Transport {
        TRANSPORT_UNIX,
        TRANSPORT_UDP,        /* plain: anybody who reaches the port can forge */
        TRANSPORT_SECURE_UDP, /* the envelope of vlp/secure.h */
        _TRANSPORT_MAX,
        _TRANSPORT_INVALID = -EINVAL,
} Transport;

const char *transport_to_string(Transport t) _const_; /* "unix", "udp", "udp-secure" */

#define LISTENER_NAME_SIZE    256 /* as FileDescriptorName= allows: 255 characters */
#define LISTENER_ADDRESS_SIZE 128 /* sun_path and the "@" of an abstract one */

typedef struct Listener {
        char name[LISTENER_NAME_SIZE];       /* FileDescriptorName=, or the transport for --listen= */
        char address[LISTENER_ADDRESS_SIZE]; /* "/run/varta/varta.sock" */
        Transport transport;
        uint32_t receive_buffer; /* bytes, as the kernel counts them (SO_RCVBUF) */
        uint64_t datagrams;      /* taken off the socket so far */
        uint32_t drops;          /* by the kernel, in its own 32-bit count */
        bool loopback;           /* UDP: only this host can reach it */
        int fd;                  /* owned */
        bool unlink;             /* we made the path: take it away in the end */
        dev_t device;            /* of the path that we made: what somebody put in its place stays */
        ino_t inode;
        uint8_t index; /* the observer's number for it */
} Listener;

/* The FileDescriptorName= that makes an activated UDP socket a plain one. Every other name is secure: a typing error must
 * not open a port to forgers. */
#define LISTENER_NAME_PLAINTEXT "udp-plaintext"
/* How a secure one is called that we bind ourselves, and that varta-udp.socket makes. */
#define LISTENER_NAME_SECURE "udp"

/* Takes over an activated descriptor. Returns 0, -EPROTOTYPE when it is no datagram socket that Varta can read, or
 * what the kernel said. fd is owned by *ret on success only. */
int listener_adopt(int fd, const char *name, unsigned features, Listener *ret);

/* Binds "unix:PATH" or "unix:@ABSTRACT", mode 0660, "udp:ADDRESS:PORT" or "udp-secure:ADDRESS:PORT". A socket
 * file that nobody listens to any more is replaced.
 * Returns 0; -EINVAL for an address of another form; -ENAMETOOLONG; -EADDRINUSE when somebody listens there; -EEXIST when
 * something is there that is no socket; or what the kernel said. */
int listener_bind(const char *address, unsigned features, Listener *ret);

/* Closes, and removes the path that listener_bind() made, if it is still the same. */
void listener_done(Listener *l);
