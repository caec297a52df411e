/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bounded map of senders: alone, and beside an array that is searched from end to end. */

#include <string.h>

#include "ingress/senders.h"
#include "rows.h"

#define KEY UINT64_C(0x0123456789abcdef)

static SenderId id(uint64_t scope, uint32_t pid) {
        return (SenderId){ .scope = scope, .pid = pid };
}

START_TEST(test_bounds) {
        Senders s;

        ck_assert_int_eq(senders_init(&s, 0, KEY), -EINVAL);
        ck_assert_int_eq(senders_init(&s, SENDERS_MAX + 1, KEY), -EINVAL);
        ck_assert_int_eq(senders_init(&s, SENDERS_MAX, KEY), 0);
        for (uint32_t i = 0; i < SENDERS_MAX; i++)
                ck_assert_ptr_nonnull(senders_add(&s, id(1, i), i));
        ck_assert_ptr_null(senders_add(&s, id(1, SENDERS_MAX), 0));
        for (uint32_t i = 0; i < SENDERS_MAX; i++)
                ck_assert_uint_eq(senders_find(&s, id(1, i))->last, i);
        senders_done(&s);
}
END_TEST

START_TEST(test_one) {
        Senders s;

        ck_assert_int_eq(senders_init(&s, 1, KEY), 0);
        ck_assert_ptr_null(senders_oldest(&s));
        ck_assert_ptr_nonnull(senders_add(&s, id(1, 2), 5));
        ck_assert_ptr_null(senders_add(&s, id(1, 3), 6));
        ck_assert_ptr_eq(senders_oldest(&s), senders_find(&s, id(1, 2)));
        senders_touch(&s, senders_oldest(&s), 7);
        ck_assert_uint_eq(senders_oldest(&s)->last, 7);
        senders_remove(&s, senders_oldest(&s));
        ck_assert_ptr_null(senders_oldest(&s));
        ck_assert_ptr_null(senders_find(&s, id(1, 2)));
        ck_assert_ptr_nonnull(senders_add(&s, id(1, 3), 8));
        senders_done(&s);
}
END_TEST

START_TEST(test_identity) {
        Senders s;

        ck_assert_int_eq(senders_init(&s, 4, KEY), 0);
        ck_assert_ptr_nonnull(senders_add(&s, id(1, 2), 0));
        ck_assert_ptr_null(senders_find(&s, id(2, 1)));
        ck_assert_ptr_null(senders_find(&s, id(1, 1)));
        ck_assert_ptr_null(senders_find(&s, id(2, 2)));
        senders_done(&s);
}
END_TEST

START_TEST(test_guess) {
        Senders s;
        Sender *e;

        ck_assert_int_eq(senders_init(&s, 4, KEY), 0);
        e = senders_add(&s, id(1, 2), 0);
        ck_assert_ptr_eq(senders_find_at(&s, id(1, 2), sender_number(&s, e)), e);
        ck_assert_ptr_eq(senders_find_at(&s, id(1, 2), sender_number(&s, e) ^ 1), e);
        ck_assert_ptr_eq(senders_find_at(&s, id(1, 2), SENDER_NONE), e);
        ck_assert_ptr_null(senders_find_at(&s, id(1, 3), sender_number(&s, e)));
        senders_remove(&s, e);
        ck_assert_ptr_null(senders_find_at(&s, id(1, 2), sender_number(&s, e)));
        senders_done(&s);
}
END_TEST

START_TEST(test_zeroed) {
        Senders s;
        Sender *e;

        ck_assert_int_eq(senders_init(&s, 1, KEY), 0);
        e = senders_add(&s, id(1, 2), 0);
        e->nonce = 7;
        e->has_nonce = e->has_terminal = e->prefixes[1].known = true;
        e->failures = 9;
        senders_remove(&s, e);
        e = senders_add(&s, id(1, 2), 3);
        ck_assert(!e->has_nonce && !e->has_terminal && !e->prefixes[1].known);
        ck_assert_uint_eq(e->nonce, 0);
        ck_assert_uint_eq(e->failures, 0);
        senders_done(&s);
}
END_TEST

/* ---- beside an array -------------------------------------------------------------------------------------- */

#define MODEL_CAPACITY 24U
#define MODEL_STEPS    200000U

typedef struct Model {
        struct {
                SenderId id;
                nsec_t last;
        } entries[MODEL_CAPACITY]; /* from the oldest */
        size_t n;
} Model;

static size_t model_find(const Model *m, SenderId wanted) {
        size_t i = 0;

        while (i < m->n && (m->entries[i].id.scope != wanted.scope || m->entries[i].id.pid != wanted.pid))
                i++;
        return i;
}

static void model_remove(Model *m, size_t i) {
        memmove(&m->entries[i], &m->entries[i + 1], (m->n - i - 1) * sizeof(m->entries[0]));
        m->n--;
}

static void model_append(Model *m, SenderId wanted, nsec_t now) {
        m->entries[m->n].id = wanted;
        m->entries[m->n++].last = now;
}

static void compare(Senders *s, const Model *m) {
        ck_assert_uint_eq(s->used, m->n);
        if (m->n == 0) {
                ck_assert_ptr_null(senders_oldest(s));
                return;
        }
        ck_assert_uint_eq(senders_oldest(s)->pid, m->entries[0].id.pid);
        ck_assert_uint_eq(senders_oldest(s)->scope, m->entries[0].id.scope);
        ck_assert_uint_eq(senders_oldest(s)->last, m->entries[0].last);
}

START_TEST(test_model) {
        uint64_t random = 1;
        Model m = {};
        Senders s;

        ck_assert_int_eq(senders_init(&s, MODEL_CAPACITY, KEY), 0);
        for (nsec_t now = 0; now < MODEL_STEPS; now++) {
                SenderId wanted;
                Sender *e;
                size_t i;

                random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                wanted = id(1 + ((random >> 60) & 3), (uint32_t) (random >> 40) & 15);
                e = senders_find(&s, wanted);
                /* A guess is right, wrong, of a free entry, or of none at all, and changes nothing. */
                ck_assert_ptr_eq(senders_find_at(&s, wanted,
                                                 (uint32_t) (random >> 20) % (MODEL_CAPACITY + 2)),
                                 e);
                ck_assert_ptr_eq(senders_find_at(&s, wanted, e ? sender_number(&s, e) : SENDER_NONE), e);
                i = model_find(&m, wanted);
                ck_assert_int_eq(e != NULL, i < m.n);
                if (!e) {
                        e = senders_add(&s, wanted, now);
                        ck_assert_int_eq(e != NULL, m.n < MODEL_CAPACITY);
                        if (e)
                                model_append(&m, wanted, now);
                } else if ((random >> 33) & 1) {
                        senders_touch(&s, e, now);
                        model_remove(&m, i);
                        model_append(&m, wanted, now);
                } else {
                        senders_remove(&s, e);
                        model_remove(&m, i);
                }
                compare(&s, &m);
        }
        senders_done(&s);
}
END_TEST

int main(void) {
        const Row rows[] = {
                { "1 to 65,536 senders can be kept, and all of them are found again", test_bounds },
                { "a map of one works", test_one },
                { "both key and pid make a sender", test_identity },
                { "a guess at an entry's number finds no one else, and nobody who was removed", test_guess },
                { "what is added remembers nothing of who was there before", test_zeroed },
                { "200,000 random steps end as in an array that is searched from end to end", test_model },
        };
        Suite *s = suite_create("ingress-senders");

        suite_add_rows(s, rows, ELEMENTSOF(rows));
        return suite_run(s);
}
