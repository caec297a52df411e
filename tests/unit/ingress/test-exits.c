/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of processes: told once, told after what they said last, and told for as many as there are descriptors.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/priorities.h"
#include "ingress/identity.h"
#include "process.h"
#include "rows.h"
#include "util/fd.h"
#include "world.h"

#define CHILDREN_MAX 256U

/* identity.c keeps this many for everything else. */
#define RESERVE 64U

static World the_world, *const w = &the_world;
static Identities *identities;
static size_t fds_before;

static Child children[CHILDREN_MAX];
static Identity ids[CHILDREN_MAX];

/* What was told. Agents are numbered like children. */
static uint64_t drains, exits, exits_since_drain, most_exits_per_drain, exhausted_told, available_told;
static uint64_t told[CHILDREN_MAX];
static void (*on_exit_told)(uint64_t agent);

static void on_drain(void *userdata) {
        drains++;
        exits_since_drain = 0;
        ingress_drain(w->ingress);
}

static void on_exited(void *userdata, uint64_t agent) {
        ck_assert_uint_ge(drains, 1);
        exits++;
        exits_since_drain++;
        most_exits_per_drain = MAX(most_exits_per_drain, exits_since_drain);
        if (agent < CHILDREN_MAX) {
                told[agent]++;
                identities_release(identities, ids[agent].pidfd);
        }
        if (on_exit_told)
                on_exit_told(agent);
}

static void on_exhausted(void *userdata, bool exhausted) {
        exhausted_told += exhausted;
        available_told += !exhausted;
}

static const IdentityHooks hooks = { .drain = on_drain, .exited = on_exited, .exhausted = on_exhausted };

static void start(unsigned features) {
        ck_assert_int_eq(identities_new(w->event, "/proc", "/sys/fs/cgroup", false, features, PRIORITY_EXITS,
                                        &hooks, NULL, &identities),
                         0);
}

static void setup(void) {
        fds_before = count_fds();
        world_init(w);
        drains = exits = exits_since_drain = most_exits_per_drain = exhausted_told = available_told = 0;
        memset(told, 0, sizeof(told));
        on_exit_told = NULL;
}

static void teardown(void) {
        identities = identities_free(identities);
        world_done(w);
        ck_assert_uint_eq(count_fds(), fds_before);
}

static void start_children(unsigned n) {
        for (unsigned k = 0; k < n; k++)
                child_start(&children[k], NULL, NULL);
}

static void end_children(unsigned n) {
        for (unsigned k = 0; k < n; k++)
                child_end(&children[k]);
}

static void look(unsigned k) {
        ck_assert_int_eq(identities_look(identities, (uint32_t) children[k].pid, getuid(), &ids[k]), 0);
}

static void look_and_watch(unsigned k) {
        look(k);
        ck_assert_int_ge(ids[k].pidfd, 0);
        ck_assert_int_eq(identities_watch(identities, ids[k].pidfd, k), 0);
}

/* ---- exits ------------------------------------------------------------------------------------------------ */

START_TEST(test_exit) {
        start(_FEATURE_ALL);
        start_children(2);
        look_and_watch(0);
        look_and_watch(1);
        world_settle(w);
        ck_assert_uint_eq(exits, 0);

        child_tell(&children[1], 'x');
        world_until(w, &exits, 1);
        world_settle(w);
        ck_assert_uint_eq(exits, 1);
        ck_assert_uint_eq(told[1], 1);
        ck_assert_uint_eq(identities_budget(identities).held, 1);
        ck_assert(identities_alive(ids[0].pidfd));
        identities_release(identities, ids[0].pidfd);
        end_children(2);
}
END_TEST

START_TEST(test_all_at_once) {
        start(_FEATURE_ALL);
        start_children(200);
        for (unsigned k = 0; k < 200; k++)
                look_and_watch(k);
        for (unsigned k = 0; k < 200; k++) {
                child_tell(&children[k], 'x');
                child_wait_zombie(&children[k]);
        }
        world_until(w, &exits, 200);
        world_settle(w);

        for (unsigned k = 0; k < 200; k++)
                ck_assert_uint_eq(told[k], 1);
        ck_assert_uint_eq(exits, 200);
        ck_assert_uint_le(most_exits_per_drain, 64); /* a fleet that dies at once leaves turns to the rest */
        ck_assert_uint_eq(identities_budget(identities).held, 0);
        end_children(200);
}
END_TEST

