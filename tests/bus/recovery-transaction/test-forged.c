/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals that anybody on the bus may address to the observer: in systemd's words, or in the bus's own. */

#include <stdio.h>
#include <string.h>

#include "stage.h"

#define U    "worker@1.service"
#define PATH "/org/freedesktop/systemd1/unit/worker_401_2eservice"
#define S    NSEC_PER_SEC
#define SPAN (20 * S)

/* Somebody else on the bus, who knows recovery's connection by its name. */
typedef struct Forger {
        sd_bus *bus;
        const char *victim;
} Forger;

static void forger_init(Forger *f, Stage *s) {
        f->bus = private_bus_connect(&s->private_bus, s->w.event);
        ck_assert_int_ge(sd_bus_get_unique_name(s->bus, &f->victim), 0);
}

static void forger_done(Forger *f) {
        (void) sd_bus_detach_event(f->bus);
        sd_bus_close(f->bus);
        f->bus = sd_bus_unref(f->bus);
}

static sd_bus_message *forge(const Forger *f, const char *path, const char *interface, const char *member) {
        sd_bus_message *m = NULL;

        ck_assert_int_ge(sd_bus_message_new_signal(f->bus, &m, path, interface, member), 0);
        ck_assert_int_ge(sd_bus_message_set_destination(m, f->victim), 0);
        return m;
}

static void deliver(const Forger *f, Stage *s, sd_bus_message *m) {
        ck_assert_int_ge(sd_bus_send(f->bus, m, NULL), 0);
        sd_bus_message_unref(m);
        world_settle(&s->w);
}

/* The unit's state and invocation, as systemd would tell of them. */
static void forge_state(const Forger *f, Stage *s, const char *state, uint8_t invocation) {
        sd_bus_message *m = forge(f, PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged");
        uint8_t id[INVOCATION_ID_SIZE];

        memset(id, invocation, sizeof(id));
        ck_assert_int_ge(sd_bus_message_append(m, "s", "org.freedesktop.systemd1.Unit"), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "{sv}", "ActiveState", "s", state), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'e', "sv"), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "s", "InvocationID"), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'v', "ay"), 0);
        ck_assert_int_ge(sd_bus_message_append_array(m, 'y', id, sizeof(id)), 0);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "as", 0), 0);
        deliver(f, s, m);
}

static FakeUnit *watched(Stage *s) {
        RecoverySettings settings = world_settings();
        FakeUnit *u;

        stage_init(s);
        u = fake_unit(&s->f, U, 1);
        s->w.now += NSEC_PER_MINUTE;
        s->w.now -= s->w.now % NSEC_PER_USEC; /* systemd's times have no more */
        s->w.first_beat = "worker@*";
        s->w.policy.first_beat = SPAN;
        ck_assert_int_eq(recovery_reconfigure(s->w.recovery, &settings), 0);
        world_settle(&s->w);
        ck_assert_uint_eq(s->w.recovery->watch.n, 1);
        return u;
}

START_TEST(test_unit_said_to_be_stopped) {
        Forger forger;
        Stage s;

        (void) watched(&s);
        forger_init(&forger, &s);
        forge_state(&forger, &s, "inactive", 0);
        ck_assert_uint_eq(s.w.recovery->watch.n, 1);
        world_advance(&s.w, SPAN);
        ck_assert_uint_eq(s.w.never_beats, 1);
        s.w.n_records = 0;
        forger_done(&forger);
        stage_done(&s);
}
END_TEST

START_TEST(test_unit_said_to_be_restarted) {
        Forger forger;
        Stage s;

        (void) watched(&s);
        s.w.policy.mode = UNIT_MODE_WARN;
        forger_init(&forger, &s);
        world_advance(&s.w, SPAN);
        ck_assert_uint_eq(s.w.never_beats, 1);
        ck_assert_uint_ne(registry_unit(&s.w.recovery->registry, U)->own_stall, REGISTRY_NONE);
        s.w.n_records = 0;
        forge_state(&forger, &s, "active", 9);
        ck_assert_uint_ne(registry_unit(&s.w.recovery->registry, U)->own_stall, REGISTRY_NONE);
        forger_done(&forger);
        stage_done(&s);
}
END_TEST

/* A client that changes these at will would have recovery ask systemd as often. */
START_TEST(test_systemd_said_to_be_new) {
        unsigned before;
        Forger forger;
        sd_bus_message *m;
        Stage s;

        stage_init(&s);
        forger_init(&forger, &s);
        before = s.f.subscriptions;
        m = forge(&forger, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged");
        ck_assert_int_ge(sd_bus_message_append(m, "sss", "org.freedesktop.systemd1", "", ":1.99"), 0);
        deliver(&forger, &s, m);
        ck_assert_uint_eq(s.f.subscriptions, before);
        forger_done(&forger);
        stage_done(&s);
}
END_TEST

START_TEST(test_units_said_to_be_reloaded) {
        unsigned before;
        Forger forger;
        sd_bus_message *m;
        Stage s;

        (void) watched(&s);
        forger_init(&forger, &s);
        before = s.f.lists;
        m = forge(&forger, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Reloading");
        ck_assert_int_ge(sd_bus_message_append(m, "b", 0), 0);
        deliver(&forger, &s, m);
        ck_assert_uint_eq(s.f.lists, before);
        forger_done(&forger);
        stage_done(&s);
}
END_TEST

/* The bus daemon may end whoever sends this; what must not end is recovery's connection. */
START_TEST(test_bus_said_to_be_gone) {
        Forger forger;
        sd_bus_message *m;
        Stage s;

        stage_init(&s);
        forger_init(&forger, &s);
        m = forge(&forger, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected");
        deliver(&forger, &s, m);
        ck_assert(recovery_has_bus(s.w.recovery));
        forger_done(&forger);
        stage_done(&s);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_unit_said_to_be_stopped,   test_unit_said_to_be_restarted, test_systemd_said_to_be_new,
                test_units_said_to_be_reloaded, test_bus_said_to_be_gone,
        };

        return run_tests("recovery-forged", tests, ELEMENTSOF(tests));
}
