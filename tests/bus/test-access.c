/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may change things, and how the name is asked for. The other end plays the bus daemon: it says what it likes of
 * callers, answers late or not at all, and hangs up.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus-internal.h"
#include "driver.h"

START_TEST(test_name) {
        static const struct {
                const char *title;
                uint32_t answer;
                int error;
        } cases[] = {
                { "the name is ours", 1, 0 },
                { "the name was ours", 4, 0 },
                { "another observer has it", 3, -EEXIST },
                { "a place in a queue is not the name", 2, -EEXIST },
                { "the bus does not let us", 0, -EPERM },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Driver d;

                driver_init(&d);
                d.name_answer = cases[i].answer;
                driver_connect(&d);
                ck_assert_msg(d.f.name_answers == 1 && d.f.name_error == cases[i].error, "%s: %d",
                              cases[i].title, d.f.name_error);
                driver_done(&d);
        }
}
END_TEST

START_TEST(test_callers) {
        static const struct {
                const char *title;
                bool user_bus;
                uint32_t uid;
                bool allowed;
        } cases[] = {
                { "root may", false, 0, true },
                { "root may on a user's bus, too", true, 0, true },
                { "others may not", false, 12345, false },
                { "others may not on a user's bus", true, 12345, false },
                { "who runs the daemon may on the user's bus", true, UINT32_MAX, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Driver d;

                driver_init(&d);
                d.f.server = bus_server_free(d.f.server);
                d.f.user_bus = cases[i].user_bus;
                ck_assert_int_eq(bus_server_new(d.f.event, d.f.observer, &fixture_hooks, &d.f, &d.f.server),
                                 0);
                d.uid = cases[i].uid == UINT32_MAX ? geteuid() : cases[i].uid;
                driver_connect(&d);
                driver_send(&d, "Reload", NULL);
                fixture_settle(&d.f);
                ck_assert_msg(d.f.reloads == cases[i].allowed, "%s", cases[i].title);
                ck_assert_uint_eq(d.n_replies, cases[i].allowed);
                ck_assert_uint_eq(d.n_errors, !cases[i].allowed);
                if (!cases[i].allowed)
                        ck_assert_str_eq(d.last_error, BUS_ERROR_ACCESS_DENIED);
                driver_done(&d);
        }
}
END_TEST

START_TEST(test_each_change) {
        Driver d;

        driver_init(&d);
        d.uid = 12345;
        fixture_beat(&d.f, 1001, VLP_STATUS_OK);
        driver_connect(&d);
        driver_send(&d, "Reload", NULL);
        driver_send(&d, "ResetAgent", "t", fixture_agent(&d.f, 1001));
        driver_send(&d, "Forget", "t", fixture_agent(&d.f, 1001));
        fixture_settle(&d.f);
        driver_send(&d, "Pause", "sts", "", UINT64_C(0), "");
        driver_send(&d, "Resume", "s", "");
        driver_send(&d, "Recover", "s", "a.service");
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_errors, 6);
        ck_assert_str_eq(d.f.hand, "");
        ck_assert_uint_eq(d.f.reloads, 0);
        ck_assert_uint_eq(d.f.reset, 0);
        ck_assert_uint_eq(d.f.forgotten, 0);

        d.uid = 0;
        d.caller = 8;
        driver_send(&d, "Reload", NULL);
        driver_send(&d, "ResetAgent", "t", fixture_agent(&d.f, 1001));
        driver_send(&d, "Forget", "t", fixture_agent(&d.f, 1001));
        fixture_settle(&d.f);
        driver_send(&d, "Recover", "s", "a.service");
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_replies, 4);
        ck_assert_str_eq(d.f.hand, "recover a.service");
        ck_assert_uint_eq(observer_tracked(d.f.observer), 0);
        driver_done(&d);
}
END_TEST

START_TEST(test_many_wait) {
        Driver d;

        driver_init(&d);
        d.silent = true;
        driver_connect(&d);
        d.caller = 100;
        for (unsigned i = 0; i < BUS_ACCESS_MAX + 5; i++, d.caller++)
                driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_questions, BUS_ACCESS_MAX);
        ck_assert_uint_eq(d.n_errors, 5);
        ck_assert_str_eq(d.last_error, BUS_ERROR_BUSY);
        ck_assert_uint_eq(d.f.reloads, 0);

        /* While they wait, readers are served. */
        driver_send(&d, "ListUnits", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_replies, 1);

        for (size_t i = 0; i < d.n_questions; i++)
                ck_assert_int_ge(driver_answer(&d, d.questions[i]), 0);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, BUS_ACCESS_MAX);
        ck_assert_uint_eq(d.n_replies, 1 + BUS_ACCESS_MAX);

        /* The places are free again. */
        d.silent = false;
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, BUS_ACCESS_MAX + 1);
        driver_done(&d);
}
END_TEST

