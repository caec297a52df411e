/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* varta-ctl: what is chosen and in which order it comes; history, policies, and recovery by hand. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl-stage.h"

/* What is chosen, and in which order: the rows, by pid or by name, as they come. */
static const CtlCase choice_cases[] = {
        { "agents of a unit", { "list", "worker@2" }, 0, "\n\n1 agent listed.\n", "" },
        { "of two", { "list", "worker@2", "worker@3.service" }, 0, "\n\n3 agents listed.\n", "" },
        { "by option", { "list", "-u", "worker@3", "--unit=worker@2" }, 0, "\n\n3 agents listed.\n", "" },
        { "of none", { "list", "nobody" }, 0, "0 agents listed.\n", "" },
        { "by state", { "list", "--state=alive" }, 0, "\n\n4 agents listed.\n", "" },
        { "by another state", { "list", "--state=stalled" }, 0, "0 agents listed.\n", "" },
        { "by either", { "list", "--state=stalled,alive" }, 0, "\n\n4 agents listed.\n", "" },
        { "stalled ones", { "list", "--stalled", "--json=short" }, 0, "[]\n", "" },
        { "by status", { "list", "--status=ok", "worker@2" }, 0, "\n\n1 agent listed.\n", "" },
        { "by another status", { "list", "--status=critical,degraded" }, 0, "0 agents listed.\n", "" },
        { "by pid, backwards",
          { "list", "--no-legend", "--sort=pid", "-r" },
          0,
          "5000 -                alive",
          "" },
        { "units by name", { "units", "worker@3" }, 0, "\n\n1 unit listed.\n", "" },
        { "units by a glob", { "units", "worker@[12]*" }, 0, "\n\n1 unit listed.\n", "" },
        { "units by state", { "units", "--state=ok" }, 0, "\n\n2 units listed.\n", "" },
        { "units by another state", { "units", "--state=gave-up,paused", "-j" }, 0, "[]\n", "" },
        { "stalled units", { "units", "--stalled" }, 0, "0 units listed.\n", "" },
        { "units by agents",
          { "units", "--no-legend", "--sort=agents", "--reverse" },
          0,
          "worker@3.service warn ok 2 0 0 - -\nworker@2.service",
          "" },
        { "history", { "history" }, 0, "00:00:00 refused       Why.\n", "" },
        { "history of a unit",
          { "history", "a.service", "--json=short" },
          0,
          "[{\"realtime_usec\":7,\"kind\":\"refused\",\"unit\":\"a.service\",\"pid\":null,"
          "\"reason\":\"backoff\",\"attempt\":null,\"sentence\":\"Why.\"}]\n",
          "" },
        { "the oldest first",
          { "history", "--json=short" },
          0,
          "[{\"realtime_usec\":7,\"kind\":\"refused\",\"unit\":null",
          "" },
        { "the newest first",
          { "history", "-rj" },
          0,
          "[{\"realtime_usec\":7,\"kind\":\"refused\",\"unit\":\"a.service\"",
          "" },
        { "only the last",
          { "history", "-n1", "-j" },
          0,
          "[{\"realtime_usec\":7,\"kind\":\"refused\",\"unit\":\"a.service\"",
          "" },
        { "none", { "history", "-n", "0", "--json=short" }, 0, "[]\n", "" },
        { "none, in words", { "history", "-n", "0" }, 0, "", "" },
        { "history of nobody", { "history", "nobody" }, 0, "Nothing was decided about that.\n", "" },
        { "the policy", { "show", "worker@2" }, 0, "Mode     enforce /etc/varta/varta.conf:7\n", "" },
        { "of which unit", { "show", "worker@2" }, 0, "worker@2.service\nKEY      VALUE   SET BY\n", "" },
        { "what is not set", { "show", "worker@2" }, 0, "OnGaveUp -       default\n", "" },
        { "without legend", { "show", "--no-legend", "worker@2" }, 0, "Mode     enforce", "" },
        { "as JSON",
          { "show", "--json=short", "a", "b.socket" },
          0,
          "[{\"unit\":\"a.service\",\"policy\":{\"Mode\":{\"value\":\"enforce\",\"source\":\"/etc/varta/"
          "varta.conf:7\"},\"OnGaveUp\":{\"value\":\"\",\"source\":null}}},{\"unit\":\"b.socket\",",
          "" },
};

