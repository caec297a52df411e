/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Histories out of numbers. Each history has its own taste: which operations are frequent is itself drawn, since
 * evenly mixed operations never fill a table, empty a bucket or wait long enough.
 */

#include <stdlib.h>

#include "ops.h"
#include "random.h"

/* Crowded histories are slow, since the model scans: one in so many, and with so few operations. */
#define CROWDED_ONE_IN 64U
#define CROWDED_LENGTH 256U

/* Just above the bounds of the stall queue and of the search for a victim, both 1,024. */
#define MODEL_CROWD 1000U

static const char *const op_names[_OP_MAX] = {
        "beat",  "time",      "back",   "tick",   "dispatch", "empty", "dropped", "failed", "listen",
        "die",   "notice",    "spawn",  "exited", "reload",   "reset", "forget",  "ref",    "unref",
        "never", "hide/show", "budget", "watch",  "pid_max",  "aead",  "crowd",
};

static const char *const nonce_names[_NONCE_MODE_MAX] = {
        "next", "same", "back", "first", "zero", "skip", "last", "edge-high", "edge-low", "any", "terminal",
};

static const char *const claim_names[_CLAIM_MODE_MAX] = { "own", "outer", "neighbour", "small", "high" };

/* How often each kind happens before a history's taste is applied. */
static const uint16_t op_weights[_OP_MAX] = {
        [OP_BEAT] = 600,  [OP_TIME] = 160,   [OP_BACK] = 3,       [OP_TICK] = 80,        [OP_DISPATCH] = 40,
        [OP_EMPTY] = 60,  [OP_DROPPED] = 3,  [OP_FAILED] = 2,     [OP_ADD_LISTENER] = 1, [OP_DIE] = 16,
        [OP_NOTICE] = 16, [OP_SPAWN] = 20,   [OP_EXITED] = 2,     [OP_RELOAD] = 4,       [OP_RESET] = 4,
        [OP_FORGET] = 3,  [OP_UNIT_REF] = 4, [OP_UNIT_UNREF] = 4, [OP_NEVER_BEAT] = 1,   [OP_HIDE] = 5,
        [OP_BUDGET] = 5,  [OP_WATCH] = 2,    [OP_PID_MAX] = 3,    [OP_AEAD] = 1,         [OP_CROWD] = 2,
};

static const nsec_t thresholds[] = {
        10 * NSEC_PER_MSEC, 25 * NSEC_PER_MSEC, 100 * NSEC_PER_MSEC,
        NSEC_PER_SEC,       8 * NSEC_PER_SEC,   NSEC_PER_MINUTE,
};

void settings_vary(ObserverSettings *s, uint64_t seed) {
        Random r = { seed };
        static const nsec_t forgets[] = { 5 * NSEC_PER_MSEC, 200 * NSEC_PER_MSEC, NSEC_PER_SEC,
                                          NSEC_PER_HOUR };
        static const nsec_t deferrals[] = { 0, NSEC_PER_MSEC, 50 * NSEC_PER_MSEC, 10 * NSEC_PER_SEC };
        static const Rate per_pid[] = {
                { 0, 0 },
                { 0, NSEC_PER_SEC },
                { 1, NSEC_PER_SEC },
                { 3, NSEC_PER_SEC },
                { 1000, NSEC_PER_SEC },
                { 7, 5 },
        };
        static const Rate global[] = {
                { 0, 0 },
                { 0, 0 },
                { 1, NSEC_PER_SEC },
                { 3, 7 * NSEC_PER_MSEC },
                { 1000, NSEC_PER_SEC },
                { 0, NSEC_PER_SEC },
                { 5, 0 },
                { 1, NSEC_PER_MINUTE },
        };
        static const uint8_t shares[] = { 1, 25, 50, 50, 99, 100 };

        s->threshold = random_pick(&r, thresholds);
        s->forget = random_pick(&r, forgets);
        s->max_deferral = random_pick(&r, deferrals);
        s->per_pid_rate = random_pick(&r, per_pid);
        s->global_rate = random_pick(&r, global);
        s->global_burst = random_below(&r, 6);
        s->per_uid_share = random_pick(&r, shares);
        s->eviction = random_below(&r, _EVICTION_POLICY_MAX);
        s->origin_policy = random_below(&r, _ORIGIN_POLICY_MAX);
        s->allow_cross_namespace = random_percent(&r, 50);
        s->own_namespace_known = random_percent(&r, 95);
        s->own_namespace = random_percent(&r, 80) ? UINT64_C(4026531836) : 0;
}

