/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One operation is one call to each observer, with the same arguments: only handles (agent ids, unit numbers,
 * descriptors) are each observer's own. Beats that are joined make one batch.
 */

#include <stdarg.h>
#include <string.h>

#include "drive.h"

#define SLOTS_EVERY_OP 16U /* tables up to this size are compared whole after each operation */
#define SLOTS_EVERY    64U /* larger ones as often as this */
#define STEP_CLOCK_MAX (UINT64_MAX / 4)

void drive_fail(Drive *d, const char *format, ...) {
        va_list ap;

        if (d->failed)
                return;
        d->failed = true;
        va_start(ap, format);
        vsnprintf(d->message, sizeof(d->message), format, ap);
        va_end(ap);
}

void drive_batch(Drive *d) {
        Verdict real[OBSERVER_BATCH_MAX], model[OBSERVER_BATCH_MAX];

        if (d->n_batch == 0)
                return;
        observer_receive(d->real, d->batch, d->n_batch, d->clock, real);
        model_receive(d->model, d->model_batch, d->n_batch, d->clock, model);
        compare_verdicts(d, real, model, d->n_batch);
        d->n_batch = 0;
}

/* The n-th of the pidfds whose process is dead fires, as epoll would tell. */
static void drive_notice(Drive *d, const Op *op) {
        uint64_t real = 0, model = 0;
        size_t dead = 0, wanted;

        for (size_t i = 0; i < d->real_side.n_fds; i++)
                dead += world_fd_dead(&d->world, &d->real_side.fds[i]);
        if (dead == 0)
                return;
        wanted = op->n % dead;
        for (size_t i = 0; i < d->real_side.n_fds; i++) {
                const SideFd *fd = &d->real_side.fds[i];

                if (!world_fd_dead(&d->world, fd) || wanted-- > 0)
                        continue;
                real = fd->agent;
                for (size_t k = 0; k < d->model_side.n_fds; k++)
                        if (d->model_side.fds[k].fd == fd->fd)
                                model = d->model_side.fds[k].agent;
                break;
        }
        observer_agent_exited(d->real, real, d->clock);
        model_agent_exited(d->model, model, d->clock);
}

/* An id of the past or the present; now and then one that never was. */
static uint64_t drive_id(const Drive *d, const Op *op) {
        uint64_t known = d->model->last_id;

        if (known == 0 || op->m % 16 == 0)
                return 0;
        return known - MIN(op->n % 12, known - 1);
}

static void drive_by_id(Drive *d, const Op *op) {
        uint64_t id = drive_id(d, op), real_id = id == 0 ? op->n : d->ids[id];
        int r = 0, q = 0;

        if (op->kind == OP_EXITED) {
                observer_agent_exited(d->real, real_id, d->clock);
                model_agent_exited(d->model, id, d->clock);
        } else if (op->kind == OP_RESET) {
                r = observer_reset_agent(d->real, real_id, d->clock);
                q = model_reset_agent(d->model, id, d->clock);
        } else {
                r = observer_forget_agent(d->real, real_id, d->clock);
                q = model_forget_agent(d->model, id, d->clock);
        }
        if (r != q)
                drive_fail(d, "returned %d, the model %d", r, q);
}

static void drive_units(Drive *d, const Op *op) {
        const char *name = world_units[op->n % WORLD_UNITS];

        if (op->kind == OP_UNIT_REF && d->n_held < ELEMENTSOF(d->held)) {
                d->held[d->n_held].real = observer_unit_ref(d->real, name);
                d->held[d->n_held].model = model_unit_ref(d->model, name);
                d->n_held++;
        } else if (op->kind == OP_UNIT_UNREF && d->n_held > 0) {
                Held *h = &d->held[op->n % d->n_held];

                observer_unit_unref(d->real, h->real);
                model_unit_unref(d->model, h->model);
                *h = d->held[--d->n_held];
        }
}

