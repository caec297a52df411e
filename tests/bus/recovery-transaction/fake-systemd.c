/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fake-systemd.h"

#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER      "org.freedesktop.systemd1.Manager"
#define UNIT         "org.freedesktop.systemd1.Unit"
#define PROPERTIES   "org.freedesktop.DBus.Properties"

static FakeUnit *find(FakeSystemd *f, const char *name) {
        for (size_t i = 0; i < FAKE_UNITS; i++)
                if (f->units[i].name[0] != '\0' && strcmp(f->units[i].name, name) == 0)
                        return &f->units[i];
        return NULL;
}

/* It became active as another invocation: now. */
static void note_time(const FakeSystemd *f, FakeUnit *u) {
        if (u->state != ACTIVE_STATE_ACTIVE || u->entered == u->invocation || !f->clock)
                return;
        u->entered = u->invocation;
        u->active_enter = *f->clock / NSEC_PER_USEC;
}

FakeUnit *fake_unit(FakeSystemd *f, const char *name, uint8_t invocation) {
        for (size_t i = 0; i < FAKE_UNITS; i++) {
                FakeUnit *u = &f->units[i];

                if (u->name[0] != '\0')
                        continue;
                *u = (FakeUnit){
                        .state = ACTIVE_STATE_ACTIVE,
                        .sub_state = "running",
                        .result = "success",
                        .found = true,
                        .invocation = invocation,
                };
                (void) snprintf(u->name, sizeof(u->name), "%s", name);
                note_time(f, u);
                return u;
        }
        ck_abort_msg("no room for a unit");
        return NULL;
}

/* ---- Properties ------------------------------------------------------------------------------------------- */

static void append(sd_bus_message *m, const char *name, const char *type, ...) {
        va_list ap;

        ck_assert_int_ge(sd_bus_message_open_container(m, 'e', "sv"), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "s", name), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'v', type), 0);
        va_start(ap, type);
        ck_assert_int_ge(sd_bus_message_appendv(m, type, ap), 0);
        va_end(ap);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
}

static void append_invocation(sd_bus_message *m, uint8_t invocation) {
        uint8_t id[INVOCATION_ID_SIZE];

        memset(id, invocation, sizeof(id));
        ck_assert_int_ge(sd_bus_message_open_container(m, 'e', "sv"), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "s", "InvocationID"), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'v', "ay"), 0);
        ck_assert_int_ge(sd_bus_message_append_array(m, 'y', id, invocation == 0 ? 0 : sizeof(id)), 0);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
}

