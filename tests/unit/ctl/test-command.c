/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The real varta-ctl, as far as it needs no bus: usage, decode, beat, verify, cat-config, and no bus at all. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "support.h"
#include "vlp/frame.h"

#define ARGS_MAX 8

/* A good frame: status degraded, pid 4660, timestamp 2, nonce 3, payload 4. */
static char good_hex[2 * VLP_FRAME_SIZE + 1], bad_crc_hex[2 * VLP_FRAME_SIZE + 1];

static void make_frames(void) {
        const VlpFrame frame = {
                .status = VLP_STATUS_DEGRADED, .pid = 4660, .timestamp = 2, .nonce = 3, .payload = 4
        };
        uint8_t bytes[VLP_FRAME_SIZE];

        (void) vlp_frame_encode(&frame, bytes);
        for (size_t i = 0; i < sizeof(bytes); i++)
                (void) snprintf(good_hex + 2 * i, 3, "%02x", bytes[i]);
        (void) snprintf(bad_crc_hex, sizeof(bad_crc_hex), "%s", good_hex);
        bad_crc_hex[2 * VLP_OFFSET_PAYLOAD] = 'f';
}

typedef struct CommandCase {
        const char *title;
        const char *args[ARGS_MAX];
        int code;
        const char *out; /* must be in it; "": it is empty; NULL: anything */
        const char *err;
} CommandCase;

static void run(const char *const *args, const char *input, Outcome *ret) {
        static const char *const environment[] = { "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent/bus",
                                                   "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR",
                                                   "LC_ALL=C.UTF-8", NULL };
        const char *all[ARGS_MAX + 2] = { VARTA_CTL };

        for (size_t i = 0; i < ARGS_MAX && args[i]; i++)
                all[i + 1] = args[i];
        run_program(all, input, environment, NULL, NULL, ret);
}

static void assert_stream(const CommandCase *c, const char *name, const char *text, const char *wanted) {
        if (wanted && wanted[0] == 0)
                ck_assert_msg(text[0] == 0, "%s: standard %s is \"%s\"", c->title, name, text);
        else if (wanted)
                ck_assert_msg(strstr(text, wanted), "%s: standard %s is \"%s\"", c->title, name, text);
}

static void run_cases(const CommandCase *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                static Outcome o;

                run(cases[i].args, NULL, &o);
                ck_assert_msg(o.code == cases[i].code, "%s: exit code %d, %s", cases[i].title, o.code,
                              o.err);
                assert_stream(&cases[i], "output", o.out, cases[i].out);
                assert_stream(&cases[i], "error", o.err, cases[i].err);
        }
}

