/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc and the cgroups say: real texts, and those that a hostile process would like us to misread. */

#include <errno.h>
#include <string.h>

#include "ingress/proc-text.h"
#include "rows.h"

/* Stays in every output that a refused text must leave alone. */
#define UNTOUCHED 0xa5

/* ---- stat ------------------------------------------------------------------------------------------------- */

#define FIELDS_3_TO_21 "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18"

typedef struct StartTime {
        const char *title, *text;
        int result;
        uint64_t value;
} StartTime;

static const StartTime start_times[] = {
        { "stat: a real line",
          "4242 (worker) S 4000 4242 4242 0 -1 4194304 101 0 0 0 1 2 0 0 20 0 1 0 8675309 2445312 215 "
          "18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
          0, 8675309 },
        { "stat: a command with spaces", "7 (Web Content) " FIELDS_3_TO_21 " 77 1\n", 0, 77 },
        { "stat: a command that closes its parenthesis early",
          "7 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 666 (b) " FIELDS_3_TO_21 " 77 1\n", 0, 77 },
        { "stat: a command of nothing but ')'", "7 ())))))))))))))) " FIELDS_3_TO_21 " 77 1\n", 0, 77 },
        { "stat: a command of nothing but '('", "7 (((((((((((((((() " FIELDS_3_TO_21 " 77 1\n", 0, 77 },
        { "stat: a command with line breaks", "7 (a\n) S 1\n) " FIELDS_3_TO_21 " 77 1\n", 0, 77 },
        { "stat: an empty command", "7 () " FIELDS_3_TO_21 " 77 1\n", 0, 77 },
        { "stat: a command of bytes that are no text", "7 (\x01\xff\x80\xfe) " FIELDS_3_TO_21 " 77 1\n", 0,
          77 },
        { "stat: negative fields on the way",
          "7 (a) R -1 -1 -1 0 -1 6 7 8 9 10 11 12 13 14 15 -20 17 18 77\n", 0, 77 },
        { "stat: the start time is the last field, without a line's end", "7 (a) " FIELDS_3_TO_21 " 77", 0,
          77 },
        { "stat: the start time is the last field of the line", "7 (a) " FIELDS_3_TO_21 " 77\n", 0, 77 },
        { "stat: a process as old as the machine", "7 (a) " FIELDS_3_TO_21 " 0 1\n", 0, 0 },
        { "stat: the largest start time", "7 (a) " FIELDS_3_TO_21 " 18446744073709551615 1\n", 0,
          UINT64_MAX },
        { "stat: a start time beyond 64 bits", "7 (a) " FIELDS_3_TO_21 " 18446744073709551616 1\n",
          -EINVAL },
        { "stat: a start time of 40 digits",
          "7 (a) " FIELDS_3_TO_21 " 1234567890123456789012345678901234567890 1\n", -EINVAL },
        { "stat: a negative start time", "7 (a) " FIELDS_3_TO_21 " -77 1\n", -EINVAL },
        { "stat: a start time with a letter behind it", "7 (a) " FIELDS_3_TO_21 " 77x 1\n", -EINVAL },
        { "stat: a start time that is no number", "7 (a) " FIELDS_3_TO_21 " soon 1\n", -EINVAL },
        { "stat: 21 fields", "7 (a) " FIELDS_3_TO_21 "\n", -EINVAL },
        { "stat: 21 fields and a space", "7 (a) " FIELDS_3_TO_21 " ", -EINVAL },
        { "stat: a line that ends in the middle",
          "7 (a) S 1 2 3\n4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 77\n", -EINVAL },
        { "stat: a field without anything in it", "7 (a) S  2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 77\n",
          -EINVAL },
        { "stat: no command", "7 " FIELDS_3_TO_21 " 77 1\n", -EINVAL },
        { "stat: a command that never ends", "7 (a " FIELDS_3_TO_21 " 77 1\n", -EINVAL },
        { "stat: nothing behind the command", "7 (a)", -EINVAL },
        { "stat: no space behind the command", "7 (a)" FIELDS_3_TO_21 " 77 1\n", -EINVAL },
        { "stat: nothing at all", "", -EINVAL },
};

