/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver.h"

int driver_answer(const Driver *d, sd_bus_message *m) {
        if (d->unknown)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "gone");
        return sd_bus_reply_method_return(m, "u", d->uid);
}

int driver_answer_check(const Driver *d, sd_bus_message *m) {
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
        return d->polkit_silent ? 1 : driver_answer_check(d, m);
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
                        return driver_answer(d, m);
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

void driver_connect(Driver *d) {
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

void driver_init(Driver *d) {
        *d = (Driver){ .name_answer = 1 };
        fixture_init(&d->f, 16);
}

void driver_done(Driver *d) {
        for (size_t i = 0; i < d->n_questions; i++)
                sd_bus_message_unref(d->questions[i]);
        for (size_t i = 0; i < d->n_checks; i++)
                sd_bus_message_unref(d->checks[i]);
        fixture_done(&d->f);
}

void driver_forward(Driver *d, sd_bus_message *m) {
        char sender[16];
        uint64_t cookie;

        (void) snprintf(sender, sizeof(sender), ":1.%u", d->caller > 0 ? d->caller : 7);
        ck_assert_int_ge(sd_bus_message_set_sender(m, sender), 0);
        ck_assert_int_ge(sd_bus_message_set_allow_interactive_authorization(m, d->interactive), 0);
        /* Whoever keeps the cookie wants an answer. */
        ck_assert_int_ge(sd_bus_send(d->f.client, m, &cookie), 0);
}

void driver_send(Driver *d, const char *member, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;

        ck_assert_int_ge(sd_bus_message_new_method_call(d->f.client, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE,
                                                        member),
                         0);
        if (types) {
                va_start(ap, types);
                ck_assert_int_ge(sd_bus_message_appendv(m, types, ap), 0);
                va_end(ap);
        }
        driver_forward(d, m);
}

void driver_leave(Driver *d, const char *name) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        ck_assert_int_ge(sd_bus_message_new_signal(d->f.client, &m, "/org/freedesktop/DBus",
                                                   "org.freedesktop.DBus", "NameOwnerChanged"),
                         0);
        ck_assert_int_ge(sd_bus_message_append(m, "sss", name, name, ""), 0);
        ck_assert_int_ge(sd_bus_message_set_sender(m, "org.freedesktop.DBus"), 0);
        ck_assert_int_ge(sd_bus_send(d->f.client, m, NULL), 0);
        fixture_settle(&d->f);
}
