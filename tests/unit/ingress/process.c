/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real processes to look at. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "process.h"
#include "util/fd.h"

static void run(int in, void (*function)(int in, void *userdata), void *userdata) {
        char c;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (function)
                function(in, userdata);
        else
                while (read(in, &c, 1) < 0 && errno == EINTR)
                        ;
        _exit(0);
}

void child_start(Child *c, void (*function)(int in, void *userdata), void *userdata) {
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        c->pid = fork();
        if (c->pid < 0)
                ck_abort_msg("cannot fork: %s", strerror(errno));
        if (c->pid == 0) { /* no assertion here: see support.c */
                (void) close(fds[1]);
                run(fds[0], function, userdata);
        }
        ck_assert_int_eq(close(fds[0]), 0);
        c->in = fds[1];
}

int child_start_as(Child *c, pid_t pid) {
        struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t) &pid, .set_tid_size = 1 };
        int fds[2], r;

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        r = (int) syscall(SYS_clone3, &args, sizeof(args));
        if (r == 0) {
                (void) close(fds[1]);
                run(fds[0], NULL, NULL);
        }
        if (r < 0)
                r = negative_errno();
        ck_assert_int_eq(close(fds[0]), 0);
        if (r < 0) {
                ck_assert_int_eq(close(fds[1]), 0);
                return r;
        }
        *c = (Child){ .pid = r, .in = fds[1] };
        return 0;
}

void child_tell(const Child *c, char word) {
        ck_assert_int_eq(write(c->in, &word, 1), 1);
}

void child_wait_zombie(const Child *c) {
        siginfo_t info;

        ck_assert_int_eq(waitid(P_PID, (id_t) c->pid, &info, WEXITED | WNOWAIT), 0);
}

void child_end(Child *c) {
        int status;

        c->in = safe_close(c->in);
        ck_assert_int_eq(kill(c->pid, SIGKILL), 0); /* a zombie does not mind */
        ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
}
