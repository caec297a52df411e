/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small files read whole, and descriptors closed without fuss. */

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/fd.h"

static char path[32];

static void setup(void) {
        int fd;

        (void) snprintf(path, sizeof(path), "/tmp/varta-test-XXXXXX");
        fd = mkostemp(path, O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
}

static void teardown(void) {
        ck_assert_int_eq(unlink(path), 0);
}

static size_t count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        size_t n = 0;

        ck_assert_ptr_nonnull(dir);
        while (readdir(dir))
                n++;
        (void) closedir(dir);
        return n;
}

static const struct {
        size_t size; /* of the file */
        size_t room; /* of the buffer */
        bool fits;
} sizes[] = {
        { 0, 2, true },         { 1, 2, true },          { 2, 2, false },    { 3, 2, false },
        { 99, 100, true },      { 100, 100, false },     { 100, 101, true }, { 5000, 100, false },
        { 70000, 70001, true }, { 70000, 70000, false },
};

START_TEST(test_sizes) {
        size_t before = count_fds(), size = sizes[_i].size, room = sizes[_i].room;
        _cleanup_free_ char *contents = malloc(size + 1), *buf = malloc(room);
        ssize_t expected = sizes[_i].fits ? (ssize_t) size : -E2BIG;
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        ck_assert(contents && buf);
        memset(contents, 'x', size);
        contents[size] = 0;
        ck_assert_int_eq(write(fd, contents, size), (ssize_t) size);
        ck_assert_int_eq(close(fd), 0);

        ck_assert_int_eq(read_small_file(AT_FDCWD, path, buf, room), expected);
        if (sizes[_i].fits)
                ck_assert_str_eq(buf, contents);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

START_TEST(test_proc) {
        char whole[8192], small[16];
        _cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        ssize_t n;

        n = read_small_file(proc, "self/status", whole, sizeof(whole));
        ck_assert_int_gt(n, 100);
        ck_assert_uint_eq(strlen(whole), (size_t) n);
        ck_assert_int_eq(strncmp(whole, "Name:", 5), 0);
        ck_assert_int_eq(read_small_file(proc, "self/status", small, sizeof(small)), -E2BIG);
}
END_TEST

START_TEST(test_refused) {
        size_t before = count_fds();
        char buf[16];

        ck_assert_int_eq(read_small_file(AT_FDCWD, "/nowhere/at/all", buf, sizeof(buf)), -ENOENT);
        ck_assert_int_eq(read_small_file(AT_FDCWD, "", buf, sizeof(buf)), -ENOENT);
        ck_assert_int_eq(read_small_file(AT_FDCWD, "/", buf, sizeof(buf)), -EISDIR);
        ck_assert_int_eq(read_small_file(-7, "relative", buf, sizeof(buf)), -EBADF);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

START_TEST(test_close) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        errno = E2BIG;
        ck_assert_int_eq(safe_close(fd), -1);
        ck_assert_int_eq(errno, E2BIG);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);

        errno = E2BIG;
        ck_assert_int_eq(safe_close(fd), -1); /* not open any more */
        ck_assert_int_eq(safe_close(-1), -1);
        ck_assert_int_eq(safe_close(-EINVAL), -1);
        ck_assert_int_eq(errno, E2BIG);
}
END_TEST

START_TEST(test_cleanup) {
        int kept, number, *copy = &kept;

        {
                _cleanup_close_ int closed = open(path, O_RDONLY | O_CLOEXEC),
                                    taken = open(path, O_RDONLY | O_CLOEXEC);
                _cleanup_close_ int none _unused_ = -1;

                number = closed;
                *copy = TAKE_FD(taken);
                ck_assert_int_eq(taken, -1);
        }
        ck_assert_int_eq(fcntl(number, F_GETFD), -1);
        ck_assert_int_ge(fcntl(kept, F_GETFD), 0);
        ck_assert_int_eq(close(kept), 0);
}
END_TEST

START_TEST(test_negative_errno) {
        errno = ENOENT;
        ck_assert_int_eq(negative_errno(), -ENOENT);
        errno = 0;
        ck_assert_int_eq(negative_errno(), -EIO);
        errno = -5;
        ck_assert_int_eq(negative_errno(), -EIO);
}
END_TEST

typedef struct Row {
        const char *title;
        const TTest *test;
        int n;
} Row;

int main(void) {
        const Row rows[] = {
                { "a file is read whole or not at all", test_sizes, (int) ELEMENTSOF(sizes) },
                { "procfs, whose files have no size, likewise", test_proc, 1 },
                { "what cannot be read leaves no descriptor behind", test_refused, 1 },
                { "closing leaves errno alone", test_close, 1 },
                { "a descriptor is closed at the end of its block, unless it was taken", test_cleanup, 1 },
                { "an error is never 0", test_negative_errno, 1 },
        };
        Suite *s = suite_create("util-fd");
        SRunner *runner;
        int n_failed;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                TCase *tc = tcase_create(rows[i].title);

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
