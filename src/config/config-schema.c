/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The schema: every key of varta.conf in one table.
 *
 * The parser, the defaults (which go through the same parser), the messages, `varta-ctl show` and the check that
 * the manual page and the example file are complete all read this table, so that none of them can say something
 * else than the others. The ranges are chosen so that core and recovery need no check of their own: nothing that
 * passes here overflows there.
 */

#include "config/config-internal.h"

#include <string.h>

/* ---- Words -------------------------------------------------------------------------------------------------- */

static const char *const eviction_words[] = { "strict", "balanced", NULL };
static const char *const origin_words[] = { "strongest", "first-wins", NULL };
static const char *const clock_words[] = { "monotonic", "boottime", NULL };
static const char *const source_words[] = { "auto", "local", "key", "address", NULL };
static const char *const mode_words[] = { "off", "warn", "enforce", NULL };
static const char *const on_exit_words[] = { "auto", "event", "stall", NULL };
static const char *const action_words[] = { "try-restart", "restart", "start", NULL };

_Static_assert(ELEMENTSOF(eviction_words) == _CONFIG_EVICTION_MAX + 1, "a word for each");
_Static_assert(ELEMENTSOF(origin_words) == _CONFIG_ORIGIN_MAX + 1, "a word for each");
_Static_assert(ELEMENTSOF(clock_words) == _CONFIG_CLOCK_MAX + 1, "a word for each");
_Static_assert(ELEMENTSOF(source_words) == _LISTENER_SOURCE_MAX + 1, "a word for each");
_Static_assert(ELEMENTSOF(mode_words) == _UNIT_MODE_MAX + 1, "a word for each");
_Static_assert(ELEMENTSOF(on_exit_words) == _ON_EXIT_MAX + 1, "a word for each");
_Static_assert(ELEMENTSOF(action_words) == _UNIT_ACTION_MAX + 1, "a word for each");

#define DEFINE_TO_STRING(name, type, words)                                                                 \
        const char *name##_to_string(type v) {                                                              \
                return (int) v >= 0 && (size_t) v < ELEMENTSOF(words) - 1 ? (words)[(size_t) v] : NULL;     \
        }

DEFINE_TO_STRING(config_eviction, ConfigEviction, eviction_words)
DEFINE_TO_STRING(config_origin_rule, ConfigOriginRule, origin_words)
DEFINE_TO_STRING(config_clock, ConfigClock, clock_words)
DEFINE_TO_STRING(listener_source, ListenerSource, source_words)
DEFINE_TO_STRING(unit_mode, UnitMode, mode_words)
DEFINE_TO_STRING(on_exit, OnExit, on_exit_words)
DEFINE_TO_STRING(unit_action, UnitAction, action_words)

/* ---- Ranges ------------------------------------------------------------------------------------------------- */

/* Below, an agent could not beat often enough for the timer's own lateness not to matter. */
#define THRESHOLD_MIN (10 * NSEC_PER_MSEC)

/* Rates are counted over at least this (a shorter span is a larger count over this one)... */
#define RATE_SPAN_MIN NSEC_PER_MSEC
/* ...and at most a minute for what is a flow: burst x span must fit 63 bits, 1e8 x 60e9 does. */
#define FLOW_SPAN_MAX NSEC_PER_MINUTE
#define BURST_MAX     100000000U
/* Twice the rate is the automatic burst, and must be a burst. */
#define FLOW_COUNT_MAX (BURST_MAX / 2)
/* One beat a microsecond is more than any process can send. */
#define PER_PID_COUNT_MAX 1000000U

/* Quorums are counted among agents, of which there are at most this many. */
#define AGENTS_MAX (1024U * 1024U)

/* Each costs about 150 bytes of locked-down memory, and a sweep looks at one of them at a time. */
#define SECURE_SENDERS_MAX 65536U

/* A process with an open descriptor to it would be held this long: a stack trace takes seconds, a core minutes. */
#define CAPTURE_MAX (10 * NSEC_PER_MINUTE)

/* An agent without a pidfd holds a slot for so long. */
#define FORGET_MAX (30 * NSEC_PER_DAY)

