/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Chained hashing over one array, and a list through the same entries from the oldest to the newest. */

#include <stdlib.h>

#include "ingress/senders.h"
#include "util/hash.h"

static uint32_t senders_hash(const Senders *s, SenderId id) {
        return (uint32_t) (hash_mix(id.scope ^ s->key, id.pid) >> 32) & s->mask;
}

int senders_init(Senders *s, uint32_t capacity, uint64_t key) {
        uint32_t chains = 16;

        assert(s);

        if (capacity < 1 || capacity > SENDERS_MAX)
                return -EINVAL;
        while (chains < capacity)
                chains *= 2;

        *s = (Senders){ .capacity = capacity,
                        .mask = chains - 1,
                        .oldest = SENDER_NONE,
                        .newest = SENDER_NONE,
                        .key = key };
        s->entries = calloc(capacity, sizeof(Sender));
        s->chains = calloc(chains, sizeof(uint32_t));
        if (!s->entries || !s->chains) {
                senders_done(s);
                return -ENOMEM;
        }
        for (uint32_t i = 0; i < chains; i++)
                s->chains[i] = SENDER_NONE;
        for (uint32_t i = 0; i < capacity; i++)
                s->entries[i].chain = i + 1 < capacity ? i + 1 : SENDER_NONE;
        return 0;
}

void senders_done(Senders *s) {
        free(s->entries);
        free(s->chains);
        *s = (Senders){};
}

Sender *senders_find(Senders *s, SenderId id) {
        for (uint32_t i = s->chains[senders_hash(s, id)]; i != SENDER_NONE; i = s->entries[i].chain)
                if (s->entries[i].id.scope == id.scope && s->entries[i].id.pid == id.pid)
                        return &s->entries[i];
        return NULL;
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

        if (i == SENDER_NONE)
                return NULL;
        s->free = s->entries[i].chain;
        chain = &s->chains[senders_hash(s, id)];
        s->entries[i] = (Sender){ .id = id, .last = now, .chain = *chain };
        *chain = i;
        order_append(s, &s->entries[i]);
        s->used++;
        return &s->entries[i];
}

void senders_touch(Senders *s, Sender *sender, nsec_t now) {
        sender->last = now;
        order_remove(s, sender);
        order_append(s, sender);
}

void senders_remove(Senders *s, Sender *sender) {
        uint32_t i = (uint32_t) (sender - s->entries), *p;

        for (p = &s->chains[senders_hash(s, sender->id)]; *p != i; p = &s->entries[*p].chain)
                assert(*p != SENDER_NONE);
        *p = sender->chain;
        order_remove(s, sender);
        sender->chain = s->free;
        s->free = i;
        s->used--;
}

Sender *senders_oldest(Senders *s) {
        return s->oldest == SENDER_NONE ? NULL : &s->entries[s->oldest];
}
