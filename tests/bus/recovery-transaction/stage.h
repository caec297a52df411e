/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A recovery between a made-up observer and a made-up systemd, on a bus of its own. */

#include "fake-systemd.h"
#include "private-bus.h"
#include "runner.h"
#include "world.h"

typedef struct Stage {
        World w;
        PrivateBus private_bus;
        FakeSystemd f;
        sd_bus *bus; /* recovery's; NULL while it has none */
} Stage;

void stage_init(Stage *s);
void stage_done(Stage *s);

/* Gives recovery a connection; takes it away. */
void stage_connect(Stage *s);
void stage_disconnect(Stage *s);
/* The bus dies with all connections, and comes back; systemd and recovery join again. */
void stage_bus_dies(Stage *s);
void stage_bus_returns(Stage *s);

/* An active unit with one agent of the same invocation, stalled; the loop has settled. */
WorldAgent *stage_stalled(Stage *s, const char *name, FakeJob next);
/* Action=start: for every unit, with a oneshot for the first agent's process that has not run yet. */
FakeUnit *stage_oneshot(Stage *s, FakeJob next);
/* The agent is replaced by one of the unit's present invocation, which beats. */
void stage_beats_anew(Stage *s, WorldAgent *old, const FakeUnit *u);
