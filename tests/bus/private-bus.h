/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A dbus-daemon of the test's own, where everybody may do everything. */

#include "fixture.h"

typedef struct PrivateBus {
        char dir[64];
        char address[128];
        pid_t pid; /* 0: it does not run */
} PrivateBus;

/* Starts it in a fresh directory below /tmp. Returns false, after printing why, when there is no dbus-daemon here. */
bool private_bus_init(PrivateBus *b);
void private_bus_done(PrivateBus *b);
/* Ends the daemon, or starts it again at the same address. */
void private_bus_stop(PrivateBus *b);
void private_bus_start(PrivateBus *b);

/* Whether somebody had the bus start the observer, which it would do. */
bool private_bus_started_observer(const PrivateBus *b);

/* A connection to it, in the fixture's loop. The caller owns it. */
sd_bus *private_bus_connect(const PrivateBus *b, Fixture *f);
/* Puts the fixture's server on it (f->bus) and waits for the answer about the name. */
void private_bus_serve(const PrivateBus *b, Fixture *f);
