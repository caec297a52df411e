/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Plays scenes: the world behind the hooks, the words for events, and the sum over all counters after each scene. */

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scene.h"
#include "vlp/crc32c.h"

#define PIDFD_BASE 500
#define OWN_INODE  UINT64_C(4026531836)

static void tell(Stage *s, const char *format, ...) _printf_(2, 3);
static void tell(Stage *s, const char *format, ...) {
        va_list ap;
        int n;

        if (s->quiet)
                return;
        if (s->n_told > 0 && s->n_told + 1 < sizeof(s->told))
                s->told[s->n_told++] = ' ';
        va_start(ap, format);
        n = vsnprintf(s->told + s->n_told, sizeof(s->told) - s->n_told, format, ap);
        va_end(ap);
        s->n_told = MIN(s->n_told + (size_t) n, sizeof(s->told) - 1);
}

static void tell_beat(Stage *s, const Event *e) {
        static const struct {
                unsigned flag;
                const char *word;
        } words[] = {
                { BEAT_APPEARED, "appeared" },
                { BEAT_RESUMED, "resumed" },
                { BEAT_STATUS_CHANGED, "status" },
                { BEAT_CONFIRMED, "confirmed" },
        };
        char all[64] = "nothing";
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (e->flags & words[i].flag)
                        n += (size_t) snprintf(all + n, sizeof(all) - n, "%s%s", n > 0 ? "+" : "",
                                               words[i].word);
        tell(s, "%s(%u)", all, e->agent.pid);
}

static void hook_event(void *userdata, const Event *e) {
        Stage *s = userdata;

        s->last = *e;
        snprintf(s->last_unit, sizeof(s->last_unit), "%s", e->unit);
        s->events[e->kind]++;
        switch (e->kind) {
        case EVENT_BEAT:
                tell_beat(s, e);
                break;
        case EVENT_STALL:
                tell(s, "stall:%s(%u)", stall_reason_to_string(e->reason), e->agent.pid);
                break;
        case EVENT_EXIT:
                tell(s, "exit%s(%u)", e->gone ? ":gone" : "", e->agent.pid);
                break;
        case EVENT_FORGOTTEN:
                tell(s, "forgotten(%u)", e->agent.pid);
                break;
        case EVENT_EVICTED:
                tell(s, "evicted(%u)", e->agent.pid);
                break;
        case EVENT_REJECTED:
                tell(s, "rejected:%s", reject_class_to_string(e->reject));
                break;
        case EVENT_CLOCK_JUMP:
                tell(s, "jump");
                break;
        default:
                tell(s, e->overloaded ? "overloaded" : "recovered");
                break;
        }
}

static Process stage_find(const Stage *s, uint32_t pid) {
        for (size_t i = 0; i < s->n_processes; i++)
                if (s->processes[i].pid == pid)
                        return s->processes[i];
        return (Process){ .pid = pid };
}

void stage_process(Stage *s, const Process *p) {
        for (size_t i = 0; i < s->n_processes; i++)
                if (s->processes[i].pid == p->pid) {
                        s->processes[i] = *p;
                        return;
                }
        ck_assert_uint_lt(s->n_processes, ELEMENTSOF(s->processes));
        s->processes[s->n_processes++] = *p;
}

static int hook_identify(void *userdata, uint32_t pid, uint32_t uid, Identity *ret) {
        Stage *s = userdata;
        Process p = stage_find(s, pid);

        s->identified++;
        if (p.dead || (p.uid ?: SCENE_UID) != uid)
                return -ESRCH;
        *ret = (Identity){ .pidfd = -1 };
        if (!p.no_pidfd) {
                ret->pidfd = PIDFD_BASE + s->last_pidfd;
                s->behind[s->last_pidfd].pid = pid;
                s->behind[s->last_pidfd].life = p.life;
                s->last_pidfd = (s->last_pidfd + 1) % (int) ELEMENTSOF(s->behind);
                s->pidfds++;
        }
        if (p.hidden)
                return 0;
        ret->uid = uid;
        ret->generation = p.ageless ? 0 : 7000 + p.life;
        ret->relation = p.inner ? NAMESPACE_FOREIGN : NAMESPACE_OWN;
        ret->namespace_inode = p.inode;
        ret->inner_pid = p.inner ?: pid;
        memset(ret->invocation, (int) (1 + p.life), sizeof(ret->invocation));
        snprintf(ret->unit, sizeof(ret->unit), "%s", p.unit ?: "");
        return 0;
}

