/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Fixed windows that begin with their first event: no timer, and a lone event is never delayed. */

#include "daemon/storms.h"

bool storm_count(Storm *s, nsec_t now, uint64_t *ret_suppressed) {
        *ret_suppressed = 0;
        if (s->count == 0 || nsec_sub(now, s->begin) >= STORM_WINDOW) {
                if (s->count > STORM_BURST)
                        *ret_suppressed = s->count - STORM_BURST;
                s->begin = now;
                s->count = 0;
        }
        s->count++;
        return s->count <= STORM_BURST;
}
