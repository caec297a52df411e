/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * /org/varta/Observer1/agent/<id>: one object per agent, which exists only while somebody asks.
 *
 * Nothing is kept for an agent on the bus: its object is found when a call names it, filled from the observer and
 * forgotten again. So a hundred thousand agents cost the bus nothing. They are listed as child nodes only while they
 * are few; there is no ObjectManager, because its one answer would name them all.
 *
 * Nothing here is announced: a beat would change three properties.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-internal.h"
#include "util/parse.h"

/* One getter per kind of value; which property is meant, sd-bus says by its offset in BusServer.found. */

static int get_status(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", vlp_status_to_string(s->found.status));
}

static int get_origin(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", origin_to_string(s->found.origin));
}

static int get_unit(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", bus_unit_name(s, s->found.unit));
}

static int get_class(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;
        const char *unit = bus_unit_name(s, s->found.unit);

        return sd_bus_message_append(reply, "s", s->hooks->unit_class(s->userdata, s->found.unit, unit));
}

static int get_invocation(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;
        char buf[BUS_INVOCATION_SIZE];

        return sd_bus_message_append(reply, "s", bus_invocation(s->found.invocation, buf));
}

static int get_bool(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const bool *value = userdata;

        return sd_bus_message_append(reply, "b", (int) *value);
}

static int get_first_seen(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", s->hooks->to_monotonic(s->userdata, s->found.first_seen));
}

static int get_last_beat(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", s->hooks->to_monotonic(s->userdata, s->found.last_beat));
}

static int get_threshold(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", nsec_to_usec_up(s->found.threshold));
}

/* "/org/varta/Observer1/agent/42" -> 42. Only the one spelling that bus_agent_path() makes is the object's name. */
static bool parse_path(const char *path, uint64_t *ret) {
        const char *label = path + STRLEN(BUS_AGENT_PATH "/");

        if (strncmp(path, BUS_AGENT_PATH "/", STRLEN(BUS_AGENT_PATH "/")) != 0)
                return false;
        if (label[0] == '0' && label[1] != 0)
                return false;

        return parse_u64(label, 0, UINT64_MAX, ret) >= 0;
}

static int find_agent(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                      sd_bus_error *error) {
        BusServer *s = userdata;
        uint64_t id;

        if (!parse_path(path, &id) || observer_agent(s->observer, id, &s->found) < 0)
                return 0;

        *ret_found = s;
        return 1;
}

static void free_strv(char **strv) {
        for (char **p = strv; p && *p; p++)
                free(*p);
        free(strv);
}

/* Fills `nodes`, which has room for BUS_ENUMERATE_MAX paths and came zeroed. Returns 0, -ENOMEM. */
static int fill_nodes(BusServer *s, char **nodes) {
        uint32_t cursor = 0;
        size_t n = 0;

        do {
                size_t got = observer_list(s->observer, cursor, s->page, BUS_ENUMERATE_MAX - n, &cursor);

                for (size_t i = 0; i < got; i++) {
                        char path[BUS_AGENT_PATH_SIZE];

                        bus_agent_path(s->page[i].id, path);
                        nodes[n] = strdup(path);
                        if (!nodes[n++])
                                return -ENOMEM;
                }
        } while (cursor != 0 && n < BUS_ENUMERATE_MAX);

        return 0;
}

static int enumerate_agents(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                            sd_bus_error *error) {
        BusServer *s = userdata;
        uint32_t tracked = observer_tracked(s->observer);
        char **nodes;

        if (tracked == 0 || tracked > BUS_ENUMERATE_MAX)
                return 0;

        nodes = calloc(BUS_ENUMERATE_MAX + 1, sizeof(char *));
        if (!nodes)
                return -ENOMEM;
        if (fill_nodes(s, nodes) < 0) {
                free_strv(nodes);
                return -ENOMEM;
        }

        *ret_nodes = nodes;
        return 0;
}

#define FOUND(field) offsetof(BusServer, found.field)

static const sd_bus_vtable agent_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "t", NULL, FOUND(id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Pid", "u", NULL, FOUND(pid), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Uid", "u", NULL, FOUND(uid), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("FirstSeenUSec", "t", get_first_seen, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Unit", "s", get_unit, 0, 0),
        SD_BUS_PROPERTY("InvocationID", "s", get_invocation, 0, 0),
        SD_BUS_PROPERTY("PidNamespaceInode", "t", NULL, FOUND(namespace_inode), 0),
        SD_BUS_PROPERTY("Origin", "s", get_origin, 0, 0),
        SD_BUS_PROPERTY("Class", "s", get_class, 0, 0),
        SD_BUS_PROPERTY("ThresholdUSec", "t", get_threshold, 0, 0),
        SD_BUS_PROPERTY("Status", "s", get_status, 0, 0),
        SD_BUS_PROPERTY("Payload", "u", NULL, FOUND(payload), 0),
        SD_BUS_PROPERTY("Stalled", "b", get_bool, FOUND(stalled), 0),
        SD_BUS_PROPERTY("Confirmed", "b", get_bool, FOUND(confirmed), 0),
        SD_BUS_PROPERTY("Terminal", "b", get_bool, FOUND(terminal), 0),
        SD_BUS_PROPERTY("HasPidfd", "b", get_bool, FOUND(has_pidfd), 0),
        SD_BUS_PROPERTY("LastBeatUSec", "t", get_last_beat, 0, 0),
        SD_BUS_PROPERTY("LastNonce", "t", NULL, FOUND(last_nonce), 0),
        SD_BUS_PROPERTY("Beats", "t", NULL, FOUND(beats), 0),
        SD_BUS_VTABLE_END,
};

int bus_agent_attach(BusServer *s) {
        int r;

        r = sd_bus_add_fallback_vtable(s->bus, &s->slots[BUS_SLOT_AGENTS], BUS_AGENT_PATH,
                                       BUS_AGENT_INTERFACE, agent_vtable, find_agent, s);
        if (r < 0)
                return r;

        return sd_bus_add_node_enumerator(s->bus, &s->slots[BUS_SLOT_AGENT_NODES], BUS_AGENT_PATH,
                                          enumerate_agents, s);
}
