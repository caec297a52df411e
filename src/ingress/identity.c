/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * First sight and last sight of a process.
 *
 * The order of a look matters: the pidfd first, then everything else, then the question whether the pidfd's process
 * still lives. If it does, what was read in between was its own and nobody else's.
 *
 * Pidfds sit in one nested epoll descriptor: a fleet of 100,000 costs the event loop one source. An exit is told
 * only after the queued beats were read, because the last word and the death usually arrive together.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "ingress/identity.h"
#include "ingress/proc-text.h"
#include "util/fd.h"

/* Exits handled per turn of the loop: a fleet that dies at once must not hold up the beats of the rest. */
#define EXITS_PER_TURN 64

/* Descriptors that are not for pidfds: sockets, two bus connections, journal, epoll, timers, /proc look-ups. */
#define DESCRIPTOR_RESERVE 64U

/* /proc/PID/status is about 1.5 KiB; supplementary groups and CPU masks of large machines make it longer. */
#define STATUS_SIZE 16384
#define STAT_SIZE   2048
#define CGROUP_SIZE 8192 /* a path of PATH_MAX, and v1 hierarchies before it */

struct Identities {
        IdentityHooks hooks;
        void *userdata;
        sd_event_source *source;
        int proc_fd;
        char cgroups[64];                                /* where the unified hierarchy is mounted */
        char manager[sizeof("user@4294967295.service")]; /* whose units are meant; empty: the system's */
        int epoll_fd;
        bool exhausted;
        unsigned features;
        uint64_t held, limit;
};

int kernel_features_parse(const char *text, unsigned *ret) {
        static const struct {
                const char *name;
                KernelFeature feature;
        } table[] = {
                { "pidfd", FEATURE_PIDFD },
                { "passrights", FEATURE_PASSRIGHTS },
                { "invocation", FEATURE_INVOCATION },
                { "nspid", FEATURE_NSPID },
        };
        unsigned features = 0;

        for (const char *p = text; *p;) {
                size_t n = strcspn(p, ","), i;

                for (i = 0; i < ELEMENTSOF(table); i++)
                        if (strlen(table[i].name) == n && strncmp(table[i].name, p, n) == 0)
                                break;
                if (i == ELEMENTSOF(table))
                        return -EINVAL;
                features |= table[i].feature;
                p += n;
                p += *p == ',';
        }
        *ret = features;
        return 0;
}

static int on_exits(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct epoll_event events[EXITS_PER_TURN];
        Identities *i = userdata;
        int n;

        /* First what was said, then who died: see above. The list is fetched afterwards, so that a slot that went to
         * another process in between is not mistaken for the dead one. */
        i->hooks.drain(i->userdata);
        n = epoll_wait(i->epoll_fd, events, ELEMENTSOF(events), 0);
        if (n < 0)
                return errno == EINTR ? 0 : negative_errno();
        for (int k = 0; k < n; k++)
                i->hooks.exited(i->userdata, events[k].data.u64);
        return 0;
}

/* The unified hierarchy is mounted at the top, or beside the old ones (hybrid). */
static void find_cgroups(Identities *i, const char *path) {
        int n;

        n = snprintf(i->cgroups, sizeof(i->cgroups), "%s/unified", path);
        if (n < 0 || (size_t) n >= sizeof(i->cgroups))
                i->cgroups[0] = 0;
        else if (access(i->cgroups, F_OK) < 0)
                i->cgroups[(size_t) n - STRLEN("/unified")] = 0;
}

