/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Passwords are typed into a program of polkit's and never seen here. It registers for its parent, that is us, unless the
 * session has an agent already, tells by closing a descriptor that it has, and then waits for polkit to ask.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/password-agent.h"

/* polkit may have to be started first; the bus itself has no more patience than this. Whoever still waits then is
 * answered without an agent. */
#define PATIENCE_MSEC 25000

/* There is one terminal. 0: no agent. */
static pid_t agent;

/* The agent's process. Does not return. Its streams are the terminal, wherever ours lead. */
static void run_agent(int notify_fd, pid_t parent) {
        char number[16];
        int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (tty < 0 || getppid() != parent || dup2(tty, STDIN_FILENO) < 0 || dup2(tty, STDOUT_FILENO) < 0 ||
            dup2(tty, STDERR_FILENO) < 0 || fcntl(notify_fd, F_SETFD, 0) < 0)
                _exit(EXIT_FAILURE);

        (void) signal(SIGPIPE, SIG_DFL);
        (void) snprintf(number, sizeof(number), "%d", notify_fd);
        (void) execlp("pkttyagent", "pkttyagent", "--notify-fd", number, "--fallback", (char *) NULL);
        _exit(EXIT_FAILURE);
}

void password_agent_open(const Options *options) {
        pid_t parent = getpid();
        struct pollfd p;
        int fds[2];

        if (agent > 0 || options->no_ask_password || options->user ||
            options->transport != TRANSPORT_LOCAL || geteuid() == 0 || !isatty(STDIN_FILENO))
                return;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return;

        (void) fflush(NULL);
        agent = fork();
        if (agent == 0)
                run_agent(fds[1], parent);

        /* Its end hangs up when it is registered, and when it is not and exits. */
        (void) close(fds[1]);
        p = (struct pollfd){ .fd = fds[0] };
        while (agent > 0 && poll(&p, 1, PATIENCE_MSEC) < 0 && errno == EINTR)
                ;
        (void) close(fds[0]);
}

void password_agent_close(void) {
        if (agent <= 0)
                return;

        /* One that was stopped would not hear the first. */
        (void) kill(agent, SIGTERM);
        (void) kill(agent, SIGCONT);
        while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
                ;
        agent = 0;
}
