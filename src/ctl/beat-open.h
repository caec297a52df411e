/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the heartbeats of `varta-ctl beat` go: a socket of this machine, or the network, sealed or not. */

#include "client/varta.h"
#include "ctl/ctl.h"

/* Long enough for "udp:[ADDRESS%INTERFACE]:PORT" and for the path of any socket; what is longer is cut. */
#define BEAT_PLACE_SIZE 128

/* Opens what --socket=, or --udp= and the files of keys ask for. Returns CTL_OK and, in *ret, a handle that the caller
 * closes, and in `ret_place` how to call that place to people; or another code, after saying what is wrong. */
CtlExit beat_open(const Options *options, char ret_place[static BEAT_PLACE_SIZE], VartaAgent **ret);