START_TEST(test_released) {
        start(_FEATURE_ALL);
        start_children(1);
        look_and_watch(0);
        identities_release(identities, ids[0].pidfd);
        child_tell(&children[0], 'x');
        child_wait_zombie(&children[0]);
        world_settle(w);
        ck_assert_uint_eq(exits, 0);
        end_children(1);
}
END_TEST

START_TEST(test_dead_before_watch) {
        start(_FEATURE_ALL);
        start_children(1);
        look(0);
        child_tell(&children[0], 'x');
        child_wait_zombie(&children[0]);
        ck_assert_int_eq(identities_watch(identities, ids[0].pidfd, 0), 0);
        world_until(w, &exits, 1);
        ck_assert_uint_eq(told[0], 1);
        end_children(1);
}
END_TEST

START_TEST(test_watch_refused) {
        start(_FEATURE_ALL);
        start_children(1);
        look_and_watch(0);
        ck_assert_int_eq(identities_watch(identities, ids[0].pidfd, 7), -EEXIST);
        ck_assert_int_eq(identities_watch(identities, -1, 7), -EBADF);
        identities_release(identities, ids[0].pidfd);
        end_children(1);
}
END_TEST

/* ---- last words ------------------------------------------------------------------------------------------- */

#define ROUNDS 1000U

/* The beats of a round: the first, then the last. */
enum {
        FIRST_WORD = 1,
        LAST_WORD
};

static int fleet_fd;
static uint64_t last_seen;
static uint64_t rounds_in_order;

static void note_beat(World *world, const Datagram *batch, size_t n) {
        for (size_t k = 0; k < n; k++) {
                VlpFrame frame;

                ck_assert_int_eq(vlp_frame_decode(batch[k].frame, &frame), VLP_ERROR_NONE);
                if (frame.pid == (uint32_t) children[0].pid)
                        last_seen = frame.nonce;
        }
}

static void note_exit(uint64_t agent) {
        rounds_in_order += last_seen == LAST_WORD;
}

static void speak_twice(int in, void *userdata) {
        char c;

        if (send_beat(fleet_fd, (uint32_t) getpid(), FIRST_WORD) < 0 || read(in, &c, 1) != 1)
                _exit(1);
        if (send_beat(fleet_fd, (uint32_t) getpid(), LAST_WORD) < 0)
                _exit(1);
}

typedef enum Meeting {
        MEETING_RACE,   /* the loop runs while the child speaks and dies */
        MEETING_BOTH,   /* both are there before the loop looks */
        MEETING_BEHIND, /* both are there, and five batches of others before the last word */
        _MEETING_MAX,
} Meeting;

static void last_word(Meeting meeting) {
        uint64_t before = w->datagrams;

        last_seen = 0;
        child_start(&children[0], speak_twice, NULL);
        world_until(w, &w->datagrams, before + 1);
        ck_assert_uint_eq(last_seen, FIRST_WORD);
        look_and_watch(0);

        if (meeting == MEETING_BEHIND)
                for (unsigned k = 0; k < 5 * INGRESS_BATCH; k++)
                        ck_assert_int_eq(send_beat(fleet_fd, (uint32_t) getpid(), 1), 0);
        child_tell(&children[0], 'x');
        if (meeting != MEETING_RACE)
                child_wait_zombie(&children[0]);
        world_until(w, &exits, exits + 1);
        child_end(&children[0]);
}

START_TEST(test_last_word) {
        start(_FEATURE_ALL);
        fleet_fd = world_listen_pair(w, _FEATURE_ALL);
        w->on_batch = note_beat;
        on_exit_told = note_exit;
        rounds_in_order = 0;
        for (unsigned round = 0; round < ROUNDS; round++)
                last_word((Meeting) (round % _MEETING_MAX));
        ck_assert_uint_eq(rounds_in_order, ROUNDS);
        ck_assert_uint_eq(exits, ROUNDS);
        ck_assert_int_eq(close(fleet_fd), 0);
}
END_TEST

/* ---- descriptors ------------------------------------------------------------------------------------------ */

