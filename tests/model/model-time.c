/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model's passing time: stalls, exits, the forgotten, and who must leave when there is no room. */

#include <string.h>

#include "model.h"

#define JUMP_MAX         (5 * NSEC_PER_SEC)
#define EVICTION_VISITS  1024U
#define EVICTION_SILENCE 10U

void model_emit(Model *m, const Event *event, const ModelAgent *a) {
        Event e = *event;

        e.now = m->now;
        e.unit = "";
        if (a) {
                model_info(m, a, &e.agent);
                e.unit = m->units[a->unit].name;
        }
        m->hooks.event(m->userdata, &e);
}

bool model_dispatch_stall(Model *m) {
        ModelStall s;

        if (m->n_queue == 0)
                return false;
        s = m->queue[0];
        m->n_queue--;
        memmove(m->queue, m->queue + 1, m->n_queue * sizeof(ModelStall));
        s.event.unit = s.unit;
        m->hooks.event(m->userdata, &s.event);
        return true;
}

void model_flush(Model *m) {
        while (model_dispatch_stall(m))
                ;
}

void model_release(Model *m, int pidfd) {
        if (pidfd >= 0)
                m->hooks.release(m->userdata, pidfd);
}

void model_drop(Model *m, ModelAgent *a) {
        unsigned unit = a->unit;

        model_release(m, a->pidfd);
        *a = (ModelAgent){};
        model_unit_settle(m, unit);
}

static ExitRule exit_rule(const Model *m, const ModelAgent *a) {
        if (a->unit == UNIT_NONE || a->unit == m->settings.units + 1)
                return EXIT_RULE_STALL;
        return m->units[a->unit].rules.on_exit;
}

void model_retire_exited(Model *m, ModelAgent *a) {
        model_flush(m);
        m->counters.exits++;
        model_emit(m, &(Event){ .kind = EVENT_EXIT, .last_word = a->last_terminal }, a);
        if (exit_rule(m, a) == EXIT_RULE_STALL && a->beats >= 2)
                model_emit(m,
                           &(Event){
                                           .kind = EVENT_STALL,
                                           .reason = STALL_EXITED,
                                           .deadline = m->now,
                                           .last_word = a->last_terminal,
                           },
                           a);
        model_drop(m, a);
}

/* An accepted beat of a process that is dead already: it never had a slot. */
void model_gone(Model *m, const Datagram *d, const VlpFrame *f) {
        bool terminal = f->nonce == VLP_NONCE_TERMINAL;
        Event e = {
                .kind = EVENT_EXIT,
                .now = m->now,
                .unit = "",
                .gone = true,
                .last_word = terminal,
                .agent = {
                        .source = d->source,
                        .pid = d->pid,
                        .uid = d->uid,
                        .origin = d->origin,
                        .status = f->status,
                        .payload = f->payload,
                        .last_nonce = terminal ? 0 : f->nonce,
                        .beats = 1,
                        .first_seen = m->now,
                        .last_beat = m->now,
                        .threshold = m->settings.threshold,
                        .terminal = terminal,
                },
        };

        m->counters.beats++;
        m->counters.exits++;
        model_flush(m);
        m->hooks.event(m->userdata, &e);
}

void model_agent_exited(Model *m, uint64_t agent, nsec_t now) {
        ModelAgent *a = model_find_id(m, agent);

        if (!a)
                return;
        model_clock(m, now);
        model_retire_exited(m, a);
}

int model_add_listener(Model *m, nsec_t now) {
        if (m->n_listeners == OBSERVER_LISTENERS_MAX)
                return -E2BIG;
        m->listeners[m->n_listeners] = model_clock(m, now);
        return (int) m->n_listeners++;
}

void model_listener_failed(Model *m, uint8_t listener, int error, nsec_t now) {
        model_clock(m, now);
        m->counters.io_errors++;
        model_emit(m,
                   &(Event){ .kind = EVENT_REJECTED,
                             .reject = REJECT_IO_ERROR,
                             .error = error,
                             .listener = listener },
                   NULL);
}

void model_listener_empty(Model *m, uint8_t listener, nsec_t now) {
        m->listeners[listener] = model_clock(m, now);
}

void model_listener_dropped(Model *m, uint8_t listener, uint64_t n, nsec_t now) {
        if (n == 0)
                return;
        m->counters.queue_drops += n;
        m->has_dropped = true;
        m->dropped = model_clock(m, now);
}

void model_count_aead(Model *m, uint64_t attempts) {
        m->counters.aead_attempts += attempts;
}

void model_never_beat(Model *m, const char *unit, nsec_t deadline, nsec_t now) {
        Event e = {
                .kind = EVENT_STALL,
                .now = model_clock(m, now),
                .unit = unit,
                .reason = STALL_NEVER_BEAT,
                .deadline = deadline,
                .agent = { .uid = UID_NONE, .origin = ORIGIN_KERNEL_ATTESTED },
        };

        m->hooks.event(m->userdata, &e);
}

