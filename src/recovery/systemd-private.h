/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names of systemd's bus interface, and what its two readers share. */

#include "recovery/systemd.h"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER   "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT      "org.freedesktop.systemd1.Unit"
#define SYSTEMD_SERVICE   "org.freedesktop.systemd1.Service"
#define SYSTEMD_UNIT_PATH SYSTEMD_PATH "/unit"
#define PROPERTIES        "org.freedesktop.DBus.Properties"

/* Reads an a{sv} of a unit's properties: those it knows go to facts, the others are passed over. Returns 0, negative
 * errno for a message that holds none. */
int unit_facts_read(sd_bus_message *m, UnitFacts *facts);

/* For matches: without a callback of one's own sd-bus closes the connection when one cannot be installed. */
int systemd_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *error);
