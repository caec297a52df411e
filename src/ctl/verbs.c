/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of verbs, and what is made from it: the help, the look-up, "did you mean". */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/output.h"
#include "util/text.h"

static CtlExit verb_help(const Options *options, char **args, size_t n_args) {
        ctl_help();
        return CTL_OK;
}

const Verb ctl_verbs[] = {
        { "status", "[UNIT|PID...]", "Show how the fleet is, or units and processes", 0, VERB_ARGS_ANY,
          VERB_BUS | VERB_JSON | VERB_LINES, verb_status },
        { "list", "[UNIT...]", "List agents", 0, VERB_ARGS_ANY,
          VERB_BUS | VERB_JSON | VERB_UNIT | VERB_STATE | VERB_SORT | VERB_SAYS, verb_list },
        { "units", "[UNIT...]", "List the units of agents and their recovery", 0, VERB_ARGS_ANY,
          VERB_BUS | VERB_JSON | VERB_UNIT | VERB_STATE | VERB_SORT, verb_units },
        { "show", "UNIT...", "Show the policy in force and where it is set", 1, VERB_ARGS_ANY,
          VERB_BUS | VERB_JSON, verb_show },
        { "history", "[UNIT...]", "Show what recovery did, or did not, and why", 0, VERB_ARGS_ANY,
          VERB_BUS | VERB_JSON | VERB_UNIT | VERB_LINES | VERB_PAST, verb_history },
        { "top", "[UNIT...]", "Show the fleet unit by unit, live", 0, VERB_ARGS_ANY,
          VERB_BUS | VERB_JSON | VERB_UNIT | VERB_SORT | VERB_TOP, verb_top },
        { "monitor", "", "Show what happens, as it happens", 0, 0, VERB_BUS | VERB_JSON, verb_monitor },
        { "metrics", "", "Show what is counted, as Prometheus reads it", 0, 0, VERB_BUS | VERB_JSON,
          verb_metrics },
        { "forget", "ID|pid:N...", "Drop agents from the list", 1, VERB_ARGS_ANY, VERB_BUS, verb_forget },
        { "pause", "[UNIT|pid:N]", "Hold recovery back, of something or everything", 0, 1,
          VERB_BUS | VERB_PAUSE, verb_pause },
        { "resume", "[UNIT|pid:N|brake]", "Let recovery go on, or release the storm brake", 0, 1, VERB_BUS,
          verb_resume },
        { "recover", "UNIT", "Recover a stalled unit now", 1, 1, VERB_BUS, verb_recover },
        { "reload", "", "Have the observer read its configuration again", 0, 0, VERB_BUS, verb_reload },
        { "verify", "[FILE]", "Check the configuration, or one file of it", 0, 1, VERB_FILES | VERB_JSON,
          verb_verify },
        { "cat-config", "", "Show the files of the configuration", 0, 0, VERB_FILES | VERB_JSON,
          verb_cat_config },
        { "beat", "", "Send a heartbeat, or one per line of input", 0, 0, VERB_BEAT, verb_beat },
        { "decode", "HEX...", "Show what a frame says", 1, VERB_ARGS_ANY, VERB_JSON, verb_decode },
        { "help", "", "Show this help", 0, 0, 0, verb_help },
        {},
};

const Verb *ctl_verb_find(const char *name) {
        for (const Verb *v = ctl_verbs; v->name; v++)
                if (strcmp(v->name, name) == 0)
                        return v;
        return NULL;
}

const char *ctl_verb_suggest(const char *name) {
        unsigned distance, nearest = UINT_MAX;
        const char *found = NULL;

        for (const Verb *v = ctl_verbs; v->name; v++)
                if (text_is_similar(name, v->name, &distance) && distance < nearest) {
                        nearest = distance;
                        found = v->name;
                }
        return found;
}

void ctl_help(void) {
        (void) printf("%svarta-ctl%s [OPTIONS...] [VERB] [ARGUMENTS...]\n\n"
                      "Ask the observer of heartbeats how the fleet is, and tell it what to do.\n\n"
                      "Verbs:\n",
                      output_colour(COLOUR_BOLD), output_colour(COLOUR_NONE));
        for (const Verb *v = ctl_verbs; v->name; v++)
                (void) printf("  %-10s %-18s %s\n", v->name, v->args, v->help);

        (void) fputs("\n"
                     "Options:\n"
                     "  -h --help               Show this help\n"
                     "     --version            Show the version\n"
                     "     --system             Talk to the system's observer (the default)\n"
                     "     --user               Talk to the user's own observer\n"
                     "  -H --host=[USER@]HOST   Talk to another host's, over ssh\n"
                     "  -M --machine=CONTAINER  Talk to a local container's\n"
                     "     --instance=NAME      Talk to this one of several observers\n"
                     "     --socket=PATH        Where the observer listens for beats\n"
                     "     --json=MODE          Write JSON: short, pretty, off\n"
                     "  -j                      The same as --json=pretty on a terminal, else short\n"
                     "     --no-pager           Do not use a pager\n"
                     "     --no-legend          Leave out the headings and the count\n"
                     "     --no-ask-password    Do not ask for a password\n"
                     "  -q --quiet              Leave out remarks\n"
                     "\n"
                     "What to look at:\n"
                     "  -u --unit=UNIT          Only this unit, or those a glob covers\n"
                     "     --state=STATE[,...]  Only what is in these states\n"
                     "     --status=STATUS      Only agents that say so of themselves (list)\n"
                     "     --stalled            Only what is stalled\n"
                     "     --sort=KEY           In the order of this column\n"
                     "  -r --reverse            The other way round\n"
                     "  -n --lines=N            The last N events, or all (history, status UNIT)\n"
                     "  -d --delay=SPAN         Between two looks, 1s if not given (top)\n"
                     "     --journal            Read the journal, further back (history)\n"
                     "\n"
                     "Options of single verbs:\n"
                     "     --root=PATH          verify, cat-config: look below this directory\n"
                     "     --for=SPAN           pause: for so long, such as 2h\n"
                     "     --reason=TEXT        pause: why\n"
                     "     --status=STATUS      beat: ok, degraded or critical\n"
                     "     --payload=NUMBER     beat: a number of your choice, 0 to 4294967295\n"
                     "     --udp=HOST:PORT      beat: over the network\n"
                     "     --key-file=FILE      beat: sealed with the first key of this file\n"
                     "     --master-key-file=FILE  beat: the same, with a key derived per process\n"
                     "     --stdin              beat: once for every line of standard input\n"
                     "\n"
                     "See varta-ctl(1) for exit codes and details.\n",
                     stdout);
}
