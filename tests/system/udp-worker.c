/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A secure agent for tests of the network, made of the envelope alone: what it sends is up to the test.
 *
 *     varta-test-udp-worker KEY-FILE ADDRESS PORT [INTERVAL-MS]
 *
 * It beats with its own pid, sealed with the first shared key of the file, and starts a new prefix every 16 beats. An
 * address that refuses is tried again: an observer may be away for a moment.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vlp/key-text.h"
#include "vlp/secure.h"

/* Beats under one prefix: few, so that a short test sees many. */
#define PREFIX_BEATS 16U

static int read_key(const char *path, uint8_t (*ret)[VLP_KEY_SIZE]) {
        char text[VLP_KEY_TEXT_MAX];
        FILE *f;
        size_t n;

        f = fopen(path, "re");
        if (!f)
                return -errno;
        n = fread(text, 1, sizeof(text), f);
        (void) fclose(f);
        return vlp_keys_parse(text, n, ret);
}

static int connect_udp(const char *address, const char *port) {
        struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
        struct sockaddr_in four = { .sin_family = AF_INET };
        in_port_t number = htons((uint16_t) strtoul(port, NULL, 10));
        const struct sockaddr *sa;
        socklen_t n;
        int fd;

        if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
                four.sin_port = number;
                sa = (const struct sockaddr *) &four;
                n = sizeof(four);
        } else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
                six.sin6_port = number;
                sa = (const struct sockaddr *) &six;
                n = sizeof(six);
        } else
                return -EINVAL;
        fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, sa, n) < 0)
                return -errno;
        return fd;
}

static int beat_for_ever(int fd, const uint8_t *key, int interval) {
        VlpSecureHeader h = { .form = VLP_SECURE_SHARED };
        VlpFrame frame = { .pid = (uint32_t) getpid() };

        for (;;) {
                uint8_t plain[VLP_FRAME_SIZE], sealed[VLP_SECURE_MAX_SIZE];
                size_t n;
                int r;

                if (frame.nonce % PREFIX_BEATS == 0 &&
                    getrandom(h.iv_random, sizeof(h.iv_random), 0) != sizeof(h.iv_random))
                        return -EIO;
                h.iv_counter = (uint32_t) (frame.nonce % PREFIX_BEATS);
                frame.nonce++;
                frame.timestamp++;
                r = vlp_frame_encode(&frame, plain);
                if (r < 0)
                        return r;
                n = vlp_secure_seal(&h, key, plain, sealed);
                if (send(fd, sealed, n, MSG_NOSIGNAL) < 0 && errno != ECONNREFUSED)
                        return -errno;
                (void) poll(NULL, 0, interval);
        }
}

int main(int argc, char **argv) {
        uint8_t keys[VLP_KEYS_MAX][VLP_KEY_SIZE];
        int r, fd;

        if (argc < 4 || argc > 5) {
                (void) fprintf(stderr, "usage: %s KEY-FILE ADDRESS PORT [INTERVAL-MS]\n", argv[0]);
                return EXIT_FAILURE;
        }
        r = vlp_secure_init();
        if (r >= 0)
                r = read_key(argv[1], keys);
        if (r >= 0)
                r = fd = connect_udp(argv[2], argv[3]);
        if (r >= 0)
                r = beat_for_ever(fd, keys[0], argc > 4 ? (int) strtol(argv[4], NULL, 10) : 50);
        (void) fprintf(stderr, "%s: %s\n", argv[0], strerror(-r));
        return EXIT_FAILURE;
}
