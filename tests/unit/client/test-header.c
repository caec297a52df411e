/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The installed header and the shared library as another program sees them: nothing else of this project,
 * strict C99, and again as C++ (test-header.cc). Uses every function that the header promises.
 */

#include "client/varta.h"

#include <stdio.h>
#include <string.h>

static int check(int good, const char *what) {
        if (!good)
                fprintf(stderr, "Failed: %s\n", what);

        return good ? 0 : 1;
}

int main(void) {
        VartaAgent *agent = NULL;
        int n = 0, r;

        n += check(varta_open("tcp:[::1]:8674", &agent) == -EPROTONOSUPPORT, "another transport is refused");
        n += check(varta_open("udp:127.0.0.1:8675", &agent) == 0, "open over UDP");
        varta_closep(&agent);
        n += check(varta_open("/nonexistent/varta.sock", &agent) == 0 && agent != NULL,
                   "open without an observer");

        r = varta_beat(agent, VARTA_STATUS_OK, 1);
        n += check(r == VARTA_DROPPED_NO_OBSERVER, "beat");
        n += check(strcmp(varta_outcome_to_string(r), "no-observer") == 0, "name of the outcome");
        r = varta_beat_wait(agent, VARTA_STATUS_DEGRADED, 2, 100);
        n += check(r == VARTA_DROPPED_NO_OBSERVER, "beat with a wait");
        r = varta_beat_terminal(agent, 3, 0);
        n += check(r == VARTA_DROPPED_NO_OBSERVER, "terminal beat");

        varta_closep(&agent);
        agent = varta_close(NULL);
        n += check(agent == NULL, "close");

        return n;
}
