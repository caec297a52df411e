/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands in for libvarta-secure within this project where it is built without libsodium: our programs
 * can then say so when they are asked for a sealed beat. It is not installed; other programs find out when
 * they are built.
 */

#include "client/varta-secure.h"

int varta_open_secure(const char *address, VartaKeyForm form, const uint8_t *key, VartaAgent **ret) {
        return -EOPNOTSUPP;
}

int varta_key_from_file(const char *path, uint8_t *ret_key) {
        return -EOPNOTSUPP;
}
