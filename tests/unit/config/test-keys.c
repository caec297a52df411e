/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every key: what it takes, the ends of its range, what it refuses, and that the refusal says all it should. */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

#define OBS CONFIG_OBSERVER
#define REC CONFIG_RECOVERY
#define LIS CONFIG_LISTENER
#define UNI CONFIG_UNIT

/* expected: what `show` prints afterwards; NULL: refused. */
typedef struct Row {
        ConfigSection section;
        const char *key, *value, *expected;
} Row;

static const Row rows[] = {
        { OBS, "StallThresholdSec", "2s", "2s" },
        { OBS, "StallThresholdSec", "10ms", "10ms" },
        { OBS, "StallThresholdSec", "1d", "1d" },
        { OBS, "StallThresholdSec", "9ms", NULL },
        { OBS, "StallThresholdSec", "1d 1ns", NULL },
        { OBS, "StallThresholdSec", "0", NULL },
        { OBS, "StallThresholdSec", "infinity", NULL },
        { OBS, "StallThresholdSec", "-5s", NULL },
        { OBS, "StallThresholdSec", "600y", NULL },
        { OBS, "StallThresholdSec", "soon", NULL },
        { OBS, "Capacity", "1", "1" },
        { OBS, "Capacity", "64K", "65536" },
        { OBS, "Capacity", "1M", "1048576" },
        { OBS, "Capacity", "0", NULL },
        { OBS, "Capacity", "1048577", NULL },
        { OBS, "Capacity", "-1", NULL },
        { OBS, "Capacity", "many", NULL },
        { OBS, "SecureSenders", "1", "1" },
        { OBS, "SecureSenders", "64K", "65536" },
        { OBS, "SecureSenders", "0", NULL },
        { OBS, "SecureSenders", "65537", NULL },
        { OBS, "PerPidRate", "50/s", "50/s" },
        { OBS, "PerPidRate", "1/1d", "1/d" },
        { OBS, "PerPidRate", "1000000/1ms", "1000000/ms" },
        { OBS, "PerPidRate", "0", "0" },
        { OBS, "PerPidRate", "1000001/s", NULL },
        { OBS, "PerPidRate", "1/999us", NULL },
        { OBS, "PerPidRate", "1/2d", NULL },
        { OBS, "PerPidRate", "50", NULL },
        { OBS, "PerPidRate", "auto", NULL },
        { OBS, "GlobalRate", "auto", "auto" },
        { OBS, "GlobalRate", "50000000/1min", "50000000/1min" },
        { OBS, "GlobalRate", "0", "0" },
        { OBS, "GlobalRate", "50000001/s", NULL },
        { OBS, "GlobalRate", "1/61s", NULL },
        { OBS, "GlobalRate", "5000", NULL },
        { OBS, "GlobalBurst", "auto", "auto" },
        { OBS, "GlobalBurst", "0", "0" },
        { OBS, "GlobalBurst", "1", "1" },
        { OBS, "GlobalBurst", "100000000", "100000000" },
        { OBS, "GlobalBurst", "100000001", NULL },
        { OBS, "GlobalBurst", "4294967295", NULL },
        { OBS, "PerUidShare", "1%", "1%" },
        { OBS, "PerUidShare", "100%", "100%" },
        { OBS, "PerUidShare", "0%", NULL },
        { OBS, "PerUidShare", "101%", NULL },
        { OBS, "PerUidShare", "50", NULL },
        { OBS, "EvictionPolicy", "strict", "strict" },
        { OBS, "EvictionPolicy", "balanced", "balanced" },
        { OBS, "EvictionPolicy", "Strict", NULL },
        { OBS, "OriginPolicy", "strongest", "strongest" },
        { OBS, "OriginPolicy", "first-wins", "first-wins" },
        { OBS, "OriginPolicy", "weakest", NULL },
        { OBS, "AllowCrossNamespace", "yes", "yes" },
        { OBS, "AllowCrossNamespace", "off", "no" },
        { OBS, "AllowCrossNamespace", "perhaps", NULL },
        { OBS, "ClockSource", "monotonic", "monotonic" },
        { OBS, "ClockSource", "boottime", "boottime" },
        { OBS, "ClockSource", "realtime", NULL },
        { OBS, "MaxDeferralSec", "0", "0" },
        { OBS, "MaxDeferralSec", "1h", "1h" },
        { OBS, "MaxDeferralSec", "61min", NULL },
        { REC, "StormLimit", "1/s", "1/s" },
        { REC, "StormLimit", "1024/1d", "1024/d" },
        { REC, "StormLimit", "0", "0" },
        { REC, "StormLimit", "1025/1d", NULL },
        { REC, "StormLimit", "10/999ms", NULL },
        { REC, "StormLimit", "10", NULL },
        { REC, "StormLimit", "10/-1min", NULL },
        { REC, "StormLimit", "10/600y", NULL },
        { REC, "RecoveryTimeoutSec", "auto", "auto" },
        { REC, "RecoveryTimeoutSec", "1s", "1s" },
        { REC, "RecoveryTimeoutSec", "1d", "1d" },
        { REC, "RecoveryTimeoutSec", "0", NULL },
        { REC, "RecoveryTimeoutSec", "25h", NULL },
        { REC, "RecoveryTimeoutSec", "-1s", NULL },
        { REC, "RecoveryTimeoutSec", "600y", NULL },
        { REC, "RecheckSec", "100ms", "100ms" },
        { REC, "RecheckSec", "1h", "1h" },
        { REC, "RecheckSec", "99ms", NULL },
        { REC, "RecheckSec", "2h", NULL },
        { REC, "RecheckSec", "-5s", NULL },
        { REC, "RecheckSec", "600y", NULL },
        { REC, "Protected", "sshd.service", "sshd.service" },
        { REC, "Protected", "ssh*  db@*.service", "ssh* db@*.service" },
        { REC, "Protected", "sshd", NULL },
        { REC, "Protected", "ssh[d", NULL },
        { REC, "Protected", "a/b.service", NULL },
        { LIS, "OperatorAttested", "yes", "yes" },
        { LIS, "OperatorAttested", "very", NULL },
        { LIS, "Source", "auto", "auto" },
        { LIS, "Source", "local", "local" },
        { LIS, "Source", "key", "key" },
        { LIS, "Source", "address", "address" },
        { LIS, "Source", "remote", NULL },
        { LIS, "Unit", "gateway.service", "gateway.service" },
        { LIS, "Unit", "gateway@1.service", "gateway@1.service" },
        { LIS, "Unit", "gateway", NULL },
        { LIS, "Unit", "gateway.timer", NULL },
        { LIS, "Unit", "gateway@.service", NULL },
        { LIS, "Unit", "gate*.service", NULL },
        { LIS, "KeyFile", "/etc/varta/keys", "/etc/varta/keys" },
        { LIS, "KeyFile", "varta-keys", "varta-keys" },
        { LIS, "KeyFile", "keys/mine", NULL },
        { LIS, "KeyFile", "..", NULL },
        { LIS, "MasterKeyFile", "/etc/varta/keys", "/etc/varta/keys" },
        { LIS, "MasterKeyFile", "varta-keys", "varta-keys" },
        { LIS, "MasterKeyFile", "keys/mine", NULL },
        { UNI, "Mode", "off", "off" },
        { UNI, "Mode", "warn", "warn" },
        { UNI, "Mode", "enforce", "enforce" },
        { UNI, "Mode", "Enforce", NULL },
        { UNI, "Mode", "on", NULL },
        { UNI, "StallThresholdSec", "10ms", "10ms" },
        { UNI, "StallThresholdSec", "1d", "1d" },
        { UNI, "StallThresholdSec", "9ms", NULL },
        { UNI, "StallThresholdSec", "2d", NULL },
        { UNI, "StallThresholdSec", "-2s", NULL },
        { UNI, "StallThresholdSec", "99999999999999999999s", NULL },
        { UNI, "OnExit", "auto", "auto" },
        { UNI, "OnExit", "event", "event" },
        { UNI, "OnExit", "stall", "stall" },
        { UNI, "OnExit", "ignore", NULL },
        { UNI, "StartupGraceSec", "0", "0" },
        { UNI, "StartupGraceSec", "1d", "1d" },
        { UNI, "StartupGraceSec", "2d", NULL },
        { UNI, "StartupGraceSec", "-1s", NULL },
        { UNI, "StartupGraceSec", "600y", NULL },
        { UNI, "FirstBeatSec", "0", "0" },
        { UNI, "FirstBeatSec", "100ms", "100ms" },
        { UNI, "FirstBeatSec", "1d", "1d" },
        { UNI, "FirstBeatSec", "99ms", NULL },
        { UNI, "FirstBeatSec", "2d", NULL },
        { UNI, "FirstBeatSec", "-1s", NULL },
        { UNI, "FirstBeatSec", "600y", NULL },
        { UNI, "Quorum", "1", "1" },
        { UNI, "Quorum", "1048576", "1048576" },
        { UNI, "Quorum", "50%", "50%" },
        { UNI, "Quorum", "0", NULL },
        { UNI, "Quorum", "0%", NULL },
        { UNI, "Quorum", "101%", NULL },
        { UNI, "Quorum", "1048577", NULL },
        { UNI, "Quorum", "-1", NULL },
        { UNI, "Quorum", "-50%", NULL },
        { UNI, "Quorum", "4294967297", NULL },
        { UNI, "Quorum", "most", NULL },
        { UNI, "Action", "try-restart", "try-restart" },
        { UNI, "Action", "restart", "restart" },
        { UNI, "Action", "start:varta-mend@%i.service", "start:varta-mend@%i.service" },
        { UNI, "Action", "start:varta-mend.service", "start:varta-mend.service" },
        { UNI, "Action", "kill", NULL },
        { UNI, "Action", "start", NULL },
        { UNI, "Action", "start:", NULL },
        { UNI, "Action", "start:mend@%i.service", NULL },
        { UNI, "Action", "start:varta-mend@%i.timer", NULL },
        { UNI, "Action", "start:varta-mend@.service", NULL },
        { UNI, "Action", "start:varta-mend@%x.service", NULL },
        { UNI, "Action", "start:varta-mend@%", NULL },
        { UNI, "Action", "start:varta-exporter.service", NULL },
        { UNI, "Action", "start:varta-exporter@%i.service", NULL },
        { UNI, "Action", "start:varta.service", NULL },
        { UNI, "Action", "start:varta-me nd.service", NULL },
        { UNI, "CaptureSec", "0", "0" },
        { UNI, "CaptureSec", "100ms", "100ms" },
        { UNI, "CaptureSec", "10min", "10min" },
        { UNI, "CaptureSec", "50ms", NULL },
        { UNI, "CaptureSec", "11min", NULL },
        { UNI, "CaptureSec", "-1s", NULL },
        { UNI, "CaptureSec", "600y", NULL },
        { UNI, "CaptureUnit", "varta-capture@%p.service", "varta-capture@%p.service" },
        { UNI, "CaptureUnit", "varta-capture@.service", "varta-capture@%p.service" },
        { UNI, "CaptureUnit", "capture@.service", NULL },
        { UNI, "CaptureUnit", "varta-capture@.timer", NULL },
        { UNI, "RestartBackoffSec", "100ms..1d", "100ms..1d" },
        { UNI, "RestartBackoffSec", "5s..5s", "5s..5s" },
        { UNI, "RestartBackoffSec", "99ms..5s", NULL },
        { UNI, "RestartBackoffSec", "5s..2d", NULL },
        { UNI, "RestartBackoffSec", "5min..5s", NULL },
        { UNI, "RestartBackoffSec", "5s", NULL },
        { UNI, "RestartBackoffSec", "-5s..5min", NULL },
        { UNI, "RestartBackoffSec", "5s..-5min", NULL },
        { UNI, "RestartBackoffSec", "5s..600y", NULL },
        { UNI, "RestartLimit", "1/s", "1/s" },
        { UNI, "RestartLimit", "64/7d", "64/7d" },
        { UNI, "RestartLimit", "0", "0" },
        { UNI, "RestartLimit", "65/7d", NULL },
        { UNI, "RestartLimit", "5/8d", NULL },
        { UNI, "RestartLimit", "5/500ms", NULL },
        { UNI, "RestartLimit", "5", NULL },
        { UNI, "RestartLimit", "5/", NULL },
        { UNI, "RestartLimit", "-5/s", NULL },
        { UNI, "RestartLimit", "5/-10min", NULL },
        { UNI, "RestartLimit", "5/600y", NULL },
        { UNI, "RestartLimit", "4294967301/10min", NULL },
        { UNI, "OnGaveUp", "varta-gave-up@%i.service", "varta-gave-up@%i.service" },
        { UNI, "OnGaveUp", "varta-gave-up.service", "varta-gave-up.service" },
        { UNI, "OnGaveUp", "gave-up@%i.service", NULL },
        { UNI, "OnGaveUp", "varta-gave-up@.service", NULL },
        { UNI, "ForgetSec", "1s", "1s" },
        { UNI, "ForgetSec", "30d", "30d" },
        { UNI, "ForgetSec", "999ms", NULL },
        { UNI, "ForgetSec", "31d", NULL },
        { UNI, "ForgetSec", "-1h", NULL },
        { UNI, "ForgetSec", "600y", NULL },
        { UNI, "ForgetSec", "infinity", NULL },
};

