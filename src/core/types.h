/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The observer's vocabulary: where a beat came from, who sent it, what became of it, and what the rest of
 * the house is told. Plain data: whoever includes this file needs no library.
 *
 * All times are nanoseconds of the clock that the observer was given (`ClockSource=`); none of them is
 * ever read in core.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/macro.h"
#include "util/time.h"
#include "vlp/frame.h"

/* "Nobody": the uid of agents that the kernel did not name. The kernel reserves this value itself. */
#define UID_NONE UINT32_MAX

/* The source of agents on this host. Every other source is a keyed hash of a key's name or an address. */
#define SOURCE_LOCAL UINT64_C(0)

/* Agents whose process belongs to no unit, or whose unit could not be read. */
#define UNIT_NONE UINT16_C(0)

/* How much is known of a sender, weakest first, so that "stronger" is ">". */
typedef enum Origin {
        ORIGIN_NETWORK_UNVERIFIED, /* UDP: anybody who reaches the port */
        ORIGIN_SOCKET_MODE_ONLY,   /* UDS, but the kernel named pid 0: a sender it cannot translate */
        ORIGIN_OPERATOR_ATTESTED,  /* UDP, and the listener's configuration vouches for it */
        ORIGIN_KERNEL_ATTESTED,    /* UDS, and the kernel named the pid */
        _ORIGIN_MAX,
        _ORIGIN_INVALID = -EINVAL,
} Origin;

/* What the receive layer says of a datagram before anybody looks inside. */
typedef enum ReceiveVerdict {
        RECEIVE_OK,                /* `frame` holds 32 bytes */
        RECEIVE_CONTROL_TRUNCATED, /* the kernel cut the ancillary data */
        RECEIVE_MIS_SIZED,         /* not the size of a frame on this listener */
        RECEIVE_NO_CREDENTIALS,    /* a UDS datagram without SCM_CREDENTIALS */
        RECEIVE_DECRYPT_FAILED,    /* secure: no key opens it */
        RECEIVE_REPLAYED,          /* secure: opened, but seen before */
        RECEIVE_PID_MISMATCH,      /* secure: opened, but the frame names another pid than its envelope */
        RECEIVE_SENDER_TABLE_FULL, /* secure: opened, but no room to remember the sender */
        RECEIVE_UNOPENED_LIMITED,  /* secure: dropped before any cryptography */
        _RECEIVE_VERDICT_MAX,
        _RECEIVE_VERDICT_INVALID = -EINVAL,
} ReceiveVerdict;

/* One datagram as ingress hands it upward. The frame's bytes are borrowed for the length of the call. */
typedef struct Datagram {
        const uint8_t *frame; /* VLP_FRAME_SIZE bytes; only looked at when verdict is RECEIVE_OK */
        uint64_t source;      /* SOURCE_LOCAL or a hash */
        uint32_t pid;         /* as the kernel attests it; 0 unless origin is kernel-attested */
        uint32_t uid;         /* likewise; UID_NONE unless the kernel named one */
        uint16_t unit;        /* network listeners: the unit of `[Listener] Unit=`, else UNIT_NONE */
        uint8_t origin;       /* Origin */
        uint8_t verdict;      /* ReceiveVerdict */
        uint8_t listener;     /* index given by observer_add_listener() */
} Datagram;

/* How a process's pid namespace stands to the observer's own. */
typedef enum NamespaceRelation {
        NAMESPACE_UNKNOWN,
        NAMESPACE_OWN,
        NAMESPACE_FOREIGN,
        _NAMESPACE_RELATION_MAX,
        _NAMESPACE_RELATION_INVALID = -EINVAL,
} NamespaceRelation;

/* systemd's own bounds: a unit name has at most 255 characters, an invocation id 16 bytes. */
#define UNIT_NAME_SIZE     256
#define INVOCATION_ID_SIZE 16

