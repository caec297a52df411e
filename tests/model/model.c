/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The model's memory: agents, units, classes, time. Whatever can be computed by looking at everything is computed
 * by looking at everything.
 */

#include <stdio.h>
#include <string.h>

#include "model.h"

#define CLASSES_MAX 256U

Model *model_new(const ObserverSettings *settings, const ObserverHooks *hooks, void *userdata, nsec_t now) {
        Model *m = calloc(1, sizeof(Model));

        m->settings = *settings;
        m->hooks = *hooks;
        m->userdata = userdata;
        m->now = now;
        m->agents = calloc(settings->capacity, sizeof(ModelAgent));
        m->units = calloc(settings->units + 2, sizeof(ModelUnit));
        m->classes = calloc(CLASSES_MAX, sizeof(ModelClass));
        m->queue = calloc(MODEL_QUEUE_MAX, sizeof(ModelStall));
        model_class(m, settings->threshold, settings->forget);
        snprintf(m->units[settings->units + 1].name, UNIT_NAME_SIZE, "(overflow)");

        m->bucket.rate = settings->global_rate;
        m->bucket.limit = (unsigned __int128) settings->global_burst * settings->global_rate.span;
        m->bucket.credit = m->bucket.limit;
        m->bucket.last = now;

        m->pid_max = hooks->pid_max ? hooks->pid_max(userdata) : 0;
        m->pid_max_asked = now;
        return m;
}

Model *model_free(Model *m) {
        for (unsigned i = 0; i < m->settings.capacity; i++)
                if (m->agents[i].used)
                        model_release(m, m->agents[i].pidfd);
        free(m->agents);
        free(m->units);
        free(m->classes);
        free(m->queue);
        free(m);
        return NULL;
}

nsec_t model_clock(Model *m, nsec_t now) {
        if (now < m->now)
                m->counters.clock_regressions++;
        else
                m->now = now;
        return m->now;
}

/* Classes are numbered in the order of their first use. */
unsigned model_class(Model *m, nsec_t threshold, nsec_t forget) {
        for (unsigned i = 0; i < m->n_classes; i++)
                if (m->classes[i].threshold == threshold && m->classes[i].forget == forget)
                        return i;
        if (m->n_classes == CLASSES_MAX)
                return 0;
        m->classes[m->n_classes] = (ModelClass){ threshold, forget };
        return m->n_classes++;
}

unsigned model_class_index(const Model *m, const ModelAgent *a) {
        return m->units[a->unit].class;
}

const ModelClass *model_class_of(const Model *m, const ModelAgent *a) {
        return &m->classes[model_class_index(m, a)];
}

nsec_t model_threshold(const Model *m, const ModelAgent *a) {
        return model_class_of(m, a)->threshold;
}

nsec_t model_deadline(const Model *m, const ModelAgent *a) {
        nsec_t from = m->has_grace && m->grace > a->last_beat ? m->grace : a->last_beat;

        return nsec_add(from, model_threshold(m, a));
}

/* live, held, free: a latched agent whose end a pidfd would tell stands before those who are only forgotten. */
unsigned model_list_of(const ModelAgent *a) {
        return !a->stalled ? 0 : a->pidfd >= 0 ? 1 : 2;
}

/* Whether a has been silent for longer than b, within one class. */
bool model_in_front(const ModelAgent *a, const ModelAgent *b) {
        return a->last_beat != b->last_beat ? a->last_beat < b->last_beat : a->moved < b->moved;
}

ModelAgent *model_find(Model *m, uint64_t source, uint32_t pid) {
        for (unsigned i = 0; i < m->settings.capacity; i++)
                if (m->agents[i].used && m->agents[i].source == source && m->agents[i].pid == pid)
                        return &m->agents[i];
        return NULL;
}

ModelAgent *model_find_id(Model *m, uint64_t id) {
        for (unsigned i = 0; i < m->settings.capacity; i++)
                if (m->agents[i].used && m->agents[i].id == id)
                        return &m->agents[i];
        return NULL;
}

uint32_t model_tracked(const Model *m) {
        uint32_t n = 0;

        for (unsigned i = 0; i < m->settings.capacity; i++)
                n += m->agents[i].used;
        return n;
}

uint32_t model_stalled(const Model *m) {
        uint32_t n = 0;

        for (unsigned i = 0; i < m->settings.capacity; i++)
                n += m->agents[i].used && m->agents[i].stalled;
        return n;
}

