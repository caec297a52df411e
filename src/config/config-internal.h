/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of this folder share and nobody else sees. */

#include "config/config.h"

/* ---- Schema (config-schema.c) ------------------------------------------------------------------------------ */

typedef enum ConfigType {
        CONFIG_TYPE_BOOL,
        CONFIG_TYPE_COUNT,      /* uint32_t, with the factors of sizes */
        CONFIG_TYPE_SPAN,       /* nsec_t */
        CONFIG_TYPE_SPAN_RANGE, /* SpanRange */
        CONFIG_TYPE_RATE,       /* Rate */
        CONFIG_TYPE_PERCENT,    /* unsigned */
        CONFIG_TYPE_QUORUM,     /* Quorum */
        CONFIG_TYPE_WORD,       /* an enum: int */
        CONFIG_TYPE_GLOBS,      /* GlobList; each assignment appends */
        CONFIG_TYPE_SERVICE,    /* char[UNIT_NAME_MAX] */
        CONFIG_TYPE_KEY_FILE,   /* char[CONFIG_PATH_MAX] */
        CONFIG_TYPE_ACTION,     /* UnitActionSetting */
        CONFIG_TYPE_TEMPLATE,   /* char[UNIT_NAME_MAX], with specifiers */
        CONFIG_TYPE_CAPTURE,    /* likewise; an empty instance stands for %p */
        _CONFIG_TYPE_MAX,
        _CONFIG_TYPE_INVALID = -EINVAL,
} ConfigType;

enum {
        CONFIG_KEY_AUTO = 1 << 0,       /* takes the word "auto", stored as below */
        CONFIG_KEY_ZERO = 1 << 1,       /* takes 0 besides min..max */
        CONFIG_KEY_START_ONLY = 1 << 2, /* a reload does not change it */
};

/* "auto" in a COUNT and in a RATE's count: beyond every range. In a SPAN it is 0. */
#define CONFIG_COUNT_AUTO UINT32_MAX

struct ConfigKey {
        ConfigSection section;
        const char *name;
        ConfigType type;
        unsigned flags;
        size_t offset, size;      /* of the value in the section's struct */
        uint64_t min, max;        /* COUNT, PERCENT: the value; SPAN, SPAN_RANGE: ns; RATE: ns of the span */
        uint32_t count_max;       /* RATE, QUORUM */
        const char *const *words; /* WORD: NULL-terminated, in the order of the enum */
        const char *default_text, *allowed, *description;
};

extern const ConfigKey config_keys[];
extern const size_t config_n_keys;

/* The first key of a section and how many there are: within a section, keys go by their index. */
const ConfigKey *config_section_keys(ConfigSection section, size_t *ret_n);

/* No section has more keys. */
#define CONFIG_SECTION_KEYS_MAX 16

/* ---- Values (config-value.c) -------------------------------------------------------------------------------- */

/* The storage of Protected=. */
typedef struct GlobList {
        char **globs;
        size_t n_globs;
} GlobList;

void glob_list_done(GlobList *list);

/*
 * Parses text into the section's struct at values. Returns 0, -ENOMEM, or -EINVAL/-ERANGE with a sentence about
 * what is wrong in *ret_reason (static); then the value is as it was, except that GLOBS has taken the good ones.
 */
int config_value_parse(const ConfigKey *key, const char *text, void *values, const char **ret_reason);

/* Writes the value as the file would have it. Returns buf. */
char *config_value_format(const ConfigKey *key, const void *values, char *buf, size_t size);

/* ---- Text (config-text.c) ----------------------------------------------------------------------------------- */

/* The longest logical line, continuations included. A list of 30 of the longest unit names fits; nothing that
 * people write comes near. */
#define CONFIG_LINE_MAX 8192

typedef struct ConfigReader {
        const char *next, *end;
        unsigned n_lines; /* physical lines consumed */
        char line[CONFIG_LINE_MAX];
} ConfigReader;

void config_reader_init(ConfigReader *reader, const char *text, size_t size);

/*
 * The next logical line that is not blank and not a comment: joined, without blanks at its ends, in *ret_line
 * (writable, valid until the next call). Returns 1; 0 at the end; -EBADMSG when the line cannot be text, with a
 * sentence in *ret_reason, and reading may go on. *ret_number is where it starts, or where the trouble is.
 */
int config_reader_next(ConfigReader *reader, char **ret_line, unsigned *ret_number, const char **ret_reason);

/* Splits "[Kind name]" in place. name may come out "". Returns 0, or -EINVAL with a sentence in *ret_reason. */
int config_split_header(char *line, char **ret_kind, char **ret_name, const char **ret_reason);

/* Splits "Key=value" in place. Returns 0, or -EINVAL with a sentence in *ret_reason. */
int config_split_assignment(char *line, char **ret_key, char **ret_value, const char **ret_reason);

