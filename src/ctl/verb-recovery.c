/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * pause, resume, recover: the operator's hand on recovery. The observer checks who asks and what for.
 *
 * Whoever pauses a unit is about to work on it: a slip of the pen must not look like success. A pause may be made before
 * there is anything to hold, so a name that nothing has is a remark and no error; what can be no name is refused here.
 */

#include <string.h>

#include "bus/bus-names.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/pattern.h"
#include "ctl/view.h"
#include "util/parse.h"

#define BRAKE "brake"

/* Units as systemctl takes them; everything, processes and the brake have names of their own. */
static const char *what(char **args, size_t n_args, char buf[static PATTERN_SIZE]) {
        if (n_args == 0)
                return "";
        if (strncmp(args[0], "pid:", strlen("pid:")) == 0 || strcmp(args[0], BRAKE) == 0)
                return args[0];
        return pattern_unit(args[0], buf);
}

/* The bus, once it is clear that the argument can be meant: a unit, a glob, or pid:N. */
static CtlExit open_for(const Options *options, char **args, size_t n_args, sd_bus **ret) {
        CtlExit code = n_args > 0 ? pattern_check_word(args[0], true) : CTL_OK;

        return code == CTL_OK ? link_open(options, ret) : code;
}

/* Whether the observer knows a unit that the name or glob means; when it cannot be asked, nothing is known to be wrong. */
static bool unit_is_known(sd_bus *bus, const char *glob) {
        _cleanup_(units_view_done) UnitsView v = {};

        if (units_view_fetch(bus, &v, NULL) < 0)
                return true;
        for (size_t i = 0; i < v.n_rows; i++)
                if (unit_glob_match(glob, v.rows[i].name))
                        return true;
        return false;
}

static bool process_is_known(sd_bus *bus, uint32_t pid) {
        _cleanup_(agents_view_done) AgentsView v = {};

        return agents_view_find_process(bus, pid, &v, NULL) < 0 || v.n_rows > 0;
}

static void remark_on_nobody(const Options *options, sd_bus *bus, const char *paused) {
        uint32_t pid;

        if (options->quiet || !paused[0])
                return;
        if (pattern_is_process(paused, &pid)) {
                if (!process_is_known(bus, pid))
                        ctl_error("%s is no agent so far; the pause holds once it beats.", paused);
        } else if (!unit_is_known(bus, paused)) {
                ctl_error("No agent of %s has beaten so far; the pause holds once one does.", paused);
        }
}

CtlExit verb_pause(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char unit[PATTERN_SIZE];
        const char *paused;
        nsec_t span = 0;
        CtlExit code;
        int r;

        if (options->span &&
            parse_timespan_range(options->span, NSEC_PER_USEC, NSEC_INFINITY - 1, &span) < 0) {
                ctl_error("--for=%s is no span of time; allowed: such as 30min, 2h, 1d.", options->span);
                return CTL_USAGE;
        }
        code = open_for(options, args, n_args, &bus);
        if (code != CTL_OK)
                return code;

        paused = what(args, n_args, unit);
        r = link_change(options, bus, &error, "Pause", "sts", paused, span / NSEC_PER_USEC,
                        options->reason ?: "");
        if (r < 0)
                return link_failed(options, bus, r, &error);
        remark_on_nobody(options, bus, paused);
        return CTL_OK;
}

CtlExit verb_resume(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char unit[PATTERN_SIZE];
        const char *resumed;
        CtlExit code;
        int r;

        code = open_for(options, args, n_args, &bus);
        if (code != CTL_OK)
                return code;

        resumed = what(args, n_args, unit);
        r = link_change(options, bus, &error, "Resume", "s", resumed);
        if (r >= 0)
                return CTL_OK;
        if (sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_HELD) && !resumed[0])
                ctl_error("Nothing to resume: no pause is in force. For a unit that was given up: varta-ctl "
                          "resume UNIT");
        else if (sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_HELD) && strcmp(resumed, BRAKE) == 0)
                ctl_error("Nothing to resume: the storm brake does not hold.");
        else
                return link_failed(options, bus, r, &error);
        return CTL_FAILURE;
}

CtlExit verb_recover(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char unit[PATTERN_SIZE];
        CtlExit code;
        int r;

        code = pattern_check_unit(args[0], "one at a time is recovered by hand");
        if (code == CTL_OK)
                code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        r = link_change(options, bus, &error, "Recover", "s", pattern_unit(args[0], unit));
        if (r >= 0)
                return CTL_OK;
        if (!sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_HELD) || unit_is_known(bus, unit))
                return link_failed(options, bus, r, &error);
        ctl_error("%s is not observed: no agent of it has beaten. See: varta-ctl units", unit);
        return CTL_FAILURE;
}
