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
 *
 * Answers are paced. A storm of scrapes is hundreds of megabytes in a second that go through the caches of a host whose
 * observer lives in them; beyond a rate that no set of scrapers comes near, who asks waits for their turn, the oldest first.
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
#include "exporter/pace.h"
#include "exporter/page.h"
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

/* The loop's default, a quarter of a second, would be a dozen turns at a time. */
#define TURN_ACCURACY_USEC (USEC_PER_SEC / PACE_RATE)

/* Turns of the library before others of the loop have theirs: connections may close in each of them. */
#define TURNS_MAX 8U

/* What a reader has for sure when all places are taken. Prometheus takes milliseconds. */
#define READ_USEC (2 * USEC_PER_SEC)

typedef enum ClientState {
        CLIENT_ASKING,  /* the request is not complete */
        CLIENT_QUEUED,  /* suspended, until its turn comes */
        CLIENT_WAITING, /* suspended, until the source has settled */
        CLIENT_READING,
        _CLIENT_STATE_MAX,
        _CLIENT_STATE_INVALID = -EINVAL,
} ClientState;

typedef struct Client {
        Server *server;
        struct MHD_Connection *connection;
        struct Client *previous, *next; /* the oldest first */
        int fd;                         /* the library's */
        ClientState state;
        bool suspended;
        usec_t since, answered, deadline;
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
        sd_event_source *deadlines, *turns;
        Pace pace;
        size_t n_queued;
        Listener listeners[SERVER_SOCKETS_MAX];
        size_t n_listeners;
        Client *first, *last;
        size_t n_clients;
        bool left; /* one of them is gone */
        char *token;
        ExporterCounters counters;
};

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

static void client_suspend(Client *c, ClientState state) {
        c->state = state;
        c->suspended = true;
        c->server->n_queued += state == CLIENT_QUEUED;
        MHD_suspend_connection(c->connection);
}

static void client_resume(Client *c) {
        if (!c->suspended)
                return;

        c->suspended = false;
        c->server->n_queued -= c->state == CLIENT_QUEUED;
        MHD_resume_connection(c->connection);
}

static void client_end(Client *c) {
        c->deadline = USEC_INFINITY;
        c->server->counters.ended++;
        /* The library finds the connection closed, and closes the descriptor; it does not look at what is suspended. */
        (void) shutdown(c->fd, SHUT_RDWR);
        client_resume(c);
}

/* The last place is taken. Who has been there longest without asking gives up theirs; or else who has waited longest for a
 * turn is answered now, so that turns never keep anybody out; or else the oldest of those who read leaves as soon as it has had
 * its time. */
