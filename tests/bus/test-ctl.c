/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The real varta-ctl against the real object on a private bus. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl-stage.h"

static const CtlCase healthy_cases[] = {
        { "the card", { "status" }, 0, "● varta - heartbeat observer 0.1.0\n", "" },
        { "no verb is status", { NULL }, 0, "       Agents: 4 of 4096, 0 stalled\n", "" },
        { "the threshold", { "status" }, 0, "    Threshold: 5s (monotonic clock)\n", "" },
        { "listeners",
          { "status" },
          0,
          "    Listeners: /run/varta/varta.sock (local, unix), 12 datagrams\n",
          "" },
        { "recoveries", { "status" }, 0, "   Recoveries: 7 recovered, 8 no-beat\n", "" },
        { "refusals", { "status" }, 0, "  Passed over: 3 mode-warn\n", "" },
        { "as JSON",
          { "status", "--json=short" },
          0,
          "{\"state\":\"running\",\"configuration_error\":null,\"version\":\"0.1.0\"",
          "" },
        { "health as JSON",
          { "status", "-j" },
          0,
          "\"health\":\"healthy\",\"unread_sockets\":[],\"latest_recoveries\":[],\"notable_units\":[]",
          "" },
        { "counters as JSON", { "status", "-j" }, 0, "\"DecodeErrors\":{\"BadMagic\":0,", "" },
        { "pretty JSON", { "status", "--json=pretty" }, 0, "  \"agents_tracked\": 4,\n", "" },
        { "one unit", { "status", "worker@3.service" }, 0, "● worker@3.service\n", "" },
        { "its processes with it",
          { "status", "worker@3.service" },
          0,
          "    Processes: 1003, alive, status ok, last beat",
          "" },
        { "and its policy", { "status", "worker@3.service" }, 0, "       Policy: Mode=enforce\n", "" },
        { "both as JSON",
          { "status", "-j", "worker@2" },
          0,
          "\"backoff_until_usec\":null,\"pauses\":[],\"policy\":{\"Mode\":{\"value\":\"enforce\",\"source\":"
          "\"/etc/varta/"
          "varta.conf:7\"},\"OnGaveUp\":{\"value\":\"\",\"source\":null}},\"events\":[]}],\"agents\":[{",
          "" },
        { "a unit without its suffix", { "status", "worker@3" }, 0, "● worker@3.service\n", "" },
        { "units by a glob", { "status", "worker@*" }, 0, "● worker@2.service\n", "" },
        { "a process", { "status", "5000" }, 0, "● pid 5000 - no unit\n", "" },
        { "a process by its prefix", { "status", "pid:5000" }, 0, "● pid 5000 - no unit\n", "" },
        { "a process's user", { "status", "5000" }, 0, "1000", NULL },
        { "as JSON, by name", { "status", "-j", "5000" }, 0, "{\"units\":[],\"agents\":[{\"id\":", "" },
        { "not observed", { "status", "nobody.service" }, 1, "", "nobody.service is not observed" },
        { "not observed, as JSON", { "status", "-j", "4242" }, 1, "", "4242 is not observed" },
        { "of two, as JSON, the one that is",
          { "status", "-j", "worker@2", "nobody" },
          1,
          "{\"units\":[{\"unit\":\"worker@2.service\",",
          "nobody is not observed" },
        { "one of two is not", { "status", "5000", "4242" }, 1, "pid 5000", "4242 is not observed" },
        { "the list", { "list" }, 0, "1013 worker@3.service alive ok", "" },
        { "its heading", { "list" }, 0, "ID  PID UNIT             STATE STATUS", "" },
        { "its count", { "list" }, 0, "\n\n4 agents listed.\n", "" },
        { "units", { "units" }, 0, "worker@3.service warn ok         2       0        0", "" },
        { "their count", { "units" }, 0, "\n\n2 units listed.\n", "" },
        { "units as JSON",
          { "units", "--json=short" },
          0,
          "[{\"unit\":\"worker@2.service\",\"mode\":\"warn\",\"state\":\"ok\",\"agents\":1,"
          "\"stalled\":0,"
          "\"restarts\":0,\"last_outcome\":null,\"backoff_until_usec\":null},",
          "" },
        { "agents as JSON",
          { "list", "-j" },
          0,
          "\"last_beat_usec\":995000000,\"last_nonce\":1,\"payload\":42,",
          "" },
        { "agents without a unit", { "list", "-j" }, 0, "\"pid\":5000,\"unit\":null,\"status\":\"ok\"", "" },
};

