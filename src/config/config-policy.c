/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What applies to one unit: of all sections that match its name, key by key, the most specific one.
 *
 * "Most specific" is simple enough to be worked out in the head: the section that names the unit itself; else the
 * glob with most characters that stand for themselves; else the assignment that came last. A key that a section
 * does not set is not that section's business, so "[Unit *] StallThresholdSec=10s" and "[Unit db@*.service]
 * Mode=enforce" add up.
 *
 * Sections are not indexed. A look-up costs one fnmatch() per section and happens when a unit is first seen and at
 * a reload, never when a beat arrives.
 */

#include "config/config-internal.h"

#include <stdio.h>
#include <string.h>

/* ---- Protected units ------------------------------------------------------------------------------------------ */

/*
 * What nobody wants restarted by a machine: the observer itself, the manager's own services, the bus and the
 * authority that a restart would go through, sessions and consoles.
 */
static const char *const protected_builtin[] = {
        "varta.service",
        "varta@*.service",
        "varta-exporter*",
        "user@*",
        "user-runtime-dir@*",
        "systemd-*",
        "dbus*",
        "polkit*",
        "getty@*",
        "emergency.service",
        "rescue.service",
        "debug-shell.service",
};

const char *config_protected_builtin_at(size_t i) {
        return i < ELEMENTSOF(protected_builtin) ? protected_builtin[i] : NULL;
}

const char *config_find_protection(const Config *config, const char *unit, bool *ret_builtin) {
        const RecoveryValues *recovery;

        assert(config);
        assert(unit);
        assert(ret_builtin);

        for (size_t i = 0; i < ELEMENTSOF(protected_builtin); i++)
                if (unit_glob_match(protected_builtin[i], unit)) {
                        *ret_builtin = true;
                        return protected_builtin[i];
                }

        recovery = config->recovery.values;
        for (size_t i = 0; i < recovery->globs.n_globs; i++)
                if (unit_glob_match(recovery->globs.globs[i], unit)) {
                        *ret_builtin = false;
                        return recovery->globs.globs[i];
                }

        return NULL;
}

bool config_unit_is_protected(const Config *config, const char *unit) {
        bool builtin;

        return config_find_protection(config, unit, &builtin);
}

/* ---- Resolution ------------------------------------------------------------------------------------------------ */

/* Which section each key of a unit is taken from; NULL for the default. */
typedef struct Resolution {
        const Block *blocks[_UNIT_KEY_MAX];
        bool is_degraded; /* one of the sections that match, whatever they set, has an error */
} Resolution;

static bool block_matches(const Block *block, const char *unit) {
        return block->is_exact ? strcmp(block->name, unit) == 0 : unit_glob_match(block->name, unit);
}

/* Whether a's assignment of the key is to be preferred to b's. */
static bool is_preferred(const Block *a, const Block *b, size_t key) {
        if (!b)
                return true;
        if (a->is_exact != b->is_exact)
                return a->is_exact;
        if (a->literals != b->literals)
                return a->literals > b->literals;
        return a->keys[key].serial > b->keys[key].serial;
}

static void resolve(const Config *config, const char *unit, Resolution *ret) {
        *ret = (Resolution){ .is_degraded = config->holds_all };

        /* Agents without a unit: there is nothing that a section could match. */
        if (!unit || !*unit)
                return;

        for (size_t i = 0; i < config->n_units; i++) {
                const Block *block = config->units + i;

                if (!block_matches(block, unit))
                        continue;

                ret->is_degraded = ret->is_degraded || block->is_degraded;
                for (size_t k = 0; k < _UNIT_KEY_MAX; k++)
                        if (block->keys[k].serial > 0 && is_preferred(block, ret->blocks[k], k))
                                ret->blocks[k] = block;
        }

        /* A threshold that was taken for an unusable one is nothing to restart by. */
        if (!ret->blocks[UNIT_KEY_STALL_THRESHOLD] &&
            (config->observer.bad_keys & UINT32_C(1) << OBSERVER_KEY_STALL_THRESHOLD))
                ret->is_degraded = true;
}

/* Fills in the values of a resolution. */
static void resolution_policy(const Config *config, const Resolution *resolution, UnitPolicy *ret) {
        const ConfigKey *keys;
        size_t n;

        *ret = (UnitPolicy){};
        config_section_defaults(CONFIG_UNIT, ret);
        ret->stall_threshold = ((const ObserverConfig *) config->observer.values)->stall_threshold;

        keys = config_section_keys(CONFIG_UNIT, &n);
        assert(n == _UNIT_KEY_MAX);
        for (size_t k = 0; k < n; k++)
                if (resolution->blocks[k])
                        memcpy((char *) ret + keys[k].offset,
                               (const char *) resolution->blocks[k]->values + keys[k].offset, keys[k].size);
}