static void make_room(Server *s, bool somebody_came) {
        Client *queued = NULL, *reader = NULL;

        for (Client *c = s->first; c && c->next; c = c->next) {
                if (c->deadline == USEC_INFINITY)
                        continue;
                if (c->state == CLIENT_ASKING) {
                        client_end(c);
                        return;
                }
                if (!queued && c->state == CLIENT_QUEUED && c->suspended)
                        queued = c;
                if (!reader && c->state == CLIENT_READING)
                        reader = c;
        }
        if (queued && somebody_came)
                client_resume(queued);
        else if (!queued && reader)
                reader->deadline = MIN(reader->deadline, reader->answered + READ_USEC);
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
                make_room(s, true);
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
        s->left = true;
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

        l->server->left = true;

        /* At its limit the library does not look at the listening socket. When a place becomes free it begins to look again with
         * its next turn, which nothing would bring about while all others are silent. */
        for (unsigned i = 0; l->server->left && i < TURNS_MAX; i++) {
                l->server->left = false;
                (void) MHD_run(l->daemon);
        }
        if (l->server->left)
                wait = 0;
        else if (MHD_get_timeout(l->daemon, &wait) != MHD_YES) {
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

static void on_settled(void *userdata) {
        Server *s = userdata;

        for (Client *c = s->first; c; c = c->next)
                if (c->state == CLIENT_WAITING)
                        client_resume(c);
        server_turn(s);
}

/* ---- Turns ------------------------------------------------------------------------------------------------ */

static void arm_turns(Server *s, usec_t when) {
        (void) sd_event_source_set_time(s->turns, when);
        (void) sd_event_source_set_enabled(s->turns, SD_EVENT_ONESHOT);
}

/* Whether it is this client's turn; otherwise it will be called again when it is. */
static bool client_takes_turn(Client *c) {
        Server *s = c->server;
        usec_t when;

        if (s->n_queued == 0) {
                when = pace_take(&s->pace, clock_now());
                if (when == 0)
                        return true;
                arm_turns(s, when);
        }
        s->counters.delayed++;
        client_suspend(c, CLIENT_QUEUED);
        return false;
}

static int on_turn(sd_event_source *source, uint64_t time, void *userdata) {
        Server *s = userdata;

        for (Client *c = s->first; c && s->n_queued > 0; c = c->next) {
                usec_t when;

                if (c->state != CLIENT_QUEUED || !c->suspended)
                        continue;
                when = pace_take(&s->pace, clock_now());
                if (when > 0) {
                        arm_turns(s, when);
                        break;
                }
                client_resume(c);
        }
        server_turn(s);
        return 0;
}

/* ---- Answers ---------------------------------------------------------------------------------------------- */

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

        s->counters.refused[why]++;
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
        const char *accept =
                        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
        MetricsForm form = accept_choose(accept);
        struct MHD_Response *response;

        s->counters.scrapes[source_state(s->source)]++;
        if (page_response(s->source, &s->counters, form, &response) < 0)
                return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, PLAIN, constant("Out of memory.\n"));

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

/* An answer, or none yet: the client is suspended then. */
static enum MHD_Result decide(Client *c, const char *url, const char *method) {
        struct MHD_Connection *connection = c->connection;
        Server *s = c->server;

        if (strcmp(url, "/") != 0 && strcmp(url, "/metrics") != 0)
                return refuse(s, connection, REFUSED_NOT_FOUND);
        if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
                return refuse(s, connection, REFUSED_METHOD);
        if (strcmp(url, "/") == 0)
                return answer_index(connection);
        if (!is_allowed(s, connection))
                return refuse(s, connection, REFUSED_UNAUTHORIZED);

        if (c->state == CLIENT_ASKING && !client_takes_turn(c))
                return MHD_YES;
        if (c->state != CLIENT_WAITING && source_ask(s->source)) {
                client_suspend(c, CLIENT_WAITING);
                return MHD_YES;
        }
        return answer_metrics(s, connection);
}

/* The library's word for "the request is there". Called again when a suspended connection goes on. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context) {
        Client *c = client_of(connection);
        enum MHD_Result r;

        /* One that was ended while it waited is called a last time. */
        if (!c || c->deadline == USEC_INFINITY)
                return MHD_NO;

        if (c->state == CLIENT_ASKING)
                c->deadline = c->since + ANSWER_USEC;

        r = decide(c, url, method);
        if (!c->suspended) {
                c->state = CLIENT_READING;
                c->answered = clock_now();
                if (c->server->n_clients >= CONNECTIONS_MAX)
                        make_room(c->server, false);
                arm_deadlines(c->server);
        }
        return r;
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

int server_new(sd_event *event, bool user, const char *instance, const char *token, Server **ret) {
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
        r = source_new(event, user, instance, on_settled, s, &s->source);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &s->deadlines, CLOCK_MONOTONIC, 0, 0, on_deadline, s);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(s->deadlines, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &s->turns, CLOCK_MONOTONIC, 0, TURN_ACCURACY_USEC, on_turn, s);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(s->turns, SD_EVENT_OFF);
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
        for (Client *c = s->first; c; c = c->next)
                client_resume(c);
        for (size_t i = 0; i < s->n_listeners; i++)
                listener_done(&s->listeners[i]);
        sd_event_source_disable_unref(s->deadlines);
        sd_event_source_disable_unref(s->turns);
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
