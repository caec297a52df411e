/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* systemd's unit names and the globs over them: validity, match, specificity, escaping. Pure. */

#include <stdbool.h>
#include <stddef.h>

/* systemd's limit, the terminating NUL included. */
#define UNIT_NAME_MAX 256

/* A complete name with a known suffix (.service, .scope, ...); "worker@.service" (a template) counts, too. */
bool unit_name_is_valid(const char *name);

/* "worker@.service": valid, with an empty instance; nothing can run under this name. */
bool unit_name_is_template(const char *name);

/* Whether name ends in suffix (".service") and has something before it. */
bool unit_name_has_suffix(const char *name, const char *suffix);

/*
 * A name or a glob that could match one: the characters of unit names plus * ? [ ] ! ^, brackets closed, shorter
 * than UNIT_NAME_MAX, not empty. The suffix of a glob is not looked at.
 */
bool unit_glob_is_valid(const char *glob);

/* Whether the text has wildcards; without any it is a plain name. */
bool unit_glob_is_pattern(const char *glob);

/* fnmatch(3) as systemd uses it for units: '\' is an ordinary character, '*' crosses everything. */
bool unit_glob_match(const char *glob, const char *name);

/* Specificity: the number of characters that stand for themselves. A bracket expression and ? count nothing. */
size_t unit_glob_literals(const char *glob);

/*
 * Escapes any text for use as an instance name as systemd-escape(1) does: '/' becomes '-', everything but letters,
 * digits, ':', '_' and '.' becomes \xNN, and so does a leading '.'. Returns 0, -EINVAL when s is empty,
 * -ENAMETOOLONG when buf is too small (buf holds an empty string then).
 */
int unit_name_escape(const char *s, char *buf, size_t size);
