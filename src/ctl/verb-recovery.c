/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* pause, resume, recover: the operator's hand on recovery. The observer checks who asks and what for. */

#include "ctl/link.h"
#include "ctl/output.h"
#include "util/parse.h"

CtlExit verb_pause(const Options *options, char **args, size_t n_args) {
        nsec_t span = 0;

        if (options->span &&
            parse_timespan_range(options->span, NSEC_PER_USEC, NSEC_INFINITY - 1, &span) < 0) {
                ctl_error("--for=%s is no span of time; allowed: such as 30min, 2h, 1d.", options->span);
                return CTL_USAGE;
        }

        return link_run_change(options, NULL, "Pause", "sts", n_args > 0 ? args[0] : "",
                               span / NSEC_PER_USEC, options->reason ?: "");
}

CtlExit verb_resume(const Options *options, char **args, size_t n_args) {
        return link_run_change(options, NULL, "Resume", "s", n_args > 0 ? args[0] : "");
}

CtlExit verb_recover(const Options *options, char **args, size_t n_args) {
        return link_run_change(options, NULL, "Recover", "s", args[0]);
}
