/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files: what is taken, and what is refused with which words, none of them out of the file. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingress/keys.h"
#include "rows.h"
#include "support.h"
#include "util/fd.h"

#define KEY_A "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define KEY_B "f0112233445566778899aabbccddeeff00112233445566778899aabbccddeef0"

static Scratch scratch;

static void setup(void) {
        scratch_init(&scratch);
        ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void teardown(void) {
        scratch_done(&scratch);
}

static const char *write_file(const char *name, const char *text, size_t n, mode_t mode) {
        const char *path = scratch_path(&scratch, name);
        _cleanup_close_ int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, n), (ssize_t) n);
        ck_assert_int_eq(fchmod(fd, mode), 0);
        return path;
}

static void expect_refused(const char *path, int error, const char *words) {
        _cleanup_free_ char *reason = NULL;
        size_t fds = count_fds();
        KeyRing *keys = NULL;

        ck_assert_int_eq(keys_load(path, NULL, &keys, &reason), error);
        ck_assert_ptr_null(keys);
        ck_assert_ptr_nonnull(reason);
        ck_assert_msg(strstr(reason, words), "\"%s\" is not in \"%s\"", words, reason);
        ck_assert_ptr_nonnull(strstr(reason, scratch.path));
        ck_assert_ptr_null(strstr(reason, "00112233")); /* no digit of a key */
        ck_assert_uint_eq(count_fds(), fds);
}

static KeyRing *expect_taken(const char *shared, const char *master) {
        _cleanup_free_ char *reason = NULL;
        KeyRing *keys;
        int r;

        r = keys_load(shared, master, &keys, &reason);
        ck_assert_msg(r == 0, "%s", reason);
        return keys;
}

/* ---- texts ------------------------------------------------------------------------------------------------ */

typedef struct Text {
        const char *title, *text;
        int error; /* 0: taken */
        const char *words;
        size_t n; /* keys in it */
} Text;

#define LINE KEY_A "\n"

static const Text texts[] = {
        { "one key and a newline is taken", LINE, 0, NULL, 1 },
        { "one key without its newline is taken", KEY_A, 0, NULL, 1 },
        { "two keys are taken", LINE KEY_B "\n", 0, NULL, 2 },
        { "eight keys are taken", LINE LINE LINE LINE LINE LINE LINE LINE, 0, NULL, 8 },
        { "nine keys are too many", LINE LINE LINE LINE LINE LINE LINE LINE LINE, -EFBIG, "too long", 0 },
        { "an empty file has no key", "", -ENODATA, "no key", 0 },
        { "a newline is no key", "\n", -EBADMSG, "not a key", 0 },
        { "63 digits are no key", "0112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n",
          -EBADMSG, "not a key", 0 },
        { "65 digits are no key", "0" LINE, -EBADMSG, "not a key", 0 },
        { "a letter beyond f is no digit",
          "g0112233445566778899aabbccddeeff00112233445566778899aabbccddeef0\n", -EBADMSG, "not a key", 0 },
        { "blanks are refused", " " KEY_A "\n", -EBADMSG, "not a key", 0 },
        { "carriage returns are refused", KEY_A "\r\n", -EBADMSG, "not a key", 0 },
        { "an empty line between keys is refused", LINE "\n" LINE, -EBADMSG, "not a key", 0 },
        { "a comment is refused", "# a key\n" LINE, -EBADMSG, "not a key", 0 },
};

START_TEST(test_text) {
        const Text *t = &texts[_i];
        const char *path = write_file("key", t->text, strlen(t->text), 0600);
        _cleanup_(keys_freep) KeyRing *keys = NULL;

        if (t->error < 0) {
                expect_refused(path, t->error, t->words);
                return;
        }
        keys = expect_taken(path, NULL);
        ck_assert_uint_eq(keys->n[VLP_SECURE_SHARED], t->n);
        ck_assert_uint_eq(keys->n[VLP_SECURE_MASTER], 0);
        ck_assert_uint_eq(keys->keys[VLP_SECURE_SHARED][0][1], 0x11);
        ck_assert_uint_eq(keys->keys[VLP_SECURE_SHARED][0][31], 0xff);
}
END_TEST

START_TEST(test_thousand) {
        static char text[1000 * (VLP_KEY_DIGITS + 1)];

        for (size_t i = 0; i < 1000; i++)
                memcpy(text + i * (VLP_KEY_DIGITS + 1), LINE, VLP_KEY_DIGITS + 1);
        expect_refused(write_file("key", text, sizeof(text), 0600), -EFBIG, "too long");
}
END_TEST

START_TEST(test_nul) {
        char text[] = LINE;

        text[10] = 0;
        expect_refused(write_file("key", text, sizeof(text) - 1, 0600), -EBADMSG, "not a key");
}
END_TEST

/* ---- files ------------------------------------------------------------------------------------------------ */

START_TEST(test_modes) {
        static const mode_t open_modes[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666, 0777 };
        const char *path = write_file("key", LINE, strlen(LINE), 0400);

        keys_free(expect_taken(path, NULL));
        for (size_t i = 0; i < ELEMENTSOF(open_modes); i++) {
                ck_assert_int_eq(chmod(path, open_modes[i]), 0);
                expect_refused(path, -EPERM, "0600");
        }
}
END_TEST