/* What makes no sense, and what does. */
static const CommandCase usage_cases[] = {
        { "help", { "--help" }, 0, "Verbs:", "" },
        { "help in short", { "-h" }, 0, "Verbs:", "" },
        { "help as a verb", { "help" }, 0, "Verbs:", "" },
        { "of nothing in particular", { "help", "list" }, 2, "", "takes no arguments" },
        { "help beside anything", { "list", "--help" }, 0, "Verbs:", "" },
        { "version", { "--version" }, 0, "varta-ctl 0", "" },
        { "an unknown verb", { "frobnicate" }, 2, "", "Unknown verb \"frobnicate\". See" },
        { "a verb with a slip of the pen", { "statsu" }, 2, "", "Did you mean \"status\"?" },
        { "another one", { "cat-confg" }, 2, "", "Did you mean \"cat-config\"?" },
        { "an unknown option", { "--frobnicate" }, 2, "", "Unknown option \"--frobnicate\". See" },
        { "an option with a slip of the pen",
          { "--no-lengend", "list" },
          2,
          "",
          "did you mean --no-legend?" },
        { "an unknown short option", { "-z" }, 2, "", "Unknown option \"-z\"." },
        { "an ambiguous option", { "--no", "list" }, 2, "", "--no" },
        { "an option without its value", { "--json" }, 2, "", "needs a value" },
        { "a short option without its value", { "-H" }, 2, "", "needs a value" },
        { "an option with a value too many", { "--user=me" }, 2, "", "--user takes no value" },
        { "a mode that JSON does not have", { "--json=yes", "list" }, 2, "", "allowed: short, pretty, off" },
        { "too many arguments", { "monitor", "everything" }, 2, "", "takes no arguments" },
        { "no unit can be called so", { "list", "a/b" }, 2, "", "\"a/b\" is neither a unit" },
        { "nor so", { "units", "-u", "a b" }, 2, "", "\"a b\" is neither a unit" },
        { "nor in history", { "history", "" }, 2, "", "is neither a unit" },
        { "a state that agents do not have",
          { "list", "--state=alive,dead" },
          2,
          "",
          "--state=dead: allowed are alive, stalled." },
        { "a state that units do not have",
          { "units", "--state=alive" },
          2,
          "",
          "--state=alive: allowed are ok, stalled, recovering, backoff, paused, gave-up." },
        { "an empty state", { "units", "--state=ok," }, 2, "", "--state=: allowed are" },
        { "a status that agents do not have",
          { "list", "--status=fine" },
          2,
          "",
          "--status=fine: allowed are ok, degraded, critical." },
        { "a column that is not there",
          { "list", "--sort=colour" },
          2,
          "",
          "--sort=colour: allowed are id, pid, unit, state, status, last-beat, beats," },
        { "two columns at once", { "list", "--sort=unit,pid" }, 2, "", "one column is enough" },
        { "units have no status", { "units", "--status=ok" }, 2, "", "does not take --status" },
        { "no number of lines", { "history", "-n", "few" }, 2, "", "--lines=few is not a number" },
        { "a number is no unit: not to list", { "list", "124" }, 2, "", "varta-ctl status 124;" },
        { "nor to units", { "units", "--unit=124" }, 2, "", "\"124\" is no unit" },
        { "nor to history", { "history", "124" }, 2, "", "for a unit of that name: 124.service" },
        { "nor to show", { "show", "124" }, 2, "", "\"124\" is no unit" },
        { "nor to recover", { "recover", "124" }, 2, "", "\"124\" is no unit" },
        { "nor a process by its prefix", { "list", "pid:124" }, 2, "", "\"pid:124\" is no unit" },
        { "a number is not paused", { "pause", "124" }, 2, "", "For the process: pid:124; for a unit of" },
        { "nor resumed", { "resume", "124" }, 2, "", "For the process: pid:124;" },
        { "nor is an empty word everything", { "pause", "" }, 2, "", "nor pid:N." },
        { "nor for resume", { "resume", "" }, 2, "", "is neither a unit" },
        { "nor what can be no unit", { "pause", "a/b" }, 2, "", "\"a/b\" is neither a unit" },
        { "a glob is not recovered", { "recover", "*" }, 2, "", "\"*\" is no unit; one at a time" },
        { "nor is nothing", { "recover", "" }, 2, "", "\"\" is no unit" },
        { "the status of nothing", { "status", "" }, 2, "", "\"\" is neither a unit" },
        { "of half a glob", { "status", "[ab" }, 2, "", "\"[ab\" is neither a unit" },
        { "of a device", { "status", "-j", "/dev/sda" }, 2, "", "\"/dev/sda\" is neither a unit" },
        { "a host and a container", { "-H", "a", "-M", "b", "list" }, 2, "", "do not go together" },
        { "the other way round", { "-Mb", "--host=a", "list" }, 2, "", "do not go together" },
        { "a root that is nowhere",
          { "verify", "-j", "--root=/nonexistent" },
          1,
          "",
          "root=/nonexistent: No" },
        { "a root that is a file", { "cat-config", "--root=/dev/null" }, 1, "", "root=/dev/null: Not a" },
        { "a glob has no policy", { "show", "worker@*" }, 2, "", "\"worker@*\" is no unit" },
        { "show what", { "show" }, 2, "", "varta-ctl show UNIT..." },
        { "the journal of another host",
          { "history", "--journal", "-H", "there" },
          2,
          "",
          "--journal reads the journal of this host" },
        { "more than one file", { "verify", "a", "b" }, 2, "", "takes one argument" },
        { "too few arguments", { "decode" }, 2, "", "varta-ctl decode HEX..." },
        { "nothing to forget", { "forget" }, 2, "", "varta-ctl forget ID|pid:N..." },
        { "no span of time", { "pause", "--for=soon" }, 2, "", "--for=soon is no span" },
        { "a span for another verb", { "resume", "--for=1h" }, 2, "", "does not take --for" },
        { "nothing to recover", { "recover" }, 2, "", "varta-ctl recover UNIT" },
        { "not an agent", { "forget", "pid:x" }, 2, "", "neither the id" },
        { "a negative id", { "forget", "--", "-1" }, 2, "", "neither the id" },
        { "decode has no instance", { "--instance=a", "decode", "00" }, 2, "", "does not take --instance" },
        { "an instance whose name has a dot",
          { "--instance=a.b", "status" },
          2,
          "",
          "--instance=a.b is no name; allowed: 1 to 64 letters, digits, - and _." },
        { "an instance without a name", { "--instance=", "list" }, 2, "", "--instance= is no name" },
        { "an instance and a socket",
          { "beat", "--instance=a", "--socket=@x" },
          2,
          "",
          "--instance= and --socket= do not go together" },
        { "an instance and the network",
          { "beat", "--instance=a", "--udp=127.0.0.1:1" },
          2,
          "",
          "--instance= and --udp= do not go together" },
        { "a beat to an instance that is not there",
          { "beat", "--instance=varta-test" },
          5,
          "",
          "Nothing listens at /run/varta/varta@varta-test.sock; try: systemctl enable --now "
          "varta@varta-test.socket" },
        { "verify refuses the bus", { "--user", "verify" }, 2, "", "varta-ctl verify does not take --user" },
        { "cat-config refuses a host", { "-H", "here", "cat-config" }, 2, "", "does not take --host" },
        { "beat refuses JSON", { "beat", "-j" }, 2, "", "varta-ctl beat does not take -j" },
        { "monitor refuses a status", { "monitor", "--status=ok" }, 2, "", "does not take --status" },
        { "another host's user", { "--user", "-H", "here", "list" }, 2, "", "do not go together" },
        { "what all take is taken by all",
          { "--no-pager", "--no-legend", "--no-ask-password", "-q", "verify", "/dev/null" },
          0,
          "",
          "" },
};

