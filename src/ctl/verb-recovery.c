/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* pause, resume, recover: the operator's hand on recovery. The observer checks who asks and what for. */

#include <string.h>

#include "ctl/link.h"
#include "ctl/output.h"
#include "util/parse.h"

CtlExit verb_pause(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        nsec_t span = 0;
        CtlExit code;
        int r;

        if (options->span &&
            parse_timespan_range(options->span, NSEC_PER_USEC, NSEC_INFINITY - 1, &span) < 0) {
                ctl_error("--for=%s is no span of time; allowed: such as 30min, 2h, 1d.", options->span);
                return CTL_USAGE;
        }
        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        r = link_new_change(options, bus, "Pause", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sts", n_args > 0 ? args[0] : "", span / NSEC_PER_USEC,
                                          options->reason ?: "");
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &error, NULL);
        return r < 0 ? link_failed(options, bus, r, &error) : CTL_OK;
}

/* Methods that take one text and answer nothing. */
static CtlExit change(const Options *options, const char *member, const char *text) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        CtlExit code;
        int r;

        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        r = link_new_change(options, bus, member, &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", text);
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &error, NULL);
        return r < 0 ? link_failed(options, bus, r, &error) : CTL_OK;
}

CtlExit verb_resume(const Options *options, char **args, size_t n_args) {
        return change(options, "Resume", n_args > 0 ? args[0] : "");
}

CtlExit verb_recover(const Options *options, char **args, size_t n_args) {
        return change(options, "Recover", args[0]);
}
