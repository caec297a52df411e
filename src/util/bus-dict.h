/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading a{sv} from the bus, value by value. */

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* What is called for every value. Texts are borrowed for the call. A negative result ends the walk and is its result. */
typedef struct BusDictHooks {
        /* A number of its own (u, t: name NULL, i 0), one of a{st} (i 0), or the i-th of at (name NULL). */
        int (*number)(void *userdata, const char *key, const char *name, size_t i, uint64_t value);
        /* A text of its own (s: i 0) or the i-th of as. */
        int (*text)(void *userdata, const char *key, size_t i, const char *value);
} BusDictHooks;

/* Walks the a{sv} that the message stands at. Values of other types are passed over. Returns 0, what a hook did, or negative
 * errno when the message holds something else. */
int bus_dict_walk(sd_bus_message *m, const BusDictHooks *hooks, void *userdata);