static int on_get_all(FakeSystemd *f, const FakeUnit *u, sd_bus_message *call) {
        static const FakeUnit none = { .state = ACTIVE_STATE_INACTIVE, .sub_state = "dead" };
        sd_bus_message *m = NULL;
        int r;

        if (!u)
                u = &none;
        ck_assert_int_ge(sd_bus_message_new_method_return(call, &m), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        append(m, "Id", "s", u->name);
        append(m, "LoadState", "s", u->found ? "loaded" : "not-found");
        append(m, "Names", "as", 2, "a", "b");
        append(m, "ActiveState", "s", active_state_to_string(u->state));
        append(m, "SubState", "s", u->sub_state);
        append(m, "FreezerState", "s", u->frozen ? "frozen" : "running");
        append(m, "InactiveExitTimestampMonotonic", "t", u->inactive_exit);
        append(m, "ActiveEnterTimestampMonotonic", "t", u->active_enter);
        append(m, "Job", "(uo)", u->job, "/");
        append(m, "RefuseManualStart", "b", 0);
        append(m, "RefuseManualStop", "b", u->refuse_manual);
        append_invocation(m, u->invocation);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        r = sd_bus_send(f->bus, m, NULL);
        sd_bus_message_unref(m);
        return r < 0 ? r : 1;
}

static int on_get(const FakeUnit *u, sd_bus_message *call, const char *property) {
        if (!u)
                return sd_bus_reply_method_errorf(call, "org.freedesktop.DBus.Error.UnknownInterface",
                                                  "none");
        if (strcmp(property, "Result") == 0)
                return sd_bus_reply_method_return(call, "v", "s", u->result);
        if (strcmp(property, "NRestarts") == 0)
                return sd_bus_reply_method_return(call, "v", "u", 0);
        return sd_bus_reply_method_return(call, "v", "t", 90 * USEC_PER_SEC);
}

static void was_read(FakeSystemd *f, FakeUnit *u) {
        nsec_t now = f->clock ? *f->clock : 0;
        bool beside = u->watched && u->read_running && u->read_at == now;

        u->read_at = now;
        u->reads++;
        u->read = true;
        u->read_invocation = u->invocation;
        u->read_running = beside || (u->found && u->state == ACTIVE_STATE_ACTIVE && u->job == 0);
        if (f->director)
                f->director->read(f->director_userdata, u);
}

static int on_property(FakeSystemd *f, sd_bus_message *m) {
        const char *interface, *property;
        char *name = NULL;
        FakeUnit *u;
        int r;

        if (f->mute)
                return 1;
        ck_assert_int_gt(sd_bus_path_decode(sd_bus_message_get_path(m), MANAGER_PATH "/unit", &name), 0);
        u = find(f, name);
        free(name);
        if (sd_bus_message_is_method_call(m, PROPERTIES, "GetAll")) {
                ck_assert_int_gt(sd_bus_message_read(m, "s", &interface), 0);
                ck_assert_str_eq(interface, UNIT);
                r = on_get_all(f, u, m);
                if (u)
                        was_read(f, u);
                return r;
        }
        r = sd_bus_message_read(m, "ss", &interface, &property);
        ck_assert_int_gt(r, 0);
        return on_get(u, m, property);
}

/* ---- Jobs ------------------------------------------------------------------------------------------------- */

void fake_changed(FakeSystemd *f, FakeUnit *u) {
        sd_bus_message *m = NULL;
        char *path = NULL;

        note_time(f, u);
        if (!f->bus)
                return;
        f->messages++;
        ck_assert_int_ge(sd_bus_path_encode(MANAGER_PATH "/unit", u->name, &path), 0);
        ck_assert_int_ge(sd_bus_message_new_signal(f->bus, &m, path, PROPERTIES, "PropertiesChanged"), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "s", UNIT), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        append(m, "ActiveState", "s", active_state_to_string(u->state));
        append(m, "ActiveEnterTimestampMonotonic", "t", u->active_enter);
        append(m, "Job", "(uo)", u->job, "/");
        append_invocation(m, u->invocation);
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "as", 1, "Conditions"), 0);
        ck_assert_int_ge(sd_bus_send(f->bus, m, NULL), 0);
        sd_bus_message_unref(m);
        free(path);
}

void fake_set_state(FakeSystemd *f, FakeUnit *u, ActiveState state) {
        u->state = state;
        fake_changed(f, u);
}

static void job_path(char *buf, size_t size, uint32_t job) {
        (void) snprintf(buf, size, MANAGER_PATH "/job/%u", job);
}

static void job_removed(FakeSystemd *f, const FakeUnit *u, uint32_t job, const char *result) {
        char path[JOB_PATH_MAX];

        f->messages++;
        job_path(path, sizeof(path), job);
        ck_assert_int_ge(sd_bus_emit_signal(f->bus, MANAGER_PATH, MANAGER, "JobRemoved", "uoss", job, path,
                                            u->name, result),
                         0);
}

void fake_begin(FakeSystemd *f, FakeUnit *u) {
        if (u->stopped_by_hand)
                f->undone++;
        u->invocation++;
        if (u->invocation == 0) /* that would be none */
                u->invocation++;
}

static void restart(FakeSystemd *f, FakeUnit *u) {
        bool runs = u->state == ACTIVE_STATE_ACTIVE || strcmp(u->method, "TryRestartUnit") != 0;

        if (!runs)
                return;
        u->state = ACTIVE_STATE_ACTIVE;
        fake_begin(f, u);
}

static void go_down(FakeUnit *u, const char *result) {
        u->state = ACTIVE_STATE_FAILED;
        (void) snprintf(u->result, sizeof(u->result), "%s", result);
}

