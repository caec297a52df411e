/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a flood may cost the others. Counted in batches, not in time: a slow machine is as fair as a fast one.
 *
 * Floods come in shapes. A thread at full speed is the real thing, but what it does depends on the machine; so each
 * batch that is handed up is also replaced at once, from within, which no sender can surpass.
 */

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "daemon/priorities.h"
#include "ingress/identity.h"
#include "rows.h"
#include "util/fd.h"
#include "world.h"

/* The promise: see priorities.h and INGRESS_TURNS. */
#define BATCHES_MAX 8U

/* Where something is starved, tests must end all the same. */
#define BATCHES_HOPELESS 400U

#define ROUNDS 50U

static World the_world, *const w = &the_world;

static uint8_t beat[VLP_FRAME_SIZE];

/* ---- floods ----------------------------------------------------------------------------------------------- */

typedef enum FloodShape {
        FLOOD_FULL,    /* every batch is full, and there is always another */
        FLOOD_TRICKLE, /* one datagram at a time, but always one */
        FLOOD_SHORT,   /* the queue holds some, as net.unix.max_dgram_qlen=10 makes it */
        FLOOD_MIXED,   /* one listener is flooded, another always has one datagram */
        FLOOD_MANY,    /* eight listeners are flooded */
        FLOOD_THREAD,  /* a thread sends as fast as it can to a path */
        _FLOOD_SHAPE_MAX,
} FloodShape;

static const char *const shape_titles[_FLOOD_SHAPE_MAX] = {
        [FLOOD_FULL] = "full batches without end",
        [FLOOD_TRICKLE] = "one datagram at a time without end",
        [FLOOD_SHORT] = "short queues without end",
        [FLOOD_MIXED] = "a flooded listener beside a trickling one",
        [FLOOD_MANY] = "eight flooded listeners",
        [FLOOD_THREAD] = "a thread at full speed",
};

#define FLOODS_MAX 8

typedef struct Flood {
        FloodShape shape;
        int fds[FLOODS_MAX];
        unsigned depths[FLOODS_MAX]; /* how many datagrams wait at each after each of its batches */
        unsigned n;
        pthread_t thread;
        atomic_bool stop, stopped;
} Flood;

static Flood flood;

/* Called for every batch. */
static void (*on_each_batch)(void);

static void flood_send(unsigned i, size_t n) {
        for (; n > 0; n--)
                ck_assert_int_eq(send_bytes(flood.fds[i], beat, sizeof(beat), 0), 0);
}

/* As many come as were taken. */
static void flood_refill(World *world, const Datagram *batch, size_t n) {
        uint8_t listener = batch[0].listener;

        if (flood.shape != FLOOD_THREAD && listener < flood.n && !flood.stop)
                flood_send(listener, n);
        if (on_each_batch)
                on_each_batch();
}

static void *flood_run(void *userdata) {
        while (!flood.stop)
                (void) send_bytes(flood.fds[0], beat, sizeof(beat), 0);
        flood.stopped = true;
        return NULL;
}

static void flood_start(FloodShape shape) {
        static const unsigned numbers[_FLOOD_SHAPE_MAX] = { 1, 1, 1, 2, FLOODS_MAX, 1 };
        static const unsigned depths[_FLOOD_SHAPE_MAX] = { 2 * INGRESS_BATCH, 1, 11, 2 * INGRESS_BATCH,
                                                           2 * INGRESS_BATCH };

        flood = (Flood){ .shape = shape, .n = numbers[shape] };
        w->on_batch = flood_refill;
        if (shape == FLOOD_THREAD) {
                (void) world_listen(w, "flood", _FEATURE_ALL);
                flood.fds[0] = connect_to(scratch_path(&w->scratch, "flood"));
                ck_assert_int_eq(pthread_create(&flood.thread, NULL, flood_run, NULL), 0);
                world_until(w, &w->batches, 10);
                return;
        }
        for (unsigned i = 0; i < flood.n; i++) {
                flood.fds[i] = world_listen_pair(w, _FEATURE_ALL);
                flood_send(i, shape == FLOOD_MIXED && i > 0 ? 1 : depths[shape]);
        }
}

