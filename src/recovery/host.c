/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The host's state as recovery asks for it: read only when a stall is about to be acted on, twice with a pause
 * between that costs nothing (a timer), and shared by all that are judged within the next second.
 */

#include <stdio.h>

#include "recovery/process.h"
#include "recovery/recovery-private.h"

int recovery_read_text(const Recovery *r, const char *path, char *buf, size_t size) {
        if (r->hooks.read_text)
                return r->hooks.read_text(r->userdata, path, buf, size);
        return process_read_text(NULL, path, buf, size);
}

/* Returns whether there was anything to read. */
static bool sample(const Recovery *r, nsec_t now, PressureSample *ret) {
        PressureSample s = { .when = now };
        char text[PROCESS_TEXT_MAX];
        bool any = false;

        for (Pressure p = 0; p < _PRESSURE_MAX; p++) {
                s.known[p] = recovery_read_text(r, pressure_path(p), text, sizeof(text)) >= 0 &&
                             pressure_parse(p, text, &s.total[p]) >= 0;
                any = any || s.known[p];
        }
        *ret = s;
        return any;
}

bool host_is_known(Recovery *r, nsec_t now, nsec_t *ret_ready) {
        Host *h = &r->host;

        if (!h->sampling && now < h->good_to)
                return true;
        if (!h->sampling) {
                if (!sample(r, now, &h->first)) {
                        /* A kernel that does not tell: the loop's lag alone speaks. */
                        h->second = h->first;
                        h->good_to = nsec_add(now, STARVED_RECHECK);
                        return true;
                }
                h->sampling = true;
                h->ready = nsec_add(now, STARVED_SAMPLE_SPAN);
        }
        if (now < h->ready) {
                *ret_ready = h->ready;
                return false;
        }
        (void) sample(r, now, &h->second);
        h->sampling = false;
        h->good_to = nsec_add(now, STARVED_RECHECK);
        return true;
}

Starvation host_judge(const Recovery *r, nsec_t now, nsec_t threshold) {
        return starvation_judge(&r->host.first, &r->host.second, lag_window_worst(&r->host.lag, now),
                                threshold);
}

void recovery_loop_lag(Recovery *r, nsec_t lag) {
        assert(r);

        lag_window_add(&r->host.lag, recovery_now(r), lag);
}
