/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The life of one unit: its processes, its jobs, its administrator. What it does to the unit it does as systemd would:
 * a stop takes the place of a restart on its way, and a restart is refused beside a stop.
 */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "random.h"

#define S NSEC_PER_SEC

/* In which the kernel tells when a process began. */
#define TICK (10 * NSEC_PER_MSEC)

Lane *play_lane(Play *p, const char *unit) {
        for (size_t i = 0; i < LANES; i++)
                if (strcmp(p->lanes[i].unit->name, unit) == 0)
                        return &p->lanes[i];
        return NULL;
}

void lane_cue_in(const Play *p, Lane *l, Cue c, nsec_t min, nsec_t max) {
        l->cues[c] = play_now(p) + roll_span(&l->rng, min, max);
}

/* ---- Processes -------------------------------------------------------------------------------------------- */

static void tell(Play *p, const WorldAgent *a, Event event) {
        if (p->trace)
                printf("%10.3f %-14s event %u, flags %u, stall %u, process %u\n",
                       (double) (play_now(p) - p->s.w.start) / (double) S, a->unit, (unsigned) event.kind,
                       event.flags, (unsigned) event.reason, a->info.pid);
        if (!p->s.w.recovery)
                return;
        event.now = play_now(p);
        event.agent = a->info;
        event.unit = a->unit;
        if (event.kind == EVENT_STALL)
                ledger_stall(p, a->info.id);
        recovery_event(p->s.w.recovery, &event);
}

static bool lives(const WorldAgent *a) {
        return a && a->info.id != 0;
}

static void die(Play *p, WorldAgent **a) {
        WorldAgent last;

        if (lives(*a)) {
                last = **a;
                (*a)->info.id = 0;
                tell(p, &last, (Event){ .kind = EVENT_EXIT });
        }
        *a = NULL;
}

static void bury(Play *p, Lane *l) {
        for (size_t i = 0; i < AGENTS_MAX; i++)
                die(p, &l->dying[i]);
        l->cues[CUE_EXIT] = NSEC_INFINITY;
}

/* Its processes are killed. Those that beat over the network do not leave by that: they are silent. */
static void processes_end(Play *p, Lane *l) {
        bool later = !p->calm && chance(&l->rng, 30);

        l->up = l->beats = false;
        l->cues[CUE_BEAT] = l->cues[CUE_STALL] = l->cues[CUE_RESUME] = NSEC_INFINITY;
        if (l->kind == KIND_OPERATORS)
                return;
        bury(p, l);
        die(p, &l->survivor);
        if (l->kind == KIND_ATTESTED && !p->calm && lives(l->agents[1]) && chance(&l->rng, 25)) {
                l->survivor = l->agents[1];
                l->agents[1] = NULL;
                lane_cue_in(p, l, CUE_RESUME, 0, 8 * S);
        }
        for (size_t i = 0; i < AGENTS_MAX; i++) {
                l->dying[i] = l->agents[i];
                l->agents[i] = NULL;
        }
        if (later)
                lane_cue_in(p, l, CUE_EXIT, 0, 2 * S);
        else
                bury(p, l);
}

static void processes_begin(Play *p, Lane *l) {
        l->up = true;
        l->invocation = l->unit->invocation;
        l->truth |= TRUTH_RESTARTED;
        l->unit->inactive_exit = play_now(p) / NSEC_PER_USEC;
        l->cues[CUE_BEAT] = NSEC_INFINITY;
        if (p->calm)
                lane_cue_in(p, l, CUE_BEAT, 0, S);
        else if (chance(&l->rng, 20))
                lane_cue_in(p, l, CUE_BEAT, 0, 0);
        else if (chance(&l->rng, 80))
                lane_cue_in(p, l, CUE_BEAT, 0, 4 * S);
        else if (chance(&l->rng, 50))
                lane_cue_in(p, l, CUE_BEAT, 5 * S, 30 * S);
}