START_TEST(test_choice) {
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        ctl_stage_fleet(&s);
        ctl_stage_cases(&s, choice_cases, ELEMENTSOF(choice_cases));
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_pauses) {
        static const CtlCase cases[] = {
                { "pauses", { "status" }, 0, "       Paused: everything, until resumed (move)\n", "" },
                { "one that ends", { "status" }, 0, "               worker@*.service, ends ", "" },
                { "as JSON",
                  { "status", "-j" },
                  0,
                  "\"pauses\":[{\"what\":null,\"until_usec\":null,\"reason\":\"move\"},"
                  "{\"what\":\"worker@*.service\",\"until_usec\":1234567,\"reason\":null},"
                  "{\"what\":\"pid:1013\",\"until_usec\":null,\"reason\":\"gdb\"}],",
                  "" },
                { "on a unit's card what covers it",
                  { "status", "worker@2" },
                  0,
                  "       Paused: everything, until resumed (move)\n               worker@*.service, ends ",
                  "" },
                { "and what holds a process of it",
                  { "status", "worker@3" },
                  0,
                  "\n               pid:1013, until resumed (gdb)\n       Agents: 2, ",
                  "" },
                { "which is marked", { "status", "worker@3" }, 0, " ago, paused\n", "" },
                { "on its own card",
                  { "status", "1013" },
                  0,
                  "\n               pid:1013, until resumed (gdb)\n    Last beat: ",
                  "" },
                { "and on that of one without a unit",
                  { "status", "5000" },
                  0,
                  "       Paused: everything, until resumed (move)\n    Last beat: ",
                  "" },
                { "a unit's in JSON",
                  { "status", "-j", "worker@2" },
                  0,
                  "\"pauses\":[{\"what\":null,\"until_usec\":null,\"reason\":\"move\"},{\"what\":\"worker@*."
                  "service\","
                  "\"until_usec\":1234567,\"reason\":null}],\"policy\"",
                  "" },
                { "a process's in JSON",
                  { "status", "-j", "1013" },
                  0,
                  "{\"what\":\"pid:1013\",\"until_usec\":null,\"reason\":\"gdb\"}],\"events\"",
                  "" },
        };
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        ctl_stage_fleet(&s);
        s.f.n_pauses = 3;
        ctl_stage_cases(&s, cases, ELEMENTSOF(cases));
        ctl_stage_done(&s);
}
END_TEST

/* A pause of everything is a line of the card, and not one for each unit. */
START_TEST(test_many_paused) {
        static const CtlCase few[] = {
                { "ten have lines",
                  { "status" },
                  0,
                  "○ worker@19.service: 1 agent, paused, mode warn\n",
                  "" },
        };
        static const CtlCase many[] = {
                { "eleven are summed up",
                  { "status" },
                  0,
                  "\n\n○ 11 units: paused; see: varta-ctl units --state=paused\n",
                  "" },
                { "not in JSON", { "status", "-j" }, 0, "{\"unit\":\"worker@20.service\"", "" },
        };
        static const CtlCase ailing = {
                "of which more is to be said, have lines still",
                { "status" },
                4,
                "\n\n○ worker@21.service: 1 agent, 1 critical, paused, mode warn\n○ 11 units:",
                ""
        };
        static const CtlCase card = {
                "and so has the card", { "status", "worker@21" }, 4, "Agents: 1, 0 stalled, 1 critical\n", ""
        };
        static Outcome o;
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        s.f.unit_state = BUS_UNIT_PAUSED;
        for (uint32_t pid = 10; pid < 20; pid++)
                fixture_beat(&s.f, pid, VLP_STATUS_OK);
        ctl_stage_cases(&s, few, ELEMENTSOF(few));
        fixture_beat(&s.f, 20, VLP_STATUS_OK);
        ctl_stage_cases(&s, many, ELEMENTSOF(many));
        ctl_stage_run(&s, (const char *[]){ "status", NULL }, &o);
        ck_assert_msg(!strstr(o.out, "worker@"), "%s", o.out);
        fixture_beat(&s.f, 21, VLP_STATUS_CRITICAL);
        ctl_stage_cases(&s, &ailing, 1);
        ctl_stage_cases(&s, &card, 1);
        ctl_stage_done(&s);
}
END_TEST

