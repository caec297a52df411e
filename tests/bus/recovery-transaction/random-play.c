/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The play as a whole: its clock, the bus, systemd and the observer, which come and go, and the operator.
 *
 * The clock stands still while messages are on their way: nothing happens until a message that went the same ways
 * behind all others has come back, twice in a row without anything else having been said. So a thousand recoveries
 * take seconds, and yet each of them waits for everything it would wait for.
 */

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"

#define S NSEC_PER_SEC

/* A moment at which so many things happen never ends. */
#define TURNS_MAX 20000U

/* How long the loop waits for what has to come, at most. */
#define PATIENCE_USEC (30 * USEC_PER_SEC)

/* Long enough for every back-off, brake and unit given up, and for what begins thereafter. */
#define CALM_SPAN (90 * NSEC_PER_MINUTE)

static void turn_in(Play *p, Turn turn, nsec_t min, nsec_t max) {
        p->turns[turn] = play_now(p) + roll_span(&p->rng, min, max);
}

static void policy_of(void *userdata, const char *unit, UnitPolicy *ret) {
        Play *p = userdata;
        const Lane *l = play_lane(p, unit);

        *ret = l ? l->policy : world_policy();
}

/* When a process began, as the observer was told: nobody has its pid now who had not then. */
static int read_text(void *userdata, const char *path, char *buf, size_t size) {
        Play *p = userdata;
        char *rest = NULL;
        unsigned long pid = 0;

        if (strncmp(path, "/proc/", strlen("/proc/")) == 0)
                pid = strtoul(path + strlen("/proc/"), &rest, 10);
        if (rest && strcmp(rest, "/stat") == 0)
                for (size_t i = 0; i < WORLD_AGENTS; i++) {
                        const AgentInfo *a = &p->s.w.agents[i].info;

                        if (a->id != 0 && a->pid == pid)
                                return snprintf(buf, size,
                                                "1 (x) S 1 2 3 0 -1 4194560 105 0 0 0 0 0 0 0 20 0 1 0 "
                                                "%" PRIu64 " 0\n",
                                                a->generation);
                }
        return p->read_text(&p->s.w, path, buf, size);
}

/* Nobody did beat of this invocation, then; to an observer before this one, somebody may have. */
static void never_beat(void *userdata, const char *unit, nsec_t deadline) {
        Play *p = userdata;
        Lane *l = play_lane(p, unit);

        ck_assert_msg(l && l->policy.first_beat > 0, "%s is not watched", unit);
        for (size_t i = 0; i < AGENTS_MAX && l->kind != KIND_OPERATORS; i++)
                ck_assert_msg(!l->agents[i] || l->agents[i]->info.id == 0, "%s beats", unit);
        if (l->unit->read_invocation == l->unit->invocation) /* and has not begun anew since */
                ck_assert_uint_ge(deadline, l->unit->active_enter * NSEC_PER_USEC + l->policy.first_beat);
        ck_assert_uint_le(deadline, play_now(p));
        p->never_beats++;
        lane_never_beat(p, l);
}

static void set_hooks(Play *p) {
        RecoveryHooks *hooks = &p->s.w.recovery->hooks;

        p->read_text = hooks->read_text;
        hooks->policy = policy_of;
        hooks->record = ledger_record;
        hooks->read_text = read_text;
        hooks->never_beat = never_beat;
}

/* ---- Trouble ---------------------------------------------------------------------------------------------- */

static void bus_dies(Play *p) {
        Stage *s = &p->s;

        private_bus_stop(&s->private_bus);
        fake_leave(&s->f);
        /* Recovery is not told: it sees its connection end. */
        for (unsigned i = 0; s->w.recovery && recovery_has_bus(s->w.recovery); i++) {
                ck_assert_uint_lt(i, TURNS_MAX);
                ck_assert_int_ge(sd_event_run(s->w.event, PATIENCE_USEC), 0);
        }
        s->bus = sd_bus_unref(s->bus);
        turn_in(p, TURN_BUS_BACK, 0, chance(&p->rng, 20) ? 5 * NSEC_PER_MINUTE : 20 * S);
}

static void connection_ends(Play *p) {
        if (p->s.w.recovery)
                stage_disconnect(&p->s);
        turn_in(p, TURN_BUS_BACK, 0, chance(&p->rng, 20) ? 5 * NSEC_PER_MINUTE : 20 * S);
}

/* It died within a writing: what it was about to say, nobody heard. */
static void tear(Play *p) {
        static const uint8_t bytes[STATE_FRAME_SIZE - 1] = { 0x5a, 0xa5, 0x17 };
        size_t n = 1 + roll(&p->rng, sizeof(bytes));
        int fd = openat(p->directory_fd, STATE_FILE_NAME, O_WRONLY | O_APPEND | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, bytes, n), (ssize_t) n);
        (void) close(fd);
        p->torn++;
}

