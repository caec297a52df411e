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
                { "what is announced is marked so, counters are not", test_annotations },
        };

        return tests_main("bus-introspection", tests, ELEMENTSOF(tests));
}
