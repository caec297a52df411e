/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys in memory, and frames sealed with them.
 *
 * A sealer is two pages of its own, outside of the heap. The first holds the key that the program gave, and
 * children inherit it: they go on with the handle and need it. The second holds what belongs to one process,
 * the state of its pairs and the key derived for its pid, and the kernel clears it in every child (see iv.c
 * for why the kernel, and not a comparison of pids). Both are left out of core dumps, kept from being swapped
 * out where the limit on locked memory allows, and wiped before they are given back. Children do not inherit
 * the lock, so each process locks again at its first beat.
 *
 * A frame is complete before its pair is taken; iv.c counts on that.
 *
 * Sealing allocates nothing, takes no lock and makes no system call (a process's first beat makes a few, none
 * of which waits): libsodium's AEAD and HMAC compute on the stack. That is what lets a crashing process seal
 * its last word in a signal handler.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/sealer.h"

static_assert(VARTA_KEY_SIZE == VLP_KEY_SIZE, "keys are the protocol's");
static_assert(VARTA_DATAGRAM_MAX >= VLP_SECURE_MAX_SIZE, "sealed frames fit");

#define KEY_WORDS (VLP_KEY_SIZE / sizeof(uint64_t))

/* What the kernel clears in children. */
typedef struct SealerProcess {
        VartaIv iv;
        _Atomic uint64_t agent_key[KEY_WORDS]; /* master form: derived for agent_key_pid */
        _Atomic pid_t agent_key_pid;           /* 0: not yet */
        atomic_bool locked;                    /* whether that was tried */
} SealerProcess;

/* What children inherit; never changed. */
struct VartaSealer {
        SealerProcess *process; /* the next page */
        size_t size;            /* of both pages, bytes */
        VartaKeyForm form;
        uint8_t key[VLP_KEY_SIZE];
};

static void sealer_lock(VartaSealer *sealer) {
        if (!atomic_exchange(&sealer->process->locked, true))
                /* The limit on locked memory may be 0: the key is then as safe as the swap space. */
                (void) mlock(sealer, sealer->size);
}

int varta_sealer_new(VartaKeyForm form, const uint8_t *key, VartaSealer **ret) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        VartaSealer *sealer;
        void *memory;
        int r;

        assert(form >= 0 && form < _VARTA_KEY_FORM_MAX && key && ret);
        static_assert(sizeof(VartaSealer) <= 4096 && sizeof(SealerProcess) <= 4096, "no page is smaller");

        memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return -errno;

        sealer = memory;
        if (madvise((uint8_t *) memory + page, page, MADV_WIPEONFORK) < 0 ||
            madvise(memory, 2 * page, MADV_DONTDUMP) < 0) {
                r = -errno;
                (void) munmap(memory, 2 * page);
                return r;
        }

        sealer->process = (SealerProcess *) ((uint8_t *) memory + page);
        sealer->size = 2 * page;
        sealer->form = form;
        sealer_lock(sealer);
        memcpy(sealer->key, key, sizeof(sealer->key));
        /* So that a child that shares this memory (vfork()) finds somebody else's from the beginning. */
        atomic_store(&sealer->process->iv.owner, getpid());

        *ret = sealer;
        return 0;
}

VartaSealer *varta_sealer_free(VartaSealer *sealer) {
        if (!sealer)
                return NULL;

        size_t size = sealer->size;

        explicit_bzero(sealer, size);
        (void) munmap(sealer, size);
        return NULL;
}

/* The key of agent `pid`, derived once per process: that takes three times as long as sealing does. Threads
 * that meet here write the same words. */
static void sealer_agent_key(VartaSealer *sealer, pid_t pid, uint8_t ret[VLP_KEY_SIZE]) {
        SealerProcess *process = sealer->process;
        uint64_t words[KEY_WORDS];

        if (atomic_load(&process->agent_key_pid) == pid) {
                for (size_t i = 0; i < KEY_WORDS; i++)
                        words[i] = atomic_load_explicit(&process->agent_key[i], memory_order_relaxed);
                memcpy(ret, words, sizeof(words));
        } else {
                vlp_derive_agent_key(sealer->key, (uint32_t) pid, ret);
                memcpy(words, ret, sizeof(words));
                for (size_t i = 0; i < KEY_WORDS; i++)
                        atomic_store_explicit(&process->agent_key[i], words[i], memory_order_relaxed);
                atomic_store(&process->agent_key_pid, pid);
        }

        explicit_bzero(words, sizeof(words));
}

int varta_sealer_seal(VartaSealer *sealer, pid_t pid, const uint8_t *frame, uint8_t *ret_datagram) {
        bool master = sealer->form == VARTA_KEY_MASTER;
        VlpSecureHeader header = {
                .form = master ? VLP_SECURE_MASTER : VLP_SECURE_SHARED,
                .agent_pid = master ? (uint32_t) pid : 0,
        };
        uint8_t key[VLP_KEY_SIZE];
        int r;

        assert(frame && ret_datagram);

        sealer_lock(sealer);

        /* The key before the pair: should the process be split while the key is copied, the copy in the child
         * is one of memory that was cleared half-way, and varta_iv_take() refuses the beat. */
        if (master)
                sealer_agent_key(sealer, pid, key);
        else
                memcpy(key, sealer->key, sizeof(key));

        r = varta_iv_take(&sealer->process->iv, pid, header.iv_random, &header.iv_counter);
        if (r >= 0)
                r = (int) vlp_secure_seal(&header, key, frame, ret_datagram);

        explicit_bzero(key, sizeof(key));
        return r;
}

static int seal(void *userdata, pid_t pid, const uint8_t *frame, uint8_t *ret_datagram) {
        return varta_sealer_seal(userdata, pid, frame, ret_datagram);
}

static void seal_done(void *userdata) {
        (void) varta_sealer_free(userdata);
}

VartaSeal varta_sealer_as_seal(VartaSealer *sealer) {
        return (VartaSeal){ .seal = seal, .done = seal_done, .userdata = sealer };
}

VartaIv *varta_sealer_iv(VartaSealer *sealer) {
        return &sealer->process->iv;
}
