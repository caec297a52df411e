/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The change queue: which properties changed since they were last announced.
 *
 * A thousand agents may appear in one turn of the loop, and every one of them changes AgentsTracked. So a change is
 * only a bit. The first one arms a timer: for now, when nothing was announced lately (it fires when the loop's
 * turn is over), else for the moment when 100 ms have passed. What is then announced is the value at that time;
 * values in between were nobody's. A reader sees ten announcements a second at most, whatever the fleet does.
 *
 * When the outgoing queue is full, the bits stay and the timer is armed again: unlike a signal, a change is never
 * lost, only late.
 */

#include <errno.h>

#include "bus/bus-internal.h"

/* Fast enough for eyes and for dashboards, and slow enough to cost nothing. */
#define ANNOUNCE_INTERVAL_USEC (100 * (usec_t) 1000)

/* How late an announcement may be for the sake of fewer wake-ups. */
#define ANNOUNCE_ACCURACY_USEC (10 * (usec_t) 1000)

static const char *const change_property[_BUS_CHANGE_MAX] = {
        [BUS_CHANGE_STATE] = "State",
        [BUS_CHANGE_CONFIGURATION_ERROR] = "ConfigurationError",
        [BUS_CHANGE_AGENTS_TRACKED] = "AgentsTracked",
        [BUS_CHANGE_AGENTS_STALLED] = "AgentsStalled",
        [BUS_CHANGE_AGENTS_DEGRADED] = "AgentsDegraded",
        [BUS_CHANGE_AGENTS_CRITICAL] = "AgentsCritical",
        [BUS_CHANGE_THRESHOLD] = "ThresholdUSec",
        [BUS_CHANGE_LISTENERS] = "Listeners",
        [BUS_CHANGE_DESCRIPTOR_BUDGET] = "DescriptorBudget",
        [BUS_CHANGE_PAUSES] = "Pauses",
};

static void arm(BusServer *s, usec_t when) {
        /* Neither can fail with a source of our own and a time that lies in the future or past of a clock. */
        (void) sd_event_source_set_time(s->announce, when);
        (void) sd_event_source_set_enabled(s->announce, SD_EVENT_ONESHOT);
        s->announce_armed = true;
}

static void announce(BusServer *s) {
        char *names[_BUS_CHANGE_MAX + 1] = {};
        size_t n = 0;

        for (BusChange c = 0; c < _BUS_CHANGE_MAX; c++)
                if (s->changes & (1U << c))
                        names[n++] = (char *) change_property[c];

        s->changes = 0;
        if (sd_bus_emit_properties_changed_strv(s->bus, BUS_PATH, BUS_INTERFACE, names) < 0)
                s->signals_suppressed++;
        bus_queue_sent(s);
}

static int on_announce(sd_event_source *source, uint64_t usec, void *userdata) {
        BusServer *s = userdata;
        bool room = true;
        usec_t now;

        s->announce_armed = false;
        if (sd_event_now(s->event, CLOCK_MONOTONIC, &now) < 0)
                now = usec;
        s->announced = now;

        if (bus_server_can_send(s, &room))
                announce(s);
        else if (!room)
                arm(s, now + ANNOUNCE_INTERVAL_USEC);
        else
                s->changes = 0; /* There is nobody to tell; who comes later reads what is then true. */

        return 0;
}

int bus_changes_init(BusServer *s) {
        int r;

        r = sd_event_add_time(s->event, &s->announce, CLOCK_MONOTONIC, 0, ANNOUNCE_ACCURACY_USEC,
                              on_announce, s);
        if (r < 0)
                return r;

        r = sd_event_source_set_enabled(s->announce, SD_EVENT_OFF);
        if (r < 0)
                return r;

        return sd_event_source_set_description(s->announce, "bus-changes");
}

void bus_changes_done(BusServer *s) {
        s->announce = sd_event_source_disable_unref(s->announce);
}

int bus_server_set_priority(BusServer *s, int64_t priority) {
        assert(s);

        return sd_event_source_set_priority(s->announce, priority);
}

void bus_server_changed(BusServer *s, BusChange change) {
        usec_t now;

        assert(s);
        assert(change >= 0 && change < _BUS_CHANGE_MAX);

        if (!s->bus)
                return;

        s->changes |= 1U << change;
        if (s->announce_armed)
                return;

        if (sd_event_now(s->event, CLOCK_MONOTONIC, &now) < 0)
                now = 0;
        arm(s, MAX(now, s->announced + ANNOUNCE_INTERVAL_USEC));
}
