/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What it costs to be asked: the real vartad with 100,000 agents, the real varta-ctl on a bus between them, and a
 * prober who beats every millisecond and looks when his beat was taken off the queue.
 *
 * No machine has 100,000 processes to spare, so the agents come over plain UDP, where a pid is what a frame says; from
 * several addresses, because there are fewer pids than that. A hundred sections are matched against their unit's name.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus/bus-names.h"
#include "daemon.h"

#define AGENTS   100000U
#define SECTIONS 100U
#define PORT     9000U  /* in a network of our own */
#define PER_HOST 20000U /* agents behind one address; pids end at 32,768 on many a machine */
#define HOSTS    (AGENTS / PER_HOST)
#define LAST_PID "20001" /* the last that each host has */

#define RUNS       7U
#define PROBES_MAX 200000U
#define PROBE_NSEC NSEC_PER_MSEC
#define LOOK_NSEC  (20 * 1000L) /* between two looks at the queue: the resolution */
#define BURST      64U          /* beats in a row: no queue overflows */

/* In memory shared with the prober. */
typedef struct Probes {
        volatile bool record, stop;
        volatile size_t n;
        double delays[PROBES_MAX]; /* ms */
} Probes;

static void pause_for(long nsec) {
        struct timespec ts = { .tv_nsec = nsec };

        (void) nanosleep(&ts, NULL);
}

static void start(Daemon *d) {
        static const char *const options[] = { "--listen=udp:127.0.0.1:9000", NULL };
        static char config[SECTIONS * 64 + 512];
        size_t n;

        static_assert(PORT == 9000, "as in the option above");
        n = (size_t) snprintf(config, sizeof(config),
                              "[Observer]\nCapacity=131072\nStallThresholdSec=1h\nGlobalRate=0\n"
                              "PerPidRate=0\nPerUidShare=100%%\n"
                              "[Listener udp-plaintext]\nSource=address\nUnit=bench-worker.service\n");
        for (unsigned i = 0; i < SECTIONS; i++)
                n += (size_t) snprintf(config + n, sizeof(config) - n,
                                       "[Unit %.*s*-worker.service]\nStallThresholdSec=2h\n", (int) (i % 5),
                                       "bench");
        daemon_start_with(d, NULL, config, options);
}

static uint32_t tracked(const Daemon *d) {
        uint32_t value;

        if (sd_bus_get_property_trivial(d->bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, "AgentsTracked", NULL,
                                        'u', &value) < 0)
                bench_die("Cannot ask the observer");
        return value;
}

static int open_host(uint32_t host) {
        struct sockaddr_in from = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + host) };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (const struct sockaddr *) &from, sizeof(from)) < 0)
                bench_die("Cannot make a socket");
        return fd;
}

static void introduce(const Daemon *d) {
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(PORT),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        uint64_t nonce = 0;
        int hosts[HOSTS];

        for (uint32_t i = 0; i < HOSTS; i++)
                hosts[i] = open_host(i);
        do {
                nonce++;
                for (uint32_t agent = 0; agent < AGENTS; agent++) {
                        uint8_t frame[32];

                        bench_frame(agent % PER_HOST, nonce, frame);
                        (void) sendto(hosts[agent / PER_HOST], frame, sizeof(frame), 0,
                                      (const struct sockaddr *) &to, sizeof(to));
                        if (agent % BURST == 0)
                                pause_for((long) NSEC_PER_MSEC);
                }
                pause_for(100 * (long) NSEC_PER_MSEC);
        } while (tracked(d) < AGENTS && nonce < 10);
        if (tracked(d) != AGENTS)
                bench_die("%u agents are tracked and not %u", tracked(d), AGENTS);
        for (uint32_t i = 0; i < HOSTS; i++)
                (void) close(hosts[i]);
}

static double delay(int fd, uint64_t nonce) {
        nsec_t sent = bench_clock(CLOCK_MONOTONIC);
        int queued;

        daemon_beat(fd, nonce);
        for (;;) {
                if (ioctl(fd, SIOCOUTQ, &queued) < 0)
                        bench_die("Cannot look at the queue");
                if (queued == 0)
                        break;
                pause_for(LOOK_NSEC);
        }
        return (double) (bench_clock(CLOCK_MONOTONIC) - sent) / (double) NSEC_PER_MSEC;
}

