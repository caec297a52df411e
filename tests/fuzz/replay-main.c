/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Runs a fuzzer's function over files, without a fuzzer: what once was worth finding stays found, in every build and
 * under every sanitizer. Takes files and directories.
 *
 * Each input is also given cut short at every length, because torn input is the likeliest bad input, and in a block of
 * memory of exactly its size, because only then a sanitizer sees the read that goes one too far.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every length of a longer input would take longer than it is worth. */
#define CUT_MAX 2048

static unsigned n_files, n_inputs;

static void replay(const uint8_t *data, size_t size) {
        uint8_t *copy = NULL;

        if (size > 0) {
                copy = malloc(size);
                if (!copy)
                        abort();
                memcpy(copy, data, size);
        }

        n_inputs++;
        (void) LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static int replay_file(const char *path) {
        static uint8_t data[1024 * 1024];
        FILE *f;
        size_t n;

        f = fopen(path, "re");
        if (!f) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return -1;
        }
        n = fread(data, 1, sizeof(data), f);
        (void) fclose(f);

        n_files++;
        replay(data, n);
        for (size_t k = 0; k < n && k < CUT_MAX; k++)
                replay(data, k);
        return 0;
}

static int replay_path(const char *path) {
        struct stat st;
        DIR *dir;
        int r = 0;

        if (stat(path, &st) < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return -1;
        }
        if (!S_ISDIR(st.st_mode))
                return replay_file(path);

        dir = opendir(path);
        if (!dir) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return -1;
        }
        for (const struct dirent *entry; r == 0 && (entry = readdir(dir));) {
                char file[4096];

                if (entry->d_name[0] == '.')
                        continue;
                (void) snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
                r = replay_file(file);
        }
        (void) closedir(dir);
        return r;
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (replay_path(argv[i]) < 0)
                        return EXIT_FAILURE;

        printf("%u files, %u inputs\n", n_files, n_inputs);
        /* A corpus that is not found must not look like one that passes. */
        return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