/* What the job does to the unit; returns its result, NULL while it is not over. */
static const char *work(FakeSystemd *f, FakeUnit *u, FakeJob how) {
        switch (how) {
        case FAKE_HELD:
                return NULL;
        case FAKE_FAILED:
                fake_begin(f, u);
                go_down(u, "exit-code");
                return "failed";
        case FAKE_START_LIMIT:
                go_down(u, "start-limit-hit");
                return "failed";
        case FAKE_CANCELED:
                return "canceled";
        case FAKE_TIMEOUT:
                go_down(u, "timeout");
                return "timeout";
        case FAKE_DEPENDENCY:
                return "dependency";
        case FAKE_SKIPPED:
                u->state = ACTIVE_STATE_INACTIVE;
                return "skipped";
        case FAKE_STOPPED_FIRST:
                u->state = ACTIVE_STATE_INACTIVE;
                return "done";
        case FAKE_STOPPED:
                u->state = ACTIVE_STATE_INACTIVE;
                return "canceled";
        case FAKE_VANISHED:
                u->state = ACTIVE_STATE_INACTIVE;
                u->found = false;
                return "done";
        case FAKE_SLOW_START:
                fake_begin(f, u);
                u->state = ACTIVE_STATE_ACTIVATING;
                u->starting = true;
                return "done";
        default:
                restart(f, u);
                return "done";
        }
}

static int reply_job(sd_bus_message *m, uint32_t job) {
        char path[JOB_PATH_MAX];

        job_path(path, sizeof(path), job);
        return sd_bus_reply_method_return(m, "o", path);
}

static int enqueue(FakeSystemd *f, FakeUnit *u, sd_bus_message *m, FakeJob how) {
        const char *result;
        uint32_t job;
        int r;

        u->job = job = ++f->jobs;
        if (how != FAKE_EARLY) {
                r = reply_job(m, job);
                ck_assert_int_ge(r, 0);
        }
        result = work(f, u, how);
        if (!result)
                return 1;
        u->job = 0;
        if (how != FAKE_SILENT_DONE)
                job_removed(f, u, job, result);
        if (how == FAKE_EARLY)
                ck_assert_int_ge(reply_job(m, job), 0);
        fake_changed(f, u);
        return 1;
}

/* Patterns are the caller's business here: all that run. */
static int on_list(FakeSystemd *f, sd_bus_message *call) {
        sd_bus_message *m = NULL;
        int r;

        f->lists++;
        if (f->no_list)
                return sd_bus_reply_method_errorf(call, "org.example.Broken", "It broke.");
        ck_assert_int_ge(sd_bus_message_new_method_return(call, &m), 0);
        ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "(ssssssouso)"), 0);
        for (size_t i = 0; i < FAKE_UNITS; i++) {
                const FakeUnit *u = &f->units[i];

                if (u->name[0] == '\0' ||
                    (u->state != ACTIVE_STATE_ACTIVE && u->state != ACTIVE_STATE_RELOADING &&
                     u->state != ACTIVE_STATE_ACTIVATING))
                        continue;
                ck_assert_int_ge(sd_bus_message_append(m, "(ssssssouso)", u->name, "A unit", "loaded",
                                                       active_state_to_string(u->state), u->sub_state, "",
                                                       "/", u->job, "", "/"),
                                 0);
        }
        ck_assert_int_ge(sd_bus_message_close_container(m), 0);
        r = sd_bus_send(f->bus, m, NULL);
        sd_bus_message_unref(m);
        return r < 0 ? r : 1;
}

void fake_reloaded(FakeSystemd *f) {
        for (int begins = 1; begins >= 0; begins--)
                ck_assert_int_ge(sd_bus_emit_signal(f->bus, MANAGER_PATH, MANAGER, "Reloading", "b", begins),
                                 0);
}

static int answer(FakeSystemd *f, FakeUnit *u, sd_bus_message *m, FakeJob how) {
        switch (how) {
        case FAKE_DENIED:
                return sd_bus_reply_method_errorf(
                                m, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                                "Interactive authentication required.");
        case FAKE_NO_POLKIT:
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.UnitMasked",
                                                  "Unit polkit.service is masked.");
        case FAKE_NO_SUCH_UNIT:
                u->found = false;
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.UnitMasked",
                                                  "Unit is masked.");
        case FAKE_UNMASKED:
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.UnitMasked",
                                                  "Unit %s is masked.", u->name);
        case FAKE_NEED_MASKED:
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.UnitMasked",
                                                  "Unit need.service is masked.");
        case FAKE_CONFLICT:
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.TransactionIsDestructive",
                                                  "Transaction is destructive.");
        case FAKE_BROKEN:
                return sd_bus_reply_method_errorf(m, "org.example.Broken", "It broke.");
        case FAKE_DEAF:
                sd_bus_message_unref(u->unanswered);
                u->unanswered = sd_bus_message_ref(m);
                return 1;
        case FAKE_LEAVE_DONE:
                restart(f, u);
                fake_leave(f);
                return 1;
        case FAKE_LEAVE:
                fake_leave(f);
                return 1;
        default:
                return enqueue(f, u, m, how);
        }
}

