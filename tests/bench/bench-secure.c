/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Sealed beats over UDP beside a bare receiver that opens them and does nothing else, by draining as bench-receive does.
 *
 * The bare receiver is the floor's loop on a socket of the same kind, which is told the senders' addresses as any receiver
 * of UDP that wants to know whom it hears, and one AEAD call for each datagram: it keeps nothing, and does not even
 * decode. The observer is sd-event, ingress and core as they are, with one key,
 * known senders and all gates on; what was sent must have been accepted to the last beat.
 *
 * Then the replay table by itself: one judgement for a known sender in random order, in a table of the default size and in
 * the largest one.
 */

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sys/epoll.h>

#include "allocations.h"
#include "floor.h"
#include "ingress/listener-udp.h"
#include "ingress/secure.h"
#include "rig.h"
#include "sealed-load.h"

/* As in bench-receive: many short rounds. */
#define ROUNDS 41U
#define DRAINS 24U

#define PORT_FLOOR 9001
#define PORT_RIG   9002

/* Judgements in one measurement of the replay table, and measurements. */
#define JUDGED   64U
#define MEASURED 20000U

static const uint8_t key[VLP_KEY_SIZE] = { 1, 2, 3 };

static PeerAddress peers[FLOOR_BATCH]; /* of the bare receiver */

/* ---- receiving -------------------------------------------------------------------------------------------- */

static void open_batch(Floor *f, size_t n) {
        uint8_t frame[VLP_FRAME_SIZE];

        for (size_t i = 0; i < n; i++)
                if (vlp_secure_open(f->buffers[i], f->messages[i].msg_len, key, frame) < 0)
                        bench_die("A sealed beat does not open");
}

/* What floor_take() does, with addresses. */
static size_t take_bare(Floor *f) {
        for (size_t i = 0; i < FLOOR_BATCH; i++)
                f->messages[i].msg_hdr.msg_namelen = sizeof(peers[i]);
        return floor_take(f);
}

static void drain_bare(void *userdata) {
        struct epoll_event event;
        Floor *f = userdata;

        for (size_t taken = 0; taken < SEALED_QUEUE;)
                if (epoll_wait(f->epoll_fd, &event, 1, -1) > 0) {
                        size_t n = take_bare(f);

                        open_batch(f, n);
                        taken += n;
                }
}

static void drain_rig(void *userdata) {
        rig_receive(userdata, SEALED_QUEUE);
}

static SecureKeys *make_keys(void) {
        SecureKeys *keys;
        KeyRing *ring;

        ring = sodium_malloc(sizeof(KeyRing));
        if (!ring)
                bench_die("Cannot lock memory");
        memset(ring, 0, sizeof(*ring));
        ring->n[VLP_SECURE_SHARED] = 1;
        memcpy(ring->keys[VLP_SECURE_SHARED][0], key, sizeof(key));
        ring->scopes[VLP_SECURE_SHARED][0] = 1;
        if (secure_keys_new(ring, 1, &keys) < 0)
                bench_die("Cannot make keys");
        return keys;
}

static void listen_secure(Rig *rig, uint32_t agents) {
        const ListenerRules rules = { .source = SOURCE_RULE_KEY, .threshold = NSEC_PER_DAY };
        char address[64];
        Secure *secure;

        if (secure_new(MAX(agents, SENDERS_DEFAULT), 1, manager_now(&rig->manager), &secure) < 0)
                bench_die("Cannot make a table of senders");
        ingress_set_secure(rig->manager.ingress, secure);
        (void) snprintf(address, sizeof(address), "udp-secure:127.0.0.1:%u", PORT_RIG);
        rig_listen_at(rig, address);
        sealed_make_room(ingress_listener(rig->manager.ingress, 0)->fd);
        ingress_set_rules(rig->manager.ingress, 0, &rules);
        ingress_set_keys(rig->manager.ingress, 0, make_keys());
}

