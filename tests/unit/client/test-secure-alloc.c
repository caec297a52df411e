/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No memory is asked for after varta_open_secure(), neither by the library nor by libsodium below it, which
 * is why the allocation functions of the whole process are replaced here and not only our own calls of them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "listener.h"

static _Atomic unsigned n_allocations;

#if defined(__SANITIZE_ADDRESS__)
#define REPLACED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REPLACED 0
#endif
#endif
#ifndef REPLACED
#define REPLACED 1
#endif

#if REPLACED

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

void *malloc(size_t size) {
        n_allocations++;
        return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        n_allocations++;
        return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
        n_allocations++;
        return __libc_realloc(p, size);
}

void free(void *p) {
        n_allocations++;
        __libc_free(p);
}

#endif

/* Every kind of beat, a rotation and a process's first beat among them. */
static unsigned beat_all_kinds(Capture *c) {
        unsigned n_before = n_allocations, n_wrong = 0;

        for (int i = 0; i < 100; i++) {
                if (i == 50)
                        c->iv->position = UINT32_MAX - 5;
                n_wrong += varta_beat(c->agent, VARTA_STATUS_OK, 0) != VARTA_SENT;
                n_wrong += varta_beat_wait(c->agent, VARTA_STATUS_DEGRADED, 0, 10) != VARTA_SENT;
                n_wrong += varta_beat_terminal(c->agent, 0, 0) != VARTA_SENT;
        }

        return n_allocations - n_before + n_wrong;
}

START_TEST(test_beats) {
        VlpSecureHeader header;
        VlpFrame frame;
        Capture c;

        if (!REPLACED) {
                printf("Not tested here: allocations, since a sanitizer has its own.\n");
                return;
        }

        /* Shows that the counter sees the library. */
        n_allocations = 0;
        capture_open(&c, (VartaKeyForm) _i, AF_INET);
        ck_assert_uint_gt(n_allocations, 0);

        ck_assert_uint_eq(beat_all_kinds(&c), 0);
        while (capture_take(&c, &header, &frame))
                ;

        capture_close(&c);
}
END_TEST

START_TEST(test_child) {
        VlpSecureHeader header;
        VlpFrame frame;
        Capture c;
        int status;
        pid_t pid;

        if (!REPLACED)
                return;

        capture_open(&c, (VartaKeyForm) _i, AF_INET);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                _exit(beat_all_kinds(&c) == 0 ? 0 : 1);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        while (capture_take(&c, &header, &frame))
                ;

        capture_close(&c);
}
END_TEST

int main(void) {
        Suite *s = suite_create("client-secure-alloc");
        SRunner *runner;
        int n_failed;
        TCase *tc;

        if (vlp_secure_init() < 0)
                return 1;

        tc = tcase_create("no sealed beat allocates");
        tcase_add_loop_test(tc, test_beats, 0, _VARTA_KEY_FORM_MAX);
        suite_add_tcase(s, tc);
        tc = tcase_create("no sealed beat of a child allocates");
        tcase_add_loop_test(tc, test_child, 0, _VARTA_KEY_FORM_MAX);
        suite_add_tcase(s, tc);

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);

        return n_failed == 0 ? 0 : 1;
}
