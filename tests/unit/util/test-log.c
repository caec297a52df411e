/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging beside a journald of our own, that reads, does not read, goes away and comes back.
 *
 * The journal's socket has a fixed path, so this takes root: a mount namespace with an empty /run.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/log.h"

#define JOURNAL_DIRECTORY "/run/systemd/journal"
#define JOURNAL_SOCKET    JOURNAL_DIRECTORY "/socket"

#define MESSAGE_ID "0123456789abcdef0123456789abcdef"

static int journal = -1;
static uint64_t dropped_before;

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

/* The next record; false when there is none. Ends with NUL. */
static bool journal_read(char *buf, size_t size, size_t *ret_n) {
        ssize_t n = recv(journal, buf, size - 1, 0);

        if (n < 0) {
                ck_assert_int_eq(errno, EAGAIN);
                return false;
        }
        buf[n] = 0;
        *ret_n = (size_t) n;
        return true;
}

/* Reads a record as journald does. Returns the value of the field, NULL when there is none; fails for what is no
 * record at all, and when a field is there twice. The value is borrowed until the next call. */
static const char *record_get(const char *record, size_t n, const char *field) {
        static char value[16384];
        const char *p = record, *end = record + n;
        bool found = false;

        while (p < end) {
                size_t name = strcspn(p, "=\n"), size;
                bool wanted = strlen(field) == name && strncmp(p, field, name) == 0;

                ck_assert_uint_gt(name, 0);
                ck_assert(p + name < end);
                if (p[name] == '=') {
                        p += name + 1;
                        size = strcspn(p, "\n");
                } else {
                        p += name + 1;
                        ck_assert_int_ge(end - p, 8);
                        size = 0;
                        for (size_t i = 0; i < 8; i++)
                                size |= (size_t) (uint8_t) p[i] << (8 * i);
                        p += 8;
                        ck_assert_uint_le(size, (size_t) (end - p));
                }
                if (wanted) {
                        ck_assert(!found);
                        found = true;
                        ck_assert_uint_lt(size, sizeof(value));
                        memcpy(value, p, size);
                        value[size] = 0;
                }
                p += size;
                ck_assert(p < end && *p == '\n');
                p++;
        }
        return found ? value : NULL;
}

static void assert_next(const char *field, const char *value) {
        char record[16384];
        size_t n;

        ck_assert(journal_read(record, sizeof(record), &n));
        if (value)
                ck_assert_str_eq(record_get(record, n, field), value);
        else
                ck_assert_ptr_null(record_get(record, n, field));
}

static void assert_nothing(void) {
        char record[16384];
        size_t n;

        ck_assert(!journal_read(record, sizeof(record), &n));
}

static void set_stream(int fd) {
        struct stat st;
        char text[64];

        ck_assert_int_eq(fstat(fd, &st), 0);
        (void) snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, (uint64_t) st.st_dev,
                        (uint64_t) st.st_ino);
        ck_assert_int_eq(setenv("JOURNAL_STREAM", text, 1), 0);
}

static void setup(void) {
        journal_start();
        set_stream(STDERR_FILENO);
        log_open("varta-test");
        ck_assert_int_ge(log_fd(), 0);
        dropped_before = log_dropped();
}

static void teardown(void) {
        if (journal < 0)
                journal_start();
        while (log_flush() == -EAGAIN) {
                char record[16384];
                size_t n;

                while (journal_read(record, sizeof(record), &n))
                        ;
        }
        log_close();
        ck_assert(!log_pending());
        journal_stop();
        log_set_max_level(LOG_INFO);
        ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
}

/* ---- records ---------------------------------------------------------------------------------------------- */

