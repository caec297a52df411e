/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reaching the observer, or telling why it cannot be reached.
 *
 * The observer is started by the first beat and not by curiosity: every call is marked so that the bus does not
 * activate it. Then "nobody owns the name" has two meanings, and the difference matters to whoever is woken
 * at night: the socket listens and no agent has ever beaten (all is well), or nothing listens and every beat is lost.
 * Here at home the socket itself is asked, by connecting to it, which starts nothing. On another host or in a container
 * systemd is asked what it thinks of varta.socket.
 */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bus/bus-names.h"
#include "client/address.h"
#include "client/varta.h"
#include "ctl/format.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/password-agent.h"
#include "util/instance.h"

/* The observer answers from memory in milliseconds; whoever takes this long is stopped or wedged. */
#define CALL_TIMEOUT_USEC (10 * USEC_PER_SEC)

/* ... unless somebody is asked for a password first: a little longer than the observer lets polkit take. */
#define PASSWORD_TIMEOUT_USEC (6 * 60 * USEC_PER_SEC)

/* One process talks to one observer: which, is said once. */
static char observer_name[INSTANCE_NAME_SIZE] = BUS_NAME;

typedef enum SocketState {
        SOCKET_LISTENS,
        SOCKET_ABSENT,
        SOCKET_FORBIDDEN,
} SocketState;

int link_connect(const Options *options, sd_bus **ret) {
        (void) instance_bus_name(observer_name, BUS_NAME, options->instance);
        switch (options->transport) {
        case TRANSPORT_HOST:
                return sd_bus_open_system_remote(ret, options->host);
        case TRANSPORT_MACHINE:
                return options->user ? sd_bus_open_user_machine(ret, options->host)
                                     : sd_bus_open_system_machine(ret, options->host);
        default:
                return options->user ? sd_bus_open_user(ret) : sd_bus_open_system(ret);
        }
}

const char *link_name(void) {
        return observer_name;
}

CtlExit link_open(const Options *options, sd_bus **ret) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = link_connect(options, &bus);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT_USEC);
        if (r == -ENOMEDIUM) {
                ctl_error("There is no user bus here: DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR are not "
                          "set.");
                return CTL_UNREACHABLE;
        }
        if (r < 0) {
                ctl_error("Cannot connect to the %s bus%s%s: %s", options->user ? "user" : "system",
                          options->host ? " of " : "", options->host ?: "", strerror(-r));
                return CTL_UNREACHABLE;
        }

        *ret = TAKE_PTR(bus);
        return CTL_OK;
}

int link_new_call(sd_bus *bus, const char *interface, const char *member, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, observer_name, BUS_PATH, interface ?: BUS_INTERFACE,
                                           member);
        if (r < 0)
                return r;

        r = sd_bus_message_set_auto_start(m, false);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(m);
        return 0;
}

static int change(const Options *options, sd_bus *bus, sd_bus_error *error, const char *member,
                  const char *types, va_list ap) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = link_new_call(bus, NULL, member, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_set_allow_interactive_authorization(m, !options->no_ask_password);
        if (r < 0)
                return r;
        if (types) {
                r = sd_bus_message_appendv(m, types, ap);
                if (r < 0)
                        return r;
        }

        password_agent_open(options);
        /* Root is not asked for a password, and may tell a wedged observer sooner. */
        return sd_bus_call(bus, m, options->no_ask_password || geteuid() == 0 ? 0 : PASSWORD_TIMEOUT_USEC,
                           error, NULL);
}

int link_change(const Options *options, sd_bus *bus, sd_bus_error *error, const char *member,
                const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = change(options, bus, error, member, types, ap);
        va_end(ap);
        return r;
}

CtlExit link_run_change(const Options *options, bool *ret_idle, const char *member, const char *types, ...) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CtlExit code;
        va_list ap;
        int r;

        code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        va_start(ap, types);
        r = change(options, bus, &error, member, types, ap);
        va_end(ap);
        if (r < 0 && !(ret_idle && link_is_idle(options, bus, &error)))
                return link_failed(options, bus, r, &error);

        if (ret_idle)
                *ret_idle = r < 0;
        return CTL_OK;
}

const char *link_socket(const Options *options) {
        static char path[INSTANCE_NAME_SIZE];

        if (options->socket)
                return options->socket;
        return options->instance ? instance_name(path, "/run/varta/varta", options->instance, ".sock")
                                 : VARTA_DEFAULT_ADDRESS;
}

static SocketState probe_here(const Options *options) {
        const struct sockaddr *sa;
        VartaAddress address;
        int fd, r;

        /* A user's observer has no usual place. */
        if (options->user && !options->socket)
                return SOCKET_ABSENT;
        if (varta_address_parse(link_socket(options), &address) < 0)
                return SOCKET_ABSENT;

        /* Only a socket on this host can say whether somebody listens. */
        sa = (const struct sockaddr *) &address.sockaddr;
        if (sa->sa_family != AF_UNIX)
                return SOCKET_ABSENT;

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return SOCKET_ABSENT;

        r = connect(fd, sa, address.size) < 0 ? -errno : 0;
        (void) close(fd);
        if (r == -EACCES || r == -EPERM)
                return SOCKET_FORBIDDEN;
        return r < 0 ? SOCKET_ABSENT : SOCKET_LISTENS;
}

