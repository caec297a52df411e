/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An observer needs no capability at all. The unit file gives none; this is for the observer that is started by hand,
 * perhaps by root, and for the proof: what is held is asked of the kernel afterwards and shown on the bus.
 */

#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "daemon/privilege.h"
#include "util/fd.h"

static void cap_freep(cap_t *caps) {
        if (*caps)
                (void) cap_free(*caps);
}

int privilege_drop(void) {
        _cleanup_(cap_freep) cap_t caps = NULL, held = NULL;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return negative_errno();

        /* Only a process that still has CAP_SETPCAP can shrink its bounding set; one without gains nothing by it. */
        for (cap_value_t c = 0; c < cap_max_bits(); c++)
                if (cap_get_bound(c) == 1)
                        (void) cap_drop_bound(c);
        (void) cap_reset_ambient();

        caps = cap_init();
        if (!caps)
                return negative_errno();
        /* The sandbox of our unit leaves nothing to give up, and takes capset() away as well. */
        held = cap_get_proc();
        if (held && cap_compare(held, caps) == 0)
                return 0;
        if (cap_set_proc(caps) < 0)
                return negative_errno();
        return 0;
}

int privilege_describe(char **ret) {
        _cleanup_(cap_freep) cap_t caps = NULL;
        const char *description;
        char *text = NULL, *copy;

        caps = cap_get_proc();
        if (caps) {
                text = cap_to_text(caps, NULL);
                if (!text)
                        return -ENOMEM;
        }
        description = !text ? "unknown" : strcmp(text, "=") == 0 ? "none" : text;
        copy = strdup(description);
        if (text)
                (void) cap_free(text);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}
