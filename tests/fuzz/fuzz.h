/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What every fuzzer says: its entry, and a check that stays in every build. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                    \
        do {                                                                                                \
                if (!(condition)) {                                                                         \
                        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);             \
                        abort();                                                                            \
                }                                                                                           \
        } while (0)
