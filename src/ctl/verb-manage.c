/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* reload and forget: what changes something at the observer. It checks who asks; here the answer is only shown. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bus/bus-names.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/view.h"
#include "util/parse.h"

CtlExit verb_reload(const Options *options, char **args, size_t n_args) {
        bool idle = false;
        CtlExit code;

        code = link_run_change(options, &idle, "Reload", NULL);
        if (idle && !options->quiet)
                (void) printf("The observer is idle; it reads its configuration when it starts.\n");
        return code;
}

static CtlExit forget(const Options *options, sd_bus *bus, uint64_t id) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = link_change(options, bus, &error, "Forget", "t", id);
        return r < 0 ? link_failed(options, bus, r, &error) : CTL_OK;
}

/* "pid:N": the id of the one agent with this pid. */
static CtlExit find_by_pid(const Options *options, sd_bus *bus, uint32_t pid, uint64_t *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(agents_view_done) AgentsView v = {};
        size_t found = 0;
        uint64_t id = 0;
        int r;

        r = agents_view_find_process(bus, pid, &v, &error);
        if (r < 0)
                return link_failed(options, bus, r, &error);

        for (size_t i = 0; i < v.n_rows; i++)
                if (v.rows[i].pid == pid) {
                        id = v.rows[i].id;
                        found++;
                }
        if (found != 1) {
                ctl_error(found == 0 ? "Pid %u is no agent; varta-ctl list shows those there are."
                                     : "Several agents have pid %u, of different hosts; name one by its id.",
                          pid);
                return CTL_FAILURE;
        }

        *ret = id;
        return CTL_OK;
}

CtlExit verb_forget(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CtlExit code;

        /* Nothing is forgotten unless all of it can be understood. */
        for (size_t i = 0; i < n_args; i++) {
                bool is_pid = strncmp(args[i], "pid:", 4) == 0;
                uint64_t n;

                if (parse_u64(args[i] + (is_pid ? 4 : 0), 0, is_pid ? UINT32_MAX : UINT64_MAX, &n) < 0) {
                        ctl_error("\"%s\" is neither the id of an agent nor pid:N.", args[i]);
                        return CTL_USAGE;
                }
        }

        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        for (size_t i = 0; i < n_args; i++) {
                CtlExit one = CTL_OK;
                uint64_t id = 0;
                uint32_t pid;

                if (strncmp(args[i], "pid:", 4) == 0 && parse_u32(args[i] + 4, 0, UINT32_MAX, &pid) >= 0)
                        one = find_by_pid(options, bus, pid, &id);
                else
                        (void) parse_u64(args[i], 0, UINT64_MAX, &id);
                if (one == CTL_OK)
                        one = forget(options, bus, id);
                if (code == CTL_OK)
                        code = one;
        }

        return code;
}