static int hook_inner_pid(void *userdata, uint32_t pid, NamespaceRelation *ret_relation,
                          uint32_t *ret_inner) {
        Stage *s = userdata;
        Process p = stage_find(s, pid);

        s->looked_inside++;
        if (p.dead || p.hidden)
                return -ESRCH;
        *ret_relation = p.inner ? NAMESPACE_FOREIGN : NAMESPACE_OWN;
        *ret_inner = p.inner ?: pid;
        return 0;
}

static bool hook_alive(void *userdata, int pidfd) {
        Stage *s = userdata;
        Process p = stage_find(s, s->behind[pidfd - PIDFD_BASE].pid);

        return !p.dead && p.life == s->behind[pidfd - PIDFD_BASE].life;
}

static int hook_watch(void *userdata, int pidfd, uint64_t agent) {
        return agent > 0 && pidfd >= PIDFD_BASE ? 0 : -EBADF;
}

static void hook_release(void *userdata, int pidfd) {
        Stage *s = userdata;

        s->pidfds--;
}

static uint32_t hook_pid_max(void *userdata) {
        Stage *s = userdata;

        s->pid_max_asked++;
        return s->pid_max;
}

static void hook_unit_rules(void *userdata, const char *unit, UnitRules *ret) {
        Stage *s = userdata;

        if (unit[0] >= 'x' && unit[0] <= 'z')
                *ret = s->rules[unit[0] - 'x'];
        else
                *ret = (UnitRules){ s->settings.threshold, s->settings.forget, EXIT_RULE_EVENT };
}

const ObserverHooks stage_hooks = {
        .event = hook_event,
        .identify = hook_identify,
        .inner_pid = hook_inner_pid,
        .alive = hook_alive,
        .watch = hook_watch,
        .release = hook_release,
        .pid_max = hook_pid_max,
        .unit_rules = hook_unit_rules,
};

ObserverSettings scene_settings(const ObserverSettings *settings, bool no_own_namespace) {
        ObserverSettings s = *settings;

        s.threshold = s.threshold ?: SCENE_THRESHOLD;
        s.forget = s.forget ?: SCENE_FORGET;
        s.capacity = s.capacity ?: 64;
        s.units = s.units ?: 8;
        s.per_uid_share = s.per_uid_share ?: 100;
        s.own_namespace_known = !no_own_namespace;
        s.own_namespace = no_own_namespace ? 0 : OWN_INODE;
        s.hash_key[0] = 0x1234;
        s.hash_key[1] = 0x5678;
        return s;
}

void stage_open(Stage *s, const Scene *scene) {
        *s = (Stage){ .title = scene->title, .scene = scene, .now = SCENE_START, .listeners = 1 };
        s->settings = scene_settings(&scene->settings, scene->no_own_namespace);
        s->pid_max = scene->pid_max ?: SCENE_PID_MAX;
        for (size_t i = 0; i < ELEMENTSOF(s->rules); i++)
                s->rules[i] = scene->rules ? scene->rules[i]
                                           : (UnitRules){ s->settings.threshold, s->settings.forget,
                                                          EXIT_RULE_EVENT };
        for (size_t i = 0; i < SCENE_PROCESSES; i++)
                if (scene->processes[i].pid > 0)
                        stage_process(s, &scene->processes[i]);
        ck_assert_int_eq(observer_new(&s->settings, &stage_hooks, s, s->now, &s->observer), 0);
        ck_assert_int_eq(observer_add_listener(s->observer, s->now), 0);
}

void stage_close(Stage *s) {
        s->observer = observer_free(s->observer);
        ck_assert_msg(s->pidfds == 0, "%s: %d pidfds were not released", s->title, s->pidfds);
}

static void frame_make(const Step *step, uint8_t *bytes) {
        VlpFrame f = {
                .pid = step->claims ?: step->pid,
                .nonce = step->nonce,
                .timestamp = step->timestamp,
                .payload = step->payload,
                .status = (uint8_t) step->status,
        };
        uint32_t crc;

        require(vlp_frame_encode(&f, bytes) == 0);
        switch (step->defect) {
        case VLP_ERROR_BAD_MAGIC:
                bytes[0] = 'X';
                break;
        case VLP_ERROR_BAD_VERSION:
                bytes[VLP_OFFSET_VERSION] = 1;
                break;
        case VLP_ERROR_BAD_STATUS:
                bytes[VLP_OFFSET_STATUS] = 4;
                break;
        case VLP_ERROR_STALL_ON_WIRE:
                bytes[VLP_OFFSET_STATUS] = VLP_STATUS_STALL;
                break;
        case VLP_ERROR_BAD_PID:
                memcpy(bytes + VLP_OFFSET_PID, "\1\0\0\0", 4);
                break;
        case VLP_ERROR_BAD_TIMESTAMP:
                memset(bytes + VLP_OFFSET_TIMESTAMP, 0xff, 8);
                break;
        case VLP_ERROR_BAD_NONCE:
                memset(bytes + VLP_OFFSET_NONCE, 0xff, 8);
                break;
        default:
                break;
        }
        crc = vlp_crc32c(bytes, VLP_OFFSET_CRC) ^ (step->defect == VLP_ERROR_BAD_CRC ? 1 : 0);
        for (int i = 0; i < 4; i++)
                bytes[VLP_OFFSET_CRC + i] = (uint8_t) (crc >> 8 * i);
}

