/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First sight of a process whose /proc and cgroups say whatever a test wants them to say. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "first-sight.h"
#include "rows.h"
#include "util/fd.h"

/* ---- a made-up /proc -------------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
}

static void make_dir(const char *path) {
        ck_assert_int_eq(mkdir(path, 0755), 0);
}

/* A file of the child's below the made-up /proc; NULL: it is not there. */
static void proc_file(const char *name, const char *text) {
        char path[128];

        if (!text)
                return;
        (void) snprintf(path, sizeof(path), "proc/%d/%s", (int) child.pid, name);
        write_file(scratch_path(&w->scratch, path), text);
}

static void proc_init(void) {
        char path[64];

        make_dir(scratch_path(&w->scratch, "proc"));
        (void) snprintf(path, sizeof(path), "proc/%d", (int) child.pid);
        make_dir(scratch_path(&w->scratch, path));
}

#define STAT   "1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 1\n"
#define ROOT   "Uid:\t0\t0\t0\t0\n"
#define CGROUP "0::/system.slice/a.service/payload\n"
#define LONG_100                                                                                            \
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
        "aaa"
#define LONG_1K  LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100
#define LONG_10K LONG_1K LONG_1K LONG_1K LONG_1K LONG_1K LONG_1K LONG_1K LONG_1K LONG_1K LONG_1K

typedef struct MadeUp {
        const char *title, *stat, *status, *cgroup;
        int result;
        uint64_t generation;
        NamespaceRelation relation;
        uint32_t inner;
        const char *unit;
} MadeUp;

static const MadeUp made_up[] = {
        { "everything is there", STAT, ROOT "NSpid:\t9\n", CGROUP, 0, 4711, NAMESPACE_OWN, 9, "a.service" },
        { "a process of a container", STAT, ROOT "NSpid:\t9\t3\n", CGROUP, 0, 4711, NAMESPACE_FOREIGN, 3,
          "a.service" },
        { "nothing can be read, as with hidepid=", NULL, NULL, NULL, 0, 0, NAMESPACE_UNKNOWN, 0, "" },
        { "all files are empty", "", "", "", 0, 0, NAMESPACE_UNKNOWN, 0, "" },
        { "all files are garbage", "garbage", "garbage", "garbage", 0, 0, NAMESPACE_UNKNOWN, 0, "" },
        { "no stat", NULL, ROOT "NSpid:\t9\n", CGROUP, 0, 0, NAMESPACE_OWN, 9, "a.service" },
        { "no status", STAT, NULL, CGROUP, 0, 4711, NAMESPACE_UNKNOWN, 0, "a.service" },
        { "no cgroup", STAT, ROOT "NSpid:\t9\n", NULL, 0, 4711, NAMESPACE_OWN, 9, "" },
        { "no line of uids", STAT, "NSpid:\t9\n", CGROUP, 0, 4711, NAMESPACE_OWN, 9, "a.service" },
        { "the effective uid is the sender's", STAT, "Uid:\t7\t0\t7\t7\nNSpid:\t9\n", CGROUP, 0, 4711,
          NAMESPACE_OWN, 9, "a.service" },
        { "the saved uid is the sender's", STAT, "Uid:\t7\t7\t0\t7\nNSpid:\t9\n", CGROUP, 0, 4711,
          NAMESPACE_OWN, 9, "a.service" },
        { "the file system's uid alone is not enough", STAT, "Uid:\t7\t7\t7\t0\nNSpid:\t9\n", CGROUP, -ESRCH,
          0, 0, 0, "" },
        { "no uid is the sender's", STAT, "Uid:\t7\t7\t7\t7\nNSpid:\t9\n", CGROUP, -ESRCH, 0, 0, 0, "" },
        { "a stat longer than any", LONG_10K STAT, ROOT "NSpid:\t9\n", CGROUP, 0, 0, NAMESPACE_OWN, 9,
          "a.service" },
        { "a status longer than any", STAT, LONG_10K LONG_10K "\n" ROOT "NSpid:\t9\n", CGROUP, 0, 4711,
          NAMESPACE_UNKNOWN, 0, "a.service" },
        { "a status with many groups", STAT, "Groups:\t" LONG_10K "\n" ROOT "NSpid:\t9\n", CGROUP, 0, 4711,
          NAMESPACE_OWN, 9, "a.service" },
        { "a cgroup longer than any", STAT, ROOT "NSpid:\t9\n", "0::/system.slice/a.service/" LONG_10K "\n",
          0, 4711, NAMESPACE_OWN, 9, "" },
        { "a cgroup as deep as can be", STAT, ROOT "NSpid:\t9\n",
          "0::/system.slice/a.service/" LONG_1K LONG_1K LONG_1K "\n", 0, 4711, NAMESPACE_OWN, 9,
          "a.service" },
};

