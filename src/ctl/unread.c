/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Enabling a socket while its service runs changes nothing until the service is started anew, and nothing says so: systemd has
 * done what it was told, and the observer cannot know. Beats to it wait, or find nobody. So status compares the sockets
 * that systemd has for the service with those that the observer listens to, by the name under which they are handed over.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/unread.h"
#include "util/unit-name.h"

#define SYSTEMD        "org.freedesktop.systemd1"
#define SYSTEMD_UNITS  "/org/freedesktop/systemd1/unit"
#define SYSTEMD_UNIT   SYSTEMD ".Unit"
#define SYSTEMD_SOCKET SYSTEMD ".Socket"

void unread_sockets_freep(char ***sockets) {
        for (char **s = *sockets; s && *s; s++)
                free(*s);
        free(*sockets);
}

/* "" when systemd does not tell. */
static int unit_property(sd_bus *bus, const char *unit, const char *interface, const char *property,
                         char **ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_UNITS, unit, &path);
        if (r < 0)
                return r;
        if (sd_bus_get_property_string(bus, SYSTEMD, path, interface, property, NULL, ret) >= 0)
                return 0;
        *ret = strdup("");
        return *ret ? 0 : -ENOMEM;
}

static bool is_listened_to(const ObserverView *v, const char *name) {
        for (size_t i = 0; i < v->n_listeners; i++)
                if (strcmp(v->listeners[i].name, name) == 0)
                        return true;
        return false;
}

/* Returns whether the socket is wanted and not read. */
static int is_unread(sd_bus *bus, const ObserverView *v, const char *socket) {
        _cleanup_free_ char *active = NULL, *enabled = NULL, *name = NULL;
        int r;

        if (!unit_name_has_suffix(socket, ".socket"))
                return false;
        r = unit_property(bus, socket, SYSTEMD_UNIT, "ActiveState", &active);
        if (r >= 0)
                r = unit_property(bus, socket, SYSTEMD_UNIT, "UnitFileState", &enabled);
        if (r >= 0)
                r = unit_property(bus, socket, SYSTEMD_SOCKET, "FileDescriptorName", &name);
        if (r < 0)
                return r;

        if (strcmp(active, "active") != 0 && strncmp(enabled, "enabled", STRLEN("enabled")) != 0)
                return false;
        return name[0] && !is_listened_to(v, name);
}

int unread_sockets(sd_bus *bus, const char *service, const ObserverView *v, char ***ret) {
        _cleanup_(unread_sockets_freep) char **sockets = NULL;
        _cleanup_free_ char *path = NULL, *active = NULL;
        size_t kept = 0;
        int r;

        r = unit_property(bus, service, SYSTEMD_UNIT, "ActiveState", &active);
        if (r < 0)
                return r;
        r = sd_bus_path_encode(SYSTEMD_UNITS, service, &path);
        if (r < 0)
                return r;
        if (strcmp(active, "active") == 0) {
                r = sd_bus_get_property_strv(bus, SYSTEMD, path, SYSTEMD_UNIT, "TriggeredBy", NULL,
                                             &sockets);
                if (r < 0)
                        return r;
        }

        /* Those that are kept move to the front; there is always a NULL behind them. */
        for (size_t i = 0; sockets && sockets[i]; i++) {
                char *socket = TAKE_PTR(sockets[i]);

                r = is_unread(bus, v, socket);
                if (r > 0)
                        sockets[kept++] = socket;
                else
                        free(socket);
        }
        *ret = TAKE_PTR(sockets);
        return (int) kept;
}
