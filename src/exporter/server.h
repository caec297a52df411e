/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * HTTP: GET and HEAD of /metrics, a word at /, and nothing else.
 *
 * One request per connection, as few bytes of it as a scrape needs, and a deadline for asking and for reading: whoever is
 * slower is let go, whoever is one too many makes room for those who ask.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/macro.h"

typedef struct Server Server;

/* `user`: of the user's bus. `instance`: of which observer, NULL: the one without a name. `token`: what has to be in the header Authorization; "": nothing has to. It is copied. Returns 0
 * or negative errno; the caller owns *ret. */
int server_new(sd_event *event, bool user, const char *instance, const char *token, Server **ret);
Server *server_free(Server *s);
DEFINE_CLEANUP_FUNC(Server, server_free)

/* Sockets that a server listens to, at most. */
#define SERVER_SOCKETS_MAX 8U

/* Listens to a socket; the descriptor is the server's from now on, even on failure. Returns 0, -E2BIG, -EINVAL when the
 * library does not take it, or what the event loop says. */
int server_listen(Server *s, int fd);
