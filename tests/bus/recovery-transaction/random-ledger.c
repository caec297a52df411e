/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The ledger: every record of recovery is entered as it comes, and has to agree with those before it and with what is
 * true. What it knows of back-off and limits it reckons from the records' own times and the policy, by rules of its
 * own.
 */

#include <assert.h>
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "random.h"

/* A spell without trouble of so many times the back-off's cap forgets the attempts before it. */
#define HEALTHY_FACTOR 10U

/* RecoveryTimeoutSec=auto for these units: 90 s to stop, 90 s to start, 10 s. */
#define AUTO_TIMEOUT (190 * NSEC_PER_SEC)

/* What has to be true for an outcome to be said: one of these at least... */
static const unsigned outcome_truths[_RECOVERY_OUTCOME_MAX] = {
        [OUTCOME_RECOVERED] = TRUTH_BEAT,
        [OUTCOME_NO_BEAT] = TRUTH_RESTARTED,
        [OUTCOME_STOPPED_MEANWHILE] = TRUTH_DOWN,
        [OUTCOME_JOB_FAILED] =
                        TRUTH_FAILED | TRUTH_GONE, /* it was gone when it was asked for, and is back */
        [OUTCOME_JOB_CANCELED] = TRUTH_CANCELED | TRUTH_LOST,
        [OUTCOME_TIMEOUT] = TRUTH_TIMEOUT,
        [OUTCOME_START_LIMIT_HIT] = TRUTH_LIMIT,
        [OUTCOME_ACCESS_DENIED] = TRUTH_DENIED,
        [OUTCOME_UNIT_GONE] = TRUTH_GONE,
        [OUTCOME_BUS_LOST] = TRUTH_LOST,
};

/* ... and how the ladder takes it: 1 a rung, 0 none, -1 as the call went. */
static const int outcome_rungs[_RECOVERY_OUTCOME_MAX] = {
        [OUTCOME_RECOVERED] = 1,        [OUTCOME_NO_BEAT] = 1,      [OUTCOME_STOPPED_MEANWHILE] = 0,
        [OUTCOME_JOB_FAILED] = -1,      [OUTCOME_JOB_CANCELED] = 0, [OUTCOME_TIMEOUT] = -1,
        [OUTCOME_ACCESS_DENIED] = 0,    [OUTCOME_UNIT_GONE] = 0,    [OUTCOME_BUS_LOST] = 0,
        [OUTCOME_START_LIMIT_HIT] = -1,
};

static bool is_by_hand(const RecoveryRecord *r) {
        return strstr(r->sentence, "by hand");
}

static nsec_t delay(const SpanRange *backoff, unsigned rungs) {
        nsec_t d = backoff->min;

        while (--rungs > 0 && d < backoff->max)
                d *= 2;
        return MIN(d, backoff->max);
}

/* ---- Actions ---------------------------------------------------------------------------------------------- */

static unsigned truth_now(const Play *p, const Lane *l) {
        const FakeUnit *u = l->unit;
        unsigned truth = 0;

        if (!u->found)
                truth |= TRUTH_GONE;
        if (u->stopped_by_hand || u->state != ACTIVE_STATE_ACTIVE)
                truth |= TRUTH_DOWN;
        if (!l->fix->found)
                truth |= TRUTH_GONE;
        if (u->state == ACTIVE_STATE_FAILED || u->state == ACTIVE_STATE_ACTIVATING)
                truth |= TRUTH_FAILED;
        if (u->read && u->read_invocation != u->invocation)
                truth |= TRUTH_RESTARTED;
        if (!p->s.bus || !p->s.f.bus || p->back == play_now(p))
                truth |= TRUTH_LOST;
        return truth;
}

static void check_pace(const Lane *l, const RecoveryRecord *r) {
        const Rate *limit = &l->policy.restart_limit;
        unsigned within = 0;

        ck_assert_msg(l->gave_up == 0, "%s was given up, and restarted: %s", r->unit, r->sentence);
        if (l->climbed > 0)
                ck_assert_msg(r->when >= l->last_climb + delay(&l->policy.restart_backoff, l->climbed),
                              "%s has no rest between attempts (%u, %" PRIu64 " to %" PRIu64
                              " ns, after %" PRIu64 "): %s",
                              r->unit, l->climbed, l->policy.restart_backoff.min,
                              l->policy.restart_backoff.max, r->when - l->last_climb, r->sentence);
        for (unsigned i = 0; i < MIN(l->n_restarts, (unsigned) CONFIG_RESTART_LIMIT_MAX); i++)
                within += l->restarts[i] + limit->span > r->when;
        ck_assert_msg(within < limit->count, "%s was restarted %u times already: %s", r->unit, within,
                      r->sentence);
}