/* ---- Blocks (config-block.c) and the whole (config.c) ----------------------------------------------------------------------------------- */

/* Memory is bounded by these, whatever the files say; they are far beyond what anybody can keep in mind. */
#define CONFIG_UNIT_SECTIONS_MAX     1024U
#define CONFIG_LISTENER_SECTIONS_MAX 64U /* as many as a service can be handed */
#define CONFIG_PROTECTED_GLOBS_MAX   256U

/* Distinct pairs of StallThresholdSec= and ForgetSec= that core can keep apart: it numbers them with a byte. */
#define CONFIG_CLASSES_MAX 255U

/* Where a key of a section was assigned last. */
typedef struct Assignment {
        const char *file; /* owned by Config.files */
        unsigned line;
        unsigned serial; /* grows with each assignment; 0: not assigned, the value is the default */
} Assignment;

/* One section, from however many files and places. */
typedef struct Block {
        ConfigSection section;
        char *title;  /* "Unit worker@*.service" */
        char *name;   /* "worker@*.service", "" for sections that take none; owned */
        void *values; /* ObserverConfig, RecoveryValues, ListenerConfig or UnitPolicy */
        Assignment keys[CONFIG_SECTION_KEYS_MAX];
        uint32_t bad_keys; /* bit i: key i had a value that could not be used */

        /* [Unit] only */
        bool is_exact;
        size_t literals;
        bool is_degraded; /* something in it could not be used: the units it matches are held to warn */
} Block;

/* The parsed part of RecoveryConfig lies at its beginning; see config-schema.c. */
typedef struct RecoveryValues {
        RecoveryConfig settings;
        GlobList globs;
} RecoveryValues;

struct Config {
        char **files;
        size_t n_files;
        unsigned last_serial;

        Block observer, recovery;
        Block *units;
        size_t n_units;
        Block *listeners;
        size_t n_listeners;

        ObserverConfig resolved; /* the observer's values with "auto" worked out */

        unsigned n_errors, n_warnings;
        bool holds_all; /* an error may concern any unit: all are held to warn */
        bool finished;
};

/* Where messages go, and what they say about themselves. */
typedef struct Reporter {
        Config *config;
        ConfigReport report;
        void *userdata;
        const char *file;
        unsigned line;
        const char *section, *key, *value;
        unsigned n_sent, n_kept; /* per file: see config_report() */
} Reporter;

/* Counts and sends one message at the reporter's place. */
void config_report(Reporter *reporter, ConfigLevel level, const char *allowed, const char *format, ...)
                _printf_(4, 5);
/* Says how many messages were kept back. */
void config_report_end(Reporter *reporter);

/* Returns 0, -ENOMEM; block_done() may be called either way, and on a block of zeroes. */
int block_init(Block *block, ConfigSection section, const char *name);
void block_done(Block *block);

/* Puts all defaults of a section into its struct, of which only the name is left alone. */
void config_section_defaults(ConfigSection section, void *values);

/* Puts the default of one key back, as if it had never been assigned. */
void block_reset_key(Block *block, size_t key_index);

/*
 * Finds or makes the block of a section that takes a name, in one of Config's arrays. Returns 0, -ENOMEM, -E2BIG
 * when it would be one more than max. Invalidates pointers to the array's other blocks.
 */
int block_get(Block **blocks, size_t *n_blocks, size_t max, ConfigSection section, const char *name,
              Block **ret);

/* ---- Policy (config-policy.c), classes (config-classes.c) ---------------------------------------------------- */

/* The indexes of the keys of [Unit], in the order of the schema. */
typedef enum UnitKey {
        UNIT_KEY_MODE,
        UNIT_KEY_STALL_THRESHOLD,
        UNIT_KEY_ON_EXIT,
        UNIT_KEY_STARTUP_GRACE,
        UNIT_KEY_FIRST_BEAT,
        UNIT_KEY_QUORUM,
        UNIT_KEY_ACTION,
        UNIT_KEY_CAPTURE_SEC,
        UNIT_KEY_CAPTURE_UNIT,
        UNIT_KEY_RESTART_BACKOFF,
        UNIT_KEY_RESTART_LIMIT,
        UNIT_KEY_ON_GAVE_UP,
        UNIT_KEY_FORGET,
        _UNIT_KEY_MAX,
        _UNIT_KEY_INVALID = -EINVAL,
} UnitKey;

/* Likewise, those that others need to know. */
#define OBSERVER_KEY_STALL_THRESHOLD 0
#define RECOVERY_KEY_PROTECTED       3

/* The glob that protects a unit, NULL when none does. *ret_builtin says which list it is on. */
const char *config_find_protection(const Config *config, const char *unit, bool *ret_builtin);

/* Reports a configuration that has more classes than core, and takes the keys back that made them. */
void config_check_classes(Config *config, Reporter *reporter);
