/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vartad itself, beside a bus daemon of the test's own. */

#include "program.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "bus/bus-names.h"
#include "util/fd.h"

/* Far beyond what anything takes, valgrind included: it only ends a test that hangs. */
#define PATIENCE_SEC 60

/* Where systemd's first passed descriptor goes. */
#define LISTEN_FDS_START 3

/* ---- programs --------------------------------------------------------------------------------------------- */

static void pass_sockets(const Environment *e) {
        char number[16];
        int copies[ELEMENTSOF(e->activated)];

        /* First out of the way, then to their places. */
        for (size_t i = 0; i < e->n_activated; i++)
                copies[i] = fcntl(e->activated[i], F_DUPFD, 100);
        for (size_t i = 0; i < e->n_activated; i++)
                if (dup2(copies[i], LISTEN_FDS_START + (int) i) < 0 || close(copies[i]) < 0)
                        _exit(126);
        (void) snprintf(number, sizeof(number), "%d", (int) getpid());
        (void) setenv("LISTEN_PID", number, 1);
        (void) snprintf(number, sizeof(number), "%zu", e->n_activated);
        (void) setenv("LISTEN_FDS", number, 1);
        (void) setenv("LISTEN_FDNAMES", e->activated_names, 1);
}

static void claim_journal(void) {
        char text[64];
        struct stat st;

        if (fstat(STDERR_FILENO, &st) < 0)
                _exit(126);
        (void) snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, (uint64_t) st.st_dev,
                        (uint64_t) st.st_ino);
        (void) setenv("JOURNAL_STREAM", text, 1);
}

static void set_environment(const Environment *e) {
        static const char *const cleared[] = { "DBUS_SESSION_BUS_ADDRESS",
                                               "DBUS_SYSTEM_BUS_ADDRESS",
                                               "XDG_RUNTIME_DIR",
                                               "NOTIFY_SOCKET",
                                               "JOURNAL_STREAM",
                                               "LISTEN_FDS",
                                               "LISTEN_PID",
                                               "LISTEN_FDNAMES",
                                               "VARTA_DISABLE_FEATURES",
                                               "WATCHDOG_USEC" };

        for (size_t i = 0; i < ELEMENTSOF(cleared); i++)
                (void) unsetenv(cleared[i]);
        if (e->bus)
                (void) setenv("DBUS_SESSION_BUS_ADDRESS", e->bus, 1);
        if (e->notify)
                (void) setenv("NOTIFY_SOCKET", e->notify, 1);
        for (size_t i = 0; i < ELEMENTSOF(e->extra) && e->extra[i]; i++)
                (void) putenv((char *) e->extra[i]);
        if (e->n_activated > 0)
                pass_sockets(e);
        if (e->journal)
                claim_journal();
        if (e->fd_limit > 0)
                (void) set_fd_limit(e->fd_limit);
}

/* Splits VARTAD_WRAPPER at spaces and puts vartad behind it. Returns how many words that is. */
static size_t vartad_words(const char *words[], size_t max) {
        static char buffer[512];
        const char *wrapper = getenv("VARTAD_WRAPPER");
        size_t n = 0;

        (void) snprintf(buffer, sizeof(buffer), "%s", wrapper ?: "");
        for (char *p = buffer, *word; n + 1 < max && (word = strsep(&p, " "));)
                if (*word)
                        words[n++] = word;
        words[n++] = VARTAD;
        return n;
}

static void execute(const char *const argv[]) {
        const char *words[PROGRAM_ARGS_MAX + 16];
        size_t n = 0;

        if (strcmp(argv[0], "vartad") == 0) {
                n = vartad_words(words, 16);
                argv++;
        }
        for (; *argv && n + 1 < ELEMENTSOF(words); argv++)
                words[n++] = *argv;
        words[n] = NULL;
        (void) execvp(words[0], (char *const *) words);
        _exit(127);
}

void program_start(Program *p, const Environment *environment, const char *const argv[]) {
        int out[2], err[2];

        *p = (Program){};
        ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
        p->pid = fork();
        if (p->pid < 0)
                ck_abort_msg("cannot fork: %s", strerror(errno));
        if (p->pid == 0) { /* no assertion here: see support.c */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (dup2(out[1], STDOUT_FILENO) < 0 ||
                    dup2(environment->err > 0 ? environment->err : err[1], STDERR_FILENO) < 0)
                        _exit(126);
                set_environment(environment);
                execute(argv);
        }
        ck_assert_int_eq(close(out[1]), 0);
        ck_assert_int_eq(close(err[1]), 0);
        p->out = out[0];
        p->err = err[0];
        ck_assert_int_eq(fcntl(p->out, F_SETFL, O_NONBLOCK), 0);
        ck_assert_int_eq(fcntl(p->err, F_SETFL, O_NONBLOCK), 0);
}

/* Appends what can be read. Returns false at the end of the stream. */
static bool append(int fd, char *text, size_t size) {
        size_t n = strlen(text);
        ssize_t k;

        while ((k = read(fd, text + n, size - 1 - n)) > 0) {
                n += (size_t) k;
                text[n] = 0;
                ck_assert_uint_lt(n, size - 1);
        }
        return k < 0;
}

static void wait_readable(int fd, const char *what, const char *so_far) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        int r;

        do
                r = poll(&pfd, 1, PATIENCE_SEC * 1000);
        while (r < 0 && errno == EINTR);
        ck_assert_msg(r > 0, "waited in vain for %s; so far: %s", what, so_far);
}