START_TEST(test_made_up) {
        const MadeUp *c = &made_up[_i];
        Identities *i;
        Identity id;

        proc_init();
        proc_file("stat", c->stat);
        proc_file("status", c->status);
        proc_file("cgroup", c->cgroup);
        i = new_identities(scratch_path(&w->scratch, "proc"), "/nowhere", false, _FEATURE_ALL);
        ck_assert_int_eq(identities_look(i, (uint32_t) child.pid, 0, &id), c->result);
        if (c->result >= 0) {
                ck_assert_uint_eq(id.generation, c->generation);
                ck_assert_int_eq(id.relation, c->relation);
                ck_assert_uint_eq(id.inner_pid, c->inner);
                ck_assert_str_eq(id.unit, c->unit);
                ck_assert_uint_eq(id.namespace_inode, 0);
                ck_assert(is_zero(id.invocation, sizeof(id.invocation)));
                identities_release(i, id.pidfd);
        }
        ck_assert_uint_eq(identities_budget(i).held, 0);
        identities_free(i);
}
END_TEST

START_TEST(test_no_proc) {
        Identities *i = new_identities("/nowhere", "/nowhere", false, _FEATURE_ALL);
        NamespaceRelation relation;
        uint64_t inode = 77;
        uint32_t inner;
        Identity id;

        ck_assert_int_eq(identities_own_namespace(i, &inode), -ENODATA);
        ck_assert_uint_eq(inode, 77);
        ck_assert_uint_eq(identities_pid_max(i), 0);
        ck_assert_int_lt(identities_inner_pid(i, (uint32_t) child.pid, &relation, &inner), 0);
        ck_assert_int_eq(identities_look(i, (uint32_t) child.pid, getuid(), &id), 0);
        ck_assert(identities_alive(id.pidfd));
        ck_assert_uint_eq(id.generation, 0);
        identities_release(i, id.pidfd);
        identities_free(i);
}
END_TEST

/* A /proc of another namespace shows somebody else under our pid, or somebody with two pids. */
START_TEST(test_foreign_proc) {
        static const char *const statuses[] = { "NSpid:\t1\n", "NSpid:\t4242\t7\n", "Name:\ta\n", "" };
        uint64_t inode;
        char path[64];

        make_dir(scratch_path(&w->scratch, "proc"));
        (void) snprintf(path, sizeof(path), "proc/%d", (int) getpid());
        make_dir(scratch_path(&w->scratch, path));
        (void) snprintf(path, sizeof(path), "proc/%d/status", (int) getpid());
        for (size_t k = 0; k < ELEMENTSOF(statuses); k++) {
                Identities *i;

                write_file(scratch_path(&w->scratch, path), statuses[k]);
                i = new_identities(scratch_path(&w->scratch, "proc"), "/nowhere", false, _FEATURE_ALL);
                ck_assert_int_eq(identities_own_namespace(i, &inode), -ENODATA);
                identities_free(i);
        }
}
END_TEST

static const struct {
        const char *text;
        uint32_t value;
} pid_maxes[] = {
        { "32768\n", 32768 },
        { "4194304\n", 4194304 },
        { "4294967295", UINT32_MAX },
        { "4294967296\n", 0 },
        { "99999999999999999999999\n", 0 },
        { "many\n", 0 },
        { "\n", 0 },
        { "-1\n", 0 },
        { "123456789012345678901234567890123456789\n", 0 },
};

START_TEST(test_pid_max) {
        Identities *i = new_identities("/proc", "/nowhere", false, _FEATURE_ALL);
        char text[32];

        ck_assert_int_gt(read_small_file(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)), 0);
        ck_assert_uint_eq(identities_pid_max(i), strtoul(text, NULL, 10));
        identities_free(i);

        make_dir(scratch_path(&w->scratch, "proc"));
        make_dir(scratch_path(&w->scratch, "proc/sys"));
        make_dir(scratch_path(&w->scratch, "proc/sys/kernel"));
        i = new_identities(scratch_path(&w->scratch, "proc"), "/nowhere", false, _FEATURE_ALL);
        for (size_t k = 0; k < ELEMENTSOF(pid_maxes); k++) {
                write_file(scratch_path(&w->scratch, "proc/sys/kernel/pid_max"), pid_maxes[k].text);
                ck_assert_uint_eq(identities_pid_max(i), pid_maxes[k].value);
        }
        identities_free(i);
}
END_TEST

/* ---- units and invocations -------------------------------------------------------------------------------- */

static const uint8_t invocation[INVOCATION_ID_SIZE] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                                        0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

