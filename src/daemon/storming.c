/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Storms, told: what is beyond a burst goes neither to the journal nor to the bus one by one, and what it was is said in
 * one line and one signal, with the next event of its kind or when its window is over.
 */

#include <inttypes.h>
#include <stdio.h>

#include "bus/bus-signals.h"
#include "daemon/manager-private.h"
#include "daemon/message-ids.h"
#include "daemon/priorities.h"
#include "util/log.h"
#include "util/text.h"

static void tell(Manager *m, unsigned kind, uint64_t suppressed) {
        char count[sizeof("18446744073709551615")];
        const LogField fields[] = { { "VARTA_REASON", storm_kind_to_string(kind) },
                                    { "VARTA_COUNT", count } };

        (void) snprintf(count, sizeof(count), "%" PRIu64, suppressed);
        if (kind < _REJECT_CLASS_MAX)
                log_struct(LOG_WARNING, MESSAGE_STORM_SUMMARY_ID, fields, ELEMENTSOF(fields),
                           "Refused %s more (%s), not told one by one", count, storm_kind_to_string(kind));
        else
                log_struct(LOG_WARNING, MESSAGE_STORM_SUMMARY_ID, fields, ELEMENTSOF(fields),
                           "%s more event%s (%s) not told one by one", count, plural(suppressed),
                           storm_kind_to_string(kind));
        manager_watch_log(m);
        bus_signal_storm_summary(m->server, storm_kind_to_string(kind), suppressed, STORM_WINDOW);
}

static void arm(Manager *m) {
        nsec_t next = storms_next(&m->storms);

        if (next == NSEC_INFINITY)
                return;
        if (sd_event_source_set_time(m->storm_end, nsec_to_usec_up(next)) >= 0)
                (void) sd_event_source_set_enabled(m->storm_end, SD_EVENT_ONESHOT);
}

static int on_window_end(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        uint64_t suppressed;
        int kind;

        while ((kind = storms_take(&m->storms, manager_now(m), &suppressed)) >= 0)
                tell(m, (unsigned) kind, suppressed);
        arm(m);
        return 0;
}

int manager_storms_start(Manager *m) {
        int r;

        r = sd_event_add_time(m->event, &m->storm_end, m->clock, 0, 0, on_window_end, m);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(m->storm_end, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(m->storm_end, "storms");
        return sd_event_source_set_priority(m->storm_end, PRIORITY_CHANGES);
}

bool manager_storms_pass(Manager *m, unsigned kind, nsec_t now) {
        int enabled = SD_EVENT_OFF;
        uint64_t suppressed;
        bool pass;

        pass = storms_count(&m->storms, kind, now, &suppressed);
        if (suppressed > 0)
                tell(m, kind, suppressed);
        if (!pass && sd_event_source_get_enabled(m->storm_end, &enabled) >= 0 && enabled == SD_EVENT_OFF)
                arm(m);
        return pass;
}

/* A beat may be several kinds of news at once: the first says which storm it belongs to. */
bool manager_storms_pass_event(Manager *m, const Event *e) {
        switch (e->kind) {
        case EVENT_REJECTED:
                return manager_storms_pass(m, e->reject, e->now);
        case EVENT_BEAT:
                return manager_storms_pass(m,
                                           e->flags & BEAT_APPEARED  ? STORM_APPEARED
                                           : e->flags & BEAT_RESUMED ? STORM_RESUMED
                                                                     : STORM_STATUS_CHANGED,
                                           e->now);
        case EVENT_STALL:
                return manager_storms_pass(m, STORM_STALLED, e->now);
        case EVENT_EXIT:
        case EVENT_FORGOTTEN:
        case EVENT_EVICTED:
                return manager_storms_pass(m, STORM_EXITED, e->now);
        default:
                return true;
        }
}
