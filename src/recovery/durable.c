/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What outlives the observer, and when it is written.
 *
 * Everything is written in the moment in which it is decided, by one write() per decision: when the process is killed,
 * the kernel still has all of it. A beat never comes here. Waiting for the disk is needed only against the death of the
 * whole host, and done where somebody relies on it: before systemd is asked ("durable first": after a crash the file
 * names the unit whose restart may have been the last thing that happened), and after an operator's pause or resume.
 *
 * That wait blocks the loop, on purpose. It happens once per action, and StormLimit= (10 in a minute) bounds them; beats
 * wait in the kernel's queue meanwhile, and are read before anything is concluded. A disk that takes seconds shows as
 * lag of the loop, and then `host-starved` holds back the next verdict: exactly what should happen on a host
 * whose disk does not answer. A thread, or asynchronous I/O, would put a gap between the last check of the gates and
 * the call, and every check would have to be made again behind it.
 *
 * The order within one decision: the record of it, then the announcement. Killed between the two, the observer leaves a
 * decision in its history that nobody was told of, instead of telling it twice.
 *
 * Stalls are the observer's knowledge, not recovery's, and most of them it finds again by itself. But who has fallen silent
 * does not beat, and so does not exist for an observer that has just started: without more, a unit that waits for
 * the end of its back-off would be forgotten by a restart of the observer. So a unit's record has one of its stalls;
 * the next observer judges it as the unit's own, with a process where there is one, until that beats or is gone.
 *
 * A full or broken disk does not stop recovery: it is there because something is wrong already, and a stall must not
 * stay because of a log. It is said once, everything goes on in memory, and the file is tried again.
 *
 * What a restart of the observer means (same boot): everything is in force as if it had not happened. Actions in flight
 * are looked at as soon as there is a bus, with the deadlines they had; the beats that prove them come from agents that
 * appear anew. A restart of the host ends what concerned its processes: all units were started anew, so back-offs, units
 * given up and pauses of processes are over, and an action in flight can only be reported as overtaken. Pauses by name hold
 * on, by the wall clock, and so does history.
 *
 * durable-load.c has the way back.
 */

#include <string.h>
#include <time.h>

#include "recovery/recovery-private.h"
#include "util/hash.h"

/* A full disk is seldom emptied faster than this, and an attempt costs little. */
#define RETRY_SPAN NSEC_PER_MINUTE

/* Stalls of one unit that are looked at for one that is worth writing: usually it is the first, and a unit with
 * thousands of them must not cost each of its decisions a walk. */
#define STALLS_LOOKED_AT 16U

static bool is_written(const Durable *d) {
        return state_file_is_open(&d->file) && d->error == 0;
}

static void failed(Recovery *r, int error) {
        Durable *d = &r->durable;
        nsec_t now = recovery_now(r);

        if (d->error == 0)
                d->tell_error = true;
        d->error = error;
        d->buffer.n = 0;
        d->retry_at = nsec_add(now, RETRY_SPAN);
        recovery_arm(r, now);
}

static void flush(Recovery *r) {
        Durable *d = &r->durable;
        int k;

        if (!is_written(d) || d->buffer.n == 0)
                return;
        k = state_file_append(&d->file, d->buffer.data, d->buffer.n);
        d->buffer.n = 0;
        if (k < 0) {
                failed(r, k);
                return;
        }
        if (state_file_is_full(&d->file))
                recovery_arm(r, recovery_now(r));
}

void durable_sync(Recovery *r) {
        int k;

        assert(r);

        flush(r);
        if (!is_written(&r->durable))
                return;
        k = state_file_sync(&r->durable.file);
        if (k < 0)
                failed(r, k);
}

static void put(Recovery *r, StateRecord *record) {
        Durable *d = &r->durable;

        if (!is_written(d) || state_put(&d->buffer, record) >= 0)
                return;
        flush(r);
        if (is_written(d) && state_put(&d->buffer, record) < 0)
                failed(r, -EOVERFLOW); /* nothing of ours is so large: say so rather than write half of it */
}

/* ---- What is written of each thing ------------------------------------------------------------------------ */

static bool is_to_outlive(const RecoveryStall *s) {
        if (s->agent.id == 0)
                return true;
        return (s->due || s->again != AGAIN_NEVER) && s->agent.confirmed &&
               s->agent.source == SOURCE_LOCAL && s->agent.origin == ORIGIN_KERNEL_ATTESTED;
}

/* Who is silent cannot make itself known to the next observer, and would be wedged for ever: so one stall of a unit, of
 * those that may still lead to something, is written with it. */
