/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A last look at the stalled process while it still exists (CaptureSec=, CaptureUnit=).
 *
 * A stall that passed all gates does not go on to its action at once: a oneshot of the operator's is started with the
 * pid as its instance, and its start job is over when it has run. Then the stall is simply judged once more, from the
 * first gate to the last, with systemd asked anew. So nothing has to be undone when the process resumed meanwhile, or
 * somebody stopped the unit; and no action is announced that might never begin.
 *
 * An action without a capture is better than none: whatever goes wrong here is told, and the stall goes on to be
 * judged. The cap counts from the request. A oneshot that hangs is left to its own TimeoutStartSec=, because nobody
 * gave us the right to stop it; but it may hold the process as a debugger does, and must not hold up what it was
 * started for: see capture_is_tracer().
 *
 * One capture per stall: what the process does not say the first time it will not say before the second attempt.
 */

#include <stdio.h>
#include <string.h>

#include "recovery/process.h"
#include "recovery/recovery-private.h"

static void capture_release(Capture *c) {
        unit_job_detach(&c->job);
        c->recovery->captures_used--;
        c->agent = 0;
}

/* The number of the one that is running for the unit; RECOVERY_ACTIONS_MAX when none is. */
static size_t capture_find(const Recovery *r, const char *unit) {
        if (r->captures_used > 0)
                for (size_t i = 0; i < RECOVERY_ACTIONS_MAX; i++)
                        if (r->captures[i].agent != 0 && strcmp(r->captures[i].unit, unit) == 0)
                                return i;
        return RECOVERY_ACTIONS_MAX;
}

bool capture_is_running(const Recovery *r, const char *unit) {
        assert(r);
        assert(unit);

        return capture_find(r, unit) < RECOVERY_ACTIONS_MAX;
}

/* What was held back for the sake of a recovery that does not come about. */
static void wake_others(Recovery *r, RecoveryUnit *u) {
        recovery_wake(r, u, AGAIN_OTHER_ENDS);
        recovery_wake_for_room(r);
}

/* It has run, or is not waited for any longer. */
static void capture_over(Capture *c, StallCapture how) {
        Recovery *r = c->recovery;
        RecoveryUnit *u = registry_unit(&r->registry, c->unit);
        RecoveryStall *s = registry_stall(&r->registry, c->agent);

        capture_release(c);
        if (s && u && s->capture == STALL_CAPTURE_RUNNING) {
                s->capture = how;
                registry_stall_due(&r->registry, s);
                judge_schedule(r, u);
        } else if (u)
                wake_others(r, u);
}

/* ---- What systemd says ------------------------------------------------------------------------------------ */

static void on_replied(UnitJob *job, CallResult result, const char *text, void *userdata) {
        Capture *c = userdata;

        if (result == CALL_OK)
                return;
        report_notice(c->recovery, RECORD_HELPER_FAILED, c->unit, "not-started",
                      "%s of CaptureUnit= was not started for %s: %s.%s%s%s The recovery goes on without "
                      "it.",
                      c->target, c->unit, helper_why(result), text[0] != '\0' ? " It was said: \"" : "",
                      text, text[0] != '\0' ? "\"." : "");
        capture_over(c, STALL_CAPTURE_FAILED);
}

static void on_removed(UnitJob *job, JobHint hint, const char *result, void *userdata) {
        Capture *c = userdata;

        if (hint != JOB_HINT_DONE)
                report_notice(c->recovery, RECORD_HELPER_FAILED, c->unit, "job-failed",
                              "%s of CaptureUnit= was started for %s and ended with \"%s\"; `systemctl "
                              "status %s` tells more. The recovery goes on.",
                              c->target, c->unit, result, c->target);
        capture_over(c, hint == JOB_HINT_DONE ? STALL_CAPTURE_DONE : STALL_CAPTURE_FAILED);
}

static const UnitJobHandlers handlers = {
        .replied = on_replied,
        .removed = on_removed,
};

/* ---- Before the action ------------------------------------------------------------------------------------ */

/* A process of this host that is still there: all others there is nothing to look at. */
static bool is_wanted(const RecoveryStall *s, const UnitPolicy *policy) {
        return policy->capture_timeout > 0 && policy->capture_unit[0] != '\0' && s->agent.id != 0 &&
               s->agent.pid != 0 && s->agent.source == SOURCE_LOCAL &&
               s->agent.origin == ORIGIN_KERNEL_ATTESTED && s->reason != STALL_EXITED;
}

