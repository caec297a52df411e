/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The policy that holds for a unit, as the observer tells it. */

#include <json-c/json.h>
#include <systemd/sd-bus.h>

typedef struct PolicyRow {
        const char *key, *value;
        const char *source; /* "FILE:LINE"; "": the default */
} PolicyRow;

/* Strings live in the message. */
typedef struct PolicyView {
        sd_bus_message *message;
        PolicyRow *rows;
        size_t n_rows;
} PolicyView;

/* Asks for it. Returns 0, or negative errno, with *error set when the answer was one. */
int policy_view_fetch(sd_bus *bus, const char *unit, PolicyView *ret, sd_bus_error *error);
void policy_view_done(PolicyView *v);

/* An object: by key, its value and source. The caller owns the reference. */
json_object *policy_view_to_json(const PolicyView *v);
