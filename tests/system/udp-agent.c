/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An agent for tests of the network: libvarta-secure as programs use it, and a test that tells it what to do.
 *
 *     varta-test-udp-agent ADDRESS shared|master KEY-FILE
 *
 * Lines of standard input are commands; each is answered by one line when it is done:
 *
 *     beat N MS        beats N times, MS apart                       sent N
 *     fork N MS        so does a child, too, at the same time        sent N, of both
 *     run MS           beats MS apart until the next line comes      sent N
 *     rotate           goes on three pairs before the prefix ends    rotated
 *     reopen KEY-FILE  closes the handle and opens another           opened
 *
 * "sent" counts the beats that the library says were sent. The payload of all beats is PAYLOAD, so that it can be looked
 * for on the wire.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/sealer.h"
#include "client/varta-secure.h"

/* As long as varta.h recommends. */
#define WAIT_MS 100

/* What tests look for: no part of a frame looks like it by itself. */
#define PAYLOAD UINT32_C(0x5ec4e75a)

/* Pairs that are left of a prefix after "rotate". */
#define PAIRS_LEFT 3

#define LINE_SIZE 256

typedef struct Agent {
        const char *address;
        VartaKeyForm form;
        VartaAgent *handle;
        VartaIv *iv; /* of the handle */
} Agent;

/* varta_open_secure(), but for the handle's pairs, which no program gets to see. */
static int agent_open(Agent *a, const char *path) {
        uint8_t key[VARTA_KEY_SIZE];
        VartaSealer *sealer;
        VartaAgent *handle;
        VartaSeal seal;
        int r;

        r = varta_key_from_file(path, key);
        if (r < 0)
                return r;
        r = varta_sealer_new(a->form, key, &sealer);
        explicit_bzero(key, sizeof(key));
        if (r < 0)
                return r;
        seal = varta_sealer_as_seal(sealer);
        r = varta_open_sealed(a->address, &seal, &handle);
        if (r < 0) {
                (void) varta_sealer_free(sealer);
                return r;
        }
        (void) varta_close(a->handle);
        a->handle = handle;
        a->iv = varta_sealer_iv(sealer);
        return 0;
}

/* Whether the beat was sent. What nobody took is no error of ours: an observer may be away for a moment. */
static bool agent_beat(Agent *a) {
        int r = varta_beat_wait(a->handle, VARTA_STATUS_OK, PAYLOAD, WAIT_MS);

        if (r < 0) {
                (void) fprintf(stderr, "beat: %s\n", strerror(-r));
                exit(EXIT_FAILURE);
        }
        return r == VARTA_SENT;
}

static unsigned beat_times(Agent *a, unsigned n, int interval) {
        unsigned sent = 0;

        for (unsigned i = 0; i < n; i++) {
                sent += agent_beat(a);
                (void) poll(NULL, 0, interval);
        }
        return sent;
}

static unsigned beat_both(Agent *a, unsigned n, int interval) {
        unsigned sent, of_child = 0;
        int result[2];
        pid_t pid;

        if (pipe(result) < 0)
                exit(EXIT_FAILURE);
        pid = fork();
        if (pid < 0)
                exit(EXIT_FAILURE);
        sent = beat_times(a, n, interval);
        if (pid == 0)
                _exit(write(result[1], &sent, sizeof(sent)) == sizeof(sent) ? EXIT_SUCCESS : EXIT_FAILURE);
        if (read(result[0], &of_child, sizeof(of_child)) != sizeof(of_child) || waitpid(pid, NULL, 0) != pid)
                exit(EXIT_FAILURE);
        (void) close(result[0]);
        (void) close(result[1]);
        return sent + of_child;
}

static unsigned beat_until_told(Agent *a, int interval) {
        struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
        unsigned sent = 0;

        do
                sent += agent_beat(a);
        while (poll(&input, 1, interval) == 0);
        return sent;
}

static void rotate(Agent *a) {
        uint64_t position = atomic_load(&a->iv->position);

        atomic_store(&a->iv->position, (position | UINT32_MAX) + 1 - PAIRS_LEFT);
}

/* "VERB NUMBER..." with so many numbers, and nothing else on the line. */
static bool is_command(const char *line, const char *verb, size_t n_numbers, int *ret_numbers) {
        size_t n = strlen(verb);

        if (strncmp(line, verb, n) != 0)
                return false;
        line += n;
        for (size_t i = 0; i < n_numbers; i++) {
                char *end;
                long number;

                if (*line != ' ')
                        return false;
                number = strtol(line, &end, 10);
                if (end == line || number < 0 || number > INT_MAX)
                        return false;
                ret_numbers[i] = (int) number;
                line = end;
        }
        return *line == '\n';
}

/* Returns false for what is no command. */
static bool obey(Agent *a, const char *line) {
        char path[LINE_SIZE];
        int n[2], r;

        if (is_command(line, "beat", 2, n))
                (void) printf("sent %u\n", beat_times(a, (unsigned) n[0], n[1]));
        else if (is_command(line, "fork", 2, n))
                (void) printf("sent %u\n", beat_both(a, (unsigned) n[0], n[1]));
        else if (is_command(line, "run", 1, n))
                (void) printf("sent %u\n", beat_until_told(a, n[0]));
        else if (strcmp(line, "rotate\n") == 0) {
                rotate(a);
                (void) puts("rotated");
        } else if (sscanf(line, "reopen %255s", path) == 1) {
                r = agent_open(a, path);
                (void) puts(r < 0 ? strerror(-r) : "opened");
        } else
                return false;
        return true;
}

int main(int argc, char **argv) {
        char line[LINE_SIZE];
        Agent a = {};
        int r;

        if (argc != 4) {
                (void) fprintf(stderr, "usage: %s ADDRESS shared|master KEY-FILE\n", argv[0]);
                return EXIT_FAILURE;
        }
        a.address = argv[1];
        a.form = strcmp(argv[2], "master") == 0 ? VARTA_KEY_MASTER : VARTA_KEY_SHARED;
        r = vlp_secure_init() < 0 ? -EIO : agent_open(&a, argv[3]);
        if (r < 0) {
                (void) fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
                return EXIT_FAILURE;
        }

        /* Nothing of the next line may be in a buffer while poll() waits for it. */
        (void) setvbuf(stdin, NULL, _IONBF, 0);
        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        (void) printf("pid %d\n", (int) getpid());
        while (fgets(line, sizeof(line), stdin))
                if (!obey(&a, line)) {
                        (void) fprintf(stderr, "no command: %s", line);
                        return EXIT_FAILURE;
                }
        (void) varta_close(a.handle);
        return EXIT_SUCCESS;
}
