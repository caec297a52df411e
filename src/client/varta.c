/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvarta: from "I am alive" to a datagram in the observer's queue.
 *
 * One connected, non-blocking datagram socket per handle; how it finds its observer again is told in
 * transport.c.
 *
 * Everything after varta_open() may run in a signal handler that interrupted any other part of it, and in
 * several threads at once: no lock, no allocation, and the handle's only mutable parts are replaced in one
 * exchange. The descriptor and the pid that made it share one 64-bit word, so that nobody ever sees one
 * without the other.
 *
 * A child inherits the word with its parent's pid in it and thereby knows that the socket is not its own. It
 * opens one for itself: sharing would charge the frames of the whole family to one send buffer. It also must
 * not trust the inherited number, because a child that closed all descriptors (as daemons do) may have
 * something else there by now. The inode tells: only what is still that very socket is closed, and nothing
 * is ever written to a descriptor of another process's making.
 */

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/address.h"
#include "client/seal.h"
#include "client/session.h"
#include "client/transport.h"
#include "client/varta.h"
#include "vlp/frame.h"

#define _public_ __attribute__((visibility("default")))

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

/* How often a UDP socket forgets which of the host's addresses it sends from. Seldom enough to cost nothing,
 * often enough that an agent on a machine that moved is heard again within a minute. */
#define RENEW_NSEC (30 * NSEC_PER_SEC)

static_assert((int) VARTA_STATUS_OK == (int) VLP_STATUS_OK, "statuses are the wire's");
static_assert((int) VARTA_STATUS_DEGRADED == (int) VLP_STATUS_DEGRADED, "statuses are the wire's");
static_assert((int) VARTA_STATUS_CRITICAL == (int) VLP_STATUS_CRITICAL, "statuses are the wire's");
static_assert(VARTA_WAIT_MAX_MS <= INT32_MAX, "poll() takes an int");
static_assert(VARTA_DATAGRAM_MAX >= VLP_FRAME_SIZE, "a bare frame fits, too");

struct VartaAgent {
        VartaAddress address;
        VartaSeal seal;           /* .seal is NULL for bare frames */
        _Atomic uint64_t socket;  /* socket_pack() of its maker's pid and the descriptor */
        _Atomic uint64_t renewed; /* UDP: when its connection was made, ns */
        ino_t inode;              /* of that socket; written by whoever put it there */
};

/* The process's; see session.c for why it is not the handle's. */
static VartaSession session;

/* What a caller asked for; the rest of a frame is decided at each attempt. */
typedef struct Beat {
        VlpStatus status;
        uint32_t payload;
        bool terminal;
} Beat;

static uint64_t socket_pack(pid_t pid, int fd) {
        return (uint64_t) (uint32_t) pid << 32 | (uint32_t) fd;
}

static pid_t socket_pid(uint64_t packed) {
        return (pid_t) (packed >> 32);
}

static int socket_fd(uint64_t packed) {
        return (int) (uint32_t) packed;
}

static uint64_t now_ns(void) {
        struct timespec ts = {};

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * NSEC_PER_SEC + (uint64_t) ts.tv_nsec;
}

