/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * status: how is the fleet?
 *
 * One card for the observer and one line for every unit that is not well; or the cards of the units and processes
 * that were asked for. The exit code says the same to scripts, so the question "is anything wrong" needs no parsing.
 * Of agents only those are asked for that are not well, and only when the observer counts any; or those that were named.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-names.h"
#include "ctl/card.h"
#include "ctl/format.h"
#include "ctl/link.h"
#include "ctl/pattern.h"
#include "ctl/status.h"
#include "util/instance.h"

const HealthInfo health_info[_HEALTH_MAX] = {
        [HEALTH_OK] = { CTL_OK, COLOUR_GREEN, "healthy" },
        [HEALTH_DEGRADED] = { CTL_DEGRADED, COLOUR_YELLOW, "degraded" },
        [HEALTH_STALLED] = { CTL_STALLED, COLOUR_RED, "stalled" },
};

Health agent_health(const AgentRow *a) {
        if (a->stalled)
                return HEALTH_STALLED;
        return strcmp(a->status, "ok") == 0 ? HEALTH_OK : HEALTH_DEGRADED;
}

Health unit_health(const UnitRow *u) {
        if (u->stalled > 0 || strcmp(u->state, BUS_UNIT_STALLED) == 0 ||
            strcmp(u->state, BUS_UNIT_GAVE_UP) == 0)
                return HEALTH_STALLED;
        return u->degraded + u->critical > 0 ? HEALTH_DEGRADED : HEALTH_OK;
}

Colour unit_state_colour(const char *state) {
        if (strcmp(state, BUS_UNIT_STALLED) == 0 || strcmp(state, BUS_UNIT_GAVE_UP) == 0)
                return COLOUR_RED;
        return strcmp(state, BUS_UNIT_OK) == 0 ? COLOUR_GREEN : COLOUR_YELLOW;
}

Glyph unit_glyph(const UnitRow *u) {
        static const struct {
                const char *state;
                Glyph glyph;
        } glyphs[] = {
                { BUS_UNIT_RECOVERING, GLYPH_ARROW },
                { BUS_UNIT_BACKOFF, GLYPH_ARROW },
                { BUS_UNIT_PAUSED, GLYPH_CIRCLE },
                { BUS_UNIT_GAVE_UP, GLYPH_CROSS },
        };

        for (size_t i = 0; i < ELEMENTSOF(glyphs); i++)
                if (strcmp(u->state, glyphs[i].state) == 0)
                        return glyphs[i].glyph;
        return GLYPH_DOT;
}

Colour unit_colour(const UnitRow *u) {
        Health h = unit_health(u);

        return h == HEALTH_OK ? unit_state_colour(u->state) : health_info[h].colour;
}

Colour agent_status_colour(const char *status) {
        if (strcmp(status, "degraded") == 0)
                return COLOUR_YELLOW;
        return strcmp(status, "critical") == 0 ? COLOUR_RED : COLOUR_NONE;
}

const char *status_relative(const Status *s, usec_t when, char *buf, size_t size) {
        return s->has_clock ? format_relative(buf, size, when, s->now) : "at an unknown time";
}

const char *status_pause(const Status *s, const PauseRow *p, char *buf, size_t size) {
        char span[FORMAT_TIME_MAX];

        (void) snprintf(buf, size, "%s, %s%s%s%s%s", p->what[0] ? p->what : "everything",
                        p->until == 0 ? "until resumed" : "ends ",
                        p->until == 0 ? "" : status_relative(s, p->until, span, sizeof(span)),
                        p->reason[0] ? " (" : "", p->reason, p->reason[0] ? ")" : "");
        return buf;
}

static void status_done(Status *s) {
        observer_view_done(&s->observer);
        agents_view_done(&s->agents);
        units_view_done(&s->units);
}

static void show_idle(const Options *options) {
        char name[INSTANCE_NAME_SIZE];
        json_object *o;

        if (options->json == JSON_OFF) {
                card_title(COLOUR_NONE, GLYPH_CIRCLE, instance_name(name, "varta", options->instance, ""),
                           "heartbeat observer");
                card_line("State", "idle, waiting for the first beat");
                if (options->transport == TRANSPORT_LOCAL)
                        card_line("Listening", "%s", link_socket(options));
                return;
        }

        o = json_object_new_object();
        json_object_object_add(o, "state", json_object_new_string("idle"));
        json_object_object_add(o, "health", json_object_new_string(health_info[HEALTH_OK].name));
        output_json(options->json, o);
}

static int fetch(Status *s, sd_bus *bus, char **args, size_t n_args, sd_bus_error *error) {
        bool ailing;
        int r;

        r = observer_view_fetch(bus, &s->observer, error);
        if (r < 0)
                return r;
        r = units_view_fetch(bus, &s->units, error);
        if (r < 0)
                return r;
        ailing = s->observer.stalled + s->observer.degraded + s->observer.critical > 0;
        r = ailing ? units_view_fetch_ailing(&s->units, bus, error) : 0;
        if (r < 0)
                return r;
        if (n_args > 0)
                r = status_fetch_chosen(s, args, n_args, error);
        else if (ailing)
                r = agents_view_fetch_ailing(bus, &s->agents, error);
        if (r < 0)
                return r;

        s->has_clock = link_clock(s->options, bus, &s->offset, &s->now) >= 0;
        return 0;
}

/* A process, or what the other verbs take for units. */
static CtlExit check_argument(const char *arg) {
        uint32_t pid;

        return pattern_is_process(arg, &pid) ? CTL_OK : pattern_check_word(arg, false);
}

CtlExit verb_status(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(status_done) Status s = { .options = options };
        CtlExit code = CTL_OK;
        int r;

        for (size_t i = 0; i < n_args && code == CTL_OK; i++)
                code = check_argument(args[i]);
        if (code == CTL_OK)
                code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        s.bus = bus;
        r = fetch(&s, bus, args, n_args, &error);
        if (r < 0 && link_is_idle(options, bus, &error)) {
                show_idle(options);
                return CTL_OK;
        }
        if (r < 0)
                return link_failed(options, bus, r, &error);

        return n_args > 0 ? status_show_chosen(&s, args, n_args) : status_show_overview(&s);
}
