/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * varta-exporter: what the observer counts, over HTTP, for Prometheus.
 *
 * A process of its own, so that nothing that HTTP brings can delay a beat or break the observer: it holds no right, asks one
 * question over the bus, and keeps the last answer. It neither starts the observer nor ends with it.
 */

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "exporter/accept.h"
#include "exporter/server.h"
#include "util/fd.h"
#include "util/instance.h"
#include "util/log.h"
#include "util/text.h"
#include "varta-build.h"

/* As vartad and varta-ctl answer wrong usage; other failures are 1. */
#define EXIT_USAGE 2

/* The credential with the token that clients have to show. Without it nobody has to. */
#define TOKEN_CREDENTIAL "varta.exporter-token"

/* Connections that wait to be accepted. */
#define BACKLOG 128

enum {
        ARG_VERSION = 0x100, /* above every character */
        ARG_USER,
        ARG_LISTEN,
        ARG_INSTANCE,
};

typedef struct Options {
        bool user;
        const char *instance; /* NULL: the observer without a name */
        const char *listen[SERVER_SOCKETS_MAX];
        size_t n_listen;
} Options;

static void help(void) {
        printf("varta-exporter [OPTIONS...]\n\n"
               "Show what the observer of heartbeats counts, over HTTP, for Prometheus.\n\n"
               "  -h --help                 Show this help\n"
               "     --version              Show the version\n"
               "     --user                 Ask the observer on the user's bus\n"
               "     --instance=NAME        Ask this instance of the observer\n"
               "     --listen=ADDRESS:PORT  Listen there, besides activated sockets; may be\n"
               "                            given several times\n\n"
               "Without --listen the socket comes from varta-exporter.socket.\n"
               "See varta-exporter(8).\n");
}

static void freeaddrinfop(struct addrinfo **info) {
        if (*info)
                freeaddrinfo(*info);
}

/* ADDRESS:PORT, both numeric, an IPv6 address in brackets. Returns 0, or -EINVAL after saying what is allowed. */
static int parse_address(const char *address, struct addrinfo **ret) {
        static const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                               .ai_socktype = SOCK_STREAM };
        char host[64] = "";
        const char *colon = strrchr(address, ':');
        bool bracketed = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
        size_t size = colon ? (size_t) (colon - address) - (bracketed ? 2 : 0) : 0;

        if (size > 0 && size < sizeof(host))
                memcpy(host, address + (bracketed ? 1 : 0), size);
        if (host[0] && colon[1] && (bracketed || !strchr(host, ':')) &&
            getaddrinfo(host, colon + 1, &hints, ret) == 0)
                return 0;

        fprintf(stderr,
                "varta-exporter: --listen=%s: not an address; allowed: ADDRESS:PORT (numeric, an IPv6 "
                "address in brackets)\n",
                address);
        return -EINVAL;
}

static int check_address(const char *address) {
        _cleanup_(freeaddrinfop) struct addrinfo *info = NULL;

        return parse_address(address, &info);
}

static const struct option long_options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, ARG_VERSION },
        { "user", no_argument, NULL, ARG_USER },
        { "instance", required_argument, NULL, ARG_INSTANCE },
        { "listen", required_argument, NULL, ARG_LISTEN },
        {},
};