START_TEST(test_link) {
        (void) write_file("key", LINE, strlen(LINE), 0600);
        ck_assert_int_eq(symlink("key", scratch_path(&scratch, "link")), 0);
        expect_refused(scratch_path(&scratch, "link"), -ELOOP, "link");
}
END_TEST

START_TEST(test_not_regular) {
        const char *fifo = scratch_path(&scratch, "fifo"), *dir = scratch_path(&scratch, "dir");

        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        expect_refused(fifo, -EINVAL, "regular"); /* and nobody waits for a writer */
        ck_assert_int_eq(mkdir(dir, 0700), 0);
        expect_refused(dir, -EINVAL, "regular");
        expect_refused(scratch_path(&scratch, "missing"), -ENOENT, "cannot be opened");
}
END_TEST

START_TEST(test_owner) {
        const char *path = write_file("key", LINE, strlen(LINE), 0600);

        if (geteuid() != 0) {
                printf("SKIP \"a file of somebody else's\": only root can make one\n");
                return;
        }
        ck_assert_int_eq(chown(path, 12345, 0), 0);
        expect_refused(path, -EPERM, "owned by uid 12345");
}
END_TEST

START_TEST(test_directory) {
        static const mode_t modes[] = { 0770, 0707, 0722, 01777 };

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                ck_assert_int_eq(chmod(scratch.path, 0700), 0);
                (void) unlink(scratch_path(&scratch, "key"));
                (void) write_file("key", LINE, strlen(LINE), 0600);
                ck_assert_int_eq(chmod(scratch.path, modes[i]), 0);
                expect_refused(scratch_path(&scratch, "key"), -EPERM, "replace the key file");
        }
        ck_assert_int_eq(chmod(scratch.path, 0755), 0);
        keys_free(expect_taken(scratch_path(&scratch, "key"), NULL));
}
END_TEST

START_TEST(test_credential) {
        const char *path = write_file("key", LINE, strlen(LINE), 0440);

        ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", scratch.path, 1), 0);
        if (geteuid() == 0) {
                keys_free(expect_taken(path, NULL));
                ck_assert_int_eq(chown(path, 0, 12345), 0);
                expect_refused(path, -EPERM, "0600");
                ck_assert_int_eq(chown(path, 0, 0), 0);
        }
        ck_assert_int_eq(chmod(path, 0460), 0);
        expect_refused(path, -EPERM, "0600");
        ck_assert_int_eq(chmod(path, 0444), 0);
        expect_refused(path, -EPERM, "0600");

        /* Another directory whose name begins the same. */
        ck_assert_int_eq(chmod(path, 0440), 0);
        char shorter[sizeof(scratch.path)];
        memcpy(shorter, scratch.path, sizeof(shorter));
        shorter[strlen(shorter) - 1] = 0;
        ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", shorter, 1), 0);
        expect_refused(path, -EPERM, "0600");
}
END_TEST

/* ---- both forms ------------------------------------------------------------------------------------------- */

START_TEST(test_scopes) {
        const char *path = write_file("key", LINE KEY_B "\n", 2 * strlen(LINE), 0600);
        _cleanup_(keys_freep) KeyRing *both = expect_taken(path, path), *again = expect_taken(path, NULL);
        uint64_t bytes;

        ck_assert_uint_eq(both->n[VLP_SECURE_SHARED], 2);
        ck_assert_uint_eq(both->n[VLP_SECURE_MASTER], 2);
        ck_assert_uint_ne(both->scopes[0][0], both->scopes[0][1]);
        ck_assert_uint_ne(both->scopes[0][0], both->scopes[1][0]);
        ck_assert_uint_eq(both->scopes[0][0], again->scopes[0][0]);
        memcpy(&bytes, both->keys[0][0], sizeof(bytes));
        ck_assert_uint_ne(both->scopes[0][0], bytes);
}
END_TEST

static unsigned long locked_kib(void) {
        FILE *f = fopen("/proc/self/status", "re");
        unsigned long n = 0;
        char line[256];

        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f))
                if (strncmp(line, "VmLck:", 6) == 0)
                        n = strtoul(line + 6, NULL, 10);
        (void) fclose(f);
        return n;
}

START_TEST(test_locked) {
        const char *path = write_file("key", LINE, strlen(LINE), 0600);
        unsigned long before = locked_kib();
        KeyRing *keys = expect_taken(path, NULL);

        if (locked_kib() <= before)
                printf("SKIP \"keys are locked\": this environment does not count locked memory\n");
        keys_free(keys);
        ck_assert_uint_eq(locked_kib(), before);
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
                { "1,000 keys are too many", test_thousand },
                { "a NUL is no digit", test_nul },
                { "a file that group or others may use is refused", test_modes },
                { "a link is refused, even to a good file", test_link },
                { "a FIFO, a directory and what is not there are refused at once", test_not_regular },
                { "a file of somebody else's is refused", test_owner },
                { "a file in a directory that others can write is refused", test_directory },
                { "of a credential, root's group bits are an ACL's mask", test_credential },
                { "keys and forms are told apart by numbers that are not the keys", test_scopes },
                { "keys are locked in memory, and let go of", test_locked },
        };
        Suite *s = suite_create("ingress-keys");

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                add(s, texts[i].title, test_text, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                add(s, rows[i].title, rows[i].test, 0);
        return suite_run(s);
}
