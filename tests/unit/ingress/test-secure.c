/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Envelopes: what opens, what does not, what it costs, and what a flood of forgeries does to the others. */

#include "rows.h"
#include "sealed.h"

#define HASH_KEY  UINT64_C(0x1122334455667788)
#define THRESHOLD (5 * NSEC_PER_SEC)
#define HOME      UINT64_C(77) /* the address of the genuine */

/* One receiving side, and its clock. */
static Secure *secure;
static SecureKeys *keys;
static nsec_t now;
static SecureResult last;
static uint8_t opened[VLP_FRAME_SIZE];

static void use_keys(KeyRing *ring) {
        secure_keys_free(keys);
        ck_assert_int_eq(secure_keys_new(ring, HASH_KEY, &keys), 0);
}

static void begin(uint32_t senders, size_t shared, size_t master) {
        now = NSEC_PER_DAY;
        secure = secure_free(secure);
        ck_assert_int_eq(secure_new(senders, HASH_KEY, now, &secure), 0);
        use_keys(ring_new(shared, master));
}

static void teardown(void) {
        secure = secure_free(secure);
        keys = secure_keys_free(keys);
}

static ReceiveVerdict receive_bytes(const uint8_t *data, size_t size, uint64_t address) {
        last = secure_receive(secure, keys, data, size, address, THRESHOLD, now, opened);
        return last.verdict;
}

static ReceiveVerdict receive(const Sealed *s, uint64_t address) {
        return receive_bytes(s->data, s->size, address);
}

static ReceiveVerdict receive_beat(const Beat *b, unsigned key, uint64_t address) {
        Sealed s;

        seal_beat(b, key, &s);
        return receive(&s, address);
}

static Beat beat(VlpSecureForm form, uint32_t pid, uint32_t n) {
        return (Beat){
                .form = form, .pid = pid, .session = 5, .counter = n, .nonce = n + 1, .timestamp = n
        };
}

/* ---- opening ---------------------------------------------------------------------------------------------- */

START_TEST(test_opens) {
        VlpFrame frame;

        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                Beat b = beat(form, 4242, 6);

                begin(4, 1, 1);
                ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_OK);
                ck_assert_uint_eq(last.scope, 1 + 16 * form);
                ck_assert_int_eq(vlp_frame_decode(opened, &frame), VLP_ERROR_NONE);
                ck_assert_uint_eq(frame.pid, 4242);
                ck_assert_uint_eq(frame.nonce, 7);
        }
}
END_TEST

/* The work for a frame is the number of keys, whichever fits. */
START_TEST(test_constant_work) {
        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++)
                for (size_t n = 1; n <= VLP_KEYS_MAX; n++)
                        for (unsigned key = 0; key <= n; key++) { /* the last one is in no ring */
                                begin(4, n, n);
                                for (uint32_t i = 0; i < 5; i++) {
                                        Beat b = beat(form, 9, i);

                                        ck_assert_int_eq(receive_beat(&b, key, HOME),
                                                         key < n ? RECEIVE_OK : RECEIVE_DECRYPT_FAILED);
                                        ck_assert_uint_eq(last.attempts, n);
                                        if (key < n)
                                                ck_assert_uint_eq(last.scope, 1 + key + 16 * form);
                                }
                        }
}
END_TEST

START_TEST(test_other_form) {
        Beat shared = beat(VLP_SECURE_SHARED, 9, 0), master = beat(VLP_SECURE_MASTER, 9, 0);

        begin(4, 0, 1);
        ck_assert_int_eq(receive_beat(&shared, 0, HOME), RECEIVE_DECRYPT_FAILED);
        ck_assert_uint_eq(last.attempts, 0);
        begin(4, 1, 0);
        ck_assert_int_eq(receive_beat(&master, 0, HOME), RECEIVE_DECRYPT_FAILED);
        ck_assert_uint_eq(last.attempts, 0);
}
END_TEST

/* ---- damage ----------------------------------------------------------------------------------------------- */

