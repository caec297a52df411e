/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which rows were asked for: units by name or glob, words out of a list. */

#include <stdbool.h>
#include <stddef.h>

#include "ctl/ctl.h"
#include "util/unit-name.h"

#define PATTERN_SIZE (UNIT_NAME_MAX + sizeof(".service"))

/* The unit or glob that somebody means who wrote `arg`: as systemctl does, "worker" is "worker.service". Returns buf. */
const char *pattern_unit(const char *arg, char buf[static PATTERN_SIZE]);

/* Whether a process is meant, and not a unit: "124" or "pid:124". *ret is its pid, 0 where none can be so large. */
bool pattern_is_process(const char *arg, uint32_t *ret);

/* Says on stderr that an argument is neither a unit nor a glob over units, nor, where `takes_pid`, "pid:N". Returns CTL_OK
 * or CTL_USAGE. */
CtlExit pattern_check_word(const char *arg, bool takes_pid);

/* Says on stderr that an argument is not the name of one unit; `hint` says how many can be had. Returns as above. */
CtlExit pattern_check_unit(const char *arg, const char *hint);

/* Says on stderr which argument, or --unit=, can be no unit. Returns CTL_OK or CTL_USAGE. */
CtlExit pattern_check(const Options *options, char **args, size_t n_args);

/* Whether the unit is meant by one of the arguments or of --unit=; without any, all are. */
bool pattern_match(const Options *options, char **args, size_t n_args, const char *unit);

/* Whether the word is in a list with commas between; always when there is none (NULL). */
bool pattern_in_list(const char *list, const char *word);

/* Says on stderr which word of --option=list is not in `allowed` (ended by NULL). Returns CTL_OK or CTL_USAGE. */
CtlExit pattern_check_list(const char *option, const char *list, const char *const *allowed);
