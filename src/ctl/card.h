/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The card that status shows, in systemctl's manner: a dot and a title, then "Label: what there is to say". */

#include <stdbool.h>
#include <stdint.h>

#include "ctl/output.h"
#include "util/macro.h"

/* "● title - description"; the description may be NULL. */
void card_title(Colour colour, Glyph glyph, const char *title, const char *description);

/* "      Label: text"; without a label ("") the text goes on below the last one's. */
void card_line(const char *label, const char *format, ...) _printf_(2, 3);

/* The same for a list of items with commas between, wrapped where the terminal ends. Nothing is written for a list
 * without items. */
typedef struct CardList {
        const char *label;
        unsigned column; /* where the next item begins; 0: none was written */
} CardList;

void card_list_add(CardList *list, const char *format, ...) _printf_(2, 3);
void card_list_end(CardList *list);
