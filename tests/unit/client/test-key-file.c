/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key files: what is read, and everything that is refused instead of read.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/varta-secure.h"
#include "listener.h"

/* The user without rights that every Linux has. */
#define NOBODY 65534

#define TEN "0123456789"
#define KEY "0a0b" TEN TEN TEN TEN TEN TEN

/* What is refused must leave this as it was. */
#define UNTOUCHED 0x5a

static char dir[] = "/tmp/varta-key-XXXXXX", path[sizeof(dir) + 8];

static void file_write(const char *text, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        ck_assert_int_eq(fchmod(fd, mode), 0);
        ck_assert_int_eq(close(fd), 0);
}

static void expect(int expected) {
        static const uint8_t key[VARTA_KEY_SIZE] = {
                0x0a, 0x0b, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67,
                0x89, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67, 0x89,
                0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67, 0x89,
        };
        uint8_t out[VARTA_KEY_SIZE], untouched[VARTA_KEY_SIZE];
        int fd = next_fd();

        memset(out, UNTOUCHED, sizeof(out));
        memset(untouched, UNTOUCHED, sizeof(untouched));
        ck_assert_int_eq(varta_key_from_file(path, out), expected);
        ck_assert_mem_eq(out, expected == 0 ? key : untouched, sizeof(out));
        ck_assert_int_eq(next_fd(), fd); /* it was closed */
}

static const struct Row {
        const char *title, *text;
        mode_t mode;
        int expected;
} rows[] = {
        { "a key", KEY "\n", 0600, 0 },
        { "a key that nobody may write", KEY "\n", 0400, 0 },
        { "a key without a newline", KEY, 0600, 0 },
        { "two keys, of which the first one counts", KEY "\n" TEN TEN TEN TEN TEN TEN "ffff\n", 0600, 0 },
        { "a key that everybody may read", KEY "\n", 0604, -EPERM },
        { "a key that everybody may write", KEY "\n", 0602, -EPERM },
        { "a key that everybody may execute", KEY "\n", 0601, -EPERM },
        { "a key that the group may read", KEY "\n", 0640, -EPERM },
        { "a key that the group may write", KEY "\n", 0620, -EPERM },
        { "a key that the group may execute", KEY "\n", 0610, -EPERM },
        { "a key with the mode that files have by default", KEY "\n", 0644, -EPERM },
        { "an empty file", "", 0600, -ENODATA },
        { "an empty line", "\n", 0600, -EBADMSG },
        { "a short key", TEN "\n", 0600, -EBADMSG },
        { "a long key", KEY "0\n", 0600, -EBADMSG },
        { "something that is no hexadecimal number", "x" KEY, 0600, -EBADMSG },
        { "a bad key behind a good one", KEY "\nrubbish\n", 0600, -EBADMSG },
};

START_TEST(test_row) {
        file_write(rows[_i].text, rows[_i].mode);
        expect(rows[_i].expected);
        ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(test_many) {
        static const struct { int n, expected; } counts[] = { { 8, 0 }, { 9, -E2BIG }, { 1000, -E2BIG } };

        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
                FILE *f = fopen(path, "wxe");

                ck_assert_ptr_nonnull(f);
                ck_assert_int_eq(fchmod(fileno(f), 0600), 0);
                for (int n = 0; n < counts[i].n; n++)
                        ck_assert_int_ge(fputs(KEY "\n", f), 0);
                ck_assert_int_eq(fclose(f), 0);
                expect(counts[i].expected);
                ck_assert_int_eq(unlink(path), 0);
        }
}
END_TEST

