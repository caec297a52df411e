/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The form of a configuration file: lines, comments, continuations, headers, assignments.
 *
 * It is that of systemd's files: '#' and ';' begin a comment only as the first character of a line; a backslash at
 * the end of a line joins it with the next (comments in between are left out) with a blank in its place; blanks at
 * both ends of lines, keys and values do not count.
 *
 * The reader works on bytes with a length, in one buffer of fixed size: NUL bytes (what a crash leaves of a file
 * that was being written), lines without end and bytes that are not text are found, named with their line, and
 * stepped over, so that one bad line costs that line.
 */

#include "config/config-internal.h"

#include <string.h>

#include "util/text.h"

#define BLANKS " \t\r"

void config_reader_init(ConfigReader *reader, const char *text, size_t size) {
        assert(reader);
        assert(text || size == 0);

        /* Editors of other systems put a byte order mark first. */
        if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
                text += 3;
                size -= 3;
        }

        reader->next = text;
        reader->end = size > 0 ? text + size : text;
        reader->n_lines = 0;
}

/* Moves past the next physical line; *ret_n is its length without the line end. False at the end of the text. */
static bool next_physical(ConfigReader *reader, const char **ret_line, size_t *ret_n) {
        const char *line = reader->next, *newline;
        size_t n;

        if (line >= reader->end)
                return false;

        newline = memchr(line, '\n', (size_t) (reader->end - line));
        n = (size_t) ((newline ?: reader->end) - line);
        reader->next = newline ? newline + 1 : reader->end;
        reader->n_lines++;

        if (n > 0 && line[n - 1] == '\r')
                n--;

        *ret_line = line;
        *ret_n = n;
        return true;
}

static size_t count_blanks(const char *line, size_t n) {
        size_t k = 0;

        while (k < n && line[k] != '\0' && strchr(BLANKS, line[k]))
                k++;
        return k;
}

/* A backslash that is not itself escaped ends the line: it goes on in the next. */
static bool is_continued(const char *line, size_t n) {
        bool escaped = false;

        for (size_t i = 0; i < n; i++)
                escaped = !escaped && line[i] == '\\';
        return escaped;
}

static char *trim(char *s) {
        size_t n;

        s += strspn(s, BLANKS);
        n = strlen(s);
        while (n > 0 && strchr(BLANKS, s[n - 1]))
                n--;
        s[n] = '\0';
        return s;
}

/* One logical line, which may turn out to be blank: returns as config_reader_next(). */
static int read_logical(ConfigReader *reader, unsigned *ret_number, const char **ret_reason) {
        const char *line, *reason = NULL;
        unsigned start = 0, trouble = 0;
        size_t n, used = 0;
        bool more = false;

        while (next_physical(reader, &line, &n)) {
                size_t blanks = count_blanks(line, n);
                bool is_comment = blanks < n && (line[blanks] == '#' || line[blanks] == ';');
                const char *bad = NULL;

                /* Even in a comment: what follows a NUL byte may have been meant to be more lines. */
                if (memchr(line, '\0', n))
                        bad = "There is a NUL byte in this line; it is passed over";
                else if (is_comment || (blanks == n && !more))
                        continue;
                else if (!text_is_utf8(line, n))
                        bad = "This line is not valid UTF-8; it is passed over";
                else if (used + n >= sizeof(reader->line))
                        bad = "This line is longer than 8191 bytes; it is passed over";

                if (start == 0)
                        start = reader->n_lines;
                if (bad && !reason) {
                        reason = bad;
                        trouble = reader->n_lines;
                }

                more = is_continued(line, n);
                if (!bad) {
                        memcpy(reader->line + used, line, n);
                        used += n;
                        if (more)
                                reader->line[used - 1] = ' ';
                }
                if (!more)
                        break;
        }

        if (start == 0)
                return 0;
        if (reason) {
                *ret_number = trouble;
                *ret_reason = reason;
                return -EBADMSG;
        }

        reader->line[used] = '\0';
        *ret_number = start;
        return 1;
}

int config_reader_next(ConfigReader *reader, char **ret_line, unsigned *ret_number,
                       const char **ret_reason) {
        assert(reader);
        assert(ret_line);
        assert(ret_number);
        assert(ret_reason);

        for (;;) {
                char *line;
                int r;

                r = read_logical(reader, ret_number, ret_reason);
                if (r <= 0)
                        return r;

                /* Nothing but blanks and backslashes joins to a blank line. */
                line = trim(reader->line);
                if (*line) {
                        *ret_line = line;
                        return 1;
                }
        }
}

int config_split_header(char *line, char **ret_kind, char **ret_name, const char **ret_reason) {
        size_t n;
        char *name;

        assert(line && line[0] == '[');
        assert(ret_kind);
        assert(ret_name);
        assert(ret_reason);

        /* The last ']' closes the header: globs have brackets of their own. */
        n = strlen(line);
        if (line[n - 1] != ']' || n < 2) {
                *ret_reason = strchr(line, ']') ? "There is something behind the closing ']' of the section"
                                                : "The closing ']' of the section is missing";
                return -EINVAL;
        }

        line[n - 1] = '\0';
        line = trim(line + 1);
        name = line + strcspn(line, BLANKS);
        if (*name)
                *name++ = '\0';

        *ret_kind = line;
        *ret_name = trim(name);
        return 0;
}

int config_split_assignment(char *line, char **ret_key, char **ret_value, const char **ret_reason) {
        char *equals;

        assert(line);
        assert(ret_key);
        assert(ret_value);
        assert(ret_reason);

        equals = strchr(line, '=');
        if (!equals) {
                *ret_reason = "This is neither a [section] nor an assignment (Key=value)";
                return -EINVAL;
        }
        *equals = '\0';

        line = trim(line);
        if (!*line) {
                *ret_reason = "There is no key in front of the '='";
                return -EINVAL;
        }

        *ret_key = line;
        *ret_value = trim(equals + 1);
        return 0;
}
