/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* varta-ctl beat --udp=: plain and sealed, by number and by name, and everything that is wrong with a file of keys. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "support.h"
#include "varta-build.h"
#include "vlp/frame.h"
#if HAVE_SECURE_UDP
#include "vlp/secure.h"
#endif

#define ARGS_MAX 6

/* The key in the files: byte n is n, in either case of digits. */
#define KEY_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n"

static void run(const char *const *args, const char *input, Outcome *ret) {
        static const char *const environment[] = { "LC_ALL=C.UTF-8", NULL };
        const char *all[ARGS_MAX + 3] = { VARTA_CTL, "beat" };

        for (size_t i = 0; i < ARGS_MAX && args[i]; i++)
                all[i + 2] = args[i];
        run_program(all, input, environment, NULL, NULL, ret);
}

/* A port of the loopback interface, its option, and a file of keys with its options. */
typedef struct Place {
        int fd;
        char udp[64], path[64], shared[96], master[112];
} Place;

static void place_init(Place *p, int family, const char *host) {
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } sa = { .any.sa_family = (sa_family_t) family };
        socklen_t size = family == AF_INET ? sizeof(sa.in) : sizeof(sa.in6);

        if (family == AF_INET)
                sa.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        else
                sa.in6.sin6_addr = in6addr_loopback;
        p->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(p->fd, 0);
        ck_assert_int_eq(bind(p->fd, &sa.any, size), 0);
        ck_assert_int_eq(getsockname(p->fd, &sa.any, &size), 0);
        (void) snprintf(p->udp, sizeof(p->udp), "--udp=%s:%u", host,
                        ntohs(family == AF_INET ? sa.in.sin_port : sa.in6.sin6_port));

        (void) snprintf(p->path, sizeof(p->path), "/tmp/varta-test-keys-%d", (int) getpid());
        (void) snprintf(p->shared, sizeof(p->shared), "--key-file=%s", p->path);
        (void) snprintf(p->master, sizeof(p->master), "--master-key-file=%s", p->path);
}

static void write_keys(const char *path, const char *text, mode_t mode) {
        FILE *f;

        (void) unlink(path);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_eq(chmod(path, mode), 0);
}

static void place_done(Place *p) {
        (void) close(p->fd);
        (void) unlink(p->path);
}

static void assert_sent(const Outcome *o) {
        ck_assert_msg(o->code == 0 && !o->out[0] && !o->err[0], "exit code %d: %s%s", o->code, o->out,
                      o->err);
}

/* ---- plain ------------------------------------------------------------------------------------------------ */

static void take_plain(int fd, VlpFrame *ret) {
        uint8_t data[128];

        ck_assert_int_eq(recv(fd, data, sizeof(data), 0), VLP_FRAME_SIZE);
        ck_assert_int_eq(vlp_frame_decode(data, ret), VLP_ERROR_NONE);
}

START_TEST(test_plain) {
        static const struct {
                int family;
                const char *host;
        } cases[] = { { AF_INET, "127.0.0.1" }, { AF_INET6, "[::1]" }, { AF_INET, "localhost" } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                static Outcome o;
                VlpFrame frame;
                Place p;

                place_init(&p, cases[i].family, cases[i].host);
                run((const char *[]){ p.udp, "--status=degraded", "--payload=7", NULL }, NULL, &o);
                assert_sent(&o);
                if (strcmp(cases[i].host, "localhost") == 0 &&
                    recv(p.fd, &(uint8_t){ 0 }, 1, MSG_PEEK) < 0) {
                        place_done(&p); /* here the name stands for the IPv6 address */
                        continue;
                }
                take_plain(p.fd, &frame);
                ck_assert_uint_eq(frame.status, VLP_STATUS_DEGRADED);
                ck_assert_uint_eq(frame.payload, 7);
                ck_assert_uint_eq(frame.nonce, 1);
                place_done(&p);
        }
}
END_TEST

START_TEST(test_lines) {
        static Outcome o;
        VlpFrame frame;
        Place p;

        place_init(&p, AF_INET, "127.0.0.1");
        run((const char *[]){ p.udp, "--stdin", NULL }, "\ncritical 3\n", &o);
        assert_sent(&o);
        take_plain(p.fd, &frame);
        take_plain(p.fd, &frame);
        ck_assert_uint_eq(frame.status, VLP_STATUS_CRITICAL);
        ck_assert_uint_eq(frame.payload, 3);
        ck_assert_uint_eq(frame.nonce, 2);
        place_done(&p);
}
END_TEST