/* Mode 0440, root's and root's group's: how a credential of a service with User= looks. */
START_TEST(test_credential) {
        file_write(KEY "\n", 0440);
        if (geteuid() != 0) {
                printf("Not tested here: a credential of root's, by somebody else than root.\n");
                expect(-EPERM);
        } else {
                expect(0);
                ck_assert_int_eq(chown(path, 0, NOBODY), 0);
                expect(-EPERM);
                ck_assert_int_eq(chown(path, 0, 0), 0);
                ck_assert_int_eq(chmod(path, 0460), 0);
                expect(-EPERM);
                ck_assert_int_eq(chmod(path, 0444), 0);
                expect(-EPERM);
        }
        ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(test_link) {
        char target[sizeof(path) + 4];

        file_write(KEY "\n", 0600);
        ck_assert_int_gt(snprintf(target, sizeof(target), "%s.old", path), 0);
        ck_assert_int_eq(rename(path, target), 0);
        ck_assert_int_eq(symlink(target, path), 0);
        expect(-ELOOP);
        ck_assert_int_eq(unlink(path), 0);

        ck_assert_int_eq(symlink("nonexistent", path), 0);
        expect(-ELOOP);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(unlink(target), 0);
}
END_TEST

START_TEST(test_no_file) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        uint8_t key[VARTA_KEY_SIZE];
        int fd;

        expect(-ENOENT);

        ck_assert_int_eq(mkdir(path, 0700), 0);
        expect(-EISDIR);
        ck_assert_int_eq(rmdir(path), 0);

        /* Nobody writes to it, and nobody waits for that. */
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        expect(-EBADFD);
        ck_assert_int_eq(unlink(path), 0);

        memcpy(sa.sun_path, path, sizeof(path));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &sa, sizeof(sa)), 0);
        expect(-ENXIO);
        ck_assert_int_eq(close(fd), 0);
        ck_assert_int_eq(unlink(path), 0);

        ck_assert_int_eq(varta_key_from_file("/dev/null", key), -EBADFD);
        ck_assert_int_eq(varta_key_from_file(NULL, key), -EINVAL);
        ck_assert_int_eq(varta_key_from_file("/dev/null", NULL), -EINVAL);
}
END_TEST

static int child_is_nobody(void *userdata) {
        uint8_t key[VARTA_KEY_SIZE];

        if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return 100;

        return -varta_key_from_file(path, key);
}

START_TEST(test_owner) {
        if (geteuid() != 0) {
                printf("Not tested here: files of other users, by somebody else than root.\n");
                return;
        }

        file_write(KEY "\n", 0600);
        ck_assert_int_eq(run_in_child(child_is_nobody, NULL), EACCES); /* root's, and closed to others */
        ck_assert_int_eq(chown(path, NOBODY, NOBODY), 0);
        ck_assert_int_eq(run_in_child(child_is_nobody, NULL), 0); /* its own */
        expect(-EPERM);                                           /* root may read it, and does not */
        ck_assert_int_eq(chown(path, NOBODY - 1, NOBODY), 0);
        ck_assert_int_eq(chmod(path, 0606), 0);
        ck_assert_int_eq(run_in_child(child_is_nobody, NULL), EPERM); /* somebody else's */
        ck_assert_int_eq(unlink(path), 0);
}
END_TEST

int main(void) {
        const Case cases[] = {
                { "a file with a thousand keys is refused, one with eight is not", test_many },
                { "a credential that systemd opens to one user passes, and nothing like it",
                  test_credential },
                { "a symbolic link is refused, wherever it leads", test_link },
                { "what is no file is refused, and not waited for", test_no_file },
                { "a file that belongs to somebody else is refused", test_owner },
        };
        Suite *s = suite_create("client-key-file");
        SRunner *runner;
        int n_failed;

        if (!mkdtemp(dir) || chmod(dir, 0711) < 0)
                return 1;
        (void) snprintf(path, sizeof(path), "%s/key", dir);

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_add_loop_test(tc, test_row, (int) i, (int) i + 1);
                suite_add_tcase(s, tc);
        }
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                TCase *tc = tcase_create(cases[i].title);

                tcase_add_test(tc, cases[i].test);
                suite_add_tcase(s, tc);
        }

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        (void) rmdir(dir);

        return n_failed == 0 ? 0 : 1;
}
