/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of src/bus share and nobody else sees. */

#include "bus/bus-names.h"
#include "bus/bus.h"

/*
 * Changing calls whose caller is being looked up, or asked for by polkit, at the same time. Root asks one thing at a
 * time; the rest of the world must not make us keep much of it.
 */
#define BUS_ACCESS_MAX 64U

/* Of these, how many may wait for polkit, which may wait for somebody to type a password: the other places are always
 * soon free again, so that root finds one. And how many of one user. */
#define BUS_CHECKS_MAX          8U
#define BUS_CHECKS_PER_USER_MAX 2U

/* And how many are of one connection: more than anybody sends before he reads the answers. So a client that calls as fast as
 * it can keeps nobody from a place, not even for the moment that a look-up takes. */
#define BUS_CALLS_PER_CALLER_MAX 8U

/* Callers whose uid is remembered: as many as one user may have connections to the system bus. */
#define BUS_CALLERS_KNOWN 256U

/* The longest text among a call's arguments: longer than any that a method takes, so that what is too long for it is
 * refused in its own words, and short enough for calls that wait to be nothing. */
#define BUS_ARGUMENT_MAX 4096U

/* Outgoing messages beyond which signals are not added: the bus has not read for that long. */
#define BUS_QUEUE_MAX 1024U

/* Called when the caller of `m` may change things: acts and replies. Returns as a method handler does. */
typedef int (*AccessHandler)(BusServer *s, sd_bus_message *m, sd_bus_error *error);

typedef struct AccessRequest {
        BusServer *server;
        sd_bus_message *message; /* NULL: free */
        sd_bus_slot *slot;       /* of the question that is out */
        sd_bus_slot *gone;       /* tells when the caller leaves; NULL: nobody waits for him to type */
        AccessHandler handler;
        bool checking;  /* by polkit */
        uid_t uid;      /* of whom, then */
        uint64_t check; /* by what name the check can be cancelled */
} AccessRequest;

/* What the bus daemon said of a connection. */
typedef struct KnownCaller {
        char name[24]; /* ":1." and the digits of a 64-bit number fit */
        uint32_t uid;
} KnownCaller;

typedef enum BusSlot {
        BUS_SLOT_OBSERVER,
        BUS_SLOT_COUNTERS,
        BUS_SLOT_AGENTS,
        BUS_SLOT_AGENT_NODES,
        BUS_SLOT_LOG,
        BUS_SLOT_LOG_CALLS,
        BUS_SLOT_FILTER,
        BUS_SLOT_FORGED,
        BUS_SLOT_DISCONNECTED,
        BUS_SLOT_NAME,
        _BUS_SLOT_MAX,
} BusSlot;

/* Figures of units in GetMetrics(): each a column, and so a key. */
typedef enum BusColumn {
        BUS_COLUMN_AGENTS,
        BUS_COLUMN_STALLED,
        BUS_COLUMN_BEATS,
        BUS_COLUMN_RESTARTS,
        BUS_COLUMN_THRESHOLD,
        _BUS_COLUMN_MAX,
} BusColumn;

/* The units' rows, agents of no unit, and the overflow. */
#define BUS_METRICS_ROWS_MAX (BUS_METRICS_UNITS_MAX + 2)

/* One answer of GetMetrics() while it is made, so that no call allocates much. */
typedef struct BusMetrics {
        usec_t start_time; /* CLOCK_REALTIME; 0: not found out yet */
        const char *names[BUS_METRICS_ROWS_MAX], *states[BUS_METRICS_ROWS_MAX];
        uint64_t columns[_BUS_COLUMN_MAX][BUS_METRICS_ROWS_MAX];
} BusMetrics;

/* bus-queue.c */
typedef struct Queue {
        sd_event_source *source; /* looks at the queue; off when all was read */
        bool armed;
        bool gave_up;       /* the connection, and the next one is not up yet: signals count as suppressed */
        bool left_name;     /* with a connection that was given up */
        uint64_t length;    /* at the last look, as is: */
        int unread;         /* bytes in the socket */
        uint64_t unseen;    /* signals sent since all was read */
        usec_t stuck_since; /* 0: empty, or it moves */
        usec_t interval, patience_signals, patience_close;
} Queue;

