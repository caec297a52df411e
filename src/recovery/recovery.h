/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Recovery: a stall comes in, and either a reason why nothing is done or a restarted unit comes out.
 *
 * All times are nanoseconds of the observer's clock, as hooks->now() tells them. Nothing here blocks: systemd is
 * asked by asynchronous calls only, and what has to wait waits in one timer of the event loop. All memory of
 * stalls, units and actions is taken by recovery_new().
 *
 * Not thread-safe: one thread owns a Recovery. Hooks are called from within recovery_*() and from event sources;
 * they must not call back into it, except recovery_unit() and the readers of counters.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "config/config.h"
#include "core/types.h"
#include "recovery/history.h"
#include "recovery/names.h"
#include "recovery/pauses.h"

typedef struct Recovery Recovery;

typedef struct RecoverySettings {
        /* At start only. */
        clockid_t clock;      /* what hooks->now() reads: CLOCK_MONOTONIC or CLOCK_BOOTTIME */
        uint32_t stalls;      /* stalls that can stand at once: the observer's capacity; 1 .. 1,048,576 */
        uint32_t units;       /* units with a state of their own; 1 .. 65,534 */
        const char *own_unit; /* the observer's own unit, which it never touches; NULL or "" when there is none */
        int state_fd; /* the state directory, opened, and needed by recovery_new() only; -1: nothing outlives the
                       * process. What is in it is in force from then on, and what is wrong with it is a record */
        int64_t priority; /* of recovery's timer among the loop's sources (the bus's is its owner's business) */

        /* May change with a reload. */
        nsec_t recovery_timeout; /* RecoveryTimeoutSec=; 0: auto */
        nsec_t recheck;          /* RecheckSec=; at least 1 ms is taken */
        Rate storm_limit;        /* StormLimit=; count 0: no brake */
        nsec_t max_deferral;     /* MaxDeferralSec=: a starved host puts a verdict off for so long at most */
        bool allow_cross_namespace;
} RecoverySettings;

/* One decision, with everything that a journal entry, a signal or a line of history says. Strings are borrowed for
 * the length of the call and never NULL. */
typedef struct RecoveryRecord {
        RecoveryRecordKind kind;
        bool announce; /* false: only counted (mode-off); neither signal nor journal entry */
        nsec_t when;
        uint64_t agent; /* 0: none (a unit that never beat) */
        uint32_t pid;   /* 0: likewise */
        const char *unit;
        uint8_t invocation[INVOCATION_ID_SIZE]; /* of the stalled process; all zero: not known */
        Origin origin;
        StallReason stall_reason;
        VlpStatus status;
        uint64_t last_nonce;
        nsec_t silence;   /* since the last beat, at `when` */
        unsigned attempt; /* STARTED, FINISHED: number of the action since the unit was last healthy, from 1;
                                   * otherwise how many there have been */
        RecoveryRefusal refusal; /* REFUSED, GAVE_UP; else _RECOVERY_REFUSAL_INVALID */
        RecoveryOutcome outcome; /* FINISHED; else _RECOVERY_OUTCOME_INVALID */
        RecoveryAgain again;     /* what brings it before the gates again */
        nsec_t again_at;         /* for AGAIN_AT and AGAIN_RECHECK; else NSEC_INFINITY */
        const char *reason; /* the stable name: of the refusal, the outcome, or (STARTED) the stall's reason */
        const char *sentence; /* for people: what happened, what to do about it, when it is judged again */
        const char *job;      /* the systemd job's object path where there is one, else "" */
} RecoveryRecord;

/* How many agents of a unit there are, for Quorum=. */
typedef struct RecoveryAgents {
        uint32_t tracked, stalled;
} RecoveryAgents;

typedef struct RecoveryHooks {
        /* The observer's clock. */
        nsec_t (*now)(void *userdata);

        /* A decision was taken. */
        void (*record)(void *userdata, const RecoveryRecord *record);

        /* What is in force for a unit ("" for agents without one). */
        void (*policy)(void *userdata, const char *unit, UnitPolicy *ret);

        /* An agent as it is now: asked just before acting. Returns 0, -ENOENT when it is not tracked any more. */
        int (*agent)(void *userdata, uint64_t id, AgentInfo *ret);

        /* The agents of a unit as they are now; all zero for a unit that has none. */
        void (*agents)(void *userdata, const char *unit, RecoveryAgents *ret);

        /* The patterns of units that have to beat in time (FirstBeatSec=): i from 0 until NULL is returned. And: such a unit
         * did not, and is to be announced as a stall without an agent; this one does call back, into recovery_event().
         * NULL: nobody watches. */
        const char *(*first_beat_at)(void *userdata, size_t i);
        void (*never_beat)(void *userdata, const char *unit, nsec_t deadline);

        /* Reads a small file of /proc or /sys, terminated; cuts it at size - 1. Returns its length, negative errno.
         * NULL: read it from the file system. A test injects texts here. */
        int (*read_text)(void *userdata, const char *path, char *buf, size_t size);
} RecoveryHooks;

/* Takes all memory. The event loop is referenced. All hooks but read_text must be there. Returns 0, -EINVAL for
 * settings outside their ranges, -ENOMEM, or what sd-event says. */