START_TEST(test_start_time) {
        const StartTime *c = &start_times[_i];
        uint64_t value = UNTOUCHED;

        ck_assert_int_eq(proc_parse_start_time(c->text, &value), c->result);
        ck_assert_uint_eq(value, c->result < 0 ? UNTOUCHED : c->value);
}
END_TEST

/* ---- status ----------------------------------------------------------------------------------------------- */

typedef struct Uids {
        const char *title, *text;
        int result;
        uint32_t values[4];
} Uids;

static const Uids uids[] = {
        { "status: the four uids of a real text",
          "Name:\tsu\nUmask:\t0022\nState:\tS "
          "(sleeping)\nTgid:\t7\nNgid:\t0\nPid:\t7\nPPid:\t1\nTracerPid:\t0\n"
          "Uid:\t1000\t0\t0\t1001\nGid:\t1000\t0\t0\t0\nFDSize:\t64\nGroups:\t0\nNStgid:\t7\nNSpid:\t7\n",
          0,
          { 1000, 0, 0, 1001 } },
        { "status: uids on the first line", "Uid:\t1\t2\t3\t4\n", 0, { 1, 2, 3, 4 } },
        { "status: uids on the last line, without a line's end",
          "Name:\ta\nUid:\t1\t2\t3\t4",
          0,
          { 1, 2, 3, 4 } },
        { "status: uids between spaces", "Uid: 1  2 3\t 4\n", 0, { 1, 2, 3, 4 } },
        { "status: the largest uid", "Uid:\t4294967295\t0\t0\t0\n", 0, { UINT32_MAX, 0, 0, 0 } },
        { "status: a name that looks like the uids",
          "Name:\tUid:\t0\t0\t0\t0\nUid:\t5\t6\t7\t8\n",
          0,
          { 5, 6, 7, 8 } },
        { "status: a name whose line break is escaped",
          "Name:\ta\\nUid:\t0\t0\t0\t0\nUid:\t5\t6\t7\t8\n",
          0,
          { 5, 6, 7, 8 } },
        { "status: keys that begin or end alike",
          "FSUid:\t9\t9\t9\t9\nUidMap:\t9\t9\t9\t9\nUid:\t1\t2\t3\t4\n",
          0,
          { 1, 2, 3, 4 } },
        { "status: the first of two lines counts",
          "Uid:\t1\t2\t3\t4\nUid:\t5\t6\t7\t8\n",
          0,
          { 1, 2, 3, 4 } },
        { "status: empty lines", "\n\n\nUid:\t1\t2\t3\t4\n\n", 0, { 1, 2, 3, 4 } },
        { "status: three uids", "Uid:\t1\t2\t3\nGid:\t4\t4\t4\t4\n", -EINVAL, {} },
        { "status: no uids", "Uid:\nGid:\t4\t4\t4\t4\n", -EINVAL, {} },
        { "status: a uid of more than 32 bits", "Uid:\t1\t2\t3\t4294967296\n", -EINVAL, {} },
        { "status: a uid of more than 64 bits", "Uid:\t18446744073709551616\t2\t3\t4\n", -EINVAL, {} },
        { "status: a negative uid", "Uid:\t-1\t2\t3\t4\n", -EINVAL, {} },
        { "status: a uid that is no number", "Uid:\t1\troot\t3\t4\n", -EINVAL, {} },
        { "status: a letter behind the last uid", "Uid:\t1\t2\t3\t4x\n", -EINVAL, {} },
        { "status: uids without a colon", "Uid\t1\t2\t3\t4\n", -EINVAL, {} },
        { "status: no line of uids", "Name:\ta\nGid:\t1\t2\t3\t4\n", -EINVAL, {} },
        { "status: nothing at all, for uids", "", -EINVAL, {} },
};

