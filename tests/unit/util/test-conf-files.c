/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which configuration files are read, in which order, and what becomes of those that cannot be. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/conf-files.h"
#include "varta-build.h"

#define ETC    VARTA_SYSCONF_DIR
#define RUN    "/run/varta"
#define LOCAL  "/usr/local/lib/varta"
#define VENDOR VARTA_VENDOR_CONF_DIR

static char root[64];

static void setup(void) {
        strcpy(root, "/tmp/varta-test-conf-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

static void teardown(void) {
        ck_assert_int_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *in_root(const char *path) {
        static char full[512];

        (void) snprintf(full, sizeof(full), "%s%s", root, path);
        return full;
}

/* Makes the directories that lead to path. */
static void make_parents(const char *path) {
        char full[512];

        (void) snprintf(full, sizeof(full), "%s", in_root(path));
        for (char *p = strchr(full + strlen(root) + 1, '/'); p; p = strchr(p + 1, '/')) {
                *p = '\0';
                ck_assert(mkdir(full, 0755) == 0 || errno == EEXIST);
                *p = '/';
        }
}

static void write_file(const char *path, const char *text) {
        FILE *f;

        make_parents(path);
        f = fopen(in_root(path), "we");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
}

static void make_link(const char *path, const char *target) {
        make_parents(path);
        ck_assert_int_eq(symlink(target, in_root(path)), 0);
}

/* Compares what is read with a list of "path=contents" (or "path!" for an error), one a line. */
static void assert_files(const char *expected) {
        _cleanup_(conf_files_freep) ConfFiles *files = NULL;
        char text[4096] = "";

        ck_assert_int_eq(conf_files_read(root, "varta.conf", &files), 0);
        for (size_t i = 0; i < files->n_files; i++) {
                const ConfFile *f = files->files + i;
                size_t n = strlen(text);

                ck_assert_int_eq(!f->contents, f->error < 0);
                ck_assert_int_eq(!f->reason, f->error == 0);
                (void) snprintf(text + n, sizeof(text) - n, "%s%s%s\n", f->path, f->error < 0 ? "!" : "=",
                                f->contents ?: "");
        }
        ck_assert_str_eq(text, expected);
}

START_TEST(test_nothing) {
        assert_files("");
}
END_TEST

START_TEST(test_main_file) {
        write_file(VENDOR "/varta.conf", "vendor");
        assert_files(VENDOR "/varta.conf=vendor\n");
        write_file(LOCAL "/varta.conf", "local");
        assert_files(LOCAL "/varta.conf=local\n");
        write_file(RUN "/varta.conf", "run");
        assert_files(RUN "/varta.conf=run\n");
        write_file(ETC "/varta.conf", "etc");
        assert_files(ETC "/varta.conf=etc\n");
}
END_TEST

START_TEST(test_dropin_order) {
        write_file(ETC "/varta.conf", "main");
        write_file(VENDOR "/varta.conf.d/10-a.conf", "vendor 10");
        write_file(LOCAL "/varta.conf.d/20-b.conf", "local 20");
        write_file(RUN "/varta.conf.d/15-c.conf", "run 15");
        write_file(ETC "/varta.conf.d/05-d.conf", "etc 05");
        assert_files(ETC "/varta.conf=main\n" ETC "/varta.conf.d/05-d.conf=etc 05\n" VENDOR
                         "/varta.conf.d/10-a.conf=vendor 10\n" RUN "/varta.conf.d/15-c.conf=run 15\n" LOCAL
                         "/varta.conf.d/20-b.conf=local 20\n");
}
END_TEST

START_TEST(test_same_name) {
        write_file(VENDOR "/varta.conf.d/10.conf", "vendor");
        assert_files(VENDOR "/varta.conf.d/10.conf=vendor\n");
        write_file(LOCAL "/varta.conf.d/10.conf", "local");
        assert_files(LOCAL "/varta.conf.d/10.conf=local\n");
        write_file(RUN "/varta.conf.d/10.conf", "run");
        assert_files(RUN "/varta.conf.d/10.conf=run\n");
        write_file(ETC "/varta.conf.d/10.conf", "etc");
        assert_files(ETC "/varta.conf.d/10.conf=etc\n");
}
END_TEST

START_TEST(test_masks) {
        write_file(VENDOR "/varta.conf", "vendor");
        make_link(ETC "/varta.conf", "/dev/null");
        write_file(VENDOR "/varta.conf.d/10.conf", "vendor");
        make_link(ETC "/varta.conf.d/10.conf", "/dev/null");
        write_file(VENDOR "/varta.conf.d/20.conf", "vendor");
        write_file(ETC "/varta.conf.d/20.conf", "");
        assert_files(ETC "/varta.conf.d/20.conf=\n");
}
END_TEST

START_TEST(test_names) {
        write_file(ETC "/varta.conf.d/.hidden.conf", "hidden");
        write_file(ETC "/varta.conf.d/backup.conf~", "backup");
        write_file(ETC "/varta.conf.d/readme.txt", "text");
        write_file(ETC "/varta.conf.d/new.conf.dpkg-new", "package manager");
        write_file(ETC "/varta.conf.d/.conf", "no name");
        write_file(ETC "/varta.conf.d/a.conf", "a");
        assert_files(ETC "/varta.conf.d/a.conf=a\n");
}
END_TEST

START_TEST(test_links) {
        char target[512];

        write_file("/elsewhere", "linked");
        (void) snprintf(target, sizeof(target), "%s", in_root("/elsewhere"));
        make_link(ETC "/varta.conf.d/10.conf", target);
        make_link(ETC "/varta.conf.d/20.conf", "nowhere");
        make_link(ETC "/varta.conf.d/30.conf", "30.conf");
        assert_files(ETC "/varta.conf.d/10.conf=linked\n" ETC "/varta.conf.d/20.conf!\n" ETC
                         "/varta.conf.d/30.conf!\n");
}
END_TEST

START_TEST(test_not_regular) {
        make_parents(ETC "/varta.conf.d/x");
        ck_assert_int_eq(mkdir(in_root(ETC "/varta.conf.d/10.conf"), 0755), 0);
        ck_assert_int_eq(mkfifo(in_root(ETC "/varta.conf.d/20.conf"), 0644), 0);
        write_file(ETC "/varta.conf.d/30.conf", "good");
        assert_files(ETC "/varta.conf.d/10.conf!\n" ETC "/varta.conf.d/20.conf!\n" ETC
                         "/varta.conf.d/30.conf=good\n");
}
END_TEST

START_TEST(test_directory_is_a_file) {
        write_file(ETC "/varta.conf.d", "not a directory");
        write_file(VENDOR "/varta.conf.d/10.conf", "vendor");
        assert_files(ETC "/varta.conf.d!\n" VENDOR "/varta.conf.d/10.conf=vendor\n");
}
END_TEST

/* Nobody in particular: root could read everything. */
#define UID_NOBODY 65534

START_TEST(test_unreadable) {
        uid_t self = geteuid();

        write_file(ETC "/varta.conf.d/10.conf", "secret");
        ck_assert_int_eq(chmod(in_root(ETC "/varta.conf.d/10.conf"), 0), 0);
        ck_assert_int_eq(chmod(root, 0755), 0);

        if (self == 0)
                ck_assert_int_eq(seteuid(UID_NOBODY), 0);
        assert_files(ETC "/varta.conf.d/10.conf!\n");
        if (self == 0)
                ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(test_too_large) {
        _cleanup_(conf_files_freep) ConfFiles *files = NULL;

        write_file(ETC "/varta.conf", "");
        ck_assert_int_eq(truncate(in_root(ETC "/varta.conf"), 1024 * 1024), 0);
        assert_files(ETC "/varta.conf=\n"); /* a megabyte of NUL bytes, and the limit itself is in */
        ck_assert_int_eq(truncate(in_root(ETC "/varta.conf"), 1024 * 1024 + 1), 0);

        ck_assert_int_eq(conf_files_read(root, "varta.conf", &files), 0);
        ck_assert_uint_eq(files->n_files, 1);
        ck_assert_int_eq(files->files[0].error, -EFBIG);
        ck_assert_ptr_nonnull(strstr(files->files[0].reason, "1 MiB"));
}
END_TEST

START_TEST(test_too_many) {
        _cleanup_(conf_files_freep) ConfFiles *files = NULL;

        for (unsigned i = 0; i < 1030; i++) {
                char path[128];

                (void) snprintf(path, sizeof(path), ETC "/varta.conf.d/%04u.conf", i);
                write_file(path, "");
        }

        ck_assert_int_eq(conf_files_read(root, "varta.conf", &files), 0);
        ck_assert_uint_eq(files->n_files, 1025);
        ck_assert_str_eq(files->files[0].path, ETC "/varta.conf.d");
        ck_assert_int_eq(files->files[0].error, -E2BIG);
        ck_assert_int_eq(files->files[1].error, 0);
}
END_TEST

START_TEST(test_one) {
        _cleanup_(conf_files_freep) ConfFiles *files = NULL;

        write_file("/my.conf", "mine");
        ck_assert_int_eq(conf_files_read_one(in_root("/my.conf"), &files), 0);
        ck_assert_uint_eq(files->n_files, 1);
        ck_assert_str_eq(files->files[0].path, in_root("/my.conf"));
        ck_assert_str_eq(files->files[0].contents, "mine");
        ck_assert_uint_eq(files->files[0].size, 4);

        files = conf_files_free(files);
        ck_assert_int_eq(conf_files_read_one(in_root("/missing.conf"), &files), 0);
        ck_assert_uint_eq(files->n_files, 1);
        ck_assert_int_eq(files->files[0].error, -ENOENT);
        ck_assert_ptr_nonnull(files->files[0].reason);
}
END_TEST

/* A descriptor for each file and directory is given back, in good cases and bad. */
START_TEST(test_no_descriptor_leaks) {
        int before, after;

        write_file(ETC "/varta.conf", "main");
        write_file(ETC "/varta.conf.d/10.conf", "a");
        make_link(ETC "/varta.conf.d/20.conf", "nowhere");
        ck_assert_int_eq(mkdir(in_root(ETC "/varta.conf.d/30.conf"), 0755), 0);

        before = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(before, 0);
        ck_assert_int_eq(close(before), 0);
        for (unsigned i = 0; i < 100; i++) {
                _cleanup_(conf_files_freep) ConfFiles *files = NULL;

                ck_assert_int_eq(conf_files_read(root, "varta.conf", &files), 0);
        }
        after = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(after, before);
        ck_assert_int_eq(close(after), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("conf-files");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, test_nothing);
        tcase_add_test(tcase, test_main_file);
        tcase_add_test(tcase, test_dropin_order);
        tcase_add_test(tcase, test_same_name);
        tcase_add_test(tcase, test_masks);
        tcase_add_test(tcase, test_names);
        tcase_add_test(tcase, test_links);
        tcase_add_test(tcase, test_not_regular);
        tcase_add_test(tcase, test_directory_is_a_file);
        tcase_add_test(tcase, test_unreadable);
        tcase_add_test(tcase, test_too_large);
        tcase_add_test(tcase, test_too_many);
        tcase_add_test(tcase, test_one);
        tcase_add_test(tcase, test_no_descriptor_leaks);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
