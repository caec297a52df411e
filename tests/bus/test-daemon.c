/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The object on a real message bus: names, other users, a bus that dies and comes back. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "private-bus.h"

/* What the system calls "nobody". */
#define UID_NOBODY 65534

START_TEST(test_name_and_calls) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *client = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        PrivateBus b;
        Fixture f;

        if (!private_bus_init(&b))
                return;
        fixture_init(&f, 16);
        private_bus_serve(&b, &f);
        ck_assert_int_eq(f.name_error, 0);

        client = private_bus_connect(&b, &f);
        fixture_listen(&f, client);
        m = fixture_call(&f, client, BUS_PATH, BUS_INTERFACE, "ListAgents", "uu", 0, 0);
        ck_assert(!sd_bus_message_is_method_error(m, NULL));
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        sd_bus_message_unref(fixture_signal(&f, "AgentAppeared"));
        sd_bus_message_unref(fixture_signal(&f, "PropertiesChanged"));
        fixture_done(&f);
        private_bus_done(&b);
}
END_TEST

/* However fast somebody asks, others are asked who they are, and answered. */
START_TEST(test_who_asks_all_the_time) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *flood = NULL, *client = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        PrivateBus b;
        Fixture f;

        if (!private_bus_init(&b))
                return;
        fixture_init(&f, 16);
        private_bus_serve(&b, &f);
        flood = private_bus_connect(&b, &f);
        client = private_bus_connect(&b, &f);
        sd_bus_message_unref(fixture_call(&f, client, BUS_PATH, BUS_INTERFACE, "ListUnits", NULL));
        for (unsigned i = 0; i < 1000; i++)
                ck_assert_int_ge(sd_bus_call_method_async(flood, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE,
                                                          "Reload", NULL, NULL, NULL),
                                 0);
        ck_assert_int_ge(sd_bus_flush(flood), 0);

        m = fixture_call(&f, client, BUS_PATH, BUS_INTERFACE, "Reload", NULL);
        ck_assert_msg(!sd_bus_message_is_method_error(m, NULL), "%s", sd_bus_message_get_error(m)->message);
        fixture_settle(&f);
        ck_assert_uint_ge(f.reloads, 1);
        ck_assert_uint_lt(f.reloads, 1000);
        fixture_done(&f);
        private_bus_done(&b);
}
END_TEST

START_TEST(test_second_observer) {
        PrivateBus b;
        Fixture first, second;

        if (!private_bus_init(&b))
                return;
        fixture_init(&first, 16);
        fixture_init(&second, 16);
        private_bus_serve(&b, &first);
        private_bus_serve(&b, &second);
        ck_assert_int_eq(first.name_error, 0);
        ck_assert_int_eq(second.name_error, -EEXIST);

        /* When the first is gone, the name is free. */
        fixture_done(&first);
        bus_server_detach(second.server);
        (void) sd_bus_flush_close_unref(second.bus);
        private_bus_serve(&b, &second);
        ck_assert_int_eq(second.name_error, 0);
        fixture_done(&second);
        private_bus_done(&b);
}
END_TEST

/* As another user: one call. Returns 0, 1 for an error of this name, 2 for anything else. */
static int call_as(const PrivateBus *b, uid_t uid, const char *member, const char *error_name) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        if (setresuid(uid, uid, uid) < 0 || sd_bus_new(&bus) < 0 ||
            sd_bus_set_address(bus, b->address) < 0 || sd_bus_set_bus_client(bus, true) < 0 ||
            sd_bus_start(bus) < 0)
                return 2;
        if (sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, member, &error, NULL, NULL) >= 0)
                return 0;
        return sd_bus_error_has_name(&error, error_name) ? 1 : 2;
}

static bool child_ended;
static int child_status;

static bool is_over(Fixture *f) {
        return child_ended;
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        child_ended = true;
        child_status = si->si_status;
        return 0;
}

START_TEST(test_other_users) {
        static const struct {
                const char *title, *member;
                uid_t uid;
                bool user_bus;
                int result;
        } cases[] = {
                { "anybody may read", "ListUnits", UID_NOBODY, false, 0 },
                { "not everybody may change", "Reload", UID_NOBODY, false, 1 },
                { "not everybody on a user's bus either", "Reload", UID_NOBODY, true, 1 },
                { "root may", "Reload", 0, false, 0 },
        };
        sigset_t mask;
        PrivateBus b;

        if (geteuid() != 0) {
                (void) printf("skipped: being another user takes root\n");
                return;
        }
        if (!private_bus_init(&b))
                return;
        ck_assert_int_eq(sigemptyset(&mask), 0);
        ck_assert_int_eq(sigaddset(&mask, SIGCHLD), 0);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Fixture f;
                pid_t pid;

                fixture_init(&f, 16);
                f.server = bus_server_free(f.server);
                f.user_bus = cases[i].user_bus;
                ck_assert_int_eq(bus_server_new(f.event, f.observer, &fixture_hooks, &f, &f.server), 0);
                private_bus_serve(&b, &f);

                pid = fork();
                ck_assert_int_ge(pid, 0);
                if (pid == 0)
                        _exit(call_as(&b, cases[i].uid, cases[i].member, BUS_ERROR_ACCESS_DENIED));
                child_ended = false;
                ck_assert_int_ge(sd_event_add_child(f.event, NULL, pid, WEXITED, on_child, NULL), 0);
                fixture_run_until(&f, is_over);
                ck_assert_msg(child_status == cases[i].result, "%s: %d", cases[i].title, child_status);
                fixture_done(&f);
        }
        ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &mask, NULL), 0);
        private_bus_done(&b);
}
END_TEST

static bool is_started(Fixture *f) {
        return private_bus_started_observer(f->test);
}

START_TEST(test_activation) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *client = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        PrivateBus b;
        Fixture f;

        /* The trace that other tests look for does come when the bus starts an observer. */
        if (!private_bus_init(&b))
                return;
        fixture_init(&f, 16);
        f.test = &b;
        client = private_bus_connect(&b, &f);
        ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE,
                                                        "ListUnits"),
                         0);
        ck_assert_int_ge(sd_bus_send(client, m, NULL), 0);
        fixture_run_until(&f, is_started);
        fixture_done(&f);
        private_bus_done(&b);
}
END_TEST

static bool is_disconnected(Fixture *f) {
        return f->disconnects > 0;
}

START_TEST(test_bus_dies) {
        PrivateBus b;
        Fixture f;

        if (!private_bus_init(&b))
                return;
        fixture_init(&f, 16);
        private_bus_serve(&b, &f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);

        private_bus_stop(&b);
        fixture_run_until(&f, is_disconnected);
        ck_assert(!bus_server_is_attached(f.server));
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        (void) sd_bus_flush_close_unref(f.bus);

        private_bus_start(&b);
        private_bus_serve(&b, &f);
        ck_assert_int_eq(f.name_error, 0);
        f.client = private_bus_connect(&b, &f);
        sd_bus_message_unref(fixture_get(&f, BUS_PATH, BUS_INTERFACE, "AgentsTracked", "u"));
        fixture_done(&f);
        private_bus_done(&b);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "calls and signals over a bus", test_name_and_calls },
                { "whoever asks all the time keeps nobody else from it", test_who_asks_all_the_time },
                { "a second observer is told that the name is taken", test_second_observer },
                { "other users may read and not change", test_other_users },
                { "the bus starts the observer for who does not forbid it", test_activation },
                { "a bus that dies and comes back", test_bus_dies },
        };

        return tests_main("bus-daemon", tests, ELEMENTSOF(tests));
}
