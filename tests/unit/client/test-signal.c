/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Beats from signal handlers: last words of a real crash, and handlers that interrupt beats at any
 * instruction.
 */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"

/* Enough to hit every few instructions of a beat sooner or later, and quick to reach. */
#define N_INTERRUPTIONS 2000

static Listener listener;
static VartaAgent *agent;
static int handler_result;

int __real_poll(struct pollfd *fds, nfds_t n_fds, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n_fds, int timeout);

/* While a beat waits, the signal comes; then there is room. */
int __wrap_poll(struct pollfd *fds, nfds_t n_fds, int timeout) {
        (void) listener_take(&listener, NULL, NULL);
        (void) listener_take(&listener, NULL, NULL);
        (void) raise(SIGUSR1);
        return __real_poll(fds, n_fds, timeout);
}

static void on_last_word(int sig) {
        handler_result = varta_beat_terminal(agent, (uint32_t) sig, 0);
}

static void begin(int sig, void (*handler)(int), int flags) {
        struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

        listener_open(&listener);
        agent = listener_agent(&listener);
        handler_result = -1;
        ck_assert_int_eq(sigaction(sig, &sa, NULL), 0);
}

static void end(int sig) {
        ck_assert_ptr_ne(signal(sig, SIG_DFL), SIG_ERR);
        agent = varta_close(agent);
        listener_close(&listener);
}

START_TEST(test_raised) {
        begin(SIGUSR1, on_last_word, 0);

        errno = E2BIG;
        ck_assert_int_eq(raise(SIGUSR1), 0);
        ck_assert_int_eq(errno, E2BIG);
        ck_assert_int_eq(handler_result, VARTA_SENT);

        VlpFrame frame = listener_expect(&listener);
        ck_assert_uint_eq(frame.nonce, UINT64_MAX);
        ck_assert_uint_eq(frame.status, VLP_STATUS_CRITICAL);
        ck_assert_uint_eq(frame.payload, SIGUSR1);
        ck_assert_uint_eq(frame.pid, (uint32_t) getpid());

        end(SIGUSR1);
}
END_TEST

START_TEST(test_interrupts_wait) {
        begin(SIGUSR1, on_last_word, 0);

        unsigned n = fill_queue(&listener);
        ck_assert_int_eq(varta_beat_wait(agent, VARTA_STATUS_OK, 42, 30000), VARTA_SENT);
        ck_assert_int_eq(handler_result, VARTA_SENT);

        VlpFrame before = {}, word = {}, after = {};
        for (unsigned i = 0; i < n; i++) {
                before = word;
                word = after;
                after = listener_expect(&listener);
        }
        listener_expect_none(&listener);
        ck_assert(vlp_frame_is_terminal(&word));
        ck_assert_uint_eq(after.payload, 42);
        ck_assert_uint_eq(after.nonce, before.nonce + 1);

        end(SIGUSR1);
}
END_TEST

static void on_crash(int sig) {
        (void) varta_beat_terminal(agent, 11, 100);
        /* SA_RESETHAND: returning repeats the crash, and this time it kills. */
}

/* Touches memory that must not be touched, on a stack that is not the handler's. */
static void crash(void) {
        static char stack[1 << 16];
        stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
        struct sigaction sa = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_ONSTACK };
        struct rlimit no_core = {};
        volatile char *forbidden;

        (void) setrlimit(RLIMIT_CORE, &no_core);
        forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (forbidden == MAP_FAILED || sigaltstack(&ss, NULL) < 0 || sigaction(SIGSEGV, &sa, NULL) < 0)
                _exit(EXIT_FAILURE);

        *forbidden = 1;
        _exit(EXIT_SUCCESS);
}

START_TEST(test_crash) {
        int status;
        pid_t pid;

        begin(SIGUSR1, on_last_word, 0);

        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                if (varta_beat(agent, VARTA_STATUS_OK, 1) != VARTA_SENT)
                        _exit(EXIT_FAILURE);
                crash();
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGSEGV);

        VlpFrame beat = listener_expect(&listener), word = listener_expect(&listener);
        ck_assert_uint_eq(beat.nonce, 1);
        ck_assert(vlp_frame_is_terminal(&word));
        ck_assert_uint_eq(word.pid, (uint32_t) pid);
        ck_assert_uint_eq(word.payload, 11);
        ck_assert_uint_gt(word.timestamp, beat.timestamp);

        end(SIGUSR1);
}
END_TEST

static volatile sig_atomic_t n_interruptions, n_sent_by_handler;

static void on_timer(int sig) {
        n_interruptions++;
        if (varta_beat(agent, VARTA_STATUS_DEGRADED, 0) == VARTA_SENT)
                n_sent_by_handler++;
}

/* Beats, and beats from a handler that interrupts them: no nonce comes twice and none is missing. */
START_TEST(test_interrupts_beats) {
        const struct itimerval every = { .it_interval.tv_usec = 100, .it_value.tv_usec = 100 }, never = {};
        static uint8_t seen[1 << 22];
        uint64_t first = 0, highest = 0, n_sent = 0, n_seen = 0;
        VlpFrame frame;

        begin(SIGALRM, on_timer, SA_RESTART);
        n_interruptions = n_sent_by_handler = 0;
        memset(seen, 0, sizeof(seen));

        ck_assert_int_eq(varta_beat(agent, VARTA_STATUS_OK, 0), VARTA_SENT);
        first = listener_expect(&listener).nonce;

        ck_assert_int_eq(setitimer(ITIMER_REAL, &every, NULL), 0);
        while (n_interruptions < N_INTERRUPTIONS && highest < sizeof(seen) / 2) {
                if (varta_beat(agent, VARTA_STATUS_OK, 0) == VARTA_SENT)
                        n_sent++;

                while (listener_take(&listener, &frame, NULL)) {
                        uint64_t i = frame.nonce - first;

                        ck_assert_uint_lt(i, sizeof(seen));
                        ck_assert_msg(!seen[i], "nonce %llu came twice", (unsigned long long) frame.nonce);
                        seen[i] = 1;
                        n_seen++;
                        highest = i > highest ? i : highest;
                }
        }
        ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
        n_seen += listener_drain(&listener);

        ck_assert_int_gt(n_sent_by_handler, 0);
        ck_assert_uint_eq(n_seen, n_sent + (uint64_t) n_sent_by_handler);

        end(SIGALRM);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "a handler sends a last word, and errno stays what it was", test_raised },
                { "a handler that interrupts a waiting beat sends its word, and the beat follows",
                  test_interrupts_wait },
                { "a process that crashes sends its last word and dies of the crash", test_crash },
                { "beats that interrupt beats all arrive, each with its own nonce", test_interrupts_beats },
        };

        return cases_run("client-signal", cases, sizeof(cases) / sizeof(cases[0]));
}
