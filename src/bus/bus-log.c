/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * /org/freedesktop/LogControl1: what `systemctl service-log-level varta.service debug` talks to
 * (org.freedesktop.LogControl1(5)).
 *
 * A property's setter has to answer at once, and by default sd-bus finds out about the caller by asking the bus daemon
 * and waiting. So a write is caught before sd-bus looks at the property, and goes the way of every method that
 * changes something: root, or whom polkit lets.
 */

#include <errno.h>
#include <string.h>

#include "bus/bus-internal.h"

#define LOG_PATH      "/org/freedesktop/LogControl1"
#define LOG_INTERFACE "org.freedesktop.LogControl1"

static BUS_GETTER(get_level) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", s->hooks->log_level(s->userdata));
}

static BUS_GETTER(get_target) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", s->hooks->log_target(s->userdata));
}

static BUS_GETTER(get_identifier) {
        return sd_bus_message_append(reply, "s", "vartad");
}

/* Never asked: on_call() is first. */
static int set_nothing(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *value, void *userdata, sd_bus_error *error) {
        return -EPERM;
}

static int set_property(BusServer *s, sd_bus_message *m, sd_bus_error *error) {
        const char *interface, *property, *value;
        int r;

        r = sd_bus_message_read(m, "ss", &interface, &property);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "v", "s", &value);
        if (r < 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "The value has to be a string.");

        if (strcmp(property, "LogLevel") == 0)
                r = s->hooks->set_log_level(s->userdata, value);
        else
                r = s->hooks->set_log_target(s->userdata, value);
        if (r == -EINVAL)
                return sd_bus_error_setf(
                                error, SD_BUS_ERROR_INVALID_ARGS, "%s=%.100s: allowed are %s.", property,
                                value,
                                strcmp(property, "LogLevel") == 0
                                                ? "emerg, alert, crit, err, warning, notice, info, debug"
                                                : "auto, journal, console, null");
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, NULL);
}

/* Of all that is called on the object only writes of the two are ours. */
static bool is_write(sd_bus_message *m) {
        const char *interface, *property;
        bool ours = false;

        if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Set") ||
            !sd_bus_message_has_signature(m, "ssv"))
                return false;
        if (sd_bus_message_read(m, "ss", &interface, &property) > 0)
                ours = strcmp(interface, LOG_INTERFACE) == 0 &&
                       (strcmp(property, "LogLevel") == 0 || strcmp(property, "LogTarget") == 0);
        return sd_bus_message_rewind(m, true) >= 0 && ours;
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusServer *s = userdata;

        return is_write(m) ? bus_access_check(s, m, set_property, error) : 0;
}

static const sd_bus_vtable log_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_nothing, 0, 0),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_nothing, 0, 0),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

int bus_log_attach(BusServer *s) {
        int r;

        r = sd_bus_add_object(s->bus, &s->slots[BUS_SLOT_LOG_CALLS], LOG_PATH, on_call, s);
        if (r < 0)
                return r;
        return sd_bus_add_object_vtable(s->bus, &s->slots[BUS_SLOT_LOG], LOG_PATH, LOG_INTERFACE, log_vtable,
                                        s);
}
