/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ShowPolicy(): what is in force for a unit, and which line of which file says so.
 *
 * "Why was it restarted, I set Mode=warn" is answered by the line that won. Every key comes, defaults too, so that
 * a reader need not know the defaults; those come with an empty place.
 */

#include <stdio.h>

#include "bus/bus-internal.h"
#include "util/unit-name.h"

/* A path and a line's number. What is longer is cut: it is read by people. */
#define SOURCE_MAX 4128U

static int append_policy(sd_bus_message *reply, const BusPolicy *p) {
        char source[SOURCE_MAX] = "";

        if (p->file)
                (void) snprintf(source, sizeof(source), "%s:%u", p->file, p->line);
        return sd_bus_message_append(reply, "(" BUS_POLICY_ROW ")", p->key, p->value, source);
}

int bus_method_show_policy(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusPolicy rows[BUS_POLICY_MAX];
        BusServer *s = userdata;
        const char *unit;
        size_t n;
        int r;

        r = sd_bus_message_read(m, "s", &unit);
        if (r < 0)
                return r;
        if (unit[0] != '\0' && !unit_name_is_valid(unit))
                return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "\"%.100s\" is no unit; write it out, with its suffix, such as "
                                         "worker@1.service.",
                                         unit);

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(" BUS_POLICY_ROW ")");
        if (r < 0)
                return r;

        n = s->hooks->policy(s->userdata, unit, rows);
        for (size_t i = 0; i < n; i++) {
                r = append_policy(reply, &rows[i]);
                if (r < 0)
                        return r;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}
