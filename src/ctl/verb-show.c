/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * show: the policy that holds for a unit, key by key, and which line of which file says so.
 *
 * The observer is asked and not the files: what it read is what counts, and files may have changed since. A unit need not
 * have beaten: its policy can be looked at before it is started.
 */

#include <errno.h>
#include <string.h>

#include "ctl/link.h"
#include "ctl/output.h"
#include "ctl/pattern.h"
#include "ctl/policy.h"
#include "ctl/table.h"

static int put_table(const Options *options, const PolicyView *v) {
        static const TableColumn columns[] = {
                { "KEY", TABLE_LEFT },
                { "VALUE", TABLE_LEFT },
                { "SET BY", TABLE_LEFT },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < v->n_rows; i++) {
                bool is_default = !v->rows[i].source[0];

                table_add(table, COLOUR_NONE, v->rows[i].key);
                table_add(table, COLOUR_NONE, v->rows[i].value[0] ? v->rows[i].value : "-");
                table_add(table, COLOUR_GREY, is_default ? "default" : v->rows[i].source);
        }
        return table_print(table, stdout, !options->no_legend, output_columns());
}

static CtlExit check_units(char **args, size_t n_args) {
        CtlExit code = CTL_OK;

        for (size_t i = 0; i < n_args && code == CTL_OK; i++)
                code = pattern_check_unit(args[i], "the policy of one unit after the other can be shown");
        return code;
}

/* One unit after the other; as JSON an array of them. */
static CtlExit show_one(const Options *options, sd_bus *bus, const char *unit, json_object *array,
                        bool first) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(policy_view_done) PolicyView v = {};
        json_object *o;
        int r;

        r = policy_view_fetch(bus, unit, &v, &error);
        if (r < 0)
                return link_failed(options, bus, r, &error);

        if (array) {
                o = json_object_new_object();
                json_object_object_add(o, "unit", json_object_new_string(unit));
                json_object_object_add(o, "policy", policy_view_to_json(&v));
                json_object_array_add(array, o);
                return CTL_OK;
        }

        if (!options->no_legend)
                (void) printf("%s%s%s%s\n", first ? "" : "\n", output_colour(COLOUR_BOLD), unit,
                              output_colour(COLOUR_NONE));
        if (put_table(options, &v) < 0) {
                ctl_error("Out of memory.");
                return CTL_FAILURE;
        }
        return CTL_OK;
}

CtlExit verb_show(const Options *options, char **args, size_t n_args) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        json_object *array = NULL;
        char unit[PATTERN_SIZE];
        CtlExit code;

        code = check_units(args, n_args);
        if (code == CTL_OK)
                code = link_open(options, &bus);
        if (code != CTL_OK)
                return code;

        if (options->json != JSON_OFF)
                array = json_object_new_array();
        for (size_t i = 0; code == CTL_OK && i < n_args; i++)
                code = show_one(options, bus, pattern_unit(args[i], unit), array, i == 0);

        if (array && code == CTL_OK)
                output_json(options->json, array);
        else
                json_object_put(array);
        return code;
}
