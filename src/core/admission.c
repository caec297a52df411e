/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Admission: what becomes of a datagram.
 *
 * A batch is handled in passes. The first three only decode, hash and prefetch, so that the cache misses of a large
 * fleet overlap; the last judges the datagrams one after the other, in their order, as if the others did not exist.
 *
 * The gates stand in a fixed order, and each refusal ends in exactly one counter. Cheap gates come first; what reads
 * /proc comes after the rate limits, so that forging costs the forger more than it costs us. A tracked agent that the
 * kernel attests pays no global token: capacity times its own rate bounds it already, and so nobody else's flood
 * pushes it out.
 *
 * The accepted beat of a known agent makes no system call and no allocation, and touches two cache lines and three
 * links.
 */

#include "core/observer-private.h"

static bool is_attested(const Datagram *d) {
        return d->origin == ORIGIN_KERNEL_ATTESTED;
}

static Verdict reject(Observer *o, const Passage *p, RejectClass class, uint64_t *counter, Verdict verdict,
                      nsec_t now) {
        Event event = {
                .kind = EVENT_REJECTED,
                .now = now,
                .reject = class,
                .decode_error = p->error,
                .claimed_pid = p->frame.pid,
                .attested_pid = p->attested ? p->datagram->pid : 0,
                .observed_origin = p->datagram->origin,
                .slot_origin = p->slot == SLOT_NONE ? p->datagram->origin : o->tracker.slots[p->slot].origin,
                .observed_namespace = p->namespace_inode,
                .listener = p->datagram->listener,
                .datagram = p->datagram,
        };

        (*counter)++;
        observer_emit(o, &event);
        return verdict;
}

static Verdict refuse_rate(Observer *o, RateLimit limit) {
        o->counters.rate_limited[limit]++;
        return VERDICT_RATE_LIMITED;
}

/* What the receive layer already found wrong. */
static Verdict judge_receive(Observer *o, const Passage *p, nsec_t now) {
        Counters *c = &o->counters;

        switch ((ReceiveVerdict) p->datagram->verdict) {
        case RECEIVE_CONTROL_TRUNCATED:
                return reject(o, p, REJECT_CONTROL_TRUNCATED, &c->control_truncated,
                              VERDICT_CONTROL_TRUNCATED, now);
        case RECEIVE_NO_CREDENTIALS:
                observer_listener_failed(o, p->datagram->listener, -ENODATA, now);
                return VERDICT_IO_ERROR;
        case RECEIVE_DECRYPT_FAILED:
                return reject(o, p, REJECT_DECRYPT_FAILED, &c->decrypt_failures, VERDICT_DECRYPT_FAILED,
                              now);
        case RECEIVE_PID_MISMATCH:
                return reject(o, p, REJECT_AUTH_FAILURE, &c->auth_failures, VERDICT_AUTH_FAILURE, now);
        case RECEIVE_REPLAYED:
                c->replays_refused++; /* no news: a network repeats datagrams, too */
                return VERDICT_REPLAYED;
        case RECEIVE_SENDER_TABLE_FULL:
                c->sender_table_full++;
                return VERDICT_SENDER_TABLE_FULL;
        case RECEIVE_UNOPENED_LIMITED:
                return refuse_rate(o, RATE_LIMIT_UNOPENED);
        case RECEIVE_MIS_SIZED:
        default:
                c->mis_sized++;
                return VERDICT_MIS_SIZED;
        }
}

static bool pid_above_max(Observer *o, const Passage *p, nsec_t now) {
        if (p->attested || p->datagram->source != SOURCE_LOCAL)
                return false;

        if (o->hooks.pid_max && nsec_sub(now, o->pid_max_read) >= PID_MAX_INTERVAL) {
                o->pid_max = o->hooks.pid_max(o->userdata);
                o->pid_max_read = now;
        }
        return o->pid_max > 0 && p->frame.pid > o->pid_max;
}

