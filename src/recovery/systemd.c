/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The bus side of recovery.
 *
 * A reading of a unit is one GetAll of the generic interface and a few single properties of the service's own: its
 * GetAll would make systemd read the accounting files of the control group for numbers that nobody here wants. All
 * questions go out at once, GetAll last: systemd answers in order, its reply completes the reading, and a signal
 * that came before it is older than what it says. So nobody has to read twice. An object without the service
 * interface is no error: the name may have been that of something else.
 *
 * Signals are matched only for as long as somebody waits: changes by the unit's object path, JobRemoved for all units
 * while a job of ours is on its way (its unit is the third argument, behind a number, and sd-bus compares no argument
 * behind the first that is no string). So a host that starts a thousand units an hour wakes nobody here. A match is
 * installed asynchronously, but the bus handles our messages in order: it is in force before the call that follows it. If it
 * cannot be installed (the bus limits matches per connection), nothing breaks at once: the action's deadline reads
 * the unit in any case, and a unit waited for is asked again at the next recheck.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recovery/systemd-private.h"
#include "util/bus-forged.h"

/* A unit's name becomes at most three times as long in a path, and a match has some 200 characters beside it. */
#define MATCH_MAX (3 * UNIT_NAME_SIZE + 256)

/* What is asked of the service's own interface, one by one. */
static const char *const service_properties[] = { "Result", "TimeoutStartUSec", "TimeoutStopUSec",
                                                  "NRestarts" };
static_assert(ELEMENTSOF(service_properties) + 1 == ELEMENTSOF(((UnitReader *) 0)->slots),
              "a reader has one slot per question");

CallResult call_result_from_error(const char *name) {
        static const struct {
                const char *name;
                CallResult result;
        } table[] = {
                { "org.freedesktop.DBus.Error.AccessDenied", CALL_DENIED },
                { "org.freedesktop.DBus.Error.AuthFailed", CALL_DENIED },
                { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", CALL_DENIED },
                { "org.freedesktop.systemd1.NoSuchUnit", CALL_NO_UNIT },
                { "org.freedesktop.systemd1.LoadFailed", CALL_NO_UNIT },
                { "org.freedesktop.systemd1.BadUnitSetting", CALL_NO_UNIT },
                { "org.freedesktop.systemd1.UnitMasked", CALL_NO_UNIT },
                { "org.freedesktop.DBus.Error.UnknownObject", CALL_NO_UNIT },
                { "org.freedesktop.systemd1.TransactionIsDestructive", CALL_CONFLICT },
                { "org.freedesktop.systemd1.TransactionJobsConflicting", CALL_CONFLICT },
                { "org.freedesktop.systemd1.JobTypeNotApplicable", CALL_CONFLICT },
                { "org.freedesktop.systemd1.ShuttingDown", CALL_CONFLICT },
                { "org.freedesktop.DBus.Error.NoReply", CALL_LOST },
                { "org.freedesktop.DBus.Error.Timeout", CALL_LOST },
                { "org.freedesktop.DBus.Error.TimedOut", CALL_LOST },
                { "org.freedesktop.DBus.Error.Disconnected", CALL_LOST },
                { "org.freedesktop.DBus.Error.NoServer", CALL_LOST },
                { "org.freedesktop.DBus.Error.ServiceUnknown", CALL_LOST },
                { "org.freedesktop.DBus.Error.NameHasNoOwner", CALL_LOST },
                { "org.freedesktop.DBus.Error.LimitsExceeded", CALL_LOST },
                { "System.Error.ECONNRESET", CALL_LOST },
                { "System.Error.ENOTCONN", CALL_LOST },
                { "System.Error.ETIMEDOUT", CALL_LOST },
        };

        if (!name)
                return CALL_OK;
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strcmp(table[i].name, name) == 0)
                        return table[i].result;
        /* The bus could not start systemd for us: org.freedesktop.DBus.Error.Spawn.* */
        if (strncmp(name, "org.freedesktop.DBus.Error.Spawn.",
                    STRLEN("org.freedesktop.DBus.Error.Spawn.")) == 0)
                return CALL_LOST;
        return CALL_FAILED;
}

