/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * libvarta-secure: heartbeats that travel through networks, sealed with ChaCha20-Poly1305. A library of its
 * own beside libvarta, so that programs which beat on their own machine need no cryptography: what is opened
 * here is an ordinary VartaAgent, and everything that varta.h says of it holds, as do its functions.
 *
 *         uint8_t key[VARTA_KEY_SIZE];
 *         VartaAgent *agent;
 *         int r;
 *
 *         r = varta_key_from_file("/etc/example/varta.key", key);
 *         if (r < 0)
 *                 return r;
 *
 *         r = varta_open_secure("udp:192.0.2.1:8674", VARTA_KEY_SHARED, key, &agent);
 *         explicit_bzero(key, sizeof(key));
 *         if (r < 0)
 *                 return r;
 *
 *         varta_beat_wait(agent, VARTA_STATUS_OK, 0, 100);
 *
 * What it protects. Nobody without a key can read, forge or change a beat, and the observer knows a beat that
 * it has seen before. Whoever controls the network can still hold beats back: that looks like silence. With
 * a shared key, any holder of it can speak for any other. There is no forward secrecy.
 *
 * Nonces. No two frames are ever sealed under one key with the same nonce: each process draws 16 bytes of
 * the kernel's entropy at its first beat, children included, and counts from there; when the kernel has none
 * to give, beats fail rather than repeat one. What this cannot see through is a copy of the whole machine: a
 * virtual machine that is started twice from one snapshot sends the same nonces twice. Start the agent after
 * the snapshot, or restart it.
 *
 * Signal handlers. Beats on these handles are async-signal-safe like all others: sealing computes on the
 * stack (it takes about 3 KiB of it, which counts on a signal stack), takes no lock and allocates nothing.
 * The two functions declared here are not async-signal-safe.
 */

#include <errno.h>
#include <stdint.h>

#include "varta.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a key, shared or master. */
#define VARTA_KEY_SIZE 32

/* How an agent and its observer share a key. */
typedef enum VartaKeyForm {
        VARTA_KEY_SHARED = 0, /* the key itself seals the frames of all agents that have it */
        VARTA_KEY_MASTER = 1, /* each process seals with a key derived from it and from its pid */
        _VARTA_KEY_FORM_MAX,
        _VARTA_KEY_FORM_INVALID = -EINVAL
} VartaKeyForm;

/* Opens a way to the observer at `address`, which has one of the "udp:..." forms of varta_open(), for beats
 * sealed with the VARTA_KEY_SIZE bytes at `key`.
 *
 * The key is copied, into memory that is kept out of core dumps and swap (the latter as far as RLIMIT_MEMLOCK
 * allows) and wiped by varta_close(); the caller's copy is the caller's to wipe. A child that goes on with
 * the handle goes on with the key; in the master form it derives its own for its pid.
 *
 * Takes one descriptor and two pages of memory besides what varta_open() takes, before its first beat. In the
 * first second after the machine has been switched on, may wait until the kernel has entropy.
 *
 * Returns 0 and, in *ret, a handle that the caller owns and gives to varta_close(); or, with *ret untouched:
 *   -EINVAL           an argument is NULL, `form` is none of the two, or `address` is malformed
 *   -EPROTONOSUPPORT  `address` is well-formed but not a "udp:..." one
 *   -ENODEV           the interface in `address` does not exist
 *   -EOPNOTSUPP       this build has no cryptography
 *   -EIO              libsodium cannot work here
 *   -ENOMEM, -EMFILE, -ENFILE, -ENOBUFS, -EACCES, -EAFNOSUPPORT   as mmap(), madvise() and socket() say
 *
 * Beats on the handle may return, besides what varta_beat() says:
 *   -EAGAIN, -ENOSYS, -EPERM, -EIO   the kernel has no entropy to give (-EAGAIN: not yet), so nothing is sent;
 *                                    the next beat asks again
 *   -EOPNOTSUPP                      also: the process shares its parent's memory (vfork()) */
int varta_open_secure(const char *address, VartaKeyForm form, const uint8_t *key, VartaAgent **ret);

/* Reads the current key from a file: 64 hexadecimal digits in its first line. Further lines hold keys that
 * an observer accepts while keys are being replaced, at most 8 in all; they must be well-formed, too.
 *
 * The file must be a regular one and not a symbolic link, belong to this process's user or to root, and be
 * accessible to nobody else. (A file of root and its group with mode 0440 passes as well: so systemd shows the
 * credentials of a service with User=, which an access list opens to that user alone.) Nothing of it stays in
 * memory but what is returned.
 *
 * Returns 0 and VARTA_KEY_SIZE bytes at `ret_key`, which the caller wipes; or, with `ret_key` untouched:
 *   -EINVAL     `path` or `ret_key` is NULL
 *   -ELOOP      it is a symbolic link
 *   -EISDIR     it is a directory
 *   -EBADFD     it is another thing than a regular file
 *   -EPERM      it belongs to somebody else, or others may access it
 *   -ENODATA    it is empty
 *   -EBADMSG    a line has not exactly 64 hexadecimal digits
 *   -E2BIG      it holds more than 8 keys
 *   -EOPNOTSUPP this build has no cryptography
 *   -ENOENT, -EACCES, -EIO, ...   as open() and read() say */
int varta_key_from_file(const char *path, uint8_t *ret_key);

#ifdef __cplusplus
}
#endif
