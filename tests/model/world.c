/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The world's answers to the observer's questions, and a protocol of who asked what. */

#include <stdio.h>
#include <string.h>

#include "world.h"

#define FIRST_FD  1000
#define OWN_INODE UINT64_C(4026531836)

const char *const world_units[WORLD_UNITS] = {
        "",        "a.service", "b.service",   "c.scope",   "d.service",
        "e.slice", "f.service", "g@1.service", "h.service", "i.scope",
};

void side_done(Side *s) {
        free(s->fds);
        free(s->events);
        *s = (Side){};
}

void side_forget_talk(Side *s) {
        s->n_events = 0;
        s->asked = 0;
        s->n_asked = 0;
}

static void side_trouble(Side *s, const char *what, int64_t n) {
        if (s->trouble[0] == 0)
                snprintf(s->trouble, sizeof(s->trouble), "%s (%lld)", what, (long long) n);
}

static void side_asked(Side *s, uint64_t question, uint64_t of) {
        s->asked = (s->asked * 31 + question) * 1000003 + of;
        s->n_asked++;
}

static void hook_event(void *userdata, const Event *event) {
        Side *s = userdata;
        SideEvent *e;

        if (s->n_events == s->max_events) {
                s->max_events = MAX(s->max_events * 2, (size_t) 16);
                s->events = realloc(s->events, s->max_events * sizeof(SideEvent));
                if (!s->events)
                        abort();
        }
        e = &s->events[s->n_events++];
        e->event = *event;
        snprintf(e->unit, sizeof(e->unit), "%s", event->unit ? event->unit : "(null)");
        e->event.unit = NULL;
}

static int side_open(Side *s, uint32_t process) {
        if (s->n_fds >= s->world->budget)
                return -1;
        if (s->n_fds == s->max_fds) {
                s->max_fds = MAX(s->max_fds * 2, (size_t) 16);
                s->fds = realloc(s->fds, s->max_fds * sizeof(SideFd));
                if (!s->fds)
                        abort();
        }
        s->fds[s->n_fds++] = (SideFd){
                .fd = FIRST_FD + s->last_fd++,
                .process = process,
                .life = s->world->processes[process].life,
        };
        return FIRST_FD + s->last_fd - 1;
}

static SideFd *side_find(Side *s, int fd) {
        for (size_t i = 0; i < s->n_fds; i++)
                if (s->fds[i].fd == fd)
                        return &s->fds[i];
        side_trouble(s, "a pidfd that is not open was used", fd);
        return NULL;
}

static Process *world_process(World *w, uint32_t pid) {
        if (pid < WORLD_PID_BASE || pid - WORLD_PID_BASE >= w->n_processes)
                return NULL;
        return &w->processes[pid - WORLD_PID_BASE];
}

static unsigned process_hidden(const World *w, const Process *p) {
        return w->hidden ? HIDE_ALL : p->hidden;
}

static NamespaceRelation process_relation(const World *w, const Process *p) {
        if (process_hidden(w, p) & HIDE_RELATION)
                return NAMESPACE_UNKNOWN;
        return p->space == 0 ? NAMESPACE_OWN : NAMESPACE_FOREIGN;
}

static int hook_identify(void *userdata, uint32_t pid, uint32_t uid, Identity *ret) {
        Side *s = userdata;
        World *w = s->world;
        const Process *p = world_process(w, pid);
        unsigned hidden;

        side_asked(s, 1, pid);
        if (!p || !p->alive || p->uid != uid)
                return -ESRCH;

        hidden = process_hidden(w, p);
        *ret = (Identity){
                .generation = hidden & HIDE_GENERATION ? 0 : 1000 + p->life,
                .namespace_inode = hidden & HIDE_INODE ? 0 : OWN_INODE + p->space,
                .uid = hidden & HIDE_GENERATION ? 0 : uid,
                .relation = process_relation(w, p),
                .inner_pid = hidden & HIDE_RELATION ? 0 : p->inner,
                .pidfd = side_open(s, pid - WORLD_PID_BASE),
        };
        if (!(hidden & HIDE_UNIT)) {
                snprintf(ret->unit, sizeof(ret->unit), "%s", world_units[p->unit]);
                memset(ret->invocation, (int) (p->life & 0xff), sizeof(ret->invocation));
        }
        return 0;
}