static CallResult call_result(sd_bus_message *m) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        CallResult result = call_result_from_error(e ? e->name : NULL);

        /* It is polkit's own unit that cannot be started, to be asked whether we may; ours is not spoken of. */
        if (result == CALL_NO_UNIT && e && e->message &&
            (strstr(e->message, " polkit.service ") || strstr(e->message, "org.freedesktop.PolicyKit1")))
                return CALL_DENIED;
        return result;
}

/* ---- The connection --------------------------------------------------------------------------------------- */

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Systemd *s = userdata;

        /* A failure to subscribe is ignored: without signals the deadlines do the work, later. */
        s->subscribe = sd_bus_slot_unref(s->subscribe);
        return 0;
}

static int subscribe(Systemd *s) {
        s->subscribe = sd_bus_slot_unref(s->subscribe);
        return sd_bus_call_method_async(s->bus, &s->subscribe, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                        "Subscribe", on_subscribed, s, NULL);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        Systemd *s = userdata;
        int r;

        r = sd_bus_message_read(m, "sss", &name, &old, &new);
        if (r < 0 || new[0] == '\0')
                return 0; /* it went away; what matters is its return */
        r = subscribe(s);
        if (r < 0)
                return 0; /* the connection is closing, and its end is told separately */
        s->handlers->returned(s->userdata);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Systemd *s = userdata;

        s->handlers->disconnected(s->userdata);
        return 0;
}

int systemd_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return 0;
}

int systemd_attach(Systemd *s, sd_bus *bus, const SystemdHandlers *handlers, void *userdata) {
        int r;

        assert(s);
        assert(bus);
        assert(handlers);
        assert(!s->bus);

        *s = (Systemd){ .bus = sd_bus_ref(bus), .handlers = handlers, .userdata = userdata };
        r = bus_refuse_forged(bus, &s->forged);
        if (r < 0)
                goto fail;
        r = sd_bus_add_match_async(bus, &s->disconnected_match,
                                   "type='signal',sender='org.freedesktop.DBus.Local',"
                                   "path='/org/freedesktop/DBus/Local',"
                                   "interface='org.freedesktop.DBus.Local',member='Disconnected'",
                                   on_disconnected, systemd_match_installed, s);
        if (r < 0)
                goto fail;
        r = sd_bus_add_match_async(
                        bus, &s->owner_match,
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                        "arg0='" SYSTEMD_NAME "'",
                        on_owner_changed, systemd_match_installed, s);
        if (r < 0)
                goto fail;
        r = subscribe(s);
        if (r < 0)
                goto fail;
        return 0;

fail:
        systemd_detach(s);
        return r;
}

void systemd_detach(Systemd *s) {
        assert(s);

        s->subscribe = sd_bus_slot_unref(s->subscribe);
        s->owner_match = sd_bus_slot_unref(s->owner_match);
        s->disconnected_match = sd_bus_slot_unref(s->disconnected_match);
        s->forged = sd_bus_slot_unref(s->forged);
        s->bus = sd_bus_unref(s->bus);
}

/* ---- Reading a unit --------------------------------------------------------------------------------------- */

typedef enum UnitProperty {
        PROPERTY_LOAD_STATE,
        PROPERTY_ACTIVE_STATE,
        PROPERTY_SUB_STATE,
        PROPERTY_JOB,
        PROPERTY_INVOCATION_ID,
        PROPERTY_REFUSE_MANUAL_START,
        PROPERTY_REFUSE_MANUAL_STOP,
        PROPERTY_INACTIVE_EXIT,
        PROPERTY_ACTIVE_ENTER,
        PROPERTY_FREEZER_STATE,
        _UNIT_PROPERTY_MAX,
} UnitProperty;

