/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What agents say of themselves, counted: for the fleet as properties, for units as a list of those that have
 * something to say. So that "is all well?" is answered in one turn, and nobody pages through a hundred thousand agents
 * to find that out.
 */

#include "bus/bus-internal.h"

BUS_GETTER(bus_get_degraded) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "u", observer_degraded(s->observer));
}

BUS_GETTER(bus_get_critical) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "u", observer_critical(s->observer));
}

bool bus_next_unit(const BusServer *s, unsigned *cursor, UnitInfo *ret) {
        while (*cursor < observer_units_max(s->observer)) {
                *cursor += 1;
                if (observer_unit(s->observer, (uint16_t) *cursor, ret) >= 0)
                        return true;
        }
        return false;
}

int bus_method_list_ailing_units(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusServer *s = userdata;
        unsigned rows = 0, unit = UNIT_NONE;
        UnitInfo info;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(" BUS_AILING_ROW ")");
        if (r < 0)
                return r;

        while (rows < BUS_LIST_UNITS_MAX && bus_next_unit(s, &unit, &info)) {
                if (info.degraded + info.critical == 0)
                        continue;
                r = sd_bus_message_append(reply, "(" BUS_AILING_ROW ")", info.name, info.degraded,
                                          info.critical);
                if (r < 0)
                        return r;
                rows++;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}
