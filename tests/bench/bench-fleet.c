/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a usual host pays: 50 agents at 1 Hz. The real vartad beside a bare receiver made of sd-event and recvmmsg().
 * Every agent beats to both, half of the time between two agents apart, so that both are woken as often and find the
 * caches as cold. CPU time is the scheduler's own (/proc/PID/schedstat, ns).
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "floor.h"
#include "load.h"
#include "util/fd.h"

#define AGENTS       50U
#define BARE_SOCKET  "varta-bench-bare"
#define WINDOWS      7U
#define WINDOW_SEC   3U
#define STAGGER_NSEC (NSEC_PER_SEC / AGENTS)

static void sleep_until(nsec_t t) {
        struct timespec ts = { .tv_sec = (time_t) (t / NSEC_PER_SEC), .tv_nsec = (long) (t % NSEC_PER_SEC) };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
                ;
}

_Noreturn static void agent(unsigned i, nsec_t start) {
        int observer, bare;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_claim(-1);
        observer = daemon_connect(DAEMON_SOCKET);
        bare = daemon_connect(BARE_SOCKET);
        for (uint64_t nonce = 1;; nonce++) {
                nsec_t due = start + (nonce - 1) * NSEC_PER_SEC + i * STAGGER_NSEC;

                sleep_until(due);
                daemon_beat(observer, nonce);
                sleep_until(due + STAGGER_NSEC / 2);
                daemon_beat(bare, nonce);
        }
}

/* One batch, like the floor's, but when sd-event says so. */
static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        return floor_take(userdata) > 0 ? 0 : -EIO;
}

_Noreturn static void bare_receiver(int fd) {
        static Floor floor;
        sd_event *event;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_claim(-1);
        floor_init(&floor, fd);
        if (sd_event_new(&event) < 0 || sd_event_add_io(event, NULL, fd, EPOLLIN, on_readable, &floor) < 0)
                bench_die("Cannot make an event loop");
        (void) sd_event_loop(event);
        _exit(EXIT_FAILURE);
}

/* Time on a processor so far, in ns. */
static double cpu_time(pid_t pid) {
        char path[64], text[128];

        (void) snprintf(path, sizeof(path), "/proc/%d/schedstat", (int) pid);
        if (read_small_file(-1, path, text, sizeof(text)) < 0)
                bench_skip("the kernel does not tell CPU times in ns (%s)", path);
        return (double) strtoull(text, NULL, 10);
}

static pid_t spawn_bare(void) {
        int fd = load_receiver(BARE_SOCKET);
        pid_t pid = fork();

        if (pid < 0)
                bench_die("Cannot fork");
        if (pid == 0)
                bare_receiver(fd);
        (void) safe_close(fd);
        return pid;
}

static void spawn_agents(pid_t *pids, nsec_t start) {
        for (unsigned i = 0; i < AGENTS; i++) {
                pids[i] = fork();
                if (pids[i] < 0)
                        bench_die("Cannot fork");
                if (pids[i] == 0)
                        agent(i, start);
        }
}

static void end(pid_t pid) {
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
}

int main(void) {
        double ratio[WINDOWS], observer[WINDOWS];
        pid_t bare, agents[AGENTS];
        nsec_t start, at;
        Daemon d;

        daemon_start(&d, NULL);
        bare = spawn_bare();
        start = bench_clock(CLOCK_MONOTONIC) + NSEC_PER_SEC / 2;
        spawn_agents(agents, start);

        /* The first three seconds are for getting to know each other. Windows begin where no beat is due. */
        at = start + 3 * NSEC_PER_SEC - STAGGER_NSEC / 4;
        sleep_until(at);
        for (unsigned i = 0; i < WINDOWS; i++) {
                double ours = cpu_time(d.pid), theirs = cpu_time(bare);

                at += WINDOW_SEC * NSEC_PER_SEC;
                sleep_until(at);
                ours = cpu_time(d.pid) - ours;
                theirs = cpu_time(bare) - theirs;
                observer[i] = ours / WINDOW_SEC / 1e3;
                ratio[i] = ours / theirs;
        }
        for (unsigned i = 0; i < AGENTS; i++)
                end(agents[i]);
        end(bare);
        daemon_stop(&d);

        bench_report(&(Figure){ "50 agents at 1 Hz, CPU beside a bare receiver's",
                                bench_quantile(observer, WINDOWS, 0.5), "µs/s",
                                bench_quantile(ratio, WINDOWS, 0.5), GOAL_AT_MOST, 1.5 });
        return EXIT_SUCCESS;
}
