/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Resident memory per tracked agent, kernel objects aside: what the process has grown by when the largest table there
 * can be is full, and that filling it made it grow no further than starting did.
 */

#include <stdio.h>
#include <string.h>

#include "core/observer.h"
#include "core/tracker.h"
#include "rig.h"
#include "util/fd.h"

/* VmRSS of this process, in bytes. */
static double resident(void) {
        char text[16384];
        const char *line;

        if (read_small_file(-1, "/proc/self/status", text, sizeof(text)) < 0 ||
            !(line = strstr(text, "VmRSS:")))
                bench_die("Cannot read /proc/self/status");
        return (double) strtoul(line + STRLEN("VmRSS:"), NULL, 10) * 1024;
}

int main(void) {
        double before = resident(), started, full;
        uint32_t agents = TRACKER_CAPACITY_MAX;
        Rig rig;

        rig_init(&rig, agents, NSEC_PER_DAY);
        started = resident();
        rig_introduce(&rig, agents);
        full = resident();

        bench_report(&(Figure){ "memory, resident per agent at 1048576 agents", (full - before) / agents,
                                "bytes", 0, GOAL_AT_MOST, 160 });
        bench_report(&(Figure){ "memory, taken at start per agent",
                                (double) observer_memory(rig.manager.observer) / agents, "bytes" });
        bench_report(&(Figure){ "memory, grown while 1048576 agents came", (full - started) / agents,
                                "bytes", 0, GOAL_AT_MOST, 1 });
        rig_done(&rig);
        return EXIT_SUCCESS;
}
