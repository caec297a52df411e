/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The observer as a machine without I/O.
 *
 * In: datagrams with what the kernel said of their senders, process exits, and the passing of time.
 * Out: one verdict per datagram, events through one callback, counters, and the next moment at which time
 * must be told again. It reads no clock, opens nothing and logs nothing; what it needs to know of a process
 * it asks its hooks, once per process. All memory is taken by observer_new().
 *
 * Not thread-safe: one thread owns an observer. Hooks must not call back into it, unless said otherwise.
 */

#include "core/counters.h"
#include "core/types.h"
#include "util/parse.h"

typedef struct Observer Observer;

/* Datagrams handed over at once: the most that one recvmmsg() brings. Look-ups are prefetched across them. */
#define OBSERVER_BATCH_MAX 64U

/* Sockets an observer can listen on; the index is a uint8_t and systemd passes a handful. */
#define OBSERVER_LISTENERS_MAX 64U

typedef struct ObserverSettings {
        nsec_t threshold;    /* of agents without a unit; 10 ms .. 1 d */
        nsec_t forget;       /* likewise: ForgetSec= */
        nsec_t max_deferral; /* how long an overloaded observer may hold a verdict back */
        Rate per_pid_rate;
        Rate global_rate;
        uint32_t global_burst; /* 0: no global limit */
        uint32_t capacity;     /* agents; 1 .. 1,048,576; at start only */
        uint32_t units;        /* units beside "none"; 1 .. 65,534; at start only; 0: UNITS_DEFAULT */
        uint8_t per_uid_share; /* per cent of the capacity, 1 .. 100 */
        EvictionPolicy eviction;
        OriginPolicy origin_policy;
        bool allow_cross_namespace;
        bool own_namespace_known; /* false: every kernel-attested frame is refused rather than passed */
        uint64_t own_namespace;   /* inode, 0: not known */
        uint64_t hash_key[2];     /* secret and random: peers choose pids, they must not choose collisions */
} ObserverSettings;

/* What the policy says of one unit. */
typedef struct UnitRules {
        nsec_t threshold;
        nsec_t forget;
        ExitRule on_exit;
} UnitRules;

typedef struct ObserverHooks {
        /* Something changed. The event is borrowed for the call. */
        void (*event)(void *userdata, const Event *event);

        /* First sight of a kernel-attested process. Returns 0, or -ESRCH when it is gone; what cannot be read
         * stays absent in *ret and is no error. ret->pidfd is -1 when none could be had. */
        int (*identify)(void *userdata, uint32_t pid, uint32_t uid, Identity *ret);

        /* Only the namespaces of a process, for a frame that names another pid than the kernel.
         * Returns 0, or negative errno when they cannot be read. */
        int (*inner_pid)(void *userdata, uint32_t pid, NamespaceRelation *ret_relation, uint32_t *ret_inner);

        /* Whether the process behind a pidfd still lives. */
        bool (*alive)(void *userdata, int pidfd);

        /* An agent now owns this pidfd: tell observer_agent_exited() when it fires. Negative errno: cannot. */
        int (*watch)(void *userdata, int pidfd, uint64_t agent);

        /* The agent is gone, or the pidfd is not wanted: close it. */
        void (*release)(void *userdata, int pidfd);

        /* kernel.pid_max now; 0 when it cannot be read. Asked at start and then at most once in 60 s. */
        uint32_t (*pid_max)(void *userdata);

        /* What holds for a unit. Called when the unit is first seen and again at observer_reconfigure(). */
        void (*unit_rules)(void *userdata, const char *unit, UnitRules *ret);
} ObserverHooks;

/* Takes all memory. `now` is the observer's start. `event` and `unit_rules` must be there; a missing other hook
 * means "cannot be known". Returns 0, -EINVAL for settings outside their ranges, -ENOMEM. */
int observer_new(const ObserverSettings *settings, const ObserverHooks *hooks, void *userdata, nsec_t now,
                 Observer **ret);
Observer *observer_free(Observer *o);
DEFINE_CLEANUP_FUNC(Observer, observer_free)

/* New settings (capacity, units and hash key stay as they are): every unit's rules are asked again, every agent
 * keeps its state. Returns 0, or -EINVAL and nothing has changed. */
int observer_reconfigure(Observer *o, const ObserverSettings *settings, nsec_t now);

/* A listener joins; its queue counts as empty now. Returns its index, or -E2BIG. */
int observer_add_listener(Observer *o, nsec_t now);

/* Judges up to OBSERVER_BATCH_MAX datagrams in their order. ret_verdicts may be NULL. */
void observer_receive(Observer *o, const Datagram *batch, size_t n, nsec_t now, Verdict *ret_verdicts);

