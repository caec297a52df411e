/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

/* How long a program of the tests may take. */
#define PROGRAM_PATIENCE_MS 60000

/* A child ends with the test, whatever happens to it. */
static pid_t fork_child(void) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return pid;
}

/* In the child. */
static void set_environment(const char *const *environment) {
        for (size_t i = 0; environment && environment[i]; i++) {
                char *copy = strdup(environment[i]), *equals = strchr(copy, '=');

                if (!equals) {
                        (void) unsetenv(copy);
                        continue;
                }
                *equals = 0;
                (void) setenv(copy, equals + 1, true);
        }
}

/* Likewise: environment, streams, program. */
static void exec_program(const char *const *args, const char *const *environment, int in, int out, int err) {
        set_environment(environment);
        (void) dup2(in, STDIN_FILENO);
        (void) dup2(out, STDOUT_FILENO);
        (void) dup2(err, STDERR_FILENO);
        (void) execv(args[0], (char *const *) args);
        _exit(127);
}

static int make_file(const char *text) {
        int fd = memfd_create("stream", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        if (text)
                ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static void read_file(int fd, char *buf, size_t size) {
        ssize_t n = pread(fd, buf, size - 1, 0);

        ck_assert_int_ge(n, 0);
        buf[n] = 0;
        (void) close(fd);
}

int wait_program(pid_t pid, void (*turn)(void *userdata), void *userdata) {
        int status, pidfd = (int) syscall(SYS_pidfd_open, pid, 0U);
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        ck_assert_int_ge(pidfd, 0);
        for (int waited = 0; poll(&p, 1, turn ? 0 : 10) == 0; waited += 10) {
                if (turn)
                        turn(userdata);
                ck_assert_msg(waited < PROGRAM_PATIENCE_MS * 10, "the program does not end");
        }
        (void) close(pidfd);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void run_program(const char *const *args, const char *input, const char *const *environment,
                 void (*turn)(void *userdata), void *userdata, Outcome *ret) {
        int in = make_file(input), out = make_file(NULL), err = make_file(NULL);
        pid_t pid = fork_child();

        if (pid == 0)
                exec_program(args, environment, in, out, err);
        (void) close(in);
        ret->code = wait_program(pid, turn, userdata);
        read_file(out, ret->out, sizeof(ret->out));
        read_file(err, ret->err, sizeof(ret->err));
}

void run_in_terminal(const char *const *args, const char *const *environment, unsigned short columns,
                     void (*turn)(void *userdata), void *userdata, Outcome *ret) {
        const struct winsize ws = { .ws_row = 25, .ws_col = columns };
        size_t used = 0;
        int terminal;
        ssize_t n;
        pid_t pid;

        pid = forkpty(&terminal, NULL, NULL, &ws);
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                set_environment(environment);
                (void) execv(args[0], (char *const *) args);
                _exit(127);
        }

        /* A terminal that nobody reads would block it; what it wrote last stays until it is read. */
        ret->code = wait_program(pid, turn, userdata);
        while (used < sizeof(ret->out) - 1 &&
               (n = read(terminal, ret->out + used, sizeof(ret->out) - 1 - used)) > 0)
                used += (size_t) n;
        ret->out[used] = 0;
        ret->err[0] = 0;
        (void) close(terminal);
        for (char *p = ret->out; (p = strstr(p, "\r\n"));)
                memmove(p, p + 1, strlen(p));
}

pid_t start_program(const char *const *args, const char *const *environment, int *ret_out, int *ret_err) {
        int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out[2], err[2];
        pid_t pid;

        ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
        pid = fork_child();
        if (pid == 0)
                exec_program(args, environment, in, out[1], err[1]);
        (void) close(in);
        (void) close(out[1]);
        (void) close(err[1]);
        *ret_out = out[0];
        *ret_err = err[0];
        return pid;
}

int tests_main(const char *name, const NamedTest *tests, size_t n) {
        Suite *suite = suite_create(name);
        SRunner *runner;
        int failed;

        for (size_t i = 0; i < n; i++) {
                TCase *c = tcase_create(tests[i].title);

                tcase_set_timeout(c, 120);
                tcase_add_test(c, tests[i].test);
                suite_add_tcase(suite, c);
        }

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_VERBOSE);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
