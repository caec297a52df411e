/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The text of /proc/PID/{stat,status,cgroup}, the path of a cgroup in both modes, and an invocation id: the same input as
 * each of them. What a parser accepts has to make sense; what it refuses leaves its outputs alone.
 */

#include <string.h>

#include "fuzz.h"
#include "ingress/proc-text.h"

#define UNTOUCHED UINT32_C(0xdeadbeef)

static void as_stat(const char *text) {
        uint64_t start = UNTOUCHED;
        int r = proc_parse_start_time(text, &start);

        CHECK(r == 0 || (r == -EINVAL && start == UNTOUCHED));
}

static void as_status(const char *text) {
        uint32_t uids[4] = { UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED }, inner = UNTOUCHED;
        NamespaceRelation relation = NAMESPACE_UNKNOWN;
        int r;

        r = proc_parse_uids(text, uids);
        CHECK(r == 0 || (r == -EINVAL && uids[0] == UNTOUCHED && uids[3] == UNTOUCHED));
        r = proc_parse_nspid(text, &relation, &inner);
        CHECK(r == 0 || ((r == -EINVAL || r == -ENODATA) && inner == UNTOUCHED));
        CHECK(r < 0 || (inner > 0 && (relation == NAMESPACE_OWN || relation == NAMESPACE_FOREIGN)));
}

static void as_path(const char *path, size_t size, const char *manager) {
        char unit[UNIT_NAME_SIZE] = "?";
        size_t prefix = SIZE_MAX;
        int r;

        r = cgroup_path_unit(path, size, manager, unit, &prefix);
        if (r < 0) {
                CHECK(r == -ENXIO || r == -ENAMETOOLONG);
                CHECK(prefix == SIZE_MAX && strcmp(unit, "?") == 0);
                return;
        }
        CHECK(prefix <= size && strlen(unit) <= prefix);
        CHECK(memcmp(path + prefix - strlen(unit), unit, strlen(unit)) == 0);
        CHECK(!strchr(unit, '/'));
}

static void as_cgroup(const char *text) {
        const char *path;
        size_t size;

        if (proc_parse_cgroup(text, &path, &size) < 0)
                return;
        CHECK(path[0] == '/' && path >= text && path + size <= text + strlen(text));
        CHECK(!memchr(path, '\n', size));
        as_path(path, size, NULL);
        as_path(path, size, "user@1000.service");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t id[INVOCATION_ID_SIZE];
        char *text;

        text = malloc(size + 1);
        CHECK(text);
        if (size > 0)
                memcpy(text, data, size);
        text[size] = 0;

        as_stat(text);
        as_status(text);
        as_cgroup(text);
        as_path(text, strlen(text), NULL);
        as_path(text, strlen(text), "user@1000.service");
        (void) invocation_id_parse(text, size, id);
        free(text);
        return 0;
}
