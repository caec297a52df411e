/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Values: one parser and one formatter for each type of the schema.
 *
 * A parser builds its value in a local and stores it last, so that a bad value leaves the old one in place. The
 * sentence it gives for a failure says what is wrong with this text; what would be right is the schema's to say.
 *
 * Unit names are checked here as far as text can be: that a unit exists, or is a oneshot, only systemd knows, and
 * it may well be installed after the configuration was read.
 */

#include "config/config-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

/* ---- Unit templates ------------------------------------------------------------------------------------------ */

/* Appends n bytes of s at *used, keeping the NUL. */
static int append(char *buf, size_t size, size_t *used, const char *s, size_t n) {
        if (*used + n >= size)
                return -ENAMETOOLONG;

        memcpy(buf + *used, s, n);
        *used += n;
        buf[*used] = '\0';
        return 0;
}

int config_expand_unit(const char *text, const char *unit, uint32_t pid, char *buf, size_t size) {
        char name[UNIT_NAME_MAX] = "", escaped[UNIT_NAME_MAX], number[16];
        size_t used = 0;
        int r;

        assert(text);
        assert(unit);
        assert(buf);

        for (const char *p = text; *p; p++) {
                const char *s = p;

                if (*p == '%') {
                        switch (*++p) {
                        case 'i':
                                r = unit_name_escape(unit, escaped, sizeof(escaped));
                                if (r < 0)
                                        return r;
                                s = escaped;
                                break;
                        case 'p':
                                (void) snprintf(number, sizeof(number), "%" PRIu32, pid);
                                s = number;
                                break;
                        case '%':
                                s = "%";
                                break;
                        default:
                                return -EINVAL;
                        }
                }

                r = append(name, sizeof(name), &used, s, s == p ? 1 : strlen(s));
                if (r < 0)
                        return r;
        }

        if (!unit_name_is_valid(name) || unit_name_is_template(name))
                return -EINVAL;
        if (used >= size)
                return -ENAMETOOLONG;

        memcpy(buf, name, used + 1);
        return 0;
}

/* The units that the shipped polkit rule lets the observer start: our own prefix, and not our own programs. */
static int check_startable(const char *text, const char **ret_reason) {
        char name[UNIT_NAME_MAX];
        int r;

        if (strlen(text) >= UNIT_NAME_MAX) {
                *ret_reason = "The unit's name is too long";
                return -ERANGE;
        }

        r = config_expand_unit(text, "a.service", 1, name, sizeof(name));
        if (r < 0) {
                *ret_reason = unit_name_is_template(text) ? "This is a template without an instance"
                                                          : "This does not make a unit name";
                return -EINVAL;
        }
        if (strncmp(name, "varta-", STRLEN("varta-")) != 0 || !unit_name_has_suffix(name, ".service")) {
                *ret_reason = "Only services named varta-* may be started";
                return -EINVAL;
        }
        if (strncmp(name, "varta-exporter", STRLEN("varta-exporter")) == 0) {
                *ret_reason = "The exporter is not a unit to start here";
                return -EINVAL;
        }

        return 0;
}

static int parse_template(const char *text, char *value, const char **ret_reason) {
        int r;

        r = check_startable(text, ret_reason);
        if (r < 0)
                return r;

        memcpy(value, text, strlen(text) + 1);
        return 0;
}

/* "varta-capture@.service" is what systemd's own documentation would write; the instance is always the pid. */
static int parse_capture(const char *text, char *value, const char **ret_reason) {
        char full[UNIT_NAME_MAX];
        const char *at;
        int n;

        if (!unit_name_is_template(text))
                return parse_template(text, value, ret_reason);

        at = strchr(text, '@');
        n = snprintf(full, sizeof(full), "%.*s@%%p%s", (int) (at - text), text, at + 1);
        if (n < 0 || (size_t) n >= sizeof(full)) {
                *ret_reason = "The unit's name is too long";
                return -ERANGE;
        }

        return parse_template(full, value, ret_reason);
}