/* Whether the last accepted beat is closer than 1/rate. A dying agent's first last word is not rate limited. */
static bool too_soon(const Observer *o, const Passage *p, nsec_t now) {
        const Slot *s;

        if (o->per_pid_interval == 0 || p->slot == SLOT_NONE)
                return false;
        s = &o->tracker.slots[p->slot];
        if (s->origin != p->datagram->origin)
                return false;
        if (p->frame.nonce == VLP_NONCE_TERMINAL && !(s->flags & SLOT_LAST_TERMINAL))
                return false;
        return nsec_sub(now, s->last_beat) < o->per_pid_interval;
}

/* Pays the global bucket, unless the per-pid rate bounds this sender already. */
static bool pay(Observer *o, const Passage *p, nsec_t now) {
        if (o->per_pid_interval > 0 && p->attested && p->slot != SLOT_NONE &&
            o->tracker.slots[p->slot].origin == ORIGIN_KERNEL_ATTESTED)
                return true;
        if (bucket_take(&o->global, now))
                return true;
        o->refused = true;
        o->refused_at = now;
        return false;
}

/* Whether the slot already proves that a differing pid is a lie: its process is in our own namespace. */
static bool mismatch_is_certain(const Observer *o, const Passage *p) {
        return p->slot != SLOT_NONE && o->tracker.slots[p->slot].origin == ORIGIN_KERNEL_ATTESTED &&
               o->tracker.slots[p->slot].relation == NAMESPACE_OWN;
}

/* The namespace that a tracked agent was seen in; 0 where that is not known. */
static uint64_t tracked_namespace(const Observer *o, const Passage *p) {
        return p->slot == SLOT_NONE ? 0 : o->tracker.slots[p->slot].namespace_inode;
}

/* The frame names another pid than the kernel: a container's agent, or a forger? */
static bool is_inner_pid(Observer *o, Passage *p) {
        NamespaceRelation relation;
        uint32_t inner;
        const Slot *s;
        int r;

        if (p->slot != SLOT_NONE) {
                s = &o->tracker.slots[p->slot];
                if (s->origin == ORIGIN_KERNEL_ATTESTED && s->relation == NAMESPACE_FOREIGN) {
                        p->namespace_inode = tracked_namespace(o, p);
                        return s->inner_pid == p->frame.pid;
                }
        }
        if (!o->hooks.inner_pid)
                return false;
        r = o->hooks.inner_pid(o->userdata, p->pid, &relation, &inner);
        return r >= 0 && relation == NAMESPACE_FOREIGN && inner == p->frame.pid;
}

static Verdict namespace_drop(Observer *o, const Passage *p, nsec_t now) {
        return reject(o, p, REJECT_NAMESPACE_CONFLICT, &o->counters.namespace_drops, VERDICT_NAMESPACE_DROP,
                      now);
}

/* What the process's own identity says about the gate of namespaces. */
static bool namespace_refused(const Observer *o, NamespaceRelation relation) {
        if (!o->settings.own_namespace_known)
                return true;
        return relation == NAMESPACE_FOREIGN && !o->settings.allow_cross_namespace;
}

static Verdict insert(Observer *o, Passage *p, Identity *identity, nsec_t now) {
        int r;

        r = observer_make_room(o, p->datagram->uid, now);
        if (r < 0) {
                if (identity)
                        identity_release(o, identity);
                if (r == -EDQUOT)
                        return refuse_rate(o, RATE_LIMIT_PER_UID);
                o->counters.capacity_exceeded++;
                return VERDICT_CAPACITY_EXCEEDED;
        }
        if (agent_insert(o, p, identity, now) == SLOT_NONE) {
                o->counters.capacity_exceeded++;
                return VERDICT_CAPACITY_EXCEEDED;
        }
        return VERDICT_INSERTED;
}

