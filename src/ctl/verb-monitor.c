/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * monitor: the observer's signals, one line each, as they come.
 *
 * Watching is only listening: it starts no observer, and goes on when the observer restarts. Every line is flushed at
 * once, so that a pipe sees it when it happens. Each carries the moment of its arrival here; in JSON that is µs of
 * CLOCK_MONOTONIC, the clock of the times inside the signal.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-event.h>

#include "bus/bus-names.h"
#include "ctl/format.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "util/bus-forged.h"
#include "util/text.h"

#define FIELDS_MAX 9

/* The longest line: a unit's name and a sentence. */
#define LINE_SIZE 1024U

/* A signal, its arguments' names (for JSON, where times say their unit) and how it reads. */
typedef struct SignalInfo {
        const char *member;
        const char *fields[FIELDS_MAX + 1];
        Colour colour;
        void (*put)(json_object *o, char *buf, size_t size);
} SignalInfo;

typedef struct Monitor {
        const Options *options;
        sd_event *event;
        CtlExit code;
} Monitor;

static const char *get_text(json_object *o, const char *key) {
        json_object *value;

        return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) ?: "" : "";
}

static uint64_t get_u64(json_object *o, const char *key) {
        json_object *value;

        return json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value) : 0;
}

static json_object *get_object(json_object *o, const char *key) {
        json_object *value;

        return json_object_object_get_ex(o, key, &value) ? value : NULL;
}

/* "worker.service pid 12", as far as there are such. */
static const char *get_subject(json_object *o, char *buf, size_t size) {
        const char *unit = get_text(o, "unit");
        uint64_t pid = get_u64(o, "pid");

        if (pid == 0)
                (void) snprintf(buf, size, "%s", unit);
        else
                (void) snprintf(buf, size, "%s%spid %" PRIu64, unit, unit[0] ? " " : "", pid);
        return buf;
}

static const char *get_span(json_object *o, const char *key, char *buf, size_t size) {
        return format_rough_span(buf, size, get_u64(o, key));
}

static void put_appeared(json_object *o, char *buf, size_t size) {
        char subject[LINE_SIZE];

        (void) snprintf(buf, size, "%s: %s, status %s", get_subject(o, subject, sizeof(subject)),
                        get_text(o, "origin"), get_text(o, "status"));
}

static void put_exited(json_object *o, char *buf, size_t size) {
        char subject[LINE_SIZE];
        const char *detail = get_text(o, "detail");

        (void) snprintf(buf, size, "%s: %s%s%s", get_subject(o, subject, sizeof(subject)),
                        get_text(o, "reason"), detail[0] ? ", " : "", detail);
}

static void put_resumed(json_object *o, char *buf, size_t size) {
        char subject[LINE_SIZE];

        (void) snprintf(buf, size, "%s: beats again, status %s", get_subject(o, subject, sizeof(subject)),
                        get_text(o, "status"));
}

static void put_status(json_object *o, char *buf, size_t size) {
        char subject[LINE_SIZE];

        (void) snprintf(buf, size, "%s: %s, was %s", get_subject(o, subject, sizeof(subject)),
                        get_text(o, "new_status"), get_text(o, "old_status"));
}

static void put_stall(json_object *o, char *buf, size_t size) {
        uint64_t last = get_u64(o, "last_beat_usec"), now = get_u64(o, "received_usec");
        char subject[LINE_SIZE], span[FORMAT_TIME_MAX];

        (void) get_subject(o, subject, sizeof(subject));
        if (last > 0 && now > last)
                (void) snprintf(buf, size, "%s: %s for %s, last nonce %" PRIu64, subject,
                                get_text(o, "reason"), format_rough_span(span, sizeof(span), now - last),
                                get_u64(o, "last_nonce"));
        else
                (void) snprintf(buf, size, "%s: %s", subject, get_text(o, "reason"));
}

static void put_recovery(json_object *o, char *buf, size_t size) {
        const char *outcome = get_text(o, "outcome");
        uint64_t attempt = get_u64(o, "attempt");
        char subject[LINE_SIZE];

        (void) get_subject(o, subject, sizeof(subject));
        if (!outcome[0])
                outcome = get_text(o, "reason");
        if (attempt > 0)
                (void) snprintf(buf, size, "%s: %s, attempt %" PRIu64, subject, outcome, attempt);
        else
                (void) snprintf(buf, size, "%s: %s", subject, outcome);
}

static void put_gave_up(json_object *o, char *buf, size_t size) {
        char span[FORMAT_TIME_MAX];

        (void) snprintf(buf, size, "%s: restarted %" PRIu64 " time%s within %s", get_text(o, "unit"),
                        get_u64(o, "restarts"), plural(get_u64(o, "restarts")),
                        get_span(o, "window_usec", span, sizeof(span)));
}

