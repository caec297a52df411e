/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Counting the allocator's calls. glibc exports its own functions under a second name for exactly this. */

#include <stddef.h>
#include <stdlib.h>

#include "allocations.h"
#include "util/macro.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static _Thread_local uint64_t calls;

uint64_t allocations_of_this_thread(void) {
        return calls;
}

_public_ void *malloc(size_t size) {
        calls++;
        return __libc_malloc(size);
}

_public_ void *calloc(size_t n, size_t size) {
        calls++;
        return __libc_calloc(n, size);
}

_public_ void *realloc(void *p, size_t size) {
        calls++;
        return __libc_realloc(p, size);
}

_public_ void *aligned_alloc(size_t alignment, size_t size) {
        calls++;
        return __libc_memalign(alignment, size);
}

_public_ void free(void *p) {
        __libc_free(p);
}