/* Accepted, but there is nobody left to track. */
static Verdict gone(Observer *o, const Passage *p, nsec_t now) {
        bool terminal = p->frame.nonce == VLP_NONCE_TERMINAL;
        Event event = {
                .kind = EVENT_EXIT,
                .now = now,
                .gone = true,
                .last_word = terminal,
                .agent = {
                        .source = p->datagram->source,
                        .pid = p->pid,
                        .uid = p->datagram->uid,
                        .status = p->frame.status,
                        .payload = p->frame.payload,
                        .last_nonce = terminal ? 0 : p->frame.nonce,
                        .origin = p->datagram->origin,
                        .threshold = o->settings.threshold,
                        .first_seen = now,
                        .last_beat = now,
                        .beats = 1,
                        .terminal = terminal,
                },
        };

        o->counters.beats++;
        o->counters.exits++;
        observer_flush_stalls(o); /* the stall of whoever had this pid before comes first */
        observer_emit(o, &event);
        return VERDICT_GONE;
}

/* First sight of an attested process, and what its namespace says. Returns true with the identity, or false and
 * the verdict is final. */
static bool first_sight(Observer *o, Passage *p, nsec_t now, Identity *ret_identity, Verdict *ret_verdict) {
        Identity identity;
        int r;

        r = agent_identify(o, p, &identity);
        if (r < 0) {
                *ret_verdict = gone(o, p, now);
                return false;
        }
        p->namespace_inode = identity.namespace_inode;
        if (namespace_refused(o, identity.relation)) {
                identity_release(o, &identity);
                *ret_verdict = namespace_drop(o, p, now);
                return false;
        }
        *ret_identity = identity;
        return true;
}

/* An agent nobody knows yet. The namespace was judged for those the kernel does not attest. */
static Verdict admit_unknown(Observer *o, Passage *p, nsec_t now) {
        Identity identity;
        Verdict verdict;

        if (!p->attested)
                return insert(o, p, NULL, now);
        if (!first_sight(o, p, now, &identity, &verdict))
                return verdict;
        return insert(o, p, &identity, now);
}

/* The slot goes to another process or another kind of sender: whoever was there is told of first. */
static Verdict replace(Observer *o, Passage *p, Identity *identity, nsec_t now) {
        observer_flush_stalls(o);
        observer_emit_slot(o, EVENT_EVICTED, p->slot, now);
        agent_remove(o, p->slot);
        p->slot = SLOT_NONE;
        return insert(o, p, identity, now);
}

static Verdict admit_other_origin(Observer *o, Passage *p, nsec_t now) {
        const Slot *s = &o->tracker.slots[p->slot];
        Identity identity;
        Verdict verdict;

        if (o->settings.origin_policy == ORIGIN_POLICY_FIRST_WINS || p->datagram->origin < s->origin)
                return reject(o, p, REJECT_ORIGIN_CONFLICT, &o->counters.origin_conflicts,
                              VERDICT_ORIGIN_CONFLICT, now);
        if (!p->attested)
                return replace(o, p, NULL, now);
        if (!first_sight(o, p, now, &identity, &verdict))
                return verdict;
        return replace(o, p, &identity, now);
}

typedef enum Progress {
        PROGRESS_NONE, /* out of order */
        PROGRESS_FORWARD,
        PROGRESS_WRAP,
        PROGRESS_RESTART, /* a network agent that started anew */
} Progress;

static Progress progress_of(const Observer *o, const Passage *p, nsec_t now) {
        const Slot *s = &o->tracker.slots[p->slot];
        uint64_t nonce = p->frame.nonce;

        if (nonce == VLP_NONCE_TERMINAL) {
                if (!(s->flags & SLOT_HAS_TERMINAL) || p->frame.timestamp > s->terminal_timestamp)
                        return PROGRESS_FORWARD;
                return PROGRESS_NONE;
        }
        if (!(s->flags & SLOT_HAS_NONCE) || nonce > s->last_nonce)
                return PROGRESS_FORWARD;
        if (s->last_nonce >= UINT64_MAX - NONCE_WRAP_WINDOW && nonce <= NONCE_WRAP_WINDOW)
                return PROGRESS_WRAP;
        if (!p->attested && nonce < s->last_nonce &&
            nsec_sub(now, s->last_beat) >= o->tracker.header->class[s->class].threshold)
                return PROGRESS_RESTART;
        return PROGRESS_NONE;
}