/* All processes are new, and no job of before is there. Its clock goes on, as if it had stood still meanwhile. */
static void reboot(Play *p) {
        p->reboots = false;
        p->rebooted++;
        (void) snprintf(p->boot, sizeof(p->boot), "0f53d8a5-9d1b-4d6c-8a51-%012" PRIx64 "\n", p->rebooted);
        world_text(&p->s.w, "/proc/sys/kernel/random/boot_id", p->boot);
        p->n_calls = 0;
        for (size_t i = 0; i < LANES; i++)
                lane_reboot(p, &p->lanes[i]);
}

static void observer_dies(Play *p) {
        Stage *s = &p->s;

        world_kill(&s->w);
        if (chance(&p->rng, 40))
                tear(p);
        p->reboots = chance(&p->rng, 30);
        if (s->bus) {
                (void) sd_bus_detach_event(s->bus);
                sd_bus_close(s->bus);
                s->bus = sd_bus_unref(s->bus);
        }
        turn_in(p, TURN_OBSERVER_BACK, 0, chance(&p->rng, 20) ? 5 * NSEC_PER_MINUTE : 20 * S);
}

static void observer_returns(Play *p) {
        Stage *s = &p->s;

        if (p->reboots)
                reboot(p);
        world_revive(&s->w, &p->settings);
        set_hooks(p);
        ledger_observer_is_new(p);
        for (size_t i = 0; i < LANES; i++)
                lane_observer_is_new(p, &p->lanes[i]);
        if (s->private_bus.pid != 0)
                stage_connect(s);
}

static void make_trouble(Play *p) {
        Trouble trouble = p->trouble;

        p->trouble = TROUBLE_NONE;
        if (p->turns[TURN_BUS_BACK] != NSEC_INFINITY || !p->s.w.recovery)
                return;
        p->troubles[trouble]++;
        for (size_t i = 0; i < LANES; i++)
                p->lanes[i].truth |= TRUTH_LOST;
        switch (trouble) {
        case TROUBLE_BUS_DIES:
                bus_dies(p);
                break;
        case TROUBLE_CONNECTION:
                connection_ends(p);
                break;
        case TROUBLE_SYSTEMD:
                fake_leave(&p->s.f);
                break;
        case TROUBLE_OBSERVER:
                observer_dies(p);
                break;
        default:
                break;
        }
}

static void bus_returns(Play *p) {
        Stage *s = &p->s;

        p->back = play_now(p);
        if (s->private_bus.pid == 0)
                private_bus_restart(&s->private_bus);
        if (!s->f.bus && chance(&p->rng, 70))
                fake_join(&s->f);
        if (s->w.recovery && !s->bus)
                stage_connect(s);
}

static void systemd_returns(Play *p) {
        p->back = play_now(p);
        if (!p->s.f.bus && p->s.private_bus.pid != 0)
                fake_join(&p->s.f);
}

/* It may have left by itself, in the middle of a request. */
static void notice_systemd(Play *p) {
        if (p->s.f.bus || p->s.private_bus.pid == 0 || p->turns[TURN_SYSTEMD_BACK] != NSEC_INFINITY)
                return;
        for (size_t i = 0; i < LANES; i++)
                p->lanes[i].truth |= TRUTH_LOST;
        turn_in(p, TURN_SYSTEMD_BACK, 0, 10 * S);
}

/* ---- The operator ----------------------------------------------------------------------------------------- */

static void reload(Play *p) {
        if (chance(&p->rng, 50))
                p->settings.recovery_timeout = roll_span(&p->rng, 20 * S, 3 * NSEC_PER_MINUTE);
        ck_assert_int_eq(recovery_reconfigure(p->s.w.recovery, &p->settings), 0);
}

static void operate(Play *p) {
        const char *unit = p->lanes[roll(&p->rng, LANES)].unit->name;
        Event jump = { .kind = EVENT_CLOCK_JUMP, .unit = "", .now = play_now(p) };
        Recovery *r = p->s.w.recovery;

        switch (roll(&p->rng, 8)) {
        case 0:
                (void) recovery_pause(r, unit, roll_span(&p->rng, S, NSEC_PER_MINUTE), "at random");
                break;
        case 1:
                (void) recovery_pause(r, "", roll_span(&p->rng, S, 20 * S), "at random");
                break;
        case 2:
                (void) recovery_resume(r, chance(&p->rng, 50) ? unit : "");
                break;
        case 3:
                if (recovery_resume(r, "brake") == 0)
                        p->n_calls = 0;
                break;
        case 4:
                reload(p);
                break;
        case 5:
                recovery_event(r, &jump);
                break;
        case 6:
                recovery_loop_lag(r, roll_span(&p->rng, 0, 3 * S));
                break;
        default:
                if (recovery_recover(r, unit) == 0)
                        memset(p->refusals, 0, sizeof(p->refusals)); /* whatever is said is news */
        }
}

