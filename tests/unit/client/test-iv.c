/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pairs that never come again: positions are set so that a rotation needs no 2^32 beats, the kernel's entropy
 * can be taken away, and whatever could interrupt a take does.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/iv.h"
#include "listener.h"

#define N_THREADS 4
#define N_TAKES   100000
#define N_ROUNDS  2000

/* What happens when entropy is asked for. */
typedef void (*Hook)(void);

static struct {
        int error;           /* fails with this */
        ssize_t size;        /* gives so much; 0: all of it */
        bool zeros;          /* gives nothing but zeros */
        _Atomic Hook before; /* is called before the kernel answers, once */
        _Atomic Hook after;  /* is called when it has answered, once */
        _Atomic unsigned n_calls, flags;
} entropy;

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);

static void call_once(_Atomic Hook *hook) {
        Hook call = atomic_exchange(hook, NULL);

        if (call)
                call();
}

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags) {
        ssize_t n = (ssize_t) size;

        entropy.n_calls++;
        entropy.flags = flags;
        call_once(&entropy.before);

        if (entropy.error > 0) {
                errno = entropy.error;
                return -1;
        }
        if (entropy.size > 0)
                return entropy.size;

        if (entropy.zeros)
                memset(buffer, 0, size);
        else
                n = __real_getrandom(buffer, size, flags);

        call_once(&entropy.after);
        return n;
}

typedef struct Pair {
        uint8_t prefix[VLP_IV_RANDOM_SIZE];
        uint32_t counter;
} Pair;

static Pair take(VartaIv *iv) {
        Pair pair;

        ck_assert_int_eq(varta_iv_take(iv, getpid(), pair.prefix, &pair.counter), 0);
        return pair;
}

/* What the prefix of an index is. */
static void derive(const VartaIv *iv, uint32_t index, uint8_t ret[VLP_IV_RANDOM_SIZE]) {
        uint64_t words[3];
        uint8_t salt[VLP_SALT_SIZE];

        for (int i = 0; i < 3; i++)
                words[i] = iv->entropy[i] ^ (uint32_t) iv->owner;

        memcpy(ret, words, VLP_IV_RANDOM_SIZE);
        memcpy(salt, words + 1, sizeof(salt));
        if (index > 0)
                vlp_derive_iv_prefix(salt, index, ret);
}

static void expect(const VartaIv *iv, Pair pair, uint32_t index, uint32_t counter) {
        uint8_t prefix[VLP_IV_RANDOM_SIZE];

        derive(iv, index, prefix);
        ck_assert_mem_eq(pair.prefix, prefix, sizeof(prefix));
        ck_assert_uint_eq(pair.counter, counter);
}

START_TEST(test_counts) {
        VartaIv iv = {}, other = {};

        for (uint32_t i = 0; i < 1000; i++)
                expect(&iv, take(&iv), 0, i);

        /* Each begins with entropy of its own. */
        expect(&other, take(&other), 0, 0);
        for (int i = 0; i < 3; i++)
                ck_assert_uint_ne(iv.entropy[i], other.entropy[i]);
}
END_TEST

START_TEST(test_entropy_is_asked_for_once) {
        VartaIv iv = {};

        entropy.n_calls = 0;
        for (int i = 0; i < 1000; i++)
                (void) take(&iv);
        ck_assert_uint_eq(entropy.n_calls, 1);
        ck_assert_uint_eq(entropy.flags, GRND_NONBLOCK);
}
END_TEST

START_TEST(test_rotates) {
        VartaIv iv = { .position = UINT32_MAX - 1 };

        expect(&iv, take(&iv), 0, UINT32_MAX - 1);
        expect(&iv, take(&iv), 0, UINT32_MAX);
        expect(&iv, take(&iv), 1, 0);
        expect(&iv, take(&iv), 1, 1);

        iv.position = (UINT64_C(41) << 32) - 1;
        expect(&iv, take(&iv), 40, UINT32_MAX);
        expect(&iv, take(&iv), 41, 0);
}
END_TEST

START_TEST(test_no_entropy) {
        static const int errors[] = { EAGAIN, ENOSYS, EPERM };
        VartaIv iv = {};
        Pair pair;

        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
                entropy.error = errors[i];
                ck_assert_int_eq(varta_iv_take(&iv, getpid(), pair.prefix, &pair.counter), -errors[i]);
        }
        entropy.error = 0;
        entropy.size = 23;
        ck_assert_int_eq(varta_iv_take(&iv, getpid(), pair.prefix, &pair.counter), -EIO);
        entropy.size = 0;

        /* Once there is some, it begins as if nothing had been. */
        expect(&iv, take(&iv), 0, 0);
        entropy.error = EAGAIN;
        expect(&iv, take(&iv), 0, 1); /* and needs no more */
        entropy.error = 0;
}
END_TEST

