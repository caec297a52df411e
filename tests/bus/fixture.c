/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

/* Far beyond what anything here takes, on a slow machine and under sanitizers. */
#define PATIENCE_USEC (20 * USEC_PER_SEC)

/* ---- what the daemon would know ------------------------------------------------------------------------------ */

static void hook_facts(void *userdata, BusFacts *ret) {
        Fixture *f = userdata;

        *ret = (BusFacts){
                .version = "0.1.0",
                .clock_source = "monotonic",
                .capabilities = "none",
                .start = FIXTURE_START,
                .user_bus = f->user_bus,
        };
}

static const char *hook_state(void *userdata) {
        return ((Fixture *) userdata)->state;
}

static const char *hook_config_error(void *userdata) {
        return ((Fixture *) userdata)->config_error ?: "";
}

static usec_t hook_to_monotonic(void *userdata, nsec_t t) {
        return nsec_sub(t, FIXTURE_OFFSET) / NSEC_PER_USEC;
}

static uint32_t hook_descriptor_budget(void *userdata) {
        return 4000;
}

static uint64_t hook_journal_dropped(void *userdata) {
        return ((Fixture *) userdata)->journal_dropped;
}

static bool hook_listener(void *userdata, size_t i, BusListener *ret) {
        static const BusListener listeners[] = {
                { "local", "unix", "/run/varta/varta.sock", 212992, 12 },
                { "plain", "udp", "127.0.0.1:8675", 4096, UINT64_MAX },
        };

        if (i >= ((Fixture *) userdata)->n_listeners)
                return false;
        *ret = listeners[i];
        return true;
}

static bool hook_outcome(void *userdata, size_t i, const char **ret_name, uint64_t *ret_count) {
        static const char *const names[] = { "recovered", "no-beat" };

        if (i >= ELEMENTSOF(names))
                return false;
        *ret_name = names[i];
        *ret_count = i + 7;
        return true;
}

static bool hook_refusal(void *userdata, size_t i, const char **ret_name, uint64_t *ret_count) {
        if (i >= 1)
                return false;
        *ret_name = "mode-warn";
        *ret_count = 3;
        return true;
}

static void hook_unit(void *userdata, uint16_t unit, const char *name, BusUnit *ret) {
        if (strcmp(name, "worker@1.service") == 0)
                *ret = (BusUnit){ "enforce", BUS_UNIT_BACKOFF, "no-beat", 5, 1234567 };
        else
                ret->mode = "warn";
        if (strcmp(name, "worker@2.service") == 0 || strlen(name) > strlen("worker@2.service"))
                ret->state = ((Fixture *) userdata)->unit_state;
}

static const char *hook_ailing_unit(void *userdata, uint32_t *cursor) {
        const Fixture *f = userdata;

        return *cursor < ELEMENTSOF(f->ailing) ? f->ailing[(*cursor)++] : NULL;
}

static const char *hook_unit_class(void *userdata, uint16_t unit, const char *name) {
        return name[0] ? "Unit worker@*.service" : "";
}

static int hook_reload(void *userdata, char **ret_reason) {
        Fixture *f = userdata;

        f->reloads++;
        if (f->reload_reason)
                *ret_reason = strdup(f->reload_reason);
        return f->reload_error;
}

static int hook_reset_agent(void *userdata, uint64_t id) {
        Fixture *f = userdata;

        f->reset = id;
        return observer_reset_agent(f->observer, id, f->now);
}

static int hook_forget_agent(void *userdata, uint64_t id) {
        Fixture *f = userdata;

        f->forgotten = id;
        return observer_forget_agent(f->observer, id, f->now);
}

static bool hook_past(void *userdata, size_t i, BusPast *ret) {
        static const char *const units[] = { "a.service", "b.service", "" };

        if (i >= ELEMENTSOF(units))
                return false;
        *ret = (BusPast){
                .wall = 7, .kind = "refused", .unit = units[i], .reason = "backoff", .sentence = "Why."
        };
        return true;
}

/* What a test asks to be answered, and what was asked. */
static int hook_pause(void *userdata, const char *what, nsec_t span, const char *reason) {
        Fixture *f = userdata;

        (void) snprintf(f->hand, sizeof(f->hand), "pause %s %" PRIu64 " %s", what, span, reason);
        return f->hand_result;
}

static int hook_resume(void *userdata, const char *what) {
        Fixture *f = userdata;

        (void) snprintf(f->hand, sizeof(f->hand), "resume %s", what);
        return f->hand_result;
}

static int hook_recover(void *userdata, const char *unit) {
        Fixture *f = userdata;

        (void) snprintf(f->hand, sizeof(f->hand), "recover %s", unit);
        return f->hand_result;
}

