/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model's gates, one function each, in their order; and what a known agent's frame means. */

#include <string.h>

#include "model.h"

#define PID_MAX_INTERVAL (60 * NSEC_PER_SEC)
#define LOOK_INTERVAL    (10 * NSEC_PER_MSEC)
#define WRAP_WINDOW      (UINT64_C(1) << 20)

typedef struct Beat {
        const Datagram *d;
        VlpFrame f;
        bool attested;
        bool terminal;
        bool other_pid; /* names another pid than the kernel */
        ModelAgent *a;  /* the agent it is for, if known */
        bool seen;      /* `identity` was asked */
        Identity identity;
} Beat;

typedef enum Look {
        LOOK_SAME,
        LOOK_OTHER,
        LOOK_CONFLICT,
        LOOK_GONE,
} Look;

static void reject(Model *m, const Beat *b, RejectClass class, Event e) {
        e.kind = EVENT_REJECTED;
        e.reject = class;
        e.attested_pid = b->d->pid;
        e.claimed_pid = b->f.pid;
        e.observed_origin = b->d->origin;
        e.listener = b->d->listener;
        model_emit(m, &e, NULL);
}

static Verdict auth_failure(Model *m, const Beat *b) {
        m->counters.auth_failures++;
        reject(m, b, REJECT_AUTH_FAILURE, (Event){});
        return VERDICT_AUTH_FAILURE;
}

static Verdict namespace_drop(Model *m, const Beat *b, uint64_t inode) {
        m->counters.namespace_drops++;
        reject(m, b, REJECT_NAMESPACE_CONFLICT, (Event){ .observed_namespace = inode });
        return VERDICT_NAMESPACE_DROP;
}

static Verdict namespace_conflict(Model *m, const Beat *b, uint64_t inode) {
        m->counters.namespace_conflicts++;
        reject(m, b, REJECT_NAMESPACE_CONFLICT, (Event){ .observed_namespace = inode });
        return VERDICT_NAMESPACE_CONFLICT;
}

static Verdict limited(Model *m, RateLimit limit) {
        m->counters.rate_limited[limit]++;
        return VERDICT_RATE_LIMITED;
}

/* 0: none. */
static nsec_t per_pid_interval(const Model *m) {
        Rate r = m->settings.per_pid_rate;

        if (r.count == 0 || r.span == 0)
                return 0;
        return r.span / r.count + (r.span % r.count ? 1 : 0);
}

static bool agent_is_attested(const ModelAgent *a) {
        return a && a->origin == ORIGIN_KERNEL_ATTESTED;
}

/* Whether the frame is news to the agent; *ret_wrapped when only because its nonce went around. */
static bool moves_on(const ModelAgent *a, const Beat *b, bool *ret_wrapped) {
        *ret_wrapped = false;
        if (b->terminal)
                return !a->has_terminal || b->f.timestamp > a->terminal_timestamp;
        if (!a->has_nonce || b->f.nonce > a->nonce)
                return true;
        *ret_wrapped = UINT64_MAX - a->nonce <= WRAP_WINDOW && b->f.nonce <= WRAP_WINDOW;
        return *ret_wrapped;
}

static void agent_take_frame(Model *m, ModelAgent *a, const Beat *b) {
        a->last_beat = m->now;
        a->moved = ++m->moves;
        a->beats++;
        a->status = b->f.status;
        a->payload = b->f.payload;
        a->last_terminal = b->terminal;
        if (b->terminal) {
                a->has_terminal = true;
                a->terminal_timestamp = b->f.timestamp;
        } else {
                a->has_nonce = true;
                a->nonce = b->f.nonce;
        }
        m->counters.beats++;
        m->units[a->unit].beats++;
}

static void agent_accept(Model *m, ModelAgent *a, const Beat *b, bool wrapped, bool confirmed) {
        Event e = { .kind = EVENT_BEAT, .old_status = a->status };

        if (wrapped)
                m->counters.nonce_wraps++;
        if (a->stalled) {
                m->counters.resumes++;
                e.flags |= BEAT_RESUMED;
        }
        if (a->status != b->f.status)
                e.flags |= BEAT_STATUS_CHANGED;
        if (confirmed)
                e.flags |= BEAT_CONFIRMED;

        a->stalled = false;
        a->confirmed |= confirmed;
        agent_take_frame(m, a, b);
        if (e.flags & BEAT_RESUMED)
                model_flush(m);
        if (e.flags != 0)
                model_emit(m, &e, a);
}

static void identity_done(Model *m, Beat *b) {
        if (b->seen)
                model_release(m, b->identity.pidfd);
        b->seen = false;
}

