/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a scrape gets: the figures of the moment (whether the observer answered, what the exporter itself counted), the snapshot
 * that all scrapes share, and an end.
 */

#include <microhttpd.h>
#include <stdint.h>

#include "exporter/source.h"

/* Why a request was refused. */
typedef enum Refusal {
        REFUSED_UNAUTHORIZED,
        REFUSED_NOT_FOUND,
        REFUSED_METHOD,
        _REFUSED_MAX,
        _REFUSED_INVALID = -EINVAL,
} Refusal;

/* Since the start. */
typedef struct ExporterCounters {
        uint64_t scrapes[_SOURCE_STATE_MAX]; /* answers, by what there was to show */
        uint64_t delayed;                    /* scrapes that had to wait for their turn */
        uint64_t refused[_REFUSED_MAX];
        uint64_t ended; /* connections that were too slow, or one too many */
} ExporterCounters;

/* Makes an answer of what is known now, in one form. It holds the snapshot until it is sent, not the source. Returns 0 or
 * -ENOMEM; the caller owns *ret, as the library says. */
int page_response(Source *source, const ExporterCounters *counters, MetricsForm form,
                  struct MHD_Response **ret);
