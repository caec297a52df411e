/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all tests of the configuration need. */

#include "support.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

void loaded_done(Loaded *l) {
        l->config = config_free(l->config);
}

void collect_message(const ConfigMessage *message, void *userdata) {
        char text[CONFIG_MESSAGE_MAX];
        Loaded *l = userdata;
        size_t n = strlen(l->messages);

        ck_assert_ptr_nonnull(message->file);
        ck_assert_ptr_nonnull(message->message);
        l->n_messages++;
        (void) snprintf(l->messages + n, sizeof(l->messages) - n, "%c %s\n",
                        message->level == CONFIG_ERROR ? 'E' : 'W',
                        config_message_format(message, text, sizeof(text)));
}

void load_texts(Loaded *l, const char *const *texts) {
        char file[] = "a.conf";

        *l = (Loaded){};
        ck_assert_int_eq(config_new(&l->config), 0);
        for (; *texts; texts++, file[0]++)
                ck_assert_int_eq(
                                config_add_text(l->config, file, *texts, strlen(*texts), collect_message, l),
                                0);
        ck_assert_int_eq(config_finish(l->config, collect_message, l), 0);
}

const char *value_of(const Loaded *l, ConfigSection section, const char *key, const char *name) {
        static char buf[1024];
        const ConfigKey *k = config_key_find(section, key);

        ck_assert_ptr_nonnull(k);
        config_value(l->config, k, name, buf, sizeof(buf), NULL);
        return buf;
}

const char *origin_of(const Loaded *l, ConfigSection section, const char *key, const char *name) {
        static char buf[1024];
        const ConfigKey *k = config_key_find(section, key);
        ConfigProvenance p;

        ck_assert_ptr_nonnull(k);
        config_value(l->config, k, name, NULL, 0, &p);
        if (p.file)
                (void) snprintf(buf, sizeof(buf), "%s:%u [%s]", p.file, p.line, p.section);
        else
                (void) snprintf(buf, sizeof(buf), "default%s%s", p.section ? " of " : "", p.section ?: "");
        return buf;
}
