/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The daemon: parts made in the order in which they need each other, wired, run, and taken down the other way round.
 *
 * Ready means that beats are received. The bus may come later, go and come back; so may systemd.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

#include "bus/bus-names.h"
#include "daemon/manager-private.h"
#include "daemon/message-ids.h"
#include "daemon/priorities.h"
#include "daemon/privilege.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/text.h"

/* The status line is for people: once a second is as fast as they read. */
#define STATUS_INTERVAL_USEC (1 * USEC_PER_SEC)

/* Units with a recovery state of their own: one for each the observer can tell apart. */
#define RECOVERY_UNITS 1024U

/* Whether recovery of everything is paused. */
static bool all_is_paused(const Manager *m) {
        const Pause *p;

        for (uint32_t i = 0; m->recovery && (p = recovery_pause_at(m->recovery, i)); i++)
                if (p->kind == PAUSE_ALL)
                        return true;
        return false;
}

/* What is wrong comes before what somebody wanted so. */
const char *manager_state(const Manager *m) {
        if (m->observer && observer_overloaded(m->observer))
                return BUS_STATE_OVERLOADED;
        if (m->config_error)
                return BUS_STATE_DEGRADED_CONFIG;
        return all_is_paused(m) ? BUS_STATE_PAUSED : BUS_STATE_RUNNING;
}

/* ---- status line ------------------------------------------------------------------------------------------ */

static int on_status(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        uint32_t gave_up = recovery_gave_up(m->recovery);
        char tail[64] = "";

        if (gave_up > 0)
                (void) snprintf(tail, sizeof(tail), ", %" PRIu32 " unit%s given up", gave_up,
                                plural(gave_up));
        (void) sd_notifyf(false, "STATUS=Observing %" PRIu32 " agent%s, %" PRIu32 " stalled%s (%s)",
                          observer_tracked(m->observer), plural(observer_tracked(m->observer)),
                          observer_stalled(m->observer), tail, manager_state(m));
        return 0;
}

void manager_status_changed(Manager *m) {
        int enabled = SD_EVENT_OFF;

        if (!m->status || sd_event_source_get_enabled(m->status, &enabled) < 0 || enabled != SD_EVENT_OFF)
                return;
        if (sd_event_source_set_time_relative(m->status, STATUS_INTERVAL_USEC) >= 0)
                (void) sd_event_source_set_enabled(m->status, SD_EVENT_ONESHOT);
}

static int start_status(Manager *m) {
        int r;

        r = sd_event_add_time_relative(m->event, &m->status, CLOCK_MONOTONIC, 0, 0, on_status, m);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(m->status, "status");
        return sd_event_source_set_priority(m->status, PRIORITY_IDLE);
}

/* ---- configuration ---------------------------------------------------------------------------------------- */

static ObserverSettings make_settings(const Manager *m, const Config *config) {
        ObserverSettings s = m->observer ? *observer_settings(m->observer) : (ObserverSettings){};

        settings_observer(config, &s);
        return s;
}

static void reload_apply(Manager *m, Config *config, ListenerKeys *keys) {
        ObserverSettings s;
        int r;

        manager_forget_classes(m);
        (void) config_free(m->config);
        m->config = config;
        free(m->config_error);
        m->config_error = NULL;

        s = make_settings(m, config);
        r = observer_reconfigure(m->observer, &s, manager_now(m));
        if (r < 0)
                log_error_errno(r, "The observer did not take the new settings, ignoring");
        manager_listeners_apply(m, keys);
        settings_recovery(config, &m->recovery_settings);
        r = recovery_reconfigure(m->recovery, &m->recovery_settings);
        if (r < 0)
                log_error_errno(r, "Recovery did not take the new settings, ignoring");
        manager_arm(m);
        bus_server_changed(m->server, BUS_CHANGE_THRESHOLD);
        bus_server_changed(m->server, BUS_CHANGE_STATE);
        bus_server_changed(m->server, BUS_CHANGE_CONFIGURATION_ERROR);
}