START_TEST(test_uids) {
        const Uids *c = &uids[_i];
        uint32_t values[4] = { UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED };

        ck_assert_int_eq(proc_parse_uids(c->text, values), c->result);
        for (size_t i = 0; i < 4; i++)
                ck_assert_uint_eq(values[i], c->result < 0 ? UNTOUCHED : c->values[i]);
}
END_TEST

typedef struct NsPid {
        const char *title, *text;
        int result;
        NamespaceRelation relation;
        uint32_t inner;
} NsPid;

static const NsPid nspids[] = {
        { "nspid: one entry is our own namespace", "Name:\ta\nNSpid:\t4242\nNSpgid:\t1\n", 0, NAMESPACE_OWN,
          4242 },
        { "nspid: two entries are a container", "NSpid:\t4242\t7\n", 0, NAMESPACE_FOREIGN, 7 },
        { "nspid: of several entries the last is the innermost", "NSpid:\t4242\t77\t9\t3\n", 0,
          NAMESPACE_FOREIGN, 3 },
        { "nspid: as many entries as namespaces can be nested",
          "NSpid:"
          "\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13\t14\t15\t16\t17\t18\t19\t20\t21\t22\t23\t24\t25\t26\t"
          "27\t28"
          "\t29\t30\t31\t32\t33\n",
          0, NAMESPACE_FOREIGN, 33 },
        { "nspid: the same number outside and inside is foreign all the same", "NSpid:\t7\t7\n", 0,
          NAMESPACE_FOREIGN, 7 },
        { "nspid: a container's init", "NSpid:\t4242\t1\n", 0, NAMESPACE_FOREIGN, 1 },
        { "nspid: white space at the line's end", "NSpid:\t4242\t\n", 0, NAMESPACE_OWN, 4242 },
        { "nspid: the last line, without its end", "NSpid:\t4242", 0, NAMESPACE_OWN, 4242 },
        { "nspid: a name that looks like it", "Name:\tNSpid:\t9\nNSpid:\t4242\t7\n", 0, NAMESPACE_FOREIGN,
          7 },
        { "nspid: the largest pid", "NSpid:\t4294967295\n", 0, NAMESPACE_OWN, UINT32_MAX },
        { "nspid: a kernel that does not tell", "Name:\ta\nPid:\t7\n", -ENODATA, 0, 0 },
        { "nspid: nothing at all", "", -ENODATA, 0, 0 },
        { "nspid: no entries", "NSpid:\n", -EINVAL, 0, 0 },
        { "nspid: no entries on the last line", "NSpid:", -EINVAL, 0, 0 },
        { "nspid: a process without a number in its namespace", "NSpid:\t4242\t0\n", -EINVAL, 0, 0 },
        { "nspid: a process without a number in ours", "NSpid:\t0\n", -EINVAL, 0, 0 },
        { "nspid: an innermost entry of more than 32 bits", "NSpid:\t4242\t4294967298\n", -EINVAL, 0, 0 },
        { "nspid: an outer entry of more than 32 bits", "NSpid:\t4294967298\t7\n", -EINVAL, 0, 0 },
        { "nspid: an entry of more than 64 bits", "NSpid:\t99999999999999999999999999\t7\n", -EINVAL, 0, 0 },
        { "nspid: an entry that is no number", "NSpid:\t4242\tseven\n", -EINVAL, 0, 0 },
        { "nspid: a negative entry", "NSpid:\t-4242\n", -EINVAL, 0, 0 },
};

START_TEST(test_nspid) {
        const NsPid *c = &nspids[_i];
        NamespaceRelation relation = _NAMESPACE_RELATION_MAX;
        uint32_t inner = UNTOUCHED;

        ck_assert_int_eq(proc_parse_nspid(c->text, &relation, &inner), c->result);
        ck_assert_int_eq(relation, c->result < 0 ? _NAMESPACE_RELATION_MAX : c->relation);
        ck_assert_uint_eq(inner, c->result < 0 ? UNTOUCHED : c->inner);
}
END_TEST

