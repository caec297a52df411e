/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The text of a scrape, in three parts, handed to the library as they lie: the large one is the same memory for all who read
 * it, and goes from there to the socket. A part's memory stays until the library is done with the answer, which is the
 * reader's pace, and may be snapshots later.
 */

#include "exporter/page.h"

typedef struct Page {
        MetricsText head;
        SharedText *body; /* NULL: none */
        MetricsText tail;
} Page;

static void page_free(void *userdata) {
        Page *p = userdata;

        metrics_text_done(&p->head);
        metrics_text_done(&p->tail);
        shared_text_unref(p->body);
        free(p);
}

static int write_head(const Source *source, const ExporterCounters *counters, MetricsForm form,
                      MetricsText *text) {
        static const char *const scrapes[_SOURCE_STATE_MAX] = {
                [SOURCE_NONE] = "none",
                [SOURCE_STALE] = "stale",
                [SOURCE_FRESH] = "fresh",
        };
        static const char *const refusals[_REFUSED_MAX] = {
                [REFUSED_UNAUTHORIZED] = "unauthorized",
                [REFUSED_NOT_FOUND] = "not-found",
                [REFUSED_METHOD] = "method",
        };
        _cleanup_(metrics_freep) Metrics *m = NULL;
        SourceState state = source_state(source);
        int r;

        r = metrics_new(&m);
        if (r < 0)
                return r;

        /* Numbers without a unit take no memory: these cannot fail. */
        (void) metrics_put_number(m, "Up", NULL, 0, state == SOURCE_FRESH);
        if (state != SOURCE_NONE) {
                (void) metrics_put_number(m, "SnapshotAgeUSec", NULL, 0, source_age(source));
                (void) metrics_put_number(m, "SnapshotDurationUSec", NULL, 0, source_duration(source));
        }
        for (size_t i = 0; i < _SOURCE_STATE_MAX; i++)
                (void) metrics_put_number(m, "Scrapes", scrapes[i], 0, counters->scrapes[i]);
        (void) metrics_put_number(m, "ScrapesDelayed", NULL, 0, counters->delayed);
        for (size_t i = 0; i < _REFUSED_MAX; i++)
                (void) metrics_put_number(m, "RequestsRefused", refusals[i], 0, counters->refused[i]);
        (void) metrics_put_number(m, "ConnectionsEnded", NULL, 0, counters->ended);
        (void) metrics_put_number(m, "SnapshotFailures", NULL, 0, source_failures(source));
        return metrics_write(m, METRICS_SCRAPE | METRICS_EXPORTER, form, text);
}

static int page_new(Source *source, const ExporterCounters *counters, MetricsForm form, Page **ret) {
        Page *p = calloc(1, sizeof(Page));
        int r;

        if (!p)
                return -ENOMEM;

        r = write_head(source, counters, form, &p->head);
        if (r >= 0)
                r = source_text(source, form, &p->body);
        if (r >= 0)
                r = metrics_write_end(form, &p->tail);
        if (r < 0) {
                page_free(p);
                return r;
        }

        *ret = p;
        return 0;
}

int page_response(Source *source, const ExporterCounters *counters, MetricsForm form,
                  struct MHD_Response **ret) {
        struct MHD_IoVec vectors[3];
        struct MHD_Response *response;
        unsigned n = 0;
        Page *p;
        int r;

        assert(source);
        assert(counters);
        assert(ret);

        r = page_new(source, counters, form, &p);
        if (r < 0)
                return r;

        vectors[n++] = (struct MHD_IoVec){ p->head.text, p->head.size };
        if (p->body)
                vectors[n++] = (struct MHD_IoVec){ p->body->text.text, p->body->text.size };
        vectors[n++] = (struct MHD_IoVec){ p->tail.text, p->tail.size };

        response = MHD_create_response_from_iovec(vectors, n, page_free, p);
        if (!response) {
                page_free(p);
                return -ENOMEM;
        }
        *ret = response;
        return 0;
}
