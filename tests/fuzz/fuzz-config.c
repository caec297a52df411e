/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Configuration text: parser, schema and policy. A form feed in the input separates files.
 *
 * Beyond "does not crash", it checks what the rest of the house relies on: whatever the text, all settings are within
 * their ranges, what is shown of them can be written into a file again, and an error never makes a unit be restarted
 * that would not have been without the sections in question.
 */

#include <string.h>

#include "config/config.h"
#include "fuzz.h"

static void format_message(const ConfigMessage *message, void *userdata) {
        char buf[CONFIG_MESSAGE_MAX];

        CHECK(message->file && message->message);
        (void) config_message_format(message, buf, sizeof(buf));
        CHECK(strlen(buf) < sizeof(buf));
        for (const char *p = buf; *p; p++)
                CHECK((unsigned char) *p >= 0x20 && *p != 0x7f);
}

static void load(Config **ret, const char *text, size_t size) {
        Config *config;
        char file[] = "a.conf";

        CHECK(config_new(&config) == 0);
        for (;;) {
                const char *end = size > 0 ? memchr(text, '\f', size) : NULL;
                size_t n = end ? (size_t) (end - text) : size;

                CHECK(config_add_text(config, file, text, n, format_message, NULL) == 0);
                if (!end)
                        break;
                text = end + 1;
                size -= n + 1;
                if (file[0] < 'z')
                        file[0]++;
        }
        CHECK(config_finish(config, format_message, NULL) == 0);
        *ret = config;
}

/* What is shown for a key must be what a file may say, and mean the same. */
static void check_round_trip(const Config *config, const ConfigKey *key, const char *name) {
        static char shown[16 * 1024], text[17 * 1024], again[16 * 1024];
        ConfigProvenance provenance;
        const char *placeholder = config_section_to_placeholder(config_key_section(key));
        Config *other;

        config_value(config, key, name, shown, sizeof(shown), &provenance);
        if (strlen(shown) > 8000) /* longer than a line may be: a list from many lines */
                return;
        CHECK((provenance.file != NULL) == (provenance.line > 0));
        if (!provenance.file) /* the default: test-keys.c has these, and they are many */
                return;

        (void) snprintf(text, sizeof(text), "[%s%s%s]\n%s=%s\n",
                        config_section_to_string(config_key_section(key)), placeholder ? " " : "",
                        placeholder ? name : "", config_key_name(key), shown);
        load(&other, text, strlen(text));
        config_value(other, key, name, again, sizeof(again), NULL);
        CHECK(strcmp(shown, again) == 0);
        config_free(other);
}

static void check_unit(const Config *config, const char *unit) {
        char buf[UNIT_NAME_MAX];
        UnitPolicy p;

        config_unit_policy(config, unit, &p);
        CHECK(unit_mode_to_string(p.mode) && on_exit_to_string(p.on_exit) &&
              unit_action_to_string(p.action.verb));
        CHECK(p.stall_threshold >= 10 * NSEC_PER_MSEC && p.stall_threshold <= NSEC_PER_DAY);
        CHECK(p.forget >= NSEC_PER_SEC && p.forget <= 30 * NSEC_PER_DAY);
        CHECK(p.startup_grace <= NSEC_PER_DAY && p.first_beat <= NSEC_PER_DAY);
        CHECK(p.quorum.value >= 1 && (!p.quorum.is_share || p.quorum.value <= 100));
        CHECK(p.restart_backoff.min > 0 && p.restart_backoff.min <= p.restart_backoff.max);
        CHECK(p.restart_limit.count <= CONFIG_RESTART_LIMIT_MAX);
        CHECK((p.restart_limit.count == 0) == (p.restart_limit.span == 0));
        CHECK((p.action.verb == UNIT_ACTION_START) == (p.action.unit[0] != '\0'));
        CHECK(p.is_protected == config_unit_is_protected(config, unit));
        CHECK(!p.is_degraded || (p.mode == UNIT_MODE_WARN && config_n_errors(config) > 0));

        if (p.action.unit[0])
                (void) config_expand_unit(p.action.unit, unit, UINT32_MAX, buf, sizeof(buf));
        if (p.on_gave_up[0] && config_expand_unit(p.on_gave_up, "a.service", 1, buf, sizeof(buf)) == 0)
                CHECK(strncmp(buf, "varta-", strlen("varta-")) == 0 && unit_name_is_valid(buf));
        if (p.capture_unit[0])
                CHECK(config_expand_unit(p.capture_unit, "a.service", UINT32_MAX, buf, 8) != 0);
}

static void check_observer(const Config *config) {
        const ObserverConfig *o = config_observer(config);
        const RecoveryConfig *r = config_recovery(config);

        CHECK(o->capacity >= 1 && o->capacity <= 1024 * 1024);
        CHECK(o->per_uid_share_percent >= 1 && o->per_uid_share_percent <= 100);
        /* A bucket counts burst x span in 63 bits. */
        CHECK(o->global_rate.span == 0 || o->global_burst <= INT64_MAX / o->global_rate.span);
        CHECK(o->max_deferral <= NSEC_PER_HOUR);
        CHECK(r->storm_limit.count <= CONFIG_STORM_LIMIT_MAX);
        CHECK(r->recheck >= 100 * NSEC_PER_MSEC);
        for (size_t i = 0; i < r->n_protected_globs; i++)
                CHECK(unit_glob_is_valid(r->protected_globs[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const units[] = { "a.service", "worker@1.service", "session-1.scope",
                                             "dbus.service" };
        const char *section;
        Config *config;

        load(&config, (const char *) data, size);
        check_observer(config);
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                check_unit(config, units[i]);
        for (size_t i = 0; i < 16 && (section = config_unit_section_at(config, i)); i++)
                check_unit(config, section);

        for (size_t i = 0; config_key_at(i); i++) {
                const ConfigKey *key = config_key_at(i);

                check_round_trip(config, key, config_key_section(key) == CONFIG_UNIT ? "a.service" : "udp");
        }

        config_free(config);
        return 0;
}
