/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an operator types: everything that is not understood is named, with what is. */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "daemon/options.h"
#include "ingress/identity.h"
#include "ingress/listener-udp.h"
#include "util/instance.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"
#include "varta-build.h"

enum {
        ARG_VERSION = 0x100, /* above every character */
        ARG_USER,
        ARG_LISTEN,
        ARG_CONFIG,
        ARG_INSTANCE,
        ARG_LOG_LEVEL,
};

static const struct option long_options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, ARG_VERSION },
        { "user", no_argument, NULL, ARG_USER },
        { "listen", required_argument, NULL, ARG_LISTEN },
        { "config", required_argument, NULL, ARG_CONFIG },
        { "instance", required_argument, NULL, ARG_INSTANCE },
        { "log-level", required_argument, NULL, ARG_LOG_LEVEL },
        {},
};

#define LISTEN_ALLOWED                                                                                      \
        "unix:/ABSOLUTE/PATH, unix:@ABSTRACT-NAME, udp-secure:ADDRESS:PORT, udp:ADDRESS:PORT (numeric, an " \
        "IPv6 address in brackets, a port from 1 to 65535)"
#define CONFIG_ALLOWED "the path of a file"
#define LEVELS_ALLOWED "emerg, alert, crit, err, warning, notice, info, debug"
#define OPTIONS_ALLOWED                                                                                     \
        "--help, --version, --user, --listen=ADDRESS, --config=FILE, --instance=NAME, --log-level=LEVEL"

static void help(void) {
        printf("vartad [OPTIONS...]\n\n"
               "Observe the heartbeats of local processes, notice silence, restart units.\n\n"
               "  -h --help             Show this help\n"
               "     --version          Show the version\n"
               "     --user             Use the user bus and restart the user's own units\n"
               "     --listen=ADDRESS   Receive beats at unix:PATH, unix:@NAME,\n"
               "                        udp-secure:ADDRESS:PORT or udp:ADDRESS:PORT; may\n"
               "                        be given several times, beside activated sockets\n"
               "     --config=FILE      Read this file instead of varta.conf and drop-ins\n"
               "     --instance=NAME    Be this one of several observers, with a name, a\n"
               "                        socket and a configuration of its own\n"
               "     --log-level=LEVEL  emerg, alert, crit, err, warning, notice, info\n"
               "                        (default) or debug\n\n"
               "Without --listen the sockets come from varta.socket, or varta@NAME.socket.\n"
               "See vartad(8).\n");
}

/* The form only; whether it can be bound is found out when it is. */
static int check_address(const char *address) {
        const char *path = address + STRLEN("unix:");
        Transport transport;
        PeerAddress peer;
        socklen_t size;

        if (strncmp(address, "unix:", STRLEN("unix:")) == 0)
                return (path[0] == '/' || path[0] == '@') && path[1] != 0 ? 0 : -EINVAL;
        return listener_parse_udp(address, &transport, &peer, &size);
}

static int parse_listen(Options *o, const char *address) {
        if (check_address(address) < 0) {
                fprintf(stderr, "vartad: --listen=%s: not an address; allowed: " LISTEN_ALLOWED "\n",
                        address);
                return -EINVAL;
        }
        if (o->n_listen == OPTIONS_LISTEN_MAX) {
                fprintf(stderr, "vartad: --listen= given more than %u times\n", OPTIONS_LISTEN_MAX);
                return -EINVAL;
        }
        o->listen[o->n_listen++] = address;
        return 0;
}

/* For tests and diagnosis: what a kernel without a feature would do. */
static int parse_environment(Options *o) {
        const char *disable = getenv("VARTA_DISABLE_FEATURES");
        unsigned features;

        if (!disable)
                return 0;
        if (kernel_features_parse(disable, &features) < 0) {
                fprintf(stderr,
                        "vartad: VARTA_DISABLE_FEATURES=%s: unknown feature; allowed, separated by commas: "
                        "pidfd, passrights, invocation, nspid\n",
                        disable);
                return -EINVAL;
        }
        o->features &= ~features;
        return 0;
}

/* The name of an option that getopt_long() knows. */
static const char *long_name(int value) {
        for (const struct option *o = long_options; o->name; o++)
                if (o->val == value)
                        return o->name;
        return "?";
}

/* What getopt_long() made nothing of: an option that there is not, or one with a value that it does not take. */
static int refuse_option(char *argv[], int c) {
        char refused[256];

        fprintf(stderr, "vartad: %s; allowed: " OPTIONS_ALLOWED "\n",
                text_refused_option(refused, sizeof(refused), long_options, argv, c));
        return -EINVAL;
}

static int parse_option(Options *o, int c, char *argv[]) {
        switch (c) {
        case ARG_USER:
                o->user = true;
                return 1;
        case ARG_LISTEN:
                return parse_listen(o, optarg) < 0 ? -EINVAL : 1;
        case ARG_CONFIG:
                if (!optarg[0]) {
                        fprintf(stderr, "vartad: --config=: not a file; allowed: " CONFIG_ALLOWED "\n");
                        return -EINVAL;
                }
                o->config = optarg;
                return 1;
        case ARG_INSTANCE:
                if (!instance_is_valid(optarg)) {
                        fprintf(stderr, "vartad: --instance=%s: not a name; allowed: " INSTANCE_ALLOWED "\n",
                                optarg);
                        return -EINVAL;
                }
                o->instance = optarg;
                return 1;
        case ARG_LOG_LEVEL:
                o->log_level = log_level_from_string(optarg);
                if (o->log_level < 0) {
                        fprintf(stderr, "vartad: --log-level=%s: not a level; allowed: " LEVELS_ALLOWED "\n",
                                optarg);
                        return -EINVAL;
                }
                return 1;
        case 'h':
                help();
                return 0;
        case ARG_VERSION:
                printf("varta %s\n", VARTA_VERSION);
                return 0;
        case ':':
                fprintf(stderr, "vartad: --%s= needs a value; allowed: %s\n", long_name(optopt),
                        optopt == ARG_LISTEN     ? LISTEN_ALLOWED
                        : optopt == ARG_CONFIG   ? CONFIG_ALLOWED
                        : optopt == ARG_INSTANCE ? INSTANCE_ALLOWED
                                                 : LEVELS_ALLOWED);
                return -EINVAL;
        default:
                return refuse_option(argv, c);
        }
}

int options_parse(int argc, char *argv[], Options *ret) {
        Options o = { .features = _FEATURE_ALL, .log_level = LOG_INFO };
        int c, r;

        assert(ret);

        opterr = 0; /* we have more to say, in one line */
        while ((c = getopt_long(argc, argv, ":h", long_options, NULL)) >= 0) {
                r = parse_option(&o, c, argv);
                if (r <= 0)
                        return r;
        }
        if (optind < argc) {
                fprintf(stderr,
                        "vartad: unexpected argument \"%s\"; allowed are options only: " OPTIONS_ALLOWED
                        "\n",
                        argv[optind]);
                return -EINVAL;
        }
        r = parse_environment(&o);
        if (r < 0)
                return r;
        *ret = o;
        return 1;
}