int manager_reload(Manager *m, char **ret_reason) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_free_ char *first = NULL;
        ListenerKeys keys = {};
        int r;

        r = settings_load(m->options.config, m->options.instance, &config, &first);
        if (r >= 0 && config_n_errors(config) == 0)
                r = manager_listeners_prepare(m, config, &keys, &first);
        if (r >= 0 && config_n_errors(config) > 0)
                r = -EINVAL;
        if (r < 0) {
                log_struct(LOG_ERR, MESSAGE_CONFIG_REFUSED_ID, NULL, 0,
                           "Configuration refused, the previous one stays in force: %s",
                           first ?: strerror(-r));
                manager_watch_log(m);
                if (!ret_reason)
                        return r;
                *ret_reason = first ? TAKE_PTR(first) : strdup("the configuration could not be read");
                return *ret_reason ? r : -ENOMEM;
        }
        if (config_observer(config)->capacity != observer_settings(m->observer)->capacity)
                log_notice("Capacity= is read at start only: restart %s for the new one", m->service);

        reload_apply(m, TAKE_PTR(config), &keys);
        manager_listeners_discard(&keys);
        log_info("Configuration reloaded");
        manager_watch_log(m);
        return 0;
}

/* ---- signals ---------------------------------------------------------------------------------------------- */

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Manager *m = userdata;

        m->stopping = true;
        (void) sd_notify(false, "STOPPING=1\nSTATUS=Stopping");
        return sd_event_exit(m->event, 0);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void) manager_reload(userdata, NULL); /* what is wrong was logged */
        return 0;
}

static int start_signals(Manager *m) {
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } table[] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_reload } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                int r;

                r = sd_event_add_signal(m->event, &m->signals[i], table[i].number | SD_EVENT_SIGNAL_PROCMASK,
                                        table[i].handler, m);
                if (r < 0)
                        return r;
                r = sd_event_source_set_priority(m->signals[i], PRIORITY_SIGNALS);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- the parts -------------------------------------------------------------------------------------------- */

static int drop_privileges(Manager *m) {
        int r;

        r = privilege_drop();
        if (r < 0)
                log_warning_errno(r, "Cannot give up every capability, ignoring");
        r = privilege_describe(&m->capabilities);
        if (r < 0)
                return log_error_errno(r, "Cannot say what capabilities are held");
        return 0;
}

static int start_config(Manager *m) {
        int r;

        r = settings_load(m->options.config, m->options.instance, &m->config, &m->config_error);
        if (r < 0)
                return log_error_errno(r, "Cannot read the configuration");
        if (m->config_error)
                log_struct(LOG_ERR, MESSAGE_CONFIG_DEGRADED_ID, NULL, 0,
                           "Going on with the defaults in place of what is wrong: correct it, then reload");
        m->clock = config_observer(m->config)->clock_source == CONFIG_CLOCK_BOOTTIME ? CLOCK_BOOTTIME
                                                                                     : CLOCK_MONOTONIC;
        m->start = manager_now(m);
        return 0;
}

static int start_observer(Manager *m) {
        ObserverSettings s = make_settings(m, m->config);
        int r;

        r = manager_identities_start(m);
        if (r < 0)
                return log_error_errno(r, "Cannot prepare to look at processes");
        s.own_namespace_known = identities_own_namespace(m->identities, &s.own_namespace) >= 0;
        if (!s.own_namespace_known)
                log_error("/proc does not show this process's own pid namespace: every local beat will be "
                          "refused. Mount "
                          "/proc, and do not use ProtectProc=invisible or ProcSubset=pid");
        if (getrandom(s.hash_key, sizeof(s.hash_key), 0) != sizeof(s.hash_key))
                return log_error_errno(-errno, "Cannot get random bytes");

        r = observer_new(&s, &manager_observer_hooks, m, m->start, &m->observer);
        if (r < 0)
                return log_error_errno(r, "Cannot take memory for Capacity=%" PRIu32, s.capacity);
        return 0;
}

/* The directory that systemd made for us. Returns a descriptor, or -1: then nothing outlives the process. By hand that is
 * as it should be, and no news. */