/* The inode of the socket behind a descriptor; 0, which no socket has, when it is none. */
static ino_t socket_inode(int fd) {
        struct stat st;

        return fstat(fd, &st) >= 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

/* The handle's socket for process `pid`, made now if the handle came from another process. Returns the
 * descriptor, which stays the handle's, or a negative errno. */
static int agent_socket(VartaAgent *agent, pid_t pid) {
        uint64_t held = atomic_load(&agent->socket);
        int fd;

        if (socket_pid(held) == pid)
                return socket_fd(held);

        fd = varta_transport_open(&agent->address);
        if (fd < 0)
                return fd;

        if (!atomic_compare_exchange_strong(&agent->socket, &held, socket_pack(pid, fd))) {
                /* Another thread of this process, or a signal handler, came first. */
                (void) close(fd);
                return socket_fd(held);
        }

        if (socket_inode(socket_fd(held)) == agent->inode)
                (void) close(socket_fd(held));
        agent->inode = socket_inode(fd);

        return fd;
}

/* Renews a UDP socket's connection that has become old; see transport.c. One thread does it, and failures
 * are the next send()'s to tell. */
static void agent_renew(VartaAgent *agent, int fd, uint64_t now) {
        uint64_t last = atomic_load(&agent->renewed);

        if (!varta_address_is_udp(&agent->address) || now < last || now - last < RENEW_NSEC)
                return;

        if (atomic_compare_exchange_strong(&agent->renewed, &last, now))
                (void) varta_transport_renew(&agent->address, fd);
}

/* The datagram for a frame. Returns its size or a negative errno. */
static int agent_encode(const VartaAgent *agent, const VlpFrame *frame, uint8_t ret[VARTA_DATAGRAM_MAX]) {
        uint8_t bare[VLP_FRAME_SIZE];
        int r;

        r = vlp_frame_encode(frame, bare);
        if (r < 0)
                return r;

        if (agent->seal.seal)
                return agent->seal.seal(agent->seal.userdata, (pid_t) frame->pid, bare, ret);

        memcpy(ret, bare, sizeof(bare));
        return sizeof(bare);
}

/* One attempt at a beat. Returns a VartaOutcome or a negative errno. */
static int agent_try(VartaAgent *agent, const Beat *beat, bool seek) {
        uint8_t datagram[VARTA_DATAGRAM_MAX];
        pid_t pid = getpid();
        uint64_t now = now_ns();
        bool used = false;
        int fd, r;

        if ((uint32_t) pid < VLP_PID_MIN)
                return -EOPNOTSUPP;

        fd = agent_socket(agent, pid);
        if (fd < 0)
                return varta_transport_outcome(-fd);

        agent_renew(agent, fd, now);

        VlpFrame frame = {
                .timestamp = varta_session_stamp(&session, now),
                .nonce = beat->terminal ? VLP_NONCE_TERMINAL : varta_session_take(&session, pid),
                .pid = (uint32_t) pid,
                .payload = beat->payload,
                .status = (uint8_t) beat->status,
        };

        r = agent_encode(agent, &frame, datagram);
        if (r >= 0)
                r = varta_transport_send(&agent->address, fd, datagram, (size_t) r, seek, &used);

        if (used)
                varta_session_commit(&session, frame.timestamp);
        else if (!beat->terminal)
                varta_session_return(&session, frame.nonce);

        return r;
}

/* Waits until the observer's queue seems to have room (true) or the time is over (false). */
static bool wait_for_room(const VartaAgent *agent, uint64_t deadline) {
        struct pollfd p = { .fd = socket_fd(atomic_load(&agent->socket)), .events = POLLOUT };

        for (;;) {
                uint64_t now = now_ns();
                int r;

                if (now >= deadline)
                        return false;

                /* Rounded up: rounded down, the last millisecond would be spent spinning. */
                r = poll(&p, 1, (int) ((deadline - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
                if (r > 0)
                        return true; /* or an error, which the next attempt will name */
                if (r < 0 && errno != EINTR)
                        return false;
        }
}

/* A beat with all that belongs to it. Leaves errno as it was: a signal handler may be running. */
static int agent_emit(VartaAgent *agent, const Beat *beat, unsigned timeout_ms) {
        uint64_t deadline = 0;
        bool seek = true;
        int saved_errno = errno, r;

        if (!agent || timeout_ms > VARTA_WAIT_MAX_MS)
                return -EINVAL;

        if (timeout_ms > 0)
                deadline = now_ns() + timeout_ms * NSEC_PER_MSEC;

        do {
                r = agent_try(agent, beat, seek);
                seek = false;
        } while (r == VARTA_DROPPED_QUEUE_FULL && deadline > 0 && wait_for_room(agent, deadline));

        errno = saved_errno;
        return r;
}

/* A handle for an address, with its frames sealed if there is a seal. */
static int agent_open(const VartaAddress *address, const VartaSeal *seal, VartaAgent **ret) {
        VartaAgent *agent;
        int fd;

        fd = varta_transport_open(address);
        if (fd < 0)
                return fd;

        agent = malloc(sizeof(*agent));
        if (!agent) {
                (void) close(fd);
                return -ENOMEM;
        }

        *agent = (VartaAgent){
                .address = *address,
                .seal = seal ? *seal : (VartaSeal){},
                .socket = socket_pack(getpid(), fd),
                .renewed = now_ns(),
                .inode = socket_inode(fd),
        };

        *ret = agent;
        return 0;
}

_public_ int varta_open(const char *address, VartaAgent **ret) {
        VartaAddress parsed;
        int r;

        if (!ret)
                return -EINVAL;

        r = varta_address_parse(address, &parsed);
        if (r < 0)
                return r;

        return agent_open(&parsed, NULL, ret);
}

_public_ int varta_open_sealed(const char *address, const VartaSeal *seal, VartaAgent **ret) {
        VartaAddress parsed;
        int r;

        if (!seal || !ret)
                return -EINVAL;

        r = varta_address_parse(address, &parsed);
        if (r < 0)
                return r;
        if (!varta_address_is_udp(&parsed))
                return -EPROTONOSUPPORT;

        return agent_open(&parsed, seal, ret);
}

_public_ VartaAgent *varta_close(VartaAgent *agent) {
        if (!agent)
                return NULL;

        int saved_errno = errno, fd = socket_fd(atomic_load(&agent->socket));

        if (socket_inode(fd) == agent->inode)
                (void) close(fd);
        if (agent->seal.done)
                agent->seal.done(agent->seal.userdata);

        free(agent);
        errno = saved_errno;
        return NULL;
}

_public_ int varta_beat(VartaAgent *agent, VartaStatus status, uint32_t payload) {
        return varta_beat_wait(agent, status, payload, 0);
}

_public_ int varta_beat_wait(VartaAgent *agent, VartaStatus status, uint32_t payload, unsigned timeout_ms) {
        if (status < 0 || status >= _VARTA_STATUS_MAX)
                return -EINVAL;

        return agent_emit(agent, &(Beat){ .status = (VlpStatus) status, .payload = payload }, timeout_ms);
}

_public_ int varta_beat_terminal(VartaAgent *agent, uint32_t payload, unsigned timeout_ms) {
        const Beat beat = { .status = VLP_STATUS_CRITICAL, .payload = payload, .terminal = true };

        return agent_emit(agent, &beat, timeout_ms);
}

_public_ const char *varta_outcome_to_string(int outcome) {
        static const char *const names[_VARTA_OUTCOME_MAX] = {
                [VARTA_SENT] = "sent",
                [VARTA_DROPPED_QUEUE_FULL] = "queue-full",
                [VARTA_DROPPED_NO_OBSERVER] = "no-observer",
                [VARTA_DROPPED_NOT_PERMITTED] = "not-permitted",
                [VARTA_DROPPED_NO_RESOURCES] = "no-resources",
                [VARTA_DROPPED_NO_ROUTE] = "no-route",
        };

        return outcome >= 0 && outcome < _VARTA_OUTCOME_MAX ? names[outcome] : NULL;
}