static const struct {
        const char *name, *type;
} unit_properties[_UNIT_PROPERTY_MAX] = {
        [PROPERTY_LOAD_STATE] = { "LoadState", "s" },
        [PROPERTY_ACTIVE_STATE] = { "ActiveState", "s" },
        [PROPERTY_SUB_STATE] = { "SubState", "s" },
        [PROPERTY_JOB] = { "Job", "(uo)" },
        [PROPERTY_INVOCATION_ID] = { "InvocationID", "ay" },
        [PROPERTY_REFUSE_MANUAL_START] = { "RefuseManualStart", "b" },
        [PROPERTY_REFUSE_MANUAL_STOP] = { "RefuseManualStop", "b" },
        [PROPERTY_INACTIVE_EXIT] = { "InactiveExitTimestampMonotonic", "t" },
        [PROPERTY_ACTIVE_ENTER] = { "ActiveEnterTimestampMonotonic", "t" },
        [PROPERTY_FREEZER_STATE] = { "FreezerState", "s" },
};

static int read_unit_property(sd_bus_message *m, UnitProperty p, UnitFacts *facts) {
        const char *s, *path;
        const void *bytes;
        uint32_t id;
        size_t n;
        int r, b;

        switch (p) {
        case PROPERTY_LOAD_STATE:
                r = sd_bus_message_read(m, "s", &s);
                if (r >= 0) {
                        facts->found = strcmp(s, "not-found") != 0;
                        facts->loaded = strcmp(s, "loaded") == 0;
                }
                return r;
        case PROPERTY_ACTIVE_STATE:
                r = sd_bus_message_read(m, "s", &s);
                if (r >= 0)
                        facts->active_state = active_state_from_string(s);
                return r;
        case PROPERTY_SUB_STATE:
                r = sd_bus_message_read(m, "s", &s);
                if (r >= 0)
                        facts->auto_restart = strcmp(s, "auto-restart") == 0;
                return r;
        case PROPERTY_JOB:
                r = sd_bus_message_read(m, "(uo)", &id, &path);
                if (r >= 0)
                        facts->has_job = id != 0;
                return r;
        case PROPERTY_INVOCATION_ID:
                r = sd_bus_message_read_array(m, 'y', &bytes, &n);
                if (r >= 0 && n == INVOCATION_ID_SIZE)
                        memcpy(facts->invocation, bytes, n);
                return r;
        case PROPERTY_REFUSE_MANUAL_START:
        case PROPERTY_REFUSE_MANUAL_STOP:
                r = sd_bus_message_read(m, "b", &b);
                if (r >= 0)
                        *(p == PROPERTY_REFUSE_MANUAL_START ? &facts->refuse_manual_start
                                                            : &facts->refuse_manual_stop) = b;
                return r;
        case PROPERTY_INACTIVE_EXIT:
                return sd_bus_message_read(m, "t", &facts->inactive_exit);
        case PROPERTY_ACTIVE_ENTER:
                return sd_bus_message_read(m, "t", &facts->active_enter);
        case PROPERTY_FREEZER_STATE:
                r = sd_bus_message_read(m, "s", &s);
                if (r >= 0)
                        facts->frozen = strcmp(s, "running") != 0;
                return r;
        default:
                return -EINVAL;
        }
}