/* The kernel of the loopback interface answers at once: the second beat learns of it. */
START_TEST(test_nobody) {
        static Outcome o;
        Place p;

        place_init(&p, AF_INET, "127.0.0.1");
        (void) close(p.fd);
        run((const char *[]){ p.udp, "--stdin", NULL }, "\n\n\n", &o);
        ck_assert_int_eq(o.code, 5);
        ck_assert_ptr_nonnull(strstr(o.err, "Nothing listens at udp:127.0.0.1:"));
        ck_assert_ptr_nonnull(strstr(o.err, "varta-udp-plaintext.socket"));
        p.fd = -1;
        place_done(&p);
}
END_TEST

START_TEST(test_usage) {
        static const struct {
                const char *title, *args[3];
                int code;
                const char *err;
        } cases[] = {
                { "no port", { "--udp=127.0.0.1" }, 2, "allowed: HOST:PORT, or [IPV6]:PORT" },
                { "nothing", { "--udp=" }, 2, "allowed:" },
                { "no host", { "--udp=:8674" }, 2, "allowed:" },
                { "port 0", { "--udp=127.0.0.1:0" }, 2, "allowed:" },
                { "a port too large", { "--udp=127.0.0.1:65536" }, 2, "allowed:" },
                { "a port by name", { "--udp=127.0.0.1:http" }, 2, "allowed:" },
                { "IPv6 without brackets", { "--udp=::1:8674" }, 2, "allowed:" },
                { "half a bracket", { "--udp=[::1:8674" }, 2, "allowed:" },
                { "something behind the brackets", { "--udp=[::1]x:8674" }, 2, "allowed:" },
                { "no interface", { "--udp=[fe80::1]:8674" }, 1, "udp:[fe80::1]:8674" },
                { "two places", { "--udp=127.0.0.1:1", "--socket=/run/x" }, 2, "do not go together" },
                { "two forms",
                  { "--udp=127.0.0.1:1", "--key-file=/a", "--master-key-file=/a" },
                  2,
                  "do not go together" },
                { "a key and no network", { "--key-file=/dev/null" }, 2, "--udp=HOST:PORT" },
                { "a master key and no network", { "--master-key-file=/dev/null" }, 2, "--udp=HOST:PORT" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                static Outcome o;

                run((const char *[]){ cases[i].args[0], cases[i].args[1], cases[i].args[2], NULL }, NULL,
                    &o);
                ck_assert_msg(o.code == cases[i].code && strstr(o.err, cases[i].err), "%s: exit code %d, %s",
                              cases[i].title, o.code, o.err);
                ck_assert_str_eq(o.out, "");
        }
}
END_TEST

/* ---- sealed ----------------------------------------------------------------------------------------------- */

#if HAVE_SECURE_UDP
static void take_sealed(int fd, VlpSecureForm form, VlpSecureHeader *ret_header, VlpFrame *ret_frame) {
        uint8_t key[VLP_KEY_SIZE], data[128], frame[VLP_FRAME_SIZE];
        ssize_t n = recv(fd, data, sizeof(data), 0);

        ck_assert_int_eq(n, form == VLP_SECURE_SHARED ? VLP_SECURE_SHARED_SIZE : VLP_SECURE_MASTER_SIZE);
        ck_assert_int_eq(vlp_secure_parse(data, (size_t) n, ret_header), 0);
        for (size_t i = 0; i < sizeof(key); i++)
                key[i] = (uint8_t) i;
        if (form == VLP_SECURE_MASTER)
                vlp_derive_agent_key(key, ret_header->agent_pid, key);
        ck_assert_int_eq(vlp_secure_open(data, (size_t) n, key, frame), 0);
        ck_assert_int_eq(vlp_frame_decode(frame, ret_frame), VLP_ERROR_NONE);
        if (form == VLP_SECURE_MASTER)
                ck_assert_uint_eq(ret_frame->pid, ret_header->agent_pid);
}

START_TEST(test_sealed) {
        ck_assert_int_eq(vlp_secure_init(), 0);
        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                VlpSecureHeader first, second;
                static Outcome o;
                VlpFrame frame;
                Place p;

                place_init(&p, AF_INET, "127.0.0.1");
                write_keys(p.path, KEY_TEXT, 0600);
                run((const char *[]){ p.udp, form == VLP_SECURE_SHARED ? p.shared : p.master, "--stdin",
                                      "--payload=9", NULL },
                    "degraded\n\n", &o);
                assert_sent(&o);
                take_sealed(p.fd, form, &first, &frame);
                ck_assert_uint_eq(frame.status, VLP_STATUS_DEGRADED);
                ck_assert_uint_eq(frame.payload, 9);
                take_sealed(p.fd, form, &second, &frame);
                ck_assert_uint_eq(frame.nonce, 2);
                ck_assert_mem_eq(first.iv_random, second.iv_random, sizeof(first.iv_random));
                ck_assert_uint_eq(second.iv_counter, first.iv_counter + 1);
                place_done(&p);
        }
}
END_TEST

