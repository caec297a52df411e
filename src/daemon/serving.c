/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the bus asks of the daemon, and what recovery asks of it: answers put together from parts that do not know of
 * each other.
 */

#include "bus/bus-names.h"
#include "daemon/manager-private.h"
#include "util/log.h"
#include "varta-build.h"

/* ---- for the bus ------------------------------------------------------------------------------------------ */

static void serve_facts(void *userdata, BusFacts *ret) {
        Manager *m = userdata;

        *ret = (BusFacts){
                .bus_name = m->bus_name,
                .version = VARTA_VERSION,
                .clock_source = config_clock_to_string(config_observer(m->config)->clock_source),
                .capabilities = m->capabilities,
                .start = m->start,
                .user_bus = m->options.user,
        };
}

static const char *serve_state(void *userdata) {
        return manager_state(userdata);
}

static const char *serve_config_error(void *userdata) {
        const Manager *m = userdata;

        return m->config_error ?: "";
}

static usec_t serve_to_monotonic(void *userdata, nsec_t t) {
        Manager *m = userdata;

        /* CLOCK_BOOTTIME runs ahead of CLOCK_MONOTONIC by what was spent suspended. */
        if (m->clock == CLOCK_BOOTTIME)
                t = nsec_sub(t, m->boot_gain);
        return t / NSEC_PER_USEC;
}

static uint32_t serve_descriptor_budget(void *userdata) {
        DescriptorBudget budget = identities_budget(((Manager *) userdata)->identities);

        return budget.limit > UINT32_MAX ? UINT32_MAX : (uint32_t) budget.limit;
}

static uint64_t serve_journal_dropped(void *userdata) {
        return log_dropped();
}

static bool serve_listener(void *userdata, size_t i, BusListener *ret) {
        const Listener *l = ingress_listener(((Manager *) userdata)->ingress, i);

        if (!l)
                return false;
        *ret = (BusListener){
                .name = l->name,
                .transport = transport_to_string(l->transport),
                .address = l->address,
                .receive_buffer = l->receive_buffer,
                .datagrams = l->datagrams,
        };
        return true;
}

static bool serve_outcome(void *userdata, size_t i, const char **ret_name, uint64_t *ret_count) {
        if (i >= _RECOVERY_OUTCOME_MAX)
                return false;
        *ret_name = recovery_outcome_to_string((RecoveryOutcome) i);
        *ret_count = recovery_counters(((Manager *) userdata)->recovery)->outcomes[i];
        return true;
}

static bool serve_refusal(void *userdata, size_t i, const char **ret_name, uint64_t *ret_count) {
        if (i >= _RECOVERY_REFUSAL_MAX)
                return false;
        *ret_name = recovery_refusal_to_string((RecoveryRefusal) i);
        *ret_count = recovery_counters(((Manager *) userdata)->recovery)->refusals[i];
        return true;
}

static void serve_unit(void *userdata, uint16_t unit, const char *name, BusUnit *ret) {
        static const char *const states[_RECOVERY_UNIT_STATE_MAX] = {
                [UNIT_STATE_STALLED] = BUS_UNIT_STALLED, [UNIT_STATE_RECOVERING] = BUS_UNIT_RECOVERING,
                [UNIT_STATE_BACKOFF] = BUS_UNIT_BACKOFF, [UNIT_STATE_GAVE_UP] = BUS_UNIT_GAVE_UP,
                [UNIT_STATE_PAUSED] = BUS_UNIT_PAUSED,
        };
        Manager *m = userdata;
        RecoveryUnitView view;

        recovery_unit(m->recovery, name, &view);
        ret->mode = unit_mode_to_string(view.mode);
        ret->state = states[view.state];
        ret->restarts = view.restarts;
        if (view.last_outcome >= 0)
                ret->last_outcome = recovery_outcome_to_string(view.last_outcome);
        if (view.backoff_until > 0)
                ret->backoff_until = serve_to_monotonic(m, view.backoff_until);
}