static int parse_options(int argc, char *argv[], Options *ret) {
        char refused[256];
        int c, r;

        opterr = 0; /* it would not suggest anything */
        while ((c = getopt_long(argc, argv, ":h", long_options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case ARG_VERSION:
                        printf("varta-exporter " VARTA_VERSION "\n");
                        return 0;
                case ARG_USER:
                        ret->user = true;
                        break;
                case ARG_INSTANCE:
                        if (!instance_is_valid(optarg)) {
                                fprintf(stderr,
                                        "varta-exporter: --instance=%s: not a name; "
                                        "allowed: " INSTANCE_ALLOWED "\n",
                                        optarg);
                                return -EINVAL;
                        }
                        ret->instance = optarg;
                        break;
                case ARG_LISTEN:
                        if (ret->n_listen >= SERVER_SOCKETS_MAX) {
                                fprintf(stderr, "varta-exporter: --listen= given more than %u times\n",
                                        SERVER_SOCKETS_MAX);
                                return -EINVAL;
                        }
                        r = check_address(optarg);
                        if (r < 0)
                                return r;
                        ret->listen[ret->n_listen++] = optarg;
                        break;
                default:
                        fprintf(stderr, "varta-exporter: %s; see --help\n",
                                text_refused_option(refused, sizeof(refused), long_options, argv, c));
                        return -EINVAL;
                }

        if (optind < argc) {
                fprintf(stderr, "varta-exporter: %s: no argument is expected; see --help\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

/* ---- Sockets ---------------------------------------------------------------------------------------------- */

/* Binds what parse_address() takes. Returns the descriptor, or negative errno after saying why. */
static int bind_address(const char *address) {
        _cleanup_(freeaddrinfop) struct addrinfo *info = NULL;
        _cleanup_close_ int fd = -1;
        int one = 1, r;

        r = parse_address(address, &info);
        if (r < 0)
                return r;
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
                return log_error_errno(negative_errno(), "Cannot listen at %s", address);
        return TAKE_FD(fd);
}

static int listen_all(Server *s, const Options *options) {
        int n, r;

        n = sd_listen_fds(true);
        if (n < 0)
                return log_error_errno(n, "Cannot take the sockets of varta-exporter.socket");

        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
                if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
                        log_warning("Descriptor %d is no stream socket that listens, ignoring.", fd);
                        (void) safe_close(fd);
                        continue;
                }
                r = server_listen(s, fd);
                if (r < 0)
                        return log_error_errno(r, "Cannot serve HTTP at socket %d", fd);
        }
        for (size_t i = 0; i < options->n_listen; i++) {
                int fd = bind_address(options->listen[i]);

                r = fd < 0 ? fd : server_listen(s, fd);
                if (r < 0)
                        return r;
        }

        if (n == 0 && options->n_listen == 0) {
                log_error("There is no socket to listen to. Start it by systemctl start "
                          "varta-exporter.socket, or "
                          "give --listen=127.0.0.1:9674.");
                return -ENOTCONN;
        }
        return 0;
}

/* ---- The token -------------------------------------------------------------------------------------------- */

/* Reads the token into buf; "" when there is none. Returns 0, or negative errno after saying why. */
static int read_token(char *buf, size_t size) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        char path[4096];
        ssize_t n;

        buf[0] = 0;
        if (!directory ||
            (size_t) snprintf(path, sizeof(path), "%s/" TOKEN_CREDENTIAL, directory) >= sizeof(path))
                return 0;

        n = read_small_file(-1, path, buf, size);
        if (n == -ENOENT) {
                buf[0] = 0;
                return 0;
        }
        if (n < 0 && n != -E2BIG)
                return log_error_errno((int) n, "Cannot read the credential " TOKEN_CREDENTIAL);

        while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
                buf[--n] = 0;
        /* Better no exporter than one that somebody believes to be closed. */
        if (n < 0 || !token_is_valid(buf, (size_t) n)) {
                log_error("The credential " TOKEN_CREDENTIAL
                          " is no token; allowed: one line of %u to %u letters, "
                          "digits and -._~+/ with = at the end.",
                          TOKEN_MIN, TOKEN_MAX);
                return -EINVAL;
        }
        return 0;
}

/* ---- Running ---------------------------------------------------------------------------------------------- */

/* Records that the journal did not take at once are offered again with whatever happens next. */
static int on_turn(sd_event_source *source, void *userdata) {
        if (log_pending())
                (void) log_flush();
        return 0;
}

static int set_up(sd_event *event, const Options *options, Server **ret) {
        _cleanup_(server_freep) Server *s = NULL;
        char token[TOKEN_MAX + 3]; /* a line end and the end */
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return negative_errno();
        r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_post(event, NULL, on_turn, NULL);
        if (r < 0)
                return r;
        r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return r;

        r = read_token(token, sizeof(token));
        if (r >= 0)
                r = server_new(event, options->user, options->instance, token, &s);
        explicit_bzero(token, sizeof(token));
        if (r < 0)
                return r;
        r = listen_all(s, options);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

static int run(const Options *options) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(server_freep) Server *s = NULL;
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = set_up(event, options, &s);
        if (r < 0)
                return r;

        (void) sd_notify(false, "READY=1\nSTATUS=Serving metrics.");
        r = sd_event_loop(event);
        (void) sd_notify(false, "STOPPING=1");
        return r;
}

int main(int argc, char *argv[]) {
        Options options = {};
        int r;

        r = parse_options(argc, argv, &options);
        if (r < 0)
                return EXIT_USAGE;
        if (r == 0)
                return EXIT_SUCCESS;

        /* Clients come and go while they are written to. */
        (void) signal(SIGPIPE, SIG_IGN);
        log_open("varta-exporter");
        r = run(&options);
        if (r < 0)
                (void) log_full_errno(LOG_DEBUG, r, "Ending");
        log_close();
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
