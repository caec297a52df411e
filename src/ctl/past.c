/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The past, as rows and as lines.
 *
 * Each decision has a sentence that says all of it, with the unit and what would change the decision; so a line is the
 * time, the kind and that sentence. A sentence cut off at the edge of the terminal would lose just what is worth
 * reading, so it is folded, under itself; into a pipe every decision is one line.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-names.h"
#include "ctl/format.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/past.h"
#include "ctl/pattern.h"
#include "util/macro.h"

/* "left-gave-up" and "helper-failed" are the longest kinds that happen; one that is longer moves its line. */
#define KIND_WIDTH 13U

/* Where a terminal leaves less for the sentence than this, the terminal may fold by itself. */
#define SENTENCE_MIN 24U

/* A sentence of the journal's length. */
#define TEXT_SIZE 1024U

static char *copy(const char *s) {
        return strdup(s ?: "");
}

static void row_done(PastRow *row) {
        free(row->kind);
        free(row->unit);
        free(row->reason);
        free(row->sentence);
}

int past_view_add(PastView *v, const PastRow *row) {
        PastRow mine = *row, *rows;

        mine.kind = copy(row->kind);
        mine.unit = copy(row->unit);
        mine.reason = copy(row->reason);
        mine.sentence = copy(row->sentence);

        /* Doubles whenever it is full: at powers of two. */
        rows = v->rows;
        if ((v->n_rows & (v->n_rows - 1)) == 0)
                rows = reallocarray(v->rows, MAX(v->n_rows * 2, (size_t) 1), sizeof(PastRow));
        if (rows)
                v->rows = rows;
        if (!rows || !mine.kind || !mine.unit || !mine.reason || !mine.sentence) {
                row_done(&mine);
                return -ENOMEM;
        }

        v->rows[v->n_rows++] = mine;
        return 0;
}

void past_view_done(PastView *v) {
        for (size_t i = 0; i < v->n_rows; i++)
                row_done(&v->rows[i]);
        free(v->rows);
        *v = (PastView){};
}

static int read_rows(const PastQuery *query, sd_bus_message *m, PastView *v) {
        const char *kind, *unit, *reason, *sentence;
        PastRow row = {};
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(" BUS_HISTORY_ROW ")");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(" BUS_HISTORY_ROW ")", &row.when, &kind, &unit, &row.pid,
                                        &reason, &row.attempt, &sentence)) > 0) {
                if (v->n_rows >= query->max)
                        return 0;
                if (query->pid > 0 && query->pid != row.pid)
                        continue;
                if (!pattern_match(query->options, query->args, query->n_args, unit))
                        continue;
                row.kind = (char *) kind;
                row.unit = (char *) unit;
                row.reason = (char *) reason;
                row.sentence = (char *) sentence;
                r = past_view_add(v, &row);
                if (r < 0)
                        return r;
        }

        return r;
}

int past_view_fetch(sd_bus *bus, const PastQuery *query, PastView *ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(past_view_done) PastView v = {};
        bool chosen;
        int r;

        r = link_new_call(bus, NULL, "History", &m);
        if (r < 0)
                return r;
        /* All of it when some are chosen: the observer knows one glob, and here there may be several. */
        chosen = query->n_args > 0 || query->options->n_units > 0 || query->pid > 0;
        r = sd_bus_message_append(m, "su", "", chosen ? 0 : MIN(query->max, BUS_HISTORY_MAX));
        if (r < 0)
                return r;
        r = sd_bus_call(bus, m, 0, error, &reply);
        if (r < 0)
                return r;
        r = read_rows(query, reply, &v);
        if (r < 0)
                return r;

        *ret = v;
        v = (PastView){};
        return 0;
}

/* ---- Showing ------------------------------------------------------------------------------------------------- */

/* The bytes of a text that fit so many columns, broken at a blank where there is one. */
static size_t fold(const char *text, unsigned columns) {
        size_t n = 0, blank = 0;
        unsigned width = 0;

        for (; text[n]; n++) {
                if (text[n] == ' ')
                        blank = n;
                if (((unsigned char) text[n] & 0xC0) != 0x80 && width++ == columns)
                        return blank > 0 ? blank : n;
        }
        return n;
}

static Colour kind_colour(const char *kind) {
        static const char *const bad[] = { "gave-up", "helper-failed", "stall" };
        static const char *const good[] = { "resumed", "left-gave-up" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (strcmp(kind, bad[i]) == 0)
                        return COLOUR_RED;
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (strcmp(kind, good[i]) == 0)
                        return COLOUR_GREEN;
        return strcmp(kind, "refused") == 0 ? COLOUR_GREY : COLOUR_YELLOW;
}

static void put_sentence(const char *text, unsigned indent) {
        unsigned columns = output_columns();
        size_t n;

        if (columns < indent + SENTENCE_MIN) {
                (void) puts(text);
                return;
        }

        for (;;) {
                n = fold(text, columns - indent);
                (void) printf("%.*s\n", (int) n, text);
                text += n + strspn(text + n, " ");
                if (!*text)
                        return;
                (void) printf("%*s", (int) indent, "");
        }
}

static void put_row(const PastRow *row) {
        char date[FORMAT_TIME_MAX], kind[64], sentence[TEXT_SIZE];
        unsigned width;

        (void) format_date(date, sizeof(date), row->when);
        (void) output_text(kind, sizeof(kind), row->kind);
        width = output_width(kind);
        (void) printf("%s %s%s%s%*s ", date, output_colour(kind_colour(kind)), kind,
                      output_colour(COLOUR_NONE), width < KIND_WIDTH ? (int) (KIND_WIDTH - width) : 0, "");
        put_sentence(output_text(sentence, sizeof(sentence), row->sentence),
                     (unsigned) strlen(date) + 1 + MAX(width, KIND_WIDTH) + 1);
}

void past_view_print(const PastView *v, bool newest_first) {
        for (size_t i = 0; i < v->n_rows; i++)
                put_row(&v->rows[newest_first ? i : v->n_rows - 1 - i]);
}

static json_object *text_or_null(const char *s) {
        return s[0] ? json_object_new_string(s) : NULL;
}

json_object *past_row_to_json(const PastRow *row) {
        json_object *o = json_object_new_object();

        json_object_object_add(o, "realtime_usec", json_object_new_uint64(row->when));
        json_object_object_add(o, "kind", json_object_new_string(row->kind));
        json_object_object_add(o, "unit", text_or_null(row->unit));
        json_object_object_add(o, "pid", row->pid > 0 ? json_object_new_uint64(row->pid) : NULL);
        json_object_object_add(o, "reason", text_or_null(row->reason));
        json_object_object_add(o, "attempt", row->attempt > 0 ? json_object_new_uint64(row->attempt) : NULL);
        json_object_object_add(o, "sentence", json_object_new_string(row->sentence));
        return o;
}

json_object *past_view_to_json(const PastView *v, bool newest_first) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < v->n_rows; i++)
                json_object_array_add(array,
                                      past_row_to_json(&v->rows[newest_first ? i : v->n_rows - 1 - i]));
        return array;
}