static int hook_inner_pid(void *userdata, uint32_t pid, NamespaceRelation *ret_relation,
                          uint32_t *ret_inner) {
        Side *s = userdata;
        const Process *p = world_process(s->world, pid);

        side_asked(s, 2, pid);
        if (!p || !p->alive)
                return -ESRCH;
        if (process_hidden(s->world, p) & HIDE_RELATION)
                return -EACCES;
        *ret_relation = process_relation(s->world, p);
        *ret_inner = p->inner;
        return 0;
}

bool world_fd_dead(const World *w, const SideFd *fd) {
        const Process *p = &w->processes[fd->process];

        return !p->alive || p->life != fd->life;
}

static bool hook_alive(void *userdata, int pidfd) {
        Side *s = userdata;
        const SideFd *fd = side_find(s, pidfd);

        return fd && !world_fd_dead(s->world, fd);
}

static int hook_watch(void *userdata, int pidfd, uint64_t agent) {
        Side *s = userdata;
        SideFd *fd = side_find(s, pidfd);

        side_asked(s, 3, (uint64_t) pidfd);
        if (s->world->no_watch)
                return -ENOSPC;
        if (fd && fd->watched)
                side_trouble(s, "a pidfd was watched twice", pidfd);
        if (fd) {
                fd->watched = true;
                fd->agent = agent;
        }
        return 0;
}

static void hook_release(void *userdata, int pidfd) {
        Side *s = userdata;
        SideFd *fd = side_find(s, pidfd);

        if (fd)
                *fd = s->fds[--s->n_fds];
}

static uint32_t hook_pid_max(void *userdata) {
        Side *s = userdata;

        side_asked(s, 4, 0);
        return s->world->pid_max;
}

void world_rules(const World *w, const char *unit, UnitRules *ret) {
        static const nsec_t thresholds[] = {
                10 * NSEC_PER_MSEC, 100 * NSEC_PER_MSEC, NSEC_PER_SEC, 50 * NSEC_PER_MSEC,
                10 * NSEC_PER_SEC,  100 * NSEC_PER_MSEC, NSEC_PER_DAY,
        };
        static const nsec_t forgets[] = { NSEC_PER_SEC, 20 * NSEC_PER_MSEC, NSEC_PER_HOUR };
        unsigned n = (unsigned char) unit[0] + w->rules * 5;

        *ret = (UnitRules){
                .threshold = thresholds[n % ELEMENTSOF(thresholds)],
                .forget = forgets[(n + w->rules) % ELEMENTSOF(forgets)],
                .on_exit = (unit[0] + w->rules) % 3 == 0 ? EXIT_RULE_EVENT : EXIT_RULE_STALL,
        };
}

static void hook_unit_rules(void *userdata, const char *unit, UnitRules *ret) {
        Side *s = userdata;

        side_asked(s, 5, (unsigned char) unit[0]);
        world_rules(s->world, unit, ret);
}

const ObserverHooks world_hooks = {
        .event = hook_event,
        .identify = hook_identify,
        .inner_pid = hook_inner_pid,
        .alive = hook_alive,
        .watch = hook_watch,
        .release = hook_release,
        .pid_max = hook_pid_max,
        .unit_rules = hook_unit_rules,
};

uint32_t world_claim(const World *w, uint32_t process) {
        const Process *p = &w->processes[process];

        return p->space == 0 ? WORLD_PID_BASE + process : p->inner;
}

/* Another process takes the pid; of the old one nothing remains but the frames that are still queued. */
void world_spawn(World *w, uint32_t process, uint64_t random) {
        Process *p = &w->processes[process];
        unsigned space = random % 5 < 3 ? 0 : (unsigned) (random % 5 - 2);
        uint64_t nonce = p->nonce, stamp = p->stamp;

        *p = (Process){
                .alive = true,
                .life = p->life + 1,
                .uid = 1000 + (uint32_t) (random >> 8 & w->uids),
                .space = space,
                .inner = space == 0 ? WORLD_PID_BASE + process : 2 + (uint32_t) (random >> 12 & 3),
                .unit = (unsigned) (random >> 16) % WORLD_UNITS,
                .hidden = (random >> 24 & 3) == 0 ? (unsigned) (random >> 26) & HIDE_ALL : 0,
        };
        /* Most start at 1 as the protocol says; some go on, or come back after a wrap. */
        if ((random >> 32 & 3) == 0) {
                p->nonce = nonce;
                p->stamp = stamp;
        }
}
