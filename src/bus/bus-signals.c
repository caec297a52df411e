/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Signals: what happened, to whoever listens.
 *
 * A signal is an offer. The bus may be away, nobody may listen, or somebody may listen and not read: then the
 * bus daemon stops reading from us, and what we send piles up here. So every signal passes one gate, which looks at
 * the length of our outgoing queue, and beyond a bound signals are counted instead of sent. Counters and lists stay
 * exact, so a reader that lost signals can see that it did and ask again.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus-internal.h"
#include "bus/bus-signals.h"

/* Begins a signal. Returns false when it cannot be sent; *ret is then untouched and nothing is left to do. */
static bool signal_new(BusServer *s, const char *member, sd_bus_message **ret) {
        bool room = true;

        assert(s);

        if (!bus_server_can_send(s, &room)) {
                if (!room)
                        s->signals_suppressed++;
                return false;
        }

        if (sd_bus_message_new_signal(s->bus, ret, BUS_PATH, BUS_INTERFACE, member) < 0) {
                s->signals_suppressed++;
                return false;
        }

        return true;
}

/* Sends it, if putting it together went well (r). */
static void signal_send(BusServer *s, sd_bus_message *m, int r) {
        if (r >= 0)
                r = sd_bus_send(s->bus, m, NULL);
        if (r < 0)
                s->signals_suppressed++;
        else
                bus_queue_sent(s);
}

static void signal_simple(BusServer *s, const char *member, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;
        int r;

        if (!signal_new(s, member, &m))
                return;

        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);

        signal_send(s, m, r);
}

/* The five arguments that all signals about an agent's life share. */
static void signal_agent(BusServer *s, const char *member, const Event *event, const char *first,
                         const char *second) {
        signal_simple(s, member, "tusss", event->agent.id, event->agent.pid, event->unit, first, second);
}

void bus_signal_agent_appeared(BusServer *s, const Event *event) {
        signal_agent(s, "AgentAppeared", event, origin_to_string(event->agent.origin),
                     vlp_status_to_string(event->agent.status));
}

void bus_signal_agent_exited(BusServer *s, const Event *event) {
        const char *reason;

        if (event->kind == EVENT_FORGOTTEN)
                reason = "forgotten";
        else if (event->kind == EVENT_EVICTED)
                reason = "evicted";
        else
                reason = event->gone ? "gone" : "exited";

        signal_agent(s, "AgentExited", event, reason, event->last_word ? "last-word" : "");
}

void bus_signal_resumed(BusServer *s, const Event *event) {
        signal_agent(s, "Resumed", event, "beat", vlp_status_to_string(event->agent.status));
}

void bus_signal_status_changed(BusServer *s, const Event *event) {
        signal_agent(s, "StatusChanged", event, vlp_status_to_string(event->old_status),
                     vlp_status_to_string(event->agent.status));
}

/* Observer time: ns since the observer's start. */
static uint64_t observer_nsec(const BusServer *s, nsec_t t) {
        return nsec_sub(t, s->facts.start);
}

static int append_stall(const BusServer *s, sd_bus_message *m, const Event *event) {
        const AgentInfo *a = &event->agent;
        char invocation[BUS_INVOCATION_SIZE];
        bool is_agent = event->reason != STALL_NEVER_BEAT;
        int r;

        /* A unit that never beat has no last beat, no origin and no status to tell of. */
        r = sd_bus_message_append(m, "tusssttt", a->id, a->pid, event->unit,
                                  bus_invocation(a->invocation, invocation),
                                  stall_reason_to_string(event->reason),
                                  is_agent ? s->hooks->to_monotonic(s->userdata, a->last_beat) : (usec_t) 0,
                                  a->last_nonce, s->hooks->to_monotonic(s->userdata, event->deadline));
        if (r < 0)
                return r;

        if (!is_agent)
                return sd_bus_message_append(m, "a{sv}", 1, "ObserverNSec", "t",
                                             observer_nsec(s, event->now));

        return sd_bus_message_append(m, "a{sv}", 8, "Origin", "s", origin_to_string(a->origin),
                                     "PidNamespaceInode", "t", a->namespace_inode, "ObserverNSec", "t",
                                     observer_nsec(s, event->now), "LastBeatNSec", "t",
                                     observer_nsec(s, a->last_beat), "Status", "s",
                                     vlp_status_to_string(a->status), "Payload", "u", a->payload, "LastWord",
                                     "b", (int) event->last_word, "Waited", "b", (int) event->waited);
}

