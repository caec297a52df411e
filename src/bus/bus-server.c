/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The server's life on the bus: connection, name, coming and going.
 *
 * The bus is a guest in this house: the observer works before it comes, while it is away and after it is gone. So
 * nothing here waits for it. The connection is opened by the daemon (which knows whether it is the system's or the
 * user's, and how to wait for its socket) and handed over; the name is asked for with a message whose answer
 * arrives like any other; a lost connection is reported, and everything that belonged to it is dropped at once.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bus/bus-internal.h"
#include "util/bus-forged.h"
#include "util/parse.h"

/* Answers to RequestName, as the D-Bus specification numbers them. */
enum {
        NAME_PRIMARY_OWNER = 1,
        NAME_ALREADY_OWNER = 4,
};

int bus_server_new(sd_event *event, const Observer *observer, const BusHooks *hooks, void *userdata,
                   BusServer **ret) {
        assert(event);
        assert(observer);
        assert(hooks);
        assert(ret);

        _cleanup_(bus_server_freep) BusServer *s = calloc(1, sizeof(BusServer));
        if (!s)
                return -ENOMEM;

        s->event = sd_event_ref(event);
        s->observer = observer;
        s->hooks = hooks;
        s->userdata = userdata;
        hooks->facts(userdata, &s->facts);

        int r = bus_changes_init(s);
        if (r < 0)
                return r;
        r = bus_queue_init(s);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

BusServer *bus_server_free(BusServer *s) {
        if (!s)
                return NULL;

        bus_server_detach(s);
        bus_changes_done(s);
        bus_queue_done(s);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

static int on_name_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusServer *s = userdata;

        s->slots[BUS_SLOT_NAME] = sd_bus_slot_unref(s->slots[BUS_SLOT_NAME]);

        int r = -sd_bus_message_get_errno(m);
        if (r == 0) {
                uint32_t answer;

                r = sd_bus_message_read(m, "u", &answer);
                if (r >= 0)
                        r = answer == NAME_PRIMARY_OWNER || answer == NAME_ALREADY_OWNER ? 0 : -EEXIST;
        } else if (r == -EACCES)
                r = -EPERM;

        if (r == 0)
                s->queue.left_name = false;
        s->hooks->name_acquired(s->userdata, r);
        return 1;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusServer *s = userdata;

        bus_server_detach(s);
        s->hooks->disconnected(s->userdata);
        return 0;
}

static int attach(BusServer *s) {
        int r;

        r = bus_observer_attach(s);
        if (r < 0)
                return r;

        r = bus_agent_attach(s);
        if (r < 0)
                return r;

        r = bus_log_attach(s);
        if (r < 0)
                return r;

        r = bus_queue_attach(s);
        if (r < 0)
                return r;

        r = bus_refuse_forged(s->bus, &s->slots[BUS_SLOT_FORGED]);
        if (r < 0)
                return r;

        r = sd_bus_match_signal(s->bus, &s->slots[BUS_SLOT_DISCONNECTED], "org.freedesktop.DBus.Local",
                                "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                                on_disconnected, s);
        if (r < 0)
                return r;

        r = sd_bus_is_bus_client(s->bus);
        if (r <= 0) /* A direct connection to a peer: there are no names. */
                return r;

        /* Never in a queue: whoever comes second is told so, and stays a stranger. But a connection that we gave up, because
         * the bus daemon reads nothing from it, has the name still: the daemon has not read that it is closed. So the
         * name can be taken over, and is, from ourselves only; the bus's policy keeps others from it. */
        return sd_bus_request_name_async(
                        s->bus, &s->slots[BUS_SLOT_NAME], s->facts.bus_name ?: BUS_NAME,
                        SD_BUS_NAME_ALLOW_REPLACEMENT |
                                        (s->queue.left_name ? SD_BUS_NAME_REPLACE_EXISTING : 0),
                        on_name_reply, s);
}

int bus_server_attach(BusServer *s, sd_bus *bus) {
        assert(s);
        assert(bus);

        bus_server_detach(s);
        s->bus = sd_bus_ref(bus);
        int r = attach(s);
        if (r < 0) {
                bus_server_detach(s);
                return r;
        }

        return 0;
}

void bus_server_detach(BusServer *s) {
        assert(s);

        if (!s->bus)
                return;

        bus_access_done(s);
        for (size_t i = 0; i < _BUS_SLOT_MAX; i++)
                s->slots[i] = sd_bus_slot_unref(s->slots[i]);
        s->bus = sd_bus_unref(s->bus);
}

bool bus_server_is_attached(const BusServer *s) {
        assert(s);

        return s->bus;
}

bool bus_server_can_send(BusServer *s, bool *ret_room) {
        assert(s);
        assert(ret_room);

        if (!s->bus || sd_bus_is_ready(s->bus) <= 0) {
                *ret_room = !s->queue.gave_up;
                return false;
        }
        s->queue.gave_up = false;

        *ret_room = bus_queue_has_room(s);
        return *ret_room;
}

uint64_t bus_server_signals_suppressed(const BusServer *s) {
        assert(s);

        return s->signals_suppressed;
}

const char *bus_unit_name(const BusServer *s, uint16_t unit) {
        UnitInfo info;

        if (unit == UNIT_NONE || observer_unit(s->observer, unit, &info) < 0)
                return "";

        return info.name;
}

void bus_agent_path(uint64_t id, char ret[static BUS_AGENT_PATH_SIZE]) {
        (void) snprintf(ret, BUS_AGENT_PATH_SIZE, BUS_AGENT_PATH "/%" PRIu64, id);
}

const char *bus_invocation(const uint8_t *id, char buf[static BUS_INVOCATION_SIZE]) {
        static const uint8_t none[INVOCATION_ID_SIZE];

        if (!id || memcmp(id, none, INVOCATION_ID_SIZE) == 0)
                return "";

        return format_hex(buf, BUS_INVOCATION_SIZE, id, INVOCATION_ID_SIZE);
}
