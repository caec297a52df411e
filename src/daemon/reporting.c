/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What happened goes three ways, in this order: the journal, the bus, recovery. So whoever reads the journal or the
 * signals finds the stall before what was done about it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-id128.h>

#include "bus/bus-signals.h"
#include "daemon/manager-private.h"
#include "daemon/message-ids.h"
#include "daemon/priorities.h"
#include "ingress/listener-udp.h"
#include "util/log.h"
#include "util/parse.h"

/* Until a journal that is not there is asked again. */
#define LOG_RETRY_USEC (1 * USEC_PER_SEC)

#define FIELDS_MAX  16U
#define NUMBER_SIZE sizeof("18446744073709551615")

/* The fields of a record, and room for the numbers among them. */
typedef struct Fields {
        LogField fields[FIELDS_MAX];
        char texts[FIELDS_MAX][2 * INVOCATION_ID_SIZE + 1];
        size_t n;
} Fields;

static_assert(2 * INVOCATION_ID_SIZE + 1 >= NUMBER_SIZE, "a number fits where an invocation id does");

static void field_text(Fields *f, const char *name, const char *value) {
        if (f->n < FIELDS_MAX && value && value[0])
                f->fields[f->n++] = (LogField){ .name = name, .value = value };
}

static void field_number(Fields *f, const char *name, uint64_t value) {
        if (f->n == FIELDS_MAX)
                return;
        (void) snprintf(f->texts[f->n], sizeof(f->texts[f->n]), "%" PRIu64, value);
        field_text(f, name, f->texts[f->n]);
}

static void field_invocation(Fields *f, const uint8_t *id) {
        static const uint8_t none[INVOCATION_ID_SIZE];

        if (f->n == FIELDS_MAX || memcmp(id, none, sizeof(none)) == 0)
                return;
        for (size_t i = 0; i < INVOCATION_ID_SIZE; i++)
                (void) snprintf(&f->texts[f->n][2 * i], 3, "%02x", id[i]);
        field_text(f, "VARTA_INVOCATION_ID", f->texts[f->n]);
}

static void agent_fields(Fields *f, const Event *e) {
        if (e->agent.pid > 0)
                field_number(f, "VARTA_PID", e->agent.pid);
        field_text(f, "VARTA_UNIT", e->unit);
        field_invocation(f, e->agent.invocation);
        field_text(f, "VARTA_ORIGIN", origin_to_string(e->agent.origin));
        field_number(f, "VARTA_LAST_NONCE", e->agent.last_nonce);
        field_text(f, "VARTA_STATUS", vlp_status_to_string(e->agent.status));
}

/* "PID 123 (worker.service)" */
static const char *agent_name(const Event *e, char *buf, size_t size) {
        if (e->agent.pid == 0)
                (void) snprintf(buf, size, "%s", e->unit);
        else
                (void) snprintf(buf, size, "PID %" PRIu32 " (%s)", e->agent.pid,
                                e->unit[0] ? e->unit : "no unit");
        return buf;
}

static void journal_stall(const Event *e) {
        char name[UNIT_NAME_SIZE + 32], span[64];
        Fields f = {};

        if (e->reason == STALL_NEVER_BEAT)
                field_text(&f, "VARTA_UNIT", e->unit); /* there is no agent to tell of */
        else {
                agent_fields(&f, e);
                field_number(&f, "VARTA_SILENCE_USEC", nsec_sub(e->now, e->agent.last_beat) / NSEC_PER_USEC);
        }
        field_text(&f, "VARTA_REASON", stall_reason_to_string(e->reason));
        (void) agent_name(e, name, sizeof(name));
        switch (e->reason) {
        case STALL_EXITED:
                log_struct(LOG_WARNING, MESSAGE_STALL_ID, f.fields, f.n,
                           "%s stalled: its process exited%s, and nobody "
                           "supervises it",
                           name, e->last_word ? " after a last word" : "");
                break;
        case STALL_NEVER_BEAT:
                log_struct(LOG_WARNING, MESSAGE_STALL_ID, f.fields, f.n,
                           "%s stalled: it is active and never beat", name);
                break;
        default:
                log_struct(LOG_WARNING, MESSAGE_STALL_ID, f.fields, f.n, "%s stalled: no beat for %s%s",
                           name,
                           format_timespan_rough(span, sizeof(span), nsec_sub(e->now, e->agent.last_beat)),
                           e->waited ? " (judged although the observer is overloaded)" : "");
        }
}