/* Makes of the processes what became of the unit. */
void lane_follow(Play *p, Lane *l) {
        const FakeUnit *u = l->unit;
        bool down = u->state == ACTIVE_STATE_INACTIVE || u->state == ACTIVE_STATE_FAILED;

        if (l->up && (down || l->invocation != u->invocation))
                processes_end(p, l);
        if (!l->up && !down && l->invocation != u->invocation)
                processes_begin(p, l);
        if (down) {
                l->invocation = u->invocation;
                l->truth |= TRUTH_DOWN;
                if (u->state == ACTIVE_STATE_FAILED)
                        l->truth |= TRUTH_FAILED;
                if (l->hand == HAND_IDLE) {
                        l->hand = HAND_START;
                        lane_cue_in(p, l, CUE_AFTER, 5 * S, 60 * S);
                }
        }
}

static WorldAgent *appear(Play *p, Lane *l) {
        WorldAgent *a = world_agent(&p->s.w, l->unit->name, l->invocation);

        a->info.threshold = l->policy.stall_threshold;
        a->info.generation = play_now(p) / TICK;
        if (l->kind != KIND_ATTESTED)
                memset(a->info.invocation, 0, INVOCATION_ID_SIZE);
        if (l->kind == KIND_OPERATORS) {
                a->info.origin = ORIGIN_OPERATOR_ATTESTED;
                a->info.source = 7;
                a->info.has_pidfd = false;
        }
        return a;
}

static void beat(Play *p, Lane *l) {
        unsigned n = 1 + roll(&l->rng, AGENTS_MAX);

        l->beats = true;
        if ((l->truth & TRUTH_RESTARTED) || l->policy.action.verb == UNIT_ACTION_START)
                l->truth |= TRUTH_BEAT;
        for (size_t i = 0; i < n && p->s.w.recovery; i++) {
                WorldAgent *a = l->agents[i];
                Event event = { .kind = EVENT_BEAT, .flags = BEAT_APPEARED };

                if (lives(a)) {
                        if (!a->info.stalled)
                                continue;
                        event.flags = BEAT_RESUMED;
                        a->info.stalled = false;
                } else
                        l->agents[i] = a = appear(p, l);
                a->info.last_beat = play_now(p);
                tell(p, a, event);
        }
        if (p->calm)
                return;
        if (chance(&l->rng, 60))
                lane_cue_in(p, l, CUE_STALL, S, 60 * S);
        else if (chance(&l->rng, 70))
                lane_cue_in(p, l, CUE_STALL, NSEC_PER_MINUTE, 10 * NSEC_PER_MINUTE);
        else
                lane_cue_in(p, l, CUE_STALL, 50 * NSEC_PER_MINUTE, 70 * NSEC_PER_MINUTE);
}

static void stall_one(Play *p, Lane *l, WorldAgent **a) {
        WorldAgent last;

        (*a)->info.last_beat = play_now(p) - (*a)->info.threshold;
        if (!p->calm && l->kind != KIND_OPERATORS && chance(&l->rng, 15)) {
                last = **a;
                (*a)->info.id = 0;
                *a = NULL;
                tell(p, &last, (Event){ .kind = EVENT_STALL, .reason = STALL_EXITED });
                return;
        }
        (*a)->info.stalled = true;
        tell(p, *a, (Event){ .kind = EVENT_STALL, .reason = STALL_SILENT, .deadline = play_now(p) });
}

void lane_never_beat(Play *p, Lane *l) {
        WorldAgent nobody = {};

        if (l->unit->state != ACTIVE_STATE_ACTIVE)
                return;
        (void) snprintf(nobody.unit, sizeof(nobody.unit), "%s", l->unit->name);
        if (l->kind == KIND_ATTESTED)
                memset(nobody.info.invocation, l->invocation, INVOCATION_ID_SIZE);
        tell(p, &nobody, (Event){ .kind = EVENT_STALL, .reason = STALL_NEVER_BEAT });
}

void lane_stall(Play *p, Lane *l) {
        bool any = false, all = p->calm || chance(&l->rng, 20);

        for (size_t i = 0; i < AGENTS_MAX; i++)
                if (lives(l->agents[i]) && !l->agents[i]->info.stalled && (all || !any)) {
                        stall_one(p, l, &l->agents[i]);
                        any = true;
                }
        if (!any)
                lane_never_beat(p, l);
        l->beats = l->beats && !all;
        if (p->calm)
                return;
        lane_cue_in(p, l, CUE_STALL, S, 5 * NSEC_PER_MINUTE);
        if (chance(&l->rng, 15))
                lane_cue_in(p, l, CUE_RESUME, 0, 20 * S);
}

