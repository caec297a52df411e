/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What all benchmarks share. */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "util/fd.h"
#include "vlp/frame.h"

void bench_die(const char *format, ...) {
        int e = errno;
        va_list ap;

        va_start(ap, format);
        (void) vfprintf(stderr, format, ap);
        va_end(ap);
        (void) fprintf(stderr, ": %s\n", strerror(e));
        exit(EXIT_FAILURE);
}

void bench_skip(const char *format, ...) {
        va_list ap;

        (void) printf("skipped: ");
        va_start(ap, format);
        (void) vprintf(format, ap);
        va_end(ap);
        (void) printf("\n");
        exit(BENCH_SKIPPED);
}

void bench_report(const Figure *f) {
        double judged = f->ratio > 0 ? f->ratio : f->value;
        char ratio[32] = "";

        if (f->ratio > 0)
                (void) snprintf(ratio, sizeof(ratio), "ratio %.3f", f->ratio);
        (void) printf("%-52s %10.3f %-10s %-13s", f->name, f->value, f->unit, ratio);
        if (f->kind != GOAL_NONE) {
                bool met = f->kind == GOAL_AT_LEAST ? judged >= f->goal : judged <= f->goal;

                (void) printf(" goal %s %-8g %s", f->kind == GOAL_AT_LEAST ? ">=" : "<=", f->goal,
                              met ? "met" : "missed");
        }
        (void) printf("\n");
        (void) fflush(stdout);
}

nsec_t bench_clock(int clock) {
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0)
                bench_die("clock_gettime");
        return (nsec_t) ts.tv_sec * NSEC_PER_SEC + (nsec_t) ts.tv_nsec;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t n, double p) {
        size_t k = (size_t) (p * (double) n);

        qsort(values, n, sizeof(double), compare);
        return values[MIN(k, n - 1)];
}

double bench_quantile_steady(double *values, size_t n, double p) {
        double parts[5];

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                parts[i] = bench_quantile(values + i * (n / ELEMENTSOF(parts)), n / ELEMENTSOF(parts), p);
        return bench_quantile(parts, ELEMENTSOF(parts), 0.5);
}

uint64_t bench_random(uint64_t *state) {
        uint64_t x = *state;

        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        *state = x;
        return x * UINT64_C(0x2545f4914f6cdd1d);
}

static void shuffle(uint32_t *values, uint32_t n, uint64_t *state) {
        for (uint32_t i = n; i > 1; i--) {
                uint32_t k = (uint32_t) (bench_random(state) % i), v = values[i - 1];

                values[i - 1] = values[k];
                values[k] = v;
        }
}

void order_init(Order *o, uint32_t n) {
        *o = (Order){ .agents = malloc(n * sizeof(uint32_t)), .n = n, .at = n, .seed = 0x5eed };
        if (!o->agents)
                bench_die("Cannot allocate");
        for (uint32_t i = 0; i < n; i++)
                o->agents[i] = i;
        shuffle(o->agents, n, &o->seed);
}

void order_done(Order *o) {
        free(o->agents);
        o->agents = NULL;
}

uint32_t order_next(Order *o) {
        if (o->at == o->n) {
                o->at = 0;
                o->round++;
                shuffle(o->agents, o->n / 2, &o->seed);
                shuffle(o->agents + o->n / 2, o->n - o->n / 2, &o->seed);
        }
        return o->agents[o->at++];
}

void bench_frame(uint32_t agent, uint64_t nonce, uint8_t ret_frame[32]) {
        VlpFrame frame = { .timestamp = nonce, .nonce = nonce, .pid = AGENT_PID(agent), .payload = agent };

        if (vlp_frame_encode(&frame, ret_frame) < 0)
                bench_die("Cannot encode a frame");
}

void bench_private_network(unsigned length) {
        _cleanup_close_ int fd = -1;
        char text[16];
        int n;

        if (unshare(CLONE_NEWNET) < 0)
                bench_skip("cannot make a network namespace to set the length of queues in: %s",
                           strerror(errno));
        n = snprintf(text, sizeof(text), "%u", length);
        fd = open("/proc/sys/net/unix/max_dgram_qlen", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, (size_t) n) != n)
                bench_skip("cannot set net.unix.max_dgram_qlen to %u: %s", length, strerror(errno));
}

void bench_loopback_up(void) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
                bench_die("Cannot bring up the loopback device");
}

void bench_claim(int processor) {
        struct sched_param param = { .sched_priority = 1 };
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(processor, &set);
        if (processor >= 0)
                (void) sched_setaffinity(0, sizeof(set), &set);
        (void) sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param);
}
