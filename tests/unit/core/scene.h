/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A test case of the observer as a table row: settings, processes, steps, and the counters at the end.
 *
 * What a step must bring about is written in words: the verdict's own name ("refreshed", "out-of-order"), and the
 * events it tells, in their order ("stall:silent(100) resumed(100)"). What is not named must not happen: a step
 * without `tells` tells nothing, and every counter that `counts` does not name must be zero.
 */

#include "core/observer.h"
#include "run-tests.h"

#define SCENE_STEPS     24U
#define SCENE_PROCESSES 4U

#define MSEC NSEC_PER_MSEC
#define SEC  NSEC_PER_SEC

/* Scenes begin here, and their agents have this threshold, unless they say otherwise. */
#define SCENE_START     (1000 * SEC)
#define SCENE_THRESHOLD SEC
#define SCENE_FORGET    NSEC_PER_HOUR
#define SCENE_PID_MAX   UINT32_C(4000000)
#define SCENE_UID       UINT32_C(1000)

/* A process that is not listed lives, in our own namespace, without a unit. */
typedef struct Process {
        uint32_t pid;
        uint32_t uid;   /* 0: SCENE_UID */
        uint32_t inner; /* not 0: it lives in a container, where it has this pid */
        uint64_t life;  /* tells the users of a pid apart */
        uint64_t inode; /* of its namespace, where it can be read */
        const char *unit;
        bool dead;
        bool no_pidfd;
        bool hidden;  /* /proc does not show it */
        bool ageless; /* its start time alone is hidden */
} Process;

typedef enum StepKind {
        STEP_END, /* what follows a scene's last step */
        STEP_BEAT,
        STEP_WAIT, /* for `n` ns */
        STEP_BACK, /* the clock falls back by `n` ns for the next step */
        STEP_TICK, /* woken `n` ns late, `m` ns of suspend */
        STEP_PROCESS,
        STEP_EXITED, /* the pidfd of `pid` fires */
        STEP_EMPTY,  /* a listener ran empty */
        STEP_DROPPED,
        STEP_FAILED,
        STEP_LISTEN, /* one more listener */
        STEP_DISPATCH,
        STEP_RESET,
        STEP_FORGET,
        STEP_RELOAD,
        STEP_NEVER_BEAT,
        STEP_AEAD,
        STEP_CHECK,
} StepKind;

typedef struct Stage Stage;

typedef struct Step {
        StepKind kind;
        const char *is;    /* BEAT: the verdict */
        const char *tells; /* the events; NULL: none */

        /* BEAT */
        Origin origin;
        ReceiveVerdict received;
        VlpError defect;
        VlpStatus status;
        uint32_t pid;
        uint32_t claims; /* 0: the same */
        uint32_t payload;
        uint32_t uid; /* 0: SCENE_UID where the kernel attests it */
        uint64_t nonce;
        uint64_t timestamp;
        uint64_t source;
        uint8_t listener;

        uint64_t n, m;
        int error;
        const char *unit;
        Process process;
        ObserverSettings settings;
        void (*check)(Stage *s);
} Step;

/* A frame of a local process whose pid the kernel attests; one from the network; one whose sender the kernel
 * cannot name. */
#define LOCAL(p, no, ...)                                                                                   \
        { .kind = STEP_BEAT, .origin = ORIGIN_KERNEL_ATTESTED, .pid = (p), .nonce = (no), __VA_ARGS__ }
#define NETWORK(p, no, ...)                                                                                 \
        { .kind = STEP_BEAT, .origin = ORIGIN_NETWORK_UNVERIFIED, .pid = (p), .nonce = (no), __VA_ARGS__ }
#define VOUCHED(p, no, ...)                                                                                 \
        { .kind = STEP_BEAT, .origin = ORIGIN_OPERATOR_ATTESTED, .pid = (p), .nonce = (no), __VA_ARGS__ }
#define NAMELESS(p, no, ...)                                                                                \
        { .kind = STEP_BEAT, .origin = ORIGIN_SOCKET_MODE_ONLY, .pid = (p), .nonce = (no), __VA_ARGS__ }