START_TEST(test_usage) {
        run_cases(usage_cases, ELEMENTSOF(usage_cases));
}
END_TEST

START_TEST(test_no_bus) {
        static const CommandCase cases[] = {
                { "no verb", { NULL }, 5, "", "Cannot connect to the system bus" },
                { "status", { "status" }, 5, "", "Cannot connect to the system bus" },
                { "status of a unit as JSON", { "status", "-j", "a.service" }, 5, "", "Cannot connect" },
                { "list", { "list" }, 5, "", "Cannot connect" },
                { "list as JSON", { "list", "--json=short" }, 5, "", "Cannot connect" },
                { "units", { "units" }, 5, "", "Cannot connect" },
                { "monitor", { "monitor" }, 5, "", "Cannot connect" },
                { "reload", { "reload" }, 5, "", "Cannot connect" },
                { "forget", { "forget", "1" }, 5, "", "Cannot connect" },
                { "no user bus", { "--user", "list" }, 5, "", "There is no user bus here" },
        };

        run_cases(cases, ELEMENTSOF(cases));
}
END_TEST

START_TEST(test_decode) {
        static const CommandCase cases[] = {
                { "a good frame", { "decode", good_hex }, 0, "      pid: 4660\n", "" },
                { "its status", { "decode", good_hex }, 0, "   status: degraded\n", "" },
                { "its payload", { "decode", good_hex }, 0, "  payload: 4\n", "" },
                { "as JSON",
                  { "decode", "--json=short", good_hex },
                  0,
                  "{\"version\":2,\"status\":\"degraded\",\"pid\":4660,\"timestamp\":2,\"nonce\":3,"
                  "\"terminal\":false,"
                  "\"payload\":4,\"crc32c\":",
                  "" },
                { "a bad frame's name is the answer", { "decode", bad_crc_hex }, 1, "BadCrc\n", "" },
                { "as JSON, too",
                  { "decode", "--json=short", bad_crc_hex },
                  1,
                  "{\"error\":\"BadCrc\"}\n",
                  "" },
                { "35 bytes",
                  { "decode", "0000000000000000000000000000000000000000000000000000000000000000000000" },
                  1,
                  "",
                  "A frame has 32 bytes; this is 35." },
                { "one byte", { "decode", "56" }, 1, "", "A frame has 32 bytes; this is 1." },
                { "no hexadecimal digits", { "decode", "hello" }, 2, "", "hexadecimal" },
                { "half a byte", { "decode", "564" }, 2, "", "hexadecimal" },
        };
        static char long_hex[2001];

        run_cases(cases, ELEMENTSOF(cases));

        memset(long_hex, '0', sizeof(long_hex) - 1);
        run_cases(&(const CommandCase){ "far too much", { "decode", long_hex }, 1, "", "far more" }, 1);
}
END_TEST

