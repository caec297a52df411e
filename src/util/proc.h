/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Texts of /proc and of control groups, as far as more than one reader asks the same of them. Pure; a text need not be
 * trusted to be well-formed, and must end with NUL. */

#include <stdint.h>

#include "util/macro.h"

/* What stands behind `prefix` at the start of a line, up to the end of the text; NULL when no line begins so. */
const char *proc_find_line(const char *text, const char *prefix) _pure_;

/* A decimal number without sign, past which *p is moved. Returns 0, -EINVAL when there is none, or none that fits. */
int proc_parse_number(const char **p, uint64_t *ret);

/* Field 22 of stat, proc(5): the start time in clock ticks since boot, which tells two users of one pid apart. The command
 * in field 2 may hold anything, spaces and parentheses included. Returns 0, -EINVAL. */
int proc_parse_start_time(const char *stat, uint64_t *ret);
