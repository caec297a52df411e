/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Decisions as records: counted, named, and put into one sentence that an operator can act on without a manual:
 * what happened, why nothing (or what) was done, what would change that, and when it is looked at again.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "recovery/recovery-private.h"
#include "util/parse.h"
#include "util/text.h"
#include "util/unit-name.h"

static const char *span(char buf[FORMAT_TIMESPAN_MAX], nsec_t t) {
        return format_timespan_rough(buf, FORMAT_TIMESPAN_MAX, t);
}

static void add(Recovery *r, const char *format, ...) _printf_(2, 3);
static void add(Recovery *r, const char *format, ...) {
        size_t n = strlen(r->sentence);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(r->sentence + n, sizeof(r->sentence) - n, format, ap);
        va_end(ap);
}

static void add_who(Recovery *r, const char *unit, const AgentInfo *agent, StallReason reason,
                    nsec_t silence) {
        char buf[FORMAT_TIMESPAN_MAX];

        r->sentence[0] = '\0';
        if (unit[0] == '\0')
                add(r, "Process %u of no unit", agent->pid);
        else if (agent->pid == 0)
                add(r, "%s", unit);
        else
                add(r, "%s (process %u)", unit, agent->pid);
        switch (reason) {
        case STALL_EXITED:
                add(r, " has exited. ");
                break;
        case STALL_NEVER_BEAT:
                add(r, " runs and does not beat. ");
                break;
        default:
                add(r, " has been silent for %s. ", span(buf, silence));
        }
}

static void add_again(Recovery *r, RecoveryAgain again, nsec_t at, nsec_t now) {
        static const char *const sentences[_RECOVERY_AGAIN_MAX] = {
                [AGAIN_UNIT_CHANGE] = " Judged again when the unit changes.",
                [AGAIN_AGENTS] = " Judged again when another of its agents stalls, resumes or exits.",
                [AGAIN_OTHER_ENDS] = " Judged again when that one is over.",
                [AGAIN_BEAT] = " Judged again at its next beat.",
                [AGAIN_BUS] = " Judged again when systemd can be reached.",
        };
        char buf[FORMAT_TIMESPAN_MAX];

        if (again == AGAIN_AT && at == NSEC_INFINITY)
                add(r, " Judged again when somebody resumes it.");
        else if (again == AGAIN_AT || again == AGAIN_RECHECK)
                add(r, " Judged again in %s.", span(buf, nsec_sub(at, now)));
        else if (sentences[again])
                add(r, "%s", sentences[again]);
}

usec_t recovery_wall(void) {
        struct timespec ts = {};

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / NSEC_PER_USEC;
}

static void remember(Recovery *r, const RecoveryRecord *record) {
        RecoveryPast *p = history_add(&r->history);

        p->wall = recovery_wall();
        p->kind = record->kind;
        p->pid = record->pid;
        p->attempt = record->attempt;
        (void) snprintf(p->unit, sizeof(p->unit), "%s", record->unit);
        (void) snprintf(p->reason, sizeof(p->reason), "%s", record->reason);
        /* Others' words are in it, and it may be cut: what goes to the bus and to the file has to be text. */
        (void) text_printable(p->sentence, sizeof(p->sentence), record->sentence);
        durable_decision(r, p);
}

static void emit(Recovery *r, RecoveryRecord *record, const AgentInfo *agent) {
        record->agent = agent->id;
        record->pid = agent->pid;
        memcpy(record->invocation, agent->invocation, INVOCATION_ID_SIZE);
        record->origin = agent->origin;
        record->status = agent->status;
        record->last_nonce = agent->last_nonce;
        record->sentence = r->sentence;
        if (!record->job)
                record->job = "";
        if (record->announce)
                remember(r, record);
        r->hooks.record(r->userdata, record);
}

static nsec_t silence_of(const AgentInfo *agent, nsec_t now) {
        return agent->last_beat == 0 ? 0 : nsec_sub(now, agent->last_beat);
}

/* ---- Refusals --------------------------------------------------------------------------------------------- */

