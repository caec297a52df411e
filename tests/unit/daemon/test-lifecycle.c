/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How vartad starts, or says why it does not, and how it ends. No bus is needed for any of it. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "ingress/identity.h"
#include "ingress/listener.h"
#include "program.h"
#include "rows.h"
#include "util/fd.h"

static Scratch scratch;
static Program first, second;
static int notify_fd = -1;

static void write_file(const char *path, const char *text) {
        int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        ck_assert_int_eq(close(fd), 0);
}

static void setup(void) {
        scratch_init(&scratch);
        notify_fd = notify_socket(scratch_path(&scratch, "notify"));
        write_file(scratch_path(&scratch, "varta.conf"), "");
}

static void teardown(void) {
        program_kill(&first);
        program_kill(&second);
        notify_fd = safe_close(notify_fd);
        scratch_done(&scratch);
}

static bool is_there(const char *path) {
        struct stat st;

        return lstat(path, &st) >= 0;
}

/* "--NAME=DIRECTORY/FILE" */
static const char *argument(const char *option, const char *file) {
        static char buffers[8][256];
        static unsigned next;
        char *buf = buffers[next++ % ELEMENTSOF(buffers)];

        (void) snprintf(buf, sizeof(buffers[0]), "%s%s", option, scratch_path(&scratch, file));
        return buf;
}

/* A vartad with an empty configuration, listening on NAME in the scratch directory, and no bus. */
static void start(Program *p, const char *name, const Environment *environment) {
        program_start(p, environment,
                      (const char *const[]){ "vartad", "--user", argument("--config=", "varta.conf"),
                                             argument("--listen=unix:", name), NULL });
}

static void start_ready(Program *p, const char *name) {
        start(p, name, &(Environment){ .notify = scratch_path(&scratch, "notify") });
        notify_until(notify_fd, "READY=1");
}

/* It ended with 1 and one line, which has all the words. */
static void assert_refused(Program *p, const char *const words[]) {
        ck_assert_int_eq(program_wait(p), 1);
        ck_assert_msg(count_lines(p->err_text) == 1, "not one line: %s", p->err_text);
        for (; *words; words++)
                ck_assert_msg(strstr(p->err_text, *words), "\"%s\" is not in: %s", *words, p->err_text);
}

/* ---- no start --------------------------------------------------------------------------------------------- */

START_TEST(test_nothing_to_listen_on) {
        program_start(&first, &(Environment){},
                      (const char *const[]){ "vartad", "--user", argument("--config=", "varta.conf"),
                                             NULL });
        assert_refused(&first, (const char *const[]){ "Nothing to listen on", "varta.socket",
                                                      "--listen=unix:PATH", NULL });
}
END_TEST

START_TEST(test_path_too_long) {
        char name[128];

        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        start(&first, name, &(Environment){});
        assert_refused(&first, (const char *const[]){ name, "107 characters", NULL });
}
END_TEST

START_TEST(test_no_directory) {
        start(&first, "missing/v.sock", &(Environment){});
        assert_refused(&first, (const char *const[]){ "missing/v.sock", "No such file or directory", NULL });
}
END_TEST

START_TEST(test_no_socket_there) {
        write_file(scratch_path(&scratch, "v.sock"), "precious");
        start(&first, "v.sock", &(Environment){});
        assert_refused(&first, (const char *const[]){ "v.sock", "no socket", "choose another path", NULL });
        ck_assert(is_there(scratch_path(&scratch, "v.sock")));
}
END_TEST

START_TEST(test_same_path) {
        start_ready(&first, "v.sock");
        start(&second, "v.sock", &(Environment){});
        assert_refused(&second, (const char *const[]){ "v.sock", "another process receives there", NULL });

        /* The first one still has its path, and receives. */
        ck_assert_int_eq(close(connect_to(scratch_path(&scratch, "v.sock"))), 0);
        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
}
END_TEST

START_TEST(test_same_path_twice) {
        const char *listen = argument("--listen=unix:", "v.sock");

        program_start(&first, &(Environment){},
                      (const char *const[]){ "vartad", "--user", argument("--config=", "varta.conf"), listen,
                                             listen, NULL });
        assert_refused(&first, (const char *const[]){ "v.sock", "another process receives there", NULL });
        ck_assert(!is_there(scratch_path(&scratch, "v.sock"))); /* what it had made is taken away again */
}
END_TEST

/* ---- the end ---------------------------------------------------------------------------------------------- */

static const struct {
        const char *title;
        int number;
} endings[] = {
        { "SIGTERM ends it with 0, its paths are gone, and systemd is told", SIGTERM },
        { "SIGINT likewise", SIGINT },
};