static void hook_name_acquired(void *userdata, int error) {
        Fixture *f = userdata;

        f->name_answers++;
        f->name_error = error;
}

static void hook_disconnected(void *userdata) {
        ((Fixture *) userdata)->disconnects++;
}

static size_t hook_policy(void *userdata, const char *unit, BusPolicy ret[static BUS_POLICY_MAX]) {
        ret[0] = (BusPolicy){
                .key = "Mode", .file = "/etc/varta/varta.conf", .line = 7, .value = "enforce"
        };
        ret[1] = (BusPolicy){ .key = "OnGaveUp" };
        return unit[0] ? 2 : 1;
}

static bool hook_pause_at(void *userdata, size_t i, BusPause *ret) {
        static const BusPause pauses[] = {
                { .what = "", .reason = "move", .until = 0 },
                { .what = "worker@*.service", .reason = "", .until = 1234567 },
                { .what = "pid:1013", .reason = "gdb", .until = 0 },
        };

        if (i >= ((Fixture *) userdata)->n_pauses)
                return false;
        *ret = pauses[i];
        return true;
}

static usec_t hook_brake_until(void *userdata) {
        return ((Fixture *) userdata)->brake_until;
}

static const char *hook_log_level(void *userdata) {
        const Fixture *f = userdata;

        return f->log_level[0] ? f->log_level : "info";
}

static const char *hook_log_target(void *userdata) {
        return "journal";
}

static int hook_set_log_level(void *userdata, const char *level) {
        Fixture *f = userdata;

        if (strcmp(level, "debug") != 0)
                return -EINVAL;
        (void) snprintf(f->log_level, sizeof(f->log_level), "%s", level);
        return 0;
}

static int hook_set_log_target(void *userdata, const char *target) {
        return strcmp(target, "console") == 0 ? 0 : -EINVAL;
}

static void hook_stuck(void *userdata) {
        ((Fixture *) userdata)->stuck++;
}

const BusHooks fixture_hooks = {
        .facts = hook_facts,
        .state = hook_state,
        .config_error = hook_config_error,
        .to_monotonic = hook_to_monotonic,
        .descriptor_budget = hook_descriptor_budget,
        .journal_dropped = hook_journal_dropped,
        .listener = hook_listener,
        .recovery_outcome = hook_outcome,
        .recovery_refusal = hook_refusal,
        .unit = hook_unit,
        .ailing_unit = hook_ailing_unit,
        .unit_class = hook_unit_class,
        .policy = hook_policy,
        .reload = hook_reload,
        .reset_agent = hook_reset_agent,
        .forget_agent = hook_forget_agent,
        .past = hook_past,
        .pause = hook_pause,
        .resume = hook_resume,
        .recover = hook_recover,
        .pause_at = hook_pause_at,
        .brake_until = hook_brake_until,
        .log_level = hook_log_level,
        .log_target = hook_log_target,
        .set_log_level = hook_set_log_level,
        .set_log_target = hook_set_log_target,
        .name_acquired = hook_name_acquired,
        .stuck = hook_stuck,
        .disconnected = hook_disconnected,
};

/* ---- what the observer asks ------------------------------------------------------------------------------------ */

static void on_event(void *userdata, const Event *event) {
        Fixture *f = userdata;

        if (f->server)
                bus_server_event(f->server, event);
}

static int identify(void *userdata, uint32_t pid, uint32_t uid, Identity *ret) {
        *ret = (Identity){
                .generation = pid, .uid = uid, .inner_pid = pid, .pidfd = -1, .relation = NAMESPACE_OWN
        };
        if (pid < 2000) {
                (void) snprintf(ret->unit, sizeof(ret->unit), "worker@%u.service",
                                pid < 100 ? pid : pid % 10);
                memset(ret->invocation, 0xAB, sizeof(ret->invocation));
        }
        return 0;
}

static void unit_rules(void *userdata, const char *unit, UnitRules *ret) {
        *ret = (UnitRules){ .threshold = 5 * NSEC_PER_SEC,
                            .forget = NSEC_PER_HOUR,
                            .on_exit = EXIT_RULE_EVENT };
}

static const ObserverHooks observer_hooks = {
        .event = on_event,
        .identify = identify,
        .unit_rules = unit_rules,
};

/* ---- the fixture ---------------------------------------------------------------------------------------------- */

