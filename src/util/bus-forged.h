/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Keeping signals out that nobody but their sender wanted here. */

#include <systemd/sd-bus.h>

/* From now on no match and no handler of this connection sees a signal that somebody addressed to it, except the bus's own.
 * `ret`: a slot that the caller owns, and with which this ends; NULL: it ends with the connection. Returns 0 or what sd-bus
 * says. */
int bus_refuse_forged(sd_bus *bus, sd_bus_slot **ret);
