/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * top: the fleet, live.
 *
 * On a terminal a picture that is drawn anew every second; elsewhere, and as JSON, one look after two samples. It goes on when
 * the observer restarts, says so while there is none, and takes its time where the fleet is large: looking takes at most a
 * tenth of the time, whatever --delay= says. The calls wait for their answers, for two seconds at most: an observer that
 * does not answer is something to show, and not something to wait for.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "ctl/fleet.h"
#include "ctl/format.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/pattern.h"
#include "ctl/screen.h"
#include "ctl/status.h"
#include "ctl/table.h"
#include "util/instance.h"
#include "util/parse.h"
#include "util/text.h"

#define DELAY_DEFAULT (1 * NSEC_PER_SEC)
#define DELAY_MIN     (100 * NSEC_PER_MSEC)
#define DELAY_MAX     NSEC_PER_HOUR

#define ANSWER_TIMEOUT (2 * USEC_PER_SEC)

/* At least nine parts of rest for one of looking. */
#define REST_FACTOR 9U

typedef struct Top {
        const Options *options;
        char **args;
        size_t n_args;
        const char *key; /* of fleet_sort_keys */
        bool reverse;
        usec_t delay;
        sd_event *event;
        sd_event_source *timer;
        sd_bus *bus;          /* NULL while there is none */
        Fleet fleet, before;  /* the last look and the one before */
        char trouble[256];    /* why there is no newer one; "" */
        usec_t offset, clock; /* of the observer's CLOCK_MONOTONIC */
        bool has_clock;
} Top;

/* ---- The picture --------------------------------------------------------------------------------------------- */

static void put_state(const Top *t, FILE *f) {
        char span[FORMAT_TIME_MAX], now[FORMAT_TIME_MAX], text[sizeof(t->trouble)], name[INSTANCE_NAME_SIZE];
        const ObserverView *o = &t->fleet.observer;

        (void) fprintf(f, "%s %s, ", instance_name(name, "varta", t->options->instance, ""),
                       t->fleet.idle ? "idle" : output_text(text, sizeof(text), o->state));
        if (!t->fleet.idle && t->has_clock)
                (void) fprintf(f, "up %s, ",
                               format_rough_span(span, sizeof(span), nsec_sub(t->clock, o->start)));
        (void) fprintf(f, "%.8s\n", format_time_of_day(now, sizeof(now), now_usec(CLOCK_REALTIME)));
        if (t->trouble[0])
                (void) fprintf(f, "%s%s%s\n", output_colour(COLOUR_RED),
                               output_text(text, sizeof(text), t->trouble), output_colour(COLOUR_NONE));
}

static void put_numbers(const Top *t, FILE *f) {
        const ObserverView *o = &t->fleet.observer;
        char rate[32];

        (void) fprintf(f, "Agents: %u, %u stalled, %u degraded, %u critical; %s beats/s\n", o->tracked,
                       o->stalled, o->degraded, o->critical,
                       fleet_format_rate(rate, sizeof(rate), fleet_rate(&t->fleet, &t->before)));
        if (o->n_pauses > 0)
                (void) fprintf(f, "%zu pause%s in force; see: varta-ctl status\n", o->n_pauses,
                               plural(o->n_pauses));
        if (t->has_clock && o->brake_until > t->clock)
                (void) fprintf(f, "The storm brake holds recovery back.\n");
}

static void add_row(const Top *t, Table *table, const FleetRow *row) {
        char buf[FORMAT_TIME_MAX];
        uint32_t ailing = row->degraded + row->critical;

        table_add(table, COLOUR_NONE, row->name[0] ? row->name : "(no unit)");
        table_add(table, unit_state_colour(row->state), row->state);
        table_add_u64(table, row->agents);
        table_addf(table, row->stalled > 0 ? COLOUR_RED : COLOUR_NONE, "%u", row->stalled);
        table_addf(table, ailing > 0 ? COLOUR_YELLOW : COLOUR_NONE, "%u", ailing);
        table_add(table, COLOUR_NONE, fleet_format_rate(buf, sizeof(buf), row->rate));
        if (row->last_beat > 0 && t->has_clock)
                (void) format_rough_span(buf, sizeof(buf), nsec_sub(t->clock, row->last_beat));
        else
                (void) snprintf(buf, sizeof(buf), "-");
        table_add(table, COLOUR_NONE, buf);
        table_add_u64(table, row->restarts);
}