/* Makes "cgroup[/unified]/PATH" with an invocation id at its end. Returns false when the file system has no xattrs. */
static bool make_cgroup(const char *path) {
        char partial[256];

        for (const char *p = path; p; p = strchr(p + 1, '/')) {
                const char *end = strchr(p + 1, '/');

                (void) snprintf(partial, sizeof(partial), "%.*s",
                                (int) (end ? end - path : (int) strlen(path)), path);
                if (mkdir(scratch_path(&w->scratch, partial), 0755) < 0)
                        ck_assert_int_eq(errno, EEXIST);
        }
        if (setxattr(scratch_path(&w->scratch, path), "user.invocation_id",
                     "00112233445566778899aabbccddeeff", 32, 0) < 0) {
                ck_assert_int_eq(errno, ENOTSUP);
                printf("SKIP \"invocation\": the file system of /tmp has no user xattrs\n");
                return false;
        }
        return true;
}

static void assert_invocation(const char *cgroup, bool user, unsigned features, const char *unit,
                              bool known) {
        Identities *i;
        Identity id;

        proc_init();
        proc_file("cgroup", cgroup);
        i = new_identities(scratch_path(&w->scratch, "proc"), scratch_path(&w->scratch, "cgroup"), user,
                           features);
        ck_assert_int_eq(identities_look(i, (uint32_t) child.pid, getuid(), &id), 0);
        ck_assert_str_eq(id.unit, unit);
        if (known)
                ck_assert_mem_eq(id.invocation, invocation, sizeof(invocation));
        else
                ck_assert(is_zero(id.invocation, sizeof(id.invocation)));
        identities_release(i, id.pidfd);
        identities_free(i);
}

START_TEST(test_invocation) {
        if (make_cgroup("cgroup/system.slice/a.service"))
                assert_invocation(CGROUP, false, _FEATURE_ALL, "a.service", true);
}
END_TEST

START_TEST(test_invocation_hybrid) {
        if (make_cgroup("cgroup/unified/system.slice/a.service"))
                assert_invocation(CGROUP, false, _FEATURE_ALL, "a.service", true);
}
END_TEST

START_TEST(test_invocation_escaped) {
        if (make_cgroup("cgroup/system.slice/_cgroup.service"))
                assert_invocation("0::/system.slice/_cgroup.service\n", false, _FEATURE_ALL,
                                  "cgroup.service", true);
}
END_TEST

START_TEST(test_invocation_absent) {
        if (make_cgroup("cgroup/system.slice/b.service"))
                assert_invocation(CGROUP, false, _FEATURE_ALL, "a.service", false);
}
END_TEST

START_TEST(test_without_invocation) {
        if (make_cgroup("cgroup/system.slice/a.service"))
                assert_invocation(CGROUP, false, WITHOUT(FEATURE_INVOCATION), "a.service", false);
}
END_TEST

START_TEST(test_invocation_user) {
        char path[128], cgroup[160];

        (void) snprintf(path, sizeof(path), "cgroup/user.slice/user@%u.service/app.slice/a.service",
                        (unsigned) getuid());
        (void) snprintf(cgroup, sizeof(cgroup), "0::/user.slice/user@%u.service/app.slice/a.service\n",
                        (unsigned) getuid());
        if (make_cgroup(path))
                assert_invocation(cgroup, true, _FEATURE_ALL, "a.service", true);
}
END_TEST

START_TEST(test_other_users_unit) {
        char cgroup[160];

        (void) snprintf(cgroup, sizeof(cgroup), "0::/user.slice/user@%u.service/app.slice/a.service\n",
                        (unsigned) getuid() + 1);
        assert_invocation(cgroup, true, _FEATURE_ALL, "", false);
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
                { "no /proc costs what it would have told, and no more", test_no_proc },
                { "a /proc of another namespace is not taken for ours", test_foreign_proc },
                { "the largest pid is the kernel's, or unknown", test_pid_max },
                { "the unit's invocation is read", test_invocation },
                { "the unit's invocation is read from a hybrid hierarchy", test_invocation_hybrid },
                { "the unit's invocation is read from an escaped cgroup", test_invocation_escaped },
                { "a unit without an invocation", test_invocation_absent },
                { "a kernel without user xattrs on cgroups", test_without_invocation },
                { "a user's unit and its invocation", test_invocation_user },
                { "another user's unit is none of ours", test_other_users_unit },
        };
        Suite *s = suite_create("ingress-made-up-proc");

        for (size_t i = 0; i < ELEMENTSOF(made_up); i++)
                add(s, made_up[i].title, test_made_up, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                add(s, rows[i].title, rows[i].test, 0);
        return suite_run(s);
}
