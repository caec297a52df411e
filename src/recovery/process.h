/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What /proc says of a process just before something is done to its unit. The parsers are pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"

/* Room for the whole of /proc/PID/stat and for what is wanted of /proc/PID/status (it ends well before). */
#define PROCESS_TEXT_MAX 4096

typedef struct ProcessStatus {
        uint32_t tracer;     /* TracerPid; 0: none */
        unsigned namespaces; /* entries of NSpid: 1 exactly in the reader's own pid namespace; 0: not said */
} ProcessStatus;

/* /proc/PID/status. Returns 0, -EINVAL when TracerPid is not in it. */
int process_parse_status(const char *text, ProcessStatus *ret);

/* /proc/PID/cgroup -> the path in the unified hierarchy, "/" at its start. Returns 0, -ENOENT when the process is in
 * none, -ENAMETOOLONG. */
int process_parse_cgroup(const char *text, char *buf, size_t size);

/* cgroup.events -> whether the group is frozen, itself or with one above. False when it does not say. */
bool process_parse_frozen(const char *text);

/* Reads a small file, terminated, cut at size - 1. Returns its length, negative errno. */
int process_read_text(void *userdata, const char *path, char *buf, size_t size);
