/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sender of sealed beats. Sealing is its own time, and not the receiver's. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "sealed-load.h"
#include "util/fd.h"
#include "vlp/frame.h"

/* Far more than a queue takes: a datagram of 60 bytes is 768 in the kernel's account. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)

#define DRAINS_MAX 64U

struct SealedLoad {
        pthread_t thread;
        sem_t wanted, done;
        bool end;
        uint16_t port;
        Order order;
        uint8_t key[VLP_KEY_SIZE];
        int sockets[SEALED_QUEUE];
};

void sealed_private_network(void) {
        struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        _cleanup_close_ int fd = -1;

        if (unshare(CLONE_NEWNET) < 0)
                bench_skip("cannot make a network namespace: %s", strerror(errno));
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
                bench_die("Cannot bring up the loopback interface");
}

static struct sockaddr_in loopback(uint32_t host, uint16_t port) {
        return (struct sockaddr_in){
                .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = htonl(host),
        };
}

void sealed_make_room(int fd) {
        int size = RECEIVE_BUFFER;

        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
                bench_die("Cannot make a long queue");
}

int sealed_receiver(uint16_t port) {
        struct sockaddr_in sa = loopback(INADDR_LOOPBACK, port);
        int fd, on = 1;

        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)) < 0 ||
            bind(fd, (const struct sockaddr *) &sa, sizeof(sa)) < 0)
                bench_die("Cannot make the receiving socket %u", port);
        sealed_make_room(fd);
        return fd;
}

static void fill(SealedLoad *l) {
        struct sockaddr_in to = loopback(INADDR_LOOPBACK, l->port);

        for (unsigned i = 0; i < SEALED_QUEUE; i++) {
                uint8_t frame[VLP_FRAME_SIZE], data[VLP_SECURE_MAX_SIZE];
                uint32_t agent = order_next(&l->order);
                VlpSecureHeader header = { .form = VLP_SECURE_SHARED,
                                           .iv_counter = (uint32_t) l->order.round };
                size_t n;

                bench_frame(agent, l->order.round, frame);
                memcpy(header.iv_random, &agent, sizeof(agent));
                n = vlp_secure_seal(&header, l->key, frame, data);
                if (sendto(l->sockets[agent % SEALED_QUEUE], data, n, 0, (const struct sockaddr *) &to,
                           sizeof(to)) < 0)
                        bench_die("Cannot send to port %u", l->port);
        }
}

static void *sender(void *userdata) {
        SealedLoad *l = userdata;

        bench_claim(1); /* the receiver has the first */
        for (;;) {
                while (sem_wait(&l->wanted) < 0)
                        ;
                if (l->end)
                        return NULL;
                fill(l);
                (void) sem_post(&l->done);
        }
}

SealedLoad *sealed_load_new(uint32_t agents, const uint8_t key[VLP_KEY_SIZE]) {
        SealedLoad *l = calloc(1, sizeof(SealedLoad));

        if (!l)
                bench_die("Cannot allocate");
        order_init(&l->order, agents);
        memcpy(l->key, key, sizeof(l->key));
        for (unsigned i = 0; i < SEALED_QUEUE; i++) {
                struct sockaddr_in sa = loopback(UINT32_C(0x7f010000) + i, 0);

                l->sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (l->sockets[i] < 0 || bind(l->sockets[i], (const struct sockaddr *) &sa, sizeof(sa)) < 0)
                        bench_die("Cannot make %u sending sockets", SEALED_QUEUE);
        }
        (void) sem_init(&l->wanted, 0, 0);
        (void) sem_init(&l->done, 0, 0);
        errno = pthread_create(&l->thread, NULL, sender, l);
        if (errno != 0)
                bench_die("Cannot make a thread");
        (void) pthread_setname_np(l->thread, "sender");
        return l;
}

void sealed_load_free(SealedLoad *l) {
        if (!l)
                return;
        l->end = true;
        (void) sem_post(&l->wanted);
        (void) pthread_join(l->thread, NULL);
        (void) sem_destroy(&l->wanted);
        (void) sem_destroy(&l->done);
        for (unsigned i = 0; i < SEALED_QUEUE; i++)
                (void) safe_close(l->sockets[i]);
        order_done(&l->order);
        free(l);
}

void sealed_load_fill(SealedLoad *l, uint16_t port) {
        l->port = port;
        (void) sem_post(&l->wanted);
        while (sem_wait(&l->done) < 0)
                ;
}

double sealed_load_drain(SealedLoad *l, uint16_t port, unsigned n, void (*drain)(void *userdata),
                         void *userdata) {
        double cpu[DRAINS_MAX];

        assert(n <= DRAINS_MAX);

        for (unsigned i = 0; i < n; i++) {
                nsec_t start;

                sealed_load_fill(l, port);
                start = bench_clock(CLOCK_THREAD_CPUTIME_ID);
                drain(userdata);
                cpu[i] = (double) (bench_clock(CLOCK_THREAD_CPUTIME_ID) - start) / SEALED_QUEUE;
        }
        return bench_quantile(cpu, n, 0.5);
}
