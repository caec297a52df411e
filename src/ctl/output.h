/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where the output goes and what may be in it: colours, UTF-8, width, pager, broken pipes.
 *
 * Standard output belongs to the answer, standard error to what is wrong. A reader that goes away early (head) is
 * nobody's error: the rest is not written, and nothing is said.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <json-c/json.h>

#include "ctl/ctl.h"
#include "util/macro.h"

typedef enum Colour {
        COLOUR_NONE,
        COLOUR_BOLD,
        COLOUR_GREEN,
        COLOUR_YELLOW,
        COLOUR_RED,
        COLOUR_GREY,
        _COLOUR_MAX,
} Colour;

/* Looks at the terminal, the locale and the environment, once, before anything is written. */
void output_init(void);

/* The escape sequence of a colour; "" where there are no colours. COLOUR_NONE ends one. */
const char *output_colour(Colour colour);

/* Columns of the terminal; 0 when it is none: lines may be as long as they like. */
unsigned output_columns(void);

/* What a line or a card begins with, as systemctl's do. */
typedef enum Glyph {
        GLYPH_DOT,    /* ● runs, nothing is going on */
        GLYPH_CIRCLE, /* ○ does not run, or is left alone */
        GLYPH_ARROW,  /* ↻ is being started again, or will be */
        GLYPH_CROSS,  /* × was given up */
        _GLYPH_MAX,
} Glyph;

/* The glyph, or what stands for it where the locale has no UTF-8: * o @ x. */
const char *output_glyph(Glyph glyph);

/* "…" or "...". */
const char *output_ellipsis(void);

/*
 * Copies text from elsewhere so that it can do no harm on a terminal: control characters become \xNN, and what
 * the locale cannot show a question mark. A text that does not fit is cut. Returns buf; size must be at least 8.
 */
char *output_text(char *buf, size_t size, const char *s);

/* Columns that a text takes; every byte counts where the locale is not UTF-8. */
unsigned output_width(const char *s);

/*
 * Sends what follows through a pager, when standard output is a terminal and the options do not say otherwise.
 * $SYSTEMD_PAGER and $PAGER choose it; an empty one or "cat" means none.
 */
void output_page(const Options *options);

/* Flushes, ends the pager and waits for it. Returns `code`, or CTL_FAILURE when writing failed for another reason
 * than a reader that went away. To be called once, last. */
CtlExit output_finish(CtlExit code);

/* Flushes now. Returns false when the reader is gone: nothing more needs to be said. */
bool output_flush(void);

/* Prints a JSON value, ended by a newline. Takes the reference. */
void output_json(JsonMode mode, json_object *value);

/*
 * Prints an array of n values, which `row` makes one after the other and hands over: in the short form each is
 * printed and dropped before the next is made, so that a hundred thousand of them take no memory.
 */
void output_json_rows(JsonMode mode, size_t n, json_object *(*row)(void *userdata, size_t i),
                      void *userdata);

/* One line on standard error. */
void ctl_error(const char *format, ...) _printf_(1, 2);