static int identify(Model *m, Beat *b) {
        int r = 0;

        b->identity = (Identity){ .pidfd = -1 };
        if (m->hooks.identify)
                r = m->hooks.identify(m->userdata, b->d->pid, b->d->uid, &b->identity);
        b->seen = r >= 0;
        return r;
}

/* A new agent in a place that is free, from a frame and what is known of its sender. */
static void agent_appear(Model *m, ModelAgent *a, Beat *b, uint32_t pid) {
        *a = (ModelAgent){
                .used = true,
                .id = ++m->last_id,
                .source = b->d->source,
                .pid = pid,
                .inner = b->f.pid,
                .uid = b->d->uid,
                .first_seen = m->now,
                .origin = b->d->origin,
                .pidfd = -1,
        };
        if (b->attested) {
                a->generation = b->identity.generation;
                a->inode = b->identity.namespace_inode;
                a->relation = b->identity.relation;
                a->unit = model_unit_intern(m, b->identity.unit);
                memcpy(a->invocation, b->identity.invocation, sizeof(a->invocation));
                if (b->identity.pidfd >= 0) {
                        if (m->hooks.watch(m->userdata, b->identity.pidfd, a->id) >= 0)
                                a->pidfd = b->identity.pidfd;
                        else
                                model_release(m, b->identity.pidfd);
                }
                b->seen = false;
        } else
                a->unit = b->d->unit;
        agent_take_frame(m, a, b);
        model_emit(m, &(Event){ .kind = EVENT_BEAT, .flags = BEAT_APPEARED }, a);
}

/* The slot goes to somebody else by rule, not for want of room. */
static Verdict agent_replace(Model *m, ModelAgent *a, Beat *b, bool dead) {
        uint32_t pid = a->pid;

        if (dead)
                model_retire_exited(m, a);
        else {
                model_flush(m);
                model_emit(m, &(Event){ .kind = EVENT_EVICTED }, a);
                model_drop(m, a);
        }
        agent_appear(m, a, b, pid);
        return VERDICT_INSERTED;
}

/* Gates 3 to 6. True: the frame was refused. */
static bool refused_pid_max(Model *m, const Beat *b) {
        if (b->attested || b->d->source != SOURCE_LOCAL)
                return false;
        if (m->now - m->pid_max_asked >= PID_MAX_INTERVAL) {
                m->pid_max = m->hooks.pid_max ? m->hooks.pid_max(m->userdata) : 0;
                m->pid_max_asked = m->now;
        }
        if (m->pid_max == 0 || b->f.pid <= m->pid_max)
                return false;
        m->counters.pid_above_max++;
        return true;
}

static bool refused_per_pid(Model *m, const Beat *b) {
        nsec_t interval = per_pid_interval(m);

        if (!b->a || interval == 0 || b->a->origin != b->d->origin)
                return false;
        if (b->terminal && !b->a->last_terminal)
                return false;
        return m->now - b->a->last_beat < interval;
}

static bool refused_global(Model *m, const Beat *b) {
        bool enabled = m->bucket.rate.count > 0 && m->bucket.limit > 0;

        if (!enabled || (b->attested && agent_is_attested(b->a) && per_pid_interval(m) > 0))
                return false;
        if (model_bucket_take(&m->bucket, m->now))
                return false;
        m->has_refused = true;
        m->refused = m->now;
        return true;
}

/* Gate 4, the part that is decided after the rate limits. True: *ret_verdict is final. */
static bool decide_other_pid(Model *m, const Beat *b, Verdict *ret_verdict) {
        NamespaceRelation relation = NAMESPACE_UNKNOWN;
        uint32_t inner = 0;
        uint64_t inode = 0;

        if (!b->other_pid)
                return false;
        if (agent_is_attested(b->a) && b->a->relation == NAMESPACE_FOREIGN) {
                relation = NAMESPACE_FOREIGN;
                inner = b->a->inner;
                inode = b->a->inode;
        } else if (!m->hooks.inner_pid || m->hooks.inner_pid(m->userdata, b->d->pid, &relation, &inner) < 0)
                relation = NAMESPACE_UNKNOWN;

        if (relation != NAMESPACE_FOREIGN || inner != b->f.pid) {
                *ret_verdict = auth_failure(m, b);
                return true;
        }
        if (!m->settings.allow_cross_namespace) {
                *ret_verdict = namespace_drop(m, b, inode);
                return true;
        }
        return false;
}

