/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What becomes of the jobs that recovery asks for, and who comes between: at each of the moments at which a race is won
 * or lost the administrator may do something, or the bus, systemd or the observer go away.
 */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "random.h"

#define S NSEC_PER_SEC

/* How long the bus waits for a reply. */
#define NO_REPLY (25 * S)

static Lane *lane_of(Play *p, const FakeUnit *u) {
        for (size_t i = 0; i < LANES; i++)
                if (p->lanes[i].unit == u || p->lanes[i].fix == u || p->lanes[i].cap == u)
                        return &p->lanes[i];
        return NULL;
}

/* ---- Jobs ------------------------------------------------------------------------------------------------- */

/* What becomes of a request, by weight. */
static const struct {
        FakeJob how;
        const char *result; /* of a held job */
        unsigned weight, truth;
} jobs[] = {
        { FAKE_HELD, "done", 45, 0 },
        { FAKE_DONE, NULL, 8, 0 },
        { FAKE_EARLY, NULL, 4, 0 },
        { FAKE_SILENT_DONE, NULL, 4, TRUTH_LOST },
        { FAKE_HELD, "failed", 5, TRUTH_FAILED },
        { FAKE_HELD, "start-limit", 3, TRUTH_LIMIT | TRUTH_FAILED },
        { FAKE_HELD, "canceled", 4, TRUTH_CANCELED },
        { FAKE_HELD, "timeout", 4, TRUTH_TIMEOUT },
        { FAKE_HELD, "dependency", 3, TRUTH_FAILED },
        { FAKE_HELD, "skipped", 3, TRUTH_FAILED },
        { FAKE_HELD, "vanish", 3, TRUTH_GONE },
        { FAKE_HELD, "never", 3, 0 },
        { FAKE_DENIED, NULL, 4, TRUTH_DENIED },
        { FAKE_NO_SUCH_UNIT, NULL, 3, TRUTH_GONE },
        { FAKE_NO_POLKIT, NULL, 2, TRUTH_DENIED },
        { FAKE_CONFLICT, NULL, 3, TRUTH_CANCELED },
        { FAKE_BROKEN, NULL, 3, TRUTH_FAILED },
        { FAKE_DEAF, NULL, 4, TRUTH_LOST },
        { FAKE_LEAVE, NULL, 2, TRUTH_LOST },
        { FAKE_LEAVE_DONE, NULL, 2, TRUTH_LOST },
};

static void draw_job(Play *p, Lane *l, FakeUnit *u) {
        unsigned total = 0, n;
        size_t i = 0;

        for (size_t k = 0; k < ELEMENTSOF(jobs); k++)
                total += jobs[k].weight;
        n = p->calm ? 0 : roll(&l->rng, total);
        while (n >= jobs[i].weight)
                n -= jobs[i++].weight;
        u->next = l->how = jobs[i].how;
        l->result = jobs[i].result;
        l->truth |= jobs[i].truth;
        l->stage = 0;
}

static void job_over(Play *p, Lane *l, ActiveState state, const char *unit_result, const char *result) {
        l->job_is_ours = false;
        l->unit->state = state;
        (void) snprintf(l->unit->result, sizeof(l->unit->result), "%s", unit_result);
        lane_follow(p, l);
        fake_job_over(&p->s.f, l->unit, result);
}

/* The first step: what ends before anything is done to the unit does so here. */
static void job_first(Play *p, Lane *l) {
        const char *r = l->result;

        if (strcmp(r, "canceled") == 0 || strcmp(r, "dependency") == 0 ||
            (strcmp(r, "timeout") == 0 && chance(&l->rng, 50))) {
                job_over(p, l, ACTIVE_STATE_ACTIVE, "success", r);
                return;
        }
        fake_set_state(&p->s.f, l->unit, ACTIVE_STATE_DEACTIVATING);
        lane_cue_in(p, l, CUE_JOB, 0, p->calm ? S : 5 * S);
}