static void resume(Play *p, Lane *l) {
        for (size_t i = 0; i < AGENTS_MAX; i++)
                if (lives(l->agents[i]) && l->agents[i]->info.stalled) {
                        l->agents[i]->info.stalled = false;
                        l->agents[i]->info.last_beat = play_now(p);
                        if (l->kind == KIND_OPERATORS || l->policy.action.verb == UNIT_ACTION_START)
                                l->truth |= TRUTH_BEAT;
                        tell(p, l->agents[i], (Event){ .kind = EVENT_BEAT, .flags = BEAT_RESUMED });
                        if (!p->calm)
                                break;
                }
        /* It proves nothing of those that came after it, unless any beat is a proof. */
        if (lives(l->survivor) && l->policy.action.verb == UNIT_ACTION_START)
                l->truth |= TRUTH_BEAT;
        if (lives(l->survivor))
                tell(p, l->survivor, (Event){ .kind = EVENT_BEAT, .flags = BEAT_RESUMED });
}

void lane_revive(Play *p, Lane *l) {
        for (size_t i = 0; i < AGENTS_MAX; i++)
                resume(p, l);
}

/* ---- The administrator ------------------------------------------------------------------------------------ */

static void cancel_job(Play *p, Lane *l) {
        if (!l->job_is_ours)
                return;
        l->job_is_ours = false;
        l->cues[CUE_JOB] = NSEC_INFINITY;
        l->truth |= TRUTH_CANCELED;
        fake_job_over(&p->s.f, l->unit, "canceled");
}

static void stop(Play *p, Lane *l, bool slowly) {
        FakeUnit *u = l->unit;

        p->stops++;
        p->races += l->open;
        cancel_job(p, l);
        u->stopped_by_hand = true;
        l->truth |= TRUTH_DOWN;
        l->hand = slowly ? HAND_STOPPING : HAND_START;
        if (slowly) {
                u->job = ++p->s.f.jobs;
                fake_set_state(&p->s.f, u, ACTIVE_STATE_DEACTIVATING);
                lane_cue_in(p, l, CUE_AFTER, 0, 10 * S);
                return;
        }
        fake_set_state(&p->s.f, u, ACTIVE_STATE_INACTIVE);
        lane_follow(p, l);
        lane_cue_in(p, l, CUE_AFTER, 0, 2 * NSEC_PER_MINUTE);
}

void lane_begin(Play *p, Lane *l) {
        FakeUnit *u = l->unit;

        (void) snprintf(u->sub_state, sizeof(u->sub_state), "running");
        (void) snprintf(u->result, sizeof(u->result), "success");
        fake_begin(&p->s.f, u);
        fake_set_state(&p->s.f, u, ACTIVE_STATE_ACTIVE);
        lane_follow(p, l);
}

static void start(Play *p, Lane *l) {
        l->unit->found = true;
        l->unit->stopped_by_hand = false;
        l->hand = HAND_IDLE;
        lane_begin(p, l);
}

static void crash(Play *p, Lane *l, bool again) {
        FakeUnit *u = l->unit;

        cancel_job(p, l);
        u->state = ACTIVE_STATE_FAILED;
        (void) snprintf(u->result, sizeof(u->result), "exit-code");
        lane_follow(p, l);
        if (again) {
                u->state = ACTIVE_STATE_ACTIVATING;
                (void) snprintf(u->sub_state, sizeof(u->sub_state), "auto-restart");
                l->hand = HAND_AGAIN;
                lane_cue_in(p, l, CUE_AFTER, 0, 3 * S);
        }
        fake_changed(&p->s.f, u);
}

static void vanish(Play *p, Lane *l) {
        cancel_job(p, l);
        l->unit->found = false;
        l->truth |= TRUTH_GONE;
        fake_set_state(&p->s.f, l->unit, ACTIVE_STATE_INACTIVE);
        lane_follow(p, l);
}

