/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl-stage.h"

void ctl_stage_turn(void *userdata) {
        CtlStage *s = userdata;

        ck_assert_int_ge(sd_event_run(s->f.event, 5000), 0);
}

bool ctl_stage_init(CtlStage *s, bool serve) {
        *s = (CtlStage){};
        if (!private_bus_init(&s->bus))
                return false;
        fixture_init(&s->f, 4096);
        if (serve)
                private_bus_serve(&s->bus, &s->f);
        (void) snprintf(s->address, sizeof(s->address), "DBUS_SYSTEM_BUS_ADDRESS=%s", s->bus.address);
        (void) snprintf(s->socket, sizeof(s->socket), "%s/varta.sock", s->bus.dir);
        (void) snprintf(s->option, sizeof(s->option), "--socket=%s", s->socket);
        return true;
}

void ctl_stage_done(CtlStage *s) {
        (void) unlink(s->socket);
        fixture_done(&s->f);
        private_bus_done(&s->bus);
}

void ctl_stage_run(CtlStage *s, const char *const *args, Outcome *ret) {
        const char *environment[] = { s->address, "LC_ALL=C.UTF-8", "TZ=UTC", s->colours ?: "SYSTEMD_COLORS",
                                      NULL };
        const char *all[CTL_ARGS_MAX + 3] = { VARTA_CTL, s->option };

        for (size_t i = 0; i < CTL_ARGS_MAX && args[i]; i++)
                all[i + 2] = args[i];
        run_program(all, NULL, environment, ctl_stage_turn, s, ret);
}

void ctl_stage_cases(CtlStage *s, const CtlCase *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const CtlCase *c = &cases[i];
                static Outcome o;

                ctl_stage_run(s, c->args, &o);
                ck_assert_msg(o.code == c->code, "%s: exit code %d\n%s%s", c->title, o.code, o.out, o.err);
                ck_assert_msg(!c->out || (c->out[0] ? strstr(o.out, c->out) != NULL : !o.out[0]),
                              "%s: output:\n%s", c->title, o.out);
                ck_assert_msg(!c->err || (c->err[0] ? strstr(o.err, c->err) != NULL : !o.err[0]),
                              "%s: error:\n%s", c->title, o.err);
        }
}

void ctl_stage_fleet(CtlStage *s) {
        fixture_beat(&s->f, 1002, VLP_STATUS_OK);
        fixture_beat(&s->f, 1003, VLP_STATUS_OK);
        fixture_beat(&s->f, 1013, VLP_STATUS_OK);
        fixture_beat(&s->f, 5000, VLP_STATUS_OK);
}