static int parse_action(const char *text, UnitActionSetting *ret, const char **ret_reason) {
        UnitActionSetting action = {};
        int r;

        if (strncmp(text, "start:", STRLEN("start:")) == 0) {
                action.verb = UNIT_ACTION_START;
                r = parse_template(text + STRLEN("start:"), action.unit, ret_reason);
                if (r < 0)
                        return r;
        } else if (strcmp(text, "try-restart") == 0)
                action.verb = UNIT_ACTION_TRY_RESTART;
        else if (strcmp(text, "restart") == 0)
                action.verb = UNIT_ACTION_RESTART;
        else {
                *ret_reason = "There is no such action";
                return -EINVAL;
        }

        *ret = action;
        return 0;
}

static int parse_service(const char *text, char *value, const char **ret_reason) {
        if (!unit_name_is_valid(text) || unit_name_is_template(text)) {
                *ret_reason = "This is not the name of a unit";
                return -EINVAL;
        }
        if (!unit_name_has_suffix(text, ".service")) {
                *ret_reason = "This unit is not a service";
                return -EINVAL;
        }

        memcpy(value, text, strlen(text) + 1);
        return 0;
}

/* ---- Other texts ---------------------------------------------------------------------------------------------- */

static int parse_key_file(const char *text, char *value, const char **ret_reason) {
        if (strlen(text) >= CONFIG_PATH_MAX) {
                *ret_reason = "The path is too long";
                return -ERANGE;
        }
        if (text[0] != '/' && (strchr(text, '/') || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)) {
                *ret_reason = "The path is not absolute";
                return -EINVAL;
        }

        memcpy(value, text, strlen(text) + 1);
        return 0;
}

static int parse_word(const ConfigKey *key, const char *text, int *ret, const char **ret_reason) {
        for (int i = 0; key->words[i]; i++)
                if (strcmp(key->words[i], text) == 0) {
                        *ret = i;
                        return 0;
                }

        *ret_reason = "There is no such value";
        return -EINVAL;
}

void glob_list_done(GlobList *list) {
        assert(list);

        for (size_t i = 0; i < list->n_globs; i++)
                free(list->globs[i]);
        free(list->globs);
        *list = (GlobList){};
}

static int glob_list_add(GlobList *list, const char *glob, const char **ret_reason) {
        char **globs, *copy;

        if (!unit_glob_is_valid(glob) || (!unit_glob_is_pattern(glob) && !unit_name_is_valid(glob))) {
                *ret_reason = "Not all of these are full unit names or globs";
                return -EINVAL;
        }
        if (list->n_globs >= CONFIG_PROTECTED_GLOBS_MAX) {
                *ret_reason = "There are more than 256 globs";
                return -ERANGE;
        }

        copy = strdup(glob);
        if (!copy)
                return -ENOMEM;

        globs = reallocarray(list->globs, list->n_globs + 1, sizeof(*globs));
        if (!globs) {
                free(copy);
                return -ENOMEM;
        }

        list->globs = globs;
        globs[list->n_globs++] = copy;
        return 0;
}

/* Takes the good words even if there are bad ones: the list protects, and half of it protects better than none. */
static int parse_globs(const char *text, GlobList *list, const char **ret_reason) {
        int result = 0;

        while (*(text += strspn(text, BLANKS))) {
                char glob[UNIT_NAME_MAX];
                size_t n = strcspn(text, BLANKS);
                int r;

                if (n < sizeof(glob)) {
                        memcpy(glob, text, n);
                        glob[n] = '\0';
                        r = glob_list_add(list, glob, ret_reason);
                } else {
                        *ret_reason = "One of the names is too long";
                        r = -ERANGE;
                }
                if (r == -ENOMEM)
                        return r;
                if (r < 0 && result == 0)
                        result = r;
                text += n;
        }

        return result;
}

/* ---- Numbers --------------------------------------------------------------------------------------------------- */

/* The sentence for a number's errno; noun says what it should have been. */
static int number_reason(int r, const char *malformed, const char **ret_reason) {
        if (r < 0)
                *ret_reason = r == -ERANGE ? "This is out of range" : malformed;
        return r;
}

