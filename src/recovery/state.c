/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The form of the state file: a head, then records one behind the other, little-endian throughout.
 *
 *     head    magic[8] version:4 clock:4 boot[16] now:8 wall:8 zero[8] sum:8
 *     record  length:4 kind:4 head-sum:4 sum:8 payload[length]
 *
 * Every sum goes on from the one before it, over the whole file: a record that is lost, doubled, out of its order or
 * from another file breaks the chain as surely as a flipped bit. The chain tells two kinds of harm apart, and that
 * decides what may still be believed:
 *
 *   - torn: the file ends within its last record, and all before it is as it was written. That is what a death in the
 *     middle of writing leaves. The records before are the state of one moment earlier, exactly what there would be had
 *     the death come before the writing; throwing them away would lose an operator's pause to a power cut.
 *   - damaged: there is something behind what can be read, and nobody knows what it took back. A pause in the good part
 *     may have been ended in the bad one, an action reported already. So nothing of it is believed.
 *
 * A damaged length must not look like a torn end, hence the head's own sum. There is no sum against people: who can
 * write to the directory can write a true file, and ownership keeps others out. But nothing in a file, true or
 * not, may lead beyond what the types can hold, because the rest of recovery trusts its own memory.
 *
 * One function per kind both writes and reads its fields ("codes" them), so that the two cannot drift apart.
 */

#include <errno.h>
#include <string.h>

#include "recovery/state.h"
#include "util/hash.h"
#include "util/text.h"

static const uint8_t magic[8] = { 'V', 'a', 'r', 't', 'a', 'R', 'e', 'c' };

enum {
        HEADER_MAGIC = 0,
        HEADER_VERSION = 8,
        HEADER_CLOCK = 12,
        HEADER_BOOT = 16,
        HEADER_NOW = 32,
        HEADER_WALL = 40,
        HEADER_ZERO = 48,
        HEADER_SUM = 56,

        FRAME_LENGTH = 0,
        FRAME_KIND = 4,
        FRAME_HEAD_SUM = 8,
        FRAME_SUM = 12,
};
static_assert(HEADER_BOOT + STATE_BOOT_SIZE == HEADER_NOW, "the boot id fits into its place");
static_assert(HEADER_SUM + 8 == STATE_HEADER_SIZE, "the sum ends the head");
static_assert(FRAME_SUM + 8 == STATE_FRAME_SIZE, "the sum ends the frame");

/* The sums begin with this; any number would do. */
#define CHAIN_SEED UINT64_C(0x56617274615374)

static void store(uint8_t *p, uint64_t v, size_t n) {
        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t) (v >> (8 * i));
}

static uint64_t load(const uint8_t *p, size_t n) {
        uint64_t v = 0;

        for (size_t i = 0; i < n; i++)
                v |= (uint64_t) p[i] << (8 * i);
        return v;
}

/* ---- Fields ----------------------------------------------------------------------------------------------- */

/* Writes (out) or reads (in). Once it failed it does nothing more. */
typedef struct Coder {
        uint8_t *out;
        const uint8_t *in;
        size_t size, at;
        bool failed;
} Coder;

static bool coder_has(Coder *c, size_t n) {
        if (!c->failed && c->size - c->at < n)
                c->failed = true;
        return !c->failed;
}

/* A number of so many bytes, from 0 to max. */
static uint64_t code_number(Coder *c, uint64_t v, size_t n, uint64_t max) {
        if (!coder_has(c, n))
                return 0;
        if (c->out)
                store(c->out + c->at, v, n);
        else
                v = load(c->in + c->at, n);
        c->at += n;
        if (v > max) {
                c->failed = true;
                return 0;
        }
        return v;
}

/* The same for a field of any integral type. */
#define CODE(c, field, n, max)                                                                              \
        ((field) = (__typeof__(field)) code_number((c), (uint64_t) (field), (n), (max)))

#define CODE_BOOL(c, field) ((field) = code_number((c), (field), 1, 1) != 0)

/* Members of an enum below max, or none of them (negative): 255. */
static int code_optional(Coder *c, int v, unsigned max) {
        uint64_t k = code_number(c, v < 0 ? UINT8_MAX : (uint64_t) v, 1, UINT8_MAX);

        if (k == UINT8_MAX)
                return -EINVAL;
        if (k >= max)
                c->failed = true;
        return (int) k;
}

