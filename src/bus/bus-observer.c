/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * /org/varta/Observer1: the observer itself.
 *
 * No answer may hold up a beat: every list is bounded, long ones come in pages, and what is asked is read from
 * memory. Counters are properties without announcements, made from core's own table: what core counts is on the bus
 * without a line here. They are always current when read, and nobody is woken for them.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "bus/bus-internal.h"

/* Properties. */

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", s->facts.version);
}

static int get_clock_source(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", s->facts.clock_source);
}

static int get_capabilities(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", s->facts.capabilities);
}

static int get_start(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", s->hooks->to_monotonic(s->userdata, s->facts.start));
}

static int get_capacity(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "u", observer_settings(s->observer)->capacity);
}

static int get_pid_namespace(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;
        const ObserverSettings *settings = observer_settings(s->observer);

        return sd_bus_message_append(reply, "t",
                                     settings->own_namespace_known ? settings->own_namespace : 0);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", s->hooks->state(s->userdata));
}

static int get_config_error(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "s", s->hooks->config_error(s->userdata));
}

static int get_tracked(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "u", observer_tracked(s->observer));
}

static int get_stalled(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "u", observer_stalled(s->observer));
}

static int get_threshold(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", nsec_to_usec_up(observer_settings(s->observer)->threshold));
}

static int get_descriptor_budget(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "u", s->hooks->descriptor_budget(s->userdata));
}