static const char *const refusal_sentences[_RECOVERY_REFUSAL_MAX] = {
        [REFUSAL_MODE_OFF] = "Mode=off: nothing is done.",
        [REFUSAL_UNAUTHENTICATED_TRANSPORT] = "Nothing is done on the word of a network that proves nothing "
                                              "of its senders; OperatorAttested=yes "
                                              "in the [Listener] section would vouch for it.",
        [REFUSAL_SOCKET_MODE_ONLY] =
                        "Nothing is done: the kernel could not name the process behind the beats.",
        [REFUSAL_CROSS_NAMESPACE] = "Nothing is done: it lives in another pid namespace, which "
                                    "AllowCrossNamespace=yes in [Observer] "
                                    "would allow.",
        [REFUSAL_UNCONFIRMED] = "Nothing is done: a single beat does not confirm whose process this is.",
        [REFUSAL_PROCESS_CHANGED] = "Nothing is done: the process is gone, or somebody has already started "
                                    "the unit anew.",
        [REFUSAL_NO_UNIT] = "Nothing is done: no unit of systemd holds the process.",
        [REFUSAL_RESUMED] = "Nothing is done: it beat again meanwhile.",
        [REFUSAL_PAUSED] = "Nothing is done: recovery is paused by hand.",
        [REFUSAL_TRACED] = "Nothing is done: a debugger holds the process.",
        [REFUSAL_FROZEN] = "Nothing is done: its control group is frozen.",
        [REFUSAL_GRACE] = "Nothing is done yet: it is too soon after the start of the unit, a jump of the "
                          "clock or the start "
                          "of the observer.",
        [REFUSAL_HOST_STARVED] = "Nothing is done yet: the whole host is starved, not only this process.",
        [REFUSAL_STORM] = "Nothing is done yet: too many recoveries in a short time (StormLimit=); "
                          "`varta-ctl resume brake` "
                          "releases the brake.",
        [REFUSAL_IN_FLIGHT] = "Nothing more is done: the unit is being recovered already.",
        [REFUSAL_CAPACITY] = "Nothing is done yet: as many recoveries are under way as fit.",
};

static void add_not_eligible(Recovery *r, const char *unit, const ReportRefusal *refusal) {
        if (!unit_name_has_suffix(unit, ".service"))
                add(r, "Nothing is done: only units of type .service are restarted.");
        else if (refusal->policy->is_protected || !refusal->facts->eligible)
                add(r, "Nothing is done: the unit is protected.");
        else
                add(r, "Nothing is done: the unit refuses to be started or stopped by hand "
                       "(RefuseManualStart=, "
                       "RefuseManualStop=).");
}

static void add_unit_not_active(Recovery *r, const GateFacts *facts) {
        if (facts->active_state == ACTIVE_STATE_ACTIVE)
                add(r, "Nothing is done: a job of systemd is queued for the unit.");
        else
                add(r, "Nothing is done: the unit is %s, and what somebody stops or starts is left alone.",
                    active_state_to_string(facts->active_state));
}

static void add_refusal(Recovery *r, const char *unit, const ReportRefusal *refusal) {
        const GateFacts *f = refusal->facts;
        char buf[FORMAT_TIMESPAN_MAX], quorum[FORMAT_QUORUM_MAX];

        switch (refusal->decision->refusal) {
        case REFUSAL_MODE_WARN:
                add(r, "%s",
                    refusal->policy->is_degraded ? "Nothing is done: an error in the configuration holds "
                                                   "the unit to Mode=warn; "
                                                   "`varta-ctl verify` shows it."
                                                 : "Nothing is done with Mode=warn; Mode=enforce in a "
                                                   "[Unit] section would have it "
                                                   "restarted.");
                break;
        case REFUSAL_NOT_ELIGIBLE:
                add_not_eligible(r, unit, refusal);
                break;
        case REFUSAL_UNIT_NOT_ACTIVE:
                add_unit_not_active(r, f);
                break;
        case REFUSAL_QUORUM:
                add(r, "Nothing is done: of the unit's %u agent%s %u %s stalled, and Quorum=%s.", f->agents,
                    plural(f->agents), f->stalled, f->stalled == 1 ? "is" : "are",
                    format_quorum(quorum, sizeof(quorum), &f->quorum));
                break;
        case REFUSAL_BACKOFF:
                add(r, "Nothing is done yet: the last attempt was too recent (RestartBackoffSec=).");
                break;
        case REFUSAL_GAVE_UP:
                add(r,
                    "Nothing more is done: the unit was restarted %u time%s within %s (RestartLimit=). "
                    "`varta-ctl resume %s` or a restart by hand begins anew.",
                    refusal->policy->restart_limit.count, plural(refusal->policy->restart_limit.count),
                    span(buf, refusal->policy->restart_limit.span), unit);
                break;
        default:
                add(r, "%s", refusal_sentences[refusal->decision->refusal]);
        }
}

