/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The real varta-ctl against the real object on a private bus. */

#include "private-bus.h"

#define CTL_ARGS_MAX 8

typedef struct CtlStage {
        PrivateBus bus;
        Fixture f;
        const char *colours; /* "SYSTEMD_COLORS=1"; NULL: none */
        char address[160], socket[96], option[112];
} CtlStage;

/* A private bus and, unless told otherwise, an observer on it. Returns false when there is no dbus-daemon. */
bool ctl_stage_init(CtlStage *s, bool serve);
void ctl_stage_done(CtlStage *s);

/* One turn of the observer's loop; for run_program() and the like. */
void ctl_stage_turn(void *userdata);

/* Three workers, one of them with a second process, and somebody without a unit. */
void ctl_stage_fleet(CtlStage *s);

/* Runs varta-ctl with these arguments (NULL ends them). */
void ctl_stage_run(CtlStage *s, const char *const *args, Outcome *ret);

typedef struct CtlCase {
        const char *title;
        const char *args[CTL_ARGS_MAX];
        int code;
        const char *out; /* must be in it; "": it is empty; NULL: anything */
        const char *err;
} CtlCase;

void ctl_stage_cases(CtlStage *s, const CtlCase *cases, size_t n);