static void journal_beat(const Event *e) {
        char name[UNIT_NAME_SIZE + 32];
        Fields f = {};

        (void) agent_name(e, name, sizeof(name));
        if (e->flags & BEAT_APPEARED)
                log_debug("%s appeared", name);
        if (e->flags & BEAT_RESUMED) {
                agent_fields(&f, e);
                log_struct(LOG_NOTICE, MESSAGE_RESUMED_ID, f.fields, f.n, "%s beats again", name);
        }
        if (e->flags & BEAT_STATUS_CHANGED)
                log_info("%s changed from %s to %s", name, vlp_status_to_string(e->old_status),
                         vlp_status_to_string(e->agent.status));
}

static void journal_exit(const Event *e) {
        char name[UNIT_NAME_SIZE + 32];
        Fields f = {};

        agent_fields(&f, e);
        log_struct(e->last_word ? LOG_WARNING : LOG_DEBUG, MESSAGE_EXITED_ID, f.fields, f.n, "%s exited%s%s",
                   agent_name(e, name, sizeof(name)), e->last_word ? " after a last word: a crash" : "",
                   e->gone ? ", before it could be looked at" : "");
}

/* "PID 123", "192.0.2.7:4711" */
static const char *sender_name(const Event *e, char *buf, size_t size) {
        if (e->peer && e->peer[0])
                return e->peer;
        if (e->attested_pid == 0)
                return "a process that the kernel does not name";
        (void) snprintf(buf, size, "PID %" PRIu32, e->attested_pid);
        return buf;
}

/* What is wrong with it. */
static const char *refusal_text(const Event *e, char *buf, size_t size) {
        switch (e->reject) {
        case REJECT_DECODE:
                return vlp_error_to_string(e->decode_error);
        case REJECT_AUTH_FAILURE:
                if (e->attested_pid == 0)
                        return "its frame names another process than its envelope";
                (void) snprintf(buf, size, "it names PID %" PRIu32, e->claimed_pid);
                return buf;
        case REJECT_ORIGIN_CONFLICT:
                (void) snprintf(buf, size, "it names PID %" PRIu32 ", which is known as %s", e->claimed_pid,
                                origin_to_string(e->slot_origin));
                return buf;
        case REJECT_NAMESPACE_CONFLICT:
                return "it lives in another pid namespace (see AllowCrossNamespace= in varta.conf(5))";
        case REJECT_DECRYPT_FAILED:
                return "no key opens it";
        default:
                return reject_class_to_string(e->reject);
        }
}

static void journal_rejected(const Manager *m, const Event *e) {
        const Listener *l = ingress_listener(m->ingress, e->listener);
        char sender[64], text[128];
        Fields f = {};

        field_text(&f, "VARTA_REASON", reject_class_to_string(e->reject));
        if (e->reject == REJECT_IO_ERROR) {
                log_struct(LOG_WARNING, MESSAGE_REJECTED_ID, f.fields, f.n, "Cannot receive on %s: %s",
                           l ? l->address : "a listener", strerror(-e->error));
                return;
        }
        field_text(&f, "VARTA_ORIGIN", origin_to_string(e->observed_origin));
        field_text(&f, "VARTA_PEER", e->peer);
        if (e->attested_pid > 0)
                field_number(&f, "VARTA_PID", e->attested_pid);
        if (e->reject == REJECT_DECODE)
                field_text(&f, "VARTA_ERROR", vlp_error_to_string(e->decode_error));
        log_struct(LOG_WARNING, MESSAGE_REJECTED_ID, f.fields, f.n, "Refused a datagram of %s: %s",
                   sender_name(e, sender, sizeof(sender)), refusal_text(e, text, sizeof(text)));
}

