/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Headers of any kind: an answer comes, a token lies within its header, and only the token equals the token. */

#include <string.h>

#include "exporter/accept.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char token[] = "0123456789abcdef";
        char *header = malloc(size + 1);
        const char *found;
        size_t n;

        CHECK(header);
        if (size > 0) /* there may be no data at all to point at */
                memcpy(header, data, size);
        header[size] = 0;

        CHECK(metrics_content_type(accept_choose(header)));
        if (accept_choose(header) == METRICS_OPENMETRICS)
                CHECK(strcasestr(header, "openmetrics-text"));

        found = bearer_find(header, &n);
        if (found) {
                CHECK(n > 0 && found > header && found + n <= header + size);
                CHECK(token_equal(token, strlen(token), found, n) ==
                      (n == strlen(token) && memcmp(token, found, n) == 0));
                CHECK(!token_is_valid(found, n) || (n >= TOKEN_MIN && n <= TOKEN_MAX));
        }
        CHECK(token_is_valid(header, size) == token_is_valid((const char *) data, size));

        free(header);
        return 0;
}
