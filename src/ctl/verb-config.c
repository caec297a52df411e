/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * verify and cat-config: the configuration, as the observer would read it, without an observer.
 *
 * Both use the daemon's own parser and file search. What is wrong goes to standard error like a compiler's
 * complaints; as JSON it is the answer and goes to standard output.
 */

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "ctl/output.h"
#include "util/conf-files.h"
#include "util/instance.h"
#include "util/text.h"

typedef struct Verify {
        const Options *options;
        json_object *messages; /* NULL: text */
} Verify;

static json_object *text_or_null(const char *s) {
        return s ? json_object_new_string(s) : NULL;
}

static void report(const ConfigMessage *message, void *userdata) {
        char buf[CONFIG_MESSAGE_MAX], line[CONFIG_MESSAGE_MAX];
        Verify *v = userdata;
        json_object *o;

        if (!v->messages) {
                ctl_error("%s%s",
                          output_text(line, sizeof(line), config_message_format(message, buf, sizeof(buf))),
                          message->level == CONFIG_WARNING ? " (warning)" : "");
                return;
        }

        o = json_object_new_object();
        json_object_object_add(o, "level",
                               json_object_new_string(message->level == CONFIG_ERROR ? "error" : "warning"));
        json_object_object_add(o, "file", text_or_null(message->file));
        json_object_object_add(o, "line", message->line > 0 ? json_object_new_uint64(message->line) : NULL);
        json_object_object_add(o, "section", text_or_null(message->section));
        json_object_object_add(o, "key", text_or_null(message->key));
        json_object_object_add(o, "value", text_or_null(message->value));
        json_object_object_add(o, "message", text_or_null(message->message));
        json_object_object_add(o, "allowed", text_or_null(message->allowed));
        json_object_array_add(v->messages, o);
}

/* As `systemctl enable` leaves it, for the machine or, with --root=, for what will be one. */
static bool observer_is_enabled(const char *root, const char *service) {
        static const char *const places[] = { "/etc/systemd/system", "/run/systemd/system",
                                              "/usr/lib/systemd/system" };
        char pattern[PATH_MAX];
        bool found = false;

        for (size_t i = 0; i < ELEMENTSOF(places) && !found; i++) {
                glob_t g = {};
                int n;

                n = snprintf(pattern, sizeof(pattern), "%s%s/*.wants/%s", root ?: "", places[i], service);
                if (n < 0 || (size_t) n >= sizeof(pattern))
                        continue;
                found = glob(pattern, GLOB_NOSORT, NULL, &g) == 0;
                globfree(&g);
        }
        return found;
}

/* The observer that the first beat starts cannot miss it. */
static void check_first_beat(const Config *config, Verify *v) {
        char service[INSTANCE_NAME_SIZE], text[CONFIG_MESSAGE_MAX];
        ConfigProvenance place = {};
        ConfigMessage message;

        (void) instance_name(service, "varta", v->options->instance, ".service");
        if (!config_first_beat_at(config, 0, &place) || observer_is_enabled(v->options->root, service))
                return;
        (void) snprintf(text, sizeof(text),
                        "This needs %s to be enabled (`systemctl enable %s`): an observer that the first "
                        "beat starts cannot miss it",
                        service, service);
        message = (ConfigMessage){
                .level = CONFIG_WARNING,
                .file = place.file,
                .line = place.line,
                .section = place.section,
                .key = "FirstBeatSec",
                .message = text,
        };
        report(&message, v);
}