/* ---- cgroup ----------------------------------------------------------------------------------------------- */

typedef struct Cgroup {
        const char *title, *text, *path; /* path NULL: refused */
} Cgroup;

static const Cgroup cgroups[] = {
        { "cgroup: unified", "0::/system.slice/a.service\n", "/system.slice/a.service" },
        { "cgroup: unified, without a line's end", "0::/system.slice/a.service", "/system.slice/a.service" },
        { "cgroup: unified, the root", "0::/\n", "/" },
        { "cgroup: hybrid, both name the unit",
          "12:pids:/system.slice/a.service\n11:cpu,cpuacct:/\n1:name=systemd:/system.slice/a.service\n"
          "0::/system.slice/a.service\n",
          "/system.slice/a.service" },
        { "cgroup: hybrid, the unified one is believed",
          "1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n",
          "/system.slice/b.service" },
        { "cgroup: old hierarchies only",
          "11:memory:/system.slice/x.service\n10:cpu,cpuacct:/\n1:name=systemd:/system.slice/a.service\n",
          "/system.slice/a.service" },
        { "cgroup: old hierarchies, beside a unified one that nobody uses",
          "2:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/\n", "/system.slice/a.service" },
        { "cgroup: the same in the other order", "0::/\n1:name=systemd:/system.slice/a.service\n2:cpu:/\n",
          "/system.slice/a.service" },
        { "cgroup: systemd's hierarchy has a number of two digits", "10:name=systemd:/a.scope\n2:cpu:/\n",
          "/a.scope" },
        { "cgroup: a path with colons", "0::/system.slice/a:b:c.service\n", "/system.slice/a:b:c.service" },
        { "cgroup: a path that looks like systemd's line",
          "5:cpu:/x:name=systemd:/system.slice/sshd.service\n", NULL },
        { "cgroup: a path that looks like the unified line", "5:cpu:/x0::/system.slice/sshd.service\n",
          NULL },
        { "cgroup: hierarchy ten is not hierarchy zero", "10::/system.slice/sshd.service\n", NULL },
        { "cgroup: a hierarchy whose name only begins alike",
          "1:name=systemd-x:/system.slice/sshd.service\n", NULL },
        { "cgroup: other hierarchies only", "2:cpu:/system.slice/a.service\n1:memory:/\n", NULL },
        { "cgroup: outside of the reader's cgroup namespace", "0::/../system.slice/a.service\n",
          "/../system.slice/a.service" },
        { "cgroup: a path that does not begin at the root", "0::system.slice/a.service\n", NULL },
        { "cgroup: no path", "0::\n", NULL },
        { "cgroup: a line without colons before the right one", "garbage\n0::/a.scope\n", "/a.scope" },
        { "cgroup: a line without colons is not the next one's beginning",
          "garbage\n:name=systemd:/sshd.service\n", NULL },
        { "cgroup: empty lines", "\n\n0::/a.scope\n\n", "/a.scope" },
        { "cgroup: nothing at all", "", NULL },
};

START_TEST(test_cgroup) {
        const Cgroup *c = &cgroups[_i];
        const char *path = NULL;
        size_t size = UNTOUCHED;

        if (!c->path) {
                ck_assert_int_eq(proc_parse_cgroup(c->text, &path, &size), -ENODATA);
                ck_assert_ptr_null(path);
                ck_assert_uint_eq(size, UNTOUCHED);
                return;
        }
        ck_assert_int_eq(proc_parse_cgroup(c->text, &path, &size), 0);
        ck_assert_uint_eq(size, strlen(c->path));
        ck_assert_mem_eq(path, c->path, size);
}
END_TEST

/* ---- unit ------------------------------------------------------------------------------------------------- */

