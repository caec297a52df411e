/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The same rows for programs. Names and meanings stay as they are once released: members may be added. Times are
 * µs of the observer's CLOCK_MONOTONIC, as on the bus; what is not there is null and not a magic number.
 *
 * json-c ends the program when memory runs out; so nothing here checks for it.
 */

#include <string.h>

#include "ctl/view.h"

/* The uid that stands for "the kernel named none". */
#define UID_UNKNOWN UINT32_MAX

/* For keys that are literals and come once: nothing to copy, nothing to look for. */
static void add(json_object *o, const char *key, json_object *value) {
        (void) json_object_object_add_ex(o, key, value,
                                         JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_KEY_IS_CONSTANT);
}

static void add_text(json_object *o, const char *key, const char *value) {
        add(o, key, value[0] ? json_object_new_string(value) : NULL);
}

static void add_u64(json_object *o, const char *key, uint64_t value) {
        add(o, key, json_object_new_uint64(value));
}

json_object *agent_row_to_json(const AgentRow *row) {
        json_object *o = json_object_new_object();

        add_u64(o, "id", row->id);
        add_u64(o, "pid", row->pid);
        add_text(o, "unit", row->unit);
        add_text(o, "status", row->status);
        add_text(o, "origin", row->origin);
        add(o, "stalled", json_object_new_boolean(row->stalled));
        add_u64(o, "last_beat_usec", row->last_beat);
        add_u64(o, "last_nonce", row->last_nonce);
        add_u64(o, "payload", row->payload);
        add_u64(o, "beats", row->beats);
        add(o, "uid", row->uid == UID_UNKNOWN ? NULL : json_object_new_uint64(row->uid));
        add_text(o, "class", row->class);
        return o;
}

json_object *unit_row_to_json(const UnitRow *row) {
        json_object *o = json_object_new_object();

        add_text(o, "unit", row->name);
        add_text(o, "mode", row->mode);
        add_text(o, "state", row->state);
        add_u64(o, "agents", row->agents);
        add_u64(o, "stalled", row->stalled);
        add_u64(o, "restarts", row->restarts);
        add_text(o, "last_outcome", row->last_outcome);
        json_object_object_add(o, "backoff_until_usec",
                               row->backoff_until > 0 ? json_object_new_uint64(row->backoff_until) : NULL);
        return o;
}

static json_object *listeners_to_json(const ObserverView *v) {
        json_object *a = json_object_new_array();

        for (size_t i = 0; i < v->n_listeners; i++) {
                const ListenerRow *l = &v->listeners[i];
                json_object *o = json_object_new_object();

                add_text(o, "name", l->name);
                add_text(o, "transport", l->transport);
                add_text(o, "address", l->address);
                add_u64(o, "receive_buffer", l->receive_buffer);
                add_u64(o, "datagrams", l->datagrams);
                json_object_array_add(a, o);
        }

        return a;
}

json_object *pause_row_to_json(const PauseRow *row) {
        json_object *o = json_object_new_object();

        add_text(o, "what", row->what);
        json_object_object_add(o, "until_usec", row->until > 0 ? json_object_new_uint64(row->until) : NULL);
        add_text(o, "reason", row->reason);
        return o;
}

static json_object *pauses_to_json(const ObserverView *v) {
        json_object *a = json_object_new_array();

        for (size_t i = 0; i < v->n_pauses; i++)
                json_object_array_add(a, pause_row_to_json(&v->pauses[i]));
        return a;
}

/* Plain counters are numbers, those with reasons objects of numbers; the names are the bus properties'. */
static json_object *counters_to_json(const ObserverView *v) {
        json_object *o = json_object_new_object();

        for (size_t i = 0; i < v->n_counters; i++) {
                const CounterRow *c = &v->counters[i];
                json_object *group;

                if (!c->key) {
                        json_object_object_add(o, c->name, json_object_new_uint64(c->value));
                        continue;
                }
                if (!json_object_object_get_ex(o, c->name, &group)) {
                        group = json_object_new_object();
                        json_object_object_add(o, c->name, group);
                }
                json_object_object_add(group, c->key, json_object_new_uint64(c->value));
        }

        return o;
}

json_object *observer_view_to_json(const ObserverView *v) {
        json_object *o = json_object_new_object();

        add_text(o, "state", v->state);
        add_text(o, "configuration_error", v->config_error);
        add_text(o, "version", v->version);
        add_text(o, "clock_source", v->clock_source);
        add_text(o, "capabilities", v->capabilities);
        add_u64(o, "start_usec", v->start);
        add_u64(o, "capacity", v->capacity);
        add_u64(o, "agents_tracked", v->tracked);
        add_u64(o, "agents_stalled", v->stalled);
        add_u64(o, "agents_degraded", v->degraded);
        add_u64(o, "agents_critical", v->critical);
        add_u64(o, "threshold_usec", v->threshold);
        add_u64(o, "descriptor_budget", v->descriptor_budget);
        json_object_object_add(o, "brake_until_usec",
                               v->brake_until > 0 ? json_object_new_uint64(v->brake_until) : NULL);
        json_object_object_add(o, "pauses", pauses_to_json(v));
        add_u64(o, "pid_namespace_inode", v->pid_namespace);
        json_object_object_add(o, "listeners", listeners_to_json(v));
        json_object_object_add(o, "counters", counters_to_json(v));
        return o;
}
