/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One rule for all names of an instance, so that whoever knows one of them knows the others. */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "util/instance.h"

bool instance_is_valid(const char *instance) {
        size_t n = strspn(instance, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

        return n > 0 && n <= INSTANCE_MAX && instance[n] == 0;
}

const char *instance_name(char buf[static INSTANCE_NAME_SIZE], const char *before, const char *instance,
                          const char *behind) {
        assert(before && behind);

        (void) snprintf(buf, INSTANCE_NAME_SIZE, "%s%s%s%s", before, instance ? "@" : "",
                        instance ? instance : "", behind);
        return buf;
}

const char *instance_bus_name(char buf[static INSTANCE_NAME_SIZE], const char *first, const char *instance) {
        assert(first);

        (void) snprintf(buf, INSTANCE_NAME_SIZE, "%s%s%s", first, instance ? "._" : "",
                        instance ? instance : "");
        return buf;
}
