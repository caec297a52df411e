/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * varta-ctl: what its verbs share. One file per group of verbs; the table of verbs is in verbs.c, the options are
 * read in main.c, everything that is written goes through output.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"

/* Exit codes, for scripts. `status` tells the state of the fleet with them; the first that fits is taken. */
typedef enum CtlExit {
        CTL_OK = 0,
        CTL_FAILURE = 1,
        CTL_USAGE = 2,
        CTL_STALLED = 3,     /* something is stalled, or a unit gave up */
        CTL_DEGRADED = 4,    /* something says of itself that it is degraded or critical */
        CTL_UNREACHABLE = 5, /* nothing listens, or we may not ask */
} CtlExit;

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
        _JSON_MODE_MAX,
        _JSON_MODE_INVALID = -1,
} JsonMode;

typedef enum Transport {
        TRANSPORT_LOCAL,
        TRANSPORT_HOST,    /* -H: over ssh */
        TRANSPORT_MACHINE, /* -M: into a container */
} Transport;

/* --lines= when all are wanted, or nothing was said. */
#define LINES_ALL     UINT32_MAX
#define LINES_DEFAULT (UINT32_MAX - 1)

/* How often --unit= may be given; the arguments have no such limit. */
#define UNITS_MAX 32U

typedef struct Options {
        JsonMode json;
        Transport transport;
        const char *host;     /* -H, -M: where; else NULL */
        bool user;            /* --user: the user's own bus and observer */
        const char *instance; /* which observer of several; NULL: the one without a name */
        bool no_pager;
        bool no_legend;
        bool no_ask_password;
        bool quiet;

        /* list, units, history, top */
        const char *units[UNITS_MAX];
        size_t n_units;
        const char *state; /* NULL: all; else names with commas between */
        const char *sort;  /* NULL: as the verb does by itself */
        bool stalled, reverse;

        /* top */
        const char *delay; /* NULL: a second */

        /* history, status */
        uint32_t lines;
        bool journal;

        /* beat; list */
        const char *status;                     /* NULL: ok; all */
        const char *payload;                    /* NULL: 0 */
        const char *socket;                     /* NULL: where the observer listens by default */
        const char *udp;                        /* NULL: to a socket of this machine */
        const char *key_file, *master_key_file; /* NULL: none; at most one of the two */
        bool from_stdin;

        /* pause */
        const char *span;   /* NULL: until resumed */
        const char *reason; /* NULL: none */

        /* verify, cat-config */
        const char *root; /* NULL: / */
} Options;

/* Which options a verb takes, beside those that all take. */
enum {
        VERB_JSON = 1 << 0,  /* --json, -j */
        VERB_BUS = 1 << 1,   /* -H, -M, --user, --system, --instance, --socket */
        VERB_BEAT = 1 << 2,  /* --status, --payload, --instance, --socket, --udp and its keys, --stdin */
        VERB_FILES = 1 << 3, /* --root, --instance */
        VERB_PAUSE = 1 << 4, /* --for, --reason */
        VERB_UNIT = 1 << 5,  /* --unit, -u */
        VERB_STATE = 1 << 6, /* --state, --stalled */
        VERB_SORT = 1 << 7,  /* --sort, --reverse, -r */
        VERB_SAYS = 1 << 8,  /* --status */
        VERB_LINES = 1 << 9, /* --lines, -n */
        VERB_TOP = 1 << 11,  /* --delay, -d */
        VERB_PAST = 1 << 10, /* --journal, --reverse, -r */
};

typedef struct Verb {
        const char *name;
        const char *args; /* for the help: "[UNIT|PID...]", "" */
        const char *help;
        size_t min_args, max_args;
        unsigned flags;
        /* args ends with NULL. Returns the exit code; what is wrong was said on stderr. */
        CtlExit (*run)(const Options *options, char **args, size_t n_args);
} Verb;

#define VERB_ARGS_ANY SIZE_MAX

/* The verbs, ended by one without a name. */
extern const Verb ctl_verbs[];

/* The verb of this name, or NULL. */
const Verb *ctl_verb_find(const char *name);
/* What somebody may have meant who wrote `name`; NULL when nothing is near. */
const char *ctl_verb_suggest(const char *name);

void ctl_help(void);

/* The verbs; each in the file that its group is named after. */
CtlExit verb_status(const Options *options, char **args, size_t n_args);
CtlExit verb_list(const Options *options, char **args, size_t n_args);
CtlExit verb_units(const Options *options, char **args, size_t n_args);
CtlExit verb_history(const Options *options, char **args, size_t n_args);
CtlExit verb_show(const Options *options, char **args, size_t n_args);
CtlExit verb_top(const Options *options, char **args, size_t n_args);
CtlExit verb_metrics(const Options *options, char **args, size_t n_args);
CtlExit verb_monitor(const Options *options, char **args, size_t n_args);
CtlExit verb_forget(const Options *options, char **args, size_t n_args);
CtlExit verb_pause(const Options *options, char **args, size_t n_args);
CtlExit verb_resume(const Options *options, char **args, size_t n_args);
CtlExit verb_recover(const Options *options, char **args, size_t n_args);
CtlExit verb_reload(const Options *options, char **args, size_t n_args);
CtlExit verb_verify(const Options *options, char **args, size_t n_args);
CtlExit verb_cat_config(const Options *options, char **args, size_t n_args);
CtlExit verb_beat(const Options *options, char **args, size_t n_args);
CtlExit verb_decode(const Options *options, char **args, size_t n_args);