/* What is wrong with a file of keys is said, and never what is in it. */
START_TEST(test_bad_keys) {
        static const struct {
                const char *title, *text;
                mode_t mode;
                const char *err;
        } cases[] = {
                { "others may read it", KEY_TEXT, 0644, "open to others" },
                { "its group may write it", KEY_TEXT, 0620, "open to others" },
                { "empty", "", 0600, "is empty" },
                { "too short", "000102030405060708\n", 0600, "64 hexadecimal digits" },
                { "not hexadecimal", "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1G\n",
                  0600, "64 hexadecimal digits" },
                { "nine keys",
                  KEY_TEXT KEY_TEXT KEY_TEXT KEY_TEXT KEY_TEXT KEY_TEXT KEY_TEXT KEY_TEXT KEY_TEXT, 0600,
                  "more than 8 keys" },
        };
        static Outcome o;
        char link[80];
        Place p;

        place_init(&p, AF_INET, "127.0.0.1");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                write_keys(p.path, cases[i].text, cases[i].mode);
                run((const char *[]){ p.udp, i % 2 ? p.shared : p.master, NULL }, NULL, &o);
                ck_assert_msg(o.code == 1 && strstr(o.err, cases[i].err) && strstr(o.err, p.path),
                              "%s: exit code %d, %s", cases[i].title, o.code, o.err);
                ck_assert_msg(!strstr(o.err, "0001020304") && !o.out[0], "%s: %s", cases[i].title, o.err);
        }

        write_keys(p.path, KEY_TEXT, 0600);
        (void) snprintf(link, sizeof(link), "--key-file=%s.link", p.path);
        ck_assert_int_eq(symlink(p.path, strchr(link, '=') + 1), 0);
        run((const char *[]){ p.udp, link, NULL }, NULL, &o);
        ck_assert_msg(o.code == 1 && strstr(o.err, "symbolic link"), "%s", o.err);
        ck_assert_int_eq(unlink(strchr(link, '=') + 1), 0);
        run((const char *[]){ p.udp, link, NULL }, NULL, &o);
        ck_assert_msg(o.code == 1 && strstr(o.err, "No such file"), "%s", o.err);
        run((const char *[]){ p.udp, "--key-file=/dev/null", NULL }, NULL, &o);
        ck_assert_msg(o.code == 1 && strstr(o.err, "no regular file"), "%s", o.err);
        ck_assert_int_lt(recv(p.fd, &(uint8_t){ 0 }, 1, 0), 0); /* nothing was sent */
        place_done(&p);
}
END_TEST
#else
START_TEST(test_without) {
        static Outcome o;
        Place p;

        place_init(&p, AF_INET, "127.0.0.1");
        write_keys(p.path, KEY_TEXT, 0600);
        run((const char *[]){ p.udp, p.shared, NULL }, NULL, &o);
        ck_assert_msg(o.code == 1 && strstr(o.err, "built without libsodium"), "%d %s", o.code, o.err);
        ck_assert_int_lt(recv(p.fd, &(uint8_t){ 0 }, 1, 0), 0);
        place_done(&p);
}
END_TEST
#endif

int main(void) {
        const NamedTest tests[] = {
                { "plain beats go to addresses of both families and to names", test_plain },
                { "one beat per line", test_lines },
                { "where nobody listens, the second beat says so", test_nobody },
                { "what makes no sense is said to", test_usage },
#if HAVE_SECURE_UDP
                { "sealed beats open with the key of the file, in both forms", test_sealed },
                { "a bad file of keys is refused by its name, its contents are not shown", test_bad_keys },
#else
                { "a build without cryptography says so and sends nothing", test_without },
#endif
        };

        return tests_main("ctl-beat-network", tests, ELEMENTSOF(tests));
}