static bool namespace_refused(const Model *m, NamespaceRelation relation) {
        if (!m->settings.own_namespace_known)
                return true;
        return relation == NAMESPACE_FOREIGN && !m->settings.allow_cross_namespace;
}

/* Gate 7, with the first sight of an attested process. True: *ret_verdict is final. */
static bool gate_namespace(Model *m, Beat *b, Verdict *ret_verdict) {
        if (!b->attested) {
                if (b->d->origin != ORIGIN_SOCKET_MODE_ONLY || !namespace_refused(m, NAMESPACE_FOREIGN))
                        return false;
                *ret_verdict = namespace_drop(m, b, 0);
                return true;
        }

        if (!m->settings.own_namespace_known) {
                *ret_verdict = namespace_drop(m, b, b->a ? b->a->inode : 0);
                return true;
        }
        if (agent_is_attested(b->a)) {
                if (!namespace_refused(m, b->a->relation))
                        return false;
                *ret_verdict = namespace_drop(m, b, b->a->inode);
                return true;
        }

        /* Who would be refused for its origin is not looked at. */
        if (b->a && m->settings.origin_policy == ORIGIN_POLICY_FIRST_WINS)
                return false;
        if (identify(m, b) < 0) {
                model_gone(m, b->d, &b->f);
                *ret_verdict = VERDICT_GONE;
                return true;
        }
        if (namespace_refused(m, b->identity.relation)) {
                *ret_verdict = namespace_drop(m, b, b->identity.namespace_inode);
                return true;
        }
        return false;
}

static Look agent_look(Model *m, Beat *b) {
        ModelAgent *a = b->a;
        const Identity *i = &b->identity;

        a->looked = m->now;
        a->look_refused = false;
        if (a->pidfd >= 0 && m->hooks.alive(m->userdata, a->pidfd))
                return LOOK_SAME;
        if (identify(m, b) < 0)
                return LOOK_GONE;
        if (a->pidfd >= 0)
                return LOOK_OTHER;
        if (a->generation != 0 && i->generation != 0 && a->generation != i->generation)
                return LOOK_OTHER;
        if (a->inode != 0 && i->namespace_inode != 0 && a->inode != i->namespace_inode)
                return LOOK_CONFLICT;
        if (a->relation != NAMESPACE_UNKNOWN && i->relation != NAMESPACE_UNKNOWN &&
            a->relation != i->relation)
                return LOOK_CONFLICT;
        if (a->relation != NAMESPACE_UNKNOWN && i->relation == NAMESPACE_UNKNOWN && !b->terminal)
                return LOOK_CONFLICT;
        return LOOK_SAME;
}

/* What a look found out of the same process is remembered. */
static void agent_learn(Model *m, Beat *b) {
        ModelAgent *a = b->a;

        if (a->generation == 0)
                a->generation = b->identity.generation;
        if (a->inode == 0)
                a->inode = b->identity.namespace_inode;
        if (a->relation == NAMESPACE_UNKNOWN)
                a->relation = b->identity.relation;
}

static Verdict look_gone(Model *m, Beat *b, bool news, bool wrapped) {
        if (news) {
                agent_accept(m, b->a, b, wrapped, false);
                model_retire_exited(m, b->a);
        } else {
                model_retire_exited(m, b->a);
                model_gone(m, b->d, &b->f);
        }
        return VERDICT_GONE;
}

static Verdict look_other(Model *m, Beat *b) {
        m->counters.pid_recycles++;
        b->a->look_refused = namespace_refused(m, b->identity.relation);
        if (b->a->look_refused)
                return namespace_drop(m, b, b->identity.namespace_inode);
        return agent_replace(m, b->a, b, b->a->pidfd >= 0);
}

/* A frame of the same origin as its agent. */
static Verdict agent_judge(Model *m, Beat *b) {
        ModelAgent *a = b->a;
        bool wrapped, news = moves_on(a, b, &wrapped), confirmed = false;

        if (b->attested) {
                bool first = !a->confirmed && news;
                bool doubt = !b->terminal && !news && m->now - a->looked >= LOOK_INTERVAL;
                bool back = a->pidfd < 0 && a->stalled && news;

                if ((first || back) && a->look_refused && m->now - a->looked < LOOK_INTERVAL)
                        return limited(m, RATE_LIMIT_PER_PID);
                if (first || doubt || back)
                        switch (agent_look(m, b)) {
                        case LOOK_GONE:
                                return look_gone(m, b, news, wrapped);
                        case LOOK_OTHER:
                                return look_other(m, b);
                        case LOOK_CONFLICT:
                                a->look_refused = true;
                                return namespace_conflict(m, b, b->identity.namespace_inode);
                        case LOOK_SAME:
                                if (news && b->seen)
                                        agent_learn(m, b);
                                confirmed = first;
                                break;
                        }
        } else if (!b->terminal && !news && b->f.nonce < a->nonce &&
                   m->now - a->last_beat >= model_threshold(m, a))
                return agent_replace(m, a, b, false);

        if (!news) {
                m->counters.out_of_order++;
                return VERDICT_OUT_OF_ORDER;
        }
        agent_accept(m, a, b, wrapped, confirmed);
        return VERDICT_REFRESHED;
}