#define TEXT_50  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
#define TEXT_250 TEXT_50 TEXT_50 TEXT_50 TEXT_50 TEXT_50
#define TEXT_247 TEXT_50 TEXT_50 TEXT_50 TEXT_50 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstu"

#define MANAGER "user@1000.service"
#define USER    "/user.slice/user-1000.slice/" MANAGER

typedef struct Unit {
        const char *title, *path, *unit,
                        *prefix; /* unit NULL: result is the error; prefix NULL: all of the path */
        const char *manager;
        int result;
} Unit;

static const Unit units[] = {
        { "unit: a service", "/system.slice/a.service", "a.service", NULL, NULL, 0 },
        { "unit: an instance", "/system.slice/system-worker.slice/worker@1.service", "worker@1.service",
          NULL, NULL, 0 },
        { "unit: an escaped instance", "/system.slice/w@dev-sda\\x2d1.service", "w@dev-sda\\x2d1.service",
          NULL, NULL, 0 },
        { "unit: in the root slice", "/a.service", "a.service", NULL, NULL, 0 },
        { "unit: in nested slices", "/a.slice/a-b.slice/a-b-c.slice/x.service", "x.service", NULL, NULL, 0 },
        { "unit: a cgroup below a delegated unit", "/system.slice/a.service/payload/worker", "a.service",
          "/system.slice/a.service", NULL, 0 },
        { "unit: a delegated unit's process may name a cgroup like another unit",
          "/system.slice/a.service/sshd.service", "a.service", "/system.slice/a.service", NULL, 0 },
        { "unit: a delegated unit's process may make slices",
          "/system.slice/a.service/system.slice/sshd.service", "a.service", "/system.slice/a.service", NULL,
          0 },
        { "unit: a control group of a service's ExecReload=", "/system.slice/a.service/.control",
          "a.service", "/system.slice/a.service", NULL, 0 },
        { "unit: a session's scope", "/user.slice/user-1000.slice/session-3.scope", "session-3.scope", NULL,
          NULL, 0 },
        { "unit: a container's scope", "/machine.slice/machine-x.scope/payload/system.slice/a.service",
          "machine-x.scope", "/machine.slice/machine-x.scope", NULL, 0 },
        { "unit: init", "/init.scope", "init.scope", NULL, NULL, 0 },
        { "unit: a user manager and all below it are one unit of the system", USER "/app.slice/a.service",
          MANAGER, USER, NULL, 0 },
        { "unit: an ExecStartPre= of a socket", "/system.slice/a.socket", "a.socket", NULL, NULL, 0 },
        { "unit: a mount's helper", "/system.slice/var-lib.mount", "var-lib.mount", NULL, NULL, 0 },
        { "unit: a swap's helper", "/system.slice/dev-sda.swap", "dev-sda.swap", NULL, NULL, 0 },
        { "unit: an escaped name", "/system.slice/_cgroup.procs.service", "cgroup.procs.service", NULL, NULL,
          0 },
        { "unit: only one underscore is systemd's", "/system.slice/__a.service", "_a.service", NULL, NULL,
          0 },
        { "unit: an escaped name with a cgroup below", "/system.slice/_tasks.service/x", "tasks.service",
          "/system.slice/_tasks.service", NULL, 0 },
        { "unit: doubled slashes", "//system.slice//a.service", "a.service", NULL, NULL, 0 },
        { "unit: the longest name", "/system.slice/" TEXT_247 ".service", TEXT_247 ".service", NULL, NULL,
          0 },
        { "unit: the longest name, escaped", "/system.slice/_" TEXT_247 ".service", TEXT_247 ".service",
          NULL, NULL, 0 },
        { "unit: a name too long by one", "/system.slice/" TEXT_247 "x.service", NULL, NULL, NULL,
          -ENAMETOOLONG },
        { "unit: a name much too long", "/system.slice/" TEXT_250 TEXT_250 ".service", NULL, NULL, NULL,
          -ENAMETOOLONG },
        { "unit: the root", "/", NULL, NULL, NULL, -ENXIO },
        { "unit: nothing", "", NULL, NULL, NULL, -ENXIO },
        { "unit: a slice alone", "/system.slice", NULL, NULL, NULL, -ENXIO },
        { "unit: a slice and a slash", "/system.slice/", NULL, NULL, NULL, -ENXIO },
        { "unit: a container without systemd", "/docker/0123456789ab", NULL, NULL, NULL, -ENXIO },
        { "unit: a unit below something else is not systemd's", "/docker/a.service", NULL, NULL, NULL,
          -ENXIO },
        { "unit: outside of the reader's cgroup namespace", "/../system.slice/sshd.service", NULL, NULL,
          NULL, -ENXIO },
        { "unit: way up and down again", "/system.slice/../system.slice/sshd.service", NULL, NULL, NULL,
          -ENXIO },
        { "unit: a suffix alone", "/system.slice/.service", NULL, NULL, NULL, -ENXIO },
        { "unit: an escaped suffix alone", "/system.slice/_.service", NULL, NULL, NULL, -ENXIO },
        { "unit: a suffix that goes on", "/system.slice/a.services", NULL, NULL, NULL, -ENXIO },
        { "unit: a suffix in capitals", "/system.slice/a.SERVICE", NULL, NULL, NULL, -ENXIO },
        { "unit: a kind that has no processes", "/system.slice/a.timer", NULL, NULL, NULL, -ENXIO },
        { "unit: a cgroup that is already removed", "/system.slice/a.service (deleted)", NULL, NULL, NULL,
          -ENXIO },
        { "unit: a name with a space", "/system.slice/a b.service", NULL, NULL, NULL, -ENXIO },
        { "unit: a name with a quote", "/system.slice/a\"b.service", NULL, NULL, NULL, -ENXIO },
        { "unit: a name with a tab", "/system.slice/a\tb.service", NULL, NULL, NULL, -ENXIO },
        { "unit: a name that speaks to terminals", "/system.slice/a\x1b[2Jb.service", NULL, NULL, NULL,
          -ENXIO },
        { "unit: a name that is no UTF-8", "/system.slice/a\xff\xfe.service", NULL, NULL, NULL, -ENXIO },
        { "unit: a name in UTF-8", "/system.slice/\xc3\xa4.service", NULL, NULL, NULL, -ENXIO },
        { "unit: a template, under which nothing can run", "/system.slice/a@.service", NULL, NULL, NULL,
          -ENXIO },

        { "user unit: a service", USER "/app.slice/a.service", "a.service", NULL, MANAGER, 0 },
        { "user unit: without a slice", USER "/a.service", "a.service", NULL, MANAGER, 0 },
        { "user unit: in nested slices", USER "/app.slice/app-x.slice/a.service", "a.service", NULL, MANAGER,
          0 },
        { "user unit: a cgroup below it", USER "/app.slice/a.service/x.service", "a.service",
          USER "/app.slice/a.service", MANAGER, 0 },
        { "user unit: a scope", USER "/app.slice/run-1.scope", "run-1.scope", NULL, MANAGER, 0 },
        { "user unit: the manager itself", USER "/init.scope", "init.scope", NULL, MANAGER, 0 },
        { "user unit: the manager's own cgroup", USER, NULL, NULL, MANAGER, -ENXIO },
        { "user unit: a session is not the manager's", "/user.slice/user-1000.slice/session-3.scope", NULL,
          NULL, MANAGER, -ENXIO },
        { "user unit: a system service is not the manager's", "/system.slice/a.service", NULL, NULL, MANAGER,
          -ENXIO },
        { "user unit: another user's unit of the same name is not ours",
          "/user.slice/user-1001.slice/user@1001.service/app.slice/a.service", NULL, NULL, MANAGER, -ENXIO },
        { "user unit: a manager whose number only begins alike",
          "/user.slice/user-10000.slice/user@10000.service/app.slice/a.service", NULL, NULL, MANAGER,
          -ENXIO },
        { "user unit: a service of the system with the manager's name inside",
          "/system.slice/a.service/" MANAGER "/b.service", NULL, NULL, MANAGER, -ENXIO },
        { "user unit: a name made by the user that is no unit's", USER "/app.slice/a\nb.service", NULL, NULL,
          MANAGER, -ENXIO },
};

