/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What must be equal after every step, and the words for what is not. */

#include <inttypes.h>
#include <string.h>

#include "drive.h"

#define DIFFER(d, what, real, model)                                                                        \
        do {                                                                                                \
                if ((real) != (model))                                                                      \
                        drive_fail((d), "%s: %" PRIu64 ", the model says %" PRIu64, (what),                 \
                                   (uint64_t) (real), (uint64_t) (model));                                  \
        } while (0)

#define DIFFER_IN(d, what, field, real, model)                                                              \
        do {                                                                                                \
                if ((real)->field != (model)->field)                                                        \
                        drive_fail((d), "%s, " #field ": %" PRIu64 ", the model says %" PRIu64, (what),     \
                                   (uint64_t) (real)->field, (uint64_t) (model)->field);                    \
        } while (0)

static const char *const event_names[_EVENT_KIND_MAX] = {
        [EVENT_BEAT] = "beat",
        [EVENT_STALL] = "stall",
        [EVENT_EXIT] = "exit",
        [EVENT_FORGOTTEN] = "forgotten",
        [EVENT_EVICTED] = "evicted",
        [EVENT_REJECTED] = "rejected",
        [EVENT_CLOCK_JUMP] = "clock-jump",
        [EVENT_OVERLOADED] = "overloaded",
};

void compare_verdicts(Drive *d, const Verdict *real, const Verdict *model, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (real[i] != model[i])
                        drive_fail(d, "datagram %zu of %zu: %s, the model says %s", i + 1, n,
                                   verdict_to_string(real[i]), verdict_to_string(model[i]));
}

/* A new agent's id was never seen before and rises. */
static void learn_id(Drive *d, uint64_t model, uint64_t real) {
        if (model >= d->max_ids) {
                d->max_ids = MAX(d->max_ids * 2, (size_t) 64);
                d->ids = realloc(d->ids, d->max_ids * sizeof(uint64_t));
                if (!d->ids)
                        abort();
        }
        if (real <= d->last_real_id)
                drive_fail(d, "the id %" PRIu64 " was given before", real);
        d->last_real_id = real;
        d->ids[model] = real;
}

static void compare_info(Drive *d, const char *what, const AgentInfo *real, const AgentInfo *model) {
        uint64_t id = model->id == 0 || model->id > d->model->last_id ? 0 : d->ids[model->id];

        if (real->id != id)
                drive_fail(d, "%s, id: %" PRIu64 ", the model says number %" PRIu64 " = %" PRIu64, what,
                           real->id, model->id, id);
        DIFFER_IN(d, what, source, real, model);
        DIFFER_IN(d, what, pid, real, model);
        DIFFER_IN(d, what, uid, real, model);
        DIFFER_IN(d, what, generation, real, model);
        DIFFER_IN(d, what, namespace_inode, real, model);
        DIFFER_IN(d, what, last_nonce, real, model);
        DIFFER_IN(d, what, beats, real, model);
        DIFFER_IN(d, what, first_seen, real, model);
        DIFFER_IN(d, what, last_beat, real, model);
        DIFFER_IN(d, what, threshold, real, model);
        DIFFER_IN(d, what, payload, real, model);
        DIFFER_IN(d, what, status, real, model);
        DIFFER_IN(d, what, origin, real, model);
        DIFFER_IN(d, what, stalled, real, model);
        DIFFER_IN(d, what, confirmed, real, model);
        DIFFER_IN(d, what, terminal, real, model);
        DIFFER_IN(d, what, has_pidfd, real, model);
        if (memcmp(real->invocation, model->invocation, sizeof(real->invocation)) != 0)
                drive_fail(d, "%s, invocation differs", what);
}

static void compare_rejection(Drive *d, const char *what, const Event *real, const Event *model) {
        DIFFER_IN(d, what, reject, real, model);
        if (model->reject == REJECT_DECODE)
                DIFFER_IN(d, what, decode_error, real, model);
        DIFFER_IN(d, what, claimed_pid, real, model);
        DIFFER_IN(d, what, attested_pid, real, model);
        if (model->reject != REJECT_IO_ERROR)
                DIFFER_IN(d, what, observed_origin, real, model);
        if (model->reject == REJECT_ORIGIN_CONFLICT)
                DIFFER_IN(d, what, slot_origin, real, model);
        if (model->reject == REJECT_NAMESPACE_CONFLICT)
                DIFFER_IN(d, what, observed_namespace, real, model);
        if (model->reject == REJECT_IO_ERROR)
                DIFFER_IN(d, what, error, real, model);
        DIFFER_IN(d, what, listener, real, model);
}

