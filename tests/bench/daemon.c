/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The real vartad on a bus of its own. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/bus-names.h"
#include "daemon.h"
#include "util/fd.h"

#define DBUS_DAEMON "/usr/bin/dbus-daemon"

/* Everything is far quicker on the slowest machine. */
#define PATIENCE_USEC (20 * USEC_PER_SEC)

/* Listeners, mostly. */
#define OPTIONS_MAX 64U

static void write_file(const char *dir, const char *name, const char *text) {
        char path[128];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "we");
        if (!f || fputs(text, f) < 0 || fclose(f) != 0)
                bench_die("Cannot write %s", path);
}

/* In the child: nothing to say, and gone when the bench is. */
static void become_quiet(void) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) dup2(fd, STDIN_FILENO);
        (void) dup2(fd, STDERR_FILENO);
        bench_claim(-1);
}

static void start_bus(Daemon *d) {
        char config[512], option[128], ready;
        int fds[2];

        if (access(DBUS_DAEMON, X_OK) < 0)
                bench_skip("there is no %s (package dbus)", DBUS_DAEMON);
        (void) snprintf(config, sizeof(config),
                        "<busconfig><type>custom</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</"
                        "auth>\n"
                        "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\n"
                        "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow "
                        "eavesdrop=\"true\"/></policy>\n"
                        "</busconfig>\n",
                        d->dir);
        write_file(d->dir, "bus.conf", config);
        (void) snprintf(option, sizeof(option), "--config-file=%s/bus.conf", d->dir);
        if (pipe2(fds, O_CLOEXEC) < 0)
                bench_die("Cannot make a pipe");
        d->bus_pid = fork();
        if (d->bus_pid < 0)
                bench_die("Cannot fork");
        if (d->bus_pid == 0) {
                become_quiet();
                (void) dup2(fds[1], STDOUT_FILENO);
                (void) execl(DBUS_DAEMON, DBUS_DAEMON, option, "--nofork", "--nopidfile",
                             "--print-address=1", (char *) NULL);
                _exit(EXIT_FAILURE);
        }
        (void) close(fds[1]);
        if (read(fds[0], &ready, 1) != 1) /* it prints its address when it listens */
                bench_die("dbus-daemon does not start");
        (void) close(fds[0]);
}

static void set_environment(const Daemon *d, const char *const *environment) {
        char text[128];

        (void) snprintf(text, sizeof(text), "unix:path=%s/bus", d->dir);
        (void) setenv("DBUS_SYSTEM_BUS_ADDRESS", text, true);
        (void) snprintf(text, sizeof(text), "%s/notify", d->dir);
        (void) setenv("NOTIFY_SOCKET", text, true);
        for (; environment && *environment; environment++) {
                char name[64] = "", pid[16];
                const char *value = strchr(*environment, '=') + 1;

                (void) snprintf(name, sizeof(name), "%.*s", (int) (value - 1 - *environment), *environment);
                (void) snprintf(pid, sizeof(pid), "%d", (int) getpid());
                (void) setenv(name, strcmp(value, "$$") == 0 ? pid : value, true);
        }
}

static int notify_socket(const Daemon *d) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd;

        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", d->dir);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (const struct sockaddr *) &sa, sizeof(sa)) < 0)
                bench_die("Cannot listen on %s", sa.sun_path);
        return fd;
}

static void start_vartad(Daemon *d, const char *const *environment, const char *text_of_config,
                         const char *const *options) {
        const char *argv[OPTIONS_MAX + 4] = { VARTAD, "--listen=unix:@" DAEMON_SOCKET };
        _cleanup_close_ int notify = notify_socket(d);
        char config[128], text[256];
        ssize_t n;

        write_file(d->dir, "varta.conf", text_of_config);
        (void) snprintf(config, sizeof(config), "--config=%s/varta.conf", d->dir);
        argv[2] = config;
        for (size_t i = 0; options && options[i] && i < OPTIONS_MAX; i++)
                argv[3 + i] = options[i];
        d->pid = fork();
        if (d->pid < 0)
                bench_die("Cannot fork");
        if (d->pid == 0) {
                become_quiet();
                set_environment(d, environment);
                (void) execv(VARTAD, (char *const *) argv);
                _exit(EXIT_FAILURE);
        }
        do {
                n = recv(notify, text, sizeof(text) - 1, 0);
                if (n < 0)
                        bench_die("vartad does not start");
                text[n] = 0;
        } while (!strstr(text, "READY=1"));
}

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        *(bool *) userdata = true;
        return 0;
}

void daemon_start(Daemon *d, const char *const *environment) {
        daemon_start_with(d, environment, "\n", NULL);
}

void daemon_start_with(Daemon *d, const char *const *environment, const char *config,
                       const char *const *options) {
        const char *match = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0="
                            "'" BUS_NAME "'";
        sd_bus_slot *slot = NULL;
        char address[128];
        bool owned = false;

        *d = (Daemon){ .dir = "/tmp/varta-bench-XXXXXX" };
        if (!mkdtemp(d->dir))
                bench_die("Cannot make a directory in /tmp");
        start_bus(d);

        (void) snprintf(address, sizeof(address), "unix:path=%s/bus", d->dir);
        if (sd_bus_new(&d->bus) < 0 || sd_bus_set_address(d->bus, address) < 0 ||
            sd_bus_set_bus_client(d->bus, true) < 0 || sd_bus_start(d->bus) < 0 ||
            sd_bus_add_match(d->bus, &slot, match, on_owner, &owned) < 0)
                bench_die("Cannot connect to the bus");
        start_vartad(d, environment, config, options);
        while (!owned)
                if (sd_bus_process(d->bus, NULL) == 0 && !owned && sd_bus_wait(d->bus, PATIENCE_USEC) <= 0)
                        bench_die("vartad does not get its name");
        sd_bus_slot_unref(slot);
}

static void end(pid_t pid) {
        (void) kill(pid, SIGTERM);
        (void) waitpid(pid, NULL, 0);
}

void daemon_stop(Daemon *d) {
        static const char *const names[] = { "bus", "bus.conf", "notify", "varta.conf" };

        (void) sd_bus_close_unref(d->bus);
        end(d->pid);
        end(d->bus_pid);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char path[128];

                (void) snprintf(path, sizeof(path), "%s/%s", d->dir, names[i]);
                (void) unlink(path);
        }
        (void) rmdir(d->dir);
}

int daemon_connect(const char *name) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        socklen_t size;
        int fd;

        (void) snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "%s", name);
        size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &sa, size) < 0)
                bench_die("Cannot connect to %s", name);
        return fd;
}

void daemon_beat(int fd, uint64_t nonce) {
        uint8_t frame[32];

        bench_frame((uint32_t) getpid() - AGENT_PID(0), nonce, frame);
        if (send(fd, frame, sizeof(frame), 0) < 0)
                bench_die("Cannot send");
}
