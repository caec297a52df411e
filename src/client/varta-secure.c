/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvarta-secure: sealed handles.
 *
 * A library of its own, because a program that beats over a socket of its own machine should not have to load
 * a cryptographic library, nor its distribution to follow that library's security updates for it. It stands
 * on the shared libvarta instead of containing it: a process has one sequence of nonces (see session.c), and
 * two copies of libvarta in it would have two.
 */

#include "client/varta-secure.h"
#include "client/sealer.h"

#define _public_ __attribute__((visibility("default")))

_public_ int varta_open_secure(const char *address, VartaKeyForm form, const uint8_t *key,
                               VartaAgent **ret) {
        VartaSealer *sealer;
        int r;

        if (!address || form < 0 || form >= _VARTA_KEY_FORM_MAX || !key || !ret)
                return -EINVAL;

        r = vlp_secure_init();
        if (r < 0)
                return r;

        r = varta_sealer_new(form, key, &sealer);
        if (r < 0)
                return r;

        VartaSeal seal = varta_sealer_as_seal(sealer);

        r = varta_open_sealed(address, &seal, ret);
        if (r < 0)
                (void) varta_sealer_free(sealer);

        return r;
}
