/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The daemon's way of a beat, with made-up identities. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/observer.h"
#include "daemon/priorities.h"
#include "rig.h"
#include "vlp/frame.h"
#include "vlp/unaligned.h"

/* Made up, but as a process of our own namespace looks. */
#define MADE_UP_INODE UINT64_C(4026531836)

static nsec_t on_now(void *userdata) {
        return manager_now(&((Rig *) userdata)->manager);
}

static void on_datagrams(void *userdata, const Datagram *batch, size_t n, nsec_t now) {
        Datagram *attested = (Datagram *) batch; /* ingress's own array, written anew with every batch */
        Rig *rig = userdata;

        for (size_t i = 0; i < n; i++)
                if (batch[i].origin == ORIGIN_KERNEL_ATTESTED)
                        attested[i].pid = load_le32(batch[i].frame + VLP_OFFSET_PID);
        observer_receive(rig->manager.observer, batch, n, now, NULL);
}

static void on_failed(void *userdata, uint8_t listener, int error, nsec_t now) {
        observer_listener_failed(((Rig *) userdata)->manager.observer, listener, error, now);
}

static void on_empty(void *userdata, uint8_t listener, nsec_t now) {
        observer_listener_empty(((Rig *) userdata)->manager.observer, listener, now);
}

static void on_dropped(void *userdata, uint8_t listener, uint64_t n, nsec_t now) {
        observer_listener_dropped(((Rig *) userdata)->manager.observer, listener, n, now);
}

static void on_attempted(void *userdata, uint64_t n) {
        observer_count_aead(((Rig *) userdata)->manager.observer, n);
}

static void on_settled(void *userdata) {
        manager_arm(&((Rig *) userdata)->manager);
}

static const IngressHooks ingress_hooks = {
        .now = on_now,
        .datagrams = on_datagrams,
        .failed = on_failed,
        .empty = on_empty,
        .dropped = on_dropped,
        .attempted = on_attempted,
        .settled = on_settled,
};

static void on_event(void *userdata, const Event *event) {
        Rig *rig = userdata;

        if (rig->event)
                rig->event(rig->userdata, event);
}

static int on_identify(void *userdata, uint32_t pid, uint32_t uid, Identity *ret) {
        *ret = (Identity){
                .generation = pid,
                .namespace_inode = MADE_UP_INODE,
                .uid = uid,
                .inner_pid = pid,
                .pidfd = -1,
                .relation = NAMESPACE_OWN,
        };
        return 0;
}

static void on_unit_rules(void *userdata, const char *unit, UnitRules *ret) {
        *ret = (UnitRules){ .threshold = NSEC_PER_DAY, .forget = NSEC_PER_DAY };
}

static const ObserverHooks observer_hooks = {
        .event = on_event,
        .identify = on_identify,
        .unit_rules = on_unit_rules,
};

/* ---- recovery, as far as a loop without a unit needs it --------------------------------------------------- */

static void on_record(void *userdata, const RecoveryRecord *record) {
}

static void on_policy(void *userdata, const char *unit, UnitPolicy *ret) {
        *ret = (UnitPolicy){};
}

static int on_agent(void *userdata, uint64_t id, AgentInfo *ret) {
        return -ENOENT;
}

static void on_agents(void *userdata, const char *unit, RecoveryAgents *ret) {
        *ret = (RecoveryAgents){};
}

/* What the timer tells how late it was. */
static int make_recovery(Rig *rig, uint32_t capacity) {
        static const RecoveryHooks hooks = {
                .now = on_now,
                .record = on_record,
                .policy = on_policy,
                .agent = on_agent,
                .agents = on_agents,
        };
        const RecoverySettings settings = {
                .clock = CLOCK_MONOTONIC,
                .stalls = capacity,
                .units = 1,
                .state_fd = -1,
                .recheck = NSEC_PER_SEC,
                .priority = PRIORITY_RECOVERY,
        };

        return recovery_new(rig->manager.event, &settings, &hooks, rig, &rig->manager.recovery);
}

