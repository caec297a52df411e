/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * sd_journal_send() blocks when journald does not read, and an observer that waits for journald does not observe. So
 * records are written to journald's socket without waiting. The protocol is public (systemd's
 * docs/JOURNAL_NATIVE_PROTOCOL.md): one datagram a record, one field a line, and a length in front of values that hold
 * line breaks.
 *
 * Standard error, the other way out, is as likely to be a pipe that nobody reads any more. It is asked first whether it
 * takes a line: a pipe that says yes takes up to PIPE_BUF bytes at once, and a line is shorter.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "util/fd.h"
#include "util/log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* A record with all of recovery's fields is about 1.5 KiB. */
#define RECORD_MAX 8192U
#define LINE_SIZE  2048U

static_assert(LINE_SIZE < PIPE_BUF, "a pipe takes a line whole");

/* What waits for a stuck journald: some 200 incidents. Beyond, they are counted. */
#define RING_SIZE (256U * 1024U)

static struct {
        const char *identifier;
        int max_level;
        LogTarget target;
        bool journal_is_usual; /* what AUTO stands for */
        int fd;                /* of the journal; -1: it was never wanted */
        uint64_t dropped;
        size_t head, used; /* ring: records of a 32-bit length and so many bytes */
        uint8_t ring[RING_SIZE];
} the_log = { .identifier = "", .max_level = LOG_INFO, .fd = -1 };

typedef struct Record {
        uint8_t data[RECORD_MAX];
        size_t size;
        bool overflow;
} Record;

static void record_bytes(Record *r, const void *data, size_t n) {
        if (n > sizeof(r->data) - r->size) {
                r->overflow = true;
                return;
        }
        memcpy(r->data + r->size, data, n);
        r->size += n;
}

static void record_field(Record *r, const char *name, const char *value) {
        size_t n = strlen(value);

        record_bytes(r, name, strlen(name));
        if (strchr(value, '\n')) {
                uint8_t size[8];

                for (size_t i = 0; i < sizeof(size); i++)
                        size[i] = (uint8_t) ((uint64_t) n >> (8 * i));
                record_bytes(r, "\n", 1);
                record_bytes(r, size, sizeof(size));
        } else
                record_bytes(r, "=", 1);
        record_bytes(r, value, n);
        record_bytes(r, "\n", 1);
}

static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long dev, ino;
        char *end;
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        errno = 0;
        dev = strtoull(stream, &end, 10);
        if (errno != 0 || *end != ':')
                return false;
        ino = strtoull(end + 1, &end, 10);
        return errno == 0 && *end == 0 && dev == st.st_dev && ino == st.st_ino;
}

static int journal_connect(int fd) {
        static const struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };

        return connect(fd, (const struct sockaddr *) &sa, sizeof(sa)) < 0 ? negative_errno() : 0;
}

static int journal_open(void) {
        _cleanup_close_ int fd = -1;
        int r;

        if (the_log.fd >= 0)
                return 0;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        r = journal_connect(fd);
        if (r < 0)
                return r;
        the_log.fd = TAKE_FD(fd);
        return 0;
}

void log_open(const char *identifier) {
        the_log.identifier = identifier;
        the_log.target = LOG_TARGET_AUTO;
        the_log.journal_is_usual = stderr_is_journal() && journal_open() >= 0;
}

/* ---- What and where to -------------------------------------------------------------------------------------- */

