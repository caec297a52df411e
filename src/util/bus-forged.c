/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who says that systemd says so?
 *
 * A match names the sender by its well-known name, and for what is broadcast the bus holds to that. A signal that is
 * addressed to a connection is delivered by no match, though: on the system bus everybody may send one to everybody.
 * When it arrives, it carries the unique name of who sent it; sd-bus does not know whose that is, and lets it pass for any
 * well-known name. So any user could tell the observer that a unit was stopped or that systemd is new.
 *
 * What is heard here is broadcast, all of it, by systemd as by the observer. So the question is not who owns which name at
 * this moment: whatever is addressed is forged, unless the bus itself sent it, whose name nobody else can bear.
 */

#include <string.h>

#include "util/bus-forged.h"
#include "util/macro.h"

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *sender;

        if (!sd_bus_message_is_signal(m, NULL, NULL) || !sd_bus_message_get_destination(m))
                return 0;
        sender = sd_bus_message_get_sender(m);
        return !sender || strcmp(sender, "org.freedesktop.DBus") != 0;
}

int bus_refuse_forged(sd_bus *bus, sd_bus_slot **ret) {
        assert(bus);

        /* A filter is asked before all matches. */
        return MIN(sd_bus_add_filter(bus, ret, on_message, NULL), 0);
}
