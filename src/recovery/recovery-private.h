/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of recovery share among themselves: the object, and who does which part of the work. */

#include "recovery/brake.h"
#include "recovery/durable.h"
#include "recovery/gates.h"
#include "recovery/recovery.h"
#include "recovery/registry.h"
#include "recovery/starved.h"
#include "recovery/systemd.h"
#include "recovery/watch.h"

/* Actions under way at once. systemd runs jobs in parallel, but a host that needs more than this many restarts at
 * the same moment has another problem. */
#define RECOVERY_ACTIONS_MAX 16U

/* Units watched for changes at once: the bus allows 512 matches per connection. The others are asked again each
 * RecheckSec=. */
#define RECOVERY_WATCHES_MAX 256U

/* Units that judging reads at once. The system bus of dbus-daemon lets a connection wait for 128 replies, one more ends
 * in an error: each reading of a unit asks five questions, actions (or the captures that become such) and the watch for
 * units that never beat read as well, and a helper of the operator's waits for one, as do the subscription, the list of
 * units and a call. */
#define RECOVERY_READINGS_MAX 4U
#define BUS_REPLIES_MAX       128U

/* A record's sentence: a unit's name, a remedy and systemd's own words fit. */
#define RECOVERY_SENTENCE_MAX 1024

/* What systemd said of an error, as far as it has to be kept: a unit's name and a few words. */
#define RECOVERY_WORDS_MAX 320

/* Units of the operator's (OnGaveUp=, and the like) asked for at once and not heard of yet. */
#define RECOVERY_HELPERS_MAX 16U

static_assert((RECOVERY_READINGS_MAX + RECOVERY_ACTIONS_MAX + 1) * ELEMENTSOF(((UnitReader *) 0)->slots) +
                                              RECOVERY_HELPERS_MAX + 3 <=
                              BUS_REPLIES_MAX,
              "no reply that is waited for may be one too many for the bus");

typedef enum ActionPhase {
        ACTION_FREE,
        ACTION_CALLING,  /* asked, no reply yet */
        ACTION_JOB,      /* systemd's job is on its way */
        ACTION_SETTLING, /* the job is over, or nobody knows; the unit is between two states */
        ACTION_PROVING,  /* the unit runs anew: waiting for a beat */
} ActionPhase;

/* One transaction with systemd. */
struct Action {
        Recovery *recovery;
        ActionPhase phase;
        uint32_t unit;
        AgentInfo agent; /* of the stall that set it off, as it was then */
        StallReason reason;
        unsigned attempt;
        UnitAction verb;
        char target[UNIT_NAME_SIZE]; /* what the job is for: the unit itself, or the operator's oneshot */
        nsec_t started;
        nsec_t deadline; /* of the job, then of the proof */
        nsec_t limit;    /* how long that was from the beginning of the phase */
        nsec_t look_at;  /* a reading failed: try again then; NSEC_INFINITY */
        bool late;       /* the deadline has passed, the last look is on its way */
        bool accepted;   /* systemd said that the job is queued */
        bool restarted;  /* a new invocation was seen, ... */
        nsec_t seen;     /* ... then, for the first time */
        bool deferred;   /* the host was starved for MaxDeferralSec= before it */
        bool by_hand;
        bool captured;                  /* CaptureUnit= has run before it */
        bool doubted;                   /* the call ended in an error about some unit: is it the target? */
        char words[RECOVERY_WORDS_MAX]; /* of that error */
        JobHint hint;
        uint8_t before[INVOCATION_ID_SIZE];
        uint8_t after[INVOCATION_ID_SIZE];
        bool proven;                        /* Action=start: somebody beat who may prove it */
        uint8_t beaten[INVOCATION_ID_SIZE]; /* the last one but `before` of which a process beat */
        nsec_t nameless_beat;               /* when one beat whose invocation nobody knows; 0: never */
        bool overtaken;                     /* the host was restarted: there is nothing to follow */
        uint64_t proof_after; /* taken over from an observer before this one, which knew the agents: what began by
                               * then (as AgentInfo.generation) has not begun since the action; 0: not taken over */
        UnitJob job;
        UnitReader reader;
};

/* A unit of the operator's that is started beside everything else; nothing waits for it. */
typedef struct Helper {
        Recovery *recovery;
        UnitJob job;
        char unit[UNIT_NAME_SIZE];   /* for whose sake */
        char target[UNIT_NAME_SIZE]; /* "": free */
        const char *key;             /* of the setting that names it */
} Helper;

/* A unit of the operator's that looks at a stalled process; the stall waits for its end. */
typedef struct Capture {
        Recovery *recovery;
        uint64_t agent;              /* whose stall waits; 0: free */
        char unit[UNIT_NAME_SIZE];   /* for whose sake */
        char target[UNIT_NAME_SIZE]; /* what is started */
        nsec_t deadline, limit;
        UnitJob job;
} Capture;