static void journal_event(const Manager *m, const Event *e) {
        char span[64];

        switch (e->kind) {
        case EVENT_BEAT:
                journal_beat(e);
                break;
        case EVENT_STALL:
                journal_stall(e);
                break;
        case EVENT_EXIT:
                journal_exit(e);
                break;
        case EVENT_REJECTED:
                journal_rejected(m, e);
                break;
        case EVENT_CLOCK_JUMP:
                log_struct(LOG_NOTICE, MESSAGE_CLOCK_JUMPED_ID, NULL, 0,
                           "The clock jumped by %s: every agent has one threshold of grace",
                           format_timespan_rough(span, sizeof(span), e->jump));
                break;
        case EVENT_OVERLOADED:
                log_struct(LOG_NOTICE, MESSAGE_OVERLOADED_ID, NULL, 0,
                           e->overloaded ? "Overloaded: beats may be unread, refused or lost, verdicts wait"
                                         : "No longer overloaded");
                break;
        default:
                break;
        }
}

static void tell(Manager *m, const Event *event) {
        journal_event(m, event);
        manager_watch_log(m);
        bus_server_event(m->server, event);
}

/* Only a refusal that is told costs a look at who sent the datagram. */
static void tell_rejected(Manager *m, const Event *event) {
        Event told = *event;
        char peer[PEER_TEXT_SIZE];

        told.peer = ingress_peer(m->ingress, event->datagram, peer, sizeof(peer));
        tell(m, &told);
}

void manager_on_event(void *userdata, const Event *event) {
        Manager *m = userdata;

        if (m->stopping)
                return;
        if (manager_storms_pass_event(m, event))
                (event->kind == EVENT_REJECTED ? tell_rejected : tell)(m, event);
        else
                bus_server_event_untold(m->server, event);
        recovery_event(m->recovery, event); /* takes care of every single one */
        if (event->kind != EVENT_REJECTED)
                manager_status_changed(m);
}

static void journal_record(const RecoveryRecord *r) {
        static const struct {
                const char *message_id;
                int level;
        } kinds[_RECOVERY_RECORD_KIND_MAX] = {
                [RECORD_REFUSED] = { MESSAGE_RECOVERY_REFUSED_ID, LOG_NOTICE },
                [RECORD_STARTED] = { MESSAGE_RECOVERY_STARTED_ID, LOG_NOTICE },
                [RECORD_FINISHED] = { MESSAGE_RECOVERY_FINISHED_ID, LOG_NOTICE },
                [RECORD_GAVE_UP] = { MESSAGE_GAVE_UP_ID, LOG_ERR },
                [RECORD_LEFT_GAVE_UP] = { MESSAGE_LEFT_GAVE_UP_ID, LOG_NOTICE },
                [RECORD_PAUSED] = { MESSAGE_RECOVERY_PAUSED_ID, LOG_NOTICE },
                [RECORD_RESUMED] = { MESSAGE_RECOVERY_RESUMED_ID, LOG_NOTICE },
                [RECORD_BRAKE] = { MESSAGE_STORM_BRAKE_ID, LOG_WARNING },
                [RECORD_HELPER_FAILED] = { MESSAGE_HELPER_FAILED_ID, LOG_ERR },
                [RECORD_STATE] = { MESSAGE_RECOVERY_STATE_ID, LOG_WARNING },
        };
        int level = kinds[r->kind].level;
        Fields f = {};

        if (r->pid > 0)
                field_number(&f, "VARTA_PID", r->pid);
        field_text(&f, "VARTA_UNIT", r->unit);
        field_invocation(&f, r->invocation);
        field_text(&f, "VARTA_REASON",
                   r->kind == RECORD_FINISHED ? stall_reason_to_string(r->stall_reason) : r->reason);
        if (r->outcome >= 0)
                field_text(&f, "VARTA_OUTCOME", recovery_outcome_to_string(r->outcome));
        if (r->agent > 0) { /* not a pause, say */
                field_text(&f, "VARTA_ORIGIN", origin_to_string(r->origin));
                field_number(&f, "VARTA_SILENCE_USEC", r->silence / NSEC_PER_USEC);
                field_number(&f, "VARTA_LAST_NONCE", r->last_nonce);
                field_text(&f, "VARTA_STATUS", vlp_status_to_string(r->status));
        }
        if (r->kind <= RECORD_LEFT_GAVE_UP)
                field_number(&f, "VARTA_ATTEMPT", r->attempt);
        if (r->kind == RECORD_FINISHED && r->outcome != OUTCOME_RECOVERED)
                level = LOG_WARNING;
        log_struct(level, kinds[r->kind].message_id, f.fields, f.n, "%s", r->sentence);
}