static int get_listeners(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;
        BusListener l;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(" BUS_LISTENER_ROW ")");
        if (r < 0)
                return r;

        for (size_t i = 0; i < OBSERVER_LISTENERS_MAX && s->hooks->listener(s->userdata, i, &l); i++) {
                r = sd_bus_message_append(reply, "(" BUS_LISTENER_ROW ")", l.name, l.transport, l.address,
                                          l.receive_buffer, l.datagrams);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

static int get_signals_suppressed(sd_bus *bus, const char *path, const char *interface, const char *property,
                                  sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", s->signals_suppressed);
}

static int get_journal_dropped(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", s->hooks->journal_dropped(s->userdata));
}

static int get_decode_errors(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;
        const uint64_t *count = observer_counters(s->observer)->decode_errors;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{st}");
        if (r < 0)
                return r;

        for (VlpError e = VLP_ERROR_NONE + 1; e < _VLP_ERROR_MAX; e++) {
                r = sd_bus_message_append(reply, "{st}", vlp_error_to_string(e), count[e]);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

static int get_rate_limited(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;
        const uint64_t *count = observer_counters(s->observer)->rate_limited;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{st}");
        if (r < 0)
                return r;

        for (RateLimit l = 0; l < _RATE_LIMIT_MAX; l++) {
                r = sd_bus_message_append(reply, "{st}", rate_limit_to_string(l), count[l]);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

/* Recovery's two dictionaries differ only in the hook that fills them. */
static int append_recovery(const BusServer *s, sd_bus_message *reply,
                           bool (*hook)(void *userdata, size_t i, const char **ret_name,
                                        uint64_t *ret_count)) {
        const char *name;
        uint64_t count;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{st}");
        if (r < 0)
                return r;

        for (size_t i = 0; hook(s->userdata, i, &name, &count); i++) {
                r = sd_bus_message_append(reply, "{st}", name, count);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

static int get_recovery_outcomes(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return append_recovery(s, reply, s->hooks->recovery_outcome);
}

static int get_recovery_refusals(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusServer *s = userdata;

        return append_recovery(s, reply, s->hooks->recovery_refusal);
}

/* Methods that read. */

static int append_agent(const BusServer *s, sd_bus_message *reply, const AgentInfo *a) {
        const char *unit = bus_unit_name(s, a->unit);

        return sd_bus_message_append(reply, "(" BUS_AGENT_ROW ")", a->id, a->pid, unit,
                                     vlp_status_to_string(a->status), origin_to_string(a->origin),
                                     (int) a->stalled, s->hooks->to_monotonic(s->userdata, a->last_beat),
                                     a->last_nonce, a->payload, a->beats, a->uid,
                                     s->hooks->unit_class(s->userdata, a->unit, unit));
}

/* So many rows may the page have that was asked for with `max`. */
static uint32_t page_size(uint32_t max) {
        return max == 0 || max > BUS_LIST_AGENTS_MAX ? BUS_LIST_AGENTS_MAX : max;
}

/* Answers with the first `n` rows of s->page. */
static int reply_page(BusServer *s, sd_bus_message *m, size_t n, uint32_t next) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;

        r = sd_bus_message_open_container(reply, 'a', "(" BUS_AGENT_ROW ")");
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                r = append_agent(s, reply, &s->page[i]);
                if (r < 0)
                        return r;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;

        r = sd_bus_message_append(reply, "u", next);
        if (r < 0)
                return r;

        return sd_bus_message_send(reply);
}

/* One page of those that `pick` goes through. */
static int list_agents(BusServer *s, sd_bus_message *m,
                       size_t (*pick)(const Observer *o, uint32_t cursor, AgentInfo *ret, size_t max,
                                      uint32_t *ret_next)) {
        uint32_t cursor, max, next;
        size_t n;
        int r;

        r = sd_bus_message_read(m, "uu", &cursor, &max);
        if (r < 0)
                return r;

        n = pick(s->observer, cursor, s->page, page_size(max), &next);
        return reply_page(s, m, n, next);
}

static int method_list_agents(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return list_agents(userdata, m, observer_list);
}

static int method_list_ailing_agents(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return list_agents(userdata, m, observer_list_ailing);
}

static int method_find_agents(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        uint32_t pid, cursor, max, next = 0;
        uint16_t unit = UNIT_NONE;
        BusServer *s = userdata;
        const char *name;
        size_t n = 0;
        int r;

        r = sd_bus_message_read(m, "suuu", &name, &pid, &cursor, &max);
        if (r < 0)
                return r;

        /* A unit without agents is not in the table, and what is longer than a name is none. */
        if (!name[0] ||
            (strlen(name) < UNIT_NAME_SIZE && observer_unit_by_name(s->observer, name, &unit) >= 0))
                n = observer_find(s->observer, unit, pid, cursor, s->page, page_size(max), &next);
        return reply_page(s, m, n, next);
}

static int append_unit(const BusServer *s, sd_bus_message *reply, uint16_t unit, const UnitInfo *info) {
        BusUnit u = {};

        s->hooks->unit(s->userdata, unit, info->name, &u);
        if (!u.state)
                u.state = info->stalled > 0 ? BUS_UNIT_STALLED : BUS_UNIT_OK;

        return sd_bus_message_append(reply, "(" BUS_UNIT_ROW ")", info->name, u.mode ?: "", u.state,
                                     info->agents, info->stalled, u.restarts, u.last_outcome ?: "",
                                     u.backoff_until);
}

/* Those that have no agent, and so are not in the observer's table: a unit that was given up must not vanish with its
 * last process, nor with an observer before this one. */
static int append_ailing_units(const BusServer *s, sd_bus_message *reply, unsigned rows) {
        uint32_t cursor = 0;
        uint16_t unit;
        int r;

        while (rows < BUS_LIST_UNITS_MAX) {
                UnitInfo info = { .name = s->hooks->ailing_unit(s->userdata, &cursor) };

                if (!info.name)
                        break;
                if (observer_unit_by_name(s->observer, info.name, &unit) >= 0)
                        continue;
                r = append_unit(s, reply, UNIT_NONE, &info);
                if (r < 0)
                        return r;
                rows++;
        }
        return 0;
}

static int method_list_units(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusServer *s = userdata;
        unsigned rows = 0, unit = UNIT_NONE;
        UnitInfo info;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;

        r = sd_bus_message_open_container(reply, 'a', "(" BUS_UNIT_ROW ")");
        if (r < 0)
                return r;

        for (; rows < BUS_LIST_UNITS_MAX && bus_next_unit(s, &unit, &info); rows++) {
                r = append_unit(s, reply, (uint16_t) unit, &info);
                if (r < 0)
                        return r;
        }
        r = append_ailing_units(s, reply, rows);
        if (r < 0)
                return r;

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;

        return sd_bus_message_send(reply);
}

static int method_get_agent_by_pid(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        char path[BUS_AGENT_PATH_SIZE];
        BusServer *s = userdata;
        AgentInfo agent;
        uint32_t pid;
        int r;

        r = sd_bus_message_read(m, "u", &pid);
        if (r < 0)
                return r;

        if (observer_agent_by_pid(s->observer, SOURCE_LOCAL, pid, &agent) < 0)
                return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_AGENT,
                                         "No local agent has pid %u; varta-ctl list shows those there are.",
                                         pid);

        bus_agent_path(agent.id, path);
        return sd_bus_reply_method_return(m, "o", path);
}

/* Methods that change something: the caller is looked up first, the second half runs when it may. */

static int reload(BusServer *s, sd_bus_message *m, sd_bus_error *error) {
        _cleanup_free_ char *reason = NULL;

        if (s->hooks->reload(s->userdata, &reason) < 0)
                return sd_bus_error_set(error, BUS_ERROR_CONFIGURATION_REFUSED,
                                        reason ?: "The configuration could not be read for lack of memory.");

        return sd_bus_reply_method_return(m, NULL);
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_access_check(userdata, m, reload, error);
}

static int change_agent(BusServer *s, sd_bus_message *m, int (*hook)(void *userdata, uint64_t id),
                        sd_bus_error *error) {
        uint64_t id;
        int r;

        r = sd_bus_message_read(m, "t", &id);
        if (r < 0)
                return r;

        if (hook(s->userdata, id) < 0)
                return sd_bus_error_setf(
                                error, BUS_ERROR_NO_SUCH_AGENT,
                                "There is no agent %" PRIu64 "; varta-ctl list shows those there are.", id);

        bus_server_changed(s, BUS_CHANGE_AGENTS_STALLED);
        return sd_bus_reply_method_return(m, NULL);
}

static int reset_agent(BusServer *s, sd_bus_message *m, sd_bus_error *error) {
        return change_agent(s, m, s->hooks->reset_agent, error);
}

static int method_reset_agent(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_access_check(userdata, m, reset_agent, error);
}

static int forget(BusServer *s, sd_bus_message *m, sd_bus_error *error) {
        return change_agent(s, m, s->hooks->forget_agent, error);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_access_check(userdata, m, forget, error);
}

/* What is read only tells; what changes something looks at its caller by itself. So sd-bus need not. */
#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED
#define CONST   SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable observer_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, CONST),
        SD_BUS_PROPERTY("ClockSource", "s", get_clock_source, 0, CONST),
        SD_BUS_PROPERTY("Capacity", "u", get_capacity, 0, CONST),
        SD_BUS_PROPERTY("PidNamespaceInode", "t", get_pid_namespace, 0, CONST),
        SD_BUS_PROPERTY("Capabilities", "s", get_capabilities, 0, CONST),
        SD_BUS_PROPERTY("StartUSec", "t", get_start, 0, CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, CHANGES),
        SD_BUS_PROPERTY("ConfigurationError", "s", get_config_error, 0, CHANGES),
        SD_BUS_PROPERTY("AgentsTracked", "u", get_tracked, 0, CHANGES),
        SD_BUS_PROPERTY("AgentsStalled", "u", get_stalled, 0, CHANGES),
        SD_BUS_PROPERTY("ThresholdUSec", "t", get_threshold, 0, CHANGES),
        SD_BUS_PROPERTY("Listeners", "a(" BUS_LISTENER_ROW ")", get_listeners, 0, CHANGES),
        SD_BUS_PROPERTY("DescriptorBudget", "u", get_descriptor_budget, 0, CHANGES),
        SD_BUS_PROPERTY("AgentsDegraded", "u", bus_get_degraded, 0, CHANGES),
        SD_BUS_PROPERTY("AgentsCritical", "u", bus_get_critical, 0, CHANGES),
        SD_BUS_PROPERTY("Pauses", "a(" BUS_PAUSE_ROW ")", bus_get_pauses, 0, CHANGES),
        SD_BUS_PROPERTY("BrakeUntilUSec", "t", bus_get_brake_until, 0, 0),
        SD_BUS_PROPERTY("SignalsSuppressed", "t", get_signals_suppressed, 0, 0),
        SD_BUS_PROPERTY("JournalDropped", "t", get_journal_dropped, 0, 0),
        SD_BUS_PROPERTY("DecodeErrors", "a{st}", get_decode_errors, 0, 0),
        SD_BUS_PROPERTY("RateLimited", "a{st}", get_rate_limited, 0, 0),
        SD_BUS_PROPERTY("RecoveryOutcomes", "a{st}", get_recovery_outcomes, 0, 0),
        SD_BUS_PROPERTY("RecoveryRefusals", "a{st}", get_recovery_refusals, 0, 0),

        SD_BUS_METHOD_WITH_ARGS("ListAgents", SD_BUS_ARGS("u", cursor, "u", max),
                                SD_BUS_RESULT("a(" BUS_AGENT_ROW ")", agents, "u", next), method_list_agents,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("ListUnits", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(" BUS_UNIT_ROW ")", units),
                                method_list_units, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("GetAgentByPID", SD_BUS_ARGS("u", pid), SD_BUS_RESULT("o", agent),
                                method_get_agent_by_pid, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("FindAgents", SD_BUS_ARGS("s", unit, "u", pid, "u", cursor, "u", max),
                                SD_BUS_RESULT("a(" BUS_AGENT_ROW ")", agents, "u", next), method_find_agents,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("GetMetrics", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", metrics),
                                bus_method_get_metrics, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("History", SD_BUS_ARGS("s", glob, "u", max),
                                SD_BUS_RESULT("a(" BUS_HISTORY_ROW ")", decisions), bus_method_history,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("ListAilingAgents", SD_BUS_ARGS("u", cursor, "u", max),
                                SD_BUS_RESULT("a(" BUS_AGENT_ROW ")", agents, "u", next),
                                method_list_ailing_agents, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("ListAilingUnits", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("a(" BUS_AILING_ROW ")", units), bus_method_list_ailing_units,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("ShowPolicy", SD_BUS_ARGS("s", unit),
                                SD_BUS_RESULT("a(" BUS_POLICY_ROW ")", policy), bus_method_show_policy,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reload, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_ARGS("s", what, "t", usec, "s", reason), SD_BUS_NO_RESULT,
                                bus_method_pause, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_ARGS("s", what), SD_BUS_NO_RESULT, bus_method_resume,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Recover", SD_BUS_ARGS("s", unit), SD_BUS_NO_RESULT, bus_method_recover,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("ResetAgent", SD_BUS_ARGS("t", id), SD_BUS_NO_RESULT, method_reset_agent,
                                ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Forget", SD_BUS_ARGS("t", id), SD_BUS_NO_RESULT, method_forget, ANYBODY),

        SD_BUS_SIGNAL_WITH_ARGS("AgentAppeared",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", origin, "s", status), 0),
        SD_BUS_SIGNAL_WITH_ARGS("AgentExited",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", reason, "s", detail), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Resumed",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", reason, "s", status), 0),
        SD_BUS_SIGNAL_WITH_ARGS("StatusChanged",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", old_status, "s", new_status),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("Stall",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", invocation, "s", reason, "t",
                                            last_beat, "t", last_nonce, "t", deadline, "a{sv}", details),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("RecoveryStarted",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", invocation, "s", reason, "u",
                                            attempt),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("RecoveryFinished",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", invocation, "s", outcome, "u",
                                            attempt),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("RecoveryRefused",
                                SD_BUS_ARGS("t", id, "u", pid, "s", unit, "s", invocation, "s", reason, "u",
                                            attempt),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("GaveUp", SD_BUS_ARGS("s", unit, "t", restarts, "t", window), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Rejected",
                                SD_BUS_ARGS("s", class, "u", claimed_pid, "s", detail, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ClockJumped", SD_BUS_ARGS("s", clock, "t", count, "t", jump), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Overloaded", SD_BUS_ARGS("s", phase, "t", lost, "t", max_deferral), 0),
        SD_BUS_SIGNAL_WITH_ARGS("StormSummary", SD_BUS_ARGS("s", kind, "t", count, "t", window), 0),
        SD_BUS_VTABLE_END,
};

/* The same interface, part two: sd-bus reads the values where core counts them. */
static const sd_bus_vtable counters_vtable[] = {
        SD_BUS_VTABLE_START(0),
#define X(field, name, help) SD_BUS_PROPERTY(name, "t", NULL, offsetof(Counters, field), 0),
        COUNTER_TABLE(X) SD_BUS_VTABLE_END,
#undef X
};

int bus_observer_attach(BusServer *s) {
        int r;

        r = sd_bus_add_object_vtable(s->bus, &s->slots[BUS_SLOT_OBSERVER], BUS_PATH, BUS_INTERFACE,
                                     observer_vtable, s);
        if (r < 0)
                return r;

        return sd_bus_add_object_vtable(s->bus, &s->slots[BUS_SLOT_COUNTERS], BUS_PATH, BUS_INTERFACE,
                                        counters_vtable, (void *) observer_counters(s->observer));
}