START_TEST(test_record) {
        const LogField fields[] = { { "VARTA_PID", "4242" },
                                    { "VARTA_UNIT", "a.service" },
                                    { "VARTA_EMPTY", "" } };
        char record[16384];
        size_t n;

        log_struct(LOG_WARNING, MESSAGE_ID, fields, ELEMENTSOF(fields), "%s stalled after %d beats",
                   "a.service", 7);
        ck_assert(journal_read(record, sizeof(record), &n));
        ck_assert_str_eq(record_get(record, n, "MESSAGE"), "a.service stalled after 7 beats");
        ck_assert_str_eq(record_get(record, n, "PRIORITY"), "4");
        ck_assert_str_eq(record_get(record, n, "SYSLOG_IDENTIFIER"), "varta-test");
        ck_assert_str_eq(record_get(record, n, "MESSAGE_ID"), MESSAGE_ID);
        ck_assert_str_eq(record_get(record, n, "VARTA_PID"), "4242");
        ck_assert_str_eq(record_get(record, n, "VARTA_UNIT"), "a.service");
        ck_assert_str_eq(record_get(record, n, "VARTA_EMPTY"), "");

        log_info("plain");
        ck_assert(journal_read(record, sizeof(record), &n));
        ck_assert_str_eq(record_get(record, n, "MESSAGE"), "plain");
        ck_assert_str_eq(record_get(record, n, "PRIORITY"), "6");
        ck_assert_ptr_null(record_get(record, n, "MESSAGE_ID"));
        assert_nothing();
}
END_TEST

static const char *const hostile_values[] = {
        "\n",
        "\n\n\n",
        "two\nlines",
        "ends with one\n",
        "\nbegins with one",
        "x\nMESSAGE=forged\nPRIORITY=0",
        "x\nPRIORITY\n\1\0\0\0\0\0\0\0000",
        "=",
        "a=b",
        "\r\t\x1b[2J",
        "\xff\xfe\x80",
};

START_TEST(test_hostile) {
        const LogField fields[] = { { "VARTA_TEXT", hostile_values[_i] }, { "VARTA_MORE", "more" } };
        char record[16384];
        size_t n;

        log_struct(LOG_NOTICE, MESSAGE_ID, fields, ELEMENTSOF(fields), "%s", hostile_values[_i]);
        ck_assert(journal_read(record, sizeof(record), &n));
        ck_assert_str_eq(record_get(record, n, "MESSAGE"), hostile_values[_i]);
        ck_assert_str_eq(record_get(record, n, "VARTA_TEXT"), hostile_values[_i]);
        ck_assert_str_eq(record_get(record, n, "PRIORITY"), "5");
        ck_assert_str_eq(record_get(record, n, "VARTA_MORE"), "more");
}
END_TEST

START_TEST(test_levels) {
        log_debug("not made");
        assert_nothing();
        log_set_max_level(LOG_DEBUG);
        ck_assert_int_eq(log_get_max_level(), LOG_DEBUG);
        log_debug("made");
        assert_next("PRIORITY", "7");
        log_set_max_level(LOG_ERR);
        log_warning("not made");
        log_struct(LOG_WARNING, MESSAGE_ID, NULL, 0, "not made");
        ck_assert_int_eq(log_warning_errno(-ENOENT, "not made"), -ENOENT);
        assert_nothing();
        log_full(LOG_DAEMON | LOG_ERR, "a facility is not a level");
        assert_next("PRIORITY", "3");
}
END_TEST

START_TEST(test_errno) {
        char text[4096];

        errno = E2BIG;
        ck_assert_int_eq(log_error_errno(-ENOENT, "Cannot open %s", "it"), -ENOENT);
        ck_assert_int_eq(errno, E2BIG);
        assert_next("MESSAGE", "Cannot open it: No such file or directory");
        ck_assert_int_eq(log_error_errno(EPERM, "Cannot"), EPERM);
        assert_next("MESSAGE", "Cannot: Operation not permitted");

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = 0;
        log_info("%s", text); /* longer than a line: it is cut, not lost */
        text[2047] = 0;
        assert_next("MESSAGE", text);
        ck_assert_int_eq(log_error_errno(-ENOENT, "%s", text), -ENOENT);
        assert_next("MESSAGE", text);
        ck_assert_uint_eq(log_dropped(), dropped_before);
}
END_TEST