void fixture_init(Fixture *f, uint32_t capacity) {
        const ObserverSettings settings = {
                .threshold = 5 * NSEC_PER_SEC,
                .forget = NSEC_PER_HOUR,
                .max_deferral = NSEC_PER_MINUTE,
                .capacity = capacity,
                .per_uid_share = 100,
                .own_namespace_known = true,
                .own_namespace = 4026531836,
                .hash_key = { 1, 2 },
        };

        *f = (Fixture){ .now = FIXTURE_START, .state = BUS_STATE_RUNNING, .n_listeners = 2 };
        ck_assert_int_eq(sd_event_new(&f->event), 0);
        ck_assert_int_eq(observer_new(&settings, &observer_hooks, f, f->now, &f->observer), 0);
        ck_assert_int_ge(observer_add_listener(f->observer, f->now), 0);
        ck_assert_int_eq(bus_server_new(f->event, f->observer, &fixture_hooks, f, &f->server), 0);
}

void fixture_done(Fixture *f) {
        fixture_forget_signals(f);
        f->server = bus_server_free(f->server);
        (void) sd_bus_flush_close_unref(f->client);
        (void) sd_bus_flush_close_unref(f->bus);
        f->observer = observer_free(f->observer);
        f->event = sd_event_unref(f->event);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fixture *f = userdata;

        if (f->n_signals < FIXTURE_SIGNALS_MAX)
                f->signals[f->n_signals++] = sd_bus_message_ref(m);
        return 0;
}

void fixture_listen(Fixture *f, sd_bus *client) {
        ck_assert_int_ge(sd_bus_match_signal_async(client, NULL, NULL, BUS_PATH, NULL, NULL, on_signal, NULL,
                                                   f),
                         0);
}

void fixture_connect(Fixture *f) {
        sd_id128_t id;
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        ck_assert_int_eq(sd_id128_randomize(&id), 0);

        ck_assert_int_eq(sd_bus_new(&f->bus), 0);
        ck_assert_int_eq(sd_bus_set_fd(f->bus, fds[0], fds[0]), 0);
        ck_assert_int_eq(sd_bus_set_server(f->bus, true, id), 0);
        ck_assert_int_eq(sd_bus_new(&f->client), 0);
        ck_assert_int_eq(sd_bus_set_fd(f->client, fds[1], fds[1]), 0);

        ck_assert_int_ge(sd_bus_start(f->bus), 0);
        ck_assert_int_ge(sd_bus_start(f->client), 0);
        ck_assert_int_ge(sd_bus_attach_event(f->bus, f->event, 0), 0);
        ck_assert_int_ge(sd_bus_attach_event(f->client, f->event, 0), 0);
        fixture_listen(f, f->client);
        ck_assert_int_eq(bus_server_attach(f->server, f->bus), 0);
        fixture_settle(f);
}

void fixture_run_until(Fixture *f, bool (*condition)(Fixture *f)) {
        usec_t now, end;

        ck_assert_int_ge(sd_event_now(f->event, CLOCK_MONOTONIC, &now), 0);
        end = now + PATIENCE_USEC;
        while (!condition(f)) {
                ck_assert_int_ge(sd_event_run(f->event, USEC_PER_SEC), 0);
                ck_assert_int_ge(sd_event_now(f->event, CLOCK_MONOTONIC, &now), 0);
                ck_assert_msg(now < end, "what was waited for does not come");
        }
}

void fixture_settle(Fixture *f) {
        /* Both ends take turns: quiet once is not yet quiet. */
        for (unsigned quiet = 0; quiet < 3;) {
                int r = sd_event_run(f->event, 1000);

                ck_assert_int_ge(r, 0);
                quiet = r > 0 ? 0 : quiet + 1;
        }
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        sd_bus_message **reply = userdata;

        *reply = sd_bus_message_ref(m);
        return 1;
}

static sd_bus_message *finish_call(Fixture *f, sd_bus *client, sd_bus_message *m) {
        sd_bus_message *reply = NULL;
        usec_t now, end;

        ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, PATIENCE_USEC), 0);
        ck_assert_int_ge(sd_event_now(f->event, CLOCK_MONOTONIC, &now), 0);
        end = now + PATIENCE_USEC;
        while (!reply) {
                ck_assert_int_ge(sd_event_run(f->event, USEC_PER_SEC), 0);
                ck_assert_int_ge(sd_event_now(f->event, CLOCK_MONOTONIC, &now), 0);
                ck_assert_msg(now < end, "no answer comes");
        }
        return reply;
}

static sd_bus_message *call(Fixture *f, sd_bus *client, const char *path, const char *interface,
                            const char *member, const char *types, va_list ap) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *destination = sd_bus_is_bus_client(client) > 0 ? BUS_NAME : NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, destination, path, interface, member),
                         0);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(m, types, ap), 0);
        return finish_call(f, client, m);
}