START_TEST(test_entropy_of_zeros) {
        VartaIv iv = {};

        entropy.zeros = true;
        expect(&iv, take(&iv), 0, 0);
        entropy.zeros = false;
        entropy.n_calls = 0;
        expect(&iv, take(&iv), 0, 1);
        ck_assert_uint_eq(entropy.n_calls, 0);
}
END_TEST

START_TEST(test_another_process) {
        VartaIv iv = { .owner = getpid() + 1 };
        uint8_t prefix[VLP_IV_RANDOM_SIZE];
        uint32_t counter;

        ck_assert_int_eq(varta_iv_take(&iv, getpid(), prefix, &counter), -EOPNOTSUPP);
        ck_assert_uint_eq(iv.position, 0);
}
END_TEST

/* A handler that comes while the first beat of a process waits for its entropy. */
static VartaIv interrupted;
static Pair inner;

static void on_signal(int sig) {
        (void) varta_iv_take(&interrupted, getpid(), inner.prefix, &inner.counter);
}

static void raise_signal(void) {
        (void) raise(SIGUSR1);
}

START_TEST(test_interrupted_while_drawing) {
        const struct sigaction sa = { .sa_handler = on_signal };

        memset(&interrupted, 0, sizeof(interrupted));
        ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
        entropy.before = raise_signal;
        Pair outer = take(&interrupted);
        ck_assert_ptr_ne(signal(SIGUSR1, SIG_DFL), SIG_ERR);

        /* The handler was first, and both follow what it wrote. */
        expect(&interrupted, inner, 0, 0);
        expect(&interrupted, outer, 0, 1);
}
END_TEST

