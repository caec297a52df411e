/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each gate by itself, their order, and what brings a stall before them again. */

#include <string.h>

#include "recovery/gates.h"
#include "runner.h"

#define NOW (1000 * NSEC_PER_SEC)

/* A stall that every gate lets pass. */
static GateFacts passing(void) {
        return (GateFacts){
                .now = NOW,
                .recheck = 5 * NSEC_PER_SEC,
                .mode = UNIT_MODE_ENFORCE,
                .has_agent = true,
                .origin = ORIGIN_KERNEL_ATTESTED,
                .confirmed = true,
                .has_unit = true,
                .eligible = true,
                .unit_known = true,
                .active_state = ACTIVE_STATE_ACTIVE,
                .quorum = { .value = 1 },
                .agents = 4,
                .stalled = 1,
        };
}

/* Makes one gate hold: those that look at who it is, ... */
static void hold_identity(GateFacts *f, RecoveryRefusal refusal) {
        switch (refusal) {
        case REFUSAL_MODE_OFF:
                f->mode = UNIT_MODE_OFF;
                break;
        case REFUSAL_MODE_WARN:
                f->mode = UNIT_MODE_WARN;
                break;
        case REFUSAL_UNAUTHENTICATED_TRANSPORT:
                f->origin = ORIGIN_NETWORK_UNVERIFIED;
                break;
        case REFUSAL_SOCKET_MODE_ONLY:
                f->origin = ORIGIN_SOCKET_MODE_ONLY;
                break;
        case REFUSAL_CROSS_NAMESPACE:
                f->foreign_namespace = true;
                break;
        case REFUSAL_UNCONFIRMED:
                f->confirmed = false;
                break;
        case REFUSAL_PROCESS_CHANGED:
                f->process_changed = true;
                break;
        case REFUSAL_NO_UNIT:
                f->has_unit = false;
                break;
        case REFUSAL_NOT_ELIGIBLE:
                f->eligible = false;
                break;
        case REFUSAL_RESUMED:
                f->resumed = true;
                break;
        default:
                ck_abort_msg("no such gate");
        }
}

/* ... and those that look at how things stand. */
static void hold_moment(GateFacts *f, RecoveryRefusal refusal) {
        switch (refusal) {
        case REFUSAL_PAUSED:
                f->paused_until = NOW + NSEC_PER_HOUR;
                break;
        case REFUSAL_TRACED:
                f->traced = true;
                break;
        case REFUSAL_FROZEN:
                f->frozen = true;
                break;
        case REFUSAL_UNIT_NOT_ACTIVE:
                f->active_state = ACTIVE_STATE_INACTIVE;
                break;
        case REFUSAL_QUORUM:
                f->quorum = (Quorum){ .value = 2 };
                break;
        case REFUSAL_GRACE:
                f->grace_until = NOW + 3 * NSEC_PER_SEC;
                break;
        case REFUSAL_HOST_STARVED:
                f->host_starved = true;
                break;
        case REFUSAL_BACKOFF:
                f->backoff_until = NOW + 4 * NSEC_PER_SEC;
                break;
        case REFUSAL_GAVE_UP:
                f->gave_up_until = NOW + NSEC_PER_MINUTE;
                break;
        case REFUSAL_STORM:
                f->storm_until = NOW + 2 * NSEC_PER_SEC;
                break;
        case REFUSAL_IN_FLIGHT:
                f->in_flight = true;
                break;
        case REFUSAL_CAPACITY:
                f->capacity = true;
                break;
        default:
                ck_abort_msg("no such gate");
        }
}

static void hold(GateFacts *f, RecoveryRefusal refusal) {
        (refusal <= REFUSAL_RESUMED ? hold_identity : hold_moment)(f, refusal);
}

START_TEST(test_nothing_holds) {
        GateFacts facts = passing();
        GateDecision decision;

        ck_assert_int_eq(gates_judge(&facts, &decision), GATE_PASS);
}
END_TEST

