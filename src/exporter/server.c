/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The HTTP side, on libmicrohttpd: it parses requests and moves bytes, this decides.
 *
 * The library runs without a thread, in our event loop: its epoll descriptor is one source, and what it wants to be called
 * for later is a timer. A request that needs the observer is suspended until the source of figures has settled.
 *
 * Every connection has two deadlines that nothing a client does can put off: for the whole of its request, and for the whole
 * of the answer. (The library's own timeout is for silence, and a byte every few seconds is not silence.) A connection that is
 * late is shut down at the socket, and the library cleans up after it. When all places are taken, the one that has been
 * there longest without asking loses its place.
 *
 * Answers are sent from text that all scrapes share, so that a hundred slow readers hold little more memory than one.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "exporter/accept.h"
#include "exporter/server.h"
#include "exporter/source.h"
#include "util/fd.h"
#include "util/log.h"

/* Connections at once, on each socket. Prometheus has one, and a person another. */
#define CONNECTIONS_MAX 128U

/* Bytes that a connection's request may take, its line and headers; the library answers 414 or 431 to more. */
#define REQUEST_MAX 16384U

/* A request comes in one packet; whoever takes this long is not asking. */
#define REQUEST_USEC (2 * USEC_PER_SEC)

/* From connecting to the last byte: as long as Prometheus waits by default. */
#define ANSWER_USEC (10 * USEC_PER_SEC)

/* How much of an answer is handed to the socket at once. */
#define BLOCK_SIZE 8192U

typedef enum Refusal {
        REFUSED_UNAUTHORIZED,
        REFUSED_NOT_FOUND,
        REFUSED_METHOD,
        _REFUSED_MAX,
} Refusal;

typedef struct Client {
        Server *server;
        struct MHD_Connection *connection;
        struct Client *previous, *next; /* the oldest first */
        int fd;                         /* the library's */
        usec_t since, deadline;
        bool asked;   /* the request is complete */
        bool waiting; /* suspended, until the source has settled */
} Client;

/* One socket. */
typedef struct Listener {
        Server *server;
        struct MHD_Daemon *daemon;
        sd_event_source *io, *timer;
} Listener;

struct Server {
        sd_event *event;
        Source *source;
        sd_event_source *deadlines;
        Listener listeners[SERVER_SOCKETS_MAX];
        size_t n_listeners;
        Client *first, *last;
        size_t n_clients;
        char *token;
        uint64_t scrapes[_SOURCE_STATE_MAX], refused[_REFUSED_MAX], ended;
};

/* An answer on its way: what is of now, what all share, the end. */
typedef struct Page {
        MetricsText head;
        SharedText *body; /* NULL: none */
        MetricsText tail;
} Page;

static usec_t clock_now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / NSEC_PER_USEC;
}

/* ---- Connections and their deadlines ---------------------------------------------------------------------- */