int model_reset_agent(Model *m, uint64_t id, nsec_t now) {
        ModelAgent *a = model_find_id(m, id);

        if (!a)
                return -ENOENT;
        model_clock(m, now);
        model_flush(m);
        a->stalled = false;
        a->last_beat = m->now;
        a->moved = ++m->moves;
        return 0;
}

int model_forget_agent(Model *m, uint64_t id, nsec_t now) {
        ModelAgent *a = model_find_id(m, id);

        if (!a)
                return -ENOENT;
        model_clock(m, now);
        model_flush(m);
        m->counters.forgotten++;
        model_emit(m, &(Event){ .kind = EVENT_FORGOTTEN }, a);
        model_drop(m, a);
        return 0;
}

/* Something may still be queued, or was lost, that speaks for an agent of this threshold. */
static bool doubtful(const Model *m, nsec_t threshold, nsec_t now) {
        for (unsigned i = 0; i < m->n_listeners; i++)
                if (now - m->listeners[i] >= threshold)
                        return true;
        if (m->has_refused && now - m->refused < threshold)
                return true;
        return m->has_dropped && now - m->dropped < threshold;
}

/* The live agent that is next to be called silent, of the classes that do not wait. */
static ModelAgent *next_silent(const Model *m, nsec_t now, const bool *waiting) {
        ModelAgent *best = NULL;

        for (unsigned i = 0; i < m->settings.capacity; i++) {
                ModelAgent *a = &m->agents[i];
                nsec_t da, db;
                unsigned ca, cb;

                if (!a->used || a->stalled || waiting[model_class_index(m, a)] || model_deadline(m, a) > now)
                        continue;
                if (!best) {
                        best = a;
                        continue;
                }
                da = model_deadline(m, a);
                db = model_deadline(m, best);
                ca = model_class_index(m, a);
                cb = model_class_index(m, best);
                if (da != db ? da < db : ca != cb ? ca < cb : model_in_front(a, best))
                        best = a;
        }
        return best;
}

static void latch(Model *m, ModelAgent *a, bool waited) {
        ModelStall *s = &m->queue[m->n_queue++];

        a->stalled = true;
        a->moved = ++m->moves;
        m->counters.stalls++;
        s->event = (Event){
                .kind = EVENT_STALL,
                .now = m->now,
                .reason = STALL_SILENT,
                .deadline = model_deadline(m, a),
                .waited = waited,
        };
        model_info(m, a, &s->event.agent);
        memcpy(s->unit, m->units[a->unit].name, UNIT_NAME_SIZE);
}

/* Returns whether a verdict waits. */
static bool conclude(Model *m) {
        bool waiting[256] = {}, any = false;
        ModelAgent *a;

        while (m->n_queue < MODEL_QUEUE_MAX && (a = next_silent(m, m->now, waiting))) {
                bool doubt = doubtful(m, model_threshold(m, a), m->now);

                if (doubt && m->now < nsec_add(model_deadline(m, a), m->settings.max_deferral))
                        any = waiting[model_class_index(m, a)] = true;
                else
                        latch(m, a, doubt);
        }
        return any;
}

static bool forgettable(const Model *m, const ModelAgent *a, nsec_t now) {
        const ModelClass *c = model_class_of(m, a);

        return a->used && a->stalled && a->pidfd < 0 &&
               nsec_add(nsec_add(a->last_beat, c->threshold), c->forget) <= now;
}

static void forget(Model *m) {
        for (;;) {
                ModelAgent *best = NULL;

                for (unsigned i = 0; i < m->settings.capacity; i++) {
                        ModelAgent *a = &m->agents[i];

                        if (!forgettable(m, a, m->now))
                                continue;
                        if (!best || model_class_index(m, a) < model_class_index(m, best) ||
                            (model_class_index(m, a) == model_class_index(m, best) &&
                             model_in_front(a, best)))
                                best = a;
                }
                if (!best)
                        return;
                model_flush(m);
                m->counters.forgotten++;
                model_emit(m, &(Event){ .kind = EVENT_FORGOTTEN }, best);
                model_drop(m, best);
        }
}

static nsec_t jump_bound(const Model *m) {
        nsec_t smallest = NSEC_INFINITY;

        for (unsigned i = 0; i < m->settings.capacity; i++)
                if (m->agents[i].used && !m->agents[i].stalled)
                        smallest = MIN(smallest, model_threshold(m, &m->agents[i]));
        if (smallest == NSEC_INFINITY)
                smallest = m->settings.threshold;
        return MIN(JUMP_MAX, smallest / 2);
}

