/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * varta.conf: text in, typed settings out. Pure: the caller reads the files (util/conf-files.h) and prints the
 * messages. Use:
 *
 *     config_new(&config);
 *     for each file, least important first:
 *             config_add_text(config, path, contents, size, report, userdata);    (or config_add_unreadable())
 *     config_finish(config, report, userdata);
 *
 * A reload keeps the old configuration when config_n_errors() is not 0. A start uses whatever came out: a bad
 * value has left its key at the default, and every unit that an error may concern is held to Mode=warn at most.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macro.h"
#include "util/parse.h"
#include "util/time.h"
#include "util/unit-name.h"

typedef struct Config Config;

/*
 * The enums and structs are the file's view of things. The names do not collide with core's own settings, which
 * the daemon fills in from these.
 */

/* ---- Settings --------------------------------------------------------------------------------------------- */

typedef enum ConfigEviction {
        CONFIG_EVICTION_STRICT,
        CONFIG_EVICTION_BALANCED,
        _CONFIG_EVICTION_MAX,
        _CONFIG_EVICTION_INVALID = -EINVAL,
} ConfigEviction;

typedef enum ConfigOriginRule {
        CONFIG_ORIGIN_STRONGEST,
        CONFIG_ORIGIN_FIRST_WINS,
        _CONFIG_ORIGIN_MAX,
        _CONFIG_ORIGIN_INVALID = -EINVAL,
} ConfigOriginRule;

typedef enum ConfigClock {
        CONFIG_CLOCK_MONOTONIC,
        CONFIG_CLOCK_BOOTTIME,
        _CONFIG_CLOCK_MAX,
        _CONFIG_CLOCK_INVALID = -EINVAL,
} ConfigClock;

typedef enum ListenerSource {
        LISTENER_SOURCE_AUTO,
        LISTENER_SOURCE_LOCAL,
        LISTENER_SOURCE_KEY,
        LISTENER_SOURCE_ADDRESS,
        _LISTENER_SOURCE_MAX,
        _LISTENER_SOURCE_INVALID = -EINVAL,
} ListenerSource;

typedef enum UnitMode {
        UNIT_MODE_OFF,
        UNIT_MODE_WARN,
        UNIT_MODE_ENFORCE,
        _UNIT_MODE_MAX,
        _UNIT_MODE_INVALID = -EINVAL,
} UnitMode;

typedef enum OnExit {
        ON_EXIT_AUTO,
        ON_EXIT_EVENT,
        ON_EXIT_STALL,
        _ON_EXIT_MAX,
        _ON_EXIT_INVALID = -EINVAL,
} OnExit;

typedef enum UnitAction {
        UNIT_ACTION_TRY_RESTART,
        UNIT_ACTION_RESTART,
        UNIT_ACTION_START, /* of UnitPolicy.action.unit */
        _UNIT_ACTION_MAX,
        _UNIT_ACTION_INVALID = -EINVAL,
} UnitAction;

/* The words of the configuration file, for messages and the bus. NULL for what is not a member. */
const char *config_eviction_to_string(ConfigEviction e) _const_;
const char *config_origin_rule_to_string(ConfigOriginRule o) _const_;
const char *config_clock_to_string(ConfigClock c) _const_;
const char *listener_source_to_string(ListenerSource s) _const_;
const char *unit_mode_to_string(UnitMode m) _const_;
const char *on_exit_to_string(OnExit e) _const_;
const char *unit_action_to_string(UnitAction a) _const_; /* "start" without the unit */

typedef struct ObserverConfig {
        nsec_t stall_threshold;
        uint32_t capacity;       /* read at start only */
        uint32_t secure_senders; /* read at start only */
        Rate per_pid_rate;       /* count 0: off, as below */
        Rate global_rate;
        uint32_t global_burst; /* 0: off */
        bool global_rate_auto; /* what was "auto" and stands resolved for `capacity` above */
        bool global_burst_auto;
        unsigned per_uid_share_percent; /* 1..100 */
        ConfigEviction eviction_policy;
        ConfigOriginRule origin_policy;
        bool allow_cross_namespace;
        ConfigClock clock_source; /* read at start only */
        nsec_t max_deferral;      /* 0: a verdict never waits */
} ObserverConfig;

typedef struct RecoveryConfig {
        Rate storm_limit;        /* count 0: no brake; at most CONFIG_STORM_LIMIT_MAX */
        nsec_t recovery_timeout; /* 0: auto, from the unit's own timeouts */
        nsec_t recheck;
        char *const *protected_globs; /* Protected=, without the built-in ones; owned by the Config */
        size_t n_protected_globs;
} RecoveryConfig;

/* So that windows of the last restarts can be rings of fixed size. */
#define CONFIG_STORM_LIMIT_MAX   1024
#define CONFIG_RESTART_LIMIT_MAX 64