START_TEST(test_end) {
        program_start(&first, &(Environment){ .notify = scratch_path(&scratch, "notify") },
                      (const char *const[]){ "vartad", "--user", argument("--config=", "varta.conf"),
                                             argument("--listen=unix:", "a.sock"),
                                             argument("--listen=unix:", "b.sock"), NULL });
        notify_until(notify_fd, "READY=1");
        ck_assert(is_there(scratch_path(&scratch, "a.sock")));
        ck_assert(is_there(scratch_path(&scratch, "b.sock")));
        ck_assert_int_eq(program_end(&first, endings[_i].number), 0);
        notify_until(notify_fd, "STOPPING=1");
        ck_assert(!is_there(scratch_path(&scratch, "a.sock")));
        ck_assert(!is_there(scratch_path(&scratch, "b.sock")));
}
END_TEST

START_TEST(test_killed) {
        start_ready(&first, "v.sock");
        program_kill(&first);
        ck_assert(is_there(scratch_path(&scratch, "v.sock")));
        start_ready(&first, "v.sock");
        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
        ck_assert(!is_there(scratch_path(&scratch, "v.sock")));
}
END_TEST

START_TEST(test_end_under_flood) {
        uint8_t beat[VLP_FRAME_SIZE];
        pid_t pid, flooder;

        start_ready(&first, "v.sock");
        pid = first.pid;
        make_beat(beat, 4242, 1);
        flooder = fork();
        if (flooder < 0)
                ck_abort_msg("cannot fork: %s", strerror(errno));
        if (flooder == 0) { /* no assertion here: see support.c */
                int fd = connect_to(scratch_path(&scratch, "v.sock"));

                while (send_bytes(fd, beat, sizeof(beat), 0) >= 0)
                        ;
                _exit(0);
        }
        /* Enough was refused that it must be told in one line: the flood is on. */
        program_until(&first, 0, "names PID 4242");
        ck_assert_int_eq(kill(pid, SIGTERM), 0);
        ck_assert_int_eq(program_wait(&first), 0);
        ck_assert_int_eq(waitpid(flooder, NULL, 0), flooder);
}
END_TEST

/* ---- without a bus ---------------------------------------------------------------------------------------- */

START_TEST(test_no_bus) {
        /* It says so once, however long that lasts: two connections are tried once a second. */
        start_ready(&first, "v.sock");
        (void) poll(NULL, 0, 1500); /* the next try is a second later */
        (void) program_peek(&first);
        ck_assert_msg(count_lines(first.err_text) == 1, "not one line: %s", first.err_text);
        ck_assert_ptr_nonnull(strstr(first.err_text, "DBUS_SESSION_BUS_ADDRESS"));
        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
}
END_TEST

START_TEST(test_bad_bus) {
        start(&first, "v.sock",
              &(Environment){ .notify = scratch_path(&scratch, "notify"), .bus = "carrier-pigeon:coop" });
        notify_until(notify_fd, "READY=1");
        (void) poll(NULL, 0, 1500); /* the next try is a second later */
        (void) program_peek(&first);
        ck_assert_msg(count_lines(first.err_text) <= 2, "more than a line for each connection: %s",
                      first.err_text);
        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
}
END_TEST

START_TEST(test_missing_bus) {
        char address[128];

        (void) snprintf(address, sizeof(address), "unix:path=%s", scratch_path(&scratch, "bus"));
        start(&first, "v.sock",
              &(Environment){ .notify = scratch_path(&scratch, "notify"), .bus = address });
        notify_until(notify_fd, "READY=1");
        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
        ck_assert_str_eq(first.err_text, ""); /* it may come yet */
}
END_TEST

/* ---- standard error --------------------------------------------------------------------------------------- */

/* Makes it say something: a datagram of the wrong content. */
static void provoke(void) {
        _cleanup_close_ int fd = connect_to(scratch_path(&scratch, "v.sock"));
        char frame[VLP_FRAME_SIZE] = "no frame";

        ck_assert_int_eq(send_bytes(fd, frame, sizeof(frame), 0), 0);
}

START_TEST(test_reader_left) {
        start_ready(&first, "v.sock");
        first.err = safe_close(first.err);
        for (unsigned i = 0; i < 5; i++)
                provoke();
        ck_assert_int_eq(kill(first.pid, SIGTERM), 0);
        notify_until(notify_fd, "STOPPING=1");
        first.err = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(program_wait(&first), 0);
}
END_TEST

START_TEST(test_reader_stuck) {
        char text[4096];
        int fds[2];

        /* As full as a pipe can be. */
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        memset(text, 'x', sizeof(text));
        while (write(fds[1], text, sizeof(text)) > 0)
                ;
        ck_assert_int_eq(fcntl(fds[1], F_SETFL, 0), 0);
        start(&first, "v.sock", &(Environment){ .notify = scratch_path(&scratch, "notify"), .err = fds[1] });
        notify_until(notify_fd, "READY=1");
        for (unsigned i = 0; i < 5; i++)
                provoke();
        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
        ck_assert_int_eq(close(fds[0]), 0);
        ck_assert_int_eq(close(fds[1]), 0);
}
END_TEST

