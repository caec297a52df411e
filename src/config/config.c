/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The configuration as a whole: sections filled key by key from any number of files.
 *
 * Every section, however often it appears, is one block: a struct of settings, and beside each key where it was
 * assigned last. Files are added least important first, so a plain assignment is all that precedence takes.
 * Defaults are put in by parsing the schema's own default texts; an empty value puts them back.
 *
 * An error never stops the reading. Whoever reloads looks at the number of errors and keeps the old configuration;
 * whoever starts has no old one and takes this, for which the rule is: an error may cost a restart, never cause
 * one. A bad value leaves its key at the default, and holds back to Mode=warn every unit it may have been about:
 * those that the section matches or, where that cannot be known (a header that does not parse, a file that cannot
 * be read, a list of protected units with a hole in it), all.
 */

#include "config/config-internal.h"

#include <stdio.h>
#include <string.h>

/* ---- New and free --------------------------------------------------------------------------------------------- */

int config_new(Config **ret) {
        _cleanup_(config_freep) Config *config = NULL;
        int r;

        assert(ret);

        config = calloc(1, sizeof(*config));
        if (!config)
                return -ENOMEM;

        r = block_init(&config->observer, CONFIG_OBSERVER, "");
        if (r < 0)
                return r;
        r = block_init(&config->recovery, CONFIG_RECOVERY, "");
        if (r < 0)
                return r;

        *ret = TAKE_PTR(config);
        return 0;
}

Config *config_free(Config *config) {
        if (!config)
                return NULL;

        for (size_t i = 0; i < config->n_units; i++)
                block_done(config->units + i);
        for (size_t i = 0; i < config->n_listeners; i++)
                block_done(config->listeners + i);
        for (size_t i = 0; i < config->n_files; i++)
                free(config->files[i]);
        free(config->units);
        free(config->listeners);
        free(config->files);
        /* Also of a half-built one, whose recovery block may be all zero and then reads as [Observer]. */
        block_done(&config->observer);
        block_done(&config->recovery);
        free(config);
        return NULL;
}

/* ---- Finish --------------------------------------------------------------------------------------------------- */

static UnitPolicy *unit_values(const Block *block) {
        return block->values;
}

/* Points the reporter at the assignment of a key. */
static void reporter_set(Reporter *reporter, const Block *block, size_t key_index, char *value,
                         size_t size) {
        size_t n;
        const ConfigKey *key = config_section_keys(block->section, &n) + key_index;

        reporter->file = block->keys[key_index].file;
        reporter->line = block->keys[key_index].line;
        reporter->section = block->title;
        reporter->key = key->name;
        reporter->value = config_value_format(key, block->values, value, size);
}

/* Mode=enforce where it can never be acted on, said of exactly this unit: somebody expects what will not happen. */
static void check_enforce(Config *config, Block *block, Reporter *reporter) {
        const char *protection;
        char value[32];
        bool builtin;

        if (!block->is_exact || block->keys[UNIT_KEY_MODE].serial == 0 ||
            unit_values(block)->mode != UNIT_MODE_ENFORCE)
                return;

        reporter_set(reporter, block, UNIT_KEY_MODE, value, sizeof(value));
        protection = config_find_protection(config, block->name, &builtin);
        if (protection)
                config_report(reporter, CONFIG_ERROR, "off, warn", "The unit is protected by %s%s",
                              builtin ? "the built-in list: " : "Protected=", protection);
        else if (!unit_name_has_suffix(block->name, ".service"))
                config_report(reporter, CONFIG_ERROR, "off, warn", "Only services can be restarted");
        else
                return;

        block_reset_key(block, UNIT_KEY_MODE);
        block->bad_keys |= UINT32_C(1) << UNIT_KEY_MODE;
        block->is_degraded = true;
}

