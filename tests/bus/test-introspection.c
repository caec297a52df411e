/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is shipped about the interface is what the object says of itself: dbus/org.varta.Observer1.xml element by element,
 * and the manual page names every member.
 */

#include <stdio.h>
#include <string.h>

#include "fixture.h"

/* The files are small; the live text is, too. */
#define TEXT_MAX 65536U

static char *read_file(const char *name) {
        char path[4096];
        char *text = calloc(1, TEXT_MAX);
        size_t n;
        FILE *f;

        (void) snprintf(path, sizeof(path), SOURCE_ROOT "/%s", name);
        f = fopen(path, "re");
        ck_assert_msg(f, "%s cannot be read", path);
        n = fread(text, 1, TEXT_MAX - 1, f);
        ck_assert_uint_lt(n, TEXT_MAX - 1);
        (void) fclose(f);
        return text;
}

/* Moves behind comments, blanks and declarations: to the next element or its end. */
static const char *next_tag(const char *p) {
        for (p = strchr(p, '<'); p; p = strchr(p + 1, '<')) {
                if (strncmp(p, "<!--", 4) == 0) {
                        p = strstr(p, "-->");
                        ck_assert_ptr_nonnull(p);
                } else if (p[1] != '?' && p[1] != '!')
                        return p;
        }
        return NULL;
}

/* The elements of one interface, a line each, blanks made one. Owned by the caller. */
static char *interface_of(const char *xml, const char *name) {
        char start[128], *text = calloc(1, TEXT_MAX), *out = text;
        bool inside = false;

        (void) snprintf(start, sizeof(start), "<interface name=\"%s\">", name);
        for (const char *p = next_tag(xml); p; p = next_tag(p + 1)) {
                const char *end = strchr(p, '>');

                ck_assert_ptr_nonnull(end);
                if (strncmp(p, start, strlen(start)) == 0)
                        inside = true;
                if (!inside)
                        continue;
                for (; p <= end; p++)
                        if (!strchr(" \n\t", *p) || !strchr(" \n\t", p[-1]))
                                *out++ = *p == '\n' ? ' ' : *p;
                *out++ = '\n';
                if (strncmp(end - STRLEN("</interface"), "</interface", STRLEN("</interface")) == 0)
                        return text;
        }
        ck_abort_msg("there is no interface %s", name);
        return text;
}

static char *introspect(Fixture *f, const char *path) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *xml;

        m = fixture_call(f, f->client, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        ck_assert_int_gt(sd_bus_message_read(m, "s", &xml), 0);
        return strdup(xml);
}

static void compare(const char *live_xml, const char *shipped_xml, const char *interface) {
        _cleanup_free_ char *live = interface_of(live_xml, interface),
                            *shipped = interface_of(shipped_xml, interface);

        if (strcmp(live, shipped) != 0)
                (void) fprintf(stderr, "The object says:\n%s\ndbus/org.varta.Observer1.xml says:\n%s\n",
                               live, shipped);
        ck_assert_msg(strcmp(live, shipped) == 0,
                      "dbus/org.varta.Observer1.xml is not what the object says");
}

static void init_with_agent(Fixture *f, char *path, size_t size) {
        fixture_init(f, 16);
        fixture_connect(f);
        fixture_beat(f, 1001, VLP_STATUS_OK);
        (void) snprintf(path, size, BUS_AGENT_PATH "/%llu", (unsigned long long) fixture_agent(f, 1001));
}

START_TEST(test_shipped) {
        _cleanup_free_ char *shipped = read_file("dbus/org.varta.Observer1.xml");
        char path[128], *observer, *agent;
        Fixture f;

        init_with_agent(&f, path, sizeof(path));
        observer = introspect(&f, BUS_PATH);
        agent = introspect(&f, path);
        compare(observer, shipped, BUS_INTERFACE);
        compare(agent, shipped, BUS_AGENT_INTERFACE);
        free(observer);
        free(agent);
        fixture_done(&f);
}
END_TEST