START_TEST(test_flips) {
        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                Beat b = beat(form, 4242, 0);
                Sealed s;

                begin(1, 8, 8);
                seal_beat(&b, 3, &s);
                for (size_t bit = 0; bit < 8 * s.size; bit++) {
                        now += NSEC_PER_SEC; /* none is limited: each is judged for itself */
                        s.data[bit / 8] ^= (uint8_t) (1U << (bit % 8));
                        ck_assert_int_eq(receive(&s, HOME), RECEIVE_DECRYPT_FAILED);
                        ck_assert_uint_eq(last.attempts, 8);
                        s.data[bit / 8] ^= (uint8_t) (1U << (bit % 8));
                }
                ck_assert_int_eq(receive(&s, HOME), RECEIVE_OK);
        }
}
END_TEST

START_TEST(test_sizes) {
        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                Beat b = beat(form, 4242, 0);
                uint8_t data[256] = {};
                Sealed s;

                begin(1, 1, 1);
                seal_beat(&b, 0, &s);
                memcpy(data, s.data, s.size);
                for (size_t n = 0; n <= sizeof(data); n++) {
                        if (n == s.size)
                                continue;
                        if (n == VLP_SECURE_SHARED_SIZE || n == VLP_SECURE_MASTER_SIZE)
                                ck_assert_int_eq(receive_bytes(data, n, HOME), RECEIVE_DECRYPT_FAILED);
                        else {
                                ck_assert_int_eq(receive_bytes(data, n, HOME), RECEIVE_MIS_SIZED);
                                ck_assert_uint_eq(last.attempts, 0);
                        }
                }
                ck_assert_int_eq(receive(&s, HOME), RECEIVE_OK);
        }
}
END_TEST

/* ---- frames that open and are wrong ----------------------------------------------------------------------- */

START_TEST(test_mismatch) {
        Beat b = beat(VLP_SECURE_MASTER, 10, 0), own = beat(VLP_SECURE_MASTER, 9, 0);

        begin(1, 0, 1);
        b.agent_pid = 9;
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_PID_MISMATCH);
        ck_assert_int_eq(receive_beat(&own, 0, HOME), RECEIVE_OK); /* the table's only place was free */
}
END_TEST

/* pid 0 and 1, in a frame that is right in everything else. */
START_TEST(test_bad_pid) {
        Beat good = beat(VLP_SECURE_SHARED, 9, 0);
        VlpFrame frame;

        for (uint32_t pid = 0; pid < VLP_PID_MIN; pid++)
                for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                        Beat bad = beat(form, pid, 0);

                        begin(1, 1, 1);
                        for (unsigned i = 0; i < 3; i++) {
                                ck_assert_int_eq(receive_beat(&bad, 0, HOME), RECEIVE_OK);
                                ck_assert_int_eq(vlp_frame_decode(opened, &frame), VLP_ERROR_BAD_PID);
                        }
                        ck_assert_int_eq(receive_beat(&good, 0, HOME), RECEIVE_OK);
                }
}
END_TEST