static const char *serve_ailing_unit(void *userdata, uint32_t *cursor) {
        return recovery_ailing_unit(((Manager *) userdata)->recovery, cursor);
}

static const char *find_class(const Manager *m, const char *name) {
        const ConfigKey *key = config_key_find(CONFIG_UNIT, "StallThresholdSec");
        ConfigProvenance p = {};

        config_value(m->config, key, name, NULL, 0, &p);
        return p.section && p.file ? p.section : "";
}

/* Matching a unit against every section is no work for each of a hundred thousand rows: it is done once for a unit. */
static const char *serve_unit_class(void *userdata, uint16_t unit, const char *name) {
        Manager *m = userdata;
        size_t n = (size_t) observer_units_max(m->observer) + 1;

        if (!m->classes)
                m->classes = calloc(n, sizeof(char *));
        if (!m->classes || unit >= n)
                return find_class(m, name);
        if (!m->classes[unit])
                m->classes[unit] = find_class(m, name);
        return m->classes[unit];
}

void manager_forget_classes(Manager *m) {
        free(m->classes);
        m->classes = NULL;
}

static size_t serve_policy(void *userdata, const char *unit, BusPolicy ret[static BUS_POLICY_MAX]) {
        ConfigValue values[CONFIG_UNIT_KEYS_MAX];
        size_t n;

        static_assert(CONFIG_UNIT_KEYS_MAX <= BUS_POLICY_MAX && CONFIG_VALUE_MAX <= BUS_POLICY_VALUE_MAX,
                      "what the configuration says fits");
        n = config_unit_values(((Manager *) userdata)->config, unit, values, ELEMENTSOF(values));
        for (size_t i = 0; i < n; i++) {
                ret[i] = (BusPolicy){
                        .key = config_key_name(values[i].key),
                        .file = values[i].provenance.file,
                        .line = values[i].provenance.line,
                };
                memcpy(ret[i].value, values[i].text, sizeof(values[i].text));
        }
        return n;
}

static int serve_reload(void *userdata, char **ret_reason) {
        return manager_reload(userdata, ret_reason);
}

static int serve_reset(void *userdata, uint64_t id) {
        Manager *m = userdata;
        int r;

        r = observer_reset_agent(m->observer, id, manager_now(m));
        manager_arm(m);
        return r;
}

static int serve_forget(void *userdata, uint64_t id) {
        Manager *m = userdata;

        return observer_forget_agent(m->observer, id, manager_now(m));
}

static bool serve_past(void *userdata, size_t i, BusPast *ret) {
        const RecoveryPast *p;

        p = i > UINT32_MAX ? NULL : recovery_history_at(((Manager *) userdata)->recovery, (uint32_t) i);
        if (!p)
                return false;
        *ret = (BusPast){
                .wall = p->wall,
                .kind = recovery_record_kind_to_string(p->kind),
                .unit = p->unit,
                .reason = p->reason,
                .sentence = p->sentence,
                .pid = p->pid,
                .attempt = p->attempt,
        };
        return true;
}

static int serve_pause(void *userdata, const char *what, nsec_t span, const char *reason) {
        return recovery_pause(((Manager *) userdata)->recovery, what, span, reason);
}

static int serve_resume(void *userdata, const char *what) {
        return recovery_resume(((Manager *) userdata)->recovery, what);
}

static int serve_recover(void *userdata, const char *unit) {
        return recovery_recover(((Manager *) userdata)->recovery, unit);
}

static bool serve_pause_at(void *userdata, size_t i, BusPause *ret) {
        const Pause *p;

        p = i >= PAUSES_MAX ? NULL : recovery_pause_at(((Manager *) userdata)->recovery, (uint32_t) i);
        if (!p)
                return false;
        *ret = (BusPause){
                .what = p->what,
                .reason = p->reason,
                .until = p->until == NSEC_INFINITY ? 0 : serve_to_monotonic(userdata, p->until),
        };
        return true;
}