/* A path of this size holds what anybody writes; PATH_MAX would make each listener 4 KiB. */
#define CONFIG_PATH_MAX 1024

/* Any value of a [Unit] section as text: the longest is a unit's name behind "start:". */
#define CONFIG_VALUE_MAX (UNIT_NAME_MAX + 16)

/* At least as many as [Unit] has keys. */
#define CONFIG_UNIT_KEYS_MAX 16U

typedef struct ListenerConfig {
        char name[UNIT_NAME_MAX]; /* FileDescriptorName= of the socket, or the name given with --listen= */
        bool operator_attested;
        ListenerSource source;
        char unit[UNIT_NAME_MAX]; /* a .service, "" for none */
        /* An absolute path, or (no '/') the name of a systemd credential; "" none. */
        char key_file[CONFIG_PATH_MAX];
        char master_key_file[CONFIG_PATH_MAX];
} ListenerConfig;

typedef struct UnitActionSetting {
        UnitAction verb;
        char unit[UNIT_NAME_MAX]; /* for UNIT_ACTION_START, with specifiers; see config_expand_unit() */
} UnitActionSetting;

/*
 * What applies to one unit. Plain data without pointers: it may be copied and outlive the Config. Unit names with
 * specifiers are "" for none.
 */
typedef struct UnitPolicy {
        UnitMode mode;
        OnExit on_exit;
        nsec_t stall_threshold;
        nsec_t startup_grace; /* 0: none */
        nsec_t first_beat;    /* 0: off */
        nsec_t forget;
        Quorum quorum;
        UnitActionSetting action;
        nsec_t capture_timeout; /* 0: off */
        char capture_unit[UNIT_NAME_MAX];
        SpanRange restart_backoff;
        Rate restart_limit; /* count 0: never gives up; at most CONFIG_RESTART_LIMIT_MAX */
        char on_gave_up[UNIT_NAME_MAX];

        bool is_protected; /* the same as config_unit_is_protected() */
        bool is_degraded; /* mode was lowered to warn, because an error in the configuration may concern the unit */
} UnitPolicy;

/* ---- Schema ----------------------------------------------------------------------------------------------- */

typedef enum ConfigSection {
        CONFIG_OBSERVER,
        CONFIG_RECOVERY,
        CONFIG_LISTENER,
        CONFIG_UNIT,
        _CONFIG_SECTION_MAX,
        _CONFIG_SECTION_INVALID = -EINVAL,
} ConfigSection;

/* One key of varta.conf: what the parser, the defaults, the manual page and varta-ctl all go by. */
typedef struct ConfigKey ConfigKey;

const char *config_section_to_string(ConfigSection section) _const_; /* "Observer" */
const char *config_section_to_placeholder(
                ConfigSection section) _const_; /* "NAME", "GLOB"; NULL when it takes none */

/* All keys, section by section in the order of the manual page: i from 0 until NULL is returned. */
const ConfigKey *config_key_at(size_t i) _const_;
/* NULL when there is none of this name (letters compare with their case). */
const ConfigKey *config_key_find(ConfigSection section, const char *name);

ConfigSection config_key_section(const ConfigKey *key) _pure_;
const char *config_key_name(const ConfigKey *key) _pure_;
const char *config_key_default(const ConfigKey *key) _pure_;     /* in the file's syntax; "" for none */
const char *config_key_allowed(const ConfigKey *key) _pure_;     /* "10ms to 1d" */
const char *config_key_description(const ConfigKey *key) _pure_; /* one sentence */
bool config_key_is_start_only(const ConfigKey *key) _pure_;      /* a reload does not change it */

/* ---- Messages --------------------------------------------------------------------------------------------- */

typedef enum ConfigLevel {
        CONFIG_ERROR,   /* a reload is refused */
        CONFIG_WARNING, /* said, and passed over */
        _CONFIG_LEVEL_MAX,
        _CONFIG_LEVEL_INVALID = -EINVAL,
} ConfigLevel;

typedef struct ConfigMessage {
        ConfigLevel level;
        const char *file;
        unsigned line;       /* from 1; 0 when it concerns the whole file */
        const char *section; /* "Unit worker@*.service"; NULL when not known, as are key and value */
        const char *key;
        const char *value;
        const char *message; /* what is wrong */
        const char *allowed; /* what would be right; NULL when the message says it all */
} ConfigMessage;

/* The strings live until the callback returns. */
typedef void (*ConfigReport)(const ConfigMessage *message, void *userdata);

#define CONFIG_MESSAGE_MAX 1024

/* "/etc/varta/varta.conf:12: [Unit a.service] Mode=x: ...; allowed: ...", fit for a terminal or a journal line. */
char *config_message_format(const ConfigMessage *message, char *buf, size_t size);

/* ---- Loading ---------------------------------------------------------------------------------------------- */