/* Memory as the sealer has it. */
static VartaIv *iv_map(void) {
        VartaIv *iv = mmap(NULL, sizeof(*iv), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(iv, MAP_FAILED);
        ck_assert_int_eq(madvise(iv, sizeof(*iv), MADV_WIPEONFORK), 0);
        return iv;
}

static int child_begins_anew(void *userdata) {
        VartaIv *iv = userdata;
        Pair pair;

        if (iv->owner != 0 || iv->entropy[0] != 0 || iv->entropy[1] != 0 || iv->entropy[2] != 0)
                return 1;

        for (uint32_t i = 0; i < 3; i++) {
                if (varta_iv_take(iv, getpid(), pair.prefix, &pair.counter) != 0)
                        return 2;
                if (pair.counter != i)
                        return 3;
        }
        return 0;
}

START_TEST(test_child) {
        VartaIv *iv = iv_map();

        expect(iv, take(iv), 0, 0);
        expect(iv, take(iv), 0, 1);
        ck_assert_int_eq(run_in_child(child_begins_anew, iv), 0);
        expect(iv, take(iv), 0, 2);
        ck_assert_int_eq(munmap(iv, sizeof(*iv)), 0);
}
END_TEST

static pid_t forked;

static void fork_now(void) {
        forked = fork();
}

/* Memory that a child fills for its parent. */
static Pair *shared_pairs(void) {
        Pair *pairs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(pairs, MAP_FAILED);
        return pairs;
}

/* A handler forks while a process's first beat draws its entropy, and both return into it: in the child,
 * that beat is its parent's and is refused, and the next one is the child's own, even if it was the parent
 * who drew. */
static void fork_while_drawing(_Atomic Hook *when) {
        VartaIv *iv = iv_map();
        Pair *childs = shared_pairs(), mine = {};
        pid_t pid = getpid();
        int r, status;

        iv->owner = pid;
        *when = fork_now;
        r = varta_iv_take(iv, pid, mine.prefix, &mine.counter);
        if (forked == 0)
                _exit(r == -EOPNOTSUPP &&
                                                      varta_iv_take(iv, getpid(), childs->prefix,
                                                                    &childs->counter) == 0 &&
                                                      iv->owner == getpid()
                                      ? 0
                                      : 1);

        ck_assert_int_eq(r, 0);
        ck_assert_int_gt(forked, 0);
        ck_assert_int_eq(waitpid(forked, &status, 0), forked);
        ck_assert_int_eq(status, 0);
        expect(iv, mine, 0, 0);
        ck_assert_mem_ne(childs->prefix, mine.prefix, sizeof(mine.prefix));
        ck_assert_int_eq(munmap(iv, sizeof(*iv)), 0);
        ck_assert_int_eq(munmap(childs, 4096), 0);
}

START_TEST(test_forked_before_drawing) {
        fork_while_drawing(&entropy.before);
}
END_TEST

START_TEST(test_forked_after_drawing) {
        fork_while_drawing(&entropy.after);
}
END_TEST

/* Threads, across a rotation: every pair is there once. */

typedef struct Takers {
        VartaIv iv;
        pthread_barrier_t start;
        uint8_t prefixes[2][VLP_IV_RANDOM_SIZE];
        uint8_t seen[N_THREADS * N_TAKES]; /* by position; atomic */
} Takers;

/* Where in the run of pairs this one is, or -1. */
static long pair_place(const Takers *t, const Pair *pair) {
        const uint32_t first = UINT32_MAX - N_THREADS * N_TAKES / 2 + 1;

        if (memcmp(pair->prefix, t->prefixes[0], sizeof(pair->prefix)) == 0)
                return pair->counter >= first ? (long) (pair->counter - first) : -1;
        if (memcmp(pair->prefix, t->prefixes[1], sizeof(pair->prefix)) == 0)
                return (long) pair->counter + N_THREADS * N_TAKES / 2;
        return -1;
}

static void *taker_run(void *userdata) {
        Takers *t = userdata;
        bool good = true;
        pid_t pid = getpid();

        pthread_barrier_wait(&t->start);
        for (int i = 0; i < N_TAKES && good; i++) {
                Pair pair;
                long place;

                good = varta_iv_take(&t->iv, pid, pair.prefix, &pair.counter) == 0;
                place = good ? pair_place(t, &pair) : -1;
                good = place >= 0 && place < N_THREADS * N_TAKES &&
                       __atomic_exchange_n(&t->seen[place], 1, __ATOMIC_RELAXED) == 0;
        }

        return good ? NULL : t;
}

static void run_threads(void *(*run)(void *userdata), void *userdata, pthread_barrier_t *start) {
        pthread_t threads[N_THREADS];

        ck_assert_int_eq(pthread_barrier_init(start, NULL, N_THREADS), 0);
        for (int i = 0; i < N_THREADS; i++)
                ck_assert_int_eq(pthread_create(threads + i, NULL, run, userdata), 0);
        for (int i = 0; i < N_THREADS; i++) {
                void *wrong;

                ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
                ck_assert_msg(!wrong, "thread %d got what was not its own", i);
        }
        (void) pthread_barrier_destroy(start);
}

START_TEST(test_threads) {
        static Takers t;

        (void) take(&t.iv);
        derive(&t.iv, 0, t.prefixes[0]);
        derive(&t.iv, 1, t.prefixes[1]);
        t.iv.position = UINT32_MAX - N_THREADS * N_TAKES / 2 + 1;
        run_threads(taker_run, &t, &t.start);
}
END_TEST

/* Threads that all come first: they agree on one salt. */

typedef struct Beginners {
        VartaIv iv;
        pthread_barrier_t start;
        _Atomic unsigned n, bad;
        _Atomic uint8_t seen[N_THREADS];
        uint8_t prefixes[N_THREADS][VLP_IV_RANDOM_SIZE];
} Beginners;

static void *beginner_run(void *userdata) {
        Beginners *b = userdata;
        unsigned me = b->n++;
        uint32_t counter = 0;

        pthread_barrier_wait(&b->start);
        if (varta_iv_take(&b->iv, getpid(), b->prefixes[me], &counter) != 0 || counter >= N_THREADS ||
            atomic_exchange(&b->seen[counter], 1) != 0)
                return b;

        return NULL;
}

START_TEST(test_beginners) {
        for (int round = 0; round < N_ROUNDS; round++) {
                Beginners b = {};

                run_threads(beginner_run, &b, &b.start);
                for (int i = 1; i < N_THREADS; i++)
                        ck_assert_mem_eq(b.prefixes[i], b.prefixes[0], VLP_IV_RANDOM_SIZE);
        }
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "counters begin at 0 and rise by one under one prefix", test_counts },
                { "entropy is asked for once, and not waited for", test_entropy_is_asked_for_once },
                { "the prefix changes before the counter would repeat", test_rotates },
                { "without entropy there is no pair", test_no_entropy },
                { "entropy of zeros is entropy", test_entropy_of_zeros },
                { "the memory of another process is refused", test_another_process },
                { "a handler that interrupts the first take gets another pair under the same prefix",
                  test_interrupted_while_drawing },
                { "a child begins with entropy of its own, and its parent goes on", test_child },
                { "a process that splits before it draws entropy has two prefixes",
                  test_forked_before_drawing },
                { "a process that splits after it drew entropy has two prefixes",
                  test_forked_after_drawing },
                { "threads never get the same pair, nor leave one out, across a rotation", test_threads },
                { "threads that begin together agree on one prefix", test_beginners },
        };

        if (vlp_secure_init() < 0)
                return 1;

        return cases_run("client-iv", cases, sizeof(cases) / sizeof(cases[0]));
}