static void signal_gave_up(Manager *m, const char *unit) {
        UnitPolicy policy;

        config_unit_policy(m->config, unit, &policy);
        bus_signal_gave_up(m->server, unit, policy.restart_limit.count, policy.restart_limit.span);
}

void manager_on_record(void *userdata, const RecoveryRecord *r) {
        Manager *m = userdata;
        BusRecovery signal = {
                .id = r->agent,
                .pid = r->pid,
                .attempt = r->attempt,
                .unit = r->unit,
                .reason = r->reason,
                .invocation = r->invocation,
        };

        if (!r->announce || m->stopping)
                return;
        if (r->kind == RECORD_REFUSED && !manager_storms_pass(m, STORM_RECOVERY_REFUSED, r->when))
                return;
        journal_record(r);
        manager_watch_log(m);
        switch (r->kind) {
        case RECORD_STARTED:
                bus_signal_recovery_started(m->server, &signal);
                break;
        case RECORD_FINISHED:
                bus_signal_recovery_finished(m->server, &signal);
                break;
        case RECORD_REFUSED:
                bus_signal_recovery_refused(m->server, &signal);
                break;
        case RECORD_GAVE_UP:
                signal_gave_up(m, r->unit);
                manager_status_changed(m);
                break;
        case RECORD_PAUSED:
        case RECORD_RESUMED:
                bus_server_changed(m->server, BUS_CHANGE_PAUSES);
                bus_server_changed(m->server, BUS_CHANGE_STATE);
                manager_status_changed(m);
                break;
        default:
                break;
        }
}

static int on_log_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        manager_watch_log(userdata);
        return 0;
}

/* Nobody is at the journal's socket, and an unconnected one is always writable: waiting for that would be a busy loop. */
static int retry_log_later(Manager *m) {
        int r;

        if (m->log_retry) {
                r = sd_event_source_set_time_relative(m->log_retry, LOG_RETRY_USEC);
                if (r < 0)
                        return r;
                return sd_event_source_set_enabled(m->log_retry, SD_EVENT_ONESHOT);
        }
        r = sd_event_add_time_relative(m->event, &m->log_retry, CLOCK_MONOTONIC, LOG_RETRY_USEC, 0,
                                       on_log_retry, m);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(m->log_retry, "journal-retry");
        return sd_event_source_set_priority(m->log_retry, PRIORITY_IDLE);
}

static int on_log_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        int r;

        r = log_flush();
        if (r == -EAGAIN)
                return 0;
        if (r == -ENOTCONN)
                (void) retry_log_later(userdata); /* where even that fails, the next record tries again */
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

void manager_watch_log(Manager *m) {
        if (_likely_(!log_pending()))
                return;
        if (!m->log) {
                if (sd_event_add_io(m->event, &m->log, log_fd(), EPOLLOUT, on_log_writable, m) < 0)
                        return; /* the next record tries again */
                (void) sd_event_source_set_description(m->log, "journal");
                (void) sd_event_source_set_priority(m->log, PRIORITY_IDLE);
        }
        (void) sd_event_source_set_enabled(m->log, SD_EVENT_ON);
}
