/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What happened and what recovery decided: from the observer's memory, or from the journal, which reaches further back. */

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "ctl/ctl.h"
#include "util/time.h"

typedef struct PastRow {
        usec_t when;                           /* CLOCK_REALTIME */
        char *kind, *unit, *reason, *sentence; /* "" where there is none */
        uint32_t pid;                          /* 0: none */
        uint32_t attempt;                      /* 0: none */
} PastRow;

typedef struct PastView {
        PastRow *rows; /* the newest first */
        size_t n_rows;
} PastView;

/* Which rows are wanted: of units that the arguments and --unit= name, at most so many. */
typedef struct PastQuery {
        const Options *options;
        char **args;
        size_t n_args;
        uint32_t max; /* LINES_ALL: all */
        uint32_t pid; /* 0: all */
        bool events;  /* what happened to agents as well, where it is known: stalls, resumes, exits */
} PastQuery;

/* Appends a row; the texts are copied. Returns 0, -ENOMEM. */
int past_view_add(PastView *v, const PastRow *row);
void past_view_done(PastView *v);

/* Asks the observer. Returns 0, or negative errno, with *error set when the answer was one. */
int past_view_fetch(sd_bus *bus, const PastQuery *query, PastView *ret, sd_bus_error *error);

/*
 * Reads the journal of this host. Only what the journal itself attests to come from varta.service counts, whatever
 * others may have written into fields of their own. Returns 0, or negative errno.
 */
int past_view_read_journal(const PastQuery *query, PastView *ret);

/* Writes the rows, the oldest first unless --reverse says otherwise: a line each, folded where a terminal ends. */
void past_view_print(const PastView *v, bool newest_first);

/* A row as an object, and an array of all in the same order. The caller owns the reference. */
json_object *past_row_to_json(const PastRow *row);
json_object *past_view_to_json(const PastView *v, bool newest_first);
