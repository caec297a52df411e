/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may change things: root; on a user's own bus that user; on the system bus also whom polkit lets, for the action
 * org.varta.observer1.manage. Where there is no polkit that leaves root.
 *
 * sd-bus can find out about a caller by itself, but asks the bus daemon and waits for the answer: up to 25 s in
 * which no beat is read, at the wish of whoever makes the bus slow. So each question is a message like any other: to
 * the bus daemon, who the caller is, and then to polkit, which may have to wait until somebody typed a password. The
 * call waits for its answers in one of a fixed number of places, and there is an end to how many may wait. A caller who
 * leaves while he is asked for his password has his place taken back, and polkit is told.
 *
 * The look-up is made once per connection: the name of one is never given to another as long as the bus lives, nor does its
 * uid change. So whoever may not, and calls as fast as he can, soon has no part any more in the places for look-ups, on
 * however many connections, and what he may have of polkit is counted by his uid. (By uid from the beginning is not to be
 * had: it is what the look-up is for.)
 *
 * What waits is kept whole, for up to five minutes where somebody is asked for a password. So a call has to be of a size
 * that could make sense before anybody is asked about it; descriptors do not reach us at all (the daemon says so to the bus).
 *
 * On a direct connection there is no bus daemon; the kernel knows the peer of the socket.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus-internal.h"
#include "util/unit-name.h"

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* Of CheckAuthorization(): an agent may ask the user. */
#define POLKIT_ALLOW_USER_INTERACTION 1U

/* Long enough to find one's password, and an end to a dialog that nobody sees. */
#define INTERACTION_TIMEOUT_USEC (5 * 60 * USEC_PER_SEC)
/* Rules are evaluated in milliseconds; polkit may have to be started. */
#define CHECK_TIMEOUT_USEC (25 * USEC_PER_SEC)

/* A check's name is a number. */
#define CHECK_ID_SIZE sizeof("18446744073709551615")

#define REMEDY                                                                                              \
        "try again with sudo, or have an administrator allow action " BUS_POLKIT_ACTION " by a polkit "     \
        "rule."

static bool may_change(const BusServer *s, uid_t uid) {
        return uid == 0 || (s->facts.user_bus && uid == geteuid());
}

static int refuse(const BusServer *s, sd_bus_error *error) {
        return sd_bus_error_set(
                        error, BUS_ERROR_ACCESS_DENIED,
                        s->facts.user_bus ? "Only the user who runs the observer, or root, may do this."
                                          : "Only root may do this; try again with sudo.");
}

static bool find_known(const BusServer *s, const char *name, uint32_t *ret_uid) {
        for (size_t i = 0; i < BUS_CALLERS_KNOWN; i++)
                if (strcmp(s->known[i].name, name) == 0) {
                        *ret_uid = s->known[i].uid;
                        return true;
                }
        return false;
}

static void remember(BusServer *s, const char *name, uint32_t uid) {
        KnownCaller *k = &s->known[s->known_next];
        uint32_t known;

        if (strlen(name) >= sizeof(k->name) || find_known(s, name, &known))
                return;
        (void) snprintf(k->name, sizeof(k->name), "%s", name);
        k->uid = uid;
        s->known_next = (s->known_next + 1) % BUS_CALLERS_KNOWN;
}

static void request_done(AccessRequest *a) {
        a->slot = sd_bus_slot_unref(a->slot);
        a->gone = sd_bus_slot_unref(a->gone);
        a->message = sd_bus_message_unref(a->message);
        a->checking = false;
}

/* The call's own answer, when it is clear whether the caller may. `r` is the handler's result, or a refusal. */
static void answer(sd_bus_message *m, int r, const sd_bus_error *error) {
        if (r < 0)
                (void) sd_bus_reply_method_errno(m, r, error);
}

/* ---- polkit --------------------------------------------------------------------------------------------------- */

static void cancel_check(const AccessRequest *a) {
        char id[CHECK_ID_SIZE];

        (void) snprintf(id, sizeof(id), "%" PRIu64, a->check);
        (void) sd_bus_call_method_async(a->server->bus, NULL, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                        "CancelCheckAuthorization", NULL, NULL, "s", id);
}

static int refuse_unanswered(const sd_bus_error *why, sd_bus_error *error) {
        return sd_bus_error_setf(error, BUS_ERROR_ACCESS_DENIED,
                                 "Only root may do this here, because polkit does not answer (%.200s); try "
                                 "again with sudo.",
                                 why->message ?: why->name);
}

/* Acts, or refuses in words: by what polkit said. */
static int follow_verdict(BusServer *s, sd_bus_message *m, AccessHandler handler, sd_bus_message *reply,
                          sd_bus_error *error) {
        int authorized, challenge, r;

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r > 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r <= 0)
                return sd_bus_error_set(error, BUS_ERROR_ACCESS_DENIED,
                                        "polkit's answer makes no sense; try again with sudo.");
        if (authorized)
                return handler(s, m, error);
        if (challenge)
                return sd_bus_error_set(error, BUS_ERROR_ACCESS_DENIED,
                                        "This needs a password, and nobody could be asked for it; " REMEDY);
        return sd_bus_error_set(error, BUS_ERROR_ACCESS_DENIED, "You may not do this; " REMEDY);
}

