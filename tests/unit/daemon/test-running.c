/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vartad at work on a bus of its own: what it answers, and that it goes on answering. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bus/bus-names.h"
#include "process.h"
#include "program.h"
#include "rows.h"
#include "util/fd.h"
#include "vlp/frame.h"

static Scratch scratch;
static Program daemon_, vartad, other;
static char address[128];
static int notify_fd = -1;
static sd_bus *bus;

static void write_config(const char *text) {
        int fd = open(scratch_path(&scratch, "varta.conf"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        ck_assert_int_eq(close(fd), 0);
}

static void setup(void) {
        scratch_init(&scratch);
        notify_fd = notify_socket(scratch_path(&scratch, "notify"));
        (void) snprintf(address, sizeof(address), "unix:path=%s", scratch_path(&scratch, "bus"));
        bus_daemon_start(&daemon_, address);
        bus = bus_connect(address);
        write_config("");
}

static void teardown(void) {
        bus = sd_bus_flush_close_unref(bus);
        program_kill(&vartad);
        program_kill(&other);
        program_kill(&daemon_);
        notify_fd = safe_close(notify_fd);
        scratch_done(&scratch);
}

static void start(Program *p, const char *name, Environment e) {
        char config[128], listen[128];

        e.bus = address;
        (void) snprintf(config, sizeof(config), "--config=%s", scratch_path(&scratch, "varta.conf"));
        (void) snprintf(listen, sizeof(listen), "--listen=unix:%s", scratch_path(&scratch, name));
        program_start(p, &e, (const char *const[]){ "vartad", "--user", config, listen, NULL });
}

/* Ready, and on the bus. */
static void start_vartad(Environment e) {
        e.notify = scratch_path(&scratch, "notify");
        start(&vartad, "v.sock", e);
        notify_until(notify_fd, "READY=1");
        bus_wait_name(bus);
}

static int connect_vartad(void) {
        return connect_to(scratch_path(&scratch, "v.sock"));
}

/* A beat is queued before the question, and beats are read first: no waiting is needed. */
static void assert_number(const char *name, uint64_t value) {
        uint64_t is = bus_get_number(bus, name);

        ck_assert_msg(is == value, "%s is %llu and not %llu", name, (unsigned long long) is,
                      (unsigned long long) value);
}

static void assert_state(const char *state) {
        _cleanup_free_ char *value = bus_get_string(bus, "State");

        ck_assert_str_eq(value, state);
}

/* Waits for what becomes true by itself, without an event that could be waited for. */
static void until_number(const char *name, uint64_t value) {
        for (unsigned i = 0; i < 10000 && bus_get_number(bus, name) != value; i++)
                (void) poll(NULL, 0, 1);
        assert_number(name, value);
}

/* ---- two of them ------------------------------------------------------------------------------------------ */

START_TEST(test_same_name) {
        start_vartad((Environment){});
        start(&other, "other.sock", (Environment){});
        ck_assert_int_eq(program_wait(&other), 1);
        ck_assert_uint_eq(count_lines(other.err_text), 1);
        ck_assert_ptr_nonnull(strstr(other.err_text, BUS_NAME));
        ck_assert_ptr_nonnull(strstr(other.err_text, "--user"));
        ck_assert_int_lt(access(scratch_path(&scratch, "other.sock"), F_OK), 0);

        assert_state(BUS_STATE_RUNNING);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
        ck_assert_str_eq(vartad.err_text, "");
}
END_TEST

/* ---- configuration ---------------------------------------------------------------------------------------- */

static const struct {
        const char *title, *text, *says;
} broken[] = {
        { "a bad value keeps the old configuration in force", "[Observer]\nStallThresholdSec=soon\n",
          "varta.conf:2" },
        { "so does one beside good ones", "[Observer]\nStallThresholdSec=1s\nCapacity=-1\n",
          "varta.conf:3" },
        { "so does a file that is no text", "[Observer\nStallThresholdSec=1s\n", "varta.conf:1" },
};

START_TEST(test_reload) {
        size_t so_far;

        write_config("[Observer]\nStallThresholdSec=900ms\n");
        start_vartad((Environment){});
        assert_number("ThresholdUSec", 900000);

        write_config(broken[_i].text);
        ck_assert_int_eq(kill(vartad.pid, SIGHUP), 0);
        program_until(&vartad, 0, broken[_i].says);
        program_until(&vartad, 0, "the previous one stays in force");
        assert_number("ThresholdUSec", 900000);
        assert_state(BUS_STATE_RUNNING);
        ck_assert_int_lt(bus_reload(bus), 0);
        assert_number("ThresholdUSec", 900000);

        so_far = program_peek(&vartad);
        write_config("[Observer]\nStallThresholdSec=800ms\n");
        ck_assert_int_eq(kill(vartad.pid, SIGHUP), 0);
        program_until(&vartad, so_far, "Configuration reloaded");
        assert_number("ThresholdUSec", 800000);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

START_TEST(test_missing_config) {
        ck_assert_int_eq(unlink(scratch_path(&scratch, "varta.conf")), 0);
        start_vartad((Environment){});
        assert_state(BUS_STATE_DEGRADED_CONFIG);
        program_until(&vartad, 0, "varta.conf");
        ck_assert_ptr_nonnull(strstr(vartad.err_text, "No such file or directory"));
        assert_number("ThresholdUSec", 5000000);
        ck_assert_int_lt(bus_reload(bus), 0);
        assert_state(BUS_STATE_DEGRADED_CONFIG);

        write_config("[Observer]\nStallThresholdSec=900ms\n");
        ck_assert_int_eq(bus_reload(bus), 0);
        assert_state(BUS_STATE_RUNNING);
        assert_number("ThresholdUSec", 900000);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

START_TEST(test_broken_at_start) {
        write_config("[Observer]\nStallThresholdSec=900ms\nMaxDeferralSec=never\n");
        start_vartad((Environment){});
        assert_state(BUS_STATE_DEGRADED_CONFIG);
        assert_number("ThresholdUSec", 900000); /* the good keys count */
        program_until(&vartad, 0, "varta.conf:3");
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

START_TEST(test_capacity_reload) {
        write_config("[Observer]\nCapacity=10\n");
        start_vartad((Environment){});
        write_config("[Observer]\nCapacity=20\n");
        ck_assert_int_eq(bus_reload(bus), 0);
        assert_number("Capacity", 10);
        program_until(&vartad, 0, "Capacity= is read at start only");
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

/* ---- agents ----------------------------------------------------------------------------------------------- */

static void beat_once(int in, void *userdata) {
        char c;
        int fd = connect_vartad();

        if (send_beat(fd, (uint32_t) getpid(), 1) < 0 || read(in, &c, 1) < 0)
                _exit(1);
}

static const struct {
        const char *title, *disabled;
        bool sees_exits;
} features[] = {
        { "an agent beats and exits", NULL, true },
        { "an agent beats and exits, on a kernel without SO_PASSRIGHTS", "VARTA_DISABLE_FEATURES=passrights",
          true },
        { "an agent beats and exits, on a kernel without xattrs on cgroups",
          "VARTA_DISABLE_FEATURES=invocation", true },
        { "an agent beats and exits, on a kernel without NSpid", "VARTA_DISABLE_FEATURES=nspid", true },
        { "an agent beats on a kernel without pidfds", "VARTA_DISABLE_FEATURES=pidfd", false },
        { "an agent beats on a kernel without anything",
          "VARTA_DISABLE_FEATURES=pidfd,passrights,invocation,nspid", false },
};

START_TEST(test_agent) {
        bool sees_exits = features[_i].sees_exits && !vartad_is_wrapped();
        Child child;

        start_vartad((Environment){ .extra = { features[_i].disabled } });
        child_start(&child, beat_once, NULL);
        until_number("Beats", 1);
        assert_number("AgentsTracked", 1);
        child_tell(&child, 'x');
        child_wait_zombie(&child);
        until_number("Exits", sees_exits);
        assert_number("AgentsTracked", !sees_exits);
        child_end(&child);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

#define FLEET 12

START_TEST(test_descriptors_used_up) {
        Child children[FLEET];
        size_t told = 0;

        if (vartad_is_wrapped()) {
                printf("SKIP \"without descriptors\": wrapped there are no pidfds to run out of\n");
                return;
        }
        /* The reserve is 64: four pidfds can be held. */
        start_vartad((Environment){ .fd_limit = 68 });
        assert_number("DescriptorBudget", 4);
        for (size_t i = 0; i < FLEET; i++) {
                child_start(&children[i], beat_once, NULL);
                until_number("Beats", i + 1);
        }
        assert_number("AgentsTracked", FLEET);
        program_until(&vartad, 0, "LimitNOFILE=");
        for (size_t i = 0; i < FLEET; i++) {
                child_tell(&children[i], 'x');
                child_wait_zombie(&children[i]);
        }
        until_number("Exits", 4);
        assert_number("AgentsTracked", FLEET - 4);
        for (size_t i = 0; i < FLEET; i++)
                child_end(&children[i]);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
        for (const char *p = vartad.err_text; (p = strstr(p, "LimitNOFILE=")); p++)
                told++;
        ck_assert_uint_eq(told, 1);
}
END_TEST

START_TEST(test_bad_datagrams) {
        char frame[VLP_FRAME_SIZE] = "no frame";
        _cleanup_close_ int fd = -1;

        start_vartad((Environment){});
        fd = connect_vartad();
        ck_assert_int_eq(send_bytes(fd, frame, 31, 0), 0);
        ck_assert_int_eq(send_bytes(fd, frame, sizeof(frame), 0), 0);
        ck_assert_int_eq(send_beat(fd, (uint32_t) getpid() + 1, 1), 0);
        until_number("AuthFailures", 1);
        assert_number("MisSized", 1);
        assert_number("Beats", 0);
        assert_number("AgentsTracked", 0);
        program_until(&vartad, 0, "BadMagic");
        program_until(&vartad, 0, "it names PID");
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

/* What waits for permission holds no descriptors of the caller's. */
START_TEST(test_descriptors_by_bus) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int fd = STDIN_FILENO;

        start_vartad((Environment){});
        ck_assert_int_lt(sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Reload", &error, NULL,
                                            "h", fd),
                         0);
        ck_assert_str_eq(error.name, SD_BUS_ERROR_NOT_SUPPORTED);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
}
END_TEST

/* ---- under pressure --------------------------------------------------------------------------------------- */

static void flood(int in, void *userdata) {
        uint8_t beat[VLP_FRAME_SIZE];
        int fd = connect_vartad();

        make_beat(beat, (uint32_t) getpid() + 1, 1); /* refused, every one */
        while (send_bytes(fd, beat, sizeof(beat), 0) >= 0)
                ;
}

START_TEST(test_flood) {
        Child flooder, good;
        uint64_t before;

        start_vartad((Environment){});
        child_start(&flooder, flood, NULL);
        while ((before = bus_get_number(bus, "AuthFailures")) < 1000)
                ;
        for (unsigned i = 0; i < 20; i++)
                assert_state(BUS_STATE_RUNNING);
        child_start(&good, beat_once, NULL);
        until_number("Beats", 1);
        child_tell(&good, 'x');
        child_wait_zombie(&good);
        until_number("Exits", !vartad_is_wrapped());
        ck_assert_uint_gt(bus_get_number(bus, "AuthFailures"), before);
        ck_assert_int_eq(bus_reload(bus), 0);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
        child_end(&good);
        child_end(&flooder);
        /* 20 are told one by one, and that there were more. */
        ck_assert_uint_lt(count_lines(vartad.err_text), 30);
}
END_TEST

START_TEST(test_log_full) {
        int fds[2], r;
        char text[4096];

        write_config("[Observer]\nStallThresholdSec=soon\n");
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_ge(fcntl(fds[0], F_SETPIPE_SZ, 4096), 0);
        start_vartad((Environment){ .err = fds[1] });
        for (unsigned i = 0; i < 200 && bus_get_number(bus, "JournalDropped") == 0; i++) {
                r = bus_reload(bus);
                ck_assert_int_lt(r, 0);
        }
        ck_assert_uint_gt(bus_get_number(bus, "JournalDropped"), 0);
        ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
        while (read(fds[0], text, sizeof(text)) > 0)
                ;
        assert_state(BUS_STATE_DEGRADED_CONFIG);
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
        ck_assert_int_eq(close(fds[0]), 0);
        ck_assert_int_eq(close(fds[1]), 0);
}
END_TEST

/* ---- the bus goes ----------------------------------------------------------------------------------------- */

START_TEST(test_bus_returns) {
        start_vartad((Environment){});
        for (unsigned i = 0; i < 2; i++) {
                int fd;

                bus = sd_bus_flush_close_unref(bus);
                program_kill(&daemon_);
                program_until(&vartad, 0, "The bus went away");
                fd = connect_vartad();
                ck_assert_int_eq(send_beat(fd, (uint32_t) getpid(), i + 1), 0);
                ck_assert_int_eq(close(fd), 0);
                (void) unlink(scratch_path(&scratch, "bus"));
                bus_daemon_start(&daemon_, address);
                bus = bus_connect(address);
                bus_wait_name(bus);
                until_number("Beats", i + 1);
        }
        ck_assert_int_eq(program_end(&vartad, SIGTERM), 0);
        ck_assert_msg(count_lines(vartad.err_text) == 2, "not once each time: %s", vartad.err_text);
}
END_TEST

static void add(Suite *s, const char *title, const TTest *test, int i) {
        TCase *tc = tcase_create(title);

        tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, test, i, i + 1);
        suite_add_tcase(s, tc);
}

int main(void) {
        const Row rows[] = {
                { "a second observer of the same name says so and leaves nothing", test_same_name },
                { "a configuration file that is not there: degraded, until it is", test_missing_config },
                { "a bad value at start: degraded, and the good keys count", test_broken_at_start },
                { "a new capacity waits for a restart, and that is said", test_capacity_reload },
                { "without descriptors agents are tracked all the same, and that is said once",
                  test_descriptors_used_up },
                { "each bad datagram has its counter", test_bad_datagrams },
                { "descriptors do not reach it by the bus", test_descriptors_by_bus },
                { "a flood keeps nobody waiting: clients, good agents, exits, the end", test_flood },
                { "a full standard error keeps nobody waiting", test_log_full },
                { "the bus may go and come back", test_bus_returns },
        };
        Suite *s = suite_create("daemon-running");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                add(s, rows[i].title, rows[i].test, 0);
        for (size_t i = 0; i < ELEMENTSOF(broken); i++)
                add(s, broken[i].title, test_reload, (int) i);
        for (size_t i = 0; i < ELEMENTSOF(features); i++)
                add(s, features[i].title, test_agent, (int) i);
        return suite_run(s);
}