static const char *header_of(ConfigSection section) {
        static const char *const headers[] = { "Observer", "Recovery", "Listener udp", "Unit a.service" };

        return headers[section];
}

static const char *name_of(ConfigSection section) {
        return section == UNI ? "a.service" : "udp";
}

START_TEST(test_rows) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const ConfigKey *key = config_key_find(rows[i].section, rows[i].key);
                const char *header = header_of(rows[i].section), *name = name_of(rows[i].section);
                _cleanup_loaded_ Loaded l = {};
                char text[256], expected[512], initial[256];
                const char *value;

                ck_assert_msg(key, "%s", rows[i].key);
                (void) snprintf(text, sizeof(text), "[%s]\n\n%s=%s\n", header, rows[i].key, rows[i].value);

                LOAD(&l, "");
                (void) snprintf(initial, sizeof(initial), "%s",
                                value_of(&l, rows[i].section, rows[i].key, name));
                loaded_done(&l);

                LOAD(&l, text);
                value = value_of(&l, rows[i].section, rows[i].key, name);
                if (rows[i].expected) {
                        ck_assert_msg(config_n_errors(l.config) == 0, "%s%s", text, l.messages);
                        ck_assert_msg(strcmp(value, rows[i].expected) == 0, "%s%s", text, value);
                        continue;
                }

                /* The default is in force, and the message names file, line, section, key, value and range. */
                ck_assert_msg(config_n_errors(l.config) == 1, "%s%s", text, l.messages);
                ck_assert_msg(config_n_errors(l.config) > 0, "%s", text);
                (void) snprintf(expected, sizeof(expected), "E a.conf:3: [%s] %s=%s: This ", header,
                                rows[i].key, rows[i].value);
                ck_assert_msg(strncmp(l.messages, expected, strlen(expected) - strlen("This ")) == 0, "%s%s",
                              text, l.messages);
                (void) snprintf(expected, sizeof(expected), "; allowed: %s\n", config_key_allowed(key));
                ck_assert_msg(strstr(l.messages, expected), "%s%s", text, l.messages);
                ck_assert_msg(strcmp(value, initial) == 0 || strcmp(rows[i].key, "Protected") == 0, "%s%s",
                              text, value);
        }
}
END_TEST