void rig_init(Rig *rig, uint32_t capacity, nsec_t threshold) {
        IngressPriorities priorities = { .normal = PRIORITY_INGRESS, .yielding = PRIORITY_INGRESS_YIELDING };
        ObserverSettings settings = {
                .threshold = threshold,
                .forget = NSEC_PER_DAY,
                .per_pid_rate = { 10000, NSEC_PER_SEC },
                .global_rate = { 1000000, NSEC_PER_SEC },
                .global_burst = 4 * capacity,
                .capacity = capacity,
                .per_uid_share = 100,
                .own_namespace_known = true,
                .own_namespace = MADE_UP_INODE,
                .hash_key = { UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210) },
        };
        Manager *m = &rig->manager;

        *rig = (Rig){ .manager.clock = CLOCK_MONOTONIC };
        if (sd_event_new(&m->event) < 0 || manager_timing_start(m) < 0 ||
            ingress_new(m->event, &ingress_hooks, rig, priorities, (const uint64_t[]){ 1, 2 }, &m->ingress) <
                            0 ||
            observer_new(&settings, &observer_hooks, rig, manager_now(m), &m->observer) < 0 ||
            make_recovery(rig, capacity) < 0)
                bench_die("Cannot make an observer for %" PRIu32 " agents", capacity);
}

void rig_done(Rig *rig) {
        Manager *m = &rig->manager;

        (void) ingress_free(m->ingress);
        (void) recovery_free(m->recovery);
        (void) observer_free(m->observer);
        sd_event_source_disable_unref(m->timer);
        sd_event_source_disable_unref(m->stalls);
        sd_event_unref(m->event);
}

void rig_listen(Rig *rig, const char *name) {
        char address[64];

        (void) snprintf(address, sizeof(address), "unix:@%s", name);
        rig_listen_at(rig, address);
}

void rig_listen_at(Rig *rig, const char *address) {
        Manager *m = &rig->manager;
        Listener l;
        int r;

        if (listener_bind(address, _FEATURE_ALL, &l) < 0)
                bench_die("Cannot listen on %s", address);
        r = observer_add_listener(m->observer, manager_now(m));
        if (r >= 0) {
                l.index = (uint8_t) r;
                r = ingress_add(m->ingress, &l);
        }
        if (r < 0)
                bench_die("Cannot listen on %s", address);
}

static void introduce(Rig *rig, uint32_t first, uint32_t n, uint64_t nonce) {
        uint8_t frames[OBSERVER_BATCH_MAX][VLP_FRAME_SIZE];
        Datagram batch[OBSERVER_BATCH_MAX];

        for (uint32_t i = 0; i < n; i++) {
                bench_frame(first + i, nonce, frames[i]);
                batch[i] = (Datagram){
                        .frame = frames[i],
                        .source = SOURCE_LOCAL,
                        .pid = AGENT_PID(first + i),
                        .origin = ORIGIN_KERNEL_ATTESTED,
                        .verdict = RECEIVE_OK,
                };
        }
        observer_receive(rig->manager.observer, batch, n, manager_now(&rig->manager), NULL);
}

void rig_introduce(Rig *rig, uint32_t n) {
        for (uint64_t nonce = 1; nonce <= 2; nonce++) {
                for (uint32_t i = 0; i < n; i += OBSERVER_BATCH_MAX)
                        introduce(rig, i, MIN(n - i, OBSERVER_BATCH_MAX), nonce);
                for (nsec_t now = manager_now(&rig->manager);
                     manager_now(&rig->manager) < now + NSEC_PER_MSEC;)
                        ; /* an agent's beats must not be closer than its rate allows */
        }
        rig_check(rig, 2 * (uint64_t) n);
        manager_arm(&rig->manager);
}

void rig_receive(Rig *rig, uint64_t n) {
        const Listener *l = ingress_listener(rig->manager.ingress, 0);
        uint64_t end = l->datagrams + n;

        while (l->datagrams < end)
                if (sd_event_run(rig->manager.event, UINT64_MAX) < 0)
                        bench_die("Cannot run the loop");
}

void rig_check(const Rig *rig, uint64_t expected) {
        const Counters *c = observer_counters(rig->manager.observer);

        if (c->beats == expected)
                return;
        (void) fprintf(stderr,
                       "%" PRIu64 " beats of %" PRIu64 " were accepted (rate limited %" PRIu64
                       ", out of order %" PRIu64 ", mis-sized %" PRIu64 ")\n",
                       c->beats, expected,
                       c->rate_limited[RATE_LIMIT_PER_PID] + c->rate_limited[RATE_LIMIT_GLOBAL],
                       c->out_of_order, c->mis_sized);
        exit(EXIT_FAILURE);
}
