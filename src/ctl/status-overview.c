/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* status without arguments: the observer's card, then one line for everything that is not well. */

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "bus/bus-names.h"
#include "ctl/card.h"
#include "ctl/format.h"
#include "ctl/past.h"
#include "ctl/status.h"
#include "ctl/unread.h"
#include "util/instance.h"
#include "util/parse.h"
#include "util/text.h"
#include "util/unit-name.h"

static Health fleet_health(const Status *s) {
        Health h = strcmp(s->observer.state, BUS_STATE_DEGRADED_CONFIG) == 0 ? HEALTH_DEGRADED : HEALTH_OK;

        if (s->observer.degraded + s->observer.critical > 0)
                h = HEALTH_DEGRADED;
        if (s->observer.stalled > 0)
                h = HEALTH_STALLED;
        for (size_t i = 0; i < s->units.n_rows; i++)
                h = MAX(h, unit_health(&s->units.rows[i]));
        for (size_t i = 0; i < s->agents.n_rows; i++)
                h = MAX(h, agent_health(&s->agents.rows[i]));
        return h;
}

/* Recoveries that the card tells of, and decisions that are looked through for them. */
#define LATEST_MAX     3U
#define LATEST_LOOK_AT 64U

static bool is_recovery(const PastRow *p) {
        return strcmp(p->kind, "finished") == 0 || strcmp(p->kind, "gave-up") == 0;
}

/* Deserves a line: not well, or recovery is at work, or was told not to be. */
static bool unit_is_notable(const UnitRow *u) {
        return unit_health(u) != HEALTH_OK || strcmp(u->state, BUS_UNIT_OK) != 0;
}

static void put_since(const Status *s) {
        char date[FORMAT_TIME_MAX], ago[FORMAT_TIME_MAX];

        /* It is known since when it runs, and not since when it is in trouble. */
        if (s->has_clock)
                card_line("State", "%s%s since %s; %s", s->observer.state,
                          strcmp(s->observer.state, BUS_STATE_RUNNING) == 0 ? "" : ", up",
                          format_timestamp(date, sizeof(date), s->observer.start + s->offset),
                          format_relative(ago, sizeof(ago), s->observer.start, s->now));
        else
                card_line("State", "%s", s->observer.state);
}

static void put_beats(const Status *s) {
        uint64_t beats = observer_view_counter(&s->observer, "Beats");
        usec_t up = nsec_sub(s->now, s->observer.start);

        if (s->has_clock && up >= USEC_PER_SEC)
                card_line("Beats", "%" PRIu64 ", %.1f/s since the start", beats,
                          (double) beats * (double) USEC_PER_SEC / (double) up);
        else
                card_line("Beats", "%" PRIu64, beats);
}

static void put_listeners(const Status *s) {
        for (size_t i = 0; i < s->observer.n_listeners; i++) {
                const ListenerRow *l = &s->observer.listeners[i];

                card_line(i == 0 ? "Listeners" : "", "%s (%s, %s), %" PRIu64 " datagram%s", l->address,
                          l->name, l->transport, l->datagrams, plural(l->datagrams));
        }
}

static void put_unread(const Status *s, char **sockets) {
        char service[INSTANCE_NAME_SIZE];

        (void) instance_name(service, "varta", s->options->instance, ".service");
        for (size_t i = 0; sockets && sockets[i]; i++)
                card_line(i == 0 ? "Not read" : "", "%s; begin with: systemctl restart %s", sockets[i],
                          service);
}

/* What holds recovery back by hand, or by too much of it. */
static void put_holds(const Status *s) {
        char span[FORMAT_TIME_MAX], pause[STATUS_PAUSE_SIZE];

        for (size_t i = 0; i < s->observer.n_pauses; i++)
                card_line(i == 0 ? "Paused" : "", "%s",
                          status_pause(s, &s->observer.pauses[i], pause, sizeof(pause)));

        if (s->has_clock && s->observer.brake_until > s->now)
                card_line("Storm brake", "holds, ends %s; release it with: varta-ctl resume brake",
                          format_relative(span, sizeof(span), s->observer.brake_until, s->now));
}

/* The last recoveries that ended, however they did. */
static void put_latest(const Status *s, const PastView *past) {
        usec_t now = now_usec(CLOCK_REALTIME);
        char ago[FORMAT_TIME_MAX];
        unsigned shown = 0;

        for (size_t i = 0; i < past->n_rows && shown < LATEST_MAX; i++) {
                const PastRow *p = &past->rows[i];

                if (!is_recovery(p))
                        continue;
                card_line(shown++ == 0 ? "Latest" : "", "%s: %s, %s", p->unit,
                          p->reason[0] ? p->reason : p->kind,
                          format_relative(ago, sizeof(ago), p->when, MAX(now, p->when)));
        }
}