static void code_bytes(Coder *c, uint8_t *p, size_t n) {
        if (!coder_has(c, n))
                return;
        if (c->out)
                memcpy(c->out + c->at, p, n);
        else
                memcpy(p, c->in + c->at, n);
        c->at += n;
}

/* Longer than any text here. */
#define TEXT_MAX 512U

static void code_text(Coder *c, char *s, size_t size) {
        char shown[TEXT_MAX];
        size_t n = 0;

        assert(size <= sizeof(shown));

        if (c->out) {
                n = strlen(s);
                if (!text_is_utf8(s, n)) {
                        s = text_printable(shown, size, s);
                        n = strlen(s);
                }
        }
        CODE(c, n, 2, size - 1);
        if (!coder_has(c, n))
                return;
        if (c->out)
                memcpy(c->out + c->at, s, n);
        else {
                memcpy(s, c->in + c->at, n);
                s[n] = '\0';
                if (!text_is_utf8(s, n))
                        c->failed = true;
        }
        c->at += n;
}

static void code_unit_name(Coder *c, char name[UNIT_NAME_SIZE]) {
        code_text(c, name, UNIT_NAME_SIZE);
        if (!c->out && !c->failed && !unit_name_is_valid(name))
                c->failed = true;
}

/* A ring of moments, the oldest first; read back, it begins at 0. */
static void code_ring(Coder *c, nsec_t *ring, uint32_t max, uint32_t *first, uint32_t *n) {
        nsec_t before = 0;

        CODE(c, *n, 4, max);
        if (!c->out)
                *first = 0;
        for (uint32_t i = 0; i < *n && !c->failed; i++) {
                nsec_t *t = &ring[(*first + i) % max];

                CODE(c, *t, 8, UINT64_MAX);
                if (*t < before)
                        c->failed = true;
                before = *t;
        }
}

/* ---- Records ---------------------------------------------------------------------------------------------- */

static void code_agent(Coder *c, AgentInfo *a) {
        CODE(c, a->pid, 4, UINT32_MAX);
        CODE(c, a->uid, 4, UINT32_MAX);
        CODE(c, a->generation, 8, UINT64_MAX);
        CODE(c, a->last_nonce, 8, UINT64_MAX);
        CODE(c, a->last_beat, 8, UINT64_MAX);
        CODE(c, a->threshold, 8, UINT64_MAX);
        CODE(c, a->status, 1, _VLP_STATUS_MAX - 1);
        CODE(c, a->origin, 1, _ORIGIN_MAX - 1);
        code_bytes(c, a->invocation, INVOCATION_ID_SIZE);
}

static void code_unit(Coder *c, StateUnit *u) {
        Ladder *l = &u->ladder;

        code_unit_name(c, u->name);
        CODE(c, l->attempt, 4, UINT32_MAX);
        CODE(c, l->backoff_until, 8, UINT64_MAX);
        CODE(c, l->hold_until, 8, UINT64_MAX);
        CODE(c, l->trouble, 8, UINT64_MAX);
        CODE(c, l->gave_up_until, 8, UINT64_MAX);
        code_bytes(c, l->gave_up_on, INVOCATION_ID_SIZE);
        code_ring(c, l->restarts, CONFIG_RESTART_LIMIT_MAX, &l->first, &l->n);
        CODE(c, u->restarts, 8, UINT64_MAX);
        u->last_outcome = code_optional(c, u->last_outcome, _RECOVERY_OUTCOME_MAX);
        CODE(c, u->last_action, 8, UINT64_MAX);
        CODE_BOOL(c, u->stalled);
        code_agent(c, &u->agent);
        CODE(c, u->reason, 1, _STALL_REASON_MAX - 1);
        u->refusal = code_optional(c, u->refusal, _RECOVERY_REFUSAL_MAX);
        CODE(c, u->since, 8, UINT64_MAX);
}