/* A frame for every other rule that it can break: the byte that breaks it, and whether the CRC is made right again. */
START_TEST(test_no_state) {
        static const struct {
                VlpError error;
                size_t offset, n;
                uint8_t byte;
                bool right_crc;
        } cases[] = {
                { VLP_ERROR_BAD_MAGIC, VLP_OFFSET_MAGIC, 1, 'v', true },
                { VLP_ERROR_BAD_VERSION, VLP_OFFSET_VERSION, 1, 1, true },
                { VLP_ERROR_BAD_CRC, VLP_OFFSET_PAYLOAD, 1, 1, false },
                { VLP_ERROR_BAD_STATUS, VLP_OFFSET_STATUS, 1, 4, true },
                { VLP_ERROR_STALL_ON_WIRE, VLP_OFFSET_STATUS, 1, 3, true },
                { VLP_ERROR_BAD_TIMESTAMP, VLP_OFFSET_TIMESTAMP, 8, 0xff, true },
                { VLP_ERROR_BAD_NONCE, VLP_OFFSET_NONCE, 8, 0xff, true },
        };
        const VlpFrame good = { .pid = 9, .nonce = 1, .timestamp = 1 };

        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++)
                for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                        VlpSecureHeader h = { .form = form, .agent_pid = form == VLP_SECURE_MASTER ? 9 : 0 };
                        Beat other = beat(form, 10, 0);
                        uint8_t bytes[VLP_FRAME_SIZE];
                        VlpFrame frame;
                        Sealed s;

                        begin(1, 1, 1);
                        ck_assert_int_eq(vlp_frame_encode(&good, bytes), 0);
                        memset(bytes + cases[i].offset, cases[i].byte, cases[i].n);
                        if (cases[i].right_crc)
                                frame_set_pid(bytes, 9);
                        seal_bytes(&h, 0, bytes, &s);
                        for (unsigned k = 0; k < 3; k++) {
                                ck_assert_int_eq(receive(&s, HOME), RECEIVE_OK);
                                ck_assert_int_eq(vlp_frame_decode(opened, &frame), cases[i].error);
                        }
                        ck_assert_int_eq(receive_beat(&other, 0, HOME), RECEIVE_OK);
                }
}
END_TEST

/* Nothing in an empty cache may pass for the key of pid 0: here 32 zeros. */
START_TEST(test_pid_zero) {
        VlpSecureHeader h = { .form = VLP_SECURE_MASTER };
        uint8_t zero[VLP_KEY_SIZE] = {}, frame[VLP_FRAME_SIZE] = {};
        Sealed s;

        begin(1, 0, 1);
        s.size = vlp_secure_seal(&h, zero, frame, s.data);
        ck_assert_int_eq(receive(&s, HOME), RECEIVE_DECRYPT_FAILED);
}
END_TEST

/* ---- replays ---------------------------------------------------------------------------------------------- */

START_TEST(test_replays) {
        enum {
                N = 40
        };
        Sealed s[N];

        for (VlpSecureForm form = 0; form < _VLP_SECURE_FORM_MAX; form++) {
                begin(4, 1, 1);
                for (uint32_t i = 0; i < N; i++) {
                        Beat b = beat(form, 9, i);

                        b.session = i / 16;
                        seal_beat(&b, 0, &s[i]);
                        ck_assert_int_eq(receive(&s[i], HOME), RECEIVE_OK);
                }
                for (uint64_t address = HOME; address < HOME + 3; address++)
                        for (uint32_t i = 0; i < N; i++) {
                                now += NSEC_PER_MSEC;
                                ck_assert_int_eq(receive(&s[i], address), RECEIVE_REPLAYED);
                                ck_assert_int_eq(receive(&s[N - 1 - i], address), RECEIVE_REPLAYED);
                        }
        }
}
END_TEST

START_TEST(test_rotation) {
        Beat b = beat(VLP_SECURE_SHARED, 9, 0), next = beat(VLP_SECURE_SHARED, 9, 1);
        KeyRing *ring = ring_new(2, 0);
        Sealed old;

        begin(4, 1, 0);
        seal_beat(&b, 0, &old);
        ck_assert_int_eq(receive(&old, HOME), RECEIVE_OK);

        /* The new key is first, the old one second. */
        key_number(1, ring->keys[VLP_SECURE_SHARED][0]);
        key_number(0, ring->keys[VLP_SECURE_SHARED][1]);
        ring->scopes[VLP_SECURE_SHARED][0] = 2;
        ring->scopes[VLP_SECURE_SHARED][1] = 1;
        use_keys(ring);
        ck_assert_int_eq(receive(&old, HOME), RECEIVE_REPLAYED);
        ck_assert_int_eq(receive_beat(&next, 0, HOME), RECEIVE_OK);
        ck_assert_uint_eq(last.scope, 1);
        ck_assert_int_eq(receive_beat(&b, 1, HOME), RECEIVE_OK);
        ck_assert_uint_eq(last.scope, 2);

        /* The old one is gone. */
        ring = ring_new(1, 0);
        key_number(1, ring->keys[VLP_SECURE_SHARED][0]);
        ring->scopes[VLP_SECURE_SHARED][0] = 2;
        use_keys(ring);
        ck_assert_int_eq(receive(&old, HOME), RECEIVE_DECRYPT_FAILED);
        ck_assert_int_eq(receive_beat(&next, 1, HOME), RECEIVE_OK);
}
END_TEST

