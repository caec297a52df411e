/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The other end of a connection as the bus daemon, and polkit behind it, would be. */

#include "fixture.h"

#define QUESTIONS_MAX 128

/* How the daemon at the other end behaves. */
typedef struct Driver {
        Fixture f;
        uint32_t name_answer; /* to RequestName; 0: refuse */
        uint32_t uid;         /* of every caller */
        unsigned caller;      /* the number in the next one's name; 0: 7 */
        bool interactive;     /* callers can be asked for a password */
        bool silent;          /* keep the questions after callers */
        bool unknown;         /* "there is no such caller" */
        /* polkit, which is behind the same end. */
        const char *polkit_error; /* NULL: it answers */
        bool authorized, challenge, polkit_silent;
        uint32_t flags;               /* of the last check */
        char details[128], check[32]; /* likewise: "method what", and its cancellation id */
        size_t n_checks, n_cancels;
        sd_bus_message *checks[QUESTIONS_MAX];
        char watched[256]; /* the last match that was asked for */
        sd_bus_message *questions[QUESTIONS_MAX];
        size_t n_questions;
        size_t n_replies, n_errors;
        char last_error[128], last_words[512];
} Driver;

void driver_init(Driver *d);
void driver_connect(Driver *d);
void driver_done(Driver *d);
/* A call as the daemon would hand it on. The answer ends up in the counters of the driver. */
void driver_send(Driver *d, const char *member, const char *types, ...);
/* The same of any message. */
void driver_forward(Driver *d, sd_bus_message *m);
/* What was kept is answered: who the caller is, what polkit says. */
int driver_answer(const Driver *d, sd_bus_message *question);
int driver_answer_check(const Driver *d, sd_bus_message *check);
/* The bus daemon tells that a caller left. */
void driver_leave(Driver *d, const char *name);