/* One {sv} of a GetAll reply: returns 1, 0 at the end, negative errno for a reply that is none. */
static int read_unit_entry(sd_bus_message *m, UnitFacts *facts) {
        UnitProperty p;
        const char *name;
        int r;

        r = sd_bus_message_enter_container(m, 'e', "sv");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        for (p = 0; p < _UNIT_PROPERTY_MAX; p++)
                if (strcmp(unit_properties[p].name, name) == 0)
                        break;
        if (p == _UNIT_PROPERTY_MAX) {
                r = sd_bus_message_skip(m, "v");
                if (r < 0)
                        return r;
                return sd_bus_message_exit_container(m) < 0 ? -EBADMSG : 1;
        }
        r = sd_bus_message_enter_container(m, 'v', unit_properties[p].type);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        r = read_unit_property(m, p, facts);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

int unit_facts_read(sd_bus_message *m, UnitFacts *facts) {
        int r;

        assert(m);
        assert(facts);

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        do
                r = read_unit_entry(m, facts);
        while (r > 0);
        return r;
}

static int on_unit_read(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        UnitReader *reader = userdata;
        CallResult result;
        int r;

        result = call_result(m);
        if (result == CALL_OK) {
                r = unit_facts_read(m, &reader->facts);
                if (r < 0)
                        result = CALL_FAILED;
        }
        /* Replies that are still to come are late beyond all order: nobody waits for them. */
        unit_reader_cancel(reader);
        reader->handler(reader, result, &reader->facts, reader->userdata);
        return 0;
}

/* Which of the service's properties a reply is for shows in the slot it came by. */
static int on_service_read(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        UnitReader *reader = userdata;
        sd_bus_slot *slot = sd_bus_get_current_slot(sd_bus_message_get_bus(m));
        const char *s;

        if (sd_bus_message_is_method_error(m, NULL))
                return 0;
        if (slot == reader->slots[1]) {
                if (sd_bus_message_read(m, "v", "s", &s) >= 0)
                        reader->facts.start_limit_hit = strcmp(s, "start-limit-hit") == 0;
        } else if (slot == reader->slots[2])
                (void) sd_bus_message_read(m, "v", "t", &reader->facts.timeout_start);
        else if (slot == reader->slots[3])
                (void) sd_bus_message_read(m, "v", "t", &reader->facts.timeout_stop);
        else if (slot == reader->slots[4])
                (void) sd_bus_message_read(m, "v", "u", &reader->facts.n_restarts);
        return 0;
}

int unit_reader_start(UnitReader *reader, Systemd *s, const char *unit, UnitReadHandler handler,
                      void *userdata) {
        _cleanup_free_ char *path = NULL;
        int r;

        assert(reader);
        assert(!unit_reader_is_busy(reader));
        assert(s);
        assert(unit);
        assert(handler);

        if (!s->bus)
                return -ENOTCONN;
        r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, &path);
        if (r < 0)
                return r;

        *reader = (UnitReader){ .handler = handler, .userdata = userdata };
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(service_properties); i++)
                r = sd_bus_call_method_async(s->bus, &reader->slots[i + 1], SYSTEMD_NAME, path, PROPERTIES,
                                             "Get", on_service_read, reader, "ss", SYSTEMD_SERVICE,
                                             service_properties[i]);
        if (r >= 0)
                r = sd_bus_call_method_async(s->bus, &reader->slots[0], SYSTEMD_NAME, path, PROPERTIES,
                                             "GetAll", on_unit_read, reader, "s", SYSTEMD_UNIT);
        if (r < 0) {
                unit_reader_cancel(reader);
                return r;
        }
        reader->busy = true;
        return 0;
}

void unit_reader_cancel(UnitReader *reader) {
        assert(reader);

        for (size_t i = 0; i < ELEMENTSOF(reader->slots); i++)
                reader->slots[i] = sd_bus_slot_unref(reader->slots[i]);
        reader->busy = false;
}

/* ---- Watching a unit -------------------------------------------------------------------------------------- */

static int on_unit_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        UnitWatch *watch = userdata;

        watch->handler(watch, watch->userdata);
        return 0;
}

int unit_watch_start(UnitWatch *watch, Systemd *s, const char *unit, UnitWatchHandler handler,
                     void *userdata) {
        _cleanup_free_ char *path = NULL;
        char match[MATCH_MAX];
        int r;

        assert(watch);
        assert(s);
        assert(unit);
        assert(handler);

        if (watch->slot)
                return 0;
        if (!s->bus)
                return -ENOTCONN;
        r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, &path);
        if (r < 0)
                return r;
        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='" SYSTEMD_NAME "',path='%s',interface='" PROPERTIES
                        "',member='PropertiesChanged',arg0='" SYSTEMD_UNIT "'",
                        path);
        watch->handler = handler;
        watch->userdata = userdata;
        return MIN(sd_bus_add_match_async(s->bus, &watch->slot, match, on_unit_changed,
                                          systemd_match_installed, watch),
                   0);
}

