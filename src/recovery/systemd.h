/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The few things asked of org.freedesktop.systemd1, every one of them asynchronous. This file knows the bus and
 * nothing of policy. A callback is never called from within the function that was given it.
 */

#include <systemd/sd-bus.h>

#include "config/config.h"
#include "recovery/verdict.h"

typedef struct Systemd Systemd;
typedef struct UnitReader UnitReader;
typedef struct UnitWatch UnitWatch;

/* How a call ended, as far as anybody acts on it. */
typedef enum CallResult {
        CALL_OK,
        CALL_DENIED,   /* polkit, or the bus, says no */
        CALL_NO_UNIT,  /* no such unit, masked, or it cannot be loaded; or one that it requires */
        CALL_CONFLICT, /* a job of somebody else stands in the way */
        CALL_LOST,     /* no reply, no systemd, no connection: it may or may not have been heard */
        CALL_FAILED,   /* anything else: the text says */
        _CALL_RESULT_MAX,
        _CALL_RESULT_INVALID = -EINVAL,
} CallResult;

/* Sorts an error's name. NULL: CALL_OK. */
CallResult call_result_from_error(const char *name);

typedef struct SystemdHandlers {
        /* Systemd came (back) onto the bus: everything under way is to be read anew. */
        void (*returned)(void *userdata);
        /* The connection is gone. */
        void (*disconnected)(void *userdata);
} SystemdHandlers;

/* The connection, once for all units. Zeroed: none. */
struct Systemd {
        sd_bus *bus;
        sd_bus_slot *forged, *subscribe, *owner_match, *disconnected_match;
        const SystemdHandlers *handlers;
        void *userdata;
};

/* Takes a reference to the bus, subscribes to systemd's signals. Returns 0 or negative errno (then nothing is
 * attached). `handlers` must stay. */
int systemd_attach(Systemd *s, sd_bus *bus, const SystemdHandlers *handlers, void *userdata);
/* The caller has let go of its readers, watches and calls before. */
void systemd_detach(Systemd *s);
static inline bool systemd_is_attached(const Systemd *s) {
        return s->bus;
}

/* A reading of one unit. Zeroed: none is under way. */
typedef void (*UnitReadHandler)(UnitReader *reader, CallResult result, const UnitFacts *facts,
                                void *userdata);
struct UnitReader {
        sd_bus_slot *slots[5];
        bool busy;
        UnitFacts facts;
        UnitReadHandler handler;
        void *userdata;
};

/* Asks for the unit's state. Returns 0, -ENOTCONN, or what sd-bus says. */
int unit_reader_start(UnitReader *reader, Systemd *s, const char *unit, UnitReadHandler handler,
                      void *userdata);
void unit_reader_cancel(UnitReader *reader);
static inline bool unit_reader_is_busy(const UnitReader *reader) {
        return reader->busy;
}

/* "Tell me when this unit changes." Zeroed: not watched. */
typedef void (*UnitWatchHandler)(UnitWatch *watch, void *userdata);
struct UnitWatch {
        sd_bus_slot *slot;
        UnitWatchHandler handler;
        void *userdata;
};

/* Returns 0 (also when it watches already), -ENOTCONN, or what sd-bus says. */
int unit_watch_start(UnitWatch *watch, Systemd *s, const char *unit, UnitWatchHandler handler,
                     void *userdata);
void unit_watch_stop(UnitWatch *watch);
static inline bool unit_watch_is_on(const UnitWatch *watch) {
        return watch->slot;
}

/* A job of ours: asked for, then told of its end. Zeroed: none. */
typedef struct UnitJob UnitJob;
typedef struct UnitJobHandlers {
        /* The reply: the job is queued, or why not (text: systemd's own words, "" when there are none). */
        void (*replied)(UnitJob *job, CallResult result, const char *text, void *userdata);
        /* The job is over. Never before `replied`. */
        void (*removed)(UnitJob *job, JobHint hint, const char *result, void *userdata);
} UnitJobHandlers;

/* "/org/freedesktop/systemd1/job/" and ten digits. */
#define JOB_PATH_MAX 48

struct UnitJob {
        sd_bus_slot *call, *match;
        const char *unit;        /* borrowed */
        char path[JOB_PATH_MAX]; /* "" until the reply came */
        char early[JOB_PATH_MAX]; /* a job of the unit that was over before the reply came, the last of them */
        char early_result[16];
        const UnitJobHandlers *handlers;
        void *userdata;
};

/* Matches JobRemoved, then asks. mode is systemd's job mode; unit must stay until the job is detached. Returns 0,
 * -ENOTCONN, or what sd-bus says. */
int unit_job_start(UnitJob *job, Systemd *s, UnitAction verb, const char *unit, const char *mode,
                   const UnitJobHandlers *handlers, void *userdata);
/* Listens again on a new connection for the end of a job that was asked for on an old one. */
int unit_job_resume(UnitJob *job, Systemd *s);
/* Lets go of the connection's parts; the path stays. */
void unit_job_detach(UnitJob *job);