static const RecoveryStall *find_stall(const Recovery *r, const RecoveryUnit *u) {
        const StallList *const lists[] = { &u->resting, &u->due };
        unsigned looked = 0;

        if (u->own_stall != REGISTRY_NONE)
                return registry_stall_at(&r->registry, u->own_stall);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (const RecoveryStall *s = registry_first(&r->registry, lists[i]); s;
                     s = registry_next(&r->registry, s)) {
                        if (is_to_outlive(s))
                                return s;
                        if (++looked == STALLS_LOOKED_AT)
                                return NULL;
                }
        return NULL;
}

/* A unit that never was in trouble needs no record. */
static bool is_worth_keeping(const Recovery *r, const RecoveryUnit *u) {
        const Ladder *l = &u->ladder;

        return u->saved != 0 || l->attempt > 0 || l->hold_until > 0 || l->gave_up_until > 0 || l->n > 0 ||
               u->restarts > 0 || u->last_action > 0 || find_stall(r, u);
}

static void describe_unit(const Recovery *r, const RecoveryUnit *u, StateRecord *ret) {
        const RecoveryStall *stall = find_stall(r, u);
        StateUnit *s = &ret->unit;

        ret->kind = STATE_UNIT;
        *s = (StateUnit){
                .ladder = u->ladder,
                .restarts = u->restarts,
                .last_outcome = u->last_outcome,
                .last_action = u->last_action,
                .stalled = stall,
        };
        memcpy(s->name, u->name, sizeof(s->name));
        if (stall) {
                s->agent = stall->agent;
                s->reason = stall->reason;
                s->refusal = stall->refusal;
                s->since = stall->since;
        }
}

static void put_unit(Recovery *r, RecoveryUnit *u) {
        Durable *d = &r->durable;
        StateBuffer before;
        uint64_t sum;

        if (!is_written(d) || !is_worth_keeping(r, u))
                return;
        describe_unit(r, u, &d->record);
        if (d->buffer.size - d->buffer.n < STATE_RECORD_MAX)
                flush(r);
        before = d->buffer;
        put(r, &d->record);
        if (d->buffer.n <= before.n)
                return; /* it failed */
        sum = hash_bytes(1, d->buffer.data + before.n + STATE_FRAME_SIZE,
                         d->buffer.n - before.n - STATE_FRAME_SIZE);
        if (sum == u->saved)
                d->buffer = before; /* it is there already */
        u->saved = sum;
}

static void put_action(Recovery *r, const Action *a) {
        StateRecord *record = &r->durable.record;

        record->kind = STATE_ACTION;
        record->action = (StateAction){
                .place = (uint32_t) (a - r->actions),
                .agent = a->agent,
                .reason = a->reason,
                .attempt = a->attempt,
                .verb = a->verb,
                .started = a->started,
                .deadline = a->deadline,
                .limit = a->limit,
                .proving = a->phase == ACTION_PROVING,
                .accepted = a->accepted,
                .restarted = a->restarted,
                .deferred = a->deferred,
                .by_hand = a->by_hand,
                .overtaken = a->overtaken,
        };
        memcpy(record->action.unit, r->registry.units[a->unit].name, UNIT_NAME_SIZE);
        memcpy(record->action.target, a->target, UNIT_NAME_SIZE);
        memcpy(record->action.before, a->before, INVOCATION_ID_SIZE);
        memcpy(record->action.after, a->after, INVOCATION_ID_SIZE);
        put(r, record);
}
static_assert(RECOVERY_ACTIONS_MAX <= STATE_ACTIONS_MAX, "each action has a place in the file");

static void put_pauses(Recovery *r) {
        StateRecord *record = &r->durable.record;
        nsec_t now = recovery_now(r);
        StatePauses *p = &record->pauses;

        record->kind = STATE_PAUSES;
        p->wall = recovery_wall();
        p->list = r->pauses;
        for (uint32_t i = 0; i < p->list.n; i++)
                p->ends[i] = p->list.entries[i].until == NSEC_INFINITY
                                           ? USEC_INFINITY
                                           : p->wall + nsec_sub(p->list.entries[i].until, now) /
                                                                             NSEC_PER_USEC;
        put(r, record);
}

static void put_brake(Recovery *r) {
        r->durable.record.kind = STATE_BRAKE;
        r->durable.record.brake = r->brake;
        put(r, &r->durable.record);
}

static void put_past(Recovery *r, const RecoveryPast *past) {
        r->durable.record.kind = STATE_PAST;
        r->durable.record.past = *past;
        put(r, &r->durable.record);
}

void durable_decision(Recovery *r, const RecoveryPast *past) {
        RecoveryUnit *u;

        assert(r);
        assert(past);

        u = past->unit[0] == '\0' ? NULL : registry_unit(&r->registry, past->unit);
        if (u)
                put_unit(r, u);
        put_past(r, past);
        flush(r);
}

void durable_unit(Recovery *r, RecoveryUnit *u) {
        assert(r);
        assert(u);

        put_unit(r, u);
        flush(r);
}