/* A configuration of defaults only. Returns 0, -ENOMEM. The caller owns *ret. */
int config_new(Config **ret);
Config *config_free(Config *config);
DEFINE_CLEANUP_FUNC(Config, config_free)

/*
 * Adds a file's text, which overrides what was added before. report may be NULL. What is wrong with the text is
 * reported and counted, not returned: returns 0, -ENOMEM, or -EINVAL after config_finish().
 */
int config_add_text(Config *config, const char *file, const char *text, size_t size, ConfigReport report,
                    void *userdata);

/*
 * In place of a file that is there and cannot be read (error: negative errno; reason: a sentence). It is an error
 * like a bad value; and because nobody knows which units it spoke of, all of them are held to Mode=warn.
 * Returns 0, -ENOMEM, -EINVAL.
 */
int config_add_unreadable(Config *config, const char *file, int error, const char *reason,
                          ConfigReport report, void *userdata);

/* Checks what only the whole can show and resolves "auto". Once. Returns 0, -EINVAL when called twice. */
int config_finish(Config *config, ConfigReport report, void *userdata);

unsigned config_n_errors(const Config *config);
unsigned config_n_warnings(const Config *config);

/* ---- Asking; after config_finish() ------------------------------------------------------------------------ */

/* Owned by the Config, never NULL. */
const ObserverConfig *config_observer(const Config *config);
const RecoveryConfig *config_recovery(const Config *config);

/* The settings of a listener that has no section are the defaults, with the name filled in (cut if too long). */
void config_listener(const Config *config, const char *name, ListenerConfig *ret);
/* The sections there are: i from 0 until NULL is returned. Owned by the Config. */
const ListenerConfig *config_listener_at(const Config *config, size_t i);

/*
 * Recomputes global_rate and global_burst where they are "auto": max(5,000/s, 2 x capacity per s), and twice the
 * rate's count. For a reload, where the capacity in force is the running one and not the file's.
 */
void config_observer_resolve(ObserverConfig *settings, uint32_t capacity);

/*
 * The policy of a unit, key by key: the section that names the unit exactly, else the pattern with most literal
 * characters, else the one assigned later; else the default. A unit of "" or NULL stands for agents without one:
 * no section speaks of them, they get the defaults.
 */
void config_unit_policy(const Config *config, const char *unit, UnitPolicy *ret);

/* Where a value comes from. file is NULL and line 0 for a default. Owned by the Config. */
typedef struct ConfigProvenance {
        const char *file;
        unsigned line;
        const char *section; /* "Unit worker@*.service"; the one that won. For a default that is another section's
                              * value (StallThresholdSec of [Observer]): that section. NULL for a plain default. */
} ConfigProvenance;

/* [Unit] sections there are: i from 0 until NULL is returned. The glob as written; owned by the Config. */
const char *config_unit_section_at(const Config *config, size_t i);

/* The patterns of those with FirstBeatSec= on, likewise, and where that is said. ret_provenance may be NULL. */
const char *config_first_beat_at(const Config *config, size_t i, ConfigProvenance *ret_provenance);

/* By the built-in list or by Protected=. Says nothing of RefuseManualStart=/Stop=, which only systemd knows. */
bool config_unit_is_protected(const Config *config, const char *unit);
/* The built-in globs: i from 0 until NULL is returned. */
const char *config_protected_builtin_at(size_t i) _const_;

/*
 * The value in force and its origin, for `show` and ShowPolicy(). name is the listener's or the unit's (a unit,
 * not a section), ignored for [Observer] and [Recovery]. The text is what the file would say. Writes at most size
 * bytes, cut off if need be. Either output may be NULL.
 */
void config_value(const Config *config, const ConfigKey *key, const char *name, char *buf, size_t size,
                  ConfigProvenance *ret_provenance);

/* One key of a unit's policy. */
typedef struct ConfigValue {
        const ConfigKey *key;
        ConfigProvenance provenance;
        char text[CONFIG_VALUE_MAX];
} ConfigValue;

/* config_value() for every key of [Unit], in the order of the manual page, at the price of one. Returns how many were
 * written, at most max; CONFIG_UNIT_KEYS_MAX is room for all. */
size_t config_unit_values(const Config *config, const char *unit, ConfigValue *ret, size_t max);

/* The same from a policy already at hand; key must be one of [Unit]. Returns buf. */
char *config_unit_policy_format(const UnitPolicy *policy, const ConfigKey *key, char *buf, size_t size);

/*
 * Fills in a unit template of Action=, CaptureUnit= or OnGaveUp=: %i is the unit's name escaped, %p the pid, %% a
 * percent sign. Returns 0, -ENAMETOOLONG when the result is no unit name for its length, -EINVAL when it is none
 * for another reason.
 */
int config_expand_unit(const char *text, const char *unit, uint32_t pid, char *buf, size_t size);
