/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Between libvarta and libvarta-secure: how frames are put into something else before they are sent. Not for
 * programs: the shared library exports it under a private version, whose number is raised whenever something
 * here changes, so that two libraries that do not belong together are refused by the dynamic linker and not
 * by a crash.
 */

#include <stdint.h>
#include <sys/types.h>

#include "client/varta.h"

/* Room for the largest datagram that a seal may make of a frame. */
#define VARTA_DATAGRAM_MAX 64

typedef struct VartaSeal {
        /* Makes a datagram of the VLP_FRAME_SIZE bytes at `frame`, sent by process `pid`. Returns its
         * size, at most VARTA_DATAGRAM_MAX, or a negative errno, and then nothing is sent. Called from any
         * thread and from signal handlers, also of a child. */
        int (*seal)(void *userdata, pid_t pid, const uint8_t *frame, uint8_t *ret_datagram);

        /* Called once, by varta_close(). */
        void (*done)(void *userdata);

        void *userdata;
} VartaSeal;

/* Like varta_open(), for UDP addresses only (-EPROTONOSUPPORT for others), with every frame sealed. *seal is
 * copied; what its `userdata` points to belongs to the handle from then on, unless this fails. */
__attribute__((visibility("default"))) int varta_open_sealed(const char *address, const VartaSeal *seal,
                                                             VartaAgent **ret);