static void arm_deadlines(Server *s) {
        usec_t earliest = USEC_INFINITY;

        for (const Client *c = s->first; c; c = c->next)
                earliest = MIN(earliest, c->deadline);
        if (earliest == USEC_INFINITY) {
                (void) sd_event_source_set_enabled(s->deadlines, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(s->deadlines, earliest);
        (void) sd_event_source_set_enabled(s->deadlines, SD_EVENT_ONESHOT);
}

static void client_end(Client *c) {
        c->deadline = USEC_INFINITY;
        c->server->ended++;
        /* The library finds the connection closed, and closes the descriptor. */
        (void) shutdown(c->fd, SHUT_RDWR);
}

/* Somebody came for the last place: who has been there longest without asking gives up theirs. */
static void make_room(Server *s) {
        for (Client *c = s->first; c && c->next; c = c->next)
                if (!c->asked && c->deadline != USEC_INFINITY) {
                        client_end(c);
                        return;
                }
}

static void client_add(Server *s, struct MHD_Connection *connection, void **ret_context) {
        const union MHD_ConnectionInfo *info;
        Client *c;

        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        c = info ? calloc(1, sizeof(Client)) : NULL;
        if (!c) {
                /* Without a deadline nobody gets in: the request, should one come, finds no client. */
                if (info)
                        (void) shutdown(info->connect_fd, SHUT_RDWR);
                return;
        }

        c->server = s;
        c->connection = connection;
        c->fd = info->connect_fd;
        c->since = clock_now();
        c->deadline = c->since + REQUEST_USEC;
        c->previous = s->last;
        if (s->last)
                s->last->next = c;
        else
                s->first = c;
        s->last = c;
        if (++s->n_clients >= CONNECTIONS_MAX)
                make_room(s);
        *ret_context = c;
        arm_deadlines(s);
}

static void client_remove(Client *c) {
        Server *s = c->server;

        if (c->previous)
                c->previous->next = c->next;
        else
                s->first = c->next;
        if (c->next)
                c->next->previous = c->previous;
        else
                s->last = c->previous;
        s->n_clients--;
        free(c);
        arm_deadlines(s);
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
        if (what == MHD_CONNECTION_NOTIFY_STARTED)
                client_add(userdata, connection, context);
        else if (*context) {
                client_remove(*context);
                *context = NULL;
        }
}

static Client *client_of(struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return info ? info->socket_context : NULL;
}

/* ---- Running the library ---------------------------------------------------------------------------------- */

/* Lets the library do what there is to do, and finds out when it wants to be called again without a byte having come. */
static void listener_turn(Listener *l) {
        MHD_UNSIGNED_LONG_LONG wait;

        (void) MHD_run(l->daemon);
        if (MHD_get_timeout(l->daemon, &wait) != MHD_YES) {
                (void) sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(l->timer, clock_now() + wait * (NSEC_PER_MSEC / NSEC_PER_USEC));
        (void) sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static void server_turn(Server *s) {
        for (size_t i = 0; i < s->n_listeners; i++)
                listener_turn(&s->listeners[i]);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        listener_turn(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t when, void *userdata) {
        listener_turn(userdata);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t when, void *userdata) {
        Server *s = userdata;
        usec_t now = clock_now();

        for (Client *c = s->first; c; c = c->next)
                if (c->deadline <= now)
                        client_end(c);
        arm_deadlines(s);
        server_turn(s);
        return 0;
}

static void resume_clients(Server *s) {
        for (Client *c = s->first; c; c = c->next)
                if (c->waiting) {
                        c->waiting = false;
                        MHD_resume_connection(c->connection);
                }
}

static void on_settled(void *userdata) {
        resume_clients(userdata);
        server_turn(userdata);
}

/* ---- Answers ---------------------------------------------------------------------------------------------- */

static void page_free(void *userdata) {
        Page *p = userdata;

        metrics_text_done(&p->head);
        metrics_text_done(&p->tail);
        shared_text_unref(p->body);
        free(p);
}

static ssize_t page_read(void *userdata, uint64_t position, char *buf, size_t max) {
        const Page *p = userdata;
        const MetricsText *const parts[] = { &p->head, p->body ? &p->body->text : NULL, &p->tail };

        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                size_t n;

                if (!parts[i])
                        continue;
                if (position >= parts[i]->size) {
                        position -= parts[i]->size;
                        continue;
                }
                n = MIN(parts[i]->size - (size_t) position, max);
                memcpy(buf, parts[i]->text + position, n);
                return (ssize_t) n;
        }
        return MHD_CONTENT_READER_END_OF_STREAM;
}

static int write_head(const Server *s, MetricsForm form, MetricsText *text) {
        static const char *const scrapes[_SOURCE_STATE_MAX] = {
                [SOURCE_NONE] = "none",
                [SOURCE_STALE] = "stale",
                [SOURCE_FRESH] = "fresh",
        };
        static const char *const refusals[_REFUSED_MAX] = {
                [REFUSED_UNAUTHORIZED] = "unauthorized",
                [REFUSED_NOT_FOUND] = "not-found",
                [REFUSED_METHOD] = "method",
        };
        _cleanup_(metrics_freep) Metrics *m = NULL;
        SourceState state = source_state(s->source);
        int r;

        r = metrics_new(&m);
        if (r < 0)
                return r;

        /* Numbers without a unit take no memory: these cannot fail. */
        (void) metrics_put_number(m, "Up", NULL, 0, state == SOURCE_FRESH);
        if (state != SOURCE_NONE) {
                (void) metrics_put_number(m, "SnapshotAgeUSec", NULL, 0, source_age(s->source));
                (void) metrics_put_number(m, "SnapshotDurationUSec", NULL, 0, source_duration(s->source));
        }
        for (size_t i = 0; i < _SOURCE_STATE_MAX; i++)
                (void) metrics_put_number(m, "Scrapes", scrapes[i], 0, s->scrapes[i]);
        for (size_t i = 0; i < _REFUSED_MAX; i++)
                (void) metrics_put_number(m, "RequestsRefused", refusals[i], 0, s->refused[i]);
        (void) metrics_put_number(m, "ConnectionsEnded", NULL, 0, s->ended);
        (void) metrics_put_number(m, "SnapshotFailures", NULL, 0, source_failures(s->source));
        return metrics_write(m, METRICS_SCRAPE | METRICS_EXPORTER, form, text);
}

static int page_new(const Server *s, MetricsForm form, Page **ret) {
        Page *p = calloc(1, sizeof(Page));
        int r;

        if (!p)
                return -ENOMEM;

        r = write_head(s, form, &p->head);
        if (r >= 0)
                r = source_text(s->source, form, &p->body);
        if (r >= 0)
                r = metrics_write_end(form, &p->tail);
        if (r < 0) {
                page_free(p);
                return r;
        }

        *ret = p;
        return 0;
}

/* Sends an answer, whose reference is taken. The connection ends with it: a scrape costs one either way, and a connection that
 * stays is one more to watch. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              struct MHD_Response *response) {
        enum MHD_Result r;

        if (!response)
                return MHD_NO;

        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        (void) MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        r = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return r;
}

static struct MHD_Response *constant(const char *text) {
        return MHD_create_response_from_buffer(strlen(text), (void *) text, MHD_RESPMEM_PERSISTENT);
}

#define PLAIN "text/plain; charset=utf-8"

static enum MHD_Result refuse(Server *s, struct MHD_Connection *connection, Refusal why) {
        static const struct {
                unsigned status;
                const char *text, *header, *value;
        } answers[_REFUSED_MAX] = {
                [REFUSED_UNAUTHORIZED] = { MHD_HTTP_UNAUTHORIZED,
                                           "A token is needed: Authorization: Bearer TOKEN\n",
                                           MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"varta\"" },
                [REFUSED_NOT_FOUND] = { MHD_HTTP_NOT_FOUND, "There is /metrics, and nothing else.\n" },
                [REFUSED_METHOD] = { MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are answered.\n",
                                     MHD_HTTP_HEADER_ALLOW, "GET, HEAD" },
        };
        struct MHD_Response *response = constant(answers[why].text);

        s->refused[why]++;
        if (response && answers[why].header)
                (void) MHD_add_response_header(response, answers[why].header, answers[why].value);
        return answer(connection, answers[why].status, PLAIN, response);
}

static enum MHD_Result answer_index(struct MHD_Connection *connection) {
        return answer(connection, MHD_HTTP_OK, "text/html; charset=utf-8",
                      constant("<!DOCTYPE html>\n<html "
                               "lang=\"en\"><head><title>varta-exporter</title></head>\n"
                               "<body><p>Heartbeats, counted: <a "
                               "href=\"/metrics\">metrics</a></p></body></html>\n"));
}

static enum MHD_Result answer_metrics(Server *s, struct MHD_Connection *connection) {
        MetricsForm form;
        struct MHD_Response *response;
        Page *page;

        form = accept_choose(
                        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
        s->scrapes[source_state(s->source)]++;
        if (page_new(s, form, &page) < 0)
                return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, PLAIN, constant("Out of memory.\n"));

        response = MHD_create_response_from_callback(
                        page->head.size + page->tail.size + (page->body ? page->body->text.size : 0),
                        BLOCK_SIZE, page_read, page, page_free);
        if (!response) {
                page_free(page);
                return MHD_NO;
        }
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
        return answer(connection, MHD_HTTP_OK, metrics_content_type(form), response);
}

static bool is_allowed(const Server *s, struct MHD_Connection *connection) {
        const char *given;
        size_t size;

        if (!s->token[0])
                return true;

        given = bearer_find(MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                        MHD_HTTP_HEADER_AUTHORIZATION),
                            &size);
        return given && token_equal(s->token, strlen(s->token), given, size);
}

/* The library's word for "the request is there". Called again when a suspended connection goes on. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context) {
        Client *c = client_of(connection);
        Server *s = userdata;
        bool again;

        if (!c)
                return MHD_NO;

        again = c->asked;
        c->asked = true;
        if (!again) {
                c->deadline = c->since + ANSWER_USEC;
                arm_deadlines(s);
        }

        if (strcmp(url, "/") != 0 && strcmp(url, "/metrics") != 0)
                return refuse(s, connection, REFUSED_NOT_FOUND);
        if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
                return refuse(s, connection, REFUSED_METHOD);
        if (strcmp(url, "/") == 0)
                return answer_index(connection);
        if (!is_allowed(s, connection))
                return refuse(s, connection, REFUSED_UNAUTHORIZED);

        if (!again && source_ask(s->source)) {
                c->waiting = true;
                MHD_suspend_connection(connection);
                return MHD_YES;
        }
        return answer_metrics(s, connection);
}

/* ---- The server ------------------------------------------------------------------------------------------- */

static void on_log(void *userdata, const char *format, va_list args) {
        char text[512];
        size_t n;

        if (log_get_max_level() < LOG_DEBUG)
                return;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void) vsnprintf(text, sizeof(text), format, args);
#pragma GCC diagnostic pop
        for (n = strlen(text); n > 0 && text[n - 1] == '\n';)
                text[--n] = 0;
        log_debug("libmicrohttpd: %s", text);
}

int server_new(sd_event *event, bool user, const char *token, Server **ret) {
        _cleanup_(server_freep) Server *s = NULL;
        int r;

        assert(event);
        assert(token);
        assert(ret);

        s = calloc(1, sizeof(Server));
        if (!s)
                return -ENOMEM;

        s->event = sd_event_ref(event);
        s->token = strdup(token);
        if (!s->token)
                return -ENOMEM;
        r = source_new(event, user, on_settled, s, &s->source);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &s->deadlines, CLOCK_MONOTONIC, 0, 0, on_deadline, s);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(s->deadlines, SD_EVENT_OFF);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

static void listener_done(Listener *l) {
        l->io = sd_event_source_disable_unref(l->io);
        l->timer = sd_event_source_disable_unref(l->timer);
        if (l->daemon)
                MHD_stop_daemon(l->daemon);
        l->daemon = NULL;
}

Server *server_free(Server *s) {
        if (!s)
                return NULL;

        /* The library cannot end what is suspended. */
        resume_clients(s);
        for (size_t i = 0; i < s->n_listeners; i++)
                listener_done(&s->listeners[i]);
        sd_event_source_disable_unref(s->deadlines);
        source_free(s->source);
        sd_event_unref(s->event);
        if (s->token)
                explicit_bzero(s->token, strlen(s->token));
        free(s->token);
        free(s);
        return NULL;
}

static struct MHD_Daemon *start_library(Server *s, int fd) {
        return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                                on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                                MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) REQUEST_MAX,
                                MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_STRICT_FOR_CLIENT,
                                1, MHD_OPTION_END);
}

static int listener_start(Listener *l) {
        const union MHD_DaemonInfo *info;
        sd_event *event = l->server->event;
        int r;

        info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return -EINVAL;
        r = sd_event_add_io(event, &l->io, info->epoll_fd, EPOLLIN, on_io, l);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, 0, 0, on_timer, l);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
}

int server_listen(Server *s, int fd) {
        _cleanup_close_ int owned = fd;
        Listener *l;
        int flags, r;

        assert(s);
        assert(fd >= 0);

        if (s->n_listeners >= SERVER_SOCKETS_MAX)
                return -E2BIG;
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return negative_errno();

        l = &s->listeners[s->n_listeners];
        *l = (Listener){ .server = s, .daemon = start_library(s, fd) };
        if (!l->daemon)
                return -EINVAL;
        (void) TAKE_FD(owned);

        r = listener_start(l);
        if (r < 0) {
                listener_done(l);
                return r;
        }
        s->n_listeners++;
        return 0;
}
