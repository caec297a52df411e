/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The outgoing queue, when the bus does not take what we say.
 *
 * A subscriber that stops reading fills its queue in the bus daemon; when that is full the daemon stops reading from
 * whoever signals to it, which is us. What we send then piles up: in the socket, which holds some megabytes, and then
 * here. So there are three bounds. A full queue, or one that has not moved for 5 s, takes no more signals: they are
 * counted. One that has not moved for 30 s is given up with its connection, and the daemon opens another, on which readers
 * are served again. And answers, which are asked for and can be large, are refused before they pile up.
 *
 * Whether it moves is looked at once a second, and only from a signal until all was read: by the length of the queue and
 * by the bytes in the socket that the other end has not read. Both grow with what we send, so only a smaller one is a
 * move. A reader who is merely slower than we talk looks stuck, too, until signals are held back and he catches up.
 */

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "bus/bus-internal.h"

#define LOOK_INTERVAL_USEC (1 * USEC_PER_SEC)

/* What the kernel takes for the smallest message, in bytes of SIOCOUTQ. */
#define SIGNAL_SIZE_MIN 768U

/* Answers in the queue beyond which a call is told to come back: of 100 KB each, some 10 MB. */
#define ANSWERS_MAX 100U

static uint64_t queue_length(const BusServer *s) {
        uint64_t queued;

        return s->bus && sd_bus_get_n_queued_write(s->bus, &queued) >= 0 ? queued : 0;
}

/* Bytes that the other end has yet to read; 0 where the socket does not say. */
static int unread(const BusServer *s) {
        int fd = sd_bus_get_fd(s->bus), n;

        return fd >= 0 && ioctl(fd, SIOCOUTQ, &n) >= 0 ? n : 0;
}

static void look(BusServer *s, usec_t now) {
        uint64_t length = queue_length(s);
        int n = unread(s);

        if (length == 0 && n == 0) {
                s->queue.stuck_since = 0;
                s->queue.unseen = 0;
        } else if (s->queue.stuck_since == 0 || length < s->queue.length || n < s->queue.unread)
                s->queue.stuck_since = now;
        s->queue.length = length;
        s->queue.unread = n;
}

static usec_t stuck_for(const BusServer *s, usec_t now) {
        return s->queue.stuck_since == 0 ? 0 : now - s->queue.stuck_since;
}

/* Signals that go down with the connection: those sent since all was read, but no more than can be there. */
static uint64_t lost(const BusServer *s) {
        return MIN(s->queue.unseen, s->queue.length + (uint64_t) s->queue.unread / SIGNAL_SIZE_MIN);
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
        BusServer *s = userdata;
        usec_t now;
        int r;

        if (sd_event_now(s->event, CLOCK_MONOTONIC, &now) < 0)
                now = usec;
        s->queue.armed = false;
        if (!s->bus)
                return 0;

        look(s, now);
        if (s->queue.stuck_since == 0)
                return 0;
        if (stuck_for(s, now) >= s->queue.patience_close) {
                s->signals_suppressed += lost(s);
                s->queue.gave_up = s->queue.left_name = true;
                bus_server_detach(s);
                s->hooks->stuck(s->userdata);
                return 0;
        }
        r = sd_event_source_set_time(source, now + s->queue.interval);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        s->queue.armed = r >= 0;
        return 0;
}

static void watch(BusServer *s) {
        usec_t now;

        if (_likely_(s->queue.armed) || !s->bus || sd_event_now(s->event, CLOCK_MONOTONIC, &now) < 0)
                return;
        look(s, now);
        if (sd_event_source_set_time(s->queue.source, now + s->queue.interval) >= 0 &&
            sd_event_source_set_enabled(s->queue.source, SD_EVENT_ONESHOT) >= 0)
                s->queue.armed = true;
}

void bus_queue_sent(BusServer *s) {
        watch(s);
        s->queue.unseen++;
}

bool bus_queue_has_room(BusServer *s) {
        usec_t now;

        if (queue_length(s) >= BUS_QUEUE_MAX)
                return false;
        if (s->queue.stuck_since == 0 || sd_event_now(s->event, CLOCK_MONOTONIC, &now) < 0)
                return true;
        return stuck_for(s, now) < s->queue.patience_signals;
}

/* Before any handler sees a call. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusServer *s = userdata;
        uint64_t length = queue_length(s);

        if (_likely_(length < ANSWERS_MAX) || !sd_bus_message_is_method_call(m, NULL, NULL))
                return 0;
        watch(s);
        if (length >= BUS_QUEUE_MAX)
                return 1; /* the caller's time runs out: another answer would not reach him either */
        return sd_bus_reply_method_errorf(
                        m, BUS_ERROR_BUSY,
                        "The bus does not take the observer's answers; try again later, and see "
                        "who has stopped reading its signals.");
}

int bus_queue_attach(BusServer *s) {
        s->queue.stuck_since = 0;
        s->queue.unseen = 0;
        return sd_bus_add_filter(s->bus, &s->slots[BUS_SLOT_FILTER], on_message, s);
}

int bus_queue_init(BusServer *s) {
        int r;

        bus_server_set_patience(s, BUS_QUEUE_PATIENCE_SIGNALS_USEC, BUS_QUEUE_PATIENCE_CLOSE_USEC);
        r = sd_event_add_time(s->event, &s->queue.source, CLOCK_MONOTONIC, 0, 0, on_look, s);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(s->queue.source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        return sd_event_source_set_description(s->queue.source, "bus-queue");
}

void bus_queue_done(BusServer *s) {
        s->queue.source = sd_event_source_disable_unref(s->queue.source);
}

void bus_server_set_patience(BusServer *s, usec_t signals, usec_t close) {
        assert(s);

        s->queue.patience_signals = signals;
        s->queue.patience_close = close;
        s->queue.interval = MIN(LOOK_INTERVAL_USEC, signals / 4 + 1);
}
