/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * varta-ctl: the command line.
 *
 * Options may stand before and after the verb, as everywhere. Each verb says which ones it takes, and gets no
 * others: an option without an effect is a misunderstanding, and those are cleared up at once.
 */

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/password-agent.h"
#include "util/instance.h"
#include "util/parse.h"
#include "util/text.h"
#include "varta-build.h"

enum {
        ARG_VERSION = 0x100,
        ARG_SYSTEM,
        ARG_USER,
        ARG_INSTANCE,
        ARG_SOCKET,
        ARG_JSON,
        ARG_NO_PAGER,
        ARG_NO_LEGEND,
        ARG_NO_ASK_PASSWORD,
        ARG_STATE,
        ARG_STALLED,
        ARG_SORT,
        ARG_JOURNAL,
        ARG_ROOT,
        ARG_FOR,
        ARG_REASON,
        ARG_STATUS,
        ARG_PAYLOAD,
        ARG_STDIN,
        ARG_UDP,
        ARG_KEY_FILE,
        ARG_MASTER_KEY_FILE,
};

static const struct option long_options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, ARG_VERSION },
        { "system", no_argument, NULL, ARG_SYSTEM },
        { "user", no_argument, NULL, ARG_USER },
        { "host", required_argument, NULL, 'H' },
        { "machine", required_argument, NULL, 'M' },
        { "instance", required_argument, NULL, ARG_INSTANCE },
        { "socket", required_argument, NULL, ARG_SOCKET },
        { "json", required_argument, NULL, ARG_JSON },
        { "no-pager", no_argument, NULL, ARG_NO_PAGER },
        { "no-legend", no_argument, NULL, ARG_NO_LEGEND },
        { "no-ask-password", no_argument, NULL, ARG_NO_ASK_PASSWORD },
        { "quiet", no_argument, NULL, 'q' },
        { "unit", required_argument, NULL, 'u' },
        { "state", required_argument, NULL, ARG_STATE },
        { "stalled", no_argument, NULL, ARG_STALLED },
        { "sort", required_argument, NULL, ARG_SORT },
        { "delay", required_argument, NULL, 'd' },
        { "reverse", no_argument, NULL, 'r' },
        { "lines", required_argument, NULL, 'n' },
        { "journal", no_argument, NULL, ARG_JOURNAL },
        { "root", required_argument, NULL, ARG_ROOT },
        { "for", required_argument, NULL, ARG_FOR },
        { "reason", required_argument, NULL, ARG_REASON },
        { "status", required_argument, NULL, ARG_STATUS },
        { "payload", required_argument, NULL, ARG_PAYLOAD },
        { "stdin", no_argument, NULL, ARG_STDIN },
        { "udp", required_argument, NULL, ARG_UDP },
        { "key-file", required_argument, NULL, ARG_KEY_FILE },
        { "master-key-file", required_argument, NULL, ARG_MASTER_KEY_FILE },
        {},
};

/* Which verbs an option is for. Those that are not here are for all, whether they change anything there or not: scripts
 * set them once and for all. */
static const struct {
        int option;
        unsigned flags;
} option_verbs[] = {
        { ARG_SYSTEM, VERB_BUS },
        { ARG_USER, VERB_BUS },
        { 'H', VERB_BUS },
        { 'M', VERB_BUS },
        { ARG_INSTANCE, VERB_BUS | VERB_BEAT | VERB_FILES },
        { ARG_SOCKET, VERB_BUS | VERB_BEAT },
        { ARG_JSON, VERB_JSON },
        { 'j', VERB_JSON },
        { 'u', VERB_UNIT },
        { ARG_STATE, VERB_STATE },
        { ARG_STALLED, VERB_STATE },
        { ARG_SORT, VERB_SORT },
        { 'r', VERB_SORT | VERB_PAST },
        { 'd', VERB_TOP },
        { 'n', VERB_LINES },
        { ARG_JOURNAL, VERB_PAST },
        { ARG_ROOT, VERB_FILES },
        { ARG_FOR, VERB_PAUSE },
        { ARG_REASON, VERB_PAUSE },
        { ARG_STATUS, VERB_BEAT | VERB_SAYS },
        { ARG_PAYLOAD, VERB_BEAT },
        { ARG_STDIN, VERB_BEAT },
        { ARG_UDP, VERB_BEAT },
        { ARG_KEY_FILE, VERB_BEAT },
        { ARG_MASTER_KEY_FILE, VERB_BEAT },
};