START_TEST(test_too_big) {
        static char value[9000];
        const LogField fields[] = { { "VARTA_TEXT", value } };

        memset(value, 'x', sizeof(value) - 1);
        log_struct(LOG_NOTICE, MESSAGE_ID, fields, 1, "too big");
        assert_nothing();
        ck_assert_uint_eq(log_dropped(), dropped_before + 1);
        log_info("not too big");
        assert_next("MESSAGE", "not too big");
        ck_assert(!log_pending());
}
END_TEST

/* ---- a journald that does not read ------------------------------------------------------------------------ */

/* Record number `i`, of a length that depends on it. */
static void log_numbered(unsigned i) {
        static char padding[2048];
        const LogField fields[] = { { "PADDING", padding } };

        memset(padding, 'a' + (int) (i % 26), sizeof(padding));
        padding[i * 37 % (sizeof(padding) - 1)] = 0;
        log_struct(LOG_INFO, NULL, fields, 1, "%u", i);
}

/* Reads all there is. Returns how many; each must follow the last, and be whole. */
static unsigned read_numbered(unsigned *last) {
        char record[16384];
        unsigned count = 0;
        size_t n;

        while (journal_read(record, sizeof(record), &n)) {
                unsigned i = (unsigned) strtoul(record_get(record, n, "MESSAGE"), NULL, 10);
                const char *padding = record_get(record, n, "PADDING");

                ck_assert_uint_gt(i, *last);
                ck_assert_uint_eq(strlen(padding), i * 37 % 2047);
                ck_assert_uint_eq(strspn(padding, (char[]){ (char) ('a' + i % 26), 0 }), strlen(padding));
                *last = i;
                count++;
        }
        return count;
}

static bool is_writable(void) {
        struct pollfd p = { .fd = log_fd(), .events = POLLOUT };

        return poll(&p, 1, 0) > 0 && p.revents & POLLOUT;
}

START_TEST(test_stuck) {
        unsigned written = 0, read = 0, last = 0, lost;

        while (log_dropped() == dropped_before) {
                log_numbered(++written);
                ck_assert_uint_lt(written, 10000); /* the ring fills in the end, and none of it blocks */
        }
        for (unsigned i = 0; i < 100; i++)
                log_numbered(++written);
        ck_assert(log_pending());
        ck_assert(!is_writable());
        ck_assert_int_eq(log_flush(), -EAGAIN);
        lost = (unsigned) (log_dropped() - dropped_before);

        /* It reads again: what waited comes in order, and what was counted as dropped is all that is missing. */
        do {
                read += read_numbered(&last);
                ck_assert(is_writable());
        } while (log_flush() == -EAGAIN);
        read += read_numbered(&last);
        ck_assert(!log_pending());
        ck_assert_uint_eq(read + lost, written);
        ck_assert_uint_eq(log_dropped(), dropped_before + lost);

        log_numbered(++written);
        ck_assert_uint_eq(read_numbered(&last), 1);
        ck_assert_uint_eq(last, written);
}
END_TEST

/* The ring's end is crossed at every place there is. */
START_TEST(test_ring) {
        unsigned written = 0, read = 0, last = 0;

        for (unsigned round = 0; round < 300; round++) {
                while (!log_pending())
                        log_numbered(++written);
                for (unsigned i = 0; i < 40 + round % 17; i++)
                        log_numbered(++written);
                do
                        read += read_numbered(&last);
                while (log_flush() == -EAGAIN);
        }
        read += read_numbered(&last);
        ck_assert_uint_eq(read, written);
        ck_assert_uint_eq(log_dropped(), dropped_before);
}
END_TEST

/* A new record does not overtake those that wait, even when there is room for it. */
START_TEST(test_order) {
        unsigned written = 0, read = 0, last = 0;

        while (!log_pending())
                log_numbered(++written);
        for (unsigned i = 0; i < 20; i++)
                log_numbered(++written);
        for (unsigned i = 0; i < 200; i++) {
                char record[16384];
                size_t n;

                if (journal_read(record, sizeof(record), &n)) {
                        unsigned number = (unsigned) strtoul(record_get(record, n, "MESSAGE"), NULL, 10);

                        ck_assert_uint_eq(number, last + 1);
                        last = number;
                        read++;
                }
                log_numbered(++written);
        }
        do
                read += read_numbered(&last);
        while (log_flush() == -EAGAIN);
        read += read_numbered(&last);
        ck_assert_uint_eq(read, written);
}
END_TEST