/* The counters of a dictionary that are not zero. */
static void put_dictionary(const Status *s, CardList *list, const char *name) {
        for (size_t i = 0; i < s->observer.n_counters; i++) {
                const CounterRow *c = &s->observer.counters[i];

                if (c->key && c->value > 0 && strcmp(c->name, name) == 0)
                        card_list_add(list, "%" PRIu64 " %s", c->value, c->key);
        }
}

/* A counter, and what one of it and several are called; the same where it is no noun. */
typedef struct Words {
        const char *counter, *one, *many;
} Words;

static void put_counters(const Status *s, CardList *list, const Words *words, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uint64_t value = observer_view_counter(&s->observer, words[i].counter);

                if (value > 0)
                        card_list_add(list, "%" PRIu64 " %s", value,
                                      value == 1 ? words[i].one : words[i].many);
        }
}

static void put_refused_frames(const Status *s) {
        static const Words refusals[] = {
                { "MisSized", "mis-sized", "mis-sized" },
                { "ControlTruncated", "control-truncated", "control-truncated" },
                { "IoErrors", "receive error", "receive errors" },
                { "AuthFailures", "auth failure", "auth failures" },
                { "NamespaceDrops", "foreign namespace", "foreign namespaces" },
                { "PidAboveMaxDrops", "pid above the maximum", "pids above the maximum" },
                { "OriginConflicts", "origin conflict", "origin conflicts" },
                { "NamespaceConflicts", "namespace conflict", "namespace conflicts" },
                { "OutOfOrder", "out of order", "out of order" },
                { "CapacityExceeded", "beyond the capacity", "beyond the capacity" },
                { "DecryptFailures", "not decrypted", "not decrypted" },
                { "ReplaysRefused", "replay", "replays" },
                { "SenderTableFull", "beyond the sender table", "beyond the sender table" },
        };
        uint64_t limited = observer_view_sum(&s->observer, "RateLimited");
        CardList list = { "Refused" };

        put_dictionary(s, &list, "DecodeErrors");
        put_counters(s, &list, refusals, ELEMENTSOF(refusals));
        if (limited > 0)
                card_list_add(&list, "%" PRIu64 " rate limited", limited);
        card_list_end(&list);
}

/* What was lost on the way, to us or from us: nobody should have to look for that. */
static void put_losses(const Status *s) {
        static const Words losses[] = {
                { "QueueDrops", "datagram dropped by the kernel", "datagrams dropped by the kernel" },
                { "SignalsSuppressed", "bus signal", "bus signals" },
                { "JournalDropped", "journal record", "journal records" },
        };
        CardList list = { "Lost" };

        put_counters(s, &list, losses, ELEMENTSOF(losses));
        card_list_end(&list);
}

static void put_observer(const Status *s, const PastView *past, char **unread, Health health) {
        char description[FORMAT_TIME_MAX], span[FORMAT_TIMESPAN_MAX], name[INSTANCE_NAME_SIZE];
        CardList recoveries = { "Recoveries" }, passed = { "Passed over" };

        (void) snprintf(description, sizeof(description), "heartbeat observer %s", s->observer.version);
        card_title(health_info[health].colour, GLYPH_DOT,
                   instance_name(name, "varta", s->options->instance, ""), description);
        put_since(s);
        if (s->observer.config_error[0])
                card_line("Error", "%s", s->observer.config_error);
        card_line("Agents", "%u of %u, %u stalled", s->observer.tracked, s->observer.capacity,
                  s->observer.stalled);
        card_line("Threshold", "%s (%s clock)",
                  format_timespan(span, sizeof(span), s->observer.threshold * NSEC_PER_USEC),
                  s->observer.clock_source);
        put_beats(s);
        put_listeners(s);
        put_unread(s, unread);
        put_holds(s);
        put_dictionary(s, &recoveries, "RecoveryOutcomes");
        card_list_end(&recoveries);
        put_latest(s, past);
        put_dictionary(s, &passed, "RecoveryRefusals");
        card_list_end(&passed);
        put_refused_frames(s);
        put_losses(s);
}

static void put_unit_line(const Status *s, const UnitRow *u) {
        char name[UNIT_NAME_MAX * 4], buf[FORMAT_TIME_MAX];

        (void) printf("%s%s%s %s: ", output_colour(unit_colour(u)), output_glyph(unit_glyph(u)),
                      output_colour(COLOUR_NONE), output_text(name, sizeof(name), u->name));
        if (u->stalled > 0)
                (void) printf("%u of %u stalled", u->stalled, u->agents);
        else if (u->agents > 0)
                (void) printf("%u agent%s", u->agents, plural(u->agents));
        else
                (void) printf("no agent");
        if (u->critical > 0)
                (void) printf(", %u critical", u->critical);
        if (u->degraded > 0)
                (void) printf(", %u degraded", u->degraded);
        if (strcmp(u->state, BUS_UNIT_OK) != 0 && strcmp(u->state, BUS_UNIT_STALLED) != 0)
                (void) printf(", %s", output_text(name, sizeof(name), u->state));
        if (u->mode[0])
                (void) printf(", mode %s", output_text(name, sizeof(name), u->mode));
        if (u->last_outcome[0])
                (void) printf(", last outcome %s", output_text(name, sizeof(name), u->last_outcome));
        if (s->has_clock && u->backoff_until > s->now)
                (void) printf(", next try %s", format_relative(buf, sizeof(buf), u->backoff_until, s->now));
        (void) fputc('\n', stdout);
}

