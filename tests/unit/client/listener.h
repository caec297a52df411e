/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The observer's end for the client's tests: a real datagram socket in a directory of its own, and what
 * arrives there, decoded, with the pid that the kernel vouches for. Everything fails the running test by
 * itself. The tests assume a queue of at least ten datagrams (net.unix.max_dgram_qlen), the kernel's
 * default.
 */

#include <check.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "client/varta.h"
#include "vlp/frame.h"

/* A socket with this many frames under way is still called writable: the kernel does so up to a quarter
 * of the send buffer, which is some seventy frames. */
#define BEATS_PER_HANDLE 32

typedef struct Listener {
        char dir[32];
        char path[sizeof(((struct sockaddr_un *) NULL)->sun_path)];
        int fd; /* -1 while there is no socket */
} Listener;

/* One row of a test program. */
typedef struct Case {
        const char *title;
        const TTest *test;
} Case;

/* Makes the directory and a path in it, but no socket yet. */
void listener_prepare(Listener *l);

/* Binds a new datagram socket to the path, over whatever was there. */
void listener_bind(Listener *l);

/* Both. */
void listener_open(Listener *l);

/* Closes the socket; its name stays in the file system, as when an observer dies. */
void listener_leave(Listener *l);

/* Removes everything. */
void listener_close(Listener *l);

/* Takes one frame off the socket: true, the frame and the sender's pid (each may be NULL), or false when
 * there is none. What is no frame fails the test. */
bool listener_take(Listener *l, VlpFrame *ret, pid_t *ret_pid);

/* Takes one frame that must be there. */
VlpFrame listener_expect(Listener *l);

/* No more frames may be there. */
void listener_expect_none(Listener *l);

/* Takes all there are and returns how many. */
unsigned listener_drain(Listener *l);

/* A handle for the listener. */
VartaAgent *listener_agent(const Listener *l);

/* Fills the queue with beats of status ok and returns how many there are. Takes several handles for it,
 * so that it is the observer's queue that is full and not a send buffer, however long the queue is. */
unsigned fill_queue(const Listener *l);

/* The number that the next descriptor of this process will get. */
int next_fd(void);

/* The inode behind a descriptor of this process. */
ino_t fd_inode(int fd);

/* Forks, runs child() there and returns what it returned. The child must not use ck_assert. */
int run_in_child(int (*child)(void *userdata), void *userdata);

/* Runs the cases and returns main()'s exit code. */
int cases_run(const char *name, const Case *cases, size_t n_cases);
