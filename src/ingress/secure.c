/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From an envelope to a frame.
 *
 * Size first; then whether this attempt is paid for; then every key of the form, the fitting one included and whatever its
 * place, so that time tells nobody which key is in use; then the frame's own rules, and only for a frame that obeys them the
 * memory of replays.
 *
 * Forgeries cost cryptography before they can be known as such. So failures, not frames, are what is limited: a sender that
 * opens pays nothing, and one whose address is known to hold a key has a reserve of its own that no flood can use up.
 *
 * Keys of agents are derived from master keys by HKDF, which costs several opens. They are cached per pid, for all master
 * keys at once, after the first success: a forger who makes up pids fills no cache.
 */

#include <sodium.h>
#include <string.h>

#include "ingress/secure.h"

/* Agents whose derived keys are cached; direct mapped, so that a look-up is one comparison. */
#define DERIVED_ENTRIES 1024U

typedef struct Derived {
        uint32_t pid; /* 0: empty; no agent has it */
        uint8_t keys[VLP_KEYS_MAX][VLP_KEY_SIZE];
} Derived;

struct SecureKeys {
        KeyRing *ring;
        Derived *derived; /* locked memory */
        uint64_t hash_key;
};

struct Secure {
        Replay replay;
        Senders addresses; /* that a key was heard from */
        Bucket failures;
};

int secure_new(uint32_t senders, uint64_t hash_key, nsec_t now, Secure **ret) {
        _cleanup_(secure_freep) Secure *s = NULL;
        int r;

        assert(ret);

        s = calloc(1, sizeof(Secure));
        if (!s)
                return -ENOMEM;
        r = replay_init(&s->replay, senders, hash_key);
        if (r < 0)
                return r;
        r = senders_init(&s->addresses, senders, ~hash_key);
        if (r < 0)
                return r;
        bucket_init(&s->failures, (Rate){ .count = SECURE_FAILURES_PER_SEC, .span = NSEC_PER_SEC },
                    SECURE_FAILURES_PER_SEC, now);
        *ret = TAKE_PTR(s);
        return 0;
}

Secure *secure_free(Secure *s) {
        if (!s)
                return NULL;
        replay_done(&s->replay);
        senders_done(&s->addresses);
        free(s);
        return NULL;
}

int secure_keys_new(KeyRing *ring, uint64_t hash_key, SecureKeys **ret) {
        _cleanup_(secure_keys_freep) SecureKeys *k = NULL;

        assert(ring && ret);

        k = calloc(1, sizeof(SecureKeys));
        if (!k)
                return -ENOMEM;
        k->hash_key = hash_key;
        if (ring->n[VLP_SECURE_MASTER] > 0) {
                k->derived = sodium_malloc(DERIVED_ENTRIES * sizeof(Derived));
                if (!k->derived)
                        return -ENOMEM;
                memset(k->derived, 0, DERIVED_ENTRIES * sizeof(Derived));
        }
        k->ring = ring;
        *ret = TAKE_PTR(k);
        return 0;
}

SecureKeys *secure_keys_free(SecureKeys *k) {
        if (!k)
                return NULL;
        sodium_free(k->derived);
        (void) keys_free(k->ring);
        free(k);
        return NULL;
}

/* ---- who pays --------------------------------------------------------------------------------------------- */

static Sender *address_find(Secure *s, uint64_t address, nsec_t now) {
        Sender *a = senders_find(&s->addresses, (SenderId){ .scope = address });
        uint32_t second = (uint32_t) (now / NSEC_PER_SEC);

        if (a && a->window != second) {
                a->window = second;
                a->failures = 0;
        }
        return a;
}

static bool may_try(Secure *s, const Sender *address, nsec_t now) {
        if (address && address->failures < SECURE_FAILURES_RESERVED)
                return true;
        return bucket_has(&s->failures, now);
}

static void charge(Secure *s, Sender *address, nsec_t now) {
        if (address && address->failures < SECURE_FAILURES_RESERVED)
                address->failures++;
        else
                (void) bucket_take(&s->failures, now);
}

/* Which address was not heard for longest matters to the second, and a touch goes through the memory of three others. */
static void address_heard(Secure *s, Sender *known, uint64_t address, nsec_t now) {
        if (known) {
                if (nsec_sub(now, known->last) >= NSEC_PER_SEC)
                        senders_touch(&s->addresses, known, now);
                return;
        }
        if (s->addresses.used == s->addresses.capacity)
                senders_remove(&s->addresses, senders_oldest(&s->addresses));
        (void) senders_add(&s->addresses, (SenderId){ .scope = address }, now);
}

/* ---- which key -------------------------------------------------------------------------------------------- */

static Derived *derived_slot(const SecureKeys *k, uint32_t pid) {
        uint64_t h = (pid ^ k->hash_key) * UINT64_C(0x9e3779b97f4a7c15);

        return &k->derived[(h >> 32) % DERIVED_ENTRIES];
}