START_TEST(test_healthy) {
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        ctl_stage_fleet(&s);
        ctl_stage_cases(&s, healthy_cases, ELEMENTSOF(healthy_cases));
        ctl_stage_cases(&s, &(const CtlCase){ "no legend", { "list", "--no-legend" }, 0, "alive", "" }, 1);
        ctl_stage_done(&s);
}
END_TEST

static const CtlCase degraded_cases[] = {
        { "degraded", { "status" }, 4, "● worker@3.service: 2 agents, 1 degraded, mode warn\n", "" },
        { "as JSON", { "status", "-j" }, 4, "\"health\":\"degraded\"", "" },
        { "another unit is well", { "status", "worker@2.service" }, 0, NULL, "" },
        { "this one is not", { "status", "worker@3.service" }, 4, NULL, "" },
        { "nor is the process", { "status", "1013" }, 4, "degraded, payload 42\n", "" },
        { "those that are not well come first",
          { "status", "worker@3" },
          4,
          "Processes: 1013, alive, status degraded, last beat ",
          "" },
        { "a pid that no agent has", { "status", "0" }, 1, "", "0 is not observed" },
        { "nor can it be forgotten", { "forget", "pid:0" }, 1, "", "Pid 0 is no agent" },
};

START_TEST(test_not_healthy) {
        static const CtlCase stalled[] = {
                { "stalled", { "status" }, 3, "● worker@2.service: 1 of 1 stalled, mode warn\n", "" },
                { "agents without a unit have a line of their own",
                  { "status" },
                  3,
                  "● pid 5000 (no unit): stalled,",
                  "" },
                { "how many", { "status" }, 3, "Agents: 4 of 4096, 4 stalled\n", "" },
                { "as JSON", { "status", "-j" }, 3, "\"health\":\"stalled\"", "" },
                { "the list says so", { "list" }, 0, "stalled", "" },
                { "units, too", { "units" }, 0, "worker@2.service warn stalled", "" },
                { "worse than a missing one",
                  { "status", "1002", "4242" },
                  3,
                  "pid 1002",
                  "4242 is not observed" },
        };
        static const CtlCase backoff[] = {
                { "what recovery does",
                  { "status" },
                  0,
                  "↻ worker@1.service: 1 agent, backoff, mode enforce, last outcome no-beat\n",
                  "" },
        };
        static const CtlCase broken[] = {
                { "a broken configuration", { "status" }, 4, "State: degraded-config", "" },
                { "what is wrong with it", { "status" }, 4, "        Error: varta.conf:2: no span\n", "" },
                { "and as JSON",
                  { "status", "-j" },
                  4,
                  "\"configuration_error\":\"varta.conf:2: no span\"",
                  "" },
        };
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        ctl_stage_fleet(&s);
        fixture_beat(&s.f, 1013, VLP_STATUS_DEGRADED);
        ctl_stage_cases(&s, degraded_cases, ELEMENTSOF(degraded_cases));
        fixture_pass(&s.f, 6 * NSEC_PER_SEC);
        ctl_stage_cases(&s, stalled, ELEMENTSOF(stalled));

        for (uint32_t pid = 1002; pid <= 1013; pid++)
                if (pid <= 1003 || pid == 1013)
                        ck_assert_int_eq(observer_forget_agent(s.f.observer, fixture_agent(&s.f, pid),
                                                               s.f.now),
                                         0);
        ck_assert_int_eq(observer_forget_agent(s.f.observer, fixture_agent(&s.f, 5000), s.f.now), 0);
        fixture_beat(&s.f, 1001, VLP_STATUS_OK);
        ctl_stage_cases(&s, backoff, ELEMENTSOF(backoff));

        s.f.state = BUS_STATE_DEGRADED_CONFIG;
        s.f.config_error = "varta.conf:2: no span";
        ctl_stage_cases(&s, broken, ELEMENTSOF(broken));
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_refusals_and_losses) {
        uint8_t garbage[VLP_FRAME_SIZE] = {};
        static const CtlCase cases[] = {
                { "refused frames", { "status" }, 0, "      Refused: 2 BadMagic\n", "" },
                { "what was lost",
                  { "status" },
                  0,
                  "         Lost: 5 datagrams dropped by the kernel, 3 journal records\n",
                  "" },
        };
        static const CtlCase single = { "one is no several",
                                        { "status" },
                                        0,
                                        "Lost: 1 datagram dropped by the kernel, 1 journal record\n",
                                        "" };
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        fixture_datagram(&s.f, garbage, 1001, ORIGIN_KERNEL_ATTESTED);
        fixture_datagram(&s.f, garbage, 1001, ORIGIN_KERNEL_ATTESTED);
        observer_listener_dropped(s.f.observer, 0, 1, s.f.now);
        s.f.journal_dropped = 1;
        ctl_stage_cases(&s, &single, 1);
        observer_listener_dropped(s.f.observer, 0, 4, s.f.now);
        s.f.journal_dropped = 3;
        ctl_stage_cases(&s, cases, ELEMENTSOF(cases));
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_absent) {
        static const CtlCase cases[] = {
                { "status", { "status" }, 5, "", "systemctl enable --now varta.socket" },
                { "status as JSON", { "status", "-j" }, 5, "", "nothing listens" },
                { "list", { "list" }, 5, "", "nothing listens" },
                { "units", { "units" }, 5, "", "nothing listens" },
                { "monitor", { "monitor" }, 5, "", "nothing listens" },
                { "history", { "history" }, 5, "", "nothing listens" },
                { "show", { "show", "a.service" }, 5, "", "nothing listens" },
                { "reload", { "reload" }, 5, "", "nothing listens" },
                { "forget", { "forget", "1" }, 5, "", "nothing listens" },
                { "forget by pid", { "forget", "pid:2" }, 5, "", "nothing listens" },
        };
        CtlStage s;

        if (!ctl_stage_init(&s, false))
                return;
        ctl_stage_cases(&s, cases, ELEMENTSOF(cases));
        ck_assert(!private_bus_started_observer(&s.bus));
        ctl_stage_done(&s);
}
END_TEST