/* ... and what follows from them. */
static void resolution_finish(const Config *config, const char *unit, const Resolution *resolution,
                              UnitPolicy *ret) {
        resolution_policy(config, resolution, ret);
        ret->is_protected = unit && *unit && config_unit_is_protected(config, unit);
        if (resolution->is_degraded && ret->mode == UNIT_MODE_ENFORCE) {
                ret->mode = UNIT_MODE_WARN;
                ret->is_degraded = true;
        }
}

void config_unit_policy(const Config *config, const char *unit, UnitPolicy *ret) {
        Resolution resolution;

        assert(config && config->finished);
        assert(ret);

        resolve(config, unit, &resolution);
        resolution_finish(config, unit, &resolution, ret);
}

/* ---- Showing --------------------------------------------------------------------------------------------------- */

char *config_unit_policy_format(const UnitPolicy *policy, const ConfigKey *key, char *buf, size_t size) {
        assert(policy);
        assert(key && key->section == CONFIG_UNIT);

        return config_value_format(key, policy, buf, size);
}

static void set_provenance(const Block *block, size_t key, ConfigProvenance *ret) {
        if (block && block->keys[key].serial > 0)
                *ret = (ConfigProvenance){
                        .file = block->keys[key].file,
                        .line = block->keys[key].line,
                        .section = block->title,
                };
        else
                *ret = (ConfigProvenance){};
}

static void resolution_provenance(const Config *config, const Resolution *resolution, size_t key,
                                  ConfigProvenance *ret) {
        if (!resolution->blocks[key] && key == UNIT_KEY_STALL_THRESHOLD) {
                set_provenance(&config->observer, OBSERVER_KEY_STALL_THRESHOLD, ret);
                ret->section = config->observer.title;
        } else
                set_provenance(resolution->blocks[key], key, ret);
}

static void unit_provenance(const Config *config, const char *unit, size_t key, ConfigProvenance *ret) {
        Resolution resolution;

        resolve(config, unit, &resolution);
        resolution_provenance(config, &resolution, key, ret);
}

size_t config_unit_values(const Config *config, const char *unit, ConfigValue *ret, size_t max) {
        Resolution resolution;
        const ConfigKey *keys;
        UnitPolicy policy;
        size_t n;

        assert(config && config->finished);
        assert(ret || max == 0);

        resolve(config, unit, &resolution);
        resolution_finish(config, unit, &resolution, &policy);
        static_assert(_UNIT_KEY_MAX <= CONFIG_UNIT_KEYS_MAX, "there is room for all");
        keys = config_section_keys(CONFIG_UNIT, &n);
        for (size_t k = 0; k < n && k < max; k++) {
                ret[k].key = keys + k;
                resolution_provenance(config, &resolution, k, &ret[k].provenance);
                (void) config_value_format(keys + k, &policy, ret[k].text, sizeof(ret[k].text));
        }
        return MIN(n, max);
}

static const Block *find_listener(const Config *config, const char *name) {
        for (size_t i = 0; name && i < config->n_listeners; i++)
                if (strcmp(config->listeners[i].name, name) == 0)
                        return config->listeners + i;

        return NULL;
}

const char *config_first_beat_at(const Config *config, size_t i, ConfigProvenance *ret_provenance) {
        assert(config);

        for (size_t k = 0; k < config->n_units; k++) {
                const Block *block = config->units + k;

                if (block->keys[UNIT_KEY_FIRST_BEAT].serial == 0 ||
                    ((const UnitPolicy *) block->values)->first_beat == 0 || i-- > 0)
                        continue;
                if (ret_provenance)
                        set_provenance(block, UNIT_KEY_FIRST_BEAT, ret_provenance);
                return block->name;
        }
        return NULL;
}

void config_value(const Config *config, const ConfigKey *key, const char *name, char *buf, size_t size,
                  ConfigProvenance *ret_provenance) {
        ConfigProvenance provenance;
        const Block *block = NULL;
        ListenerConfig listener;
        UnitPolicy policy;
        const void *values = NULL;
        size_t index, n;

        assert(config && config->finished);
        assert(key);

        index = (size_t) (key - config_section_keys(key->section, &n));
        switch (key->section) {
        case CONFIG_OBSERVER:
                block = &config->observer;
                values = block->values;
                break;
        case CONFIG_RECOVERY:
                block = &config->recovery;
                values = block->values;
                break;
        case CONFIG_LISTENER:
                block = find_listener(config, name);
                config_listener(config, name ?: "", &listener);
                values = &listener;
                break;
        case CONFIG_UNIT:
                config_unit_policy(config, name, &policy);
                values = &policy;
                break;
        case _CONFIG_SECTION_MAX:
        case _CONFIG_SECTION_INVALID:
                assert(false);
        }

        if (key->section == CONFIG_UNIT)
                unit_provenance(config, name, index, &provenance);
        else
                set_provenance(block, index, &provenance);

        if (buf)
                (void) config_value_format(key, values, buf, size);
        if (ret_provenance)
                *ret_provenance = provenance;
}