void bus_signal_stall(BusServer *s, const Event *event) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (signal_new(s, "Stall", &m))
                signal_send(s, m, append_stall(s, m, event));
}

/* What the class of a rejection leaves to say, in one word. */
static const char *reject_detail(const Event *event, char *buf, size_t size) {
        const char *name;

        switch (event->reject) {
        case REJECT_DECODE:
                return vlp_error_to_string(event->decode_error) ?: "";
        case REJECT_AUTH_FAILURE:
                (void) snprintf(buf, size, "%u", event->attested_pid);
                return buf;
        case REJECT_IO_ERROR:
                name = strerrorname_np(-event->error);
                return name ?: "";
        default:
                return "";
        }
}

static int append_rejected(const BusServer *s, sd_bus_message *m, const Event *event) {
        char buf[sizeof("4294967295")];
        int r;

        r = sd_bus_message_append(m, "sus", reject_class_to_string(event->reject), event->claimed_pid,
                                  reject_detail(event, buf, sizeof(buf)));
        if (r < 0)
                return r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;

        r = sd_bus_message_append(m, "{sv}", "ObserverNSec", "t", observer_nsec(s, event->now));
        if (r < 0)
                return r;

        /* An error of the socket has no sender. */
        if (event->reject != REJECT_IO_ERROR) {
                r = sd_bus_message_append(m, "{sv}", "ObservedOrigin", "s",
                                          origin_to_string(event->observed_origin));
                if (r < 0)
                        return r;
        }

        if (event->peer && event->peer[0]) {
                r = sd_bus_message_append(m, "{sv}", "Peer", "s", event->peer);
                if (r < 0)
                        return r;
        }

        if (event->attested_pid != 0) {
                r = sd_bus_message_append(m, "{sv}", "AttestedPid", "u", event->attested_pid);
                if (r < 0)
                        return r;
        }

        if (event->reject == REJECT_ORIGIN_CONFLICT)
                r = sd_bus_message_append(m, "{sv}", "SlotOrigin", "s",
                                          origin_to_string(event->slot_origin));
        else if (event->reject == REJECT_NAMESPACE_CONFLICT)
                r = sd_bus_message_append(m, "{sv}{sv}", "ObservedNamespace", "t", event->observed_namespace,
                                          "ObserverNamespace", "t",
                                          observer_settings(s->observer)->own_namespace);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(m);
}

void bus_signal_rejected(BusServer *s, const Event *event) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (signal_new(s, "Rejected", &m))
                signal_send(s, m, append_rejected(s, m, event));
}

void bus_signal_clock_jumped(BusServer *s, const Event *event) {
        signal_simple(s, "ClockJumped", "stt", s->facts.clock_source,
                      observer_counters(s->observer)->clock_jumps, event->jump / NSEC_PER_USEC);
}

void bus_signal_overloaded(BusServer *s, const Event *event) {
        const Counters *c = observer_counters(s->observer);

        signal_simple(s, "Overloaded", "stt", event->overloaded ? BUS_OVERLOADED_BEGIN : BUS_OVERLOADED_END,
                      c->queue_drops + c->rate_limited[RATE_LIMIT_GLOBAL],
                      nsec_to_usec_up(observer_settings(s->observer)->max_deferral));
}

static void signal_recovery(BusServer *s, const char *member, const BusRecovery *recovery) {
        char invocation[BUS_INVOCATION_SIZE];

        assert(recovery);

        signal_simple(s, member, "tusssu", recovery->id, recovery->pid, recovery->unit,
                      bus_invocation(recovery->invocation, invocation), recovery->reason, recovery->attempt);
}