/* What one look at a process tells (first sight). Absent facts are zero, an absent pidfd is -1. */
typedef struct Identity {
        uint64_t generation; /* start time in clock ticks since boot: tells two users of one pid apart */
        uint64_t namespace_inode; /* where it can be read */
        uint32_t uid;
        uint32_t inner_pid; /* the pid inside its innermost namespace */
        int pidfd;          /* owned by whoever filled this in until handed to a slot */
        NamespaceRelation relation;
        uint8_t invocation[INVOCATION_ID_SIZE];
        char unit[UNIT_NAME_SIZE]; /* empty: none */
} Identity;

/* What became of one datagram. Every datagram ends in exactly one of these, and each has one counter. */
typedef enum Verdict {
        VERDICT_INSERTED,  /* Beats: a new agent, or an old slot that started afresh */
        VERDICT_REFRESHED, /* Beats: a known agent moved on */
        VERDICT_GONE,      /* Beats: accepted, but its process is already dead; no slot */
        VERDICT_MIS_SIZED,
        VERDICT_CONTROL_TRUNCATED,
        VERDICT_IO_ERROR,
        VERDICT_DECODE_ERROR,
        VERDICT_PID_ABOVE_MAX,
        VERDICT_AUTH_FAILURE,
        VERDICT_RATE_LIMITED,
        VERDICT_NAMESPACE_DROP,
        VERDICT_ORIGIN_CONFLICT,
        VERDICT_NAMESPACE_CONFLICT,
        VERDICT_OUT_OF_ORDER,
        VERDICT_CAPACITY_EXCEEDED,
        VERDICT_DECRYPT_FAILED,
        VERDICT_REPLAYED,
        VERDICT_SENDER_TABLE_FULL,
        _VERDICT_MAX,
        _VERDICT_INVALID = -EINVAL,
} Verdict;

typedef enum RateLimit {
        RATE_LIMIT_PER_PID,
        RATE_LIMIT_GLOBAL,
        RATE_LIMIT_PER_UID,
        RATE_LIMIT_UNOPENED,
        _RATE_LIMIT_MAX,
        _RATE_LIMIT_INVALID = -EINVAL,
} RateLimit;

typedef enum StallReason {
        STALL_SILENT,     /* no accepted beat for a threshold */
        STALL_EXITED,     /* the process of an agent that nobody supervises has died */
        STALL_NEVER_BEAT, /* an active unit that never spoke (FirstBeatSec=) */
        _STALL_REASON_MAX,
        _STALL_REASON_INVALID = -EINVAL,
} StallReason;

/* What the exit of an agent's process means (OnExit=, with `auto` resolved by the unit's kind). */
typedef enum ExitRule {
        EXIT_RULE_EVENT,
        EXIT_RULE_STALL,
        _EXIT_RULE_MAX,
        _EXIT_RULE_INVALID = -EINVAL,
} ExitRule;

typedef enum EvictionPolicy {
        EVICTION_STRICT,
        EVICTION_BALANCED,
        _EVICTION_POLICY_MAX,
        _EVICTION_POLICY_INVALID = -EINVAL,
} EvictionPolicy;

typedef enum OriginPolicy {
        ORIGIN_POLICY_STRONGEST,
        ORIGIN_POLICY_FIRST_WINS,
        _ORIGIN_POLICY_MAX,
        _ORIGIN_POLICY_INVALID = -EINVAL,
} OriginPolicy;

typedef enum RejectClass {
        REJECT_DECODE,
        REJECT_AUTH_FAILURE,
        REJECT_ORIGIN_CONFLICT,
        REJECT_NAMESPACE_CONFLICT,
        REJECT_CONTROL_TRUNCATED,
        REJECT_IO_ERROR,
        REJECT_DECRYPT_FAILED,
        _REJECT_CLASS_MAX,
        _REJECT_CLASS_INVALID = -EINVAL,
} RejectClass;