/* What another look at a tracked process found. */
typedef enum Look {
        LOOK_SAME,
        LOOK_ANOTHER,  /* the pid was recycled: *ret_identity is the new process */
        LOOK_GONE,     /* nobody has this pid now */
        LOOK_CONFLICT, /* the same, as far as is known, but in another namespace */
} Look;

/* Rules for two sights of one pid: the start time decides, the namespace where it is known to be pinned. */
static Look compare(Slot *s, const Passage *p, const Identity *now, bool accepted) {
        if (s->generation > 0 && now->generation > 0 && s->generation != now->generation)
                return LOOK_ANOTHER;
        if (s->namespace_inode > 0 && now->namespace_inode > 0 && s->namespace_inode != now->namespace_inode)
                return LOOK_CONFLICT;
        if (s->relation != NAMESPACE_UNKNOWN && now->relation != NAMESPACE_UNKNOWN &&
            s->relation != now->relation)
                return LOOK_CONFLICT;
        /* A dying process's /proc entry may already be empty: its last word is not held against it. */
        if (s->relation != NAMESPACE_UNKNOWN && now->relation == NAMESPACE_UNKNOWN &&
            p->frame.nonce != VLP_NONCE_TERMINAL)
                return LOOK_CONFLICT;
        if (accepted) {
                if (s->relation == NAMESPACE_UNKNOWN)
                        s->relation = (uint8_t) now->relation;
                if (s->namespace_inode == 0)
                        s->namespace_inode = now->namespace_inode;
                if (s->generation == 0)
                        s->generation = now->generation;
        }
        return LOOK_SAME;
}

static Look look_again(Observer *o, Passage *p, bool accepted, Identity *ret_identity, nsec_t now) {
        Slot *s = &o->tracker.slots[p->slot];
        Identity identity;
        Look look;
        int r;

        s->asked = now;
        s->flags &= (uint8_t) ~SLOT_LOOK_REFUSED;
        if (s->pidfd >= 0 && (!o->hooks.alive || o->hooks.alive(o->userdata, s->pidfd)))
                return LOOK_SAME;

        r = agent_identify(o, p, &identity);
        if (r < 0)
                return LOOK_GONE;
        p->namespace_inode = identity.namespace_inode;
        /* A dead pidfd settles it: whoever answers to this pid now is somebody else. */
        look = s->pidfd >= 0 ? LOOK_ANOTHER : compare(s, p, &identity, accepted);
        if (look == LOOK_ANOTHER)
                *ret_identity = identity;
        else
                identity_release(o, &identity);
        return look;
}

/* When a tracked, attested agent deserves another look: to confirm it, or because it does not move on, or because
 * it comes back from silence and no pidfd would have told of its end. */
static bool wants_look(const Observer *o, const Passage *p, Progress progress, nsec_t now) {
        const Slot *s = &o->tracker.slots[p->slot];

        if (!p->attested)
                return false;
        if (!(s->flags & SLOT_CONFIRMED) && progress != PROGRESS_NONE)
                return true;
        if (progress == PROGRESS_NONE)
                return p->frame.nonce != VLP_NONCE_TERMINAL && nsec_sub(now, s->asked) >= ASK_INTERVAL;
        /* In this order: the pidfd is in the slot's second cache line, which a plain beat must not touch. */
        return (s->flags & SLOT_STALLED) && s->pidfd < 0;
}

static Verdict admit_recycled(Observer *o, Passage *p, Identity *identity, nsec_t now) {
        bool held = o->tracker.slots[p->slot].pidfd >= 0;

        o->counters.pid_recycles++;
        if (namespace_refused(o, identity->relation)) {
                o->tracker.slots[p->slot].flags |= SLOT_LOOK_REFUSED;
                identity_release(o, identity);
                return namespace_drop(o, p, now);
        }
        if (!held)
                return replace(o, p, identity, now);

        /* The exit is known for certain: it is told as one. */
        agent_exit(o, p->slot, now);
        p->slot = SLOT_NONE;
        return insert(o, p, identity, now);
}

