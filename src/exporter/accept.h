/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What clients write in their headers. Pure: text in, answer out. */

#include <stdbool.h>
#include <stddef.h>

#include "metrics/metrics.h"

/* The form that an Accept header (NULL: none was sent) wants most: OpenMetrics only where it is named and no less welcome than
 * plain text, else text 0.0.4, which everybody reads. Never fails: what makes no sense is passed over. */
MetricsForm accept_choose(const char *header);

/* The token of an Authorization header (NULL: none was sent) of the scheme Bearer. Returns NULL when it is another scheme or
 * no token; otherwise the token in the header itself, and its length. */
const char *bearer_find(const char *header, size_t *ret_size);

/* Whether the two are equal. How long that takes depends on the length of `given` only. `token` is not empty. */
bool token_equal(const char *token, size_t token_size, const char *given, size_t given_size);

/* Whether this may be a token: 16 to 1,024 letters, digits and -._~+/ with = at its end (RFC 6750, and long enough not to be
 * guessed). */
#define TOKEN_MIN 16U
#define TOKEN_MAX 1024U
bool token_is_valid(const char *token, size_t size);
