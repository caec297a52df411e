/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Recoveries at random: a few units live, wedge, crash, are stopped and started by their administrators; systemd fails
 * in all its ways; the bus, systemd and the observer come and go; somebody pauses, resumes and reloads. All of it on a
 * clock that jumps from one thing that is to happen to the next.
 *
 * What is true is known to this side only: what was begun, stopped and lost, and when. The ledger holds every record of
 * recovery against it.
 *
 * Every unit has a stream of random numbers of its own, and so has what concerns all of them, so that the order in
 * which the bus delivers what happens at one moment has little influence on the play: a seed that failed fails again.
 */

#include "stage.h"

#define LANES        8U
#define AGENTS_MAX   3U
#define STORM_COUNT  12U
#define STORM_SPAN   (2 * NSEC_PER_MINUTE)
#define REFUSALS_MAX 4096U

/* ---- Random numbers --------------------------------------------------------------------------------------- */

/* splitmix64: every seed is as good as any other. */
static inline uint64_t roll_u64(uint64_t *rng) {
        uint64_t z = (*rng += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* 0 .. n - 1 */
static inline unsigned roll(uint64_t *rng, unsigned n) {
        return (unsigned) (roll_u64(rng) % n);
}

static inline bool chance(uint64_t *rng, unsigned percent) {
        return roll(rng, 100) < percent;
}

static inline nsec_t roll_span(uint64_t *rng, nsec_t min, nsec_t max) {
        return min + roll_u64(rng) % (max - min + 1);
}

/* ---- One unit --------------------------------------------------------------------------------------------- */

/* What is to happen to a unit. */
typedef enum Cue {
        CUE_BEAT,     /* its new process beats */
        CUE_STALL,    /* one of its agents falls silent, or dies */
        CUE_RESUME,   /* one of its agents beats again by itself */
        CUE_EXIT,     /* the observer hears of the death of its processes */
        CUE_JOB,      /* the job goes on */
        CUE_HAND,     /* its administrator does something */
        CUE_AFTER,    /* and finishes it */
        CUE_CAPTURE,  /* CaptureUnit= has run */
        CUE_NO_REPLY, /* the bus does not wait for systemd's reply any more */
        _CUE_MAX,
} Cue;

/* What the administrator is at. */
typedef enum Hand {
        HAND_IDLE,
        HAND_STOPPING, /* the stop takes its time */
        HAND_START,    /* it is down, and will be started */
        HAND_JOB,      /* another job of somebody's */
        HAND_AGAIN,    /* systemd itself starts it again (Restart=) */
        HAND_FOUND,    /* its file is gone, or masked, and will be back */
        HAND_FROZEN,
} Hand;

/* How the unit's agents are known to the observer. */
typedef enum Kind {
        KIND_ATTESTED,  /* by the kernel, with the invocation they belong to */
        KIND_NAMELESS,  /* by the kernel, and nobody could read their invocation */
        KIND_OPERATORS, /* from the network, and the operator vouches for them */
        _KIND_MAX,
} Kind;

/* What happened to a unit, as far as an outcome may say that it did. */
enum {
        TRUTH_RESTARTED = 1 << 0, /* a new invocation began */
        TRUTH_BEAT = 1 << 1,      /* a process of a new invocation beat */
        TRUTH_DOWN = 1 << 2,      /* it went down, or was told to */
        TRUTH_GONE = 1 << 3,      /* it vanished, or systemd said so */
        TRUTH_DENIED = 1 << 4,
        TRUTH_CANCELED = 1 << 5, /* the job was canceled, or could not be queued */
        TRUTH_FAILED = 1 << 6,   /* the job failed, or the unit did */
        TRUTH_LIMIT = 1 << 7,
        TRUTH_TIMEOUT = 1 << 8,
        TRUTH_LOST = 1 << 9, /* something that was said may not have been heard */
};

typedef struct Lane {
        FakeUnit *unit, *fix, *cap; /* the oneshots: `fix` of Action=start:, `cap` of CaptureUnit= */
        uint64_t rng;
        Kind kind;
        UnitPolicy policy;
        WorldAgent *agents[AGENTS_MAX]; /* id 0, or NULL: none */
        WorldAgent *dying[AGENTS_MAX];  /* they are dead, and the observer has not heard of it yet */
        WorldAgent *survivor;           /* of an invocation that is over; NULL: none */
        nsec_t cues[_CUE_MAX];          /* NSEC_INFINITY: not on */
        FakeJob how;                    /* what becomes of the job on its way */
        const char *result;             /* and how it ends */
        unsigned stage;
        bool job_is_ours;
        bool heard_late;    /* the request without a reply is dealt with all the same */
        bool up;            /* it has processes */
        bool beats;         /* who beat before the observer died would beat to the next one */
        uint8_t invocation; /* theirs */
        Hand hand;

        /* The ledger. */
        bool open; /* STARTED, and not FINISHED */
        bool open_by_hand;
        unsigned attempt;
        nsec_t started, limit;
        unsigned truth;                            /* since `started` */
        unsigned climbed;                          /* rungs of the ladder that were climbed */
        nsec_t last_climb;                         /* 0: never */
        nsec_t gave_up;                            /* 0: it has not given up */
        nsec_t restarts[CONFIG_RESTART_LIMIT_MAX]; /* the last ones, a ring */
        unsigned n_restarts;
} Lane;

/* ---- All of them ------------------------------------------------------------------------------------------ */

typedef enum Trouble {
        TROUBLE_NONE,
        TROUBLE_BUS_DIES,
        TROUBLE_CONNECTION, /* only recovery's */
        TROUBLE_SYSTEMD,    /* re-executes: off the bus and back */
        TROUBLE_OBSERVER,   /* is killed */
        _TROUBLE_MAX,
} Trouble;

/* What is to happen to all of them. */
typedef enum Turn {
        TURN_TROUBLE,
        TURN_OPERATOR,
        TURN_BUS_BACK,
        TURN_SYSTEMD_BACK,
        TURN_OBSERVER_BACK,
        _TURN_MAX,
} Turn;

typedef struct Play {
        Stage s; /* first: recovery's userdata is its world */
        uint64_t rng;
        Lane lanes[LANES];
        FakeUnit *mail; /* OnGaveUp= of everybody */
        nsec_t turns[_TURN_MAX];
        bool reboots;    /* the observer is away because the host is */
        char boot[48];   /* its boot id */
        Trouble trouble; /* to be made as soon as nobody is in the middle of anything */
        bool calm;       /* nothing goes wrong any more */
        bool trace;      /* every record is printed */
        RecoverySettings settings;
        char directory[64]; /* of its durable state */
        int directory_fd;
        int (*read_text)(void *userdata, const char *path, char *buf, size_t size); /* of the world */

        /* The ledger. */
        RecoveryCounters counters, total; /* of this observer; of all of them */
        uint64_t finished;
        uint64_t heard; /* calls that systemd got */
        uint64_t troubles[_TROUBLE_MAX];
        nsec_t back; /* when systemd, or the bus, came back: what was asked before may fail in the same moment */
        uint64_t captures, never_beats;
        uint64_t torn, rebooted; /* how the observer found its state */
        uint64_t stops, races;   /* by hand; and how many of them while an action was under way */
        uint64_t gave_ups, helpers_failed;
        nsec_t calls[STORM_COUNT]; /* the last that were no one's wish, a ring */
        unsigned n_calls;
        struct {
                uint64_t agent;
                RecoveryRefusal refusal;
        } refusals[REFUSALS_MAX]; /* the last one of each stall */
} Play;

static inline nsec_t play_now(const Play *p) {
        return p->s.w.now;
}

/* random-unit.c */

void lane_init(Play *p, unsigned number, uint64_t seed);
/* What is to happen does. */
void lane_cue(Play *p, Lane *l, Cue cue);
/* The host was started anew, while there was no observer. */
void lane_reboot(Play *p, Lane *l);
/* The observer died, and everybody it knew with it: it knows nobody as yet. */
void lane_observer_is_new(Play *p, Lane *l);
/* Nothing goes wrong any more, and what is wrong is put right. */
void lane_calm(Play *p, Lane *l);
/* Whoever is silent beats again. */
void lane_revive(Play *p, Lane *l);
/* An agent falls silent now. */
void lane_stall(Play *p, Lane *l);
/* All of its processes are gone. */
void lane_end(Play *p, Lane *l);
Lane *play_lane(Play *p, const char *unit);
/* Something is to happen within these spans. */
void lane_cue_in(const Play *p, Lane *l, Cue cue, nsec_t min, nsec_t max);
/* Makes of the processes what became of the unit. */
void lane_follow(Play *p, Lane *l);
/* Whoever watches it for its first beat says that there was none. */
void lane_never_beat(Play *p, Lane *l);
/* The unit runs anew. */
void lane_begin(Play *p, Lane *l);
/* Its administrator does something. */
void lane_hand(Play *p, Lane *l);

/* random-job.c */

/* The next step of the job. */
void lane_job(Play *p, Lane *l);
/* The bus does not wait any longer. */
void lane_no_reply(Play *p, Lane *l);
extern const FakeDirector play_director;

/* random-ledger.c */

void ledger_record(void *userdata, const RecoveryRecord *record);
/* A stall was announced: whatever is said of it is news. */
void ledger_stall(Play *p, uint64_t agent);
/* A capture began, or did not come about: likewise for the unit's stalls. */
void ledger_capture(Play *p, const Lane *l);
/* Systemd was asked to restart a unit. */
void ledger_call(Play *p, Lane *l);
/* The observer is another one: it counts from nothing. */
void ledger_observer_is_new(Play *p);
/* What holds whenever nothing is on its way. */
void ledger_check(Play *p);

/* random-play.c */

void play_init(Play *p, uint64_t seed, bool trace);
void play_done(Play *p);
/* Until so many recoveries are over. */
void play_run(Play *p, uint64_t finished);
/* Lets everything come to its end, and looks whether it did. */
void play_end(Play *p);