void lane_hand(Play *p, Lane *l) {
        FakeUnit *u = l->unit;

        if (l->hand != HAND_IDLE || (u->state != ACTIVE_STATE_ACTIVE && !l->job_is_ours))
                return;
        switch (roll(&l->rng, l->job_is_ours ? 4 : 9)) {
        case 0:
        case 1:
                stop(p, l, false);
                break;
        case 2:
                stop(p, l, true);
                break;
        case 3:
                cancel_job(p, l);
                lane_begin(p, l);
                break;
        case 4:
                u->job = ++p->s.f.jobs;
                l->hand = HAND_JOB;
                fake_set_state(&p->s.f, u, ACTIVE_STATE_RELOADING);
                lane_cue_in(p, l, CUE_AFTER, 0, 5 * S);
                break;
        case 5:
                crash(p, l, true);
                break;
        case 6:
                crash(p, l, false);
                break;
        case 7:
                vanish(p, l);
                break;
        default:
                u->frozen = true;
                l->hand = HAND_FROZEN;
                lane_cue_in(p, l, CUE_AFTER, S, 20 * S);
        }
}

static void after(Play *p, Lane *l) {
        FakeUnit *u = l->unit;
        Hand what = l->hand;

        l->hand = HAND_IDLE;
        switch (what) {
        case HAND_STOPPING:
                l->hand = HAND_START;
                u->state = ACTIVE_STATE_INACTIVE;
                lane_follow(p, l);
                fake_job_over(&p->s.f, u, "done");
                lane_cue_in(p, l, CUE_AFTER, 0, 2 * NSEC_PER_MINUTE);
                break;
        case HAND_START:
                start(p, l);
                break;
        case HAND_JOB:
                u->state = ACTIVE_STATE_ACTIVE;
                fake_job_over(&p->s.f, u, "done");
                break;
        case HAND_AGAIN:
                lane_begin(p, l);
                break;
        case HAND_FOUND:
                u->found = true;
                fake_changed(&p->s.f, u);
                break;
        case HAND_FROZEN:
                u->frozen = false;
                fake_changed(&p->s.f, u);
                break;
        default:
                break;
        }
        lane_follow(p, l);
}

void lane_cue(Play *p, Lane *l, Cue c) {
        l->cues[c] = NSEC_INFINITY;
        switch (c) {
        case CUE_BEAT:
                beat(p, l);
                break;
        case CUE_STALL:
                lane_stall(p, l);
                break;
        case CUE_RESUME:
                resume(p, l);
                break;
        case CUE_EXIT:
                bury(p, l);
                break;
        case CUE_JOB:
                lane_job(p, l);
                break;
        case CUE_HAND:
                lane_hand(p, l);
                lane_cue_in(p, l, CUE_HAND, 5 * S, 4 * NSEC_PER_MINUTE);
                break;
        case CUE_AFTER:
                after(p, l);
                break;
        case CUE_CAPTURE:
                fake_job_over(&p->s.f, l->cap, p->calm || chance(&l->rng, 80) ? "done" : "failed");
                break;
        default:
                lane_no_reply(p, l);
        }
}

/* ---- Beginning and end ------------------------------------------------------------------------------------ */

static void lane_policy(Play *p, Lane *l) {
        UnitPolicy *policy = &l->policy;

        *policy = world_policy();
        policy->restart_backoff.min = roll_span(&l->rng, S, 10 * S);
        policy->restart_backoff.max = roll_span(&l->rng, 20 * S, 5 * NSEC_PER_MINUTE);
        policy->restart_limit.count = 3 + roll(&l->rng, 6);
        policy->startup_grace = chance(&l->rng, 30) ? roll_span(&l->rng, S, 20 * S) : 0;
        policy->stall_threshold = roll_span(&l->rng, 10 * NSEC_PER_MSEC, 10 * S);
        if (chance(&l->rng, 20))
                policy->quorum = (Quorum){ .is_share = true, .value = 50 };
        (void) snprintf(policy->on_gave_up, sizeof(policy->on_gave_up), "%s", p->mail->name);
        if (chance(&l->rng, 25)) {
                policy->capture_timeout = roll_span(&l->rng, S, 10 * S);
                (void) snprintf(policy->capture_unit, sizeof(policy->capture_unit), "%s", l->cap->name);
        }
        if (chance(&l->rng, 25))
                policy->first_beat = roll_span(&l->rng, 3 * S, 30 * S);
        if (chance(&l->rng, 15)) {
                policy->action.verb = UNIT_ACTION_START;
                (void) snprintf(policy->action.unit, sizeof(policy->action.unit), "%s", l->fix->name);
        } else if (chance(&l->rng, 20))
                policy->action.verb = UNIT_ACTION_RESTART;
}

