/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all benchmarks share: one line per figure, medians, clocks, random numbers, frames.
 *
 * A benchmark fails (exit status 1) only when it could not be trusted: a beat was lost or refused. A goal that is
 * missed is printed as missed: the figures of a shared machine are no reason to call a build broken.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"
#include "util/time.h"

/* What meson takes for "skipped"; whoever returns it has printed why. */
#define BENCH_SKIPPED 77

/* Prints a message with errno's text and leaves: for what can only fail where the bench cannot run at all. */
_Noreturn void bench_die(const char *format, ...) _printf_(1, 2);

/* Leaves with BENCH_SKIPPED after one line that says why. */
_Noreturn void bench_skip(const char *format, ...) _printf_(1, 2);

/* The goal is met when the judged number is at least, or at most, so much. */
typedef enum GoalKind {
        GOAL_NONE, /* a figure to read the others by */
        GOAL_AT_LEAST,
        GOAL_AT_MOST,
} GoalKind;

typedef struct Figure {
        const char *name;
        double value;
        const char *unit;
        double ratio; /* to the rival of the same run; 0: there is none. Judged instead of the value when there is one */
        GoalKind kind;
        double goal;
} Figure;

/* Prints one line. */
void bench_report(const Figure *figure);

/* The nsec of a clock: CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID. */
nsec_t bench_clock(int clock);

/* Sorts `values` and returns the one below which a share p (0..1) of them lies; 0.5: the median. n > 0. */
double bench_quantile(double *values, size_t n, double p);

/* The same for each fifth of `values` by itself, in their order, and of these five the median: what else the machine
 * did at one moment is not ours. n is a multiple of five. */
double bench_quantile_steady(double *values, size_t n, double p);

/* A fast, seeded generator (xorshift64*): what is sent must be the same for every rival and every run. */
uint64_t bench_random(uint64_t *state);

/* Agents in an order that looks random to caches and keeps every agent's beats apart: half of the agents, shuffled,
 * then the other half, shuffled, and so on with a new shuffle each time. */
typedef struct Order {
        uint32_t *agents;
        uint32_t n, at;
        uint64_t round; /* counts from 1: the nonce of this round's beats */
        uint64_t seed;
} Order;

void order_init(Order *o, uint32_t n);
void order_done(Order *o);
/* The next agent (0..n-1); o->round is its nonce. */
uint32_t order_next(Order *o);

/* Agents are named by numbers from 0; the smallest pid in a frame is 2. */
#define AGENT_PID(agent) ((agent) + 2U)

/* An agent's beat as it goes over the wire. */
void bench_frame(uint32_t agent, uint64_t nonce, uint8_t ret_frame[32]);

/* From here on this thread and its children live in a network namespace of their own, whose queues hold `length`
 * datagrams: a socket's queue is as long as net.unix.max_dgram_qlen said when it was made. Skips where that is not
 * permitted. */
void bench_private_network(unsigned length);

/* Such a network has its loopback device down; this brings it up. */
void bench_loopback_up(void);

/* The calling thread keeps to one processor, so many from the first (negative: whichever), and goes before everything
 * that is not a bench: a thread that is moved about or made to wait measures the machine. What of this is not allowed,
 * or not there, is left out and shows as noise. Threads and processes made from here on are ordinary again. */
void bench_claim(int processor);
