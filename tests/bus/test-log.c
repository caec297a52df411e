/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.freedesktop.LogControl1, as systemctl uses it. Who may write is tested with everything that changes something. */

#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define LOG_PATH      "/org/freedesktop/LogControl1"
#define LOG_INTERFACE "org.freedesktop.LogControl1"
#define PROPERTIES    "org.freedesktop.DBus.Properties"

static void assert_property(Fixture *f, const char *name, const char *value) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                        fixture_get(f, LOG_PATH, LOG_INTERFACE, name, "s");
        const char *is;

        ck_assert_int_gt(sd_bus_message_read(m, "s", &is), 0);
        ck_assert_str_eq(is, value);
}

START_TEST(test_read) {
        Fixture f;

        fixture_init(&f, 16);
        fixture_connect(&f);
        assert_property(&f, "LogLevel", "info");
        assert_property(&f, "LogTarget", "journal");
        assert_property(&f, "SyslogIdentifier", "vartad");
        fixture_done(&f);
}
END_TEST

START_TEST(test_write) {
        static const struct {
                const char *title, *interface, *property, *value, *error;
        } cases[] = {
                { "a level", LOG_INTERFACE, "LogLevel", "debug", NULL },
                { "a target", LOG_INTERFACE, "LogTarget", "console", NULL },
                { "no level", LOG_INTERFACE, "LogLevel", "chatty", SD_BUS_ERROR_INVALID_ARGS },
                { "no target", LOG_INTERFACE, "LogTarget", "", SD_BUS_ERROR_INVALID_ARGS },
                { "what cannot be written", LOG_INTERFACE, "SyslogIdentifier", "x",
                  SD_BUS_ERROR_PROPERTY_READ_ONLY },
                { "no property", LOG_INTERFACE, "LogColour", "red", SD_BUS_ERROR_UNKNOWN_PROPERTY },
                { "another interface", "org.example.Log", "LogLevel", "debug",
                  SD_BUS_ERROR_UNKNOWN_PROPERTY },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *error = cases[i].error;
                sd_bus_message *m;
                Fixture f;

                fixture_init(&f, 16);
                fixture_connect(&f);
                if (geteuid() != 0 && !error)
                        error = BUS_ERROR_ACCESS_DENIED; /* the kernel says who the peer is: this process */
                m = fixture_call(&f, f.client, LOG_PATH, PROPERTIES, "Set", "ssv", cases[i].interface,
                                 cases[i].property, "s", cases[i].value);
                if (error && geteuid() == 0)
                        fixture_assert_error(m, error);
                else {
                        ck_assert_msg(!!sd_bus_message_get_error(m) == !!error, "%s", cases[i].title);
                        sd_bus_message_unref(m);
                }
                fixture_done(&f);
        }
}
END_TEST

START_TEST(test_written) {
        Fixture f;

        if (geteuid() != 0) {
                (void) printf("skipped: writing takes root\n");
                return;
        }
        fixture_init(&f, 16);
        fixture_connect(&f);
        sd_bus_message_unref(fixture_call(&f, f.client, LOG_PATH, PROPERTIES, "Set", "ssv", LOG_INTERFACE,
                                          "LogLevel", "s", "debug"));
        assert_property(&f, "LogLevel", "debug");
        fixture_assert_error(fixture_call(&f, f.client, LOG_PATH, PROPERTIES, "Set", "ssv", LOG_INTERFACE,
                                          "LogLevel", "u", 7U),
                             SD_BUS_ERROR_INVALID_ARGS);
        fixture_done(&f);
}
END_TEST

int main(void) {
        const NamedTest tests[] = {
                { "level, target and identifier can be read", test_read },
                { "what can be written, and what not", test_write },
                { "what was written is in force", test_written },
        };

        return tests_main("bus-log", tests, ELEMENTSOF(tests));
}
