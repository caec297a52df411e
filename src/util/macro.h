/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The small vocabulary every file speaks: cleanup attributes, ownership hand-over, array sizes, limits.
 * Nothing here does I/O and nothing here allocates.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _const_        __attribute__((const))
#define _pure_         __attribute__((pure))
#define _unused_       __attribute__((unused))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _warn_unused_  __attribute__((warn_unused_result))
#define _packed_       __attribute__((packed))
#define _public_       __attribute__((visibility("default")))
#define _likely_(x)    __builtin_expect(!!(x), 1)
#define _unlikely_(x)  __builtin_expect(!!(x), 0)

#define ELEMENTSOF(x)   (sizeof(x) / sizeof((x)[0]))
#define STRLEN(literal) (sizeof("" literal "") - 1)
#define MIN(a, b)                                                                                           \
        ({                                                                                                  \
                __typeof__(a) _min_a = (a);                                                                 \
                __typeof__(b) _min_b = (b);                                                                 \
                _min_a < _min_b ? _min_a : _min_b;                                                          \
        })
#define MAX(a, b)                                                                                           \
        ({                                                                                                  \
                __typeof__(a) _max_a = (a);                                                                 \
                __typeof__(b) _max_b = (b);                                                                 \
                _max_a > _max_b ? _max_a : _max_b;                                                          \
        })

/* Hands a pointer over: the local forgets it, so that its cleanup attribute frees nothing. */
#define TAKE_PTR(p)                                                                                         \
        ({                                                                                                  \
                __typeof__(p) *_take_pp = &(p);                                                             \
                __typeof__(p) _take_p = *_take_pp;                                                          \
                *_take_pp = NULL;                                                                           \
                _take_p;                                                                                    \
        })

/* The same for a file descriptor, whose "none" is -1. */
#define TAKE_FD(fd)                                                                                         \
        ({                                                                                                  \
                int *_take_fd = &(fd);                                                                      \
                int _take_v = *_take_fd;                                                                    \
                *_take_fd = -1;                                                                             \
                _take_v;                                                                                    \
        })

/* Defines thing_freep() for _cleanup_(thing_freep) from a thing_free() that takes NULL. */
#define DEFINE_CLEANUP_FUNC(type, func)                                                                     \
        static inline void func##p(type **p) {                                                              \
                if (*p)                                                                                     \
                        func(*p);                                                                           \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)