static int on_checked(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        AccessRequest *a = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = TAKE_PTR(a->message);
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        BusServer *s = a->server;
        int r;

        if (e)
                cancel_check(a); /* where polkit is only slow, it asks somebody still */
        request_done(a);
        r = e ? refuse_unanswered(e, &error) : follow_verdict(s, m, a->handler, reply, &error);
        answer(m, r, &error);
        return 1;
}

static int on_match(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        return 1; /* without it the caller's leaving is noticed when the time is up */
}

static int on_gone(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        const char *name, *old_owner, *new_owner;
        AccessRequest *a = userdata;

        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || new_owner[0] != '\0' ||
            strcmp(name, sd_bus_message_get_sender(a->message)) != 0)
                return 0;

        cancel_check(a);
        request_done(a);
        return 0;
}

/* What rules may go by: the method, and for those that name something, what. */
static int append_details(sd_bus_message *q, sd_bus_message *m) {
        const char *what = "";
        int r;

        if (sd_bus_message_get_signature(m, true)[0] == 's') {
                r = sd_bus_message_read(m, "s", &what);
                if (r < 0)
                        return r;
                r = sd_bus_message_rewind(m, true);
                if (r < 0)
                        return r;
        }
        /* A longer one names nothing, as whoever is let through will be told. */
        return sd_bus_message_append(q, "a{ss}", 2, "method", sd_bus_message_get_member(m), "what",
                                     strlen(what) < UNIT_NAME_MAX ? what : "");
}

static int new_question(AccessRequest *a, bool interactive, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *q = NULL;
        char id[CHECK_ID_SIZE];
        int r;

        r = sd_bus_message_new_method_call(a->server->bus, &q, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(q, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(a->message), BUS_POLKIT_ACTION);
        if (r < 0)
                return r;
        r = append_details(q, a->message);
        if (r < 0)
                return r;
        (void) snprintf(id, sizeof(id), "%" PRIu64, a->check);
        r = sd_bus_message_append(q, "us", interactive ? POLKIT_ALLOW_USER_INTERACTION : 0U, id);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(q);
        return 0;
}

/* The bus daemon takes messages in their order: the caller is watched before polkit hears of him. */
static int watch_caller(AccessRequest *a) {
        char match[256];

        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%.100s'",
                        sd_bus_message_get_sender(a->message));
        return sd_bus_add_match_async(a->server->bus, &a->gone, match, on_gone, on_match, a);
}

static int check_room(const BusServer *s, uid_t uid, sd_bus_error *error) {
        size_t all = 0, own = 0;

        for (size_t i = 0; i < BUS_ACCESS_MAX; i++)
                if (s->access[i].checking) {
                        all++;
                        own += s->access[i].uid == uid;
                }
        if (own >= BUS_CHECKS_PER_USER_MAX)
                return sd_bus_error_set(error, BUS_ERROR_BUSY,
                                        "You are being asked for permission already; answer that first.");
        if (all >= BUS_CHECKS_MAX)
                return sd_bus_error_set(error, BUS_ERROR_BUSY,
                                        "Too many callers wait for permission; try again in a moment.");
        return 0;
}

/* The request keeps its place, and goes on to polkit. */
static int ask_polkit(AccessRequest *a, uid_t uid, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *q = NULL;
        bool interactive = sd_bus_message_get_allow_interactive_authorization(a->message) > 0;
        int r;

        r = check_room(a->server, uid, error);
        if (r < 0)
                return r;
        a->check = ++a->server->checks;
        r = new_question(a, interactive, &q);
        if (r < 0)
                return r;
        if (interactive) {
                r = watch_caller(a);
                if (r < 0)
                        return r;
        }
        r = sd_bus_call_async(a->server->bus, &a->slot, q, on_checked, a,
                              interactive ? INTERACTION_TIMEOUT_USEC : CHECK_TIMEOUT_USEC);
        if (r < 0)
                return r;
        a->checking = true;
        a->uid = uid;
        return 0;
}

/* ---- the caller ----------------------------------------------------------------------------------------------- */

static int on_caller(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        AccessRequest *a = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = sd_bus_message_ref(a->message);
        BusServer *s = a->server;
        uint32_t uid;
        int r;

        a->slot = sd_bus_slot_unref(a->slot);

        /* A caller that left meanwhile has no uid, and nobody waits for an answer. */
        if (sd_bus_message_is_method_error(reply, NULL)) {
                request_done(a);
                return 1;
        }

        r = sd_bus_message_read(reply, "u", &uid);
        if (r >= 0)
                remember(s, sd_bus_message_get_sender(m), uid);
        if (r >= 0 && !s->facts.user_bus && !may_change(s, uid)) {
                r = ask_polkit(a, uid, &error);
                if (r >= 0)
                        return 1;
                request_done(a);
        } else {
                request_done(a);
                if (r >= 0)
                        r = may_change(s, uid) ? a->handler(s, m, &error) : refuse(s, &error);
        }
        answer(m, r, &error);
        return 1;
}

