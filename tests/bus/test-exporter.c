/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The real varta-exporter against the real object on a private bus, as large as it gets: what a scrape brings, and readers who
 * do not read. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "exporter/pace.h"
#include "private-bus.h"

#define PAGE_MAX ((size_t) 4 * 1024 * 1024)

/* Longer than any deadline of the exporter, on a slow machine. */
#define PATIENCE_SEC 60

/* Less than a socket's buffers and the page together. */
#define SMALL_BUFFER 4096

/* The exporter's places on one socket. */
#define CONNECTIONS_MAX 128

typedef struct Stage {
        PrivateBus bus;
        Fixture f;
        in_port_t port;
        pid_t exporter;
        int out, err;
        char *page;
} Stage;

/* A port that is free right now. */
static in_port_t free_port(void) {
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(bind(fd, (const struct sockaddr *) &sa, sizeof(sa)), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &sa, &size), 0);
        (void) close(fd);
        return sa.sin_port;
}

static bool stage_init(Stage *s) {
        char address[160], option[64];
        const char *args[] = { VARTA_EXPORTER, option, NULL }, *environment[] = { address, NULL };

        *s = (Stage){};
        if (!private_bus_init(&s->bus))
                return false;
        fixture_init(&s->f, 64);
        private_bus_serve(&s->bus, &s->f);
        s->page = malloc(PAGE_MAX);
        ck_assert_ptr_nonnull(s->page);
        s->port = free_port();
        (void) snprintf(address, sizeof(address), "DBUS_SYSTEM_BUS_ADDRESS=%s", s->bus.address);
        (void) snprintf(option, sizeof(option), "--listen=127.0.0.1:%u", ntohs(s->port));
        s->exporter = start_program(args, environment, &s->out, &s->err);
        return true;
}

static void stage_done(Stage *s) {
        (void) kill(s->exporter, SIGTERM);
        ck_assert_int_eq(wait_program(s->exporter, NULL, NULL), 0);
        (void) close(s->out);
        (void) close(s->err);
        free(s->page);
        fixture_done(&s->f);
        private_bus_done(&s->bus);
}

static time_t now_sec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec;
}

