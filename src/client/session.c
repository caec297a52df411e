/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The numbers that a process's beats carry.
 *
 * The observer knows an agent by its pid and accepts only rising nonces from it. If every handle counted for
 * itself, a program that opens, beats and closes in turn would send "1" for ever and be taken for stalled,
 * and two libraries in one process would silence each other. So there is one sequence per process, and it
 * has to bear use by several threads and by signal handlers that interrupt it at any instruction. A lock
 * could do neither without letting a beat wait; atomics can, because little is asked for: never the same
 * nonce twice, and no gap when nobody interferes.
 *
 * Hence take and return: a nonce is taken before the frame is built, and given back when the frame was not
 * sent, unless somebody has taken the next one by then, which leaves a gap. The protocol allows gaps.
 *
 * A child begins at 1 although it inherited its parent's memory. Two threads of a new child may meet at its
 * very first beat: each reads the nonce before it looks at the pid, so that an exchange against that old
 * value fails for whoever comes second, and it joins the sequence that the first began. (What remains is a
 * parent that had sent exactly one beat, where the old value looks like the child's second nonce: at worst,
 * one number is used twice, and the observer disregards one of two simultaneous beats.)
 */

#include <assert.h>

#include "client/session.h"
#include "vlp/frame.h"

/* Otherwise the compiler would put a hidden lock around them, and a signal handler could wait for itself. */
static_assert(ATOMIC_INT_LOCK_FREE == 2 && sizeof(pid_t) == sizeof(int), "pids are lock-free");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit numbers are lock-free");

/* Makes the sequence that of `pid`. */
static void session_adopt(VartaSession *session, pid_t pid) {
        uint64_t inherited = atomic_load(&session->nonce);

        if (atomic_load(&session->pid) == pid)
                return;

        atomic_compare_exchange_strong(&session->nonce, &inherited, VLP_NONCE_FIRST);
        atomic_store(&session->pid, pid);
}

uint64_t varta_session_take(VartaSession *session, pid_t pid) {
        uint64_t nonce;

        assert(session);

        session_adopt(session, pid);

        nonce = atomic_load(&session->nonce);
        while (!atomic_compare_exchange_weak(&session->nonce, &nonce, vlp_nonce_next(nonce)))
                ; /* `nonce` was reloaded */

        return nonce;
}

void varta_session_return(VartaSession *session, uint64_t nonce) {
        uint64_t next = vlp_nonce_next(nonce);

        assert(session);

        atomic_compare_exchange_strong(&session->nonce, &next, nonce);
}

uint64_t varta_session_stamp(const VartaSession *session, uint64_t now) {
        uint64_t last;

        assert(session);

        last = atomic_load(&session->timestamp);
        return now > last ? now : last + 1;
}

void varta_session_commit(VartaSession *session, uint64_t timestamp) {
        uint64_t last;

        assert(session);

        last = atomic_load(&session->timestamp);
        while (last < timestamp && !atomic_compare_exchange_weak(&session->timestamp, &last, timestamp))
                ; /* `last` was reloaded */
}