START_TEST(test_caller_gone) {
        Driver d;

        driver_init(&d);
        d.unknown = true;
        driver_connect(&d);
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 0);
        ck_assert_uint_eq(d.n_replies, 0);
        driver_done(&d);
}
END_TEST

START_TEST(test_hang_up_while_waiting) {
        Driver d;

        driver_init(&d);
        d.silent = true;
        driver_connect(&d);
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_questions, 1);

        sd_bus_close(d.f.client);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.disconnects, 1);
        ck_assert(!bus_server_is_attached(d.f.server));
        ck_assert_uint_eq(d.f.reloads, 0);

        /* The observer goes on; so does the server, on the next bus. */
        fixture_beat(&d.f, 1001, VLP_STATUS_OK);
        (void) sd_bus_flush_close_unref(d.f.client);
        (void) sd_bus_flush_close_unref(d.f.bus);
        d.silent = false;
        driver_connect(&d);
        ck_assert_uint_eq(d.f.name_answers, 2);
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1);
        driver_done(&d);
}
END_TEST

START_TEST(test_direct_peer) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);

        /* The kernel says who the peer is: this process. */
        if (geteuid() == 0) {
                sd_bus_message_unref(fixture_ask(&f, "ResetAgent", "t", fixture_agent(&f, 1001)));
                ck_assert_uint_eq(f.reset, fixture_agent(&f, 1001));
        } else
                fixture_assert_error(fixture_ask(&f, "ResetAgent", "t", fixture_agent(&f, 1001)),
                                     BUS_ERROR_ACCESS_DENIED);
        fixture_done(&f);
}
END_TEST

START_TEST(test_refusals) {
        Driver d;

        driver_init(&d);
        driver_connect(&d);
        d.f.reload_error = -EINVAL;
        d.f.reload_reason = "/etc/varta/varta.conf:3: Capacity=-1 is not within 1 to 1048576";
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_str_eq(d.last_error, BUS_ERROR_CONFIGURATION_REFUSED);

        d.f.reload_reason = NULL;
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_errors, 2);

        driver_send(&d, "ResetAgent", "t", UINT64_C(12345));
        fixture_settle(&d.f);
        ck_assert_str_eq(d.last_error, BUS_ERROR_NO_SUCH_AGENT);
        driver_done(&d);
}
END_TEST

START_TEST(test_polkit) {
        static const struct {
                const char *title;
                bool authorized, challenge;
                const char *error, *words; /* of the refusal; NULL: the call is let through */
        } cases[] = {
                { "whom polkit lets", true, false, NULL, NULL },
                { "whom polkit does not let is told of rules", false, false, NULL, "polkit rule" },
                { "nobody could be asked for a password", false, true, NULL, "password" },
                { "without polkit that leaves root", false, false, SD_BUS_ERROR_SERVICE_UNKNOWN, "sudo" },
                { "a polkit that refuses to answer lets nobody", true, false,
                  "org.freedesktop.PolicyKit1.Error.NotAuthorized", "sudo" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Driver d;

                driver_init(&d);
                d.uid = 12345;
                d.authorized = cases[i].authorized;
                d.challenge = cases[i].challenge;
                d.polkit_error = cases[i].error;
                driver_connect(&d);
                driver_send(&d, "Pause", "sts", "worker@1.service", UINT64_C(0), "");
                fixture_settle(&d.f);
                ck_assert_uint_eq(d.n_checks, 1);
                ck_assert_uint_eq(d.flags, 0);
                ck_assert_str_eq(d.details, "method=Pause what=worker@1.service");
                ck_assert_msg(d.n_replies == !cases[i].words && d.n_errors == !!cases[i].words, "%s",
                              cases[i].title);
                ck_assert_msg(!!d.f.hand[0] == !cases[i].words, "%s", cases[i].title);
                if (cases[i].words) {
                        ck_assert_str_eq(d.last_error, BUS_ERROR_ACCESS_DENIED);
                        ck_assert_msg(strstr(d.last_words, cases[i].words), "%s: %s", cases[i].title,
                                      d.last_words);
                }
                driver_done(&d);
        }
}
END_TEST

START_TEST(test_polkit_is_not_asked) {
        Driver d;

        driver_init(&d);
        driver_connect(&d);
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1);
        ck_assert_uint_eq(d.n_checks, 0);
        driver_done(&d);

        driver_init(&d);
        d.f.server = bus_server_free(d.f.server);
        d.f.user_bus = true;
        ck_assert_int_eq(bus_server_new(d.f.event, d.f.observer, &fixture_hooks, &d.f, &d.f.server), 0);
        d.uid = 12345;
        d.authorized = true;
        driver_connect(&d);
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_errors, 1);
        ck_assert_uint_eq(d.n_checks, 0);
        driver_done(&d);
}
END_TEST