static int bind_socket(const char *path) {
        struct sockaddr_un sun = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &sun, sizeof(sun)), 0);
        return fd;
}

START_TEST(test_idle) {
        static const CtlCase cases[] = {
                { "status", { "status" }, 0, "State: idle, waiting for the first beat\n", "" },
                { "status as JSON",
                  { "status", "--json=short" },
                  0,
                  "{\"state\":\"idle\",\"health\":\"healthy\"}\n",
                  "" },
                { "list",
                  { "list" },
                  0,
                  "0 agents listed. The observer is idle, waiting for the first beat.\n",
                  "" },
                { "list as JSON", { "list", "--json=short" }, 0, "[]\n", "" },
                { "units as JSON", { "units", "--json=short" }, 0, "[]\n", "" },
                { "history as JSON", { "history", "--json=short" }, 0, "[]\n", "" },
                { "history", { "history" }, 0, "The observer is idle", "" },
                { "nobody knows the policy", { "show", "a.service" }, 5, "", "No observer is on the bus" },
                { "reload", { "reload" }, 0, "The observer is idle", "" },
                { "forget", { "forget", "1" }, 5, "", "No observer is on the bus" },
        };
        CtlStage s;
        int fd;

        if (!ctl_stage_init(&s, false))
                return;
        fd = bind_socket(s.socket);
        ctl_stage_cases(&s, cases, ELEMENTSOF(cases));
        ck_assert(!private_bus_started_observer(&s.bus));
        (void) close(fd);
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_not_permitted) {
        const char *args[] = {
                "/usr/bin/setpriv", "--reuid=65534", "--clear-groups", VARTA_CTL, NULL, "status", NULL
        };
        static Outcome o;
        CtlStage s;
        int fd;

        if (geteuid() != 0 || access(args[0], X_OK) < 0) {
                (void) printf("skipped: being another user takes root and setpriv (package util-linux)\n");
                return;
        }
        if (!ctl_stage_init(&s, false))
                return;
        fd = bind_socket(s.socket);
        ck_assert_int_eq(chmod(s.socket, 0600), 0);
        args[4] = s.option;
        run_program(args, NULL, (const char *[]){ s.address, NULL }, ctl_stage_turn, &s, &o);
        ck_assert_msg(o.code == 5 && !o.out[0] && strstr(o.err, "member of its group"), "%d %s%s", o.code,
                      o.out, o.err);
        (void) close(fd);
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_changing) {
        char id[32], by_pid[32] = "pid:1003";
        const CtlCase good[] = {
                { "reload", { "reload" }, 0, "", "" },
                { "forget by id", { "forget", id }, 0, "", "" },
                { "forget by pid", { "forget", by_pid }, 0, "", "" },
                { "again", { "forget", id }, 1, "", "There is no agent" },
                { "a pid that is no agent", { "forget", "pid:4242" }, 1, "", "Pid 4242 is no agent" },
        };
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        ctl_stage_fleet(&s);
        (void) snprintf(id, sizeof(id), "%llu", (unsigned long long) fixture_agent(&s.f, 1002));
        ctl_stage_cases(&s, good, ELEMENTSOF(good));
        ck_assert_uint_eq(s.f.reloads, 1);
        ck_assert_uint_eq(observer_tracked(s.f.observer), 2);

        s.f.reload_error = -EINVAL;
        s.f.reload_reason = "/etc/varta/varta.conf:3: Capacity=-1: not within 1 to 1048576";
        ctl_stage_cases(&s,
                        &(const CtlCase){ "a refused reload",
                                          { "reload" },
                                          1,
                                          "",
                                          "/etc/varta/varta.conf:3: Capacity=-1" },
                        1);
        ctl_stage_done(&s);
}
END_TEST