START_TEST(test_each_gate_alone) {
        static const struct {
                RecoveryRefusal refusal;
                RecoveryAgain again;
                nsec_t again_at;
        } rows[] = {
                { REFUSAL_MODE_OFF, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_MODE_WARN, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_UNAUTHENTICATED_TRANSPORT, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_SOCKET_MODE_ONLY, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_CROSS_NAMESPACE, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_UNCONFIRMED, AGAIN_BEAT, NSEC_INFINITY },
                { REFUSAL_PROCESS_CHANGED, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_NO_UNIT, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_NOT_ELIGIBLE, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_RESUMED, AGAIN_NEVER, NSEC_INFINITY },
                { REFUSAL_PAUSED, AGAIN_AT, NOW + NSEC_PER_HOUR },
                { REFUSAL_TRACED, AGAIN_RECHECK, NOW + 5 * NSEC_PER_SEC },
                { REFUSAL_FROZEN, AGAIN_RECHECK, NOW + 5 * NSEC_PER_SEC },
                { REFUSAL_UNIT_NOT_ACTIVE, AGAIN_UNIT_CHANGE, NSEC_INFINITY },
                { REFUSAL_QUORUM, AGAIN_AGENTS, NSEC_INFINITY },
                { REFUSAL_GRACE, AGAIN_AT, NOW + 3 * NSEC_PER_SEC },
                { REFUSAL_HOST_STARVED, AGAIN_RECHECK, NOW + NSEC_PER_SEC },
                { REFUSAL_BACKOFF, AGAIN_AT, NOW + 4 * NSEC_PER_SEC },
                { REFUSAL_GAVE_UP, AGAIN_AT, NOW + NSEC_PER_MINUTE },
                { REFUSAL_STORM, AGAIN_AT, NOW + 2 * NSEC_PER_SEC },
                { REFUSAL_IN_FLIGHT, AGAIN_OTHER_ENDS, NSEC_INFINITY },
                { REFUSAL_CAPACITY, AGAIN_OTHER_ENDS, NSEC_INFINITY },
        };

        ck_assert_uint_eq(ELEMENTSOF(rows), _RECOVERY_REFUSAL_MAX);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *title = recovery_refusal_to_string(rows[i].refusal);
                GateFacts facts = passing();
                GateDecision d;

                hold(&facts, rows[i].refusal);
                ck_assert_msg(gates_judge(&facts, &d) == GATE_REFUSED, "%s does not hold", title);
                ck_assert_msg(d.refusal == rows[i].refusal, "%s was called %s", title,
                              recovery_refusal_to_string(d.refusal));
                ck_assert_msg(d.again == rows[i].again, "%s: judged again by %s", title,
                              recovery_again_to_string(d.again));
                ck_assert_msg(d.again_at == rows[i].again_at, "%s: judged again at the wrong moment", title);
        }
}
END_TEST

/* Two gates hold: the earlier one is the reason, for every pair. Modes and origins exclude each other. */
START_TEST(test_order) {
        for (RecoveryRefusal a = 0; a < _RECOVERY_REFUSAL_MAX; a++)
                for (RecoveryRefusal b = a + 1; b < _RECOVERY_REFUSAL_MAX; b++) {
                        GateFacts facts = passing();
                        GateDecision d;

                        if (a == REFUSAL_UNIT_NOT_ACTIVE && b == REFUSAL_IN_FLIGHT)
                                continue; /* what systemd says is our own doing then: a case of its own below */
                        hold(&facts, b);
                        hold(&facts, a);
                        ck_assert_int_eq(gates_judge(&facts, &d), GATE_REFUSED);
                        ck_assert_msg(d.refusal == a, "%s before %s, but it was called %s",
                                      recovery_refusal_to_string(a), recovery_refusal_to_string(b),
                                      recovery_refusal_to_string(d.refusal));
                }
}
END_TEST

/* Before systemd was asked. */
START_TEST(test_unit_unknown) {
        for (RecoveryRefusal i = 0; i < _RECOVERY_REFUSAL_MAX; i++) {
                GateFacts facts = passing();
                GateVerdict verdict;
                GateDecision d;

                facts.unit_known = false;
                facts.active_state = ACTIVE_STATE_UNKNOWN;
                hold(&facts, i);
                verdict = gates_judge(&facts, &d);
                ck_assert_msg(verdict == (i <= REFUSAL_NOT_ELIGIBLE || i == REFUSAL_IN_FLIGHT
                                                          ? GATE_REFUSED
                                                          : GATE_NEED_UNIT),
                              "%s", recovery_refusal_to_string(i));
        }
}
END_TEST

typedef struct Case {
        const char *title;
        void (*change)(GateFacts *f);
        GateVerdict verdict;
        RecoveryRefusal refusal;
} Case;

static void change_job(GateFacts *f) {
        f->has_job = true;
}
static void change_reloading(GateFacts *f) {
        f->active_state = ACTIVE_STATE_RELOADING;
}
static void change_activating(GateFacts *f) {
        f->active_state = ACTIVE_STATE_ACTIVATING;
}
static void change_deactivating(GateFacts *f) {
        f->active_state = ACTIVE_STATE_DEACTIVATING;
}
static void change_failed(GateFacts *f) {
        f->active_state = ACTIVE_STATE_FAILED;
}
static void change_unknown(GateFacts *f) {
        f->active_state = ACTIVE_STATE_UNKNOWN;
}
static void change_invocation(GateFacts *f) {
        f->invocation_changed = true;
}
static void change_refuses(GateFacts *f) {
        f->refuses_manual = true;
}
static void change_unit_grace(GateFacts *f) {
        f->unit_grace_until = NOW + 1;
}
static void change_over(GateFacts *f) {
        f->unit_grace_until = f->grace_until = f->backoff_until = f->gave_up_until = f->storm_until = NOW;
        f->paused_until = NOW;
}
static void change_operator(GateFacts *f) {
        f->origin = ORIGIN_OPERATOR_ATTESTED;
        f->confirmed = false;
}
static void change_allowed_namespace(GateFacts *f) {
        f->foreign_namespace = f->allow_cross_namespace = true;
}
static void change_never_beat(GateFacts *f) {
        f->has_agent = f->confirmed = false;
        f->origin = ORIGIN_NETWORK_UNVERIFIED;
        f->agents = f->stalled = 0;
}
static void change_own_job(GateFacts *f) {
        f->in_flight = f->has_job = f->invocation_changed = true;
        f->active_state = ACTIVE_STATE_DEACTIVATING;
        f->unit_grace_until = NSEC_INFINITY;
}
static void change_spent(GateFacts *f) {
        f->limit_spent = true;
        f->limit_span = NSEC_PER_MINUTE;
}
static void change_paused_for_ever(GateFacts *f) {
        f->paused_until = NSEC_INFINITY;
}

