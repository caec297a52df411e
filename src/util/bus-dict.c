/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Dictionaries of the bus as a walk.
 *
 * Whoever answers with an a{sv} may add keys later, with types of their own; whoever reads one knows some of the keys. So this
 * goes through everything, hands over what has a shape that it knows, and steps over the rest.
 */

#include <errno.h>
#include <string.h>

#include "util/bus-dict.h"
#include "util/macro.h"

typedef struct Walk {
        sd_bus_message *m;
        const BusDictHooks *hooks;
        void *userdata;
} Walk;

static int walk_u32(const Walk *w, const char *key) {
        uint32_t value;
        int r;

        r = sd_bus_message_read_basic(w->m, 'u', &value);
        return r < 0 ? r : w->hooks->number(w->userdata, key, NULL, 0, value);
}

static int walk_u64(const Walk *w, const char *key) {
        uint64_t value;
        int r;

        r = sd_bus_message_read_basic(w->m, 't', &value);
        return r < 0 ? r : w->hooks->number(w->userdata, key, NULL, 0, value);
}

static int walk_string(const Walk *w, const char *key) {
        const char *value;
        int r;

        r = sd_bus_message_read_basic(w->m, 's', &value);
        return r < 0 ? r : w->hooks->text(w->userdata, key, 0, value);
}

static int walk_numbers(const Walk *w, const char *key) {
        const uint64_t *values;
        const void *array;
        size_t size;
        int r;

        r = sd_bus_message_read_array(w->m, 't', &array, &size);
        if (r < 0)
                return r;

        values = array;
        for (size_t i = 0; i < size / sizeof(uint64_t); i++) {
                r = w->hooks->number(w->userdata, key, NULL, i, values[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int walk_strings(const Walk *w, const char *key) {
        const char *value;
        int r;

        r = sd_bus_message_enter_container(w->m, 'a', "s");
        if (r < 0)
                return r;

        for (size_t i = 0; (r = sd_bus_message_read_basic(w->m, 's', &value)) > 0; i++) {
                r = w->hooks->text(w->userdata, key, i, value);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(w->m);
}

static int walk_named(const Walk *w, const char *key) {
        const char *name;
        uint64_t value;
        int r;

        r = sd_bus_message_enter_container(w->m, 'a', "{st}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(w->m, "{st}", &name, &value)) > 0) {
                r = w->hooks->number(w->userdata, key, name, 0, value);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(w->m);
}

static int walk_value(const Walk *w, const char *key) {
        static const struct {
                const char *contents;
                int (*walk)(const Walk *w, const char *key);
        } shapes[] = {
                { "t", walk_u64 },      { "u", walk_u32 },      { "s", walk_string },
                { "at", walk_numbers }, { "as", walk_strings }, { "a{st}", walk_named },
        };
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(w->m, &type, &contents);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                if (strcmp(contents, shapes[i].contents) != 0)
                        continue;

                r = sd_bus_message_enter_container(w->m, 'v', contents);
                if (r < 0)
                        return r;
                r = shapes[i].walk(w, key);
                if (r < 0)
                        return r;
                return sd_bus_message_exit_container(w->m);
        }
        return sd_bus_message_skip(w->m, "v");
}

int bus_dict_walk(sd_bus_message *m, const BusDictHooks *hooks, void *userdata) {
        const Walk w = { m, hooks, userdata };
        const char *key;
        int r;

        assert(m);
        assert(hooks);

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read_basic(m, 's', &key);
                if (r < 0)
                        return r;
                r = walk_value(&w, key);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}