static void put_rejected(json_object *o, char *buf, size_t size) {
        const char *class = get_text(o, "class"), *detail = get_text(o, "detail");
        uint64_t claimed = get_u64(o, "claimed_pid"),
                 attested = get_u64(get_object(o, "details"), "AttestedPid");
        const char *peer = get_text(get_object(o, "details"), "Peer");
        char from[64] = "", claim[64] = "";

        /* Who is to be looked for: the kernel says so, whatever the frame does. */
        if (attested > 0)
                (void) snprintf(from, sizeof(from), ", from pid %" PRIu64, attested);
        else if (peer[0])
                (void) snprintf(from, sizeof(from), ", from %s", peer);
        if (claimed > 0)
                (void) snprintf(claim, sizeof(claim), ", claiming to be pid %" PRIu64, claimed);
        (void) snprintf(buf, size, "%s%s%s%s%s", class, detail[0] ? " " : "", detail, from, claim);
}

static void put_jump(json_object *o, char *buf, size_t size) {
        char span[FORMAT_TIME_MAX];

        (void) snprintf(buf, size, "%s clock, by %s", get_text(o, "clock"),
                        get_span(o, "jump_usec", span, sizeof(span)));
}

static void put_overloaded(json_object *o, char *buf, size_t size) {
        char span[FORMAT_TIME_MAX];

        if (strcmp(get_text(o, "phase"), BUS_OVERLOADED_BEGIN) == 0)
                (void) snprintf(buf, size, "verdicts wait, up to %s",
                                get_span(o, "max_deferral_usec", span, sizeof(span)));
        else
                (void) snprintf(buf, size, "no more; %" PRIu64 " datagram%s lost so far", get_u64(o, "lost"),
                                plural(get_u64(o, "lost")));
}

static void put_storm(json_object *o, char *buf, size_t size) {
        char span[FORMAT_TIME_MAX];

        (void) snprintf(buf, size, "%" PRIu64 " more %s within %s", get_u64(o, "count"), get_text(o, "kind"),
                        get_span(o, "window_usec", span, sizeof(span)));
}

static const SignalInfo signals[] = {
        { "AgentAppeared", { "id", "pid", "unit", "origin", "status" }, COLOUR_GREEN, put_appeared },
        { "AgentExited", { "id", "pid", "unit", "reason", "detail" }, COLOUR_BOLD, put_exited },
        { "Resumed", { "id", "pid", "unit", "reason", "status" }, COLOUR_GREEN, put_resumed },
        { "StatusChanged", { "id", "pid", "unit", "old_status", "new_status" }, COLOUR_YELLOW, put_status },
        { "Stall",
          { "id", "pid", "unit", "invocation", "reason", "last_beat_usec", "last_nonce", "deadline_usec",
            "details" },
          COLOUR_RED,
          put_stall },
        { "RecoveryStarted",
          { "id", "pid", "unit", "invocation", "reason", "attempt" },
          COLOUR_YELLOW,
          put_recovery },
        { "RecoveryFinished",
          { "id", "pid", "unit", "invocation", "outcome", "attempt" },
          COLOUR_BOLD,
          put_recovery },
        { "RecoveryRefused",
          { "id", "pid", "unit", "invocation", "reason", "attempt" },
          COLOUR_YELLOW,
          put_recovery },
        { "GaveUp", { "unit", "restarts", "window_usec" }, COLOUR_RED, put_gave_up },
        { "Rejected", { "class", "claimed_pid", "detail", "details" }, COLOUR_YELLOW, put_rejected },
        { "ClockJumped", { "clock", "count", "jump_usec" }, COLOUR_YELLOW, put_jump },
        { "Overloaded", { "phase", "lost", "max_deferral_usec" }, COLOUR_YELLOW, put_overloaded },
        { "StormSummary", { "kind", "count", "window_usec" }, COLOUR_YELLOW, put_storm },
};

static const SignalInfo *find_signal(const char *member) {
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                if (strcmp(signals[i].member, member) == 0)
                        return &signals[i];
        return NULL;
}

/* A basic value under a name. Returns 0, -ENOENT for a type that has no place here, or another negative errno. */
static int add_basic(json_object *o, sd_bus_message *m, char type, const char *name) {
        union {
                const char *s;
                uint64_t t;
                uint32_t u;
                int b;
        } v;
        json_object *value;
        int r;

        if (!strchr("stub", type))
                return -ENOENT;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;

        if (type == 's')
                value = v.s[0] ? json_object_new_string(v.s) : NULL;
        else if (type == 'b')
                value = json_object_new_boolean(v.b);
        else
                value = json_object_new_uint64(type == 't' ? v.t : v.u);
        json_object_object_add(o, name, value);
        return 0;
}