/* Whoever breaks into the observer has not broken into its operator's terminal. */
START_TEST(test_escapes) {
        static const CtlCase cases[] = {
                { "what an error says",
                  { "reload" },
                  1,
                  "",
                  "first\\x1b]0;mine\\x07\nsecond \\xc2\\x9b31m, and no more.\n" },
                { "what the observer is said to do", { "status" }, 0, "State: \\x1b[2Jrunning", "" },
        };
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        s.f.state = "\033[2Jrunning";
        s.f.reload_error = -EINVAL;
        s.f.reload_reason = "first\033]0;mine\007\nsecond \302\23331m, and no more.";
        ctl_stage_cases(&s, cases, ELEMENTSOF(cases));
        ctl_stage_done(&s);
}
END_TEST

/* The glyph says what recovery does, the colour how bad it is; on the unit's line, and on its card. */
START_TEST(test_glyphs) {
        static const struct {
                const char *state;
                VlpStatus status;
                int code;
                const char *dot;
        } rows[] = {
                { BUS_UNIT_STALLED, VLP_STATUS_OK, 3, "\033[0;1;31m●" },
                { BUS_UNIT_GAVE_UP, VLP_STATUS_OK, 3, "\033[0;1;31m×" },
                { BUS_UNIT_BACKOFF, VLP_STATUS_OK, 0, "\033[0;1;33m↻" },
                { BUS_UNIT_RECOVERING, VLP_STATUS_OK, 0, "\033[0;1;33m↻" },
                { BUS_UNIT_PAUSED, VLP_STATUS_OK, 0, "\033[0;1;33m○" },
                { BUS_UNIT_PAUSED, VLP_STATUS_CRITICAL, 4, "\033[0;1;33m○" },
                { BUS_UNIT_OK, VLP_STATUS_DEGRADED, 4, "\033[0;1;33m●" },
                { BUS_UNIT_OK, VLP_STATUS_OK, 0, "\033[0;1;32m●" },
        };
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        s.colours = "SYSTEMD_COLORS=1";
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                bool well = strcmp(rows[i].state, BUS_UNIT_OK) == 0 && rows[i].code == 0;
                char line[64], card[64];
                const CtlCase cases[] = {
                        { rows[i].state, { "status", "worker@2" }, rows[i].code, card, "" },
                        { rows[i].state, { "status" }, rows[i].code, well ? NULL : line, "" },
                };

                s.f.unit_state = rows[i].state;
                fixture_beat(&s.f, 1002, rows[i].status);
                (void) snprintf(line, sizeof(line), "%s\033[0m worker@2.service: 1 agent", rows[i].dot);
                (void) snprintf(card, sizeof(card), "%s\033[0m worker@2.service\n", rows[i].dot);
                ctl_stage_cases(&s, cases, ELEMENTSOF(cases));
        }
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_brake) {
        static const CtlCase holds[] = {
                { "the card says so, until when, and how to end it",
                  { "status" },
                  0,
                  "  Storm brake: holds, ends in 2h; release it with: varta-ctl resume brake\n",
                  "" },
                { "so does top", { "top", "-d100ms" }, 0, "The storm brake holds recovery back.\n", "" },
        };
        static Outcome o;
        struct timespec now;
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        /* Shown to the minute: the slowest machine has one to come here. */
        ck_assert_int_ge(clock_gettime(CLOCK_MONOTONIC, &now), 0);
        s.f.brake_until = ((usec_t) now.tv_sec + 2 * 3600 + 59) * USEC_PER_SEC;
        ctl_stage_cases(&s, holds, ELEMENTSOF(holds));

        for (unsigned i = 0; i < 2; i++) {
                s.f.brake_until = i;
                ctl_stage_run(&s, (const char *[]){ "status", NULL }, &o);
                ck_assert_msg(!strstr(o.out, "brake"), "one that holds no more:\n%s", o.out);
        }
        ctl_stage_done(&s);
}
END_TEST

