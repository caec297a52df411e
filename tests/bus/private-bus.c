/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "private-bus.h"

static void write_file(const char *path, const char *text) {
        FILE *f = fopen(path, "we");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
}

void private_bus_start(PrivateBus *b) {
        char config[128], option[160], ready[1];
        int fds[2];

        (void) snprintf(config, sizeof(config), "%s/bus.conf", b->dir);
        (void) snprintf(option, sizeof(option), "--config-file=%s", config);
        ck_assert_int_eq(pipe(fds), 0);
        b->pid = fork();
        ck_assert_int_ge(b->pid, 0);
        if (b->pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) close(fds[0]);
                (void) dup2(fds[1], 3);
                (void) execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile",
                              "--print-address=3", (char *) NULL);
                _exit(127);
        }

        /* It prints its address when it listens. */
        (void) close(fds[1]);
        ck_assert_int_eq(read(fds[0], ready, 1), 1);
        (void) close(fds[0]);
}

void private_bus_stop(PrivateBus *b) {
        if (b->pid == 0)
                return;
        ck_assert_int_eq(kill(b->pid, SIGTERM), 0);
        ck_assert_int_eq(waitpid(b->pid, NULL, 0), b->pid);
        b->pid = 0;
}

bool private_bus_init(PrivateBus *b) {
        char text[1024], path[128];

        if (access("/usr/bin/dbus-daemon", X_OK) < 0) {
                (void) printf("skipped: /usr/bin/dbus-daemon is missing (package dbus)\n");
                return false;
        }

        *b = (PrivateBus){ .dir = "/tmp/varta-test-bus-XXXXXX" };
        ck_assert_ptr_nonnull(mkdtemp(b->dir));
        ck_assert_int_eq(chmod(b->dir, 0755), 0);
        (void) snprintf(b->address, sizeof(b->address), "unix:path=%s/bus", b->dir);
        (void) snprintf(path, sizeof(path), "%s/bus.conf", b->dir);
        (void) snprintf(text, sizeof(text),
                        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration "
                        "1.0//EN\"\n"
                        "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                        "<busconfig><type>custom</type><listen>%s</listen><auth>EXTERNAL</auth>\n"
                        "<servicedir>%s</servicedir>\n"
                        "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\n"
                        "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow "
                        "eavesdrop=\"true\"/></policy></busconfig>\n",
                        b->address, b->dir);
        write_file(path, text);

        /* Whoever has the observer started leaves a trace. */
        (void) snprintf(path, sizeof(path), "%s/" BUS_NAME ".service", b->dir);
        (void) snprintf(text, sizeof(text),
                        "[D-BUS Service]\nName=" BUS_NAME "\nExec=/bin/touch %s/started\n", b->dir);
        write_file(path, text);
        private_bus_start(b);
        return true;
}

bool private_bus_started_observer(const PrivateBus *b) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/started", b->dir);
        return access(path, F_OK) >= 0;
}

void private_bus_done(PrivateBus *b) {
        static const char *const files[] = { "bus.conf", "bus", BUS_NAME ".service", "started" };
        char path[128];

        private_bus_stop(b);
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", b->dir, files[i]);
                (void) unlink(path);
        }
        ck_assert_int_eq(rmdir(b->dir), 0);
}

sd_bus *private_bus_connect(const PrivateBus *b, Fixture *f) {
        sd_bus *bus;

        ck_assert_int_eq(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, b->address), 0);
        ck_assert_int_eq(sd_bus_set_bus_client(bus, true), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        ck_assert_int_ge(sd_bus_attach_event(bus, f->event, 0), 0);
        return bus;
}

static bool name_was_answered(Fixture *f) {
        return f->name_answers > 0;
}

void private_bus_serve(const PrivateBus *b, Fixture *f) {
        f->name_answers = 0;
        f->bus = private_bus_connect(b, f);
        ck_assert_int_eq(bus_server_attach(f->server, f->bus), 0);
        fixture_run_until(f, name_was_answered);
}
