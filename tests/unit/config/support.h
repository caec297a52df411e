/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A configuration from texts, with its messages collected. */

#include "config/config.h"

typedef struct Loaded {
        Config *config;
        char messages[16384]; /* one a line, as config_message_format() has them, behind "E " or "W " */
        unsigned n_messages;
} Loaded;

void loaded_done(Loaded *l);
#define _cleanup_loaded_ _cleanup_(loaded_done)

/* Adds files named a.conf, b.conf... with these texts (NULL ends them) and finishes. */
void load_texts(Loaded *l, const char *const *texts);
#define LOAD(l, ...) load_texts(l, (const char *const[]){ __VA_ARGS__, NULL })

/* A ConfigReport: userdata is the Loaded. */
void collect_message(const ConfigMessage *message, void *userdata);

/* The text of a value in force, and "FILE:LINE [SECTION]" of where it comes from ("default"). Static buffers. */
const char *value_of(const Loaded *l, ConfigSection section, const char *key, const char *name);
const char *origin_of(const Loaded *l, ConfigSection section, const char *key, const char *name);
