/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Units that have to beat by a certain time after they became active (FirstBeatSec=). */

#include "recovery/systemd-units.h"
#include "util/unit-name.h"

/* Running units with FirstBeatSec= at once: as many as the observer can tell apart by default. */
#define WATCH_UNITS_MAX 1024U

/* A unit that runs or is starting. */
typedef struct WatchUnit {
        char name[UNIT_NAME_SIZE];
        usec_t active_enter; /* systemd's word on when it became active, CLOCK_MONOTONIC; 0: not known */
        nsec_t since;        /* the same on the observer's clock, as far as known; 0: it is still starting */
        nsec_t due;          /* when it is to be looked at; NSEC_INFINITY: not at all */
        bool beaten;         /* an agent of it has been heard since */
        bool told;           /* it did not beat, and that was announced, or is a recovery's business */
        bool listed;         /* mark of the last list */
} WatchUnit;

/* Zeroed: nobody is watched. */
typedef struct Watch {
        UnitsMonitor monitor;
        UnitReader reader;            /* one look at a time */
        char looking[UNIT_NAME_SIZE]; /* at whom */
        bool full;                    /* it was said that there is no room */
        bool doubt;     /* the list on its way follows a time in which nobody told of changes */
        nsec_t list_at; /* there was no list: ask again then; NSEC_INFINITY */
        uint8_t never_beat[INVOCATION_ID_SIZE]; /* of the unit that is being announced; all zero: none is */
        uint32_t n;
        uint32_t hashes[WATCH_UNITS_MAX]; /* of the names below, to find one in a few cache lines */
        WatchUnit units[WATCH_UNITS_MAX];
} Watch;