/* What is said of an option that there is not; it is cut where it is longer. */
#define REFUSED_SIZE 256U

/* The options that were given, in their order. */
typedef struct Given {
        int options[64]; /* nobody gives more that matter */
        size_t n;
        bool help, version;
} Given;

static const char *option_name(int option, char *buf, size_t size) {
        for (const struct option *o = long_options; o->name; o++)
                if (o->val == option) {
                        (void) snprintf(buf, size, "--%s", o->name);
                        return buf;
                }
        (void) snprintf(buf, size, "-%c", option);
        return buf;
}

static bool parse_json_mode(const char *s, JsonMode *ret) {
        static const char *const modes[_JSON_MODE_MAX] = {
                [JSON_OFF] = "off",
                [JSON_SHORT] = "short",
                [JSON_PRETTY] = "pretty",
        };

        for (JsonMode m = 0; m < _JSON_MODE_MAX; m++)
                if (strcmp(s, modes[m]) == 0) {
                        *ret = m;
                        return true;
                }
        return false;
}

static bool apply_lines(Options *o) {
        if (strcmp(optarg, "all") == 0) {
                o->lines = LINES_ALL;
                return true;
        }
        if (parse_u32(optarg, 0, LINES_DEFAULT - 1, &o->lines) < 0) {
                ctl_error("--lines=%s is not a number of lines, nor \"all\".", optarg);
                return false;
        }
        return true;
}

static bool apply_unit(Options *o) {
        if (o->n_units == UNITS_MAX) {
                ctl_error("--unit= may be given %u times; a glob covers more.", UNITS_MAX);
                return false;
        }
        o->units[o->n_units++] = optarg;
        return true;
}

static bool apply_instance(Options *o) {
        if (!instance_is_valid(optarg)) {
                ctl_error("--instance=%s is no name; allowed: " INSTANCE_ALLOWED ".", optarg);
                return false;
        }
        o->instance = optarg;
        return true;
}

/* What to look at, and in which order. */
static bool apply_choice(Options *o, int c) {
        switch (c) {
        case 'u':
                return apply_unit(o);
        case 'n':
                return apply_lines(o);
        case 'd':
                o->delay = optarg;
                break;
        case 'r':
                o->reverse = true;
                break;
        case ARG_STATE:
                o->state = optarg;
                break;
        case ARG_STALLED:
                o->stalled = true;
                break;
        case ARG_SORT:
                o->sort = optarg;
                break;
        case ARG_JOURNAL:
                o->journal = true;
                break;
        default:
                return false;
        }
        return true;
}

/* The options of single verbs. */
static bool apply_verb_option(Options *o, int c) {
        switch (c) {
        case ARG_ROOT:
                o->root = optarg;
                break;
        case ARG_FOR:
                o->span = optarg;
                break;
        case ARG_REASON:
                o->reason = optarg;
                break;
        case ARG_STATUS:
                o->status = optarg;
                break;
        case ARG_PAYLOAD:
                o->payload = optarg;
                break;
        case ARG_STDIN:
                o->from_stdin = true;
                break;
        case ARG_UDP:
                o->udp = optarg;
                break;
        case ARG_KEY_FILE:
                o->key_file = optarg;
                break;
        case ARG_MASTER_KEY_FILE:
                o->master_key_file = optarg;
                break;
        default:
                return apply_choice(o, c);
        }
        return true;
}

/* One option into its place. Returns false after saying what is wrong with it. */
static bool apply_option(Options *o, Given *given, int c) {
        switch (c) {
        case 'h':
                given->help = true;
                break;
        case ARG_VERSION:
                given->version = true;
                break;
        case ARG_SYSTEM:
                o->user = false;
                break;
        case ARG_USER:
                o->user = true;
                break;
        case 'H':
        case 'M':
                if (o->host && o->transport != (c == 'H' ? TRANSPORT_HOST : TRANSPORT_MACHINE)) {
                        ctl_error("--host= and --machine= do not go together: one observer is asked.");
                        return false;
                }
                o->transport = c == 'H' ? TRANSPORT_HOST : TRANSPORT_MACHINE;
                o->host = optarg;
                break;
        case ARG_INSTANCE:
                return apply_instance(o);
        case ARG_SOCKET:
                o->socket = optarg;
                break;
        case ARG_JSON:
                if (!parse_json_mode(optarg, &o->json)) {
                        ctl_error("--json=%s is no mode; allowed: short, pretty, off.", optarg);
                        return false;
                }
                break;
        case 'j':
                o->json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
                break;
        case ARG_NO_PAGER:
                o->no_pager = true;
                break;
        case ARG_NO_LEGEND:
                o->no_legend = true;
                break;
        case ARG_NO_ASK_PASSWORD:
                o->no_ask_password = true;
                break;
        case 'q':
                o->quiet = true;
                break;
        default:
                return apply_verb_option(o, c);
        }
        return true;
}

