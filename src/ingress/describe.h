/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a received message to a datagram: who sent it, and what it is before anybody looks inside. */

#include "ingress/ingress.h"
#include "ingress/listener-udp.h"
#include "varta-build.h"
#if HAVE_SECURE_UDP
#include "ingress/secure.h"
#endif

/* What describing needs beside the message; borrowed for the call. */
typedef struct DescribeContext {
        Listener *listener;
        const ListenerRules *rules;
        Secure *secure;           /* secure listeners only, as is: */
        SecureKeys *keys;         /* NULL: no key, nothing opens */
        const uint64_t *hash_key; /* two words */
        uint64_t *addresses;      /* hashes, of a batch */
        nsec_t now;
        uint64_t attempts; /* of keys, added up */
        uint32_t drops;    /* the kernel's latest count, where it told one */
} DescribeContext;

/* A message of a UNIX socket. Attached descriptors are closed. */
void describe_unix_message(const DescribeContext *c, struct mmsghdr *m, Datagram *ret);

/* Before the messages of a UDP socket are described, up to INGRESS_BATCH of them: notes their senders' addresses in
 * c->addresses, and on a secure listener has memory fetch what is remembered of them. m->msg_hdr.msg_name is a PeerAddress. */
void describe_udp_prepare(const DescribeContext *c, const struct mmsghdr *messages, size_t n);

/* Message k of those. A secure one is opened into `frame`, which the datagram then points to. */
void describe_udp_message(DescribeContext *c, struct mmsghdr *messages, size_t k, uint8_t *frame,
                          Datagram *ret);
