/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Times, as people read them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/time.h"

#define FORMAT_TIME_MAX 80

/* "2h 3min", "1.250s", "12ms": the two largest units above a minute, fractions below it. Returns buf. */
char *format_rough_span(char *buf, size_t size, usec_t span);

/* "5s ago"; "just now" within 1 ms; "in 5s" for what is still to come. Returns buf. */
char *format_relative(char *buf, size_t size, usec_t when, usec_t now);

/* "Sat 2025-11-22 14:39:00 UTC", in the local time zone. Returns buf. */
char *format_timestamp(char *buf, size_t size, usec_t realtime);

/* "Nov 22 14:39:00", as the journal's readers know it, likewise. Returns buf. */
char *format_date(char *buf, size_t size, usec_t realtime);

/* "14:39:00.123456", likewise. Returns buf. */
char *format_time_of_day(char *buf, size_t size, usec_t realtime);

/* This machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME) in µs. */
usec_t now_usec(int clock);