/* An agent as others see it: a copy, valid for as long as its reader keeps it. */
typedef struct AgentInfo {
        uint64_t id; /* never reused while the observer runs */
        uint64_t source;
        uint64_t generation;
        uint64_t namespace_inode; /* 0: unknown */
        uint64_t last_nonce;      /* of the last accepted regular frame */
        uint64_t beats;           /* accepted, terminal ones included */
        nsec_t first_seen;
        nsec_t last_beat;
        nsec_t threshold; /* the silence that makes a stall, of the agent's unit */
        uint32_t pid;     /* as the observer sees it */
        uint32_t uid;     /* UID_NONE: unknown */
        uint32_t payload;
        uint16_t unit; /* number in the table of units; UNIT_NONE */
        VlpStatus status;
        Origin origin;
        bool stalled;
        bool confirmed; /* a second beat came while the process lived */
        bool terminal;  /* the last accepted frame was a dying agent's last word */
        bool has_pidfd;
        uint8_t invocation[INVOCATION_ID_SIZE];
} AgentInfo;

typedef enum EventKind {
        EVENT_BEAT,       /* an accepted beat that changed something: see the flags */
        EVENT_STALL,      /* out of the stall queue */
        EVENT_EXIT,       /* the agent's process is gone; its slot is free again */
        EVENT_FORGOTTEN,  /* an agent without a pidfd, stalled for ForgetSec= */
        EVENT_EVICTED,    /* the slot went to somebody else */
        EVENT_REJECTED,   /* a datagram that an operator should hear of */
        EVENT_CLOCK_JUMP, /* everybody has one threshold of grace */
        EVENT_OVERLOADED, /* verdicts wait, or no longer wait (see `overloaded`) */
        _EVENT_KIND_MAX,
        _EVENT_KIND_INVALID = -EINVAL,
} EventKind;

/* What an accepted beat changed. Plain progress sets no flag and makes no event. */
enum {
        BEAT_APPEARED = 1 << 0,       /* a new agent, or a slot that started afresh */
        BEAT_RESUMED = 1 << 1,        /* the stall latch was set and is now clear */
        BEAT_STATUS_CHANGED = 1 << 2, /* `old_status` -> agent.status */
        BEAT_CONFIRMED = 1 << 3,      /* the identity is now certain */
};

typedef struct Event {
        EventKind kind;
        nsec_t now;       /* when it was concluded */
        AgentInfo agent;  /* every kind but REJECTED, CLOCK_JUMP, OVERLOADED */
        const char *unit; /* the agent's unit; "" for none. Borrowed for the call */

        unsigned flags;       /* BEAT: BEAT_* */
        VlpStatus old_status; /* BEAT with BEAT_STATUS_CHANGED */

        StallReason reason; /* STALL */
        nsec_t deadline;    /* STALL: the moment silence became a stall */
        bool waited;        /* STALL: the verdict waited for MaxDeferralSec= and now stands */

        bool gone;      /* EXIT: dead before the first look; there never was a slot */
        bool last_word; /* EXIT, STALL exited: a terminal frame came before the death */

        RejectClass reject;    /* REJECTED, and what of the rest is known: */
        VlpError decode_error; /*   decode */
        uint32_t claimed_pid;  /*   the pid the frame names; 0 where there is no frame */
        uint32_t attested_pid; /*   the pid the kernel names; 0 where it names none */
        Origin observed_origin;
        Origin slot_origin;          /*   origin-conflict */
        uint64_t observed_namespace; /* namespace-conflict */
        int error;                   /*   io-error: negative errno */
        uint8_t listener;
        const Datagram *datagram; /*   itself; NULL for an error of the socket. Borrowed for the call */
        const char *peer; /*   "192.0.2.7:4711", of a network sender; else "". Not core's to know: NULL from there */

        bool overloaded; /* OVERLOADED */
        nsec_t jump;     /* CLOCK_JUMP: how far, 0 where it is not known */
} Event;

/* The stable names, as on the bus, in the journal and in metrics. NULL for values outside. */
const char *origin_to_string(Origin o) _const_;
const char *stall_reason_to_string(StallReason r) _const_;
const char *reject_class_to_string(RejectClass c) _const_;
const char *rate_limit_to_string(RateLimit l) _const_;
const char *verdict_to_string(Verdict v) _const_;
