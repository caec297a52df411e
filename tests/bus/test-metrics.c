/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GetMetrics(): its keys are those of the table of metrics, its figures those of the properties, and its size and time are
 * bounded. */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/address.h"
#include "metrics/metrics.h"
#include "private-bus.h"
#include "util/bus-dict.h"

/* No answer may be larger than this, and none may hold up a beat for longer. */
#define ANSWER_MAX   (4U * 1024 * 1024)
#define ANSWER_NSEC  (5 * NSEC_PER_MSEC)
#define MEASUREMENTS 21

#define KEYS_MAX 128

typedef struct Seen {
        char keys[KEYS_MAX][64];
        size_t n_keys, n_units;
        uint64_t beats, tracked, unit_beats, unit_agents;
        size_t bytes;
        char text[256]; /* units' names and states */
} Seen;

static void see_key(Seen *s, const char *key) {
        for (size_t i = 0; i < s->n_keys; i++)
                if (strcmp(s->keys[i], key) == 0)
                        return;
        ck_assert_uint_lt(s->n_keys, KEYS_MAX);
        (void) snprintf(s->keys[s->n_keys++], sizeof(s->keys[0]), "%s", key);
}

static int on_number(void *userdata, const char *key, const char *name, size_t i, uint64_t value) {
        Seen *s = userdata;

        see_key(s, key);
        s->bytes += sizeof(value) + (name ? strlen(name) + 8 : 0);
        if (strcmp(key, "Beats") == 0)
                s->beats = value;
        else if (strcmp(key, "AgentsTracked") == 0)
                s->tracked = value;
        else if (strcmp(key, "UnitBeats") == 0)
                s->unit_beats += value;
        else if (strcmp(key, "UnitAgents") == 0)
                s->unit_agents += value;
        return 0;
}

static int on_text(void *userdata, const char *key, size_t i, const char *value) {
        Seen *s = userdata;
        size_t n = strlen(s->text);

        see_key(s, key);
        s->bytes += strlen(value) + 8;
        if (strcmp(key, METRICS_UNITS_KEY) == 0)
                s->n_units++;
        if (strcmp(key, METRICS_UNITS_KEY) == 0 || strcmp(key, "UnitStates") == 0)
                (void) snprintf(s->text + n, sizeof(s->text) - n, "%s ", value);
        return 0;
}

static void ask(Fixture *f, Seen *ret) {
        static const BusDictHooks hooks = { .number = on_number, .text = on_text };
        sd_bus_message *answer = fixture_ask(f, "GetMetrics", NULL);

        *ret = (Seen){};
        ck_assert_ptr_null(sd_bus_message_get_error(answer));
        ck_assert_int_eq(bus_dict_walk(answer, &hooks, ret), 0);
        sd_bus_message_unref(answer);
}

START_TEST(test_keys) {
        Fixture f;
        Seen s;

        fixture_init(&f, 64);
        fixture_connect(&f);
        ask(&f, &s);
        for (const Metric *m = metrics_table; m->name; m++) {
                bool found = m->group != METRICS_OBSERVER || metric_is_of_units(m);

                for (size_t i = 0; i < s.n_keys; i++)
                        found = found || strcmp(s.keys[i], m->key) == 0;
                ck_assert_msg(found, "%s of %s is not in the answer", m->key, m->name);
        }
        for (size_t i = 0; i < s.n_keys; i++) {
                bool found = strcmp(s.keys[i], METRICS_UNITS_KEY) == 0;

                for (const Metric *m = metrics_table; m->name; m++)
                        found = found || strcmp(s.keys[i], m->key) == 0;
                ck_assert_msg(found, "%s is in the answer, and no metric", s.keys[i]);
        }
        fixture_done(&f);
}
END_TEST