/* ---- a journald that goes ---------------------------------------------------------------------------------- */

START_TEST(test_replaced) {
        int fd = log_fd();

        log_info("to the first");
        assert_next("MESSAGE", "to the first");
        journal_stop();
        journal_start();
        log_info("to the second");
        assert_next("MESSAGE", "to the second");
        ck_assert_int_eq(log_fd(), fd);
        ck_assert_uint_eq(log_dropped(), dropped_before);
}
END_TEST

START_TEST(test_away) {
        journal_stop();
        for (unsigned i = 1; i <= 5; i++) {
                log_numbered(i);
                ck_assert(log_pending());
                ck_assert_int_eq(log_flush(), -ENOTCONN);
        }
        journal_start();
        ck_assert_int_eq(log_flush(), 0);
        unsigned last = 0;
        ck_assert_uint_eq(read_numbered(&last), 5);
        ck_assert_uint_eq(log_dropped(), dropped_before);
}
END_TEST

/* The log's descriptor sits in an event loop all the while: it must go on telling when there is room. */
START_TEST(test_replaced_while_stuck) {
        _cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event event = { .events = EPOLLOUT };
        unsigned written = 0, last = 0, read = 0, lost;

        ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, log_fd(), &event), 0);
        while (!log_pending())
                log_numbered(++written);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);

        /* What the old one had not read is gone with it; what waits here is not. */
        lost = written - 1;
        journal_stop();
        journal_start();
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 10000), 1);
        ck_assert_int_eq(log_flush(), 0);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);

        while (!log_pending())
                log_numbered(++written);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
        do {
                read += read_numbered(&last);
                ck_assert_int_eq(epoll_wait(epoll, &event, 1, 10000), 1);
        } while (log_flush() == -EAGAIN);
        read += read_numbered(&last);
        ck_assert_uint_eq(read + lost, written);
        ck_assert_uint_eq(log_dropped(), dropped_before);
}
END_TEST

START_TEST(test_close) {
        unsigned written = 0, last = 0, read;

        while (!log_pending())
                log_numbered(++written);
        read = read_numbered(&last);
        log_close(); /* takes the chance */
        read += read_numbered(&last);
        ck_assert_uint_eq(read, written);
        ck_assert_int_eq(log_fd(), -1);
        log_open("varta-test");
}
END_TEST

/* ---- the program ------------------------------------------------------------------------------------------ */

typedef struct Row {
        const char *title;
        const TTest *test;
        int n; /* how often, with _i from 0 */
} Row;

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
                { "a record has its message, level, name, id and fields", test_record, 1 },
                { "no value can forge a field", test_hostile, (int) ELEMENTSOF(hostile_values) },
                { "records above the level are not made", test_levels, 1 },
                { "an error is explained, returned, and errno stays", test_errno, 1 },
                { "a record that does not fit is counted", test_too_big, 1 },
                { "a journal that does not read blocks nothing: records wait, then are counted", test_stuck,
                  1 },
                { "records that waited are whole, wherever the ring ends", test_ring, 1 },
                { "no record overtakes another", test_order, 1 },
                { "a journal that was replaced gets the next record", test_replaced, 1 },
                { "a journal that is away gets the records when it is back", test_away, 1 },
                { "a journal that was replaced while it was stuck wakes us up", test_replaced_while_stuck,
                  1 },
                { "what waits is written at the end, if it can be", test_close, 1 },
        };
        Suite *s = suite_create("util-log");
        SRunner *runner;
        int n_failed, r;

        r = make_run();
        if (r < 0) {
                printf("SKIP all of it: cannot make a /run of our own: %s\n", strerror(-r));
                return 77;
        }
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