/* So many rows, for so many columns (0: all that there are). Returns 0, -ENOMEM. */
static int put_units(const Top *t, FILE *f, size_t rows, unsigned columns) {
        static const TableColumn heads[] = {
                { "UNIT", TABLE_SHRINK },   { "STATE", TABLE_LEFT },     { "AGENTS", TABLE_RIGHT },
                { "STALLED", TABLE_RIGHT }, { "AILING", TABLE_RIGHT },   { "BEATS/S", TABLE_RIGHT },
                { "SILENT", TABLE_RIGHT },  { "RESTARTS", TABLE_RIGHT },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = table_new(heads, ELEMENTSOF(heads), &table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < MIN(rows, t->fleet.n_rows); i++)
                add_row(t, table, &t->fleet.rows[i]);
        return table_print(table, f, !t->options->no_legend, columns);
}

/* Lines of the heading that are longer than the screen end at its edge. */
static void cut_lines(char *text, unsigned columns) {
        char *to = text;

        while (*text) {
                size_t n = strcspn(text, "\n");
                unsigned shown = 0;

                for (size_t i = 0; i < n; i++) {
                        /* Sequences of colours take no room. */
                        if (text[i] == '\033') {
                                size_t length = strcspn(text + i, "m") + 1;

                                memmove(to, text + i, length);
                                to += length;
                                i += length - 1;
                                continue;
                        }
                        if (((unsigned char) text[i] & 0xC0) != 0x80)
                                shown++;
                        if (shown <= columns)
                                *to++ = text[i];
                }
                text += n;
                if (*text)
                        *to++ = *text++;
        }
        *to = 0;
}

static bool draw(Top *t) {
        _cleanup_free_ char *head = NULL, *table = NULL, *text = NULL;
        unsigned rows, columns, used = 1;
        size_t size;
        FILE *f;

        screen_size(&rows, &columns);
        f = open_memstream(&head, &size);
        if (!f)
                return false;
        put_state(t, f);
        if (!t->fleet.idle)
                put_numbers(t, f);
        (void) fputc('\n', f);
        (void) fclose(f);
        for (const char *p = head; (p = strchr(p, '\n')); p++)
                used++;
        cut_lines(head, columns);

        f = open_memstream(&table, &size);
        if (!f)
                return false;
        (void) put_units(t, f, rows > used ? rows - used : 0, columns);
        (void) fclose(f);

        return asprintf(&text, "%s%s", head, table) >= 0 && screen_draw(text, rows);
}

/* ---- Looking ------------------------------------------------------------------------------------------------- */

static void put_trouble(Top *t, int r, const sd_bus_error *error) {
        if (sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                (void) snprintf(t->trouble, sizeof(t->trouble), "No observer is on the bus.");
        else if (r == -ETIMEDOUT ||
                 sd_bus_error_has_names(error, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT))
                (void) snprintf(t->trouble, sizeof(t->trouble), "The observer does not answer.");
        else if (sd_bus_is_open(t->bus) <= 0)
                (void) snprintf(t->trouble, sizeof(t->trouble), "The connection to the bus was lost.");
        else
                (void) snprintf(t->trouble, sizeof(t->trouble), "%s",
                                error && error->message ? error->message : strerror(-r));
}

/* The next look; the last one stays when it fails. Returns 0, or negative errno, with *error set as above. */
static int look(Top *t, sd_bus_error *error) {
        Fleet fleet = {};
        int r;

        r = fleet_fetch(t->options, t->bus, &fleet, error);
        if (r < 0)
                return r;

        fleet_done(&t->before);
        t->before = t->fleet;
        t->fleet = fleet;
        t->has_clock = link_clock(t->options, t->bus, &t->offset, &t->clock) >= 0;
        fleet_compare(&t->fleet, &t->before);
        fleet_choose(&t->fleet, t->options, t->args, t->n_args, t->key, t->reverse);
        return 0;
}

/* Looks, connecting anew if need be, and keeps what went wrong as words. */
static void look_again(Top *t) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = 0;

        if (t->bus && sd_bus_is_open(t->bus) <= 0)
                t->bus = sd_bus_flush_close_unref(t->bus);
        if (!t->bus) {
                r = link_connect(t->options, &t->bus);
                if (r >= 0)
                        (void) sd_bus_set_method_call_timeout(t->bus, ANSWER_TIMEOUT);
        }
        if (r >= 0)
                r = look(t, &error);

        t->trouble[0] = 0;
        if (r < 0 && t->bus)
                put_trouble(t, r, &error);
        else if (r < 0)
                (void) snprintf(t->trouble, sizeof(t->trouble), "There is no bus: %s", strerror(-r));
}

/* ---- Live ---------------------------------------------------------------------------------------------------- */

static int redraw(Top *t) {
        return draw(t) ? 0 : sd_event_exit(t->event, 0);
}

static int on_timer(sd_event_source *source, usec_t usec, void *userdata) {
        usec_t began = now_usec(CLOCK_MONOTONIC), ended, rest = 0;
        Top *t = userdata;
        int r;

        look_again(t);
        ended = now_usec(CLOCK_MONOTONIC);
        /* Waiting in vain costs the observer nothing. */
        if (!t->trouble[0])
                rest = REST_FACTOR * (ended - began);
        r = sd_event_source_set_time(source, ended + MAX(t->delay, rest));
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return r < 0 ? r : redraw(t);
}

static int on_resize(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        return redraw(userdata);
}

/* ^Z: the shell gets its terminal back in order, and we take it again when we go on. */
static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        screen_leave();
        (void) raise(SIGSTOP);
        screen_enter();
        return redraw(userdata);
}

