/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * All units at once, without polling: one question for those that run, and one match for every change after it.
 *
 * A match for each unit would wake nobody for the others, but the bus limits matches per connection, and a unit that is
 * not loaded yet has no path to match by a pattern. A single one on the tree of units costs a wake-up for each change of
 * any unit's state on the host, and is installed only while somebody wants to know. A unit that is loaded, or not any
 * more, is no news: what is not loaded does not run, and what begins to run says so.
 *
 * The match is in force before the list is made, as the bus keeps our messages in order: nothing falls between.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/systemd-private.h"
#include "recovery/systemd-units.h"

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *unit = NULL;
        UnitsMonitor *monitor = userdata;
        UnitFacts facts = {};
        int r;

        r = sd_bus_path_decode(sd_bus_message_get_path(m), SYSTEMD_UNIT_PATH, &unit);
        if (r <= 0)
                return 0;
        r = sd_bus_message_skip(m, "s");
        if (r < 0)
                return 0;
        r = unit_facts_read(m, &facts);
        if (r < 0)
                return 0;
        monitor->handlers->changed(unit, &facts, monitor->userdata);
        return 0;
}

static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        UnitsMonitor *monitor = userdata;
        int r, begins;

        r = sd_bus_message_read(m, "b", &begins);
        if (r >= 0 && !begins)
                monitor->handlers->reloaded(monitor->userdata);
        return 0;
}

/* One row of the list. Returns 1, 0 at the end, negative errno for what is none. */
static int read_row(sd_bus_message *m, const char **ret_unit, const char **ret_state) {
        int r;

        r = sd_bus_message_enter_container(m, 'r', "ssssssouso");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "ssss", ret_unit, NULL, NULL, ret_state);
        if (r < 0)
                return r;
        r = sd_bus_message_skip(m, "ssouso");
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        UnitsMonitor *monitor = userdata;
        const char *unit, *state;
        int r = -EIO;

        monitor->list = sd_bus_slot_unref(monitor->list);
        if (!sd_bus_message_is_method_error(m, NULL))
                r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        while (r > 0) {
                r = read_row(m, &unit, &state);
                if (r > 0)
                        monitor->handlers->listed(unit, active_state_from_string(state), monitor->userdata);
        }
        monitor->handlers->list_done(r >= 0, monitor->userdata);
        return 0;
}

static int ask_for_list(UnitsMonitor *m, Systemd *s, const char *const *patterns, size_t n_patterns) {
        static const char *const states[] = { "active", "reloading", "activating" };
        sd_bus_message *call = NULL;
        int r;

        m->list = sd_bus_slot_unref(m->list);
        r = sd_bus_message_new_method_call(s->bus, &call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "ListUnitsByPatterns");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(call, 'a', "s");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(states); i++)
                r = sd_bus_message_append(call, "s", states[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "s");
        for (size_t i = 0; r >= 0 && i < n_patterns; i++)
                r = sd_bus_message_append(call, "s", patterns[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_call_async(s->bus, &m->list, call, on_list, m, 0);
        sd_bus_message_unref(call);
        return MIN(r, 0);
}

int units_monitor_start(UnitsMonitor *m, Systemd *s, const char *const *patterns, size_t n_patterns,
                        const UnitsHandlers *handlers, void *userdata) {
        int r = 0;

        assert(m);
        assert(s);
        assert(patterns || n_patterns == 0);
        assert(handlers);

        if (!s->bus)
                return -ENOTCONN;
        m->handlers = handlers;
        m->userdata = userdata;
        if (!m->changed)
                r = sd_bus_add_match_async(s->bus, &m->changed,
                                           "type='signal',sender='" SYSTEMD_NAME
                                           "',path_namespace='" SYSTEMD_UNIT_PATH "',interface='" PROPERTIES
                                           "',member='PropertiesChanged',arg0='" SYSTEMD_UNIT "'",
                                           on_changed, systemd_match_installed, m);
        if (r >= 0 && !m->reloading)
                r = sd_bus_add_match_async(s->bus, &m->reloading,
                                           "type='signal',sender='" SYSTEMD_NAME "',path='" SYSTEMD_PATH
                                           "',interface='" SYSTEMD_MANAGER "',member='Reloading'",
                                           on_reloading, systemd_match_installed, m);
        if (r >= 0)
                r = ask_for_list(m, s, patterns, n_patterns);
        if (r < 0)
                units_monitor_stop(m);
        return r;
}

void units_monitor_stop(UnitsMonitor *m) {
        assert(m);

        m->list = sd_bus_slot_unref(m->list);
        m->changed = sd_bus_slot_unref(m->changed);
        m->reloading = sd_bus_slot_unref(m->reloading);
}