static int on_request(FakeSystemd *f, sd_bus_message *m, const char *member) {
        const char *name, *mode;
        FakeUnit *u;
        FakeJob how;
        int r;

        ck_assert_int_gt(sd_bus_message_read(m, "ss", &name, &mode), 0);
        u = find(f, name);
        if (!u)
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.NoSuchUnit",
                                                  "Unit %s not found.", name);
        u->calls++;
        (void) snprintf(u->method, sizeof(u->method), "%s", member);
        (void) snprintf(u->mode, sizeof(u->mode), "%s", mode);
        if (strcmp(member, "StartUnit") != 0 && !(u->read && u->read_running))
                f->heedless++;
        if (f->director)
                f->director->asked(f->director_userdata, u);
        how = u->next;
        u->next = FAKE_DONE;
        r = answer(f, u, m, how);
        if (f->director)
                f->director->heard(f->director_userdata, u);
        return r;
}

void fake_job_over(FakeSystemd *f, FakeUnit *u, const char *result) {
        uint32_t job = u->job;

        u->job = 0;
        if (job != 0 && f->bus)
                job_removed(f, u, job, result);
        fake_changed(f, u);
}

void fake_no_reply(FakeSystemd *f, FakeUnit *u) {
        if (f->bus && u->unanswered) {
                f->messages++;
                ck_assert_int_ge(sd_bus_reply_method_errorf(u->unanswered,
                                                            "org.freedesktop.DBus.Error.NoReply",
                                                            "There was no reply."),
                                 0);
        }
        u->unanswered = sd_bus_message_unref(u->unanswered);
}

void fake_finish(FakeSystemd *f, FakeUnit *u, const char *result) {
        if (u->starting)
                u->state = strcmp(result, "done") == 0 ? ACTIVE_STATE_ACTIVE : ACTIVE_STATE_FAILED;
        else if (strcmp(result, "done") == 0)
                restart(f, u);
        u->starting = false;
        fake_job_over(f, u, result);
}

/* ---- The connection --------------------------------------------------------------------------------------- */

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        FakeSystemd *f = userdata;
        const char *member;

        f->messages++;
        if (sd_bus_message_is_method_call(m, PROPERTIES, NULL))
                return on_property(f, m);
        if (!sd_bus_message_is_method_call(m, MANAGER, NULL))
                return 0;
        member = sd_bus_message_get_member(m);
        if (strcmp(member, "Subscribe") == 0) {
                f->subscriptions++;
                return sd_bus_reply_method_return(m, NULL);
        }
        if (strcmp(member, "ListUnitsByPatterns") == 0)
                return on_list(f, m);
        return on_request(f, m, member);
}

void fake_join(FakeSystemd *f) {
        ck_assert_ptr_null(f->bus);
        f->bus = private_bus_connect(f->private_bus, f->event);
        ck_assert_int_ge(sd_bus_add_fallback(f->bus, NULL, MANAGER_PATH, on_message, f), 0);
        ck_assert_int_ge(sd_bus_request_name_async(f->bus, NULL, "org.freedesktop.systemd1", 0, NULL, NULL),
                         0);
}

void fake_leave(FakeSystemd *f) {
        if (!f->bus)
                return;
        /* Who waits for a reply is told by the bus, and by nobody when the bus itself is gone. */
        for (size_t i = 0; i < FAKE_UNITS; i++)
                f->units[i].unanswered = sd_bus_message_unref(f->units[i].unanswered);
        (void) sd_bus_detach_event(f->bus);
        sd_bus_close(f->bus);
        f->bus = sd_bus_unref(f->bus);
}

void fake_init(FakeSystemd *f, PrivateBus *private_bus, sd_event *event) {
        *f = (FakeSystemd){ .private_bus = private_bus, .event = event };
        fake_join(f);
}

void fake_done(FakeSystemd *f) {
        fake_leave(f);
}
