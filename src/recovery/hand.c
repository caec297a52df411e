/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The operator's hand: pause, resume, recover, and the ways out of having given up. Each act is a record like every
 * decision, because "why was nothing done?" has its answer here more often than anywhere else.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recovery/process.h"
#include "recovery/recovery-private.h"
#include "util/proc.h"

/* ---- Judging again ---------------------------------------------------------------------------------------- */

void recovery_judge_again(Recovery *r, RecoveryUnit *u) {
        assert(r);
        assert(u);

        for (RecoveryStall *s = registry_first(&r->registry, &u->resting), *next; s; s = next) {
                next = registry_next(&r->registry, s);
                if (s->again != AGAIN_OTHER_ENDS || u->action == REGISTRY_NONE)
                        registry_stall_due(&r->registry, s);
        }
        judge_schedule(r, u);
}

void recovery_judge_all_again(Recovery *r) {
        assert(r);

        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                recovery_judge_again(r, u);
}

void hand_leave_gave_up(Recovery *r, RecoveryUnit *u, const char *how, const char *sentence) {
        assert(r);
        assert(u);
        assert(how);
        assert(sentence);

        ladder_reset(&u->ladder);
        report_notice(r, RECORD_LEFT_GAVE_UP, u->name, how, "%s is no longer given up: %s", u->name,
                      sentence);
        judge_update_watch(r, u);
        recovery_judge_again(r, u);
}

/* ---- Pauses ----------------------------------------------------------------------------------------------- */

static const char *describe(const char *what) {
        return what[0] == '\0' ? "everything" : what;
}

/* The pause is of this process, and not of the next one with its number. */
static int read_generation(const Recovery *r, uint32_t pid, uint64_t *ret) {
        char path[64], text[PROCESS_TEXT_MAX];
        int k;

        (void) snprintf(path, sizeof(path), "/proc/%u/stat", pid);
        k = recovery_read_text(r, path, text, sizeof(text));
        if (k < 0)
                return -ESRCH;
        k = proc_parse_start_time(text, ret);
        return k < 0 ? -ESRCH : 0;
}

static void arm_pauses(Recovery *r) {
        r->pauses_next = NSEC_INFINITY;
        for (uint32_t i = 0; i < r->pauses.n; i++)
                r->pauses_next = MIN(r->pauses_next, r->pauses.entries[i].until);
        recovery_arm(r, r->pauses_next);
}

static void report_process_gone(Recovery *r, uint32_t pid) {
        report_notice(r, RECORD_RESUMED, "", "exited",
                      "The pause of pid:%u is over: the process has exited.", pid);
}

/* Of a process that is no agent nobody tells that it exited: those are found when there is to be one pause more, when
 * another ends, and by the next observer. Returns how many. */
static unsigned forget_dead(Recovery *r) {
        unsigned n = 0;

        for (uint32_t i = r->pauses.n; i > 0; i--) {
                const Pause *pause = &r->pauses.entries[i - 1];
                uint32_t pid = pause->pid;
                uint64_t generation;

                if (pause->kind != PAUSE_PID)
                        continue;
                if (read_generation(r, pid, &generation) >= 0 && generation == pause->generation)
                        continue;
                n += pauses_exited(&r->pauses, pid, pause->generation);
                report_process_gone(r, pid);
        }
        return n;
}

void hand_process_gone(Recovery *r, const Event *event) {
        const AgentInfo *agent = &event->agent;
        unsigned n;

        assert(r);

        if (r->pauses.n == 0 || agent->pid == 0 || agent->source != SOURCE_LOCAL)
                return;
        n = event->kind == EVENT_EXIT ? pauses_exited(&r->pauses, agent->pid, agent->generation)
                                      : pauses_recycled(&r->pauses, agent->pid, agent->generation);
        if (n == 0)
                return;
        arm_pauses(r);
        durable_pauses(r);
        report_process_gone(r, agent->pid);
        recovery_judge_all_again(r);
}

