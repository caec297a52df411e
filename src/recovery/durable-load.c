/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The way back: what an observer before this one left in the state directory comes into force.
 *
 * The file is read twice. The first time only to the end, because a file that is damaged anywhere is not believed
 * anywhere (state.c says why), and then nothing may have happened on its account. Whatever is found, a fresh file takes
 * its place at once: so what is appended is never behind something doubtful.
 *
 * Moments are of the observer's clock, which goes on as long as the host does, whoever looks at it. If ClockSource= was
 * changed meanwhile, they are moved by what the two clocks differ in. A moment that has to lie in the past and does not
 * is taken for now: it can only come from a clock that was tampered with, and must not hold anything up. Likewise a moment
 * to come: however true the file's sums are, nothing in it holds a unit up for longer than the configuration would do
 * now. Only pauses are believed, whatever they say: operators choose their ends freely, see them and can take them back.
 *
 * Nothing is told from here: whoever would hear it is still being made. See durable_tell_start().
 */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recovery/recovery-private.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

/* The most that RecoveryTimeoutSec= allows: for jobs whose time the unit's own timeouts set, until they are read. */
#define JOB_TIME_MAX NSEC_PER_DAY

/* A proof that was awaited: agents need this long to be heard by a new observer, at least. */
#define PROOF_AGAIN (5 * NSEC_PER_SEC)

typedef struct Loader {
        Recovery *recovery;
        nsec_t now;
        bool same_boot;
        bool later; /* `shift` is to be added, else taken away */
        nsec_t shift;
        StateAction actions[STATE_ACTIONS_MAX];
        bool in_flight[STATE_ACTIONS_MAX];
} Loader;

/* ---- Time ------------------------------------------------------------------------------------------------- */

static nsec_t clock_now(clockid_t clock) {
        struct timespec ts = {};

        (void) clock_gettime(clock, &ts);
        return (nsec_t) ts.tv_sec * NSEC_PER_SEC + (nsec_t) ts.tv_nsec;
}

static void prepare_shift(Loader *l, clockid_t clock) {
        if (clock == l->recovery->settings.clock)
                return;
        l->shift = nsec_sub(clock_now(CLOCK_BOOTTIME), clock_now(CLOCK_MONOTONIC));
        l->later = l->recovery->settings.clock == CLOCK_BOOTTIME;
}

/* "None" and "never" stay what they are. */
static nsec_t moment(const Loader *l, nsec_t t) {
        if (t == 0 || t == NSEC_INFINITY)
                return t;
        return l->later ? nsec_add(t, l->shift) : MAX(nsec_sub(t, l->shift), (nsec_t) 1);
}

static nsec_t past(const Loader *l, nsec_t t) {
        return MIN(moment(l, t), l->now);
}

/* Not further away than `most`. 0 is none. */
static nsec_t soon(const Loader *l, nsec_t t, nsec_t most) {
        return MIN(moment(l, t), nsec_add(l->now, most));
}

static void ring_past(const Loader *l, nsec_t *ring, uint32_t n) {
        for (uint32_t i = 0; i < n; i++)
                ring[i] = past(l, ring[i]);
}

/* The kernel's name for this boot; all zero when it does not tell. */
static void read_boot_id(const Recovery *r, uint8_t boot[STATE_BOOT_SIZE]) {
        char text[64];
        size_t n = 0;

        memset(boot, 0, STATE_BOOT_SIZE);
        if (recovery_read_text(r, BOOT_ID_PATH, text, sizeof(text)) < 0)
                return;
        for (const char *p = text; *p && n < 2 * STATE_BOOT_SIZE; p++) {
                static const char digits[] = "0123456789abcdef";
                const char *digit = strchr(digits, *p);

                if (!digit)
                        continue;
                boot[n / 2] = (uint8_t) (boot[n / 2] << 4 | (digit - digits));
                n++;
        }
        if (n < 2 * STATE_BOOT_SIZE)
                memset(boot, 0, STATE_BOOT_SIZE);
}

/* ---- What is in the file ---------------------------------------------------------------------------------- */

