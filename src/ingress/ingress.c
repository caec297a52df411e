/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Batches off sockets.
 *
 * Each listener is one source on the event loop, all at the same priority, and each turn takes one batch: sd-event
 * serves equals in the order in which they became ready, so a flooded listener delays another by one batch at most.
 *
 * Beats are read before exits and stalls are judged, so ingress stands above them. But sd-event serves only the
 * highest priority that is pending, and a flood is always pending: after four turns in a row ingress steps below
 * everything else until the others had four turns, or nothing else wanted one. Whether the batches were full does not
 * matter: a queue of ten that is filled again at once, or one datagram at a time without end, would shut out the others
 * as well as a long queue does. It costs no system call, and beats lose nothing by it: whoever judges silence or an exit
 * drains the queues first.
 *
 * One clock reading per batch. Buffers are taken at start; a datagram costs no allocation and, at full batches, a
 * sixty-fourth of a system call.
 */

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "ingress/control.h"
#include "ingress/describe.h"
#include "util/fd.h"

/* The same socket limit as the observer's; a byte of index. */
#define LISTENERS_MAX 64U

/* Longer than any frame, plain or secure (64 bytes), so that one too long is seen as such; two cache lines. */
#define BUFFER_SIZE 128U

/* How many datagrams a queue can hold is fixed when the socket is made and cannot be asked of it. systemd raises
 * net.unix.max_dgram_qlen to 512; a drain reads that much, and one batch more for what an administrator added. */
#define DRAIN_BATCHES (512U / INGRESS_BATCH + 1U)

typedef struct Source {
        Ingress *ingress;
        Listener listener;
        sd_event_source *source;
        ListenerRules rules;
        SecureKeys *keys; /* owned */
} Source;

struct Ingress {
        sd_event *event;
        IngressHooks hooks;
        void *userdata;
        IngressPriorities priorities;

        uint64_t last_iteration; /* of the loop, in which we had the turn */
        unsigned consecutive;
        unsigned turns_left; /* of others, while yielding; 0: not yielding */

        Source *sources[LISTENERS_MAX];
        size_t n_sources;

        Secure *secure; /* owned */
        uint64_t hash_key[2];

        struct mmsghdr messages[INGRESS_BATCH];     /* of UNIX sockets: nobody asks for the sender's path */
        struct mmsghdr udp_messages[INGRESS_BATCH]; /* the same buffers, and the sender's address */
        PeerAddress peers[INGRESS_BATCH];
        uint64_t addresses[INGRESS_BATCH];             /* the same, hashed */
        uint8_t frames[INGRESS_BATCH][VLP_FRAME_SIZE]; /* what came out of envelopes */
        struct iovec vectors[INGRESS_BATCH];
        Datagram datagrams[INGRESS_BATCH];
        uint8_t buffers[INGRESS_BATCH][BUFFER_SIZE];
        uint8_t controls[INGRESS_BATCH][CONTROL_SIZE] __attribute__((aligned(8)));
};

int ingress_new(sd_event *event, const IngressHooks *hooks, void *userdata, IngressPriorities priorities,
                const uint64_t hash_key[2], Ingress **ret) {
        Ingress *i;

        assert(event && hooks && ret);

        i = calloc(1, sizeof(Ingress));
        if (!i)
                return -ENOMEM;
        i->event = sd_event_ref(event);
        i->hooks = *hooks;
        i->userdata = userdata;
        i->priorities = priorities;
        memcpy(i->hash_key, hash_key, sizeof(i->hash_key));
        for (size_t k = 0; k < INGRESS_BATCH; k++) {
                i->vectors[k] = (struct iovec){ .iov_base = i->buffers[k], .iov_len = BUFFER_SIZE };
                i->messages[k].msg_hdr = (struct msghdr){
                        .msg_iov = &i->vectors[k],
                        .msg_iovlen = 1,
                        .msg_control = i->controls[k],
                        .msg_controllen = CONTROL_SIZE,
                };
                i->udp_messages[k] = i->messages[k];
                i->udp_messages[k].msg_hdr.msg_name = &i->peers[k];
                i->udp_messages[k].msg_hdr.msg_namelen = sizeof(PeerAddress);
        }
        *ret = i;
        return 0;
}