START_TEST(test_table_full) {
        Beat a = beat(VLP_SECURE_SHARED, 2, 0), b = beat(VLP_SECURE_SHARED, 3, 0),
             c = beat(VLP_SECURE_SHARED, 4, 0);

        begin(2, 1, 0);
        ck_assert_int_eq(receive_beat(&a, 0, HOME), RECEIVE_OK);
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_OK);
        ck_assert_int_eq(receive_beat(&c, 0, HOME), RECEIVE_SENDER_TABLE_FULL);
        ck_assert_int_eq(receive_beat(&a, 0, HOME), RECEIVE_REPLAYED);
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_REPLAYED);
}
END_TEST

START_TEST(test_two_keys_one_pid) {
        Beat b = beat(VLP_SECURE_SHARED, 9, 0);

        begin(4, 2, 0);
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_OK);
        ck_assert_int_eq(receive_beat(&b, 1, HOME), RECEIVE_OK);
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_REPLAYED);
}
END_TEST

/* More agents than the cache of derived keys has places. */
START_TEST(test_many_agents) {
        enum {
                N = 3000
        };

        begin(N, 0, 2);
        for (uint32_t turn = 0; turn < 3; turn++)
                for (uint32_t pid = 2; pid < 2 + N; pid++) {
                        Beat b = beat(VLP_SECURE_MASTER, pid, turn);

                        ck_assert_int_eq(receive_beat(&b, pid % 2, HOME), RECEIVE_OK);
                        ck_assert_uint_eq(last.attempts, 2);
                }
}
END_TEST

/* ---- floods ----------------------------------------------------------------------------------------------- */

static void forge(uint32_t n, Sealed *ret) {
        *ret = (Sealed){ .size = n % 2 ? VLP_SECURE_SHARED_SIZE : VLP_SECURE_MASTER_SIZE };
        memcpy(ret->data, &n, sizeof(n));
}

START_TEST(test_flood) {
        enum {
                N = 100000,
                AGENTS = 50
        };
        unsigned tried = 0, limited = 0;
        uint32_t turn = 0;

        begin(1024, 2, 2);
        for (uint32_t i = 0; i < AGENTS; i++) {
                Beat b = beat(i % 2, 100 + i, 0);

                ck_assert_int_eq(receive_beat(&b, 0, 1000 + i), RECEIVE_OK);
        }
        for (uint32_t i = 0; i < N; i++) {
                ReceiveVerdict v;
                Sealed s;

                now += 10 * NSEC_PER_USEC; /* a second in all */
                forge(i, &s);
                v = receive(&s, 1000000 + i);
                ck_assert(v == RECEIVE_DECRYPT_FAILED || v == RECEIVE_UNOPENED_LIMITED);
                tried += v == RECEIVE_DECRYPT_FAILED;
                limited += v == RECEIVE_UNOPENED_LIMITED;
                if (i % (N / 10) == 0)
                        turn++;
                if (i % (N / 10 / AGENTS) == 0) {
                        uint32_t who = i / (N / 10 / AGENTS) % AGENTS;
                        Beat b = beat(who % 2, 100 + who, turn);

                        ck_assert_int_eq(receive_beat(&b, 0, 1000 + who), RECEIVE_OK);
                }
        }
        ck_assert_uint_eq(tried + limited, N);
        ck_assert_uint_le(tried,
                          2 * SECURE_FAILURES_PER_SEC); /* what was saved up, and what a second earns */
        ck_assert_uint_ge(tried, SECURE_FAILURES_PER_SEC);
}
END_TEST

