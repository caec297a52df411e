/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Fixed windows that begin with their first event: a lone event is never delayed, and only a window in which something was
 * not told needs a timer at its end. */

#include "daemon/storms.h"

static uint64_t burst_of(unsigned kind) {
        return kind < _REJECT_CLASS_MAX ? STORM_BURST : STORM_BURST_AGENTS;
}

const char *storm_kind_to_string(unsigned kind) {
        static const char *const names[_STORM_KIND_MAX] = {
                [STORM_APPEARED] = "AgentAppeared", [STORM_EXITED] = "AgentExited",
                [STORM_RESUMED] = "Resumed",        [STORM_STATUS_CHANGED] = "StatusChanged",
                [STORM_STALLED] = "Stall",          [STORM_RECOVERY_REFUSED] = "RecoveryRefused",
        };

        if (kind < _REJECT_CLASS_MAX)
                return reject_class_to_string((RejectClass) kind);
        return kind < _STORM_KIND_MAX ? names[kind] : NULL;
}

bool storm_count(Storm *s, uint64_t burst, nsec_t now, uint64_t *ret_suppressed) {
        *ret_suppressed = 0;
        if (s->count == 0 || nsec_sub(now, s->begin) >= STORM_WINDOW) {
                if (s->count > burst)
                        *ret_suppressed = s->count - burst;
                s->begin = now;
                s->count = 0;
        }
        s->count++;
        return s->count <= burst;
}

bool storms_count(Storms *s, unsigned kind, nsec_t now, uint64_t *ret_suppressed) {
        assert(kind < _STORM_KIND_MAX);

        return storm_count(&s->kinds[kind], burst_of(kind), now, ret_suppressed);
}

nsec_t storms_next(const Storms *s) {
        nsec_t next = NSEC_INFINITY;

        for (unsigned k = 0; k < _STORM_KIND_MAX; k++)
                if (s->kinds[k].count > burst_of(k))
                        next = MIN(next, nsec_add(s->kinds[k].begin, STORM_WINDOW));
        return next;
}

int storms_take(Storms *s, nsec_t now, uint64_t *ret_suppressed) {
        for (unsigned k = 0; k < _STORM_KIND_MAX; k++) {
                Storm *storm = &s->kinds[k];

                if (storm->count <= burst_of(k) || nsec_sub(now, storm->begin) < STORM_WINDOW)
                        continue;
                *ret_suppressed = storm->count - burst_of(k);
                *storm = (Storm){};
                return (int) k;
        }
        return -ENOENT;
}
