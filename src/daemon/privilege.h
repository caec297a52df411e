/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Gives up every capability, for good: permitted, effective, inheritable, ambient, and the bounding set as far as the
 * process may. Returns 0, or negative errno when something is still held. */
int privilege_drop(void);

/* What is held now, in libcap's words; "none" when nothing is, "unknown" when the kernel does not say. Free *ret.
 * Returns 0, -ENOMEM. */
int privilege_describe(char **ret);
