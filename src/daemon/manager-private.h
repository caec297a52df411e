/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the daemon share. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "bus/bus.h"
#include "config/config.h"
#include "core/observer.h"
#include "daemon/manager.h"
#include "daemon/settings.h"
#include "daemon/storms.h"
#include "ingress/identity.h"
#include "ingress/ingress.h"
#include "recovery/recovery.h"
#include "util/instance.h"

/* One of the two connections to the bus, and how to get it back. */
typedef struct Connection {
        sd_bus *bus;
        sd_event_source *retry;
        const char *description;
        int error; /* what was last said to be wrong with it; 0: nothing */
} Connection;

struct Manager {
        Options options;
        char service[INSTANCE_NAME_SIZE];  /* the unit that this is meant to run as, for messages */
        char bus_name[INSTANCE_NAME_SIZE]; /* the name to be owned */
        sd_event *event;
        Config *config;
        char *config_error; /* the first thing that was wrong with the configuration in force; NULL: nothing */
        bool stopping;

        clockid_t clock; /* the observer's */
        nsec_t start;
        nsec_t boot_gain; /* CLOCK_BOOTTIME less CLOCK_MONOTONIC, when last asked */

        Observer *observer;
        Identities *identities;
        Ingress *ingress;
        RecoverySettings recovery_settings;
        Recovery *recovery;
        BusServer *server;
        char *capabilities;

        Connection clients; /* has the name: a subscriber that does not read can block it */
        Connection systemd; /* nameless: nothing but recovery's calls */
        bool had_name;

        uint64_t key_hash;                               /* of the caches of derived keys */
        uint16_t listener_units[OBSERVER_LISTENERS_MAX]; /* numbers held for Unit= of listeners */

        const char **classes; /* by unit number: which section rules it, owned by `config`; NULL: to be looked up */

        Storms storms;
        sd_event_source *storm_end; /* of the next window in which something was not told; else off */
        nsec_t armed;               /* what the timer is set to; NSEC_INFINITY: off */
        sd_event_source *timer;
        sd_event_source *stalls;
        sd_event_source *log;
        sd_event_source *log_retry;
        sd_event_source *status;
        sd_event_source *signals[3];
};

/* manager.c */
nsec_t manager_now(const Manager *m);
const char *manager_state(const Manager *m);
/* The status line is due; it is written once a second at most. */
void manager_status_changed(Manager *m);
/* Reads the configuration again. Returns 0, or negative errno and, where wanted, the reason as one line in *ret_reason
 * (free it): the old configuration is in force then. */
int manager_reload(Manager *m, char **ret_reason);

/* timing.c: the observer's one timer */
int manager_timing_start(Manager *m);
/* Arms the timer if the observer waits for something earlier than it is armed for. Cheap when it does not. */
void manager_arm(Manager *m);

/* receiving.c: sockets to observer */
extern const IngressHooks manager_ingress_hooks;
int manager_identities_start(Manager *m);
extern const ObserverHooks manager_observer_hooks;

/* listeners.c: the sockets, their rules and their keys */
int manager_receiving_start(Manager *m);

/* New keys of each secure listener, while a reload is not decided yet. */
typedef struct ListenerKeys {
        SecureKeys *keys[OBSERVER_LISTENERS_MAX];
} ListenerKeys;

/* Reads all keys that a configuration names. Returns 0, or negative errno and what is wrong as one line (free it), and
 * nothing is held. */
int manager_listeners_prepare(Manager *m, const Config *config, ListenerKeys *ret, char **ret_reason);
void manager_listeners_discard(ListenerKeys *keys);
/* Puts rules and keys into force, as the configuration in force says. */
void manager_listeners_apply(Manager *m, ListenerKeys *keys);

/* reporting.c: events to journal, bus and recovery */
void manager_on_event(void *userdata, const Event *event);
void manager_on_record(void *userdata, const RecoveryRecord *record);
/* To be called after something was logged: what journald does not take now is written when it does. */
void manager_watch_log(Manager *m);

/* storming.c: what is too much to be told one by one */
int manager_storms_start(Manager *m);
/* One more of a kind (a StormKind or a class of refusals). Returns whether it is to be told by itself. */
bool manager_storms_pass(Manager *m, unsigned kind, nsec_t now);
bool manager_storms_pass_event(Manager *m, const Event *event);

/* connections.c: the two connections */
int manager_connections_start(Manager *m);
void manager_connections_stop(Manager *m);
void manager_name_acquired(void *userdata, int error);
void manager_clients_lost(void *userdata);
void manager_clients_stuck(void *userdata);

/* serving.c: what the bus asks */
extern const BusHooks manager_bus_hooks;
/* serving.c: a unit's number is another's now, or the configuration is: what was looked up is forgotten. */
void manager_forget_classes(Manager *m);
/* serving.c: what recovery asks */
extern const RecoveryHooks manager_recovery_hooks;