/* The process behind a slot is dead, and so is whoever sent this frame. */
static Verdict admit_dead(Observer *o, Passage *p, Progress progress, nsec_t now) {
        if (progress == PROGRESS_NONE) {
                agent_exit(o, p->slot, now);
                p->slot = SLOT_NONE;
                return gone(o, p, now);
        }

        /* It moves on from the last beat, so it is the same agent's: its last one. */
        if (progress == PROGRESS_WRAP)
                o->counters.nonce_wraps++;
        agent_accept(o, p->slot, &p->frame, 0, now);
        agent_exit(o, p->slot, now);
        p->slot = SLOT_NONE;
        return VERDICT_GONE;
}

/* Refused frames are not held back by the agent's rate, which counts from the last accepted one, and each of these
 * would cost a look. */
static bool looked_in_vain(const Observer *o, const Passage *p, nsec_t now) {
        const Slot *s = &o->tracker.slots[p->slot];

        return (s->flags & SLOT_LOOK_REFUSED) && nsec_sub(now, s->asked) < ASK_INTERVAL;
}

static Verdict admit_known(Observer *o, Passage *p, nsec_t now) {
        Slot *s = &o->tracker.slots[p->slot];
        Progress progress = progress_of(o, p, now);
        unsigned flags = 0;
        Identity identity;

        if (_unlikely_(wants_look(o, p, progress, now))) {
                if (looked_in_vain(o, p, now))
                        return refuse_rate(o, RATE_LIMIT_PER_PID);
                switch (look_again(o, p, progress != PROGRESS_NONE, &identity, now)) {
                case LOOK_ANOTHER:
                        return admit_recycled(o, p, &identity, now);
                case LOOK_GONE:
                        return admit_dead(o, p, progress, now);
                case LOOK_CONFLICT:
                        s->flags |= SLOT_LOOK_REFUSED;
                        return reject(o, p, REJECT_NAMESPACE_CONFLICT, &o->counters.namespace_conflicts,
                                      VERDICT_NAMESPACE_CONFLICT, now);
                case LOOK_SAME:
                        if (progress != PROGRESS_NONE && !(s->flags & SLOT_CONFIRMED)) {
                                s->flags |= SLOT_CONFIRMED;
                                flags = BEAT_CONFIRMED;
                        }
                        break;
                }
        }

        switch (progress) {
        case PROGRESS_NONE:
                o->counters.out_of_order++;
                return VERDICT_OUT_OF_ORDER;
        case PROGRESS_RESTART:
                return replace(o, p, NULL, now);
        case PROGRESS_WRAP:
                o->counters.nonce_wraps++;
                break;
        case PROGRESS_FORWARD:
                break;
        }
        agent_accept(o, p->slot, &p->frame, flags, now);
        return VERDICT_REFRESHED;
}

/* The gates behind the rate limits: who is speaking, and from which namespace. */
static Verdict admit_sender(Observer *o, Passage *p, nsec_t now) {
        const Slot *s;

        if (p->attested && _unlikely_(p->frame.pid != p->datagram->pid)) {
                if (!is_inner_pid(o, p))
                        return reject(o, p, REJECT_AUTH_FAILURE, &o->counters.auth_failures,
                                      VERDICT_AUTH_FAILURE, now);
                if (!o->settings.allow_cross_namespace)
                        return namespace_drop(o, p, now);
        }
        /* Who knows nothing of itself refuses without asking. Whoever the kernel cannot name lives where it cannot
         * look: outside our namespace. */
        if (p->attested && _unlikely_(!o->settings.own_namespace_known)) {
                p->namespace_inode = tracked_namespace(o, p);
                return namespace_drop(o, p, now);
        }
        if (p->datagram->origin == ORIGIN_SOCKET_MODE_ONLY && namespace_refused(o, NAMESPACE_FOREIGN))
                return namespace_drop(o, p, now);

        if (p->slot == SLOT_NONE)
                return admit_unknown(o, p, now);

        s = &o->tracker.slots[p->slot];
        if (_unlikely_(s->origin != p->datagram->origin))
                return admit_other_origin(o, p, now);
        if (p->attested && _unlikely_(namespace_refused(o, s->relation))) {
                p->namespace_inode = tracked_namespace(o, p);
                return namespace_drop(o, p, now);
        }
        return admit_known(o, p, now);
}

