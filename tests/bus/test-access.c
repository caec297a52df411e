/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may change things, and how the name is asked for. The other end plays the bus daemon: it says what it likes of
 * callers, answers late or not at all, and hangs up.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/bus-internal.h"
#include "fixture.h"

#define QUESTIONS_MAX 128

/* How the daemon at the other end behaves. */
typedef struct Driver {
        Fixture f;
        uint32_t name_answer; /* to RequestName; 0: refuse */
        uint32_t uid;         /* of every caller */
        unsigned caller;      /* the number in the next one's name; 0: 7 */
        bool interactive;     /* callers can be asked for a password */
        bool silent;          /* keep the questions after callers */
        bool unknown;         /* "there is no such caller" */
        /* polkit, which is behind the same end. */
        const char *polkit_error; /* NULL: it answers */
        bool authorized, challenge, polkit_silent;
        uint32_t flags;               /* of the last check */
        char details[128], check[32]; /* likewise: "method what", and its cancellation id */
        size_t n_checks, n_cancels;
        sd_bus_message *checks[QUESTIONS_MAX];
        char watched[256]; /* the last match that was asked for */
        sd_bus_message *questions[QUESTIONS_MAX];
        size_t n_questions;
        size_t n_replies, n_errors;
        char last_error[128], last_words[512];
} Driver;

static int answer_question(const Driver *d, sd_bus_message *m) {
        if (d->unknown)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "gone");
        return sd_bus_reply_method_return(m, "u", d->uid);
}

static int answer_check(const Driver *d, sd_bus_message *m) {
        if (d->polkit_error)
                return sd_bus_reply_method_errorf(m, d->polkit_error, "no polkit here");
        return sd_bus_reply_method_return(m, "(bba{ss})", d->authorized, d->challenge, 1, "polkit.retains",
                                          "1");
}

static int on_check(Driver *d, sd_bus_message *m) {
        const char *kind, *key, *sender, *action, *method_key, *method, *what_key, *what, *id;

        ck_assert_int_gt(sd_bus_message_read(m, "(sa{sv})sa{ss}us", &kind, 1, &key, "s", &sender, &action, 2,
                                             &method_key, &method, &what_key, &what, &d->flags, &id),
                         0);
        ck_assert_str_eq(kind, "system-bus-name");
        ck_assert_str_eq(key, "name");
        ck_assert_ptr_eq(strstr(sender, ":1."), sender);
        ck_assert_str_eq(action, "org.varta.observer1.manage");
        (void) snprintf(d->details, sizeof(d->details), "%s=%s %s=%s", method_key, method, what_key, what);
        (void) snprintf(d->check, sizeof(d->check), "%s", id);
        ck_assert_uint_lt(d->n_checks, QUESTIONS_MAX);
        d->checks[d->n_checks++] = sd_bus_message_ref(m);
        return d->polkit_silent ? 1 : answer_check(d, m);
}

static int on_polkit(Driver *d, sd_bus_message *m) {
        const char *id;

        if (sd_bus_message_is_method_call(m, "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization"))
                return on_check(d, m);
        ck_assert(sd_bus_message_is_method_call(m, NULL, "CancelCheckAuthorization"));
        ck_assert_int_gt(sd_bus_message_read(m, "s", &id), 0);
        ck_assert_str_eq(id, d->check);
        d->n_cancels++;
        return 1;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        Driver *d = userdata;

        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello"))
                return sd_bus_reply_method_return(m, "s", ":1.1");
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "RequestName")) {
                if (d->name_answer == 0)
                        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "not you");
                return sd_bus_reply_method_return(m, "u", d->name_answer);
        }
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "GetConnectionUnixUser")) {
                if (!d->silent)
                        return answer_question(d, m);
                ck_assert_uint_lt(d->n_questions, QUESTIONS_MAX);
                d->questions[d->n_questions++] = sd_bus_message_ref(m);
                return 1;
        }
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "AddMatch")) {
                const char *match;

                ck_assert_int_gt(sd_bus_message_read(m, "s", &match), 0);
                (void) snprintf(d->watched, sizeof(d->watched), "%s", match);
                return sd_bus_reply_method_return(m, NULL);
        }
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "RemoveMatch"))
                return 1;
        if (sd_bus_message_is_method_call(m, "org.freedesktop.PolicyKit1.Authority", NULL))
                return on_polkit(d, m);
        if (e) {
                d->n_errors++;
                (void) snprintf(d->last_error, sizeof(d->last_error), "%s", e->name);
                (void) snprintf(d->last_words, sizeof(d->last_words), "%s", e->message);
                return 1;
        }
        if (sd_bus_message_get_reply_cookie(m, &(uint64_t){ 0 }) >= 0) {
                d->n_replies++;
                return 1;
        }
        return 0;
}

