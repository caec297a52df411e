/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What applies to a unit: which section wins, who is protected, and the names of units to start. */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

START_TEST(test_precedence) {
        static const struct {
                const char *title, *first, *second, *unit, *quorum, *origin;
        } rows[] = {
                { "a section for nobody of ours", "[Unit b.service]\nQuorum=2\n", "", "a.service", "1",
                  "default" },
                { "the exact name", "[Unit a.service]\nQuorum=2\n", "", "a.service", "2",
                  "a.conf:2 [Unit a.service]" },
                { "the exact name wins over a pattern with as many letters", "[Unit a.service]\nQuorum=2\n",
                  "[Unit a.service*]\nQuorum=3\n", "a.service", "2", "a.conf:2 [Unit a.service]" },
                { "wherever it stands", "[Unit *]\nQuorum=3\n", "[Unit a.service]\nQuorum=2\n", "a.service",
                  "2", "b.conf:2 [Unit a.service]" },
                { "the pattern with more letters wins", "[Unit w@1*.service]\nQuorum=2\n",
                  "[Unit w@*.service]\nQuorum=3\n", "w@12.service", "2", "a.conf:2 [Unit w@1*.service]" },
                { "wherever it stands, too", "[Unit w@*.service]\nQuorum=3\n",
                  "[Unit w@1*.service]\nQuorum=2\n", "w@12.service", "2", "b.conf:2 [Unit w@1*.service]" },
                { "brackets and question marks are no letters", "[Unit w@[0-9][0-9].service]\nQuorum=2\n",
                  "[Unit w@1*.service]\nQuorum=3\n", "w@12.service", "3", "b.conf:2 [Unit w@1*.service]" },
                { "with as many letters, the later file wins", "[Unit w@?.service]\nQuorum=2\n",
                  "[Unit w@*.service]\nQuorum=3\n", "w@1.service", "3", "b.conf:2 [Unit w@*.service]" },
                { "and the other way round", "[Unit w@*.service]\nQuorum=3\n",
                  "[Unit w@?.service]\nQuorum=2\n", "w@1.service", "2", "b.conf:2 [Unit w@?.service]" },
                { "what counts is where the key was assigned, not where the section came up",
                  "[Unit w@*.service]\nMode=off\n[Unit w@?.service]\nQuorum=2\n",
                  "[Unit w@*.service]\nQuorum=3\n", "w@1.service", "3", "b.conf:2 [Unit w@*.service]" },
                { "in one file, the later line wins",
                  "[Unit w@*.service]\nQuorum=3\n[Unit w@?.service]\nQuorum=2\n", "", "w@1.service", "2",
                  "a.conf:4 [Unit w@?.service]" },
                { "a key that the winner does not set comes from the next", "[Unit w@*.service]\nQuorum=3\n",
                  "[Unit w@1.service]\nMode=off\n", "w@1.service", "3", "a.conf:2 [Unit w@*.service]" },
                { "escaped names match as they are written", "[Unit w@a\\x2d*.service]\nQuorum=2\n", "",
                  "w@a\\x2db.service", "2", "a.conf:2 [Unit w@a\\x2d*.service]" },
                { "a pattern does not match another type", "[Unit w@*.service]\nQuorum=2\n", "", "w@1.scope",
                  "1", "default" },
                { "no section speaks of agents without a unit", "[Unit *]\nQuorum=2\n", "", "", "1",
                  "default" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_loaded_ Loaded l = {};

                LOAD(&l, rows[i].first, rows[i].second);
                ck_assert_str_eq(l.messages, "");
                ck_assert_msg(strcmp(value_of(&l, CONFIG_UNIT, "Quorum", rows[i].unit), rows[i].quorum) == 0,
                              "%s", rows[i].title);
                ck_assert_msg(strcmp(origin_of(&l, CONFIG_UNIT, "Quorum", rows[i].unit), rows[i].origin) ==
                                              0,
                              "%s: %s", rows[i].title, origin_of(&l, CONFIG_UNIT, "Quorum", rows[i].unit));
        }
}
END_TEST

START_TEST(test_threshold_is_inherited) {
        _cleanup_loaded_ Loaded l = {};
        UnitPolicy p;

        LOAD(&l, "[Observer]\nStallThresholdSec=7s\n[Unit a.service]\nStallThresholdSec=2s\n");
        ck_assert_str_eq(value_of(&l, CONFIG_UNIT, "StallThresholdSec", "a.service"), "2s");
        ck_assert_str_eq(value_of(&l, CONFIG_UNIT, "StallThresholdSec", "b.service"), "7s");
        ck_assert_str_eq(origin_of(&l, CONFIG_UNIT, "StallThresholdSec", "b.service"),
                         "a.conf:2 [Observer]");
        config_unit_policy(l.config, NULL, &p);
        ck_assert_uint_eq(p.stall_threshold, 7 * NSEC_PER_SEC);
        ck_assert_uint_eq(p.forget, NSEC_PER_HOUR);
        ck_assert_int_eq(p.mode, UNIT_MODE_WARN);

        loaded_done(&l);
        LOAD(&l, "");
        ck_assert_str_eq(origin_of(&l, CONFIG_UNIT, "StallThresholdSec", "b.service"),
                         "default of Observer");
}
END_TEST

START_TEST(test_policy_outlives_the_configuration) {
        Loaded l = {};
        UnitPolicy p;
        char buf[300];

        LOAD(&l, "[Unit a.service]\nOnGaveUp=varta-g@%i.service\nAction=start:varta-a.service\n");
        config_unit_policy(l.config, "a.service", &p);
        loaded_done(&l);
        ck_assert_str_eq(p.on_gave_up, "varta-g@%i.service");
        ck_assert_str_eq(config_unit_policy_format(&p, config_key_find(CONFIG_UNIT, "Action"), buf,
                                                   sizeof(buf)),
                         "start:varta-a.service");
}
END_TEST

START_TEST(test_protected) {
        static const struct {
                const char *unit;
                bool expected;
        } rows[] = {
                { "varta.service", true },
                { "varta@7.service", true },
                { "varta-exporter.service", true },
                { "varta-exporter@1.service", true },
                { "varta-capture@1.service", false },
                { "user@1000.service", true },
                { "user-runtime-dir@1000.service", true },
                { "systemd-journald.service", true },
                { "dbus.service", true },
                { "dbus-broker.service", true },
                { "polkit.service", true },
                { "getty@tty1.service", true },
                { "emergency.service", true },
                { "rescue.service", true },
                { "debug-shell.service", true },
                { "mine.service", true },
                { "also@1.service", true },
                { "nginx.service", false },
                { "my-systemd-helper.service", false },
                { "user.service", false },
        };
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, "[Recovery]\nProtected=mine.service also@*\n");
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                UnitPolicy p;

                config_unit_policy(l.config, rows[i].unit, &p);
                ck_assert_msg(config_unit_is_protected(l.config, rows[i].unit) == rows[i].expected, "%s",
                              rows[i].unit);
                ck_assert_msg(p.is_protected == rows[i].expected, "%s", rows[i].unit);
        }

        for (size_t i = 0; config_protected_builtin_at(i); i++)
                ck_assert(unit_glob_is_valid(config_protected_builtin_at(i)));
}
END_TEST

