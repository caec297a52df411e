/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line and the environment of vartad. */

#include <stdbool.h>
#include <stddef.h>

/* As many as core has room for. */
#define OPTIONS_LISTEN_MAX 64U

typedef struct Options {
        const char *listen[OPTIONS_LISTEN_MAX]; /* "unix:PATH"; borrowed from argv */
        size_t n_listen;
        const char *config;   /* --config=, or NULL for the usual places */
        const char *instance; /* --instance=, valid; NULL: the observer that has no name */
        bool user;            /* the user bus and the user's own units */
        unsigned features;    /* KernelFeature in use */
        int log_level;        /* syslog; LOG_INFO */
} Options;

/* Returns 1 to go on, 0 when all was said (--help, --version), or -EINVAL after a line on standard error. */
int options_parse(int argc, char *argv[], Options *ret);
