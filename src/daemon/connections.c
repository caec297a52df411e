/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two connections to the bus. Clients are served on one that has the name; systemd is asked on another that has none,
 * so that a subscriber who stops reading blocks signals and not recovery.
 *
 * A bus that is not there yet is waited for (its socket is watched, not polled), and one that went away is connected
 * to again. Beats are received all the while.
 */

#include <stdio.h>
#include <stdlib.h>

#include "daemon/manager-private.h"
#include "daemon/message-ids.h"
#include "daemon/priorities.h"
#include "util/log.h"

/* Pause before connecting again: a bus that accepts and hangs up at once must not become a busy loop. */
#define RECONNECT_USEC (1 * USEC_PER_SEC)

#define SYSTEM_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"

static int start_clients(Manager *m);
static int start_systemd(Manager *m);

static void bus_freep(sd_bus **bus) {
        (void) sd_bus_close_unref(*bus);
}

/* The address of the bus: as the environment says, else the usual place. */
static int set_address(const Manager *m, sd_bus *bus) {
        const char *address = secure_getenv(m->options.user ? "DBUS_SESSION_BUS_ADDRESS"
                                                            : "DBUS_SYSTEM_BUS_ADDRESS"),
                   *runtime;
        char buf[256];
        int n;

        if (address)
                return sd_bus_set_address(bus, address);
        if (!m->options.user)
                return sd_bus_set_address(bus, SYSTEM_BUS_ADDRESS);

        runtime = secure_getenv("XDG_RUNTIME_DIR");
        if (!runtime)
                return -ENOMEDIUM;
        n = snprintf(buf, sizeof(buf), "unix:path=%s/bus", runtime);
        if (n < 0 || (size_t) n >= sizeof(buf))
                return -ENAMETOOLONG;
        return sd_bus_set_address(bus, buf);
}

/* A connection that comes up by itself as soon as there is a bus. */
static int open_bus(Manager *m, const char *description, int priority, sd_bus **ret) {
        _cleanup_(bus_freep) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_description(bus, description);
        if (r < 0)
                return r;
        r = set_address(m, bus);
        if (r < 0)
                return r;
        /* Nobody sends us any that we want, and calls that wait for permission would hold them. */
        r = sd_bus_negotiate_fds(bus, false);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_set_watch_bind(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, m->event, priority);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

static void close_connection(Connection *c) {
        if (c->bus) {
                (void) sd_bus_detach_event(c->bus);
                c->bus = sd_bus_close_unref(c->bus);
        }
}

static int on_retry_clients(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) start_clients(userdata);
        return 0;
}

static int on_retry_systemd(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) start_systemd(userdata);
        return 0;
}

static int retry_later(Manager *m, Connection *c, sd_event_time_handler_t handler) {
        int r;

        if (!c->retry) {
                r = sd_event_add_time_relative(m->event, &c->retry, CLOCK_MONOTONIC, RECONNECT_USEC, 0,
                                               handler, m);
                if (r < 0)
                        return r;
                (void) sd_event_source_set_description(c->retry, c->description);
                return sd_event_source_set_priority(c->retry, PRIORITY_CLIENT_BUS);
        }
        r = sd_event_source_set_time_relative(c->retry, RECONNECT_USEC);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(c->retry, SD_EVENT_ONESHOT);
}

/* A connection is tried again and again; what is wrong with it is said once. */
static bool is_news(Connection *c, int error) {
        bool news = c->error != error;

        c->error = error;
        return news;
}

static int start_clients(Manager *m) {
        int r;

        close_connection(&m->clients);
        r = open_bus(m, m->clients.description, PRIORITY_CLIENT_BUS, &m->clients.bus);
        if (r >= 0)
                r = bus_server_attach(m->server, m->clients.bus);
        if (r >= 0)
                return 0;
        if (is_news(&m->clients, r)) {
                if (r == -ENOMEDIUM)
                        log_warning("No bus: DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR are not set");
                else
                        log_warning_errno(r, "Cannot connect to the bus, trying again");
                manager_watch_log(m);
        }
        /* The environment does not change any more. */
        return r == -ENOMEDIUM ? 0 : retry_later(m, &m->clients, on_retry_clients);
}

/* sd-bus is in the middle of a dispatch when it tells of the end: the connection is let go, and another is made
 * later. */
