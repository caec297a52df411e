/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * libvarta: the agent's side of Varta. A process says "I am alive" by sending heartbeats, and the observer,
 * vartad, notices when they stop.
 *
 *         VartaAgent *agent;
 *         int r;
 *
 *         r = varta_open(NULL, &agent);
 *         if (r < 0)
 *                 return r;
 *
 *         for (;;) {
 *                 do_a_piece_of_work();
 *                 varta_beat_wait(agent, VARTA_STATUS_OK, queue_length, 100);
 *         }
 *
 *         varta_close(agent);
 *
 * Beat from the loop whose progress matters, a few times per stall threshold (once a second is plenty for
 * the default of 5 s): a heartbeat from a thread of its own only proves that this thread is alive. The
 * observer disregards beats beyond its rate limit, by default 100 per second and process.
 *
 * What a beat can cost. varta_beat() never waits for anybody, and varta_beat_wait() never longer than it was
 * told: an observer that is slow, stopped, restarting or absent cannot hold up those it observes. After
 * varta_open() nothing allocates memory, takes a lock, writes to stdio or changes errno.
 *
 * Results. Every beat returns one int:
 *   0              VARTA_SENT: the frame is in the observer's queue (or on its way there, see UDP below);
 *   positive       one of VARTA_DROPPED_*: this beat is lost, and the next may get through without
 *                  any change to the program. Losing a few beats is what thresholds are for;
 *   negative       a negative errno value: it failed, and the next will fail likewise until the program
 *                  or its configuration changes.
 *
 * Sessions. To the observer, a process is one agent: its beats carry one sequence of rising numbers
 * (nonces), starting at 1. The library therefore keeps that sequence for the process and not for the handle:
 * closing and opening again continues it, and several handles share it. A beat that was not sent uses up
 * neither a number nor a timestamp. The pid is asked for at every beat.
 *
 * fork(). A child is an agent of its own and may go on with the handle it inherited: at its first beat it
 * begins a new sequence at 1 and gets a socket of its own; its parent's is closed in the child and goes on
 * in the parent. The child needs the right to reach the observer itself (a connection that a parent made
 * before it gave up privileges is not handed down). It is enough that the child beats; a child that does not
 * is no agent. A child that shares its parent's memory (vfork(), or clone() with CLONE_VM but without
 * CLONE_THREAD) must not beat.
 *
 * execve() keeps the pid but not the library's memory: the sequence begins anew although the process does
 * not, and the observer may disregard its beats as out of order. Let the new program run as a child.
 *
 * Threads. Every function may be called from any thread at any time, on one handle or on several; only
 * varta_close() must not meet another use of the same handle. Two beats sent at the same instant may reach
 * the observer in either order, and it then disregards the later-arriving one.
 *
 * Signal handlers. varta_beat(), varta_beat_wait(), varta_beat_terminal() and varta_outcome_to_string() are
 * async-signal-safe, also where they interrupt each other or themselves. varta_open() and varta_close() are
 * not.
 *
 * A process with pid 1 cannot be an agent, which concerns containers: run an init as pid 1 and the agent as
 * its child.
 *
 * UDP. Beats can also travel to an observer on another machine, with everything above holding for them, and
 * these differences. Nobody learns whether a datagram arrives: VARTA_SENT says that the kernel has sent it.
 * If the observer's host answers that nobody listens there, which it may or may not do, then the *next* beat
 * returns VARTA_DROPPED_NO_OBSERVER; that beat has been sent nevertheless, and may well arrive, since the
 * observer may be back by now. Plain beats, as varta_open() sends them, can be read, forged and replayed by
 * whoever reaches the network: they are for networks that one would trust with that, and varta-secure.h is
 * for the others. Every half minute the socket is connected anew, so that the kernel can choose another of
 * the machine's addresses to send from: a packet filter must not rely on the sender's port.
 */

#include <errno.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the observer listens unless somebody says otherwise; what varta_open(NULL, ...) uses. */
#define VARTA_DEFAULT_ADDRESS "/run/varta/varta.sock"

/* The longest wait that may be asked for, in milliseconds. There is no "for ever": see above. */
#define VARTA_WAIT_MAX_MS 60000

/* An open way to an observer. Opaque; made by varta_open(), ended by varta_close(). */
typedef struct VartaAgent VartaAgent;

/* What the agent says of itself. Any beat counts as a sign of life, whatever its status. */
typedef enum VartaStatus {
        VARTA_STATUS_OK = 0,       /* all is well */
        VARTA_STATUS_DEGRADED = 1, /* working, but not as it should */
        VARTA_STATUS_CRITICAL = 2, /* an alarm; the process goes on all the same */
        _VARTA_STATUS_MAX,
        _VARTA_STATUS_INVALID = -EINVAL
} VartaStatus;

/* What became of a beat, when it is not a negative errno value. Later versions may add reasons at the
 * end: take an unknown positive value for "dropped". */
