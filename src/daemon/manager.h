/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* vartad as a whole: every part made, wired to the others, and run. */

#include "daemon/options.h"
#include "util/macro.h"

typedef struct Manager Manager;

/* Makes everything and starts to listen. What is wrong was logged when this fails. Returns 0 or negative errno. */
int manager_new(const Options *options, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP_FUNC(Manager, manager_free)

/* Runs until SIGTERM, SIGINT, or something that cannot be survived. Returns the exit code. */
int manager_run(Manager *m);