unsigned model_unit_agents(const Model *m, unsigned unit, bool stalled_only) {
        unsigned n = 0;

        for (unsigned i = 0; i < m->settings.capacity; i++)
                n += m->agents[i].used && m->agents[i].unit == unit &&
                     (!stalled_only || m->agents[i].stalled);
        return n;
}

unsigned model_status_agents(const Model *m, int unit, VlpStatus status) {
        unsigned n = 0;

        for (unsigned i = 0; i < m->settings.capacity; i++)
                n += m->agents[i].used && m->agents[i].status == status &&
                     (unit < 0 || m->agents[i].unit == (unsigned) unit);
        return n;
}

void model_info(const Model *m, const ModelAgent *a, AgentInfo *ret) {
        *ret = (AgentInfo){
                .id = a->id,
                .source = a->source,
                .generation = a->generation,
                .namespace_inode = a->inode,
                .last_nonce = a->nonce,
                .beats = a->beats,
                .first_seen = a->first_seen,
                .last_beat = a->last_beat,
                .threshold = model_threshold(m, a),
                .pid = a->pid,
                .uid = a->uid,
                .payload = a->payload,
                .unit = (uint16_t) a->unit,
                .status = a->status,
                .origin = a->origin,
                .stalled = a->stalled,
                .confirmed = a->confirmed,
                .terminal = a->last_terminal,
                .has_pidfd = a->pidfd >= 0,
        };
        memcpy(ret->invocation, a->invocation, sizeof(ret->invocation));
}

/* Units: a number for a name; a full table answers with the overflow entry. */
unsigned model_unit_intern(Model *m, const char *name) {
        unsigned found = 0;

        if (name[0] == 0)
                return UNIT_NONE;
        for (unsigned i = 1; i <= m->settings.units; i++)
                if (m->units[i].used && strcmp(m->units[i].name, name) == 0)
                        return i;
        for (unsigned i = m->settings.units; i >= 1; i--)
                if (!m->units[i].used)
                        found = i;
        if (found == 0)
                return m->settings.units + 1;

        m->units[found] = (ModelUnit){ .used = true };
        memcpy(m->units[found].name, name, strlen(name) + 1);
        m->hooks.unit_rules(m->userdata, name, &m->units[found].rules);
        m->units[found].class =
                        model_class(m, m->units[found].rules.threshold, m->units[found].rules.forget);
        return found;
}

/* A unit that nobody needs any more is forgotten. */
void model_unit_settle(Model *m, unsigned unit) {
        if (unit == UNIT_NONE || unit == m->settings.units + 1)
                return;
        if (m->units[unit].holders == 0 && model_unit_agents(m, unit, false) == 0)
                m->units[unit] = (ModelUnit){};
}

uint16_t model_unit_ref(Model *m, const char *name) {
        unsigned unit = model_unit_intern(m, name);

        m->units[unit].holders++;
        return (uint16_t) unit;
}

void model_unit_unref(Model *m, uint16_t unit) {
        m->units[unit].holders--;
        model_unit_settle(m, unit);
}

static void bucket_refill(ModelBucket *b, nsec_t now) {
        b->credit += (unsigned __int128) b->rate.count * (now - b->last);
        if (b->credit > b->limit)
                b->credit = b->limit;
        b->last = now;
}

bool model_bucket_take(ModelBucket *b, nsec_t now) {
        bucket_refill(b, now);
        if (b->credit < b->rate.span)
                return false;
        b->credit -= b->rate.span;
        return true;
}

/* What was spent stays spent, counted in tokens; a limit that was off has spent nothing. */
static void bucket_reconfigure(ModelBucket *b, Rate rate, uint32_t burst, nsec_t now) {
        unsigned __int128 spent = 0;

        if (b->limit > 0 && b->rate.count > 0) {
                bucket_refill(b, now);
                spent = ((b->limit - b->credit) * rate.span + b->rate.span - 1) / b->rate.span;
        }
        b->rate = rate;
        b->last = now;
        b->limit = (unsigned __int128) burst * rate.span;
        b->credit = spent >= b->limit ? 0 : b->limit - spent;
}

/* The order in which agents are sorted into the new classes: list by list, the longest silent first; `class` is
 * each unit's old one. */
