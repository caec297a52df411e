/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First sight of processes: real ones, and a /proc that says whatever a test wants it to say. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <systemd/sd-login.h>

#include "first-sight.h"
#include "rows.h"
#include "util/fd.h"

/* ---- real processes --------------------------------------------------------------------------------------- */

/* Field 22 of stat, read another way. */
static uint64_t start_time_of(pid_t pid) {
        char path[64], text[1024], *p;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        n = read_small_file(AT_FDCWD, path, text, sizeof(text));
        ck_assert_int_gt(n, 0);
        p = strrchr(text, ')') + 2;
        for (unsigned i = 3; i < 22; i++)
                p = strchr(p, ' ') + 1;
        return strtoull(p, NULL, 10);
}

START_TEST(test_look) {
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, _FEATURE_ALL);
        _cleanup_free_ char *unit = NULL;
        struct stat ns;
        Identity id;

        ck_assert_int_eq(stat("/proc/self/ns/pid", &ns), 0);
        ck_assert_int_eq(identities_look(i, (uint32_t) child.pid, getuid(), &id), 0);
        ck_assert_int_ge(id.pidfd, 0);
        ck_assert(fcntl(id.pidfd, F_GETFD) & FD_CLOEXEC);
        ck_assert(identities_alive(id.pidfd));
        ck_assert_uint_eq(id.uid, getuid());
        ck_assert_uint_gt(id.generation, 0);
        ck_assert_uint_eq(id.generation, start_time_of(child.pid));
        ck_assert_int_eq(id.relation, NAMESPACE_OWN);
        ck_assert_uint_eq(id.inner_pid, (uint32_t) child.pid);
        ck_assert_uint_eq(id.namespace_inode, ns.st_ino);
        ck_assert_uint_eq(identities_budget(i).held, 1);

        /* systemd's own library is the judge of what unit we are in. Outside of systemd there is none. */
        if (sd_pid_get_unit(child.pid, &unit) >= 0)
                ck_assert_str_eq(id.unit, unit);
        else {
                ck_assert_str_eq(id.unit, "");
                ck_assert(is_zero(id.invocation, sizeof(id.invocation)));
        }

        identities_release(i, id.pidfd);
        ck_assert_uint_eq(identities_budget(i).held, 0);
        identities_free(i);
}
END_TEST

/* Whoever is refused leaves nothing behind. */
static void assert_gone(unsigned features, pid_t pid, uint32_t uid) {
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, features);
        Identity id = { .pidfd = -7 };

        ck_assert_int_eq(identities_look(i, (uint32_t) pid, uid, &id), -ESRCH);
        ck_assert_int_eq(id.pidfd, -7);
        ck_assert_uint_eq(identities_budget(i).held, 0);
        identities_free(i);
}

START_TEST(test_other_uid) {
        assert_gone(_FEATURE_ALL, child.pid, getuid() + 1);
        assert_gone(WITHOUT(FEATURE_PIDFD), child.pid, getuid() + 1);
        assert_gone(_FEATURE_ALL, child.pid, UID_NONE);
}
END_TEST

START_TEST(test_dead) {
        pid_t pid = child.pid;

        child_end(&child);
        child.pid = 0;
        assert_gone(_FEATURE_ALL, pid, getuid());
        assert_gone(WITHOUT(FEATURE_PIDFD), pid, getuid());
}
END_TEST

START_TEST(test_zombie) {
        Identities *i;
        Identity id;

        child_tell(&child, 'x');
        child_wait_zombie(&child);
        assert_gone(_FEATURE_ALL, child.pid, getuid());

        /* Without a pidfd a zombie cannot be told from a process whose first thread has ended. */
        i = new_identities("/proc", "/sys/fs/cgroup", false, WITHOUT(FEATURE_PIDFD));
        ck_assert_int_eq(identities_look(i, (uint32_t) child.pid, getuid(), &id), 0);
        ck_assert_int_eq(id.pidfd, -1);
        identities_free(i);
}
END_TEST

