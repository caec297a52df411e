/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An agent for tests and the demo: beats through libvarta as any program would, and can be told to misbehave.
 *
 *     --interval=MS    between beats (default 50)
 *     --socket=ADDR    where to (default: the library's)
 *     --ignore-term    does not end at SIGTERM, as a program that is busy shutting down
 *     --wedge-after=N  wedges of its own accord after so many beats, as a program with a fault that always comes back
 *
 * SIGUSR1 wedges it: the process lives, keeps its socket, and its work makes no progress any more. SIGUSR2 makes
 * it say "degraded" from then on. It says nothing on its own account, except when it cannot go on.
 */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/varta.h"

/* As long as varta.h recommends. */
#define WAIT_MS         100
#define INTERVAL_MS     50
#define INTERVAL_MAX_MS 60000
#define BEATS_MAX       1000000

static volatile sig_atomic_t wedged;
static volatile sig_atomic_t degraded;

static void on_signal(int number) {
        if (number == SIGUSR1)
                wedged = 1;
        else
                degraded = 1;
}

static int install_handlers(bool ignore_term) {
        const struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

        if (sigaction(SIGUSR1, &act, NULL) < 0 || sigaction(SIGUSR2, &act, NULL) < 0)
                return -errno;
        if (ignore_term && signal(SIGTERM, SIG_IGN) == SIG_ERR)
                return -errno;
        return 0;
}

static int parse_number(const char *text, int max, int *ret) {
        char *end;
        long value;

        errno = 0;
        value = strtol(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0' || value < 1 || value > max)
                return -EINVAL;
        *ret = (int) value;
        return 0;
}

static int beat_for_ever(VartaAgent *agent, int interval, int wedge_after) {
        uint32_t turn = 0;

        for (;;) {
                int r;

                if (wedged) {
                        pause();
                        continue;
                }
                r = varta_beat_wait(agent, degraded ? VARTA_STATUS_DEGRADED : VARTA_STATUS_OK, turn++,
                                    WAIT_MS);
                if (r < 0)
                        return r;
                if (wedge_after > 0 && turn >= (uint32_t) wedge_after)
                        wedged = 1;
                /* Not sleep(): a signal that wedges must also end the wait. */
                (void) poll(NULL, 0, interval);
        }
}

int main(int argc, char *argv[]) {
        static const struct option options[] = { { "interval", required_argument, NULL, 'i' },
                                                 { "socket", required_argument, NULL, 's' },
                                                 { "ignore-term", no_argument, NULL, 't' },
                                                 { "wedge-after", required_argument, NULL, 'w' },
                                                 {} };
        const char *address = NULL;
        int interval = INTERVAL_MS, wedge_after = 0, c, r;
        bool ignore_term = false;
        VartaAgent *agent;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if ((c == 'i' && parse_number(optarg, INTERVAL_MAX_MS, &interval) >= 0) ||
                    (c == 'w' && parse_number(optarg, BEATS_MAX, &wedge_after) >= 0))
                        continue;
                else if (c == 's')
                        address = optarg;
                else if (c == 't')
                        ignore_term = true;
                else
                        return EXIT_FAILURE;

        r = install_handlers(ignore_term);
        if (r >= 0)
                r = varta_open(address, &agent);
        if (r >= 0) {
                r = beat_for_ever(agent, interval, wedge_after);
                varta_close(agent);
        }
        fprintf(stderr, "cannot beat: %s\n", strerror(-r));
        return EXIT_FAILURE;
}
