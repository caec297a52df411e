/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A state file whose sums are right, of this boot, that says what no observer wrote: no time in it holds a unit up for
 * longer than the configuration does. */

#include <stddef.h>
#include <string.h>

#include "disk.h"
#include "runner.h"

#define U "worker@1.service"

static uint8_t data[16384];
static StateRecord absurd;

typedef struct TimeField {
        const char *title;
        StateKind kind;
        size_t offset; /* in StateRecord, of an nsec_t */
        bool proving;
} TimeField;

static const TimeField time_fields[] = {
        { "the end of a back-off", STATE_UNIT, offsetof(StateRecord, unit.ladder.backoff_until), false },
        { "the end of a hold", STATE_UNIT, offsetof(StateRecord, unit.ladder.hold_until), false },
        { "the end of giving up", STATE_UNIT, offsetof(StateRecord, unit.ladder.gave_up_until), false },
        { "the last trouble", STATE_UNIT, offsetof(StateRecord, unit.ladder.trouble), false },
        { "a restart", STATE_UNIT, offsetof(StateRecord, unit.ladder.restarts[0]), false },
        { "the last action", STATE_UNIT, offsetof(StateRecord, unit.last_action), false },
        { "the beginning of a stall", STATE_UNIT, offsetof(StateRecord, unit.since), false },
        { "the last beat before a stall", STATE_UNIT, offsetof(StateRecord, unit.agent.last_beat), false },
        { "the threshold of a stall", STATE_UNIT, offsetof(StateRecord, unit.agent.threshold), false },
        { "a recovery under the brake", STATE_BRAKE, offsetof(StateRecord, brake.starts[0]), false },
        { "the beginning of an action", STATE_ACTION, offsetof(StateRecord, action.started), false },
        { "the deadline of a job", STATE_ACTION, offsetof(StateRecord, action.deadline), false },
        { "the time of a job", STATE_ACTION, offsetof(StateRecord, action.limit), false },
        { "the last beat before an action", STATE_ACTION, offsetof(StateRecord, action.agent.last_beat),
          false },
        { "the threshold of an action", STATE_ACTION, offsetof(StateRecord, action.agent.threshold), false },
        { "the deadline of a proof", STATE_ACTION, offsetof(StateRecord, action.deadline), true },
        { "the time of a proof", STATE_ACTION, offsetof(StateRecord, action.limit), true },
        { "the threshold of a proof", STATE_ACTION, offsetof(StateRecord, action.agent.threshold), true },
        { "when a decision was made", STATE_PAST, offsetof(StateRecord, past.wall), false },
};

static void put_record(StateBuffer *b, StateKind kind, const TimeField *f, nsec_t value, nsec_t now) {
        absurd = (StateRecord){ .kind = kind };
        switch (kind) {
        case STATE_UNIT:
                absurd.unit = (StateUnit){ .name = U,
                                           .ladder = { .attempt = 1, .n = 1, .restarts = { now } },
                                           .stalled = true,
                                           .agent = { .pid = 1001, .origin = ORIGIN_KERNEL_ATTESTED },
                                           .refusal = _RECOVERY_REFUSAL_INVALID,
                                           .since = now };
                break;
        case STATE_BRAKE:
                absurd.brake = (Brake){ .n = 1, .starts = { now } };
                break;
        case STATE_ACTION:
                absurd.action = (StateAction){ .unit = U,
                                               .target = U,
                                               .agent = { .pid = 1001, .origin = ORIGIN_KERNEL_ATTESTED },
                                               .attempt = 1,
                                               .started = now,
                                               .deadline = now + NSEC_PER_SEC,
                                               .limit = NSEC_PER_SEC,
                                               .proving = f->proving };
                break;
        default:
                absurd.past = (RecoveryPast){ .kind = RECORD_STARTED, .unit = U, .reason = "silent" };
        }
        if (kind == f->kind)
                *(nsec_t *) ((uint8_t *) &absurd + f->offset) = value;
        ck_assert_int_eq(state_put(b, &absurd), 0);
}

