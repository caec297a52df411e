/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who asks for the password that polkit wants: pkttyagent(1), on the terminal that we run on. */

#include "ctl/ctl.h"

/*
 * Starts the agent, once, and waits until polkit knows it. Does nothing for root, for a user's own bus, on other hosts
 * and in containers, with --no-ask-password, and where there is no terminal to ask on. That there is no pkttyagent is no
 * error: an agent of the desktop may do, and else polkit says no.
 */
void password_agent_open(const Options *options);

/* Ends it and waits for that: it gives the terminal back as it was. */
void password_agent_close(void);
