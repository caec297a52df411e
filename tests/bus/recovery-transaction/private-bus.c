/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "private-bus.h"
#include "util/macro.h"

/* A test that fails without forking never comes to its private_bus_done(). */
static pid_t running;

static void kill_running(void) {
        if (running > 0)
                (void) kill(running, SIGKILL);
}

static void spawn(PrivateBus *b, int ready) {
        char listen[160], print[32];
        posix_spawn_file_actions_t actions;
        char *argv[] = {
                (char *) "dbus-daemon",
                (char *) "--session",
                (char *) "--nofork",
                (char *) "--nopidfile",
                listen,
                print,
                NULL,
        };

        (void) snprintf(listen, sizeof(listen), "--address=%s", b->address);
        (void) snprintf(print, sizeof(print), "--print-address=%d", 3);
        ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
        ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, ready, 3), 0);
        /* It complains of limits it may not raise; that it failed altogether shows in the pipe. */
        ck_assert_int_eq(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0),
                         0);
        ck_assert_msg(posix_spawnp(&b->pid, "dbus-daemon", &actions, NULL, argv, environ) == 0,
                      "dbus-daemon cannot be run");
        ck_assert_int_eq(posix_spawn_file_actions_destroy(&actions), 0);
        running = b->pid;
}

static void run(PrivateBus *b) {
        char line[256];
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        spawn(b, fds[1]);
        (void) close(fds[1]);
        /* It prints its address once it listens, and closes the pipe when it ends. */
        ck_assert_msg(read(fds[0], line, sizeof(line)) > 0, "dbus-daemon ended at once");
        (void) close(fds[0]);
}

void private_bus_start(PrivateBus *b) {
        *b = (PrivateBus){ .directory = "/tmp/varta-test-bus-XXXXXX" };
        ck_assert_ptr_nonnull(mkdtemp(b->directory));
        if (running == 0)
                (void) atexit(kill_running);
        kill_running();
        (void) snprintf(b->address, sizeof(b->address), "unix:path=%s/bus", b->directory);
        run(b);
}

void private_bus_stop(PrivateBus *b) {
        char path[96];

        if (b->pid == 0)
                return;
        ck_assert_int_eq(kill(b->pid, SIGKILL), 0);
        while (waitpid(b->pid, NULL, 0) < 0)
                ck_assert_int_eq(errno, EINTR);
        b->pid = 0;
        running = -1;
        (void) snprintf(path, sizeof(path), "%s/bus", b->directory);
        (void) unlink(path);
}

void private_bus_restart(PrivateBus *b) {
        private_bus_stop(b);
        run(b);
}

void private_bus_done(PrivateBus *b) {
        private_bus_stop(b);
        (void) rmdir(b->directory);
}

sd_bus *private_bus_connect(const PrivateBus *b, sd_event *event) {
        sd_bus *bus = NULL;

        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, b->address), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(bus, true), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        ck_assert_int_ge(sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL), 0);
        return bus;
}
