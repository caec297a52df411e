/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The state file. Its sums would keep almost every input out, so each input is read twice: as it is, and with all of its
 * sums made true, as somebody would who wants in.
 *
 * Whatever comes out is within what the rest of recovery relies on, and the same again when it is written and read.
 */

#include <string.h>

#include "fuzz.h"
#include "recovery/state.h"
#include "util/hash.h"
#include "util/text.h"
#include "util/unit-name.h"

#define CHAIN_SEED UINT64_C(0x56617274615374)

static StateRecord record, again;

static void put(uint8_t *p, uint64_t v, size_t n) {
        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t) (v >> (8 * i));
}

static uint32_t get32(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

/* Makes the sums true, record by record, as far as the lengths lead. */
static void seal(uint8_t *data, size_t size) {
        static const uint8_t magic[8] = { 'V', 'a', 'r', 't', 'a', 'R', 'e', 'c' };
        uint64_t chain;

        if (size < STATE_HEADER_SIZE)
                return;
        memcpy(data, magic, sizeof(magic));
        put(data + 8, STATE_VERSION, 4);
        chain = hash_bytes(CHAIN_SEED, data, STATE_HEADER_SIZE - 8);
        put(data + STATE_HEADER_SIZE - 8, chain, 8);
        for (size_t at = STATE_HEADER_SIZE; size - at >= STATE_FRAME_SIZE;) {
                uint8_t *p = data + at;
                size_t length = get32(p);

                put(p + 8, hash_bytes(chain, p, 8) >> 32, 4);
                if (length > size - at - STATE_FRAME_SIZE)
                        return;
                chain = hash_bytes(hash_bytes(chain, p, 12), p + STATE_FRAME_SIZE, length);
                put(p + 12, chain, 8);
                at += STATE_FRAME_SIZE + length;
        }
}

static void check_text(const char *s, size_t size) {
        CHECK(memchr(s, 0, size));
        CHECK(text_is_utf8(s, strlen(s)));
}

static void check_ring(const nsec_t *ring, uint32_t first, uint32_t n, uint32_t max) {
        CHECK(n <= max && first == 0);
        for (uint32_t i = 1; i < n; i++)
                CHECK(ring[i - 1] <= ring[i]);
}

static void check_pauses(const StatePauses *p) {
        CHECK(p->list.n <= PAUSES_MAX);
        for (uint32_t i = 0; i < p->list.n; i++) {
                const Pause *pause = &p->list.entries[i];
                PauseKind kind;
                uint32_t pid = 0;

                check_text(pause->what, sizeof(pause->what));
                check_text(pause->reason, sizeof(pause->reason));
                CHECK(pause_parse(pause->what, &kind, &pid) == 0);
                CHECK(kind == pause->kind && pid == pause->pid);
        }
}

static void check_action(const StateAction *a) {
        CHECK(a->place < STATE_ACTIONS_MAX);
        check_text(a->unit, sizeof(a->unit));
        CHECK(unit_name_is_valid(a->unit) && unit_name_is_valid(a->target));
        CHECK(a->reason >= 0 && a->reason < _STALL_REASON_MAX);
        CHECK(a->verb >= 0 && a->verb < _UNIT_ACTION_MAX);
        CHECK(a->agent.id == 0 && a->agent.origin < _ORIGIN_MAX && a->agent.status < _VLP_STATUS_MAX);
}

static void check_record(void) {
        switch (record.kind) {
        case STATE_UNIT:
                CHECK(unit_name_is_valid(record.unit.name));
                CHECK(record.unit.last_outcome < (int) _RECOVERY_OUTCOME_MAX);
                check_ring(record.unit.ladder.restarts, record.unit.ladder.first, record.unit.ladder.n,
                           CONFIG_RESTART_LIMIT_MAX);
                break;
        case STATE_PAUSES:
                check_pauses(&record.pauses);
                break;
        case STATE_BRAKE:
                check_ring(record.brake.starts, record.brake.first, record.brake.n, CONFIG_STORM_LIMIT_MAX);
                break;
        case STATE_ACTION:
                check_action(&record.action);
                break;
        case STATE_ACTION_OVER:
                CHECK(record.over < STATE_ACTIONS_MAX);
                break;
        case STATE_PAST:
                CHECK(record.past.kind >= 0 && record.past.kind < _RECOVERY_RECORD_KIND_MAX);
                check_text(record.past.unit, sizeof(record.past.unit));
                check_text(record.past.reason, sizeof(record.past.reason));
                check_text(record.past.sentence, sizeof(record.past.sentence));
                break;
        default:
                CHECK(false);
        }
}

static void check_again(void) {
        static uint8_t room[STATE_HEADER_SIZE + STATE_RECORD_MAX], twice[sizeof(room)];
        StateBuffer b = { .data = room, .size = sizeof(room) }, c = { .data = twice, .size = sizeof(twice) };
        StateHeader header = { .clock = CLOCK_MONOTONIC };
        StateReader reader;

        state_put_header(&b, &header);
        CHECK(state_put(&b, &record) == 0);
        CHECK(state_reader_init(&reader, room, b.n, &header) == STATE_OK);
        CHECK(state_next(&reader, &again) == STATE_OK);
        state_put_header(&c, &header);
        CHECK(state_put(&c, &again) == 0);
        CHECK(b.n == c.n && memcmp(room, twice, b.n) == 0);
        CHECK(state_next(&reader, &again) == STATE_END);
}

static void read_all(const uint8_t *data, size_t size) {
        StateVerdict verdict;
        StateReader reader;
        StateHeader header;

        verdict = state_reader_init(&reader, data, size, &header);
        CHECK(verdict != STATE_END);
        if (verdict != STATE_OK)
                return;
        CHECK(header.clock == CLOCK_MONOTONIC || header.clock == CLOCK_BOOTTIME);
        while ((verdict = state_next(&reader, &record)) == STATE_OK) {
                CHECK(reader.offset <= size);
                check_record();
                check_again();
        }
        CHECK(verdict == STATE_END || verdict == STATE_TORN || verdict == STATE_DAMAGED);
        CHECK((verdict == STATE_END) == (reader.offset == size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *sealed;

        read_all(data, size);
        if (size < STATE_HEADER_SIZE)
                return 0;
        sealed = malloc(size);
        CHECK(sealed);
        memcpy(sealed, data, size);
        seal(sealed, size);
        read_all(sealed, size);
        free(sealed);
        return 0;
}
