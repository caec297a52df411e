/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Chained hashing over one array, and a list through the same entries from the oldest to the newest.
 *
 * A look-up waits for memory and for nothing else, so it should wait seldom: half as many entries as chains at most, the
 * hash's best bits for the choice among them, and entries that begin where cache lines do.
 */

#include <stdlib.h>
#include <string.h>

#include "ingress/senders.h"

int senders_init(Senders *s, uint32_t capacity, uint64_t key) {
        unsigned bits = 4;

        assert(s);

        if (capacity < 1 || capacity > SENDERS_MAX)
                return -EINVAL;
        while (UINT32_C(1) << bits < 2 * capacity)
                bits++;

        *s = (Senders){ .capacity = capacity,
                        .shift = 64 - bits,
                        .oldest = SENDER_NONE,
                        .newest = SENDER_NONE,
                        .key = key };
        s->entries = aligned_alloc(_Alignof(Sender), capacity * sizeof(Sender));
        s->chains = calloc(UINT32_C(1) << bits, sizeof(uint32_t));
        if (!s->entries || !s->chains) {
                senders_done(s);
                return -ENOMEM;
        }
        memset(s->entries, 0, capacity * sizeof(Sender));
        for (uint32_t i = 0; i < UINT32_C(1) << bits; i++)
                s->chains[i] = SENDER_NONE;
        for (uint32_t i = 0; i < capacity; i++) /* all of them free, and of scope 0 */
                s->entries[i].chain = i + 1 < capacity ? i + 1 : SENDER_NONE;
        return 0;
}

void senders_done(Senders *s) {
        free(s->entries);
        free(s->chains);
        *s = (Senders){};
}

static bool is_sender(const Sender *e, SenderId id) {
        return e->scope == id.scope && e->pid == id.pid;
}

Sender *senders_find(Senders *s, SenderId id) {
        for (uint32_t i = s->chains[senders_hash(s, id)]; i != SENDER_NONE; i = s->entries[i].chain)
                if (is_sender(&s->entries[i], id))
                        return &s->entries[i];
        return NULL;
}

Sender *senders_find_at(Senders *s, SenderId id, uint32_t guess) {
        if (guess < s->capacity && is_sender(&s->entries[guess], id))
                return &s->entries[guess];
        return senders_find(s, id);
}

static void order_append(Senders *s, Sender *e) {
        uint32_t i = (uint32_t) (e - s->entries);

        e->older = s->newest;
        e->newer = SENDER_NONE;
        if (s->newest == SENDER_NONE)
                s->oldest = i;
        else
                s->entries[s->newest].newer = i;
        s->newest = i;
}

static void order_remove(Senders *s, Sender *e) {
        if (e->older == SENDER_NONE)
                s->oldest = e->newer;
        else
                s->entries[e->older].newer = e->newer;
        if (e->newer == SENDER_NONE)
                s->newest = e->older;
        else
                s->entries[e->newer].older = e->older;
}

Sender *senders_add(Senders *s, SenderId id, nsec_t now) {
        uint32_t i = s->free, *chain;

        assert(id.scope != 0);

        if (i == SENDER_NONE)
                return NULL;
        s->free = s->entries[i].chain;
        chain = &s->chains[senders_hash(s, id)];
        s->entries[i] = (Sender){ .scope = id.scope, .pid = id.pid, .last = now, .chain = *chain };
        *chain = i;
        order_append(s, &s->entries[i]);
        s->used++;
        return &s->entries[i];
}

void senders_touch(Senders *s, Sender *sender, nsec_t now) {
        sender->last = now;
        if (sender->newer == SENDER_NONE)
                return;
        order_remove(s, sender);
        order_append(s, sender);
}

void senders_remove(Senders *s, Sender *sender) {
        uint32_t i = (uint32_t) (sender - s->entries), *p;

        for (p = &s->chains[senders_hash(s, sender_id(sender))]; *p != i; p = &s->entries[*p].chain)
                assert(*p != SENDER_NONE);
        *p = sender->chain;
        order_remove(s, sender);
        sender->scope = 0; /* nobody's: no guess may take it for somebody */
        sender->chain = s->free;
        s->free = i;
        s->used--;
}

Sender *senders_oldest(Senders *s) {
        return s->oldest == SENDER_NONE ? NULL : &s->entries[s->oldest];
}
