/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vartad beside a journald that does not read, or is not there: it goes on, wastes no time, and gives the journal what
 * waited as soon as it can.
 *
 * The journal's socket has a fixed path, so this takes root: a mount namespace with an empty /run.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "bus/bus-names.h"
#include "program.h"
#include "rows.h"
#include "util/fd.h"

#define JOURNAL_DIRECTORY "/run/systemd/journal"
#define JOURNAL_SOCKET    JOURNAL_DIRECTORY "/socket"

#define PATIENCE_MSEC 30000

static Scratch scratch;
static Program daemon_, vartad;
static char address[128];
static int notify_fd = -1, journal = -1;
static sd_bus *bus;

/* ---- a journald ------------------------------------------------------------------------------------------- */

static void journal_start(void) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };

        journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(journal, 0);
        ck_assert_int_eq(bind(journal, (const struct sockaddr *) &sa, sizeof(sa)), 0);
}

static void journal_stop(void) {
        journal = safe_close(journal);
        ck_assert_int_eq(unlink(JOURNAL_SOCKET), 0);
}

/* Reads records until one has the text. */
static void journal_until(const char *text) {
        char record[16384];
        ssize_t n;

        do {
                struct pollfd p = { .fd = journal, .events = POLLIN };

                ck_assert_msg(poll(&p, 1, PATIENCE_MSEC) > 0, "waited in vain for \"%s\"", text);
                n = recv(journal, record, sizeof(record) - 1, 0);
                ck_assert_int_gt(n, 0);
                record[n] = 0;
        } while (!strstr(record, text));
}

/* ---- vartad ----------------------------------------------------------------------------------------------- */

static void write_config(const char *text) {
        int fd = open(scratch_path(&scratch, "varta.conf"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        ck_assert_int_eq(close(fd), 0);
}

static void setup(void) {
        char config[128], listen[128];
        Environment e = { .journal = true };

        scratch_init(&scratch);
        journal_start();
        notify_fd = notify_socket(scratch_path(&scratch, "notify"));
        (void) snprintf(address, sizeof(address), "unix:path=%s", scratch_path(&scratch, "bus"));
        bus_daemon_start(&daemon_, address);
        bus = bus_connect(address);
        write_config("");

        e.bus = address;
        e.notify = scratch_path(&scratch, "notify");
        (void) snprintf(config, sizeof(config), "--config=%s", scratch_path(&scratch, "varta.conf"));
        (void) snprintf(listen, sizeof(listen), "--listen=unix:%s", scratch_path(&scratch, "v.sock"));
        program_start(&vartad, &e, (const char *const[]){ "vartad", "--user", config, listen, NULL });
        notify_until(notify_fd, "READY=1");
        bus_wait_name(bus);
}

static void teardown(void) {
        bus = sd_bus_flush_close_unref(bus);
        program_kill(&vartad);
        program_kill(&daemon_);
        notify_fd = safe_close(notify_fd);
        journal_stop();
        scratch_done(&scratch);
}

/* User and system time so far, in ticks of 10 ms. */
static unsigned long cpu_ticks(void) {
        char path[64], text[1024], *p;
        unsigned long user, system;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) vartad.pid);
        ck_assert_int_gt(read_small_file(AT_FDCWD, path, text, sizeof(text)), 0);
        p = strrchr(text, ')') + 2;
        for (unsigned field = 3; field < 14; field++)
                p = strchr(p, ' ') + 1;
        user = strtoul(p, &p, 10);
        system = strtoul(p, NULL, 10);
        return user + system;
}

/* A third of a second in which nothing is asked of it: at most a third of that may be spent. */
static void assert_at_rest(void) {
        unsigned long before = cpu_ticks();

        (void) poll(NULL, 0, 330);
        ck_assert_msg(cpu_ticks() - before <= 11, "busy for %lu ticks of 33", cpu_ticks() - before);
}

static void log_something(const char *text) {
        write_config(text);
        ck_assert_int_lt(bus_reload(bus), 0);
}

START_TEST(test_reading) {
        log_something("[Observer]\nStallThresholdSec=soon\n");
        journal_until("StallThresholdSec=soon");
        journal_until("MESSAGE_ID=");
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
        ck_assert_str_eq(vartad.err_text, "");
}
END_TEST

START_TEST(test_stuck) {
        for (unsigned i = 0; i < 10000 && bus_get_number(bus, "JournalDropped") == 0; i++)
                log_something("[Observer]\nStallThresholdSec=soon\n");
        ck_assert_uint_gt(bus_get_number(bus, "JournalDropped"), 0);
        assert_at_rest();

        /* Once it reads again, what waited comes by itself; then there is room for more. */
        for (unsigned i = 0; i < 500; i++)
                journal_until("StallThresholdSec=soon");
        log_something("[Observer]\nStallThresholdSec=later\n");
        journal_until("StallThresholdSec=later");
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

START_TEST(test_away) {
        journal_stop();
        log_something("[Observer]\nStallThresholdSec=soon\n");
        assert_at_rest();
        journal_start();
        journal_until("StallThresholdSec=soon"); /* without another word from anybody */
        ck_assert_uint_eq(bus_get_number(bus, "JournalDropped"), 0);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

START_TEST(test_replaced_while_stuck) {
        for (unsigned i = 0; i < 20; i++)
                log_something("[Observer]\nStallThresholdSec=soon\n");
        log_something("[Observer]\nStallThresholdSec=later\n");
        journal_stop();
        journal_start();
        journal_until("StallThresholdSec=later");

        /* Stuck once more, and read once more. */
        for (unsigned i = 0; i < 20; i++)
                log_something("[Observer]\nStallThresholdSec=soon\n");
        log_something("[Observer]\nStallThresholdSec=never\n");
        journal_until("StallThresholdSec=never");
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

/* An empty /run of our own, with the journal's directory. Returns 0 or negative errno. */
static int make_run(void) {
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 ||
            mkdir("/run/systemd", 0755) < 0 || mkdir(JOURNAL_DIRECTORY, 0755) < 0)
                return negative_errno();
        return 0;
}

int main(void) {
        const Row rows[] = {
                { "what is logged goes to the journal, and not to standard error", test_reading },
                { "a journal that does not read keeps nobody waiting, and gets what waited", test_stuck },
                { "a journal that is away costs nothing, and gets what waited when it is back", test_away },
                { "a journal that was replaced while it was stuck gets what waited",
                  test_replaced_while_stuck },
        };
        Suite *s = suite_create("daemon-journal");
        int r;

        r = make_run();
        if (r < 0) {
                printf("SKIP all of it: cannot make a /run of our own: %s\n", strerror(-r));
                return 77;
        }
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_add_test(tc, rows[i].test);
                suite_add_tcase(s, tc);
        }
        return suite_run(s);
}
