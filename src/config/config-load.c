/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Loading: lines into sections and keys, and everything that can be wrong with them into messages.
 *
 * A message names the file, the line, the section, the key and the value, says what is wrong, and says what would
 * be right: whoever reads it should not need the manual page. What nobody knows (a key of a newer version, a
 * misspelled one) is a warning with the nearest known word; what is known and cannot be used is an error.
 */

#include "config/config-internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

/* Remembers a file's name for as long as the configuration lives. -ENOMEM. */
static int config_add_file(Config *config, const char *file, const char **ret) {
        char **files, *copy;

        files = reallocarray(config->files, config->n_files + 1, sizeof(*files));
        if (!files)
                return -ENOMEM;
        config->files = files;

        copy = strdup(file);
        if (!copy)
                return -ENOMEM;

        *ret = files[config->n_files++] = copy;
        return 0;
}

/* ---- Messages ------------------------------------------------------------------------------------------------- */

/* Enough to mend a file by. A file that is something else altogether must not flood the journal. */
#define MESSAGES_PER_FILE_MAX 50U

void config_report(Reporter *reporter, ConfigLevel level, const char *allowed, const char *format, ...) {
        char text[512]; /* our own sentences, with at most two names in them; longer ones are cut off */
        va_list ap;

        if (level == CONFIG_ERROR)
                reporter->config->n_errors++;
        else
                reporter->config->n_warnings++;

        if (reporter->n_sent >= MESSAGES_PER_FILE_MAX) {
                reporter->n_kept++;
                return;
        }
        reporter->n_sent++;

        if (!reporter->report)
                return;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);

        reporter->report(
                        &(ConfigMessage){
                                        .level = level,
                                        .file = reporter->file,
                                        .line = reporter->line,
                                        .section = reporter->section,
                                        .key = reporter->key,
                                        .value = reporter->value,
                                        .message = text,
                                        .allowed = allowed,
                        },
                        reporter->userdata);
}

void config_report_end(Reporter *reporter) {
        char text[64];

        if (reporter->n_kept == 0 || !reporter->report)
                return;

        (void) snprintf(text, sizeof(text), "There %s %u more message%s about this file",
                        reporter->n_kept == 1 ? "is" : "are", reporter->n_kept, plural(reporter->n_kept));
        reporter->report(
                        &(ConfigMessage){ .level = CONFIG_WARNING, .file = reporter->file, .message = text },
                        reporter->userdata);
}

char *config_message_format(const ConfigMessage *message, char *buf, size_t size) {
        /* A value is whatever the file has, up to 8 KiB and with any bytes in it. */
        char file[256], section[160], key[96], value[128], line[16] = "";
        bool whole_line;

        assert(message);
        assert(buf);
        assert(size > 0);

        /* What is not an assignment has no key, and is quoted as it stands. */
        whole_line = message->value && !message->key;
        if (message->line > 0)
                (void) snprintf(line, sizeof(line), ":%u", message->line);

        (void) snprintf(buf, size, "%s%s: %s%s%s%s%s%s%s%s%s%s%s",
                        text_printable(file, sizeof(file), message->file), line, message->section ? "[" : "",
                        text_printable(section, sizeof(section), message->section ?: ""),
                        message->section ? "] " : "", text_printable(key, sizeof(key), message->key ?: ""),
                        whole_line       ? "\""
                        : message->value ? "="
                                         : "",
                        text_printable(value, sizeof(value), message->value ?: ""), whole_line ? "\"" : "",
                        message->key || message->value ? ": " : "", message->message,
                        message->allowed ? "; allowed: " : "", message->allowed ?: "");
        return buf;
}

/* ---- Sections --------------------------------------------------------------------------------------------------- */

/* What the lines of a file are about at the moment. */
typedef struct Place {
        Block *block; /* NULL: nothing, because of the header, which was complained about */
        bool seen_header;
} Place;

static ConfigSection find_section(const char *kind) {
        for (ConfigSection s = 0; s < _CONFIG_SECTION_MAX; s++)
                if (strcmp(config_section_to_string(s), kind) == 0)
                        return s;

        return _CONFIG_SECTION_INVALID;
}