struct BusServer {
        sd_event *event;
        sd_bus *bus; /* NULL: not attached */
        sd_bus_slot *slots[_BUS_SLOT_MAX];

        const Observer *observer;
        const BusHooks *hooks;
        void *userdata;
        BusFacts facts;

        sd_event_source *announce; /* off, or armed for the next announcement */
        usec_t announced;          /* when the last one went out */
        unsigned changes;          /* bit per BusChange */
        bool announce_armed;

        uint64_t signals_suppressed;
        Queue queue;

        AccessRequest access[BUS_ACCESS_MAX];
        uint64_t checks; /* asked of polkit so far */
        KnownCaller known[BUS_CALLERS_KNOWN];
        size_t known_next; /* the oldest, to be replaced */

        AgentInfo found; /* the agent that an /agent/<id> object stands for, during one call */
        AgentInfo page[BUS_LIST_AGENTS_MAX]; /* of ListAgents(), so that no call allocates */
        BusMetrics metrics;
};

/* bus-observer.c, bus-agent.c, bus-log.c: put their objects on s->bus. Return 0 or negative errno. */
int bus_observer_attach(BusServer *s);
int bus_agent_attach(BusServer *s);
int bus_log_attach(BusServer *s);

/* bus-changes.c. Init returns 0 or negative errno. */
int bus_changes_init(BusServer *s);
void bus_changes_done(BusServer *s);

/* Handlers of the observer's vtable. A getter has the arguments of sd_bus_property_get_t. */
#define BUS_GETTER(name)                                                                                    \
        int name(sd_bus *bus, const char *path, const char *interface, const char *property,                \
                 sd_bus_message *reply, void *userdata, sd_bus_error *error)

/* bus-health.c */
BUS_GETTER(bus_get_degraded);
BUS_GETTER(bus_get_critical);
/* The next of the observer's units behind *cursor, which begins at UNIT_NONE. False at the end of its table. */
bool bus_next_unit(const BusServer *s, unsigned *cursor, UnitInfo *ret);
int bus_method_list_ailing_units(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* bus-policy.c */
int bus_method_show_policy(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* bus-recovery.c */
BUS_GETTER(bus_get_pauses);
BUS_GETTER(bus_get_brake_until);
int bus_method_history(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_method_pause(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_method_resume(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_method_recover(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* bus-metrics.c */
int bus_method_get_metrics(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* bus-queue.c. Init and attach return 0 or negative errno. */
int bus_queue_init(BusServer *s);
void bus_queue_done(BusServer *s);
int bus_queue_attach(BusServer *s);
/* A signal was sent: it is looked after until it was read. */
void bus_queue_sent(BusServer *s);
/* Whether another signal may be added. */
bool bus_queue_has_room(BusServer *s);

/* bus-access.c: finds out, without waiting, whether the sender of `m` may change things, and has `handler` called
 * or an error sent. Returns as a method handler does: positive when the answer comes later. */
int bus_access_check(BusServer *s, sd_bus_message *m, AccessHandler handler, sd_bus_error *error);
void bus_access_done(BusServer *s);

/* Whether a signal may be put on the bus now: there is a connection, it is up, and its queue has room (false in
 * *ret_room when only that is missing). */
bool bus_server_can_send(BusServer *s, bool *ret_room);

/* The name of a unit, "" for none. Borrowed from the observer. */
const char *bus_unit_name(const BusServer *s, uint16_t unit);

/* The path of an agent's object. Any id fits. */
#define BUS_AGENT_PATH_SIZE (sizeof(BUS_AGENT_PATH) + STRLEN("/18446744073709551615"))
void bus_agent_path(uint64_t id, char ret[static BUS_AGENT_PATH_SIZE]);

/* An invocation id as 32 hexadecimal digits; "" when it is all zero or NULL. Returns buf. */
#define BUS_INVOCATION_SIZE (2 * INVOCATION_ID_SIZE + 1)
const char *bus_invocation(const uint8_t *id, char buf[static BUS_INVOCATION_SIZE]);
