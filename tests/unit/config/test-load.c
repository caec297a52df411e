/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several files, sections and keys together: precedence, resets, what is unknown, limits, and what errors hold back. */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

START_TEST(test_later_file_wins) {
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, "[Observer]\nStallThresholdSec=1s\nCapacity=10\n", "[Observer]\nStallThresholdSec=2s\n",
             "[Observer]\nCapacity=30\n");
        ck_assert_str_eq(l.messages, "");
        ck_assert_str_eq(value_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL), "2s");
        ck_assert_str_eq(origin_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL), "b.conf:2 [Observer]");
        ck_assert_str_eq(value_of(&l, CONFIG_OBSERVER, "Capacity", NULL), "30");
        ck_assert_str_eq(origin_of(&l, CONFIG_OBSERVER, "Capacity", NULL), "c.conf:2 [Observer]");
        ck_assert_str_eq(origin_of(&l, CONFIG_OBSERVER, "ClockSource", NULL), "default");
}
END_TEST

START_TEST(test_section_is_overridden_key_by_key) {
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, "[Unit a*.service]\nMode=enforce\nQuorum=3\n", "[Unit a*.service]\nQuorum=4\n");
        ck_assert_str_eq(value_of(&l, CONFIG_UNIT, "Mode", "a1.service"), "enforce");
        ck_assert_str_eq(value_of(&l, CONFIG_UNIT, "Quorum", "a1.service"), "4");
        ck_assert_ptr_nonnull(config_unit_section_at(l.config, 0));
        ck_assert_ptr_null(config_unit_section_at(l.config, 1));
}
END_TEST

START_TEST(test_empty_value_resets) {
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l,
             "[Observer]\nStallThresholdSec=1s\n[Recovery]\nProtected=a.service\n[Unit "
             "a*.service]\nMode=enforce\n"
             "Action=restart\n[Unit *]\nMode=off\n[Listener udp]\nKeyFile=/k\n",
             "[Observer]\nStallThresholdSec=\n[Recovery]\nProtected=\nProtected=b.service\n[Unit "
             "a*.service]\nMode=\n"
             "Action =  \n[Listener udp]\nKeyFile=\n");
        ck_assert_str_eq(l.messages, "");
        ck_assert_str_eq(value_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL), "5s");
        ck_assert_str_eq(origin_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL), "default");
        ck_assert_str_eq(value_of(&l, CONFIG_RECOVERY, "Protected", NULL), "b.service");
        /* As if the section had never set it: a less specific one does. */
        ck_assert_str_eq(value_of(&l, CONFIG_UNIT, "Mode", "a1.service"), "off");
        ck_assert_str_eq(value_of(&l, CONFIG_UNIT, "Action", "a1.service"), "try-restart");
        ck_assert_str_eq(value_of(&l, CONFIG_LISTENER, "KeyFile", "udp"), "");
}
END_TEST

START_TEST(test_lists_add_up) {
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, "[Recovery]\nProtected=a.service b*\n", "[Recovery]\nProtected=c.service\n");
        ck_assert_str_eq(value_of(&l, CONFIG_RECOVERY, "Protected", NULL), "a.service b* c.service");
        ck_assert(config_unit_is_protected(l.config, "a.service"));
        ck_assert(config_unit_is_protected(l.config, "bbb.service"));
        ck_assert(config_unit_is_protected(l.config, "c.service"));
        ck_assert(!config_unit_is_protected(l.config, "d.service"));
}
END_TEST

