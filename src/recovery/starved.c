/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A starved host, recognised by two witnesses: the kernel's pressure stall information, and this very process, whose
 * event loop runs late when there is no CPU to be had. The averages in /proc/pressure/ look back over ten seconds and
 * more, which is too slow for thresholds of a second; so `total=` is read twice and the difference taken over the
 * time between. Kernels without the files (or booted without psi=1) leave the lag alone as a witness.
 */

#include <string.h>

#include "recovery/starved.h"
#include "util/parse.h"

/* On a busy host "some" of the CPU pressure is usual; at four fifths nearly everybody waits. */
#define CPU_SOME_PERCENT 80U
/* "full" is time in which nobody could work for want of disk or memory. */
#define FULL_PERCENT 40U
/* A loop that is late by this part of a threshold may read beats too late to see them in time. */
#define LAG_DIVISOR 4U

static const struct {
        const char *path, *line;
        unsigned percent;
} pressures[_PRESSURE_MAX] = {
        [PRESSURE_CPU_SOME] = { "/proc/pressure/cpu", "some ", CPU_SOME_PERCENT },
        [PRESSURE_IO_FULL] = { "/proc/pressure/io", "full ", FULL_PERCENT },
        [PRESSURE_MEMORY_FULL] = { "/proc/pressure/memory", "full ", FULL_PERCENT },
};

const char *pressure_path(Pressure p) {
        assert(p >= 0 && p < _PRESSURE_MAX);

        return pressures[p].path;
}

int pressure_parse(Pressure p, const char *text, uint64_t *ret) {
        const char *line, *total;
        char number[32];
        size_t n;
        int r;

        assert(p >= 0 && p < _PRESSURE_MAX);
        assert(text);
        assert(ret);

        line = text;
        while (line && strncmp(line, pressures[p].line, strlen(pressures[p].line)) != 0) {
                line = strchr(line, '\n');
                if (line)
                        line++;
        }
        if (!line)
                return -EINVAL;
        total = strstr(line, " total=");
        if (!total || (strchr(line, '\n') && total > strchr(line, '\n')))
                return -EINVAL;
        total += STRLEN(" total=");
        n = strcspn(total, " \n");
        if (n == 0 || n >= sizeof(number))
                return -EINVAL;
        memcpy(number, total, n);
        number[n] = '\0';
        r = parse_u64(number, 0, UINT64_MAX, ret);
        return r < 0 ? -EINVAL : 0;
}

void lag_window_add(LagWindow *w, nsec_t now, nsec_t lag) {
        uint64_t second = now / NSEC_PER_SEC + 1; /* never 0: that is an empty entry */
        size_t i = second % LAG_SECONDS;

        assert(w);

        if (w->second[i] != second) {
                w->second[i] = second;
                w->lag[i] = 0;
        }
        w->lag[i] = MAX(w->lag[i], lag);
}

nsec_t lag_window_worst(const LagWindow *w, nsec_t now) {
        uint64_t second = now / NSEC_PER_SEC + 1;
        nsec_t worst = 0;

        assert(w);

        for (size_t i = 0; i < LAG_SECONDS; i++)
                if (w->second[i] != 0 && w->second[i] + LAG_SECONDS > second)
                        worst = MAX(worst, w->lag[i]);
        return worst;
}

Starvation starvation_judge(const PressureSample *first, const PressureSample *second, nsec_t lag,
                            nsec_t threshold) {
        nsec_t span;

        assert(first);
        assert(second);

        span = nsec_sub(second->when, first->when) / NSEC_PER_USEC;
        for (Pressure p = 0; p < _PRESSURE_MAX && span > 0; p++) {
                uint64_t stalled, percent;

                if (!first->known[p] || !second->known[p] || second->total[p] < first->total[p])
                        continue;
                stalled = MIN(second->total[p] - first->total[p], span);
                percent = stalled * 100 / span;
                if (percent >= pressures[p].percent)
                        return (Starvation){ .starved = true, .pressure = p, .percent = (unsigned) percent };
        }
        if (lag > 0 && lag >= threshold / LAG_DIVISOR)
                return (Starvation){ .starved = true, .by_lag = true, .lag = lag };
        return (Starvation){};
}