static SocketState probe_there(const Options *options, sd_bus *bus) {
        _cleanup_free_ char *state = NULL, *path = NULL;
        char unit[INSTANCE_NAME_SIZE];

        if (sd_bus_path_encode("/org/freedesktop/systemd1/unit",
                               instance_name(unit, "varta", options->instance, ".socket"), &path) < 0 ||
            sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path,
                                       "org.freedesktop.systemd1.Unit", "ActiveState", NULL, &state) < 0)
                return SOCKET_ABSENT;
        return strcmp(state, "active") == 0 ? SOCKET_LISTENS : SOCKET_ABSENT;
}

static SocketState probe(const Options *options, sd_bus *bus) {
        return options->transport == TRANSPORT_LOCAL ? probe_here(options) : probe_there(options, bus);
}

static bool is_absent(const sd_bus_error *error) {
        return sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

bool link_is_idle(const Options *options, sd_bus *bus, const sd_bus_error *error) {
        return is_absent(error) && probe(options, bus) == SOCKET_LISTENS;
}

static void explain_absence(const Options *options, sd_bus *bus) {
        SocketState state = probe(options, bus);
        char unit[INSTANCE_NAME_SIZE];

        if (state == SOCKET_LISTENS)
                ctl_error("No observer is on the bus yet: it is idle, and the first beat starts it.\n"
                          "%s%s",
                          options->user ? "Send it one: varta-ctl beat"
                                        : "Or, without a beat: systemctl start ",
                          options->user ? "" : instance_name(unit, "varta", options->instance, ".service"));
        else if (options->user)
                ctl_error("No observer is on the user bus%s%s. Start one%s: vartad --user%s%s "
                          "--listen=unix:PATH",
                          options->host ? " of " : "", options->host ?: "", options->host ? " there" : "",
                          options->instance ? " --instance=" : "", options->instance ?: "");
        else if (state == SOCKET_FORBIDDEN)
                ctl_error("No observer is on the bus, and you may not look at %s.\n"
                          "Become a member of its group (varta), or ask with sudo.",
                          link_socket(options));
        else if (options->transport == TRANSPORT_LOCAL)
                ctl_error("No observer is on the bus, and nothing listens at %s.\n"
                          "Start listening: systemctl enable --now %s",
                          link_socket(options), instance_name(unit, "varta", options->instance, ".socket"));
        else
                ctl_error("No observer is on the bus of %s, and %s is not active there.\n"
                          "Start listening, there: systemctl enable --now %s",
                          options->host, instance_name(unit, "varta", options->instance, ".socket"), unit);
}

CtlExit link_failed(const Options *options, sd_bus *bus, int r, const sd_bus_error *error) {
        char unit[INSTANCE_NAME_SIZE];

        if (is_absent(error)) {
                explain_absence(options, bus);
                return CTL_UNREACHABLE;
        }
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED)) {
                ctl_error("The bus does not let you talk to the observer: %s", error->message);
                return CTL_UNREACHABLE;
        }
        if (r == -ETIMEDOUT || sd_bus_error_has_names(error, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT)) {
                ctl_error("The observer does not answer. See: systemctl status %s",
                          instance_name(unit, "varta", options->instance, ".service"));
                return CTL_UNREACHABLE;
        }
        if (r == -ECONNRESET || r == -ENOTCONN || sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED)) {
                ctl_error("The connection to the bus%s%s was lost.", options->host ? " of " : "",
                          options->host ?: "");
                return CTL_UNREACHABLE;
        }

        ctl_error("%s", error && error->message ? error->message : strerror(-r));
        return CTL_FAILURE;
}

/* One of systemd's two readings of the moment when userspace began: the same moment on two clocks. */
static int get_manager_usec(sd_bus *bus, const char *property, usec_t *ret) {
        return sd_bus_get_property_trivial(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager", property, NULL, 't', ret);
}

int link_clock(const Options *options, sd_bus *bus, usec_t *ret_offset, usec_t *ret_now) {
        usec_t realtime = now_usec(CLOCK_REALTIME), monotonic = now_usec(CLOCK_MONOTONIC);
        usec_t there_realtime, there_monotonic;
        int r;

        /* A container shares the kernel, and thereby the clock. */
        if (options->transport != TRANSPORT_HOST) {
                *ret_offset = realtime - monotonic;
                *ret_now = monotonic;
                return 0;
        }

        r = get_manager_usec(bus, "UserspaceTimestamp", &there_realtime);
        if (r < 0)
                return r;
        r = get_manager_usec(bus, "UserspaceTimestampMonotonic", &there_monotonic);
        if (r < 0)
                return r;

        *ret_offset = there_realtime - there_monotonic;
        *ret_now = realtime - *ret_offset;
        return 0;
}
