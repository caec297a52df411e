/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The text of /proc/PID/{status,cgroup}: what anybody may read of anybody's process. Pure; the text need not be
 * trusted to be well-formed, and must end with NUL.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/types.h"
#include "util/proc.h"

/* Uid: of status, real, effective, saved and filesystem. Returns 0, -EINVAL. */
int proc_parse_uids(const char *status, uint32_t ret[4]);

/* NSpid: of status (Linux 4.1): one entry exactly when the process lives in the pid namespace of the procfs mount,
 * the innermost last. Returns 0, -EINVAL, -ENODATA when there is no such line. */
int proc_parse_nspid(const char *status, NamespaceRelation *ret_relation, uint32_t *ret_inner);

/* The cgroup of the unified hierarchy ("0::PATH"), or of systemd's own ("N:name=systemd:PATH") when that is all there
 * is, or all that is used. *ret_path points into the text, without an end of its own. Returns 0, -ENODATA. */
int proc_parse_cgroup(const char *cgroup, const char **ret_path, size_t *ret_size);

/* The unit that a cgroup path belongs to: the first component below the slices, systemd's escaping undone. `manager`
 * is NULL for the system's units; with the name of a user manager's service ("user@1000.service") the search starts
 * below that. ret_unit has room for UNIT_NAME_SIZE; *ret_prefix is how much of the path leads to the unit's own cgroup.
 * Returns 0, -ENXIO when the path belongs to no unit (a kernel thread, a container without systemd, a cgroup that
 * somebody named as no unit can be named), -ENAMETOOLONG. */
int cgroup_path_unit(const char *path, size_t size, const char *manager, char *ret_unit, size_t *ret_prefix);

/* 32 hex digits, as in the xattr user.invocation_id. Returns 0, -EINVAL. */
int invocation_id_parse(const char *text, size_t size, uint8_t ret[INVOCATION_ID_SIZE]);