START_TEST(test_decode_blanks) {
        const char *args[] = { "decode", NULL, NULL, NULL, NULL };
        char words[3][VLP_FRAME_SIZE * 2 + 1];
        static Outcome o;

        (void) snprintf(words[0], sizeof(words[0]), "0x%.4s", good_hex);
        (void) snprintf(words[1], sizeof(words[1]), "%.2s %.2s", good_hex + 4, good_hex + 6);
        (void) snprintf(words[2], sizeof(words[2]), "%s", good_hex + 8);
        for (size_t i = 0; i < 3; i++)
                args[i + 1] = words[i];
        run(args, NULL, &o);
        ck_assert_msg(o.code == 0 && strstr(o.out, "pid: 4660"), "%s%s", o.out, o.err);
}
END_TEST

/* A socket where an observer would listen. */
static int listen_at(char path[static 64]) {
        struct sockaddr_un sun = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        ck_assert_int_ge(fd, 0);
        (void) snprintf(path, 64, "/tmp/varta-test-ctl-%d.sock", (int) getpid());
        (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
        (void) unlink(path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &sun, sizeof(sun)), 0);
        return fd;
}

/* Takes one frame off the socket. Returns false when there is none. */
static bool take(int fd, VlpFrame *ret) {
        uint8_t bytes[VLP_FRAME_SIZE + 1];
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        if (n < 0)
                return false;
        ck_assert_int_eq(n, VLP_FRAME_SIZE);
        ck_assert_int_eq(vlp_frame_decode(bytes, ret), VLP_ERROR_NONE);
        return true;
}

START_TEST(test_beat) {
        static const struct {
                const char *args[3];
                VlpStatus status;
                uint32_t payload;
        } cases[] = {
                { { NULL }, VLP_STATUS_OK, 0 },
                { { "--status=degraded" }, VLP_STATUS_DEGRADED, 0 },
                { { "--status=critical", "--payload=4294967295" }, VLP_STATUS_CRITICAL, UINT32_MAX },
        };
        char path[64], option[80];
        int fd = listen_at(path);

        (void) snprintf(option, sizeof(option), "--socket=%s", path);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *args[] = { "beat", option, cases[i].args[0], cases[i].args[1], NULL };
                static Outcome o;
                VlpFrame frame;

                run(args, NULL, &o);
                ck_assert_msg(o.code == 0 && !o.out[0] && !o.err[0], "%d %s%s", o.code, o.out, o.err);
                ck_assert(take(fd, &frame));
                ck_assert_uint_eq(frame.status, cases[i].status);
                ck_assert_uint_eq(frame.payload, cases[i].payload);
                ck_assert_uint_eq(frame.nonce, 1);
        }
        (void) close(fd);
        (void) unlink(path);
}
END_TEST