/* What is known of the host. */
typedef struct Host {
        PressureSample first, second;
        bool sampling;  /* the first reading is taken, the second is to come */
        nsec_t ready;   /* when the second is due */
        nsec_t good_to; /* until when both of them tell something; 0: never read */
        LagWindow lag;
} Host;

struct Recovery {
        sd_event *event;
        sd_event_source *timer;
        RecoverySettings settings;
        char own_unit[UNIT_NAME_SIZE];
        RecoveryHooks hooks;
        void *userdata;
        Systemd systemd;
        Registry registry;
        Action actions[RECOVERY_ACTIONS_MAX];
        uint32_t actions_used;
        uint32_t watches;
        uint32_t readings; /* of units, for judging */
        Helper helpers[RECOVERY_HELPERS_MAX];
        Capture captures[RECOVERY_ACTIONS_MAX];
        uint32_t captures_used;
        Watch watch;
        Pauses pauses;
        nsec_t pauses_next; /* the first of them ends then; NSEC_INFINITY */
        Brake brake;
        bool braked; /* it was said that the brake holds */
        Host host;
        History history;
        nsec_t started; /* of the observer, as far as recovery can tell */
        nsec_t jumped;  /* the last jump of the clock; 0: none */
        nsec_t armed;   /* what the timer is set to; NSEC_INFINITY: nothing */
        RecoveryCounters counters;
        Durable durable;
        char sentence[RECOVERY_SENTENCE_MAX];
};

static inline nsec_t recovery_now(const Recovery *r) {
        return r->hooks.now(r->userdata);
}

/* CLOCK_MONOTONIC, in which systemd tells its times, whatever clock the observer runs on. */
nsec_t recovery_monotonic(const Recovery *r);

/* host.c */

/* Whether what is known of the host is good for a judgement; if not, a reading is on its way, to be had at *ret_ready. */
bool host_is_known(Recovery *r, nsec_t now, nsec_t *ret_ready);
Starvation host_judge(const Recovery *r, nsec_t now, nsec_t threshold);
/* Reads a small file of /proc or /sys as hooks.read_text does. */
int recovery_read_text(const Recovery *r, const char *path, char *buf, size_t size);

/* helper.c */

/* Starts a unit of the operator's; what goes wrong is told and has no other consequence. */
void helper_start(Recovery *r, const char *unit, const char *key, const char *template, uint32_t pid);
/* The bus is gone: told of those that nobody knows to have been heard. */
void helpers_bus_gone(Recovery *r);
/* Lets go of them all in silence. */
void helpers_release(Recovery *r);
/* The words for a call that failed. */
const char *helper_why(CallResult result);

/* capture.c */

/* Whether the stall, which has passed all gates, has to wait for a capture: one that began now or is still running. Its
 * end has the stall judged again. */
bool capture_comes_first(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitPolicy *policy);
/* A process of the unit is being looked at. */
bool capture_is_running(const Recovery *r, const char *unit);
/* The stall was refused or has gone: what waited for the end of its recovery need not wait, and nobody waits for its
 * capture. */
void capture_stall_over(Recovery *r, RecoveryUnit *u, RecoveryStall *s);
/* Whether it is the capture of that process that traces it, and nobody at a debugger. */
bool capture_is_tracer(const Recovery *r, const char *unit, const UnitPolicy *policy, uint32_t pid,
                       uint32_t tracer);
void capture_tick(Recovery *r, nsec_t now);
nsec_t capture_next(const Recovery *r);
void captures_bus_gone(Recovery *r);
void captures_release_all(Recovery *r);

/* hand.c */

/* Ends the pauses whose time has come. */
void hand_tick(Recovery *r, nsec_t now);
/* An agent's process has exited, or has the pid of an earlier one: a pause of that process alone is over. */
void hand_process_gone(Recovery *r, const Event *event);
/* The unit begins anew: told, and its stalls are judged again. `how`: "by-time", "by-hand", "restarted". */
void hand_leave_gave_up(Recovery *r, RecoveryUnit *u, const char *how, const char *sentence);

/* recovery.c */

/* Everything of the unit is due. */
void recovery_judge_again(Recovery *r, RecoveryUnit *u);
void recovery_judge_all_again(Recovery *r);

/* Something has to be done at that moment: the timer is set to it, if it is not set to an earlier one. */
void recovery_arm(Recovery *r, nsec_t when);
/* Removes a stall, the unit's trouble ending now. */
void recovery_drop(Recovery *r, RecoveryStall *s);
/* Makes stalls of the unit due that wait for this, and has the unit judged when the loop comes round. */
void recovery_wake(Recovery *r, RecoveryUnit *u, RecoveryAgain what);
void recovery_wake_all(Recovery *r, RecoveryAgain what);
/* The same for stalls of all units that were refused as `capacity`: there is room again. */
void recovery_wake_for_room(Recovery *r);