static pid_t start_prober(Probes *p) {
        pid_t pid = fork();

        if (pid < 0)
                bench_die("Cannot fork");
        if (pid == 0) {
                int fd;

                bench_claim(-1);
                fd = daemon_connect(DAEMON_SOCKET);
                for (uint64_t nonce = 1; !p->stop; nonce++) {
                        double d = delay(fd, nonce);

                        if (p->record && p->n < PROBES_MAX) {
                                p->delays[p->n] = d;
                                p->n = p->n + 1;
                        }
                        pause_for((long) PROBE_NSEC);
                }
                _exit(EXIT_SUCCESS);
        }
        return pid;
}

/* Runs varta-ctl, its output into a file nobody reads, and returns how long that took, in ms. */
static double run_ctl(const Daemon *d, const char *verb, const char *option, const char *argument) {
        nsec_t begin = bench_clock(CLOCK_MONOTONIC);
        int status;
        pid_t pid = fork();

        if (pid < 0)
                bench_die("Cannot fork");
        if (pid == 0) {
                char address[128];
                int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

                (void) dup2(fd, STDOUT_FILENO);
                (void) snprintf(address, sizeof(address), "unix:path=%s/bus", d->dir);
                (void) setenv("DBUS_SYSTEM_BUS_ADDRESS", address, true);
                (void) execl(VARTA_CTL, VARTA_CTL, verb, option, argument, (char *) NULL);
                _exit(127);
        }
        if (waitpid(pid, &status, 0) != pid || status != 0)
                bench_die("varta-ctl %s ended with %d", verb, status);
        return (double) (bench_clock(CLOCK_MONOTONIC) - begin) / (double) NSEC_PER_MSEC;
}

/* The longest way of a beat during one run, in ms. What else the machine did at one moment is not ours: of several runs
 * the median is judged, and the worst of all told beside it. */
static double worst_of(Probes *p) {
        double worst = 0;

        for (size_t i = 0; i < p->n; i++)
                worst = MAX(worst, p->delays[i]);
        return worst;
}

static void measure(const Daemon *d, Probes *p, const char *verb, const char *option, const char *argument,
                    const char *name, double goal) {
        double times[RUNS], worst[RUNS];

        for (unsigned i = 0; i < RUNS; i++) {
                p->n = 0;
                p->record = true;
                if (verb)
                        times[i] = run_ctl(d, verb, option, argument);
                else
                        pause_for(500 * (long) NSEC_PER_MSEC);
                p->record = false;
                worst[i] = worst_of(p);
        }
        if (verb)
                bench_report(&(Figure){ name, bench_quantile(times, RUNS, 0.5), "ms", 0, GOAL_AT_MOST,
                                        goal });
        bench_report(&(Figure){ verb ? "    a beat's longest wait meanwhile" : name,
                                bench_quantile(worst, RUNS, 0.5), "ms", 0, GOAL_AT_MOST, 5 });
        bench_report(&(Figure){ "    the longest of all runs", worst[RUNS - 1], "ms", 0, GOAL_NONE, 0 });
}

int main(void) {
        Probes *p = mmap(NULL, sizeof(Probes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t prober;
        Daemon d;

        if (p == MAP_FAILED)
                bench_die("Cannot map memory");
        bench_private_network(512);
        bench_loopback_up();
        start(&d);
        introduce(&d);
        prober = start_prober(p);

        measure(&d, p, NULL, NULL, NULL, "a beat's longest wait, nobody asks", 0);
        measure(&d, p, "list", "--json=short", NULL, "varta-ctl list --json, 100,000 agents", 1000);
        measure(&d, p, "status", "--json=off", NULL, "varta-ctl status, 100,000 agents", 50);
        /* All agents are looked through, to find those of this number behind every address; and the dearest card is
         * that of the unit to which they all belong. */
        measure(&d, p, "status", "--json=off", LAST_PID, "varta-ctl status of a pid among them", 50);
        measure(&d, p, "status", "--json=off", "bench-worker", "varta-ctl status of their unit", 50);

        p->stop = true;
        (void) waitpid(prober, NULL, 0);
        daemon_stop(&d);
        return EXIT_SUCCESS;
}
