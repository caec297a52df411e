/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The receiving path beside the floor, by draining.
 *
 * The receiver waits while the sender fills a queue, then drains it, and only the drain is timed. (With a sender that
 * runs freely the sender is the limit, and the ratio means nothing.) Floor and observer drain in turn, and the figure
 * is the median of the rounds' ratios: CPU time of the draining thread per beat, in a round's median drain. What was
 * sent must have been received and accepted, and nothing may have been allocated meanwhile.
 */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "allocations.h"
#include "floor.h"
#include "load.h"
#include "rig.h"

/* Many short rounds rather than few long ones: what else the machine does then meets both rivals alike. */
#define ROUNDS 41U

/* Queues drained per round and rival: 24,576 beats, some 25 ms. */
#define DRAINS 48U

#define FLOOR_NAME "varta-bench-floor"
#define RIG_NAME   "varta-bench"

static void drain_floor(void *userdata) {
        floor_drain(userdata, QUEUE_LENGTH);
}

static void drain_rig(void *userdata) {
        rig_receive(userdata, QUEUE_LENGTH);
}

static uint64_t compare(uint32_t agents, double goal) {
        double cpu[ROUNDS], floor_cpu[ROUNDS], share[ROUNDS], wall_share[ROUNDS];
        _cleanup_(load_freep) Load *load = load_new(agents, 2);
        uint64_t allocations = 0;
        char name[64];
        Floor floor;
        Rig rig;

        rig_init(&rig, agents, NSEC_PER_DAY);
        rig_listen(&rig, RIG_NAME);
        rig_introduce(&rig, agents);
        floor_init(&floor, load_receiver(FLOOR_NAME));
        (void) load_drain(load, FLOOR_NAME, DRAINS, drain_floor, &floor);
        (void) load_drain(load, RIG_NAME, DRAINS, drain_rig, &rig);

        for (unsigned i = 0; i < ROUNDS; i++) {
                Cost bare = load_drain(load, FLOOR_NAME, DRAINS, drain_floor, &floor), ours;
                uint64_t before = allocations_of_this_thread();

                ours = load_drain(load, RIG_NAME, DRAINS, drain_rig, &rig);
                allocations += allocations_of_this_thread() - before;
                cpu[i] = ours.cpu;
                floor_cpu[i] = bare.cpu;
                share[i] = bare.cpu / ours.cpu;
                wall_share[i] = bare.wall / ours.wall;
        }
        rig_check(&rig, 2 * (uint64_t) agents + (ROUNDS + 1) * DRAINS * QUEUE_LENGTH);
        floor_done(&floor);
        rig_done(&rig);

        (void) snprintf(name, sizeof(name), "receiving, floor beside %" PRIu32 " agents", agents);
        bench_report(&(Figure){ name, bench_quantile(floor_cpu, ROUNDS, 0.5), "ns/beat" });
        (void) snprintf(name, sizeof(name), "receiving, %" PRIu32 " agents, share of the floor", agents);
        bench_report(&(Figure){ name, bench_quantile(cpu, ROUNDS, 0.5), "ns/beat",
                                bench_quantile(share, ROUNDS, 0.5), GOAL_AT_LEAST, goal });
        (void) snprintf(name, sizeof(name), "receiving, %" PRIu32 " agents, the same by the wall clock",
                        agents);
        bench_report(&(Figure){ name, bench_quantile(wall_share, ROUNDS, 0.5), "share" });
        return allocations;
}

/* bench-receive [AGENTS]: one size only, for a profile. */
int main(int argc, char *argv[]) {
        static const struct {
                uint32_t agents;
                double goal;
        } sizes[] = { { 4096, 0.90 }, { 65536, 0.85 }, { 1048576, 0.80 } };
        uint64_t allocations = 0;

        bench_private_network(QUEUE_LENGTH);
        bench_claim(0);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (argc < 2 || sizes[i].agents == strtoul(argv[1], NULL, 10))
                        allocations += compare(sizes[i].agents, sizes[i].goal);
        bench_report(&(Figure){ "heap allocations on the way of a beat", (double) allocations, "", 0,
                                GOAL_AT_MOST, 0 });
        return allocations == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