static void code_pause(Coder *c, Pause *p, usec_t *ends) {
        PauseKind kind = PAUSE_ALL;
        uint32_t pid = 0;

        code_text(c, p->what, sizeof(p->what));
        CODE(c, p->generation, 8, UINT64_MAX);
        CODE(c, p->until, 8, UINT64_MAX);
        CODE(c, *ends, 8, UINT64_MAX);
        code_text(c, p->reason, sizeof(p->reason));
        if (c->out || c->failed)
                return;
        /* What can be said of it is in its name. */
        if (pause_parse(p->what, &kind, &pid) < 0)
                c->failed = true;
        p->kind = kind;
        p->pid = pid;
}

static void code_pauses(Coder *c, StatePauses *p) {
        CODE(c, p->wall, 8, UINT64_MAX);
        CODE(c, p->list.n, 4, PAUSES_MAX);
        for (uint32_t i = 0; i < p->list.n && !c->failed; i++)
                code_pause(c, &p->list.entries[i], &p->ends[i]);
}

static void code_action(Coder *c, StateAction *a) {
        CODE(c, a->place, 4, STATE_ACTIONS_MAX - 1);
        code_unit_name(c, a->unit);
        code_unit_name(c, a->target);
        code_agent(c, &a->agent);
        CODE(c, a->reason, 1, _STALL_REASON_MAX - 1);
        CODE(c, a->attempt, 4, UINT32_MAX);
        CODE(c, a->verb, 1, _UNIT_ACTION_MAX - 1);
        CODE(c, a->started, 8, UINT64_MAX);
        CODE(c, a->deadline, 8, UINT64_MAX);
        CODE(c, a->limit, 8, UINT64_MAX);
        CODE_BOOL(c, a->proving);
        CODE_BOOL(c, a->accepted);
        CODE_BOOL(c, a->restarted);
        CODE_BOOL(c, a->deferred);
        CODE_BOOL(c, a->by_hand);
        CODE_BOOL(c, a->overtaken);
        code_bytes(c, a->before, INVOCATION_ID_SIZE);
        code_bytes(c, a->after, INVOCATION_ID_SIZE);
}

static void code_past(Coder *c, RecoveryPast *p) {
        CODE(c, p->wall, 8, UINT64_MAX);
        CODE(c, p->kind, 1, _RECOVERY_RECORD_KIND_MAX - 1);
        CODE(c, p->pid, 4, UINT32_MAX);
        CODE(c, p->attempt, 4, UINT32_MAX);
        code_text(c, p->unit, sizeof(p->unit));
        code_text(c, p->reason, sizeof(p->reason));
        code_text(c, p->sentence, sizeof(p->sentence));
}
static_assert(sizeof(((RecoveryPast *) NULL)->sentence) <= TEXT_MAX, "the longest text");

static void code_record(Coder *c, StateRecord *record) {
        switch (record->kind) {
        case STATE_UNIT:
                code_unit(c, &record->unit);
                break;
        case STATE_PAUSES:
                code_pauses(c, &record->pauses);
                break;
        case STATE_BRAKE:
                code_ring(c, record->brake.starts, CONFIG_STORM_LIMIT_MAX, &record->brake.first,
                          &record->brake.n);
                break;
        case STATE_ACTION:
                code_action(c, &record->action);
                break;
        case STATE_ACTION_OVER:
                CODE(c, record->over, 4, STATE_ACTIONS_MAX - 1);
                break;
        case STATE_PAST:
                code_past(c, &record->past);
                break;
        default:
                c->failed = true;
        }
}

/* ---- The file --------------------------------------------------------------------------------------------- */

static uint64_t header_sum(const uint8_t *p) {
        return hash_bytes(CHAIN_SEED, p, HEADER_SUM);
}

static uint32_t frame_head_sum(uint64_t chain, const uint8_t *p) {
        return (uint32_t) (hash_bytes(chain, p, FRAME_HEAD_SUM) >> 32);
}

static uint64_t frame_sum(uint64_t chain, const uint8_t *p, size_t length) {
        return hash_bytes(hash_bytes(chain, p, FRAME_SUM), p + STATE_FRAME_SIZE, length);
}