static nsec_t stage_now(Stage *s) {
        nsec_t now = s->now - s->back;

        s->back = 0;
        return now;
}

Verdict stage_send(Stage *s, const Step *step) {
        bool attested = step->origin == ORIGIN_KERNEL_ATTESTED && step->received == RECEIVE_OK;
        uint8_t bytes[VLP_FRAME_SIZE];
        Datagram d = {
                .frame = bytes,
                .source = step->source,
                .pid = attested ? step->pid : 0,
                .uid = attested ? step->uid ?: SCENE_UID : UID_NONE,
                .origin = (uint8_t) step->origin,
                .verdict = (uint8_t) step->received,
                .listener = step->listener,
        };
        Verdict v;

        frame_make(step, bytes);
        if (step->unit)
                d.unit = observer_unit_ref(s->observer, step->unit);
        observer_receive(s->observer, &d, 1, stage_now(s), &v);
        if (step->unit)
                observer_unit_unref(s->observer, d.unit);
        s->datagrams++;
        return v;
}

AgentInfo stage_agent(Stage *s, uint32_t pid) {
        AgentInfo info;

        if (observer_agent_by_pid(s->observer, SOURCE_LOCAL, pid, &info) < 0)
                ck_abort_msg("%s: %u is not tracked", s->title, pid);
        return info;
}

static void stage_reload(Stage *s, const Step *step) {
        s->settings = scene_settings(&step->settings, s->scene->no_own_namespace);
        s->settings.capacity = observer_settings(s->observer)->capacity;
        ck_assert_int_eq(observer_reconfigure(s->observer, &s->settings, stage_now(s)), 0);
}

static void stage_beat(Stage *s, const Step *step, size_t n) {
        Verdict v = stage_send(s, step);

        ck_assert_msg(step->is && strcmp(verdict_to_string(v), step->is) == 0,
                      "%s, step %zu: %s instead of %s", s->title, n, verdict_to_string(v), step->is);
}

/* What an operator does to an agent. */
static void stage_by_hand(Stage *s, const Step *step) {
        uint64_t id = stage_agent(s, step->pid).id;
        int r;

        if (step->kind == STEP_RESET)
                r = observer_reset_agent(s->observer, id, stage_now(s));
        else
                r = observer_forget_agent(s->observer, id, stage_now(s));
        ck_assert_int_eq(r, 0);
}

static void stage_step(Stage *s, const Step *step, size_t n) {
        switch (step->kind) {
        case STEP_END:
                break;
        case STEP_BEAT:
                stage_beat(s, step, n);
                break;
        case STEP_WAIT:
                s->now += step->n;
                break;
        case STEP_BACK:
                s->back = step->n;
                break;
        case STEP_TICK:
                observer_tick(s->observer, stage_now(s), step->n, step->m);
                break;
        case STEP_PROCESS:
                stage_process(s, &step->process);
                break;
        case STEP_EXITED:
                observer_agent_exited(s->observer, stage_agent(s, step->pid).id, stage_now(s));
                break;
        case STEP_EMPTY:
                observer_listener_empty(s->observer, step->listener, stage_now(s));
                break;
        case STEP_DROPPED:
                observer_listener_dropped(s->observer, step->listener, step->n, stage_now(s));
                break;
        case STEP_FAILED:
                observer_listener_failed(s->observer, step->listener, step->error, stage_now(s));
                s->datagrams++;
                break;
        case STEP_LISTEN:
                ck_assert_int_eq(observer_add_listener(s->observer, stage_now(s)), s->listeners);
                s->listeners++;
                break;
        case STEP_DISPATCH:
                while (observer_dispatch_stall(s->observer))
                        ;
                break;
        case STEP_RESET:
        case STEP_FORGET:
                stage_by_hand(s, step);
                break;
        case STEP_RELOAD:
                stage_reload(s, step);
                break;
        case STEP_NEVER_BEAT:
                observer_never_beat(s->observer, step->unit, s->now, stage_now(s));
                break;
        case STEP_AEAD:
                observer_count_aead(s->observer, step->n);
                break;
        case STEP_CHECK:
                step->check(s);
                break;
        }
}

