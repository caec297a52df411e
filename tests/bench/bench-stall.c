/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How late a stall is told: 100,000 agents, half of what the floor could take arriving all the while, and now and then
 * an agent that falls silent. Lateness is the moment the D-Bus signal was written, less the moment silence became a
 * stall. The signal goes over a direct connection to a thread that reads it.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/priorities.h"
#include "floor.h"
#include "load.h"
#include "rig.h"

#define AGENTS    100000U
#define THRESHOLD NSEC_PER_SEC

/* Agents that fall silent, so many every so often, over five seconds. */
#define SILENT       5000U
#define SILENT_GROUP 10U
#define SILENT_EVERY (10 * NSEC_PER_MSEC)

/* Ends the bench when stalls stay away. */
#define PATIENCE (30 * NSEC_PER_SEC)

#define FLOOR_NAME "varta-bench-floor"
#define RIG_NAME   "varta-bench"

typedef struct Bench {
        Rig rig;
        BusServer *server;
        sd_bus *bus;
        volatile bool silent[AGENTS];
        double lateness[SILENT];
        size_t n;
        size_t queued; /* signals that the socket did not take at once: the time they were written is not known */
} Bench;

/* ---- the bus, as far as signals need it ------------------------------------------------------------------- */

static void serve_facts(void *userdata, BusFacts *ret) {
        *ret = (BusFacts){ .version = "", .clock_source = "monotonic", .capabilities = "" };
}

static const char *serve_state(void *userdata) {
        return "running";
}

static usec_t serve_to_monotonic(void *userdata, nsec_t t) {
        return t / NSEC_PER_USEC;
}

static const BusHooks bus_hooks = {
        .facts = serve_facts,
        .state = serve_state,
        .to_monotonic = serve_to_monotonic,
};

/* Reads whatever comes until the other side hangs up: a subscriber without an opinion. */
static void *subscriber(void *userdata) {
        sd_bus *bus = userdata;

        while (sd_bus_process(bus, NULL) > 0 || sd_bus_wait(bus, UINT64_MAX) >= 0)
                ;
        (void) sd_bus_close_unref(bus);
        return NULL;
}

static sd_bus *connection(int fd, bool server) {
        sd_id128_t id = {};
        sd_bus *bus;

        if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
            (server && sd_bus_set_server(bus, true, id) < 0) || sd_bus_start(bus) < 0)
                bench_die("Cannot make a bus connection");
        return bus;
}

static void bus_start(Bench *b, pthread_t *ret_thread) {
        Manager *m = &b->rig.manager;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                bench_die("Cannot make a socket pair");
        b->bus = connection(fds[0], true);
        errno = pthread_create(ret_thread, NULL, subscriber, connection(fds[1], false));
        if (errno != 0 || bus_server_new(m->event, m->observer, &bus_hooks, b, &b->server) < 0 ||
            sd_bus_attach_event(b->bus, m->event, PRIORITY_CLIENT_BUS) < 0 ||
            bus_server_attach(b->server, b->bus) < 0)
                bench_die("Cannot serve the bus");
        while (sd_bus_is_ready(b->bus) == 0)
                if (sd_event_run(m->event, UINT64_MAX) < 0)
                        bench_die("Cannot run the loop");
}

/* ---- the run ---------------------------------------------------------------------------------------------- */

static void on_event(void *userdata, const Event *event) {
        Bench *b = userdata;
        uint64_t queued;

        bus_server_event(b->server, event);
        if (event->kind != EVENT_STALL || b->n == SILENT)
                return;
        b->lateness[b->n++] = (double) nsec_sub(bench_clock(CLOCK_MONOTONIC), event->deadline) / 1e6;
        if (sd_bus_get_n_queued_write(b->bus, &queued) < 0 || queued > 0)
                b->queued++;
}

static void drain_floor(void *userdata) {
        floor_drain(userdata, QUEUE_LENGTH);
}

/* What the floor could take, in beats per second. */
static double floor_rate(Load *load) {
        Floor floor;
        Cost cost;

        floor_init(&floor, load_receiver(FLOOR_NAME));
        (void) load_drain(load, FLOOR_NAME, LOAD_DRAINS_MAX, drain_floor, &floor); /* warms up */
        cost = load_drain(load, FLOOR_NAME, LOAD_DRAINS_MAX, drain_floor, &floor);
        floor_done(&floor);
        return 1e9 / cost.wall;
}

/* Under load until every agent that fell silent was told of. Returns how long it took. */
static nsec_t run(Bench *b) {
        nsec_t start = bench_clock(CLOCK_MONOTONIC), next = start + 2 * THRESHOLD, now;
        uint64_t seed = 0x51e27;

        for (unsigned fallen = 0; b->n < SILENT;) {
                if (sd_event_run(b->rig.manager.event, SILENT_EVERY / NSEC_PER_USEC) < 0)
                        bench_die("Cannot run the loop");
                now = bench_clock(CLOCK_MONOTONIC);
                if (now > start + PATIENCE)
                        bench_die("Only %zu of %u stalls came", b->n, SILENT);
                if (now < next || fallen == SILENT)
                        continue;
                for (unsigned i = 0; i < SILENT_GROUP;) {
                        uint32_t agent = (uint32_t) (bench_random(&seed) % AGENTS);

                        if (b->silent[agent])
                                continue;
                        b->silent[agent] = true;
                        fallen++;
                        i++;
                }
                next += SILENT_EVERY;
        }
        return bench_clock(CLOCK_MONOTONIC) - start;
}

static void report(Bench *b, double floor, double load) {
        bench_report(&(Figure){ "stalls, load while they came, share of the floor's", load, "beats/s",
                                load / floor });
        bench_report(&(Figure){ "stalls, lateness, half of them",
                                bench_quantile_steady(b->lateness, SILENT, 0.5), "ms" });
        bench_report(&(Figure){ "stalls, lateness, 99 of 100",
                                bench_quantile_steady(b->lateness, SILENT, 0.99), "ms", 0, GOAL_AT_MOST,
                                1 });
        bench_report(&(Figure){ "stalls, lateness, the latest of a second",
                                bench_quantile_steady(b->lateness, SILENT, 1), "ms" });
}

int main(void) {
        static Bench b;
        double floor, load;
        pthread_t thread;
        uint64_t sent;
        nsec_t took;
        Load *l;

        bench_private_network(QUEUE_LENGTH);
        rig_init(&b.rig, AGENTS, THRESHOLD);
        rig_listen(&b.rig, RIG_NAME);
        bus_start(&b, &thread); /* first: the subscriber's thread is an ordinary one */
        bench_claim(0);
        l = load_new(AGENTS, 2);
        floor = floor_rate(l);

        rig_introduce(&b.rig, AGENTS);
        b.rig.event = on_event; /* from now on: that 100,000 agents appeared is no news */
        b.rig.userdata = &b;
        load_run(l, RIG_NAME, floor / 2, b.silent);
        took = run(&b);
        sent = load_pause(l);
        load = (double) sent * 1e9 / (double) took;
        report(&b, floor, load);
        if (b.queued > 0)
                printf("%zu of %u signals were not written at once: these are later than the figures say\n",
                       b.queued, SILENT);

        load_free(l);
        (void) bus_server_free(b.server);
        (void) sd_bus_detach_event(b.bus);
        (void) sd_bus_close_unref(b.bus);
        (void) pthread_join(thread, NULL);
        rig_done(&b.rig);
        return EXIT_SUCCESS;
}