START_TEST(test_recycled) {
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, _FEATURE_ALL);
        pid_t pid = child.pid;
        Identity first, second = { .pidfd = -1 };
        int r;

        ck_assert_int_eq(identities_look(i, (uint32_t) pid, getuid(), &first), 0);
        child_end(&child);
        ck_assert(!identities_alive(first.pidfd));

        /* The kernel counts start times in ticks of 10 ms: the next one must be in another. */
        for (;;) {
                r = child_start_as(&child, pid);
                if (r < 0) {
                        child.pid = 0;
                        printf("SKIP \"a pid that came back\": cannot choose a pid: %s\n", strerror(-r));
                        break;
                }
                ck_assert_int_eq(child.pid, pid);
                ck_assert_int_eq(identities_look(i, (uint32_t) pid, getuid(), &second), 0);
                if (second.generation != first.generation)
                        break;
                identities_release(i, second.pidfd);
                child_end(&child);
        }
        if (r >= 0) {
                ck_assert_uint_gt(second.generation, first.generation);
                ck_assert(identities_alive(second.pidfd));
                ck_assert(!identities_alive(first.pidfd));
                identities_release(i, second.pidfd);
        }
        identities_release(i, first.pidfd);
        identities_free(i);
}
END_TEST

START_TEST(test_without_pidfd) {
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, WITHOUT(FEATURE_PIDFD));
        Identity id;

        ck_assert_int_eq(identities_look(i, (uint32_t) child.pid, getuid(), &id), 0);
        ck_assert_int_eq(id.pidfd, -1);
        ck_assert_uint_eq(id.generation, start_time_of(child.pid));
        ck_assert_int_eq(id.relation, NAMESPACE_OWN);
        ck_assert_uint_eq(identities_budget(i).held, 0);
        identities_release(i, id.pidfd);
        ck_assert_uint_eq(identities_budget(i).held, 0);
        identities_free(i);
}
END_TEST

START_TEST(test_without_nspid) {
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, WITHOUT(FEATURE_NSPID));
        NamespaceRelation relation = _NAMESPACE_RELATION_MAX;
        uint32_t inner = 77;
        Identity id;

        ck_assert_int_eq(identities_look(i, (uint32_t) child.pid, getuid(), &id), 0);
        ck_assert_int_eq(id.relation, NAMESPACE_UNKNOWN);
        ck_assert_uint_eq(id.inner_pid, 0);
        ck_assert_int_eq(identities_inner_pid(i, (uint32_t) child.pid, &relation, &inner), -ENODATA);
        ck_assert_int_eq(relation, _NAMESPACE_RELATION_MAX);
        ck_assert_uint_eq(inner, 77);
        identities_release(i, id.pidfd);
        identities_free(i);
}
END_TEST

START_TEST(test_inner_pid) {
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, _FEATURE_ALL);
        NamespaceRelation relation;
        uint32_t inner;
        pid_t pid = child.pid;

        ck_assert_int_eq(identities_inner_pid(i, (uint32_t) pid, &relation, &inner), 0);
        ck_assert_int_eq(relation, NAMESPACE_OWN);
        ck_assert_uint_eq(inner, (uint32_t) pid);
        child_end(&child);
        child.pid = 0;
        ck_assert_int_lt(identities_inner_pid(i, (uint32_t) pid, &relation, &inner), 0);
        identities_free(i);
}
END_TEST

START_TEST(test_own_namespace) {
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, _FEATURE_ALL);
        uint64_t inode = 77;
        struct stat ns;

        ck_assert_int_eq(stat("/proc/self/ns/pid", &ns), 0);
        ck_assert_int_eq(identities_own_namespace(i, &inode), 0);
        ck_assert_uint_eq(inode, ns.st_ino);
        identities_free(i);
}
END_TEST

/* ---- a container ------------------------------------------------------------------------------------------ */

static void beat_and_wait(int in, int fd) {
        char c;

        if (send_beat(fd, (uint32_t) getpid(), 1) < 0)
                _exit(3);
        (void) read(in, &c, 1);
}

/* In a pid namespace of its own: pid 1 waits for pid 2, and pid 2 beats. Ends with 77 when that is not allowed. */
static void run_container(int in, void *userdata) {
        pid_t init;
        int status;

        if (unshare(CLONE_NEWPID) < 0)
                _exit(77);
        init = fork();
        if (init == 0) {
                if (fork() == 0)
                        beat_and_wait(in, *(int *) userdata);
                else
                        (void) wait(&status);
                _exit(0);
        }
        (void) waitpid(init, &status, 0);
}

