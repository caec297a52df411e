/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The form of the state file: what is written comes back, and nothing else does. */

#include <errno.h>
#include <string.h>

#include "recovery/state.h"
#include "runner.h"
#include "util/hash.h"

static uint8_t room[4 * STATE_RECORD_MAX];
static StateRecord record, back;

static StateBuffer begin(void) {
        StateBuffer b = { .data = room, .size = sizeof(room) };
        StateHeader header = { .clock = CLOCK_BOOTTIME, .now = 7, .wall = 8 };

        memset(header.boot, 0xb0, sizeof(header.boot));
        state_put_header(&b, &header);
        return b;
}

static void fill(char *s, size_t size, const char *suffix) {
        memset(s, 'u', size - 1);
        memcpy(s + size - 1 - strlen(suffix), suffix, strlen(suffix) + 1);
}

static void make_pauses(void) {
        record.pauses.wall = 16;
        record.pauses.list.n = PAUSES_MAX;
        for (uint32_t i = 0; i < PAUSES_MAX; i++) {
                Pause *p = &record.pauses.list.entries[i];

                *p = (Pause){ .kind = PAUSE_UNIT, .generation = i, .until = i };
                record.pauses.ends[i] = USEC_INFINITY - i;
                fill(p->what, sizeof(p->what), ".service");
                fill(p->reason, sizeof(p->reason), "");
        }
}

/* The largest one of each kind. */
static void make(StateKind kind) {
        memset(&record, 0, sizeof(record));
        record.kind = kind;
        switch (kind) {
        case STATE_UNIT:
                fill(record.unit.name, sizeof(record.unit.name), ".service");
                record.unit.ladder = (Ladder){ .attempt = 3,
                                               .backoff_until = 11,
                                               .hold_until = 12,
                                               .trouble = 13,
                                               .gave_up_until = 14 };
                memset(record.unit.ladder.gave_up_on, 0xaa, INVOCATION_ID_SIZE);
                record.unit.ladder.n = CONFIG_RESTART_LIMIT_MAX;
                for (uint32_t i = 0; i < CONFIG_RESTART_LIMIT_MAX; i++)
                        record.unit.ladder.restarts[i] = 100 + i;
                record.unit.restarts = 77;
                record.unit.last_outcome = OUTCOME_NO_BEAT;
                record.unit.stalled = true;
                record.unit.agent = (AgentInfo){ .pid = 1, .generation = 3, .last_beat = 4 };
                record.unit.reason = STALL_EXITED;
                record.unit.since = 15;
                break;
        case STATE_PAUSES:
                make_pauses();
                break;
        case STATE_BRAKE:
                record.brake.n = CONFIG_STORM_LIMIT_MAX;
                for (uint32_t i = 0; i < CONFIG_STORM_LIMIT_MAX; i++)
                        record.brake.starts[i] = i;
                break;
        case STATE_ACTION:
                record.action = (StateAction){
                        .place = 15,
                        .agent = { .pid = 1, .uid = 2, .generation = 3, .last_beat = 4 },
                        .reason = STALL_NEVER_BEAT,
                        .attempt = 5,
                        .verb = UNIT_ACTION_START,
                        .started = 6,
                        .deadline = 7,
                        .limit = 8,
                        .proving = true,
                        .by_hand = true
                };
                fill(record.action.unit, UNIT_NAME_SIZE, ".service");
                fill(record.action.target, UNIT_NAME_SIZE, ".service");
                break;
        case STATE_ACTION_OVER:
                record.over = 9;
                break;
        default:
                record.past = (RecoveryPast){ .wall = 10, .kind = RECORD_REFUSED, .pid = 11, .attempt = 12 };
                fill(record.past.unit, sizeof(record.past.unit), ".service");
                fill(record.past.reason, sizeof(record.past.reason), "");
                fill(record.past.sentence, sizeof(record.past.sentence), "\xc3\xa4.");
        }
}

START_TEST(test_round_trip) {
        for (StateKind kind = STATE_UNIT; kind < _STATE_KIND_MAX; kind++) {
                StateBuffer b = begin();
                StateReader reader;
                StateHeader header;

                make(kind);
                ck_assert_int_eq(state_put(&b, &record), 0);
                ck_assert_uint_le(b.n, STATE_HEADER_SIZE + STATE_RECORD_MAX);
                ck_assert_int_eq(state_reader_init(&reader, room, b.n, &header), STATE_OK);
                ck_assert(header.clock == CLOCK_BOOTTIME && header.now == 7 && header.wall == 8);
                ck_assert_uint_eq(header.boot[15], 0xb0);
                memset(&back, 0, sizeof(back));
                ck_assert_int_eq(state_next(&reader, &back), STATE_OK);
                ck_assert_mem_eq(&record, &back, sizeof(record));
                ck_assert_int_eq(state_next(&reader, &back), STATE_END);
                ck_assert_int_eq(state_next(&reader, &back), STATE_END);
        }
}
END_TEST

