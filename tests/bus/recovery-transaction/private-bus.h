/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A dbus-daemon of the test's own, which can be taken away and brought back at the same address. */

#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

typedef struct PrivateBus {
        char directory[64];
        char address[128];
        pid_t pid; /* 0: not running */
} PrivateBus;

/* Starts it; returns when it listens. A machine without dbus-daemon fails the test. */
void private_bus_start(PrivateBus *b);
/* Ends it at once, with every connection. */
void private_bus_stop(PrivateBus *b);
void private_bus_restart(PrivateBus *b);
/* Ends it if it still runs, and removes the directory. */
void private_bus_done(PrivateBus *b);

/* A connection in the event loop, not flushed: it is ready when the loop has run. */
sd_bus *private_bus_connect(const PrivateBus *b, sd_event *event);
