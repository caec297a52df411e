/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * System calls per beat at full batches, the receive itself apart.
 *
 * A child drains queues under ptrace, which stops it at every system call; its sender is a thread that is not traced.
 * The drains are marked by a call that nothing else makes.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "load.h"
#include "rig.h"

#define AGENTS 4096U
#define DRAINS 64U
#define NAME   "varta-bench-syscalls"

/* Marks the begin and the end of each drain. */
#define MARKER SYS_getppid

static void marker(void) {
        (void) syscall(MARKER);
}

static void drain(void *userdata) {
        marker();
        rig_receive(userdata, QUEUE_LENGTH);
        marker();
}

_Noreturn static void traced(void) {
        Load *load;
        Rig rig;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        rig_init(&rig, AGENTS, NSEC_PER_DAY);
        rig_listen(&rig, NAME);
        rig_introduce(&rig, AGENTS);
        load = load_new(AGENTS, 2);

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                bench_skip("cannot be traced: %s", strerror(errno));
        (void) raise(SIGSTOP);
        (void) load_drain(load, NAME, DRAINS, drain, &rig);
        rig_check(&rig, 2 * (uint64_t) AGENTS + DRAINS * QUEUE_LENGTH);
        _exit(EXIT_SUCCESS);
}

typedef struct Calls {
        bool counting;
        uint64_t receive, other;
} Calls;

static void count(Calls *c, uint64_t number) {
        if (number == MARKER)
                c->counting = !c->counting;
        else if (c->counting && number == SYS_recvmmsg)
                c->receive++;
        else if (c->counting)
                c->other++;
}

/* Follows the child to its end. Returns its exit status. */
static int follow(pid_t pid, Calls *c) {
        int status;

        while (waitpid(pid, &status, 0) == pid) {
                struct ptrace_syscall_info info;
                int signal = 0;

                if (WIFEXITED(status))
                        return WEXITSTATUS(status);
                if (!WIFSTOPPED(status))
                        break;
                if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
                        if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
                            info.op == PTRACE_SYSCALL_INFO_ENTRY)
                                count(c, info.entry.nr);
                } else if (WSTOPSIG(status) == SIGSTOP)
                        (void) ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
                else
                        signal = WSTOPSIG(status);
                if (ptrace(PTRACE_SYSCALL, pid, NULL, signal) < 0)
                        bench_die("Cannot trace");
        }
        return EXIT_FAILURE;
}

int main(void) {
        const double beats = DRAINS * QUEUE_LENGTH;
        Calls calls = {};
        pid_t pid;
        int r;

        bench_private_network(QUEUE_LENGTH);
        pid = fork();
        if (pid < 0)
                bench_die("Cannot fork");
        if (pid == 0)
                traced();
        r = follow(pid, &calls);
        if (r != EXIT_SUCCESS)
                return r;

        bench_report(&(Figure){ "system calls, receiving, per beat", (double) calls.receive / beats,
                                "calls" });
        bench_report(&(Figure){ "system calls, beyond the receive, per beat", (double) calls.other / beats,
                                "calls", 0, GOAL_AT_MOST, 0.05 });
        return EXIT_SUCCESS;
}