int identities_new(sd_event *event, const char *proc, const char *cgroups, bool user, unsigned features,
                   int64_t priority, const IdentityHooks *hooks, void *userdata, Identities **ret) {
        _cleanup_(identities_freep) Identities *i = NULL;
        _cleanup_close_ int epoll_fd = -1;
        struct rlimit limit;
        int r;

        assert(event && hooks && ret);

        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd < 0)
                return negative_errno();
        i = malloc(sizeof(Identities));
        if (!i)
                return -ENOMEM;
        *i = (Identities){
                .hooks = *hooks,
                .userdata = userdata,
                .proc_fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC),
                .epoll_fd = TAKE_FD(epoll_fd),
                .features = features,
        };
        if (user)
                (void) snprintf(i->manager, sizeof(i->manager), "user@%u.service", (unsigned) getuid());
        find_cgroups(i, cgroups);
        if (getrlimit(RLIMIT_NOFILE, &limit) >= 0 && limit.rlim_cur > DESCRIPTOR_RESERVE)
                i->limit = limit.rlim_cur - DESCRIPTOR_RESERVE;

        r = sd_event_add_io(event, &i->source, i->epoll_fd, EPOLLIN, on_exits, i);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(i->source, "agents-exit");
        r = sd_event_source_set_priority(i->source, priority);
        if (r < 0)
                return r;
        r = sd_event_source_set_exit_on_failure(i->source, true);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(i);
        return 0;
}

Identities *identities_free(Identities *i) {
        if (!i)
                return NULL;

        sd_event_source_disable_unref(i->source);
        (void) safe_close(i->epoll_fd);
        (void) safe_close(i->proc_fd);
        free(i);
        return NULL;
}

static ssize_t read_proc(const Identities *i, uint32_t pid, const char *name, char *buf, size_t size) {
        char path[sizeof("4294967295/cgroup")];

        if (i->proc_fd < 0)
                return -ENOENT;
        (void) snprintf(path, sizeof(path), "%u/%s", (unsigned) pid, name);
        return read_small_file(i->proc_fd, path, buf, size);
}

static uint64_t read_namespace_inode(const Identities *i, const char *pid) {
        char path[sizeof("4294967295/ns/pid")];
        struct stat st;

        (void) snprintf(path, sizeof(path), "%s/ns/pid", pid);
        if (i->proc_fd < 0 || fstatat(i->proc_fd, path, &st, 0) < 0)
                return 0;
        return st.st_ino;
}

int identities_own_namespace(const Identities *i, uint64_t *ret_inode) {
        char status[STATUS_SIZE];
        NamespaceRelation relation;
        uint32_t inner;
        int r;

        /* Our own entry under our own pid: a procfs of another namespace would show somebody else, or nobody. */
        if (read_proc(i, (uint32_t) getpid(), "status", status, sizeof(status)) < 0)
                return -ENODATA;
        r = proc_parse_nspid(status, &relation, &inner);
        if (r < 0 || relation != NAMESPACE_OWN || inner != (uint32_t) getpid())
                return -ENODATA;
        *ret_inode = read_namespace_inode(i, "self");
        return 0;
}

bool identities_alive(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };
        int r;

        do
                r = poll(&p, 1, 0);
        while (r < 0 && errno == EINTR);
        return r == 0;
}

static void set_exhausted(Identities *i, bool exhausted) {
        if (i->exhausted == exhausted)
                return;
        i->exhausted = exhausted;
        i->hooks.exhausted(i->userdata, exhausted);
}

/* A pidfd, or -1 where none can be had; -ESRCH when there is no such process. */
static int open_pidfd(Identities *i, uint32_t pid, int *ret) {
        int fd;

        *ret = -1;
        if (!(i->features & FEATURE_PIDFD))
                return kill((pid_t) pid, 0) < 0 && errno == ESRCH ? -ESRCH : 0;
        if (i->held >= i->limit) {
                set_exhausted(i, true);
                return kill((pid_t) pid, 0) < 0 && errno == ESRCH ? -ESRCH : 0;
        }

        fd = (int) syscall(SYS_pidfd_open, (pid_t) pid, 0); /* glibc has no wrapper before 2.36 */
        if (fd < 0) {
                if (errno == ESRCH)
                        return -ESRCH;
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                        set_exhausted(i, true);
                return 0;
        }
        set_exhausted(i, false);
        i->held++;
        *ret = fd;
        return 0;
}