START_TEST(test_every_key_has_rows) {
        const ConfigKey *key;

        for (size_t i = 0; (key = config_key_at(i)); i++) {
                bool good = false, bad = false;

                for (size_t k = 0; k < ELEMENTSOF(rows); k++)
                        if (rows[k].section == config_key_section(key) &&
                            strcmp(rows[k].key, config_key_name(key)) == 0)
                                *(rows[k].expected ? &good : &bad) = true;

                ck_assert_msg(good && bad, "%s= has no rows of both kinds above", config_key_name(key));
        }
}
END_TEST

/* What the specification promises to those who configure nothing. */
START_TEST(test_defaults) {
        static const Row defaults[] = {
                { OBS, "StallThresholdSec", NULL, "5s" },
                { OBS, "Capacity", NULL, "4096" },
                { OBS, "SecureSenders", NULL, "1024" },
                { OBS, "PerPidRate", NULL, "100/s" },
                { OBS, "GlobalRate", NULL, "auto" },
                { OBS, "GlobalBurst", NULL, "auto" },
                { OBS, "PerUidShare", NULL, "50%" },
                { OBS, "EvictionPolicy", NULL, "strict" },
                { OBS, "OriginPolicy", NULL, "strongest" },
                { OBS, "AllowCrossNamespace", NULL, "no" },
                { OBS, "ClockSource", NULL, "monotonic" },
                { OBS, "MaxDeferralSec", NULL, "1min" },
                { REC, "StormLimit", NULL, "10/1min" },
                { REC, "RecoveryTimeoutSec", NULL, "auto" },
                { REC, "RecheckSec", NULL, "5s" },
                { REC, "Protected", NULL, "" },
                { LIS, "OperatorAttested", NULL, "no" },
                { LIS, "Source", NULL, "auto" },
                { LIS, "Unit", NULL, "" },
                { LIS, "KeyFile", NULL, "" },
                { LIS, "MasterKeyFile", NULL, "" },
                { UNI, "Mode", NULL, "warn" },
                { UNI, "StallThresholdSec", NULL, "5s" },
                { UNI, "OnExit", NULL, "auto" },
                { UNI, "StartupGraceSec", NULL, "0" },
                { UNI, "FirstBeatSec", NULL, "0" },
                { UNI, "Quorum", NULL, "1" },
                { UNI, "Action", NULL, "try-restart" },
                { UNI, "CaptureSec", NULL, "0" },
                { UNI, "CaptureUnit", NULL, "" },
                { UNI, "RestartBackoffSec", NULL, "5s..5min" },
                { UNI, "RestartLimit", NULL, "5/10min" },
                { UNI, "OnGaveUp", NULL, "" },
                { UNI, "ForgetSec", NULL, "1h" },
        };
        _cleanup_loaded_ Loaded l = {};
        size_t n = 0;

        LOAD(&l, "");
        ck_assert_str_eq(l.messages, "");
        for (size_t i = 0; i < ELEMENTSOF(defaults); i++)
                ck_assert_msg(strcmp(value_of(&l, defaults[i].section, defaults[i].key,
                                              name_of(defaults[i].section)),
                                     defaults[i].expected) == 0,
                              "%s", defaults[i].key);

        while (config_key_at(n))
                n++;
        ck_assert_uint_eq(n, ELEMENTSOF(defaults));
}
END_TEST

