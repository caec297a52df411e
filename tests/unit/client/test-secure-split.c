/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A signal handler forks in the middle of a beat, and both processes return into it: tried at every single
 * instruction of the library. Afterwards all of them go on to beat.
 *
 * The processor does the counting: with its trap flag set it stops after each instruction, and there the
 * parent has a child, which finishes the beat and sends some more, before it takes the next step itself.
 */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "client/sealer.h"
#include "listener.h"

/* Beats that each process sends after the one that was split. */
#define N_LATER 3

/* Children of one beat; with sanitizers, each takes much longer to make. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define CHILDREN_MAX 300
#else
#define CHILDREN_MAX 1000
#endif

/* Of instructions, where no child shall be had at all. */
#define STRIDE_NEVER INT_MAX

typedef struct Datagram {
        int size; /* or a negative errno */
        bool split;
        uint8_t data[VARTA_DATAGRAM_MAX];
} Datagram;

/* What one process sealed: first the beat during which it was split. */
typedef struct Life {
        Datagram datagrams[1 + N_LATER];
} Life;

/* Seals one frame, or takes one pair. */
typedef struct Subject Subject;
struct Subject {
        Datagram (*beat)(const Subject *subject, pid_t pid, uint8_t number);
        VartaSealer *sealer;
        VartaIv *iv;
};

static volatile sig_atomic_t stepping; /* whether an instruction is counted */
static volatile sig_atomic_t steps;
static volatile sig_atomic_t stride; /* from one child to the next */
static volatile sig_atomic_t n_children, n_failed_children;
static volatile sig_atomic_t is_child;

#if defined(__x86_64__)

#define TRAP_FLAG 0x100

/* Where the linker put this program, which contains the library but neither libc nor libsodium: what these do
 * in between cannot be told apart from outside. */
extern const char __executable_start[], etext[];

static bool is_ours(uintptr_t instruction) {
        return instruction >= (uintptr_t) __executable_start && instruction < (uintptr_t) etext;
}

static void have_child(void) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                is_child = 1;
                stepping = 0;
        } else {
                if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                        n_failed_children++;
                n_children++;
        }
}

static void on_step(int sig, siginfo_t *info, void *context) {
        greg_t *flags = &((ucontext_t *) context)->uc_mcontext.gregs[REG_EFL];

        if (sig == SIGUSR1) { /* the beginning */
                *flags |= TRAP_FLAG;
                return;
        }

        if (stepping && is_ours((uintptr_t) ((ucontext_t *) context)->uc_mcontext.gregs[REG_RIP]) &&
            ++steps % stride == 0 && n_children < CHILDREN_MAX)
                have_child();
        if (!stepping)
                *flags &= ~(greg_t) TRAP_FLAG;
}

static void begin_stepping(int new_stride) {
        struct sigaction sa = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };

        ck_assert_int_eq(sigaction(SIGTRAP, &sa, NULL), 0);
        ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
        steps = n_children = n_failed_children = 0;
        stride = new_stride;
        stepping = 1;
        ck_assert_int_eq(raise(SIGUSR1), 0);
}

#else

static void begin_stepping(int new_stride) {
        steps = 0;
}

#endif

static Datagram beat_seal(const Subject *subject, pid_t pid, uint8_t number) {
        uint8_t frame[VLP_FRAME_SIZE] = { number };
        Datagram d = {};

        d.size = varta_sealer_seal(subject->sealer, pid, frame, d.data);
        return d;
}

/* A pair, written as a datagram of the shared form. */
static Datagram beat_take(const Subject *subject, pid_t pid, uint8_t number) {
        Datagram d = {};
        uint32_t counter = 0;
        int r;

        r = varta_iv_take(subject->iv, pid, d.data, &counter);
        memcpy(d.data + VLP_IV_RANDOM_SIZE, &counter, sizeof(counter));
        d.size = r < 0 ? r : VLP_SECURE_SHARED_SIZE;
        return d;
}