/* CaptureSec= and CaptureUnit= do nothing without each other; the other half may come from any other section. */
static void check_capture(Config *config, Reporter *reporter) {
        const Block *with_span = NULL, *with_unit = NULL;
        char value[UNIT_NAME_MAX];

        for (size_t i = 0; i < config->n_units; i++) {
                const Block *block = config->units + i;

                if (block->keys[UNIT_KEY_CAPTURE_SEC].serial > 0 && unit_values(block)->capture_timeout > 0)
                        with_span = block;
                if (block->keys[UNIT_KEY_CAPTURE_UNIT].serial > 0)
                        with_unit = block;
        }

        if (with_span && !with_unit) {
                reporter_set(reporter, with_span, UNIT_KEY_CAPTURE_SEC, value, sizeof(value));
                config_report(reporter, CONFIG_WARNING, NULL, "This does nothing without CaptureUnit=");
        }
        if (with_unit && !with_span) {
                reporter_set(reporter, with_unit, UNIT_KEY_CAPTURE_UNIT, value, sizeof(value));
                config_report(reporter, CONFIG_WARNING, NULL, "This does nothing without CaptureSec=");
        }
}

int config_finish(Config *config, ConfigReport report, void *userdata) {
        Reporter reporter = { .config = config, .report = report, .userdata = userdata };
        RecoveryValues *recovery;

        assert(config);

        if (config->finished)
                return -EINVAL;

        recovery = config->recovery.values;
        recovery->settings.protected_globs = recovery->globs.globs;
        recovery->settings.n_protected_globs = recovery->globs.n_globs;

        for (size_t i = 0; i < config->n_units; i++)
                check_enforce(config, config->units + i, &reporter);
        check_capture(config, &reporter);
        config_check_classes(config, &reporter);

        config->resolved = *(ObserverConfig *) config->observer.values;
        config->resolved.global_rate_auto = config->resolved.global_rate.count == CONFIG_COUNT_AUTO;
        config->resolved.global_burst_auto = config->resolved.global_burst == CONFIG_COUNT_AUTO;
        config_observer_resolve(&config->resolved, config->resolved.capacity);

        config_report_end(&reporter);
        config->finished = true;
        return 0;
}

/* A small observer still has room for the start of a busy host. */
#define AUTO_RATE_MIN 5000U

void config_observer_resolve(ObserverConfig *settings, uint32_t capacity) {
        assert(settings);

        if (settings->global_rate_auto)
                settings->global_rate = (Rate){
                        .count = capacity > AUTO_RATE_MIN / 2 ? 2 * capacity : AUTO_RATE_MIN,
                        .span = NSEC_PER_SEC,
                };
        /* No overflow: the schema's largest count is half of the largest burst. */
        if (settings->global_burst_auto)
                settings->global_burst = 2 * settings->global_rate.count;
}

/* ---- Asking --------------------------------------------------------------------------------------------------- */

unsigned config_n_errors(const Config *config) {
        assert(config);
        return config->n_errors;
}

unsigned config_n_warnings(const Config *config) {
        assert(config);
        return config->n_warnings;
}

const ObserverConfig *config_observer(const Config *config) {
        assert(config && config->finished);
        return &config->resolved;
}

const RecoveryConfig *config_recovery(const Config *config) {
        assert(config && config->finished);
        return &((const RecoveryValues *) config->recovery.values)->settings;
}

const ListenerConfig *config_listener_at(const Config *config, size_t i) {
        assert(config);
        return i < config->n_listeners ? config->listeners[i].values : NULL;
}

const char *config_unit_section_at(const Config *config, size_t i) {
        assert(config);
        return i < config->n_units ? config->units[i].name : NULL;
}

void config_listener(const Config *config, const char *name, ListenerConfig *ret) {
        ListenerConfig defaults = {};

        assert(config);
        assert(name);
        assert(ret);

        for (size_t i = 0; i < config->n_listeners; i++)
                if (strcmp(config->listeners[i].name, name) == 0) {
                        *ret = *(const ListenerConfig *) config->listeners[i].values;
                        return;
                }

        config_section_defaults(CONFIG_LISTENER, &defaults);
        (void) snprintf(defaults.name, sizeof(defaults.name), "%s", name);
        *ret = defaults;
}
