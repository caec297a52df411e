/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of sockets and processes share. Everything here fails the test when it cannot do its work. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A directory of its own for a test's sockets: absolute, short, removed with all that is in it by scratch_done(). */
typedef struct Scratch {
        char path[32];
} Scratch;
void scratch_init(Scratch *s);
void scratch_done(Scratch *s);

/* "DIRECTORY/NAME" and "unix:DIRECTORY/NAME"; borrowed until the eighth call after. */
const char *scratch_path(const Scratch *s, const char *name);
const char *scratch_address(const Scratch *s, const char *name);

/* Descriptors open in this process. */
size_t count_fds(void);

/* Sets the soft limit of descriptors; returns what it was. */
rlim_t set_fd_limit(rlim_t limit);
/* Sets it so that just so many descriptors can still be had; returns what it was. */
rlim_t leave_fds(unsigned n);

/* A datagram socket connected to the path. */
int connect_to(const char *path);

/* Sends `size` bytes with n_fds descriptors attached. Returns 0 or negative errno. */
int send_bytes(int fd, const void *data, size_t size, size_t n_fds);

/* A well-formed beat of this process, or of another pid. */
void make_beat(uint8_t *ret_frame, uint32_t pid, uint64_t nonce);
int send_beat(int fd, uint32_t pid, uint64_t nonce);

/* Whether the kernel knows SO_PASSRIGHTS (Linux 6.16). */
bool kernel_has_passrights(void);