START_TEST(test_leave_while_asked) {
        Driver d;

        driver_init(&d);
        d.uid = 12345;
        d.interactive = d.polkit_silent = true;
        driver_connect(&d);
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_checks, 1);
        ck_assert_uint_eq(d.flags, 1);
        ck_assert_str_eq(d.details, "method=Reload what=");
        ck_assert_ptr_nonnull(strstr(d.watched, "arg0=':1.7'"));

        driver_leave(&d, ":1.77"); /* somebody else */
        ck_assert_uint_eq(d.n_cancels, 0);
        driver_leave(&d, ":1.7");
        ck_assert_uint_eq(d.n_cancels, 1);

        /* An answer that comes all the same is nobody's. */
        d.authorized = true;
        ck_assert_int_ge(driver_answer_check(&d, d.checks[0]), 0);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 0);
        ck_assert_uint_eq(d.n_replies, 0);

        /* The place is free. */
        d.polkit_silent = false;
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1);
        driver_done(&d);
}
END_TEST

START_TEST(test_many_are_asked) {
        Driver d;

        driver_init(&d);
        d.interactive = d.polkit_silent = true;
        driver_connect(&d);

        /* One user cannot take all places, and all users leave some for root. */
        for (unsigned i = 0; i < BUS_CHECKS_MAX + 4; i++) {
                d.uid = 1000 + i / 4;
                d.caller = 100 + i;
                driver_send(&d, "Reload", NULL);
                fixture_settle(&d.f);
        }
        ck_assert_uint_eq(d.n_checks, (BUS_CHECKS_MAX + 4) / 2);
        ck_assert_uint_eq(d.n_errors, (BUS_CHECKS_MAX + 4) / 2);
        ck_assert_str_eq(d.last_error, BUS_ERROR_BUSY);
        for (unsigned i = 0; i < BUS_CHECKS_MAX; i++) {
                d.uid = d.caller = 2000 + i;
                driver_send(&d, "Reload", NULL);
                fixture_settle(&d.f);
        }
        ck_assert_uint_eq(d.n_checks, BUS_CHECKS_MAX);
        d.uid = 0;
        d.caller = 7;
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1);

        d.authorized = true;
        for (size_t i = 0; i < d.n_checks; i++)
                ck_assert_int_ge(driver_answer_check(&d, d.checks[i]), 0);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1 + BUS_CHECKS_MAX);

        /* A bus that goes away takes the questions with it. */
        d.uid = d.caller = 12345;
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        sd_bus_close(d.f.client);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.disconnects, 1);
        ck_assert_uint_eq(d.f.reloads, 1 + BUS_CHECKS_MAX);
        driver_done(&d);
}
END_TEST

/* Calls without end, on as many connections as would fill all places, of users that may not. */
START_TEST(test_flood) {
        size_t checks;
        Driver d;

        driver_init(&d);
        d.uid = 12345;
        driver_connect(&d);
        for (d.caller = 100; d.caller < 100 + BUS_ACCESS_MAX; d.caller++)
                driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_gt(d.n_checks, 0);

        /* From now on nobody looks anybody up, and polkit answers nobody. */
        d.silent = d.polkit_silent = true;
        checks = d.n_checks;
        d.n_errors = 0;
        for (unsigned i = 0; i < 4; i++)
                for (d.caller = 100; d.caller < 100 + BUS_ACCESS_MAX; d.caller++)
                        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_questions, 0);
        ck_assert_uint_eq(d.n_checks - checks, BUS_CHECKS_PER_USER_MAX);
        ck_assert_uint_eq(d.n_errors, 4 * BUS_ACCESS_MAX - BUS_CHECKS_PER_USER_MAX);
        ck_assert_str_eq(d.last_error, BUS_ERROR_BUSY);

        d.silent = false;
        d.uid = 0;
        d.caller = 7;
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1);
        driver_done(&d);
}
END_TEST

