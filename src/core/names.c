/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The stable names of core's enums: on the bus, in the journal, in metrics. Never change one. */

#include "core/types.h"

#define DEFINE_TO_STRING(prefix, Type, names)                                                               \
        const char *prefix##_to_string(Type v) {                                                            \
                if ((int) v < 0 || (size_t) v >= ELEMENTSOF(names))                                         \
                        return NULL;                                                                        \
                return names[v];                                                                            \
        }

static const char *const origin_names[_ORIGIN_MAX] = {
        [ORIGIN_NETWORK_UNVERIFIED] = "network-unverified",
        [ORIGIN_SOCKET_MODE_ONLY] = "socket-mode-only",
        [ORIGIN_OPERATOR_ATTESTED] = "operator-attested",
        [ORIGIN_KERNEL_ATTESTED] = "kernel-attested",
};
DEFINE_TO_STRING(origin, Origin, origin_names)

static const char *const stall_reason_names[_STALL_REASON_MAX] = {
        [STALL_SILENT] = "silent",
        [STALL_EXITED] = "exited",
        [STALL_NEVER_BEAT] = "never-beat",
};
DEFINE_TO_STRING(stall_reason, StallReason, stall_reason_names)

static const char *const reject_class_names[_REJECT_CLASS_MAX] = {
        [REJECT_DECODE] = "decode",
        [REJECT_AUTH_FAILURE] = "auth-failure",
        [REJECT_ORIGIN_CONFLICT] = "origin-conflict",
        [REJECT_NAMESPACE_CONFLICT] = "namespace-conflict",
        [REJECT_CONTROL_TRUNCATED] = "control-truncated",
        [REJECT_IO_ERROR] = "io-error",
        [REJECT_DECRYPT_FAILED] = "decrypt-failed",
};
DEFINE_TO_STRING(reject_class, RejectClass, reject_class_names)

static const char *const rate_limit_names[_RATE_LIMIT_MAX] = {
        [RATE_LIMIT_PER_PID] = "per-pid",
        [RATE_LIMIT_GLOBAL] = "global",
        [RATE_LIMIT_PER_UID] = "per-uid",
        [RATE_LIMIT_UNOPENED] = "unopened",
};
DEFINE_TO_STRING(rate_limit, RateLimit, rate_limit_names)

static const char *const verdict_names[_VERDICT_MAX] = {
        [VERDICT_INSERTED] = "inserted",
        [VERDICT_REFRESHED] = "refreshed",
        [VERDICT_GONE] = "gone",
        [VERDICT_MIS_SIZED] = "mis-sized",
        [VERDICT_CONTROL_TRUNCATED] = "control-truncated",
        [VERDICT_IO_ERROR] = "io-error",
        [VERDICT_DECODE_ERROR] = "decode-error",
        [VERDICT_PID_ABOVE_MAX] = "pid-above-max",
        [VERDICT_AUTH_FAILURE] = "auth-failure",
        [VERDICT_RATE_LIMITED] = "rate-limited",
        [VERDICT_NAMESPACE_DROP] = "namespace-drop",
        [VERDICT_ORIGIN_CONFLICT] = "origin-conflict",
        [VERDICT_NAMESPACE_CONFLICT] = "namespace-conflict",
        [VERDICT_OUT_OF_ORDER] = "out-of-order",
        [VERDICT_CAPACITY_EXCEEDED] = "capacity-exceeded",
        [VERDICT_DECRYPT_FAILED] = "decrypt-failed",
        [VERDICT_REPLAYED] = "replayed",
        [VERDICT_SENDER_TABLE_FULL] = "sender-table-full",
};
DEFINE_TO_STRING(verdict, Verdict, verdict_names)