START_TEST(test_enforce_on_protected) {
        static const struct {
                const char *title, *text, *messages;
        } rows[] = {
                { "a built-in one", "[Unit systemd-logind.service]\nMode=enforce\n",
                  "E a.conf:2: [Unit systemd-logind.service] Mode=enforce: The unit is protected by the "
                  "built-in list: "
                  "systemd-*; allowed: off, warn\n" },
                { "one of the operator's, listed later",
                  "[Unit db.service]\nMode=enforce\n[Recovery]\nProtected=db*\n",
                  "E a.conf:2: [Unit db.service] Mode=enforce: The unit is protected by Protected=db*; "
                  "allowed: off, "
                  "warn\n" },
                { "a scope, which cannot be restarted", "[Unit session-1.scope]\nMode=enforce\n",
                  "E a.conf:2: [Unit session-1.scope] Mode=enforce: Only services can be restarted; "
                  "allowed: off, warn\n" },
                { "other modes are fine",
                  "[Unit systemd-logind.service]\nMode=warn\n[Unit dbus.service]\nMode=off\n", "" },
                { "so are other keys", "[Unit systemd-logind.service]\nStallThresholdSec=9s\n", "" },
                { "patterns pass over protected units",
                  "[Unit *]\nMode=enforce\n[Unit systemd-*]\nMode=enforce\n", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_loaded_ Loaded l = {};

                LOAD(&l, rows[i].text);
                ck_assert_msg(strcmp(l.messages, rows[i].messages) == 0, "%s:\n%s", rows[i].title,
                              l.messages);
        }
}
END_TEST

START_TEST(test_enforce_on_protected_falls_to_warn) {
        _cleanup_loaded_ Loaded l = {};
        UnitPolicy p;

        LOAD(&l, "[Unit systemd-logind.service]\nMode=enforce\n[Unit *]\nMode=enforce\n");
        config_unit_policy(l.config, "systemd-logind.service", &p);
        ck_assert_int_eq(p.mode, UNIT_MODE_WARN);
        ck_assert(p.is_degraded && p.is_protected);
        config_unit_policy(l.config, "nginx.service", &p);
        ck_assert_int_eq(p.mode, UNIT_MODE_ENFORCE);
}
END_TEST

START_TEST(test_expand) {
        static const struct {
                const char *title, *text, *unit, *expected;
                int r;
        } rows[] = {
                { "a plain name", "varta-x.service", "a.service", "varta-x.service", 0 },
                { "the unit's name, escaped", "varta-x@%i.service", "w@a-b.service",
                  "varta-x@w\\x40a\\x2db.service.service", 0 },
                { "the pid", "varta-x@%p.service", "a.service", "varta-x@4711.service", 0 },
                { "both", "varta-x@%p:%i.service", "a.service", "varta-x@4711:a.service.service", 0 },
                { "a percent sign is in no unit name", "varta-x@%%.service", "a.service", NULL, -EINVAL },
                { "an unknown specifier", "varta-x@%n.service", "a.service", NULL, -EINVAL },
                { "a percent sign at the end", "varta-x@%", "a.service", NULL, -EINVAL },
                { "an agent without a unit", "varta-x@%i.service", "", NULL, -EINVAL },
                { "a template", "varta-x@.service", "a.service", NULL, -EINVAL },
        };
        char buf[UNIT_NAME_MAX], unit[UNIT_NAME_MAX], small[20];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                int r = config_expand_unit(rows[i].text, rows[i].unit, 4711, buf, sizeof(buf));

                ck_assert_msg(r == rows[i].r, "%s (%d)", rows[i].title, r);
                if (r == 0)
                        ck_assert_msg(strcmp(buf, rows[i].expected) == 0, "%s: %s", rows[i].title, buf);
        }

        /* Escaping makes long names longer than systemd takes. */
        memset(unit, '-', 70);
        memcpy(unit + 70, ".service", sizeof(".service"));
        ck_assert_int_eq(config_expand_unit("varta-x@%i.service", unit, 1, buf, sizeof(buf)), -ENAMETOOLONG);
        memcpy(unit + 50, ".service", sizeof(".service"));
        ck_assert_int_eq(config_expand_unit("varta-x@%i.service", unit, 1, buf, sizeof(buf)), 0);
        ck_assert_int_eq(config_expand_unit("varta-x@1234.service", unit, 1, small, sizeof(small)),
                         -ENAMETOOLONG);
        ck_assert_int_eq(config_expand_unit("varta-x@123.service", unit, 1, small, sizeof(small)), 0);
}
END_TEST

