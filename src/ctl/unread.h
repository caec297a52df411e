/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sockets that were enabled for the observer, and that it does not read. */

#include "ctl/view.h"

/* Names of the socket units that start the observer's service, are enabled or listen already, and are none of its listeners: systemd
 * hands over a socket only to a service that it starts. *ret is a NULL-terminated array (or NULL) that the caller frees. Returns how many
 * there are (0 as well when the observer does not run as that service), or negative errno. */
int unread_sockets(sd_bus *bus, const char *service, const ObserverView *v, char ***ret);
/* For _cleanup_(). */
void unread_sockets_freep(char ***sockets);