START_TEST(test_a_ring_begins_anywhere) {
        StateBuffer b = begin();
        StateReader reader;
        StateHeader header;

        record = (StateRecord){ .kind = STATE_BRAKE,
                                .brake = { .first = CONFIG_STORM_LIMIT_MAX - 1, .n = 2 } };
        record.brake.starts[CONFIG_STORM_LIMIT_MAX - 1] = 5;
        record.brake.starts[0] = 6;
        ck_assert_int_eq(state_put(&b, &record), 0);
        ck_assert_uint_eq(record.brake.first, CONFIG_STORM_LIMIT_MAX - 1);
        ck_assert_int_eq(state_reader_init(&reader, room, b.n, &header), STATE_OK);
        ck_assert_int_eq(state_next(&reader, &back), STATE_OK);
        ck_assert_uint_eq(back.brake.first, 0);
        ck_assert_uint_eq(back.brake.n, 2);
        ck_assert(back.brake.starts[0] == 5 && back.brake.starts[1] == 6);
}
END_TEST

START_TEST(test_no_room) {
        StateBuffer b = begin(), before;

        make(STATE_PAST);
        for (size_t size = b.n; size < b.n + 600; size++) {
                b.size = size;
                before = b;
                ck_assert_int_eq(state_put(&b, &record), -ENOBUFS);
                ck_assert_mem_eq(&b, &before, sizeof(b));
        }
}
END_TEST

/* Others' words may be no text. */
START_TEST(test_what_is_no_text_is_shown) {
        StateBuffer b = begin();
        StateReader reader;
        StateHeader header;

        record = (StateRecord){ .kind = STATE_PAST };
        (void) strcpy(record.past.sentence, "an \xff in it");
        ck_assert_int_eq(state_put(&b, &record), 0);
        ck_assert_int_eq(state_reader_init(&reader, room, b.n, &header), STATE_OK);
        ck_assert_int_eq(state_next(&reader, &back), STATE_OK);
        ck_assert_str_eq(back.past.sentence, "an \\xff in it");
}
END_TEST

/* One of each kind; the ends of the records, the head's first. Returns the size. */
static size_t make_file(size_t ends[_STATE_KIND_MAX]) {
        StateBuffer b = begin();

        ends[0] = b.n;
        for (StateKind kind = STATE_UNIT; kind < _STATE_KIND_MAX; kind++) {
                make(kind);
                if (kind == STATE_PAUSES)
                        record.pauses.list.n = 1; /* every byte is tried */
                if (kind == STATE_BRAKE)
                        record.brake.n = 5;
                ck_assert_int_eq(state_put(&b, &record), 0);
                ends[kind] = b.n;
        }
        return b.n;
}

/* Reads on until something is wrong, or the end. */
static StateVerdict read_all(const uint8_t *data, size_t size, unsigned *ret_n) {
        StateVerdict verdict;
        StateReader reader;
        StateHeader header;

        *ret_n = 0;
        verdict = state_reader_init(&reader, data, size, &header);
        if (verdict != STATE_OK)
                return verdict;
        while ((verdict = state_next(&reader, &back)) == STATE_OK)
                (*ret_n)++;
        return verdict;
}

START_TEST(test_torn_at_every_byte) {
        size_t ends[_STATE_KIND_MAX], size = make_file(ends);

        for (size_t cut = 0; cut <= size; cut++) {
                bool whole = false;
                unsigned n, expected = 0;

                for (unsigned k = 0; k < _STATE_KIND_MAX; k++) {
                        whole = whole || cut == ends[k];
                        if (k > 0 && ends[k] <= cut)
                                expected++;
                }
                ck_assert_msg(read_all(room, cut, &n) == (whole ? STATE_END : STATE_TORN), "cut at %zu",
                              cut);
                ck_assert_msg(n == expected, "cut at %zu: %u records, not %u", cut, n, expected);
        }
}
END_TEST