#define FIELD(type, member) .offset = offsetof(type, member), .size = sizeof(((type *) NULL)->member)

/* ---- The table ---------------------------------------------------------------------------------------------- */

/* Laid out by hand: the formatter would push the entries to the right. */
/* clang-format off */
const ConfigKey config_keys[] = {
        {
                CONFIG_OBSERVER, "StallThresholdSec", CONFIG_TYPE_SPAN,
                FIELD(ObserverConfig, stall_threshold),
                .min = THRESHOLD_MIN, .max = NSEC_PER_DAY,
                .default_text = "5s",
                .allowed = "a time span from 10ms to 1d",
                .description = "How long an agent may be silent before it counts as stalled.",
        },
        {
                CONFIG_OBSERVER, "Capacity", CONFIG_TYPE_COUNT,
                FIELD(ObserverConfig, capacity),
                .flags = CONFIG_KEY_START_ONLY,
                .min = 1, .max = AGENTS_MAX,
                .default_text = "4096",
                .allowed = "a number from 1 to 1048576 (1M)",
                .description = "How many agents are tracked; the memory is taken at start.",
        },
        {
                CONFIG_OBSERVER, "SecureSenders", CONFIG_TYPE_COUNT,
                FIELD(ObserverConfig, secure_senders),
                .flags = CONFIG_KEY_START_ONLY,
                .min = 1, .max = SECURE_SENDERS_MAX,
                .default_text = "1024",
                .allowed = "a number from 1 to 65536 (64K)",
                .description = "How many secure senders are remembered, so that recordings of them "
                               "are refused.",
        },
        {
                CONFIG_OBSERVER, "PerPidRate", CONFIG_TYPE_RATE,
                FIELD(ObserverConfig, per_pid_rate),
                .min = RATE_SPAN_MIN, .max = NSEC_PER_DAY,
                .count_max = PER_PID_COUNT_MAX,
                .default_text = "100/s",
                .allowed = "COUNT/SPAN with a count of 1 to 1000000 and a span of 1ms to 1d, or 0 "
                           "for no limit",
                .description = "How often one agent's beats are accepted.",
        },
        {
                CONFIG_OBSERVER, "GlobalRate", CONFIG_TYPE_RATE,
                FIELD(ObserverConfig, global_rate),
                .flags = CONFIG_KEY_AUTO,
                .min = RATE_SPAN_MIN, .max = FLOW_SPAN_MAX,
                .count_max = FLOW_COUNT_MAX,
                .default_text = "auto",
                .allowed = "auto, COUNT/SPAN with a count of 1 to 50000000 and a span of 1ms to "
                           "1min, or 0 for no limit",
                .description = "How many frames are accepted from all senders that are not yet "
                               "known or not attested; "
                               "auto is the larger of 5000/s and twice the capacity per second.",
        },
        {
                CONFIG_OBSERVER, "GlobalBurst", CONFIG_TYPE_COUNT,
                FIELD(ObserverConfig, global_burst),
                .flags = CONFIG_KEY_AUTO | CONFIG_KEY_ZERO,
                .min = 1, .max = BURST_MAX,
                .default_text = "auto",
                .allowed = "auto, a number from 1 to 100000000, or 0 for no limit",
                .description = "How many of them may come at once; auto is twice the count of "
                               "GlobalRate=.",
        },
        {
                CONFIG_OBSERVER, "PerUidShare", CONFIG_TYPE_PERCENT,
                FIELD(ObserverConfig, per_uid_share_percent),
                .min = 1, .max = 100,
                .default_text = "50%",
                .allowed = "a share from 1% to 100%",
                .description = "What part of the capacity one user may hold when there is no room "
                               "left.",
        },
        {
                CONFIG_OBSERVER, "EvictionPolicy", CONFIG_TYPE_WORD,
                FIELD(ObserverConfig, eviction_policy),
                .words = eviction_words,
                .default_text = "strict",
                .allowed = "strict, balanced",
                .description = "Who makes room for a new agent: only one that is long stalled, or "
                               "else the longest silent.",
        },
        {
                CONFIG_OBSERVER, "OriginPolicy", CONFIG_TYPE_WORD,
                FIELD(ObserverConfig, origin_policy),
                .words = origin_words,
                .default_text = "strongest",
                .allowed = "strongest, first-wins",
                .description = "Whether a sender of stronger origin takes over the agent of a "
                               "weaker one.",
        },
        {
                CONFIG_OBSERVER, "AllowCrossNamespace", CONFIG_TYPE_BOOL,
                FIELD(ObserverConfig, allow_cross_namespace),
                .default_text = "no",
                .allowed = "yes, no",
                .description = "Whether agents in other pid namespaces (containers) are accepted.",
        },
        {
                CONFIG_OBSERVER, "ClockSource", CONFIG_TYPE_WORD,
                FIELD(ObserverConfig, clock_source),
                .words = clock_words,
                .flags = CONFIG_KEY_START_ONLY,
                .default_text = "monotonic",
                .allowed = "monotonic, boottime",
                .description = "The clock that silence is measured with: one that stands still "
                               "while the machine is "
                               "suspended, or one that does not.",
        },
        {
                CONFIG_OBSERVER, "MaxDeferralSec", CONFIG_TYPE_SPAN,
                FIELD(ObserverConfig, max_deferral),
                .flags = CONFIG_KEY_ZERO,
                .min = 0, .max = NSEC_PER_HOUR,
                .default_text = "1min",
                .allowed = "a time span from 0 to 1h",
                .description = "How long a verdict waits for an overloaded observer or a starved "
                               "host.",
        },
        {
                CONFIG_RECOVERY, "StormLimit", CONFIG_TYPE_RATE,
                FIELD(RecoveryConfig, storm_limit),
                .min = NSEC_PER_SEC, .max = NSEC_PER_DAY,
                .count_max = CONFIG_STORM_LIMIT_MAX,
                .default_text = "10/1min",
                .allowed = "COUNT/SPAN with a count of 1 to 1024 and a span of 1s to 1d, or 0 for "
                           "no brake",
                .description = "How many recoveries there may be of all units together before the "
                               "brake holds the rest.",
        },
        {
                CONFIG_RECOVERY, "RecoveryTimeoutSec", CONFIG_TYPE_SPAN,
                FIELD(RecoveryConfig, recovery_timeout),
                .flags = CONFIG_KEY_AUTO,
                .min = NSEC_PER_SEC, .max = NSEC_PER_DAY,
                .default_text = "auto",
                .allowed = "auto, or a time span from 1s to 1d",
                .description = "When a recovery counts as timed out; auto is the unit's own stop "
                               "and start timeouts "
                               "and 10s.",
        },
        {
                CONFIG_RECOVERY, "RecheckSec", CONFIG_TYPE_SPAN,
                FIELD(RecoveryConfig, recheck),
                .min = 100 * NSEC_PER_MSEC, .max = NSEC_PER_HOUR,
                .default_text = "5s",
                .allowed = "a time span from 100ms to 1h",
                .description = "How often a stall is judged again when what stands in its way does "
                               "not announce its end.",
        },
        {
                CONFIG_RECOVERY, "Protected", CONFIG_TYPE_GLOBS,
                .offset = offsetof(RecoveryValues, globs),
                .size = sizeof(GlobList),
                .default_text = "",
                .allowed = "unit names and globs, separated by blanks",
                .description = "Units that are never restarted, besides the built-in list; "
                               "assignments add up.",
        },
        {
                CONFIG_LISTENER, "OperatorAttested", CONFIG_TYPE_BOOL,
                FIELD(ListenerConfig, operator_attested),
                .default_text = "no",
                .allowed = "yes, no",
                .description = "Whether you vouch for whoever can reach this listener.",
        },
        {
                CONFIG_LISTENER, "Source", CONFIG_TYPE_WORD,
                FIELD(ListenerConfig, source),
                .words = source_words,
                .default_text = "auto",
                .allowed = "auto, local, key, address",
                .description = "What tells the hosts behind this listener apart, so that equal pids "
                               "do not collide.",
        },
        {
                CONFIG_LISTENER, "Unit", CONFIG_TYPE_SERVICE,
                FIELD(ListenerConfig, unit),
                .default_text = "",
                .allowed = "the full name of a service unit, such as gateway.service",
                .description = "The unit that this listener's agents belong to.",
        },
        {
                CONFIG_LISTENER, "KeyFile", CONFIG_TYPE_KEY_FILE,
                FIELD(ListenerConfig, key_file),
                .default_text = "",
                .allowed = "an absolute path, or the name of a credential of the service",
                .description = "Where the keys of a secure listener are.",
        },
        {
                CONFIG_LISTENER, "MasterKeyFile", CONFIG_TYPE_KEY_FILE,
                FIELD(ListenerConfig, master_key_file),
                .default_text = "",
                .allowed = "an absolute path, or the name of a credential of the service",
                .description = "Where the master keys of a secure listener are, from which each agent's "
                               "own key is derived.",
        },
        {
                CONFIG_UNIT, "Mode", CONFIG_TYPE_WORD,
                FIELD(UnitPolicy, mode),
                .words = mode_words,
                .default_text = "warn",
                .allowed = "off, warn, enforce",
                .description = "What a stall leads to: a count, a signal and a journal entry, or a "
                               "restart.",
        },
        {
                CONFIG_UNIT, "StallThresholdSec", CONFIG_TYPE_SPAN,
                FIELD(UnitPolicy, stall_threshold),
                .min = THRESHOLD_MIN, .max = NSEC_PER_DAY,
                .default_text = "",
                .allowed = "a time span from 10ms to 1d",
                .description = "How long an agent of the unit may be silent; the default is that of "
                               "[Observer].",
        },
        {
                CONFIG_UNIT, "OnExit", CONFIG_TYPE_WORD,
                FIELD(UnitPolicy, on_exit),
                .words = on_exit_words,
                .default_text = "auto",
                .allowed = "auto, event, stall",
                .description = "What the exit of an agent's process means; auto is an event in a "
                               "service, a stall "
                               "elsewhere.",
        },
        {
                CONFIG_UNIT, "StartupGraceSec", CONFIG_TYPE_SPAN,
                FIELD(UnitPolicy, startup_grace),
                .flags = CONFIG_KEY_ZERO,
                .min = 0, .max = NSEC_PER_DAY,
                .default_text = "0",
                .allowed = "a time span from 0 to 1d",
                .description = "How long after its start no verdict on the unit is acted on.",
        },
        {
                CONFIG_UNIT, "FirstBeatSec", CONFIG_TYPE_SPAN,
                FIELD(UnitPolicy, first_beat),
                .flags = CONFIG_KEY_ZERO,
                .min = 100 * NSEC_PER_MSEC, .max = NSEC_PER_DAY,
                .default_text = "0",
                .allowed = "a time span from 100ms to 1d, or 0 for off",
                .description = "When an active unit that has never beaten counts as stalled.",
        },
        {
                CONFIG_UNIT, "Quorum", CONFIG_TYPE_QUORUM,
                FIELD(UnitPolicy, quorum),
                .count_max = AGENTS_MAX,
                .default_text = "1",
                .allowed = "a number from 1 to 1048576, or a share from 1% to 100%",
                .description = "How many of the unit's agents must be stalled before it is "
                               "restarted.",
        },
        {
                CONFIG_UNIT, "Action", CONFIG_TYPE_ACTION,
                FIELD(UnitPolicy, action),
                .default_text = "try-restart",
                .allowed = "try-restart, restart, start:varta-NAME.service (with %i for the unit, "
                           "%p for the pid)",
                .description = "What is asked of systemd to recover the unit.",
        },
        {
                CONFIG_UNIT, "CaptureSec", CONFIG_TYPE_SPAN,
                FIELD(UnitPolicy, capture_timeout),
                .flags = CONFIG_KEY_ZERO,
                .min = 100 * NSEC_PER_MSEC, .max = CAPTURE_MAX,
                .default_text = "0",
                .allowed = "a time span from 100ms to 10min, or 0 for off",
                .description = "How long the action waits for CaptureUnit=.",
        },
        {
                CONFIG_UNIT, "CaptureUnit", CONFIG_TYPE_CAPTURE,
                FIELD(UnitPolicy, capture_unit),
                .default_text = "",
                .allowed = "a unit named varta-NAME@.service (its instance is the pid)",
                .description = "A oneshot that looks at the stalled process before the action ends "
                               "it.",
        },
        {
                CONFIG_UNIT, "RestartBackoffSec", CONFIG_TYPE_SPAN_RANGE,
                FIELD(UnitPolicy, restart_backoff),
                .min = 100 * NSEC_PER_MSEC, .max = NSEC_PER_DAY,
                .default_text = "5s..5min",
                .allowed = "SPAN..SPAN, both from 100ms to 1d and the first not above the second",
                .description = "The pause after a recovery; it doubles from the first span to the "
                               "second.",
        },
        {
                CONFIG_UNIT, "RestartLimit", CONFIG_TYPE_RATE,
                FIELD(UnitPolicy, restart_limit),
                .min = NSEC_PER_SEC, .max = 7 * NSEC_PER_DAY,
                .count_max = CONFIG_RESTART_LIMIT_MAX,
                .default_text = "5/10min",
                .allowed = "COUNT/SPAN with a count of 1 to 64 and a span of 1s to 7d, or 0 for no "
                           "limit",
                .description = "How many recoveries there may be before the unit is given up.",
        },
        {
                CONFIG_UNIT, "OnGaveUp", CONFIG_TYPE_TEMPLATE,
                FIELD(UnitPolicy, on_gave_up),
                .default_text = "",
                .allowed = "a unit named varta-NAME.service (with %i for the unit, %p for the pid)",
                .description = "A unit that is started once when the unit is given up.",
        },
        {
                CONFIG_UNIT, "ForgetSec", CONFIG_TYPE_SPAN,
                FIELD(UnitPolicy, forget),
                .min = NSEC_PER_SEC, .max = FORGET_MAX,
                .default_text = "1h",
                .allowed = "a time span from 1s to 30d",
                .description = "How long a stalled agent is remembered whose exit cannot be seen.",
        },
};
/* clang-format on */

