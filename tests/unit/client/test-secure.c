/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealed beats against a real socket, in both forms of keys: what is on the wire, which pairs it carries, and
 * that nothing is sent where a pair cannot be had. Pairs across processes are test-secure-fork.c's.
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "capture.h"
#include "listener.h"

#define N_THREADS 4
#define N_BEATS   1000

/* What any receive buffer has room for. */
#define N_QUEUED 50

static int entropy_error; /* what getrandom() fails with */

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags) {
        if (entropy_error > 0) {
                errno = entropy_error;
                return -1;
        }
        return __real_getrandom(buffer, size, flags);
}

/* How many calls of madvise() succeed before they fail; negative: all of them. */
static int n_advices = -1;

int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);

int __wrap_madvise(void *address, size_t size, int advice) {
        if (n_advices == 0) {
                errno = EINVAL;
                return -1;
        }
        n_advices--;
        return __real_madvise(address, size, advice);
}

/* Every test runs for each form over each family. */
static VartaKeyForm form_of(int i) {
        return i % 2 == 0 ? VARTA_KEY_SHARED : VARTA_KEY_MASTER;
}

static int family_of(int i) {
        return i / 2 == 0 ? AF_INET : AF_INET6;
}

static void begin(Capture *c, int i) {
        capture_open(c, form_of(i), family_of(i));
}

/* Sends a beat that must arrive, and returns its header. */
static VlpSecureHeader beat(Capture *c, uint32_t payload) {
        VlpSecureHeader header;

        ck_assert_int_eq(varta_beat(c->agent, VARTA_STATUS_OK, payload), VARTA_SENT);
        ck_assert_uint_eq(capture_wait(c, &header).payload, payload);
        return header;
}

START_TEST(test_fields) {
        VlpSecureHeader header;
        VlpFrame last = {};
        Capture c;

        begin(&c, _i);
        ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_DEGRADED, 4711), VARTA_SENT);
        VlpFrame frame = capture_wait(&c, &header);
        ck_assert_uint_eq(frame.pid, (uint32_t) getpid());
        ck_assert_uint_eq(frame.status, VLP_STATUS_DEGRADED);
        ck_assert_uint_eq(frame.payload, 4711);
        ck_assert_uint_eq(header.iv_counter, 0);
        ck_assert_uint_eq(header.agent_pid, c.form == VARTA_KEY_MASTER ? (uint32_t) getpid() : 0);

        ck_assert_int_eq(varta_beat_terminal(c.agent, 9, 0), VARTA_SENT);
        last = capture_wait(&c, &header);
        ck_assert(vlp_frame_is_terminal(&last));
        ck_assert_uint_eq(header.iv_counter, 1);
        capture_close(&c);
}
END_TEST

START_TEST(test_counts) {
        VlpSecureHeader first;
        Capture c;

        begin(&c, _i);
        first = beat(&c, 0);
        for (uint32_t i = 1; i < 100; i++) {
                VlpSecureHeader header = beat(&c, i);

                ck_assert_uint_eq(header.iv_counter, i);
                ck_assert_mem_eq(header.iv_random, first.iv_random, VLP_IV_RANDOM_SIZE);
        }
        capture_close(&c);
}
END_TEST

START_TEST(test_rotates) {
        VlpSecureHeader before, after;
        Capture c;

        begin(&c, _i);
        (void) beat(&c, 0);
        c.iv->position = UINT32_MAX - 1;
        before = beat(&c, 1);
        ck_assert_uint_eq(before.iv_counter, UINT32_MAX - 1);
        before = beat(&c, 2);
        ck_assert_uint_eq(before.iv_counter, UINT32_MAX);
        for (uint32_t i = 0; i < 10; i++) {
                after = beat(&c, i);
                ck_assert_uint_eq(after.iv_counter, i);
                ck_assert_mem_ne(after.iv_random, before.iv_random, VLP_IV_RANDOM_SIZE);
        }
        capture_close(&c);
}
END_TEST

START_TEST(test_reopens) {
        VlpSecureHeader first, second;
        Capture c;

        begin(&c, _i);
        for (uint32_t i = 0; i < 20; i++) {
                first = beat(&c, i);
                capture_reopen(&c);
                second = beat(&c, i);
                ck_assert_uint_eq(second.iv_counter, 0);
                ck_assert_mem_ne(second.iv_random, first.iv_random, VLP_IV_RANDOM_SIZE);
        }
        capture_close(&c);
}
END_TEST

/* A beat that is told "no observer" was sent with a pair of its own; see test-udp.c. */
START_TEST(test_no_observer) {
        Capture c;

        begin(&c, _i);
        int fd = next_fd() - 1; /* the handle's is the latest */
        VlpSecureHeader header = beat(&c, 0);

        receiver_leave(&c.receiver);
        for (uint32_t i = 1; i <= 3; i++) {
                ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_OK, i),
                                 i == 1 ? VARTA_SENT : VARTA_DROPPED_NO_OBSERVER);
                wait_for_refusal(fd);
        }
        receiver_return(&c.receiver);
        ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_OK, 4), VARTA_DROPPED_NO_OBSERVER);
        ck_assert_uint_eq(capture_wait(&c, &header).payload, 4);
        ck_assert_uint_eq(header.iv_counter, 4);
        header = beat(&c, 5);
        ck_assert_uint_eq(header.iv_counter, 5);
        capture_close(&c);
}
END_TEST

