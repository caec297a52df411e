/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cards: labels end in one column, so that the eye finds what it looks for. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/card.h"

/* Where the labels end: the longest is "Last outcome". */
#define LABEL_WIDTH 13

/* Where the text begins: ": " after it. */
#define TEXT_COLUMN (LABEL_WIDTH + 2U)

/* A unit name and some words. */
#define LINE_SIZE 512U

void card_title(Colour colour, Glyph glyph, const char *title, const char *description) {
        char buf[LINE_SIZE];

        (void) printf("%s%s%s %s", output_colour(colour), output_glyph(glyph), output_colour(COLOUR_NONE),
                      output_text(buf, sizeof(buf), title));
        if (description)
                (void) printf(" - %s", output_text(buf, sizeof(buf), description));
        (void) fputc('\n', stdout);
}

void card_line(const char *label, const char *format, ...) {
        char text[LINE_SIZE], buf[LINE_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void) printf("%*s%s%s\n", LABEL_WIDTH, label, label[0] ? ": " : "  ",
                      output_text(buf, sizeof(buf), text));
}

void card_list_add(CardList *list, const char *format, ...) {
        char text[LINE_SIZE], buf[LINE_SIZE];
        unsigned width;
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void) output_text(buf, sizeof(buf), text);
        width = output_width(buf);

        if (list->column == 0) {
                (void) printf("%*s: ", LABEL_WIDTH, list->label);
                list->column = TEXT_COLUMN;
        } else if (output_columns() > 0 && list->column + 2 + width + 1 > output_columns()) {
                (void) printf(",\n%*s", (int) TEXT_COLUMN, "");
                list->column = TEXT_COLUMN;
        } else {
                (void) fputs(", ", stdout);
                list->column += 2;
        }

        (void) fputs(buf, stdout);
        list->column += width;
}

void card_list_end(CardList *list) {
        if (list->column > 0)
                (void) fputc('\n', stdout);
        list->column = 0;
}