const char *stage_take_told(Stage *s) {
        s->told[s->n_told] = 0;
        s->n_told = 0;
        return s->told;
}

/* Calls `each` with every counter's name and value, in one order. */
static void counters_each(const Counters *c, void (*each)(void *userdata, const char *name, uint64_t n),
                          void *userdata) {
        char name[64];

#define X(field, bus_name, help) each(userdata, bus_name, c->field);
        COUNTER_TABLE(X)
#undef X
        for (int i = VLP_ERROR_NONE + 1; i < _VLP_ERROR_MAX; i++) {
                snprintf(name, sizeof(name), "DecodeErrors.%s", vlp_error_to_string((VlpError) i));
                each(userdata, name, c->decode_errors[i]);
        }
        for (int i = 0; i < _RATE_LIMIT_MAX; i++) {
                snprintf(name, sizeof(name), "RateLimited.%s", rate_limit_to_string((RateLimit) i));
                each(userdata, name, c->rate_limited[i]);
        }
}

typedef struct Expected {
        Stage *stage;
        const char *counts;
        const char *wanted;
        uint64_t found;
} Expected;

static void counter_expect(void *userdata, const char *name, uint64_t n) {
        Expected *e = userdata;
        uint64_t wanted = 0;
        size_t length = strlen(name);

        for (const char *p = e->counts; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
                if (strncmp(p, name, length) == 0 && p[length] == '=')
                        wanted = strtoull(p + length + 1, NULL, 10);
        ck_assert_msg(n == wanted, "%s: %s is %" PRIu64 " instead of %" PRIu64, e->stage->title, name, n,
                      wanted);
}

static void counter_find(void *userdata, const char *name, uint64_t n) {
        Expected *e = userdata;

        if (strcmp(name, e->wanted) == 0)
                e->found = n;
}

uint64_t stage_counter(Stage *s, const char *name) {
        Expected e = { .stage = s, .wanted = name, .found = UINT64_MAX };

        counters_each(observer_counters(s->observer), counter_find, &e);
        ck_assert_msg(e.found != UINT64_MAX, "there is no counter %s", name);
        return e.found;
}

/* Each name in a scene's list must be a counter's, or a typo would hide a failure. */
static void counts_check(Stage *s, const char *counts) {
        for (const char *p = counts; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) {
                char name[64];

                snprintf(name, sizeof(name), "%.*s", (int) strcspn(p, "="), p);
                (void) stage_counter(s, name);
        }
}

uint64_t stage_dispositions(Stage *s) {
        const Counters *c = observer_counters(s->observer);
        uint64_t sum = c->beats + c->mis_sized + c->control_truncated + c->io_errors + c->pid_above_max +
                       c->auth_failures + c->namespace_drops + c->origin_conflicts + c->namespace_conflicts +
                       c->out_of_order + c->capacity_exceeded + c->decrypt_failures + c->replays_refused +
                       c->sender_table_full;

        for (int i = 0; i < _VLP_ERROR_MAX; i++)
                sum += c->decode_errors[i];
        for (int i = 0; i < _RATE_LIMIT_MAX; i++)
                sum += c->rate_limited[i];
        return sum;
}

void stage_expect_counts(Stage *s, const char *counts) {
        Expected e = { .stage = s, .counts = counts };
        uint64_t sum = stage_dispositions(s);

        counts_check(s, counts);
        counters_each(observer_counters(s->observer), counter_expect, &e);
        ck_assert_msg(sum == s->datagrams, "%s: %" PRIu64 " datagrams ended in %" PRIu64 " counters",
                      s->title, s->datagrams, sum);
}

void scene_play(const Scene *scene) {
        static Stage stage; /* larger than a stack should hold */

        stage_open(&stage, scene);
        for (size_t i = 0; i < SCENE_STEPS && scene->steps[i].kind != STEP_END; i++) {
                const Step *step = &scene->steps[i];
                const char *told;

                stage_step(&stage, step, i + 1);
                told = stage_take_told(&stage);
                ck_assert_msg(step->kind == STEP_CHECK || strcmp(told, step->tells ?: "") == 0,
                              "%s, step %zu: told '%s' instead of '%s'", scene->title, i + 1, told,
                              step->tells ?: "");
        }
        stage_expect_counts(&stage, scene->counts);
        stage_close(&stage);
}