static void job_second(Play *p, Lane *l) {
        const char *r = l->result;

        if (strcmp(r, "start-limit") == 0)
                job_over(p, l, ACTIVE_STATE_FAILED, "start-limit-hit", "failed");
        else if (strcmp(r, "skipped") == 0)
                job_over(p, l, ACTIVE_STATE_INACTIVE, "success", "skipped");
        else if (strcmp(r, "vanish") == 0) {
                l->unit->found = false;
                job_over(p, l, ACTIVE_STATE_INACTIVE, "success", "done");
        } else {
                l->unit->state = ACTIVE_STATE_ACTIVATING;
                fake_begin(&p->s.f, l->unit);
                lane_follow(p, l);
                fake_changed(&p->s.f, l->unit);
                lane_cue_in(p, l, CUE_JOB, 0, p->calm ? S : 5 * S);
        }
}

static void job_third(Play *p, Lane *l) {
        const char *r = l->result;

        if (strcmp(r, "failed") == 0)
                job_over(p, l, ACTIVE_STATE_FAILED, "exit-code", "failed");
        else if (strcmp(r, "timeout") == 0)
                job_over(p, l, ACTIVE_STATE_FAILED, "timeout", "timeout");
        else
                job_over(p, l, ACTIVE_STATE_ACTIVE, "success", "done");
}

/* The operator's oneshot has done its work, or not. */
static void fixed(Play *p, Lane *l, bool done) {
        l->fix->inactive_exit = play_now(p) / NSEC_PER_USEC;
        l->fix->state = done ? ACTIVE_STATE_INACTIVE : ACTIVE_STATE_FAILED;
        if (!done)
                l->truth |= TRUTH_FAILED;
        if (done && l->unit->state == ACTIVE_STATE_ACTIVE && l->unit->job == 0 && l->hand == HAND_IDLE &&
            chance(&l->rng, 60))
                lane_begin(p, l);
        else if (done)
                lane_cue_in(p, l, CUE_RESUME, 0, p->calm ? S : 8 * S);
}

void lane_job(Play *p, Lane *l) {
        bool done;

        if (l->policy.action.verb == UNIT_ACTION_START) {
                /* A later request, to which there was no reply, may have come between. */
                done = l->result && strcmp(l->result, "done") == 0;
                l->job_is_ours = false;
                fixed(p, l, done);
                fake_job_over(&p->s.f, l->fix, done ? "done" : "failed");
                return;
        }
        switch (l->stage++) {
        case 0:
                job_first(p, l);
                break;
        case 1:
                job_second(p, l);
                break;
        default:
                job_third(p, l);
        }
}

/* ---- At the moments that matter --------------------------------------------------------------------------- */

/* Somebody or something comes between. */
static void interfere(Play *p, Lane *l) {
        if (p->calm || !chance(&l->rng, 7))
                return;
        if (chance(&l->rng, 65))
                lane_hand(p, l);
        else if (p->trouble == TROUBLE_NONE)
                p->trouble = 1 + roll(&l->rng, _TROUBLE_MAX - 1);
}

static void on_read(void *userdata, FakeUnit *u) {
        Play *p = userdata;
        Lane *l = lane_of(p, u);

        if (l && l->unit == u)
                interfere(p, l);
}

/* What becomes of a capture. It may take longer than it is waited for. */
static void draw_capture(Play *p, Lane *l, FakeUnit *u) {
        static const FakeJob ways[] = { FAKE_DONE,   FAKE_FAILED, FAKE_DENIED, FAKE_NO_SUCH_UNIT,
                                        FAKE_BROKEN, FAKE_DEAF,   FAKE_LEAVE };

        u->state = ACTIVE_STATE_INACTIVE;
        u->found = true;
        u->next = !p->calm && chance(&l->rng, 40) ? ways[roll(&l->rng, ELEMENTSOF(ways))] : FAKE_HELD;
        p->captures++;
        ledger_capture(p, l);
}

/* Action=restart, which starts what was stopped after the last look. */
static bool restarts(const Lane *l) {
        return l->policy.action.verb == UNIT_ACTION_RESTART;
}