void state_put_header(StateBuffer *b, const StateHeader *header) {
        uint8_t *p;

        assert(b);
        assert(b->size - b->n >= STATE_HEADER_SIZE);
        assert(header);

        p = b->data + b->n;
        memset(p, 0, STATE_HEADER_SIZE);
        memcpy(p + HEADER_MAGIC, magic, sizeof(magic));
        store(p + HEADER_VERSION, STATE_VERSION, 4);
        store(p + HEADER_CLOCK, (uint64_t) header->clock, 4);
        memcpy(p + HEADER_BOOT, header->boot, STATE_BOOT_SIZE);
        store(p + HEADER_NOW, header->now, 8);
        store(p + HEADER_WALL, header->wall, 8);
        b->chain = header_sum(p);
        store(p + HEADER_SUM, b->chain, 8);
        b->n += STATE_HEADER_SIZE;
}

int state_put(StateBuffer *b, StateRecord *record) {
        Coder c = {};
        uint8_t *p;

        assert(b);
        assert(record);

        if (b->size - b->n < STATE_FRAME_SIZE)
                return -ENOBUFS;
        p = b->data + b->n;
        c.out = p + STATE_FRAME_SIZE;
        c.size = MIN(b->size - b->n, STATE_RECORD_MAX) - STATE_FRAME_SIZE;
        code_record(&c, record);
        if (c.failed)
                return -ENOBUFS;
        store(p + FRAME_LENGTH, c.at, 4);
        store(p + FRAME_KIND, (uint64_t) record->kind, 4);
        store(p + FRAME_HEAD_SUM, frame_head_sum(b->chain, p), 4);
        b->chain = frame_sum(b->chain, p, c.at);
        store(p + FRAME_SUM, b->chain, 8);
        b->n += STATE_FRAME_SIZE + c.at;
        return 0;
}

StateVerdict state_reader_init(StateReader *s, const uint8_t *data, size_t size, StateHeader *ret) {
        StateHeader header;

        assert(s);
        assert(data || size == 0);
        assert(ret);

        if (size > 0 && memcmp(data, magic, MIN(size, sizeof(magic))) != 0)
                return STATE_STRANGE;
        if (size < STATE_HEADER_SIZE)
                return STATE_TORN;
        /* Before the sum: another version may have another one. */
        if (load(data + HEADER_VERSION, 4) != STATE_VERSION)
                return STATE_VERSION_UNKNOWN;
        if (load(data + HEADER_SUM, 8) != header_sum(data))
                return STATE_DAMAGED;
        header = (StateHeader){
                .clock = (clockid_t) load(data + HEADER_CLOCK, 4),
                .now = load(data + HEADER_NOW, 8),
                .wall = load(data + HEADER_WALL, 8),
        };
        memcpy(header.boot, data + HEADER_BOOT, STATE_BOOT_SIZE);
        if (header.clock != CLOCK_MONOTONIC && header.clock != CLOCK_BOOTTIME)
                return STATE_DAMAGED;
        *s = (StateReader){ data, size, STATE_HEADER_SIZE, header_sum(data) };
        *ret = header;
        return STATE_OK;
}

StateVerdict state_next(StateReader *s, StateRecord *ret) {
        const uint8_t *p;
        uint64_t kind;
        size_t length;
        Coder c = {};

        assert(s);
        assert(ret);

        if (s->offset == s->size)
                return STATE_END;
        if (s->size - s->offset < STATE_FRAME_SIZE)
                return STATE_TORN;
        p = s->data + s->offset;
        if (load(p + FRAME_HEAD_SUM, 4) != frame_head_sum(s->chain, p))
                return STATE_DAMAGED;
        length = load(p + FRAME_LENGTH, 4);
        kind = load(p + FRAME_KIND, 4);
        if (length > STATE_RECORD_MAX - STATE_FRAME_SIZE || kind == 0 || kind >= _STATE_KIND_MAX)
                return STATE_DAMAGED;
        if (s->size - s->offset - STATE_FRAME_SIZE < length)
                return STATE_TORN;
        if (load(p + FRAME_SUM, 8) != frame_sum(s->chain, p, length))
                return STATE_DAMAGED;

        memset(ret, 0, sizeof(*ret)); /* all members of the union */
        ret->kind = (StateKind) kind;
        c.in = p + STATE_FRAME_SIZE;
        c.size = length;
        code_record(&c, ret);
        if (c.failed || c.at != length)
                return STATE_DAMAGED;
        s->chain = load(p + FRAME_SUM, 8);
        s->offset += STATE_FRAME_SIZE + length;
        return STATE_OK;
}
