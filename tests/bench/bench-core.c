/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a beat costs the observer itself, once it is in memory: decode, gates, tracker. Batches of 64 in random order,
 * as ingress hands them over; only observer_receive() is timed, and the figure is the median batch.
 */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/observer.h"
#include "rig.h"
#include "vlp/frame.h"

#define BATCHES 40000U

static void compose(Order *order, uint8_t frames[][VLP_FRAME_SIZE], Datagram *batch) {
        for (size_t i = 0; i < OBSERVER_BATCH_MAX; i++) {
                uint32_t agent = order_next(order);

                bench_frame(agent, order->round, frames[i]);
                batch[i] = (Datagram){
                        .frame = frames[i],
                        .source = SOURCE_LOCAL,
                        .pid = AGENT_PID(agent),
                        .origin = ORIGIN_KERNEL_ATTESTED,
                        .verdict = RECEIVE_OK,
                };
        }
}

static void measure(uint32_t agents, double goal) {
        static uint8_t frames[OBSERVER_BATCH_MAX][VLP_FRAME_SIZE] __attribute__((aligned(64)));
        static double cost[BATCHES];
        Datagram batch[OBSERVER_BATCH_MAX];
        char name[64];
        Order order;
        Rig rig;

        rig_init(&rig, agents, NSEC_PER_DAY);
        rig_introduce(&rig, agents);
        order_init(&order, agents);
        order.round = 2;

        for (size_t i = 0; i < BATCHES; i++) {
                nsec_t start, seen;

                compose(&order, frames, batch);
                /* The observer's own time goes faster than ours, so that no rate limit is in the way. */
                seen = manager_now(&rig.manager) + i * NSEC_PER_MSEC;
                start = bench_clock(CLOCK_MONOTONIC);
                observer_receive(rig.manager.observer, batch, OBSERVER_BATCH_MAX, seen, NULL);
                cost[i] = (double) (bench_clock(CLOCK_MONOTONIC) - start) / OBSERVER_BATCH_MAX;
        }
        rig_check(&rig, 2 * (uint64_t) agents + BATCHES * OBSERVER_BATCH_MAX);
        order_done(&order);
        rig_done(&rig);

        (void) snprintf(name, sizeof(name), "own work, %" PRIu32 " agents", agents);
        bench_report(&(Figure){ name, bench_quantile(cost, BATCHES, 0.5), "ns/beat", 0, GOAL_AT_MOST,
                                goal });
}

/* bench-core [AGENTS]: one size only, for a profile. */
int main(int argc, char *argv[]) {
        static const struct {
                uint32_t agents;
                double goal;
        } sizes[] = { { 4096, 60 }, { 65536, 120 }, { 1048576, 250 } };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (argc < 2 || sizes[i].agents == strtoul(argv[1], NULL, 10))
                        measure(sizes[i].agents, sizes[i].goal);
        return EXIT_SUCCESS;
}