/* Connects and asks, as soon as the exporter listens. buffer: of the receiving side, 0 for the usual one. */
static int ask(Stage *s, int buffer) {
        static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        const struct sockaddr_in sa = { .sin_family = AF_INET,
                                        .sin_port = s->port,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd;

        for (time_t end = now_sec() + PATIENCE_SEC;;) {
                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (buffer > 0)
                        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
                if (connect(fd, (const struct sockaddr *) &sa, sizeof(sa)) >= 0)
                        break;
                ck_assert_int_eq(errno, ECONNREFUSED);
                ck_assert_int_lt(now_sec(), end);
                (void) close(fd);
                ck_assert_int_ge(sd_event_run(s->f.event, 10000), 0);
        }
        ck_assert_int_eq(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
        return fd;
}

/* Reads an answer to its end, while the observer answers. */
static const char *read_page(Stage *s, int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        size_t size = 0;
        ssize_t n;

        for (time_t end = now_sec() + PATIENCE_SEC;;) {
                ck_assert_int_lt(now_sec(), end);
                ck_assert_int_ge(sd_event_run(s->f.event, 0), 0);
                if (poll(&p, 1, 1) <= 0)
                        continue;
                n = recv(fd, s->page + size, PAGE_MAX - 1 - size, 0);
                ck_assert_int_ge(n, 0);
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        (void) close(fd);
        s->page[size] = 0;
        ck_assert_int_eq(strncmp(s->page, "HTTP/1.1 200 OK\r\n", 17), 0);
        return s->page;
}

/* The number behind the first `name` of a page. */
static double value(const char *page, const char *name) {
        const char *p = strstr(page, name);

        ck_assert_msg(p, "%s is not on the page", name);
        return strtod(p + strlen(name), NULL);
}

/* As many units as fit, their names as long as they get. */
static void fill(Stage *s) {
        char name[UNIT_NAME_SIZE];

        memset(name, 'u', sizeof(name));
        for (unsigned i = 0; i < BUS_METRICS_UNITS_MAX; i++) {
                (void) snprintf(name + UNIT_NAME_SIZE - 13, 13, "%04u.service", i);
                ck_assert_uint_ne(observer_unit_ref(s->f.observer, name), UNIT_NONE);
        }
}

START_TEST(test_scrape) {
        const char *page;
        Stage s;

        if (!stage_init(&s))
                return;
        fixture_beat(&s.f, 1003, VLP_STATUS_OK);
        page = read_page(&s, ask(&s, 0));
        ck_assert_double_eq(value(page, "\nvarta_up "), 1);
        ck_assert_double_eq(value(page, "\nvarta_beats_total "), 1);
        ck_assert_double_eq(value(page, "\nvarta_unit_agents{unit=\"worker@3.service\"} "), 1);
        ck_assert_msg(!private_bus_started_observer(&s.bus), "scraping has started the observer");
        stage_done(&s);
}
END_TEST

START_TEST(test_large) {
        const char *page;
        size_t n = 0;
        Stage s;

        if (!stage_init(&s))
                return;
        fill(&s);
        page = read_page(&s, ask(&s, 0));
        for (const char *p = page; (p = strstr(p, "\nvarta_unit_agents{")); p++)
                n++;
        ck_assert_uint_eq(n, BUS_METRICS_UNITS_MAX);
        stage_done(&s);
}
END_TEST

START_TEST(test_slow_reader) {
        int fds[20];
        char c;
        Stage s;

        if (!stage_init(&s))
                return;
        fill(&s);

        /* They take a first byte, which is there when the answer is, and nothing more. */
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = ask(&s, SMALL_BUFFER);
        for (time_t end = now_sec() + PATIENCE_SEC; recv(fds[0], &c, 1, MSG_DONTWAIT) < 0;) {
                ck_assert_int_eq(errno, EAGAIN);
                ck_assert_int_lt(now_sec(), end);
                ck_assert_int_ge(sd_event_run(s.f.event, 10000), 0);
        }

        /* Others are served meanwhile, and in the end the exporter says that it ended them. */
        for (time_t end = now_sec() + PATIENCE_SEC;;) {
                const char *page = read_page(&s, ask(&s, 0));
                double ended = value(page, "\nvarta_exporter_connections_ended_total ");

                if ((size_t) ended >= ELEMENTSOF(fds))
                        break;
                ck_assert_msg(now_sec() < end, "only %g of %zu were ended", ended, ELEMENTSOF(fds));
                ck_assert_int_ge(sd_event_run(s.f.event, 100000), 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                (void) close(fds[i]);
        stage_done(&s);
}
END_TEST

/* All who came at once are answered, the last of them after they waited. */
START_TEST(test_storm) {
        int fds[PACE_BURST + 10];
        const char *page;
        Stage s;

        if (!stage_init(&s))
                return;
        fixture_beat(&s.f, 1003, VLP_STATUS_OK);

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = ask(&s, 0);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                page = read_page(&s, fds[i]);
                ck_assert_double_eq(value(page, "\nvarta_up "), 1);
                ck_assert_double_eq(value(page, "\nvarta_beats_total "), 1);
        }
        ck_assert_double_gt(value(page, "\nvarta_exporter_scrapes_delayed_total "), 0);
        ck_assert_double_eq(value(page, "\nvarta_exporter_connections_ended_total "), 0);
        stage_done(&s);
}
END_TEST

/* Readers who have asked, and then take a byte and nothing more, in all places that there are. One of them after the other goes
 * when somebody comes, and not all at the end of their time. */
START_TEST(test_full) {
        int fds[CONNECTIONS_MAX];
        double ended;
        Stage s;

        if (!stage_init(&s))
                return;
        fill(&s);

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = ask(&s, SMALL_BUFFER);
        ended = value(read_page(&s, ask(&s, 0)), "\nvarta_exporter_connections_ended_total ");
        ck_assert_double_gt(ended, 0);
        ck_assert_double_lt(ended, CONNECTIONS_MAX);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                (void) close(fds[i]);
        stage_done(&s);
}
END_TEST

START_TEST(test_bus_lost) {
        const char *page;
        Stage s;

        if (!stage_init(&s))
                return;
        fixture_beat(&s.f, 1003, VLP_STATUS_OK);
        page = read_page(&s, ask(&s, 0));
        ck_assert_double_eq(value(page, "\nvarta_up "), 1);

        private_bus_stop(&s.bus);
        for (time_t end = now_sec() + PATIENCE_SEC; value(page, "\nvarta_up ") != 0;) {
                ck_assert_int_lt(now_sec(), end);
                page = read_page(&s, ask(&s, 0));
        }
        ck_assert_double_eq(value(page, "\nvarta_beats_total "), 1);

        private_bus_start(&s.bus);
        (void) sd_bus_flush_close_unref(s.f.bus);
        private_bus_serve(&s.bus, &s.f);
        for (time_t end = now_sec() + PATIENCE_SEC; value(page, "\nvarta_up ") != 1;) {
                ck_assert_int_lt(now_sec(), end);
                page = read_page(&s, ask(&s, 0));
        }
        stage_done(&s);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "a scrape brings what the observer counts, and does not start it", test_scrape },
                { "as many units as there can be", test_large },
                { "who does not read is ended, and keeps nobody from reading", test_slow_reader },
                { "more than are answered at once wait for their turn, and are answered", test_storm },
                { "readers who hold all places make room for who comes", test_full },
                { "a bus that goes and comes back", test_bus_lost },
        };

        return tests_main("bus-exporter", tests, ELEMENTSOF(tests));
}
