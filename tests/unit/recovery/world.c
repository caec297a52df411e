/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

/* How long a loop may stay silent before the world counts as settled: a reply within one process takes less than a
 * tenth of this even under valgrind. */
#define QUIET_USEC (50 * 1000)
/* And how long something that has to come may take, on the worst of days. */
#define PATIENCE_ROUNDS 400

static nsec_t hook_now(void *userdata) {
        World *w = userdata;

        return w->now;
}

static void hook_record(void *userdata, const RecoveryRecord *record) {
        World *w = userdata;
        WorldRecord *r;

        ck_assert_uint_lt(w->n_records, WORLD_RECORDS);
        r = &w->records[w->n_records++];
        r->record = *record;
        (void) snprintf(r->unit, sizeof(r->unit), "%s", record->unit);
        (void) snprintf(r->reason, sizeof(r->reason), "%s", record->reason);
        (void) snprintf(r->sentence, sizeof(r->sentence), "%s", record->sentence);
        (void) snprintf(r->job, sizeof(r->job), "%s", record->job);
        r->record.unit = r->unit;
        r->record.reason = r->reason;
        r->record.sentence = r->sentence;
        r->record.job = r->job;
}

static void hook_policy(void *userdata, const char *unit, UnitPolicy *ret) {
        World *w = userdata;

        *ret = w->special_unit[0] != '\0' && strcmp(unit, w->special_unit) == 0 ? w->special : w->policy;
}

static int hook_agent(void *userdata, uint64_t id, AgentInfo *ret) {
        World *w = userdata;

        for (size_t i = 0; i < WORLD_AGENTS; i++)
                if (w->agents[i].info.id == id && id != 0) {
                        *ret = w->agents[i].info;
                        return 0;
                }
        return -ENOENT;
}

static void hook_agents(void *userdata, const char *unit, RecoveryAgents *ret) {
        RecoveryAgents n = {};
        World *w = userdata;

        for (size_t i = 0; i < WORLD_AGENTS; i++)
                if (w->agents[i].info.id != 0 && strcmp(w->agents[i].unit, unit) == 0) {
                        n.tracked++;
                        n.stalled += w->agents[i].info.stalled;
                }
        *ret = n;
}