static void flood_end(void) {
        flood.stop = true;
        if (flood.shape == FLOOD_THREAD) {
                while (!flood.stopped)
                        world_settle(w);
                ck_assert_int_eq(pthread_join(flood.thread, NULL), 0);
        }
        world_settle(w);
        for (unsigned i = 0; i < flood.n; i++)
                (void) safe_close(flood.fds[i]);
        flood.n = 0;
}

/* ---- those who wait --------------------------------------------------------------------------------------- */

typedef struct Waiter {
        const char *name;
        sd_event_source *source;
        bool waiting;
        uint64_t since; /* batches, when it became ready */
        uint64_t longest, served;
} Waiter;

static Waiter bus = { .name = "a bus call" }, signal_ = { .name = "SIGTERM" },
              timer = { .name = "the timer" }, exits = { .name = "an exit" };
static int bus_fd;

static void waiter_ready(Waiter *waiter) {
        waiter->waiting = true;
        waiter->since = w->batches;
}

static void waiter_served(Waiter *waiter) {
        ck_assert(waiter->waiting);
        waiter->waiting = false;
        waiter->longest = MAX(waiter->longest, w->batches - waiter->since);
        waiter->served++;
}

static int on_bus(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        uint64_t n;

        ck_assert_int_eq(read(fd, &n, sizeof(n)), sizeof(n));
        waiter_served(&bus);
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        waiter_served(&signal_);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        waiter_served(&timer);
        return 0;
}

static int on_exits(sd_event_source *source, void *userdata) {
        waiter_served(&exits);
        return 0;
}

static void waiter_adopt(Waiter *waiter, sd_event_source *source, int64_t priority) {
        waiter->source = source;
        waiter->waiting = false;
        waiter->longest = waiter->served = 0;
        ck_assert_int_eq(sd_event_source_set_priority(source, priority), 0);
}

static void waiters_init(void) {
        sd_event_source *s;

        bus_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ck_assert_int_ge(bus_fd, 0);
        ck_assert_int_ge(sd_event_add_io(w->event, &s, bus_fd, EPOLLIN, on_bus, NULL), 0);
        waiter_adopt(&bus, s, PRIORITY_CLIENT_BUS);
        ck_assert_int_ge(sd_event_add_signal(w->event, &s, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, on_signal,
                                             NULL),
                         0);
        waiter_adopt(&signal_, s, PRIORITY_SIGNALS);
        ck_assert_int_ge(sd_event_add_time(w->event, &s, CLOCK_MONOTONIC, 0, 1, on_timer, NULL), 0);
        ck_assert_int_ge(sd_event_source_set_enabled(s, SD_EVENT_OFF), 0);
        waiter_adopt(&timer, s, PRIORITY_TIMER);
        ck_assert_int_ge(sd_event_add_defer(w->event, &s, on_exits, NULL), 0);
        ck_assert_int_ge(sd_event_source_set_enabled(s, SD_EVENT_OFF), 0);
        waiter_adopt(&exits, s, PRIORITY_EXITS);
}

static void waiters_done(void) {
        bus.source = sd_event_source_disable_unref(bus.source);
        signal_.source = sd_event_source_disable_unref(signal_.source);
        timer.source = sd_event_source_disable_unref(timer.source);
        exits.source = sd_event_source_disable_unref(exits.source);
        bus_fd = safe_close(bus_fd);
}

static void wake(Waiter *waiter) {
        if (waiter->waiting)
                return;
        waiter_ready(waiter);
        if (waiter == &bus)
                ck_assert_int_eq(eventfd_write(bus_fd, 1), 0);
        else if (waiter == &signal_)
                ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
        else if (waiter == &timer) {
                ck_assert_int_ge(sd_event_source_set_time(timer.source, 0), 0);
                ck_assert_int_ge(sd_event_source_set_enabled(timer.source, SD_EVENT_ONESHOT), 0);
        } else
                ck_assert_int_ge(sd_event_source_set_enabled(exits.source, SD_EVENT_ONESHOT), 0);
}

static void setup(void) {
        world_init(w);
        waiters_init();
        make_beat(beat, (uint32_t) getpid(), 1);
        on_each_batch = NULL;
}

