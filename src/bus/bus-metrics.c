/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GetMetrics(): everything that is counted, at one moment, in one answer.
 *
 * Counters have the names of their properties; what there is of units comes in columns, an array for each figure in the order
 * of the array of names. That is a tenth of what rows of dictionaries would be, and new figures are new keys: whoever
 * does not know a key passes it over. The table of metrics (src/metrics) has the same keys; a test compares.
 *
 * The number of units is bounded: beyond BUS_METRICS_UNITS_MAX of them, the others are added up in the row of the overflow.
 * A sum of counters falls when one of its units goes, which whoever reads counters takes for a restart: no worse than
 * what it is. The observer's table is not that large unless somebody makes it so. At most some 350 KiB are sent.
 */

#include <errno.h>
#include <time.h>

#include "bus/bus-internal.h"
#include "core/units.h"

/* Agents that belong to no unit; no unit can be called so. */
#define NO_UNIT_NAME "(none)"

static int append_number(sd_bus_message *reply, const char *key, uint64_t value) {
        return sd_bus_message_append(reply, "{sv}", key, "t", value);
}

static int append_text(sd_bus_message *reply, const char *key, const char *value) {
        return sd_bus_message_append(reply, "{sv}", key, "s", value);
}

/* ---- Figures of the observer ------------------------------------------------------------------------------ */

/* When the observer was started, by the calendar. Found out once: clocks drift, and a start does not move. */
static usec_t start_time(BusServer *s) {
        struct timespec real, monotonic;
        usec_t age;

        if (s->metrics.start_time > 0)
                return s->metrics.start_time;

        (void) clock_gettime(CLOCK_MONOTONIC, &monotonic);
        (void) clock_gettime(CLOCK_REALTIME, &real);
        age = (usec_t) monotonic.tv_sec * USEC_PER_SEC + (usec_t) monotonic.tv_nsec / NSEC_PER_USEC;
        age -= MIN(age, s->hooks->to_monotonic(s->userdata, s->facts.start));
        s->metrics.start_time =
                        (usec_t) real.tv_sec * USEC_PER_SEC + (usec_t) real.tv_nsec / NSEC_PER_USEC - age;
        return s->metrics.start_time;
}