/* Every process of this world is there and free, unless a test says otherwise. */
static int hook_read_text(void *userdata, const char *path, char *buf, size_t size) {
        const char *text = NULL;
        World *w = userdata;
        char name[16] = "";

        for (size_t i = 0; i < WORLD_TEXTS; i++)
                if (strcmp(w->texts[i].path, path) == 0) {
                        if (!w->texts[i].text)
                                return -ENOENT;
                        text = w->texts[i].text;
                }
        if (!text && sscanf(path, "/proc/%*u/%15s", name) == 1) {
                if (strcmp(name, "stat") == 0)
                        text = "1 (x) S 1 2 3 0 -1 4194560 105 0 0 0 0 0 0 0 20 0 1 0 77 0\n";
                else if (strcmp(name, "status") == 0)
                        text = "Name:\tx\nTracerPid:\t0\nNSpid:\t1\n";
                else if (strcmp(name, "cgroup") == 0)
                        text = "0::/x\n";
        }
        if (!text && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
                text = "0f53d8a5-9d1b-4d6c-8a51-6f3b2c1d0e9f\n";
        if (!text)
                return -ENOENT;
        return snprintf(buf, size, "%s", text);
}

static const char *hook_first_beat_at(void *userdata, size_t i) {
        return i == 0 ? ((World *) userdata)->first_beat : NULL;
}

static void hook_never_beat(void *userdata, const char *unit, nsec_t deadline) {
        World *w = userdata;

        w->never_beats++;
        w->never_beat_deadline = deadline;
        world_never_beat(w, unit);
}

static const RecoveryHooks hooks = {
        .now = hook_now,
        .record = hook_record,
        .policy = hook_policy,
        .agent = hook_agent,
        .agents = hook_agents,
        .first_beat_at = hook_first_beat_at,
        .never_beat = hook_never_beat,
        .read_text = hook_read_text,
};

UnitPolicy world_policy(void) {
        return (UnitPolicy){
                .mode = UNIT_MODE_ENFORCE,
                .stall_threshold = 5 * NSEC_PER_SEC,
                .forget = NSEC_PER_HOUR,
                .quorum = { .value = 1 },
                .restart_backoff = { 5 * NSEC_PER_SEC, 300 * NSEC_PER_SEC },
                .restart_limit = { 5, 600 * NSEC_PER_SEC },
        };
}

RecoverySettings world_settings(void) {
        return (RecoverySettings){
                .clock = CLOCK_MONOTONIC,
                .stalls = WORLD_AGENTS,
                .units = 64,
                .own_unit = "varta@7.service",
                .recheck = 5 * NSEC_PER_SEC,
                .state_fd = -1,
        };
}

void world_init_with(World *w, const RecoverySettings *settings) {
        struct timespec ts;

        *w = (World){ .policy = world_policy() };
        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        w->start = w->now = (nsec_t) ts.tv_sec * NSEC_PER_SEC + (nsec_t) ts.tv_nsec;
        ck_assert_int_ge(sd_event_new(&w->event), 0);
        ck_assert_int_eq(recovery_new(w->event, settings, &hooks, w, &w->recovery), 0);
        /* The observer's own start is long over; and no timer of this world fires before turn() makes it. */
        w->now += NSEC_PER_HOUR;
}

void world_kill(World *w) {
        w->recovery = recovery_free(w->recovery);
        /* The next observer knows nobody: whoever beats appears to it, under another id. */
        for (size_t i = 0; i < WORLD_AGENTS; i++)
                w->agents[i].info.id = 0;
}

void world_revive(World *w, const RecoverySettings *settings) {
        ck_assert_ptr_null(w->recovery);
        ck_assert_int_eq(recovery_new(w->event, settings, &hooks, w, &w->recovery), 0);
}

void world_init(World *w) {
        RecoverySettings settings = world_settings();

        world_init_with(w, &settings);
}

void world_done(World *w) {
        w->recovery = recovery_free(w->recovery);
        w->event = sd_event_unref(w->event);
}

/* ---- Agents ----------------------------------------------------------------------------------------------- */

WorldAgent *world_agent(World *w, const char *unit, uint8_t invocation) {
        WorldAgent *a = NULL;

        for (size_t i = 0; i < WORLD_AGENTS && !a; i++)
                if (w->agents[i].info.id == 0)
                        a = &w->agents[i];
        ck_assert_ptr_nonnull(a);
        w->ids++;
        *a = (WorldAgent) {
                .info = {
                        .id = w->ids << 20,
                        .generation = 77,
                        .last_nonce = 42,
                        .beats = 3,
                        .first_seen = w->now,
                        .last_beat = w->now,
                        .threshold = w->policy.stall_threshold,
                        .pid = 1000 + (uint32_t) w->ids,
                        .origin = ORIGIN_KERNEL_ATTESTED,
                        .confirmed = true,
                        .has_pidfd = true,
                },
        };
        memset(a->info.invocation, invocation, INVOCATION_ID_SIZE);
        (void) snprintf(a->unit, sizeof(a->unit), "%s", unit);
        return a;
}

static void tell(World *w, const WorldAgent *a, Event event) {
        event.now = w->now;
        event.agent = a->info;
        event.unit = a->unit;
        recovery_event(w->recovery, &event);
}

void world_stall(World *w, WorldAgent *a) {
        w->now += a->info.threshold;
        a->info.stalled = true;
        tell(w, a, (Event){ .kind = EVENT_STALL, .reason = STALL_SILENT, .deadline = w->now });
}

void world_resume(World *w, WorldAgent *a) {
        a->info.stalled = false;
        a->info.last_beat = w->now;
        tell(w, a, (Event){ .kind = EVENT_BEAT, .flags = BEAT_RESUMED });
}

void world_appear(World *w, WorldAgent *a) {
        tell(w, a, (Event){ .kind = EVENT_BEAT, .flags = BEAT_APPEARED });
}

void world_exit(World *w, WorldAgent *a) {
        WorldAgent last = *a;

        a->info.id = 0;
        tell(w, &last, (Event){ .kind = EVENT_EXIT });
}

void world_never_beat(World *w, const char *unit) {
        Event event = {
                .kind = EVENT_STALL,
                .now = w->now,
                .unit = unit,
                .reason = STALL_NEVER_BEAT,
                .deadline = w->now,
        };

        recovery_event(w->recovery, &event);
}

void world_text(World *w, const char *path, const char *text) {
        WorldText *free_one = NULL;

        for (size_t i = 0; i < WORLD_TEXTS; i++) {
                if (strcmp(w->texts[i].path, path) == 0) {
                        w->texts[i].text = text;
                        return;
                }
                if (!free_one && w->texts[i].path[0] == '\0')
                        free_one = &w->texts[i];
        }
        ck_assert_ptr_nonnull(free_one);
        (void) snprintf(free_one->path, sizeof(free_one->path), "%s", path);
        free_one->text = text;
}

/* ---- Time ------------------------------------------------------------------------------------------------- */

/* One turn of the loop; what is due in this world is made due in the real one. */
static int turn(World *w) {
        Recovery *r = w->recovery;

        if (r && r->armed <= w->now)
                ck_assert_int_ge(sd_event_source_set_time(r->timer, 0), 0);
        return sd_event_run(w->event, QUIET_USEC);
}

void world_settle(World *w) {
        int r;

        do {
                r = turn(w);
                ck_assert_int_ge(r, 0);
        } while (r > 0);
}

void world_wait(World *w, unsigned n_records) {
        for (unsigned i = 0; w->n_records < n_records; i++) {
                ck_assert_msg(i < PATIENCE_ROUNDS, "%u records, and %u were waited for", w->n_records,
                              n_records);
                ck_assert_int_ge(turn(w), 0);
        }
}

void world_advance(World *w, nsec_t span) {
        w->now += span;
        world_settle(w);
}

/* ---- Records ---------------------------------------------------------------------------------------------- */

const char *world_record(World *w, unsigned n) {
        static char text[128];
        const RecoveryRecord *r;

        ck_assert_uint_lt(n, w->n_records);
        r = &w->records[n].record;
        ck_assert_msg(strlen(r->sentence) > 20 && strlen(r->sentence) < RECOVERY_SENTENCE_MAX - 1, "\"%s\"",
                      r->sentence);
        ck_assert(r->reason[0] != '\0');
        ck_assert((r->refusal >= 0) == (r->kind == RECORD_REFUSED || r->kind == RECORD_GAVE_UP));
        ck_assert((r->outcome >= 0) == (r->kind == RECORD_FINISHED));
        ck_assert((r->again_at != NSEC_INFINITY) <=
                  (r->again == AGAIN_AT || r->again == AGAIN_RECHECK || r->again == AGAIN_BUS));
        (void) snprintf(text, sizeof(text), "%s %s", recovery_record_kind_to_string(r->kind), r->reason);
        return text;
}

void world_expect_nothing(World *w) {
        ck_assert_msg(w->n_records == 0, "an unexpected record: %s: %s", world_record(w, 0),
                      w->records[0].sentence);
}

void world_expect(World *w, const char *first, ...) {
        unsigned n = 0;
        va_list ap;

        va_start(ap, first);
        for (const char *expected = first; expected; expected = va_arg(ap, const char *), n++) {
                ck_assert_msg(n < w->n_records, "no record, and \"%s\" was expected", expected);
                ck_assert_msg(strcmp(world_record(w, n), expected) == 0,
                              "record %u is \"%s\", not \"%s\": %s", n, world_record(w, n), expected,
                              w->records[n].sentence);
        }
        va_end(ap);
        ck_assert_msg(n == w->n_records, "an unexpected record: %s", world_record(w, n));
        w->n_records = 0;
}