static void report_refusal(Recovery *r, RecoveryRecordKind kind, const char *unit, unsigned attempt,
                           const ReportRefusal *refusal) {
        nsec_t now = recovery_now(r);
        RecoveryRecord record = {
                .kind = kind,
                .announce = refusal->decision->refusal != REFUSAL_MODE_OFF,
                .when = now,
                .unit = unit,
                .stall_reason = refusal->reason,
                .silence = silence_of(refusal->agent, now),
                .attempt = attempt,
                .refusal = refusal->decision->refusal,
                .outcome = _RECOVERY_OUTCOME_INVALID,
                .again = refusal->decision->again,
                .again_at = refusal->decision->again_at,
                .reason = recovery_refusal_to_string(refusal->decision->refusal),
        };

        add_who(r, unit, refusal->agent, refusal->reason, record.silence);
        add_refusal(r, unit, refusal);
        add_again(r, record.again, record.again_at, now);
        emit(r, &record, refusal->agent);
}

void report_refused(Recovery *r, const char *unit, unsigned attempt, const ReportRefusal *refusal) {
        assert(r);
        assert(unit);
        assert(refusal);

        r->counters.refusals[refusal->decision->refusal]++;
        report_refusal(r, RECORD_REFUSED, unit, attempt, refusal);
}

void report_gave_up(Recovery *r, const char *unit, unsigned attempt, const ReportRefusal *refusal) {
        assert(r);
        assert(unit);
        assert(refusal);

        report_refusal(r, RECORD_GAVE_UP, unit, attempt, refusal);
}

/* ---- Notices ---------------------------------------------------------------------------------------------- */

void report_notice(Recovery *r, RecoveryRecordKind kind, const char *unit, const char *reason,
                   const char *format, ...) {
        const AgentInfo nobody = { .origin = ORIGIN_KERNEL_ATTESTED };
        RecoveryRecord record = {
                .kind = kind,
                .announce = true,
                .when = recovery_now(r),
                .unit = unit,
                .refusal = _RECOVERY_REFUSAL_INVALID,
                .outcome = _RECOVERY_OUTCOME_INVALID,
                .again = AGAIN_NEVER,
                .again_at = NSEC_INFINITY,
                .reason = reason,
        };
        va_list ap;

        assert(unit);
        assert(reason);

        va_start(ap, format);
        (void) vsnprintf(r->sentence, sizeof(r->sentence), format, ap);
        va_end(ap);
        emit(r, &record, &nobody);
}

void report_brake(Recovery *r, nsec_t until) {
        char buf[FORMAT_TIMESPAN_MAX], limit[FORMAT_RATE_MAX];

        report_notice(r, RECORD_BRAKE, "", "held",
                      "The storm brake holds: StormLimit=%s is used up, and no unit is recovered for %s. "
                      "`varta-ctl resume brake` releases it.",
                      format_rate(limit, sizeof(limit), &r->settings.storm_limit),
                      span(buf, nsec_sub(until, recovery_now(r))));
}

void report_unwatched(Recovery *r, const char *unit, uint32_t max) {
        const AgentInfo nobody = { .origin = ORIGIN_KERNEL_ATTESTED };
        RecoveryRecord record = {
                .kind = RECORD_REFUSED,
                .announce = true,
                .when = recovery_now(r),
                .unit = unit,
                .stall_reason = STALL_NEVER_BEAT,
                .refusal = REFUSAL_CAPACITY,
                .outcome = _RECOVERY_OUTCOME_INVALID,
                .again = AGAIN_NEVER,
                .again_at = NSEC_INFINITY,
                .reason = recovery_refusal_to_string(REFUSAL_CAPACITY),
        };

        r->counters.refusals[REFUSAL_CAPACITY]++;
        r->sentence[0] = '\0';
        add(r,
            "More than %u running units have FirstBeatSec=: nobody waits for the first beat of %s, and of "
            "others after it.",
            max, unit);
        emit(r, &record, &nobody);
}

/* ---- Actions ---------------------------------------------------------------------------------------------- */

static RecoveryRecord action_record(RecoveryRecordKind kind, const char *unit, const Action *a, nsec_t now) {
        return (RecoveryRecord){
                .kind = kind,
                .announce = true,
                .when = now,
                .unit = unit,
                .stall_reason = a->reason,
                .silence = silence_of(&a->agent, now),
                .attempt = a->attempt,
                .refusal = _RECOVERY_REFUSAL_INVALID,
                .outcome = _RECOVERY_OUTCOME_INVALID,
                .again = AGAIN_NEVER,
                .again_at = NSEC_INFINITY,
                .job = a->job.path,
        };
}

