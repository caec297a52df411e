/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * history: what was restarted, what was not, and why.
 *
 * The observer remembers its last decisions and tells them to everybody. The journal has them from before its start, too,
 * for those who may read it (--journal); and then no observer is needed, which is when history is wanted most.
 */

#include <string.h>
#include <unistd.h>

#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/past.h"
#include "ctl/pattern.h"

/* As many as one looks at; --lines= has more. */
#define HISTORY_LINES 20U

static CtlExit read_journal(const PastQuery *query, PastView *v) {
        const Options *options = query->options;
        int r;

        if (options->transport != TRANSPORT_LOCAL) {
                ctl_error("--journal reads the journal of this host. Allowed: %s without --journal; or "
                          "there: varta-ctl%s history --journal",
                          options->transport == TRANSPORT_HOST ? "--host=" : "--machine=",
                          options->user ? " --user" : "");
                return CTL_USAGE;
        }

        r = past_view_read_journal(query, v);
        if (r < 0) {
                ctl_error("The journal cannot be read: %s", strerror(-r));
                return CTL_FAILURE;
        }
        if (v->n_rows == 0 && query->max > 0 && geteuid() != 0 && !options->quiet)
                ctl_error("Nothing was found. Only root and members of the groups systemd-journal and adm "
                          "see the "
                          "whole journal.");
        return CTL_OK;
}

static CtlExit ask(const PastQuery *query, PastView *v, bool *ret_idle) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CtlExit code;
        int r;

        code = link_open(query->options, &bus);
        if (code != CTL_OK)
                return code;

        r = past_view_fetch(bus, query, v, &error);
        *ret_idle = r < 0 && link_is_idle(query->options, bus, &error);
        if (r < 0 && !*ret_idle)
                return link_failed(query->options, bus, r, &error);
        return CTL_OK;
}

/* That nothing was decided can be said by who was to look, and may see everything. */
static void put_count(const PastQuery *query, const PastView *v, bool idle) {
        if (query->options->no_legend || v->n_rows > 0 || query->max == 0)
                return;
        if (query->options->journal && geteuid() != 0)
                return;
        (void) printf("Nothing was decided%s.%s\n",
                      query->n_args > 0 || query->options->n_units > 0 ? " about that" : "",
                      idle ? " The observer is idle, waiting for the first beat; --journal looks further "
                             "back."
                           : "");
}

CtlExit verb_history(const Options *options, char **args, size_t n_args) {
        PastQuery query = { .options = options,
                            .args = args,
                            .n_args = n_args,
                            .max = options->lines == LINES_DEFAULT ? HISTORY_LINES : options->lines };
        _cleanup_(past_view_done) PastView v = {};
        bool idle = false;
        CtlExit code;

        code = pattern_check(options, args, n_args);
        if (code == CTL_OK)
                code = options->journal ? read_journal(&query, &v) : ask(&query, &v, &idle);
        if (code != CTL_OK)
                return code;

        if (options->json != JSON_OFF) {
                output_json(options->json, past_view_to_json(&v, options->reverse));
                return CTL_OK;
        }

        output_page(options);
        past_view_print(&v, options->reverse);
        put_count(&query, &v, idle);
        return CTL_OK;
}