static bool parse_options(int argc, char **argv, Options *options, Given *given) {
        char refused[REFUSED_SIZE];
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":hH:M:jqu:rn:d:", long_options, NULL)) >= 0) {
                if (c == '?' || c == ':') {
                        (void) text_refused_option(refused, sizeof(refused), long_options, argv, c);
                        refused[0] = (char) toupper((unsigned char) refused[0]);
                        ctl_error("%s. See: varta-ctl --help", refused);
                        return false;
                }
                if (!apply_option(options, given, c))
                        return false;
                if (given->n < ELEMENTSOF(given->options))
                        given->options[given->n++] = c;
        }

        if (options->host && (options->host[0] == 0 || strcmp(options->host, "@") == 0)) {
                ctl_error("%s names nobody; allowed: %s",
                          options->transport == TRANSPORT_HOST ? "--host=" : "--machine=",
                          options->transport == TRANSPORT_HOST ? "[USER@]HOST"
                                                               : "[USER@]CONTAINER, or .host for this host");
                return false;
        }
        if (options->user && options->transport == TRANSPORT_HOST) {
                ctl_error("--user and --host= do not go together: there is no way to a user's bus on "
                          "another host. Allowed: --user --machine=[USER@]CONTAINER");
                return false;
        }
        return true;
}

static bool options_fit(const Verb *verb, const Given *given) {
        char buf[64];

        for (size_t i = 0; i < given->n; i++)
                for (size_t j = 0; j < ELEMENTSOF(option_verbs); j++)
                        if (option_verbs[j].option == given->options[i] &&
                            !(option_verbs[j].flags & verb->flags)) {
                                ctl_error("varta-ctl %s does not take %s.", verb->name,
                                          option_name(given->options[i], buf, sizeof(buf)));
                                return false;
                        }
        return true;
}

static bool arguments_fit(const Verb *verb, size_t n_args) {
        if (n_args < verb->min_args) {
                ctl_error("varta-ctl %s needs an argument: varta-ctl %s %s", verb->name, verb->name,
                          verb->args);
                return false;
        }
        if (n_args > verb->max_args) {
                ctl_error("varta-ctl %s takes %s.", verb->name,
                          verb->max_args == 0 ? "no arguments" : "one argument");
                return false;
        }
        return true;
}

static const Verb *find_verb(const char *name) {
        const Verb *verb = ctl_verb_find(name);
        const char *other;

        if (verb)
                return verb;

        other = ctl_verb_suggest(name);
        if (other)
                ctl_error("Unknown verb \"%s\". Did you mean \"%s\"?", name, other);
        else
                ctl_error("Unknown verb \"%s\". See: varta-ctl --help", name);
        return NULL;
}

static CtlExit run(int argc, char **argv) {
        Options options = { .lines = LINES_DEFAULT };
        Given given = {};
        const Verb *verb;
        size_t n_args;

        if (!parse_options(argc, argv, &options, &given))
                return CTL_USAGE;
        if (given.help) {
                ctl_help();
                return CTL_OK;
        }
        if (given.version) {
                (void) printf("varta-ctl %s\n", VARTA_VERSION);
                return CTL_OK;
        }

        /* As with the tools it stands beside, no verb means the one that looks. */
        verb = find_verb(optind < argc ? argv[optind] : "status");
        if (!verb)
                return CTL_USAGE;

        n_args = optind < argc ? (size_t) (argc - optind - 1) : 0;
        if (!options_fit(verb, &given) || !arguments_fit(verb, n_args))
                return CTL_USAGE;

        return verb->run(&options, argv + argc - n_args, n_args);
}

int main(int argc, char **argv) {
        CtlExit code;

        output_init();
        code = run(argc, argv);
        password_agent_close();
        return (int) output_finish(code);
}
