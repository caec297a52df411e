/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Asking the observer.
 *
 * A storm of scrapes must cost the observer nothing that a beat would feel. So there is one question at a time, all who come
 * meanwhile share its answer, and an answer serves for half a second. Text is made once per answer and form, and
 * shared by all who send it.
 *
 * The observer is never started by a question: that is for the first beat to do. The bus may come late, go and come back;
 * the connection is opened when there is something to ask, and dropped when it is found broken.
 */

#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus/bus-names.h"
#include "exporter/source.h"
#include "util/bus-dict.h"
#include "util/instance.h"
#include "util/log.h"

/* An answer serves for so long: less than any interval at which somebody scrapes. */
#define FRESH_USEC (USEC_PER_SEC / 2)

/* The observer answers from memory within milliseconds. One that takes this long is busy with more important things, and the
 * last answer has to do. */
#define TIMEOUT_USEC USEC_PER_SEC

struct Source {
        sd_event *event;
        bool user;
        char name[INSTANCE_NAME_SIZE]; /* the observer's on the bus */
        void (*settled)(void *userdata);
        void *userdata;

        sd_bus *bus;       /* NULL: not connected */
        sd_bus_slot *call; /* NULL: no question is under way */
        usec_t asked;      /* when the last question was asked */
        usec_t settled_at; /* when it was settled; 0: never */
        bool up;           /* whether it was answered */
        bool complained;   /* that the observer is away was said, once */

        Metrics *metrics; /* the last answer; NULL: none */
        SharedText *texts[_METRICS_FORM_MAX];
        usec_t taken, duration;
        uint64_t failures;
};

static usec_t clock_now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / NSEC_PER_USEC;
}

SharedText *shared_text_ref(SharedText *t) {
        if (t)
                t->refs++;
        return t;
}

SharedText *shared_text_unref(SharedText *t) {
        if (!t || --t->refs > 0)
                return NULL;

        metrics_text_done(&t->text);
        free(t);
        return NULL;
}

int source_new(sd_event *event, bool user, const char *instance, void (*settled)(void *userdata),
               void *userdata, Source **ret) {
        Source *s;

        assert(event);
        assert(settled);
        assert(ret);

        s = calloc(1, sizeof(Source));
        if (!s)
                return -ENOMEM;

        s->event = sd_event_ref(event);
        s->user = user;
        (void) instance_bus_name(s->name, BUS_NAME, instance);
        s->settled = settled;
        s->userdata = userdata;
        *ret = s;
        return 0;
}

static void drop_texts(Source *s) {
        for (size_t i = 0; i < _METRICS_FORM_MAX; i++)
                s->texts[i] = shared_text_unref(s->texts[i]);
}

static void drop_bus(Source *s) {
        s->call = sd_bus_slot_unref(s->call);
        s->bus = sd_bus_close_unref(s->bus);
}

Source *source_free(Source *s) {
        if (!s)
                return NULL;

        drop_bus(s);
        drop_texts(s);
        metrics_free(s->metrics);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

/* ---- The answer ------------------------------------------------------------------------------------------- */

static int on_number(void *userdata, const char *key, const char *name, size_t i, uint64_t value) {
        int r = metrics_put_number(userdata, key, name, i, value);

        /* More units than a snapshot holds: it shows those that fit. */
        return r == -E2BIG ? 0 : r;
}

static int on_text(void *userdata, const char *key, size_t i, const char *value) {
        int r = metrics_put_text(userdata, key, i, value);

        return r == -E2BIG || r == -EINVAL ? 0 : r;
}

static int take_answer(Source *s, sd_bus_message *m) {
        static const BusDictHooks hooks = { .number = on_number, .text = on_text };
        _cleanup_(metrics_freep) Metrics *metrics = NULL;
        int r;

        r = metrics_new(&metrics);
        if (r < 0)
                return r;
        r = bus_dict_walk(m, &hooks, metrics);
        if (r < 0)
                return r;

        metrics_free(s->metrics);
        s->metrics = TAKE_PTR(metrics);
        drop_texts(s);
        s->taken = clock_now();
        s->duration = s->taken - s->asked;
        return 0;
}

/* Why there is no answer is said once, and again after there was one. */
static void settle(Source *s, int error, const char *why) {
        s->settled_at = clock_now();
        s->up = error >= 0;
        if (error < 0) {
                s->failures++;
                if (!s->complained)
                        log_notice("The observer does not answer (%s); showing %s.", why ?: strerror(-error),
                                   s->metrics ? "what it said last" : "that it is not up");
        } else if (s->complained)
                log_notice("The observer answers again.");
        s->complained = error < 0;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Source *s = userdata;

        s->call = sd_bus_slot_unref(s->call);
        if (error)
                settle(s, -EIO, error->message ?: error->name);
        else
                settle(s, take_answer(s, m), NULL);
        s->settled(s->userdata);
        return 0;
}

/* ---- The question ----------------------------------------------------------------------------------------- */

static int connect_bus(Source *s) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        if (s->bus && sd_bus_is_open(s->bus) > 0)
                return 0;
        drop_bus(s);

        /* Both return at once; what is asked waits in the connection until it is up. */
        r = s->user ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, s->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;

        s->bus = TAKE_PTR(bus);
        return 0;
}

static int send_question(Source *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(s->bus, &m, s->name, BUS_PATH, BUS_INTERFACE, "GetMetrics");
        if (r < 0)
                return r;
        r = sd_bus_message_set_auto_start(m, false);
        if (r < 0)
                return r;
        return sd_bus_call_async(s->bus, &s->call, m, on_answer, s, TIMEOUT_USEC);
}

bool source_ask(Source *s) {
        usec_t now = clock_now();
        int r;

        assert(s);

        if (s->call)
                return true;
        if (s->settled_at > 0 && now < s->settled_at + FRESH_USEC)
                return false;

        s->asked = now;
        r = connect_bus(s);
        if (r >= 0)
                r = send_question(s);
        if (r < 0) {
                drop_bus(s);
                settle(s, r, NULL);
                return false;
        }
        return true;
}

/* ---- What is known ---------------------------------------------------------------------------------------- */

SourceState source_state(const Source *s) {
        assert(s);

        if (!s->metrics)
                return SOURCE_NONE;
        return s->up ? SOURCE_FRESH : SOURCE_STALE;
}

usec_t source_age(const Source *s) {
        assert(s);

        return s->metrics ? clock_now() - s->taken : 0;
}

usec_t source_duration(const Source *s) {
        assert(s);

        return s->duration;
}

uint64_t source_failures(const Source *s) {
        assert(s);

        return s->failures;
}

static int make_text(const Metrics *metrics, MetricsForm form, SharedText **ret) {
        _cleanup_(shared_text_unrefp) SharedText *t = NULL;
        int r;

        t = calloc(1, sizeof(SharedText));
        if (!t)
                return -ENOMEM;

        t->refs = 1;
        r = metrics_write(metrics, METRICS_OBSERVER, form, &t->text);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(t);
        return 0;
}

int source_text(Source *s, MetricsForm form, SharedText **ret) {
        int r;

        assert(s);
        assert(form >= 0 && form < _METRICS_FORM_MAX);
        assert(ret);

        if (s->metrics && !s->texts[form]) {
                r = make_text(s->metrics, form, &s->texts[form]);
                if (r < 0)
                        return r;
        }

        *ret = shared_text_ref(s->texts[form]);
        return 0;
}