/* The unit, and the invocation that systemd wrote on its cgroup. */
static void look_at_cgroup(const Identities *i, uint32_t pid, Identity *identity) {
        char text[CGROUP_SIZE], path[sizeof(i->cgroups) + CGROUP_SIZE], value[64];
        const char *cgroup;
        size_t size, prefix;
        ssize_t n;

        if (read_proc(i, pid, "cgroup", text, sizeof(text)) < 0)
                return;
        if (proc_parse_cgroup(text, &cgroup, &size) < 0)
                return;
        if (cgroup_path_unit(cgroup, size, i->manager[0] ? i->manager : NULL, identity->unit, &prefix) < 0)
                return;
        if (i->cgroups[0] == 0 || !(i->features & FEATURE_INVOCATION))
                return;

        (void) snprintf(path, sizeof(path), "%s%.*s", i->cgroups, (int) prefix, cgroup);
        n = getxattr(path, "user.invocation_id", value, sizeof(value));
        if (n > 0)
                (void) invocation_id_parse(value, (size_t) n, identity->invocation);
}

/* Start time, uid, namespace. -ESRCH: the uid shows that this is not who sent the datagram. */
static int look_at_process(const Identities *i, uint32_t pid, uint32_t uid, Identity *identity) {
        char status[STATUS_SIZE], stat[STAT_SIZE], name[sizeof("4294967295")];
        uint32_t uids[4];

        if (read_proc(i, pid, "stat", stat, sizeof(stat)) > 0)
                (void) proc_parse_start_time(stat, &identity->generation);

        if (read_proc(i, pid, "status", status, sizeof(status)) > 0) {
                if (proc_parse_uids(status, uids) >= 0 && uids[0] != uid && uids[1] != uid && uids[2] != uid)
                        return -ESRCH;
                if (i->features & FEATURE_NSPID)
                        (void) proc_parse_nspid(status, &identity->relation, &identity->inner_pid);
        }
        (void) snprintf(name, sizeof(name), "%u", (unsigned) pid);
        identity->namespace_inode = read_namespace_inode(i, name);
        return 0;
}

int identities_look(Identities *i, uint32_t pid, uint32_t uid, Identity *ret) {
        Identity identity = { .pidfd = -1, .uid = uid };
        int r;

        assert(i && ret);

        r = open_pidfd(i, pid, &identity.pidfd);
        if (r < 0)
                return r;

        r = look_at_process(i, pid, uid, &identity);
        if (r >= 0) {
                look_at_cgroup(i, pid, &identity);
                if (identity.pidfd >= 0 && !identities_alive(identity.pidfd))
                        r = -ESRCH;
        }
        if (r < 0) {
                identities_release(i, identity.pidfd);
                return r;
        }
        *ret = identity;
        return 0;
}

int identities_inner_pid(Identities *i, uint32_t pid, NamespaceRelation *ret_relation, uint32_t *ret_inner) {
        char status[STATUS_SIZE];
        ssize_t n;

        if (!(i->features & FEATURE_NSPID))
                return -ENODATA;
        n = read_proc(i, pid, "status", status, sizeof(status));
        if (n < 0)
                return (int) n;
        return proc_parse_nspid(status, ret_relation, ret_inner);
}

int identities_watch(Identities *i, int pidfd, uint64_t agent) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = agent };

        if (epoll_ctl(i->epoll_fd, EPOLL_CTL_ADD, pidfd, &event) < 0)
                return negative_errno();
        return 0;
}

void identities_release(Identities *i, int pidfd) {
        if (pidfd < 0)
                return;
        (void) safe_close(pidfd); /* and with it, as nobody else has it, out of the epoll set */
        i->held--;
}

uint32_t identities_pid_max(Identities *i) {
        char text[32];
        const char *p = text;
        uint64_t n;

        if (i->proc_fd < 0 || read_small_file(i->proc_fd, "sys/kernel/pid_max", text, sizeof(text)) <= 0)
                return 0;
        if (proc_parse_number(&p, &n) < 0 || n > UINT32_MAX)
                return 0;
        return (uint32_t) n;
}

DescriptorBudget identities_budget(const Identities *i) {
        return (DescriptorBudget){ .held = i->held, .limit = i->limit };
}