void lane_init(Play *p, unsigned number, uint64_t seed) {
        Lane *l = &p->lanes[number];
        char name[32];

        *l = (Lane){ .rng = seed, .kind = KIND_ATTESTED };
        for (Cue c = 0; c < _CUE_MAX; c++)
                l->cues[c] = NSEC_INFINITY;
        if (chance(&l->rng, 30))
                l->kind = chance(&l->rng, 50) ? KIND_NAMELESS : KIND_OPERATORS;
        (void) snprintf(name, sizeof(name), "w@%u.service", number);
        l->unit = fake_unit(&p->s.f, name, 0);
        (void) snprintf(name, sizeof(name), "varta-fix-%u.service", number);
        l->fix = fake_unit(&p->s.f, name, 1);
        (void) snprintf(name, sizeof(name), "varta-cap-%u.service", number);
        l->cap = fake_unit(&p->s.f, name, 1);
        l->fix->state = l->cap->state = ACTIVE_STATE_INACTIVE;
        lane_policy(p, l);
        l->unit->watched = l->policy.first_beat > 0;
        lane_begin(p, l);
        if (p->trace)
                printf("%s: agents of kind %u, %s\n", l->unit->name, (unsigned) l->kind,
                       unit_action_to_string(l->policy.action.verb));
        lane_cue_in(p, l, CUE_HAND, S, 4 * NSEC_PER_MINUTE);
}

void lane_end(Play *p, Lane *l) {
        for (size_t i = 0; i < AGENTS_MAX; i++)
                die(p, &l->agents[i]);
        die(p, &l->survivor);
        bury(p, l);
}

void lane_reboot(Play *p, Lane *l) {
        FakeUnit *const units[] = { l->unit, l->fix, l->cap };

        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                units[i]->unanswered = sd_bus_message_unref(units[i]->unanswered);
                units[i]->job = 0;
                units[i]->found = true;
                units[i]->inactive_exit = 0;
        }
        for (Cue c = 0; c < _CUE_MAX; c++)
                if (c != CUE_HAND)
                        l->cues[c] = NSEC_INFINITY;
        l->fix->state = l->cap->state = ACTIVE_STATE_INACTIVE;
        l->unit->stopped_by_hand = l->unit->frozen = l->unit->starting = false;
        l->job_is_ours = false;
        l->hand = HAND_IDLE;
        l->truth |= TRUTH_DOWN;
        l->climbed = l->n_restarts = 0;
        lane_begin(p, l);
}

void lane_observer_is_new(Play *p, Lane *l) {
        for (size_t i = 0; i < AGENTS_MAX; i++)
                l->agents[i] = l->dying[i] = NULL;
        l->survivor = NULL;
        l->cues[CUE_EXIT] = NSEC_INFINITY;
        if (!l->up)
                return;
        if (l->beats)
                lane_cue_in(p, l, CUE_BEAT, 0, S);
        else if (l->cues[CUE_BEAT] == NSEC_INFINITY)
                lane_cue_in(p, l, CUE_STALL, 5 * S, 30 * S); /* as one that never beat */
}

void lane_calm(Play *p, Lane *l) {
        l->cues[CUE_HAND] = l->cues[CUE_STALL] = l->cues[CUE_RESUME] = NSEC_INFINITY;
        if (l->up)
                lane_cue_in(p, l, CUE_BEAT, 0, S);
        bury(p, l);
        die(p, &l->survivor);
}