sd_bus_message *fixture_call(Fixture *f, sd_bus *client, const char *path, const char *interface,
                             const char *member, const char *types, ...) {
        sd_bus_message *reply;
        va_list ap;

        va_start(ap, types);
        reply = call(f, client, path, interface, member, types, ap);
        va_end(ap);
        return reply;
}

sd_bus_message *fixture_ask(Fixture *f, const char *member, const char *types, ...) {
        sd_bus_message *reply;
        va_list ap;

        va_start(ap, types);
        reply = call(f, f->client, BUS_PATH, BUS_INTERFACE, member, types, ap);
        va_end(ap);
        return reply;
}

sd_bus_message *fixture_get(Fixture *f, const char *path, const char *interface, const char *property,
                            const char *signature) {
        sd_bus_message *m = fixture_call(f, f->client, path, "org.freedesktop.DBus.Properties", "Get", "ss",
                                         interface, property);

        ck_assert_msg(!sd_bus_message_is_method_error(m, NULL), "%s cannot be read", property);
        ck_assert_msg(sd_bus_message_enter_container(m, 'v', signature) > 0, "%s is no %s", property,
                      signature);
        return m;
}

void fixture_assert_error(sd_bus_message *answer, const char *name) {
        const sd_bus_error *error = sd_bus_message_get_error(answer);

        ck_assert_msg(error, "no error although %s was expected", name);
        ck_assert_str_eq(error->name, name);
        ck_assert_ptr_nonnull(error->message);
        ck_assert_uint_gt(strlen(error->message), 10);
        sd_bus_message_unref(answer);
}

sd_bus_message *fixture_signal(Fixture *f, const char *member) {
        usec_t now, end;

        ck_assert_int_ge(sd_event_now(f->event, CLOCK_MONOTONIC, &now), 0);
        for (end = now + PATIENCE_USEC; now < end;) {
                for (size_t i = 0; i < f->n_signals; i++)
                        if (strcmp(sd_bus_message_get_member(f->signals[i]), member) == 0) {
                                sd_bus_message *m = sd_bus_message_ref(f->signals[i]);

                                fixture_forget_signals(f);
                                return m;
                        }
                ck_assert_int_ge(sd_event_run(f->event, USEC_PER_SEC), 0);
                ck_assert_int_ge(sd_event_now(f->event, CLOCK_MONOTONIC, &now), 0);
        }
        ck_abort_msg("no signal %s comes", member);
        return NULL;
}

size_t fixture_count_signals(const Fixture *f, const char *member) {
        size_t n = 0;

        for (size_t i = 0; i < f->n_signals; i++)
                n += strcmp(sd_bus_message_get_member(f->signals[i]), member) == 0;
        return n;
}

void fixture_forget_signals(Fixture *f) {
        for (size_t i = 0; i < f->n_signals; i++)
                sd_bus_message_unref(f->signals[i]);
        f->n_signals = 0;
}

void fixture_datagram(Fixture *f, const uint8_t frame[static VLP_FRAME_SIZE], uint32_t pid, Origin origin) {
        const Datagram d = {
                .frame = frame,
                .source = SOURCE_LOCAL,
                .pid = origin == ORIGIN_KERNEL_ATTESTED ? pid : 0,
                .uid = origin == ORIGIN_KERNEL_ATTESTED ? 1000 : UID_NONE,
                .origin = (uint8_t) origin,
                .verdict = RECEIVE_OK,
        };

        observer_receive(f->observer, &d, 1, f->now, NULL);
}

void fixture_beat(Fixture *f, uint32_t pid, VlpStatus status) {
        VlpFrame frame = { .timestamp = f->now,
                           .nonce = ++f->frames,
                           .pid = pid,
                           .payload = 42,
                           .status = (uint8_t) status };
        uint8_t bytes[VLP_FRAME_SIZE];

        ck_assert_int_eq(vlp_frame_encode(&frame, bytes), 0);
        fixture_datagram(f, bytes, pid, ORIGIN_KERNEL_ATTESTED);
}

void fixture_pass(Fixture *f, nsec_t span) {
        f->now += span;
        observer_listener_empty(f->observer, 0, f->now);
        observer_tick(f->observer, f->now, 0, 0);
        while (observer_dispatch_stall(f->observer))
                ;
}

uint64_t fixture_agent(const Fixture *f, uint32_t pid) {
        AgentInfo info;

        ck_assert_int_eq(observer_agent_by_pid(f->observer, SOURCE_LOCAL, pid, &info), 0);
        return info.id;
}
