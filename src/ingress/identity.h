/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who is speaking: one look at a process when it is first heard of, and a pidfd that tells of its end.
 *
 * Everything is read with no privilege at all: what the kernel shows anybody of anybody's process.
 */

#include <systemd/sd-event.h>

#include "core/types.h"

typedef struct Identities Identities;

/* Optional kernel features; each can be switched off to see what happens without it. */
typedef enum KernelFeature {
        FEATURE_PIDFD = 1
                     << 0, /* pidfd_open(2), Linux 5.3; off: agents are known by silence and start time */
        FEATURE_PASSRIGHTS = 1 << 1, /* SO_PASSRIGHTS, Linux 6.16; off: descriptors arrive and are closed */
        FEATURE_INVOCATION =
                        1 << 2, /* user xattrs on cgroups, Linux 5.7 + systemd 251; off: no InvocationID */
        FEATURE_NSPID = 1 << 3, /* NSpid in status, Linux 4.1; off: namespaces stay unknown */
        _FEATURE_ALL = (1 << 4) - 1,
} KernelFeature;

/* "pidfd,passrights,..." into *ret. Returns 0, -EINVAL for a name that is none. */
int kernel_features_parse(const char *text, unsigned *ret);

typedef struct IdentityHooks {
        /* Everything that is queued now is read and judged before exits are. */
        void (*drain)(void *userdata);
        /* The process of this agent ended. */
        void (*exited)(void *userdata, uint64_t agent);
        /* Descriptors ran out (true), or one could be had again (false): told once per change. */
        void (*exhausted)(void *userdata, bool exhausted);
} IdentityHooks;

/* `user`: units are the user manager's. proc and cgroups are the mounts to read, normally "/proc" and
 * "/sys/fs/cgroup"; one that cannot be opened costs what it would have told, and nothing else. Returns 0, -ENOMEM,
 * or what epoll said. */
int identities_new(sd_event *event, const char *proc, const char *cgroups, bool user, unsigned features,
                   int64_t priority, const IdentityHooks *hooks, void *userdata, Identities **ret);
Identities *identities_free(Identities *i);
DEFINE_CLEANUP_FUNC(Identities, identities_free)

/* The observer's own pid namespace. Returns 0, or -ENODATA when /proc does not tell. *ret_inode is 0 when only the
 * relation is known. */
int identities_own_namespace(const Identities *i, uint64_t *ret_inode);

/* The hooks of core: see core/observer.h for each. */
int identities_look(Identities *i, uint32_t pid, uint32_t uid, Identity *ret);
int identities_inner_pid(Identities *i, uint32_t pid, NamespaceRelation *ret_relation, uint32_t *ret_inner);
bool identities_alive(int pidfd);
int identities_watch(Identities *i, int pidfd, uint64_t agent);
void identities_release(Identities *i, int pidfd);
uint32_t identities_pid_max(Identities *i);

/* Descriptors: pidfds held, and how many could be held at most (from RLIMIT_NOFILE, less a reserve). */
typedef struct DescriptorBudget {
        uint64_t held, limit;
} DescriptorBudget;
DescriptorBudget identities_budget(const Identities *i);