static uint64_t compare(uint32_t agents, double goal) {
        _cleanup_(sealed_load_freep) SealedLoad *load = sealed_load_new(agents, key);
        double cpu[ROUNDS], bare_cpu[ROUNDS], share[ROUNDS];
        uint64_t allocations = 0, sent = 0;
        char name[64];
        Floor floor;
        Rig rig;

        rig_init(&rig, agents, NSEC_PER_DAY);
        listen_secure(&rig, agents);
        floor_init(&floor, sealed_receiver(PORT_FLOOR));
        for (size_t i = 0; i < FLOOR_BATCH; i++)
                floor.messages[i].msg_hdr.msg_name = &peers[i];
        /* Until each is known and confirmed. */
        for (; sent < 3 * MAX(agents, SEALED_QUEUE); sent += DRAINS * SEALED_QUEUE)
                (void) sealed_load_drain(load, PORT_RIG, DRAINS, drain_rig, &rig);
        (void) sealed_load_drain(load, PORT_FLOOR, DRAINS, drain_bare, &floor);

        for (unsigned i = 0; i < ROUNDS; i++) {
                uint64_t before = allocations_of_this_thread();

                bare_cpu[i] = sealed_load_drain(load, PORT_FLOOR, DRAINS, drain_bare, &floor);
                cpu[i] = sealed_load_drain(load, PORT_RIG, DRAINS, drain_rig, &rig);
                allocations += allocations_of_this_thread() - before;
                share[i] = bare_cpu[i] / cpu[i];
                sent += DRAINS * SEALED_QUEUE;
        }
        rig_check(&rig, sent);
        floor_done(&floor);
        rig_done(&rig);

        (void) snprintf(name, sizeof(name), "secure UDP, bare receiver and AEAD, %" PRIu32 " senders",
                        agents);
        bench_report(&(Figure){ name, bench_quantile(bare_cpu, ROUNDS, 0.5), "ns/beat" });
        (void) snprintf(name, sizeof(name), "secure UDP, %" PRIu32 " known senders, one key", agents);
        bench_report(&(Figure){ name, bench_quantile(cpu, ROUNDS, 0.5), "ns/beat",
                                bench_quantile(share, ROUNDS, 0.5), GOAL_AT_LEAST, goal });
        return allocations;
}

/* ---- the replay table by itself --------------------------------------------------------------------------- */

/* A batch, as ingress drives the table: first what memory has to fetch, then the judgements. */
static void judge(Replay *replay, Order *order) {
        VlpSecureHeader headers[JUDGED] = {};
        VlpFrame frames[JUDGED] = {};

        for (unsigned i = 0; i < JUDGED; i++) {
                uint32_t agent = order_next(order);

                headers[i].iv_counter = (uint32_t) order->round;
                memcpy(headers[i].iv_random, &agent, sizeof(agent));
                frames[i].pid = AGENT_PID(agent);
                frames[i].nonce = frames[i].timestamp = order->round;
        }
        for (unsigned i = 0; i < JUDGED; i++)
                replay_prefetch_hint(replay, &headers[i]);
        for (unsigned i = 0; i < JUDGED; i++)
                replay_prefetch_sender(replay, &headers[i]);
        for (unsigned i = 0; i < JUDGED; i++)
                if (replay_judge(replay, (SenderId){ .scope = 1, .pid = frames[i].pid }, &headers[i],
                                 &frames[i], NSEC_PER_DAY, order->round) != REPLAY_ACCEPTED)
                        bench_die("A beat was refused");
}

/* In ns per judgement. */
static double look_up(uint32_t senders) {
        static double cost[MEASURED];
        Replay replay;
        Order order;

        if (replay_init(&replay, senders, 1) < 0)
                bench_die("Cannot make a table");
        order_init(&order, senders);
        for (uint32_t i = 0; i < 2 * senders; i += JUDGED)
                judge(&replay, &order);
        for (size_t i = 0; i < MEASURED; i++) {
                nsec_t start = bench_clock(CLOCK_MONOTONIC);

                judge(&replay, &order);
                cost[i] = (double) (bench_clock(CLOCK_MONOTONIC) - start) / JUDGED;
        }
        order_done(&order);
        replay_done(&replay);
        return bench_quantile(cost, MEASURED, 0.5);
}

static void compare_tables(void) {
        double usual = look_up(SENDERS_DEFAULT), largest = look_up(SENDERS_MAX);

        bench_report(&(Figure){ "replay judgement, table of 1,024", usual, "ns/beat" });
        bench_report(&(Figure){ "replay judgement, table of 65,536", largest, "ns/beat" });
}

/* bench-secure [SENDERS]: one size only, for a profile. */
int main(int argc, char *argv[]) {
        static const uint32_t sizes[] = { SENDERS_DEFAULT, SENDERS_MAX };
        uint64_t allocations = 0;

        if (vlp_secure_init() < 0)
                bench_die("Cannot use libsodium");
        sealed_private_network();
        bench_claim(0);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (argc < 2 || sizes[i] == strtoul(argv[1], NULL, 10))
                        allocations += compare(sizes[i], 0.85);
        if (argc < 2)
                compare_tables();
        bench_report(&(Figure){ "heap allocations on the way of a sealed beat", (double) allocations, "", 0,
                                GOAL_AT_MOST, 0 });
        return allocations == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
