/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * vartad itself, beside a bus daemon of the test's own: started, listened to, asked, ended.
 *
 * VARTAD_WRAPPER in the environment is put before vartad ("valgrind -q --leak-check=full --error-exitcode=9").
 */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "support.h"

#define PROGRAM_ARGS_MAX 80

typedef struct Program {
        pid_t pid; /* 0: not running, or reaped */
        int out, err;
        char out_text[8192], err_text[65536]; /* what it said so far */
} Program;

/* What a program gets from its parent, beyond its arguments. */
typedef struct Environment {
        const char *bus;      /* address of the user's bus; NULL: none */
        const char *notify;   /* path of a socket that is told when it is ready; NULL: nobody asks */
        const char *extra[4]; /* "NAME=VALUE" */
        int activated[4]; /* sockets as systemd would pass them, each named by activated_names, separated by ':' */
        const char *activated_names;
        size_t n_activated;
        unsigned fd_limit; /* of descriptors; 0: as it is */
        int err;           /* standard error, in place of a pipe; 0: a pipe */
} Environment;

/* argv[0] is looked for in PATH, or is a path; "vartad" is the one that was built. NULL ends the arguments. */
void program_start(Program *p, const Environment *environment, const char *const argv[]);

/* Waits until standard error has the text, from `err_text + offset` on. Fails when the program ends before. */
void program_until(Program *p, size_t offset, const char *text);

/* Reads what is there of standard error, without waiting. Returns the length of all of it. */
size_t program_peek(Program *p);

/* Waits for the end; all that it said is there then. Returns the exit status; fails for a death by signal. */
int program_wait(Program *p);

/* Sends a signal and waits for the end. */
int program_end(Program *p, int signal_number);

/* Ends it whatever its state; for teardown. */
void program_kill(Program *p);

unsigned count_lines(const char *text);

/* ---- vartad ready, and the bus ---------------------------------------------------------------------------- */

/* Starts a bus daemon at `address`, and waits until it takes connections. */
void bus_daemon_start(Program *p, const char *address);

/* A socket to be told of readiness at `path`. */
int notify_socket(const char *path);
/* Waits until a message with this line comes. */
void notify_until(int fd, const char *line);

/* A connection to the bus at `address`. */
sd_bus *bus_connect(const char *address);
/* Waits until the observer's name is owned. */
void bus_wait_name(sd_bus *bus);
/* Properties of the observer. The string is the caller's to free. */
char *bus_get_string(sd_bus *bus, const char *name);
uint64_t bus_get_number(sd_bus *bus, const char *name); /* 32 or 64 bits */
/* Calls Reload(). Returns 0 or negative errno. */
int bus_reload(sd_bus *bus);
