/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of metrics.
 *
 * Names follow Prometheus's rules: base units, "_total" on counters, nouns. A name is never changed and never reused: somebody
 * has a dashboard with it. What is refused is one family with a reason, because the first question is "is
 * anything refused", and the second one "why": beats and refusals add up to what was received. The closed sets repeat names
 * of core and recovery, which this library does not know; a test compares them.
 */

#include "metrics/metrics.h"

static const char *const states[] = { "running", "paused", "overloaded", "degraded-config", NULL };

static const char *const kinds[] = { "unix", "udp", "udp-secure", NULL };

static const char *const decode_errors[] = { "BadMagic",     "BadVersion",  "BadCrc",
                                             "BadStatus",    "StallOnWire", "BadPid",
                                             "BadTimestamp", "BadNonce",    NULL };

static const char *const rate_limits[] = { "per-pid", "global", "per-uid", "unopened", NULL };

static const char *const outcomes[] = {
        "recovered", "no-beat",         "stopped-meanwhile", "job-failed", "job-canceled",
        "timeout",   "start-limit-hit", "access-denied",     "unit-gone",  "bus-lost",
        NULL
};

static const char *const refusals[] = { "mode-off",
                                        "mode-warn",
                                        "unauthenticated-transport",
                                        "socket-mode-only",
                                        "cross-namespace",
                                        "unconfirmed",
                                        "process-changed",
                                        "no-unit",
                                        "not-eligible",
                                        "resumed",
                                        "paused",
                                        "traced",
                                        "frozen",
                                        "unit-not-active",
                                        "quorum",
                                        "grace",
                                        "host-starved",
                                        "backoff",
                                        "gave-up",
                                        "storm",
                                        "in-flight",
                                        "capacity",
                                        NULL };

static const char *const unit_states[] = { "ok",     "stalled", "recovering", "backoff",
                                           "paused", "gave-up", NULL };

static const char *const scrapes[] = { "fresh", "stale", "none", NULL };
static const char *const requests[] = { "unauthorized", "not-found", "method", NULL };

/* Rows without a label, and one row of a family that has one value of the label from each key. */
#define GAUGE(n, k, h)                                                                                      \
        { .name = n, .key = k, .help = h, .group = METRICS_OBSERVER }
#define SECONDS(n, k, h)                                                                                    \
        { .name = n, .key = k, .help = h, .unit = "seconds", .group = METRICS_OBSERVER }
#define COUNTER(n, k, h)                                                                                    \
        { .name = n, .key = k, .help = h, .type = METRIC_COUNTER, .group = METRICS_OBSERVER }
#define EACH(n, l, v, k, h)                                                                                 \
        {                                                                                                   \
                .name = n, .key = k, .help = h, .label = l, .values = v, .type = METRIC_COUNTER,            \
                .shape = METRIC_EACH, .group = METRICS_OBSERVER                                             \
        }
#define REFUSED_AS(r, k, s)                                                                                 \
        {                                                                                                   \
                .name = "varta_datagrams_refused", .key = k, .label = "reason", .value = r,                 \
                .type = METRIC_COUNTER, .shape = s, .group = METRICS_OBSERVER,                              \
                .help = "Datagrams that became no beat, by reason."                                         \
        }
#define REFUSED(r, k) REFUSED_AS(r, k, METRIC_NUMBER)
#define INDEX_ERROR(v, k)                                                                                   \
        {                                                                                                   \
                .name = "varta_index_errors", .key = k, .label = "kind", .value = v,                        \
                .type = METRIC_COUNTER, .group = METRICS_OBSERVER,                                          \
                .help = "Trouble in the index of agents that cannot happen, and was survived."              \
        }
#define UNIT(n, k, t, h)                                                                                    \
        { .name = n, .key = k, .help = h, .type = t, .shape = METRIC_UNIT, .group = METRICS_OBSERVER }