static void on_asked(void *userdata, FakeUnit *u) {
        Play *p = userdata;
        Lane *l = lane_of(p, u);

        if (!l)
                return;
        p->heard++;
        if (l->cap == u) {
                draw_capture(p, l, u);
                return;
        }
        l->how = FAKE_DONE;
        if (l->fix == u) {
                if (u->state != ACTIVE_STATE_FAILED) /* that is what it stays until it begins again */
                        u->state = ACTIVE_STATE_INACTIVE;
                u->found = true;
                draw_job(p, l, u);
                return;
        }
        ck_assert_str_eq(u->method, restarts(l) ? "RestartUnit" : "TryRestartUnit");
        ck_assert_str_eq(u->mode, "fail");
        ledger_call(p, l);
        interfere(p, l);
        if (!u->found) {
                u->next = FAKE_NO_SUCH_UNIT;
                l->truth |= TRUTH_GONE;
        } else if (u->job != 0) {
                u->next = FAKE_CONFLICT;
                l->truth |= TRUTH_CANCELED;
        } else if (u->state != ACTIVE_STATE_ACTIVE) {
                u->next = FAKE_DONE; /* which does nothing, or starts it: then it is as if nobody had wanted it down */
                if (restarts(l)) {
                        u->stopped_by_hand = false;
                        l->hand = HAND_IDLE;
                        l->cues[CUE_AFTER] = NSEC_INFINITY;
                }
        } else
                draw_job(p, l, u);
}

static bool wait_for_reply(Play *p, Lane *l, const FakeUnit *u) {
        if (!u->unanswered)
                return false;
        l->heard_late = chance(&l->rng, 50);
        lane_cue_in(p, l, CUE_NO_REPLY, NO_REPLY, NO_REPLY);
        return true;
}

static void on_heard(void *userdata, FakeUnit *u) {
        Play *p = userdata;
        Lane *l = lane_of(p, u);
        bool held;

        if (l && l->cap == u && u->job != 0)
                lane_cue_in(p, l, CUE_CAPTURE, 0, p->calm ? S : 15 * S);
        if (!l || l->cap == u)
                return;
        held = l->how == FAKE_HELD && u->job != 0 && !l->job_is_ours;
        if (held && strcmp(l->result, "never") == 0)
                lane_cue_in(p, l, CUE_JOB, 400 * S, 600 * S);
        else if (held)
                lane_cue_in(p, l, CUE_JOB, 0, p->calm ? S : 5 * S);
        l->job_is_ours = l->job_is_ours || held;
        l->how = FAKE_DONE;
        if (l->fix == u) {
                if (held) {
                        u->state = ACTIVE_STATE_ACTIVATING;
                        u->inactive_exit = play_now(p) / NSEC_PER_USEC;
                } else if (u->state == ACTIVE_STATE_ACTIVE)
                        fixed(p, l, true);
                wait_for_reply(p, l, u);
                return;
        }
        lane_follow(p, l);
        if (!u->found && u->state == ACTIVE_STATE_ACTIVE && l->hand == HAND_IDLE) {
                l->hand = HAND_FOUND;
                lane_cue_in(p, l, CUE_AFTER, S, NSEC_PER_MINUTE);
        }
        if (!wait_for_reply(p, l, u))
                interfere(p, l);
}

const FakeDirector play_director = {
        .read = on_read,
        .asked = on_asked,
        .heard = on_heard,
};

void lane_no_reply(Play *p, Lane *l) {
        FakeUnit *u = l->unit;

        if (l->fix->unanswered) {
                if (l->heard_late)
                        fixed(p, l, chance(&l->rng, 50));
                fake_no_reply(&p->s.f, l->fix);
        }
        if (!u->unanswered)
                return;
        if (l->heard_late && u->state == ACTIVE_STATE_ACTIVE && u->job == 0 && !u->stopped_by_hand)
                lane_begin(p, l);
        fake_no_reply(&p->s.f, u);
}
