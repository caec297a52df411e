/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * beat: be an agent, for tests by hand and for shell scripts.
 *
 * An agent is a process. `varta-ctl beat` beats once and ends, and to the observer that is an agent that appeared and
 * exited: good for trying out a socket, useless for observing a script. So there is `beat --stdin`: a process that lives
 * as long as the script does (it is started as its coprocess and ends with the pipe), and beats once for every line. A
 * script that hangs writes no line; one that dies closes the pipe.
 *
 * The coprocess must not be what fails: a line that makes no sense is complained about and passed over, and so is a beat
 * that could not be sent, once per reason until one gets through again.
 */

#include <errno.h>
#include <string.h>

#include "ctl/beat-open.h"
#include "ctl/output.h"
#include "util/instance.h"
#include "util/parse.h"
#include "vlp/frame.h"

/* How long to wait for room in the observer's queue: what libvarta recommends. */
#define BEAT_WAIT_MS 100U

/* The longest line: a status and a number take 20 bytes. */
#define LINE_SIZE 128U

static_assert((int) VARTA_STATUS_OK == (int) VLP_STATUS_OK &&
                              (int) VARTA_STATUS_CRITICAL == (int) VLP_STATUS_CRITICAL,
              "the library and the frame number the statuses alike");

typedef struct Beat {
        VartaStatus status;
        uint32_t payload;
} Beat;

static bool parse_status(const char *s, VartaStatus *ret) {
        VlpStatus status = vlp_status_from_string(s);

        /* Only the observer can say that somebody is stalled. */
        if (status < 0 || status == VLP_STATUS_STALL)
                return false;

        *ret = (VartaStatus) status;
        return true;
}

static CtlExit parse_options(const Options *options, Beat *ret) {
        Beat beat = { .status = VARTA_STATUS_OK };

        if (options->status && !parse_status(options->status, &beat.status)) {
                ctl_error("--status=%s is not a status; allowed: ok, degraded, critical.", options->status);
                return CTL_USAGE;
        }
        if (options->payload && parse_u32(options->payload, 0, UINT32_MAX, &beat.payload) < 0) {
                ctl_error("--payload=%s is not a number from 0 to %u.", options->payload, UINT32_MAX);
                return CTL_USAGE;
        }

        *ret = beat;
        return CTL_OK;
}

/* Words of a line, in any order: a status, a payload. What is not said stays as it is in *beat. */
static bool parse_line(char *line, Beat *beat) {
        char *state = NULL;

        for (char *w = strtok_r(line, " \t\r\n", &state); w; w = strtok_r(NULL, " \t\r\n", &state))
                if (!parse_status(w, &beat->status) && parse_u32(w, 0, UINT32_MAX, &beat->payload) < 0)
                        return false;
        return true;
}

static void explain_nobody(const Options *options, const char *place) {
        char unit[INSTANCE_NAME_SIZE];

        if (options->udp)
                ctl_error("Nothing listens at %s; on that host, try: systemctl enable --now %s", place,
                          options->key_file || options->master_key_file ? "varta-udp.socket"
                                                                        : "varta-udp-plaintext.socket");
        else
                ctl_error("Nothing listens at %s; try: systemctl enable --now %s", place,
                          instance_name(unit, "varta", options->instance, ".socket"));
}

static void explain(const Options *options, const char *place, int outcome) {
        switch (outcome) {
        case VARTA_DROPPED_NO_OBSERVER:
                explain_nobody(options, place);
                break;
        case VARTA_DROPPED_NOT_PERMITTED:
                if (options->udp)
                        ctl_error("Sending to %s is not permitted here.", place);
                else
                        ctl_error("You may not write to %s; become a member of its group (varta), or try "
                                  "with "
                                  "sudo.",
                                  place);
                break;
        case VARTA_DROPPED_QUEUE_FULL:
                ctl_error("%s stayed full for %u ms; the beat was dropped.",
                          options->udp ? "The queue to the network" : "The observer's queue", BEAT_WAIT_MS);
                break;
        case VARTA_DROPPED_NO_ROUTE:
                ctl_error("There is no way to %s at the moment.", place);
                break;
        default:
                if (outcome < 0)
                        ctl_error("Cannot send to %s: %s", place, strerror(-outcome));
                else
                        ctl_error("The beat was dropped: %s",
                                  varta_outcome_to_string(outcome) ?: "unknown reason");
        }
}

static CtlExit outcome_code(int outcome) {
        switch (outcome) {
        case VARTA_SENT:
                return CTL_OK;
        case VARTA_DROPPED_NO_OBSERVER:
        case VARTA_DROPPED_NOT_PERMITTED:
                return CTL_UNREACHABLE;
        default:
                return CTL_FAILURE;
        }
}

static CtlExit beat_once(const Options *options, const char *place, VartaAgent *agent, const Beat *beat) {
        int r = varta_beat_wait(agent, beat->status, beat->payload, BEAT_WAIT_MS);

        if (r != VARTA_SENT)
                explain(options, place, r);
        return outcome_code(r);
}

/* The rest of a line that did not fit. */
static void skip_line(void) {
        int c;

        do
                c = getchar();
        while (c != '\n' && c != EOF);
}

static CtlExit beat_lines(const Options *options, const char *place, VartaAgent *agent, const Beat *preset) {
        CtlExit code = CTL_OK;
        char line[LINE_SIZE];
        int last = VARTA_SENT;

        while (fgets(line, sizeof(line), stdin)) {
                bool whole = strchr(line, '\n') || feof(stdin);
                Beat beat = *preset;
                int r;

                if (!whole)
                        skip_line();
                if (!whole || !parse_line(line, &beat)) {
                        ctl_error("A line is a status (ok, degraded, critical), a payload, both or empty; "
                                  "this one was passed over.");
                        code = CTL_FAILURE;
                        continue;
                }

                r = varta_beat_wait(agent, beat.status, beat.payload, BEAT_WAIT_MS);
                if (r != VARTA_SENT && r != last)
                        explain(options, place, r);
                last = r;
        }

        return last == VARTA_SENT ? code : outcome_code(last);
}

CtlExit verb_beat(const Options *options, char **args, size_t n_args) {
        _cleanup_(varta_closep) VartaAgent *agent = NULL;
        char place[BEAT_PLACE_SIZE];
        CtlExit code;
        Beat beat;

        code = parse_options(options, &beat);
        if (code != CTL_OK)
                return code;
        code = beat_open(options, place, &agent);
        if (code != CTL_OK)
                return code;

        return options->from_stdin ? beat_lines(options, place, agent, &beat)
                                   : beat_once(options, place, agent, &beat);
}