START_TEST(test_figures) {
        Fixture f;
        Seen s;

        fixture_init(&f, 64);
        fixture_connect(&f);
        fixture_beat(&f, 1001, VLP_STATUS_OK);
        fixture_beat(&f, 1002, VLP_STATUS_OK);
        fixture_beat(&f, 1012, VLP_STATUS_OK);
        fixture_beat(&f, 5000, VLP_STATUS_OK);
        fixture_beat(&f, 5000, VLP_STATUS_OK);
        ask(&f, &s);
        ck_assert_uint_eq(s.beats, 5);
        ck_assert_uint_eq(s.tracked, 4);
        ck_assert_uint_eq(s.unit_agents, 4);
        ck_assert_uint_eq(s.unit_beats, 5);
        /* What recovery says of the first, what the observer sees of the others, and those without a unit in front. */
        ck_assert_str_eq(s.text, "(none) worker@1.service worker@2.service ok backoff ok ");

        fixture_pass(&f, 6 * NSEC_PER_SEC);
        ask(&f, &s);
        ck_assert_str_eq(s.text, "(none) worker@1.service worker@2.service stalled backoff stalled ");

        /* Series go with their unit. */
        ck_assert_int_eq(observer_forget_agent(f.observer, fixture_agent(&f, 1001), f.now), 0);
        ck_assert_int_eq(observer_forget_agent(f.observer, fixture_agent(&f, 5000), f.now), 0);
        ask(&f, &s);
        ck_assert_str_eq(s.text, "worker@2.service stalled ");

        /* A unit in trouble stays without an agent, and has one row, not two. */
        f.ailing[0] = "worker@2.service";
        f.ailing[1] = "gone@7.service";
        ask(&f, &s);
        ck_assert_str_eq(s.text, "worker@2.service gone@7.service stalled ok ");
        fixture_done(&f);
}
END_TEST

/* As many units as the table holds, with the longest names that there are, and some more. */
static void fill(Fixture *f) {
        char name[UNIT_NAME_SIZE];

        memset(name, 'u', sizeof(name));
        for (unsigned i = 0; i < BUS_METRICS_UNITS_MAX; i++) {
                (void) snprintf(name + UNIT_NAME_SIZE - 13, 13, "%04u.service", i);
                ck_assert_uint_ne(observer_unit_ref(f->observer, name), UNIT_NONE);
        }
        fixture_beat(f, 1001, VLP_STATUS_OK);
        fixture_beat(f, 5000, VLP_STATUS_OK);
}

START_TEST(test_bounds) {
        Fixture f;
        Seen s;

        fixture_init(&f, 64);
        fixture_connect(&f);
        fill(&f);
        ask(&f, &s);
        ck_assert_uint_eq(s.n_units, METRICS_UNITS_MAX);
        ck_assert_uint_eq(s.unit_beats, 2); /* nobody is left out: worker@1.service is in the overflow */
        ck_assert_uint_lt(s.bytes, ANSWER_MAX);
        fixture_done(&f);
}
END_TEST

static nsec_t clock_now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (nsec_t) t.tv_sec * NSEC_PER_SEC + (nsec_t) t.tv_nsec;
}

START_TEST(test_time) {
        nsec_t best = NSEC_INFINITY;
        Fixture f;
        Seen s;

        fixture_init(&f, 64);
        fixture_connect(&f);
        fill(&f);
        for (unsigned i = 0; i < MEASUREMENTS; i++) {
                nsec_t before = clock_now();

                /* The caller's end is in this process as well: an upper bound. */
                sd_bus_message_unref(fixture_ask(&f, "GetMetrics", NULL));
                best = MIN(best, clock_now() - before);
        }
        ask(&f, &s);
        printf("# GetMetrics() with %zu units: %.2f ms of CPU, both ends\n", s.n_units,
               (double) best / (double) NSEC_PER_MSEC);
#ifndef UNMEASURED
        ck_assert_uint_lt(best, ANSWER_NSEC);
#endif
        fixture_done(&f);
}
END_TEST

/* ---- varta-ctl metrics ------------------------------------------------------------------------------------- */