const Metric metrics_table[] = {
        { .name = "varta_up",
          .key = "Up",
          .group = METRICS_SCRAPE,
          .help = "Whether the observer answered; if it did not, its last answer is shown, or nothing." },
        { .name = "varta_snapshot_age_seconds",
          .key = "SnapshotAgeUSec",
          .unit = "seconds",
          .group = METRICS_SCRAPE,
          .help = "How old the observer's answer is that is shown here." },

        { .name = "varta_build",
          .key = "Version",
          .label = "version",
          .type = METRIC_INFO,
          .shape = METRIC_TEXT,
          .group = METRICS_OBSERVER,
          .help = "The observer's version." },
        SECONDS("varta_start_time_seconds", "StartTimeUSec",
                "When the observer was started, in seconds since 1970."),
        { .name = "varta_state",
          .key = "State",
          .label = "state",
          .values = states,
          .shape = METRIC_ONE_OF,
          .group = METRICS_OBSERVER,
          .help = "The observer's own state: 1 for the one it is in." },
        GAUGE("varta_agents", "AgentsTracked", "Agents that are observed."),
        GAUGE("varta_agents_stalled", "AgentsStalled", "Observed agents that are silent for too long."),
        GAUGE("varta_agents_capacity", "Capacity", "Agents that can be observed at once."),
        GAUGE("varta_descriptor_budget", "DescriptorBudget",
              "Agents that can be observed with a descriptor of their process, which tells their exit at "
              "once."),
        SECONDS("varta_stall_threshold_seconds", "ThresholdUSec",
                "The silence that makes a stall, where nothing else is configured for a unit."),

        EACH("varta_datagrams", "kind", kinds, "Datagrams",
             "Datagrams taken off the sockets that listen, by transport."),
        COUNTER("varta_beats", "Beats", "Beats accepted."),
        REFUSED("mis-sized", "MisSized"),
        REFUSED("control-truncated", "ControlTruncated"),
        REFUSED("io-error", "IoErrors"),
        REFUSED_AS("decode-error", "DecodeErrors", METRIC_SUM),
        REFUSED("pid-above-max", "PidAboveMaxDrops"),
        REFUSED("auth-failure", "AuthFailures"),
        REFUSED_AS("rate-limited", "RateLimited", METRIC_SUM),
        REFUSED("namespace-drop", "NamespaceDrops"),
        REFUSED("origin-conflict", "OriginConflicts"),
        REFUSED("namespace-conflict", "NamespaceConflicts"),
        REFUSED("out-of-order", "OutOfOrder"),
        REFUSED("capacity-exceeded", "CapacityExceeded"),
        REFUSED("decrypt-failed", "DecryptFailures"),
        REFUSED("replayed", "ReplaysRefused"),
        REFUSED("sender-table-full", "SenderTableFull"),
        EACH("varta_decode_errors", "reason", decode_errors, "DecodeErrors",
             "Frames that could not be decoded, by the protocol's name of the error."),
        EACH("varta_rate_limited", "reason", rate_limits, "RateLimited",
             "Datagrams refused by a rate limit, by limit."),
        COUNTER("varta_queue_drops", "QueueDrops",
                "Datagrams that the kernel dropped before the observer read them."),

        COUNTER("varta_stalls", "Stalls", "Stalls concluded from silence."),
        COUNTER("varta_resumes", "Resumes", "Stalled agents that beat again."),
        COUNTER("varta_exits", "Exits", "Processes of agents that exited."),
        COUNTER("varta_forgotten", "Forgotten",
                "Stalled agents, without a descriptor of their process, that were forgotten."),
        COUNTER("varta_evictions", "Evictions", "Agents that lost their place to another one."),
        COUNTER("varta_evictions_truncated", "EvictionTruncated",
                "Searches for an agent to evict that ended at their bound."),
        COUNTER("varta_pid_recycles", "PidRecycles", "Pids that came back as another process."),
        COUNTER("varta_nonce_wraps", "NonceWraps", "Nonces that began anew after the largest one."),
        INDEX_ERROR("invariant", "InvariantViolations"),
        INDEX_ERROR("probe", "ProbeExhausted"),
        COUNTER("varta_clock_regressions", "ClockRegressions", "Readings of the clock below the last one."),
        COUNTER("varta_clock_jumps", "ClockJumps",
                "Jumps of the clock; after each nobody is called silent for one threshold."),
        COUNTER("varta_aead_attempts", "AeadAttempts", "Keys tried on sealed datagrams."),
        COUNTER("varta_signals_suppressed", "SignalsSuppressed",
                "Signals not sent because the bus did not take them."),
        COUNTER("varta_journal_dropped", "JournalDropped", "Records that the journal did not take."),

        EACH("varta_recoveries", "outcome", outcomes, "RecoveryOutcomes",
             "Recoveries that ended, by outcome."),
        EACH("varta_recovery_refusals", "reason", refusals, "RecoveryRefusals",
             "Times a stalled agent was not recovered, by the first reason against it."),

        UNIT("varta_unit_agents", "UnitAgents", METRIC_GAUGE, "Agents of the unit."),
        UNIT("varta_unit_agents_stalled", "UnitAgentsStalled", METRIC_GAUGE, "Stalled agents of the unit."),
        UNIT("varta_unit_beats", "UnitBeats", METRIC_COUNTER, "Beats accepted from the unit."),
        UNIT("varta_unit_restarts", "UnitRestarts", METRIC_COUNTER, "Restarts of the unit by the observer."),
        { .name = "varta_unit_stall_threshold_seconds",
          .key = "UnitThresholdUSec",
          .unit = "seconds",
          .shape = METRIC_UNIT,
          .group = METRICS_OBSERVER,
          .help = "The silence that makes a stall in the unit." },
        { .name = "varta_unit_state",
          .key = "UnitStates",
          .label = "state",
          .values = unit_states,
          .shape = METRIC_UNIT_ONE_OF,
          .group = METRICS_OBSERVER,
          .help = "The state of the unit and its recovery: 1 for the one it is in." },

        { .name = "varta_exporter_scrapes",
          .key = "Scrapes",
          .label = "outcome",
          .values = scrapes,
          .type = METRIC_COUNTER,
          .shape = METRIC_EACH,
          .group = METRICS_EXPORTER,
          .help = "Scrapes answered: with a fresh answer of the observer, with a stale one, with none." },
        { .name = "varta_exporter_scrapes_delayed",
          .key = "ScrapesDelayed",
          .type = METRIC_COUNTER,
          .group = METRICS_EXPORTER,
          .help = "Scrapes that had to wait for their turn, because more came than are answered at once." },
        { .name = "varta_exporter_requests_refused",
          .key = "RequestsRefused",
          .label = "reason",
          .values = requests,
          .type = METRIC_COUNTER,
          .shape = METRIC_EACH,
          .group = METRICS_EXPORTER,
          .help = "HTTP requests that were refused, by reason." },
        { .name = "varta_exporter_connections_ended",
          .key = "ConnectionsEnded",
          .type = METRIC_COUNTER,
          .group = METRICS_EXPORTER,
          .help = "HTTP connections that were too slow to ask or to read, and were ended." },
        { .name = "varta_exporter_snapshot_failures",
          .key = "SnapshotFailures",
          .type = METRIC_COUNTER,
          .group = METRICS_EXPORTER,
          .help = "Questions that the observer did not answer." },
        { .name = "varta_exporter_snapshot_duration_seconds",
          .key = "SnapshotDurationUSec",
          .unit = "seconds",
          .group = METRICS_EXPORTER,
          .help = "How long the observer took for its last answer." },
        {},
};

const char *metric_type_to_string(MetricType t) {
        static const char *const names[_METRIC_TYPE_MAX] = {
                [METRIC_GAUGE] = "gauge",
                [METRIC_COUNTER] = "counter",
                [METRIC_INFO] = "info",
        };

        return (int) t >= 0 && t < _METRIC_TYPE_MAX ? names[t] : NULL;
}

const char *metric_suffix(const Metric *metric) {
        return metric->type == METRIC_COUNTER ? "_total" : metric->type == METRIC_INFO ? "_info" : "";
}

bool metric_is_of_units(const Metric *metric) {
        return metric->shape == METRIC_UNIT || metric->shape == METRIC_UNIT_ONE_OF;
}
