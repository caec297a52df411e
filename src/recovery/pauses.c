/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pauses, pure: a short list, walked whenever somebody is judged. Sixty-four comparisons are nothing beside the
 * round trip to systemd that a judgement costs.
 *
 * A pause of a process names its start time too: when the process is gone, its number will be somebody else's, and
 * nobody asked to pause that one. It ends with its process, so that the list does not fill with the dead.
 */

#include <errno.h>
#include <string.h>

#include "recovery/pauses.h"
#include "util/macro.h"
#include "util/parse.h"

#define PID_PREFIX "pid:"

/* The kernel's PID_MAX_LIMIT. */
#define PID_MAX_LIMIT (UINT32_C(4) * 1024 * 1024)

int pause_parse(const char *what, PauseKind *ret_kind, uint32_t *ret_pid) {
        uint32_t pid;
        int r;

        assert(what);
        assert(ret_kind);
        assert(ret_pid);

        if (what[0] == '\0') {
                *ret_kind = PAUSE_ALL;
                return 0;
        }
        if (strncmp(what, PID_PREFIX, STRLEN(PID_PREFIX)) == 0) {
                r = parse_u32(what + STRLEN(PID_PREFIX), 1, PID_MAX_LIMIT, &pid);
                if (r < 0)
                        return -EINVAL;
                *ret_kind = PAUSE_PID;
                *ret_pid = pid;
                return 0;
        }
        if (!unit_glob_is_valid(what) || (!unit_glob_is_pattern(what) && !unit_name_is_valid(what)))
                return -EINVAL;
        *ret_kind = PAUSE_UNIT;
        return 0;
}

int pauses_add(Pauses *p, const Pause *pause) {
        assert(p);
        assert(pause);

        for (uint32_t i = 0; i < p->n; i++)
                if (strcmp(p->entries[i].what, pause->what) == 0) {
                        p->entries[i] = *pause;
                        return 0;
                }
        if (p->n == PAUSES_MAX)
                return -ENOSPC;
        p->entries[p->n++] = *pause;
        return 0;
}

static void remove_at(Pauses *p, uint32_t i) {
        p->n--;
        memmove(&p->entries[i], &p->entries[i + 1], (p->n - i) * sizeof(Pause));
}

static bool is_meant(const Pause *pause, PauseKind kind, const char *what, uint32_t pid) {
        switch (kind) {
        case PAUSE_ALL:
                return true;
        case PAUSE_PID:
                return pause->kind == PAUSE_PID && pause->pid == pid;
        default:
                return pause->kind == PAUSE_UNIT &&
                       (strcmp(pause->what, what) == 0 ||
                        (!unit_glob_is_pattern(pause->what) && unit_glob_match(what, pause->what)));
        }
}

unsigned pauses_remove(Pauses *p, PauseKind kind, const char *what, uint32_t pid) {
        unsigned n = 0;

        assert(p);
        assert(what);

        for (uint32_t i = p->n; i > 0; i--)
                if (is_meant(&p->entries[i - 1], kind, what, pid)) {
                        remove_at(p, i - 1);
                        n++;
                }
        return n;
}

unsigned pauses_expire(Pauses *p, nsec_t now) {
        unsigned n = 0;

        assert(p);

        for (uint32_t i = p->n; i > 0; i--)
                if (p->entries[i - 1].until <= now) {
                        remove_at(p, i - 1);
                        n++;
                }
        return n;
}

unsigned pauses_exited(Pauses *p, uint32_t pid, uint64_t generation) {
        unsigned n = 0;

        assert(p);

        for (uint32_t i = p->n; i > 0; i--) {
                const Pause *pause = &p->entries[i - 1];

                if (pause->kind != PAUSE_PID || pause->pid != pid)
                        continue;
                if (generation != 0 && pause->generation != 0 && generation != pause->generation)
                        continue;
                remove_at(p, i - 1);
                n++;
        }
        return n;
}

unsigned pauses_recycled(Pauses *p, uint32_t pid, uint64_t generation) {
        unsigned n = 0;

        assert(p);

        if (generation == 0)
                return 0;
        for (uint32_t i = p->n; i > 0; i--) {
                const Pause *pause = &p->entries[i - 1];

                if (pause->kind != PAUSE_PID || pause->pid != pid || pause->generation == 0 ||
                    pause->generation == generation)
                        continue;
                remove_at(p, i - 1);
                n++;
        }
        return n;
}

static bool holds(const Pause *pause, const char *unit, uint32_t pid, uint64_t generation) {
        switch (pause->kind) {
        case PAUSE_ALL:
                return true;
        case PAUSE_PID:
                return pid == pause->pid &&
                       (pause->generation == 0 || generation == 0 || generation == pause->generation);
        default:
                return unit[0] != '\0' && unit_glob_match(pause->what, unit);
        }
}

const Pause *pauses_find(const Pauses *p, const char *unit, uint32_t pid, uint64_t generation, nsec_t now) {
        const Pause *longest = NULL;

        assert(p);
        assert(unit);

        for (uint32_t i = 0; i < p->n; i++) {
                const Pause *pause = &p->entries[i];

                if (pause->until > now && holds(pause, unit, pid, generation) &&
                    (!longest || pause->until > longest->until))
                        longest = pause;
        }
        return longest;
}