/* judge.c */

/* Judges every stall of the unit that is due; asks systemd first where it must. */
void judge_unit(Recovery *r, RecoveryUnit *u);
/* The same for a stall of no unit. */
void judge_orphan(Recovery *r, RecoveryStall *s);
/* Says of a stall that was still being judged that it is over. It is dropped by the caller. */
void judge_ended(Recovery *r, const RecoveryUnit *u, const RecoveryStall *s, RecoveryRefusal why);
/* The bus is gone: nothing is on its way any more. */
void judge_bus_gone(Recovery *r, RecoveryUnit *u);
/* Systemd can be reached again: what nobody told meanwhile is asked for. */
void judge_bus_back(Recovery *r, RecoveryUnit *u);
/* Has the unit judged at the earliest moment that one of its stalls waits for. */
void judge_schedule(Recovery *r, RecoveryUnit *u);
/* Watches the unit or stops watching it, as its stalls and its action need it. */
void judge_update_watch(Recovery *r, RecoveryUnit *u);

/* action.c */

/* Begins an action for the stall. `facts` is the reading that let it pass. There must be room. */
void action_start(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitFacts *facts,
                  const UnitPolicy *policy);
/* Announces an action that ends before it begins, because systemd cannot be asked. */
void action_fail(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const UnitPolicy *policy,
                 RecoveryOutcome outcome, const char *text);
Action *action_of(Recovery *r, const RecoveryUnit *u);
/* A process of the unit beat. */
void action_beat(Recovery *r, RecoveryUnit *u, const AgentInfo *agent);
/* The unit changed. */
void action_unit_changed(Recovery *r, Action *a);
bool action_needs_watch(const Action *a);
/* Time passed. */
void action_tick(Recovery *r, nsec_t now);
nsec_t action_next(const Recovery *r);
void action_bus_gone(Recovery *r);
void action_bus_back(Recovery *r);
void action_release_all(Recovery *r);

/* How long a restarted unit has for its first beat. */
nsec_t action_proof_time(const UnitPolicy *policy);

/* action.c, for action-end.c */
RecoveryUnit *action_unit(const Recovery *r, const Action *a);
void action_release(Recovery *r, Action *a);

/* action-end.c */

/* Ends an action under way: the one place that does. `text`: systemd's own words, "" for none. */
void action_finish(Recovery *r, Action *a, RecoveryOutcome outcome, const char *text);
/* The same for one that never began, and has no place among the actions. */
void action_end_unbegun(Recovery *r, RecoveryUnit *u, RecoveryStall *s, const Action *a,
                        const UnitPolicy *policy, RecoveryOutcome outcome, const char *text);

/* watch.c */

/* Watches units as the configuration wants it now, and asks which of them run. `doubt`: changes may have been missed. */
void watch_start(Recovery *r, bool doubt);
void watch_bus_gone(Recovery *r);
/* An agent of the unit was heard for the first time. */
void watch_beat(Recovery *r, const char *unit);
void watch_tick(Recovery *r, nsec_t now);
nsec_t watch_next(const Recovery *r);

/* proof.c */

/* What of the unit stalled before the restart of the action was of the invocation before, where nobody knew. */
void proof_settle_stalls(Recovery *r, const RecoveryUnit *u, const Action *a);
/* Whether somebody of the invocation that was read has beaten already. */
bool proof_is_there(const Recovery *r, const Action *a, const UnitFacts *facts);
/* Whether the agent's beat says something of what came after the action began. */
bool proof_is_news(const Action *a, const AgentInfo *agent);
bool proof_is_of_another_invocation(const Action *a, const AgentInfo *agent);

/* report.c */

/* CLOCK_REALTIME: for people, and across a restart of the host. */
usec_t recovery_wall(void);

typedef struct ReportRefusal {
        const AgentInfo *agent;
        StallReason reason;
        const GateFacts *facts;
        const GateDecision *decision;
        const UnitPolicy *policy;
} ReportRefusal;

/* Counts and announces. `unit` may be "". */
void report_refused(Recovery *r, const char *unit, unsigned attempt, const ReportRefusal *refusal);
void report_gave_up(Recovery *r, const char *unit, unsigned attempt, const ReportRefusal *refusal);
/* Something happened that no agent and no decision is behind. `unit` may be "". */
void report_notice(Recovery *r, RecoveryRecordKind kind, const char *unit, const char *reason,
                   const char *format, ...) _printf_(5, 6);
void report_brake(Recovery *r, nsec_t until);
/* More units have FirstBeatSec= than fit. */
void report_unwatched(Recovery *r, const char *unit, uint32_t max);
void report_started(Recovery *r, const char *unit, const Action *a);
/* `text`: systemd's own words, "" for none. */
void report_finished(Recovery *r, const char *unit, const Action *a, RecoveryOutcome outcome,
                     const char *text, RecoveryAgain again, nsec_t again_at);