static void policy_to_text(const UnitPolicy *policy, char *buf, size_t size) {
        size_t n = (size_t) snprintf(buf, size, "[Unit a.service]\n");

        for (size_t i = 0; config_key_at(i); i++) {
                const ConfigKey *key = config_key_at(i);
                char value[300];

                if (config_key_section(key) == CONFIG_UNIT)
                        n += (size_t) snprintf(buf + n, size - n, "%s=%s\n", config_key_name(key),
                                               config_unit_policy_format(policy, key, value, sizeof(value)));
        }
}

/* Whatever is shown for a unit, written into a file, makes the same policy again. */
START_TEST(test_show_round_trip) {
        static const char text[] =
                        "[Unit a.service]\nMode=enforce\nStallThresholdSec=1min 30s\nOnExit=stall\n"
                        "StartupGraceSec=2s\nFirstBeatSec=3s\nQuorum=40%\nAction=start:varta-x@%i.service\n"
                        "CaptureSec=5s\nCaptureUnit=varta-c@.service\nRestartBackoffSec=6s..7min\n"
                        "RestartLimit=8/9s\nOnGaveUp=varta-g@%i.service\nForgetSec=10s\n";
        char first[4096], second[4096];
        _cleanup_loaded_ Loaded l = {};
        UnitPolicy p;

        LOAD(&l, text);
        config_unit_policy(l.config, "a.service", &p);
        policy_to_text(&p, first, sizeof(first));
        loaded_done(&l);

        LOAD(&l, first);
        ck_assert_str_eq(l.messages, "");
        config_unit_policy(l.config, "a.service", &p);
        policy_to_text(&p, second, sizeof(second));
        ck_assert_str_eq(first, second);
        ck_assert_ptr_nonnull(strstr(first, "\nStallThresholdSec=1min 30s\n"));
}
END_TEST