static int append_facts(BusServer *s, sd_bus_message *reply) {
        const ObserverSettings *settings = observer_settings(s->observer);
        const struct {
                const char *key;
                uint64_t value;
        } numbers[] = {
                { "StartTimeUSec", start_time(s) },
                { "AgentsTracked", observer_tracked(s->observer) },
                { "AgentsStalled", observer_stalled(s->observer) },
                { "Capacity", settings->capacity },
                { "DescriptorBudget", s->hooks->descriptor_budget(s->userdata) },
                { "ThresholdUSec", nsec_to_usec_up(settings->threshold) },
                { "SignalsSuppressed", s->signals_suppressed },
                { "JournalDropped", s->hooks->journal_dropped(s->userdata) },
        };
        int r;

        r = append_text(reply, "Version", s->facts.version);
        if (r < 0)
                return r;
        r = append_text(reply, "State", s->hooks->state(s->userdata));
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                r = append_number(reply, numbers[i].key, numbers[i].value);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int append_counters(const BusServer *s, sd_bus_message *reply) {
        const Counters *c = observer_counters(s->observer);
        const struct {
                const char *key;
                uint64_t value;
        } counters[] = {
#define X(field, name, help) { name, c->field },
                COUNTER_TABLE(X)
#undef X
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(counters); i++) {
                r = append_number(reply, counters[i].key, counters[i].value);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- Named figures ---------------------------------------------------------------------------------------- */

/* Entry number i of a dictionary; false when there is none. */
typedef bool (*NextEntry)(BusServer *s, size_t i, const char **ret_name, uint64_t *ret_count);

static bool next_decode_error(BusServer *s, size_t i, const char **ret_name, uint64_t *ret_count) {
        /* The first is "no error". */
        if (i + 1 >= _VLP_ERROR_MAX)
                return false;
        *ret_name = vlp_error_to_string((VlpError) (i + 1));
        *ret_count = observer_counters(s->observer)->decode_errors[i + 1];
        return true;
}

static bool next_rate_limited(BusServer *s, size_t i, const char **ret_name, uint64_t *ret_count) {
        if (i >= _RATE_LIMIT_MAX)
                return false;
        *ret_name = rate_limit_to_string((RateLimit) i);
        *ret_count = observer_counters(s->observer)->rate_limited[i];
        return true;
}

static bool next_outcome(BusServer *s, size_t i, const char **ret_name, uint64_t *ret_count) {
        return s->hooks->recovery_outcome(s->userdata, i, ret_name, ret_count);
}

static bool next_refusal(BusServer *s, size_t i, const char **ret_name, uint64_t *ret_count) {
        return s->hooks->recovery_refusal(s->userdata, i, ret_name, ret_count);
}

/* By transport, not by listener: all that there can be are known from the start. */
static bool next_datagrams(BusServer *s, size_t i, const char **ret_name, uint64_t *ret_count) {
        static const char *const transports[] = { "unix", "udp", "udp-secure" };
        BusListener l;

        if (i >= ELEMENTSOF(transports))
                return false;

        *ret_name = transports[i];
        *ret_count = 0;
        for (size_t k = 0; k < OBSERVER_LISTENERS_MAX && s->hooks->listener(s->userdata, k, &l); k++)
                if (strcmp(l.transport, transports[i]) == 0)
                        *ret_count += l.datagrams;
        return true;
}

static int append_entries(BusServer *s, sd_bus_message *reply, const char *key, NextEntry next) {
        const char *name;
        uint64_t count;
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "a{st}");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{st}");
        for (size_t i = 0; r >= 0 && next(s, i, &name, &count); i++)
                r = sd_bus_message_append(reply, "{st}", name, count);
        for (unsigned depth = 0; r >= 0 && depth < 3; depth++)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int append_named(BusServer *s, sd_bus_message *reply) {
        static const struct {
                const char *key;
                NextEntry next;
        } dictionaries[] = {
                { "Datagrams", next_datagrams },      { "DecodeErrors", next_decode_error },
                { "RateLimited", next_rate_limited }, { "RecoveryOutcomes", next_outcome },
                { "RecoveryRefusals", next_refusal },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(dictionaries); i++) {
                r = append_entries(s, reply, dictionaries[i].key, dictionaries[i].next);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- Units ------------------------------------------------------------------------------------------------ */

static void row_add(BusServer *s, size_t row, const UnitInfo *info, const BusUnit *u) {
        BusMetrics *m = &s->metrics;

        m->columns[BUS_COLUMN_AGENTS][row] += info->agents;
        m->columns[BUS_COLUMN_STALLED][row] += info->stalled;
        m->columns[BUS_COLUMN_BEATS][row] += info->beats;
        m->columns[BUS_COLUMN_RESTARTS][row] += u->restarts;
}

static void row_begin(BusServer *s, size_t row, const char *name, nsec_t threshold, const char *state) {
        BusMetrics *m = &s->metrics;

        m->names[row] = name;
        m->states[row] = state;
        for (size_t c = 0; c < _BUS_COLUMN_MAX; c++)
                m->columns[c][row] = 0;
        m->columns[BUS_COLUMN_THRESHOLD][row] = nsec_to_usec_up(threshold);
}

/* How far the rows are filled, and which of them adds up what has none of its own; SIZE_MAX: none yet. */
typedef struct Rows {
        size_t n, overflow;
} Rows;

/* Puts a unit into a row of its own, or into the overflow's. */
static void put_unit(BusServer *s, Rows *rows, uint16_t unit, const UnitInfo *info) {
        bool overflows = unit == observer_units_max(s->observer) || rows->n > BUS_METRICS_UNITS_MAX;
        bool nameless = unit == UNIT_NONE && !info->name[0];
        size_t row = rows->n;
        BusUnit u = {};

        if (!nameless)
                s->hooks->unit(s->userdata, unit, info->name, &u);
        if (!u.state)
                u.state = info->stalled > 0 ? BUS_UNIT_STALLED : BUS_UNIT_OK;

        if (overflows) {
                if (rows->overflow == SIZE_MAX) {
                        rows->overflow = rows->n++;
                        row_begin(s, rows->overflow, UNIT_OVERFLOW_NAME,
                                  observer_settings(s->observer)->threshold, BUS_UNIT_OK);
                }
                row = rows->overflow;
                if (info->stalled > 0)
                        s->metrics.states[row] = BUS_UNIT_STALLED;
        } else {
                row_begin(s, row, nameless ? NO_UNIT_NAME : info->name, info->rules.threshold, u.state);
                rows->n++;
        }
        row_add(s, row, info, &u);
}

/* Fills the columns: every unit a row, then what has none. Units in trouble that have no agent are not in the observer's
 * table and come last: one that was given up must not vanish with its last process. Returns the number of rows. */
static size_t fill_units(BusServer *s) {
        Rows rows = { .overflow = SIZE_MAX };
        uint32_t cursor = 0;
        uint16_t known;
        UnitInfo info;

        for (unsigned unit = 0; unit <= observer_units_max(s->observer); unit++)
                if (observer_unit(s->observer, (uint16_t) unit, &info) >= 0 &&
                    (unit != UNIT_NONE || info.agents > 0))
                        put_unit(s, &rows, (uint16_t) unit, &info);

        for (;;) {
                info = (UnitInfo){ .name = s->hooks->ailing_unit(s->userdata, &cursor),
                                   .rules.threshold = observer_settings(s->observer)->threshold };
                if (!info.name)
                        return rows.n;
                if (observer_unit_by_name(s->observer, info.name, &known) < 0)
                        put_unit(s, &rows, UNIT_NONE, &info);
        }
}

static int append_texts(sd_bus_message *reply, const char *key, const char *const *texts, size_t n) {
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append_basic(reply, 's', texts[i]);
        for (unsigned depth = 0; r >= 0 && depth < 3; depth++)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int append_column(sd_bus_message *reply, const char *key, const uint64_t *column, size_t n) {
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "at");
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 't', column, n * sizeof(uint64_t));
        for (unsigned depth = 0; r >= 0 && depth < 2; depth++)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int append_units(BusServer *s, sd_bus_message *reply) {
        static const char *const keys[_BUS_COLUMN_MAX] = {
                [BUS_COLUMN_AGENTS] = "UnitAgents",
                [BUS_COLUMN_STALLED] = "UnitAgentsStalled",
                [BUS_COLUMN_BEATS] = "UnitBeats",
                [BUS_COLUMN_RESTARTS] = "UnitRestarts",
                [BUS_COLUMN_THRESHOLD] = "UnitThresholdUSec",
        };
        size_t rows = fill_units(s);
        int r;

        r = append_texts(reply, "Units", s->metrics.names, rows);
        if (r < 0)
                return r;
        r = append_texts(reply, "UnitStates", s->metrics.states, rows);
        if (r < 0)
                return r;

        for (size_t c = 0; c < _BUS_COLUMN_MAX; c++) {
                r = append_column(reply, keys[c], s->metrics.columns[c], rows);
                if (r < 0)
                        return r;
        }
        return 0;
}

int bus_method_get_metrics(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusServer *s = userdata;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = append_facts(s, reply);
        if (r >= 0)
                r = append_counters(s, reply);
        if (r >= 0)
                r = append_named(s, reply);
        if (r >= 0)
                r = append_units(s, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_send(reply);
}
