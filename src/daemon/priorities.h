/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who goes first on the event loop. sd-event serves only the highest priority (the lowest number) that is pending,
 * one source per turn.
 */

enum {
        /* Queued beats are read before exits and silence are judged: a beat that is there counts. */
        PRIORITY_INGRESS = -40,

        /* Then deaths: they free slots and end what stands for them. */
        PRIORITY_EXITS = -30,

        /* Then silence, and what was concluded from it. */
        PRIORITY_TIMER = -20,
        PRIORITY_STALLS = -15,

        /* Recovery and systemd's answers before whoever asks questions. */
        PRIORITY_RECOVERY = -10,
        PRIORITY_SYSTEMD_BUS = -10,

        PRIORITY_SIGNALS = -5,
        PRIORITY_CLIENT_BUS = 0,
        PRIORITY_CHANGES = 5,

        /* What nobody waits for: the journal's backlog, the status line. */
        PRIORITY_IDLE = 50,

        /* Where ingress steps for a round while it is flooded: below everything else. */
        PRIORITY_INGRESS_YIELDING = 100,
};
