/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The real observer beside the naive one, through random histories.
 *
 *   test-model [--seed=N] [--operations=N] [--length=N]
 *
 * The seed is that of the first history; each next one adds a constant, and a failure prints its own, so that
 * --seed=THAT --operations=LENGTH repeats it alone. A failure is shrunk before it is shown: operations are left out for as
 * long as it still fails.
 */

#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "drive.h"
#include "random.h"

/* Enough for several minutes of CPU under valgrind and for a few seconds without. */
#define OPERATIONS_DEFAULT UINT64_C(2000000)

/* Long enough that tables fill and clocks run far; short enough that shrinking is quick. */
#define LENGTH_DEFAULT 2000U

static bool fails(const History *h, size_t *ret_step) {
        char message[1024];

        return !drive_history(h, ret_step, message, sizeof(message));
}

/* Leaves out [at, at + n); returns whether it still fails, and if not puts everything back. */
static bool still_fails_without(History *h, size_t at, size_t n) {
        Op *all = malloc(h->n_ops * sizeof(Op));
        size_t n_all = h->n_ops, step;

        if (!all)
                abort();
        memcpy(all, h->ops, n_all * sizeof(Op));
        memmove(h->ops + at, h->ops + at + n, (n_all - at - n) * sizeof(Op));
        h->n_ops -= n;
        if (fails(h, &step)) {
                h->n_ops = step;
                free(all);
                return true;
        }
        memcpy(h->ops, all, n_all * sizeof(Op));
        h->n_ops = n_all;
        free(all);
        return false;
}

/* Halves, quarters, ... single operations, until nothing more can go. */
static void shrink(History *h) {
        bool progress = true;

        while (progress) {
                progress = false;
                for (size_t n = h->n_ops / 2; n > 0; n /= 2)
                        for (size_t at = 0; at + n <= h->n_ops;) {
                                if (still_fails_without(h, at, n))
                                        progress = true;
                                else
                                        at += n;
                        }
        }
}

static void report(History *h, size_t step, const char *message) {
        char last[1024] = "";
        size_t shortest;

        printf("FAILED in the history of seed %" PRIu64 ", operation %zu: %s\n", h->seed, step, message);
        h->n_ops = MIN(step, h->n_ops);
        shrink(h);
        (void) drive_history(h, &shortest, last, sizeof(last));
        printf("The shortest history found that fails: %s\n", last);
        history_print(h, stdout);
}

static bool parse_number(const char *s, uint64_t *ret) {
        char *end;
        uint64_t n;

        errno = 0;
        n = strtoull(s, &end, 10);
        if (errno != 0 || end == s || *end != 0)
                return false;
        *ret = n;
        return true;
}

static bool parse_options(int argc, char **argv, uint64_t *seed, uint64_t *operations, uint64_t *length) {
        static const struct option options[] = {
                { "seed", required_argument, NULL, 's' },
                { "operations", required_argument, NULL, 'o' },
                { "length", required_argument, NULL, 'l' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                uint64_t *number = c == 's' ? seed : c == 'o' ? operations : c == 'l' ? length : NULL;

                if (!number || !parse_number(optarg, number)) {
                        fprintf(stderr, "Usage: %s [--seed=N] [--operations=N] [--length=N]\n", argv[0]);
                        return false;
                }
        }
        return *length > 0;
}

int main(int argc, char **argv) {
        uint64_t operations = OPERATIONS_DEFAULT, length = LENGTH_DEFAULT, seed, done;
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        seed = (uint64_t) now.tv_sec * NSEC_PER_SEC + (uint64_t) now.tv_nsec;
        if (!parse_options(argc, argv, &seed, &operations, &length))
                return EXIT_FAILURE;

        printf("seed %" PRIu64 ", %" PRIu64 " operations in histories of %" PRIu64 "\n", seed, operations,
               length);
        fflush(stdout);
        for (done = 0; done < operations; done += length) {
                char message[1024];
                History h;
                size_t step;
                bool ok;

                history_make(&h, seed + done / length * RANDOM_STEP, length);
                ok = drive_history(&h, &step, message, sizeof(message));
                if (!ok)
                        report(&h, step, message);
                history_done(&h);
                if (!ok)
                        return EXIT_FAILURE;
        }
        printf("%" PRIu64 " operations, no difference\n", done);
        return EXIT_SUCCESS;
}
