/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A world with a state directory of its own, whose observer dies and comes back. */

#include "world.h"

typedef struct Disk {
        World w;
        RecoverySettings settings;
        char path[64];
        int dir;
} Disk;

void disk_init(Disk *d);
/* Takes every file away. */
void disk_clear(Disk *d);
/* Nothing but what Varta and disk_write() put there may be left. */
void disk_done(Disk *d);

void disk_revive(Disk *d);
/* The same without waiting for the loop: for tables of every byte. */
void disk_revive_at_once(Disk *d);

void disk_write(const Disk *d, const char *name, const uint8_t *data, size_t size);