/* Settings that must be refused: nothing may change, the count of regressions included. */
static void drive_bad_reload(Drive *d, const Op *op) {
        ObserverSettings s = d->settings;

        if (op->m % 3 == 0)
                s.per_uid_share = op->m & 1 ? 0 : 101;
        else if (op->m % 3 == 1)
                s.threshold = op->m & 1 ? 10 * NSEC_PER_MSEC - 1 : NSEC_PER_DAY + 1;
        else
                s.eviction = op->m & 1 ? _EVICTION_POLICY_MAX : _EVICTION_POLICY_INVALID;
        if (observer_reconfigure(d->real, &s, d->clock) != -EINVAL)
                drive_fail(d, "settings out of range were accepted");
}

static void drive_reload(Drive *d, const Op *op) {
        const char *names[WORLD_UNITS];
        uint16_t numbers[WORLD_UNITS];
        size_t n = 0;
        int r;

        if (op->m % 8 == 0) {
                drive_bad_reload(d, op);
                return;
        }
        for (unsigned i = 1; i < WORLD_UNITS; i++) {
                uint16_t number;
                size_t at;

                if (observer_unit_by_name(d->real, world_units[i], &number) < 0)
                        continue;
                for (at = n++; at > 0 && numbers[at - 1] > number; at--) {
                        numbers[at] = numbers[at - 1];
                        names[at] = names[at - 1];
                }
                numbers[at] = number;
                names[at] = world_units[i];
        }
        d->world.rules = (unsigned) (op->n & 7);
        settings_vary(&d->settings, op->n);
        r = observer_reconfigure(d->real, &d->settings, d->clock);
        if (r < 0)
                drive_fail(d, "good settings were refused: %d", r);
        model_reconfigure(d->model, &d->settings, d->clock, names, n);
}

static void drive_dispatch(Drive *d, const Op *op) {
        for (uint64_t i = 0; i <= op->n; i++) {
                bool r = observer_dispatch_stall(d->real), q = model_dispatch_stall(d->model);

                if (r != q)
                        drive_fail(d, "a stall was queued: %d, in the model: %d", r, q);
        }
}

static void drive_time(Drive *d, const Op *op) {
        if (op->kind == OP_BACK) {
                d->clock -= MIN(d->clock, op->n);
                d->fell_back = true;
        } else if (d->fell_back) {
                d->clock = d->model->now + (op->n & 1);
                d->fell_back = false;
        } else if (d->clock < STEP_CLOCK_MAX)
                d->clock += op->n;
}

static void drive_listener(Drive *d, const Op *op) {
        uint8_t listener = (uint8_t) (op->n % d->listeners);

        switch ((OpKind) op->kind) {
        case OP_EMPTY:
                observer_listener_empty(d->real, listener, d->clock);
                model_listener_empty(d->model, listener, d->clock);
                break;
        case OP_DROPPED:
                observer_listener_dropped(d->real, listener, op->n, d->clock);
                model_listener_dropped(d->model, listener, op->n, d->clock);
                break;
        case OP_FAILED:
                observer_listener_failed(d->real, listener, -(int) (1 + op->n % 100), d->clock);
                model_listener_failed(d->model, listener, -(int) (1 + op->n % 100), d->clock);
                d->datagrams++;
                break;
        default: {
                int r = observer_add_listener(d->real, d->clock), q = model_add_listener(d->model, d->clock);

                if (r != q)
                        drive_fail(d, "the new listener is %d, in the model %d", r, q);
                if (q >= 0)
                        d->listeners++;
                break;
        }
        }
}

static void drive_world(Drive *d, const Op *op) {
        uint32_t process = (uint32_t) (op->n % d->world.n_processes);

        switch ((OpKind) op->kind) {
        case OP_DIE:
                d->world.processes[process].alive = false;
                break;
        case OP_SPAWN:
                world_spawn(&d->world, process, op->m);
                break;
        case OP_HIDE:
                d->world.hidden = op->n % 3 == 0;
                break;
        case OP_BUDGET:
                d->world.budget = op->n & 1 ? 100000 : (uint32_t) (op->m % 5);
                break;
        case OP_WATCH:
                d->world.no_watch = op->n % 4 == 0;
                break;
        default:
                d->world.pid_max = op->n % 5 == 0 ? 0 : 100 + (uint32_t) (op->n % 8);
                break;
        }
}