/* A dying agent's last word. */
#define LAST_WORD(p, ts, ...)                                                                               \
        {                                                                                                   \
                .kind = STEP_BEAT, .origin = ORIGIN_KERNEL_ATTESTED, .pid = (p),                            \
                .nonce = VLP_NONCE_TERMINAL, .timestamp = (ts), .status = VLP_STATUS_CRITICAL, __VA_ARGS__  \
        }
#define WAIT(t)                                                                                             \
        { .kind = STEP_WAIT, .n = (t) }
#define BACK(t)                                                                                             \
        { .kind = STEP_BACK, .n = (t) }
#define TICK(...)                                                                                           \
        { .kind = STEP_TICK, __VA_ARGS__ }
#define PROCESS(...)                                                                                        \
        {                                                                                                   \
                .kind = STEP_PROCESS, .process = { __VA_ARGS__ }                                            \
        }
#define EXITED(p, ...)                                                                                      \
        { .kind = STEP_EXITED, .pid = (p), __VA_ARGS__ }
#define EMPTY(l)                                                                                            \
        { .kind = STEP_EMPTY, .listener = (l) }
#define DISPATCH(...)                                                                                       \
        { .kind = STEP_DISPATCH, __VA_ARGS__ }
#define RELOAD(...)                                                                                         \
        {                                                                                                   \
                .kind = STEP_RELOAD, .settings = { __VA_ARGS__ }                                            \
        }
#define CHECK(f)                                                                                            \
        { .kind = STEP_CHECK, .check = (f) }

typedef struct Scene {
        const char *title;
        ObserverSettings settings; /* zero: a default that limits nothing */
        bool no_own_namespace;
        uint32_t pid_max; /* 0: SCENE_PID_MAX */
        const UnitRules *
                        rules; /* of units named x.service, y.service, z.service, in this order; NULL: the defaults */
        Process processes[SCENE_PROCESSES];
        Step steps[SCENE_STEPS];
        const char *counts;
} Scene;

/* A scene being played. Tests that need more than a table use these directly. */
struct Stage {
        const char *title;
        const Scene *scene;
        Observer *observer;
        ObserverSettings settings;
        nsec_t now;
        nsec_t back;
        uint32_t pid_max;
        unsigned pid_max_asked, identified, looked_inside;
        unsigned listeners;
        uint64_t datagrams;
        Process processes[64];
        size_t n_processes;
        int pidfds; /* open now */
        int last_pidfd;
        struct {
                uint32_t pid;
                uint64_t life;
        } behind[512]; /* each pidfd ever given out */
        UnitRules rules[3];
        char told[65536]; /* since the last step */
        size_t n_told;
        Event last; /* the last event */
        char last_unit[UNIT_NAME_SIZE];
        bool quiet; /* events are not written down */
        uint64_t events[_EVENT_KIND_MAX];
};

void stage_open(Stage *s, const Scene *scene);
void stage_close(Stage *s);
Verdict stage_send(Stage *s, const Step *step);
void stage_process(Stage *s, const Process *p);
/* Takes all that was told so far; good until something is told again. */
const char *stage_take_told(Stage *s);
AgentInfo stage_agent(Stage *s, uint32_t pid);
void stage_expect_counts(Stage *s, const char *counts);
/* The sum over all counters in which a datagram can end. */
uint64_t stage_dispositions(Stage *s);
uint64_t stage_counter(Stage *s, const char *name);

/* Plays a whole scene; fails the running check with title and step. */
void scene_play(const Scene *scene);

/* The settings of a scene with the defaults filled in. */
ObserverSettings scene_settings(const ObserverSettings *settings, bool no_own_namespace);
extern const ObserverHooks stage_hooks;

/* A test program of scenes, and perhaps some functions. */
#define SCENES_MAIN(name, scenes, ...)                                                                      \
        START_TEST(test_scene) {                                                                            \
                scene_play(&(scenes)[_i]);                                                                  \
        }                                                                                                   \
        END_TEST                                                                                            \
                                                                                                            \
        int main(void) {                                                                                    \
                const TTest *const tests[] = { NULL, ##__VA_ARGS__ };                                       \
                                                                                                            \
                return run_tests(name, test_scene, ELEMENTSOF(scenes), tests + 1, ELEMENTSOF(tests) - 1);   \
        }