void model_tick(Model *m, nsec_t now, nsec_t lateness, nsec_t suspended) {
        nsec_t jump = MAX(lateness, suspended);
        bool waits;

        model_clock(m, now);
        if (jump > jump_bound(m)) {
                m->counters.clock_jumps++;
                m->has_grace = true;
                m->grace = m->now;
                model_emit(m, &(Event){ .kind = EVENT_CLOCK_JUMP, .jump = jump }, NULL);
        }
        waits = conclude(m);
        forget(m);
        if (waits != m->overloaded) {
                m->overloaded = waits;
                model_emit(m, &(Event){ .kind = EVENT_OVERLOADED, .overloaded = waits }, NULL);
        }
}

bool model_due(const Model *m, nsec_t at) {
        bool waiting[256] = {}, any = false;
        const ModelAgent *a;

        for (unsigned i = 0; i < m->settings.capacity; i++)
                if (forgettable(m, &m->agents[i], at))
                        return true;
        if (m->n_queue == MODEL_QUEUE_MAX)
                return false;
        while ((a = next_silent(m, at, waiting))) {
                if (!doubtful(m, model_threshold(m, a), at) ||
                    at >= nsec_add(model_deadline(m, a), m->settings.max_deferral))
                        return true;
                any = waiting[model_class_index(m, a)] = true;
        }
        return any && !m->overloaded;
}

/* Who leaves for a new agent: the longest silent of those whom the policy gives up. */
static bool may_leave(const Model *m, const ModelAgent *a, bool any) {
        return any || (a->stalled && m->now - a->last_beat > EVICTION_SILENCE * model_threshold(m, a));
}

static bool silent_longer(const Model *m, const ModelAgent *a, const ModelAgent *b) {
        unsigned ca = model_class_index(m, a), cb = model_class_index(m, b);

        if (a->last_beat != b->last_beat)
                return a->last_beat < b->last_beat;
        if (ca != cb)
                return ca < cb;
        if (model_list_of(a) != model_list_of(b))
                return model_list_of(a) < model_list_of(b);
        return a->moved < b->moved;
}

static ModelAgent *longest_silent(const Model *m, bool any) {
        ModelAgent *best = NULL;

        for (unsigned i = 0; i < m->settings.capacity; i++) {
                ModelAgent *a = &m->agents[i];

                if (a->used && may_leave(m, a, any) && (!best || silent_longer(m, a, best)))
                        best = a;
        }
        return best;
}

/* The next of a list behind `after` (NULL: its head). */
static ModelAgent *list_next(const Model *m, unsigned class, unsigned list, const ModelAgent *after) {
        ModelAgent *best = NULL;

        for (unsigned i = 0; i < m->settings.capacity; i++) {
                ModelAgent *a = &m->agents[i];

                if (!a->used || model_class_index(m, a) != class || model_list_of(a) != list)
                        continue;
                if (after && !model_in_front(after, a))
                        continue;
                if (!best || model_in_front(a, best))
                        best = a;
        }
        return best;
}

/* The same among one uid's own agents, by a walk that is bounded. */
static ModelAgent *longest_silent_of(Model *m, uint32_t uid, bool any) {
        ModelAgent *best = NULL;
        unsigned visits = 0;

        for (unsigned class = 0; class < m->n_classes; class ++)
                for (unsigned list = any ? 0 : 1; list < 3; list++)
                        for (ModelAgent *a = list_next(m, class, list, NULL); a;
                             a = list_next(m, class, list, a)) {
                                if (visits++ == EVICTION_VISITS) {
                                        m->counters.eviction_truncated++;
                                        return best;
                                }
                                if (!may_leave(m, a, any))
                                        break; /* nor will those behind it */
                                if (a->uid != uid)
                                        continue;
                                if (!best || silent_longer(m, a, best))
                                        best = a;
                                break;
                        }
        return best;
}

/* A free place, or one that is made free. NULL: *ret_refused says why not. */
ModelAgent *model_place(Model *m, uint32_t uid, Verdict *ret_refused) {
        bool balanced = m->settings.eviction == EVICTION_BALANCED;
        uint64_t same = 0;
        ModelAgent *victim;

        for (unsigned i = 0; i < m->settings.capacity; i++)
                if (!m->agents[i].used)
                        return &m->agents[i];

        for (unsigned i = 0; i < m->settings.capacity; i++)
                same += m->agents[i].uid == uid;
        if (same * 100 > (uint64_t) m->settings.per_uid_share * m->settings.capacity) {
                victim = longest_silent_of(m, uid, balanced);
                if (!victim) {
                        m->counters.rate_limited[RATE_LIMIT_PER_UID]++;
                        *ret_refused = VERDICT_RATE_LIMITED;
                        return NULL;
                }
        } else {
                victim = longest_silent(m, false);
                if (!victim && balanced)
                        victim = longest_silent(m, true);
                if (!victim) {
                        m->counters.capacity_exceeded++;
                        *ret_refused = VERDICT_CAPACITY_EXCEEDED;
                        return NULL;
                }
        }

        model_flush(m);
        m->counters.evictions++;
        model_emit(m, &(Event){ .kind = EVENT_EVICTED }, victim);
        model_drop(m, victim);
        return victim;
}
