/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* status with arguments: the cards of units and processes. */

#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>

#include "bus/bus-names.h"
#include "ctl/card.h"
#include "ctl/format.h"
#include "ctl/past.h"
#include "ctl/pattern.h"
#include "ctl/policy.h"
#include "ctl/status.h"
#include "util/unit-name.h"

/* Agents of a unit that have a line on its card. */
#define MEMBERS_MAX 10U

/* The observer looks through all of its agents to find those of one unit, sixteen thousand at a turn. For more units
 * than this it is less work for everybody to be told of all. */
#define UNITS_ASKED_MAX 8U

/* Whether it is this process that is paused. */
static bool is_paused_alone(const PauseRow *p, const AgentRow *a) {
        uint32_t pid;

        return pattern_is_process(p->what, &pid) && a->pid == pid;
}

/* What holds all agents of a unit ("": those without one). */
static bool pause_covers(const PauseRow *p, const char *unit) {
        uint32_t pid;

        if (!p->what[0])
                return true;
        return unit[0] && !pattern_is_process(p->what, &pid) && unit_glob_match(p->what, unit);
}

/* A unit, or one of its processes: its state says nothing of those. */
static bool pause_holds_unit(const Status *s, const PauseRow *p, const UnitRow *u) {
        if (pause_covers(p, u->name))
                return true;
        for (size_t i = 0; i < s->agents.n_rows; i++)
                if (is_paused_alone(p, &s->agents.rows[i]) && strcmp(s->agents.rows[i].unit, u->name) == 0)
                        return true;
        return false;
}

/* A unit or (u NULL) an agent. */
static bool pause_holds(const Status *s, const PauseRow *p, const UnitRow *u, const AgentRow *a) {
        return u ? pause_holds_unit(s, p, u) : pause_covers(p, a->unit) || is_paused_alone(p, a);
}

/* What holds recovery of it back, since nobody else says until when and why. */
static void put_pauses(const Status *s, const UnitRow *u, const AgentRow *a) {
        char text[STATUS_PAUSE_SIZE];
        const char *label = "Paused";

        for (size_t i = 0; i < s->observer.n_pauses; i++) {
                const PauseRow *p = &s->observer.pauses[i];

                if (!pause_holds(s, p, u, a))
                        continue;
                card_line(label, "%s", status_pause(s, p, text, sizeof(text)));
                label = "";
        }
}

static json_object *pauses_to_json(const Status *s, const UnitRow *u, const AgentRow *a) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < s->observer.n_pauses; i++) {
                const PauseRow *p = &s->observer.pauses[i];

                if (pause_holds(s, p, u, a))
                        json_object_array_add(array, pause_row_to_json(p));
        }
        return array;
}

static void put_unit_card(const Status *s, const UnitRow *u) {
        char buf[FORMAT_TIME_MAX], critical[32] = "", degraded[32] = "";

        /* Those who are may be beyond the page of processes that is shown. */
        if (u->critical > 0)
                (void) snprintf(critical, sizeof(critical), ", %u critical", u->critical);
        if (u->degraded > 0)
                (void) snprintf(degraded, sizeof(degraded), ", %u degraded", u->degraded);

        card_title(unit_colour(u), unit_glyph(u), u->name, NULL);
        card_line("State", "%s", u->state);
        if (u->mode[0])
                card_line("Mode", "%s", u->mode);
        put_pauses(s, u, NULL);
        card_line("Agents", "%u, %u stalled%s%s", u->agents, u->stalled, critical, degraded);
        card_line("Restarts", "%" PRIu64, u->restarts);
        if (u->last_outcome[0])
                card_line("Last outcome", "%s", u->last_outcome);
        if (s->has_clock && u->backoff_until > s->now)
                card_line("Next try", "%s", format_relative(buf, sizeof(buf), u->backoff_until, s->now));
}

/* "root (0)", by this machine's names; the number alone for other machines' and unknown users. */
static const char *user_name(const Status *s, uint32_t uid, char *buf, size_t size) {
        const struct passwd *p = s->options->transport == TRANSPORT_LOCAL ? getpwuid(uid) : NULL;

        if (uid == UINT32_MAX)
                (void) snprintf(buf, size, "unknown");
        else if (p)
                (void) snprintf(buf, size, "%s (%u)", p->pw_name, uid);
        else
                (void) snprintf(buf, size, "%u", uid);
        return buf;
}

static void put_agent_card(const Status *s, const AgentRow *a) {
        char title[FORMAT_TIME_MAX], buf[LOGIN_NAME_MAX + FORMAT_TIME_MAX];

        (void) snprintf(title, sizeof(title), "pid %u", a->pid);
        card_title(health_info[agent_health(a)].colour, GLYPH_DOT, title, a->unit[0] ? a->unit : "no unit");
        card_line("Agent", "%" PRIu64 ", %s", a->id, a->stalled ? "stalled" : "alive");
        card_line("Status", "%s, payload %u", a->status, a->payload);
        put_pauses(s, NULL, a);
        card_line("Last beat", "%s, nonce %" PRIu64, status_relative(s, a->last_beat, buf, sizeof(buf)),
                  a->last_nonce);
        card_line("Beats", "%" PRIu64, a->beats);
        card_line("Origin", "%s", a->origin);
        card_line("User", "%s", user_name(s, a->uid, buf, sizeof(buf)));
        if (a->class[0])
                card_line("Class", "%s", a->class);
}