START_TEST(test_budget) {
        rlim_t old = set_fd_limit(RESERVE + 3);
        DescriptorBudget budget;

        start(_FEATURE_ALL);
        start_children(5);
        budget = identities_budget(identities);
        ck_assert_uint_eq(budget.limit, 3);
        ck_assert_uint_eq(budget.held, 0);
        for (unsigned k = 0; k < 5; k++) {
                look(k);
                ck_assert_int_eq(ids[k].pidfd >= 0, k < 3);
                ck_assert_uint_gt(ids[k].generation, 0); /* known by silence and start time all the same */
                ck_assert_int_eq(ids[k].relation, NAMESPACE_OWN);
        }
        ck_assert_uint_eq(identities_budget(identities).held, 3);
        ck_assert_uint_eq(exhausted_told, 1);
        ck_assert_uint_eq(available_told, 0);

        identities_release(identities, ids[0].pidfd);
        ck_assert_uint_eq(available_told, 0); /* nobody asked yet */
        look(3);
        ck_assert_int_ge(ids[3].pidfd, 0);
        ck_assert_uint_eq(available_told, 1);
        look(4);
        ck_assert_int_eq(ids[4].pidfd, -1);
        ck_assert_uint_eq(exhausted_told, 2);

        for (unsigned k = 1; k < 4; k++)
                identities_release(identities, ids[k].pidfd);
        ck_assert_uint_eq(identities_budget(identities).held, 0);
        end_children(5);
        (void) set_fd_limit(old);
}
END_TEST

START_TEST(test_no_budget) {
        rlim_t old = set_fd_limit(RESERVE);

        start(_FEATURE_ALL);
        start_children(1);
        look(0);
        ck_assert_int_eq(ids[0].pidfd, -1);
        ck_assert_uint_eq(identities_budget(identities).limit, 0);
        ck_assert_uint_eq(exhausted_told, 1);
        end_children(1);
        (void) set_fd_limit(old);
}
END_TEST

/* The kernel has no descriptor left, whatever our own count says. */
START_TEST(test_kernel_limit) {
        rlim_t old;

        start(_FEATURE_ALL);
        start_children(3);
        old = leave_fds(0);
        for (unsigned k = 0; k < 3; k++) {
                look(k);
                ck_assert_int_eq(ids[k].pidfd, -1);
                ck_assert_uint_eq(ids[k].generation, 0); /* /proc cannot be read either */
                ck_assert_int_eq(ids[k].relation, NAMESPACE_UNKNOWN);
        }
        ck_assert_uint_eq(exhausted_told, 1);
        (void) set_fd_limit(old);

        look_and_watch(0);
        ck_assert_uint_eq(available_told, 1);
        ck_assert_uint_eq(exhausted_told, 1);
        child_tell(&children[0], 'x');
        world_until(w, &exits, 1);
        end_children(3);
}
END_TEST

START_TEST(test_dead_without_budget) {
        rlim_t old = set_fd_limit(RESERVE);
        Identity id;
        pid_t pid;

        start(_FEATURE_ALL);
        start_children(1);
        pid = children[0].pid;
        end_children(1);
        ck_assert_int_eq(identities_look(identities, (uint32_t) pid, getuid(), &id), -ESRCH);
        (void) set_fd_limit(old);
}
END_TEST

/* Nobody is told of a kernel without pidfds: there is nothing to raise. */
START_TEST(test_switched_off) {
        start(_FEATURE_ALL & ~(unsigned) FEATURE_PIDFD);
        start_children(1);
        look(0);
        ck_assert_int_eq(ids[0].pidfd, -1);
        ck_assert_uint_eq(exhausted_told, 0);
        end_children(1);
}
END_TEST

int main(void) {
        const Row rows[] = {
                { "an exit is told once, and nobody else's", test_exit },
                { "200 exits at once are told one by one, 64 in a turn", test_all_at_once },
                { "the exit of an agent that was let go is not told", test_released },
                { "an exit between look and watch is told", test_dead_before_watch },
                { "a process is watched once", test_watch_refused },
                { "a last word is always handed up before its sender's exit is told", test_last_word },
                { "beyond the budget processes are known without a pidfd, and that is told once",
                  test_budget },
                { "a budget of none", test_no_budget },
                { "the kernel's limit is told once, and once when it is over", test_kernel_limit },
                { "a dead pid is gone without a descriptor, too", test_dead_without_budget },
                { "a kernel without pidfds is no shortage", test_switched_off },
        };
        Suite *s = suite_create("ingress-exits");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_add_test(tc, rows[i].test);
                suite_add_tcase(s, tc);
        }
        return suite_run(s);
}