START_TEST(test_beat_lines) {
        static const struct {
                VlpStatus status;
                uint32_t payload;
        } frames[] = {
                { VLP_STATUS_OK, 7 },        { VLP_STATUS_DEGRADED, 7 },  { VLP_STATUS_OK, 12 },
                { VLP_STATUS_CRITICAL, 99 }, { VLP_STATUS_CRITICAL, 98 }, { VLP_STATUS_OK, 7 },
        };
        static const char input[] =
                        "\ndegraded\n12\ncritical 99\n 98\tcritical \nnonsense\n"
                        "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
                        "00000000000000000000000000000000000000000000000000000000000000000000000000000000\n"
                        "stall\n4294967296\nok";
        char path[64], option[80];
        int fd = listen_at(path);
        const char *args[] = { "beat", "--stdin", "--payload=7", option, NULL };
        static Outcome o;
        VlpFrame frame;
        pid_t pid = 0;

        (void) snprintf(option, sizeof(option), "--socket=%s", path);
        run(args, input, &o);
        ck_assert_int_eq(o.code, 1); /* some lines made no sense */
        ck_assert_str_eq(o.out, "");
        for (size_t i = 0; i < ELEMENTSOF(frames); i++) {
                ck_assert(take(fd, &frame));
                ck_assert_uint_eq(frame.status, frames[i].status);
                ck_assert_uint_eq(frame.payload, frames[i].payload);
                ck_assert_uint_eq(frame.nonce, i + 1);
                ck_assert(pid == 0 || pid == (pid_t) frame.pid);
                pid = (pid_t) frame.pid;
        }
        ck_assert(!take(fd, &frame));

        run(args, "\n\n", &o);
        ck_assert_msg(o.code == 0 && !o.err[0], "%s", o.err);
        (void) close(fd);
        (void) unlink(path);
}
END_TEST

START_TEST(test_beat_lines_to_nobody) {
        const char *args[] = { "beat", "--stdin", "--socket=/tmp/varta-test-none.sock", NULL };
        static Outcome o;

        run(args, "\nnonsense\n\n", &o);
        ck_assert_msg(o.code == 5 && !o.out[0] && strstr(o.err, "Nothing listens at /tmp"), "%d %s%s",
                      o.code, o.out, o.err);
}
END_TEST

START_TEST(test_beat_fails) {
        static const CommandCase cases[] = {
                { "nobody there",
                  { "beat", "--socket=/tmp/varta-test-none.sock" },
                  5,
                  "",
                  "Nothing listens at /tmp" },
                { "no path", { "beat", "--socket=relative" }, 2, "", "is no address" },
                { "a path too long",
                  { "beat",
                    "--socket=/"
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
                  2,
                  "",
                  "is no address" },
                { "no status", { "beat", "--status=fine" }, 2, "", "allowed: ok, degraded, critical" },
                { "the observer's status",
                  { "beat", "--status=stall" },
                  2,
                  "",
                  "allowed: ok, degraded, critical" },
                { "no number", { "beat", "--payload=-1" }, 2, "", "is not a number" },
                { "a number too large", { "beat", "--payload=4294967296" }, 2, "", "is not a number" },
        };

        run_cases(cases, ELEMENTSOF(cases));
}
END_TEST

/* A directory with etc/varta/varta.conf and a drop-in; removed by the caller's hand. */
static void make_root(char root[static 64], const char *text) {
        static const char *const dirs[] = { "", "/etc", "/etc/varta", "/etc/varta/varta.conf.d" };
        char path[128];
        FILE *f;

        (void) snprintf(root, 64, "/tmp/varta-test-root-%d", (int) getpid());
        for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
                (void) snprintf(path, sizeof(path), "%s%s", root, dirs[i]);
                (void) mkdir(path, 0755);
        }
        (void) snprintf(path, sizeof(path), "%s/etc/varta/varta.conf", root);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        (void) fputs(text, f);
        (void) fclose(f);
        (void) snprintf(path, sizeof(path), "%s/etc/varta/varta.conf.d/10-more.conf", root);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        (void) fputs("[Unit worker@*.service]\nMode=enforce", f);
        (void) fclose(f);
}