int recovery_new(sd_event *event, const RecoverySettings *settings, const RecoveryHooks *hooks,
                 void *userdata, Recovery **ret);

/* Lets go of the bus and of every action under way; no hook is called, and nothing is written: to the state directory
 * this is what the process's death is. Takes NULL, returns NULL. */
Recovery *recovery_free(Recovery *r);
DEFINE_CLEANUP_FUNC(Recovery, recovery_free)

/*
 * The connection to systemd's bus: nameless, attached to the same event loop, ready or still connecting; it is
 * referenced. Everything that waited for it is judged, and every action under way is read anew. Returns 0,
 * -EBUSY when there is one already, or what sd-bus says (then nothing is attached).
 */
int recovery_attach_bus(Recovery *r, sd_bus *bus);

/* The connection is lost, or about to be closed. Actions under way stay and wait for the next one, as long as their
 * timeout lets them. Recovery lets go by itself when the connection ends; a second call does nothing. */
void recovery_detach_bus(Recovery *r);
bool recovery_has_bus(const Recovery *r);

/*
 * Every event of the observer, whatever its kind, in its order: stalls are judged, beats resume, confirm and prove,
 * exits and evictions end what stood for the agent. The event is borrowed. What recovery does not care for is
 * ignored.
 */
void recovery_event(Recovery *r, const Event *event);

/* New settings and policies: every standing stall is judged again. Actions under way go on. Returns 0, -EINVAL. */
int recovery_reconfigure(Recovery *r, const RecoverySettings *settings);

/* The event loop was late by so much (the observer measures it with its own timer): a sign of a starved host. */
void recovery_loop_lag(Recovery *r, nsec_t lag);

/* ---- By hand ---------------------------------------------------------------------------------------------- */

/*
 * Holds recovery back: of a unit or those a glob covers, of one process ("pid:N"), of everything (""). span 0: until
 * resumed. The pause of a process also ends with that process. A pause for the same `what` replaces the one before. Actions under way go on. Returns 0, -EINVAL when
 * `what` is none of these, -E2BIG when the reason is longer than PAUSE_REASON_MAX - 1 bytes, -ESRCH when there is no
 * such process, -ENOSPC when there are too many pauses.
 */
int recovery_pause(Recovery *r, const char *what, nsec_t span, const char *reason);

/*
 * Lets it go on: ends the pauses for `what` ("": all), brings units that `what` covers back from having given up, or
 * ("brake") releases the storm brake. What stands is judged again. Returns 0, -EINVAL as above, -ENOENT when nothing
 * was held in this way.
 */
int recovery_resume(Recovery *r, const char *what);

/*
 * Recovers a unit with a standing stall now, past the gates of policy (mode, quorum, pause, grace, back-off, ...);
 * those that guard against the wrong process or an administrator's stop still hold. Returns 0 when that is on its way
 * (the records tell how it ends), -ENOENT when no stall of the unit stands, -EBUSY when it is being recovered already.
 */
int recovery_recover(Recovery *r, const char *unit);

/* Pauses in force, i from 0; NULL when there is none. */
const Pause *recovery_pause_at(const Recovery *r, uint32_t i);
/* Until when the storm brake holds; 0: it does not. */
nsec_t recovery_brake_until(Recovery *r);

/* The decisions of the last time, the newest first: i from 0; NULL when there are not so many. */
const RecoveryPast *recovery_history_at(const Recovery *r, uint32_t i);

/* Counted per name from the start: refusals decided (once per change of a stall's reason), outcomes, actions. */
typedef struct RecoveryCounters {
        uint64_t refusals[_RECOVERY_REFUSAL_MAX];
        uint64_t outcomes[_RECOVERY_OUTCOME_MAX];
        uint64_t started;
} RecoveryCounters;
const RecoveryCounters *recovery_counters(const Recovery *r);

/* Actions under way, and stalls that stand. */
uint32_t recovery_in_flight(const Recovery *r);
uint32_t recovery_standing(const Recovery *r);

/* One unit, as ListUnits shows it. */
typedef struct RecoveryUnitView {
        UnitMode mode;
        RecoveryUnitState state;
        uint64_t restarts;            /* actions of ours that began a new invocation */
        unsigned attempt;             /* actions since the unit was last healthy */
        RecoveryOutcome last_outcome; /* _RECOVERY_OUTCOME_INVALID: none yet */
        RecoveryRefusal last_refusal; /* of a stall that stands; _RECOVERY_REFUSAL_INVALID: none */
        nsec_t last_action;           /* when the last action began; 0: never */
        nsec_t backoff_until;         /* 0: none in force */
        nsec_t gave_up_until;         /* 0: has not given up */
        nsec_t paused_until;          /* 0: is not paused; NSEC_INFINITY: until resumed */
} RecoveryUnitView;
/* Always answers: a unit without a history is healthy. */
void recovery_unit(const Recovery *r, const char *unit, RecoveryUnitView *ret);

/* Units in trouble: a stall stands, an action is under way, back-off holds, or it was given up; whether or not it has an
 * agent. Starts where *cursor says (0 at first) and moves it on. NULL: that were all. */
const char *recovery_ailing_unit(const Recovery *r, uint32_t *cursor);

/* Units that gave up: `status` exits 3 for them. */
uint32_t recovery_gave_up(const Recovery *r);