static void drive_op(Drive *d, const Op *op) {
        switch ((OpKind) op->kind) {
        case OP_BEAT:
                drive_beat(d, op);
                break;
        case OP_CROWD:
                drive_crowd(d, op);
                break;
        case OP_TIME:
        case OP_BACK:
                drive_time(d, op);
                break;
        case OP_TICK:
                observer_tick(d->real, d->clock, op->n, op->m);
                model_tick(d->model, d->clock, op->n, op->m);
                if (observer_next_deadline(d->real) <= d->model->now && !model_due(d->model, d->model->now))
                        drive_fail(d, "nothing is left to do, and yet the next deadline is now");
                break;
        case OP_DISPATCH:
                drive_dispatch(d, op);
                break;
        case OP_EMPTY:
        case OP_DROPPED:
        case OP_FAILED:
        case OP_ADD_LISTENER:
                drive_listener(d, op);
                break;
        case OP_NOTICE:
                drive_notice(d, op);
                break;
        case OP_EXITED:
        case OP_RESET:
        case OP_FORGET:
                drive_by_id(d, op);
                break;
        case OP_RELOAD:
                drive_reload(d, op);
                break;
        case OP_UNIT_REF:
        case OP_UNIT_UNREF:
                drive_units(d, op);
                break;
        case OP_NEVER_BEAT:
                observer_never_beat(d->real, world_units[op->n % WORLD_UNITS], d->clock / 2, d->clock);
                model_never_beat(d->model, world_units[op->n % WORLD_UNITS], d->clock / 2, d->clock);
                break;
        case OP_AEAD:
                observer_count_aead(d->real, op->n & 7);
                model_count_aead(d->model, op->n & 7);
                break;
        default:
                drive_world(d, op);
                break;
        }
}

static void drive_start(Drive *d, const History *h) {
        ObserverHooks hooks = world_hooks;
        uint64_t spawn = h->seed;
        int r;

        *d = (Drive){ .history = h, .settings = h->settings, .clock = h->start };
        d->world.n_processes = h->processes;
        d->world.budget = h->budget;
        d->world.uids = h->uids;
        d->world.pid_max = h->pid_max;
        d->real_side.world = d->model_side.world = &d->world;
        for (uint32_t i = 0; i < h->processes; i++)
                world_spawn(&d->world, i,
                            spawn = spawn * UINT64_C(6364136223846793005) + 1442695040888963407U);

        if (h->no_identify)
                hooks.identify = NULL;
        if (h->no_inner_pid)
                hooks.inner_pid = NULL;
        if (h->no_pid_max)
                hooks.pid_max = NULL;
        d->infos = calloc(h->settings.capacity + 1, sizeof(AgentInfo));
        d->model = model_new(&h->settings, &hooks, &d->model_side, d->clock);
        r = observer_new(&h->settings, &hooks, &d->real_side, d->clock, &d->real);
        if (r < 0) {
                drive_fail(d, "observer_new() returned %d", r);
                return;
        }
        if (observer_add_listener(d->real, d->clock) != 0 || model_add_listener(d->model, d->clock) != 0)
                drive_fail(d, "the first listener is not 0");
        d->listeners = 1;
}

static void drive_stop(Drive *d) {
        d->real = observer_free(d->real);
        d->model = model_free(d->model);
        if (!d->failed && d->real_side.n_fds != 0)
                drive_fail(d, "%zu pidfds were never released", d->real_side.n_fds);
        side_done(&d->real_side);
        side_done(&d->model_side);
        free(d->ids);
        free(d->infos);
}

bool drive_history(const History *h, size_t *ret_step, char *ret_message, size_t size) {
        static Drive drive; /* too large for a stack */
        Drive *d = &drive;

        drive_start(d, h);
        for (d->step = 0; d->step < h->n_ops && !d->failed; d->step++) {
                const Op *op = &h->ops[d->step];
                bool more = op->kind == OP_BEAT && d->step + 1 < h->n_ops && op[1].kind == OP_BEAT &&
                            op[1].joined;

                drive_op(d, op);
                if (more && d->n_batch < OBSERVER_BATCH_MAX)
                        continue;
                drive_batch(d);
                compare_all(d, h->settings.capacity <= SLOTS_EVERY_OP || d->step % SLOTS_EVERY == 0);
        }
        *ret_step = d->step;
        drive_stop(d);
        snprintf(ret_message, size, "%s", d->message);
        return !d->failed;
}