/* More units than are asked for one by one, and more processes than a card has lines for. */
START_TEST(test_chosen_of_many) {
        static const CtlCase cases[] = {
                { "one unit of many", { "status", "worker@7" }, 0, "       Agents: 12, 0 stalled\n", "" },
                { "its first lines", { "status", "worker@7" }, 0, "    Processes: 1007, alive", "" },
                { "and its last", { "status", "worker@7" }, 0, "               1097, alive", "" },
                { "and how many more",
                  { "status", "worker@7" },
                  0,
                  "               and 2 more; see: varta-ctl list worker@7.service\n",
                  "" },
                { "all units", { "status", "worker@*" }, 0, "               1090, alive", "" },
        };
        static Outcome o;
        size_t n = 0;
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        for (uint32_t pid = 1000; pid < 1120; pid++)
                fixture_beat(&s.f, pid, VLP_STATUS_OK);
        ctl_stage_cases(&s, cases, ELEMENTSOF(cases));
        ctl_stage_run(&s, (const char *[]){ "status", "-j", "worker@*", "1007", NULL }, &o);
        for (const char *p = o.out; (p = strstr(p, "\"last_nonce\":")); p++)
                n++;
        ck_assert_uint_eq(n, 120);
        ctl_stage_done(&s);
}
END_TEST

/* What reaches the observer, and how its refusals are told. */
static const struct {
        CtlCase c;
        int result;
        const char *asked;
} hand_rows[] = {
        { { "pause everything", { "pause" }, 0, "", "" }, 0, "pause  0 " },
        { { "pause a glob for two hours",
            { "pause", "worker@*.service", "--for=2h", "--reason=disk swap" },
            0,
            "",
            "" },
          0,
          "pause worker@*.service 7200000000000 disk swap" },
        { { "pause what has no agent",
            { "pause", "wroker" },
            0,
            "",
            "No agent of wroker.service has beaten so far; the pause holds once one does.\n" },
          0,
          "pause wroker.service 0 " },
        { { "in silence", { "-q", "pause", "wroker@*" }, 0, "", "" }, 0, "pause wroker@* 0 " },
        { { "pause a process", { "pause", "pid:1013" }, 0, "", "" }, 0, "pause pid:1013 0 " },
        { { "pause one that is no agent",
            { "pause", "pid:1" },
            0,
            "",
            "pid:1 is no agent so far; the pause holds once it beats.\n" },
          0,
          "pause pid:1 0 " },
        { { "no unit", { "pause", "x" }, 1, "", "is neither a unit" }, -EINVAL, "pause x.service 0 " },
        { { "no process", { "pause", "pid:7" }, 1, "", "There is no process pid:7" },
          -ESRCH,
          "pause pid:7 0 " },
        { { "too many", { "pause", "a.service" }, 1, "", "Too many pauses" },
          -ENOSPC,
          "pause a.service 0 " },
        { { "resume all", { "resume" }, 0, "", "" }, 0, "resume " },
        { { "release the brake", { "resume", "brake" }, 0, "", "" }, 0, "resume brake" },
        { { "nothing held", { "resume", "a.service" }, 1, "", "Nothing to resume" },
          -ENOENT,
          "resume a.service" },
        { { "nothing held at all", { "resume" }, 1, "", "no pause is in force" }, -ENOENT, "resume " },
        { { "the brake does not hold", { "resume", "brake" }, 1, "", "brake does not hold.\n" },
          -ENOENT,
          "resume brake" },
        { { "recover", { "recover", "a.service" }, 0, "", "" }, 0, "recover a.service" },
        { { "nothing stalled", { "recover", "worker@3" }, 1, "", "No agent of \"worker@3.service\" is" },
          -ENOENT,
          "recover worker@3.service" },
        { { "nothing known", { "recover", "nosuch" }, 1, "", "nosuch.service is not observed: no" },
          -ENOENT,
          "recover nosuch.service" },
};

START_TEST(test_by_hand) {
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        ctl_stage_fleet(&s);
        for (size_t i = 0; i < ELEMENTSOF(hand_rows); i++) {
                s.f.hand[0] = '\0';
                s.f.hand_result = hand_rows[i].result;
                ctl_stage_cases(&s, &hand_rows[i].c, 1);
                ck_assert_str_eq(s.f.hand, hand_rows[i].asked);
        }
        ctl_stage_done(&s);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "nothing that the observer says moves the cursor", test_escapes },
                { "what is listed, and in which order; history and policies", test_choice },
                { "cards of some units among many", test_chosen_of_many },
                { "a unit's glyph tells its state, the colour how bad it is", test_glyphs },
                { "the brake is on the card while it holds", test_brake },
                { "what is paused is on the card", test_pauses },
                { "many units that are only paused are one line", test_many_paused },
                { "pause, resume and recover, and what finds nothing to do", test_by_hand },
        };

        return tests_main("bus-ctl-choice", tests, ELEMENTSOF(tests));
}
