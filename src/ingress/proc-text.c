/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Parsing what /proc says. The files are the kernel's, but the names inside them are the process's own choice:
 * commands with newlines escaped, spaces and parentheses; cgroups made by whoever was delegated one.
 */

#include <stdlib.h>
#include <string.h>

#include "ingress/proc-text.h"
#include "util/proc.h"
#include "util/unit-name.h"

/* The value behind a key, past the white space; NULL when there is none. */
static const char *status_find(const char *status, const char *key) {
        const char *p = proc_find_line(status, key);

        return p ? p + strspn(p, " \t") : NULL;
}

int proc_parse_uids(const char *status, uint32_t ret[4]) {
        const char *p = status_find(status, "Uid:");
        uint32_t uids[4];

        if (!p)
                return -EINVAL;
        for (size_t i = 0; i < 4; i++) {
                uint64_t n;
                int r;

                r = proc_parse_number(&p, &n);
                if (r < 0)
                        return r;
                if (n > UINT32_MAX)
                        return -EINVAL;
                uids[i] = (uint32_t) n;
                p += strspn(p, " \t");
        }
        if (*p && *p != '\n')
                return -EINVAL;
        memcpy(ret, uids, sizeof(uids));
        return 0;
}

int proc_parse_nspid(const char *status, NamespaceRelation *ret_relation, uint32_t *ret_inner) {
        const char *p = status_find(status, "NSpid:");
        unsigned entries = 0;
        uint64_t n = 0;

        if (!p)
                return -ENODATA;
        while (*p && *p != '\n') {
                int r = proc_parse_number(&p, &n);

                if (r < 0)
                        return r;
                if (n == 0 || n > UINT32_MAX)
                        return -EINVAL;
                entries++;
                p += strspn(p, " \t");
        }
        if (entries == 0)
                return -EINVAL;
        *ret_relation = entries == 1 ? NAMESPACE_OWN : NAMESPACE_FOREIGN;
        *ret_inner = (uint32_t) n;
        return 0;
}

int proc_parse_cgroup(const char *cgroup, const char **ret_path, size_t *ret_size) {
        const char *unified = NULL, *old = NULL, *path;

        for (const char *p = cgroup; *p; p += *p == '\n') {
                size_t digits = strspn(p, "0123456789");

                if (!unified && strncmp(p, "0::/", STRLEN("0::/")) == 0)
                        unified = p + STRLEN("0::");
                else if (!old && digits > 0 &&
                         strncmp(p + digits, ":name=systemd:/", STRLEN(":name=systemd:/")) == 0)
                        old = p + digits + STRLEN(":name=systemd:");
                p += strcspn(p, "\n");
        }

        /* Somebody may mount a unified hierarchy that systemd does not use: everybody is in its root then. */
        path = old && (!unified || strcspn(unified, "\n") == STRLEN("/")) ? old : unified;
        if (!path)
                return -ENODATA;
        *ret_path = path;
        *ret_size = strcspn(path, "\n");
        return 0;
}

static_assert(UNIT_NAME_SIZE == UNIT_NAME_MAX, "core and util agree on how long a unit's name is");

static bool ends_with(const char *s, size_t n, const char *suffix) {
        size_t k = strlen(suffix);

        return n > k && memcmp(s + n - k, suffix, k) == 0;
}

/* systemd puts a unit's processes into a cgroup named like the unit, of one of these kinds. */
static bool is_unit(const char *s, size_t n) {
        static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (ends_with(s, n, suffixes[i]))
                        return true;
        return false;
}

/* Skips "/" and all slices; leaves *p at the first other component and returns its length. */
static size_t skip_slices(const char **p, const char *end) {
        for (;;) {
                size_t n;

                while (*p < end && **p == '/')
                        (*p)++;
                n = (size_t) (end - *p);
                for (size_t i = 0; i < n; i++)
                        if ((*p)[i] == '/') {
                                n = i;
                                break;
                        }
                if (!ends_with(*p, n, ".slice"))
                        return n;
                *p += n;
        }
}

int cgroup_path_unit(const char *path, size_t size, const char *manager, char *ret_unit,
                     size_t *ret_prefix) {
        const char *p = path, *end = path + size, *name;
        char unit[UNIT_NAME_SIZE];
        size_t n;

        if (memchr(path, 0, size))
                return -ENXIO;
        n = skip_slices(&p, end);
        if (manager) {
                if (n != strlen(manager) || memcmp(p, manager, n) != 0)
                        return -ENXIO;
                p += n;
                n = skip_slices(&p, end);
        }

        /* A leading "_" keeps names such as "cgroup.procs" apart from the kernel's own files. */
        name = p;
        if (n > 1 && name[0] == '_') {
                name++;
                n--;
        }
        if (!is_unit(name, n))
                return -ENXIO;
        if (n >= sizeof(unit))
                return -ENAMETOOLONG;
        memcpy(unit, name, n);
        unit[n] = 0;
        /* A user makes cgroups as they please below their own manager's. What is no unit's name must reach neither
         * the bus nor a terminal. */
        if (!unit_name_is_valid(unit) || unit_name_is_template(unit))
                return -ENXIO;

        memcpy(ret_unit, unit, n + 1);
        *ret_prefix = (size_t) (name + n - path);
        return 0;
}

int invocation_id_parse(const char *text, size_t size, uint8_t ret[INVOCATION_ID_SIZE]) {
        uint8_t id[INVOCATION_ID_SIZE];

        if (size != 2 * INVOCATION_ID_SIZE)
                return -EINVAL;
        for (size_t i = 0; i < size; i++) {
                char c = text[i];
                unsigned v;

                if (c >= '0' && c <= '9')
                        v = (unsigned) (c - '0');
                else if (c >= 'a' && c <= 'f')
                        v = (unsigned) (c - 'a') + 10;
                else
                        return -EINVAL;
                id[i / 2] = (uint8_t) (i % 2 == 0 ? v << 4 : id[i / 2] | v);
        }
        memcpy(ret, id, sizeof(id));
        return 0;
}
