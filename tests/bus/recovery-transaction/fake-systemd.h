/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A systemd that fails on demand: the few members of org.freedesktop.systemd1 that recovery uses, with units whose
 * state a test sets and whose next job ends as the test says. Only for what the real one cannot be made to do; what
 * it does do is tested against it.
 */

#include "private-bus.h"
#include "recovery/recovery-private.h"

#define FAKE_UNITS 64

/* What becomes of the next request for a unit. */
typedef enum FakeJob {
        FAKE_DONE,          /* restarted, if it ran; job "done" */
        FAKE_HELD,          /* the job stays queued until fake_finish() */
        FAKE_FAILED,        /* the unit goes down; job "failed" */
        FAKE_START_LIMIT,   /* likewise, by its start limit */
        FAKE_CANCELED,      /* nothing happens; job "canceled" */
        FAKE_TIMEOUT,       /* the unit goes down; job "timeout" */
        FAKE_DEPENDENCY,    /* nothing happens; job "dependency" */
        FAKE_SKIPPED,       /* the unit goes down, a condition keeps it there; job "skipped" */
        FAKE_STOPPED_FIRST, /* the unit was stopped a moment before: job "done", and nothing happened */
        FAKE_STOPPED,       /* somebody stops the unit; our job is canceled */
        FAKE_VANISHED,      /* the unit is not there any more when the job is over */
        FAKE_SILENT_DONE,   /* done, and JobRemoved is lost */
        FAKE_EARLY,         /* done, and JobRemoved comes before the reply */
        FAKE_SLOW_START,    /* the job is done while the unit still starts, until fake_finish() */
        FAKE_DENIED,        /* the errors that the call itself can end with */
        FAKE_NO_SUCH_UNIT,
        FAKE_UNMASKED,    /* the same error about our unit, and it is there again before anybody looks */
        FAKE_NEED_MASKED, /* the same error about a unit that ours requires */
        FAKE_NO_POLKIT,   /* the same error, and the unit it is about is polkit's */
        FAKE_CONFLICT,
        FAKE_BROKEN,     /* an error that nobody has heard of */
        FAKE_DEAF,       /* no reply, unless fake_no_reply() sends the bus's */
        FAKE_LEAVE,      /* systemd leaves the bus without a reply, and does nothing */
        FAKE_LEAVE_DONE, /* it does what it was asked for and leaves the bus without a reply */
        _FAKE_JOB_MAX,
} FakeJob;

typedef struct FakeUnit {
        char name[UNIT_NAME_SIZE]; /* "": free */
        ActiveState state;
        char sub_state[32];
        char result[32];
        bool found, refuse_manual, frozen;
        uint8_t invocation;
        uint32_t job;  /* 0: none */
        bool starting; /* a held slow start, not a held job */
        uint64_t inactive_exit;
        uint64_t active_enter; /* kept by itself: when it became active as this invocation: */
        uint8_t entered;
        FakeJob next;
        unsigned calls; /* requests for jobs */
        unsigned reads;
        char method[32], mode[16];  /* of the last request */
        sd_bus_message *unanswered; /* the last request, if it was given no reply */
        bool stopped_by_hand;       /* its administrator wants it down */
        bool read, read_running; /* a reading was answered; the last one told of an active unit, free of jobs, */
        uint8_t read_invocation; /* and of this invocation */
        bool watched; /* it is read for its first beat as well: of two answers on their way, either may be heeded */
        nsec_t read_at;
} FakeUnit;

/* Who wants to have a hand in the play, at the moments at which things go wrong. */
typedef struct FakeDirector {
        void (*read)(void *userdata, FakeUnit *u);  /* a reading was answered just now */
        void (*asked)(void *userdata, FakeUnit *u); /* a job is asked for; `next` may still be set */
        void (*heard)(void *userdata, FakeUnit *u); /* that request was dealt with */
} FakeDirector;

typedef struct FakeSystemd {
        PrivateBus *private_bus;
        sd_event *event;
        sd_bus *bus;
        FakeUnit units[FAKE_UNITS];
        uint32_t jobs;
        const nsec_t *clock; /* of the world that it is in; NULL: it has no time */
        unsigned subscriptions;
        unsigned lists;               /* questions for the units that run */
        bool no_list;                 /* which fail */
        bool mute;                    /* properties are not answered */
        const FakeDirector *director; /* NULL: none */
        void *director_userdata;
        uint64_t messages; /* calls that came and signals that left */
        unsigned undone;   /* units that run anew although their administrators stopped them */
        unsigned heedless; /* restarts asked for although the last reading spoke against it */
} FakeSystemd;

void fake_init(FakeSystemd *f, PrivateBus *private_bus, sd_event *event);
void fake_done(FakeSystemd *f);
/* Onto the bus, with the name; off it, as a re-execution or the death of the bus would have it. */
void fake_join(FakeSystemd *f);
void fake_leave(FakeSystemd *f);

/* An active service, its invocation all bytes `invocation`. */
FakeUnit *fake_unit(FakeSystemd *f, const char *name, uint8_t invocation);
/* Says that the unit's properties changed. */
void fake_changed(FakeSystemd *f, FakeUnit *u);
/* Sets the state, and says so. */
void fake_set_state(FakeSystemd *f, FakeUnit *u, ActiveState state);
/* The unit runs anew, for whatever reason. */
void fake_begin(FakeSystemd *f, FakeUnit *u);
/* The unit's job is over, with this result; nothing else changes. */
void fake_job_over(FakeSystemd *f, FakeUnit *u, const char *result);
/* The request that FAKE_DEAF left without a reply gets the bus's word that there is none. */
void fake_no_reply(FakeSystemd *f, FakeUnit *u);
/* Says that systemd has read its units anew. */
void fake_reloaded(FakeSystemd *f);
/* Ends a held job or start: with a new invocation when the result is "done" and the unit runs. */
void fake_finish(FakeSystemd *f, FakeUnit *u, const char *result);
