/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A real observer on a real bus object, with a clock, processes and a recovery of the test's making, and a client
 * on the other end of a socket pair. Everything runs in one event loop: no thread, no waiting for what cannot come.
 */

#include <check.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus/bus-names.h"
#include "bus/bus-signals.h"
#include "bus/bus.h"
#include "support.h"

/* The observer's clock starts here; on the bus CLOCK_MONOTONIC is 5 s behind it. */
#define FIXTURE_START  (1000 * NSEC_PER_SEC)
#define FIXTURE_OFFSET (5 * NSEC_PER_SEC)

#define FIXTURE_SIGNALS_MAX 128

typedef struct Fixture {
        sd_event *event;
        Observer *observer;
        BusServer *server;
        sd_bus *bus;    /* the server's end */
        sd_bus *client; /* the other one */
        nsec_t now;
        uint64_t frames;
        void *test; /* whatever a test's condition needs */

        /* What hooks answer. */
        const char *state;
        const char *config_error; /* NULL: nothing is wrong */
        bool user_bus;
        uint64_t journal_dropped;
        size_t n_listeners, n_pauses;
        const char *ailing[3];  /* units that recovery knows; up to NULL */
        const char *unit_state; /* of worker@2.service, and those above 9; NULL: what agents make of it */
        usec_t brake_until;
        int reload_error;
        const char *reload_reason; /* NULL: none given */

        /* What hooks were told. */
        unsigned reloads, disconnects, stuck, name_answers;
        int name_error;
        uint64_t reset, forgotten;
        char hand[512];  /* the last call by hand, as words */
        int hand_result; /* what it is answered */
        char log_level[16];

        /* What the client heard. */
        sd_bus_message *signals[FIXTURE_SIGNALS_MAX];
        size_t n_signals;
} Fixture;

/* An observer for so many agents, on no bus yet. */
void fixture_init(Fixture *f, uint32_t capacity);
void fixture_done(Fixture *f);

/* The server on one end of a socket pair and a client on the other, which hears all signals. */
void fixture_connect(Fixture *f);
/* A client that the test made: hears all signals from now on. */
void fixture_listen(Fixture *f, sd_bus *client);

/* Turns the loop until condition(f) holds; fails after some seconds. */
void fixture_run_until(Fixture *f, bool (*condition)(Fixture *f));
/* Turns the loop until nothing is left to do right now. */
void fixture_settle(Fixture *f);

/*
 * One call, over `client`, of the observer (BUS_NAME only if the client is on a bus). Returns the answer, which the
 * caller owns; an error's name can be had with sd_bus_message_get_error().
 */
sd_bus_message *fixture_call(Fixture *f, sd_bus *client, const char *path, const char *interface,
                             const char *member, const char *types, ...);
/* The same on f->client and the observer's object. */
sd_bus_message *fixture_ask(Fixture *f, const char *member, const char *types, ...);
/* A property's value, inside its variant: ready to be read. */
sd_bus_message *fixture_get(Fixture *f, const char *path, const char *interface, const char *property,
                            const char *signature);

/* Fails unless the answer is this error; the message must end like a sentence. Consumes the answer. */
void fixture_assert_error(sd_bus_message *answer, const char *name);

/* Waits for the next signal of this name, drops those before it, and returns it (the caller owns it). */
sd_bus_message *fixture_signal(Fixture *f, const char *member);
size_t fixture_count_signals(const Fixture *f, const char *member);
void fixture_forget_signals(Fixture *f);

/* One accepted beat of a kernel-attested process. Pids below 2000 belong to worker@N.service, N the last digit, or below
 * 100 the pid; others to no unit. */
void fixture_beat(Fixture *f, uint32_t pid, VlpStatus status);
/* The same with a frame of the caller's making. */
void fixture_datagram(Fixture *f, const uint8_t frame[static VLP_FRAME_SIZE], uint32_t pid, Origin origin);
/* Time passes; stalls are concluded and told. */
void fixture_pass(Fixture *f, nsec_t span);

/* The id of an agent. */
uint64_t fixture_agent(const Fixture *f, uint32_t pid);

extern const BusHooks fixture_hooks;
