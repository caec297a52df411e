/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts of /proc and /sys, honest and hostile, and this very process. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recovery/process.h"
#include "runner.h"
#include "util/proc.h"

#define FIELDS_3_TO_21 " S 1 2 3 0 -1 4194560 105 0 0 0 0 0 0 0 20 0 1 0"

START_TEST(test_start_time) {
        static const struct {
                const char *title, *text;
                int expected;
                uint64_t start;
        } rows[] = {
                { "the kernel's own", "7 (cat)" FIELDS_3_TO_21 " 8157 5 6\n", 0, 8157 },
                { "a name with a parenthesis", "7 (a) S 1)" FIELDS_3_TO_21 " 8157 5\n", 0, 8157 },
                { "a name with a line end", "7 (a\nb)" FIELDS_3_TO_21 " 8157 5\n", 0, 8157 },
                { "the last field", "7 (cat)" FIELDS_3_TO_21 " 8157", 0, 8157 },
                { "the largest", "7 (cat)" FIELDS_3_TO_21 " 18446744073709551615 1", 0, UINT64_MAX },
                { "too large", "7 (cat)" FIELDS_3_TO_21 " 18446744073709551616 1", -EINVAL, 0 },
                { "negative", "7 (cat)" FIELDS_3_TO_21 " -1 1", -EINVAL, 0 },
                { "not a number", "7 (cat)" FIELDS_3_TO_21 " x 1", -EINVAL, 0 },
                { "cut short", "7 (cat)" FIELDS_3_TO_21, -EINVAL, 0 },
                { "no name", "7 cat" FIELDS_3_TO_21 " 8157", -EINVAL, 0 },
                { "empty", "", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t start = 0;

                ck_assert_msg(proc_parse_start_time(rows[i].text, &start) == rows[i].expected, "%s",
                              rows[i].title);
                ck_assert_msg(start == rows[i].start, "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_status) {
        static const struct {
                const char *title, *text;
                int expected;
                uint32_t tracer;
                unsigned namespaces;
        } rows[] = {
                { "alone", "Name:\tcat\nTracerPid:\t0\nUid:\t0\nNSpid:\t7\n", 0, 0, 1 },
                { "traced", "TracerPid:\t4711\nNSpid:\t7\n", 0, 4711, 1 },
                { "in a container", "TracerPid:\t0\nNSpid:\t7\t12\t1\nNSsid:\t1\n", 0, 0, 3 },
                { "a kernel without NSpid", "TracerPid:\t0\n", 0, 0, 0 },
                { "a key that ends like ours", "XTracerPid:\t5\nTracerPid:\t6\n", 0, 6, 0 },
                { "no TracerPid", "Name:\tcat\nNSpid:\t7\n", -EINVAL, 0, 0 },
                { "an empty TracerPid", "TracerPid:\n", -EINVAL, 0, 0 },
                { "a tracer beyond all numbers is one all the same", "TracerPid:\t99999999999999999999999\n",
                  0, UINT32_MAX, 0 },
                { "empty", "", -EINVAL, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ProcessStatus status = {};

                ck_assert_msg(process_parse_status(rows[i].text, &status) == rows[i].expected, "%s",
                              rows[i].title);
                ck_assert_msg(status.tracer == rows[i].tracer, "%s", rows[i].title);
                ck_assert_msg(status.namespaces == rows[i].namespaces, "%s", rows[i].title);
        }
}
END_TEST

START_TEST(test_cgroup) {
        static const struct {
                const char *title, *text;
                int expected;
                const char *path;
        } rows[] = {
                { "a service", "0::/system.slice/a.service\n", 0, "/system.slice/a.service" },
                { "beside old hierarchies", "1:name=x:/y\n0::/z\n", 0, "/z" },
                { "the root", "0::/\n", 0, "/" },
                { "none", "1:name=x:/y\n", -ENOENT, "" },
                { "not a path", "0::y\n", -ENOENT, "" },
                { "too long", "0::/123456789012345678901234567890\n", -ENAMETOOLONG, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char path[30] = "";

                ck_assert_msg(process_parse_cgroup(rows[i].text, path, sizeof(path)) == rows[i].expected,
                              "%s", rows[i].title);
                ck_assert_str_eq(path, rows[i].path);
        }
}
END_TEST

START_TEST(test_frozen) {
        ck_assert(process_parse_frozen("populated 1\nfrozen 1\n"));
        ck_assert(!process_parse_frozen("populated 1\nfrozen 0\n"));
        ck_assert(!process_parse_frozen("populated 1\n"));
        ck_assert(!process_parse_frozen("unfrozen 1\n"));
        ck_assert(!process_parse_frozen(""));
}
END_TEST

START_TEST(test_this_process) {
        char path[64], text[PROCESS_TEXT_MAX];
        ProcessStatus status;
        uint64_t start = 0;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) getpid());
        ck_assert_int_gt(process_read_text(NULL, path, text, sizeof(text)), 0);
        ck_assert_int_eq(proc_parse_start_time(text, &start), 0);
        ck_assert_uint_gt(start, 0);
        (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) getpid());
        ck_assert_int_gt(process_read_text(NULL, path, text, sizeof(text)), 0);
        ck_assert_int_eq(process_parse_status(text, &status), 0);
        ck_assert_uint_ge(status.namespaces, 1);
}
END_TEST

START_TEST(test_read_text) {
        char text[8] = "";

        ck_assert_int_eq(process_read_text(NULL, "/proc/self/nowhere", text, sizeof(text)), -ENOENT);
        ck_assert_int_eq(process_read_text(NULL, "/proc/self", text, sizeof(text)), -ELOOP);
        ck_assert_int_eq(process_read_text(NULL, "/proc", text, sizeof(text)), -EISDIR);
        ck_assert_msg(process_read_text(NULL, "/proc/mounts", text, sizeof(text)) < 0,
                      "a link is not followed");
        ck_assert_msg(process_read_text(NULL, "/proc/version", text, sizeof(text)) == 7,
                      "what is long is cut");
        ck_assert_str_eq(text, "Linux v");
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_start_time, test_status, test_cgroup, test_frozen, test_this_process, test_read_text,
        };

        return run_tests("recovery-process", tests, ELEMENTSOF(tests));
}
