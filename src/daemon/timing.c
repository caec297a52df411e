/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One timer for all silence.
 *
 * It is armed for the earliest deadline and touched again only when it fires or when an earlier deadline appears: a
 * beat moves deadlines further away and costs no timer call. When it fires, queued beats are read first.
 */

#include "daemon/manager-private.h"
#include "daemon/priorities.h"

/* Stalls told per turn of the loop: a whole fleet that falls silent at once must not hold up its beats. */
#define STALLS_PER_TURN 64U

/* sd-event may serve a timer this much later to save wake-ups; its default is 250 ms, and 0 means the default. */
#define TIMER_ACCURACY 1U

static nsec_t clock_read(clockid_t clock) {
        struct timespec ts = {};

        (void) clock_gettime(clock, &ts);
        return (nsec_t) ts.tv_sec * NSEC_PER_SEC + (nsec_t) ts.tv_nsec;
}

nsec_t manager_now(const Manager *m) {
        return clock_read(m->clock);
}

/* How far CLOCK_BOOTTIME gained on CLOCK_MONOTONIC since last asked: the time spent suspended. */
static nsec_t suspended_since_last(Manager *m) {
        nsec_t gain = nsec_sub(clock_read(CLOCK_BOOTTIME), clock_read(CLOCK_MONOTONIC)), old = m->boot_gain;

        m->boot_gain = gain;
        return nsec_sub(gain, old);
}

static int on_stalls(sd_event_source *source, void *userdata) {
        Manager *m = userdata;

        for (unsigned i = 0; i < STALLS_PER_TURN; i++)
                if (!observer_dispatch_stall(m->observer))
                        break;
        manager_arm(m);
        return sd_event_source_set_enabled(source, observer_has_stalls(m->observer) ? SD_EVENT_ONESHOT
                                                                                    : SD_EVENT_OFF);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        nsec_t armed = m->armed, now, late, suspended;

        m->armed = NSEC_INFINITY;
        now = manager_now(m);
        ingress_drain(m->ingress);
        late = nsec_sub(now, armed);
        suspended = suspended_since_last(m);
        /* Late for want of CPU, that is: what CLOCK_BOOTTIME counts of a suspend is a jump, and handled as one. */
        recovery_loop_lag(m->recovery, m->clock == CLOCK_BOOTTIME ? nsec_sub(late, suspended) : late);
        observer_tick(m->observer, manager_now(m), late, suspended);
        if (observer_has_stalls(m->observer)) {
                int r = sd_event_source_set_enabled(m->stalls, SD_EVENT_ONESHOT);

                if (r < 0)
                        return r;
        }
        manager_arm(m);
        return 0;
}

void manager_arm(Manager *m) {
        nsec_t next = observer_next_deadline(m->observer);

        if (next >= m->armed)
                return;
        if (sd_event_source_set_time(m->timer, nsec_to_usec_up(next)) >= 0 &&
            sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT) >= 0)
                m->armed = next;
}

int manager_timing_start(Manager *m) {
        int r;

        (void) suspended_since_last(m);
        m->armed = NSEC_INFINITY;

        r = sd_event_add_time(m->event, &m->timer, m->clock, USEC_INFINITY, TIMER_ACCURACY, on_timer, m);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(m->timer, "silence");
        r = sd_event_source_set_priority(m->timer, PRIORITY_TIMER);
        if (r < 0)
                return r;
        r = sd_event_source_set_exit_on_failure(m->timer, true);
        if (r < 0)
                return r;

        r = sd_event_add_defer(m->event, &m->stalls, on_stalls, m);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(m->stalls, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(m->stalls, "stalls");
        r = sd_event_source_set_priority(m->stalls, PRIORITY_STALLS);
        if (r < 0)
                return r;
        return sd_event_source_set_exit_on_failure(m->stalls, true);
}