/* The guess was made before the batch's earlier datagrams were judged: it counts if the agent is still there. */
static uint32_t slot_of(Observer *o, const Passage *p) {
        if (p->guess != SLOT_NONE && tracker_holds(&o->tracker, p->guess, p->datagram->source, p->pid))
                return p->guess;
        return tracker_find(&o->tracker, p->hash, p->datagram->source, p->pid);
}

static Verdict admit(Observer *o, Passage *p, nsec_t now) {
        if (_unlikely_(p->datagram->verdict != RECEIVE_OK))
                return judge_receive(o, p, now);
        if (_unlikely_(p->error != VLP_ERROR_NONE))
                return reject(o, p, REJECT_DECODE, &o->counters.decode_errors[p->error],
                              VERDICT_DECODE_ERROR, now);
        if (_unlikely_(pid_above_max(o, p, now))) {
                o->counters.pid_above_max++;
                return VERDICT_PID_ABOVE_MAX;
        }

        p->slot = slot_of(o, p);
        if (p->attested && _unlikely_(p->frame.pid != p->datagram->pid) && mismatch_is_certain(o, p))
                return reject(o, p, REJECT_AUTH_FAILURE, &o->counters.auth_failures, VERDICT_AUTH_FAILURE,
                              now);
        if (too_soon(o, p, now))
                return refuse_rate(o, RATE_LIMIT_PER_PID);
        if (!pay(o, p, now))
                return refuse_rate(o, RATE_LIMIT_GLOBAL);
        return admit_sender(o, p, now);
}

/* Decodes a batch and starts the memory accesses that judging it will wait for. */
static void prepare(Observer *o, const Datagram *batch, size_t n, Passage *passages) {
        const Tracker *t = &o->tracker;

        for (size_t i = 0; i < n; i++) {
                Passage *p = &passages[i];

                p->datagram = &batch[i];
                p->slot = SLOT_NONE;
                p->error = VLP_ERROR_NONE;
                p->namespace_inode = 0;
                p->attested = is_attested(&batch[i]);
                if (batch[i].verdict == RECEIVE_OK)
                        p->error = vlp_frame_decode(batch[i].frame, &p->frame);
                if (batch[i].verdict != RECEIVE_OK || p->error != VLP_ERROR_NONE)
                        p->frame = (VlpFrame){};
                p->pid = p->attested ? batch[i].pid : p->frame.pid;
                p->hash = tracker_hash(t, batch[i].source, p->pid);
                tracker_prefetch_index(t, p->hash);
        }
        for (size_t i = 0; i < n; i++) {
                passages[i].guess = tracker_guess(t, passages[i].hash);
                if (passages[i].guess != SLOT_NONE)
                        tracker_prefetch_slot(t, passages[i].guess);
        }
        for (size_t i = 0; i < n; i++)
                if (passages[i].guess != SLOT_NONE)
                        tracker_prefetch_neighbours(t, passages[i].guess);
}

void observer_receive(Observer *o, const Datagram *batch, size_t n, nsec_t now, Verdict *ret_verdicts) {
        Passage passages[OBSERVER_BATCH_MAX];

        assert(o);
        assert(n <= OBSERVER_BATCH_MAX);

        now = observer_clock(o, now);
        prepare(o, batch, n, passages);
        for (size_t i = 0; i < n; i++) {
                Verdict v = admit(o, &passages[i], now);

                if (ret_verdicts)
                        ret_verdicts[i] = v;
        }
}

void observer_listener_failed(Observer *o, uint8_t listener, int error, nsec_t now) {
        Event event = {
                .kind = EVENT_REJECTED,
                .now = observer_clock(o, now),
                .reject = REJECT_IO_ERROR,
                .listener = listener,
                .error = error,
        };

        o->counters.io_errors++;
        observer_emit(o, &event);
}

void observer_count_aead(Observer *o, uint64_t attempts) {
        o->counters.aead_attempts += attempts;
}