START_TEST(test_flood_from_home) {
        Beat first = beat(VLP_SECURE_SHARED, 9, 0), second = beat(VLP_SECURE_SHARED, 9, 1);
        unsigned tried = 0;
        Sealed s;

        begin(4, 1, 0);
        ck_assert_int_eq(receive_beat(&first, 0, HOME), RECEIVE_OK);
        for (uint32_t i = 0; i < 10000; i++) {
                forge(2 * i + 1, &s);
                tried += receive(&s, HOME) == RECEIVE_DECRYPT_FAILED;
        }
        ck_assert_uint_eq(tried, SECURE_FAILURES_PER_SEC + SECURE_FAILURES_RESERVED);
        ck_assert_int_eq(receive_beat(&second, 0, HOME), RECEIVE_UNOPENED_LIMITED);
        ck_assert_uint_eq(last.attempts, 0);
        now += NSEC_PER_SEC;
        ck_assert_int_eq(receive_beat(&second, 0, HOME), RECEIVE_OK);
}
END_TEST

START_TEST(test_flood_newcomer) {
        Beat b = beat(VLP_SECURE_SHARED, 9, 0);
        Sealed s;

        begin(4, 1, 0);
        for (uint32_t i = 0; i < 10000; i++) {
                forge(2 * i + 1, &s);
                (void) receive(&s, 1 + i);
        }
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_UNOPENED_LIMITED);
        now += NSEC_PER_SEC / SECURE_FAILURES_PER_SEC;
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_OK);
}
END_TEST

/* A recording is no proof of an address: it is charged as a forgery is. */
START_TEST(test_replayed_flood) {
        Beat b = beat(VLP_SECURE_SHARED, 9, 0);
        unsigned replayed = 0;

        begin(4, 1, 0);
        ck_assert_int_eq(receive_beat(&b, 0, HOME), RECEIVE_OK);
        for (uint32_t i = 0; i < 5000; i++)
                replayed += receive_beat(&b, 0, 1) == RECEIVE_REPLAYED;
        ck_assert_uint_eq(replayed, SECURE_FAILURES_PER_SEC);
}
END_TEST

int main(void) {
        const Row rows[] = {
                { "both forms open to the frame that was sealed", test_opens },
                { "attempts are frames times keys for the first, the last and no fitting key",
                  test_constant_work },
                { "a form without keys opens nothing, at no cost", test_other_form },
                { "every single flipped bit is refused, and the whole frame still passes", test_flips },
                { "every other size is refused before any cryptography", test_sizes },
                { "a frame that names another pid than its envelope is refused, and leaves no state",
                  test_mismatch },
                { "pid 0 and 1 are handed on as BadPid and leave no state", test_bad_pid },
                { "a frame that breaks another rule is handed on and leaves no state", test_no_state },
                { "an agent_pid of 0 finds nothing in an empty cache", test_pid_zero },
                { "replays are refused in every order, after a rotation, and from other addresses",
                  test_replays },
                { "keys rotate without losing a beat, or what was seen under them", test_rotation },
                { "a full table refuses the unknown sender and keeps the others", test_table_full },
                { "one pid under two keys is two senders", test_two_keys_one_pid },
                { "more agents than cached keys are all heard", test_many_agents },
                { "100,000 forgeries in a second cost a thousand a second, and no known sender a beat",
                  test_flood },
                { "forgeries from an agent's own address use up what it has, for a second",
                  test_flood_from_home },
                { "a newcomer is heard as soon as one failure is earned", test_flood_newcomer },
                { "recordings are charged like forgeries", test_replayed_flood },
        };
        Suite *s = suite_create("ingress-secure");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                TCase *tc = tcase_create(rows[i].title);

                tcase_set_timeout(tc, ROW_TIMEOUT_SEC);
                tcase_add_checked_fixture(tc, NULL, teardown);
                tcase_add_test(tc, rows[i].test);
                suite_add_tcase(s, tc);
        }
        return suite_run(s);
}
