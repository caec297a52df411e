/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vartad: the observer. */

#include <signal.h>

#include "daemon/manager.h"
#include "util/log.h"

/* As systemctl and varta-ctl answer wrong usage; other failures are 1. */
#define EXIT_USAGE 2

int main(int argc, char *argv[]) {
        _cleanup_(manager_freep) Manager *m = NULL;
        Options options;
        int r;

        r = options_parse(argc, argv, &options);
        if (r < 0)
                return EXIT_USAGE;
        if (r == 0)
                return EXIT_SUCCESS;

        /* Whoever reads our standard error may leave; that is no reason to. */
        (void) signal(SIGPIPE, SIG_IGN);
        log_open("vartad");
        log_set_max_level(options.log_level);
        r = manager_new(&options, &m);
        r = r < 0 ? EXIT_FAILURE : manager_run(m);
        m = manager_free(m);
        log_close();
        return r;
}