START_TEST(test_no_entropy) {
        VlpSecureHeader header;
        Capture c;

        begin(&c, _i);
        entropy_error = ENOSYS;
        ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_OK, 0), -ENOSYS);
        entropy_error = EAGAIN; /* which is no full queue, and not waited for */
        ck_assert_int_eq(varta_beat_wait(c.agent, VARTA_STATUS_OK, 0, LONG_MS), -EAGAIN);
        ck_assert_int_eq(varta_beat_terminal(c.agent, 0, LONG_MS), -EAGAIN);
        receiver_expect_none(&c.receiver);

        entropy_error = 0;
        header = beat(&c, 1);
        ck_assert_uint_eq(header.iv_counter, 0);

        entropy_error = EAGAIN; /* needed once per process only */
        header = beat(&c, 2);
        ck_assert_uint_eq(header.iv_counter, 1);
        entropy_error = 0;
        capture_close(&c);
}
END_TEST

/* What was refused for want of entropy uses up no number either. */
START_TEST(test_no_entropy_no_nonce) {
        VlpSecureHeader header;
        Capture c;

        begin(&c, _i);
        ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        uint64_t nonce = capture_wait(&c, &header).nonce;

        capture_reopen(&c);
        entropy_error = EPERM;
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_OK, 0), -EPERM);
        entropy_error = 0;
        ck_assert_int_eq(varta_beat(c.agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        ck_assert_uint_eq(capture_wait(&c, &header).nonce, nonce + 1);
        capture_close(&c);
}
END_TEST

typedef struct Crowd {
        VartaAgent *agent;
        _Atomic unsigned n_sent, n_received;
        _Atomic int n_running;
} Crowd;

static void *sender_run(void *userdata) {
        Crowd *crowd = userdata;
        bool good = true;

        for (int i = 0; i < N_BEATS; i++) {
                /* So that the receiver loses none. */
                while (crowd->n_sent++ - crowd->n_received > N_QUEUED) {
                        crowd->n_sent--;
                        (void) sched_yield();
                }
                good = varta_beat(crowd->agent, VARTA_STATUS_OK, 0) == VARTA_SENT && good;
        }

        crowd->n_running--;
        return good ? NULL : crowd;
}

/* In the middle of it, the prefix changes. */
START_TEST(test_threads) {
        pthread_t threads[N_THREADS];
        VlpSecureHeader header;
        VlpFrame frame;
        Crowd crowd;
        Capture c;

        begin(&c, _i);
        (void) beat(&c, 0);
        c.iv->position = UINT32_MAX - N_THREADS * N_BEATS / 2;
        crowd = (Crowd){ .agent = c.agent, .n_running = N_THREADS };
        for (int i = 0; i < N_THREADS; i++)
                ck_assert_int_eq(pthread_create(threads + i, NULL, sender_run, &crowd), 0);
        for (bool last = false; !last;) {
                last = crowd.n_running == 0;
                while (capture_take(&c, &header, &frame))
                        crowd.n_received++;
        }
        for (int i = 0; i < N_THREADS; i++) {
                void *wrong;

                ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
                ck_assert_ptr_null(wrong);
        }
        ck_assert_uint_eq(c.iv->position >> 32, 1);
        ck_assert_uint_eq(c.n_pairs, 1 + N_THREADS * N_BEATS);
        capture_close(&c);
}
END_TEST

/* As programs use it. */
START_TEST(test_public) {
        VlpSecureHeader header;
        uint8_t key[VARTA_KEY_SIZE];
        Capture c;

        begin(&c, _i);
        c.agent = varta_close(c.agent);
        memcpy(key, c.key, sizeof(key));
        ck_assert_int_eq(varta_open_secure(c.receiver.address, c.form, key, &c.agent), 0);
        memset(key, 0, sizeof(key)); /* it was copied */
        header = beat(&c, 1);
        ck_assert_uint_eq(header.iv_counter, 0);
        capture_close(&c);
}
END_TEST

START_TEST(test_arguments) {
        static const struct {
                const char *address;
                int expected;
        } rows[] = {
                { NULL, -EINVAL },
                { "", -EINVAL },
                { "udp:127.0.0.1", -EINVAL },
                { "udp:localhost:8674", -EINVAL },
                { "varta.sock", -EINVAL },
                { "/run/varta/varta.sock", -EPROTONOSUPPORT },
                { "@varta", -EPROTONOSUPPORT },
                { "unix:/run/varta/varta.sock", -EPROTONOSUPPORT },
                { "tcp:127.0.0.1:8674", -EPROTONOSUPPORT },
                { "udp:[fe80::1%nonexistent0]:8674", -ENODEV },
        };
        static const uint8_t key[VARTA_KEY_SIZE];
        VartaAgent *agent = NULL;
        int fd = next_fd();

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                ck_assert_int_eq(varta_open_secure(rows[i].address, form_of(_i), key, &agent),
                                 rows[i].expected);
        ck_assert_int_eq(varta_open_secure("udp:127.0.0.1:8674", _VARTA_KEY_FORM_MAX, key, &agent), -EINVAL);
        ck_assert_int_eq(varta_open_secure("udp:127.0.0.1:8674", _VARTA_KEY_FORM_INVALID, key, &agent),
                         -EINVAL);
        ck_assert_int_eq(varta_open_secure("udp:127.0.0.1:8674", form_of(_i), NULL, &agent), -EINVAL);
        ck_assert_int_eq(varta_open_secure("udp:127.0.0.1:8674", form_of(_i), key, NULL), -EINVAL);
        ck_assert_ptr_null(agent);
        ck_assert_int_eq(next_fd(), fd);
}
END_TEST

/* Whether a line of smaps begins a mapping ("7f00-7fff rw-p ..."), and whether `address` lies in it. */
static bool mapping_begins(const char *line, const void *address, bool *ret_inside) {
        char *dash, *blank;
        unsigned long begin = strtoul(line, &dash, 16), end;

        if (dash == line || *dash != '-')
                return false;

        end = strtoul(dash + 1, &blank, 16);
        if (*blank != ' ')
                return false;

        *ret_inside = begin <= (unsigned long) address && (unsigned long) address < end;
        return true;
}

/* Whether the mapping around `address` has the kernel's flag, such as " dd" for "not dumped". */
static bool mapping_has(const void *address, const char *flag) {
        FILE *f = fopen("/proc/self/smaps", "re");
        bool inside = false, found = false;
        char line[512];

        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f))
                if (!mapping_begins(line, address, &inside) && inside && strncmp(line, "VmFlags:", 8) == 0)
                        found = strstr(line, flag);
        ck_assert_int_eq(fclose(f), 0);
        return found;
}