static void take_turn(Play *p, Turn turn) {
        p->turns[turn] = NSEC_INFINITY;
        switch (turn) {
        case TURN_TROUBLE:
                p->trouble = 1 + roll(&p->rng, _TROUBLE_MAX - 1);
                turn_in(p, TURN_TROUBLE, 10 * S, 8 * NSEC_PER_MINUTE);
                break;
        case TURN_OPERATOR:
                if (p->s.w.recovery)
                        operate(p);
                turn_in(p, TURN_OPERATOR, S, 2 * NSEC_PER_MINUTE);
                break;
        case TURN_BUS_BACK:
                bus_returns(p);
                break;
        case TURN_SYSTEMD_BACK:
                systemd_returns(p);
                break;
        case TURN_OBSERVER_BACK:
                observer_returns(p);
                break;
        default:
                break;
        }
}

/* ---- Time ------------------------------------------------------------------------------------------------- */

/* One turn of the loop, and what it brought about. */
static int play_turn(Play *p, uint64_t usec) {
        Recovery *r = p->s.w.recovery;
        int k;

        if (r && r->armed <= play_now(p))
                ck_assert_int_ge(sd_event_source_set_time(r->timer, 0), 0);
        k = sd_event_run(p->s.w.event, usec);
        ck_assert_int_ge(k, 0);
        notice_systemd(p);
        if (p->trouble != TROUBLE_NONE)
                make_trouble(p);
        return k;
}

static int on_pong(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        *(bool *) userdata = true;
        return 0;
}

/* Lets a message go behind all others and come back. */
static void ping(Play *p, sd_bus *const *bus, const char *name) {
        sd_bus_slot *slot = NULL;
        bool pong = false;
        sd_bus *whose = *bus;

        if (!whose)
                return;
        ck_assert_int_ge(sd_bus_call_method_async(whose, &slot, name, "/", "org.freedesktop.DBus.Peer",
                                                  "Ping", on_pong, &pong, NULL),
                         0);
        for (unsigned i = 0; !pong && *bus == whose; i++) {
                ck_assert_msg(i < TURNS_MAX, "this moment does not end");
                ck_assert_msg(play_turn(p, PATIENCE_USEC) > 0, "nothing comes");
        }
        sd_bus_slot_unref(slot);
}

static void settle(Play *p) {
        uint64_t messages, heard;
        unsigned i = 0;

        do {
                ck_assert_msg(i++ < TURNS_MAX, "this moment does not end");
                messages = p->s.f.messages;
                heard = p->heard;
                while (play_turn(p, 0) > 0)
                        ck_assert_msg(i++ < TURNS_MAX, "this moment does not end");
                /* First that everything of systemd's is with the bus, its name included. */
                ping(p, &p->s.f.bus, "org.freedesktop.DBus");
                ping(p, &p->s.bus, "org.freedesktop.systemd1");
        } while (i < 3 || p->s.f.messages != messages || p->heard != heard ||
                 (p->s.w.recovery && p->s.w.recovery->armed <= play_now(p)));
}

static nsec_t next_of(const Play *p) {
        nsec_t next = p->s.w.recovery ? p->s.w.recovery->armed : NSEC_INFINITY;

        for (Turn t = 0; t < _TURN_MAX; t++)
                next = MIN(next, p->turns[t]);
        for (size_t i = 0; i < LANES; i++)
                for (Cue c = 0; c < _CUE_MAX; c++)
                        next = MIN(next, p->lanes[i].cues[c]);
        return next;
}

/* Goes to the next moment, but not beyond `end`. */
static void step(Play *p, nsec_t end) {
        nsec_t now;

        p->s.w.now = now = MAX(play_now(p), MIN(next_of(p), end));
        for (Turn t = 0; t < _TURN_MAX; t++)
                if (p->turns[t] <= now)
                        take_turn(p, t);
        for (size_t i = 0; i < LANES; i++)
                for (Cue c = 0; c < _CUE_MAX; c++)
                        if (p->lanes[i].cues[c] <= now)
                                lane_cue(p, &p->lanes[i], c);
        settle(p);
        ledger_check(p);
}

static void pass(Play *p, nsec_t span) {
        nsec_t end = play_now(p) + span;

        while (play_now(p) < end)
                step(p, end);
}

