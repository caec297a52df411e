/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the kernel says of a message, in the observer's words.
 *
 * Cut control data comes first: with it gone, so may be the credentials, and with them any right to judge the rest.
 */

#include "ingress/describe.h"
#include "ingress/control.h"
#include "util/fd.h"

static void close_fd(int fd) {
        (void) safe_close(fd);
}

void describe_unix_message(const DescribeContext *c, struct mmsghdr *m, Datagram *ret) {
        Control control;

        control_parse(&m->msg_hdr, close_fd, &control);
        *ret = (Datagram){
                .frame = m->msg_hdr.msg_iov->iov_base,
                .source = SOURCE_LOCAL,
                .uid = UID_NONE,
                .listener = c->listener->index,
                .origin = ORIGIN_SOCKET_MODE_ONLY,
                .verdict = RECEIVE_OK,
        };
        if (control.has_credentials) {
                ret->uid = control.uid;
                ret->pid = control.pid;
                if (control.pid > 0)
                        ret->origin = ORIGIN_KERNEL_ATTESTED;
        }

        if (m->msg_hdr.msg_flags & MSG_CTRUNC)
                ret->verdict = RECEIVE_CONTROL_TRUNCATED;
        else if (m->msg_len != VLP_FRAME_SIZE || (m->msg_hdr.msg_flags & MSG_TRUNC))
                ret->verdict = RECEIVE_MIS_SIZED;
        else if (!control.has_credentials)
                ret->verdict = RECEIVE_NO_CREDENTIALS;
}

/* Where agents of this listener live: on this host, with a key, at an address. */
static uint64_t source_of(const DescribeContext *c, uint64_t address, uint64_t scope) {
        switch (c->rules->source) {
        case SOURCE_RULE_LOCAL:
                return SOURCE_LOCAL;
        case SOURCE_RULE_ADDRESS:
                return address;
        case SOURCE_RULE_KEY:
                return scope != 0 ? scope : address;
        default:
                if (c->listener->loopback)
                        return SOURCE_LOCAL;
                return scope != 0 ? scope : address;
        }
}

static void open_secure(DescribeContext *c, const struct mmsghdr *m, uint64_t address, uint8_t *frame,
                        Datagram *d) {
#if HAVE_SECURE_UDP
        SecureResult result;

        if (!c->keys) {
                d->verdict = RECEIVE_DECRYPT_FAILED;
                return;
        }
        result = secure_receive(c->secure, c->keys, m->msg_hdr.msg_iov->iov_base, m->msg_len, address,
                                c->rules->threshold, c->now, frame);
        c->attempts += result.attempts;
        d->verdict = (uint8_t) result.verdict;
        d->frame = frame;
        d->source = source_of(c, address, result.scope);
#else
        d->verdict = RECEIVE_DECRYPT_FAILED;
#endif
}

static void prefetch(const DescribeContext *c, const struct mmsghdr *messages, size_t n) {
#if HAVE_SECURE_UDP
        for (SecurePrefetch step = 0; step < _SECURE_PREFETCH_MAX; step++)
                for (size_t k = 0; k < n; k++)
                        secure_prefetch(c->secure, step, messages[k].msg_hdr.msg_iov->iov_base,
                                        messages[k].msg_len, c->addresses[k]);
#endif
}

void describe_udp_prepare(const DescribeContext *c, const struct mmsghdr *messages, size_t n) {
        for (size_t k = 0; k < n; k++)
                c->addresses[k] = peer_address_hash(messages[k].msg_hdr.msg_name, c->hash_key);
        if (c->keys)
                prefetch(c, messages, n);
}

void describe_udp_message(DescribeContext *c, struct mmsghdr *messages, size_t k, uint8_t *frame,
                          Datagram *ret) {
        bool secure = c->listener->transport == TRANSPORT_SECURE_UDP;
        struct mmsghdr *m = &messages[k];
        uint64_t address = c->addresses[k];
        Control control;

        control_parse(&m->msg_hdr, close_fd, &control);
        if (control.has_drops)
                c->drops = control.drops;
        *ret = (Datagram){
                .frame = m->msg_hdr.msg_iov->iov_base,
                .source = source_of(c, address, 0),
                .uid = UID_NONE,
                .unit = c->rules->unit,
                .listener = c->listener->index,
                .origin = c->rules->operator_attested ? ORIGIN_OPERATOR_ATTESTED : ORIGIN_NETWORK_UNVERIFIED,
                .verdict = RECEIVE_OK,
        };

        if (m->msg_hdr.msg_flags & MSG_CTRUNC)
                ret->verdict = RECEIVE_CONTROL_TRUNCATED;
        else if (secure && !(m->msg_hdr.msg_flags & MSG_TRUNC))
                open_secure(c, m, address, frame, ret);
        else if (m->msg_len != VLP_FRAME_SIZE || (m->msg_hdr.msg_flags & MSG_TRUNC))
                ret->verdict = RECEIVE_MIS_SIZED;
}
