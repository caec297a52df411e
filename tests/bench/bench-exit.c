/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How late a death is told: real processes beat to the real vartad and die, and a subscriber on the bus notes when the
 * signal arrives. Lateness is that moment less the one that the process wrote down right before _exit(): the kernel's
 * taking it apart, vartad, and the bus daemon's hand-over are all in it.
 *
 * Every other process dies with a beat on its lips, which vartad must have read before it speaks of the death.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus/bus-names.h"
#include "daemon.h"

#define DEATHS 1000U
#define ALIVE  20U /* at a time */

#define PATIENCE_USEC (10 * USEC_PER_SEC)

typedef struct Bench {
        nsec_t *died; /* [DEATHS], shared with the processes */
        pid_t pids[DEATHS];
        double lateness[DEATHS];
        size_t born, n;
} Bench;

static void pause_for(long msec) {
        struct timespec ts = { .tv_nsec = msec * 1000 * 1000 };

        (void) nanosleep(&ts, NULL);
}

/* Two beats make an agent whose identity is certain; by default they may not be closer than 10 ms. */
_Noreturn static void live(nsec_t *died, size_t i) {
        int fd;

        bench_claim(-1);
        fd = daemon_connect(DAEMON_SOCKET);
        daemon_beat(fd, 1);
        pause_for(15);
        daemon_beat(fd, 2);
        pause_for(15 + (long) (i * 7 % 20)); /* deaths spread out */
        if (i % 2 == 0)
                daemon_beat(fd, 3);
        *died = bench_clock(CLOCK_MONOTONIC);
        _exit(EXIT_SUCCESS);
}

static void keep_alive(Bench *b) {
        while (b->born < DEATHS && b->born - b->n < ALIVE) {
                pid_t pid = fork();

                if (pid < 0)
                        bench_die("Cannot fork");
                if (pid == 0)
                        live(&b->died[b->born], b->born);
                b->pids[b->born++] = pid;
        }
}

static int on_exited(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        nsec_t now = bench_clock(CLOCK_MONOTONIC);
        Bench *b = userdata;
        uint64_t id;
        uint32_t pid;

        if (sd_bus_message_read(message, "tu", &id, &pid) < 0)
                bench_die("Cannot read a signal");
        for (size_t i = 0; i < b->born; i++)
                if (b->pids[i] == (pid_t) pid) {
                        b->lateness[b->n++] = (double) nsec_sub(now, b->died[i]) / 1e6;
                        (void) waitpid(b->pids[i], NULL, 0); /* from here on the pid may come back */
                        b->pids[i] = 0;
                }
        return 0;
}

int main(void) {
        static Bench b;
        Daemon d;

        b.died = mmap(NULL, DEATHS * sizeof(nsec_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (b.died == MAP_FAILED)
                bench_die("Cannot share memory");
        daemon_start(&d, NULL);
        bench_claim(-1);
        if (sd_bus_match_signal(d.bus, NULL, NULL, BUS_PATH, BUS_INTERFACE, "AgentExited", on_exited, &b) <
            0)
                bench_die("Cannot subscribe");

        while (b.n < DEATHS) {
                keep_alive(&b);
                if (sd_bus_process(d.bus, NULL) == 0 && sd_bus_wait(d.bus, PATIENCE_USEC) <= 0)
                        bench_die("Only %zu of %u deaths were told", b.n, DEATHS);
        }
        daemon_stop(&d);

        bench_report(&(Figure){ "exits, lateness at a subscriber, half of them",
                                bench_quantile_steady(b.lateness, DEATHS, 0.5), "ms" });
        bench_report(&(Figure){ "exits, lateness at a subscriber, 99 of 100",
                                bench_quantile_steady(b.lateness, DEATHS, 0.99), "ms", 0, GOAL_AT_MOST, 2 });
        bench_report(&(Figure){ "exits, lateness at a subscriber, the latest of 200",
                                bench_quantile_steady(b.lateness, DEATHS, 1), "ms" });
        return EXIT_SUCCESS;
}