/* Stating a default is the same as not stating it: the schema's texts can be copied into a file. */
START_TEST(test_default_texts_parse) {
        const ConfigKey *key;

        for (size_t i = 0; (key = config_key_at(i)); i++) {
                ConfigSection section = config_key_section(key);
                _cleanup_loaded_ Loaded l = {};
                char text[256], before[128];

                LOAD(&l, "");
                (void) snprintf(before, sizeof(before), "%s",
                                value_of(&l, section, config_key_name(key), name_of(section)));
                loaded_done(&l);

                (void) snprintf(text, sizeof(text), "[%s]\n%s=%s\n", header_of(section),
                                config_key_name(key), config_key_default(key));
                LOAD(&l, text);
                ck_assert_str_eq(l.messages, "");
                ck_assert_str_eq(value_of(&l, section, config_key_name(key), name_of(section)), before);
        }
}
END_TEST

static const char every_key[] =
                "[Observer]\nStallThresholdSec=2s\nCapacity=7\nPerPidRate=5/10s\nGlobalRate=30/"
                "1min\nGlobalBurst=9\n"
                "PerUidShare=25%\nEvictionPolicy=balanced\nOriginPolicy=first-wins\nAllowCrossNamespace="
                "yes\n"
                "ClockSource=boottime\nMaxDeferralSec=3s\n"
                "[Recovery]\nStormLimit=0\nRecoveryTimeoutSec=1min\nRecheckSec=1s\nProtected=a.service b*\n"
                "[Listener udp]\nOperatorAttested=yes\nSource=address\nUnit=g.service\nKeyFile=/k\n"
                "[Unit w.service]\nMode=enforce\nStallThresholdSec=1s\nOnExit=stall\nStartupGraceSec=2s\n"
                "FirstBeatSec=3s\nQuorum=4\nAction=start:varta-x@%i.service\nCaptureSec=5s\n"
                "CaptureUnit=varta-c@.service\nRestartBackoffSec=6s..7s\nRestartLimit=8/9s\n"
                "OnGaveUp=varta-g.service\nForgetSec=10s\n";