static void history_settings(History *h, Random *r) {
        static const nsec_t starts[] = { 0, 1, 7 * NSEC_PER_SEC, 1000000 * NSEC_PER_SEC };
        static const uint32_t units[] = { 1, 2, 3, 6, 32 }, uids[] = { 0, 1, 3 };

        settings_vary(&h->settings, random_next(r));
        h->settings.capacity = 1 + random_below(r, random_percent(r, 80) ? 8 : 40);
        h->settings.units = random_pick(r, units);
        h->settings.hash_key[0] = random_next(r);
        h->settings.hash_key[1] = random_next(r);
        h->start = random_pick(r, starts);
        h->uids = random_pick(r, uids);
        h->processes = 1 + random_below(r, random_percent(r, 70) ? 6 : 24);
        h->budget = random_percent(r, 50) ? 1000 : random_below(r, 4);
        h->pid_max = random_percent(r, 70) ? 100000 : 100 + random_below(r, 6);
        h->no_identify = random_percent(r, 3);
        h->no_inner_pid = random_percent(r, 3);
        h->no_pid_max = random_percent(r, 3);
}

/* What bounds a search or a queue shows only beyond it, and with a crowd that gets in. */
static void history_crowd(History *h, Random *r) {
        h->crowded = true;
        h->n_ops = MIN(h->n_ops, (size_t) CROWDED_LENGTH);
        h->settings.capacity = MODEL_CROWD + random_below(r, 600);
        h->processes = 24;
        h->uids = random_percent(r, 50) ? 0 : h->uids;
        if (random_percent(r, 75)) {
                h->settings.global_rate.count = 0;
                h->settings.per_uid_share = 1;
        }
}

static nsec_t draw_step(Random *r) {
        static const nsec_t steps[] = {
                1,
                1000,
                NSEC_PER_MSEC,
                3 * NSEC_PER_MSEC,
                5 * NSEC_PER_MSEC,
                10 * NSEC_PER_MSEC,
                15 * NSEC_PER_MSEC,
                25 * NSEC_PER_MSEC,
                50 * NSEC_PER_MSEC,
                100 * NSEC_PER_MSEC,
                250 * NSEC_PER_MSEC,
                NSEC_PER_SEC,
                5 * NSEC_PER_SEC,
        };
        static const nsec_t huge[] = {
                11 * NSEC_PER_SEC, 61 * NSEC_PER_SEC, NSEC_PER_HOUR, NSEC_PER_DAY, 11 * NSEC_PER_DAY,
        };

        if (random_percent(r, 3))
                return random_pick(r, huge);
        if (random_percent(r, 20))
                return random_next(r) % (200 * NSEC_PER_MSEC);
        return random_pick(r, steps);
}

static void draw_beat(Op *op, Random *r, const uint8_t *taste) {
        static const uint8_t claims[] = { CLAIM_NEIGHBOUR, CLAIM_OUTER, CLAIM_SMALL, CLAIM_HIGH };

        op->joined = random_percent(r, taste[0]);
        op->process = (uint8_t) random_next(r);
        op->origin = random_percent(r, taste[1]) ? ORIGIN_KERNEL_ATTESTED
                                                 : (uint8_t) random_below(r, _ORIGIN_MAX);
        op->source = (uint8_t) random_below(r, 3);
        op->claim = random_percent(r, 94) ? CLAIM_OWN : random_pick(r, claims);
        op->nonce = random_percent(r, taste[2]) ? NONCE_NEXT : (uint8_t) random_below(r, _NONCE_MODE_MAX);
        op->stamp = (uint8_t) random_below(r, 4);
        op->status = random_percent(r, 85) ? VLP_STATUS_OK : (uint8_t) random_below(r, VLP_STATUS_STALL);
        op->defect = random_percent(r, 97) ? VLP_ERROR_NONE : (uint8_t) random_below(r, _VLP_ERROR_MAX);
        op->verdict = random_percent(r, 98) ? RECEIVE_OK : (uint8_t) random_below(r, _RECEIVE_VERDICT_MAX);
        op->listener = (uint8_t) random_next(r);
        op->uid = random_percent(r, 97) ? 0 : (uint8_t) (1 + random_below(r, 3));
        op->held = random_percent(r, 50) ? 0 : (uint8_t) random_next(r);
        op->n = random_next(r);
        op->m = random_next(r);
}