static void report_unknown_section(Reporter *reporter, const char *kind) {
        unsigned distance, best = UINT32_MAX;
        const char *nearest = NULL;

        for (ConfigSection s = 0; s < _CONFIG_SECTION_MAX; s++)
                if (text_is_similar(kind, config_section_to_string(s), &distance) && distance < best) {
                        best = distance;
                        nearest = config_section_to_string(s);
                }

        if (nearest)
                config_report(reporter, CONFIG_WARNING, NULL,
                              "There is no such section, it is passed over; did you mean [%s]?", nearest);
        else
                config_report(reporter, CONFIG_WARNING,
                              "[Observer], [Recovery], [Listener NAME], [Unit GLOB]",
                              "There is no such section, it is passed over");
}

/* The names that systemd takes for sockets: printable ASCII without ':'. */
static bool listener_name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n == 0 || n >= UNIT_NAME_MAX)
                return false;

        for (size_t i = 0; i < n; i++)
                if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
                        return false;

        return true;
}

/* Only in services and scopes are processes that live long enough to beat: what is literal at the end of a glob must
 * agree with one of their suffixes, as far as both go. */
static bool glob_can_match_agents(const char *glob) {
        static const char *const suffixes[] = { ".service", ".scope" };
        size_t n = strlen(glob), literal = 0;

        while (literal < n && !strchr("*?]", glob[n - 1 - literal]))
                literal++;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                size_t m = strlen(suffixes[i]), common = MIN(literal, m);

                if (memcmp(glob + n - common, suffixes[i] + m - common, common) == 0)
                        return true;
        }

        return false;
}

#define UNIT_GLOB_ALLOWED "the full name of a .service or .scope unit, or a glob over such names"

/* Complains about the name of a [Unit] section. Returns whether the section can be used. */
static bool check_unit_glob(Reporter *reporter, const char *glob) {
        char full[UNIT_NAME_MAX];
        int n;

        if (!*glob) {
                config_report(reporter, CONFIG_ERROR, UNIT_GLOB_ALLOWED, "The name of the unit is missing");
                return false;
        }
        if (!unit_glob_is_valid(glob)) {
                config_report(reporter, CONFIG_ERROR, UNIT_GLOB_ALLOWED, "This is not a unit name or glob");
                return false;
        }

        /* "[Unit worker]": the most common slip, and the suffix that was left out is nearly always this one. */
        if (!unit_glob_is_pattern(glob) && !unit_name_is_valid(glob)) {
                n = snprintf(full, sizeof(full), "%s.service", glob);
                if (n > 0 && (size_t) n < sizeof(full) && unit_name_is_valid(full))
                        config_report(reporter, CONFIG_ERROR, NULL,
                                      "This is not the full name of a unit; did you mean %s?", full);
                else
                        config_report(reporter, CONFIG_ERROR, UNIT_GLOB_ALLOWED,
                                      "This is not the name of a unit");
                return false;
        }
        if (!glob_can_match_agents(glob)) {
                config_report(reporter, CONFIG_ERROR, UNIT_GLOB_ALLOWED,
                              "Only services and scopes have agents");
                return false;
        }

        if (unit_name_is_template(glob))
                config_report(reporter, CONFIG_WARNING, NULL,
                              "This is a template, and no unit has this name; its instances are %.*s@*%s",
                              (int) (strchr(glob, '@') - glob), glob, strchr(glob, '@') + 1);
        return true;
}

