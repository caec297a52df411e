/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the observer's answers.
 *
 * The observer may be older or newer than this program: properties that are not known are passed over (or, when
 * they are numbers, taken for counters), and those that are missing stay empty. Lists have fixed rows; a row of
 * another shape is another version of the interface, and has another name.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-names.h"
#include "ctl/link.h"
#include "ctl/view.h"

/* Hands a view over: the local forgets what it owned, so that its cleanup frees nothing. */
#define TAKE_VIEW(v)                                                                                        \
        ({                                                                                                  \
                __typeof__(v) _taken = (v);                                                                 \
                memset(&(v), 0, sizeof(v));                                                                 \
                _taken;                                                                                     \
        })

/* Room for one more element in an array that doubles. */
static int reserve(void *array_pointer, size_t n, size_t element) {
        void **array = array_pointer;
        void *grown;

        /* Full whenever n is a power of two, 0 and 1 included. */
        if (n & (n - 1))
                return 0;

        grown = reallocarray(*array, MAX(n * 2, (size_t) 8), element);
        if (!grown)
                return -ENOMEM;

        *array = grown;
        return 0;
}

static int add_counter(ObserverView *v, const char *name, const char *key, uint64_t value) {
        int r = reserve(&v->counters, v->n_counters, sizeof(CounterRow));
        if (r < 0)
                return r;

        v->counters[v->n_counters++] = (CounterRow){ .name = name, .key = key, .value = value };
        return 0;
}

static int read_text(ObserverView *v, const char *name) {
        const struct {
                const char *name;
                const char **field;
        } known[] = {
                { "Version", &v->version },
                { "ClockSource", &v->clock_source },
                { "Capabilities", &v->capabilities },
                { "State", &v->state },
                { "ConfigurationError", &v->config_error },
        };
        const char *value;
        int r;

        r = sd_bus_message_read(v->message, "s", &value);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(name, known[i].name) == 0)
                        *known[i].field = value;
        return 0;
}

static int read_u32(ObserverView *v, const char *name) {
        const struct {
                const char *name;
                uint32_t *field;
        } known[] = {
                { "Capacity", &v->capacity },       { "AgentsTracked", &v->tracked },
                { "AgentsStalled", &v->stalled },   { "AgentsDegraded", &v->degraded },
                { "AgentsCritical", &v->critical }, { "DescriptorBudget", &v->descriptor_budget },
        };
        uint32_t value;
        int r;

        r = sd_bus_message_read(v->message, "u", &value);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(name, known[i].name) == 0)
                        *known[i].field = value;
        return 0;
}

static int read_u64(ObserverView *v, const char *name) {
        const struct {
                const char *name;
                uint64_t *field;
        } known[] = {
                { "PidNamespaceInode", &v->pid_namespace },
                { "StartUSec", &v->start },
                { "ThresholdUSec", &v->threshold },
                { "BrakeUntilUSec", &v->brake_until },
        };
        uint64_t value;
        int r;

        r = sd_bus_message_read(v->message, "t", &value);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(name, known[i].name) == 0) {
                        *known[i].field = value;
                        return 0;
                }
        return add_counter(v, name, NULL, value);
}

static int read_dictionary(ObserverView *v, const char *name) {
        const char *key;
        uint64_t value;
        int r;

        r = sd_bus_message_enter_container(v->message, 'a', "{st}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(v->message, "{st}", &key, &value)) > 0) {
                r = add_counter(v, name, key, value);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(v->message);
}

static int read_listeners(ObserverView *v, const char *name) {
        ListenerRow row;
        int r;

        r = sd_bus_message_enter_container(v->message, 'a', "(" BUS_LISTENER_ROW ")");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(v->message, "(" BUS_LISTENER_ROW ")", &row.name, &row.transport,
                                        &row.address, &row.receive_buffer, &row.datagrams)) > 0) {
                r = reserve(&v->listeners, v->n_listeners, sizeof(ListenerRow));
                if (r < 0)
                        return r;
                v->listeners[v->n_listeners++] = row;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(v->message);
}

static int read_pauses(ObserverView *v, const char *name) {
        PauseRow row;
        int r;

        r = sd_bus_message_enter_container(v->message, 'a', "(" BUS_PAUSE_ROW ")");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(v->message, "(" BUS_PAUSE_ROW ")", &row.what, &row.until,
                                        &row.reason)) > 0) {
                r = reserve(&v->pauses, v->n_pauses, sizeof(PauseRow));
                if (r < 0)
                        return r;
                v->pauses[v->n_pauses++] = row;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(v->message);
}