/* Damage is never taken for a torn end: not even that of a length. */
START_TEST(test_flipped_at_every_bit) {
        size_t ends[_STATE_KIND_MAX], size = make_file(ends);

        for (size_t bit = 0; bit < 8 * size; bit++) {
                StateVerdict verdict, expected = STATE_DAMAGED;
                unsigned n;

                if (bit / 8 < 8)
                        expected = STATE_STRANGE;
                else if (bit / 8 < 12)
                        expected = STATE_VERSION_UNKNOWN;
                room[bit / 8] ^= (uint8_t) (1U << (bit % 8));
                verdict = read_all(room, size, &n);
                ck_assert_msg(verdict == expected, "bit %zu: %d", bit, verdict);
                ck_assert_msg(n == 0 || bit / 8 >= ends[n], "bit %zu: %u records", bit, n);
                room[bit / 8] ^= (uint8_t) (1U << (bit % 8));
        }
}
END_TEST

START_TEST(test_the_order_counts) {
        size_t ends[_STATE_KIND_MAX], size = make_file(ends), n = ends[2] - ends[1];
        static uint8_t other[sizeof(room)];
        unsigned k;

        /* One left out; */
        memcpy(other, room, ends[1]);
        memcpy(other + ends[1], room + ends[2], size - ends[2]);
        ck_assert_int_eq(read_all(other, size - n, &k), STATE_DAMAGED);
        /* one twice; */
        memcpy(other, room, ends[2]);
        memcpy(other + ends[2], room + ends[1], n);
        ck_assert_int_eq(read_all(other, ends[2] + n, &k), STATE_DAMAGED);
        /* zeroes behind the end. */
        memcpy(other, room, size);
        memset(other + size, 0, 512);
        ck_assert_int_eq(read_all(other, size + 512, &k), STATE_DAMAGED);
}
END_TEST

/* ---- True sums over untrue fields ------------------------------------------------------------------------- */

/* As state.c has it, once more: the seed of the chain, and a record's head of length, kind and two sums. */
#define SEED UINT64_C(0x56617274615374)

static void put_le(uint8_t *p, uint64_t v, size_t n) {
        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t) (v >> (8 * i));
}

static void seal(size_t length) {
        uint64_t chain = hash_bytes(SEED, room, STATE_HEADER_SIZE - 8);
        uint8_t *p = room + STATE_HEADER_SIZE;

        put_le(p - 8, chain, 8);
        put_le(p, length, 4);
        put_le(p + 8, hash_bytes(chain, p, 8) >> 32, 4);
        put_le(p + 12, hash_bytes(hash_bytes(chain, p, 12), p + STATE_FRAME_SIZE, length), 8);
}

/* Of a unit: its name is 2 + 255 bytes long. */
#define UNIT_AFTER_NAME 257
#define UNIT_RING       (UNIT_AFTER_NAME + 4 + 4 * 8 + 16)
#define UNIT_OUTCOME    (UNIT_RING + 4 + 8 * CONFIG_RESTART_LIMIT_MAX + 8)
/* Of an action: a place, two names. */
#define ACTION_AGENT (4 + 2 * 257)
#define ACTION_AFTER (ACTION_AGENT + 4 + 4 + 4 * 8 + 1 + 1 + 16)