START_TEST(test_container) {
        int fd = world_listen_pair(w, _FEATURE_ALL);
        Identities *i = new_identities("/proc", "/sys/fs/cgroup", false, _FEATURE_ALL);
        const Record *r = &w->records[0];
        NamespaceRelation relation;
        uint32_t inner;
        VlpFrame frame;
        Child container;
        siginfo_t info = {};
        Identity id;

        child_start(&container, run_container, &fd);
        while (w->datagrams == 0 && info.si_pid == 0) {
                ck_assert_int_ge(sd_event_run(w->event, 10000), 0);
                ck_assert_int_eq(waitid(P_PID, (id_t) container.pid, &info, WEXITED | WNOWAIT | WNOHANG), 0);
        }
        if (info.si_pid != 0) {
                ck_assert_int_eq(info.si_status, 77);
                printf("SKIP \"a container's process\": cannot make a pid namespace: not root?\n");
        } else {
                ck_assert_int_eq(vlp_frame_decode(r->frame, &frame), VLP_ERROR_NONE);
                ck_assert_uint_eq(frame.pid, 2);
                ck_assert_uint_gt(r->datagram.pid, 2); /* the kernel says who that is for us */

                ck_assert_int_eq(identities_look(i, r->datagram.pid, r->datagram.uid, &id), 0);
                ck_assert_int_eq(id.relation, NAMESPACE_FOREIGN);
                ck_assert_uint_eq(id.inner_pid, 2);
                ck_assert_uint_eq(id.generation, start_time_of((pid_t) r->datagram.pid));
                ck_assert(identities_alive(id.pidfd));
                ck_assert_int_eq(identities_inner_pid(i, r->datagram.pid, &relation, &inner), 0);
                ck_assert_int_eq(relation, NAMESPACE_FOREIGN);
                ck_assert_uint_eq(inner, 2);
                identities_release(i, id.pidfd);
        }
        container.in = safe_close(container.in);
        child_wait_zombie(&container);
        child_end(&container);
        identities_free(i);
        ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* ---- features --------------------------------------------------------------------------------------------- */

static const struct {
        const char *text;
        int result;
        unsigned features;
} feature_texts[] = {
        { "", 0, 0 },
        { "pidfd", 0, FEATURE_PIDFD },
        { "passrights", 0, FEATURE_PASSRIGHTS },
        { "invocation", 0, FEATURE_INVOCATION },
        { "nspid", 0, FEATURE_NSPID },
        { "pidfd,nspid", 0, FEATURE_PIDFD | FEATURE_NSPID },
        { "nspid,nspid", 0, FEATURE_NSPID },
        { "pidfd,passrights,invocation,nspid", 0, _FEATURE_ALL },
        { "pidfds", -EINVAL, 0 },
        { "pid", -EINVAL, 0 },
        { "PIDFD", -EINVAL, 0 },
        { "pidfd nspid", -EINVAL, 0 },
        { "pidfd, nspid", -EINVAL, 0 },
        { ",", -EINVAL, 0 },
        { ",pidfd", -EINVAL, 0 },
        { "pidfd,,nspid", -EINVAL, 0 },
        { "all", -EINVAL, 0 },
};

START_TEST(test_features) {
        for (size_t i = 0; i < ELEMENTSOF(feature_texts); i++) {
                unsigned features = 0xff;

                ck_assert_int_eq(kernel_features_parse(feature_texts[i].text, &features),
                                 feature_texts[i].result);
                ck_assert_uint_eq(features, feature_texts[i].result < 0 ? 0xff : feature_texts[i].features);
        }
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
                { "a living process is seen as it is", test_look },
                { "another user's process did not send this", test_other_uid },
                { "a dead pid is gone", test_dead },
                { "a zombie is gone", test_zombie },
                { "a pid that came back is another process", test_recycled },
                { "a kernel without pidfds", test_without_pidfd },
                { "a kernel without NSpid", test_without_nspid },
                { "the pid inside of a namespace can be asked for alone", test_inner_pid },
                { "our own pid namespace is known", test_own_namespace },
                { "a container's process is foreign, and its inner pid known", test_container },
                { "features are named one by one", test_features },
        };
        Suite *s = suite_create("ingress-identity");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                add(s, rows[i].title, rows[i].test, 0);
        return suite_run(s);
}