static void compare_event(Drive *d, size_t n, const SideEvent *real, const SideEvent *model) {
        const Event *a = &real->event, *b = &model->event;
        char what[64];

        snprintf(what, sizeof(what), "event %zu (%s)", n + 1, event_names[a->kind]);
        if (a->kind != b->kind) {
                drive_fail(d, "%s: the model says %s", what, event_names[b->kind]);
                return;
        }
        if (a->kind == EVENT_BEAT && b->flags & BEAT_APPEARED)
                learn_id(d, b->agent.id, a->agent.id);
        if (strcmp(real->unit, model->unit) != 0)
                drive_fail(d, "%s: unit '%s', the model says '%s'", what, real->unit, model->unit);
        DIFFER_IN(d, what, now, a, b);
        compare_info(d, what, &a->agent, &b->agent);
        DIFFER_IN(d, what, flags, a, b);
        if (b->flags & BEAT_STATUS_CHANGED)
                DIFFER_IN(d, what, old_status, a, b);
        if (b->kind == EVENT_STALL) {
                DIFFER_IN(d, what, reason, a, b);
                DIFFER_IN(d, what, deadline, a, b);
                DIFFER_IN(d, what, waited, a, b);
        }
        DIFFER_IN(d, what, gone, a, b);
        DIFFER_IN(d, what, last_word, a, b);
        if (b->kind == EVENT_REJECTED)
                compare_rejection(d, what, a, b);
        DIFFER_IN(d, what, overloaded, a, b);
        DIFFER_IN(d, what, jump, a, b);
}

static void compare_talk(Drive *d) {
        Side *a = &d->real_side, *b = &d->model_side;

        for (size_t i = 0; i < a->n_events && i < b->n_events; i++)
                compare_event(d, i, &a->events[i], &b->events[i]);
        if (a->n_events > b->n_events)
                drive_fail(d, "event %zu (%s): none in the model", b->n_events + 1,
                           event_names[a->events[b->n_events].event.kind]);
        if (a->n_events < b->n_events)
                drive_fail(d, "event %zu is missing, the model says %s", a->n_events + 1,
                           event_names[b->events[a->n_events].event.kind]);
        if (a->trouble[0] != 0)
                drive_fail(d, "%s", a->trouble);
        if (b->trouble[0] != 0)
                drive_fail(d, "in the model: %s", b->trouble);
        DIFFER(d, "questions asked of the hooks", a->n_asked, b->n_asked);
        if (a->asked != b->asked)
                drive_fail(d, "other questions were asked of the hooks than in the model");
        side_forget_talk(a);
        side_forget_talk(b);
}

static const SideFd *find_fd(const Side *s, int fd) {
        for (size_t i = 0; i < s->n_fds; i++)
                if (s->fds[i].fd == fd)
                        return &s->fds[i];
        return NULL;
}

static void compare_fds(Drive *d) {
        DIFFER(d, "pidfds open", d->real_side.n_fds, d->model_side.n_fds);
        for (size_t i = 0; i < d->real_side.n_fds && !d->failed; i++) {
                const SideFd *a = &d->real_side.fds[i], *b = find_fd(&d->model_side, a->fd);

                if (!b)
                        drive_fail(d, "pidfd %d is closed in the model", a->fd);
                else if (!a->watched)
                        drive_fail(d, "pidfd %d is open, but of nobody", a->fd);
                else if (a->agent != d->ids[b->agent])
                        drive_fail(d, "pidfd %d is watched for agent %" PRIu64 ", in the model for %" PRIu64,
                                   a->fd, a->agent, d->ids[b->agent]);
        }
}

static void compare_counters(Drive *d) {
        const Counters *a = observer_counters(d->real), *b = &d->model->counters;
        uint64_t sum = a->beats + a->mis_sized + a->control_truncated + a->io_errors + a->pid_above_max +
                       a->auth_failures + a->namespace_drops + a->origin_conflicts + a->namespace_conflicts +
                       a->out_of_order + a->capacity_exceeded + a->decrypt_failures + a->replays_refused +
                       a->sender_table_full;

#define X(field, name, help) DIFFER(d, name, a->field, b->field);
        COUNTER_TABLE(X)
#undef X
        for (int i = 0; i < _VLP_ERROR_MAX; i++) {
                DIFFER(d, "DecodeErrors", a->decode_errors[i], b->decode_errors[i]);
                sum += a->decode_errors[i];
        }
        for (int i = 0; i < _RATE_LIMIT_MAX; i++) {
                DIFFER(d, rate_limit_to_string((RateLimit) i), a->rate_limited[i], b->rate_limited[i]);
                sum += a->rate_limited[i];
        }
        if (sum != d->datagrams)
                drive_fail(d, "%" PRIu64 " datagrams ended in %" PRIu64 " counters", d->datagrams, sum);
}

static const ModelUnit *model_unit_by_name(const Drive *d, const char *name, unsigned *ret) {
        for (*ret = 1; *ret <= d->model->settings.units; ++*ret)
                if (d->model->units[*ret].used && strcmp(d->model->units[*ret].name, name) == 0)
                        return &d->model->units[*ret];
        return NULL;
}