static int open_named_section(Config *config, Reporter *reporter, ConfigSection section, const char *name,
                              Place *place) {
        Block *block;
        int r;

        if (section == CONFIG_UNIT) {
                if (!check_unit_glob(reporter, name)) {
                        config->holds_all = true;
                        return 0;
                }
                r = block_get(&config->units, &config->n_units, CONFIG_UNIT_SECTIONS_MAX, section, name,
                              &block);
        } else {
                if (!listener_name_is_valid(name)) {
                        config_report(reporter, CONFIG_ERROR,
                                      "the FileDescriptorName= of a socket: printable ASCII without ':'",
                                      *name ? "This is not the name of a listener"
                                            : "The name of the listener is missing");
                        return 0;
                }
                r = block_get(&config->listeners, &config->n_listeners, CONFIG_LISTENER_SECTIONS_MAX,
                              section, name, &block);
        }
        if (r == -E2BIG) {
                config->holds_all = config->holds_all || section == CONFIG_UNIT;
                config_report(reporter, CONFIG_ERROR,
                              section == CONFIG_UNIT ? "up to 1024 sections" : "up to 64 sections",
                              "There are too many sections of this kind; this one is passed over");
                return 0;
        }
        if (r < 0)
                return r;

        place->block = block;
        return 0;
}

/* A line with a header. Returns 0, -ENOMEM. */
static int open_section(Config *config, Reporter *reporter, char *line, Place *place) {
        char title[UNIT_NAME_MAX + 16], *kind, *name;
        ConfigSection section;
        const char *reason;
        int r;

        *place = (Place){ .seen_header = true };

        r = config_split_header(line, &kind, &name, &reason);
        if (r < 0) {
                /* It may have been any unit's. */
                config->holds_all = true;
                reporter->value = line;
                config_report(reporter, CONFIG_ERROR, "[Observer], [Recovery], [Listener NAME], [Unit GLOB]",
                              "%s; the section is passed over", reason);
                return 0;
        }

        (void) snprintf(title, sizeof(title), "%s%s%s", kind, *name ? " " : "", name);
        reporter->section = title;

        section = find_section(kind);
        if (section < 0) {
                /* "X-" is everybody's, as in unit files. */
                if (strncmp(kind, "X-", 2) != 0)
                        report_unknown_section(reporter, kind);
                r = 0;
        } else if (config_section_to_placeholder(section))
                r = open_named_section(config, reporter, section, name, place);
        else {
                place->block = section == CONFIG_OBSERVER ? &config->observer : &config->recovery;
                if (*name)
                        config_report(reporter, CONFIG_WARNING, NULL,
                                      "This section takes no name; it is not looked at");
                r = 0;
        }

        reporter->section = NULL;
        return r;
}

/* ---- Assignments ------------------------------------------------------------------------------------------------ */

static void report_unknown_key(Reporter *reporter, ConfigSection section, const char *name) {
        const ConfigKey *nearest = NULL, *elsewhere = NULL;
        unsigned distance, best = UINT32_MAX;

        /* No search for words that nobody will read. */
        for (size_t i = 0; i < config_n_keys && reporter->n_sent < MESSAGES_PER_FILE_MAX; i++) {
                const ConfigKey *key = config_keys + i;

                if (key->section != section && strcmp(key->name, name) == 0)
                        elsewhere = key;
                if (key->section == section && text_is_similar(name, key->name, &distance) &&
                    distance < best) {
                        best = distance;
                        nearest = key;
                }
        }

        if (elsewhere)
                config_report(reporter, CONFIG_WARNING, NULL,
                              "There is no such key in this section, it is passed over; it belongs to "
                              "[%s%s%s]",
                              config_section_to_string(elsewhere->section),
                              config_section_to_placeholder(elsewhere->section) ? " " : "",
                              config_section_to_placeholder(elsewhere->section) ?: "");
        else if (nearest)
                config_report(reporter, CONFIG_WARNING, NULL,
                              "There is no such key, it is passed over; did you mean %s=?", nearest->name);
        else
                config_report(reporter, CONFIG_WARNING, NULL, "There is no such key, it is passed over");
}

/* A value that could not be used: the default, and nothing is restarted on its account. */
static void distrust_key(Config *config, Block *block, const ConfigKey *key, size_t index) {
        block->bad_keys |= UINT32_C(1) << index;

        if (block->section == CONFIG_UNIT)
                block->is_degraded = true;
        if (key->type == CONFIG_TYPE_GLOBS)
                config->holds_all =
                                true; /* the good part of the list stays; what the rest would protect is not known */
        else
                block_reset_key(block, index);
}

