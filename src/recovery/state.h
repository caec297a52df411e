/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The form of what recovery writes down: bytes in, records out, and the other way round. Pure: no file, no clock, no
 * allocation. What comes from a file is checked here, field by field; state-file.h has the file, durable.c the meaning.
 */

#include <time.h>

#include "core/types.h"
#include "recovery/brake.h"
#include "recovery/history.h"
#include "recovery/ladder.h"
#include "recovery/pauses.h"

/* Another number is another form: the file is set aside, not guessed at. */
#define STATE_VERSION 1U

/* The head of the file. */
#define STATE_HEADER_SIZE 64U

/* A record's head. */
#define STATE_FRAME_SIZE 20U

/* No record is larger, its head included: 64 pauses with the longest names and reasons are 34 KiB. */
#define STATE_RECORD_MAX (40U * 1024)

#define STATE_BOOT_SIZE 16U

/* Numbers in the file: added to, never changed. Zero is none, so that a run of zeroes is no record. */
typedef enum StateKind {
        STATE_UNIT = 1,    /* all that is kept of one unit; replaces what was said of it before */
        STATE_PAUSES,      /* all pauses; replaces those before */
        STATE_BRAKE,       /* the window of the storm brake; likewise */
        STATE_ACTION,      /* an action is in flight; replaces the one in the same place */
        STATE_ACTION_OVER, /* and now it is not */
        STATE_PAST,        /* one more decision of history */
        _STATE_KIND_MAX,
        _STATE_KIND_INVALID = -EINVAL,
} StateKind;

typedef struct StateHeader {
        uint8_t boot[STATE_BOOT_SIZE]; /* the kernel's boot id; all zero: not known */
        clockid_t clock;               /* of every nsec_t in the file: CLOCK_MONOTONIC or CLOCK_BOOTTIME */
        nsec_t now;                    /* when the file was begun */
        usec_t wall;                   /* the same by CLOCK_REALTIME */
} StateHeader;

typedef struct StateUnit {
        char name[UNIT_NAME_SIZE];
        Ladder ladder;
        uint64_t restarts;
        RecoveryOutcome last_outcome; /* _RECOVERY_OUTCOME_INVALID: none */
        nsec_t last_action;
        bool stalled;    /* a stall of the unit stands: */
        AgentInfo agent; /* of whom, as in StateAction; pid 0: of the unit itself, which does not beat */
        StallReason reason;
        RecoveryRefusal refusal; /* what was last said of it; _RECOVERY_REFUSAL_INVALID: nothing, or no refusal */
        nsec_t since;
} StateUnit;

typedef struct StatePauses {
        usec_t wall; /* when this was written, by CLOCK_REALTIME */
        Pauses list;
        usec_t ends[PAUSES_MAX]; /* their ends by CLOCK_REALTIME; USEC_INFINITY: until resumed */
} StatePauses;

/* Places for actions in flight; recovery has fewer. */
#define STATE_ACTIONS_MAX 64U

typedef struct StateAction {
        uint32_t place; /* below STATE_ACTIONS_MAX */
        char unit[UNIT_NAME_SIZE];
        char target[UNIT_NAME_SIZE];
        AgentInfo agent; /* id is not kept: it means nothing to another observer */
        StallReason reason;
        unsigned attempt;
        UnitAction verb;
        nsec_t started, deadline, limit;
        bool proving, accepted, restarted, deferred, by_hand;
        bool overtaken; /* by a restart of the host */
        uint8_t before[INVOCATION_ID_SIZE];
        uint8_t after[INVOCATION_ID_SIZE];
} StateAction;

typedef struct StateRecord {
        StateKind kind;
        union {
                StateUnit unit;
                StatePauses pauses;
                Brake brake;
                StateAction action;
                uint32_t over; /* place of the action */
                RecoveryPast past;
        };
} StateRecord;

/* What a look at the file, or at its next record, says. */
typedef enum StateVerdict {
        STATE_OK,
        STATE_END,     /* the file ends with a whole record */
        STATE_TORN,    /* it ends within one: what comes before is what was there before the last writing */
        STATE_DAMAGED, /* something in it is not what was written: nothing of it can be believed */
        STATE_STRANGE, /* it is something else */
        STATE_VERSION_UNKNOWN, /* written by a newer Varta, or a much older one */
        _STATE_VERDICT_MAX,
        _STATE_VERDICT_INVALID = -EINVAL,
} StateVerdict;

/* ---- Writing ---------------------------------------------------------------------------------------------- */

/* Room for records to be appended to a file in one piece. */
typedef struct StateBuffer {
        uint8_t *data;
        size_t size, n;
        uint64_t chain; /* checksum of the file up to here */
} StateBuffer;

/* The file's head, and the beginning of the chain. There must be room for STATE_HEADER_SIZE. */
void state_put_header(StateBuffer *b, const StateHeader *header);

/* One record. Returns 0, or -ENOBUFS when there is no room (nothing is changed then): STATE_RECORD_MAX is always
 * enough. Texts that are not UTF-8 are written as text_printable() shows them. The record is left as it is. */
int state_put(StateBuffer *b, StateRecord *record);

/* ---- Reading ---------------------------------------------------------------------------------------------- */

typedef struct StateReader {
        const uint8_t *data; /* borrowed */
        size_t size, offset;
        uint64_t chain;
} StateReader;

/* Begins to read a file. Returns STATE_OK and the header, or STATE_TORN, STATE_DAMAGED, STATE_STRANGE,
 * STATE_VERSION_UNKNOWN; then there is nothing more to read. */
StateVerdict state_reader_init(StateReader *s, const uint8_t *data, size_t size, StateHeader *ret);

/* The next record, for STATE_OK; else STATE_END, STATE_TORN or STATE_DAMAGED, again and again. Whatever the bytes are,
 * a record that comes out is within the ranges of its types: enums are members, names of units are valid, texts are
 * terminated UTF-8, rings are in order. *ret is undefined otherwise. */
StateVerdict state_next(StateReader *s, StateRecord *ret);
