/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recovery over the bus: its past, and by hand: pause, resume, recover. What may be asked for is recovery's business; here its
 * answers become errors with a sentence that says what to do.
 */

#include <errno.h>
#include <inttypes.h>

#include "bus/bus-internal.h"
#include "util/unit-name.h"

/* What was asked for is quoted, and a caller may ask for a megabyte. */
#define QUOTED_MAX "%.100s"

static int pause_failed(int r, const char *what, sd_bus_error *error) {
        switch (r) {
        case -EINVAL:
                return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "\"" QUOTED_MAX
                                         "\" is neither a unit, nor a glob over units (such as "
                                         "worker@*.service), nor pid:N, nor empty for everything.",
                                         what);
        case -E2BIG:
                return sd_bus_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                        "The reason is too long; 255 bytes are allowed.");
        case -ESRCH:
                return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_AGENT,
                                         "There is no process " QUOTED_MAX ".", what);
        case -ENOSPC:
                return sd_bus_error_set(
                                error, BUS_ERROR_BUSY,
                                "Too many pauses are in force; end some, or use a glob for many units.");
        default:
                return r;
        }
}

static int pause_what(BusServer *s, sd_bus_message *m, sd_bus_error *error) {
        const char *what, *reason;
        uint64_t usec;
        int r;

        r = sd_bus_message_read(m, "sts", &what, &usec, &reason);
        if (r < 0)
                return r;

        r = s->hooks->pause(s->userdata, what,
                            usec > NSEC_INFINITY / NSEC_PER_USEC ? NSEC_INFINITY : usec * NSEC_PER_USEC,
                            reason);
        if (r < 0)
                return pause_failed(r, what, error);

        return sd_bus_reply_method_return(m, NULL);
}

static int resume_what(BusServer *s, sd_bus_message *m, sd_bus_error *error) {
        const char *what;
        int r;

        r = sd_bus_message_read(m, "s", &what);
        if (r < 0)
                return r;

        r = s->hooks->resume(s->userdata, what);
        if (r == -ENOENT)
                return sd_bus_error_setf(error, BUS_ERROR_NOTHING_HELD,
                                         "Nothing to resume: \"" QUOTED_MAX
                                         "\" is neither paused nor given up. "
                                         "A glob is ended as it was begun.",
                                         what);
        if (r < 0)
                return pause_failed(r, what, error);

        return sd_bus_reply_method_return(m, NULL);
}

static int recover_unit(BusServer *s, sd_bus_message *m, sd_bus_error *error) {
        const char *unit;
        int r;

        r = sd_bus_message_read(m, "s", &unit);
        if (r < 0)
                return r;

        r = s->hooks->recover(s->userdata, unit);
        if (r == -ENOENT)
                return sd_bus_error_setf(error, BUS_ERROR_NOTHING_HELD,
                                         "No agent of \"" QUOTED_MAX "\" is stalled; systemctl restart does "
                                         "what you want.",
                                         unit);
        if (r == -EBUSY)
                return sd_bus_error_setf(error, BUS_ERROR_BUSY, QUOTED_MAX " is being recovered already.",
                                         unit);
        if (r < 0)
                return r;

        return sd_bus_reply_method_return(m, NULL);
}

int bus_method_pause(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_access_check(userdata, m, pause_what, error);
}

int bus_method_resume(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_access_check(userdata, m, resume_what, error);
}

int bus_method_recover(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_access_check(userdata, m, recover_unit, error);
}

/* ---- The past --------------------------------------------------------------------------------------------- */

static int append_past(sd_bus_message *reply, const BusPast *p) {
        return sd_bus_message_append(reply, "(" BUS_HISTORY_ROW ")", p->wall, p->kind, p->unit, p->pid,
                                     p->reason, p->attempt, p->sentence);
}

int bus_method_history(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusServer *s = userdata;
        uint32_t max, rows = 0;
        const char *glob;
        BusPast past;
        int r;

        r = sd_bus_message_read(m, "su", &glob, &max);
        if (r < 0)
                return r;
        if (glob[0] != '\0' && !unit_glob_is_valid(glob))
                return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "\"" QUOTED_MAX
                                         "\" is neither a unit, nor a glob over units, nor empty.",
                                         glob);

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(" BUS_HISTORY_ROW ")");
        if (r < 0)
                return r;

        if (max == 0 || max > BUS_HISTORY_MAX)
                max = BUS_HISTORY_MAX;
        for (size_t i = 0; rows < max && s->hooks->past(s->userdata, i, &past); i++) {
                if (glob[0] != '\0' && !unit_glob_match(glob, past.unit))
                        continue;
                r = append_past(reply, &past);
                if (r < 0)
                        return r;
                rows++;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

/* ---- What holds recovery back ------------------------------------------------------------------------------- */

BUS_GETTER(bus_get_pauses) {
        const BusServer *s = userdata;
        BusPause pause;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(" BUS_PAUSE_ROW ")");
        if (r < 0)
                return r;
        for (size_t i = 0; s->hooks->pause_at(s->userdata, i, &pause); i++) {
                r = sd_bus_message_append(reply, "(" BUS_PAUSE_ROW ")", pause.what, pause.until,
                                          pause.reason);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

BUS_GETTER(bus_get_brake_until) {
        const BusServer *s = userdata;

        return sd_bus_message_append(reply, "t", s->hooks->brake_until(s->userdata));
}
