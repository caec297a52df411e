/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How often the real vartad wakes up when there is nothing to do: voluntary context switches, as /proc counts them,
 * each of which is a wait that ended. Once without a watchdog, and once with one, which is served twice in its time.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "util/fd.h"

#define SECONDS 10U

/* A watchdog that can be seen within that time. */
#define WATCHDOG_SEC 4

#define KEY "\nvoluntary_ctxt_switches:"

static double switches(pid_t pid) {
        char path[64], text[16384];
        const char *line;

        (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
        if (read_small_file(-1, path, text, sizeof(text)) < 0 || !(line = strstr(text, KEY)))
                bench_die("Cannot read %s", path);
        return (double) strtoul(line + STRLEN(KEY), NULL, 10);
}

static double wakeups(const char *const *environment) {
        double before, after;
        Daemon d;

        daemon_start(&d, environment);
        (void) sleep(2); /* what starting left to do: the status line is written a second later */
        before = switches(d.pid);
        (void) sleep(SECONDS); /* the one thing that cannot be waited for: nothing */
        after = switches(d.pid);
        daemon_stop(&d);
        return (after - before) / SECONDS;
}

int main(void) {
        const char *const watchdog[] = { "WATCHDOG_USEC=4000000", "WATCHDOG_PID=$$", NULL };

        static_assert(WATCHDOG_SEC == 4, "as in the environment above");
        bench_report(&(Figure){ "idle, wake-ups without a watchdog", wakeups(NULL), "per s", 0, GOAL_AT_MOST,
                                0 });
        bench_report(&(Figure){ "idle, wake-ups with WatchdogSec=4s", wakeups(watchdog), "per s", 0,
                                GOAL_AT_MOST, 2.0 / WATCHDOG_SEC });
        return EXIT_SUCCESS;
}