void manager_clients_lost(void *userdata) {
        Manager *m = userdata;

        if (m->stopping)
                return;
        if (is_news(&m->clients, -ECONNRESET))
                log_struct(LOG_WARNING, MESSAGE_BUS_LOST_ID, NULL, 0,
                           "The bus went away: clients are not served until it is back");
        manager_watch_log(m);
        (void) retry_later(m, &m->clients, on_retry_clients);
}

/* A subscriber that does not read has the bus daemon read nothing of ours. What is queued for it is lost, as are signals
 * until the next connection is up; lists and counters are exact, there as here. */
void manager_clients_stuck(void *userdata) {
        Manager *m = userdata;

        if (m->stopping)
                return;
        log_struct(LOG_WARNING, MESSAGE_BUS_STUCK_ID, NULL, 0,
                   "The bus has taken nothing for %u s, because somebody does not read our signals: "
                   "connecting to it anew",
                   (unsigned) (BUS_QUEUE_PATIENCE_CLOSE_USEC / USEC_PER_SEC));
        manager_watch_log(m);
        close_connection(&m->clients);
        (void) retry_later(m, &m->clients, on_retry_clients);
}

static int on_systemd_lost(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Manager *m = userdata;

        if (m->stopping)
                return 0;
        recovery_detach_bus(m->recovery);
        (void) retry_later(m, &m->systemd, on_retry_systemd);
        return 0;
}

static int start_systemd(Manager *m) {
        int r;

        recovery_detach_bus(m->recovery);
        close_connection(&m->systemd);
        r = open_bus(m, m->systemd.description, PRIORITY_SYSTEMD_BUS, &m->systemd.bus);
        if (r >= 0)
                r = sd_bus_match_signal_async(m->systemd.bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                              "org.freedesktop.DBus.Local", "Disconnected", on_systemd_lost,
                                              NULL, m);
        if (r >= 0)
                r = recovery_attach_bus(m->recovery, m->systemd.bus);
        if (r == -ENOMEDIUM)
                return 0; /* as for clients, who say so */
        if (r < 0) {
                if (is_news(&m->systemd, r))
                        log_warning_errno(r, "Cannot connect to systemd's bus, trying again");
                manager_watch_log(m);
                return retry_later(m, &m->systemd, on_retry_systemd);
        }
        m->systemd.error = 0;
        return 0;
}

static void explain_no_name(const Manager *m, int error) {
        if (error == -EEXIST)
                log_struct(LOG_ERR, MESSAGE_NO_NAME_ID, NULL, 0,
                           "The name %s is taken: another observer serves this bus; stop it first, or use "
                           "--user for one of your own",
                           m->bus_name);
        else if (error == -EPERM || error == -EACCES)
                log_struct(LOG_ERR, MESSAGE_NO_NAME_ID, NULL, 0,
                           "The bus does not let this user own %s: run as user varta, or use --user",
                           m->bus_name);
        else
                log_error_errno(error, "Cannot own %s on the bus", m->bus_name);
}

void manager_name_acquired(void *userdata, int error) {
        Manager *m = userdata;

        if (error == 0) {
                m->had_name = true;
                m->clients.error = 0;
                log_debug("Owning %s on the bus", m->bus_name);
                return;
        }
        if (is_news(&m->clients, error))
                explain_no_name(m, error);
        manager_watch_log(m);

        /* Two observers on one host would both restart units. Once we had the name, a lost race is no reason to stop
         * receiving: the next connection asks again. */
        if (!m->had_name)
                (void) sd_event_exit(m->event, error);
        else
                (void) retry_later(m, &m->clients, on_retry_clients);
}

int manager_connections_start(Manager *m) {
        int r;

        m->clients.description = "clients";
        m->systemd.description = "systemd";
        r = start_clients(m);
        if (r < 0)
                return log_error_errno(r, "Cannot prepare the connection to the bus");
        r = start_systemd(m);
        if (r < 0)
                return log_error_errno(r, "Cannot prepare the connection to systemd");
        return 0;
}

static void stop(Connection *c) {
        c->retry = sd_event_source_disable_unref(c->retry);
        if (c->bus)
                (void) sd_bus_flush(c->bus);
        close_connection(c);
}

void manager_connections_stop(Manager *m) {
        if (m->server)
                bus_server_detach(m->server);
        if (m->recovery)
                recovery_detach_bus(m->recovery);
        stop(&m->clients);
        stop(&m->systemd);
}
