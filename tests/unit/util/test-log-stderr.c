/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging to standard error: when, and beside a reader that does not read. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/log.h"

static uint64_t dropped_before;

static void set_stream(int fd) {
        struct stat st;
        char text[64];

        ck_assert_int_eq(fstat(fd, &st), 0);
        (void) snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, (uint64_t) st.st_dev,
                        (uint64_t) st.st_ino);
        ck_assert_int_eq(setenv("JOURNAL_STREAM", text, 1), 0);
}

static int pipe_out = -1, stderr_copy = -1;

static void setup(void) {
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
        stderr_copy = dup(STDERR_FILENO);
        ck_assert_int_ge(stderr_copy, 0);
        ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
        ck_assert_int_eq(close(fds[1]), 0);
        pipe_out = fds[0];
        dropped_before = log_dropped();
}

static void teardown(void) {
        log_close();
        ck_assert_int_eq(dup2(stderr_copy, STDERR_FILENO), STDERR_FILENO);
        stderr_copy = safe_close(stderr_copy);
        pipe_out = safe_close(pipe_out);
        ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
}

static void assert_line(const char *line) {
        char buf[4096];
        ssize_t n = read(pipe_out, buf, sizeof(buf) - 1);

        ck_assert_int_ge(n, 0);
        buf[n] = 0;
        ck_assert_str_eq(buf, line);
}

/* None of them is the journal's stream. %: the real one's numbers. */
static const char *const no_streams[] = {
        NULL,
        "",
        ":",
        "1:1",
        "0:0",
        "journal",
        "%:",
        "% ",
        "%x",
        "-%",
        "99999999999999999999999:99999999999999999999999",
};

START_TEST(test_no_stream) {
        const char *text = no_streams[_i];
        char stream[128];

        if (text && strchr(text, '%')) {
                set_stream(STDERR_FILENO);
                (void) snprintf(stream, sizeof(stream), "%.*s%s%s", (int) strcspn(text, "%"), text,
                                getenv("JOURNAL_STREAM"), strchr(text, '%') + 1);
                text = stream;
        }
        if (text)
                ck_assert_int_eq(setenv("JOURNAL_STREAM", text, 1), 0);
        else
                ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
        log_open("varta-test");
        ck_assert_int_eq(log_fd(), -1);
        log_struct(LOG_ERR, "0123456789abcdef0123456789abcdef", NULL, 0, "a line");
        assert_line("a line\n");
        ck_assert(!log_pending());
        ck_assert_int_eq(log_flush(), 0);
}
END_TEST

START_TEST(test_stderr_full) {
        char buf[4096];
        ssize_t n;
        unsigned lines = 0, written = 0;

        log_open("varta-test");
        while (log_dropped() == dropped_before) {
                log_info("line %u", ++written);
                ck_assert_uint_lt(written, 1000000);
        }
        for (unsigned i = 0; i < 10; i++)
                log_info("line %u", ++written);
        ck_assert(!log_pending());

        while ((n = read(pipe_out, buf, sizeof(buf))) > 0)
                for (ssize_t i = 0; i < n; i++)
                        lines += buf[i] == '\n';
        ck_assert_uint_eq(lines + (unsigned) (log_dropped() - dropped_before), written);
        log_info("again");
        assert_line("again\n");
}
END_TEST

START_TEST(test_stderr_closed) {
        log_open("varta-test");
        ck_assert_int_eq(close(STDERR_FILENO), 0);
        log_info("to nobody");
        ck_assert_uint_eq(log_dropped(), dropped_before + 1);
        ck_assert_int_eq(log_error_errno(-ENOENT, "to nobody"), -ENOENT);
        ck_assert_uint_eq(log_dropped(), dropped_before + 2);
}
END_TEST

START_TEST(test_targets) {
        char nothing[1];

        for (LogTarget t = 0; t < _LOG_TARGET_MAX; t++)
                ck_assert_int_eq(log_target_from_string(log_target_to_string(t)), t);
        ck_assert_int_lt(log_target_from_string("kmsg"), 0);
        ck_assert_ptr_null(log_target_to_string(_LOG_TARGET_MAX));
        for (int l = LOG_EMERG; l <= LOG_DEBUG; l++)
                ck_assert_int_eq(log_level_from_string(log_level_to_string(l)), l);
        ck_assert_int_lt(log_level_from_string(""), 0);
        ck_assert_ptr_null(log_level_to_string(8));

        ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
        log_open("varta-test");
        ck_assert_int_eq(log_get_target(), LOG_TARGET_AUTO);
        log_info("usual");
        assert_line("usual\n");
        ck_assert_int_eq(log_set_target(LOG_TARGET_NULL), 0);
        log_info("nowhere");
        ck_assert_int_lt(read(pipe_out, nothing, sizeof(nothing)), 0);
        ck_assert_uint_eq(log_dropped(), dropped_before);
        ck_assert_int_eq(log_set_target(LOG_TARGET_CONSOLE), 0);
        log_info("here");
        assert_line("here\n");
        ck_assert_int_eq(log_get_target(), LOG_TARGET_CONSOLE);
}
END_TEST

typedef struct Row {
        const char *title;
        const TTest *test;
        int n; /* how often, with _i from 0 */
} Row;

int main(void) {
        const Row rows[] = {
                { "standard error that is not the journal's stream gets lines", test_no_stream,
                  (int) ELEMENTSOF(no_streams) },
                { "standard error that nobody reads blocks nothing: lines are counted", test_stderr_full,
                  1 },
                { "standard error that is closed: lines are counted", test_stderr_closed, 1 },
                { "records go where they are told to", test_targets, 1 },
        };
        Suite *s = suite_create("util-log-stderr");
        SRunner *runner;
        int n_failed;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_set_timeout(tc, 60);
                tcase_add_checked_fixture(tc, setup, teardown);
                tcase_add_loop_test(tc, rows[i].test, 0, rows[i].n);
                suite_add_tcase(s, tc);
        }
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