START_TEST(test_unit) {
        const Unit *c = &units[_i];
        char name[UNIT_NAME_SIZE], expected[UNIT_NAME_SIZE], *path;
        size_t n = strlen(c->path), prefix = UNTOUCHED;

        memset(name, UNTOUCHED, sizeof(name));
        memset(expected, UNTOUCHED, sizeof(expected));

        /* A block of exactly the path's size: what is read beyond is seen by sanitizers. */
        path = malloc(n > 0 ? n : 1);
        ck_assert_ptr_nonnull(path);
        memcpy(path, c->path, n);
        ck_assert_int_eq(cgroup_path_unit(path, n, c->manager, name, &prefix), c->result);
        free(path);

        if (c->result < 0) {
                ck_assert_uint_eq(prefix, UNTOUCHED);
                ck_assert_mem_eq(name, expected, sizeof(name));
        } else {
                ck_assert_str_eq(name, c->unit);
                ck_assert_uint_eq(prefix, strlen(c->prefix ?: c->path));
        }
}
END_TEST

/* ---- invocation id ---------------------------------------------------------------------------------------- */

typedef struct InvocationId {
        const char *title, *text;
        int result;
} InvocationId;

static const InvocationId invocation_ids[] = {
        { "invocation: 32 digits", "00112233445566778899aabbccddeeff", 0 },
        { "invocation: 31 digits", "00112233445566778899aabbccddeef", -EINVAL },
        { "invocation: 33 digits", "00112233445566778899aabbccddeeff0", -EINVAL },
        { "invocation: a line's end behind it", "00112233445566778899aabbccddeeff\n", -EINVAL },
        { "invocation: capitals", "00112233445566778899AABBCCDDEEFF", -EINVAL },
        { "invocation: dashes, as a UUID", "00112233-4455-6677-8899-aabbccddeeff", -EINVAL },
        { "invocation: a sign", "-0112233445566778899aabbccddeeff", -EINVAL },
        { "invocation: a letter beyond f in the last place", "00112233445566778899aabbccddeefg", -EINVAL },
        { "invocation: nothing", "", -EINVAL },
};

START_TEST(test_invocation_id) {
        static const uint8_t expected[INVOCATION_ID_SIZE] = {
                0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff
        };
        const InvocationId *c = &invocation_ids[_i];
        uint8_t id[INVOCATION_ID_SIZE], untouched[INVOCATION_ID_SIZE];

        memset(id, UNTOUCHED, sizeof(id));
        memset(untouched, UNTOUCHED, sizeof(untouched));
        ck_assert_int_eq(invocation_id_parse(c->text, strlen(c->text), id), c->result);
        ck_assert_mem_eq(id, c->result < 0 ? untouched : expected, sizeof(id));
}
END_TEST

#define ADD_CASES(s, cases, test)                                                                           \
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)                                                      \
        suite_add_row(s, (cases)[i].title, test, (int) i)

int main(void) {
        Suite *s = suite_create("ingress-proc-text");

        ADD_CASES(s, start_times, test_start_time);
        ADD_CASES(s, uids, test_uids);
        ADD_CASES(s, nspids, test_nspid);
        ADD_CASES(s, cgroups, test_cgroup);
        ADD_CASES(s, units, test_unit);
        ADD_CASES(s, invocation_ids, test_invocation_id);
        return suite_run(s);
}