/* Tries every key, always. Returns the number of the one that fits, or -EBADMSG. */
static int try_all(const uint8_t (*keys)[VLP_KEY_SIZE], size_t n, const uint8_t *data, size_t size,
                   uint8_t *ret_frame) {
        int fits = -EBADMSG;

        for (size_t i = 0; i < n; i++)
                if (vlp_secure_open(data, size, keys[i], ret_frame) == 0)
                        fits = (int) i;
        return fits;
}

/* With the keys of the agent that the envelope names, derived now unless they are in the cache, where they go after their
 * first success. An empty entry's pid is 0, which anybody may claim: it is never a hit. */
static int try_derived(const SecureKeys *k, uint32_t pid, const uint8_t *data, size_t size,
                       uint8_t *ret_frame) {
        size_t n = k->ring->n[VLP_SECURE_MASTER];
        Derived *d = derived_slot(k, pid), fresh = {};
        int fits;

        if (d->pid == pid && pid >= VLP_PID_MIN)
                return try_all((const uint8_t(*)[VLP_KEY_SIZE]) d->keys, n, data, size, ret_frame);

        fresh.pid = pid;
        for (size_t i = 0; i < n; i++)
                vlp_derive_agent_key(k->ring->keys[VLP_SECURE_MASTER][i], pid, fresh.keys[i]);
        fits = try_all((const uint8_t(*)[VLP_KEY_SIZE]) fresh.keys, n, data, size, ret_frame);
        if (fits >= 0 && pid >= VLP_PID_MIN)
                *d = fresh;
        sodium_memzero(&fresh, sizeof(fresh));
        return fits;
}

static int try_form(const SecureKeys *k, const VlpSecureHeader *h, const uint8_t *data, size_t size,
                    uint8_t *ret_frame) {
        if (h->form == VLP_SECURE_MASTER)
                return try_derived(k, h->agent_pid, data, size, ret_frame);
        return try_all((const uint8_t(*)[VLP_KEY_SIZE]) k->ring->keys[VLP_SECURE_SHARED],
                       k->ring->n[VLP_SECURE_SHARED], data, size, ret_frame);
}

static ReceiveVerdict judge_frame(Secure *s, const VlpSecureHeader *h, uint64_t scope, const uint8_t *data,
                                  nsec_t threshold, nsec_t now) {
        VlpFrame frame;

        /* A frame that breaks a rule leaves no state; who receives it next finds the rule and counts it. */
        if (vlp_frame_decode(data, &frame) != VLP_ERROR_NONE)
                return RECEIVE_OK;
        if (h->form == VLP_SECURE_MASTER && frame.pid != h->agent_pid)
                return RECEIVE_PID_MISMATCH;

        switch (replay_judge(&s->replay, (SenderId){ .scope = scope, .pid = frame.pid }, h, &frame,
                             threshold, now)) {
        case REPLAY_ACCEPTED:
                return RECEIVE_OK;
        case REPLAY_TABLE_FULL:
                return RECEIVE_SENDER_TABLE_FULL;
        default:
                return RECEIVE_REPLAYED;
        }
}

SecureResult secure_receive(Secure *s, SecureKeys *keys, const uint8_t *data, size_t size, uint64_t address,
                            nsec_t threshold, nsec_t now, uint8_t *ret_frame) {
        SecureResult result = { .verdict = RECEIVE_MIS_SIZED };
        VlpSecureHeader h;
        Sender *known;
        int fits;

        assert(s && keys && ret_frame);

        if (vlp_secure_parse(data, size, &h) < 0)
                return result;
        known = address_find(s, address, now);
        if (!may_try(s, known, now)) {
                result.verdict = RECEIVE_UNOPENED_LIMITED;
                return result;
        }

        result.verdict = RECEIVE_DECRYPT_FAILED;
        result.attempts = (unsigned) keys->ring->n[h.form];
        if (result.attempts == 0)
                return result;
        fits = try_form(keys, &h, data, size, ret_frame);
        if (fits >= 0) {
                result.scope = keys->ring->scopes[h.form][fits];
                result.verdict = judge_frame(s, &h, result.scope, ret_frame, threshold, now);
        }
        /* A recording costs as much as a forgery, and makes no address known. */
        if (result.verdict == RECEIVE_OK)
                address_heard(s, known, address, now);
        else
                charge(s, known, now);
        return result;
}

void secure_prefetch(const Secure *s, SecurePrefetch step, const uint8_t *data, size_t size,
                     uint64_t address) {
        SenderId id = { .scope = address };
        VlpSecureHeader h;

        if (vlp_secure_parse(data, size, &h) < 0)
                return;
        switch (step) {
        case SECURE_PREFETCH_INDEX:
                senders_prefetch_chain(&s->addresses, id);
                replay_prefetch_hint(&s->replay, &h);
                break;
        case SECURE_PREFETCH_SENDERS:
                senders_prefetch_entry(&s->addresses, id);
                replay_prefetch_sender(&s->replay, &h);
                break;
        default:
                replay_prefetch_neighbours(&s->replay, &h);
        }
}
