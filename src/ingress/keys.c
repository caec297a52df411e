/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading secrets.
 *
 * The checks are for the administrator's sake: a key that others could read or replace is no key, and saying so at load is
 * the last moment at which it helps. They are made on the opened file, not on its path.
 */

#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ingress/keys.h"
#include "util/fd.h"

/* One byte more than the longest that can be right. */
#define KEY_FILE_MAX (VLP_KEY_TEXT_MAX + 1)

static int refuse(char **ret_reason, int error, const char *format, ...) _printf_(3, 4);
static int refuse(char **ret_reason, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_reason, format, ap) < 0)
                *ret_reason = NULL;
        va_end(ap);
        return *ret_reason ? error : -ENOMEM;
}

static void wipe(uint8_t (*buf)[KEY_FILE_MAX]) {
        sodium_memzero(*buf, sizeof(*buf));
}

/* systemd gives a service its credentials in a directory of its own, and where that file system has ACLs, by an entry for the
 * service's user on root's file: the group's bits are then the mask of that entry, and let no group in but root's. */
static bool is_credential(const char *path, const struct stat *st) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        size_t n;

        if (!directory || st->st_uid != 0 || st->st_gid != 0)
                return false;
        n = strlen(directory);
        return strncmp(path, directory, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static int check_file(const char *path, int fd, char **ret_reason) {
        mode_t closed = 077;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return refuse(ret_reason, negative_errno(), "%s: cannot be looked at: %s", path,
                              strerror(errno));
        if (!S_ISREG(st.st_mode))
                return refuse(ret_reason, -EINVAL, "%s: not a regular file; a key file has to be one", path);
        if (st.st_uid != geteuid() && st.st_uid != 0)
                return refuse(ret_reason, -EPERM,
                              "%s: owned by uid %u; a key file has to be owned by uid %u or root", path,
                              (unsigned) st.st_uid, (unsigned) geteuid());
        if (is_credential(path, &st))
                closed = 037;
        if (st.st_mode & closed)
                return refuse(ret_reason, -EPERM,
                              "%s: mode %04o lets others in; a key file has to be closed to group and "
                              "others (0600)",
                              path, (unsigned) (st.st_mode & 07777));
        return 0;
}

/* Whoever can write the directory can put another file in its place. */
static int check_directory(const char *path, char **ret_reason) {
        _cleanup_free_ char *copy = strdup(path);
        struct stat st;
        const char *dir;

        if (!copy)
                return -ENOMEM;
        dir = dirname(copy);
        if (stat(dir, &st) < 0)
                return refuse(ret_reason, negative_errno(), "%s: cannot be looked at: %s", dir,
                              strerror(errno));
        if (st.st_mode & 022)
                return refuse(ret_reason, -EPERM,
                              "%s: mode %04o lets others replace the key file in it; only its owner may "
                              "write it",
                              dir, (unsigned) (st.st_mode & 07777));
        return 0;
}

static int open_key_file(const char *path, char **ret_reason) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 && errno == ELOOP)
                return refuse(ret_reason, -ELOOP, "%s: a link; a key file has to be a regular file", path);
        if (fd < 0)
                return refuse(ret_reason, negative_errno(), "%s: cannot be opened: %s", path,
                              strerror(errno));
        r = check_file(path, fd, ret_reason);
        if (r < 0)
                return r;
        r = check_directory(path, ret_reason);
        if (r < 0)
                return r;
        return TAKE_FD(fd);
}

static int read_all(const char *path, int fd, uint8_t *buf, size_t size, char **ret_reason) {
        size_t n = 0;

        while (n < size) {
                ssize_t k = read(fd, buf + n, size - n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return refuse(ret_reason, negative_errno(), "%s: cannot be read: %s", path,
                                      strerror(errno));
                if (k == 0)
                        return (int) n;
                n += (size_t) k;
        }
        return refuse(ret_reason, -EFBIG, "%s: too long; allowed are 1 to %d lines of %d hex digits each",
                      path, VLP_KEYS_MAX, VLP_KEY_DIGITS);
}

static int load_form(KeyRing *keys, VlpSecureForm form, const char *path, char **ret_reason) {
        uint8_t text[KEY_FILE_MAX] _cleanup_(wipe) = {};
        _cleanup_close_ int fd = -1;
        int n;

        fd = open_key_file(path, ret_reason);
        if (fd < 0)
                return fd;
        n = read_all(path, fd, text, sizeof(text), ret_reason);
        if (n < 0)
                return n;
        n = vlp_keys_parse((const char *) text, (size_t) n, keys->keys[form]);
        if (n < 0)
                return refuse(ret_reason, n,
                              "%s: %s; allowed are 1 to %d lines of %d hex digits each, and nothing else",
                              path,
                              n == -ENODATA ? "no key in it"
                              : n == -E2BIG ? "too many keys"
                                            : "a line that is not a key",
                              VLP_KEYS_MAX, VLP_KEY_DIGITS);
        keys->n[form] = (size_t) n;
        return 0;
}

/* A number for a key that says nothing of it: half a hash of it, its form in the hash's key. */
static uint64_t scope_of(const uint8_t *key, VlpSecureForm form) {
        uint8_t hash[crypto_generichash_BYTES], tag = (uint8_t) form;
        uint64_t scope;

        (void) crypto_generichash(hash, sizeof(hash), key, VLP_KEY_SIZE, NULL, 0);
        hash[0] ^= tag;
        memcpy(&scope, hash, sizeof(scope));
        sodium_memzero(hash, sizeof(hash));
        return scope != 0 ? scope : 1; /* 0 is this host */
}

int keys_load(const char *shared, const char *master, KeyRing **ret, char **ret_reason) {
        _cleanup_(keys_freep) KeyRing *keys = NULL;
        const char *const paths[_VLP_SECURE_FORM_MAX] = {
                [VLP_SECURE_SHARED] = shared, [VLP_SECURE_MASTER] = master
        };
        int r;

        assert(ret && ret_reason);

        r = vlp_secure_init();
        if (r < 0)
                return refuse(ret_reason, r, "libsodium cannot work on this machine");
        keys = sodium_malloc(sizeof(KeyRing)); /* locked, guarded, out of core dumps */
        if (!keys)
                return refuse(ret_reason, -ENOMEM, "no memory that can be locked: raise LimitMEMLOCK=");
        memset(keys, 0, sizeof(*keys));

        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                if (!paths[form])
                        continue;
                r = load_form(keys, form, paths[form], ret_reason);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < keys->n[form]; i++)
                        keys->scopes[form][i] = scope_of(keys->keys[form][i], form);
        }
        *ret = TAKE_PTR(keys);
        return 0;
}

KeyRing *keys_free(KeyRing *keys) {
        if (keys)
                sodium_free(keys); /* wipes */
        return NULL;
}