START_TEST(test_typed_settings) {
        _cleanup_loaded_ Loaded l = {};
        ListenerConfig listener;
        const ObserverConfig *o;
        const RecoveryConfig *r;

        LOAD(&l, every_key);
        ck_assert_str_eq(l.messages, "");

        o = config_observer(l.config);
        ck_assert_uint_eq(o->stall_threshold, 2 * NSEC_PER_SEC);
        ck_assert_uint_eq(o->capacity, 7);
        ck_assert(o->per_pid_rate.count == 5 && o->per_pid_rate.span == 10 * NSEC_PER_SEC);
        ck_assert(o->global_rate.count == 30 && o->global_rate.span == NSEC_PER_MINUTE &&
                  !o->global_rate_auto);
        ck_assert(o->global_burst == 9 && !o->global_burst_auto);
        ck_assert_uint_eq(o->per_uid_share_percent, 25);
        ck_assert_int_eq(o->eviction_policy, CONFIG_EVICTION_BALANCED);
        ck_assert_int_eq(o->origin_policy, CONFIG_ORIGIN_FIRST_WINS);
        ck_assert(o->allow_cross_namespace);
        ck_assert_int_eq(o->clock_source, CONFIG_CLOCK_BOOTTIME);
        ck_assert_uint_eq(o->max_deferral, 3 * NSEC_PER_SEC);

        r = config_recovery(l.config);
        ck_assert_uint_eq(r->storm_limit.count, 0);
        ck_assert_uint_eq(r->recovery_timeout, NSEC_PER_MINUTE);
        ck_assert_uint_eq(r->recheck, NSEC_PER_SEC);
        ck_assert_uint_eq(r->n_protected_globs, 2);
        ck_assert_str_eq(r->protected_globs[1], "b*");

        config_listener(l.config, "udp", &listener);
        ck_assert_str_eq(listener.name, "udp");
        ck_assert(listener.operator_attested);
        ck_assert_int_eq(listener.source, LISTENER_SOURCE_ADDRESS);
        ck_assert_str_eq(listener.unit, "g.service");
        ck_assert_str_eq(listener.key_file, "/k");
}
END_TEST