static int read_property(ObserverView *v) {
        static const struct {
                const char *type;
                int (*read)(ObserverView *v, const char *name);
        } readers[] = {
                { "s", read_text },
                { "u", read_u32 },
                { "t", read_u64 },
                { "a{st}", read_dictionary },
                { "a(" BUS_LISTENER_ROW ")", read_listeners },
                { "a(" BUS_PAUSE_ROW ")", read_pauses },
        };
        const char *name, *type;
        int r;

        r = sd_bus_message_read(v->message, "s", &name);
        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(v->message, NULL, &type);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
                if (strcmp(type, readers[i].type) != 0)
                        continue;
                r = sd_bus_message_enter_container(v->message, 'v', type);
                if (r < 0)
                        return r;
                r = readers[i].read(v, name);
                if (r < 0)
                        return r;
                return sd_bus_message_exit_container(v->message);
        }

        return sd_bus_message_skip(v->message, "v");
}

static int read_properties(ObserverView *v) {
        int r;

        r = sd_bus_message_enter_container(v->message, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(v->message, 'e', "sv")) > 0) {
                r = read_property(v);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(v->message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(v->message);
}

int observer_view_fetch(sd_bus *bus, ObserverView *ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(observer_view_done) ObserverView v = {
                .version = "", .clock_source = "", .capabilities = "", .state = "", .config_error = ""
        };
        int r;

        r = link_new_call(bus, "org.freedesktop.DBus.Properties", "GetAll", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", BUS_INTERFACE);
        if (r < 0)
                return r;
        r = sd_bus_call(bus, m, 0, error, &v.message);
        if (r < 0)
                return r;
        r = read_properties(&v);
        if (r < 0)
                return r;

        *ret = TAKE_VIEW(v);
        return 0;
}

void observer_view_done(ObserverView *v) {
        free(v->listeners);
        free(v->pauses);
        free(v->counters);
        sd_bus_message_unref(v->message);
        *v = (ObserverView){};
}

uint64_t observer_view_counter(const ObserverView *v, const char *name) {
        for (size_t i = 0; i < v->n_counters; i++)
                if (!v->counters[i].key && strcmp(v->counters[i].name, name) == 0)
                        return v->counters[i].value;
        return 0;
}

uint64_t observer_view_sum(const ObserverView *v, const char *name) {
        uint64_t sum = 0;

        for (size_t i = 0; i < v->n_counters; i++)
                if (v->counters[i].key && strcmp(v->counters[i].name, name) == 0)
                        sum += v->counters[i].value;
        return sum;
}

int agent_row_compare(const void *a, const void *b) {
        const AgentRow *x = a, *y = b;
        int r = strcmp(x->unit, y->unit);

        if (r != 0)
                return r;
        if (x->pid != y->pid)
                return x->pid < y->pid ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

/* A call that answers with pages of agents. */
typedef struct PagedCall {
        const char *member;
        const char *unit; /* NULL: it takes none, and no pid */
        uint32_t pid;
} PagedCall;

static int fetch_page(sd_bus *bus, const PagedCall *call, uint32_t cursor, sd_bus_message **ret,
                      sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = link_new_call(bus, NULL, call->member, &m);
        if (r < 0)
                return r;
        if (call->unit) {
                r = sd_bus_message_append(m, "su", call->unit, call->pid);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_append(m, "uu", cursor, (uint32_t) BUS_LIST_AGENTS_MAX);
        if (r < 0)
                return r;

        return sd_bus_call(bus, m, 0, error, ret);
}

static int read_page(AgentsView *v, sd_bus_message *m, uint32_t *ret_next) {
        AgentRow row = {};
        int r, stalled;

        r = sd_bus_message_enter_container(m, 'a', "(" BUS_AGENT_ROW ")");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(" BUS_AGENT_ROW ")", &row.id, &row.pid, &row.unit, &row.status,
                                        &row.origin, &stalled, &row.last_beat, &row.last_nonce, &row.payload,
                                        &row.beats, &row.uid, &row.class)) > 0) {
                row.stalled = stalled;
                r = reserve(&v->rows, v->n_rows, sizeof(AgentRow));
                if (r < 0)
                        return r;
                v->rows[v->n_rows++] = row;
        }
        if (r < 0)
                return r;

        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;

        return sd_bus_message_read(m, "u", ret_next);
}

/* In order, and nobody twice who was found by unit and by pid alike. */
static void put_in_order(AgentsView *v) {
        size_t kept = 0;

        if (v->n_rows == 0)
                return;
        qsort(v->rows, v->n_rows, sizeof(AgentRow), agent_row_compare);
        for (size_t i = 1; i < v->n_rows; i++)
                if (v->rows[i].id != v->rows[kept].id)
                        v->rows[++kept] = v->rows[i];
        v->n_rows = kept + 1;
}

/* Adds page after page, until the end or until there are `enough` more rows. */
static int add_pages(sd_bus *bus, const PagedCall *call, size_t enough, AgentsView *v, sd_bus_error *error) {
        uint32_t cursor = 0, next;
        size_t before = v->n_rows;
        int r;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                r = fetch_page(bus, call, cursor, &m, error);
                if (r < 0)
                        return r;
                r = reserve(&v->pages, v->n_pages, sizeof(sd_bus_message *));
                if (r < 0)
                        return r;
                v->pages[v->n_pages++] = sd_bus_message_ref(m);
                r = read_page(v, m, &next);
                if (r < 0)
                        return r;
                if (next != 0 && next <= cursor)
                        return -EBADMSG; /* It would go on for ever. */
                cursor = next;
        } while (cursor != 0 && v->n_rows - before < enough);
        return 0;
}