static bool sorted_before(const Model *m, const unsigned *class, const ModelAgent *a, const ModelAgent *b) {
        if (model_list_of(a) != model_list_of(b))
                return model_list_of(a) < model_list_of(b);
        if (a->last_beat != b->last_beat)
                return a->last_beat < b->last_beat;
        if (class[a->unit] != class[b->unit])
                return class[a->unit] < class[b->unit];
        return a->moved < b->moved;
}

static void reclassify(Model *m) {
        unsigned *class = calloc(m->settings.units + 2, sizeof(unsigned));
        uint64_t before = m->moves;

        for (unsigned i = 0; i < m->settings.units + 2; i++)
                class[i] = m->units[i].class;
        m->n_classes = 0;
        model_class(m, m->settings.threshold, m->settings.forget);
        for (;;) {
                ModelAgent *first = NULL;

                /* Whoever was sorted in already has moved. */
                for (unsigned i = 0; i < m->settings.capacity; i++) {
                        ModelAgent *a = &m->agents[i];

                        if (a->used && a->moved <= before && (!first || sorted_before(m, class, a, first)))
                                first = a;
                }
                if (!first)
                        break;
                first->moved = ++m->moves;
                if (first->unit != UNIT_NONE && first->unit != m->settings.units + 1) {
                        ModelUnit *u = &m->units[first->unit];

                        u->class = model_class(m, u->rules.threshold, u->rules.forget);
                }
        }
        free(class);
}

void model_reconfigure(Model *m, const ObserverSettings *settings, nsec_t now, const char *const *names,
                       size_t n) {
        ObserverSettings old = m->settings;

        now = model_clock(m, now);
        m->settings = *settings;
        m->settings.capacity = old.capacity;
        m->settings.units = old.units;
        memcpy(m->settings.hash_key, old.hash_key, sizeof(old.hash_key));
        bucket_reconfigure(&m->bucket, settings->global_rate, settings->global_burst, now);

        for (size_t i = 0; i < n; i++) {
                ModelUnit *u = &m->units[model_unit_intern(m, names[i])];

                m->hooks.unit_rules(m->userdata, u->name, &u->rules);
        }
        reclassify(m);
        for (size_t i = 0; i < n; i++) {
                ModelUnit *u = &m->units[model_unit_intern(m, names[i])];

                u->class = model_class(m, u->rules.threshold, u->rules.forget);
        }
}

/* The protocol's checks in the protocol's order, bit by bit. */
VlpError model_decode(const uint8_t *p, VlpFrame *ret) {
        uint32_t crc = UINT32_MAX;
        uint64_t v[4] = {}; /* pid, timestamp, nonce, payload */
        static const struct { int offset, size; } fields[4] = { { 4, 4 }, { 8, 8 }, { 16, 8 }, { 24, 4 } };

        if (p[0] != 'V' || p[1] != 'A')
                return VLP_ERROR_BAD_MAGIC;
        if (p[2] != 2)
                return VLP_ERROR_BAD_VERSION;
        for (int i = 0; i < 28 * 8; i++) {
                bool bit = (crc ^ (uint32_t) (p[i / 8] >> (i % 8))) & 1;

                crc = crc >> 1 ^ (bit ? UINT32_C(0x82f63b78) : 0);
        }
        crc = ~crc;
        for (int i = 0; i < 4; i++)
                if (p[28 + i] != (uint8_t) (crc >> 8 * i))
                        return VLP_ERROR_BAD_CRC;
        if (p[3] > 3)
                return VLP_ERROR_BAD_STATUS;
        if (p[3] == 3)
                return VLP_ERROR_STALL_ON_WIRE;
        for (int f = 0; f < 4; f++)
                for (int i = fields[f].size - 1; i >= 0; i--)
                        v[f] = v[f] << 8 | p[fields[f].offset + i];
        if (v[0] <= 1)
                return VLP_ERROR_BAD_PID;
        if (v[1] == UINT64_MAX)
                return VLP_ERROR_BAD_TIMESTAMP;
        if (v[2] == UINT64_MAX && p[3] != 2)
                return VLP_ERROR_BAD_NONCE;
        *ret = (VlpFrame){ .pid = (uint32_t) v[0],
                           .timestamp = v[1],
                           .nonce = v[2],
                           .payload = (uint32_t) v[3],
                           .status = p[3] };
        return VLP_ERROR_NONE;
}