START_TEST(test_cases) {
        static const Case rows[] = {
                { "a job of somebody is queued", change_job, GATE_REFUSED, REFUSAL_UNIT_NOT_ACTIVE },
                { "the unit reloads", change_reloading, GATE_REFUSED, REFUSAL_UNIT_NOT_ACTIVE },
                { "the unit starts", change_activating, GATE_REFUSED, REFUSAL_UNIT_NOT_ACTIVE },
                { "the unit stops", change_deactivating, GATE_REFUSED, REFUSAL_UNIT_NOT_ACTIVE },
                { "the unit has failed", change_failed, GATE_REFUSED, REFUSAL_UNIT_NOT_ACTIVE },
                { "a state that nobody knows", change_unknown, GATE_REFUSED, REFUSAL_UNIT_NOT_ACTIVE },
                { "somebody restarted it", change_invocation, GATE_REFUSED, REFUSAL_PROCESS_CHANGED },
                { "RefuseManualStop=", change_refuses, GATE_REFUSED, REFUSAL_NOT_ELIGIBLE },
                { "the unit's own grace", change_unit_grace, GATE_REFUSED, REFUSAL_GRACE },
                { "a moment that is now is over", change_over, GATE_PASS, 0 },
                { "the operator vouches: no second beat needed", change_operator, GATE_PASS, 0 },
                { "a container's agent, allowed", change_allowed_namespace, GATE_PASS, 0 },
                { "a unit that never beat has no agent to judge", change_never_beat, GATE_PASS, 0 },
                { "our own job is not somebody's", change_own_job, GATE_REFUSED, REFUSAL_IN_FLIGHT },
                { "the last restart of the limit is used up", change_spent, GATE_REFUSED, REFUSAL_GAVE_UP },
                { "paused without an end", change_paused_for_ever, GATE_REFUSED, REFUSAL_PAUSED },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                GateFacts facts = passing();
                GateDecision d = {};

                rows[i].change(&facts);
                ck_assert_msg(gates_judge(&facts, &d) == rows[i].verdict, "%s", rows[i].title);
                ck_assert_msg(rows[i].verdict != GATE_REFUSED || d.refusal == rows[i].refusal,
                              "%s: it is %s", rows[i].title, recovery_refusal_to_string(d.refusal));
        }
}
END_TEST

START_TEST(test_quorum) {
        static const struct {
                const char *title;
                Quorum quorum;
                uint32_t agents, stalled;
                bool reached;
        } rows[] = {
                { "one of one", { false, 1 }, 1, 1, true },
                { "one of many", { false, 1 }, 10, 1, true },
                { "two are asked for", { false, 2 }, 10, 1, false },
                { "two of two", { false, 2 }, 2, 2, true },
                { "more are asked for than there are: all of them", { false, 5 }, 3, 3, true },
                { "more are asked for than there are, and not all", { false, 5 }, 3, 2, false },
                { "four of ten are not half", { true, 50 }, 10, 4, false },
                { "five of ten are half", { true, 50 }, 10, 5, true },
                { "one of three is not half", { true, 50 }, 3, 1, false },
                { "two of three are more than half", { true, 50 }, 3, 2, true },
                { "all", { true, 100 }, 10, 10, true },
                { "all but one", { true, 100 }, 10, 9, false },
                { "one per cent of a thousand", { true, 1 }, 1000, 10, true },
                { "no agents at all", { true, 100 }, 0, 0, true },
                { "large numbers do not overflow", { true, 100 }, UINT32_MAX, UINT32_MAX, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                ck_assert_msg(quorum_reached(&rows[i].quorum, rows[i].agents, rows[i].stalled) ==
                                              rows[i].reached,
                              "%s", rows[i].title);
}
END_TEST

START_TEST(test_active_states) {
        for (ActiveState i = 0; i < _ACTIVE_STATE_MAX; i++)
                ck_assert_int_eq(active_state_from_string(active_state_to_string(i)), i);
        ck_assert_int_eq(active_state_from_string("refreshing"), ACTIVE_STATE_UNKNOWN);
        ck_assert_ptr_null(active_state_to_string(_ACTIVE_STATE_MAX));
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_nothing_holds, test_each_gate_alone, test_order,         test_unit_unknown,
                test_cases,         test_quorum,          test_active_states,
        };

        return run_tests("recovery-gates", tests, ELEMENTSOF(tests));
}
