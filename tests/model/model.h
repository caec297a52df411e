/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A second observer, deliberately naive: arrays, linear scans, no list, no index, no cached number. It exists to
 * disagree with the real one. It was written from the semantics, not from the core's sources, and shares nothing
 * with them but the vocabulary of events and counters.
 *
 * The calls mirror core/observer.h; their contracts are the same.
 */

#include "core/counters.h"
#include "core/observer.h"

/* Stall events that wait for a slow consumer. */
#define MODEL_QUEUE_MAX 1024U

typedef struct ModelUnit {
        bool used;
        unsigned holders; /* beside the agents */
        unsigned class;
        uint64_t beats;
        UnitRules rules;
        char name[UNIT_NAME_SIZE];
} ModelUnit;

typedef struct ModelAgent {
        bool used;
        uint64_t id; /* 1, 2, 3, ... in the order of appearance */
        uint64_t source;
        uint64_t generation;
        uint64_t inode;
        uint64_t nonce;
        uint64_t beats;
        uint64_t terminal_timestamp;
        uint64_t moved; /* orders agents with equal last beats: a later move stands further back */
        nsec_t first_seen;
        nsec_t last_beat;
        nsec_t looked;
        uint32_t pid;
        uint32_t inner;
        uint32_t uid;
        uint32_t payload;
        unsigned unit;
        VlpStatus status;
        Origin origin;
        NamespaceRelation relation;
        bool stalled, confirmed, has_nonce, has_terminal, last_terminal;
        bool look_refused; /* the last look at its process ended in a refusal */
        int pidfd;
        uint8_t invocation[INVOCATION_ID_SIZE];
} ModelAgent;

typedef struct ModelClass {
        nsec_t threshold;
        nsec_t forget;
} ModelClass;

typedef struct ModelStall {
        Event event;
        char unit[UNIT_NAME_SIZE];
} ModelStall;

/* Credits of the global bucket: a token is worth `span`, a nanosecond earns `count`. */
typedef struct ModelBucket {
        unsigned __int128 credit, limit;
        Rate rate;
        nsec_t last;
} ModelBucket;

typedef struct Model {
        ObserverSettings settings;
        ObserverHooks hooks;
        void *userdata;
        Counters counters;

        nsec_t now;
        nsec_t grace;
        bool has_grace;
        nsec_t refused; /* the last frame without a global token */
        bool has_refused;
        nsec_t dropped; /* the last drop by the kernel */
        bool has_dropped;
        bool overloaded;
        nsec_t listeners[OBSERVER_LISTENERS_MAX]; /* when each last ran empty */
        unsigned n_listeners;

        uint32_t pid_max;
        nsec_t pid_max_asked;
        ModelBucket bucket;

        ModelAgent *agents; /* [settings.capacity] */
        ModelUnit *units;   /* [settings.units + 2]: none, 1 .. units, overflow */
        ModelClass *classes;
        unsigned n_classes;
        ModelStall *queue;
        unsigned n_queue;
        uint64_t last_id;
        uint64_t moves;
} Model;

Model *model_new(const ObserverSettings *settings, const ObserverHooks *hooks, void *userdata, nsec_t now);
Model *model_free(Model *m);

/* The settings must be valid. `names` are all units in use in the order of the numbers that the real table gave
 * them: numbers are opaque handles, but new classes are numbered in their order. */
void model_reconfigure(Model *m, const ObserverSettings *settings, nsec_t now, const char *const *names,
                       size_t n);
int model_add_listener(Model *m, nsec_t now);
void model_receive(Model *m, const Datagram *batch, size_t n, nsec_t now, Verdict *ret_verdicts);
void model_listener_failed(Model *m, uint8_t listener, int error, nsec_t now);
void model_listener_empty(Model *m, uint8_t listener, nsec_t now);
void model_listener_dropped(Model *m, uint8_t listener, uint64_t n, nsec_t now);
void model_count_aead(Model *m, uint64_t attempts);
void model_agent_exited(Model *m, uint64_t agent, nsec_t now);
void model_tick(Model *m, nsec_t now, nsec_t lateness, nsec_t suspended);
bool model_dispatch_stall(Model *m);
void model_never_beat(Model *m, const char *unit, nsec_t deadline, nsec_t now);
uint16_t model_unit_ref(Model *m, const char *name);
void model_unit_unref(Model *m, uint16_t unit);
int model_reset_agent(Model *m, uint64_t id, nsec_t now);
int model_forget_agent(Model *m, uint64_t id, nsec_t now);

/* Whether model_tick(m, at, 0, 0) would change anything, but for the end of the overload: that may be noticed at the
 * next deadline, whatever that is for. */
bool model_due(const Model *m, nsec_t at);

uint32_t model_tracked(const Model *m);
uint32_t model_stalled(const Model *m);
void model_info(const Model *m, const ModelAgent *a, AgentInfo *ret);
ModelAgent *model_find_id(Model *m, uint64_t id);
unsigned model_unit_agents(const Model *m, unsigned unit, bool stalled_only);
/* Of all units when `unit` is negative. */
unsigned model_status_agents(const Model *m, int unit, VlpStatus status);

/* Between the model's own files. */
nsec_t model_clock(Model *m, nsec_t now);
unsigned model_class(Model *m, nsec_t threshold, nsec_t forget);
const ModelClass *model_class_of(const Model *m, const ModelAgent *a);
unsigned model_class_index(const Model *m, const ModelAgent *a);
nsec_t model_threshold(const Model *m, const ModelAgent *a);
nsec_t model_deadline(const Model *m, const ModelAgent *a);
unsigned model_list_of(const ModelAgent *a);
bool model_in_front(const ModelAgent *a, const ModelAgent *b);
ModelAgent *model_find(Model *m, uint64_t source, uint32_t pid);
unsigned model_unit_intern(Model *m, const char *name);
void model_unit_settle(Model *m, unsigned unit);
void model_emit(Model *m, const Event *event, const ModelAgent *a);
void model_flush(Model *m);
void model_release(Model *m, int pidfd);
void model_drop(Model *m, ModelAgent *a);
void model_retire_exited(Model *m, ModelAgent *a);
void model_gone(Model *m, const Datagram *d, const VlpFrame *f);
ModelAgent *model_place(Model *m, uint32_t uid, Verdict *ret_refused);
bool model_bucket_take(ModelBucket *b, nsec_t now);
VlpError model_decode(const uint8_t *bytes, VlpFrame *ret);