/* A subject that has not beaten yet. */
static void subject_open(Subject *subject, bool seals, VartaKeyForm form) {
        static const uint8_t key[VARTA_KEY_SIZE] = { 7 };
        void *p;

        *subject = (Subject){ .beat = seals ? beat_seal : beat_take };
        if (seals) {
                ck_assert_int_eq(varta_sealer_new(form, key, &subject->sealer), 0);
                return;
        }

        p = mmap(NULL, sizeof(*subject->iv), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(p, MAP_FAILED);
        ck_assert_int_eq(madvise(p, sizeof(*subject->iv), MADV_WIPEONFORK), 0);
        subject->iv = p;
        subject->iv->owner = getpid();
}

static void subject_close(Subject *subject) {
        (void) varta_sealer_free(subject->sealer);
        if (subject->iv)
                ck_assert_int_eq(munmap(subject->iv, sizeof(*subject->iv)), 0);
}

/* Beats that are told apart by what they carry: each process has numbers of its own. */
static void live_on(const Subject *subject, Life *life, uint8_t number) {
        life->datagrams[0].split = true;
        for (uint8_t i = 1; i <= N_LATER; i++)
                life->datagrams[i] = subject->beat(subject, getpid(), (uint8_t) (number + i));
}

/* Beats once, and says how many instructions that takes. */
static int count_steps(const Subject *subject, Datagram *ret) {
        begin_stepping(STRIDE_NEVER);
        *ret = subject->beat(subject, getpid(), 0);
        stepping = 0;
        return steps;
}

static int pair_compare(const void *a, const void *b) {
        const Datagram *x = a, *y = b;
        VlpSecureHeader v = {}, w = {};
        int r;

        (void) vlp_secure_parse(x->data, (size_t) x->size, &v);
        (void) vlp_secure_parse(y->data, (size_t) y->size, &w);
        r = memcmp(v.iv_random, w.iv_random, sizeof(v.iv_random));
        return r != 0 ? r : (v.iv_counter > w.iv_counter) - (v.iv_counter < w.iv_counter);
}

/* The two rules: no pair carries two frames, and none but the split beat's is there more than once. */
static void check_lives(const Datagram *before, const Life *lives, int n_lives) {
        Datagram *all = calloc(1 + (size_t) n_lives * (1 + N_LATER), sizeof(*all));
        size_t n = 0;

        ck_assert_ptr_nonnull(all);
        all[n++] = *before;
        for (int i = 0; i < n_lives; i++)
                for (int j = 0; j <= N_LATER; j++) {
                        const Datagram *d = lives[i].datagrams + j;

                        /* In a child, the split beat is its parent's and may be refused. */
                        if (i > 0 && j == 0 && d->size == -EOPNOTSUPP)
                                continue;
                        ck_assert_int_gt(d->size, 0);
                        all[n++] = *d;
                }

        qsort(all, n, sizeof(*all), pair_compare);
        for (size_t i = 1; i < n; i++) {
                const Datagram *a = all + i - 1, *b = all + i;

                if (pair_compare(a, b) != 0)
                        continue;
                ck_assert_msg(a->split && b->split, "a pair came twice");
                ck_assert_int_eq(a->size, b->size);
                ck_assert_mem_eq(a->data, b->data, (size_t) a->size);
        }
        free(all);
}

static void split(bool seals, VartaKeyForm form, bool first) {
        size_t size = (CHILDREN_MAX + 1) * sizeof(Life);
        Subject subject;
        Life *lives, mine = {};
        Datagram before;
        int n_steps;

        subject_open(&subject, seals, form);
        n_steps = count_steps(&subject, &before);
        if (n_steps == 0) {
                printf("Not tested here: a process that splits in the middle of a beat, since this machine "
                       "cannot stop after each instruction.\n");
                subject_close(&subject);
                return;
        }

        if (first) {
                subject_close(&subject);
                subject_open(&subject, seals, form);
        }

        lives = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(lives, MAP_FAILED);

        pid_t pid = getpid();

        begin_stepping(1 + n_steps / CHILDREN_MAX);
        mine.datagrams[0] = subject.beat(&subject, pid, 1);
        stepping = 0;

        live_on(&subject, &mine, is_child ? 100 : 10);
        lives[is_child ? n_children + 1 : 0] = mine;
        if (is_child)
                _exit(0);

        ck_assert_int_eq(n_failed_children, 0);
        ck_assert_int_gt(n_children, 20);
        check_lives(&before, lives, n_children + 1);
        ck_assert_int_eq(munmap(lives, size), 0);
        subject_close(&subject);
}

START_TEST(test_take) {
        split(false, VARTA_KEY_SHARED, _i == 0);
}
END_TEST

START_TEST(test_seal) {
        split(true, (VartaKeyForm) (_i % 2), _i / 2 == 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("client-secure-split");
        SRunner *runner;
        int n_failed;
        TCase *tc;

        if (vlp_secure_init() < 0)
                return 1;

        tc = tcase_create("a process that splits while a pair is taken has no pair twice");
        tcase_add_loop_test(tc, test_take, 0, 2); /* a process's first beat, and a later one */
        tcase_set_timeout(tc, 300);
        suite_add_tcase(s, tc);
        tc = tcase_create("a process that splits while a frame is sealed sends the same datagram or another "
                          "pair");
        tcase_add_loop_test(tc, test_seal, 0, 4); /* both forms of keys */
        tcase_set_timeout(tc, 300);
        suite_add_tcase(s, tc);

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? 0 : 1;
}
