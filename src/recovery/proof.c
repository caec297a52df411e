/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may prove a restart, and whose silence was answered by it. A unit may hold processes of several invocations, and
 * an observer may not be able to read whose they are; what each of them says has to be weighed by that.
 */

#include <string.h>

#include "recovery/recovery-private.h"

/* What stalled before the restart, and nobody knew of which invocation it was, was of the one before. */
void proof_settle_stalls(Recovery *r, const RecoveryUnit *u, const Action *a) {
        const StallList *const lists[] = { &u->due, &u->resting };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (RecoveryStall *s = registry_first(&r->registry, lists[i]); s;
                     s = registry_next(&r->registry, s))
                        if (stall_is_of_invocation(s) && !invocation_is_set(s->agent.invocation) &&
                            s->since <= a->seen)
                                memcpy(s->agent.invocation, a->before, INVOCATION_ID_SIZE);
}

/* Whether a process of the invocation that runs now has beaten already. One that survived an older invocation may beat,
 * too: that proves nothing. Where nobody knows the invocation of who beat, it must not have been before the start. */
bool proof_is_there(const Recovery *r, const Action *a, const UnitFacts *facts) {
        nsec_t started = facts->inactive_exit * NSEC_PER_USEC;

        if (memcmp(a->beaten, a->after, INVOCATION_ID_SIZE) == 0)
                return true;
        return a->nameless_beat > 0 && started > 0 &&
               nsec_sub(recovery_now(r), a->nameless_beat) <= nsec_sub(recovery_monotonic(r), started);
}

/* To an observer that has just started every agent is new. Of those it is told something only by the one that had fallen
 * silent, and by processes that did not exist when the action began. */
bool proof_is_news(const Action *a, const AgentInfo *agent) {
        return a->proof_after == 0 || agent->generation > a->proof_after ||
               (agent->pid == a->agent.pid && agent->generation == a->agent.generation);
}

bool proof_is_of_another_invocation(const Action *a, const AgentInfo *agent) {
        return invocation_is_set(a->before) && invocation_is_set(agent->invocation) &&
               memcmp(agent->invocation, a->before, INVOCATION_ID_SIZE) != 0;
}
