/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Blocks: the settings of one section, from however many files and places, and where each key was assigned.
 *
 * Defaults are not written down a second time: they are what the schema's default texts parse to.
 */

#include "config/config-internal.h"

#include <stdio.h>
#include <string.h>

static size_t section_size(ConfigSection section) {
        static const size_t sizes[_CONFIG_SECTION_MAX] = {
                [CONFIG_OBSERVER] = sizeof(ObserverConfig),
                [CONFIG_RECOVERY] = sizeof(RecoveryValues),
                [CONFIG_LISTENER] = sizeof(ListenerConfig),
                [CONFIG_UNIT] = sizeof(UnitPolicy),
        };

        return sizes[section];
}

static void value_set_default(const ConfigKey *key, void *values) {
        const char *reason;
        int r;

        memset((char *) values + key->offset, 0, key->size);

        /* An empty default is what zeroed memory says. */
        if (!*key->default_text)
                return;

        r = config_value_parse(key, key->default_text, values, &reason);
        assert(r == 0); /* the table is wrong */
        (void) r;
}

void config_section_defaults(ConfigSection section, void *values) {
        const ConfigKey *keys;
        size_t n;

        keys = config_section_keys(section, &n);
        for (size_t i = 0; i < n; i++)
                value_set_default(keys + i, values);
}

void block_reset_key(Block *block, size_t key_index) {
        const ConfigKey *key;
        size_t n;

        key = config_section_keys(block->section, &n) + key_index;
        assert(key_index < n);

        if (key->type == CONFIG_TYPE_GLOBS)
                glob_list_done((GlobList *) ((char *) block->values + key->offset));
        value_set_default(key, block->values);
        block->keys[key_index] = (Assignment){};
}

void block_done(Block *block) {
        if (block->section == CONFIG_RECOVERY && block->values)
                glob_list_done(&((RecoveryValues *) block->values)->globs);
        free(block->values);
        free(block->title);
        free(block->name);
}

int block_init(Block *block, ConfigSection section, const char *name) {
        *block = (Block){ .section = section };

        block->values = calloc(1, section_size(section));
        block->name = strdup(name);
        if (!block->values || !block->name)
                return -ENOMEM;
        if (asprintf(&block->title, "%s%s%s", config_section_to_string(section), *name ? " " : "", name) <
            0) {
                block->title = NULL;
                return -ENOMEM;
        }

        config_section_defaults(section, block->values);
        if (section == CONFIG_UNIT) {
                block->is_exact = !unit_glob_is_pattern(name);
                block->literals = unit_glob_literals(name);
        }
        if (section == CONFIG_LISTENER)
                (void) snprintf(((ListenerConfig *) block->values)->name, UNIT_NAME_MAX, "%s", name);
        return 0;
}

int block_get(Block **blocks, size_t *n_blocks, size_t max, ConfigSection section, const char *name,
              Block **ret) {
        Block *array;
        int r;

        for (size_t i = 0; i < *n_blocks; i++)
                if (strcmp((*blocks)[i].name, name) == 0) {
                        *ret = *blocks + i;
                        return 0;
                }

        if (*n_blocks >= max)
                return -E2BIG;

        array = reallocarray(*blocks, *n_blocks + 1, sizeof(*array));
        if (!array)
                return -ENOMEM;
        *blocks = array;

        r = block_init(array + *n_blocks, section, name);
        if (r < 0) {
                block_done(array + *n_blocks);
                return r;
        }

        *ret = array + (*n_blocks)++;
        return 0;
}
