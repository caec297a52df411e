/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From sockets to the observer: the listeners there are, and what core asks of the kernel.
 */

#include <inttypes.h>
#include <systemd/sd-daemon.h>

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

static void on_settled(void *userdata) {
        manager_arm(userdata);
}

static const IngressHooks ingress_hooks = {
        .now = on_now,
        .datagrams = on_datagrams,
        .failed = on_failed,
        .empty = on_empty,
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
                           "varta.service.",
                           budget.held);
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
        settings_unit_rules(((Manager *) userdata)->config, unit, ret);
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

/* ---- listeners -------------------------------------------------------------------------------------------- */

/* The listener joins the observer and the loop; on failure it is the caller's again. */
static int add_listener(Manager *m, Listener *l) {
        int r;

        r = observer_add_listener(m->observer, manager_now(m));
        if (r < 0)
                return r;
        l->index = (uint8_t) r;
        log_debug("Listening on %s (%s, receive buffer %" PRIu32 " bytes)", l->address, l->name,
                  l->receive_buffer);
        return ingress_add(m->ingress, l);
}

static void free_names(char ***names) {
        for (char **n = *names; n && *n; n++)
                free(*n);
        free(*names);
}

/* Sockets that systemd made. One that is of no use is named and passed over: the others still are. */
static int adopt_activated(Manager *m, unsigned *ret_n) {
        _cleanup_(free_names) char **names = NULL;
        int n;

        n = sd_listen_fds_with_names(true, &names);
        if (n < 0)
                return log_error_errno(n, "Cannot take over the activated sockets");

        for (int i = 0; i < n; i++) {
                Listener l;
                int r;

                r = listener_adopt(SD_LISTEN_FDS_START + i, names[i], m->options.features, &l);
                if (r == -EPROTOTYPE) {
                        log_error("Activated socket \"%s\" is of no use here, ignoring it: allowed are "
                                  "ListenDatagram= "
                                  "sockets with a file system or abstract path",
                                  names[i]);
                        continue;
                }
                if (r < 0) {
                        log_error_errno(r, "Cannot use activated socket \"%s\", ignoring it", names[i]);
                        continue;
                }
                r = add_listener(m, &l);
                if (r < 0) {
                        log_error_errno(r, "Cannot listen on activated socket \"%s\", ignoring it",
                                        names[i]);
                        listener_done(&l);
                        continue;
                }
                (*ret_n)++;
        }
        return 0;
}

static int bind_address(Manager *m, const char *address) {
        Listener l;
        int r;

        r = listener_bind(address, m->options.features, &l);
        if (r == -EADDRINUSE)
                return log_error_errno(
                                r,
                                "Cannot listen on %s: another process receives there; stop it, or choose "
                                "another path",
                                address);
        if (r == -EEXIST)
                return log_error_errno(
                                r,
                                "Cannot listen on %s: something that is no socket is there; remove it, or "
                                "choose another path",
                                address);
        if (r == -ENAMETOOLONG)
                return log_error_errno(r, "Cannot listen on %s: a socket's path has at most 107 characters",
                                       address);
        if (r < 0)
                return log_error_errno(r, "Cannot listen on %s", address);

        r = add_listener(m, &l);
        if (r < 0) {
                listener_done(&l);
                return log_error_errno(r, "Cannot listen on %s", address);
        }
        return 0;
}

int manager_receiving_start(Manager *m) {
        IngressPriorities priorities = { .normal = PRIORITY_INGRESS, .yielding = PRIORITY_INGRESS_YIELDING };
        unsigned n = 0;
        int r;

        r = ingress_new(m->event, &ingress_hooks, m, priorities, &m->ingress);
        if (r < 0)
                return log_error_errno(r, "Cannot prepare to receive");
        r = adopt_activated(m, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < m->options.n_listen; i++) {
                r = bind_address(m, m->options.listen[i]);
                if (r < 0)
                        return r;
                n++;
        }
        if (n == 0) {
                log_error("Nothing to listen on: start varta.socket, or give --listen=unix:PATH");
                return -EDESTADDRREQ;
        }
        return 0;
}

int manager_identities_start(Manager *m) {
        return identities_new(m->event, "/proc", "/sys/fs/cgroup", m->options.user, m->options.features,
                              PRIORITY_EXITS, &identity_hooks, m, &m->identities);
}