/* Reads from a pipe until the text is there; the loop turns meanwhile. */
static void read_until(CtlStage *s, int fd, char *buf, size_t size, const char *wanted) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        size_t used = strlen(buf);

        for (unsigned i = 0; !strstr(buf, wanted); i++) {
                ck_assert_msg(i < 10000, "\"%s\" does not come: %s", wanted, buf);
                ctl_stage_turn(s);
                if (poll(&p, 1, 0) > 0) {
                        ssize_t n = read(fd, buf + used, size - used - 1);

                        ck_assert_msg(n > 0, "the program ended: %s", buf);
                        used += (size_t) n;
                        buf[used] = 0;
                }
        }
}

/* Somebody else says to everybody, one by one, what only the observer says. */
static void forge(CtlStage *s) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = private_bus_connect(&s->bus, &s->f);
        char **names = NULL;

        ck_assert_int_ge(sd_bus_list_names(bus, &names, NULL), 0);
        for (size_t i = 0; names[i]; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                ck_assert_int_ge(sd_bus_message_new_signal(bus, &m, BUS_PATH, BUS_INTERFACE, "GaveUp"), 0);
                ck_assert_int_ge(sd_bus_message_append(m, "stt", "forged.service", UINT64_C(9), UINT64_C(9)),
                                 0);
                if (names[i][0] == ':')
                        ck_assert_int_ge(sd_bus_send_to(bus, m, names[i], NULL), 0);
                free(names[i]);
        }
        free((void *) names);
        ck_assert_int_ge(sd_bus_flush(bus), 0);
}