static void driver_connect(Driver *d) {
        sd_id128_t id;
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        ck_assert_int_eq(sd_id128_randomize(&id), 0);
        ck_assert_int_eq(sd_bus_new(&d->f.client), 0);
        ck_assert_int_eq(sd_bus_set_fd(d->f.client, fds[0], fds[0]), 0);
        ck_assert_int_eq(sd_bus_set_server(d->f.client, true, id), 0);
        ck_assert_int_ge(sd_bus_add_filter(d->f.client, NULL, on_message, d), 0);
        ck_assert_int_eq(sd_bus_new(&d->f.bus), 0);
        ck_assert_int_eq(sd_bus_set_fd(d->f.bus, fds[1], fds[1]), 0);
        ck_assert_int_eq(sd_bus_set_bus_client(d->f.bus, true), 0);
        ck_assert_int_ge(sd_bus_start(d->f.client), 0);
        ck_assert_int_ge(sd_bus_start(d->f.bus), 0);
        ck_assert_int_ge(sd_bus_attach_event(d->f.client, d->f.event, 0), 0);
        ck_assert_int_ge(sd_bus_attach_event(d->f.bus, d->f.event, 0), 0);
        ck_assert_int_eq(bus_server_attach(d->f.server, d->f.bus), 0);
        fixture_settle(&d->f);
}

static void driver_init(Driver *d) {
        *d = (Driver){ .name_answer = 1 };
        fixture_init(&d->f, 16);
}

static void driver_done(Driver *d) {
        for (size_t i = 0; i < d->n_questions; i++)
                sd_bus_message_unref(d->questions[i]);
        for (size_t i = 0; i < d->n_checks; i++)
                sd_bus_message_unref(d->checks[i]);
        fixture_done(&d->f);
}

/* A call as the daemon would hand it on. The answer ends up in the counters of the driver. */
static void driver_send(Driver *d, const char *member, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char sender[16];
        uint64_t cookie;
        va_list ap;

        ck_assert_int_ge(sd_bus_message_new_method_call(d->f.client, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE,
                                                        member),
                         0);
        (void) snprintf(sender, sizeof(sender), ":1.%u", d->caller > 0 ? d->caller : 7);
        ck_assert_int_ge(sd_bus_message_set_sender(m, sender), 0);
        ck_assert_int_ge(sd_bus_message_set_allow_interactive_authorization(m, d->interactive), 0);
        if (types) {
                va_start(ap, types);
                ck_assert_int_ge(sd_bus_message_appendv(m, types, ap), 0);
                va_end(ap);
        }
        /* Whoever keeps the cookie wants an answer. */
        ck_assert_int_ge(sd_bus_send(d->f.client, m, &cookie), 0);
}

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
                ck_assert_int_ge(answer_question(&d, d.questions[i]), 0);
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

/* The bus daemon tells that a caller left. */
static void driver_leave(Driver *d, const char *name) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        ck_assert_int_ge(sd_bus_message_new_signal(d->f.client, &m, "/org/freedesktop/DBus",
                                                   "org.freedesktop.DBus", "NameOwnerChanged"),
                         0);
        ck_assert_int_ge(sd_bus_message_append(m, "sss", name, name, ""), 0);
        ck_assert_int_ge(sd_bus_message_set_sender(m, "org.freedesktop.DBus"), 0);
        ck_assert_int_ge(sd_bus_send(d->f.client, m, NULL), 0);
        fixture_settle(&d->f);
}

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
        ck_assert_int_ge(answer_check(&d, d.checks[0]), 0);
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
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1);

        d.authorized = true;
        for (size_t i = 0; i < d.n_checks; i++)
                ck_assert_int_ge(answer_check(&d, d.checks[i]), 0);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.reloads, 1 + BUS_CHECKS_MAX);

        /* A bus that goes away takes the questions with it. */
        d.uid = 12345;
        driver_send(&d, "Reload", NULL);
        fixture_settle(&d.f);
        sd_bus_close(d.f.client);
        fixture_settle(&d.f);
        ck_assert_uint_eq(d.f.disconnects, 1);
        ck_assert_uint_eq(d.f.reloads, 1 + BUS_CHECKS_MAX);
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
