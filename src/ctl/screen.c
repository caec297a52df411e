/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A terminal for a while.
 *
 * What is needed of it every terminal since the VT100 has: home, clear to the end of line and screen, and the second screen
 * that leaves the first as it was. A library that knows all terminals would be a dependency for six sequences.
 *
 * A frame is made in memory and written at once, line over line without clearing before: nothing flickers.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/output.h"
#include "ctl/screen.h"

#define ENTER "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

#define ROWS_DEFAULT    24U
#define COLUMNS_DEFAULT 80U

/* There is one terminal. */
static struct {
        bool entered, has_saved;
        struct termios saved;
} screen;

bool screen_possible(void) {
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && (!term || strcmp(term, "dumb") != 0);
}

void screen_enter(void) {
        struct termios raw;

        if (screen.entered)
                return;

        /* Keys without Enter and without their echo; ^C and ^Z stay signals. */
        screen.has_saved = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.saved) == 0;
        if (screen.has_saved) {
                raw = screen.saved;
                raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
                raw.c_cc[VMIN] = 1;
                raw.c_cc[VTIME] = 0;
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        }
        screen.entered = true;
        (void) fputs(ENTER, stdout);
        (void) output_flush();
}

void screen_leave(void) {
        if (!screen.entered)
                return;

        screen.entered = false;
        (void) fputs(LEAVE, stdout);
        (void) output_flush();
        if (screen.has_saved)
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.saved);
}

void screen_size(unsigned *ret_rows, unsigned *ret_columns) {
        struct winsize ws = {};

        (void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);
        *ret_rows = ws.ws_row > 0 ? ws.ws_row : ROWS_DEFAULT;
        *ret_columns = ws.ws_col > 0 ? ws.ws_col : COLUMNS_DEFAULT;
}

bool screen_draw(const char *text, unsigned rows) {
        (void) fputs("\033[H", stdout);
        for (unsigned row = 0; row < rows && *text; row++) {
                size_t n = strcspn(text, "\n");

                /* No newline after the last line: it would scroll. */
                (void) printf("%s%.*s\033[K", row > 0 ? "\n" : "", (int) n, text);
                text += n + (text[n] == '\n');
        }
        (void) fputs("\033[J", stdout);
        return output_flush();
}