static usec_t serve_brake_until(void *userdata) {
        nsec_t until = recovery_brake_until(((Manager *) userdata)->recovery);

        return until == 0 ? 0 : serve_to_monotonic(userdata, until);
}

static const char *serve_log_level(void *userdata) {
        return log_level_to_string(log_get_max_level());
}

static const char *serve_log_target(void *userdata) {
        return log_target_to_string(log_get_target());
}

/* Said before or after, so that it is said at all. */
static int serve_set_log_level(void *userdata, const char *level) {
        int l = log_level_from_string(level), old = log_get_max_level();

        if (l < 0)
                return l;
        log_set_max_level(MAX(l, old));
        log_info("Log level changed from %s to %s", log_level_to_string(old), log_level_to_string(l));
        log_set_max_level(l);
        manager_watch_log(userdata);
        return 0;
}

static int serve_set_log_target(void *userdata, const char *target) {
        LogTarget t = log_target_from_string(target);

        if (t < 0)
                return t;
        log_info("Log target changes from %s to %s", log_target_to_string(log_get_target()),
                 log_target_to_string(t));
        manager_watch_log(userdata);
        return log_set_target(t);
}

const BusHooks manager_bus_hooks = {
        .facts = serve_facts,
        .state = serve_state,
        .config_error = serve_config_error,
        .to_monotonic = serve_to_monotonic,
        .descriptor_budget = serve_descriptor_budget,
        .journal_dropped = serve_journal_dropped,
        .listener = serve_listener,
        .recovery_outcome = serve_outcome,
        .recovery_refusal = serve_refusal,
        .unit = serve_unit,
        .ailing_unit = serve_ailing_unit,
        .unit_class = serve_unit_class,
        .policy = serve_policy,
        .reload = serve_reload,
        .reset_agent = serve_reset,
        .forget_agent = serve_forget,
        .past = serve_past,
        .pause = serve_pause,
        .resume = serve_resume,
        .recover = serve_recover,
        .pause_at = serve_pause_at,
        .brake_until = serve_brake_until,
        .log_level = serve_log_level,
        .log_target = serve_log_target,
        .set_log_level = serve_set_log_level,
        .set_log_target = serve_set_log_target,
        .name_acquired = manager_name_acquired,
        .stuck = manager_clients_stuck,
        .disconnected = manager_clients_lost,
};

/* ---- for recovery ----------------------------------------------------------------------------------------- */

static nsec_t answer_now(void *userdata) {
        return manager_now(userdata);
}

static void answer_policy(void *userdata, const char *unit, UnitPolicy *ret) {
        config_unit_policy(((Manager *) userdata)->config, unit, ret);
}

static int answer_agent(void *userdata, uint64_t id, AgentInfo *ret) {
        return observer_agent(((Manager *) userdata)->observer, id, ret);
}

static void answer_agents(void *userdata, const char *unit, RecoveryAgents *ret) {
        Manager *m = userdata;
        uint16_t number;
        UnitInfo info;

        *ret = (RecoveryAgents){};
        if (observer_unit_by_name(m->observer, unit, &number) >= 0 &&
            observer_unit(m->observer, number, &info) >= 0)
                *ret = (RecoveryAgents){ .tracked = info.agents, .stalled = info.stalled };
}

static const char *answer_first_beat_at(void *userdata, size_t i) {
        return config_first_beat_at(((Manager *) userdata)->config, i, NULL);
}

static void announce_never_beat(void *userdata, const char *unit, nsec_t deadline) {
        Manager *m = userdata;

        observer_never_beat(m->observer, unit, deadline, manager_now(m));
}

const RecoveryHooks manager_recovery_hooks = {
        .now = answer_now,
        .record = manager_on_record,
        .policy = answer_policy,
        .agent = answer_agent,
        .agents = answer_agents,
        .first_beat_at = answer_first_beat_at,
        .never_beat = announce_never_beat,
};
