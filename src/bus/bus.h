/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The observer on the bus: org.varta.Observer1.
 *
 * A BusServer outlives its connection. It is made without one, is attached to whatever sd_bus the daemon opens,
 * loses it when the bus goes away and is attached to the next. Everything but attaching works without a
 * connection, too: signals go nowhere then, changes are not announced.
 *
 * It reads the observer and never changes it; what changes something goes through the hooks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "core/observer.h"
#include "util/macro.h"
#include "util/time.h"

typedef struct BusServer BusServer;

/* What does not change while the daemon runs. Strings are borrowed for as long as the server lives. */
typedef struct BusFacts {
        const char *version;      /* "0.1.0" */
        const char *clock_source; /* "monotonic", "boottime" */
        const char *capabilities; /* what the process still holds; "none" */
        const char *bus_name;     /* to be owned; NULL: BUS_NAME */
        nsec_t start;             /* the observer's start, in the observer's clock */
        bool user_bus;            /* --user: whoever runs the daemon may change things, not only root */
} BusFacts;

/* One row of Listeners. Strings are borrowed until the next hook is called. */
typedef struct BusListener {
        const char *name;      /* FileDescriptorName= */
        const char *transport; /* "unix", "udp", "udp-secure" */
        const char *address;
        uint32_t receive_buffer; /* bytes */
        uint64_t datagrams;      /* taken off the socket since start */
} BusListener;

/* What recovery knows of a unit; all of it may be absent (NULL, 0). Strings are borrowed as above. */
typedef struct BusUnit {
        const char *mode;         /* "off", "warn", "enforce" */
        const char *state;        /* a BUS_UNIT_*; NULL: "ok" or "stalled", as the observer sees it */
        const char *last_outcome; /* a recovery outcome; NULL: there was none */
        uint64_t restarts;
        usec_t backoff_until; /* CLOCK_MONOTONIC; 0: no back-off */
} BusUnit;

/* One row of History(). Strings are borrowed until the next hook is called. */
typedef struct BusPast {
        usec_t wall; /* CLOCK_REALTIME */
        const char *kind, *unit, *reason, *sentence;
        uint32_t pid, attempt;
} BusPast;

/* One row of ShowPolicy(). */
#define BUS_POLICY_MAX       32U  /* rows: twice what a [Unit] section has today */
#define BUS_POLICY_VALUE_MAX 320U /* bytes: a unit's name with a verb in front, and room */
typedef struct BusPolicy {
        const char *key;                  /* "Mode" */
        const char *file;                 /* where the value is from; NULL: it is the default */
        unsigned line;                    /* from 1 */
        char value[BUS_POLICY_VALUE_MAX]; /* as the file would say it */
} BusPolicy;

/* One row of Pauses. Strings are borrowed as above. */
typedef struct BusPause {
        const char *what, *reason;
        usec_t until; /* CLOCK_MONOTONIC; 0: until resumed */
} BusPause;

/*
 * What only the daemon knows. Every hook is there; all are called from the event loop, none may block, and none
 * may attach, detach or free the server, except where it says so.
 */
typedef struct BusHooks {
        /* Asked once, by bus_server_new(). */
        void (*facts)(void *userdata, BusFacts *ret);

        /* A BUS_STATE_*. */
        const char *(*state)(void *userdata);

        /* What is wrong with the configuration that is in force, "" when nothing is. */
        const char *(*config_error)(void *userdata);

        /* A time of the observer's clock as µs of CLOCK_MONOTONIC. */
        usec_t (*to_monotonic)(void *userdata, nsec_t t);

        /* How many agents may have a pidfd of their own. */
        uint32_t (*descriptor_budget)(void *userdata);

        /* Records that the journal did not take. */
        uint64_t (*journal_dropped)(void *userdata);

        /* Listener number i, from 0. Returns false when there is none. */
        bool (*listener)(void *userdata, size_t i, BusListener *ret);

        /* Recovery's counters, number i from 0: outcomes and refusals, each name there from the start.
         * Return false when there is none. */
        bool (*recovery_outcome)(void *userdata, size_t i, const char **ret_name, uint64_t *ret_count);
        bool (*recovery_refusal)(void *userdata, size_t i, const char **ret_name, uint64_t *ret_count);

        /* What recovery knows of a unit of the observer's table. *ret comes zeroed. */
        void (*unit)(void *userdata, uint16_t unit, const char *name, BusUnit *ret);

        /* Units that recovery has something in force for, agents or not, from *cursor on (0 at first), which moves.
         * NULL: that were all. */
        const char *(*ailing_unit)(void *userdata, uint32_t *cursor);

        /* The policy class of a unit: the [Unit] section that rules it, "" for the defaults. Once per listed
         * agent: cheap, please. UNIT_NONE comes with the name "". */
        const char *(*unit_class)(void *userdata, uint16_t unit, const char *name);

        /* Every key in force for a unit ("" for agents without one). Returns how many rows were filled in. */
        size_t (*policy)(void *userdata, const char *unit, BusPolicy ret[static BUS_POLICY_MAX]);

        /* Reads the configuration anew. Returns 0, or negative errno and in *ret_reason (never NULL, free() it)
         * file, line and what is wrong; the old configuration is in force then. */
        int (*reload)(void *userdata, char **ret_reason);

        /* As observer_reset_agent() and observer_forget_agent(): 0, or -ENOENT. */
        int (*reset_agent)(void *userdata, uint64_t id);
        int (*forget_agent)(void *userdata, uint64_t id);

        /* Recovery's decisions, the newest first, i from 0. Returns false when there are not so many. */
        bool (*past)(void *userdata, size_t i, BusPast *ret);

        /* Recovery by hand. `what`: a unit, a glob, "pid:N", "" for all; for resume "brake", too; span 0: until
         * resumed. Return 0, -EINVAL for any other `what`; pause: -E2BIG for too long a reason, -ESRCH for no such
         * process, -ENOSPC; resume: -ENOENT when nothing was held; recover: -ENOENT when no stall of the unit
         * stands, -EBUSY when it is being recovered. */
        int (*pause)(void *userdata, const char *what, nsec_t span, const char *reason);
        int (*resume)(void *userdata, const char *what);
        int (*recover)(void *userdata, const char *unit);

        /* Pauses in force, i from 0. Returns false when there are not so many. */
        bool (*pause_at)(void *userdata, size_t i, BusPause *ret);
        /* Until when the storm brake holds, in CLOCK_MONOTONIC; 0: it does not. */
        usec_t (*brake_until)(void *userdata);

        /* What is logged, and where to, in the words of org.freedesktop.LogControl1(5). Setting returns 0, -EINVAL for
         * a word that is none, or another negative errno and nothing has changed. */
        const char *(*log_level)(void *userdata);
        const char *(*log_target)(void *userdata);
        int (*set_log_level)(void *userdata, const char *level);
        int (*set_log_target)(void *userdata, const char *target);

        /* How the request for the bus name ended: 0, we own it; -EEXIST, another observer does; -EPERM, the bus
         * policy does not let us; other negative errno. May detach. */
        void (*name_acquired)(void *userdata, int error);

        /* The bus has not taken anything for 30 s: the server gave the connection up and is detached already. The daemon
         * closes it and opens another. May attach, or free the server. */
        void (*stuck)(void *userdata);

        /* The connection is gone; the server is detached already. May attach, or free the server. */
        void (*disconnected)(void *userdata);
} BusHooks;

