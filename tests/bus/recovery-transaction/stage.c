/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "stage.h"

void stage_connect(Stage *s) {
        ck_assert_ptr_null(s->bus);
        s->bus = private_bus_connect(&s->private_bus, s->w.event);
        ck_assert_int_eq(recovery_attach_bus(s->w.recovery, s->bus), 0);
}

void stage_disconnect(Stage *s) {
        recovery_detach_bus(s->w.recovery);
        if (!s->bus)
                return;
        (void) sd_bus_detach_event(s->bus);
        sd_bus_close(s->bus);
        s->bus = sd_bus_unref(s->bus);
}

void stage_init(Stage *s) {
        *s = (Stage){};
        private_bus_start(&s->private_bus);
        world_init(&s->w);
        fake_init(&s->f, &s->private_bus, s->w.event);
        s->f.clock = &s->w.now;
        world_settle(&s->w);
        stage_connect(s);
        world_settle(&s->w);
}

void stage_done(Stage *s) {
        world_settle(&s->w);
        world_expect_nothing(&s->w);
        stage_disconnect(s);
        fake_done(&s->f);
        world_done(&s->w);
        private_bus_done(&s->private_bus);
}

void stage_bus_dies(Stage *s) {
        private_bus_stop(&s->private_bus);
        fake_leave(&s->f);
        /* Recovery is not told by the test: it sees its connection end. */
        world_settle(&s->w);
        ck_assert(!recovery_has_bus(s->w.recovery));
        s->bus = sd_bus_unref(s->bus);
}

void stage_bus_returns(Stage *s) {
        private_bus_restart(&s->private_bus);
        fake_join(&s->f);
        world_settle(&s->w);
        stage_connect(s);
        world_settle(&s->w);
}

WorldAgent *stage_stalled(Stage *s, const char *name, FakeJob next) {
        FakeUnit *u = fake_unit(&s->f, name, 1);
        WorldAgent *a = world_agent(&s->w, name, 1);

        u->next = next;
        world_stall(&s->w, a);
        world_settle(&s->w);
        return a;
}

FakeUnit *stage_oneshot(Stage *s, FakeJob next) {
        UnitPolicy *policy = &s->w.policy;
        FakeUnit *u = fake_unit(&s->f, "varta-fix@1001.service", 1);

        policy->action.verb = UNIT_ACTION_START;
        (void) snprintf(policy->action.unit, sizeof(policy->action.unit), "varta-fix@%%p.service");
        u->state = ACTIVE_STATE_INACTIVE;
        u->next = next;
        return u;
}

void stage_beats_anew(Stage *s, WorldAgent *old, const FakeUnit *u) {
        WorldAgent *a;

        world_exit(&s->w, old);
        a = world_agent(&s->w, u->name, u->invocation);
        world_appear(&s->w, a);
        world_settle(&s->w);
}
