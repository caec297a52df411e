/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A stage whose observer has a state directory, and dies. */

#include "stage.h"

typedef struct Durably {
        Stage s;
        char path[64];
        int dir;
        RecoverySettings settings;
} Durably;

void durably_init(Durably *d);
void durably_done(Durably *d);

/* The observer dies; what the world does meanwhile is the test's business. */
void die(Durably *d);
void revive(Durably *d);
void die_and_return(Durably *d);

/* A process of the unit's present invocation beats, to an observer that has never heard of it. */
WorldAgent *appears(Durably *d, const FakeUnit *u);
