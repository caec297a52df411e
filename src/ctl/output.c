/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The terminal, as systemctl's users expect it to be treated.
 *
 * What is known of it is looked up once and kept here, in the only variables of the program that outlive a call:
 * there is one standard output.
 */

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "ctl/output.h"
#include "util/parse.h"
#include "util/text.h"

/* As systemd sets it: quit when it fits one screen, raw colours, no clearing, search without case. */
#define LESS_OPTIONS "FRSXMK"

/* Words of $PAGER: a program and a few options. */
#define PAGER_WORDS_MAX 16U

/* The longest text that anybody shows: a unit's name is shorter, a path longer than this is cut. */
#define WIDE_MAX 1024U

static struct {
        bool colour;
        bool utf8;
        unsigned columns;
        pid_t pager; /* 0: none */
} out;

static bool want_colour(void) {
        const char *e = getenv("SYSTEMD_COLORS");
        bool b;

        /* systemd's variable is the stronger one: it can also ask for colours where there is no terminal. */
        if (e && e[0] != 0) {
                if (parse_bool(e, &b) >= 0)
                        return b;
                if (strncmp(e, "16", 2) == 0 || strncmp(e, "256", 3) == 0)
                        return true;
        }

        e = getenv("NO_COLOR");
        if (e && e[0] != 0)
                return false;

        e = getenv("TERM");
        return isatty(STDOUT_FILENO) && (!e || strcmp(e, "dumb") != 0);
}

static unsigned find_columns(void) {
        const char *e = getenv("COLUMNS");
        struct winsize ws;
        uint32_t n;

        if (!isatty(STDOUT_FILENO))
                return 0;
        if (e && parse_u32(e, 1, UINT16_MAX, &n) >= 0)
                return n;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) >= 0 && ws.ws_col > 0)
                return ws.ws_col;

        return 80;
}

void output_init(void) {
        (void) setlocale(LC_ALL, "");

        out.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        out.colour = want_colour();
        out.columns = find_columns();

        /* A reader that leaves early is told apart from a disk that is full where the writing fails. */
        (void) signal(SIGPIPE, SIG_IGN);
}

const char *output_colour(Colour colour) {
        static const char *const sequences[_COLOUR_MAX] = {
                [COLOUR_NONE] = "\033[0m",       [COLOUR_BOLD] = "\033[0;1;39m",
                [COLOUR_GREEN] = "\033[0;1;32m", [COLOUR_YELLOW] = "\033[0;1;33m",
                [COLOUR_RED] = "\033[0;1;31m",   [COLOUR_GREY] = "\033[0;38;5;245m",
        };

        return out.colour ? sequences[colour] : "";
}

unsigned output_columns(void) {
        return out.columns;
}

const char *output_glyph(Glyph glyph) {
        static const char *const glyphs[_GLYPH_MAX][2] = {
                [GLYPH_DOT] = { "*", "●" },
                [GLYPH_CIRCLE] = { "o", "○" },
                [GLYPH_ARROW] = { "@", "↻" },
                [GLYPH_CROSS] = { "x", "×" },
        };

        return glyphs[glyph][out.utf8];
}

const char *output_ellipsis(void) {
        return out.utf8 ? "…" : "...";
}

char *output_text(char *buf, size_t size, const char *s) {
        text_printable(buf, size, s);
        if (!out.utf8)
                for (char *p = buf; *p; p++)
                        if ((unsigned char) *p >= 0x80)
                                *p = '?';
        return buf;
}

unsigned output_width(const char *s) {
        wchar_t wide[WIDE_MAX];
        size_t n;
        int w;

        if (!out.utf8)
                return (unsigned) strlen(s);

        n = mbstowcs(wide, s, WIDE_MAX);
        if (n == (size_t) -1 || n >= WIDE_MAX)
                return (unsigned) strlen(s);

        w = wcswidth(wide, n);
        return w < 0 ? (unsigned) n : (unsigned) w;
}

/* $SYSTEMD_PAGER, else $PAGER; NULL: whatever there is; "" and "cat": none. */
static const char *chosen_pager(void) {
        const char *e = getenv("SYSTEMD_PAGER");

        if (!e)
                e = getenv("PAGER");
        return e;
}

