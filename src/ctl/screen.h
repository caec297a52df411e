/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A terminal for a while: its other screen, keys as they are pressed, and everything as it was afterwards. */

#include <stdbool.h>

/* Whether standard output is a terminal on which a picture can be drawn. */
bool screen_possible(void);

/* Takes the terminal over. To be ended by screen_leave(), which may be called at any time and more than once. */
void screen_enter(void);
void screen_leave(void);

/* The size as it is now; 80 x 24 where the terminal does not say. */
void screen_size(unsigned *ret_rows, unsigned *ret_columns);

/* Shows the text, which may be longer than the screen, from its first line on. Returns false when the terminal is gone. */
bool screen_draw(const char *text, unsigned rows);