/* Members that the manual page does not name, each with the markup of a member. */
static void check_members(const char *xml, const char *manual) {
        static const char *const kinds[] = { "<method name=\"", "<signal name=\"", "<property name=\"" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                for (const char *p = xml; (p = strstr(p, kinds[i]));) {
                        char name[64], wanted[70];
                        size_t n;

                        p += strlen(kinds[i]);
                        n = strcspn(p, "\"");
                        (void) snprintf(name, sizeof(name), "%.*s", (int) n, p);
                        (void) snprintf(wanted, sizeof(wanted), "*%s*", name);
                        ck_assert_msg(strstr(manual, wanted), "org.varta.Observer1(5) does not tell of %s",
                                      name);
                }
}

/* The value of an attribute within one element, which ends at `end`. */
static void attribute(const char *element, const char *end, const char *name, char *buf, size_t size) {
        char wanted[32];
        const char *p;

        (void) snprintf(wanted, sizeof(wanted), " %s=\"", name);
        p = strstr(element, wanted);
        ck_assert_ptr_nonnull(p);
        ck_assert(p < end);
        p += strlen(wanted);
        (void) snprintf(buf, size, "%.*s", (int) strcspn(p, "\""), p);
}

/* "*ListAgents*(u _cursor_, u _max_) -> a(...) _agents_, u _next_", as the manual page writes a method or a signal. */
static void synopsis(const char *member, const char *end, const char *name, char *buf, size_t size) {
        char in[512] = "", out[512] = "";

        for (const char *p = next_tag(member + 1); p && p < end; p = next_tag(p + 1)) {
                char type[64], arg[64], escaped[128] = "", *list = in;
                const char *close = strchr(p, '>');
                size_t n = 0;

                if (strncmp(p, "<arg ", 5) != 0)
                        continue;
                attribute(p, close, "type", type, sizeof(type));
                attribute(p, close, "name", arg, sizeof(arg));
                for (const char *c = arg; *c; c++)
                        n += (size_t) snprintf(escaped + n, sizeof(escaped) - n, *c == '_' ? "\\_" : "%c",
                                               *c);
                if (memmem(p, (size_t) (close - p), "direction=\"out\"", STRLEN("direction=\"out\"")))
                        list = out;
                n = strlen(list);
                (void) snprintf(list + n, sizeof(in) - n, "%s%s _%s_", n > 0 ? ", " : "", type, escaped);
        }
        (void) snprintf(buf, size, "\n*%s*(%s)%s%s\n", name, in, out[0] ? " -> " : "", out);
}

/* Methods and signals stand in the manual page with all their arguments, types and names. */
static void check_synopses(const char *xml, const char *manual) {
        static const char *const kinds[] = { "method", "signal" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                char start[32], stop[32];

                (void) snprintf(start, sizeof(start), "<%s name=", kinds[i]);
                (void) snprintf(stop, sizeof(stop), "</%s>", kinds[i]);
                for (const char *p = xml; (p = strstr(p, start)); p++) {
                        const char *end = strstr(p, stop);
                        char name[64], wanted[1200];

                        attribute(p, strchr(p, '>'), "name", name, sizeof(name));
                        if (strncmp(name, "Recovery", STRLEN("Recovery")) == 0)
                                continue; /* three of a kind, which share a paragraph */
                        synopsis(p, end, name, wanted, sizeof(wanted));
                        ck_assert_msg(strstr(manual, wanted), "org.varta.Observer1(5) does not say:%s",
                                      wanted);
                }
        }
}

/* What the manual page has as a method or a signal, the interface has. */
static void check_nothing_more(const char *xml, const char *manual) {
        for (const char *p = manual; (p = strstr(p, "\n*")); p++) {
                size_t n = strcspn(p + 2, "*");
                char name[64], wanted[80];

                if (n >= sizeof(name) || p[2 + n + 1] != '(' || p[2] < 'A' || p[2] > 'Z')
                        continue;
                (void) snprintf(name, sizeof(name), "%.*s", (int) n, p + 2);
                (void) snprintf(wanted, sizeof(wanted), " name=\"%s\"", name);
                ck_assert_msg(strstr(xml, wanted), "org.varta.Observer1(5) tells of %s, which is not there",
                              name);
        }
}

/* Properties, but for counters, stand with their type: "*AgentsTracked*, *AgentsStalled* (u)". */
static void check_types(const char *xml, const char *manual) {
        for (const char *p = xml; (p = strstr(p, "<property name=")); p++) {
                char name[64], type[64], wanted[80];
                const char *found, *line;

                attribute(p, strchr(p, '>'), "name", name, sizeof(name));
                attribute(p, strchr(p, '>'), "type", type, sizeof(type));
                (void) snprintf(wanted, sizeof(wanted), "*%s*", name);
                for (found = manual; (found = strstr(found, wanted)); found++) {
                        for (line = found; line > manual && line[-1] != '\n'; line--)
                                ;
                        /* What has blanks in it is a remark. */
                        if (line[0] == '*' && strncmp(found + strlen(wanted), " (", 2) == 0 &&
                            found[strlen(wanted) + 2 + strcspn(found + strlen(wanted) + 2, " )")] == ')')
                                break;
                }
                if (!found)
                        continue; /* within a list that says the type for all */
                (void) snprintf(wanted, sizeof(wanted), "(%s)", type);
                found = strchr(found, '(');
                ck_assert_msg(strncmp(found, wanted, strlen(wanted)) == 0,
                              "org.varta.Observer1(5): %s is no %s", name, type);
        }
}

START_TEST(test_synopses) {
        _cleanup_free_ char *xml = read_file("dbus/org.varta.Observer1.xml"),
                            *manual = read_file("docs/man/org.varta.Observer1.5.scd");

        check_synopses(xml, manual);
        check_nothing_more(xml, manual);
        check_types(xml, manual);
}
END_TEST

START_TEST(test_manual) {
        _cleanup_free_ char *xml = read_file("dbus/org.varta.Observer1.xml"),
                            *manual = read_file("docs/man/org.varta.Observer1.5.scd");

        check_members(xml, manual);
}
END_TEST

START_TEST(test_annotations) {
        static const struct {
                const char *property, *announced;
        } cases[] = {
                { "Version", "const" },      { "StartUSec", "const" }, { "State", NULL },
                { "AgentsTracked", NULL },   { "Beats", "false" },     { "Stalls", "false" },
                { "DecodeErrors", "false" },
        };
        _cleanup_free_ char *live_xml = NULL, *live = NULL;
        char path[128];
        Fixture f;

        init_with_agent(&f, path, sizeof(path));
        live_xml = introspect(&f, BUS_PATH);
        live = interface_of(live_xml, BUS_INTERFACE);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char name[96], value[96];
                const char *p;

                (void) snprintf(name, sizeof(name), "<property name=\"%s\"", cases[i].property);
                p = strstr(live, name);
                ck_assert_ptr_nonnull(p);
                p = strchr(p, '\n') + 1;
                (void) snprintf(value, sizeof(value),
                                "<annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" "
                                "value=\"%s\"/>",
                                cases[i].announced ?: "");
                if (cases[i].announced)
                        ck_assert_msg(strncmp(p, value, strlen(value)) == 0, "%s", cases[i].property);
                else
                        ck_assert_msg(strncmp(p, "</property>", 11) == 0, "%s", cases[i].property);
        }
        ck_assert_ptr_null(strstr(live, "GetManagedObjects"));
        fixture_done(&f);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "the shipped description is what the objects say", test_shipped },
                { "the manual page tells of every member", test_manual },
                { "... with its arguments and its type, and of nothing else", test_synopses },
                { "what is announced is marked so, counters are not", test_annotations },
        };

        return tests_main("bus-introspection", tests, ELEMENTSOF(tests));
}