static void place_absurd(Disk *d, const TimeField *f, nsec_t value) {
        static const StateKind kinds[] = { STATE_UNIT, STATE_BRAKE, STATE_ACTION, STATE_PAST };
        StateBuffer b = { .data = data, .size = sizeof(data) };
        StateHeader header = { .clock = CLOCK_MONOTONIC, .now = d->w.now };

        memcpy(header.boot, d->w.recovery->durable.boot, sizeof(header.boot));
        world_kill(&d->w);
        state_put_header(&b, &header);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                put_record(&b, kinds[i], f, value, d->w.now);
        disk_clear(d);
        disk_write(d, STATE_FILE_NAME, data, b.n);
}

/* What a new one would get is the most that anything gets. */
static void check_times(const Disk *d, const TimeField *f, const char *value) {
        const UnitPolicy policy = world_policy();
        const Recovery *r = d->w.recovery;
        const RecoveryUnit *u = registry_unit(&r->registry, U);
        nsec_t now = d->w.now, last_backoff = now + policy.restart_backoff.max;
        const RecoveryStall *s = &r->registry.stalls[u->own_stall];
        const Action *a = &r->actions[u->action];

        ck_assert_msg(u->ladder.backoff_until <= last_backoff && u->ladder.hold_until <= last_backoff &&
                                      u->ladder.gave_up_until <= now + policy.restart_limit.span &&
                                      u->ladder.trouble <= now && u->ladder.restarts[0] <= now &&
                                      u->last_action <= now,
                      "%s, %s: the unit", f->title, value);
        ck_assert_msg(s->since <= now && s->agent.last_beat <= now &&
                                      s->agent.threshold == policy.stall_threshold,
                      "%s, %s: the stall", f->title, value);
        ck_assert_msg(r->brake.starts[0] <= now, "%s, %s: the brake", f->title, value);
        ck_assert_msg(a->started <= now && a->agent.last_beat <= now, "%s, %s: the action", f->title, value);
        ck_assert_msg(a->deadline <= now + (f->proving ? action_proof_time(&policy) : NSEC_PER_DAY) &&
                                      a->limit <= (f->proving ? action_proof_time(&policy) : NSEC_PER_DAY),
                      "%s, %s: the deadline", f->title, value);
        ck_assert_msg(!f->proving || a->deadline >= now + policy.stall_threshold,
                      "%s, %s: no time for a proof", f->title, value);
}

START_TEST(test_absurd_times) {
        static const struct {
                const char *title;
                nsec_t value;
                bool relative;
        } values[] = {
                { "zero", 0, false },
                { "long past", 1, false },
                { "a year from now", 365 * NSEC_PER_DAY, true },
                { "the last moment but one", NSEC_INFINITY - 1, false },
                { "infinity", NSEC_INFINITY, false },
        };
        Disk d;

        disk_init(&d);
        for (size_t i = 0; i < ELEMENTSOF(time_fields); i++)
                for (size_t k = 0; k < ELEMENTSOF(values); k++) {
                        const TimeField *f = &time_fields[i];

                        place_absurd(&d, f, values[k].value + (values[k].relative ? d.w.now : 0));
                        disk_revive_at_once(&d);
                        ck_assert_uint_eq(recovery_in_flight(d.w.recovery), 1);
                        check_times(&d, f, values[k].title);
                        /* And what follows: nobody answers, its time comes, and the unit is free again. */
                        d.w.now += NSEC_PER_DAY;
                        action_tick(d.w.recovery, d.w.now);
                        d.w.now += NSEC_PER_MINUTE;
                        action_tick(d.w.recovery, d.w.now);
                        ck_assert_msg(recovery_in_flight(d.w.recovery) == 0, "%s, %s: still in flight",
                                      f->title, values[k].title);
                        d.w.n_records = 0;
                }
        disk_done(&d);
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_absurd_times };

        return run_tests("recovery-absurd", tests, ELEMENTSOF(tests));
}