START_TEST(test_typed_policy) {
        _cleanup_loaded_ Loaded l = {};
        UnitPolicy p;

        LOAD(&l, every_key);
        config_unit_policy(l.config, "w.service", &p);
        ck_assert_int_eq(p.mode, UNIT_MODE_ENFORCE);
        ck_assert_uint_eq(p.stall_threshold, NSEC_PER_SEC);
        ck_assert_int_eq(p.on_exit, ON_EXIT_STALL);
        ck_assert_uint_eq(p.startup_grace, 2 * NSEC_PER_SEC);
        ck_assert_uint_eq(p.first_beat, 3 * NSEC_PER_SEC);
        ck_assert(p.quorum.value == 4 && !p.quorum.is_share);
        ck_assert_int_eq(p.action.verb, UNIT_ACTION_START);
        ck_assert_str_eq(p.action.unit, "varta-x@%i.service");
        ck_assert_uint_eq(p.capture_timeout, 5 * NSEC_PER_SEC);
        ck_assert_str_eq(p.capture_unit, "varta-c@%p.service");
        ck_assert(p.restart_backoff.min == 6 * NSEC_PER_SEC && p.restart_backoff.max == 7 * NSEC_PER_SEC);
        ck_assert(p.restart_limit.count == 8 && p.restart_limit.span == 9 * NSEC_PER_SEC);
        ck_assert_str_eq(p.on_gave_up, "varta-g.service");
        ck_assert_uint_eq(p.forget, 10 * NSEC_PER_SEC);
        ck_assert(!p.is_protected && !p.is_degraded);
}
END_TEST