static void teardown(void) {
        flood_end();
        waiters_done();
        world_done(w);
}

/* ---- timers, the bus and signals -------------------------------------------------------------------------- */

static unsigned until_wake;
static Waiter *const *woken;

/* Something becomes ready after a number of batches that is different every time. */
static void wake_at_times(void) {
        static unsigned step;

        if (until_wake > 0) {
                until_wake--;
                return;
        }
        until_wake = 1 + step++ % 23;
        for (Waiter *const *p = woken; *p; p++)
                wake(*p);
}

static void run_rounds(Waiter *const *waiters) {
        woken = waiters;
        until_wake = 0;
        on_each_batch = wake_at_times;
        while (waiters[0]->served < ROUNDS) {
                ck_assert_int_gt(sd_event_run(w->event, 10 * USEC_PER_SEC), 0);
                for (Waiter *const *p = waiters; *p; p++)
                        ck_assert_msg(!(*p)->waiting || w->batches - (*p)->since < BATCHES_HOPELESS,
                                      "%s still waits after %u batches", (*p)->name, BATCHES_HOPELESS);
        }
        on_each_batch = NULL;
        for (Waiter *const *p = waiters; *p; p++)
                ck_assert_msg((*p)->longest <= BATCHES_MAX, "%s waited for %u batches", (*p)->name,
                              (unsigned) (*p)->longest);
}

START_TEST(test_alone) {
        static Waiter *const each[][2] = { { &bus, NULL }, { &signal_, NULL }, { &timer, NULL } };

        flood_start((FloodShape) _i);
        for (size_t i = 0; i < ELEMENTSOF(each); i++)
                run_rounds(each[i]);
}
END_TEST

START_TEST(test_together) {
        static Waiter *const all[] = { &bus, &signal_, &timer, &exits, NULL };

        flood_start((FloodShape) _i);
        run_rounds(all);
}
END_TEST

/* ---- other listeners -------------------------------------------------------------------------------------- */

static int other_fd;
static uint8_t other_listener;
static Waiter other = { .name = "the other listener's beat" };

static void send_to_other(void) {
        if (other.waiting && w->records[w->n_records - 1].datagram.listener == other_listener)
                waiter_served(&other);
        w->n_records = 0;
        if (other.waiting || until_wake-- > 0)
                return;
        until_wake = (unsigned) (other.served % 13);
        ck_assert_int_eq(send_bytes(other_fd, beat, sizeof(beat), 0), 0);
        waiter_ready(&other);
}

/* By one batch of each flooded listener. The batch that brings the beat is its own and counts for nothing. */
START_TEST(test_other_listener) {
        flood_start((FloodShape) _i);
        other_listener = world_listen(w, "other", _FEATURE_ALL);
        other_fd = connect_to(scratch_path(&w->scratch, "other"));
        other.waiting = false;
        other.longest = other.served = 0;
        until_wake = 0;
        w->n_records = 0;
        on_each_batch = send_to_other;
        while (other.served < ROUNDS) {
                ck_assert_int_gt(sd_event_run(w->event, 10 * USEC_PER_SEC), 0);
                ck_assert_msg(!other.waiting || w->batches - other.since < BATCHES_HOPELESS,
                              "the other listener's beat still waits after %u batches", BATCHES_HOPELESS);
        }
        on_each_batch = NULL;
        ck_assert_int_eq(close(other_fd), 0);
        ck_assert_msg(other.longest - 1 <= flood.n, "the other listener's beat waited for %u batches",
                      (unsigned) other.longest - 1);
}
END_TEST

/* ---- ingress itself --------------------------------------------------------------------------------------- */

static uint64_t busy_turns;

static int on_busy(sd_event_source *source, void *userdata) {
        busy_turns++;
        return 0;
}

/* Somebody between our two priorities always wants a turn. */
static sd_event_source *add_busy(void) {
        sd_event_source *s;

        busy_turns = 0;
        ck_assert_int_ge(sd_event_add_defer(w->event, &s, on_busy, NULL), 0);
        ck_assert_int_eq(sd_event_source_set_priority(s, PRIORITY_CLIENT_BUS), 0);
        ck_assert_int_ge(sd_event_source_set_enabled(s, SD_EVENT_ON), 0);
        return s;
}