typedef enum VartaOutcome {
        VARTA_SENT = 0,                  /* in the observer's queue; UDP: on its way */
        VARTA_DROPPED_QUEUE_FULL = 1,    /* no room in the observer's queue (for as long as was waited); UDP:
                                            no room in our own */
        VARTA_DROPPED_NO_OBSERVER = 2,   /* nobody listens at the address; a socket may appear there later */
        VARTA_DROPPED_NOT_PERMITTED = 3, /* this process may not write to the observer's socket */
        VARTA_DROPPED_NO_RESOURCES = 4,  /* the kernel is short of memory, or the process of descriptors */
        VARTA_DROPPED_NO_ROUTE = 5,      /* UDP: no way to the observer's host at the moment */
        _VARTA_OUTCOME_MAX,
        _VARTA_OUTCOME_INVALID = -EINVAL
} VartaOutcome;

/* Opens a way to the observer at `address`:
 *
 *   NULL                             VARTA_DEFAULT_ADDRESS
 *   "/absolute/path"                 a datagram socket in the file system; at most 107 bytes
 *   "@name"                          a socket in the abstract namespace; 1 to 107 bytes after the "@"
 *   "unix:" and either of the two    the same
 *   "udp:192.0.2.1:8675"             plain UDP over IPv4; the port is a number from 1 to 65535
 *   "udp:[2001:db8::1]:8675"         the same over IPv6
 *   "udp:[fe80::1%eth0]:8675"        the same on one link; the interface must exist when this is called
 *
 * Names of hosts are not understood, since looking one up may wait for other machines.
 *
 * The observer need not be there, now or later: that is what the beats' results are for. If it is, this
 * already connects, so that a process which drops privileges afterwards keeps its way to it (until the
 * observer's socket is replaced).
 *
 * Takes one descriptor, close-on-exec, and the only memory the library ever asks for. `address` is copied.
 *
 * Returns 0 and, in *ret, a handle that the caller owns and gives to varta_close(); or, with *ret untouched:
 *   -EINVAL           `ret` is NULL, or `address` has none of the forms above
 *   -ENAMETOOLONG     the path or name does not fit a socket address
 *   -EPROTONOSUPPORT  `address` names a transport ("tcp:...") that the library does not know
 *   -ENODEV           `address` names a network interface that does not exist
 *   -ENOMEM           no memory
 *   -EMFILE, -ENFILE, -ENOBUFS, -EACCES, -EAFNOSUPPORT   as socket() says */
int varta_open(const char *address, VartaAgent **ret);

/* Closes the handle's socket and frees it. The session stays: it is the process's. In a child of the
 * process that opened the handle, this ends the child's copy only. NULL is fine. Returns NULL, for `agent
 * = varta_close(agent)`. */
VartaAgent *varta_close(VartaAgent *agent);

/* Sends one beat now or not at all. `payload` is a number of the program's choice (a queue length, an error
 * code) that the observer shows and does not judge.
 *
 * When the observer's socket has gone or was replaced, this looks for a new one at the address, once,
 * within the same call.
 *
 * Returns VARTA_SENT, one of VARTA_DROPPED_*, or:
 *   -EINVAL         `agent` is NULL, or `status` is none of the three
 *   -EOPNOTSUPP     the process has pid 1
 *   -EPROTOTYPE     what listens at the address is a socket, but not for datagrams
 *   -EBADF, -ENOTSOCK, ...   somebody closed the handle's descriptor; or whatever else connect() and send()
 *                   may say */
int varta_beat(VartaAgent *agent, VartaStatus status, uint32_t payload);

/* The same, but when the observer's queue is full, waits up to `timeout_ms` milliseconds for room. This
 * is the one to use by default, with a timeout of 100: the queue is shared by all agents, and beside one
 * that floods it, those who do not wait lose up to three quarters of their beats, those who wait none.
 *
 * Only a full queue is waited for, never the observer's appearance nor a way to it. Signals do not shorten
 * the wait. The timestamp is that of the attempt that succeeds. Waits are rounded up to the next millisecond.
 *
 * `timeout_ms` is 0 (do not wait) to VARTA_WAIT_MAX_MS. Returns as varta_beat(); -EINVAL also for a longer
 * timeout, which catches the -1 of poll(). */
int varta_beat_wait(VartaAgent *agent, VartaStatus status, uint32_t payload, unsigned timeout_ms);

/* A dying process's last word, with status critical and the nonce that is reserved for it. For handlers
 * of fatal signals, std::terminate and the like: the observer then tells "crashed, and said so" from
 * "silent". It takes no number of the sequence, so that nothing is spoilt if the process should live on
 * and beat again.
 *
 * `timeout_ms` as in varta_beat_wait(); 0 is right wherever dying must not take longer. Returns as
 * varta_beat_wait(). */
int varta_beat_terminal(VartaAgent *agent, uint32_t payload, unsigned timeout_ms);

/* A short name for what a beat returned: "sent", "queue-full", "no-observer", "not-permitted",
 * "no-resources", "no-route". NULL for anything else; negative errno values have strerror(). The string is
 * constant and never freed. */
const char *varta_outcome_to_string(int outcome);

/* For __attribute__((cleanup(varta_closep))) on a VartaAgent*. */
static inline void varta_closep(VartaAgent **agent) {
        if (*agent)
                varta_close(*agent);
}

#ifdef __cplusplus
}
#endif
