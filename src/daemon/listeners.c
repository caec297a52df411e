/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The listeners there are: taken over from systemd or bound by ourselves, and for those of the network the rules and keys
 * that the configuration gives them.
 *
 * A reload reads all keys before it changes anything: with one that is wrong, everything stays as it was. At the start a
 * listener without keys stays, and opens nothing: its counter says so, and so does the journal.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/manager-private.h"
#include "daemon/message-ids.h"
#include "daemon/priorities.h"
#include "util/log.h"
#include "varta-build.h"
#if HAVE_SECURE_UDP
#include "ingress/secure.h"
#endif

/* The credentials that a secure listener uses when its section names no file. */
#define CREDENTIAL_SHARED "varta.shared-key"
#define CREDENTIAL_MASTER "varta.master-key"

/* ---- rules ------------------------------------------------------------------------------------------------ */

static SourceRule source_rule(ListenerSource source) {
        static const SourceRule rules[_LISTENER_SOURCE_MAX] = {
                [LISTENER_SOURCE_AUTO] = SOURCE_RULE_AUTO,
                [LISTENER_SOURCE_LOCAL] = SOURCE_RULE_LOCAL,
                [LISTENER_SOURCE_KEY] = SOURCE_RULE_KEY,
                [LISTENER_SOURCE_ADDRESS] = SOURCE_RULE_ADDRESS,
        };

        return rules[source];
}

/* The old unit's number is let go of after the new one is held: an unchanged unit keeps its counters. */
static void apply_rules(Manager *m, size_t n, const Listener *l) {
        uint16_t old = m->listener_units[n];
        ListenerConfig config;
        ListenerRules rules;
        UnitRules unit;

        config_listener(m->config, l->name, &config);
        settings_unit_rules(m->config, config.unit, &unit);
        m->listener_units[n] = observer_unit_ref(m->observer, config.unit);
        observer_unit_unref(m->observer, old);

        rules = (ListenerRules){
                .operator_attested = config.operator_attested,
                .source = source_rule(config.source),
                .unit = m->listener_units[n],
                .threshold = unit.threshold,
        };
        ingress_set_rules(m->ingress, n, &rules);
}

/* ---- keys ------------------------------------------------------------------------------------------------- */

#if HAVE_SECURE_UDP
/* The path behind KeyFile= or MasterKeyFile=: as written, of a credential, or of the usual credential where there is one.
 * Empty: no keys of this form. */
static int key_path(const char *setting, const char *usual, char *buf, size_t size) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        int n;

        buf[0] = 0;
        if (setting[0] == '/')
                n = snprintf(buf, size, "%s", setting);
        else if (!directory)
                return setting[0] ? -ENOENT : 0;
        else
                n = snprintf(buf, size, "%s/%s", directory, setting[0] ? setting : usual);
        if (n < 0 || (size_t) n >= size)
                return -ENAMETOOLONG;
        if (!setting[0] && access(buf, F_OK) < 0)
                buf[0] = 0;
        return 0;
}

static int load_keys(Manager *m, const Config *config, const Listener *l, SecureKeys **ret,
                     char **ret_reason) {
        char shared[2 * CONFIG_PATH_MAX], master[2 * CONFIG_PATH_MAX];
        _cleanup_(keys_freep) KeyRing *ring = NULL;
        ListenerConfig c;
        int r;

        config_listener(config, l->name, &c);
        r = key_path(c.key_file, CREDENTIAL_SHARED, shared, sizeof(shared));
        if (r >= 0)
                r = key_path(c.master_key_file, CREDENTIAL_MASTER, master, sizeof(master));
        if (r >= 0 && !shared[0] && !master[0])
                r = -ENOKEY;
        if (r < 0) {
                if (asprintf(ret_reason,
                             "[Listener %s]: no key for %s; set KeyFile= or MasterKeyFile=, or give the "
                             "service the credential " CREDENTIAL_SHARED " or " CREDENTIAL_MASTER,
                             l->name, l->address) < 0)
                        *ret_reason = NULL;
                return r;
        }
        r = keys_load(shared[0] ? shared : NULL, master[0] ? master : NULL, &ring, ret_reason);
        if (r < 0)
                return r;
        r = secure_keys_new(ring, m->key_hash, ret);
        if (r < 0)
                return r;
        TAKE_PTR(ring);
        return 0;
}

