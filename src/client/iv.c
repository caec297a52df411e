/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pairs that never come again.
 *
 * ChaCha20-Poly1305 forgives no second frame under one key and nonce: whoever sees two can forge at will. So
 * everything here is arranged for one proof to be short.
 *
 * Within a process, a pair is the image of a position, a 64-bit number that one atomic addition takes and
 * that never goes back. Its lower half is iv_counter; its upper half is the index of the prefix, iv_random.
 * The carry from one to the other *is* the rotation: there is no moment at which one thread has rotated and
 * another one has not noticed. A signal handler at any instruction, a beat that is taken and not sent, a
 * handle on which nothing is sent for a year: all the same addition. (The index wraps after 2^64 beats. At a
 * hundred per second that takes six billion years.)
 *
 * Between processes, prefixes differ because each comes from the kernel's entropy, drawn at a process's
 * first beat: 8 bytes are the prefix of index 0, which serves for 2^32 beats, and 16 are the salt from which
 * the protocol derives those of the other indexes. What makes them the process's own is the kernel's work,
 * too: the memory asks to be cleared in every child, so that a child, however it came about, finds nothing
 * and draws for itself. Comparing pids would not do: when a parent is gone its number is free, a grandchild
 * may well get it, and would go on with the positions that its grandparent went on to use. A process in a new
 * pid namespace may have its parent's number without anybody dying.
 *
 * Each word of entropy is written once, by whoever exchanges it for the zero first. Hence all threads that
 * meet at a process's first beat, and the handlers that interrupt them, agree without waiting for each other.
 *
 * What the kernel cannot clear is registers and stacks. A signal handler may fork in the middle of a beat and
 * return into it in the child, which then goes on with numbers of its parent's:
 *   - A parent's prefix with a position of the child's would be a pair that the parent used long ago. So the
 *     owner is looked at once more when the pair is complete. In the child it is not the one that the beat
 *     began with, and the beat is refused. From then on until it is sent, parent and child hold the same
 *     pair for the same complete frame: the same datagram twice, and no harm.
 *   - Words that were drawn and not written yet would be written by both. So the pid is mixed into what is
 *     made of them, and they become different prefixes.
 *
 * None of this is secret, as little as the prefixes on the wire are.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/iv.h"

/* Otherwise the compiler would put a hidden lock around them, and a signal handler could wait for itself. */
static_assert(ATOMIC_INT_LOCK_FREE == 2 && sizeof(pid_t) == sizeof(int), "pids are lock-free");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit numbers are lock-free");

#define N_WORDS (sizeof(((VartaIv *) NULL)->entropy) / sizeof(uint64_t))

static_assert(VLP_IV_RANDOM_SIZE == sizeof(uint64_t), "a prefix is the first word");
static_assert(VLP_IV_RANDOM_SIZE + VLP_SALT_SIZE == N_WORDS * sizeof(uint64_t), "a salt is the others");

/* Whether the memory is that of `pid`; it becomes the calling process's if it was nobody's. */
static bool iv_is_owned(VartaIv *iv, pid_t pid) {
        pid_t owner = atomic_load(&iv->owner);

        if (owner == 0) {
                pid_t self = getpid();

                if (atomic_compare_exchange_strong(&iv->owner, &owner, self))
                        owner = self;
        }

        return owner == pid;
}

/* Writes a word that is still zero, and returns what is in it then. */
static uint64_t word_write(_Atomic uint64_t *word, uint64_t value) {
        uint64_t found = 0;

        return atomic_compare_exchange_strong(word, &found, value) ? value : found;
}

/* The process's entropy, drawn now if this is its first beat. GRND_NONBLOCK: a beat never waits, not even
 * for a machine that has just been switched on. */
static int iv_entropy(VartaIv *iv, uint64_t ret[N_WORDS]) {
        uint64_t fresh[N_WORDS];
        bool drawn = true;
        ssize_t n;

        for (size_t i = 0; i < N_WORDS; i++) {
                ret[i] = atomic_load(&iv->entropy[i]);
                drawn = drawn && ret[i] != 0;
        }
        if (drawn)
                return 0;

        n = getrandom(fresh, sizeof(fresh), GRND_NONBLOCK);
        if (n < 0)
                return -errno;
        if (n != sizeof(fresh))
                return -EIO;

        /* Zero means "not drawn"; it comes up once in 2^64 times. */
        for (size_t i = 0; i < N_WORDS; i++)
                ret[i] = word_write(&iv->entropy[i], fresh[i] == 0 ? 1 : fresh[i]);

        return 0;
}

/* The prefix of an index, from a process's entropy. */
static void prefix_make(const uint64_t entropy[N_WORDS], pid_t pid, uint32_t index,
                        uint8_t ret[VLP_IV_RANDOM_SIZE]) {
        uint64_t mixed[N_WORDS];
        uint8_t salt[VLP_SALT_SIZE];

        for (size_t i = 0; i < N_WORDS; i++)
                mixed[i] = entropy[i] ^ (uint32_t) pid;

        if (index == 0) {
                memcpy(ret, mixed, VLP_IV_RANDOM_SIZE);
                return;
        }

        memcpy(salt, mixed + 1, sizeof(salt));
        vlp_derive_iv_prefix(salt, index, ret);
}

int varta_iv_take(VartaIv *iv, pid_t pid, uint8_t ret_iv_random[VLP_IV_RANDOM_SIZE],
                  uint32_t *ret_iv_counter) {
        uint64_t entropy[N_WORDS], position;
        int r;

        assert(iv && ret_iv_random && ret_iv_counter);

        if (!iv_is_owned(iv, pid))
                return -EOPNOTSUPP;

        r = iv_entropy(iv, entropy);
        if (r < 0)
                return r;

        position = atomic_fetch_add(&iv->position, 1);
        prefix_make(entropy, pid, (uint32_t) (position >> 32), ret_iv_random);
        *ret_iv_counter = (uint32_t) position;

        /* See above: the last thing that is done. */
        return atomic_load(&iv->owner) == pid ? 0 : -EOPNOTSUPP;
}
