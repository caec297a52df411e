/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The installed headers and both shared libraries as another program sees them; see test-header.c. Uses every
 * function that varta-secure.h promises.
 */

#include "client/varta-secure.h"

#include <stdio.h>
#include <string.h>

static int check(int good, const char *what) {
        if (!good)
                fprintf(stderr, "Failed: %s\n", what);

        return good ? 0 : 1;
}

int main(void) {
        uint8_t key[VARTA_KEY_SIZE];
        VartaAgent *agent = NULL;
        int n = 0;

        memset(key, 7, sizeof(key));
        n += check(varta_key_from_file("/nonexistent/varta.key", key) == -ENOENT, "no key");
        n += check(varta_open_secure("/nonexistent/varta.sock", VARTA_KEY_SHARED, key, &agent) ==
                                   -EPROTONOSUPPORT,
                   "another transport is refused");
        n += check(varta_open_secure("udp:127.0.0.1:8674", VARTA_KEY_MASTER, key, &agent) == 0 &&
                                   agent != NULL,
                   "open");

        /* To the discard service, whether it is there or not. */
        varta_closep(&agent);
        n += check(varta_open_secure("udp:127.0.0.1:9", VARTA_KEY_SHARED, key, &agent) == 0, "open again");
        n += check(varta_beat(agent, VARTA_STATUS_OK, 1) == VARTA_SENT, "beat");
        n += check(varta_close(agent) == NULL, "close");

        return n;
}