/* The dictionary of details: what has no place here is passed over. */
static int add_details(json_object *o, sd_bus_message *m, const char *name) {
        json_object *details = json_object_new_object();
        const char *key, *type;
        int r;

        json_object_object_add(o, name, details);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                r = sd_bus_message_peek_type(m, NULL, &type);
                if (r < 0)
                        return r;
                r = sd_bus_message_enter_container(m, 'v', type);
                if (r < 0)
                        return r;
                if (add_basic(details, m, type[0], key) == -ENOENT)
                        r = sd_bus_message_skip(m, NULL);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static int add_arguments(json_object *o, sd_bus_message *m, const SignalInfo *info) {
        for (size_t i = 0; info->fields[i]; i++) {
                char type;
                int r;

                r = sd_bus_message_peek_type(m, &type, NULL);
                if (r <= 0) /* An older observer says less. */
                        return r;
                r = type == 'a' ? add_details(o, m, info->fields[i])
                                : add_basic(o, m, type, info->fields[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Writes one event. Ends the loop when nobody reads any more. */
static void put_event(Monitor *m, json_object *o, Colour colour, const char *text) {
        char line[LINE_SIZE], time_of_day[FORMAT_TIME_MAX];

        if (m->options->json != JSON_OFF) {
                output_json(m->options->json, json_object_get(o));
        } else {
                (void) output_text(line, sizeof(line), text);
                (void) printf("%s %s%-16s%s %s\n",
                              format_time_of_day(time_of_day, sizeof(time_of_day),
                                                 get_u64(o, "realtime_usec")),
                              output_colour(colour), get_text(o, "event"), output_colour(COLOUR_NONE), line);
        }

        if (!output_flush())
                (void) sd_event_exit(m->event, 0);
}

static json_object *new_event(const char *name) {
        json_object *o = json_object_new_object();

        json_object_object_add(o, "event", json_object_new_string(name));
        json_object_object_add(o, "received_usec", json_object_new_uint64(now_usec(CLOCK_MONOTONIC)));
        json_object_object_add(o, "realtime_usec", json_object_new_uint64(now_usec(CLOCK_REALTIME)));
        return o;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const SignalInfo *info = find_signal(sd_bus_message_get_member(message));
        json_object *o = new_event(sd_bus_message_get_member(message));
        Monitor *m = userdata;
        char text[LINE_SIZE];

        text[0] = 0;
        if (info && add_arguments(o, message, info) >= 0)
                info->put(o, text, sizeof(text));
        put_event(m, o, info ? info->colour : COLOUR_NONE, text);
        json_object_put(o);
        return 0;
}

static int on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *old_owner, *new_owner;
        Monitor *m = userdata;
        json_object *o;

        if (sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0)
                return 0;

        o = new_event(new_owner[0] ? "ObserverStarted" : "ObserverStopped");
        put_event(m, o, COLOUR_BOLD, "");
        json_object_put(o);
        return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Monitor *m = userdata;

        ctl_error("The connection to the bus was lost.");
        m->code = CTL_UNREACHABLE;
        return sd_event_exit(m->event, 0);
}

static int subscribe(Monitor *m, sd_bus *bus) {
        char match[256]; /* has room for every name */
        int r;

        r = bus_refuse_forged(bus, NULL);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(bus, NULL, link_name(), BUS_PATH, BUS_INTERFACE, NULL, on_signal, m);
        if (r < 0)
                return r;
        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                        "member='NameOwnerChanged',arg0='%s'",
                        link_name());
        r = sd_bus_add_match(bus, NULL, match, on_owner_changed, m);
        if (r < 0)
                return r;
        return sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                   "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, m);
}

/* Whether there is an observer, or may be one as soon as something beats. */
static CtlExit check_observer(const Options *options, sd_bus *bus) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *ping = NULL;
        int r;

        r = link_new_call(bus, "org.freedesktop.DBus.Peer", "Ping", &ping);
        if (r >= 0)
                r = sd_bus_call(bus, ping, 0, &error, NULL);
        if (r < 0 && !link_is_idle(options, bus, &error))
                return link_failed(options, bus, r, &error);
        return CTL_OK;
}

CtlExit verb_monitor(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Monitor m = { .options = options };
        int r;

        m.code = link_open(options, &bus);
        if (m.code != CTL_OK)
                return m.code;

        r = sd_event_new(&event);
        if (r < 0)
                return link_failed(options, bus, r, NULL);
        m.event = event;

        r = subscribe(&m, bus);
        if (r < 0)
                return link_failed(options, bus, r, NULL);
        m.code = check_observer(options, bus);
        if (m.code != CTL_OK)
                return m.code;
        if (!options->quiet)
                ctl_error("Watching %s; press Ctrl-C to end.", link_name());

        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_event_loop(event);
        if (r < 0)
                return link_failed(options, bus, r, NULL);
        return m.code;
}