int recovery_pause(Recovery *r, const char *what, nsec_t span, const char *reason) {
        char buf[FORMAT_TIMESPAN_MAX];
        Pause pause = {};
        bool forever;
        int k;

        assert(r);
        assert(what);
        assert(reason);

        k = pause_parse(what, &pause.kind, &pause.pid);
        if (k < 0)
                return k;
        if (strlen(reason) >= PAUSE_REASON_MAX)
                return -E2BIG;
        if (pause.kind == PAUSE_PID) {
                k = read_generation(r, pause.pid, &pause.generation);
                if (k < 0)
                        return k;
                (void) forget_dead(r);
        }
        (void) snprintf(pause.what, sizeof(pause.what), "%s", what);
        (void) snprintf(pause.reason, sizeof(pause.reason), "%s", reason);
        pause.until = span == 0 ? NSEC_INFINITY : nsec_add(recovery_now(r), span);
        forever = pause.until == NSEC_INFINITY;
        k = pauses_add(&r->pauses, &pause);
        if (k < 0)
                return k;
        arm_pauses(r);
        durable_pauses(r);
        report_notice(r, RECORD_PAUSED, pause.kind == PAUSE_UNIT ? what : "", "paused",
                      "Recovery of %s is paused %s%s by hand%s%s.", describe(what),
                      forever ? "until it is resumed" : "for ",
                      forever ? "" : format_timespan(buf, sizeof(buf), span), reason[0] ? ": " : "", reason);
        durable_sync(r);
        return 0;
}

void hand_tick(Recovery *r, nsec_t now) {
        unsigned n;

        assert(r);

        if (r->pauses_next > now)
                return;
        n = forget_dead(r);
        for (uint32_t i = 0; i < r->pauses.n; i++) {
                const Pause *pause = &r->pauses.entries[i];

                if (pause->until <= now)
                        report_notice(r, RECORD_RESUMED, pause->kind == PAUSE_UNIT ? pause->what : "",
                                      "expired", "The pause of %s is over.", describe(pause->what));
        }
        n += pauses_expire(&r->pauses, now);
        if (n > 0)
                durable_pauses(r);
        arm_pauses(r);
}

const Pause *recovery_pause_at(const Recovery *r, uint32_t i) {
        assert(r);

        return i < r->pauses.n ? &r->pauses.entries[i] : NULL;
}

/* ---- Resuming --------------------------------------------------------------------------------------------- */

nsec_t recovery_brake_until(Recovery *r) {
        assert(r);

        return brake_until(&r->brake, &r->settings.storm_limit, recovery_now(r));
}

static int resume_brake(Recovery *r) {
        if (recovery_brake_until(r) == 0 && !r->braked)
                return -ENOENT;
        brake_release(&r->brake);
        r->braked = false;
        durable_brake(r);
        report_notice(r, RECORD_BRAKE, "", "released", "The storm brake was released by hand.");
        durable_sync(r);
        recovery_judge_all_again(r);
        return 0;
}

/* Units that were given up, of those that `what` covers. */
static unsigned resume_units(Recovery *r, const char *what) {
        nsec_t now = recovery_now(r);
        unsigned n = 0;

        for (RecoveryUnit *u = registry_unit_first(&r->registry); u; u = registry_unit_next(&r->registry, u))
                if (u->ladder.gave_up_until > now && unit_glob_match(what, u->name)) {
                        hand_leave_gave_up(r, u, "by-hand", "it was resumed by hand.");
                        n++;
                }
        return n;
}

int recovery_resume(Recovery *r, const char *what) {
        uint32_t pid = 0;
        unsigned paused, n;
        PauseKind kind;
        int k;

        assert(r);
        assert(what);

        if (strcmp(what, "brake") == 0)
                return resume_brake(r);
        k = pause_parse(what, &kind, &pid);
        if (k < 0)
                return k;
        n = paused = pauses_remove(&r->pauses, kind, what, pid);
        if (kind == PAUSE_UNIT)
                n += resume_units(r, what);
        if (n == 0)
                return -ENOENT;
        if (paused > 0) {
                arm_pauses(r);
                durable_pauses(r);
                report_notice(r, RECORD_RESUMED, kind == PAUSE_UNIT ? what : "", "by-hand",
                              "Recovery of %s was resumed by hand.", describe(what));
        }
        durable_sync(r);
        recovery_judge_all_again(r);
        return 0;
}

int recovery_recover(Recovery *r, const char *unit) {
        RecoveryStall *s;
        RecoveryUnit *u;

        assert(r);
        assert(unit);

        u = registry_unit(&r->registry, unit);
        if (!u)
                return -ENOENT;
        if (u->action != REGISTRY_NONE || capture_is_running(r, unit))
                return -EBUSY;
        s = registry_first(&r->registry, &u->due) ?: registry_first(&r->registry, &u->resting);
        if (!s)
                return -ENOENT;
        s->by_hand = true;
        s->decided = false; /* whatever comes of it is news to who asked */
        registry_stall_due(&r->registry, s);
        judge_schedule(r, u);
        return 0;
}