static void compare_unit(Drive *d, const char *name) {
        unsigned number;
        const ModelUnit *u = model_unit_by_name(d, name, &number);
        uint16_t real_number;
        UnitInfo info;

        if (observer_unit_by_name(d->real, name, &real_number) < 0) {
                if (u)
                        drive_fail(d, "%s is unknown", name);
                return;
        }
        if (!u) {
                drive_fail(d, "%s is known, not so in the model", name);
                return;
        }
        if (observer_unit(d->real, real_number, &info) < 0 || strcmp(info.name, name) != 0) {
                drive_fail(d, "the number of %s is another's", name);
                return;
        }
        DIFFER(d, name, info.agents, model_unit_agents(d->model, number, false));
        DIFFER(d, name, info.stalled, model_unit_agents(d->model, number, true));
        DIFFER(d, name, info.degraded, model_status_agents(d->model, (int) number, VLP_STATUS_DEGRADED));
        DIFFER(d, name, info.critical, model_status_agents(d->model, (int) number, VLP_STATUS_CRITICAL));
        DIFFER(d, name, info.beats, u->beats);
        DIFFER(d, name, info.rules.threshold, u->rules.threshold);
        DIFFER(d, name, info.rules.forget, u->rules.forget);
        DIFFER(d, name, info.rules.on_exit, u->rules.on_exit);
}

static void compare_overflow(Drive *d) {
        unsigned overflow = d->model->settings.units + 1;
        unsigned agents = model_unit_agents(d->model, overflow, false);
        UnitInfo info;

        if (observer_unit(d->real, observer_units_max(d->real), &info) < 0) {
                if (agents > 0)
                        drive_fail(d, "the overflow entry is empty");
                return;
        }
        DIFFER(d, "overflow agents", info.agents, agents);
        DIFFER(d, "overflow stalled", info.stalled, model_unit_agents(d->model, overflow, true));
        DIFFER(d, "overflow degraded", info.degraded,
               model_status_agents(d->model, (int) overflow, VLP_STATUS_DEGRADED));
        DIFFER(d, "overflow critical", info.critical,
               model_status_agents(d->model, (int) overflow, VLP_STATUS_CRITICAL));
        DIFFER(d, "overflow beats", info.beats, d->model->units[overflow].beats);
}

/* The same agent by another way of asking. */
static bool same_agent(const AgentInfo *a, const AgentInfo *b) {
        return a->id == b->id && a->source == b->source && a->pid == b->pid &&
               a->last_beat == b->last_beat && a->beats == b->beats && a->last_nonce == b->last_nonce &&
               a->stalled == b->stalled;
}

static void compare_slots(Drive *d) {
        uint32_t cursor = 0;
        size_t n;

        n = observer_list(d->real, 0, d->infos, d->model->settings.capacity + 1, &cursor);
        if (cursor != 0)
                drive_fail(d, "a page larger than the table was not enough");
        DIFFER(d, "agents listed", n, model_tracked(d->model));
        for (size_t i = 0; i < n && !d->failed; i++) {
                ModelAgent *a = model_find(d->model, d->infos[i].source, d->infos[i].pid);
                AgentInfo info, found;
                char what[32];

                snprintf(what, sizeof(what), "agent %u", d->infos[i].pid);
                if (!a) {
                        drive_fail(d, "%s is tracked, not so in the model", what);
                        return;
                }
                model_info(d->model, a, &info);
                compare_info(d, what, &d->infos[i], &info);
                if (observer_agent(d->real, d->infos[i].id, &found) < 0 || !same_agent(&found, &d->infos[i]))
                        drive_fail(d, "%s: by id there is something else", what);
                if (observer_agent_by_pid(d->real, a->source, a->pid, &found) < 0 ||
                    !same_agent(&found, &d->infos[i]))
                        drive_fail(d, "%s: by pid there is something else", what);
        }
        for (unsigned i = 1; i < WORLD_UNITS; i++)
                compare_unit(d, world_units[i]);
        compare_overflow(d);
}

/* The next deadline may be early, never late. */
static void compare_deadline(Drive *d) {
        nsec_t now = d->model->now, next = observer_next_deadline(d->real), at;

        if (next <= now + 1)
                return;
        if (next == NSEC_INFINITY && d->model->overloaded)
                drive_fail(d, "overloaded, and no deadline to end it");
        if (next == NSEC_INFINITY)
                next = now + 100 * NSEC_PER_DAY;
        at = now + (next - 1 - now) / (1 + d->step % 7);
        if (model_due(d->model, next - 1) || model_due(d->model, at))
                drive_fail(d, "the next deadline is %" PRIu64 " ns away, and that is late", next - now);
}

void compare_all(Drive *d, bool thoroughly) {
        compare_talk(d);
        compare_counters(d);
        compare_fds(d);
        DIFFER(d, "AgentsTracked", observer_tracked(d->real), model_tracked(d->model));
        DIFFER(d, "AgentsStalled", observer_stalled(d->real), model_stalled(d->model));
        DIFFER(d, "AgentsDegraded", observer_degraded(d->real),
               model_status_agents(d->model, -1, VLP_STATUS_DEGRADED));
        DIFFER(d, "AgentsCritical", observer_critical(d->real),
               model_status_agents(d->model, -1, VLP_STATUS_CRITICAL));
        DIFFER(d, "overloaded", observer_overloaded(d->real), d->model->overloaded);
        DIFFER(d, "stalls are queued", observer_has_stalls(d->real), d->model->n_queue > 0);
        if (!d->failed)
                compare_deadline(d);
        if (thoroughly && !d->failed)
                compare_slots(d);
}
