/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Policies: three words a key, and none of them ours to understand: a newer observer's new keys are shown as well. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-names.h"
#include "ctl/link.h"
#include "ctl/policy.h"
#include "util/macro.h"

/* More keys than a policy has, and few enough to be read at once. */
#define KEYS_MAX 256U

static int read_rows(PolicyView *v) {
        int r;

        v->rows = calloc(KEYS_MAX, sizeof(PolicyRow));
        if (!v->rows)
                return -ENOMEM;

        r = sd_bus_message_enter_container(v->message, 'a', "(" BUS_POLICY_ROW ")");
        if (r < 0)
                return r;

        while (v->n_rows < KEYS_MAX) {
                PolicyRow *row = &v->rows[v->n_rows];

                r = sd_bus_message_read(v->message, "(" BUS_POLICY_ROW ")", &row->key, &row->value,
                                        &row->source);
                if (r <= 0)
                        return r;
                v->n_rows++;
        }
        return 0;
}

int policy_view_fetch(sd_bus *bus, const char *unit, PolicyView *ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(policy_view_done) PolicyView v = {};
        int r;

        r = link_new_call(bus, NULL, "ShowPolicy", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", unit);
        if (r < 0)
                return r;
        r = sd_bus_call(bus, m, 0, error, &v.message);
        if (r < 0)
                return r;
        r = read_rows(&v);
        if (r < 0)
                return r;

        *ret = v;
        v = (PolicyView){};
        return 0;
}

void policy_view_done(PolicyView *v) {
        free(v->rows);
        sd_bus_message_unref(v->message);
        *v = (PolicyView){};
}

json_object *policy_view_to_json(const PolicyView *v) {
        json_object *all = json_object_new_object();

        for (size_t i = 0; i < v->n_rows; i++) {
                const PolicyRow *row = &v->rows[i];
                json_object *o = json_object_new_object();

                json_object_object_add(o, "value", json_object_new_string(row->value));
                json_object_object_add(o, "source",
                                       row->source[0] ? json_object_new_string(row->source) : NULL);
                json_object_object_add(all, row->key, o);
        }
        return all;
}
