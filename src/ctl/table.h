/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A table in columns that are as wide as what they hold, and no wider than the terminal.
 *
 * The titles are bold where there are colours; numbers stand at the right. On a narrow terminal the
 * column that may shrink gives way first, then the lines are cut at the edge. Where there is no terminal nothing is
 * ever cut.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/output.h"
#include "util/macro.h"

typedef enum TableAlign {
        TABLE_LEFT,
        TABLE_RIGHT,
        TABLE_SHRINK, /* left, and the first to give way */
} TableAlign;

typedef struct TableColumn {
        const char *title;
        TableAlign align;
} TableColumn;

typedef struct Table Table;

/* `columns` is borrowed. Returns 0, -ENOMEM. The caller owns *ret. */
int table_new(const TableColumn *columns, size_t n_columns, Table **ret);
Table *table_free(Table *t);
DEFINE_CLEANUP_FUNC(Table, table_free)

/*
 * Adds one cell, row by row from left to right; the text is copied and made harmless. Running out of memory is
 * remembered and told by table_print().
 */
void table_add(Table *t, Colour colour, const char *text);
void table_addf(Table *t, Colour colour, const char *format, ...) _printf_(3, 4);
void table_add_u64(Table *t, uint64_t value);

/* Writes it, for a terminal of so many columns (0: no limit). Returns 0, -ENOMEM. */
int table_print(const Table *t, FILE *f, bool legend, unsigned columns);