void unit_watch_stop(UnitWatch *watch) {
        assert(watch);

        watch->slot = sd_bus_slot_unref(watch->slot);
}

/* ---- A job ------------------------------------------------------------------------------------------------ */

static void copy_text(char *buf, size_t size, const char *s) {
        (void) snprintf(buf, size, "%s", s);
}

static void job_is_over(UnitJob *job, const char *result) {
        job->match = sd_bus_slot_unref(job->match);
        job->handlers->removed(job, job_hint_from_result(result), result, job->userdata);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path, *unit, *result;
        UnitJob *job = userdata;
        uint32_t id;
        int r;

        r = sd_bus_message_read(m, "uoss", &id, &path, &unit, &result);
        if (r < 0 || strcmp(unit, job->unit) != 0)
                return 0;
        if (job->path[0] == '\0') {
                /* Ours may be among those that end before the reply names it. */
                copy_text(job->early, sizeof(job->early), path);
                copy_text(job->early_result, sizeof(job->early_result), result);
                return 0;
        }
        if (strcmp(job->path, path) == 0)
                job_is_over(job, result);
        return 0;
}

static int on_job_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        CallResult result = call_result(m);
        const char *path = NULL;
        UnitJob *job = userdata;
        int r;

        job->call = sd_bus_slot_unref(job->call);
        if (result == CALL_OK) {
                r = sd_bus_message_read(m, "o", &path);
                if (r < 0)
                        result = CALL_LOST; /* no reply that anybody understands: the unit will tell */
        }
        if (path)
                copy_text(job->path, sizeof(job->path), path);

        job->handlers->replied(job, result, e && e->message ? e->message : "", job->userdata);
        /* The handler may have let go of the match, or begun another job here: then this one's end is no news. */
        if (job->match && job->early[0] != '\0' && strcmp(job->early, job->path) == 0)
                job_is_over(job, job->early_result);
        return 0;
}

static int match_job(UnitJob *job, Systemd *s) {
        return sd_bus_add_match_async(s->bus, &job->match,
                                      "type='signal',sender='" SYSTEMD_NAME "',path='" SYSTEMD_PATH
                                      "',interface='" SYSTEMD_MANAGER "',member='JobRemoved'",
                                      on_job_removed, systemd_match_installed, job);
}

int unit_job_start(UnitJob *job, Systemd *s, UnitAction verb, const char *unit, const char *mode,
                   const UnitJobHandlers *handlers, void *userdata) {
        static const char *const methods[_UNIT_ACTION_MAX] = {
                [UNIT_ACTION_TRY_RESTART] = "TryRestartUnit",
                [UNIT_ACTION_RESTART] = "RestartUnit",
                [UNIT_ACTION_START] = "StartUnit",
        };
        int r;

        assert(job);
        assert(s);
        assert(unit);
        assert(mode);
        assert(handlers);
        assert(verb >= 0 && verb < _UNIT_ACTION_MAX);

        if (!s->bus)
                return -ENOTCONN;
        *job = (UnitJob){ .unit = unit, .handlers = handlers, .userdata = userdata };
        r = match_job(job, s);
        if (r >= 0)
                r = sd_bus_call_method_async(s->bus, &job->call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                             methods[verb], on_job_reply, job, "ss", unit, mode);
        if (r < 0) {
                unit_job_detach(job);
                return r;
        }
        return 0;
}

int unit_job_resume(UnitJob *job, Systemd *s) {
        assert(job);
        assert(s);

        if (!s->bus)
                return -ENOTCONN;
        job->match = sd_bus_slot_unref(job->match);
        return MIN(match_job(job, s), 0);
}

void unit_job_detach(UnitJob *job) {
        assert(job);

        job->call = sd_bus_slot_unref(job->call);
        job->match = sd_bus_slot_unref(job->match);
}