/* ---- activation ------------------------------------------------------------------------------------------- */

static int activated_socket(const char *name, int type) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", scratch_path(&scratch, name));
        ck_assert_int_eq(bind(fd, (const struct sockaddr *) &sa, sizeof(sa)), 0);
        if (type == SOCK_STREAM)
                ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

START_TEST(test_activated) {
        Environment e = { .notify = scratch_path(&scratch, "notify"),
                          .activated = { activated_socket("good", SOCK_DGRAM),
                                         activated_socket("bad", SOCK_STREAM) },
                          .activated_names = "varta:wrong-kind",
                          .n_activated = 2 };

        program_start(&first, &e,
                      (const char *const[]){ "vartad", "--user", argument("--config=", "varta.conf"),
                                             NULL });
        notify_until(notify_fd, "READY=1");
        program_until(&first, 0, "\"wrong-kind\"");
        ck_assert_ptr_nonnull(strstr(first.err_text, "ListenDatagram="));
        ck_assert_ptr_null(strstr(first.err_text, "\"varta\""));

        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
        ck_assert(is_there(scratch_path(&scratch, "good"))); /* systemd's */
        ck_assert_int_eq(close(e.activated[0]), 0);
        ck_assert_int_eq(close(e.activated[1]), 0);
}
END_TEST

START_TEST(test_activated_useless) {
        Environment e = { .activated = { activated_socket("bad", SOCK_STREAM) },
                          .activated_names = "wrong-kind",
                          .n_activated = 1 };

        program_start(&first, &e,
                      (const char *const[]){ "vartad", "--user", argument("--config=", "varta.conf"),
                                             NULL });
        ck_assert_int_eq(program_wait(&first), 1);
        ck_assert_uint_eq(count_lines(first.err_text), 2);
        ck_assert_ptr_nonnull(strstr(first.err_text, "\"wrong-kind\""));
        ck_assert_ptr_nonnull(strstr(first.err_text, "Nothing to listen on"));
        ck_assert_int_eq(close(e.activated[0]), 0);
}
END_TEST

/* ---- privileges ------------------------------------------------------------------------------------------- */

START_TEST(test_privileges) {
        static const char *const lines[] = { "\nNoNewPrivs:\t1\n",
                                             "\nCapInh:\t0000000000000000\n",
                                             "\nCapPrm:\t0000000000000000\n",
                                             "\nCapEff:\t0000000000000000\n",
                                             "\nCapAmb:\t0000000000000000\n",
                                             "\nCapBnd:\t0000000000000000\n" };
        char path[64], status[16384];

        start_ready(&first, "v.sock");
        (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) first.pid);
        ck_assert_int_gt(read_small_file(AT_FDCWD, path, status, sizeof(status)), 0);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                if (getuid() != 0 && strstr(lines[i], "CapBnd")) {
                        printf("SKIP \"the bounding set\": only root may give it up\n");
                        continue;
                }
                ck_assert_msg(strstr(status, lines[i]), "not in status:%s", lines[i]);
        }
        ck_assert_int_eq(program_end(&first, SIGTERM), 0);
}
END_TEST

static void add(Suite *s, const char *title, const TTest *test, int i) {
        TCase *tc = tcase_create(title);

        tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, test, i, i + 1);
        suite_add_tcase(s, tc);
}

int main(void) {
        const Row rows[] = {
                { "without any socket it says so", test_nothing_to_listen_on },
                { "a path that is too long is named, with what is allowed", test_path_too_long },
                { "a path without a directory is named", test_no_directory },
                { "a path with something else there is named, and left alone", test_no_socket_there },
                { "a path where another observer listens is named, and the other goes on", test_same_path },
                { "one path given twice is one too many", test_same_path_twice },
                { "what a killed observer left behind is replaced", test_killed },
                { "SIGTERM ends it under a flood", test_end_under_flood },
                { "no bus at all is said once", test_no_bus },
                { "a bus address that is none is said once", test_bad_bus },
                { "a bus that is not there yet is waited for in silence", test_missing_bus },
                { "whoever read its standard error may leave", test_reader_left },
                { "whoever reads its standard error may be stuck", test_reader_stuck },
                { "activated sockets are taken over, one of no use is named", test_activated },
                { "activated sockets of no use are not enough", test_activated_useless },
                { "no capability is held, by root either", test_privileges },
        };
        Suite *s = suite_create("daemon-lifecycle");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                add(s, rows[i].title, rows[i].test, 0);
        for (size_t i = 0; i < ELEMENTSOF(endings); i++)
                add(s, endings[i].title, test_end, (int) i);
        return suite_run(s);
}