const size_t config_n_keys = ELEMENTSOF(config_keys);

/* ---- Access ------------------------------------------------------------------------------------------------- */

static const struct {
        const char *name, *placeholder;
} sections[_CONFIG_SECTION_MAX] = {
        [CONFIG_OBSERVER] = { "Observer", NULL },
        [CONFIG_RECOVERY] = { "Recovery", NULL },
        [CONFIG_LISTENER] = { "Listener", "NAME" },
        [CONFIG_UNIT] = { "Unit", "GLOB" },
};

const char *config_section_to_string(ConfigSection section) {
        return (int) section >= 0 && section < _CONFIG_SECTION_MAX ? sections[section].name : NULL;
}

const char *config_section_to_placeholder(ConfigSection section) {
        return (int) section >= 0 && section < _CONFIG_SECTION_MAX ? sections[section].placeholder : NULL;
}

const ConfigKey *config_key_at(size_t i) {
        return i < ELEMENTSOF(config_keys) ? config_keys + i : NULL;
}

const ConfigKey *config_section_keys(ConfigSection section, size_t *ret_n) {
        const ConfigKey *first = NULL;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(config_keys); i++)
                if (config_keys[i].section == section) {
                        if (!first)
                                first = config_keys + i;
                        n++;
                }

        assert(first && n <= CONFIG_SECTION_KEYS_MAX);
        *ret_n = n;
        return first;
}

const ConfigKey *config_key_find(ConfigSection section, const char *name) {
        assert(name);

        for (size_t i = 0; i < ELEMENTSOF(config_keys); i++)
                if (config_keys[i].section == section && strcmp(config_keys[i].name, name) == 0)
                        return config_keys + i;

        return NULL;
}

ConfigSection config_key_section(const ConfigKey *key) {
        return key->section;
}

const char *config_key_name(const ConfigKey *key) {
        return key->name;
}

const char *config_key_default(const ConfigKey *key) {
        return key->default_text;
}

const char *config_key_allowed(const ConfigKey *key) {
        return key->allowed;
}

const char *config_key_description(const ConfigKey *key) {
        return key->description;
}

bool config_key_is_start_only(const ConfigKey *key) {
        return key->flags & CONFIG_KEY_START_ONLY;
}
