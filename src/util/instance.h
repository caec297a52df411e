/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Instances: several observers on one host, each with a name. What belongs to one is named after the first observer's,
 * as systemd names instances of a unit: varta.service, varta@NAME.service; varta.conf, varta@NAME.conf. Pure.
 */

#include <stdbool.h>

/* What both a unit's name and a bus name may hold as it is. 64: with all that is put around it, a socket's path (107
 * characters) has room for it. */
#define INSTANCE_MAX     64U
#define INSTANCE_ALLOWED "1 to 64 letters, digits, - and _"

/* Room for each of the names below. */
#define INSTANCE_NAME_SIZE 128U

bool instance_is_valid(const char *instance);

/* "BEFORE@INSTANCEBEHIND", or "BEFOREBEHIND" for the first observer (NULL). What does not fit is cut, and with a valid instance
 * all fits whose other parts have up to 60 characters. Returns buf. */
const char *instance_name(char buf[static INSTANCE_NAME_SIZE], const char *before, const char *instance,
                          const char *behind);

/* The instance's name on the bus: the first observer's, and below it an element that is the instance's name behind an
 * underscore, since an element may not begin with a digit. Returns buf. */
const char *instance_bus_name(char buf[static INSTANCE_NAME_SIZE], const char *first, const char *instance);
