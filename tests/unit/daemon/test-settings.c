/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the configuration's words become for core and recovery: each key, its default, and a value of its own. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "daemon/settings.h"
#include "rows.h"
#include "util/fd.h"

static char path[32];

static void write_config(const char *text) {
        int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        ck_assert_int_eq(close(fd), 0);
}

static void setup(void) {
        int fd;

        (void) snprintf(path, sizeof(path), "/tmp/varta-test-XXXXXX");
        fd = mkostemp(path, O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
}

static void teardown(void) {
        (void) unlink(path);
}

static Config *load(const char *text) {
        _cleanup_free_ char *first = NULL;
        Config *config;

        write_config(text);
        ck_assert_int_eq(settings_load(path, NULL, &config, &first), 0);
        ck_assert_ptr_null(first);
        ck_assert_uint_eq(config_n_errors(config), 0);
        return config;
}

/* ---- numbers and words ------------------------------------------------------------------------------------ */

/* Every setting as a number, so that a row can name one. */
#define FIELDS(X)                                                                                           \
        X(THRESHOLD, observer.threshold)                                                                    \
        X(FORGET, observer.forget)                                                                          \
        X(MAX_DEFERRAL, observer.max_deferral)                                                              \
        X(PER_PID_COUNT, observer.per_pid_rate.count)                                                       \
        X(PER_PID_SPAN, observer.per_pid_rate.span)                                                         \
        X(GLOBAL_COUNT, observer.global_rate.count)                                                         \
        X(GLOBAL_SPAN, observer.global_rate.span)                                                           \
        X(GLOBAL_BURST, observer.global_burst)                                                              \
        X(CAPACITY, observer.capacity)                                                                      \
        X(PER_UID_SHARE, observer.per_uid_share)                                                            \
        X(EVICTION, observer.eviction)                                                                      \
        X(ORIGIN, observer.origin_policy)                                                                   \
        X(CROSS_NAMESPACE, observer.allow_cross_namespace)                                                  \
        X(TIMEOUT, recovery.recovery_timeout)                                                               \
        X(RECHECK, recovery.recheck)                                                                        \
        X(RECOVERY_CROSS_NAMESPACE, recovery.allow_cross_namespace)

enum {
#define X(name, member) name,
        FIELDS(X)
#undef X
        _FIELD_MAX,
};

typedef struct Both {
        ObserverSettings observer;
        RecoverySettings recovery;
} Both;

static uint64_t field_get(const Both *both, int field) {
        switch (field) {
#define X(name, member)                                                                                     \
        case name:                                                                                          \
                return both->member;
                FIELDS(X)
#undef X
        default:
                ck_abort();
        }
}

#define SEC NSEC_PER_SEC

static const struct {
        const char *text;
        int field;
        uint64_t value;
} mapped[] = {
        { "", THRESHOLD, 5 * SEC },
        { "[Observer]\nStallThresholdSec=700ms\n", THRESHOLD, 700 * NSEC_PER_MSEC },
        { "", FORGET, NSEC_PER_HOUR },
        { "", MAX_DEFERRAL, NSEC_PER_MINUTE },
        { "[Observer]\nMaxDeferralSec=0\n", MAX_DEFERRAL, 0 },
        { "", PER_PID_COUNT, 100 },
        { "", PER_PID_SPAN, SEC },
        { "[Observer]\nPerPidRate=7/2s\n", PER_PID_COUNT, 7 },
        { "[Observer]\nPerPidRate=7/2s\n", PER_PID_SPAN, 2 * SEC },
        { "[Observer]\nPerPidRate=0\n", PER_PID_COUNT, 0 },
        { "", GLOBAL_COUNT, 8192 },
        { "", GLOBAL_SPAN, SEC },
        { "", GLOBAL_BURST, 16384 },
        { "[Observer]\nCapacity=100\n", GLOBAL_COUNT, 5000 },
        { "[Observer]\nGlobalRate=30/1min\n", GLOBAL_COUNT, 30 },
        { "[Observer]\nGlobalRate=30/1min\n", GLOBAL_SPAN, NSEC_PER_MINUTE },
        { "[Observer]\nGlobalRate=30/1min\n", GLOBAL_BURST, 60 },
        { "[Observer]\nGlobalBurst=5\n", GLOBAL_BURST, 5 },
        { "[Observer]\nGlobalBurst=0\n", GLOBAL_BURST, 0 },
        { "", CAPACITY, 4096 },
        { "[Observer]\nCapacity=64K\n", CAPACITY, 65536 },
        { "", PER_UID_SHARE, 50 },
        { "[Observer]\nPerUidShare=100%\n", PER_UID_SHARE, 100 },
        { "", EVICTION, EVICTION_STRICT },
        { "[Observer]\nEvictionPolicy=balanced\n", EVICTION, EVICTION_BALANCED },
        { "", ORIGIN, ORIGIN_POLICY_STRONGEST },
        { "[Observer]\nOriginPolicy=first-wins\n", ORIGIN, ORIGIN_POLICY_FIRST_WINS },
        { "", CROSS_NAMESPACE, false },
        { "[Observer]\nAllowCrossNamespace=yes\n", CROSS_NAMESPACE, true },
        { "", RECOVERY_CROSS_NAMESPACE, false },
        { "[Observer]\nAllowCrossNamespace=yes\n", RECOVERY_CROSS_NAMESPACE, true },
        { "", TIMEOUT, 0 },
        { "[Recovery]\nRecoveryTimeoutSec=30s\n", TIMEOUT, 30 * SEC },
        { "", RECHECK, 5 * SEC },
        { "[Recovery]\nRecheckSec=200ms\n", RECHECK, 200 * NSEC_PER_MSEC },
};

START_TEST(test_mapped) {
        _cleanup_(config_freep) Config *config = load(mapped[_i].text);
        Both both = {};

        settings_observer(config, &both.observer);
        settings_recovery(config, &both.recovery);
        ck_assert_uint_eq(field_get(&both, mapped[_i].field), mapped[_i].value);
}
END_TEST

START_TEST(test_every_field) {
        bool seen[_FIELD_MAX] = {};

        for (size_t i = 0; i < ELEMENTSOF(mapped); i++)
                seen[mapped[i].field] = true;
        for (size_t i = 0; i < _FIELD_MAX; i++)
                ck_assert_msg(seen[i], "field %zu has no row", i);
}
END_TEST

/* What the configuration does not decide stays: a reload must not lose it. */
START_TEST(test_kept) {
        _cleanup_(config_freep) Config *config = load("[Observer]\nStallThresholdSec=1s\n");
        ObserverSettings s = {
                .own_namespace_known = true, .own_namespace = 4711, .hash_key = { 1, 2 }, .units = 77
        };
        RecoverySettings r = { .stalls = 5, .units = 6, .priority = -7, .own_unit = "varta.service" };

        settings_observer(config, &s);
        settings_recovery(config, &r);
        ck_assert(s.own_namespace_known);
        ck_assert_uint_eq(s.own_namespace, 4711);
        ck_assert_uint_eq(s.hash_key[0], 1);
        ck_assert_uint_eq(s.hash_key[1], 2);
        ck_assert_uint_eq(s.units, 77);
        ck_assert_uint_eq(r.stalls, 5);
        ck_assert_uint_eq(r.units, 6);
        ck_assert_int_eq(r.priority, -7);
        ck_assert_str_eq(r.own_unit, "varta.service");
}
END_TEST

START_TEST(test_reload_capacity) {
        _cleanup_(config_freep) Config *config = load("[Observer]\nCapacity=100000\n");
        ObserverSettings s = { .capacity = 4096 };

        settings_observer(config, &s);
        ck_assert_uint_eq(s.capacity, 4096);
        ck_assert_uint_eq(s.global_rate.count, 8192);
        ck_assert_uint_eq(s.global_burst, 16384);
}
END_TEST

/* ---- units ------------------------------------------------------------------------------------------------ */

static const struct {
        const char *title, *text, *unit;
        UnitRules rules;
} units[] = {
        { "systemd sees the exits of a service's processes",
          "",
          "a.service",
          { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT } },
        { "nobody sees those of a scope's", "", "a.scope", { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_STALL } },
        { "nor those of no unit", "", "", { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_STALL } },
        { "a suffix alone is no service", "", ".service", { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_STALL } },
        { "a service that wants its exits to be stalls",
          "[Unit a.service]\nOnExit=stall\n",
          "a.service",
          { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_STALL } },
        { "a scope that wants its exits to be events",
          "[Unit a.scope]\nOnExit=event\n",
          "a.scope",
          { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT } },
        { "a threshold and a time to forget of its own",
          "[Unit a*.service]\nStallThresholdSec=2s\nForgetSec=3min\n",
          "ab.service",
          { 2 * SEC, 3 * NSEC_PER_MINUTE, EXIT_RULE_EVENT } },
        { "another unit's threshold is not its own",
          "[Unit a*.service]\nStallThresholdSec=2s\n",
          "b.service",
          { 5 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT } },
        { "the observer's threshold is every unit's",
          "[Observer]\nStallThresholdSec=9s\n",
          "b.service",
          { 9 * SEC, NSEC_PER_HOUR, EXIT_RULE_EVENT } },
};

START_TEST(test_unit) {
        _cleanup_(config_freep) Config *config = load(units[_i].text);
        UnitRules rules;

        settings_unit_rules(config, units[_i].unit, &rules);
        ck_assert_uint_eq(rules.threshold, units[_i].rules.threshold);
        ck_assert_uint_eq(rules.forget, units[_i].rules.forget);
        ck_assert_int_eq(rules.on_exit, units[_i].rules.on_exit);
}
END_TEST

/* ---- what is wrong ---------------------------------------------------------------------------------------- */

static const struct {
        const char *title, *text; /* text NULL: no file */
        const char *first;        /* part of the first error; NULL: none */
} wrong[] = {
        { "a file that is not there is an error with its name", NULL, path },
        { "the first error is told, not the last", "[Observer]\nStallThresholdSec=soon\nCapacity=0\n",
          "soon" },
        { "a warning is no error", "[Observer]\nColour=red\n", NULL },
        { "an error behind a warning is the first", "[Observer]\nColour=red\nCapacity=0\n", "Capacity=0" },
};

START_TEST(test_wrong) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_free_ char *first = NULL;

        if (wrong[_i].text)
                write_config(wrong[_i].text);
        else
                ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(settings_load(path, NULL, &config, &first), 0);
        ck_assert_int_eq(config_n_errors(config) > 0, wrong[_i].first != NULL);
        if (wrong[_i].first) {
                ck_assert_ptr_nonnull(first);
                ck_assert_ptr_nonnull(strstr(first, wrong[_i].first));
                ck_assert_ptr_null(strchr(first, '\n'));
        } else
                ck_assert_ptr_null(first);
}
END_TEST

START_TEST(test_nobody_asked) {
        _cleanup_(config_freep) Config *config = NULL;

        write_config("[Observer]\nCapacity=0\n");
        ck_assert_int_eq(settings_load(path, NULL, &config, NULL), 0);
        ck_assert_uint_eq(config_n_errors(config), 1);
}
END_TEST

static void add(Suite *s, const char *title, const TTest *test, int i) {
        TCase *tc = tcase_create(title);

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, test, i, i + 1);
        suite_add_tcase(s, tc);
}

int main(void) {
        Suite *s = suite_create("daemon-settings");

        for (size_t i = 0; i < ELEMENTSOF(mapped); i++)
                add(s, mapped[i].text[0] ? mapped[i].text : "defaults", test_mapped, (int) i);
        add(s, "every setting has a row", test_every_field, 0);
        add(s, "what the configuration does not decide stays", test_kept, 0);
        add(s, "on a reload the running capacity stays, and what is auto goes by it", test_reload_capacity,
            0);
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                add(s, units[i].title, test_unit, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                add(s, wrong[i].title, test_wrong, (int) i);
        add(s, "the first error need not be asked for", test_nobody_asked, 0);
        return suite_run(s);
}