/* As the unit's own: to this observer there is no agent. */
static void load_stall(const Loader *l, RecoveryUnit *u, const StateUnit *s, const UnitPolicy *policy) {
        Recovery *r = l->recovery;
        AgentInfo agent = s->agent;
        RecoveryStall *stall;

        agent.confirmed = true;
        agent.threshold = policy->stall_threshold;
        agent.last_beat = past(l, agent.last_beat);
        stall = registry_stall_add(&r->registry, &agent, s->reason, u);
        if (!stall)
                return;
        stall->since = past(l, s->since);
        stall->decided = true;
        stall->refusal = s->refusal;
        /* It has the same grace as every other verdict after our start. */
        registry_stall_rest(&r->registry, stall, AGAIN_AT, nsec_add(l->now, agent.threshold));
}

static void load_unit(Loader *l, const StateUnit *s) {
        Recovery *r = l->recovery;
        UnitPolicy policy;
        RecoveryUnit *u;

        u = registry_unit_take(&r->registry, s->name, l->now);
        if (!u)
                return; /* more units than there may be: the first ones win */
        r->hooks.policy(r->userdata, u->name, &policy);
        u->ladder = s->ladder;
        u->ladder.backoff_until = soon(l, s->ladder.backoff_until, policy.restart_backoff.max);
        u->ladder.hold_until = soon(l, s->ladder.hold_until, policy.restart_backoff.max);
        u->ladder.gave_up_until = soon(l, s->ladder.gave_up_until, policy.restart_limit.span);
        u->ladder.trouble = past(l, s->ladder.trouble);
        ring_past(l, u->ladder.restarts, u->ladder.n);
        u->restarts = s->restarts;
        u->last_outcome = s->last_outcome;
        u->last_action = past(l, s->last_action);
        u->saved = 1;

        if (u->own_stall != REGISTRY_NONE)
                registry_stall_remove(&r->registry, &r->registry.stalls[u->own_stall]);
        if (s->stalled && l->same_boot)
                load_stall(l, u, s, &policy);
}

/* The host was restarted: what is left of a pause is so by the wall clock, and not more than there was when it was
 * written, should that clock have gone back. */
static nsec_t pause_end(const Loader *l, const StatePauses *p, uint32_t i) {
        usec_t wall = recovery_wall(), left;

        if (l->same_boot)
                return moment(l, p->list.entries[i].until);
        if (p->ends[i] == USEC_INFINITY)
                return NSEC_INFINITY;
        left = p->ends[i] > wall ? p->ends[i] - wall : 0;
        left = MIN(left, p->ends[i] > p->wall ? p->ends[i] - p->wall : 0);
        return nsec_add(l->now, left > NSEC_INFINITY / NSEC_PER_USEC ? NSEC_INFINITY : left * NSEC_PER_USEC);
}

static void load_pauses(Loader *l, const StatePauses *p) {
        Pauses *pauses = &l->recovery->pauses;

        pauses->n = 0;
        for (uint32_t i = 0; i < p->list.n; i++) {
                Pause pause = p->list.entries[i];

                if (pause.kind == PAUSE_PID && !l->same_boot)
                        continue;
                pause.until = pause_end(l, p, i);
                (void) pauses_add(pauses, &pause);
        }
}

static void load_record(Loader *l, const StateRecord *record) {
        Recovery *r = l->recovery;

        switch (record->kind) {
        case STATE_UNIT:
                load_unit(l, &record->unit);
                break;
        case STATE_PAUSES:
                load_pauses(l, &record->pauses);
                break;
        case STATE_BRAKE:
                if (!l->same_boot)
                        break;
                r->brake = record->brake;
                ring_past(l, r->brake.starts, r->brake.n);
                break;
        case STATE_ACTION:
                l->actions[record->action.place] = record->action;
                l->in_flight[record->action.place] = true;
                break;
        case STATE_ACTION_OVER:
                l->in_flight[record->over] = false;
                break;
        case STATE_PAST:
                *history_add(&r->history) = record->past;
                break;
        default:
                break;
        }
}

/* ---- What follows from it --------------------------------------------------------------------------------- */

/* The same moment as AgentInfo.generation has it: clock ticks since boot. */
static uint64_t to_ticks(const Loader *l, nsec_t t) {
        long hz = sysconf(_SC_CLK_TCK);
        nsec_t at = nsec_sub(clock_now(CLOCK_BOOTTIME), nsec_sub(l->now, t));
        nsec_t tick = NSEC_PER_SEC / (nsec_t) (hz > 0 ? hz : 100);

        return MAX(at / tick, (nsec_t) 1);
}