/* What else a listener can say: recvmmsg() failed (negative errno, counted and announced); its queue ran empty;
 * the kernel dropped that many datagrams since the last word. */
void observer_listener_failed(Observer *o, uint8_t listener, int error, nsec_t now);
void observer_listener_empty(Observer *o, uint8_t listener, nsec_t now);
void observer_listener_dropped(Observer *o, uint8_t listener, uint64_t n, nsec_t now);

/* Beats that a codec tried keys on: only counted. */
void observer_count_aead(Observer *o, uint64_t attempts);

/* The process of an agent ended (the pidfd fired). Call it after the queued beats were read. An id that is not
 * tracked any more is ignored. */
void observer_agent_exited(Observer *o, uint64_t agent, nsec_t now);

/* Time passed: concludes stalls into the queue (as far as it has room) and forgets the long dead. Call it after
 * the queued beats were read. `lateness` is how much later than its armed deadline the loop woke (0 where it was
 * not armed), `suspended` how far CLOCK_BOOTTIME gained on CLOCK_MONOTONIC since the last call. */
void observer_tick(Observer *o, nsec_t now, nsec_t lateness, nsec_t suspended);

/* The moment observer_tick() has something to do; NSEC_INFINITY when nothing waits. It may be early, never late. */
nsec_t observer_next_deadline(const Observer *o);

/* Takes the oldest stall from the queue and hands it to the event hook. Returns true while there was one. The
 * event hook may be slow or stop calling this: nothing is lost, later stalls wait in the lists, in their order. */
bool observer_dispatch_stall(Observer *o);
bool observer_has_stalls(const Observer *o);

/* An active unit did not beat by its FirstBeatSec=: announced as a stall without an agent. */
void observer_never_beat(Observer *o, const char *unit, nsec_t deadline, nsec_t now);

/* Reading. */
const Counters *observer_counters(const Observer *o);
const ObserverSettings *observer_settings(const Observer *o);
uint32_t observer_tracked(const Observer *o);
uint32_t observer_stalled(const Observer *o);
uint32_t observer_degraded(const Observer *o); /* by their own last word, stalled or not */
uint32_t observer_critical(const Observer *o);
bool observer_overloaded(const Observer *o);
size_t observer_memory(const Observer *o); /* bytes taken at start */

/* One agent by id. Returns 0, or -ENOENT. */
int observer_agent(const Observer *o, uint64_t id, AgentInfo *ret);
/* The agent (source, pid). Returns 0, or -ENOENT. */
int observer_agent_by_pid(const Observer *o, uint64_t source, uint32_t pid, AgentInfo *ret);
/* Pages through all agents: starts at cursor 0, fills up to `max`, returns how many; *ret_next is the next cursor,
 * 0 at the end. An agent that is there for the whole walk is seen exactly once. */
size_t observer_list(const Observer *o, uint32_t cursor, AgentInfo *ret, size_t max, uint32_t *ret_next);
/* The same, of those that are stalled or not well by their own word. */
size_t observer_list_ailing(const Observer *o, uint32_t cursor, AgentInfo *ret, size_t max,
                            uint32_t *ret_next);
/* The same, of those that belong to a unit (UNIT_NONE: to any, or to none) and have a pid (0: any). */
size_t observer_find(const Observer *o, uint16_t unit, uint32_t pid, uint32_t cursor, AgentInfo *ret,
                     size_t max, uint32_t *ret_next);

/* The table of units. Numbers run from 1 to observer_units_max(); a free number has no name. */
typedef struct UnitInfo {
        const char *name; /* borrowed until the unit's last agent leaves */
        uint32_t agents, stalled;
        uint32_t degraded, critical; /* agents whose last word of themselves was this, stalled or not */
        uint64_t beats;
        UnitRules rules;
} UnitInfo;
uint16_t observer_units_max(const Observer *o);
/* Returns 0, or -ENOENT for a free number. */
int observer_unit(const Observer *o, uint16_t unit, UnitInfo *ret);
int observer_unit_by_name(const Observer *o, const char *name, uint16_t *ret);
/* Holds a unit's number though it has no agent (network listeners, recovery); release it with unref. */
uint16_t observer_unit_ref(Observer *o, const char *name);
void observer_unit_unref(Observer *o, uint16_t unit);

/* By hand: clears the latch and starts the agent's silence anew / frees the slot. 0 or -ENOENT. */
int observer_reset_agent(Observer *o, uint64_t id, nsec_t now);
int observer_forget_agent(Observer *o, uint64_t id, nsec_t now);
