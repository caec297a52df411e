/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same program as C++: the header must be that, too. */
#include "test-header-secure.c"