/* The deadline that an action had is its own, within what a new one would get. */
static void restore_deadline(const Loader *l, Action *a, const StateAction *s) {
        const Recovery *r = l->recovery;
        nsec_t most = r->settings.recovery_timeout > 0 ? r->settings.recovery_timeout : JOB_TIME_MAX;
        UnitPolicy policy;

        if (s->proving) {
                r->hooks.policy(r->userdata, s->unit, &policy);
                most = action_proof_time(&policy);
        }
        a->limit = MIN(s->limit, most);
        a->deadline = soon(l, s->deadline, most);
        if (s->proving) {
                nsec_t patience = MAX(policy.stall_threshold, PROOF_AGAIN);

                a->deadline = MAX(a->deadline, nsec_add(l->now, patience));
        }
}

static void restore_action(Loader *l, const StateAction *s) {
        Recovery *r = l->recovery;
        RecoveryUnit *u = registry_unit_take(&r->registry, s->unit, l->now);
        Action *a;

        if (!u || u->action != REGISTRY_NONE || r->actions_used == RECOVERY_ACTIONS_MAX)
                return; /* two for one unit, or too many: not what any observer has written */
        u->action = r->actions_used++;
        a = &r->actions[u->action];
        *a = (Action){
                .recovery = r,
                .phase = s->proving ? ACTION_PROVING : ACTION_SETTLING,
                .unit = registry_unit_number(&r->registry, u),
                .agent = s->agent,
                .reason = s->reason,
                .attempt = s->attempt,
                .verb = s->verb,
                .started = past(l, s->started),
                .look_at = NSEC_INFINITY,
                .accepted = s->accepted,
                .restarted = s->restarted,
                .deferred = s->deferred,
                .by_hand = s->by_hand,
                .overtaken = s->overtaken || !l->same_boot,
        };
        a->agent.last_beat = past(l, s->agent.last_beat);
        if (u->own_stall != REGISTRY_NONE)
                registry_stall_rest(&r->registry, &r->registry.stalls[u->own_stall], AGAIN_OTHER_ENDS,
                                    NSEC_INFINITY);
        memcpy(a->target, s->target, sizeof(a->target));
        memcpy(a->before, s->before, INVOCATION_ID_SIZE);
        memcpy(a->after, s->after, INVOCATION_ID_SIZE);
        a->proof_after = to_ticks(l, a->started);
        restore_deadline(l, a, s);
        recovery_arm(r, a->overtaken ? l->now : a->deadline);
}

/* The units were all started anew. One that was given up is told of when there is somebody to tell. */
static void forget_boot(Recovery *r) {
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u;
             u = registry_unit_next(&r->registry, u)) {
                bool gave_up = u->ladder.gave_up_until > 0;

                u->ladder = (Ladder){ .gave_up_until = gave_up ? NSEC_INFINITY : 0 };
                u->restarts = 0;
                u->last_action = 0;
                u->last_outcome = _RECOVERY_OUTCOME_INVALID;
        }
}

static void settle(Loader *l) {
        Recovery *r = l->recovery;

        for (uint32_t i = 0; i < STATE_ACTIONS_MAX; i++)
                if (l->in_flight[i])
                        restore_action(l, &l->actions[i]);
        r->durable.rebooted = !l->same_boot;
        if (r->durable.rebooted)
                forget_boot(r);
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                judge_schedule(r, u);
        /* Processes may have exited, and pauses ended, while nobody looked. */
        if (r->pauses.n > 0) {
                r->pauses_next = l->now;
                recovery_arm(r, l->now);
        }
        r->braked = brake_until(&r->brake, &r->settings.storm_limit, l->now) > 0;
}

/* ---- The file --------------------------------------------------------------------------------------------- */

static StateVerdict check(Recovery *r, const uint8_t *data, size_t size, StateHeader *ret) {
        StateVerdict verdict;
        StateReader reader;

        verdict = state_reader_init(&reader, data, size, ret);
        while (verdict == STATE_OK)
                verdict = state_next(&reader, &r->durable.record);
        return verdict;
}