/* ---- Beginning and end ------------------------------------------------------------------------------------ */

void play_init(Play *p, uint64_t seed, bool trace) {
        *p = (Play){ .rng = seed, .trace = trace, .settings = world_settings() };
        p->settings.storm_limit = (Rate){ STORM_COUNT, STORM_SPAN };
        p->settings.max_deferral = 20 * S;
        for (Turn t = 0; t < _TURN_MAX; t++)
                p->turns[t] = NSEC_INFINITY;
        (void) snprintf(p->directory, sizeof(p->directory), "/tmp/varta-test-random-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(p->directory));
        p->directory_fd = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(p->directory_fd, 0);
        p->settings.state_fd = p->directory_fd;
        stage_init(&p->s);
        p->s.w.first_beat = "w@*.service";
        stage_disconnect(&p->s);
        world_kill(&p->s.w);
        observer_returns(p);
        p->s.f.director = &play_director;
        p->s.f.director_userdata = p;
        p->mail = fake_unit(&p->s.f, "varta-mail.service", 1);
        p->mail->state = ACTIVE_STATE_INACTIVE;
        for (unsigned i = 0; i < LANES; i++)
                lane_init(p, i, roll_u64(&p->rng));
        turn_in(p, TURN_TROUBLE, 10 * S, 8 * NSEC_PER_MINUTE);
        turn_in(p, TURN_OPERATOR, S, 2 * NSEC_PER_MINUTE);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

void play_done(Play *p) {
        stage_done(&p->s);
        (void) close(p->directory_fd);
        ck_assert_int_eq(nftw(p->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void play_run(Play *p, uint64_t finished) {
        while (p->finished < finished)
                step(p, NSEC_INFINITY);
}

/* Nothing but an end that nobody may undo leaves a stall standing for so long. */
static void check_stalls(Play *p, const Lane *l) {
        RecoveryUnitView view;

        recovery_unit(p->s.w.recovery, l->unit->name, &view);
        for (size_t i = 0; i < AGENTS_MAX; i++) {
                const WorldAgent *a = l->agents[i];
                const RecoveryStall *s;

                if (!a || a->info.id == 0 || !a->info.stalled)
                        continue;
                s = registry_stall(&p->s.w.recovery->registry, a->info.id);
                ck_assert_msg(s, "%s: a stall is forgotten", l->unit->name);
                ck_assert_msg(s->again == AGAIN_NEVER || s->again == AGAIN_AGENTS,
                              "%s: a stall waits for ever (%s)", l->unit->name,
                              recovery_again_to_string(s->again));
        }
}

static void calm(Play *p) {
        p->calm = true;
        p->trouble = TROUBLE_NONE;
        p->turns[TURN_TROUBLE] = p->turns[TURN_OPERATOR] = NSEC_INFINITY;
        for (size_t i = 0; i < LANES; i++)
                lane_calm(p, &p->lanes[i]);
        pass(p, CALM_SPAN);
}

void play_end(Play *p) {
        Recovery *r;

        calm(p);
        r = p->s.w.recovery;
        ck_assert_uint_eq(recovery_in_flight(r), 0);
        ck_assert_uint_eq(recovery_gave_up(r), 0);
        ck_assert_uint_ge(p->mail->calls + p->helpers_failed, p->gave_ups);
        for (size_t i = 0; i < LANES; i++)
                check_stalls(p, &p->lanes[i]);

        /* After all of that, every unit is recovered as on the first day. */
        for (size_t i = 0; i < LANES; i++) {
                Lane *l = &p->lanes[i];
                uint64_t before = p->total.outcomes[OUTCOME_RECOVERED];

                lane_revive(p, l);
                lane_stall(p, l);
                settle(p);
                pass(p, NSEC_PER_HOUR);
                ck_assert_msg(p->total.outcomes[OUTCOME_RECOVERED] > before, "%s is not recovered any more",
                              l->unit->name);
        }
        for (size_t i = 0; i < LANES; i++)
                lane_end(p, &p->lanes[i]);
        settle(p);
        pass(p, NSEC_PER_HOUR);
        ck_assert_uint_eq(recovery_in_flight(r), 0);
        for (size_t i = 0; i < LANES; i++) {
                RecoveryUnit *u = registry_unit(&r->registry, p->lanes[i].unit->name);

                ck_assert_msg(!u || registry_unit_stalls(u) == 0, "%s: a stall of nobody stands", u->name);
        }
        ck_assert_uint_eq(recovery_standing(r), 0);
        ck_assert_uint_eq(r->watches, 0);
        p->s.w.n_records = 0;
}
