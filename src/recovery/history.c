/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A ring of decisions in fixed memory, so that an observer that refuses a thousand times an hour costs no more than
 * one that never does. */

#include "recovery/history.h"
#include "util/macro.h"

RecoveryPast *history_add(History *h) {
        RecoveryPast *p;

        assert(h);

        if (h->n == HISTORY_MAX) {
                h->first = (h->first + 1) % HISTORY_MAX;
                h->n--;
        }
        p = &h->entries[(h->first + h->n) % HISTORY_MAX];
        *p = (RecoveryPast){};
        h->n++;
        return p;
}

const RecoveryPast *history_at(const History *h, uint32_t i) {
        assert(h);

        return i < h->n ? &h->entries[(h->first + h->n - 1 - i) % HISTORY_MAX] : NULL;
}