static void on_started(Play *p, Lane *l, const RecoveryRecord *r) {
        nsec_t healthy = l->policy.restart_backoff.max * HEALTHY_FACTOR;

        ck_assert_msg(!l->open, "%s: two actions at once: %s", r->unit, r->sentence);
        if (r->attempt == 1 && l->climbed > 0 && r->when - l->last_climb >= healthy)
                l->climbed = 0;
        ck_assert_msg(r->attempt == l->climbed + 1, "%s: attempt %u after %u: %s", r->unit, r->attempt,
                      l->climbed, r->sentence);
        l->open = true;
        l->open_by_hand = is_by_hand(r);
        l->attempt = r->attempt;
        l->started = r->when;
        l->limit = p->settings.recovery_timeout > 0 ? p->settings.recovery_timeout : AUTO_TIMEOUT;
        l->truth = truth_now(p, l);
        if (!l->open_by_hand)
                check_pace(l, r);
        p->counters.started++;
}

static void climb(Play *p, Lane *l, const RecoveryRecord *r) {
        RecoveryUnitView view;
        int rungs;

        if (!p->s.w.recovery)
                return;
        recovery_unit(p->s.w.recovery, r->unit, &view);
        rungs = (int) view.attempt - (int) l->climbed;
        ck_assert_msg(rungs == 0 || rungs == 1, "%s: %d rungs: %s", r->unit, rungs, r->sentence);
        ck_assert_msg(outcome_rungs[r->outcome] < 0 || rungs == outcome_rungs[r->outcome],
                      "%s: %d rungs: %s", r->unit, rungs, r->sentence);
        if (rungs == 0)
                return;
        l->climbed++;
        l->last_climb = r->when;
        l->restarts[l->n_restarts++ % CONFIG_RESTART_LIMIT_MAX] = r->when;
}

/* A oneshot may have mended the unit without anybody having to begin anew. */
static bool is_well(const Lane *l) {
        for (size_t i = 0; i < AGENTS_MAX; i++)
                if (l->agents[i] && l->agents[i]->info.id != 0 && l->agents[i]->info.stalled)
                        return false;
        return true;
}

static void check_truth(Play *p, Lane *l, const RecoveryRecord *r) {
        unsigned needed = outcome_truths[r->outcome];
        bool late = r->when - l->started >= l->limit;

        if (!p->s.bus || !p->s.f.bus)
                l->truth |= TRUTH_LOST;
        if (r->outcome == OUTCOME_TIMEOUT && late)
                return;
        if (l->policy.action.verb == UNIT_ACTION_START &&
            (r->outcome == OUTCOME_NO_BEAT || (r->outcome == OUTCOME_RECOVERED && is_well(l))))
                return;
        ck_assert_msg(l->truth & needed, "%s: \"%s\" is not true (of %#x only %#x is): %s", r->unit,
                      r->reason, needed, l->truth, r->sentence);
}

static void on_finished(Play *p, Lane *l, const RecoveryRecord *r) {
        ck_assert_msg(l->open, "%s: an end without a beginning: %s", r->unit, r->sentence);
        ck_assert_msg(r->attempt == l->attempt, "%s: attempt %u was begun: %s", r->unit, l->attempt,
                      r->sentence);
        check_truth(p, l, r);
        climb(p, l, r);
        l->open = false;
        p->counters.outcomes[r->outcome]++;
        p->total.outcomes[r->outcome]++;
        p->finished++;
}

void ledger_call(Play *p, Lane *l) {
        nsec_t *oldest = &p->calls[p->n_calls % STORM_COUNT];

        ck_assert_msg(l->open, "%s: a call without a record", l->unit->name);
        if (!l->open_by_hand)
                ck_assert_msg(p->n_calls < STORM_COUNT || *oldest + STORM_SPAN <= play_now(p),
                              "%s: restarted against the brake", l->unit->name);
        *oldest = play_now(p);
        p->n_calls++;
}

/* ---- Refusals --------------------------------------------------------------------------------------------- */

void ledger_stall(Play *p, uint64_t agent) {
        p->refusals[(agent >> 20) % REFUSALS_MAX].agent = 0;
}

void ledger_capture(Play *p, const Lane *l) {
        for (size_t i = 0; i < AGENTS_MAX; i++)
                if (l->agents[i])
                        ledger_stall(p, l->agents[i]->info.id);
        if (l->survivor)
                ledger_stall(p, l->survivor->info.id);
}