/* Gate 8. */
static Verdict track(Model *m, Beat *b, uint32_t pid) {
        Verdict refused;

        if (!b->a) {
                b->a = model_place(m, b->d->uid, &refused);
                if (!b->a)
                        return refused;
                agent_appear(m, b->a, b, pid);
                return VERDICT_INSERTED;
        }
        if (b->a->origin == b->d->origin)
                return agent_judge(m, b);
        if (m->settings.origin_policy == ORIGIN_POLICY_STRONGEST && b->d->origin > b->a->origin)
                return agent_replace(m, b->a, b, false);

        m->counters.origin_conflicts++;
        reject(m, b, REJECT_ORIGIN_CONFLICT, (Event){ .slot_origin = b->a->origin });
        return VERDICT_ORIGIN_CONFLICT;
}

static Verdict admit(Model *m, Beat *b) {
        uint32_t pid = b->attested ? b->d->pid : b->f.pid;
        Verdict v;

        b->a = model_find(m, b->d->source, pid);
        b->other_pid = b->attested && b->f.pid != b->d->pid;

        if (refused_pid_max(m, b))
                return VERDICT_PID_ABOVE_MAX;
        if (b->other_pid && agent_is_attested(b->a) && b->a->relation == NAMESPACE_OWN)
                return auth_failure(m, b);
        if (refused_per_pid(m, b))
                return limited(m, RATE_LIMIT_PER_PID);
        if (refused_global(m, b))
                return limited(m, RATE_LIMIT_GLOBAL);
        if (decide_other_pid(m, b, &v))
                return v;
        if (gate_namespace(m, b, &v))
                return v;
        return track(m, b, pid);
}

static Verdict judge(Model *m, const Datagram *d) {
        Beat b = { .d = d, .attested = d->origin == ORIGIN_KERNEL_ATTESTED };
        VlpError error;
        Verdict v;

        switch ((ReceiveVerdict) d->verdict) {
        case RECEIVE_CONTROL_TRUNCATED:
                m->counters.control_truncated++;
                reject(m, &b, REJECT_CONTROL_TRUNCATED, (Event){});
                return VERDICT_CONTROL_TRUNCATED;
        case RECEIVE_MIS_SIZED:
                m->counters.mis_sized++;
                return VERDICT_MIS_SIZED;
        case RECEIVE_NO_CREDENTIALS:
                m->counters.io_errors++;
                reject(m, &b, REJECT_IO_ERROR, (Event){ .error = -ENODATA });
                return VERDICT_IO_ERROR;
        case RECEIVE_DECRYPT_FAILED:
                m->counters.decrypt_failures++;
                reject(m, &b, REJECT_DECRYPT_FAILED, (Event){});
                return VERDICT_DECRYPT_FAILED;
        case RECEIVE_PID_MISMATCH:
                return auth_failure(m, &b);
        case RECEIVE_REPLAYED:
                m->counters.replays_refused++;
                return VERDICT_REPLAYED;
        case RECEIVE_SENDER_TABLE_FULL:
                m->counters.sender_table_full++;
                return VERDICT_SENDER_TABLE_FULL;
        case RECEIVE_UNOPENED_LIMITED:
                return limited(m, RATE_LIMIT_UNOPENED);
        default:
                break;
        }

        error = model_decode(d->frame, &b.f);
        if (error != VLP_ERROR_NONE) {
                m->counters.decode_errors[error]++;
                reject(m, &b, REJECT_DECODE, (Event){ .decode_error = error });
                return VERDICT_DECODE_ERROR;
        }
        b.terminal = b.f.nonce == VLP_NONCE_TERMINAL;
        v = admit(m, &b);
        identity_done(m, &b);
        return v;
}

void model_receive(Model *m, const Datagram *batch, size_t n, nsec_t now, Verdict *ret_verdicts) {
        model_clock(m, now);
        for (size_t i = 0; i < n; i++)
                ret_verdicts[i] = judge(m, &batch[i]);
}