START_TEST(test_forged_fields) {
        static const struct {
                const char *title;
                StateKind kind;
                size_t offset;
                uint8_t value[4];
                size_t n;
        } rows[] = {
                { "as it was", STATE_UNIT, 0, {}, 0 },
                { "a name with a slash", STATE_UNIT, 2, { '/' }, 1 },
                { "a name with a NUL", STATE_UNIT, 5, { 0 }, 1 },
                { "a name that is longer than names are", STATE_UNIT, 0, { 0, 1 }, 2 },
                { "a name that goes on behind the end", STATE_UNIT, 0, { 0xff, 0xff }, 2 },
                { "an empty name", STATE_UNIT, 0, { 0, 0 }, 2 },
                { "more restarts than fit", STATE_UNIT, UNIT_RING, { CONFIG_RESTART_LIMIT_MAX + 1 }, 4 },
                { "restarts out of their order", STATE_UNIT, UNIT_RING + 4, { 0xff, 0xff }, 2 },
                { "an outcome that there is not", STATE_UNIT, UNIT_OUTCOME, { _RECOVERY_OUTCOME_MAX }, 1 },
                { "a truth of two", STATE_UNIT, UNIT_OUTCOME + 9, { 2 }, 1 },
                { "more pauses than fit", STATE_PAUSES, 8, { PAUSES_MAX + 1 }, 4 },
                { "millions of pauses", STATE_PAUSES, 8, { 0xff, 0xff, 0xff, 0xff }, 4 },
                { "a pause of what cannot be paused", STATE_PAUSES, 14, { ' ' }, 1 },
                { "more starts than fit", STATE_BRAKE, 0, { 1, 4 }, 4 },
                { "starts out of their order", STATE_BRAKE, 4, { 9 }, 1 },
                { "an action in no place", STATE_ACTION, 0, { STATE_ACTIONS_MAX }, 4 },
                { "a target that is no unit", STATE_ACTION, 4 + 257 + 2, { '\n' }, 1 },
                { "a status that there is not", STATE_ACTION, ACTION_AFTER - 18, { _VLP_STATUS_MAX }, 1 },
                { "an origin that there is not", STATE_ACTION, ACTION_AFTER - 17, { _ORIGIN_MAX }, 1 },
                { "a reason that there is not", STATE_ACTION, ACTION_AFTER, { _STALL_REASON_MAX }, 1 },
                { "a verb that there is not", STATE_ACTION, ACTION_AFTER + 5, { _UNIT_ACTION_MAX }, 1 },
                { "the end of no action", STATE_ACTION_OVER, 0, { 0xff, 0xff, 0xff, 0xff }, 4 },
                { "a decision of no kind", STATE_PAST, 8, { _RECOVERY_RECORD_KIND_MAX }, 1 },
                { "a sentence that is no text", STATE_PAST, 8 + 9 + 257 + 41 + 2, { 0xff }, 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                StateBuffer b = begin();
                StateVerdict verdict;
                size_t length;
                unsigned n;

                make(rows[i].kind);
                ck_assert_int_eq(state_put(&b, &record), 0);
                length = b.n - STATE_HEADER_SIZE - STATE_FRAME_SIZE;
                ck_assert_uint_le(rows[i].offset + rows[i].n, length);
                memcpy(room + STATE_HEADER_SIZE + STATE_FRAME_SIZE + rows[i].offset, rows[i].value,
                       rows[i].n);
                seal(length);
                verdict = read_all(room, b.n, &n);
                ck_assert_msg(verdict == (i == 0 ? STATE_END : STATE_DAMAGED), "%s: %d", rows[i].title,
                              verdict);
                ck_assert_uint_eq(n, i == 0);
        }
}
END_TEST

START_TEST(test_forged_frames) {
        static const struct {
                const char *title;
                uint32_t kind;
                int more; /* bytes of payload */
                StateVerdict expected;
        } rows[] = {
                { "as it was", STATE_ACTION_OVER, 0, STATE_END },
                { "no kind", 0, 0, STATE_DAMAGED },
                { "a kind of the future", _STATE_KIND_MAX, 0, STATE_DAMAGED },
                { "another kind than what is in it", STATE_PAST, 0, STATE_DAMAGED },
                { "something behind what is in it", STATE_ACTION_OVER, 1, STATE_DAMAGED },
                { "less than what is in it", STATE_ACTION_OVER, -1, STATE_DAMAGED },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                StateBuffer b = begin();
                unsigned n;

                make(STATE_ACTION_OVER);
                ck_assert_int_eq(state_put(&b, &record), 0);
                put_le(room + STATE_HEADER_SIZE + 4, rows[i].kind, 4);
                b.n += (size_t) rows[i].more;
                seal(b.n - STATE_HEADER_SIZE - STATE_FRAME_SIZE);
                ck_assert_msg(read_all(room, b.n, &n) == rows[i].expected, "%s", rows[i].title);
        }
        /* Longer than any, and the file is as long as that. */
        (void) begin();
        memset(room + STATE_HEADER_SIZE, 1, sizeof(room) - STATE_HEADER_SIZE);
        seal(2 * STATE_RECORD_MAX);
        ck_assert_int_eq(read_all(room, sizeof(room), &(unsigned){ 0 }), STATE_DAMAGED);
}
END_TEST

START_TEST(test_headers) {
        static const struct {
                const char *title;
                size_t offset;
                uint8_t value;
                StateVerdict expected;
        } rows[] = {
                { "the next version", 8, STATE_VERSION + 1, STATE_VERSION_UNKNOWN },
                { "another clock", 12, 33, STATE_DAMAGED },
                { "another file", 0, '#', STATE_STRANGE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                unsigned n;

                (void) begin();
                room[rows[i].offset] = rows[i].value;
                seal(0);
                ck_assert_msg(read_all(room, STATE_HEADER_SIZE, &n) == rows[i].expected, "%s",
                              rows[i].title);
        }
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_round_trip,
                test_a_ring_begins_anywhere,
                test_no_room,
                test_torn_at_every_byte,
                test_flipped_at_every_bit,
                test_the_order_counts,
                test_forged_fields,
                test_forged_frames,
                test_headers,
                test_what_is_no_text_is_shown,
        };

        return run_tests("recovery-state", tests, ELEMENTSOF(tests));
}