static void draw_op(Op *op, Random *r, const uint32_t *weights, uint32_t sum, const uint8_t *taste) {
        uint32_t at = random_below(r, sum);

        *op = (Op){};
        while (at >= weights[op->kind])
                at -= weights[op->kind++];
        switch ((OpKind) op->kind) {
        case OP_BEAT:
                draw_beat(op, r, taste);
                break;
        case OP_TIME:
        case OP_BACK:
                op->n = draw_step(r);
                break;
        case OP_TICK:
                op->n = random_percent(r, taste[3]) ? draw_step(r) : 0;
                op->m = random_percent(r, taste[3]) ? draw_step(r) : 0;
                break;
        case OP_DISPATCH:
        case OP_DROPPED:
                op->n = random_below(r, 4);
                break;
        default:
                op->n = random_next(r);
                op->m = random_next(r);
                break;
        }
}

void history_make(History *h, uint64_t seed, size_t n_ops) {
        static const uint8_t joins[] = { 0, 30, 60, 98 }, attested[] = { 20, 70, 95, 100 };
        static const uint8_t regular[] = { 50, 80, 95, 98 }, jumps[] = { 0, 0, 2, 20 };
        static const uint8_t tastes[] = { 0, 1, 1, 2, 4, 16 };
        uint32_t weights[_OP_MAX], sum = 0;
        Random r = { seed };
        uint8_t taste[4];

        *h = (History){ .seed = seed, .n_ops = n_ops };
        history_settings(h, &r);
        if (random_below(&r, CROWDED_ONE_IN) == 0)
                history_crowd(h, &r);
        taste[0] = random_pick(&r, joins);
        taste[1] = random_pick(&r, attested);
        taste[2] = random_pick(&r, regular);
        taste[3] = random_pick(&r, jumps);
        for (int i = 0; i < _OP_MAX; i++) {
                weights[i] = op_weights[i] * random_pick(&r, tastes) / (i == OP_BEAT ? 4 : 1) + 1;
                if (i == OP_CROWD && h->crowded)
                        weights[i] += 30;
                if (i == OP_RELOAD && h->crowded)
                        weights[i] = 8;
                sum += weights[i];
        }

        h->ops = calloc(h->n_ops, sizeof(Op));
        if (!h->ops)
                abort();
        for (size_t i = 0; i < h->n_ops; i++)
                draw_op(&h->ops[i], &r, weights, sum, taste);
}

void history_done(History *h) {
        free(h->ops);
        *h = (History){};
}

static void op_print(const Op *op, FILE *f) {
        fprintf(f, "  %s", op_names[op->kind]);
        if (op->kind == OP_BEAT)
                fprintf(f,
                        "%s process=%u origin=%s source=%u claims=%s nonce=%s stamp=%u status=%u defect=%s "
                        "verdict=%u "
                        "listener=%u uid=%u held=%u",
                        op->joined ? " (same batch)" : "", op->process, origin_to_string(op->origin),
                        op->source, claim_names[op->claim], nonce_names[op->nonce], op->stamp, op->status,
                        op->defect ? vlp_error_to_string(op->defect) : "none", op->verdict, op->listener,
                        op->uid, op->held);
        if (op->n != 0 || op->m != 0)
                fprintf(f, " n=%llu m=%llu", (unsigned long long) op->n, (unsigned long long) op->m);
        fputc('\n', f);
}

void history_print(const History *h, FILE *f) {
        const ObserverSettings *s = &h->settings;

        fprintf(f,
                "seed %llu: capacity %u, units %u, share %u %%, eviction %s, origins %s, threshold %llu, "
                "forget %llu, "
                "deferral %llu, per pid %u/%llu, global %u/%llu burst %u, cross %d, own namespace %d, start "
                "%llu, "
                "processes %u, pidfds %u, pid_max %u, without: %s%s%s\n",
                (unsigned long long) h->seed, s->capacity, s->units, s->per_uid_share,
                s->eviction == EVICTION_STRICT ? "strict" : "balanced",
                s->origin_policy == ORIGIN_POLICY_STRONGEST ? "strongest" : "first-wins",
                (unsigned long long) s->threshold, (unsigned long long) s->forget,
                (unsigned long long) s->max_deferral, s->per_pid_rate.count,
                (unsigned long long) s->per_pid_rate.span, s->global_rate.count,
                (unsigned long long) s->global_rate.span, s->global_burst, s->allow_cross_namespace,
                s->own_namespace_known, (unsigned long long) h->start, h->processes, h->budget, h->pid_max,
                h->no_identify ? "identify " : "", h->no_inner_pid ? "inner_pid " : "",
                h->no_pid_max ? "pid_max" : "");
        for (size_t i = 0; i < h->n_ops; i++)
                op_print(&h->ops[i], f);
}