static int check_peer(BusServer *s, sd_bus_message *m, AccessHandler handler, sd_bus_error *error) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        uid_t uid;
        int r;

        r = sd_bus_get_owner_creds(s->bus, SD_BUS_CREDS_EUID, &creds);
        if (r < 0)
                return r;

        r = sd_bus_creds_get_euid(creds, &uid);
        if (r < 0)
                return r;

        return may_change(s, uid) ? handler(s, m, error) : refuse(s, error);
}

/* A text of the call's, at its cursor. Returns 0, or a refusal in words. */
static int check_text(sd_bus_message *m, sd_bus_error *error) {
        const char *text;
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        if (strlen(text) > BUS_ARGUMENT_MAX)
                return sd_bus_error_setf(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "An argument is longer than %u bytes: nothing that can be meant is.",
                                BUS_ARGUMENT_MAX);
        return 0;
}

/* Whether the call is of a size that could make sense. Its types are those of a method, or of a property's setter: texts,
 * numbers, and a text in a variant. */
static int check_arguments(sd_bus_message *m, sd_bus_error *error) {
        int r = 0;

        for (const char *type = sd_bus_message_get_signature(m, true); *type && r >= 0; type++)
                switch (*type) {
                case SD_BUS_TYPE_STRING:
                        r = check_text(m, error);
                        break;
                case SD_BUS_TYPE_VARIANT:
                        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, "s");
                        if (r < 0)
                                r = sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                                     "The value has to be a string.");
                        else
                                r = check_text(m, error);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                        break;
                default:
                        r = sd_bus_message_skip(m, (char[]){ *type, '\0' });
                }
        return r < 0 ? r : MIN(sd_bus_message_rewind(m, true), 0);
}

/* How many calls of the caller wait, and a place for one more; NULL: there is none. */
static size_t count_waiting(BusServer *s, const char *caller, AccessRequest **ret_free) {
        size_t own = 0;

        *ret_free = NULL;
        for (size_t i = 0; i < BUS_ACCESS_MAX; i++)
                if (!s->access[i].message)
                        *ret_free = *ret_free ?: &s->access[i];
                else
                        own += strcmp(sd_bus_message_get_sender(s->access[i].message), caller) == 0;
        return own;
}

static int refuse_place(bool own, sd_bus_error *error) {
        return sd_bus_error_set(
                        error, BUS_ERROR_BUSY,
                        own ? "Your calls before this one wait for permission; try again when they are "
                              "answered."
                            : "Too many callers wait for permission; try again in a moment.");
}

static int look_up(AccessRequest *a) {
        return sd_bus_call_method_async(a->server->bus, &a->slot, "org.freedesktop.DBus",
                                        "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                        "GetConnectionUnixUser", on_caller, a, "s",
                                        sd_bus_message_get_sender(a->message));
}

int bus_access_check(BusServer *s, sd_bus_message *m, AccessHandler handler, sd_bus_error *error) {
        AccessRequest *a = NULL;
        uint32_t uid = UID_NONE;
        const char *caller;
        size_t own;
        bool known;
        int r;

        assert(s);
        assert(m);
        assert(handler);

        /* What a peer writes into the sender's place of a direct message proves nothing. */
        if (sd_bus_is_bus_client(s->bus) <= 0)
                return check_peer(s, m, handler, error);

        caller = sd_bus_message_get_sender(m);
        if (!caller)
                return -EBADMSG;
        r = check_arguments(m, error);
        if (r < 0)
                return r;
        own = count_waiting(s, caller, &a);
        known = find_known(s, caller, &uid);
        if (known && !may_change(s, uid) && s->facts.user_bus)
                return refuse(s, error);
        if (known && may_change(s, uid) && own == 0) /* or it would overtake one of the same caller */
                return handler(s, m, error);
        if (own >= BUS_CALLS_PER_CALLER_MAX || !a)
                return refuse_place(own >= BUS_CALLS_PER_CALLER_MAX, error);

        a->server = s;
        a->handler = handler;
        a->message = sd_bus_message_ref(m);
        r = known && !may_change(s, uid) ? ask_polkit(a, uid, error) : look_up(a);
        if (r < 0) {
                request_done(a);
                return r;
        }
        return 1;
}

void bus_access_done(BusServer *s) {
        for (size_t i = 0; i < BUS_ACCESS_MAX; i++)
                request_done(&s->access[i]);
        memset(s->known, 0, sizeof(s->known)); /* another bus gives the names to others */
        s->known_next = 0;
}
