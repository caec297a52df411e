/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the user points at. Units are named as systemctl has them named: without a suffix a service is meant, and a glob
 * covers many. A word that can match nothing is a mistake and said to be one; an empty answer would look like good news.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/output.h"
#include "ctl/pattern.h"
#include "util/parse.h"

#define PID_PREFIX "pid:"

const char *pattern_unit(const char *arg, char buf[static PATTERN_SIZE]) {
        (void) snprintf(buf, PATTERN_SIZE, "%s%s", arg,
                        unit_name_is_valid(arg) || unit_glob_is_pattern(arg) ? "" : ".service");
        return buf;
}

static bool has_prefix(const char *arg) {
        return strncmp(arg, PID_PREFIX, strlen(PID_PREFIX)) == 0;
}

bool pattern_is_process(const char *arg, uint32_t *ret) {
        const char *number = arg + (has_prefix(arg) ? strlen(PID_PREFIX) : 0);
        uint32_t pid = 0;

        if (!number[0] || number[strspn(number, "0123456789")])
                return false;

        (void) parse_u32(number, 0, UINT32_MAX, &pid);
        *ret = pid;
        return true;
}

/* A number is a pid to those who type it: to take it for the name of a service would do something to nobody, or show
 * nothing, and look as if all was well. */
static CtlExit refuse_process(const char *arg, bool takes_pid) {
        const char *number = arg + (has_prefix(arg) ? strlen(PID_PREFIX) : 0);

        if (number != arg)
                ctl_error("\"%s\" is no unit. For the process: varta-ctl status %s", arg, number);
        else
                ctl_error("\"%s\" is no unit. For the process: %s%s; for a unit of that name: %s.service",
                          arg, takes_pid ? PID_PREFIX : "varta-ctl status ", arg, arg);
        return CTL_USAGE;
}

CtlExit pattern_check_word(const char *arg, bool takes_pid) {
        char unit[PATTERN_SIZE];
        uint32_t pid;

        if (takes_pid && has_prefix(arg))
                return CTL_OK; /* the observer knows what processes there are */
        if (pattern_is_process(arg, &pid))
                return refuse_process(arg, takes_pid);
        if (arg[0] != 0 && unit_glob_is_valid(pattern_unit(arg, unit)))
                return CTL_OK;

        ctl_error("\"%s\" is neither a unit nor a glob over units (such as worker@*.service)%s.", arg,
                  takes_pid ? ", nor pid:N" : "");
        return CTL_USAGE;
}

CtlExit pattern_check_unit(const char *arg, const char *hint) {
        char unit[PATTERN_SIZE];
        uint32_t pid;

        if (pattern_is_process(arg, &pid))
                return refuse_process(arg, false);
        if (unit_name_is_valid(pattern_unit(arg, unit)))
                return CTL_OK;

        ctl_error("\"%s\" is no unit; %s.", arg, hint);
        return CTL_USAGE;
}

CtlExit pattern_check(const Options *options, char **args, size_t n_args) {
        for (size_t i = 0; i < n_args; i++)
                if (pattern_check_word(args[i], false) != CTL_OK)
                        return CTL_USAGE;
        for (size_t i = 0; i < options->n_units; i++)
                if (pattern_check_word(options->units[i], false) != CTL_OK)
                        return CTL_USAGE;
        return CTL_OK;
}

static bool match_one(const char *arg, const char *unit) {
        char pattern[PATTERN_SIZE];

        return unit_glob_match(pattern_unit(arg, pattern), unit);
}

bool pattern_match(const Options *options, char **args, size_t n_args, const char *unit) {
        for (size_t i = 0; i < n_args; i++)
                if (match_one(args[i], unit))
                        return true;
        for (size_t i = 0; i < options->n_units; i++)
                if (match_one(options->units[i], unit))
                        return true;
        return n_args == 0 && options->n_units == 0;
}

bool pattern_in_list(const char *list, const char *word) {
        size_t length = strlen(word);

        if (!list)
                return true;
        for (const char *p = list;; p++) {
                size_t n = strcspn(p, ",");

                if (n == length && strncmp(p, word, n) == 0)
                        return true;
                p += n;
                if (*p == 0)
                        return false;
        }
}

static bool is_allowed(const char *word, size_t n, const char *const *allowed) {
        for (; *allowed; allowed++)
                if (strlen(*allowed) == n && strncmp(word, *allowed, n) == 0)
                        return true;
        return false;
}

/* "a, b, c" */
static void join(const char *const *words, char *buf, size_t size) {
        size_t used = 0;

        buf[0] = 0;
        for (size_t i = 0; words[i] && used < size; i++)
                used += (size_t) snprintf(buf + used, size - used, "%s%s", i > 0 ? ", " : "", words[i]);
}

CtlExit pattern_check_list(const char *option, const char *list, const char *const *allowed) {
        char buf[256];

        for (const char *p = list; p; p++) {
                size_t n = strcspn(p, ",");

                if (!is_allowed(p, n, allowed)) {
                        join(allowed, buf, sizeof(buf));
                        ctl_error("--%s=%.*s: allowed are %s.", option, (int) n, p, buf);
                        return CTL_USAGE;
                }
                p += n;
                if (*p == 0)
                        break;
        }
        return CTL_OK;
}