START_TEST(test_auto_rates) {
        static const struct {
                const char *title, *text;
                uint32_t capacity; /* the running one; 0: the file's */
                uint32_t rate, burst;
        } cases[] = {
                { "a small observer takes 5,000 a second", "", 0, 8192, 16384 },
                { "half of that capacity makes no difference", "Capacity=2500", 0, 5000, 10000 },
                { "a larger one takes twice its capacity", "Capacity=2501", 0, 5002, 10004 },
                { "the largest does not overflow", "Capacity=1M", 0, 2097152, 4194304 },
                { "the running capacity counts, not the file's", "Capacity=1M", 1, 5000, 10000 },
                { "the burst follows a rate that is given", "GlobalRate=7/s", 0, 7, 14 },
                { "so it does with the largest", "GlobalRate=50000000/s", 0, 50000000, 100000000 },
                { "no rate, no burst", "GlobalRate=0", 0, 0, 0 },
                { "a burst that is given stays", "GlobalBurst=3", 0, 8192, 3 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_loaded_ Loaded l = {};
                char text[128];
                ObserverConfig o;

                (void) snprintf(text, sizeof(text), "[Observer]\n%s\n", cases[i].text);
                LOAD(&l, text);
                o = *config_observer(l.config);
                config_observer_resolve(&o, cases[i].capacity > 0 ? cases[i].capacity : o.capacity);
                ck_assert_msg(o.global_rate.count == cases[i].rate, "%s", cases[i].title);
                ck_assert_msg(o.global_burst == cases[i].burst, "%s", cases[i].title);
        }
}
END_TEST

/* Names and paths beyond what the settings hold. */
START_TEST(test_too_long) {
        static const struct {
                ConfigSection section;
                const char *key, *before, *after;
                size_t longest; /* of the whole value */
        } cases[] = {
                { UNI, "OnGaveUp", "varta-", ".service", UNIT_NAME_MAX - 1 },
                { UNI, "Action", "start:varta-", ".service", UNIT_NAME_MAX - 1 + sizeof("start:") - 1 },
                /* The specifier for the pid is put in. */
                { UNI, "CaptureUnit", "varta-", "@.service", UNIT_NAME_MAX - 1 - 2 },
                { LIS, "Unit", "a", ".service", UNIT_NAME_MAX - 1 },
                { LIS, "KeyFile", "/", "", CONFIG_PATH_MAX - 1 },
                { REC, "Protected", "a", ".service", UNIT_NAME_MAX - 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t more = 0; more <= 1; more++) {
                        size_t fill = cases[i].longest + more - strlen(cases[i].before) -
                                      strlen(cases[i].after);
                        _cleanup_loaded_ Loaded l = {};
                        char value[2048], text[4096];

                        memset(value, 'x', fill);
                        value[fill] = '\0';
                        (void) snprintf(text, sizeof(text), "[%s]\n%s=%s%s%s\n", header_of(cases[i].section),
                                        cases[i].key, cases[i].before, value, cases[i].after);
                        LOAD(&l, text);
                        ck_assert_msg(config_n_errors(l.config) == more, "%s, %zu: %s", cases[i].key, fill,
                                      l.messages);
                }
}
END_TEST

/* What others read from the schema: no key goes without words, and a reload passes over exactly these three. */
START_TEST(test_schema) {
        const ConfigKey *key;

        for (size_t i = 0; (key = config_key_at(i)); i++) {
                const char *description = config_key_description(key);

                ck_assert_ptr_eq(config_key_find(config_key_section(key), config_key_name(key)), key);
                ck_assert_uint_gt(strlen(config_key_allowed(key)), 0);
                ck_assert_int_eq(description[strlen(description) - 1], '.');
                ck_assert_int_eq(config_key_is_start_only(key),
                                 strcmp(config_key_name(key), "Capacity") == 0 ||
                                                 strcmp(config_key_name(key), "SecureSenders") == 0 ||
                                                 strcmp(config_key_name(key), "ClockSource") == 0);
        }
        ck_assert_ptr_null(config_key_find(CONFIG_UNIT, "Capacity"));
}
END_TEST

START_TEST(test_words) {
        ck_assert_str_eq(config_eviction_to_string(CONFIG_EVICTION_BALANCED), "balanced");
        ck_assert_str_eq(config_origin_rule_to_string(CONFIG_ORIGIN_FIRST_WINS), "first-wins");
        ck_assert_str_eq(config_clock_to_string(CONFIG_CLOCK_BOOTTIME), "boottime");
        ck_assert_str_eq(listener_source_to_string(LISTENER_SOURCE_KEY), "key");
        ck_assert_str_eq(unit_mode_to_string(UNIT_MODE_ENFORCE), "enforce");
        ck_assert_str_eq(on_exit_to_string(ON_EXIT_STALL), "stall");
        ck_assert_str_eq(unit_action_to_string(UNIT_ACTION_START), "start");
        ck_assert_ptr_null(unit_mode_to_string(_UNIT_MODE_MAX));
        ck_assert_ptr_null(unit_mode_to_string(_UNIT_MODE_INVALID));
        ck_assert_ptr_null(config_section_to_string(_CONFIG_SECTION_INVALID));
        ck_assert_str_eq(config_section_to_placeholder(CONFIG_UNIT), "GLOB");
        ck_assert_ptr_null(config_section_to_placeholder(CONFIG_OBSERVER));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("config-keys");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_rows);
        tcase_add_test(tcase, test_every_key_has_rows);
        tcase_add_test(tcase, test_defaults);
        tcase_add_test(tcase, test_default_texts_parse);
        tcase_add_test(tcase, test_typed_settings);
        tcase_add_test(tcase, test_typed_policy);
        tcase_add_test(tcase, test_auto_rates);
        tcase_add_test(tcase, test_too_long);
        tcase_add_test(tcase, test_schema);
        tcase_add_test(tcase, test_words);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
