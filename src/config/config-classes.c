/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How many classes of agents a configuration can bring about.
 *
 * Core keeps agents with equal StallThresholdSec= and ForgetSec= in one list and has room for 255 lists. Since both
 * keys resolve on their own, a unit may take one from this section and one from that; which pairs really occur
 * depends on the names of units that nobody knows yet. So this counts the pairs that could: of any two sections
 * that some unit could match at the same time, with the defaults for what may be set by neither.
 *
 * Two globs are taken to overlap unless their literal beginnings or ends contradict each other. That errs on the
 * side of counting too much, by little: sections that set ForgetSec= are rare, and without one the count is that
 * of the distinct thresholds, exactly.
 */

#include "config/config-internal.h"

#include <string.h>

/* One of the two keys: its distinct values, and where they are used. */
typedef struct Values {
        nsec_t items[CONFIG_CLASSES_MAX + 1];
        size_t n_items;
} Values;

typedef struct Classes {
        Values thresholds, forgets;
        /* Bit for each pair of indexes into the two. */
        uint64_t pairs[CONFIG_CLASSES_MAX + 1][(CONFIG_CLASSES_MAX + 64) / 64];
        size_t n_pairs;
} Classes;

/* The index of a value, added if need be. -E2BIG when there are as many values already as there may be classes. */
static int values_index(Values *values, nsec_t v) {
        for (size_t i = 0; i < values->n_items; i++)
                if (values->items[i] == v)
                        return (int) i;

        if (values->n_items >= CONFIG_CLASSES_MAX)
                return -E2BIG;

        values->items[values->n_items] = v;
        return (int) values->n_items++;
}

static int classes_add(Classes *classes, nsec_t threshold, nsec_t forget) {
        uint64_t *word, bit;
        int i, j;

        i = values_index(&classes->thresholds, threshold);
        if (i < 0)
                return i;
        j = values_index(&classes->forgets, forget);
        if (j < 0)
                return j;

        word = &classes->pairs[i][j / 64];
        bit = UINT64_C(1) << (j % 64);
        if (*word & bit)
                return 0;
        if (classes->n_pairs >= CONFIG_CLASSES_MAX)
                return -E2BIG;

        *word |= bit;
        classes->n_pairs++;
        return 0;
}

/* Whether one unit could match both globs. True when in doubt. */
static bool globs_overlap(const Block *a, const Block *b) {
        size_t n, m, before, after;

        if (a->is_exact && b->is_exact)
                return a == b;
        if (a->is_exact)
                return unit_glob_match(b->name, a->name);
        if (b->is_exact)
                return unit_glob_match(a->name, b->name);

        /* Up to the first wildcard of either, both must begin alike... */
        n = strcspn(a->name, "*?[");
        m = strcspn(b->name, "*?[");
        before = MIN(n, m);
        if (strncmp(a->name, b->name, before) != 0)
                return false;

        /* ...and behind the last of either, end alike. */
        n = strlen(a->name);
        m = strlen(b->name);
        for (after = 0; after < n && after < m; after++) {
                char x = a->name[n - 1 - after], y = b->name[m - 1 - after];

                if (strchr("*?]", x) || strchr("*?]", y))
                        return true;
                if (x != y)
                        return false;
        }

        return true;
}

static bool sets(const Block *block, UnitKey key) {
        return block->keys[key].serial > 0;
}

static nsec_t threshold_of(const Block *block) {
        return ((const UnitPolicy *) block->values)->stall_threshold;
}

static nsec_t forget_of(const Block *block) {
        return ((const UnitPolicy *) block->values)->forget;
}

/* Adds what becomes possible by section i beside those before it. */
static int classes_add_section(Classes *classes, const Config *config, size_t i, nsec_t threshold,
                               nsec_t forget) {
        const Block *block = config->units + i;
        bool has_threshold = sets(block, UNIT_KEY_STALL_THRESHOLD),
             has_forget = sets(block, UNIT_KEY_FORGET);
        int r;

        if (has_threshold || has_forget) {
                r = classes_add(classes, has_threshold ? threshold_of(block) : threshold,
                                has_forget ? forget_of(block) : forget);
                if (r < 0)
                        return r;
        }

        for (size_t k = 0; k < i; k++) {
                const Block *other = config->units + k;
                bool cross = (has_threshold && sets(other, UNIT_KEY_FORGET)) ||
                             (has_forget && sets(other, UNIT_KEY_STALL_THRESHOLD));

                if (!cross || !globs_overlap(block, other))
                        continue;
                if (has_threshold && sets(other, UNIT_KEY_FORGET)) {
                        r = classes_add(classes, threshold_of(block), forget_of(other));
                        if (r < 0)
                                return r;
                }
                if (has_forget && sets(other, UNIT_KEY_STALL_THRESHOLD)) {
                        r = classes_add(classes, threshold_of(other), forget_of(block));
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

void config_check_classes(Config *config, Reporter *reporter) {
        Classes classes = {}, saved; /* 24 KiB together, which a stack can bear */
        nsec_t threshold, forget;
        UnitPolicy defaults = {};
        int r;

        assert(config);
        assert(reporter);

        config_section_defaults(CONFIG_UNIT, &defaults);
        threshold = ((const ObserverConfig *) config->observer.values)->stall_threshold;
        forget = defaults.forget;
        r = classes_add(&classes, threshold, forget);
        assert(r == 0);

        for (size_t i = 0; i < config->n_units; i++) {
                Block *block = config->units + i;
                UnitKey key;

                if (!sets(block, UNIT_KEY_STALL_THRESHOLD) && !sets(block, UNIT_KEY_FORGET))
                        continue;

                saved = classes;
                r = classes_add_section(&classes, config, i, threshold, forget);
                if (r >= 0)
                        continue;

                /* As if it had a bad value: the keys fall to their defaults, and nothing is restarted by them. */
                classes = saved;
                key = sets(block, UNIT_KEY_STALL_THRESHOLD) ? UNIT_KEY_STALL_THRESHOLD : UNIT_KEY_FORGET;
                *reporter = (Reporter){
                        .config = config,
                        .report = reporter->report,
                        .userdata = reporter->userdata,
                        .file = block->keys[key].file,
                        .line = block->keys[key].line,
                        .section = block->title,
                        .n_sent = reporter->n_sent,
                        .n_kept = reporter->n_kept,
                };
                config_report(reporter, CONFIG_ERROR, "up to 255 different pairs of the two in all sections",
                              "Too many different pairs of StallThresholdSec= and ForgetSec= come about");
                block_reset_key(block, UNIT_KEY_STALL_THRESHOLD);
                block_reset_key(block, UNIT_KEY_FORGET);
                block->is_degraded = true;
        }
}