static void turn(void *userdata) {
        ck_assert_int_ge(sd_event_run(((Fixture *) userdata)->event, 5000), 0);
}

/* Runs it against the private bus, with the socket at `option`. */
static void ctl(const PrivateBus *b, Fixture *f, const char *option, const char *mode, Outcome *ret) {
        const char *args[] = { VARTA_CTL, "metrics", option, mode, NULL };
        const char *environment[] = { NULL, "LC_ALL=C.UTF-8", NULL };
        char address[160];

        (void) snprintf(address, sizeof(address), "DBUS_SYSTEM_BUS_ADDRESS=%s", b->address);
        environment[0] = address;
        run_program(args, NULL, environment, turn, f, ret);
}

START_TEST(test_ctl) {
        static const char *const lines[] = {
                "varta_up 1\n",
                "varta_snapshot_age_seconds 0\n",
                "varta_build_info{version=\"0.1.0\"} 1\n",
                "varta_beats_total 2\n",
                "varta_unit_agents{unit=\"worker@3.service\"} 2\n",
        };
        static Outcome o;
        PrivateBus b;
        Fixture f;

        if (!private_bus_init(&b))
                return;
        fixture_init(&f, 64);
        private_bus_serve(&b, &f);
        fixture_beat(&f, 1003, VLP_STATUS_OK);
        fixture_beat(&f, 1013, VLP_STATUS_OK);

        ctl(&b, &f, "--socket=@no-such-socket", "--json=off", &o);
        ck_assert_msg(o.code == 0 && !o.err[0], "%d %s", o.code, o.err);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                ck_assert_msg(strstr(o.out, lines[i]), "%s is not in %s", lines[i], o.out);
        ck_assert_ptr_null(strstr(o.out, "exporter"));

        ctl(&b, &f, "--socket=@no-such-socket", "--json=short", &o);
        ck_assert_msg(o.code == 0 && !o.err[0], "%d %s", o.code, o.err);
        ck_assert_ptr_nonnull(strstr(o.out,
                                     "{\"name\":\"varta_beats_total\",\"type\":\"counter\",\"labels\":{},"
                                     "\"value\":2}"));
        ck_assert_ptr_nonnull(strstr(
                        o.out, "\"labels\":{\"unit\":\"worker@3.service\",\"state\":\"ok\"},\"value\":1}"));
        fixture_done(&f);
        private_bus_done(&b);
}
END_TEST

START_TEST(test_ctl_alone) {
        char option[64];
        static Outcome o;
        VartaAddress address;
        PrivateBus b;
        Fixture f;
        int fd;

        if (!private_bus_init(&b))
                return;
        fixture_init(&f, 64);
        (void) snprintf(option, sizeof(option), "--socket=@varta-test-%d", (int) getpid());
        ctl(&b, &f, option, "--json=off", &o);
        ck_assert_msg(o.code == 5 && !o.out[0] && strstr(o.err, "nothing listens"), "%d %s", o.code, o.err);

        ck_assert_int_eq(varta_address_parse(option + strlen("--socket="), &address), 0);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &address.sockaddr, address.size), 0);
        ctl(&b, &f, option, "--json=off", &o);
        ck_assert_msg(o.code == 0 && !o.err[0] && strstr(o.out, "\nvarta_up 0\n"), "%d %s", o.code, o.err);
        ck_assert_msg(!private_bus_started_observer(&b), "asking has started the observer");

        (void) close(fd);
        fixture_done(&f);
        private_bus_done(&b);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "the answer and the table of metrics have the same keys", test_keys },
                { "figures are of now, and units come and go with their agents", test_figures },
                { "more units than there is room for share a row", test_bounds },
                { "no beat waits long for an answer", test_time },
                { "varta-ctl metrics prints them, as text and as JSON", test_ctl },
                { "varta-ctl metrics without an observer: idle, or nothing listens", test_ctl_alone },
        };

        return tests_main("bus-metrics", tests, ELEMENTSOF(tests));
}