/* Without libsodium there is neither, and nothing to drop. */
static void drop_keys(SecureKeys *keys) {
#if HAVE_SECURE_UDP
        (void) secure_keys_free(keys);
#endif
}

static void drop_secure(Secure *secure) {
#if HAVE_SECURE_UDP
        (void) secure_free(secure);
#endif
}

Ingress *ingress_free(Ingress *i) {
        if (!i)
                return NULL;

        for (size_t k = 0; k < i->n_sources; k++) {
                sd_event_source_disable_unref(i->sources[k]->source);
                listener_done(&i->sources[k]->listener);
                drop_keys(i->sources[k]->keys);
                free(i->sources[k]);
        }
        drop_secure(i->secure);
        sd_event_unref(i->event);
        free(i);
        return NULL;
}

static DescribeContext context_of(Ingress *i, Source *s, nsec_t now) {
        return (DescribeContext){
                .listener = &s->listener,
                .rules = &s->rules,
                .secure = i->secure,
                .keys = s->keys,
                .hash_key = i->hash_key,
                .addresses = i->addresses,
                .now = now,
                .drops = s->listener.drops,
        };
}

/* What the kernel and the envelopes had to say beside the datagrams. */
static void tell_rest(Ingress *i, Source *s, const DescribeContext *c) {
        Listener *l = &s->listener;

        if (c->attempts > 0)
                i->hooks.attempted(i->userdata, c->attempts);
        if (c->drops != l->drops) {
                i->hooks.dropped(i->userdata, l->index, (uint32_t) (c->drops - l->drops), c->now);
                l->drops = c->drops;
        }
}

/* Reads one batch. Returns how many datagrams there were; fewer than INGRESS_BATCH: the queue ran empty. */
static size_t read_batch(Ingress *i, Source *s) {
        Listener *l = &s->listener;
        bool udp = l->transport != TRANSPORT_UNIX;
        struct mmsghdr *messages = udp ? i->udp_messages : i->messages;
        DescribeContext c;
        nsec_t now;
        int n;

        n = recvmmsg(l->fd, messages, INGRESS_BATCH, MSG_DONTWAIT, NULL);
        now = i->hooks.now(i->userdata);
        if (n < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        i->hooks.failed(i->userdata, l->index, negative_errno(), now);
                else if (errno == EAGAIN)
                        i->hooks.empty(i->userdata, l->index, now);
                return 0;
        }

        c = context_of(i, s, now);
        if (udp)
                describe_udp_prepare(&c, messages, (size_t) n);
        for (int k = 0; k < n; k++) {
                if (udp) {
                        describe_udp_message(&c, messages, (size_t) k, i->frames[k], &i->datagrams[k]);
                        messages[k].msg_hdr.msg_namelen = sizeof(PeerAddress);
                } else
                        describe_unix_message(&c, &messages[k], &i->datagrams[k]);
                messages[k].msg_hdr.msg_controllen = CONTROL_SIZE; /* the kernel wrote what it used */
        }
        l->datagrams += (uint64_t) n;
        i->hooks.datagrams(i->userdata, i->datagrams, (size_t) n, now);
        if (udp)
                tell_rest(i, s, &c);
        if ((unsigned) n < INGRESS_BATCH)
                i->hooks.empty(i->userdata, l->index, now);
        return (size_t) n;
}