static int open_state_directory(void) {
        const char *path = getenv("STATE_DIRECTORY");
        int fd;

        if (!path || path[0] == '\0') {
                log_debug("No state directory ($STATE_DIRECTORY): back-off, pauses and history end with "
                          "this "
                          "process");
                return -1;
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                log_struct(LOG_WARNING, MESSAGE_RECOVERY_STATE_ID, NULL, 0,
                           "The state directory %s cannot be opened: %s. Back-off, pauses and history end "
                           "with "
                           "this process.",
                           path, strerror(errno));
        return fd;
}

static int start_recovery(Manager *m) {
        _cleanup_free_ char *own = NULL;
        _cleanup_close_ int state = -1;
        int r;

        r = m->options.user ? sd_pid_get_user_unit(0, &own) : sd_pid_get_unit(0, &own);
        if (r < 0)
                own = NULL; /* not under systemd: nothing of our own to protect */
        state = open_state_directory();

        m->recovery_settings = (RecoverySettings){
                .clock = m->clock,
                .stalls = observer_settings(m->observer)->capacity,
                .units = RECOVERY_UNITS,
                .own_unit = own,
                .state_fd = state,
                .priority = PRIORITY_RECOVERY,
        };
        settings_recovery(m->config, &m->recovery_settings);
        r = recovery_new(m->event, &m->recovery_settings, &manager_recovery_hooks, m, &m->recovery);
        m->recovery_settings.own_unit = NULL;
        m->recovery_settings.state_fd = -1;
        if (r < 0)
                return log_error_errno(r, "Cannot prepare recovery");
        return 0;
}

static int start_bus(Manager *m) {
        int r;

        r = bus_server_new(m->event, m->observer, &manager_bus_hooks, m, &m->server);
        if (r < 0)
                return log_error_errno(r, "Cannot prepare the bus interface");
        return bus_server_set_priority(m->server, PRIORITY_CHANGES);
}

static int start_loop(Manager *m) {
        int r;

        r = sd_event_new(&m->event);
        if (r < 0)
                return log_error_errno(r, "Cannot make the event loop");
        r = sd_event_set_watchdog(m->event, true);
        if (r < 0)
                return log_error_errno(r, "Cannot serve the watchdog");
        r = start_signals(m);
        if (r < 0)
                return log_error_errno(r, "Cannot handle signals");
        r = manager_timing_start(m);
        if (r < 0)
                return log_error_errno(r, "Cannot make the timer");
        r = start_status(m);
        if (r < 0)
                return log_error_errno(r, "Cannot make the status timer");
        r = manager_storms_start(m);
        if (r < 0)
                return log_error_errno(r, "Cannot make the timer of storms");
        return 0;
}

int manager_new(const Options *options, Manager **ret) {
        static int (*const steps[])(Manager * m) = {
                drop_privileges,
                start_config,
                start_loop,
                start_observer,
                start_recovery,
                start_bus,
                manager_receiving_start,
                manager_connections_start,
        };
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        assert(options && ret);

        m = calloc(1, sizeof(Manager));
        if (!m)
                return log_error_errno(-ENOMEM, "Cannot start");
        m->options = *options;
        (void) instance_name(m->service, "varta", options->instance, ".service");
        (void) instance_bus_name(m->bus_name, BUS_NAME, options->instance);

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                r = steps[i](m);
                if (r < 0)
                        return r;
        }
        manager_arm(m);
        *ret = TAKE_PTR(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;

        m->stopping = true;
        manager_connections_stop(m);
        (void) bus_server_free(m->server);
        (void) recovery_free(m->recovery);
        (void) ingress_free(m->ingress);
        (void) observer_free(m->observer); /* gives its pidfds back */
        (void) identities_free(m->identities);
        manager_forget_classes(m);
        (void) config_free(m->config);
        for (size_t i = 0; i < ELEMENTSOF(m->signals); i++)
                sd_event_source_disable_unref(m->signals[i]);
        sd_event_source_disable_unref(m->timer);
        sd_event_source_disable_unref(m->stalls);
        sd_event_source_disable_unref(m->log);
        sd_event_source_disable_unref(m->log_retry);
        sd_event_source_disable_unref(m->status);
        sd_event_source_disable_unref(m->storm_end);
        sd_event_unref(m->event);
        free(m->config_error);
        free(m->capabilities);
        free(m);
        return NULL;
}

int manager_run(Manager *m) {
        int r, code;

        manager_watch_log(m); /* what was logged so far may wait, too */
        (void) sd_notify(false, "READY=1\nSTATUS=Observing 0 agents");
        r = sd_event_loop(m->event);
        /* Who asked the loop to end has said why; here the loop itself failed. */
        if (r < 0 && sd_event_get_exit_code(m->event, &code) < 0)
                log_error_errno(r, "Stopping");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