static void monitor(const char *mode, const char *const *wanted, size_t n_wanted) {
        const char *args[] = { VARTA_CTL, "monitor", mode, NULL };
        char out[8192] = "", err[1024] = "";
        int out_fd, err_fd;
        CtlStage s;
        pid_t pid;

        if (!ctl_stage_init(&s, true))
                return;
        pid = start_program(args, (const char *[]){ s.address, "TZ=UTC", NULL }, &out_fd, &err_fd);
        read_until(&s, err_fd, err, sizeof(err), "press Ctrl-C");

        forge(&s);
        fixture_beat(&s.f, 1002, VLP_STATUS_OK);
        fixture_beat(&s.f, 1002, VLP_STATUS_CRITICAL);
        fixture_pass(&s.f, 6 * NSEC_PER_SEC);
        bus_signal_recovery_finished(s.f.server,
                                     &(BusRecovery){ 1, 1002, 2, "worker@2.service", "recovered", NULL });
        bus_signal_gave_up(s.f.server, "worker@2.service", 5, 10 * NSEC_PER_MINUTE);
        bus_signal_gave_up(s.f.server, "worker@3.service", 1, 10 * NSEC_PER_MINUTE);
        fixture_datagram(&s.f, (const uint8_t[VLP_FRAME_SIZE]){}, 1002, ORIGIN_KERNEL_ATTESTED);
        for (size_t i = 0; i < n_wanted; i++)
                read_until(&s, out_fd, out, sizeof(out), wanted[i]);

        ck_assert_ptr_null(strstr(out, "forged"));

        /* It outlives the observer. */
        bus_server_detach(s.f.server);
        s.f.bus = sd_bus_flush_close_unref(s.f.bus);
        read_until(&s, out_fd, out, sizeof(out), "ObserverStopped");
        private_bus_serve(&s.bus, &s.f);
        read_until(&s, out_fd, out, sizeof(out), "ObserverStarted");
        bus_signal_gave_up(s.f.server, "worker@4.service", 5, 10 * NSEC_PER_MINUTE);
        read_until(&s, out_fd, out, sizeof(out), "worker@4.service");

        /* It ends when nobody reads any more. */
        (void) close(out_fd);
        bus_signal_gave_up(s.f.server, "worker@2.service", 5, 10 * NSEC_PER_MINUTE);
        ck_assert_int_eq(wait_program(pid, ctl_stage_turn, &s), 0);
        (void) close(err_fd);
        ctl_stage_done(&s);
}

START_TEST(test_monitor_text) {
        static const char *const wanted[] = {
                "AgentAppeared    worker@2.service pid 1002: kernel-attested, status ok\n",
                "StatusChanged    worker@2.service pid 1002: critical, was ok\n",
                "Stall            worker@2.service pid 1002: silent",
                "RecoveryFinished worker@2.service pid 1002: recovered, attempt 2\n",
                "GaveUp           worker@2.service: restarted 5 times within 10min\n",
                "GaveUp           worker@3.service: restarted 1 time within 10min\n",
                "Rejected         decode BadMagic, from pid 1002\n",
        };

        monitor("--json=off", wanted, ELEMENTSOF(wanted));
}
END_TEST

START_TEST(test_monitor_json) {
        static const char *const wanted[] = {
                "{\"event\":\"AgentAppeared\",\"received_usec\":",
                "\"unit\":\"worker@2.service\",\"origin\":\"kernel-attested\",\"status\":\"ok\"}\n",
                "\"last_nonce\":2,\"deadline_usec\":1000000000,\"details\":{\"Origin\":\"kernel-attested\",",
                "\"invocation\":null,\"outcome\":\"recovered\",\"attempt\":2}\n",
                "\"unit\":\"worker@2.service\",\"restarts\":5,\"window_usec\":600000000}\n",
        };

        monitor("--json=short", wanted, ELEMENTSOF(wanted));
}
END_TEST