static int set_priorities(Ingress *i, int64_t priority) {
        for (size_t k = 0; k < i->n_sources; k++) {
                int r = sd_event_source_set_priority(i->sources[k]->source, priority);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int on_prepare(sd_event_source *source, void *userdata);

static int yield_begin(Ingress *i) {
        int r;

        i->consecutive = 0;
        i->turns_left = INGRESS_TURNS + 1; /* the loop's next preparation comes before anybody's turn */
        r = sd_event_source_set_prepare(i->sources[0]->source, on_prepare);
        if (r < 0)
                return r;
        return set_priorities(i, i->priorities.yielding);
}

static int yield_end(Ingress *i) {
        int r;

        i->turns_left = 0;
        r = sd_event_source_set_prepare(i->sources[0]->source, NULL);
        if (r < 0)
                return r;
        return set_priorities(i, i->priorities.normal);
}

/* Called once per turn of the loop while yielding: whoever has the turn, it is not us. */
static int on_prepare(sd_event_source *source, void *userdata) {
        Source *s = userdata;

        if (s->ingress->turns_left > 1) {
                s->ingress->turns_left--;
                return 0;
        }
        return yield_end(s->ingress);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Source *s = userdata;
        Ingress *i = s->ingress;
        uint64_t iteration = 0;
        int r;

        if (i->turns_left > 0) { /* nobody else wanted the turn */
                r = yield_end(i);
                if (r < 0)
                        return r;
        }

        (void) read_batch(i, s);
        i->hooks.settled(i->userdata);

        (void) sd_event_get_iteration(i->event, &iteration);
        i->consecutive = iteration == i->last_iteration + 1 ? i->consecutive + 1 : 1;
        i->last_iteration = iteration;
        return i->consecutive >= INGRESS_TURNS ? yield_begin(i) : 0;
}

int ingress_add(Ingress *i, Listener *listener) {
        _cleanup_free_ Source *s = NULL;
        char description[sizeof("listener-") + LISTENER_NAME_SIZE];
        int r;

        assert(i && listener);

        if (i->n_sources >= LISTENERS_MAX)
                return -E2BIG;
        s = calloc(1, sizeof(Source));
        if (!s)
                return -ENOMEM;
        s->ingress = i;
        s->listener = *listener;

        r = sd_event_add_io(i->event, &s->source, listener->fd, EPOLLIN, on_readable, s);
        if (r < 0)
                return r;
        (void) snprintf(description, sizeof(description), "listener-%s", listener->name);
        (void) sd_event_source_set_description(s->source, description);
        r = sd_event_source_set_priority(s->source, i->priorities.normal);
        if (r >= 0)
                r = sd_event_source_set_exit_on_failure(s->source, true);
        if (r < 0) {
                sd_event_source_disable_unref(s->source);
                return r;
        }

        listener->fd = -1;
        i->sources[i->n_sources++] = TAKE_PTR(s);
        return 0;
}

void ingress_set_rules(Ingress *i, size_t n, const ListenerRules *rules) {
        assert(i && n < i->n_sources && rules);

        i->sources[n]->rules = *rules;
}

void ingress_set_keys(Ingress *i, size_t n, SecureKeys *keys) {
        assert(i && n < i->n_sources);

        drop_keys(i->sources[n]->keys);
        i->sources[n]->keys = keys;
}

void ingress_set_secure(Ingress *i, Secure *secure) {
        assert(i);

        drop_secure(i->secure);
        i->secure = secure;
}

void ingress_drain(Ingress *i) {
        for (size_t k = 0; k < i->n_sources; k++)
                for (size_t n = 0; n < DRAIN_BATCHES; n++)
                        if (read_batch(i, i->sources[k]) < INGRESS_BATCH)
                                break;
}

const char *ingress_peer(const Ingress *i, const Datagram *datagram, char *buf, size_t size) {
        char text[PEER_TEXT_SIZE] = "";

        assert(i && buf && size > 0);

        if (datagram && i->sources[datagram->listener]->listener.transport != TRANSPORT_UNIX)
                (void) peer_address_to_text(&i->peers[datagram - i->datagrams], text);
        (void) snprintf(buf, size, "%s", text);
        return buf;
}

const Listener *ingress_listener(const Ingress *i, size_t n) {
        return n < i->n_sources ? &i->sources[n]->listener : NULL;
}
