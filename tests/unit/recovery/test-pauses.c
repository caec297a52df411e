/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pauses: what can be paused, whom a pause holds, which one counts, and how it ends. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recovery/pauses.h"
#include "runner.h"

static Pause make(const char *what, nsec_t until, uint64_t generation) {
        Pause p = { .until = until, .generation = generation };

        ck_assert_int_eq(pause_parse(what, &p.kind, &p.pid), 0);
        (void) snprintf(p.what, sizeof(p.what), "%s", what);
        return p;
}

START_TEST(test_parse) {
        static const struct {
                const char *what;
                int result;
                PauseKind kind;
                uint32_t pid;
        } rows[] = {
                { "", 0, PAUSE_ALL, 0 },
                { "a.service", 0, PAUSE_UNIT, 0 },
                { "worker@*.service", 0, PAUSE_UNIT, 0 },
                { "*", 0, PAUSE_UNIT, 0 },
                { "pid:1", 0, PAUSE_PID, 1 },
                { "pid:4194304", 0, PAUSE_PID, 4194304 },
                { "pid:0", -EINVAL, 0, 0 },
                { "pid:4194305", -EINVAL, 0, 0 },
                { "pid:", -EINVAL, 0, 0 },
                { "pid:-1", -EINVAL, 0, 0 },
                { "pid:1x", -EINVAL, 0, 0 },
                { "worker", -EINVAL, 0, 0 },
                { "a/b.service", -EINVAL, 0, 0 },
                { "[a.service", -EINVAL, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                PauseKind kind = _PAUSE_KIND_INVALID;
                uint32_t pid = 0;

                ck_assert_msg(pause_parse(rows[i].what, &kind, &pid) == rows[i].result, "\"%s\"",
                              rows[i].what);
                if (rows[i].result < 0)
                        continue;
                ck_assert_msg(kind == rows[i].kind && pid == rows[i].pid, "\"%s\"", rows[i].what);
        }
}
END_TEST

START_TEST(test_whom_it_holds) {
        static const struct {
                const char *title, *what, *unit;
                uint32_t pid;
                uint64_t pause_generation, generation;
                bool held;
        } rows[] = {
                { "everything", "", "a.service", 1, 0, 0, true },
                { "everything, an agent of no unit, too", "", "", 1, 0, 0, true },
                { "the unit", "a.service", "a.service", 1, 0, 0, true },
                { "another unit", "a.service", "b.service", 1, 0, 0, false },
                { "a glob", "w@*.service", "w@1.service", 1, 0, 0, true },
                { "a glob and no unit", "*", "", 1, 0, 0, false },
                { "the process", "pid:7", "a.service", 7, 5, 5, true },
                { "another process", "pid:7", "a.service", 8, 5, 5, false },
                { "the next process with its number", "pid:7", "a.service", 7, 5, 6, false },
                { "a process whose start nobody knows", "pid:7", "a.service", 7, 5, 0, true },
                { "a process, and the unit is asked for", "pid:7", "a.service", 0, 5, 0, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                static Pauses p;
                Pause pause = make(rows[i].what, 100, rows[i].pause_generation);

                p.n = 0;
                ck_assert_int_eq(pauses_add(&p, &pause), 0);
                ck_assert_msg(!pauses_find(&p, rows[i].unit, rows[i].pid, rows[i].generation, 99) ==
                                              !rows[i].held,
                              "%s", rows[i].title);
                ck_assert_msg(!pauses_find(&p, rows[i].unit, rows[i].pid, rows[i].generation, 100),
                              "%s: over", rows[i].title);
        }
}
END_TEST

START_TEST(test_the_longest_counts) {
        static Pauses p;
        Pause a = make("", 100, 0), b = make("a.service", NSEC_INFINITY, 0), c = make("*", 200, 0);

        ck_assert_int_eq(pauses_add(&p, &a), 0);
        ck_assert_int_eq(pauses_add(&p, &b), 0);
        ck_assert_int_eq(pauses_add(&p, &c), 0);
        ck_assert_uint_eq(pauses_find(&p, "a.service", 0, 0, 1)->until, NSEC_INFINITY);
        ck_assert_uint_eq(pauses_find(&p, "b.service", 0, 0, 1)->until, 200);
        c.until = 50;
        ck_assert_int_eq(pauses_add(&p, &c), 0); /* in place of the old one */
        ck_assert_uint_eq(p.n, 3);
        ck_assert_uint_eq(pauses_find(&p, "b.service", 0, 0, 1)->until, 100);
        ck_assert_uint_eq(pauses_expire(&p, 99), 1);
        ck_assert_uint_eq(pauses_expire(&p, NSEC_INFINITY - 1), 1);
        ck_assert_uint_eq(p.n, 1);
}
END_TEST

START_TEST(test_remove) {
        static const struct {
                const char *title, *what;
                unsigned removed;
        } rows[] = {
                { "nothing like it", "z.service", 0 },
                { "one of them", "a.service", 1 },
                { "a glob as it was given", "w@*.service", 1 },
                { "a glob and the units it covers", "*.service", 1 },
                { "a process", "pid:7", 1 },
                { "another process", "pid:8", 0 },
                { "all", "", 4 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                static Pauses p;
                Pause pauses[] = { make("", 9, 0), make("a.service", 9, 0), make("w@*.service", 9, 0),
                                   make("pid:7", 9, 0) };
                uint32_t pid = 0;
                unsigned n;
                PauseKind kind;

                p.n = 0;
                for (size_t k = 0; k < ELEMENTSOF(pauses); k++)
                        ck_assert_int_eq(pauses_add(&p, &pauses[k]), 0);
                ck_assert_int_eq(pause_parse(rows[i].what, &kind, &pid), 0);
                n = pauses_remove(&p, kind, rows[i].what, pid);
                ck_assert_msg(n == rows[i].removed, "%s: %u", rows[i].title, n);
                ck_assert_uint_eq(p.n, ELEMENTSOF(pauses) - n);
        }
}
END_TEST

START_TEST(test_its_process_is_gone) {
        static const struct {
                const char *title;
                uint32_t pid;
                uint64_t pause_generation, generation;
                bool exited, recycled; /* whether the pause ends: by this exit, by this newcomer */
        } rows[] = {
                { "the process itself", 7, 5, 5, true, false },
                { "another process", 8, 5, 5, false, false },
                { "another process that had its number", 7, 5, 4, false, true },
                { "a process whose start nobody knows", 7, 5, 0, true, false },
                { "the process, and its start was not known", 7, 0, 5, true, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (int exits = 0; exits < 2; exits++) {
                        static Pauses p;
                        Pause pauses[] = { make("", 9, 0), make("pid:7", 9, rows[i].pause_generation),
                                           make("a.service", 9, 0) };
                        unsigned n;

                        p.n = 0;
                        for (size_t k = 0; k < ELEMENTSOF(pauses); k++)
                                ck_assert_int_eq(pauses_add(&p, &pauses[k]), 0);
                        n = exits ? pauses_exited(&p, rows[i].pid, rows[i].generation)
                                  : pauses_recycled(&p, rows[i].pid, rows[i].generation);
                        ck_assert_msg(n == (exits ? rows[i].exited : rows[i].recycled), "%s, %s: %u",
                                      rows[i].title, exits ? "exits" : "is there now", n);
                        ck_assert_uint_eq(p.n, ELEMENTSOF(pauses) - n);
                }
}
END_TEST

START_TEST(test_full) {
        static Pauses p;
        char what[32];
        Pause pause;

        for (unsigned i = 0; i < PAUSES_MAX; i++) {
                (void) snprintf(what, sizeof(what), "w@%u.service", i);
                pause = make(what, 9, 0);
                ck_assert_int_eq(pauses_add(&p, &pause), 0);
        }
        ck_assert_int_eq(pauses_add(&p, &pause), 0);
        pause = make("one-more.service", 9, 0);
        ck_assert_int_eq(pauses_add(&p, &pause), -ENOSPC);
}
END_TEST

int main(void) {
        const TTest *tests[] = { test_parse,  test_whom_it_holds,       test_the_longest_counts,
                                 test_remove, test_its_process_is_gone, test_full };

        return run_tests("recovery-pauses", tests, ELEMENTSOF(tests));
}
