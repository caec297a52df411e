/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From files to what core and recovery want to be told. */

#include "config/config.h"
#include "core/observer.h"
#include "recovery/recovery.h"

/* Reads an instance's configuration file (NULL: varta.conf) and its drop-ins, or the one file `path`. Every message is logged; *ret_first, where wanted, is the
 * first error as one line (NULL when there is none; free it). Returns 0, -ENOMEM: what is wrong with the files is in
 * config_n_errors(). */
int settings_load(const char *path, const char *instance, Config **ret, char **ret_first);

/* Fills in what the configuration decides. The namespace and the hash key stay as they are, and so does a capacity that is
 * not 0: it is taken at start. */
void settings_observer(const Config *config, ObserverSettings *settings);
void settings_recovery(const Config *config, RecoverySettings *settings);

/* The rules of one unit for core. */
void settings_unit_rules(const Config *config, const char *unit, UnitRules *ret);