static int parse_count(const ConfigKey *key, const char *text, uint32_t *ret, const char **ret_reason) {
        uint64_t v;
        int r;

        r = parse_size(text, &v);
        if (r >= 0 && (v < key->min || v > key->max) && !(v == 0 && (key->flags & CONFIG_KEY_ZERO)))
                r = -ERANGE;
        if (r < 0)
                return number_reason(r, "This is not a number", ret_reason);

        *ret = (uint32_t) v;
        return 0;
}

static int parse_span(const ConfigKey *key, const char *text, nsec_t *ret, const char **ret_reason) {
        nsec_t v;
        int r;

        r = parse_timespan(text, &v);
        if (r >= 0 && (v < key->min || v > key->max) && !(v == 0 && (key->flags & CONFIG_KEY_ZERO)))
                r = -ERANGE;
        if (r < 0)
                return number_reason(r, "This is not a time span", ret_reason);

        *ret = v;
        return 0;
}

static int parse_limited_rate(const ConfigKey *key, const char *text, Rate *ret, const char **ret_reason) {
        Rate rate;
        int r;

        r = parse_rate(text, &rate);
        if (r >= 0 && rate.count > 0 &&
            (rate.count > key->count_max || rate.span < key->min || rate.span > key->max))
                r = -ERANGE;
        if (r < 0)
                return number_reason(r,
                                     strchr(text, '/') ? "This is not a rate"
                                                       : "This is a count without a span",
                                     ret_reason);

        *ret = rate;
        return 0;
}

static int parse_limited_span_range(const ConfigKey *key, const char *text, SpanRange *ret,
                                    const char **ret_reason) {
        SpanRange range;
        int r;

        r = parse_span_range(text, &range);
        if (r >= 0 && (range.min < key->min || range.max > key->max))
                r = -ERANGE;
        if (r < 0)
                return number_reason(r, "This is not a range of time spans", ret_reason);

        *ret = range;
        return 0;
}

static int parse_limited_quorum(const ConfigKey *key, const char *text, Quorum *ret,
                                const char **ret_reason) {
        Quorum quorum;
        int r;

        r = parse_quorum(text, &quorum);
        if (r >= 0 && !quorum.is_share && quorum.value > key->count_max)
                r = -ERANGE;
        if (r < 0)
                return number_reason(r, "This is neither a number nor a share", ret_reason);

        *ret = quorum;
        return 0;
}

static void store_auto(const ConfigKey *key, void *value) {
        switch (key->type) {
        case CONFIG_TYPE_COUNT:
                *(uint32_t *) value = CONFIG_COUNT_AUTO;
                break;
        case CONFIG_TYPE_RATE:
                *(Rate *) value = (Rate){ .count = CONFIG_COUNT_AUTO, .span = NSEC_PER_SEC };
                break;
        case CONFIG_TYPE_SPAN:
                *(nsec_t *) value = 0;
                break;
        default:
                assert(false);
        }
}

/* ---- By type --------------------------------------------------------------------------------------------------- */

int config_value_parse(const ConfigKey *key, const char *text, void *values, const char **ret_reason) {
        void *value;

        assert(key);
        assert(text);
        assert(values);
        assert(ret_reason);

        value = (char *) values + key->offset;
        if ((key->flags & CONFIG_KEY_AUTO) && strcmp(text, "auto") == 0) {
                store_auto(key, value);
                return 0;
        }

        switch (key->type) {
        case CONFIG_TYPE_BOOL:
                return number_reason(parse_bool(text, value), "This is neither yes nor no", ret_reason);
        case CONFIG_TYPE_COUNT:
                return parse_count(key, text, value, ret_reason);
        case CONFIG_TYPE_SPAN:
                return parse_span(key, text, value, ret_reason);
        case CONFIG_TYPE_SPAN_RANGE:
                return parse_limited_span_range(key, text, value, ret_reason);
        case CONFIG_TYPE_RATE:
                return parse_limited_rate(key, text, value, ret_reason);
        case CONFIG_TYPE_PERCENT:
                return number_reason(parse_percent(text, (unsigned) key->min, (unsigned) key->max, value),
                                     "This is not a share in percent", ret_reason);
        case CONFIG_TYPE_QUORUM:
                return parse_limited_quorum(key, text, value, ret_reason);
        case CONFIG_TYPE_WORD:
                return parse_word(key, text, value, ret_reason);
        case CONFIG_TYPE_GLOBS:
                return parse_globs(text, value, ret_reason);
        case CONFIG_TYPE_SERVICE:
                return parse_service(text, value, ret_reason);
        case CONFIG_TYPE_KEY_FILE:
                return parse_key_file(text, value, ret_reason);
        case CONFIG_TYPE_ACTION:
                return parse_action(text, value, ret_reason);
        case CONFIG_TYPE_TEMPLATE:
                return parse_template(text, value, ret_reason);
        case CONFIG_TYPE_CAPTURE:
                return parse_capture(text, value, ret_reason);
        case _CONFIG_TYPE_MAX:
        case _CONFIG_TYPE_INVALID:
                break;
        }

        assert(false);
        return -EINVAL;
}