static const char *const level_names[] = {
        [LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "err",
        [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

const char *log_level_to_string(int level) {
        return level >= 0 && (size_t) level < ELEMENTSOF(level_names) ? level_names[level] : NULL;
}

int log_level_from_string(const char *s) {
        for (size_t i = 0; i < ELEMENTSOF(level_names); i++)
                if (strcmp(s, level_names[i]) == 0)
                        return (int) i;
        return -EINVAL;
}

static const char *const target_names[_LOG_TARGET_MAX] = {
        [LOG_TARGET_AUTO] = "auto",
        [LOG_TARGET_JOURNAL] = "journal",
        [LOG_TARGET_CONSOLE] = "console",
        [LOG_TARGET_NULL] = "null",
};

const char *log_target_to_string(LogTarget target) {
        return target >= 0 && target < _LOG_TARGET_MAX ? target_names[target] : NULL;
}

LogTarget log_target_from_string(const char *s) {
        for (LogTarget t = 0; t < _LOG_TARGET_MAX; t++)
                if (strcmp(s, target_names[t]) == 0)
                        return t;
        return _LOG_TARGET_INVALID;
}

int log_set_target(LogTarget target) {
        int r;

        if (target == LOG_TARGET_JOURNAL) {
                r = journal_open();
                if (r < 0)
                        return r;
        }
        the_log.target = target;
        return 0;
}

LogTarget log_get_target(void) {
        return the_log.target;
}

static bool goes_to_journal(void) {
        return the_log.target == LOG_TARGET_JOURNAL ||
               (the_log.target == LOG_TARGET_AUTO && the_log.journal_is_usual);
}

/* ---- The ring ------------------------------------------------------------------------------------------------ */

void log_close(void) {
        (void) log_flush();
        the_log.fd = safe_close(the_log.fd);
        the_log.target = LOG_TARGET_AUTO;
        the_log.journal_is_usual = false;
}

void log_set_max_level(int level) {
        the_log.max_level = level;
}

int log_get_max_level(void) {
        return the_log.max_level;
}

bool log_pending(void) {
        return the_log.used > 0;
}

int log_fd(void) {
        return the_log.fd;
}

uint64_t log_dropped(void) {
        return the_log.dropped;
}

static void ring_copy_in(const void *data, size_t n) {
        size_t at = (the_log.head + the_log.used) % RING_SIZE, first = MIN(n, RING_SIZE - at);

        memcpy(the_log.ring + at, data, first);
        memcpy(the_log.ring, (const uint8_t *) data + first, n - first);
        the_log.used += n;
}

static void ring_copy_out(void *data, size_t offset, size_t n) {
        size_t at = (the_log.head + offset) % RING_SIZE, first = MIN(n, RING_SIZE - at);

        memcpy(data, the_log.ring + at, first);
        memcpy((uint8_t *) data + first, the_log.ring, n - first);
}

static void ring_push(const Record *r) {
        uint32_t size = (uint32_t) r->size;

        if (RING_SIZE - the_log.used < sizeof(size) + r->size) {
                the_log.dropped++;
                return;
        }
        ring_copy_in(&size, sizeof(size));
        ring_copy_in(r->data, r->size);
}

/* Sends one record. Returns 0; -EAGAIN or -ENOTCONN when it should wait, as log_flush() says; or what else went
 * wrong. */
static int journal_send(const void *data, size_t size) {
        for (unsigned attempt = 0;; attempt++) {
                if (send(the_log.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
                        return 0;
                if (errno == EINTR)
                        continue;
                if (errno == ENOBUFS)
                        return -EAGAIN;
                if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
                        return negative_errno();
                /* journald was replaced: the same socket, which an event source may hold, is connected to the new
                 * one, once. */
                if (attempt > 0 || journal_connect(the_log.fd) < 0)
                        return -ENOTCONN;
        }
}

int log_flush(void) {
        while (the_log.fd >= 0 && the_log.used > 0) {
                Record record;
                uint32_t size;
                int r;

                ring_copy_out(&size, 0, sizeof(size));
                ring_copy_out(record.data, sizeof(size), size);
                r = journal_send(record.data, size);
                if (r == -EAGAIN || r == -ENOTCONN)
                        return r;
                if (r < 0)
                        the_log.dropped++;
                the_log.head = (the_log.head + sizeof(size) + size) % RING_SIZE;
                the_log.used -= sizeof(size) + size;
        }
        return 0;
}

static void to_journal(int level, const char *message_id, const LogField *fields, size_t n_fields,
                       const char *message) {
        const char priority[2] = { (char) ('0' + (level & LOG_PRIMASK)), 0 };
        Record record;
        int r;

        record.size = 0;
        record.overflow = false;
        record_field(&record, "MESSAGE", message);
        record_field(&record, "PRIORITY", priority);
        record_field(&record, "SYSLOG_IDENTIFIER", the_log.identifier);
        if (message_id)
                record_field(&record, "MESSAGE_ID", message_id);
        for (size_t i = 0; i < n_fields; i++)
                record_field(&record, fields[i].name, fields[i].value);
        if (record.overflow) {
                the_log.dropped++;
                return;
        }

        (void) log_flush();
        if (the_log.used > 0) {
                ring_push(&record); /* order is kept */
                return;
        }
        r = journal_send(record.data, record.size);
        if (r == -EAGAIN || r == -ENOTCONN)
                ring_push(&record);
        else if (r < 0)
                the_log.dropped++;
}

static void to_stderr(const char *message) {
        struct iovec line[] = {
                { .iov_base = (char *) message, .iov_len = strlen(message) },
                { .iov_base = (char *) "\n", .iov_len = 1 },
        };
        struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
        ssize_t n = -1;

        if (poll(&p, 1, 0) > 0 && (p.revents & POLLOUT))
                do
                        n = writev(STDERR_FILENO, line, ELEMENTSOF(line));
                while (n < 0 && errno == EINTR);
        if (n < 0)
                the_log.dropped++;
}

static void dispatch(int level, const char *message_id, const LogField *fields, size_t n_fields,
                     const char *message) {
        int saved = errno;

        if (goes_to_journal())
                to_journal(level, message_id, fields, n_fields, message);
        else if (the_log.target != LOG_TARGET_NULL)
                to_stderr(message);
        errno = saved;
}

void log_struct(int level, const char *message_id, const LogField *fields, size_t n_fields,
                const char *format, ...) {
        char message[LINE_SIZE];
        va_list ap;

        if ((level & LOG_PRIMASK) > the_log.max_level)
                return;
        va_start(ap, format);
        (void) vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        dispatch(level, message_id, fields, n_fields, message);
}

void log_full(int level, const char *format, ...) {
        char message[LINE_SIZE];
        va_list ap;

        if ((level & LOG_PRIMASK) > the_log.max_level)
                return;
        va_start(ap, format);
        (void) vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        dispatch(level, NULL, NULL, 0, message);
}

int log_full_errno(int level, int error, const char *format, ...) {
        char message[LINE_SIZE];
        va_list ap;
        size_t n;

        if ((level & LOG_PRIMASK) > the_log.max_level)
                return error;
        va_start(ap, format);
        (void) vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        n = strlen(message);
        (void) snprintf(message + n, sizeof(message) - n, ": %s", strerror(error < 0 ? -error : error));
        dispatch(level, NULL, NULL, 0, message);
        return error;
}