/* Known as root, but an earlier call of the same connection waits: it is not overtaken. */
START_TEST(test_order) {
        Driver d;

        driver_init(&d);
        d.silent = true;
        driver_connect(&d);
        driver_send(&d, "Reload", NULL);
        driver_send(&d, "Recover", "s", "first.service");
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_questions, 2);
        ck_assert_int_ge(driver_answer(&d, d.questions[0]), 0);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1);
        driver_send(&d, "Recover", "s", "second.service");
        fixture_settle(&d.f);
        ck_assert_str_eq(d.f.hand, "");
        ck_assert_uint_eq(d.n_questions, 3);
        for (size_t i = 1; i < 3; i++)
                ck_assert_int_ge(driver_answer(&d, d.questions[i]), 0);
        fixture_settle(&d.f);
        ck_assert_str_eq(d.f.hand, "recover second.service");

        driver_send(&d, "Recover", "s", "third.service");
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_questions, 3); /* it is known */
        ck_assert_str_eq(d.f.hand, "recover third.service");
        driver_done(&d);
}
END_TEST

/* A write of LogControl1, which is caught before sd-bus looks at it. */
static void send_level(Driver *d, const char *type, const char *value) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(d->f.client, &m, BUS_NAME,
                                                        "/org/freedesktop/LogControl1",
                                                        "org.freedesktop.DBus.Properties", "Set"),
                         0);
        ck_assert_int_ge(sd_bus_message_append(m, "ssv", "org.freedesktop.LogControl1", "LogLevel", type, 1,
                                               value),
                         0);
        driver_forward(d, m);
        fixture_settle(&d->f);
}

/* Nothing is kept of a call that cannot mean anything: nobody is asked about it. */
START_TEST(test_absurd_sizes) {
        static char text[BUS_ARGUMENT_MAX + 2];
        Driver d;

        memset(text, 'x', sizeof(text) - 1);
        driver_init(&d);
        d.silent = true;
        driver_connect(&d);
        driver_send(&d, "Recover", "s", text);
        driver_send(&d, "Resume", "s", text);
        driver_send(&d, "Pause", "sts", text, UINT64_C(0), "");
        driver_send(&d, "Pause", "sts", "worker@1.service", UINT64_C(0), text);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_errors, 4);
        ck_assert_str_eq(d.last_error, BUS_ERROR_INVALID_ARGUMENT);
        send_level(&d, "as", text);
        ck_assert_uint_eq(d.n_errors, 5);
        ck_assert_str_eq(d.last_error, SD_BUS_ERROR_INVALID_ARGS);
        ck_assert_uint_eq(d.n_questions, 0);

        text[BUS_ARGUMENT_MAX] = '\0';
        driver_send(&d, "Pause", "sts", "worker@1.service", UINT64_C(0), text);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_questions, 1);
        driver_done(&d);
}
END_TEST

START_TEST(test_absurd_questions) {
        Driver d;
        char longest[4096];

        memset(longest, 'x', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        driver_init(&d);
        d.uid = 12345;
        d.authorized = true;
        driver_connect(&d);
        driver_send(&d, "Recover", "s", longest);
        fixture_settle(&d.f);
        ck_assert_str_eq(d.details, "method=Recover what=");
        driver_send(&d, "Recover", "u", 7U);
        driver_send(&d, "Pause", "s", "worker@1.service");
        driver_send(&d, "Reload", "s", "now");
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.n_errors, 3);
        ck_assert_str_eq(d.last_error, SD_BUS_ERROR_INVALID_ARGS);
        driver_done(&d);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "how the request for the name can end", test_name },
                { "who may change things", test_callers },
                { "polkit is asked about others, and its word counts", test_polkit },
                { "polkit is not asked about root, nor on a user's bus", test_polkit_is_not_asked },
                { "who leaves while asked for a password is not waited for", test_leave_while_asked },
                { "only so many are asked for a password at a time", test_many_are_asked },
                { "whoever calls without end keeps nobody from a place", test_flood },
                { "calls of one connection are answered in their order", test_order },
                { "calls of absurd sizes are refused before anything of them is kept", test_absurd_sizes },
                { "absurd calls are refused before anybody is asked", test_absurd_questions },
                { "every method that changes something looks at its caller", test_each_change },
                { "only so many callers wait, and they hold nobody up", test_many_wait },
                { "a caller that left meanwhile changes nothing", test_caller_gone },
                { "a bus that hangs up in the middle, and the next one", test_hang_up_while_waiting },
                { "a direct peer is whom the kernel says it is", test_direct_peer },
                { "refusals say why", test_refusals },
        };

        return tests_main("bus-access", tests, ELEMENTSOF(tests));
}
