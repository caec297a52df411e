/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of varta-ctl and of the bus share: tables of tests, and programs that are run. */

#include <check.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct Outcome {
        int code; /* exit code, or minus the signal */
        char out[65536], err[65536];
} Outcome;

/*
 * Runs a program to its end. args[0] is its path; `input` may be NULL; `environment` holds NAME=VALUE (NAME alone: not
 * set) and ends with NULL, or is NULL. Meanwhile turn(userdata), when there is one, is called again and again; it should
 * not take longer than some milliseconds.
 */
void run_program(const char *const *args, const char *input, const char *const *environment,
                 void (*turn)(void *userdata), void *userdata, Outcome *ret);

/* The same on a terminal of so many columns: what appears there is `out`, with plain newlines. */
void run_in_terminal(const char *const *args, const char *const *environment, unsigned short columns,
                     void (*turn)(void *userdata), void *userdata, Outcome *ret);

/* The same, left running: *ret_out is the reading end of its standard output, *ret_err that of its standard error. */
pid_t start_program(const char *const *args, const char *const *environment, int *ret_out, int *ret_err);

/* How a program that was started ends. As Outcome.code. */
int wait_program(pid_t pid, void (*turn)(void *userdata), void *userdata);

typedef struct NamedTest {
        const char *title;
        const TTest *test;
} NamedTest;

/* One suite from a table of tests. Returns the exit code. */
int tests_main(const char *name, const NamedTest *tests, size_t n);
