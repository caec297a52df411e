/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Back-off and giving up, pure.
 *
 * Only a restart that happened climbs: refusals do not, and neither do calls that failed, stopped units or canceled
 * jobs. A call that failed is held back all the same (else a missing permission would be asked for at full speed),
 * but on a clock of its own.
 *
 * The window of restarts is a ring as large as the largest RestartLimit= there can be. Giving up lasts one span of
 * the limit and leaves the window empty: if only the oldest restart had to fall out of it, the unit would give up
 * and come back with every single one.
 */

#include "recovery/ladder.h"

nsec_t ladder_delay(const SpanRange *backoff, unsigned n) {
        nsec_t delay;

        assert(backoff);

        delay = backoff->min;
        for (unsigned i = 1; i < n && delay < backoff->max; i++)
                delay = nsec_add(delay, delay);
        return MIN(delay, backoff->max);
}

static nsec_t healthy_spell(const SpanRange *backoff) {
        return backoff->max > NSEC_INFINITY / LADDER_HEALTHY_FACTOR ? NSEC_INFINITY
                                                                    : backoff->max * LADDER_HEALTHY_FACTOR;
}

bool ladder_trouble(Ladder *l, const SpanRange *backoff, nsec_t now) {
        bool healthy;

        assert(l);
        assert(backoff);

        healthy = l->attempt > 0 && nsec_sub(now, l->trouble) >= healthy_spell(backoff) &&
                  l->gave_up_until <= now;
        if (healthy) {
                l->attempt = 0;
                l->backoff_until = 0;
        }
        l->trouble = now;
        return healthy;
}

void ladder_climb(Ladder *l, const SpanRange *backoff, nsec_t now) {
        assert(l);
        assert(backoff);

        if (l->attempt < UINT32_MAX)
                l->attempt++;
        l->backoff_until = nsec_add(now, ladder_delay(backoff, l->attempt));
        l->hold_until = 0;
        l->trouble = now;

        if (l->n == CONFIG_RESTART_LIMIT_MAX) {
                l->first = (l->first + 1) % CONFIG_RESTART_LIMIT_MAX;
                l->n--;
        }
        l->restarts[(l->first + l->n) % CONFIG_RESTART_LIMIT_MAX] = now;
        l->n++;
}

void ladder_hold(Ladder *l, nsec_t now, nsec_t wait) {
        assert(l);

        l->hold_until = nsec_add(now, wait);
        l->trouble = now;
}

bool ladder_is_spent(Ladder *l, const Rate *limit, nsec_t now) {
        assert(l);
        assert(limit);

        if (limit->count == 0)
                return false;
        while (l->n > 0 && nsec_add(l->restarts[l->first], limit->span) <= now) {
                l->first = (l->first + 1) % CONFIG_RESTART_LIMIT_MAX;
                l->n--;
        }
        return l->n >= limit->count;
}

void ladder_give_up(Ladder *l, const Rate *limit, nsec_t now) {
        assert(l);
        assert(limit);

        l->gave_up_until = nsec_add(now, limit->span);
}

bool ladder_expire(Ladder *l, nsec_t now) {
        assert(l);

        if (l->gave_up_until == 0 || l->gave_up_until > now)
                return false;
        ladder_reset(l);
        return true;
}

void ladder_reset(Ladder *l) {
        assert(l);

        *l = (Ladder){ .trouble = l->trouble };
}

nsec_t ladder_wait(const Ladder *l, nsec_t now) {
        nsec_t until;

        assert(l);

        until = MAX(l->backoff_until, l->hold_until);
        return until > now ? until : 0;
}
