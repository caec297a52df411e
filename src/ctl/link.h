/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The way to the observer: over the bus, never starting it; and what to say when it cannot be reached. */

#include <systemd/sd-bus.h>

#include "ctl/ctl.h"
#include "util/time.h"

/* Opens the bus that the options name, without a word. Returns 0 and a connection that the caller owns, or negative
 * errno. */
int link_connect(const Options *options, sd_bus **ret);

/* The same with words. Returns CTL_OK and a connection that the caller owns (sd_bus_flush_close_unref),
 * or another exit code after saying why. */
CtlExit link_open(const Options *options, sd_bus **ret);

/* Begins a call of a method of the observer (interface BUS_INTERFACE unless another is given), marked so that nobody
 * starts the observer for it. Returns 0, or negative errno. */
int link_new_call(sd_bus *bus, const char *interface, const char *member, sd_bus_message **ret);

/*
 * Calls a method that changes something and answers nothing; the arguments are those of sd_bus_message_append(). Somebody
 * may be asked for a password, unless the options forbid. Returns 0, or negative errno, with *error set when the answer
 * was one.
 */
int link_change(const Options *options, sd_bus *bus, sd_bus_error *error, const char *member,
                const char *types, ...);

/* The same as all that a verb does: opens the bus, calls, and says on stderr what is wrong. Returns the exit code; with
 * ret_idle an observer that was never started is no error, and told there. */
CtlExit link_run_change(const Options *options, bool *ret_idle, const char *member, const char *types, ...);

/* Whether the call failed because there is no observer, while the socket that starts it listens: the fleet has
 * never beaten. */
bool link_is_idle(const Options *options, sd_bus *bus, const sd_bus_error *error);

/* Says on stderr why a call failed (r, and error if the answer was one) and what to do. Returns the exit code. */
CtlExit link_failed(const Options *options, sd_bus *bus, int r, const sd_bus_error *error);

/* The socket of the observer that the options mean. Valid until the next call. */
const char *link_socket(const Options *options);

/* The name on the bus of the observer that link_connect() was to reach. */
const char *link_name(void);

/* What to add to a time of the observer's CLOCK_MONOTONIC to have µs since 1970, and what that clock shows now. On
 * another host both are only as good as the two hosts' clocks. Returns 0, or negative errno when nobody knows. */
int link_clock(const Options *options, sd_bus *bus, usec_t *ret_offset, usec_t *ret_now);
