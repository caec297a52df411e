/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From sockets to the observer, and what core asks of the kernel.
 */

#include <inttypes.h>

#include "daemon/manager-private.h"
#include "daemon/message-ids.h"
#include "daemon/priorities.h"
#include "util/log.h"

/* ---- ingress -> core -------------------------------------------------------------------------------------- */

static nsec_t on_now(void *userdata) {
        return manager_now(userdata);
}

static void on_datagrams(void *userdata, const Datagram *batch, size_t n, nsec_t now) {
        Manager *m = userdata;

        observer_receive(m->observer, batch, n, now, NULL);
}

static void on_failed(void *userdata, uint8_t listener, int error, nsec_t now) {
        Manager *m = userdata;

        observer_listener_failed(m->observer, listener, error, now);
}

static void on_empty(void *userdata, uint8_t listener, nsec_t now) {
        Manager *m = userdata;

        observer_listener_empty(m->observer, listener, now);
}

static void on_dropped(void *userdata, uint8_t listener, uint64_t n, nsec_t now) {
        Manager *m = userdata;

        observer_listener_dropped(m->observer, listener, n, now);
}

static void on_attempted(void *userdata, uint64_t n) {
        Manager *m = userdata;

        observer_count_aead(m->observer, n);
}

static void on_settled(void *userdata) {
        manager_arm(userdata);
}

const IngressHooks manager_ingress_hooks = {
        .now = on_now,
        .datagrams = on_datagrams,
        .failed = on_failed,
        .empty = on_empty,
        .dropped = on_dropped,
        .attempted = on_attempted,
        .settled = on_settled,
};

/* ---- exits -> core ---------------------------------------------------------------------------------------- */

static void on_drain(void *userdata) {
        Manager *m = userdata;

        ingress_drain(m->ingress);
        manager_arm(m);
}

static void on_exited(void *userdata, uint64_t agent) {
        Manager *m = userdata;

        observer_agent_exited(m->observer, agent, manager_now(m));
}

static void on_exhausted(void *userdata, bool exhausted) {
        Manager *m = userdata;
        DescriptorBudget budget = identities_budget(m->identities);

        if (exhausted)
                log_struct(LOG_WARNING, MESSAGE_DESCRIPTORS_ID, NULL, 0,
                           "No descriptor left for a pidfd (%" PRIu64
                           " held): further agents are known by silence and "
                           "start time only, their exits are not seen at once. Raise LimitNOFILE= of "
                           "%s.",
                           budget.held, m->service);
        else
                log_info("Descriptors for pidfds are available again.");
        manager_watch_log(m);
        bus_server_changed(m->server, BUS_CHANGE_DESCRIPTOR_BUDGET);
}

static const IdentityHooks identity_hooks = {
        .drain = on_drain,
        .exited = on_exited,
        .exhausted = on_exhausted,
};

/* ---- core -> kernel --------------------------------------------------------------------------------------- */

static int on_identify(void *userdata, uint32_t pid, uint32_t uid, Identity *ret) {
        return identities_look(((Manager *) userdata)->identities, pid, uid, ret);
}

static int on_inner_pid(void *userdata, uint32_t pid, NamespaceRelation *ret_relation, uint32_t *ret_inner) {
        return identities_inner_pid(((Manager *) userdata)->identities, pid, ret_relation, ret_inner);
}

static bool on_alive(void *userdata, int pidfd) {
        return identities_alive(pidfd);
}

static int on_watch(void *userdata, int pidfd, uint64_t agent) {
        return identities_watch(((Manager *) userdata)->identities, pidfd, agent);
}

static void on_release(void *userdata, int pidfd) {
        identities_release(((Manager *) userdata)->identities, pidfd);
}

static uint32_t on_pid_max(void *userdata) {
        return identities_pid_max(((Manager *) userdata)->identities);
}

static void on_unit_rules(void *userdata, const char *unit, UnitRules *ret) {
        Manager *m = userdata;

        manager_forget_classes(
                        m); /* core asks when a number becomes a unit's, which may have been another's */
        settings_unit_rules(m->config, unit, ret);
}

const ObserverHooks manager_observer_hooks = {
        .event = manager_on_event,
        .identify = on_identify,
        .inner_pid = on_inner_pid,
        .alive = on_alive,
        .watch = on_watch,
        .release = on_release,
        .pid_max = on_pid_max,
        .unit_rules = on_unit_rules,
};

/* ---- the start ------------------------------------------------------------------------------------------- */

int manager_identities_start(Manager *m) {
        return identities_new(m->event, "/proc", "/sys/fs/cgroup", m->options.user, m->options.features,
                              PRIORITY_EXITS, &identity_hooks, m, &m->identities);
}