static int fetch_agents(sd_bus *bus, const char *member, size_t enough, AgentsView *ret,
                        sd_bus_error *error) {
        _cleanup_(agents_view_done) AgentsView v = {};
        int r;

        r = add_pages(bus, &(PagedCall){ .member = member }, enough, &v, error);
        if (r < 0)
                return r;

        put_in_order(&v);
        *ret = TAKE_VIEW(v);
        return 0;
}

int agents_view_fetch(sd_bus *bus, AgentsView *ret, sd_bus_error *error) {
        return fetch_agents(bus, "ListAgents", SIZE_MAX, ret, error);
}

int agents_view_fetch_ailing(sd_bus *bus, AgentsView *ret, sd_bus_error *error) {
        return fetch_agents(bus, "ListAilingAgents", AILING_ENOUGH, ret, error);
}

int agents_view_find(sd_bus *bus, const char *unit, uint32_t pid, size_t enough, AgentsView *v,
                     sd_bus_error *error) {
        const PagedCall call = { .member = "FindAgents", .unit = unit, .pid = pid };
        int r;

        r = add_pages(bus, &call, enough, v, error);
        put_in_order(v);
        return r;
}

int agents_view_find_process(sd_bus *bus, uint32_t pid, AgentsView *v, sd_bus_error *error) {
        /* On the bus it stands for any. */
        return pid == 0 ? 0 : agents_view_find(bus, "", pid, SIZE_MAX, v, error);
}

void agents_view_done(AgentsView *v) {
        for (size_t i = 0; i < v->n_pages; i++)
                sd_bus_message_unref(v->pages[i]);
        free(v->pages);
        free(v->rows);
        *v = (AgentsView){};
}

int unit_row_compare(const void *a, const void *b) {
        const UnitRow *x = a, *y = b;

        return strcmp(x->name, y->name);
}

int units_view_fetch(sd_bus *bus, UnitsView *ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(units_view_done) UnitsView v = {};
        UnitRow row = {};
        int r;

        r = link_new_call(bus, NULL, "ListUnits", &m);
        if (r < 0)
                return r;
        r = sd_bus_call(bus, m, 0, error, &v.message);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(v.message, 'a', "(" BUS_UNIT_ROW ")");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(v.message, "(" BUS_UNIT_ROW ")", &row.name, &row.mode, &row.state,
                                        &row.agents, &row.stalled, &row.restarts, &row.last_outcome,
                                        &row.backoff_until)) > 0) {
                r = reserve(&v.rows, v.n_rows, sizeof(UnitRow));
                if (r < 0)
                        return r;
                v.rows[v.n_rows++] = row;
        }
        if (r < 0)
                return r;

        if (v.n_rows > 0)
                qsort(v.rows, v.n_rows, sizeof(UnitRow), unit_row_compare);
        *ret = TAKE_VIEW(v);
        return 0;
}

void units_view_done(UnitsView *v) {
        free(v->rows);
        sd_bus_message_unref(v->message);
        *v = (UnitsView){};
}

/* The numbers of one unit, which may have left since its row came. */
static void set_ailing(UnitsView *v, const char *name, uint32_t degraded, uint32_t critical) {
        UnitRow key = { .name = name },
                *u = v->n_rows == 0 ? NULL
                                    : bsearch(&key, v->rows, v->n_rows, sizeof(UnitRow), unit_row_compare);

        if (!u)
                return;
        u->degraded = degraded;
        u->critical = critical;
}

int units_view_fetch_ailing(UnitsView *v, sd_bus *bus, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        uint32_t degraded, critical;
        const char *name;
        int r;

        r = link_new_call(bus, NULL, "ListAilingUnits", &m);
        if (r < 0)
                return r;
        r = sd_bus_call(bus, m, 0, error, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(" BUS_AILING_ROW ")");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(reply, "(" BUS_AILING_ROW ")", &name, &degraded, &critical)) > 0)
                set_ailing(v, name, degraded, critical);
        return r;
}