START_TEST(test_memory) {
        static const uint8_t key[VARTA_KEY_SIZE] = { 1 };
        VartaSealer *sealer;

        ck_assert_int_eq(varta_sealer_new(form_of(_i), key, &sealer), 0);
        const uint8_t *first = (const uint8_t *) sealer, *second = first + sysconf(_SC_PAGESIZE);

        /* Not dumped, the second page cleared in children, and locked (if that is allowed here). */
        ck_assert(mapping_has(first, " dd"));
        ck_assert(mapping_has(second, " dd"));
        ck_assert(!mapping_has(first, " wf"));
        ck_assert(mapping_has(second, " wf"));
        if (!mapping_has(first, " lo"))
                printf("Not tested here: locked memory, of which there may be none.\n");
        else
                ck_assert(mapping_has(second, " lo"));
        ck_assert((const uint8_t *) varta_sealer_iv(sealer) == second);

        ck_assert_ptr_null(varta_sealer_free(sealer));
        ck_assert_ptr_null(varta_sealer_free(NULL));
}
END_TEST

/* Without the kernel's promises nothing is sealed. */
START_TEST(test_no_promises) {
        static const uint8_t key[VARTA_KEY_SIZE] = { 1 };
        VartaAgent *agent = NULL;
        int fd = next_fd();

        for (int i = 0; i < 2; i++) {
                n_advices = i;
                ck_assert_int_eq(varta_open_secure("udp:127.0.0.1:8674", form_of(_i), key, &agent), -EINVAL);
                ck_assert_ptr_null(agent);
        }
        n_advices = -1;
        ck_assert_int_eq(next_fd(), fd);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "a frame is on the wire as its form says, legible with the key only", test_fields },
                { "counters begin at 0 and rise by one under one prefix", test_counts },
                { "the prefix changes before the counter would repeat", test_rotates },
                { "a handle that is opened again has another prefix", test_reopens },
                { "no pair is used twice for an observer that goes and comes back", test_no_observer },
                { "without entropy nothing is sent", test_no_entropy },
                { "without entropy no number is used up", test_no_entropy_no_nonce },
                { "threads share no pair, across a rotation", test_threads },
                { "a handle that programs open", test_public },
                { "what no caller may ask for is refused and leaves nothing open", test_arguments },
                { "keys lie in memory that is locked, not dumped, and apart from what children must not "
                  "have",
                  test_memory },
                { "a kernel that does not clear memory in children is not sealed on", test_no_promises },
        };
        Suite *s = suite_create("client-secure");
        SRunner *runner;
        int n_failed;

        if (vlp_secure_init() < 0)
                return 1;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                TCase *tc = tcase_create(cases[i].title);

                tcase_add_loop_test(tc, cases[i].test, 0, 4);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? 0 : 1;
}