/* Where there is nothing everything would be found to be right. */
static CtlExit check_root(const Options *options) {
        struct stat st;
        int r;

        if (!options->root)
                return CTL_OK;

        r = stat(options->root, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
        if (r == 0)
                return CTL_OK;
        ctl_error("--root=%s: %s", options->root, strerror(r));
        return CTL_FAILURE;
}

static int load(const ConfFiles *files, Verify *v, unsigned *ret_errors) {
        _cleanup_(config_freep) Config *config = NULL;
        int r;

        r = config_new(&config);
        if (r < 0)
                return r;

        for (size_t i = 0; i < files->n_files; i++) {
                const ConfFile *f = &files->files[i];

                if (f->error < 0)
                        r = config_add_unreadable(config, f->path, f->error, f->reason, report, v);
                else
                        r = config_add_text(config, f->path, f->contents, f->size, report, v);
                if (r < 0)
                        return r;
        }

        r = config_finish(config, report, v);
        if (r < 0)
                return r;

        check_first_beat(config, v);
        *ret_errors = config_n_errors(config);
        return 0;
}

CtlExit verb_verify(const Options *options, char **args, size_t n_args) {
        _cleanup_(conf_files_freep) ConfFiles *files = NULL;
        Verify v = { .options = options };
        char name[INSTANCE_NAME_SIZE];
        unsigned errors = 0;
        CtlExit code;
        int r;

        code = check_root(options);
        if (code != CTL_OK)
                return code;
        r = n_args > 0 ? conf_files_read_one(args[0], &files)
                       : conf_files_read(options->root,
                                         instance_name(name, "varta", options->instance, ".conf"), &files);
        if (r < 0) {
                ctl_error("The configuration cannot be read: %s", strerror(-r));
                return CTL_FAILURE;
        }

        if (options->json != JSON_OFF)
                v.messages = json_object_new_array();
        r = load(files, &v, &errors);
        if (r < 0) {
                json_object_put(v.messages);
                ctl_error("The configuration cannot be read: %s", strerror(-r));
                return CTL_FAILURE;
        }

        if (v.messages)
                output_json(options->json, v.messages);
        else if (errors == 0 && !options->quiet)
                (void) printf("No error in %zu file%s.\n", files->n_files, plural(files->n_files));

        return errors > 0 ? CTL_FAILURE : CTL_OK;
}

static void put_file(const ConfFile *f, bool first) {
        (void) printf("%s%s# %s%s\n", first ? "" : "\n", output_colour(COLOUR_BOLD), f->path,
                      output_colour(COLOUR_NONE));
        if (f->error < 0) {
                ctl_error("%s cannot be read: %s", f->path, f->reason);
                return;
        }

        (void) fwrite(f->contents, 1, f->size, stdout);
        if (f->size > 0 && f->contents[f->size - 1] != '\n')
                (void) fputc('\n', stdout);
}

/* Unicode's own for "there was something". */
#define REPLACEMENT "\uFFFD"

/* The bytes of the character that begins here; 0: none does. */
static size_t character(const char *s, size_t n) {
        for (size_t length = 1; length <= MIN(n, (size_t) 4); length++)
                if (text_is_utf8(s, length))
                        return length;
        return 0;
}

/* A file's contents. JSON is UTF-8 and a file need not be: what is not becomes the character that stands for that. */
static json_object *contents_to_json(const char *s, size_t n) {
        json_object *value;
        size_t used = 0;
        char *text;

        text = malloc(n * STRLEN(REPLACEMENT) + 1);
        if (!text)
                return NULL;

        for (size_t i = 0; i < n;) {
                size_t length = character(s + i, n - i);
                const char *from = length > 0 ? s + i : REPLACEMENT;
                size_t size = length > 0 ? length : STRLEN(REPLACEMENT);

                memcpy(text + used, from, size);
                used += size;
                i += MAX(length, (size_t) 1);
        }
        value = json_object_new_string_len(text, (int) used);
        free(text);
        return value;
}

static void put_files_json(const Options *options, const ConfFiles *files) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < files->n_files; i++) {
                const ConfFile *f = &files->files[i];
                json_object *o = json_object_new_object();

                json_object_object_add(o, "path", json_object_new_string(f->path));
                json_object_object_add(o, "contents",
                                       f->error < 0 ? NULL : contents_to_json(f->contents, f->size));
                json_object_object_add(o, "error", text_or_null(f->reason));
                json_object_array_add(array, o);
        }
        output_json(options->json, array);
}

CtlExit verb_cat_config(const Options *options, char **args, size_t n_args) {
        _cleanup_(conf_files_freep) ConfFiles *files = NULL;
        char name[INSTANCE_NAME_SIZE];
        CtlExit code;
        int r;

        code = check_root(options);
        if (code != CTL_OK)
                return code;
        r = conf_files_read(options->root, instance_name(name, "varta", options->instance, ".conf"), &files);
        if (r < 0) {
                ctl_error("The configuration cannot be read: %s", strerror(-r));
                return CTL_FAILURE;
        }
        for (size_t i = 0; i < files->n_files; i++)
                if (files->files[i].error < 0)
                        code = CTL_FAILURE;

        if (options->json != JSON_OFF) {
                put_files_json(options, files);
                return code;
        }

        output_page(options);
        for (size_t i = 0; i < files->n_files; i++)
                put_file(&files->files[i], i == 0);
        if (files->n_files == 0 && !options->quiet)
                ctl_error("There is no configuration file; the defaults hold.");
        return code;
}