static void remove_root(const char *root) {
        static const char *const entries[] = { "/etc/varta/varta.conf.d/10-more.conf",
                                               "/etc/varta/varta.conf",
                                               "/etc/varta/varta.conf.d",
                                               "/etc/varta",
                                               "/etc",
                                               "" };
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(entries); i++) {
                (void) snprintf(path, sizeof(path), "%s%s", root, entries[i]);
                ck_assert_int_eq(remove(path), 0);
        }
}

START_TEST(test_config) {
        char root[64], option[80], file[128], empty[96];
        const CommandCase good[] = {
                { "a good configuration", { "verify", option }, 0, "No error in 2 files.\n", "" },
                { "quietly", { "-q", "verify", option }, 0, "", "" },
                { "as JSON there is nothing to say", { "verify", "--json=short", option }, 0, "[]\n", "" },
                { "one file", { "verify", file }, 0, "No error in 1 file.\n", "" },
                { "the files, as they are",
                  { "cat-config", option },
                  0,
                  "# /etc/varta/varta.conf\n[Observer]\nStallThresholdSec=2s\n\n# "
                  "/etc/varta/varta.conf.d/10-more.conf\n[Unit worker@*.service]\nMode=enforce\n",
                  "" },
                { "the files as JSON",
                  { "cat-config", "--json=short", option },
                  0,
                  "[{\"path\":\"/etc/varta/"
                  "varta.conf\",\"contents\":\"[Observer]\\nStallThresholdSec=2s\\n\",\"error\":null}",
                  "" },
                { "no configuration", { "cat-config", empty }, 0, "", "the defaults hold" },
                { "an instance does not read the first observer's",
                  { "cat-config", option, "--instance=a" },
                  0,
                  "",
                  "the defaults hold" },
                { "no configuration is right", { "verify", empty }, 0, "No error in 0 files.\n", "" },
                { "a file that is not there",
                  { "verify", "/nonexistent/varta.conf" },
                  1,
                  "",
                  "/nonexistent/varta.conf" },
        };
        const CommandCase bad[] = {
                { "a bad value", { "verify", option }, 1, "", "/etc/varta/varta.conf:2:" },
                { "what would be right", { "verify", option }, 1, "", "10ms to 1d" },
                { "as JSON",
                  { "verify", "--json=short", option },
                  1,
                  "\"level\":\"error\",\"file\":\"/etc/varta/varta.conf\",\"line\":2,",
                  "" },
                { "an unknown key is a warning", { "verify", option }, 1, "", "(warning)" },
        };

        (void) snprintf(root, sizeof(root), "/tmp/varta-test-root-%d", (int) getpid());
        (void) snprintf(option, sizeof(option), "--root=%s", root);
        (void) snprintf(file, sizeof(file), "%s/etc/varta/varta.conf", root);
        (void) snprintf(empty, sizeof(empty), "--root=%s/etc", root);
        make_root(root, "[Observer]\nStallThresholdSec=2s\n");
        run_cases(good, ELEMENTSOF(good));
        make_root(root, "[Observer]\nStallThresholdSec=soon\nColour=red\n");
        run_cases(bad, ELEMENTSOF(bad));
        remove_root(root);
}
END_TEST

