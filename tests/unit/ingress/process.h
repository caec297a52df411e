/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Real processes to look at: each waits for a word from the test, and none outlives it. */

#include <sys/types.h>

typedef struct Child {
        pid_t pid;
        int in; /* what is written here is read by the child's function; closed: the end */
} Child;

/* Forks a child that runs `function` (NULL: waits until it is told to end) and then exits. */
void child_start(Child *c, void (*function)(int in, void *userdata), void *userdata);
/* A child with this very pid. Returns 0, or negative errno when the kernel or our rights do not allow that. */
int child_start_as(Child *c, pid_t pid);
void child_tell(const Child *c, char word);
/* Waits until it has exited, and leaves the zombie. */
void child_wait_zombie(const Child *c);
/* Ends it, if it has not ended, and reaps it. */
void child_end(Child *c);