START_TEST(test_listeners) {
        _cleanup_loaded_ Loaded l = {};
        ListenerConfig listener;

        LOAD(&l, "[Listener udp]\nOperatorAttested=yes\n[Listener other one]\nSource=local\n");
        ck_assert_str_eq(l.messages, "");
        ck_assert_str_eq(config_listener_at(l.config, 0)->name, "udp");
        ck_assert_str_eq(config_listener_at(l.config, 1)->name, "other one");
        ck_assert_ptr_null(config_listener_at(l.config, 2));

        config_listener(l.config, "udp", &listener);
        ck_assert(listener.operator_attested);
        config_listener(l.config, "unheard-of", &listener);
        ck_assert_str_eq(listener.name, "unheard-of");
        ck_assert(!listener.operator_attested);
        ck_assert_int_eq(listener.source, LISTENER_SOURCE_AUTO);
        ck_assert_str_eq(origin_of(&l, CONFIG_LISTENER, "OperatorAttested", "udp"),
                         "a.conf:2 [Listener udp]");
        ck_assert_str_eq(origin_of(&l, CONFIG_LISTENER, "OperatorAttested", "unheard-of"), "default");
}
END_TEST

/* What nobody knows is said and passed over; it stops no reload. */
START_TEST(test_unknown) {
        static const struct {
                const char *title, *text, *messages;
        } rows[] = {
                { "a misspelled key", "[Observer]\nStalTresholdSec=1s\n",
                  "W a.conf:2: [Observer] StalTresholdSec=1s: There is no such key, it is passed over; did "
                  "you mean "
                  "StallThresholdSec=?\n" },
                { "a key with the wrong case", "[Unit a.service]\nmode=off\n",
                  "W a.conf:2: [Unit a.service] mode=off: There is no such key, it is passed over; did you "
                  "mean "
                  "Mode=?\n" },
                { "a key of another section", "[Observer]\nQuorum=1\n",
                  "W a.conf:2: [Observer] Quorum=1: There is no such key in this section, it is passed "
                  "over; it belongs "
                  "to [Unit GLOB]\n" },
                { "a key like no other", "[Observer]\nColour=blue\n",
                  "W a.conf:2: [Observer] Colour=blue: There is no such key, it is passed over\n" },
                { "a misspelled section, once and not for each of its lines",
                  "[Obsrever]\nStallThresholdSec=1s\nCapacity=x\nRubbish\n",
                  "W a.conf:1: [Obsrever] There is no such section, it is passed over; did you mean "
                  "[Observer]?\n" },
                { "a section like no other", "[Colours]\n",
                  "W a.conf:1: [Colours] There is no such section, it is passed over; allowed: [Observer], "
                  "[Recovery], "
                  "[Listener NAME], [Unit GLOB]\n" },
                { "a name where none is wanted", "[Observer x]\nCapacity=1\n",
                  "W a.conf:1: [Observer x] This section takes no name; it is not looked at\n" },
                { "sections and keys of others are nobody's business",
                  "[X-Mine]\nA=b\n[Observer]\nX-Colour=blue\n", "" },
                { "a template is a name that no unit has", "[Unit w@.service]\nMode=off\n",
                  "W a.conf:1: [Unit w@.service] This is a template, and no unit has this name; its "
                  "instances are "
                  "w@*.service\n" },
                { "a capture without a unit", "[Unit a.service]\nCaptureSec=1s\n",
                  "W a.conf:2: [Unit a.service] CaptureSec=1s: This does nothing without CaptureUnit=\n" },
                { "a capture without a time", "[Unit a.service]\nCaptureUnit=varta-c@.service\n",
                  "W a.conf:2: [Unit a.service] CaptureUnit=varta-c@%p.service: This does nothing without "
                  "CaptureSec=\n" },
                { "the halves of a capture may stand in two sections",
                  "[Unit *]\nCaptureUnit=varta-c@.service\n[Unit a.service]\nCaptureSec=1s\n", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_loaded_ Loaded l = {};

                LOAD(&l, rows[i].text);
                ck_assert_msg(strcmp(l.messages, rows[i].messages) == 0, "%s:\n%s", rows[i].title,
                              l.messages);
                ck_assert_uint_eq(config_n_errors(l.config), 0);
                ck_assert_uint_eq(config_n_warnings(l.config), l.n_messages);
        }
}
END_TEST

#define GLOB_ALLOWED "; allowed: the full name of a .service or .scope unit, or a glob over such names\n"

/* Section names that cannot be used. */
START_TEST(test_bad_names) {
        static const struct {
                const char *header, *messages;
        } rows[] = {
                { "Unit", "E a.conf:1: [Unit] The name of the unit is missing" GLOB_ALLOWED },
                { "Unit worker",
                  "E a.conf:1: [Unit worker] This is not the full name of a unit; did you mean "
                  "worker.service?\n" },
                { "Unit a.servce",
                  "E a.conf:1: [Unit a.servce] This is not the full name of a unit; did you mean "
                  "a.servce.service?\n" },
                { "Unit a.timer",
                  "E a.conf:1: [Unit a.timer] Only services and scopes have agents" GLOB_ALLOWED },
                { "Unit a*.timer",
                  "E a.conf:1: [Unit a*.timer] Only services and scopes have agents" GLOB_ALLOWED },
                { "Unit a*.serv",
                  "E a.conf:1: [Unit a*.serv] Only services and scopes have agents" GLOB_ALLOWED },
                { "Unit a*b", "E a.conf:1: [Unit a*b] Only services and scopes have agents" GLOB_ALLOWED },
                { "Unit a b.service",
                  "E a.conf:1: [Unit a b.service] This is not a unit name or glob" GLOB_ALLOWED },
                { "Unit a/b.service",
                  "E a.conf:1: [Unit a/b.service] This is not a unit name or glob" GLOB_ALLOWED },
                { "Unit a[0-9.service",
                  "E a.conf:1: [Unit a[0-9.service] This is not a unit name or glob" GLOB_ALLOWED },
                { "Unit @a.service",
                  "E a.conf:1: [Unit @a.service] This is not the name of a unit" GLOB_ALLOWED },
                { "Unit *", "" },
                { "Unit a*", "" },
                { "Unit a@[0-9].service", "" },
                { "Unit a@*.s*", "" },
                { "Unit *.scope", "" },
                { "Unit session-1.scope", "" },
                { "Listener", "E a.conf:1: [Listener] The name of the listener is missing; allowed: the "
                              "FileDescriptorName= of a socket: printable ASCII without ':'\n" },
                { "Listener a:b",
                  "E a.conf:1: [Listener a:b] This is not the name of a listener; allowed: the "
                  "FileDescriptorName= of a socket: printable ASCII without ':'\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_loaded_ Loaded l = {};
                char text[128];

                (void) snprintf(text, sizeof(text), "[%s]\n", rows[i].header);
                LOAD(&l, text);
                ck_assert_msg(strcmp(l.messages, rows[i].messages) == 0, "%s:\n%s", rows[i].header,
                              l.messages);
        }
}
END_TEST

START_TEST(test_unreadable_file) {
        _cleanup_loaded_ Loaded l = {};
        UnitPolicy p;

        ck_assert_int_eq(config_new(&l.config), 0);
        ck_assert_int_eq(config_add_text(l.config, "a.conf", "[Unit *]\nMode=enforce\n", 22, collect_message,
                                         &l),
                         0);
        ck_assert_int_eq(config_add_unreadable(l.config, "b.conf", -EACCES, "Permission denied",
                                               collect_message, &l),
                         0);
        ck_assert_int_eq(config_finish(l.config, collect_message, &l), 0);
        ck_assert_str_eq(l.messages, "E b.conf: The file cannot be read: Permission denied\n");

        /* It may have said that this unit is to be left alone. */
        config_unit_policy(l.config, "a.service", &p);
        ck_assert_int_eq(p.mode, UNIT_MODE_WARN);
        ck_assert(p.is_degraded);
}
END_TEST

/* Which units an error holds back from being restarted. */
START_TEST(test_errors_hold_back) {
        static const struct {
                const char *title, *text;
                UnitMode a, b; /* of a1.service and b.service */
        } rows[] = {
                { "nothing is held without an error", "", UNIT_MODE_ENFORCE, UNIT_MODE_ENFORCE },
                { "a warning holds nothing", "[Observer]\nColour=blue\n", UNIT_MODE_ENFORCE,
                  UNIT_MODE_ENFORCE },
                { "a bad value holds the units of its section", "[Unit a*.service]\nQuorum=0\n",
                  UNIT_MODE_WARN, UNIT_MODE_ENFORCE },
                { "a more specific section does not undo that",
                  "[Unit a*.service]\nQuorum=0\n[Unit a1.service]\nMode=enforce\nQuorum=1\n", UNIT_MODE_WARN,
                  UNIT_MODE_ENFORCE },
                { "off stays off", "[Unit a*.service]\nQuorum=0\nMode=off\n", UNIT_MODE_OFF,
                  UNIT_MODE_ENFORCE },
                { "a bad mode is warn", "[Unit a*.service]\nMode=enfroce\n", UNIT_MODE_WARN,
                  UNIT_MODE_ENFORCE },
                { "a line in a section that is no assignment holds its units", "[Unit a*.service]\nMode\n",
                  UNIT_MODE_WARN, UNIT_MODE_ENFORCE },
                { "a bad value of the observer holds nobody...", "[Observer]\nCapacity=0\n",
                  UNIT_MODE_ENFORCE, UNIT_MODE_ENFORCE },
                { "...but a bad threshold those who take theirs from it",
                  "[Observer]\nStallThresholdSec=60x\n", UNIT_MODE_WARN, UNIT_MODE_WARN },
                { "...and not those who have their own",
                  "[Observer]\nStallThresholdSec=60x\n[Unit a*.service]\nStallThresholdSec=1s\n",
                  UNIT_MODE_ENFORCE, UNIT_MODE_WARN },
                { "a hole in the list of protected units holds all", "[Recovery]\nProtected=b[.service\n",
                  UNIT_MODE_WARN, UNIT_MODE_WARN },
                { "so does a header that may have been anybody's", "[Unit a1]\nMode=off\n", UNIT_MODE_WARN,
                  UNIT_MODE_WARN },
                { "one that is not closed", "[Unit a1.service\nMode=off\n", UNIT_MODE_WARN, UNIT_MODE_WARN },
                { "and a line that is no text", "\xff\n", UNIT_MODE_WARN, UNIT_MODE_WARN },
                { "a bad listener holds nobody", "[Listener a:b]\n[Listener udp]\nSource=x\nrubbish\n",
                  UNIT_MODE_ENFORCE, UNIT_MODE_ENFORCE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_loaded_ Loaded l = {};
                UnitPolicy p;

                LOAD(&l, "[Unit *]\nMode=enforce\n", rows[i].text);
                config_unit_policy(l.config, "a1.service", &p);
                ck_assert_msg(p.mode == rows[i].a, "%s", rows[i].title);
                config_unit_policy(l.config, "b.service", &p);
                ck_assert_msg(p.mode == rows[i].b, "%s", rows[i].title);
                ck_assert_msg(p.is_degraded == (rows[i].b == UNIT_MODE_WARN), "%s", rows[i].title);
        }
}
END_TEST

/* A bad value later does not leave an earlier file's good one in force: the operator has changed his mind. */
START_TEST(test_bad_value_is_the_default) {
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, "[Observer]\nStallThresholdSec=1s\n[Unit a.service]\nQuorum=2\n",
             "[Observer]\nStallThresholdSec=x\n[Unit a.service]\nQuorum=x\n");
        ck_assert_str_eq(value_of(&l, CONFIG_OBSERVER, "StallThresholdSec", NULL), "5s");
        ck_assert_str_eq(value_of(&l, CONFIG_UNIT, "Quorum", "a.service"), "1");
        ck_assert_uint_eq(config_n_errors(l.config), 2);
}
END_TEST

START_TEST(test_good_globs_of_a_bad_list_protect) {
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, "[Recovery]\nProtected=a.service bad b.service\n");
        ck_assert_uint_eq(config_n_errors(l.config), 1);
        ck_assert(config_unit_is_protected(l.config, "a.service"));
        ck_assert(config_unit_is_protected(l.config, "b.service"));
}
END_TEST

/* ---- Limits -------------------------------------------------------------------------------------------------- */

static char big[1024 * 1024];

START_TEST(test_too_many_unit_sections) {
        _cleanup_loaded_ Loaded l = {};
        UnitPolicy p;
        size_t n = 0;

        for (unsigned i = 0; i < 1025; i++)
                n += (size_t) snprintf(big + n, sizeof(big) - n, "[Unit u%u.service]\nMode=enforce\n", i);
        (void) snprintf(big + n, sizeof(big) - n, "[Unit u0.service]\nQuorum=2\n");

        LOAD(&l, big);
        ck_assert_str_eq(l.messages,
                         "E a.conf:2049: [Unit u1024.service] There are too many sections of this kind; "
                         "this one is passed over; allowed: up to 1024 sections\n");
        config_unit_policy(l.config, "u0.service", &p);
        ck_assert_uint_eq(p.quorum.value, 2);
        ck_assert_int_eq(p.mode,
                         UNIT_MODE_WARN); /* the one that is missing may have been about this unit, too */
}
END_TEST

START_TEST(test_too_many_listeners) {
        _cleanup_loaded_ Loaded l = {};
        size_t n = 0;

        for (unsigned i = 0; i < 65; i++)
                n += (size_t) snprintf(big + n, sizeof(big) - n, "[Listener l%u]\nSource=local\n", i);
        LOAD(&l, big);
        ck_assert_str_eq(l.messages,
                         "E a.conf:129: [Listener l64] There are too many sections of this kind; this one "
                         "is passed over; allowed: up to 64 sections\n");
}
END_TEST

START_TEST(test_too_many_globs) {
        _cleanup_loaded_ Loaded l = {};
        size_t n;

        n = (size_t) snprintf(big, sizeof(big), "[Recovery]\n");
        for (unsigned i = 0; i < 257; i++)
                n += (size_t) snprintf(big + n, sizeof(big) - n, "Protected=p%u.service\n", i);
        LOAD(&l, big);
        ck_assert_ptr_nonnull(strstr(l.messages,
                                     "E a.conf:258: [Recovery] Protected=p256.service: There are more than "
                                     "256 globs; allowed: "));
        ck_assert_uint_eq(config_recovery(l.config)->n_protected_globs, 256);
}
END_TEST

/* Core tells 255 classes of (threshold, forget) apart; see src/config/config-classes.c. */
START_TEST(test_classes) {
        static const struct {
                const char *title;
                unsigned n_exact; /* sections with a threshold of their own */
                const char *more;
                unsigned n_errors;
        } rows[] = {
                { "254 thresholds and the default are 255", 254, "", 0 },
                { "one more is one too many", 255, "", 1 },
                { "three more are three too many", 257, "", 3 },
                { "a threshold that is there already is none", 254,
                  "[Unit x.service]\nStallThresholdSec=3s\n", 0 },
                { "a second ForgetSec= for one unit makes one pair", 253, "[Unit x.service]\nForgetSec=2h\n",
                  0 },
                { "in a section that matches all it doubles their number", 126, "[Unit *]\nForgetSec=2h\n",
                  0 },
                { "and 127 of them cannot be doubled", 127, "[Unit *]\nForgetSec=2h\n", 1 },
                { "a threshold that comes after such a section counts twice", 125,
                  "[Unit *]\nForgetSec=2h\n[Unit x.service]\nStallThresholdSec=9h\n", 0 },
                { "and can be the one too many", 126,
                  "[Unit *]\nForgetSec=2h\n[Unit x.service]\nStallThresholdSec=9h\n", 1 },
                { "globs that contradict each other have no unit in common", 200,
                  "[Unit v*.service]\nForgetSec=2h\n[Unit *.scope]\nForgetSec=3h\n", 0 },
                { "globs that do not may have", 126, "[Unit u*]\nForgetSec=2h\n[Unit *ice]\nMode=off\n", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_loaded_ Loaded l = {};
                UnitPolicy p;
                size_t n = 0;

                for (unsigned k = 0; k < rows[i].n_exact; k++)
                        n += (size_t) snprintf(big + n, sizeof(big) - n,
                                               "[Unit u%u.service]\nStallThresholdSec=%ums\nMode=enforce\n",
                                               k, 3000 + (k < 2 ? k * 3 : k + 1000000));
                (void) snprintf(big + n, sizeof(big) - n, "%s", rows[i].more);

                LOAD(&l, big);
                ck_assert_msg(config_n_errors(l.config) == rows[i].n_errors, "%s:\n%s", rows[i].title,
                              l.messages);
                if (rows[i].n_errors == 0)
                        continue;

                ck_assert_ptr_nonnull(strstr(l.messages,
                                             "Too many different pairs of StallThresholdSec= and "
                                             "ForgetSec= come about; allowed: up to 255"));
                if (rows[i].n_exact == 255) {
                        config_unit_policy(l.config, "u254.service", &p);
                        ck_assert_uint_eq(p.stall_threshold, 5 * NSEC_PER_SEC);
                        ck_assert_int_eq(p.mode, UNIT_MODE_WARN);
                        config_unit_policy(l.config, "u253.service", &p);
                        ck_assert_int_eq(p.mode, UNIT_MODE_ENFORCE);
                }
        }
}
END_TEST

START_TEST(test_finished_is_finished) {
        _cleanup_loaded_ Loaded l = {};

        LOAD(&l, "");
        ck_assert_int_eq(config_add_text(l.config, "b.conf", "", 0, NULL, NULL), -EINVAL);
        ck_assert_int_eq(config_add_unreadable(l.config, "b.conf", -EIO, NULL, NULL, NULL), -EINVAL);
        ck_assert_int_eq(config_finish(l.config, NULL, NULL), -EINVAL);
        ck_assert_ptr_null(config_free(NULL));
}
END_TEST

START_TEST(test_without_a_report) {
        _cleanup_(config_freep) Config *config = NULL;

        ck_assert_int_eq(config_new(&config), 0);
        ck_assert_int_eq(config_add_text(config, "a.conf", "rubbish", 7, NULL, NULL), 0);
        ck_assert_int_eq(config_add_text(config, "b.conf", NULL, 0, NULL, NULL), 0);
        ck_assert_int_eq(config_finish(config, NULL, NULL), 0);
        ck_assert_uint_eq(config_n_errors(config), 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("config-load");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_later_file_wins);
        tcase_add_test(tcase, test_section_is_overridden_key_by_key);
        tcase_add_test(tcase, test_empty_value_resets);
        tcase_add_test(tcase, test_lists_add_up);
        tcase_add_test(tcase, test_listeners);
        tcase_add_test(tcase, test_unknown);
        tcase_add_test(tcase, test_bad_names);
        tcase_add_test(tcase, test_unreadable_file);
        tcase_add_test(tcase, test_errors_hold_back);
        tcase_add_test(tcase, test_bad_value_is_the_default);
        tcase_add_test(tcase, test_good_globs_of_a_bad_list_protect);
        tcase_add_test(tcase, test_too_many_unit_sections);
        tcase_add_test(tcase, test_too_many_listeners);
        tcase_add_test(tcase, test_too_many_globs);
        tcase_add_test(tcase, test_classes);
        tcase_add_test(tcase, test_finished_is_finished);
        tcase_add_test(tcase, test_without_a_report);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