static void put_agent_line(const Status *s, const AgentRow *a) {
        char buf[FORMAT_TIME_MAX], status[64];
        Health h = agent_health(a);

        (void) printf("%s%s%s pid %u (no unit): %s, last beat %s\n", output_colour(health_info[h].colour),
                      output_glyph(GLYPH_DOT), output_colour(COLOUR_NONE), a->pid,
                      a->stalled ? "stalled" : output_text(status, sizeof(status), a->status),
                      status_relative(s, a->last_beat, buf, sizeof(buf)));
}

/* Units of which nothing is to be said but that they are paused: more of them than this are summed up. What paused them is
 * on the card, and a pause of everything would drown what is not well. */
#define PAUSED_MAX 10U

static bool is_only_paused(const UnitRow *u) {
        return unit_health(u) == HEALTH_OK && strcmp(u->state, BUS_UNIT_PAUSED) == 0;
}

static void put_notable(const Status *s) {
        size_t paused = 0;
        bool any = false;

        for (size_t i = 0; i < s->units.n_rows; i++)
                paused += is_only_paused(&s->units.rows[i]);

        for (size_t i = 0; i < s->units.n_rows; i++)
                if (unit_is_notable(&s->units.rows[i]) &&
                    (paused <= PAUSED_MAX || !is_only_paused(&s->units.rows[i]))) {
                        (void) fputs(any ? "" : "\n", stdout);
                        any = true;
                        put_unit_line(s, &s->units.rows[i]);
                }

        if (paused > PAUSED_MAX) {
                (void) printf("%s%s%s%s %zu units: paused; see: varta-ctl units --state=paused\n",
                              any ? "" : "\n", output_colour(COLOUR_YELLOW), output_glyph(GLYPH_CIRCLE),
                              output_colour(COLOUR_NONE), paused);
                any = true;
        }

        /* Agents without a unit come first in the list. */
        for (size_t i = 0; i < s->agents.n_rows && s->agents.rows[i].unit[0] == 0; i++)
                if (agent_health(&s->agents.rows[i]) != HEALTH_OK) {
                        (void) fputs(any ? "" : "\n", stdout);
                        any = true;
                        put_agent_line(s, &s->agents.rows[i]);
                }
}

static void put_overview_json(const Status *s, const PastView *past, char **unread, Health health) {
        json_object *o = observer_view_to_json(&s->observer), *units = json_object_new_array(),
                    *agents = json_object_new_array(), *latest = json_object_new_array(),
                    *sockets = json_object_new_array();
        size_t shown = 0;

        for (size_t i = 0; i < past->n_rows && shown < LATEST_MAX; i++)
                if (is_recovery(&past->rows[i])) {
                        json_object_array_add(latest, past_row_to_json(&past->rows[i]));
                        shown++;
                }

        for (size_t i = 0; i < s->units.n_rows; i++)
                if (unit_is_notable(&s->units.rows[i]))
                        json_object_array_add(units, unit_row_to_json(&s->units.rows[i]));
        for (size_t i = 0; i < s->agents.n_rows; i++)
                if (agent_health(&s->agents.rows[i]) != HEALTH_OK)
                        json_object_array_add(agents, agent_row_to_json(&s->agents.rows[i]));

        for (size_t i = 0; unread && unread[i]; i++)
                json_object_array_add(sockets, json_object_new_string(unread[i]));

        json_object_object_add(o, "health", json_object_new_string(health_info[health].name));
        json_object_object_add(o, "unread_sockets", sockets);
        json_object_object_add(o, "latest_recoveries", latest);
        json_object_object_add(o, "notable_units", units);
        json_object_object_add(o, "notable_agents", agents);
        output_json(s->options->json, o);
}

CtlExit status_show_overview(const Status *s) {
        const PastQuery query = { .options = s->options, .max = LATEST_LOOK_AT };
        _cleanup_(unread_sockets_freep) char **unread = NULL;
        _cleanup_(past_view_done) PastView past = {};
        char service[INSTANCE_NAME_SIZE];
        Health health = fleet_health(s);

        /* An observer too old to tell, or a systemd that does not, is no reason to say nothing. */
        (void) past_view_fetch(s->bus, &query, &past, NULL);
        (void) unread_sockets(s->bus, instance_name(service, "varta", s->options->instance, ".service"),
                              &s->observer, &unread);

        if (s->options->json != JSON_OFF) {
                put_overview_json(s, &past, unread, health);
        } else {
                output_page(s->options);
                put_observer(s, &past, unread, health);
                put_notable(s);
        }

        return health_info[health].code;
}