static int start_secure(Manager *m, uint64_t hash_key) {
        Secure *secure;
        int r;

        m->key_hash = hash_key;
        r = secure_new(config_observer(m->config)->secure_senders, hash_key, manager_now(m), &secure);
        if (r < 0)
                return r;
        ingress_set_secure(m->ingress, secure);
        return 0;
}

static void free_keys(SecureKeys *keys) {
        (void) secure_keys_free(keys);
}
#else
static int load_keys(Manager *m, const Config *config, const Listener *l, SecureKeys **ret,
                     char **ret_reason) {
        if (asprintf(ret_reason,
                     "[Listener %s]: %s is a secure listener, and this vartad was built without libsodium; "
                     "install one with secure_udp, or disable the socket",
                     l->name, l->address) < 0)
                *ret_reason = NULL;
        return -EOPNOTSUPP;
}

static int start_secure(Manager *m, uint64_t hash_key) {
        return 0;
}

static void free_keys(SecureKeys *keys) {
}
#endif

static int start_network(Manager *m) {
        const Listener *l;

        for (size_t n = 0; (l = ingress_listener(m->ingress, n)); n++) {
                _cleanup_free_ char *reason = NULL;
                SecureKeys *keys = NULL;

                if (l->transport == TRANSPORT_UNIX)
                        continue;
                apply_rules(m, n, l);
                if (l->transport != TRANSPORT_SECURE_UDP)
                        continue;
                if (load_keys(m, m->config, l, &keys, &reason) < 0) {
                        log_struct(LOG_ERR, MESSAGE_NO_KEY_ID, NULL, 0,
                                   "%s. Nothing that arrives there can be opened.",
                                   reason ?: "Cannot read keys");
                        if (!m->config_error)
                                m->config_error = reason ? TAKE_PTR(reason) : strdup("Cannot read keys");
                }
                ingress_set_keys(m->ingress, n, keys);
        }
        return 0;
}

int manager_listeners_prepare(Manager *m, const Config *config, ListenerKeys *ret, char **ret_reason) {
        const Listener *l;
        int r;

        *ret = (ListenerKeys){};
        for (size_t n = 0; (l = ingress_listener(m->ingress, n)); n++) {
                if (l->transport != TRANSPORT_SECURE_UDP)
                        continue;
                r = load_keys(m, config, l, &ret->keys[n], ret_reason);
                if (r < 0) {
                        manager_listeners_discard(ret);
                        return r;
                }
        }
        return 0;
}

void manager_listeners_discard(ListenerKeys *keys) {
        for (size_t n = 0; n < ELEMENTSOF(keys->keys); n++) {
                free_keys(keys->keys[n]);
                keys->keys[n] = NULL;
        }
}

void manager_listeners_apply(Manager *m, ListenerKeys *keys) {
        const Listener *l;

        for (size_t n = 0; (l = ingress_listener(m->ingress, n)); n++) {
                if (l->transport == TRANSPORT_UNIX)
                        continue;
                apply_rules(m, n, l);
                if (l->transport == TRANSPORT_SECURE_UDP)
                        ingress_set_keys(m->ingress, n, TAKE_PTR(keys->keys[n]));
        }
}

/* ---- sockets ---------------------------------------------------------------------------------------------- */

