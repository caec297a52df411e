/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Counts calls of the allocator: whoever links allocations.c has malloc() and its relatives replaced, in every library
 * of the process, by ones that count and pass on to glibc's.
 */

#include <stdint.h>

/* Calls of malloc(), calloc(), realloc() and aligned_alloc() by this thread so far. */
uint64_t allocations_of_this_thread(void);