/* All keys of a unit at once are what asking for them one by one gives. */
START_TEST(test_values_at_once) {
        static const char text[] = "[Observer]\nStallThresholdSec=3s\n[Unit *]\nMode=enforce\n"
                                   "[Unit a.service]\nAction=start:varta-x@%i.service\n";
        static const char *const units[] = { "a.service", "b.service", "" };
        ConfigValue values[CONFIG_UNIT_KEYS_MAX];
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, text);
        for (size_t u = 0; u < ELEMENTSOF(units); u++) {
                size_t n = config_unit_values(l.config, units[u], values, ELEMENTSOF(values)), keys = 0;

                for (size_t i = 0; config_key_at(i); i++) {
                        const char *name = config_key_name(config_key_at(i));
                        const ConfigProvenance *p;
                        char origin[128];

                        if (config_key_section(config_key_at(i)) != CONFIG_UNIT)
                                continue;
                        ck_assert_uint_lt(keys, n);
                        p = &values[keys].provenance;
                        ck_assert_str_eq(config_key_name(values[keys].key), name);
                        ck_assert_str_eq(values[keys].text, value_of(&l, CONFIG_UNIT, name, units[u]));
                        (void) snprintf(origin, sizeof(origin), "%s:%u [%s]", p->file ?: "", p->line,
                                        p->section ?: "");
                        ck_assert_str_eq(p->file ? origin : "default",
                                         origin_of(&l, CONFIG_UNIT, name, units[u]));
                        keys++;
                }
                ck_assert_uint_eq(keys, n);
                ck_assert_uint_eq(config_unit_values(l.config, units[u], values, 2), 2);
        }
}
END_TEST

/* The sections that have systemd asked which units run. */
START_TEST(test_first_beat_sections) {
        _cleanup_loaded_ Loaded l = {};
        ConfigProvenance place;

        LOAD(&l, "[Unit a@*.service]\nFirstBeatSec=3s\n[Unit b.service]\nFirstBeatSec=0\n[Unit c.service]\n",
             "[Unit d.service]\nMode=off\nFirstBeatSec=1min\n");
        ck_assert_str_eq(config_first_beat_at(l.config, 0, NULL), "a@*.service");
        ck_assert_str_eq(config_first_beat_at(l.config, 1, &place), "d.service");
        ck_assert_str_eq(place.file, "b.conf");
        ck_assert_uint_eq(place.line, 3);
        ck_assert_str_eq(place.section, "Unit d.service");
        ck_assert_ptr_null(config_first_beat_at(l.config, 2, &place));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("config-policy");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_precedence);
        tcase_add_test(tcase, test_threshold_is_inherited);
        tcase_add_test(tcase, test_policy_outlives_the_configuration);
        tcase_add_test(tcase, test_protected);
        tcase_add_test(tcase, test_enforce_on_protected);
        tcase_add_test(tcase, test_enforce_on_protected_falls_to_warn);
        tcase_add_test(tcase, test_expand);
        tcase_add_test(tcase, test_values_at_once);
        tcase_add_test(tcase, test_first_beat_sections);
        tcase_add_test(tcase, test_show_round_trip);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