/* The listener joins the observer and the loop; on failure it is the caller's again. */
static int add_listener(Manager *m, Listener *l) {
        int r;

        r = observer_add_listener(m->observer, manager_now(m));
        if (r < 0)
                return r;
        l->index = (uint8_t) r;
        log_debug("Listening on %s (%s, receive buffer %" PRIu32 " bytes)", l->address, l->name,
                  l->receive_buffer);
        if (l->transport == TRANSPORT_UDP)
                log_warning("Listening on %s without encryption: whoever reaches this port can forge beats. "
                            "varta-udp.socket is the secure way.",
                            l->address);
        return ingress_add(m->ingress, l);
}

static void free_names(char ***names) {
        for (char **n = *names; n && *n; n++)
                free(*n);
        free(*names);
}

/* Sockets that systemd made. One that is of no use is named and passed over: the others still are. */
static int adopt_activated(Manager *m, unsigned *ret_n) {
        _cleanup_(free_names) char **names = NULL;
        int n;

        n = sd_listen_fds_with_names(true, &names);
        if (n < 0)
                return log_error_errno(n, "Cannot take over the activated sockets");

        for (int i = 0; i < n; i++) {
                Listener l;
                int r;

                r = listener_adopt(SD_LISTEN_FDS_START + i, names[i], m->options.features, &l);
                if (r == -EPROTOTYPE) {
                        log_error("Activated socket \"%s\" is of no use here, ignoring it: allowed are "
                                  "ListenDatagram= "
                                  "sockets: a path, an abstract name, or an IP address and port",
                                  names[i]);
                        continue;
                }
                if (r < 0) {
                        log_error_errno(r, "Cannot use activated socket \"%s\", ignoring it", names[i]);
                        continue;
                }
                r = add_listener(m, &l);
                if (r < 0) {
                        log_error_errno(r, "Cannot listen on activated socket \"%s\", ignoring it",
                                        names[i]);
                        listener_done(&l);
                        continue;
                }
                (*ret_n)++;
        }
        return 0;
}

static int bind_address(Manager *m, const char *address) {
        Listener l;
        int r;

        r = listener_bind(address, m->options.features, &l);
        if (r == -EADDRINUSE)
                return log_error_errno(
                                r,
                                "Cannot listen on %s: another process receives there; stop it, or choose "
                                "another path",
                                address);
        if (r == -EEXIST)
                return log_error_errno(
                                r,
                                "Cannot listen on %s: something that is no socket is there; remove it, or "
                                "choose another path",
                                address);
        if (r == -ENAMETOOLONG)
                return log_error_errno(r, "Cannot listen on %s: a socket's path has at most 107 characters",
                                       address);
        if (r == -EADDRNOTAVAIL)
                return log_error_errno(r, "Cannot listen on %s: this host does not have that address",
                                       address);
        if (r < 0)
                return log_error_errno(r, "Cannot listen on %s", address);

        r = add_listener(m, &l);
        if (r < 0) {
                listener_done(&l);
                return log_error_errno(r, "Cannot listen on %s", address);
        }
        return 0;
}

int manager_receiving_start(Manager *m) {
        IngressPriorities priorities = { .normal = PRIORITY_INGRESS, .yielding = PRIORITY_INGRESS_YIELDING };
        char socket[INSTANCE_NAME_SIZE];
        uint64_t hash_key[2];
        unsigned n = 0;
        int r;

        if (getrandom(hash_key, sizeof(hash_key), 0) != sizeof(hash_key))
                return log_error_errno(-errno, "Cannot get random bytes");
        r = ingress_new(m->event, &manager_ingress_hooks, m, priorities, hash_key, &m->ingress);
        if (r >= 0)
                r = start_secure(m, hash_key[0] ^ hash_key[1]);
        if (r < 0)
                return log_error_errno(r, "Cannot prepare to receive");
        r = adopt_activated(m, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < m->options.n_listen; i++) {
                r = bind_address(m, m->options.listen[i]);
                if (r < 0)
                        return r;
                n++;
        }
        if (n == 0) {
                log_error("Nothing to listen on: start %s, or give --listen=unix:PATH",
                          instance_name(socket, "varta", m->options.instance, ".socket"));
                return -EDESTADDRREQ;
        }
        return start_network(m);
}