START_TEST(test_many) {
        static Outcome o;
        size_t rows = 0;
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        for (uint32_t n = 0; n < 2500; n++)
                fixture_beat(&s.f, 10000 + n, VLP_STATUS_OK);
        ctl_stage_run(&s, (const char *[]){ "list", "--no-legend", NULL }, &o);
        ck_assert_int_eq(o.code, 0);
        for (const char *p = o.out; (p = strchr(p, '\n')); p++)
                rows++;
        ck_assert_uint_ge(rows, 600); /* as much of it as was kept */
        ctl_stage_run(&s, (const char *[]){ "list", "-j", NULL }, &o);
        ck_assert_int_eq(o.code, 0);
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_terminal) {
        const char *args[] = { VARTA_CTL, "list", NULL };
        CtlStage s;
        const char *paged[] = { s.address, "LC_ALL=C.UTF-8", "SYSTEMD_PAGER=/bin/sed s/^/paged:/",
                                "NO_COLOR=1", NULL };
        const char *narrow[] = { s.address,    "LC_ALL=C.UTF-8", "SYSTEMD_PAGER=cat",
                                 "NO_COLOR=1", "COLUMNS",        NULL };
        const char *coloured[] = { s.address, "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=1", NULL };
        static Outcome o;

        if (!ctl_stage_init(&s, true))
                return;
        ctl_stage_fleet(&s);
        fixture_beat(&s.f, 5001, VLP_STATUS_CRITICAL);

        run_in_terminal(args, paged, 80, ctl_stage_turn, &s, &o);
        ck_assert_msg(o.code == 0 && strstr(o.out, "paged:5 agents listed."), "%s", o.out);

        run_in_terminal(args, narrow, 20, ctl_stage_turn, &s, &o);
        ck_assert_int_eq(o.code, 0);
        for (const char *line = o.out; *line && strncmp(line, "5 agents", 8) != 0;
             line += strcspn(line, "\n") + 1)
                ck_assert_msg(strcspn(line, "\n") <= 20 + 2 * 2, "too wide: %s", line);

        run_in_terminal(args, coloured, 80, ctl_stage_turn, &s, &o);
        ck_assert_msg(strstr(o.out, "\033[0;1;31mcritical\033[0m"), "%s", o.out);
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_silent_observer) {
        const char *args[] = { VARTA_CTL, "status", NULL };
        static Outcome o;
        CtlStage s;

        if (!ctl_stage_init(&s, true))
                return;
        /* Nobody turns the observer's loop. */
        run_program(args, NULL, (const char *[]){ s.address, NULL }, NULL, NULL, &o);
        ck_assert_msg(o.code == 5 && !o.out[0] && strstr(o.err, "does not answer"), "%d %s%s", o.code, o.out,
                      o.err);
        ctl_stage_done(&s);
}
END_TEST

START_TEST(test_host) {
        const char *args[] = { VARTA_CTL, "-H", "elsewhere", "status", NULL };
        char path[256], script[512], ssh[128];
        static Outcome o;
        CtlStage s;
        FILE *f;

        if (access("/usr/bin/systemd-stdio-bridge", X_OK) < 0) {
                (void) printf("skipped: /usr/bin/systemd-stdio-bridge is missing (package systemd)\n");
                return;
        }
        if (!ctl_stage_init(&s, true))
                return;

        /* An ssh that goes nowhere. */
        (void) snprintf(ssh, sizeof(ssh), "%s/ssh", s.bus.dir);
        (void) snprintf(script, sizeof(script), "#!/bin/sh\nexec systemd-stdio-bridge --bus-path=%s\n",
                        s.bus.address);
        f = fopen(ssh, "we");
        ck_assert_ptr_nonnull(f);
        (void) fputs(script, f);
        (void) fclose(f);
        ck_assert_int_eq(chmod(ssh, 0755), 0);
        (void) snprintf(path, sizeof(path), "PATH=%s:/usr/bin:/bin", s.bus.dir);

        run_program(args, NULL, (const char *[]){ path, NULL }, ctl_stage_turn, &s, &o);
        ck_assert_msg(o.code == 0 && strstr(o.out, "State: running\n"), "%d %s%s", o.code, o.out, o.err);

        bus_server_detach(s.f.server);
        s.f.bus = sd_bus_flush_close_unref(s.f.bus);
        run_program(args, NULL, (const char *[]){ path, NULL }, ctl_stage_turn, &s, &o);
        ck_assert_msg(o.code == 5 && strstr(o.err, "on the bus of elsewhere"), "%d %s%s", o.code, o.out,
                      o.err);
        (void) unlink(ssh);
        ctl_stage_done(&s);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "a healthy fleet", test_healthy },
                { "a fleet that is not well, by exit code and in words", test_not_healthy },
                { "what was refused and lost is said", test_refusals_and_losses },
                { "no observer and no socket: exit code 5 and what to do", test_absent },
                { "a socket without an observer is idle", test_idle },
                { "a socket that one may not write to: exit code 5", test_not_permitted },
                { "reload and forget", test_changing },
                { "monitor in words", test_monitor_text },
                { "monitor as JSON lines", test_monitor_json },
                { "more agents than one page holds", test_many },
                { "terminals: pager, width, colours", test_terminal },
                { "an observer that does not answer", test_silent_observer },
                { "over ssh", test_host },
        };

        return tests_main("bus-ctl", tests, ELEMENTSOF(tests));
}
