/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The walk through ancillary data. The input is the control buffer as it is, with lengths that no kernel would write; the
 * walk must stay inside it, and hand over as many descriptors as it says.
 */

#include <string.h>

#include "fuzz.h"
#include "ingress/control.h"

static uint32_t closed;

static void count(int fd) {
        closed++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct msghdr message = {};
        Control control;
        uint8_t *copy;

        /* Aligned as the kernel's buffers are, and of exactly this size. */
        copy = malloc(size > 0 ? size : 1);
        CHECK(copy);
        if (size > 0)
                memcpy(copy, data, size);
        message.msg_control = copy;
        message.msg_controllen = size;

        closed = 0;
        control_parse(&message, count, &control);
        CHECK(control.descriptors == closed);
        CHECK(closed <= size / sizeof(int));
        CHECK(control.has_credentials || (control.pid == 0 && control.uid == 0));
        free(copy);
        return 0;
}
