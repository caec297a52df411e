/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The configuration's words become core's numbers here, and nowhere else.
 */

#include <string.h>

#include "daemon/settings.h"
#include "util/conf-files.h"
#include "util/instance.h"
#include "util/log.h"

static void report(const ConfigMessage *message, void *userdata) {
        char line[CONFIG_MESSAGE_MAX], **first = userdata;

        (void) config_message_format(message, line, sizeof(line));
        log_full(message->level == CONFIG_ERROR ? LOG_ERR : LOG_WARNING, "%s", line);
        if (message->level == CONFIG_ERROR && !*first)
                *first = strdup(line);
}

int settings_load(const char *path, const char *instance, Config **ret, char **ret_first) {
        _cleanup_(conf_files_freep) ConfFiles *files = NULL;
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_free_ char *first = NULL;
        char name[INSTANCE_NAME_SIZE];
        int r;

        assert(ret);

        r = path ? conf_files_read_one(path, &files)
                 : conf_files_read(NULL, instance_name(name, "varta", instance, ".conf"), &files);
        if (r < 0)
                return r;
        r = config_new(&config);
        if (r < 0)
                return r;

        for (size_t i = 0; i < files->n_files; i++) {
                const ConfFile *f = &files->files[i];

                r = f->error < 0 ? config_add_unreadable(config, f->path, f->error, f->reason, report,
                                                         &first)
                                 : config_add_text(config, f->path, f->contents, f->size, report, &first);
                if (r < 0)
                        return r;
        }
        r = config_finish(config, report, &first);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(config);
        if (ret_first)
                *ret_first = TAKE_PTR(first);
        return 0;
}

void settings_observer(const Config *config, ObserverSettings *settings) {
        ObserverConfig c = *config_observer(config);
        UnitPolicy none;

        /* On a reload the running capacity stays, and what is "auto" goes by it. */
        if (settings->capacity > 0)
                config_observer_resolve(&c, settings->capacity);
        else
                settings->capacity = c.capacity;

        config_unit_policy(config, NULL, &none);
        settings->threshold = c.stall_threshold;
        settings->forget = none.forget;
        settings->max_deferral = c.max_deferral;
        settings->per_pid_rate = c.per_pid_rate;
        settings->global_rate = c.global_rate;
        settings->global_burst = c.global_burst;
        settings->per_uid_share = (uint8_t) c.per_uid_share_percent;
        settings->eviction =
                        c.eviction_policy == CONFIG_EVICTION_BALANCED ? EVICTION_BALANCED : EVICTION_STRICT;
        settings->origin_policy = c.origin_policy == CONFIG_ORIGIN_FIRST_WINS ? ORIGIN_POLICY_FIRST_WINS
                                                                              : ORIGIN_POLICY_STRONGEST;
        settings->allow_cross_namespace = c.allow_cross_namespace;
}

void settings_recovery(const Config *config, RecoverySettings *settings) {
        const RecoveryConfig *c = config_recovery(config);

        settings->recovery_timeout = c->recovery_timeout;
        settings->recheck = c->recheck;
        settings->storm_limit = c->storm_limit;
        settings->max_deferral = config_observer(config)->max_deferral;
        settings->allow_cross_namespace = config_observer(config)->allow_cross_namespace;
}

static bool is_service(const char *unit) {
        size_t n = strlen(unit);

        return n > STRLEN(".service") && strcmp(unit + n - STRLEN(".service"), ".service") == 0;
}

void settings_unit_rules(const Config *config, const char *unit, UnitRules *ret) {
        UnitPolicy policy;
        bool stall;

        config_unit_policy(config, unit, &policy);
        /* systemd itself sees the exits of a service's processes; nobody sees anybody else's. */
        stall = policy.on_exit == ON_EXIT_STALL || (policy.on_exit == ON_EXIT_AUTO && !is_service(unit));
        *ret = (UnitRules){
                .threshold = policy.stall_threshold,
                .forget = policy.forget,
                .on_exit = stall ? EXIT_RULE_STALL : EXIT_RULE_EVENT,
        };
}