void report_started(Recovery *r, const char *unit, const Action *a) {
        nsec_t now = recovery_now(r);
        RecoveryRecord record = action_record(RECORD_STARTED, unit, a, now);

        record.reason = stall_reason_to_string(a->reason);
        r->counters.started++;
        add_who(r, unit, &a->agent, a->reason, record.silence);
        if (a->verb == UNIT_ACTION_START)
                add(r, "Asking systemd to start %s (attempt %u).", a->target, a->attempt);
        else
                add(r, "Asking systemd to restart the unit (attempt %u).", a->attempt);
        if (a->by_hand)
                add(r, " Somebody asked for it by hand.");
        if (a->captured)
                add(r, " CaptureUnit= has run: the journal has what the process was doing.");
        if (a->deferred)
                add(r, " The host is starved and has been for as long as a verdict is put off "
                       "(MaxDeferralSec=): it stands.");
        emit(r, &record, &a->agent);
}

static const char *const outcome_sentences[_RECOVERY_OUTCOME_MAX] = {
        [OUTCOME_STOPPED_MEANWHILE] =
                        "It was stopped, or went down by itself, before systemd's job reached it: it is "
                        "left alone.",
        [OUTCOME_JOB_CANCELED] =
                        "The job was canceled or could not be queued beside another one; the unit runs as "
                        "before.",
        [OUTCOME_START_LIMIT_HIT] =
                        "It was started too often for its own StartLimitBurst=: systemd refuses, and so it "
                        "stays down until somebody resets it with `systemctl reset-failed`.",
        [OUTCOME_UNIT_GONE] = "There is no such unit any more, or it is masked.",
        [OUTCOME_BUS_LOST] = "systemd could not be reached, or did not get the request.",
};

/* The remedy depends on what the shipped polkit rule gives. */
static void add_access_denied(Recovery *r, const Action *a) {
        static const char *const remedies[_UNIT_ACTION_MAX] = {
                [UNIT_ACTION_TRY_RESTART] = "install polkit and varta's rule for it, which allows the user "
                                            "`varta` to try-restart "
                                            "services that are not protected",
                [UNIT_ACTION_RESTART] = "varta's polkit rule does not give the verb `restart`: use "
                                        "Action=try-restart, or write a "
                                        "rule after the commented examples in polkit-examples.rules of "
                                        "varta's documentation",
                [UNIT_ACTION_START] = "install polkit and varta's rule for it, which allows the user "
                                      "`varta` to start units named "
                                      "varta-*.service; for other names write one",
        };

        add(r, "systemd does not allow it: %s.", remedies[a->verb]);
}

static void add_outcome(Recovery *r, const char *unit, const Action *a, RecoveryOutcome outcome,
                        nsec_t now) {
        char buf[FORMAT_TIMESPAN_MAX];

        switch (outcome) {
        case OUTCOME_RECOVERED:
                add(r,
                    a->verb == UNIT_ACTION_START
                                    ? "Recovered after %s: it beats."
                                    : "Recovered after %s: a process of the new invocation beats.",
                    span(buf, nsec_sub(now, a->started)));
                break;
        case OUTCOME_NO_BEAT:
                add(r, "%s, but nobody beat within %s.",
                    a->verb == UNIT_ACTION_START ? a->target : "The unit was restarted",
                    span(buf, a->limit));
                break;
        case OUTCOME_JOB_FAILED:
                add(r, "systemd could not do it; `systemctl status %s` tells more.",
                    a->target[0] != '\0' ? a->target : unit);
                break;
        case OUTCOME_TIMEOUT:
                add(r, "systemd's job did not end within %s (RecoveryTimeoutSec=).", span(buf, a->limit));
                break;
        case OUTCOME_ACCESS_DENIED:
                add_access_denied(r, a);
                break;
        default:
                add(r, "%s", outcome_sentences[outcome]);
        }
}

void report_finished(Recovery *r, const char *unit, const Action *a, RecoveryOutcome outcome,
                     const char *text, RecoveryAgain again, nsec_t again_at) {
        nsec_t now;
        RecoveryRecord record;

        assert(r);
        assert(unit);
        assert(a);
        assert(text);

        now = recovery_now(r);
        record = action_record(RECORD_FINISHED, unit, a, now);
        record.outcome = outcome;
        record.reason = recovery_outcome_to_string(outcome);
        record.again = again;
        record.again_at = again_at;
        r->counters.outcomes[outcome]++;

        r->sentence[0] = '\0';
        if (a->agent.pid != 0)
                add(r, "%s (process %u): ", unit, a->agent.pid);
        else
                add(r, "%s: ", unit);
        add_outcome(r, unit, a, outcome, now);
        if (text[0] != '\0')
                add(r, " It was said: \"%s\".", text);
        add_again(r, again, again_at, now);
        emit(r, &record, &a->agent);
}
