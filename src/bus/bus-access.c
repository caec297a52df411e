/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may change things: root, and on a user's own bus that user.
 *
 * sd-bus can find out about a caller by itself, but asks the bus daemon and waits for the answer: up to 25 s in
 * which no beat is read, at the wish of whoever makes the bus slow. So the question is a message like any other. The
 * call waits for its answer in one of a fixed number of places, and there is an end to how many may wait.
 *
 * On a direct connection there is no bus daemon; the kernel knows the peer of the socket.
 */

#include <errno.h>
#include <unistd.h>

#include "bus/bus-internal.h"

static bool may_change(const BusServer *s, uid_t uid) {
        return uid == 0 || (s->facts.user_bus && uid == geteuid());
}

static int refuse(const BusServer *s, sd_bus_error *error) {
        return sd_bus_error_set(
                        error, BUS_ERROR_ACCESS_DENIED,
                        s->facts.user_bus ? "Only the user who runs the observer, or root, may do this."
                                          : "Only root may do this; try again with sudo.");
}

static void request_done(AccessRequest *a) {
        a->slot = sd_bus_slot_unref(a->slot);
        a->message = sd_bus_message_unref(a->message);
}

static int on_caller(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        AccessRequest *a = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = TAKE_PTR(a->message);
        BusServer *s = a->server;
        uint32_t uid;
        int r;

        request_done(a);

        /* A caller that left meanwhile has no uid, and nobody waits for an answer. */
        if (sd_bus_message_is_method_error(reply, NULL))
                return 1;

        r = sd_bus_message_read(reply, "u", &uid);
        if (r >= 0)
                r = may_change(s, uid) ? a->handler(s, m, &error) : refuse(s, &error);
        if (r < 0)
                (void) sd_bus_reply_method_errno(m, r, &error);

        return 1;
}

static int check_peer(BusServer *s, sd_bus_message *m, AccessHandler handler, sd_bus_error *error) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        uid_t uid;
        int r;

        r = sd_bus_get_owner_creds(s->bus, SD_BUS_CREDS_EUID, &creds);
        if (r < 0)
                return r;

        r = sd_bus_creds_get_euid(creds, &uid);
        if (r < 0)
                return r;

        return may_change(s, uid) ? handler(s, m, error) : refuse(s, error);
}

int bus_access_check(BusServer *s, sd_bus_message *m, AccessHandler handler, sd_bus_error *error) {
        AccessRequest *a = NULL;
        int r;

        assert(s);
        assert(m);
        assert(handler);

        /* What a peer writes into the sender's place of a direct message proves nothing. */
        if (sd_bus_is_bus_client(s->bus) <= 0)
                return check_peer(s, m, handler, error);

        for (size_t i = 0; i < BUS_ACCESS_MAX && !a; i++)
                if (!s->access[i].message)
                        a = &s->access[i];
        if (!a)
                return sd_bus_error_set(error, BUS_ERROR_BUSY,
                                        "Too many callers wait for permission; try again in a moment.");

        a->server = s;
        a->handler = handler;
        r = sd_bus_call_method_async(s->bus, &a->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionUnixUser", on_caller, a, "s",
                                     sd_bus_message_get_sender(m));
        if (r < 0)
                return r;

        a->message = sd_bus_message_ref(m);
        return 1;
}

void bus_access_done(BusServer *s) {
        for (size_t i = 0; i < BUS_ACCESS_MAX; i++)
                request_done(&s->access[i]);
}