static char *format_globs(const GlobList *list, char *buf, size_t size) {
        size_t used = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < list->n_globs && used < size; i++)
                used += (size_t) snprintf(buf + used, size - used, "%s%s", i > 0 ? " " : "", list->globs[i]);

        return buf;
}

/* Whether "auto" stands at value. */
static bool is_auto(const ConfigKey *key, const void *value) {
        if (!(key->flags & CONFIG_KEY_AUTO))
                return false;

        switch (key->type) {
        case CONFIG_TYPE_COUNT:
                return *(const uint32_t *) value == CONFIG_COUNT_AUTO;
        case CONFIG_TYPE_RATE:
                return ((const Rate *) value)->count == CONFIG_COUNT_AUTO;
        case CONFIG_TYPE_SPAN:
                return *(const nsec_t *) value == 0;
        default:
                return false;
        }
}

static char *format_text(char *buf, size_t size, const char *a, const char *b, const char *c) {
        (void) snprintf(buf, size, "%s%s%s", a, b, c);
        return buf;
}

char *config_value_format(const ConfigKey *key, const void *values, char *buf, size_t size) {
        const void *value;

        assert(key);
        assert(values);
        assert(buf);
        assert(size > 0);

        value = (const char *) values + key->offset;
        if (is_auto(key, value))
                return format_text(buf, size, "auto", "", "");

        switch (key->type) {
        case CONFIG_TYPE_BOOL:
                return format_text(buf, size, *(const bool *) value ? "yes" : "no", "", "");
        case CONFIG_TYPE_COUNT:
                (void) snprintf(buf, size, "%" PRIu32, *(const uint32_t *) value);
                return buf;
        case CONFIG_TYPE_SPAN:
                return format_timespan(buf, size, *(const nsec_t *) value);
        case CONFIG_TYPE_SPAN_RANGE:
                return format_span_range(buf, size, value);
        case CONFIG_TYPE_RATE:
                return format_rate(buf, size, value);
        case CONFIG_TYPE_PERCENT:
                (void) snprintf(buf, size, "%u%%", *(const unsigned *) value);
                return buf;
        case CONFIG_TYPE_QUORUM:
                return format_quorum(buf, size, value);
        case CONFIG_TYPE_WORD:
                return format_text(buf, size, key->words[*(const int *) value], "", "");
        case CONFIG_TYPE_GLOBS:
                return format_globs(value, buf, size);
        case CONFIG_TYPE_SERVICE:
        case CONFIG_TYPE_KEY_FILE:
        case CONFIG_TYPE_TEMPLATE:
        case CONFIG_TYPE_CAPTURE:
                return format_text(buf, size, value, "", "");
        case CONFIG_TYPE_ACTION: {
                const UnitActionSetting *action = value;
                bool start = action->verb == UNIT_ACTION_START;

                return format_text(buf, size, unit_action_to_string(action->verb), start ? ":" : "",
                                   start ? action->unit : "");
        }
        case _CONFIG_TYPE_MAX:
        case _CONFIG_TYPE_INVALID:
                break;
        }

        assert(false);
        return buf;
}