void bus_signal_recovery_started(BusServer *s, const BusRecovery *recovery) {
        signal_recovery(s, "RecoveryStarted", recovery);
}

void bus_signal_recovery_finished(BusServer *s, const BusRecovery *recovery) {
        signal_recovery(s, "RecoveryFinished", recovery);
}

void bus_signal_recovery_refused(BusServer *s, const BusRecovery *recovery) {
        signal_recovery(s, "RecoveryRefused", recovery);
}

void bus_signal_gave_up(BusServer *s, const char *unit, uint64_t restarts, nsec_t window) {
        signal_simple(s, "GaveUp", "stt", unit, restarts, window / NSEC_PER_USEC);
}

void bus_signal_storm_summary(BusServer *s, const char *kind, uint64_t count, nsec_t window) {
        signal_simple(s, "StormSummary", "stt", kind, count, window / NSEC_PER_USEC);
}

static void status_counted(BusServer *s, VlpStatus status) {
        if (status == VLP_STATUS_DEGRADED)
                bus_server_changed(s, BUS_CHANGE_AGENTS_DEGRADED);
        else if (status == VLP_STATUS_CRITICAL)
                bus_server_changed(s, BUS_CHANGE_AGENTS_CRITICAL);
}

static void signals_of_beat(BusServer *s, const Event *event) {
        if (event->flags & BEAT_APPEARED)
                bus_signal_agent_appeared(s, event);
        if (event->flags & BEAT_RESUMED)
                bus_signal_resumed(s, event);
        if (event->flags & BEAT_STATUS_CHANGED)
                bus_signal_status_changed(s, event);
}

/* The counts are read when they are announced, so it does not matter that core tells of some ends before and of others
 * after it counted them. */
static void changes_of_beat(BusServer *s, const Event *event) {
        if (event->flags & BEAT_APPEARED)
                bus_server_changed(s, BUS_CHANGE_AGENTS_TRACKED);
        if (event->flags & BEAT_RESUMED)
                bus_server_changed(s, BUS_CHANGE_AGENTS_STALLED);
        if (event->flags & BEAT_STATUS_CHANGED)
                status_counted(s, event->old_status);
        if (event->flags & (BEAT_APPEARED | BEAT_STATUS_CHANGED))
                status_counted(s, event->agent.status);
}

void bus_server_event_untold(BusServer *s, const Event *event) {
        assert(s);
        assert(event);

        switch (event->kind) {
        case EVENT_BEAT:
                changes_of_beat(s, event);
                break;
        case EVENT_STALL:
                bus_server_changed(s, BUS_CHANGE_AGENTS_STALLED);
                break;
        case EVENT_EXIT:
        case EVENT_FORGOTTEN:
        case EVENT_EVICTED:
                bus_server_changed(s, BUS_CHANGE_AGENTS_TRACKED);
                status_counted(s, event->agent.status);
                if (event->agent.stalled)
                        bus_server_changed(s, BUS_CHANGE_AGENTS_STALLED);
                break;
        case EVENT_OVERLOADED:
                bus_server_changed(s, BUS_CHANGE_STATE);
                break;
        default: /* changes nothing that is announced */
                break;
        }
}

void bus_server_event(BusServer *s, const Event *event) {
        assert(s);
        assert(event);

        switch (event->kind) {
        case EVENT_BEAT:
                signals_of_beat(s, event);
                break;
        case EVENT_STALL:
                bus_signal_stall(s, event);
                break;
        case EVENT_EXIT:
        case EVENT_FORGOTTEN:
        case EVENT_EVICTED:
                bus_signal_agent_exited(s, event);
                break;
        case EVENT_REJECTED:
                bus_signal_rejected(s, event);
                break;
        case EVENT_CLOCK_JUMP:
                bus_signal_clock_jumped(s, event);
                break;
        case EVENT_OVERLOADED:
                bus_signal_overloaded(s, event);
                break;
        default:
                assert(false);
        }
        bus_server_event_untold(s, event);
}