/* Returns 0, -ENOMEM. */
static int load_all(Recovery *r, const StateHeader *header, const uint8_t *data, size_t size) {
        static const uint8_t unknown[STATE_BOOT_SIZE];
        _cleanup_free_ Loader *l = NULL;
        StateReader reader;
        StateHeader again;

        l = calloc(1, sizeof(Loader));
        if (!l)
                return -ENOMEM;
        l->recovery = r;
        l->now = recovery_now(r);
        l->same_boot = memcmp(header->boot, r->durable.boot, STATE_BOOT_SIZE) == 0 &&
                       memcmp(header->boot, unknown, STATE_BOOT_SIZE) != 0;
        prepare_shift(l, header->clock);
        if (state_reader_init(&reader, data, size, &again) == STATE_OK)
                while (state_next(&reader, &r->durable.record) == STATE_OK)
                        load_record(l, &r->durable.record);
        settle(l);
        return 0;
}

static const char *why_not_read(int error) {
        switch (error) {
        case -ELOOP:
                return "it is a link";
        case -EBADF:
                return "it is no regular file";
        case -EPERM:
                return "it belongs to somebody else, or others may write to it";
        case -EFBIG:
                return "it is too large";
        default:
                return strerror(-error);
        }
}

static int load_file(Recovery *r, const char **ret_why) {
        static const char *const whys[_STATE_VERDICT_MAX] = {
                [STATE_TORN] = "its last record is torn",
                [STATE_DAMAGED] = "it is damaged",
                [STATE_STRANGE] = "it is something else",
                [STATE_VERSION_UNKNOWN] = "it was written by another version of Varta",
        };
        _cleanup_free_ uint8_t *data = NULL;
        StateHeader header = {};
        StateVerdict verdict;
        size_t size = 0;
        int k;

        *ret_why = NULL;
        k = state_file_load(&r->durable.file, &data, &size);
        if (k == -ENOENT || k == -ENOMEM)
                return k == -ENOENT ? 0 : k;
        if (k < 0) {
                *ret_why = why_not_read(k);
                return 0;
        }
        verdict = check(r, data, size, &header);
        *ret_why = whys[verdict];
        r->durable.torn = verdict == STATE_TORN && size >= STATE_HEADER_SIZE;
        if (verdict == STATE_END || r->durable.torn)
                return load_all(r, &header, data, size);
        return 0;
}

int durable_start(Recovery *r, int dir_fd) {
        Durable *d = &r->durable;
        int k;

        assert(r);

        if (dir_fd < 0)
                return 0;
        d->unusable = state_file_open(&d->file, dir_fd);
        if (d->unusable < 0) {
                recovery_arm(r, recovery_now(r));
                return 0;
        }
        read_boot_id(r, d->boot);
        k = load_file(r, &d->set_aside);
        if (k < 0)
                return k;
        if (d->set_aside) {
                d->unusable = state_file_set_aside(&d->file);
                recovery_arm(r, recovery_now(r));
        }
        if (d->unusable < 0)
                state_file_close(&d->file);
        else
                durable_rewrite(r);
        return 0;
}

/* ---- Telling ---------------------------------------------------------------------------------------------- */

static const char *why_unusable(int error) {
        switch (error) {
        case -EPERM:
                return "it belongs to somebody else, or others may write to it";
        case -EBUSY:
                return "another observer uses it";
        default:
                return strerror(-error);
        }
}

void durable_tell_start(Recovery *r) {
        Durable *d = &r->durable;

        assert(r);

        if (d->set_aside && d->unusable >= 0)
                report_notice(r, RECORD_STATE, "", "set-aside",
                              "The file of recovery's state, " STATE_FILE_NAME
                              ", was set aside as " STATE_FILE_ASIDE ": %s. %s",
                              d->set_aside,
                              d->torn ? "What it held before that is in force."
                                      : "Nothing of it is in force: back-off, pauses and history begin "
                                        "anew.");
        d->set_aside = NULL;
        if (d->unusable < 0)
                report_notice(r, RECORD_STATE, "", "unusable",
                              "The state directory cannot be used: %s. Back-off, pauses and history are "
                              "kept in "
                              "memory, and end with the observer.",
                              why_unusable(d->unusable));
        d->unusable = 0;
        if (!d->rebooted)
                return;
        d->rebooted = false;
        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                if (u->ladder.gave_up_until > 0)
                        hand_leave_gave_up(r, u, "restarted", "the host was restarted.");
}
