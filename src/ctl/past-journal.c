/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The past, from the journal.
 *
 * Anybody may write VARTA_UNIT= into the journal, but nobody may write _SYSTEMD_UNIT=: that journald adds, from what the
 * kernel says of the sender. So a record counts only if varta.service wrote it; what a process of another unit claims to
 * have been decided is not shown. (A user's own observer is told by _SYSTEMD_USER_UNIT= and the user.)
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "ctl/past.h"
#include "ctl/pattern.h"
#include "daemon/message-ids.h"
#include "util/instance.h"
#include "util/macro.h"
#include "util/parse.h"

/* The longest value that is read: a sentence of recovery, twice. */
#define VALUE_SIZE 1024U

/* "MESSAGE_ID=" or "VARTA_UNIT=" and what may follow. */
#define MATCH_SIZE (UNIT_NAME_MAX + 32)

static const struct {
        const char *id, *kind;
        bool is_event; /* happened to an agent; all others are recovery's decisions */
} kinds[] = {
        { MESSAGE_STALL_ID, "stall", true },
        { MESSAGE_RESUMED_ID, "beats-again", true },
        { MESSAGE_EXITED_ID, "exited", true },
        { MESSAGE_RECOVERY_REFUSED_ID, "refused", false },
        { MESSAGE_RECOVERY_STARTED_ID, "started", false },
        { MESSAGE_RECOVERY_FINISHED_ID, "finished", false },
        { MESSAGE_GAVE_UP_ID, "gave-up", false },
        { MESSAGE_LEFT_GAVE_UP_ID, "left-gave-up", false },
        { MESSAGE_RECOVERY_PAUSED_ID, "paused", false },
        { MESSAGE_RECOVERY_RESUMED_ID, "resumed", false },
        { MESSAGE_STORM_BRAKE_ID, "brake", false },
        { MESSAGE_HELPER_FAILED_ID, "helper-failed", false },
        { MESSAGE_RECOVERY_STATE_ID, "state", false },
};

static int match(sd_journal *j, const char *field, const char *value) {
        char buf[MATCH_SIZE];

        (void) snprintf(buf, sizeof(buf), "%s=%s", field, value);
        return sd_journal_add_match(j, buf, 0);
}

static int match_observer(sd_journal *j, const Options *options) {
        char uid[32], unit[INSTANCE_NAME_SIZE];
        int r;

        (void) instance_name(unit, "varta", options->instance, ".service");
        if (!options->user)
                return match(j, "_SYSTEMD_UNIT", unit);

        (void) snprintf(uid, sizeof(uid), "%u", (unsigned) getuid());
        r = match(j, "_UID", uid);
        return r < 0 ? r : match(j, "_SYSTEMD_USER_UNIT", unit);
}

static int match_query(sd_journal *j, const PastQuery *query) {
        char unit[PATTERN_SIZE], pid[16];
        int r;

        r = match_observer(j, query->options);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                if (kinds[i].is_event && !query->events)
                        continue;
                r = match(j, "MESSAGE_ID", kinds[i].id);
                if (r < 0)
                        return r;
        }

        if (query->pid > 0) {
                (void) snprintf(pid, sizeof(pid), "%" PRIu32, query->pid);
                r = match(j, "VARTA_PID", pid);
                if (r < 0)
                        return r;
        }

        /* The journal's own index is the quick way to a single unit; what else was asked for is looked at below. */
        if (query->n_args != 1 || query->options->n_units > 0 || unit_glob_is_pattern(query->args[0]))
                return 0;
        return match(j, "VARTA_UNIT", pattern_unit(query->args[0], unit));
}

/* The value of a field of the current entry; "" when it has none. */
static const char *get(sd_journal *j, const char *field, char buf[static VALUE_SIZE]) {
        size_t size, skip = strlen(field) + 1;
        const void *data;

        buf[0] = 0;
        if (sd_journal_get_data(j, field, &data, &size) < 0 || size < skip)
                return buf;

        size = MIN(size - skip, (size_t) VALUE_SIZE - 1);
        memcpy(buf, (const char *) data + skip, size);
        buf[size] = 0;
        return buf;
}

static uint32_t get_number(sd_journal *j, const char *field) {
        char buf[VALUE_SIZE];
        uint32_t n;

        return parse_u32(get(j, field, buf), 0, UINT32_MAX, &n) < 0 ? 0 : n;
}

static const char *get_kind(sd_journal *j) {
        char id[VALUE_SIZE];

        (void) get(j, "MESSAGE_ID", id);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(kinds[i].id, id) == 0)
                        return kinds[i].kind;
        return "";
}

static int add_entry(sd_journal *j, const PastQuery *query, PastView *v) {
        char unit[VALUE_SIZE], reason[VALUE_SIZE], sentence[VALUE_SIZE];
        PastRow row = { .kind = (char *) get_kind(j), .unit = unit, .reason = reason, .sentence = sentence };
        int r;

        if (!pattern_match(query->options, query->args, query->n_args, get(j, "VARTA_UNIT", unit)))
                return 0;

        r = sd_journal_get_realtime_usec(j, &row.when);
        if (r < 0)
                return r;
        row.pid = get_number(j, "VARTA_PID");
        row.attempt = get_number(j, "VARTA_ATTEMPT");
        (void) get(j, "MESSAGE", sentence);
        /* How it ended tells more than why it began, and is what the observer's own memory has. */
        if (!get(j, "VARTA_OUTCOME", reason)[0])
                (void) get(j, "VARTA_REASON", reason);
        return past_view_add(v, &row);
}

int past_view_read_journal(const PastQuery *query, PastView *ret) {
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;
        _cleanup_(past_view_done) PastView v = {};
        int r;

        r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY | (query->options->user ? 0 : SD_JOURNAL_SYSTEM));
        if (r < 0)
                return r;
        (void) sd_journal_set_data_threshold(j, VALUE_SIZE);
        r = match_query(j, query);
        if (r < 0)
                return r;
        r = sd_journal_seek_tail(j);
        if (r < 0)
                return r;

        while (v.n_rows < query->max && (r = sd_journal_previous(j)) > 0) {
                r = add_entry(j, query, &v);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        *ret = v;
        v = (PastView){};
        return 0;
}
