/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tables. Cells are collected first, because a column's width is known only when its last cell is; a hundred
 * thousand agents take some ten megabytes for as long as the program runs.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"

/* A cell holds a name, a number or a few words; unit names end at 255. */
#define CELL_SIZE 320U

/* What a column that gives way keeps at least: "worker@…" still tells something. */
#define SHRINK_MIN 8U

typedef struct Cell {
        char *text;
        unsigned width;
        Colour colour;
} Cell;

struct Table {
        const TableColumn *columns;
        size_t n_columns;
        unsigned *widths;
        Cell *cells; /* the first row is the titles */
        size_t n_cells, allocated;
        bool failed;
};

int table_new(const TableColumn *columns, size_t n_columns, Table **ret) {
        Table *t;

        assert(columns);
        assert(n_columns > 0);
        assert(ret);

        t = calloc(1, sizeof(Table));
        if (!t)
                return -ENOMEM;

        t->columns = columns;
        t->n_columns = n_columns;
        t->widths = calloc(n_columns, sizeof(unsigned));
        if (!t->widths) {
                table_free(t);
                return -ENOMEM;
        }
        for (size_t c = 0; c < n_columns; c++)
                table_add(t, COLOUR_BOLD, columns[c].title);

        *ret = t;
        return 0;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;

        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i].text);
        free(t->cells);
        free(t->widths);
        free(t);
        return NULL;
}

static bool grow(Table *t) {
        size_t n = MAX(t->allocated * 2, 16 * t->n_columns);
        Cell *cells = reallocarray(t->cells, n, sizeof(Cell));

        if (!cells)
                return false;

        t->cells = cells;
        t->allocated = n;
        return true;
}

void table_add(Table *t, Colour colour, const char *text) {
        char buf[CELL_SIZE];
        Cell cell = { .colour = colour };

        assert(t);
        assert(text);

        if (t->failed || (t->n_cells == t->allocated && !grow(t))) {
                t->failed = true;
                return;
        }

        cell.text = strdup(output_text(buf, sizeof(buf), text));
        if (!cell.text) {
                t->failed = true;
                return;
        }
        cell.width = output_width(cell.text);
        t->cells[t->n_cells++] = cell;
}

void table_addf(Table *t, Colour colour, const char *format, ...) {
        char buf[CELL_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(buf, sizeof(buf), format, ap);
        va_end(ap);
        table_add(t, colour, buf);
}

void table_add_u64(Table *t, uint64_t value) {
        table_addf(t, COLOUR_NONE, "%" PRIu64, value);
}

/* How wide each column is: its widest cell (from `first` on), less what the terminal cannot hold. */
static void find_widths(const Table *t, size_t first, unsigned columns) {
        unsigned total = (unsigned) t->n_columns - 1;

        for (size_t c = 0; c < t->n_columns; c++) {
                t->widths[c] = 0;
                for (size_t i = first + c; i < t->n_cells; i += t->n_columns)
                        t->widths[c] = MAX(t->widths[c], t->cells[i].width);
                total += t->widths[c];
        }

        for (size_t c = 0; c < t->n_columns && columns > 0 && total > columns; c++) {
                unsigned spare;

                if (t->columns[c].align != TABLE_SHRINK || t->widths[c] <= SHRINK_MIN)
                        continue;
                spare = MIN(t->widths[c] - SHRINK_MIN, total - columns);
                t->widths[c] -= spare;
                total -= spare;
        }
}

/* The first bytes of a text that take at most `width` columns. */
static size_t fit(const char *text, unsigned width) {
        char buf[CELL_SIZE];
        size_t n = 0, length = strlen(text);

        while (n < length) {
                size_t next = n + 1;

                while (next < length && ((unsigned char) text[next] & 0xC0) == 0x80)
                        next++;
                memcpy(buf, text, next);
                buf[next] = 0;
                if (output_width(buf) > width)
                        break;
                n = next;
        }

        return n;
}

static void put_padding(FILE *f, unsigned n) {
        (void) fprintf(f, "%*s", (int) n, "");
}

/* One cell, at most `room` columns of it. Returns the columns taken. */
static unsigned put_cell(FILE *f, const Cell *cell, TableAlign align, unsigned width, unsigned room,
                         bool last) {
        unsigned limit = MIN(width, room), shown = cell->width, ellipsis = 0;
        size_t bytes = strlen(cell->text);

        if (cell->width > limit) {
                ellipsis = output_width(output_ellipsis());
                if (ellipsis > limit)
                        ellipsis = 0;
                bytes = fit(cell->text, limit - ellipsis);
                shown = limit;
        }

        if (align == TABLE_RIGHT)
                put_padding(f, limit - shown);
        if (cell->colour != COLOUR_NONE)
                (void) fputs(output_colour(cell->colour), f);
        (void) fprintf(f, "%.*s%s", (int) bytes, cell->text, ellipsis > 0 ? output_ellipsis() : "");
        if (cell->colour != COLOUR_NONE)
                (void) fputs(output_colour(COLOUR_NONE), f);
        if (align != TABLE_RIGHT && !last)
                put_padding(f, limit - shown);

        return limit;
}

static void put_row(const Table *t, FILE *f, const Cell *cells, unsigned columns) {
        unsigned room = columns > 0 ? columns : UINT32_MAX;

        for (size_t c = 0; c < t->n_columns && room > 0; c++) {
                room -= put_cell(f, &cells[c], t->columns[c].align, t->widths[c], room,
                                 c + 1 == t->n_columns);
                if (c + 1 < t->n_columns && room > 0) {
                        (void) fputc(' ', f);
                        room--;
                }
        }
        (void) fputc('\n', f);
}

int table_print(const Table *t, FILE *f, bool legend, unsigned columns) {
        size_t first;

        assert(t);
        assert(f);

        if (t->failed)
                return -ENOMEM;

        first = legend ? 0 : t->n_columns;
        find_widths(t, first, columns);
        for (size_t i = first; i + t->n_columns <= t->n_cells; i += t->n_columns)
                put_row(t, f, t->cells + i, columns);

        return 0;
}
