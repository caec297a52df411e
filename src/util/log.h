/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Logging that never waits.
 *
 * To the journal by its native datagram protocol when standard error is a journal stream (systemd.exec(5),
 * JOURNAL_STREAM), else to standard error as lines. A journal that does not take a record now gets it later from a
 * ring of fixed size; when that is full, records are counted and dropped. Lines that standard error does not take now
 * are dropped at once.
 *
 * One process-wide log; one thread. The levels are those of syslog(3).
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "util/macro.h"

/* One more field of a record; value is text. Names are the journal's: capitals, digits and underscores. */
typedef struct LogField {
        const char *name;
        const char *value;
} LogField;

/* `identifier` is borrowed for good: it is the program's name. Never fails: at worst it is standard error. */
void log_open(const char *identifier);
void log_close(void);

/* Where records go, in the words of org.freedesktop.LogControl1(5). */
typedef enum LogTarget {
        LOG_TARGET_AUTO,    /* to the journal when standard error leads there, else to standard error */
        LOG_TARGET_JOURNAL, /* to the journal by its own protocol */
        LOG_TARGET_CONSOLE, /* to standard error */
        LOG_TARGET_NULL,    /* nowhere; not counted as dropped */
        _LOG_TARGET_MAX,
        _LOG_TARGET_INVALID = -EINVAL,
} LogTarget;

/* AUTO at first. What waits for the journal still goes there. Returns 0, or negative errno when there is no journal to
 * be had, and nothing has changed. */
int log_set_target(LogTarget target);
LogTarget log_get_target(void) _pure_;
const char *log_target_to_string(LogTarget target) _const_;
LogTarget log_target_from_string(const char *s) _pure_;

/* "emerg" ... "debug". NULL, -EINVAL for what is not a level. */
const char *log_level_to_string(int level) _const_;
int log_level_from_string(const char *s) _pure_;

/* Records above this level are not made; LOG_INFO at first. */
void log_set_max_level(int level);
int log_get_max_level(void) _pure_;

void log_full(int level, const char *format, ...) _printf_(2, 3);
/* An incident: with the id of its catalog entry (32 hex digits) and fields of its own. */
void log_struct(int level, const char *message_id, const LogField *fields, size_t n_fields,
                const char *format, ...) _printf_(5, 6);
/* The same as a line, with what the errno means behind it; returns the error. */
int log_full_errno(int level, int error, const char *format, ...) _printf_(3, 4);

#define log_error(...)            log_full(LOG_ERR, __VA_ARGS__)
#define log_warning(...)          log_full(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)           log_full(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)             log_full(LOG_INFO, __VA_ARGS__)
#define log_debug(...)            log_full(LOG_DEBUG, __VA_ARGS__)
#define log_error_errno(e, ...)   log_full_errno(LOG_ERR, e, __VA_ARGS__)
#define log_warning_errno(e, ...) log_full_errno(LOG_WARNING, e, __VA_ARGS__)

/* Records wait: call log_flush() when log_fd() is writable. log_fd() is -1 when nothing ever waits, and stays the same
 * descriptor of the same socket from log_open() to log_close(), even when journald is replaced. */
bool log_pending(void) _pure_;
int log_fd(void) _pure_;

/* Writes what waits. Returns 0 when nothing is left; -EAGAIN when log_fd() has to be writable first; -ENOTCONN when
 * nobody is at the journal's socket: log_fd() says nothing of when to try again, a second later is soon enough. */
int log_flush(void);

/* Records lost since start: the ring was full, one did not fit, the journal refused it, or standard error was full. */
uint64_t log_dropped(void) _pure_;
