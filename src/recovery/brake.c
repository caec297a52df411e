/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The storm brake, pure: a sliding window, so that "10 per minute" holds for every minute and not only for those
 * that begin with the clock. When many agents fall silent at once, the cause is seldom in all of them, and restarting
 * everything makes an outage of a disturbance.
 *
 * The window is as large as the largest StormLimit= there can be; a smaller limit looks at its last entries only, so
 * that a reload changes nothing but the question.
 */

#include "recovery/brake.h"
#include "util/macro.h"

void brake_count(Brake *b, nsec_t now) {
        assert(b);

        if (b->n == CONFIG_STORM_LIMIT_MAX) {
                b->first = (b->first + 1) % CONFIG_STORM_LIMIT_MAX;
                b->n--;
        }
        b->starts[(b->first + b->n) % CONFIG_STORM_LIMIT_MAX] = now;
        b->n++;
}

nsec_t brake_until(Brake *b, const Rate *limit, nsec_t now) {
        nsec_t until;

        assert(b);
        assert(limit);

        if (limit->count == 0 || limit->count > CONFIG_STORM_LIMIT_MAX)
                return 0;
        while (b->n > 0 && nsec_add(b->starts[b->first], limit->span) <= now) {
                b->first = (b->first + 1) % CONFIG_STORM_LIMIT_MAX;
                b->n--;
        }
        if (b->n < limit->count)
                return 0;
        /* It opens when the oldest of the last `count` leaves the span. */
        until = b->starts[(b->first + b->n - limit->count) % CONFIG_STORM_LIMIT_MAX];
        return nsec_add(until, limit->span);
}

void brake_release(Brake *b) {
        assert(b);

        b->first = b->n = 0;
}