static void exec_words(const char *command) {
        char *words[PAGER_WORDS_MAX + 1] = {}, *copy = strdup(command), *state = NULL;
        size_t n = 0;

        if (!copy)
                return;
        for (char *w = strtok_r(copy, " \t", &state); w && n < PAGER_WORDS_MAX;
             w = strtok_r(NULL, " \t", &state))
                words[n++] = w;
        if (n > 0)
                (void) execvp(words[0], words);
        free(copy);
}

/* The pager's process. Does not return. */
static void run_pager(const char *command) {
        const char *less = getenv("SYSTEMD_LESS"), *secure = getenv("SYSTEMD_PAGERSECURE");
        static char buf[4096];
        bool b = true;
        ssize_t n;

        (void) signal(SIGPIPE, SIG_DFL);
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void) setenv("LESS", less ?: LESS_OPTIONS, true);

        /* We may run under sudo: a pager that opens files and shells for its user would do so as root. */
        if (secure)
                (void) parse_bool(secure, &b);
        if (b)
                (void) setenv("LESSSECURE", "1", true);

        if (command)
                exec_words(command);
        (void) execlp("less", "less", (char *) NULL);
        (void) execlp("more", "more", (char *) NULL);

        while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
                if (write(STDOUT_FILENO, buf, (size_t) n) < 0)
                        break;
        _exit(EXIT_SUCCESS);
}

void output_page(const Options *options) {
        const char *command = chosen_pager();
        int fds[2];
        pid_t pid;

        if (options->no_pager || !isatty(STDOUT_FILENO) || out.pager != 0)
                return;
        if (command && (command[0] == 0 || strcmp(command, "cat") == 0))
                return;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return;

        (void) fflush(NULL);
        pid = fork();
        if (pid == 0) {
                (void) dup2(fds[0], STDIN_FILENO);
                /* A pager that holds the writing end would wait for itself. */
                (void) close(fds[0]);
                (void) close(fds[1]);
                run_pager(command);
        }

        (void) close(fds[0]);
        if (pid > 0 && dup2(fds[1], STDOUT_FILENO) >= 0)
                out.pager = pid;
        (void) close(fds[1]);
}

bool output_flush(void) {
        return fflush(stdout) == 0 && !ferror(stdout);
}

/* stdio forgets why an early write failed; a pipe without a reader still says so itself. */
static bool reader_is_gone(void) {
        struct pollfd p = { .fd = STDOUT_FILENO };

        return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP));
}

CtlExit output_finish(CtlExit code) {
        bool failed = !output_flush() && !reader_is_gone();

        if (failed)
                ctl_error("The output could not be written; is the disk full?");

        if (out.pager > 0) {
                /* Its user ends it, and ^C is for it alone. */
                (void) signal(SIGINT, SIG_IGN);
                (void) fclose(stdout);
                while (waitpid(out.pager, NULL, 0) < 0 && errno == EINTR)
                        ;
        }

        return failed ? CTL_FAILURE : code;
}

static void put_json(JsonMode mode, json_object *value) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

        flags |= mode == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                                     : JSON_C_TO_STRING_PLAIN;
        (void) fputs(json_object_to_json_string_ext(value, flags), stdout);
        json_object_put(value);
}

void output_json(JsonMode mode, json_object *value) {
        put_json(mode, value);
        (void) fputc('\n', stdout);
}

void output_json_rows(JsonMode mode, size_t n, json_object *(*row)(void *userdata, size_t i),
                      void *userdata) {
        /* Indentation goes by the depth: only the whole can be printed prettily. */
        if (mode == JSON_PRETTY) {
                json_object *array = json_object_new_array();

                for (size_t i = 0; i < n; i++)
                        json_object_array_add(array, row(userdata, i));
                output_json(mode, array);
                return;
        }

        (void) fputc('[', stdout);
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        (void) fputc(',', stdout);
                put_json(mode, row(userdata, i));
        }
        (void) fputs("]\n", stdout);
}

/* Line by line: what is said may come from the bus, and moves nobody's cursor. */
static void put_error(char *text) {
        char *rest = text, *line;

        while ((line = strsep(&rest, "\n"))) {
                size_t size = 4 * strlen(line) +
                              8; /* each byte may become four; text_printable() wants eight at least */
                char *shown = malloc(size);

                if (shown)
                        (void) fprintf(stderr, "%s\n", text_printable(shown, size, line));
                free(shown);
        }
}

void ctl_error(const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        int saved = errno, n;
        va_list ap;

        va_start(ap, format);
        errno = saved; /* for %m */
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        else
                put_error(text);
}
