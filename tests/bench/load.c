/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sender. It does one thing at a time: fill a queue, or send at a rate. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "load.h"
#include "util/fd.h"

/* Beats sent at once: small beside a queue, so that an even load is even for the receiver. */
#define STRIDE 32U

typedef enum Task {
        TASK_FILL,
        TASK_RUN,
        TASK_END,
} Task;

struct Load {
        pthread_t thread;
        sem_t wanted, done;
        Task task;
        volatile bool stop;
        const char *name;
        double rate;
        const volatile bool *silent;
        uint64_t sent;
        Order order;
        unsigned next; /* socket */
        int sockets[QUEUE_LENGTH];
};

static socklen_t abstract(const char *name, struct sockaddr_un *ret) {
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        (void) snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "%s", name);
        return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

int load_receiver(const char *name) {
        struct sockaddr_un sa;
        socklen_t size = abstract(name, &sa);
        int fd, one = 1;

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
            bind(fd, (const struct sockaddr *) &sa, size) < 0)
                bench_die("Cannot make the receiving socket %s", name);
        return fd;
}

/* The next beat of an agent that is not silent. */
static void next_frame(Load *l, uint8_t ret_frame[32]) {
        uint32_t agent;

        do
                agent = order_next(&l->order);
        while (l->silent && l->silent[agent]);
        bench_frame(agent, l->order.round, ret_frame);
}

static void fill(Load *l) {
        struct sockaddr_un sa;
        socklen_t size = abstract(l->name, &sa);

        for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
                uint8_t frame[32];

                next_frame(l, frame);
                if (sendto(l->sockets[i], frame, sizeof(frame), MSG_DONTWAIT, (const struct sockaddr *) &sa,
                           size) < 0)
                        bench_die("Cannot send to %s", l->name);
        }
}

static void pause_for(long nsec) {
        struct timespec ts = { .tv_nsec = nsec };

        (void) nanosleep(&ts, NULL);
}

/* Sends STRIDE beats; where the queue is full, as soon as it is not. */
static void send_stride(Load *l, struct sockaddr_un *sa, socklen_t size) {
        int fd = l->sockets[l->next++ % QUEUE_LENGTH];
        struct mmsghdr messages[STRIDE] = {};
        struct iovec vectors[STRIDE];
        uint8_t frames[STRIDE][32];

        for (unsigned i = 0; i < STRIDE; i++) {
                next_frame(l, frames[i]);
                vectors[i] = (struct iovec){ frames[i], sizeof(frames[i]) };
                messages[i].msg_hdr = (struct msghdr){
                        .msg_name = sa,
                        .msg_namelen = size,
                        .msg_iov = &vectors[i],
                        .msg_iovlen = 1,
                };
        }
        for (unsigned i = 0; i < STRIDE && !l->stop;) {
                int n = sendmmsg(fd, messages + i, STRIDE - i, MSG_DONTWAIT);

                if (n < 0 && errno != EAGAIN)
                        bench_die("Cannot send to %s", l->name);
                if (n < 0) {
                        pause_for(5 * 1000);
                        continue;
                }
                i += (unsigned) n;
                l->sent += (uint64_t) n;
        }
}

static void run(Load *l) {
        nsec_t start = bench_clock(CLOCK_MONOTONIC);
        struct sockaddr_un sa;
        socklen_t size = abstract(l->name, &sa);

        while (!l->stop) {
                send_stride(l, &sa, size);
                while ((double) (bench_clock(CLOCK_MONOTONIC) - start) * l->rate < (double) l->sent * 1e9 &&
                       !l->stop)
                        pause_for(20 * 1000);
        }
}

static void *sender(void *userdata) {
        Load *l = userdata;

        bench_claim(1); /* the receiver has the first */
        for (;;) {
                while (sem_wait(&l->wanted) < 0)
                        ;
                if (l->task == TASK_END)
                        return NULL;
                if (l->task == TASK_FILL)
                        fill(l);
                else
                        run(l);
                (void) sem_post(&l->done);
        }
}

Load *load_new(uint32_t agents, uint64_t nonce) {
        Load *l = calloc(1, sizeof(Load));

        if (!l)
                bench_die("Cannot allocate");
        order_init(&l->order, agents);
        l->order.round = nonce;
        for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
                l->sockets[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (l->sockets[i] < 0)
                        bench_die("Cannot make %u sending sockets", QUEUE_LENGTH);
        }
        (void) sem_init(&l->wanted, 0, 0);
        (void) sem_init(&l->done, 0, 0);
        errno = pthread_create(&l->thread, NULL, sender, l);
        if (errno != 0)
                bench_die("Cannot make a thread");
        (void) pthread_setname_np(l->thread, "sender"); /* what a profile shows */
        return l;
}

static void wait_done(Load *l) {
        while (sem_wait(&l->done) < 0)
                ;
}

void load_free(Load *l) {
        if (!l)
                return;
        l->task = TASK_END;
        (void) sem_post(&l->wanted);
        (void) pthread_join(l->thread, NULL);
        (void) sem_destroy(&l->wanted);
        (void) sem_destroy(&l->done);
        for (unsigned i = 0; i < QUEUE_LENGTH; i++)
                (void) safe_close(l->sockets[i]);
        order_done(&l->order);
        free(l);
}

void load_fill(Load *l, const char *name) {
        l->task = TASK_FILL;
        l->name = name;
        l->silent = NULL;
        (void) sem_post(&l->wanted);
        wait_done(l);
}

void load_run(Load *l, const char *name, double rate, const volatile bool *silent) {
        l->task = TASK_RUN;
        l->stop = false;
        l->name = name;
        l->rate = rate;
        l->silent = silent;
        l->sent = 0;
        (void) sem_post(&l->wanted);
}

uint64_t load_pause(Load *l) {
        l->stop = true;
        wait_done(l);
        return l->sent;
}

Cost load_drain(Load *l, const char *name, unsigned n, void (*drain)(void *userdata), void *userdata) {
        double cpu[LOAD_DRAINS_MAX], wall[LOAD_DRAINS_MAX];

        assert(n <= LOAD_DRAINS_MAX);

        for (unsigned i = 0; i < n; i++) {
                nsec_t cpu_start, wall_start;

                load_fill(l, name);
                wall_start = bench_clock(CLOCK_MONOTONIC);
                cpu_start = bench_clock(CLOCK_THREAD_CPUTIME_ID);
                drain(userdata);
                cpu[i] = (double) (bench_clock(CLOCK_THREAD_CPUTIME_ID) - cpu_start) / QUEUE_LENGTH;
                wall[i] = (double) (bench_clock(CLOCK_MONOTONIC) - wall_start) / QUEUE_LENGTH;
        }
        return (Cost){ bench_quantile(cpu, n, 0.5), bench_quantile(wall, n, 0.5) };
}