/* Key=value in a section. Returns 0, -ENOMEM. */
static int assign(Config *config, Reporter *reporter, Block *block, const char *name, const char *value) {
        const ConfigKey *keys, *key;
        const char *reason = NULL;
        size_t n, index;
        int r;

        keys = config_section_keys(block->section, &n);
        key = config_key_find(block->section, name);
        if (!key) {
                if (strncmp(name, "X-", 2) != 0)
                        report_unknown_key(reporter, block->section, name);
                return 0;
        }
        index = (size_t) (key - keys);
        assert(index < n);

        if (!*value) {
                block_reset_key(block, index);
                return 0;
        }

        r = config_value_parse(key, value, block->values, &reason);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                config_report(reporter, CONFIG_ERROR, key->allowed, "%s", reason);
                distrust_key(config, block, key, index);
                return 0;
        }

        block->keys[index] = (Assignment){
                .file = reporter->file,
                .line = reporter->line,
                .serial = ++config->last_serial,
        };
        return 0;
}

/* A line that is no header. Returns 0, -ENOMEM. */
static int handle_assignment(Config *config, Reporter *reporter, char *line, Place *place) {
        char *key, *value;
        const char *reason;
        int r;

        if (!place->block && place->seen_header)
                return 0; /* of a section that was complained about as a whole */

        reporter->section = place->block ? place->block->title : NULL;
        r = config_split_assignment(line, &key, &value, &reason);
        if (r < 0) {
                reporter->value = line;
                config_report(reporter, CONFIG_ERROR, NULL, "%s", reason);
        } else if (!place->block) {
                reporter->key = key;
                reporter->value = value;
                config_report(reporter, CONFIG_ERROR, "a section first, such as [Observer]",
                              "This assignment stands outside of any section");
        } else {
                reporter->key = key;
                reporter->value = value;
                return assign(config, reporter, place->block, key, value);
        }

        /* It may have been any key: of this unit or, without a section, of any. */
        if (!place->block || place->block->section == CONFIG_RECOVERY)
                config->holds_all = true;
        else if (place->block->section == CONFIG_UNIT)
                place->block->is_degraded = true;
        else
                place->block->bad_keys = UINT32_MAX;
        return 0;
}

/* ---- Adding ------------------------------------------------------------------------------------------------------ */

int config_add_text(Config *config, const char *file, const char *text, size_t size, ConfigReport report,
                    void *userdata) {
        Reporter reporter = { .config = config, .report = report, .userdata = userdata };
        ConfigReader reader;
        Place place = {};
        int r;

        assert(config);
        assert(file);
        assert(text || size == 0);

        if (config->finished)
                return -EINVAL;

        r = config_add_file(config, file, &reporter.file);
        if (r < 0)
                return r;

        config_reader_init(&reader, text, size);
        for (;;) {
                const char *reason;
                char *line;

                reporter.section = reporter.key = reporter.value = NULL;
                r = config_reader_next(&reader, &line, &reporter.line, &reason);
                if (r == 0)
                        break;
                if (r < 0) {
                        /* Nobody knows what this line was: it may even have been a header. */
                        config_report(&reporter, CONFIG_ERROR, NULL, "%s", reason);
                        config->holds_all = true;
                        continue;
                }

                r = *line == '[' ? open_section(config, &reporter, line, &place)
                                 : handle_assignment(config, &reporter, line, &place);
                if (r < 0)
                        return r;
        }

        config_report_end(&reporter);
        return 0;
}

int config_add_unreadable(Config *config, const char *file, int error, const char *reason,
                          ConfigReport report, void *userdata) {
        Reporter reporter = { .config = config, .report = report, .userdata = userdata };
        int r;

        assert(config);
        assert(file);
        assert(error < 0);

        if (config->finished)
                return -EINVAL;

        r = config_add_file(config, file, &reporter.file);
        if (r < 0)
                return r;

        config->holds_all = true;
        config_report(&reporter, CONFIG_ERROR, NULL, "The file cannot be read: %s",
                      reason ?: strerror(-error));
        return 0;
}