static void sort_by(Top *t, const char *key) {
        t->reverse = strcmp(t->key, key) == 0 ? !t->reverse : false;
        t->key = key;
        fleet_choose(&t->fleet, t->options, t->args, t->n_args, t->key, t->reverse);
}

static int on_key(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        static const struct {
                char key;
                const char *sort;
        } keys[] = { { 'u', "unit" },    { 's', "state" }, { 'a', "agents" },
                     { 'S', "stalled" }, { 'b', "beats" }, { 'r', "restarts" } };
        Top *t = userdata;
        char key;

        if (read(fd, &key, 1) != 1 || key == 'q' || key == 'Q')
                return sd_event_exit(t->event, 0);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (keys[i].key == key)
                        sort_by(t, keys[i].sort);
        return redraw(t);
}

static int add_sources(Top *t) {
        static const struct {
                int signal;
                sd_event_signal_handler_t handler;
        } signals[] = { { SIGINT, NULL },  { SIGTERM, NULL },       { SIGHUP, NULL },
                        { SIGQUIT, NULL }, { SIGWINCH, on_resize }, { SIGTSTP, on_stop } };
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i].signal);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;

        /* Without a handler a signal ends the loop. */
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                r = sd_event_add_signal(t->event, NULL, signals[i].signal, signals[i].handler,
                                        signals[i].handler ? t : NULL);
                if (r < 0)
                        return r;
        }
        if (isatty(STDIN_FILENO)) {
                r = sd_event_add_io(t->event, NULL, STDIN_FILENO, EPOLLIN, on_key, t);
                if (r < 0)
                        return r;
        }
        return sd_event_add_time(t->event, &t->timer, CLOCK_MONOTONIC, now_usec(CLOCK_MONOTONIC) + t->delay,
                                 0, on_timer, t);
}

static CtlExit run_live(Top *t) {
        int r;

        r = sd_event_new(&t->event);
        if (r >= 0)
                r = add_sources(t);
        if (r >= 0) {
                screen_enter();
                r = redraw(t);
                if (r >= 0)
                        r = sd_event_loop(t->event);
                screen_leave();
        }
        if (r < 0) {
                ctl_error("Cannot go on: %s", strerror(-r));
                return CTL_FAILURE;
        }
        return CTL_OK;
}

/* ---- Once ---------------------------------------------------------------------------------------------------- */

static CtlExit run_once(Top *t) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const struct timespec delay = { .tv_sec = (time_t) (t->delay / USEC_PER_SEC),
                                        .tv_nsec = (long) (t->delay % USEC_PER_SEC * NSEC_PER_USEC) };
        int r;

        /* A rate takes two looks. */
        if (!t->fleet.idle)
                (void) nanosleep(&delay, NULL);
        r = look(t, &error);
        if (r < 0)
                return link_failed(t->options, t->bus, r, &error);

        if (t->options->json != JSON_OFF) {
                output_json(t->options->json, fleet_to_json(&t->fleet, &t->before));
                return CTL_OK;
        }

        put_state(t, stdout);
        if (t->fleet.idle)
                return CTL_OK;
        put_numbers(t, stdout);
        (void) fputc('\n', stdout);
        if (put_units(t, stdout, SIZE_MAX, output_columns()) < 0) {
                ctl_error("Out of memory.");
                return CTL_FAILURE;
        }
        return CTL_OK;
}

static CtlExit read_options(const Options *options, Top *t) {
        nsec_t delay = DELAY_DEFAULT;
        CtlExit code;

        if (options->delay && parse_timespan_range(options->delay, DELAY_MIN, DELAY_MAX, &delay) < 0) {
                ctl_error("--delay=%s is no span from 100ms to 1h.", options->delay);
                return CTL_USAGE;
        }
        t->delay = delay / NSEC_PER_USEC;

        code = pattern_check(options, t->args, t->n_args);
        if (code == CTL_OK)
                code = pattern_check_list("sort", options->sort, fleet_sort_keys);
        t->key = options->sort ?: "state";
        t->reverse = options->reverse;
        return code;
}

static void top_done(Top *t) {
        fleet_done(&t->fleet);
        fleet_done(&t->before);
        sd_event_source_unref(t->timer);
        sd_event_unref(t->event);
        sd_bus_flush_close_unref(t->bus);
}

CtlExit verb_top(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(top_done) Top t = { .options = options, .args = args, .n_args = n_args };
        CtlExit code;
        int r;

        code = read_options(options, &t);
        if (code == CTL_OK)
                code = link_open(options, &t.bus);
        if (code != CTL_OK)
                return code;

        /* What is wrong from the beginning is said as every verb says it. */
        r = look(&t, &error);
        if (r < 0)
                return link_failed(options, t.bus, r, &error);
        if (options->json != JSON_OFF || !screen_possible())
                return run_once(&t);

        (void) sd_bus_set_method_call_timeout(t.bus, ANSWER_TIMEOUT);
        return run_live(&t);
}