/* Marks what an argument means. Returns whether something was found. */
static bool choose(Status *s, const char *arg) {
        char name[PATTERN_SIZE];
        bool found = false;
        uint32_t pid;

        if (pattern_is_process(arg, &pid)) {
                for (size_t i = 0; i < s->agents.n_rows; i++)
                        if (s->agents.rows[i].pid == pid)
                                found = s->agents.rows[i].chosen = s->agents.rows[i].named = true;
                return found;
        }

        (void) pattern_unit(arg, name);
        for (size_t i = 0; i < s->units.n_rows; i++)
                if (unit_glob_match(name, s->units.rows[i].name))
                        found = s->units.rows[i].chosen = true;
        return found;
}

/* The agents of chosen units. JSON has all of them; a card has a few, and those that are not well first, of as many
 * as one page brings. */
static int find_members(Status *s, sd_bus_error *error) {
        size_t enough = s->options->json == JSON_OFF ? BUS_LIST_AGENTS_MAX : SIZE_MAX, chosen = 0;
        int r;

        for (size_t i = 0; i < s->units.n_rows; i++)
                chosen += s->units.rows[i].chosen;
        if (chosen > UNITS_ASKED_MAX)
                return agents_view_find(s->bus, "", 0, SIZE_MAX, &s->agents, error);

        for (size_t i = 0; i < s->units.n_rows; i++) {
                const UnitRow *u = &s->units.rows[i];

                if (!u->chosen || u->agents == 0)
                        continue;
                r = agents_view_find(s->bus, u->name, 0, enough, &s->agents, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A process that is paused alone may be one of a chosen unit's that the page does not have. */
static int find_paused(Status *s, sd_bus_error *error) {
        uint32_t pid;
        int r;

        for (size_t i = 0; i < s->observer.n_pauses; i++) {
                if (!pattern_is_process(s->observer.pauses[i].what, &pid))
                        continue;
                r = agents_view_find_process(s->bus, pid, &s->agents, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int status_fetch_chosen(Status *s, char **args, size_t n_args, sd_bus_error *error) {
        uint32_t pid;
        int r;

        for (size_t i = 0; i < n_args; i++) {
                if (!pattern_is_process(args[i], &pid)) {
                        (void) choose(s, args[i]);
                        continue;
                }
                r = agents_view_find_process(s->bus, pid, &s->agents, error);
                if (r < 0)
                        return r;
        }
        r = find_members(s, error);
        return r < 0 ? r : find_paused(s, error);
}

/* Events shown below a card, unless --lines= says otherwise. */
#define EVENTS_DEFAULT 10U

/*
 * What happened to a unit or (unit NULL) to a process. The journal knows more than the observer: stalls and exits, and what
 * was before its start; where the journal is not here, or not for our eyes, the observer's decisions stand in for it.
 */
static void fetch_events(const Status *s, const char *unit, uint32_t pid, PastView *ret) {
        char *args[] = { (char *) unit };
        const Options none = { .user = s->options->user, .instance = s->options->instance };
        const PastQuery query = {
                .options = &none,
                .args = args,
                .n_args = unit ? 1 : 0,
                .max = s->options->lines == LINES_DEFAULT ? EVENTS_DEFAULT : s->options->lines,
                .pid = pid,
                .events = true,
        };

        if (s->options->transport == TRANSPORT_LOCAL)
                (void) past_view_read_journal(&query, ret);
        if (ret->n_rows == 0)
                (void) past_view_fetch(s->bus, &query, ret, NULL);
}

static void put_events(const Status *s, const char *unit, uint32_t pid) {
        _cleanup_(past_view_done) PastView past = {};

        fetch_events(s, unit, pid, &past);
        if (past.n_rows > 0)
                (void) fputc('\n', stdout);
        past_view_print(&past, false);
}

static json_object *events_to_json(const Status *s, const char *unit, uint32_t pid) {
        _cleanup_(past_view_done) PastView past = {};

        fetch_events(s, unit, pid, &past);
        return past_view_to_json(&past, false);
}

/* What somebody set; the defaults are for show to tell. */
static void put_policy(const Status *s, const char *unit) {
        _cleanup_(policy_view_done) PolicyView policy = {};
        CardList list = { "Policy" };

        if (policy_view_fetch(s->bus, unit, &policy, NULL) < 0)
                return;
        for (size_t i = 0; i < policy.n_rows; i++)
                if (policy.rows[i].source[0])
                        card_list_add(&list, "%s=%s", policy.rows[i].key, policy.rows[i].value);
        card_list_end(&list);
}

static json_object *policy_to_json(const Status *s, const char *unit) {
        _cleanup_(policy_view_done) PolicyView policy = {};

        return policy_view_fetch(s->bus, unit, &policy, NULL) < 0 ? NULL : policy_view_to_json(&policy);
}

static void put_chosen_json(const Status *s) {
        json_object *o = json_object_new_object(), *units = json_object_new_array(),
                    *agents = json_object_new_array();

        for (size_t i = 0; i < s->units.n_rows; i++) {
                const UnitRow *u = &s->units.rows[i];
                json_object *unit;

                if (!u->chosen)
                        continue;
                unit = unit_row_to_json(u);
                json_object_object_add(unit, "pauses", pauses_to_json(s, u, NULL));
                json_object_object_add(unit, "policy", policy_to_json(s, u->name));
                json_object_object_add(unit, "events", events_to_json(s, u->name, 0));
                json_object_array_add(units, unit);
        }
        for (size_t i = 0; i < s->agents.n_rows; i++) {
                const AgentRow *a = &s->agents.rows[i];
                json_object *agent;

                if (!a->chosen)
                        continue;
                agent = agent_row_to_json(a);
                json_object_object_add(agent, "pauses", pauses_to_json(s, NULL, a));
                if (a->named)
                        json_object_object_add(agent, "events", events_to_json(s, NULL, a->pid));
                json_object_array_add(agents, agent);
        }

        json_object_object_add(o, "units", units);
        json_object_object_add(o, "agents", agents);
        output_json(s->options->json, o);
}

static void put_member(const Status *s, const AgentRow *a, bool first) {
        char buf[FORMAT_TIME_MAX];
        bool paused = false;

        for (size_t i = 0; i < s->observer.n_pauses; i++)
                paused |= is_paused_alone(&s->observer.pauses[i], a);
        card_line(first ? "Processes" : "", "%u, %s, status %s, last beat %s%s", a->pid,
                  a->stalled ? "stalled" : "alive", a->status,
                  status_relative(s, a->last_beat, buf, sizeof(buf)), paused ? ", paused" : "");
}

/* One line for each agent of a unit, those that are not well first: its own card is had by its pid. */
static void put_members(const Status *s, const UnitRow *u) {
        unsigned shown = 0;

        for (Health h = _HEALTH_MAX; h-- > 0;)
                for (size_t i = 0; i < s->agents.n_rows; i++) {
                        const AgentRow *a = &s->agents.rows[i];

                        if (!a->chosen || agent_health(a) != h || strcmp(a->unit, u->name) != 0)
                                continue;
                        if (shown == MEMBERS_MAX) {
                                card_line("", "and %u more; see: varta-ctl list %s", u->agents - shown,
                                          u->name);
                                return;
                        }
                        put_member(s, a, shown++ == 0);
                }
}

static void put_chosen(const Status *s) {
        const char *separator = "";

        output_page(s->options);
        for (size_t i = 0; i < s->units.n_rows; i++)
                if (s->units.rows[i].chosen) {
                        (void) fputs(separator, stdout);
                        separator = "\n";
                        put_unit_card(s, &s->units.rows[i]);
                        put_policy(s, s->units.rows[i].name);
                        put_members(s, &s->units.rows[i]);
                        put_events(s, s->units.rows[i].name, 0);
                }
        for (size_t i = 0; i < s->agents.n_rows; i++)
                if (s->agents.rows[i].named) {
                        (void) fputs(separator, stdout);
                        separator = "\n";
                        put_agent_card(s, &s->agents.rows[i]);
                        put_events(s, NULL, s->agents.rows[i].pid);
                }
}

/* The agents of chosen units are shown with them. */
static void choose_members(Status *s) {
        size_t u = 0;

        for (size_t i = 0; i < s->agents.n_rows; i++) {
                while (u < s->units.n_rows && strcmp(s->units.rows[u].name, s->agents.rows[i].unit) < 0)
                        u++;
                if (u < s->units.n_rows && s->units.rows[u].chosen &&
                    strcmp(s->units.rows[u].name, s->agents.rows[i].unit) == 0)
                        s->agents.rows[i].chosen = true;
        }
}

CtlExit status_show_chosen(Status *s, char **args, size_t n_args) {
        bool any = false, missing = false;
        Health health = HEALTH_OK;

        for (size_t i = 0; i < n_args; i++)
                if (choose(s, args[i])) {
                        any = true;
                } else {
                        ctl_error("%s is not observed: no agent of it has beaten. See: varta-ctl list",
                                  args[i]);
                        missing = true;
                }
        choose_members(s);

        for (size_t i = 0; i < s->units.n_rows; i++)
                if (s->units.rows[i].chosen)
                        health = MAX(health, unit_health(&s->units.rows[i]));
        for (size_t i = 0; i < s->agents.n_rows; i++)
                if (s->agents.rows[i].chosen)
                        health = MAX(health, agent_health(&s->agents.rows[i]));

        if (any && s->options->json != JSON_OFF)
                put_chosen_json(s);
        else if (any)
                put_chosen(s);

        if (health == HEALTH_OK && missing)
                return CTL_FAILURE;
        return health_info[health].code;
}