/* Whether the observer is enabled is read from the links that systemctl makes. */
START_TEST(test_first_beat) {
        static const char *const entries[] = { "/etc/systemd", "/etc/systemd/system",
                                               "/etc/systemd/system/multi-user.target.wants",
                                               "/etc/systemd/system/multi-user.target.wants/varta.service" };
        char root[64], option[80], path[160];
        const CommandCase without[] = {
                { "it is not enabled",
                  { "verify", option },
                  0,
                  "No error in 2 files.\n",
                  "/etc/varta/varta.conf:2: [Unit a@*.service] FirstBeatSec: This needs varta.service" },
                { "as JSON", { "verify", "--json=short", option }, 0, "\"key\":\"FirstBeatSec\"", "" },
        };
        const CommandCase with[] = {
                { "it is enabled", { "verify", "--json=short", option }, 0, "[]\n", "" },
        };
        const CommandCase off[] = {
                { "it is off", { "verify", "--json=short", option }, 0, "[]\n", "" },
        };

        (void) snprintf(root, sizeof(root), "/tmp/varta-test-root-%d", (int) getpid());
        (void) snprintf(option, sizeof(option), "--root=%s", root);
        make_root(root, "[Unit a@*.service]\nFirstBeatSec=3s\n");
        run_cases(without, ELEMENTSOF(without));
        for (size_t i = 0; i < ELEMENTSOF(entries); i++) {
                (void) snprintf(path, sizeof(path), "%s%s", root, entries[i]);
                ck_assert_int_eq(i < 3 ? mkdir(path, 0755) : symlink("/dev/null", path), 0);
        }
        run_cases(with, ELEMENTSOF(with));
        for (size_t i = ELEMENTSOF(entries); i > 0; i--) {
                (void) snprintf(path, sizeof(path), "%s%s", root, entries[i - 1]);
                ck_assert_int_eq(remove(path), 0);
        }
        make_root(root, "[Unit a@*.service]\nFirstBeatSec=0\n");
        run_cases(off, ELEMENTSOF(off));
        remove_root(root);
}
END_TEST

START_TEST(test_full_disk) {
        const char *args[] = { "/bin/sh", "-c", VARTA_CTL " --help >/dev/full", NULL };
        static Outcome o;

        run_program(args, NULL, NULL, NULL, NULL, &o);
        ck_assert_int_eq(o.code, 1);
        ck_assert_ptr_nonnull(strstr(o.err, "could not be written"));
}
END_TEST

START_TEST(test_broken_pipe) {
        const char *args[] = { "/bin/bash", "-c",
                               "for i in 1 2 3 4 5; do " VARTA_CTL
                               " --help || exit; sleep 0; done | head -n 1; "
                               "exit ${PIPESTATUS[0]}",
                               NULL };
        static Outcome o;

        run_program(args, NULL, NULL, NULL, NULL, &o);
        ck_assert_int_eq(o.code, 0);
        ck_assert_str_eq(o.err, "");
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "what makes no sense is said to, with exit code 2 and no output", test_usage },
                { "no bus is exit code 5", test_no_bus },
                { "decode tells the fields or the error's name", test_decode },
                { "decode takes digits as they are pasted", test_decode_blanks },
                { "beat sends one frame", test_beat },
                { "beat --stdin sends one frame per line and survives nonsense", test_beat_lines },
                { "a beat that cannot be sent says why", test_beat_fails },
                { "beat --stdin where nobody listens", test_beat_lines_to_nobody },
                { "the configuration is checked and shown", test_config },
                { "verify says what FirstBeatSec= needs", test_first_beat },
                { "a full disk is an error", test_full_disk },
                { "a reader that goes away is none", test_broken_pipe },
        };

        make_frames();
        return tests_main("ctl-command", tests, ELEMENTSOF(tests));
}
