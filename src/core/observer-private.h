/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the observer share among themselves. Nobody outside core includes this. */

#include "core/observer.h"
#include "core/tracker.h"
#include "core/uids.h"
#include "core/units.h"
#include "util/bucket.h"

/* Stalls that were concluded and not yet handed out. When it is full, later ones wait in the tracker's lists, which
 * are a queue themselves; 1,024 lets a whole fleet of a usual size be concluded at its exact moment. */
#define STALL_QUEUE_MAX 1024U

/* pid_max changes when an administrator changes it; a read of /proc once a minute is beyond notice. */
#define PID_MAX_INTERVAL (60 * NSEC_PER_SEC)

/* A frame that does not move on may mean a recycled pid, and asking costs a system call or several: once in 10 ms
 * per agent, so that a flood of old nonces buys nothing. Nor does one of frames that the last look refused. */
#define ASK_INTERVAL (10 * NSEC_PER_MSEC)

/* How close to the end and to the beginning two nonces must be to count as a wrap (vlp.md). */
#define NONCE_WRAP_WINDOW (UINT64_C(1) << 20)

/* Slots that one search for a victim may visit beyond the heads of the lists. */
#define EVICTION_VISITS_MAX 1024U

/* Silence, in thresholds, after which `strict` lets a stalled agent's slot go. */
#define EVICTION_SILENCE 10U

/* A jump of the clock: more than this, or than half the smallest threshold in force. */
#define CLOCK_JUMP_MAX (5 * NSEC_PER_SEC)

typedef struct StallEntry {
        AgentInfo agent;
        nsec_t now;
        nsec_t deadline;
        bool waited;
} StallEntry;

typedef struct ListenerState {
        nsec_t empty; /* when its queue was last seen empty */
} ListenerState;

struct Observer {
        Tracker tracker;
        UnitTable units;
        ObserverSettings settings;
        Bucket global;
        nsec_t per_pid_interval; /* 1/rate, rounded up to whole ns; 0: no limit */

        nsec_t now; /* the highest reading so far */
        nsec_t start;
        nsec_t grace; /* silence counts from here at the earliest */
        nsec_t next;  /* cached: the next moment observer_tick() has something to do */

        nsec_t pid_max_read;
        uint32_t pid_max; /* 0: cannot be read, nothing is above it */

        bool overloaded;
        nsec_t blocked; /* smallest threshold whose verdicts wait for a listener to run empty; NSEC_INFINITY */
        bool refused;   /* at least one frame was refused by the global bucket, at: */
        nsec_t refused_at;
        bool dropped; /* ... or dropped by the kernel, at: */
        nsec_t dropped_at;
        ListenerState listeners[OBSERVER_LISTENERS_MAX];
        unsigned n_listeners;

        unsigned queue_head, queue_used;
        StallEntry queue[STALL_QUEUE_MAX];

        uint32_t degraded, critical; /* agents by their last word, over all units */
        UidTable uids;
        Counters counters;
        ObserverHooks hooks;
        void *userdata;
};

/* A datagram on its way through the gates. */
typedef struct Passage {
        const Datagram *datagram;
        VlpFrame frame;
        VlpError error;
        uint32_t pid; /* the pid it is tracked under: the attested one where there is one */
        uint32_t hash;
        uint32_t guess; /* where it was when the batch came in: prefetched, to be verified */
        uint32_t slot;  /* SLOT_NONE: unknown */
        bool attested;
        uint64_t namespace_inode; /* the sender's, where a gate came to know it; else 0 */
} Passage;

/* clock and events: observer.c */
nsec_t observer_clock(Observer *o, nsec_t now);
void observer_emit(Observer *o, Event *event);
void observer_info(const Observer *o, uint32_t slot, AgentInfo *ret);
void observer_emit_slot(Observer *o, EventKind kind, uint32_t slot, nsec_t now);

/* lifecycle.c */
/* Puts an agent into a slot taken for it. *identity is NULL for agents that the kernel does not attest; its pidfd
 * is taken over. Returns SLOT_NONE when there is no room (the pidfd is released then). */
uint32_t agent_insert(Observer *o, const Passage *p, Identity *identity, nsec_t now);
/* Frees the slot. No event: the caller knows why. */
void agent_remove(Observer *o, uint32_t slot);
/* The process is gone: event, counter, and the stall that an unsupervised exit means. Frees the slot. */
void agent_exit(Observer *o, uint32_t slot, nsec_t now);
/* Applies an accepted frame to a slot and announces what it changed. */
void agent_accept(Observer *o, uint32_t slot, const VlpFrame *frame, unsigned flags, nsec_t now);
void agent_set_stalled(Observer *o, uint32_t slot, bool stalled);
int agent_identify(Observer *o, const Passage *p, Identity *ret);
void identity_release(Observer *o, Identity *identity);

/* eviction.c */
/* Makes room for one more agent of this uid. Returns 0; -EDQUOT: the uid holds more than its share and nothing of
 * its own can go; -ENOSPC: nothing can go. */
int observer_make_room(Observer *o, uint32_t uid, nsec_t now);

/* stalls.c */
/* The moment from which the slot is silent too long, a standing grace included. */
nsec_t slot_deadline(const Observer *o, const Slot *s);
/* Something is due at this moment: tell whoever arms the timer, if it is earlier than what is armed. */
void observer_expect(Observer *o, nsec_t deadline);
/* Hands out every queued stall, so that what is announced next cannot overtake it. */
void observer_flush_stalls(Observer *o);
