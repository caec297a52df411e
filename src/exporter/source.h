/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where the figures come from: the observer, asked over the bus, one question at a time and never more than two in a second.
 *
 * Nothing here waits. Whoever wants figures asks; when the answer (or its absence) is there, everybody is told at once and
 * shows what there is: a fresh snapshot, the last one with its age, or none.
 */

#include <systemd/sd-event.h>

#include "metrics/metrics.h"
#include "util/time.h"

typedef struct Source Source;

/* A text that many answers share while they are sent. */
typedef struct SharedText {
        unsigned refs;
        MetricsText text;
} SharedText;

/* Both take NULL and return what they were given, or NULL. */
SharedText *shared_text_ref(SharedText *t);
SharedText *shared_text_unref(SharedText *t);
DEFINE_CLEANUP_FUNC(SharedText, shared_text_unref)

/* `user`: the user's bus. `instance`: the observer's, borrowed; NULL: the one without a name. settled() is called from the event loop, at the end of a question that source_ask() told to wait
 * for. The event loop is referenced. Returns 0 or negative errno; the caller owns *ret. */
int source_new(sd_event *event, bool user, const char *instance, void (*settled)(void *userdata),
               void *userdata, Source **ret);
Source *source_free(Source *s);
DEFINE_CLEANUP_FUNC(Source, source_free)

/* Asks the observer, unless it was asked a moment ago. Returns true when there will be news (settled() is called), false when
 * what is known now is all that there will be. */
bool source_ask(Source *s);

/* What became of the last question: */
typedef enum SourceState {
        SOURCE_NONE,  /* the observer never answered */
        SOURCE_STALE, /* it did not answer the last question, but one before */
        SOURCE_FRESH,
        _SOURCE_STATE_MAX,
        _SOURCE_STATE_INVALID = -EINVAL,
} SourceState;
SourceState source_state(const Source *s);

/* The last snapshot: its age and how long the observer took for it, in µs; both 0 without one. */
usec_t source_age(const Source *s);
usec_t source_duration(const Source *s);

/* Questions that were not answered. */
uint64_t source_failures(const Source *s);

/* The last snapshot as text, without an end; the caller owns a reference. *ret is NULL when there is none. Returns 0 or
 * -ENOMEM. */
int source_text(Source *s, MetricsForm form, SharedText **ret);