START_TEST(test_not_starved) {
        sd_event_source *busy;
        uint64_t batches, turns = 0;

        flood_start((FloodShape) _i);
        busy = add_busy();
        batches = w->batches;
        /* A thread may not have had the processor yet: it is waited for, in turns, until it had its batches. */
        for (; turns < 1000 || (flood.shape == FLOOD_THREAD && w->batches == batches); turns++)
                ck_assert_int_gt(sd_event_run(w->event, 0), 0);
        batches = w->batches - batches;
        sd_event_source_disable_unref(busy);

        ck_assert_uint_eq(batches + busy_turns, turns);
        /* Turn and turn about. A thread may leave the queue empty at times: those turns are the others', too. */
        if (flood.shape != FLOOD_THREAD)
                ck_assert_uint_ge(batches, 400);
        else
                ck_assert_uint_ge(batches, 1);
        ck_assert_uint_ge(busy_turns, 400);
}
END_TEST

/* Whatever state the flood left ingress in: what comes afterwards stands above exits again. */
START_TEST(test_afterwards) {
        sd_event_source *busy;

        flood_start(FLOOD_FULL);
        world_until(w, &w->batches, (uint64_t) _i);
        flood_end();
        _cleanup_close_ int fd = world_listen_pair(w, _FEATURE_ALL);

        /* A round of the others that has begun lasts as long as they want turns: four at most. */
        busy = add_busy();
        for (unsigned i = 0; i < INGRESS_TURNS + 1; i++)
                ck_assert_int_gt(sd_event_run(w->event, 0), 0);
        world_clear(w);
        wake(&exits);
        ck_assert_int_eq(send_bytes(fd, beat, sizeof(beat), 0), 0);
        ck_assert_int_gt(sd_event_run(w->event, 0), 0);
        ck_assert_uint_eq(w->datagrams, 1);
        ck_assert(exits.waiting);
        sd_event_source_disable_unref(busy);
        world_settle(w);
        ck_assert(!exits.waiting);
}
END_TEST

/* Beats that come one by one, with pauses in between, are no flood: nobody's order changes. */
START_TEST(test_no_flood) {
        _cleanup_close_ int fd = world_listen_pair(w, _FEATURE_ALL);

        for (uint64_t i = 1; i <= 100; i++) {
                wake(&exits);
                ck_assert_int_eq(send_bytes(fd, beat, sizeof(beat), 0), 0);
                ck_assert_int_gt(sd_event_run(w->event, 0), 0);
                ck_assert_uint_eq(w->batches, i);
                ck_assert(exits.waiting);
                world_settle(w);
                ck_assert(!exits.waiting);
        }
}
END_TEST

static void add(Suite *s, const char *title, const TTest *test, int begin, int end) {
        TCase *tc = tcase_create(title);

        tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, test, begin, end);
        suite_add_tcase(s, tc);
}

/* One row for each shape of a flood. */
static void add_shapes(Suite *s, const char *about, const TTest *test) {
        static char titles[32][160];
        static size_t n;

        for (FloodShape shape = 0; shape < _FLOOD_SHAPE_MAX; shape++, n++) {
                (void) snprintf(titles[n], sizeof(titles[n]), "%s, under %s", about, shape_titles[shape]);
                add(s, titles[n], test, (int) shape, (int) shape + 1);
        }
}

int main(void) {
        Suite *s = suite_create("ingress-fairness");

        add_shapes(s, "a bus call, a signal and a timer are each served within eight batches", test_alone);
        add_shapes(s, "all of them at once are served within eight batches", test_together);
        add_shapes(s, "another listener's beat waits for one batch of each that is flooded",
                   test_other_listener);
        add_shapes(s, "ingress is not starved by others who always want a turn", test_not_starved);
        add(s, "after a flood beats are read before exits again", test_afterwards, 0, 12);
        add(s, "beats one by one are read before exits, always", test_no_flood, 0, 1);
        return suite_run(s);
}
