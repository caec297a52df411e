/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Units that the operator wants started when something happens (OnGaveUp=). They are asked for once and
 * not waited for: whether a mail was sent has no bearing on anything here. What goes wrong is said in one record,
 * because an alarm that stays silent is the worst of all.
 */

#include <stdio.h>
#include <string.h>

#include "recovery/recovery-private.h"

static void helper_release(Helper *h) {
        unit_job_detach(&h->job);
        h->target[0] = '\0';
}

static const char denied[] = "systemd does not allow it: install polkit and varta's rule for it, which "
                             "allows the user `varta` to start units named varta-*.service";

const char *helper_why(CallResult result) {
        static const char *const whys[_CALL_RESULT_MAX] = {
                [CALL_DENIED] = denied,
                [CALL_NO_UNIT] = "there is no such unit, or it is masked",
                [CALL_CONFLICT] = "a job of somebody else stands in its way",
                [CALL_LOST] = "systemd did not answer",
                [CALL_FAILED] = "systemd could not do it",
        };

        return whys[result];
}

static void on_replied(UnitJob *job, CallResult result, const char *text, void *userdata) {
        Helper *h = userdata;

        if (result == CALL_OK)
                return;
        report_notice(h->recovery, RECORD_HELPER_FAILED, h->unit, "not-started",
                      "%s of %s= was not started for %s: %s.%s%s", h->target, h->key, h->unit,
                      helper_why(result), text[0] != '\0' ? " It was said: " : "", text);
        helper_release(h);
}

static void on_removed(UnitJob *job, JobHint hint, const char *result, void *userdata) {
        Helper *h = userdata;

        if (hint != JOB_HINT_DONE)
                report_notice(h->recovery, RECORD_HELPER_FAILED, h->unit, "job-failed",
                              "%s of %s= was started for %s and ended with \"%s\"; `systemctl status %s` "
                              "tells more.",
                              h->target, h->key, h->unit, result, h->target);
        helper_release(h);
}

static const UnitJobHandlers handlers = {
        .replied = on_replied,
        .removed = on_removed,
};

void helper_start(Recovery *r, const char *unit, const char *key, const char *template, uint32_t pid) {
        Helper *h = NULL;
        int k;

        assert(r);
        assert(unit);
        assert(key);
        assert(template);

        for (size_t i = 0; i < RECOVERY_HELPERS_MAX && !h; i++)
                if (r->helpers[i].target[0] == '\0')
                        h = &r->helpers[i];
        if (!h) {
                report_notice(r, RECORD_HELPER_FAILED, unit, "capacity",
                              "%s of %s= was not started: too many such units are starting.", template, key);
                return;
        }
        *h = (Helper){ .recovery = r, .key = key };
        (void) snprintf(h->unit, sizeof(h->unit), "%s", unit);
        k = config_expand_unit(template, unit, pid, h->target, sizeof(h->target));
        if (k < 0) {
                h->target[0] = '\0';
                report_notice(r, RECORD_HELPER_FAILED, unit, "not-started",
                              "%s of %s= has no valid name for %s and was not started.", template, key,
                              unit);
                return;
        }
        k = unit_job_start(&h->job, &r->systemd, UNIT_ACTION_START, h->target, "fail", &handlers, h);
        if (k < 0) {
                report_notice(r, RECORD_HELPER_FAILED, unit, "bus-lost",
                              "%s of %s= was not started: systemd cannot be reached.", h->target, key);
                helper_release(h);
        }
}

void helpers_bus_gone(Recovery *r) {
        assert(r);

        for (size_t i = 0; i < RECOVERY_HELPERS_MAX; i++) {
                Helper *h = &r->helpers[i];

                if (h->target[0] == '\0')
                        continue;
                if (h->job.call)
                        report_notice(r, RECORD_HELPER_FAILED, h->unit, "bus-lost",
                                      "%s of %s= may not have been started for %s: the connection to "
                                      "systemd "
                                      "was lost before it answered.",
                                      h->target, h->key, h->unit);
                helper_release(h);
        }
}

void helpers_release(Recovery *r) {
        assert(r);

        for (size_t i = 0; i < RECOVERY_HELPERS_MAX; i++)
                helper_release(&r->helpers[i]);
}