/* Returns whether it is on its way; if not, why not was told. */
static bool capture_begin(Recovery *r, const RecoveryUnit *u, const RecoveryStall *s,
                          const UnitPolicy *policy) {
        Capture *c = NULL;
        int k;

        for (size_t i = 0; i < RECOVERY_ACTIONS_MAX && !c; i++)
                if (r->captures[i].agent == 0)
                        c = &r->captures[i];
        assert(c); /* the gate `capacity` counts captures as the actions that they will be */

        *c = (Capture){
                .recovery = r,
                .agent = s->agent.id,
                .limit = policy->capture_timeout,
                .deadline = nsec_add(recovery_now(r), policy->capture_timeout),
        };
        r->captures_used++;
        (void) snprintf(c->unit, sizeof(c->unit), "%s", u->name);
        k = config_expand_unit(policy->capture_unit, u->name, s->agent.pid, c->target, sizeof(c->target));
        if (k >= 0)
                k = unit_job_start(&c->job, &r->systemd, UNIT_ACTION_START, c->target, "fail", &handlers, c);
        if (k < 0) {
                report_notice(r, RECORD_HELPER_FAILED, u->name, "not-started",
                              "%s of CaptureUnit= was not started for %s: it has no valid name for this "
                              "process, or systemd cannot be reached. The recovery goes on without it.",
                              policy->capture_unit, u->name);
                capture_release(c);
                return false;
        }
        recovery_arm(r, c->deadline);
        return true;
}

bool capture_comes_first(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitPolicy *policy) {
        assert(r);
        assert(u);
        assert(s);
        assert(policy);

        s->capture_open = s->capture == STALL_CAPTURE_RUNNING;
        if (s->capture_open)
                return true; /* something else than its end had it judged, and it still passes */
        if (s->capture != STALL_CAPTURE_NONE || !is_wanted(s, policy))
                return false;
        if (!capture_begin(r, u, s, policy)) {
                s->capture = STALL_CAPTURE_FAILED;
                return false;
        }
        s->capture = STALL_CAPTURE_RUNNING;
        s->capture_open = true;
        s->decided = false; /* whatever becomes of it now is news */
        return true;
}

void capture_stall_over(Recovery *r, RecoveryUnit *u, RecoveryStall *s) {
        size_t i;

        assert(r);
        assert(u);
        assert(s);

        if (!s->capture_open)
                return;
        s->capture_open = false;
        i = capture_find(r, u->name);
        if (s->capture == STALL_CAPTURE_RUNNING && i < RECOVERY_ACTIONS_MAX) {
                capture_release(&r->captures[i]);
                s->capture = STALL_CAPTURE_FAILED;
        }
        wake_others(r, u);
}

bool capture_is_tracer(const Recovery *r, const char *unit, const UnitPolicy *policy, uint32_t pid,
                       uint32_t tracer) {
        char text[PROCESS_TEXT_MAX], path[PROCESS_TEXT_MAX], target[UNIT_NAME_SIZE], file[64];
        const char *last;

        assert(r);
        assert(unit);
        assert(policy);

        if (policy->capture_unit[0] == '\0' ||
            config_expand_unit(policy->capture_unit, unit, pid, target, sizeof(target)) < 0)
                return false;
        (void) snprintf(file, sizeof(file), "/proc/%u/cgroup", tracer);
        if (recovery_read_text(r, file, text, sizeof(text)) < 0 ||
            process_parse_cgroup(text, path, sizeof(path)) < 0)
                return false;
        last = strrchr(path, '/');
        return last && strcmp(last + 1, target) == 0;
}

/* ---- Time and the bus ------------------------------------------------------------------------------------- */

void capture_tick(Recovery *r, nsec_t now) {
        char buf[FORMAT_TIMESPAN_MAX];

        assert(r);

        for (size_t i = 0; i < RECOVERY_ACTIONS_MAX; i++) {
                Capture *c = &r->captures[i];

                if (c->agent == 0 || c->deadline > now)
                        continue;
                report_notice(r, RECORD_HELPER_FAILED, c->unit, "timeout",
                              "%s of CaptureUnit= has not ended within %s (CaptureSec=) and is not waited "
                              "for any longer. The recovery of %s goes on.",
                              c->target, format_timespan(buf, sizeof(buf), c->limit), c->unit);
                capture_over(c, STALL_CAPTURE_FAILED);
        }
}

nsec_t capture_next(const Recovery *r) {
        nsec_t next = NSEC_INFINITY;

        assert(r);

        for (size_t i = 0; r->captures_used > 0 && i < RECOVERY_ACTIONS_MAX; i++)
                if (r->captures[i].agent != 0)
                        next = MIN(next, r->captures[i].deadline);
        return next;
}

void captures_bus_gone(Recovery *r) {
        assert(r);

        for (size_t i = 0; i < RECOVERY_ACTIONS_MAX; i++) {
                Capture *c = &r->captures[i];

                if (c->agent == 0)
                        continue;
                report_notice(r, RECORD_HELPER_FAILED, c->unit, "bus-lost",
                              "%s of CaptureUnit= was started for %s, and the connection to systemd was "
                              "lost: nobody tells of its end.",
                              c->target, c->unit);
                capture_over(c, STALL_CAPTURE_FAILED);
        }
}

void captures_release_all(Recovery *r) {
        assert(r);

        for (size_t i = 0; i < RECOVERY_ACTIONS_MAX; i++)
                if (r->captures[i].agent != 0)
                        capture_release(&r->captures[i]);
}
