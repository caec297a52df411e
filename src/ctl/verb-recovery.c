/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* pause, resume, recover: the operator's hand on recovery. The observer checks who asks and what for. */

#include <string.h>

#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/pattern.h"
#include "util/parse.h"

/* Units as systemctl takes them; everything, processes and the brake have names of their own. */
static const char *what(char **args, size_t n_args, char buf[static PATTERN_SIZE]) {
        if (n_args == 0 || args[0][0] == 0)
                return "";
        if (strncmp(args[0], "pid:", strlen("pid:")) == 0 || strcmp(args[0], "brake") == 0)
                return args[0];
        return pattern_unit(args[0], buf);
}

CtlExit verb_pause(const Options *options, char **args, size_t n_args) {
        char unit[PATTERN_SIZE];
        nsec_t span = 0;

        if (options->span &&
            parse_timespan_range(options->span, NSEC_PER_USEC, NSEC_INFINITY - 1, &span) < 0) {
                ctl_error("--for=%s is no span of time; allowed: such as 30min, 2h, 1d.", options->span);
                return CTL_USAGE;
        }

        return link_run_change(options, NULL, "Pause", "sts", what(args, n_args, unit), span / NSEC_PER_USEC,
                               options->reason ?: "");
}

CtlExit verb_resume(const Options *options, char **args, size_t n_args) {
        char unit[PATTERN_SIZE];

        return link_run_change(options, NULL, "Resume", "s", what(args, n_args, unit));
}

CtlExit verb_recover(const Options *options, char **args, size_t n_args) {
        char unit[PATTERN_SIZE];

        return link_run_change(options, NULL, "Recover", "s", pattern_unit(args[0], unit));
}