void durable_action_begins(Recovery *r, const Action *a) {
        assert(r);
        assert(a);

        put_unit(r, &r->registry.units[a->unit]);
        put_brake(r);
        put_action(r, a);
        durable_sync(r);
}

void durable_action_goes_on(Recovery *r, const Action *a) {
        assert(r);
        assert(a);

        put_action(r, a);
        flush(r);
}

void durable_action_ends(Recovery *r, const Action *a) {
        StateRecord *record = &r->durable.record;

        assert(r);
        assert(a);

        record->kind = STATE_ACTION_OVER;
        record->over = (uint32_t) (a - r->actions);
        put(r, record);
}

void durable_pauses(Recovery *r) {
        assert(r);

        put_pauses(r);
        flush(r);
}

void durable_brake(Recovery *r) {
        assert(r);

        put_brake(r);
        flush(r);
}

/* ---- The file afresh -------------------------------------------------------------------------------------- */

/* Before each record, so that put() never has to append. */
static int make_room(Durable *d) {
        int k;

        if (d->buffer.size - d->buffer.n >= STATE_RECORD_MAX)
                return 0;
        k = state_file_write(&d->file, d->buffer.data, d->buffer.n);
        d->buffer.n = 0;
        return k;
}

static int write_all(Recovery *r) {
        Durable *d = &r->durable;
        int k;

        put_pauses(r);
        put_brake(r);
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u;
             u = registry_unit_next(&r->registry, u)) {
                k = make_room(d);
                if (k < 0)
                        return k;
                if (!is_worth_keeping(r, u))
                        continue;
                u->saved = 1; /* no sum, but something: it is written again when it changes */
                describe_unit(r, u, &d->record);
                put(r, &d->record);
        }
        for (uint32_t i = 0; i < RECOVERY_ACTIONS_MAX; i++) {
                k = make_room(d);
                if (k < 0)
                        return k;
                if (r->actions[i].phase != ACTION_FREE)
                        put_action(r, &r->actions[i]);
        }
        for (uint32_t i = r->history.n; i > 0; i--) {
                k = make_room(d);
                if (k < 0)
                        return k;
                put_past(r, history_at(&r->history, i - 1));
        }
        return state_file_write(&d->file, d->buffer.data, d->buffer.n);
}

static int rewrite(Recovery *r) {
        Durable *d = &r->durable;
        StateHeader header = { .clock = r->settings.clock, .now = recovery_now(r), .wall = recovery_wall() };
        int k;

        k = state_file_begin(&d->file);
        if (k < 0)
                return k;
        memcpy(header.boot, d->boot, sizeof(header.boot));
        d->error = 0; /* or nothing would be put */
        d->buffer = (StateBuffer){ .data = d->data, .size = sizeof(d->data) };
        state_put_header(&d->buffer, &header);
        k = write_all(r);
        d->buffer.n = 0;
        if (k < 0)
                return k;
        return d->error < 0 ? d->error : state_file_commit(&d->file);
}

void durable_rewrite(Recovery *r) {
        Durable *d = &r->durable;
        uint64_t chain = d->buffer.chain;
        bool had_failed, told;
        int k;

        assert(r);
        assert(state_file_is_open(&d->file));

        had_failed = d->error != 0;
        told = had_failed && !d->tell_error;
        k = rewrite(r);
        if (k < 0)
                state_file_abort(&d->file);
        if (k < 0 && !had_failed && d->file.fd >= 0) {
                d->error = 0;
                d->buffer.chain = chain; /* the old file goes on */
                return;
        }
        d->retry_at = NSEC_INFINITY;
        if (k < 0) {
                failed(r, k);
                d->tell_error = !told;
                return;
        }
        d->tell_error = false;
        if (told)
                report_notice(r, RECORD_STATE, "", "written",
                              "Recovery's state can be written again, and is.");
}

void durable_tick(Recovery *r, nsec_t now) {
        Durable *d = &r->durable;

        assert(r);

        durable_tell_start(r);
        if (!state_file_is_open(&d->file))
                return;
        if (d->error == 0 ? state_file_is_full(&d->file) : d->retry_at <= now)
                durable_rewrite(r);
        if (d->tell_error) {
                d->tell_error = false;
                report_notice(r, RECORD_STATE, "", "not-written",
                              "Recovery's state cannot be written: %s. Back-off, pauses and history are "
                              "kept in "
                              "memory, and end with the observer. It is tried again each minute.",
                              strerror(-d->error));
        }
        recovery_arm(r, d->retry_at);
}

/* ---- Life ------------------------------------------------------------------------------------------------- */

void durable_init(Recovery *r) {
        assert(r);

        r->durable.file = STATE_FILE_INIT;
        r->durable.buffer = (StateBuffer){ .data = r->durable.data, .size = sizeof(r->durable.data) };
        r->durable.retry_at = NSEC_INFINITY;
}

void durable_done(Recovery *r) {
        assert(r);

        state_file_close(&r->durable.file);
}
