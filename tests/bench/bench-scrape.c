/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What it costs to be scraped: the real vartad with 1,000 real processes in 1,000 units that beat ten times a second, the real
 * varta-exporter, and a bus between them.
 *
 * First one client takes a fresh answer now and then. Then a hundred clients scrape as fast as they are answered, in
 * windows that take turns with quiet ones; vartad's CPU time per beat in the two is compared, and in the end every
 * beat that was sent must have been accepted. CPU time is the scheduler's own (/proc/PID/schedstat, ns).
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus/bus-names.h"
#include "daemon.h"
#include "util/fd.h"

#define UNITS     1000U
#define BEAT_MSEC 100L
#define CLIENTS   100U
#define PORT      9674U /* in a network of our own */

#define SCRAPES 15U
#define PAUSE_MSEC                                                                                          \
        600L /* an answer of the observer serves for half a second: after this it is asked again */
#define WINDOWS     5U
#define WINDOW_MSEC 3000L

/* A thousand units make some 700 KiB of text. */
#define PAGE_MAX ((size_t) 4 * 1024 * 1024)

/* In memory that all processes share. */
typedef struct Shared {
        volatile bool stop, storm, scraping[CLIENTS];
        volatile uint64_t sent[UNITS], scrapes[CLIENTS];
} Shared;

typedef struct Bench {
        Daemon daemon;
        Shared *shared;
        char cgroup[256]; /* where the units' control groups are */
        pid_t exporter, agents[UNITS], clients[CLIENTS];
        char *page;
} Bench;

static void pause_for(long msec) {
        struct timespec ts = { .tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000 * 1000 };

        (void) nanosleep(&ts, NULL);
}

/* In a child. Returns in the child with 0. */
static pid_t fork_child(void) {
        pid_t pid = fork();

        if (pid < 0)
                bench_die("Cannot fork");
        if (pid == 0)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return pid;
}

/* ---- Agents in units -------------------------------------------------------------------------------------- */

/* Where the unified hierarchy is mounted. */
static void find_cgroups(char *path, size_t size) {
        char line[4096], point[2048];
        FILE *f = fopen("/proc/self/mountinfo", "re");

        path[0] = 0;
        while (f && fgets(line, sizeof(line), f))
                if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %2047s", point) == 1)
                        (void) snprintf(path, size, "%.200s/varta-bench-%d.slice", point, (int) getpid());
        if (f)
                (void) fclose(f);
        if (!path[0] || mkdir(path, 0755) < 0)
                bench_skip("no control group can be made (%s)",
                           path[0] ? strerror(errno) : "none is mounted");
}

static void unit_path(const Bench *b, size_t i, const char *file, char *path, size_t size) {
        (void) snprintf(path, size, "%s/bench-worker@%zu.service%s", b->cgroup, i, file);
}

_Noreturn static void live(const Bench *b, size_t i) {
        struct timespec next;
        int fd = daemon_connect(DAEMON_SOCKET);
        uint64_t nonce = 0;

        (void) clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_nsec = (long) (i * (size_t) BEAT_MSEC * 1000 * 1000 / UNITS);
        while (!b->shared->stop) {
                next.tv_nsec += BEAT_MSEC * 1000 * 1000;
                if (next.tv_nsec >= (long) NSEC_PER_SEC) {
                        next.tv_nsec -= (long) NSEC_PER_SEC;
                        next.tv_sec++;
                }
                (void) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
                daemon_beat(fd, ++nonce);
                b->shared->sent[i] = nonce;
        }
        pause_for(24 * 3600 * 1000L); /* an agent that leaves is one more event */
        _exit(EXIT_SUCCESS);
}

static void start_agents(Bench *b) {
        char path[512];

        for (size_t i = 0; i < UNITS; i++) {
                unit_path(b, i, "", path, sizeof(path));
                if (mkdir(path, 0755) < 0)
                        bench_die("Cannot make %s", path);
                b->agents[i] = fork_child();
                if (b->agents[i] == 0) {
                        int fd;

                        unit_path(b, i, "/cgroup.procs", path, sizeof(path));
                        fd = open(path, O_WRONLY | O_CLOEXEC);
                        if (fd < 0 || write(fd, "0", 1) != 1)
                                bench_die("Cannot enter %s", path);
                        live(b, i);
                }
        }
}

