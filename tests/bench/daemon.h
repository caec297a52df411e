/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The real vartad on a bus of its own: what an operator would have, less systemd.
 */

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "bench.h"

/* Where its agents send to: in the abstract namespace. */
#define DAEMON_SOCKET "varta-bench-daemon"

typedef struct Daemon {
        char dir[64];
        pid_t bus_pid, pid;
        sd_bus *bus; /* ours */
} Daemon;

/* Starts a dbus-daemon and vartad with the default configuration, and returns when vartad is ready and has its name.
 * `environment`: what is added for vartad ("NAME=VALUE", NULL for nothing; "$$" as the value stands for its pid).
 * Skips where there is no dbus-daemon. */
void daemon_start(Daemon *d, const char *const *environment);
/* The same with the text of a configuration, and with further options (NULL for nothing). */
void daemon_start_with(Daemon *d, const char *const *environment, const char *config,
                       const char *const *options);
void daemon_stop(Daemon *d);

/* A socket connected to "@name". */
int daemon_connect(const char *name);
/* The calling process beats. */
void daemon_beat(int fd, uint64_t nonce);