size_t program_peek(Program *p) {
        (void) append(p->err, p->err_text, sizeof(p->err_text));
        return strlen(p->err_text);
}

void program_until(Program *p, size_t offset, const char *text) {
        while (!strstr(p->err_text + offset, text)) {
                wait_readable(p->err, text, p->err_text);
                ck_assert_msg(append(p->err, p->err_text, sizeof(p->err_text)) ||
                                              strstr(p->err_text + offset, text),
                              "it ended without saying \"%s\": %s", text, p->err_text);
        }
}

int program_wait(Program *p) {
        int status;

        while (append(p->err, p->err_text, sizeof(p->err_text)))
                wait_readable(p->err, "the end", p->err_text);
        while (append(p->out, p->out_text, sizeof(p->out_text)))
                wait_readable(p->out, "the end", p->out_text);
        ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
        p->pid = 0;
        p->out = safe_close(p->out);
        p->err = safe_close(p->err);
        ck_assert_msg(WIFEXITED(status), "ended by signal %d: %s", WTERMSIG(status), p->err_text);
        return WEXITSTATUS(status);
}

int program_end(Program *p, int signal_number) {
        ck_assert_int_eq(kill(p->pid, signal_number), 0);
        return program_wait(p);
}

void program_kill(Program *p) {
        int status;

        if (p->pid == 0)
                return;
        (void) kill(p->pid, SIGKILL);
        (void) waitpid(p->pid, &status, 0);
        p->pid = 0;
        p->out = safe_close(p->out);
        p->err = safe_close(p->err);
}

bool vartad_is_wrapped(void) {
        return getenv("VARTAD_WRAPPER");
}

unsigned count_lines(const char *text) {
        unsigned n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

/* ---- readiness -------------------------------------------------------------------------------------------- */

int notify_socket(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd;

        ck_assert_uint_lt(strlen(path), sizeof(sa.sun_path));
        memcpy(sa.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, (const struct sockaddr *) &sa, sizeof(sa)), 0);
        return fd;
}

void notify_until(int fd, const char *line) {
        char text[1024];
        ssize_t n;

        do {
                wait_readable(fd, line, "nothing");
                n = recv(fd, text, sizeof(text) - 1, 0);
                ck_assert_int_ge(n, 0);
                text[n] = 0;
        } while (!strstr(text, line));
}

/* ---- the bus ---------------------------------------------------------------------------------------------- */

void bus_daemon_start(Program *p, const char *address) {
        char option[256];
        const char *const argv[] = { "dbus-daemon",     "--session", "--nofork", "--nopidfile",
                                     "--print-address", option,      NULL };

        (void) snprintf(option, sizeof(option), "--address=%s", address);
        program_start(p, &(Environment){}, argv);
        while (!strchr(p->out_text, '\n')) {
                wait_readable(p->out, "the bus daemon's address", p->err_text);
                ck_assert_msg(append(p->out, p->out_text, sizeof(p->out_text)), "no bus daemon: %s",
                              p->err_text);
        }
}

sd_bus *bus_connect(const char *address) {
        sd_bus *bus;

        ck_assert_int_eq(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, address), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(bus, true), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        ck_assert_int_ge(sd_bus_set_method_call_timeout(bus, PATIENCE_SEC * UINT64_C(1000000)), 0);
        return bus;
}

void bus_wait_name(sd_bus *bus) {
        sd_bus_message *m;
        int owned, r;

        ck_assert_int_ge(sd_bus_add_match(bus, NULL,
                                          "type='signal',sender='org.freedesktop.DBus',member='"
                                          "NameOwnerChanged',"
                                          "arg0='" BUS_NAME "'",
                                          NULL, NULL),
                         0);
        for (;;) {
                r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "NameHasOwner", NULL, &m, "s", BUS_NAME);
                ck_assert_int_ge(r, 0);
                ck_assert_int_gt(sd_bus_message_read(m, "b", &owned), 0);
                (void) sd_bus_message_unref(m);
                if (owned)
                        return;
                r = sd_bus_process(bus, NULL);
                ck_assert_int_ge(r, 0);
                if (r == 0)
                        ck_assert_msg(sd_bus_wait(bus, PATIENCE_SEC * UINT64_C(1000000)) > 0,
                                      "nobody takes the name");
        }
}

char *bus_get_string(sd_bus *bus, const char *name) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        char *value;
        int r;

        r = sd_bus_get_property_string(bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, name, &error, &value);
        ck_assert_msg(r >= 0, "%s: %s", name, error.message ?: strerror(-r));
        return value;
}

uint64_t bus_get_number(sd_bus *bus, const char *name) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m;
        const char *contents;
        uint32_t narrow;
        uint64_t value;
        int r;

        r = sd_bus_call_method(bus, BUS_NAME, BUS_PATH, "org.freedesktop.DBus.Properties", "Get", &error, &m,
                               "ss", BUS_INTERFACE, name);
        ck_assert_msg(r >= 0, "%s: %s", name, error.message ?: strerror(-r));
        ck_assert_int_gt(sd_bus_message_peek_type(m, NULL, &contents), 0);
        if (strcmp(contents, "u") == 0) {
                ck_assert_int_gt(sd_bus_message_read(m, "v", "u", &narrow), 0);
                value = narrow;
        } else
                ck_assert_int_gt(sd_bus_message_read(m, "v", "t", &value), 0);
        (void) sd_bus_message_unref(m);
        return value;
}

int bus_reload(sd_bus *bus) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Reload", &error, NULL, "");
        sd_bus_error_free(&error);
        return r < 0 ? r : 0;
}