static void end(pid_t *pids, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void) kill(pids[i], SIGKILL);
        for (size_t i = 0; i < n; i++)
                (void) waitpid(pids[i], NULL, 0);
}

static void stop_agents(Bench *b) {
        char path[512];

        end(b->agents, UNITS);
        for (size_t i = 0; i < UNITS; i++) {
                unit_path(b, i, "", path, sizeof(path));
                (void) rmdir(path);
        }
        (void) rmdir(b->cgroup);
}

/* ---- Scrapes ---------------------------------------------------------------------------------------------- */

static void start_exporter(Bench *b) {
        b->exporter = fork_child();
        if (b->exporter == 0) {
                char address[128];
                int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

                (void) dup2(fd, STDERR_FILENO);
                (void) snprintf(address, sizeof(address), "unix:path=%s/bus", b->daemon.dir);
                (void) setenv("DBUS_SYSTEM_BUS_ADDRESS", address, true);
                (void) execl(VARTA_EXPORTER, VARTA_EXPORTER, "--listen=127.0.0.1:9674", (char *) NULL);
                _exit(EXIT_FAILURE);
        }
}

/* One scrape into b->page, terminated. Returns its length; 0 when there was no whole answer. */
static size_t scrape(const Bench *b) {
        static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        const struct sockaddr_in sa = { .sin_family = AF_INET,
                                        .sin_port = htons(PORT),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t size = 0;
        ssize_t n;

        static_assert(PORT == 9674, "as in the exporter's option");
        if (fd < 0 || connect(fd, (const struct sockaddr *) &sa, sizeof(sa)) < 0 ||
            send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
                return 0;
        while ((n = recv(fd, b->page + size, PAGE_MAX - 1 - size, 0)) > 0)
                size += (size_t) n;
        b->page[size] = 0;
        return n == 0 && strncmp(b->page, "HTTP/1.1 200 ", 13) == 0 ? size : 0;
}

static bool is_complete(const Bench *b) {
        char last[64];

        (void) snprintf(last, sizeof(last), "\nvarta_agents %u\n", UNITS);
        return scrape(b) > 0 && strstr(b->page, "\nvarta_up 1\n") && strstr(b->page, last) &&
               strstr(b->page, "varta_unit_agents{unit=\"bench-worker@999.service\"} 1\n");
}

static void start_clients(Bench *b) {
        for (size_t i = 0; i < CLIENTS; i++) {
                b->clients[i] = fork_child();
                if (b->clients[i] != 0)
                        continue;
                while (!b->shared->stop) {
                        b->shared->scraping[i] = b->shared->storm;
                        if (!b->shared->scraping[i])
                                pause_for(10);
                        else if (scrape(b) > 0)
                                b->shared->scrapes[i] = b->shared->scrapes[i] + 1;
                        else
                                bench_die("A scrape was not answered");
                }
                _exit(EXIT_SUCCESS);
        }
}

/* ---- Figures ---------------------------------------------------------------------------------------------- */

static double cpu_time(pid_t pid) {
        char path[64], text[128];

        (void) snprintf(path, sizeof(path), "/proc/%d/schedstat", (int) pid);
        if (read_small_file(-1, path, text, sizeof(text)) < 0)
                bench_skip("the kernel does not tell CPU times in ns (%s)", path);
        return (double) strtoull(text, NULL, 10);
}

static uint64_t sum(const volatile uint64_t *numbers, size_t n) {
        uint64_t total = 0;

        for (size_t i = 0; i < n; i++)
                total += numbers[i];
        return total;
}

/* vartad's CPU time per beat in one window, in ns. */
static double window(Bench *b, bool storm) {
        uint64_t beats;
        double cpu;

        b->shared->storm = storm;
        for (size_t i = 0; i < CLIENTS; i++)
                while (b->shared->scraping[i] != storm)
                        pause_for(1); /* who waits for their turn is answered first */
        pause_for(PAUSE_MSEC);
        beats = sum(b->shared->sent, UNITS);
        cpu = cpu_time(b->daemon.pid);
        pause_for(WINDOW_MSEC);
        return (cpu_time(b->daemon.pid) - cpu) / (double) (sum(b->shared->sent, UNITS) - beats);
}

static void measure_scrapes(const Bench *b) {
        double times[SCRAPES];
        size_t size = 0;

        for (unsigned i = 0; i < SCRAPES; i++) {
                nsec_t begin;

                pause_for(PAUSE_MSEC);
                begin = bench_clock(CLOCK_MONOTONIC);
                size = scrape(b);
                times[i] = (double) (bench_clock(CLOCK_MONOTONIC) - begin) / (double) NSEC_PER_MSEC;
                if (size == 0)
                        bench_die("A scrape was not answered");
        }
        bench_report(&(Figure){ "a scrape, 1,000 units", bench_quantile(times, SCRAPES, 0.5), "ms", 0,
                                GOAL_AT_MOST, 50 });
        bench_report(&(Figure){ "    its size", (double) size / 1024, "KiB" });
}

static void measure_storm(Bench *b) {
        double quiet[WINDOWS], storm[WINDOWS], ratios[WINDOWS];
        uint64_t scrapes = 0;

        for (unsigned i = 0; i < WINDOWS; i++) {
                quiet[i] = window(b, false);
                scrapes -= sum(b->shared->scrapes, CLIENTS);
                storm[i] = window(b, true);
                scrapes += sum(b->shared->scrapes, CLIENTS);
                ratios[i] = storm[i] / quiet[i];
        }
        b->shared->storm = false;
        bench_report(&(Figure){ "a beat, 100 clients scrape", bench_quantile(storm, WINDOWS, 0.5), "ns",
                                bench_quantile(ratios, WINDOWS, 0.5), GOAL_AT_MOST, 1.10 });
        bench_report(&(Figure){ "    nobody scrapes", bench_quantile(quiet, WINDOWS, 0.5), "ns" });
        bench_report(&(Figure){ "    scrapes",
                                (double) scrapes / (WINDOWS * (double) (WINDOW_MSEC + PAUSE_MSEC) / 1000),
                                "per s" });
}

static void check_beats(Bench *b) {
        uint64_t accepted = 0, sent;

        b->shared->stop = true;
        pause_for(PAUSE_MSEC);
        sent = sum(b->shared->sent, UNITS);
        if (sd_bus_get_property_trivial(b->daemon.bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Beats", NULL, 't',
                                        &accepted) < 0 ||
            accepted != sent)
                bench_die("%llu beats were sent and %llu accepted", (unsigned long long) sent,
                          (unsigned long long) accepted);
        bench_report(&(Figure){ "    beats lost", (double) (sent - accepted), "", 0, GOAL_AT_MOST, 0 });
}

int main(void) {
        static Bench b;

        b.shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        b.page = malloc(PAGE_MAX);
        if (b.shared == MAP_FAILED || !b.page)
                bench_die("Cannot take memory");
        find_cgroups(b.cgroup, sizeof(b.cgroup));
        bench_private_network(512);
        bench_loopback_up();
        daemon_start_with(&b.daemon, NULL, "[Observer]\nStallThresholdSec=1h\nGlobalRate=0\nPerPidRate=0\n",
                          NULL);
        start_agents(&b);
        start_exporter(&b);
        start_clients(&b);
        for (unsigned i = 0; !is_complete(&b); i++) {
                if (i > 100)
                        bench_die("The figures of %u units do not come", UNITS);
                pause_for(100);
        }

        measure_scrapes(&b);
        measure_storm(&b);
        check_beats(&b);

        end(b.clients, CLIENTS);
        end(&b.exporter, 1);
        stop_agents(&b);
        daemon_stop(&b.daemon);
        free(b.page);
        return EXIT_SUCCESS;
}
