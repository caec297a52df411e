/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The texts of /proc and of cgroups. Every parser gets every input: what is a hostile stat is a strange status, too.
 *
 * Beyond "does not crash": what comes out is within what others rely on, whatever went in. A unit's name can be shown
 * and sent to the bus, and a path to a unit's cgroup leads nowhere else.
 */

#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "ingress/proc-text.h"
#include "util/unit-name.h"

#define MANAGER "user@1000.service"

static void check_stat(const char *text) {
        uint64_t start = 77;

        if (proc_parse_start_time(text, &start) < 0)
                CHECK(start == 77);
        else
                CHECK(strchr(text, ')'));
}

static void check_status(const char *text) {
        uint32_t uids[4] = { 7, 7, 7, 7 }, inner = 77;
        NamespaceRelation relation = _NAMESPACE_RELATION_MAX;
        int r;

        if (proc_parse_uids(text, uids) < 0)
                CHECK(uids[0] == 7 && uids[1] == 7 && uids[2] == 7 && uids[3] == 7);
        else
                CHECK(strstr(text, "Uid:"));

        r = proc_parse_nspid(text, &relation, &inner);
        if (r < 0)
                CHECK(relation == _NAMESPACE_RELATION_MAX && inner == 77);
        else {
                CHECK(relation == NAMESPACE_OWN || relation == NAMESPACE_FOREIGN);
                CHECK(inner > 0);
        }
        if (!strstr(text, "NSpid:"))
                CHECK(r == -ENODATA);
}

/* Whether one of the components of the path is "..". */
static bool goes_up(const char *path, size_t size) {
        size_t begin = 0;

        for (size_t i = 0; i <= size; i++)
                if (i == size || path[i] == '/') {
                        if (i - begin == 2 && memcmp(path + begin, "..", 2) == 0)
                                return true;
                        begin = i + 1;
                }
        return false;
}

static void check_unit(const char *path, size_t size, const char *manager) {
        char unit[UNIT_NAME_SIZE];
        size_t prefix = 0, n;
        int r;

        r = cgroup_path_unit(path, size, manager, unit, &prefix);
        CHECK(r == 0 || r == -ENXIO || r == -ENAMETOOLONG);
        if (r < 0)
                return;
        n = strlen(unit);
        CHECK(n > 0 && n < UNIT_NAME_SIZE);
        CHECK(unit_name_is_valid(unit) && !unit_name_is_template(unit));
        CHECK(!unit_name_has_suffix(unit, ".slice"));

        CHECK(prefix <= size && prefix >= n);
        CHECK(memcmp(path + prefix - n, unit, n) == 0);
        CHECK(prefix == size || path[prefix] == '/');
        CHECK(!goes_up(path, prefix));
        CHECK(!memchr(path, 0, prefix));
        if (manager)
                CHECK(memmem(path, prefix, manager, strlen(manager)));
}

static void check_cgroup(const char *text) {
        const char *path = NULL;
        size_t size = 77;

        if (proc_parse_cgroup(text, &path, &size) < 0) {
                CHECK(!path && size == 77);
                return;
        }
        CHECK(path > text && path + size <= text + strlen(text));
        CHECK(size > 0 && *path == '/' && !memchr(path, '\n', size));
        check_unit(path, size, NULL);
        check_unit(path, size, MANAGER);
}

static void check_invocation(const char *text, size_t size) {
        static const char digits[] = "0123456789abcdef";
        uint8_t id[INVOCATION_ID_SIZE];

        if (invocation_id_parse(text, size, id) < 0)
                return;
        CHECK(size == 2 * sizeof(id));
        for (size_t i = 0; i < sizeof(id); i++)
                CHECK(text[2 * i] == digits[id[i] >> 4] && text[2 * i + 1] == digits[id[i] & 15]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1), *bare = malloc(size > 0 ? size : 1);

        CHECK(text && bare);
        if (size > 0) {
                memcpy(text, data, size);
                memcpy(bare, data, size);
        }
        text[size] = 0;

        check_stat(text);
        check_status(text);
        check_cgroup(text);

        /* These are given with their length, and need no end. */
        check_unit(bare, size, NULL);
        check_unit(bare, size, MANAGER);
        check_invocation(bare, size);
        free(text);
        free(bare);
        return 0;
}
