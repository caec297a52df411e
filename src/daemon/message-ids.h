/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The journal's message ids. Each has an entry in the catalog; none is ever reused for something else. */

#define MESSAGE_STALL_ID             "463569bc264841b996c072a252cbaddd"
#define MESSAGE_RESUMED_ID           "b57c35373eaa4316b21e5157154a7f43"
#define MESSAGE_EXITED_ID            "dfcd3cb743d84594b45e24bad8678e45"
#define MESSAGE_REJECTED_ID          "dceec9994c3747b2a21d2a2da7a31187"
#define MESSAGE_RECOVERY_STARTED_ID  "8a0b1e8a9d734e479b7ee1b09757973f"
#define MESSAGE_RECOVERY_FINISHED_ID "5f3e5b762fd44264b898e023f2038877"
#define MESSAGE_RECOVERY_REFUSED_ID  "a3ea80edaf934691903e55ba4ba3bb9f"
#define MESSAGE_GAVE_UP_ID           "62b2fc67d36c481f9088909d79d2f0f7"
#define MESSAGE_CLOCK_JUMPED_ID      "3f2e341904b8497db07322b067e849b2"
#define MESSAGE_OVERLOADED_ID        "d8374607447346c783efc9db438e8043"
#define MESSAGE_DESCRIPTORS_ID       "c5cf31c7884c4f30b883d892a27118d3"
#define MESSAGE_CONFIG_REFUSED_ID    "fa82d401c20c4a52b701fc413cf73fd8"