/*
 * A server without a connection. `event` is referenced; observer, hooks and userdata are borrowed and must outlive
 * the server. Returns 0, -ENOMEM, or another negative errno of sd-event. The caller owns *ret.
 */
int bus_server_new(sd_event *event, const Observer *observer, const BusHooks *hooks, void *userdata,
                   BusServer **ret);
BusServer *bus_server_free(BusServer *s);
DEFINE_CLEANUP_FUNC(BusServer, bus_server_free)

/* Priority of the source that announces changes; the connection's own is sd_bus_attach_event()'s. */
int bus_server_set_priority(BusServer *s, int64_t priority);

/*
 * Puts the objects on a connection, which is referenced and need not be connected yet, and asks for the bus name
 * (unless it is a direct connection to a peer); hooks.name_acquired tells how that ended. The daemon attaches the
 * connection to its event loop. A connection that was attached before is detached. Returns 0, or negative errno and
 * none is attached.
 */
int bus_server_attach(BusServer *s, sd_bus *bus);

/* How long the bus may take nothing until signals are suppressed, and until the connection is given up. What is in force
 * at first is what org.varta.Observer1(5) says; for tests. */
#define BUS_QUEUE_PATIENCE_SIGNALS_USEC (5 * USEC_PER_SEC)
#define BUS_QUEUE_PATIENCE_CLOSE_USEC   (30 * USEC_PER_SEC)
void bus_server_set_patience(BusServer *s, usec_t signals, usec_t close);

/* Takes the objects off again. No-op without a connection. The name goes when the daemon closes the connection. */
void bus_server_detach(BusServer *s);

bool bus_server_is_attached(const BusServer *s);

/* The properties whose change is announced. */
typedef enum BusChange {
        BUS_CHANGE_STATE,
        BUS_CHANGE_CONFIGURATION_ERROR,
        BUS_CHANGE_AGENTS_TRACKED,
        BUS_CHANGE_AGENTS_STALLED,
        BUS_CHANGE_AGENTS_DEGRADED,
        BUS_CHANGE_AGENTS_CRITICAL,
        BUS_CHANGE_THRESHOLD,
        BUS_CHANGE_LISTENERS,
        BUS_CHANGE_DESCRIPTOR_BUDGET,
        BUS_CHANGE_PAUSES,
        _BUS_CHANGE_MAX,
        _BUS_CHANGE_INVALID = -EINVAL,
} BusChange;

/*
 * Notes that a property changed. It is announced at the end of the loop's turn, or when 100 ms have passed since
 * the last announcement, together with whatever else changed by then. Costs a bit when it is noted already.
 */
void bus_server_changed(BusServer *s, BusChange change);

/*
 * Tells the bus of a core event: emits the signals it stands for and notes the properties it changes. This is
 * all that the daemon calls for the observer's event hook.
 */
void bus_server_event(BusServer *s, const Event *event);
/* The same without the signals: somebody else says that there were too many. */
void bus_server_event_untold(BusServer *s, const Event *event);

/* Signals that were not sent because the outgoing queue was full (or memory was not to be had). */
uint64_t bus_server_signals_suppressed(const BusServer *s);