static void on_refused(Play *p, const RecoveryRecord *r) {
        size_t i = (r->agent >> 20) % REFUSALS_MAX;

        p->counters.refusals[r->refusal]++;
        p->total.refusals[r->refusal]++;
        if (r->agent == 0)
                return;
        ck_assert_msg(p->refusals[i].agent != r->agent || p->refusals[i].refusal != r->refusal,
                      "said again without a change: %s", r->sentence);
        p->refusals[i].agent = r->agent;
        p->refusals[i].refusal = r->refusal;
}

static void on_gave_up(Play *p, Lane *l, const RecoveryRecord *r) {
        assert(l);
        ck_assert_msg(l->gave_up == 0, "%s gave up twice", r->unit);
        l->gave_up = r->when;
        p->gave_ups++;
}

static void on_left_gave_up(Lane *l, const RecoveryRecord *r) {
        assert(l);
        ck_assert_msg(l->gave_up != 0, "%s has not given up: %s", r->unit, r->sentence);
        if (strcmp(r->reason, "by-time") == 0)
                ck_assert_uint_ge(r->when, l->gave_up + l->policy.restart_limit.span);
        l->gave_up = 0;
        l->climbed = l->n_restarts = 0;
}

/* ---- Records ---------------------------------------------------------------------------------------------- */

static void forget_refusal(Play *p, const RecoveryRecord *r) {
        p->refusals[(r->agent >> 20) % REFUSALS_MAX].agent = 0;
}

void ledger_record(void *userdata, const RecoveryRecord *r) {
        Play *p = userdata;
        Lane *l = r->unit[0] == '\0' ? NULL : play_lane(p, r->unit);

        ck_assert(l || (r->kind != RECORD_STARTED && r->kind != RECORD_FINISHED));
        if (p->trace)
                printf("%10.3f %-14s %-12s %-18s %s\n",
                       (double) (r->when - p->s.w.start) / (double) NSEC_PER_SEC, r->unit,
                       recovery_record_kind_to_string(r->kind), r->reason, r->sentence);
        switch (r->kind) {
        case RECORD_STARTED:
                forget_refusal(p, r);
                on_started(p, l, r);
                break;
        case RECORD_FINISHED:
                forget_refusal(p, r);
                on_finished(p, l, r);
                break;
        case RECORD_REFUSED:
                on_refused(p, r);
                break;
        case RECORD_GAVE_UP:
                on_gave_up(p, l, r);
                break;
        case RECORD_LEFT_GAVE_UP:
                on_left_gave_up(l, r);
                break;
        case RECORD_HELPER_FAILED:
                p->helpers_failed += strstr(r->sentence, "OnGaveUp=") != NULL;
                if (l && strstr(r->sentence, "CaptureUnit="))
                        ledger_capture(p, l);
                break;
        default:
                break;
        }
}

void ledger_observer_is_new(Play *p) {
        /* What is on its way has no more time than a new action would have, since somebody has reloaded. */
        for (size_t i = 0; i < LANES && p->settings.recovery_timeout > 0; i++)
                if (p->lanes[i].open)
                        p->lanes[i].limit =
                                        MIN(p->lanes[i].limit, play_now(p) + p->settings.recovery_timeout -
                                                                               p->lanes[i].started);
        p->counters = (RecoveryCounters){};
        memset(p->refusals, 0, sizeof(p->refusals));
}

void ledger_check(Play *p) {
        const FakeSystemd *f = &p->s.f;
        Recovery *r = p->s.w.recovery;
        RecoveryUnitView view;
        unsigned open = 0;

        ck_assert_msg(f->undone == 0, "%u units run that were stopped by hand", f->undone);
        ck_assert_msg(f->heedless == 0, "%u restarts were asked for against the last reading", f->heedless);
        ck_assert_uint_le(p->mail->calls, p->gave_ups);
        if (!r)
                return;
        for (size_t i = 0; i < LANES; i++) {
                Lane *l = &p->lanes[i];

                open += l->open;
                recovery_unit(r, l->unit->name, &view);
                ck_assert_msg((view.state == UNIT_STATE_RECOVERING) ==
                                              (l->open || capture_is_running(r, l->unit->name)),
                              "%s is %s", l->unit->name, recovery_unit_state_to_string(view.state));
        }
        ck_assert_uint_eq(recovery_in_flight(r), open);
        ck_assert_msg(memcmp(recovery_counters(r), &p->counters, sizeof(p->counters)) == 0,
                      "the counters are not those of the records");
        ck_assert_msg(r->armed > play_now(p), "something was to happen, and did not");
}
