/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where heartbeats go.
 *
 * The library resolves no names, because an agent must never wait for other machines. A command that somebody just typed
 * may: a host's name is asked for once, here, and the first answer is what all beats go to. Somebody whose observer moves
 * to another address restarts the coprocess, as with any other program that asked once.
 *
 * Keys come from files only. Whatever is wrong with one, the message names the file and never what is in it.
 */

#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "client/varta-secure.h"
#include "ctl/beat-open.h"
#include "ctl/link.h"
#include "ctl/output.h"
#include "util/parse.h"

#define PORT_MAX 65535U

/* ---- the network ------------------------------------------------------------------------------------------ */

/* HOST:PORT or [IPV6]:PORT into its parts. */
static bool split(const char *where, char ret_host[static NI_MAXHOST], const char **ret_port) {
        bool brackets = where[0] == '[';
        const char *end = brackets ? strchr(where, ']') : strchr(where, ':'), *port;
        uint32_t number;
        size_t n;

        if (!end)
                return false;
        where += brackets;
        port = end + brackets;
        n = (size_t) (end - where);
        if (*port != ':' || n == 0 || n >= NI_MAXHOST || parse_u32(port + 1, 1, PORT_MAX, &number) < 0)
                return false;

        memcpy(ret_host, where, n);
        ret_host[n] = 0;
        *ret_port = port + 1;
        return true;
}

/* The first address of a host, as the library writes it. Returns 0 or one of getaddrinfo()'s errors. */
static int resolve(const char *host, const char *port, char ret[static BEAT_PLACE_SIZE]) {
        const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM };
        char number[NI_MAXHOST], service[NI_MAXSERV];
        struct addrinfo *found;
        int r;

        r = getaddrinfo(host, port, &hints, &found);
        if (r != 0)
                return r;
        r = getnameinfo(found->ai_addr, found->ai_addrlen, number, sizeof(number), service, sizeof(service),
                        NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM);
        if (r == 0)
                (void) snprintf(ret, BEAT_PLACE_SIZE,
                                found->ai_family == AF_INET6 ? "udp:[%s]:%s" : "udp:%s:%s", number, service);
        freeaddrinfo(found);
        return r;
}

static CtlExit find_place(const char *where, char ret_place[static BEAT_PLACE_SIZE]) {
        char host[NI_MAXHOST];
        const char *port;
        int r;

        if (!split(where, host, &port)) {
                ctl_error("--udp=%s is no address; allowed: HOST:PORT, or [IPV6]:PORT.", where);
                return CTL_USAGE;
        }
        r = resolve(host, port, ret_place);
        if (r != 0) {
                ctl_error("Cannot find the address of %s: %s", host,
                          r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
                return CTL_FAILURE;
        }
        return CTL_OK;
}

/* ---- keys ------------------------------------------------------------------------------------------------- */

static CtlExit no_cryptography(void) {
        ctl_error("This varta-ctl was built without libsodium: it can send no sealed heartbeats. Without a "
                  "file of "
                  "keys it sends plain ones.");
        return CTL_FAILURE;
}

static CtlExit read_key(const char *path, uint8_t *ret_key) {
        int r = varta_key_from_file(path, ret_key);

        switch (r) {
        case 0:
                return CTL_OK;
        case -EOPNOTSUPP:
                return no_cryptography();
        case -ELOOP:
                ctl_error("%s is a symbolic link; a key has to be in a file of its own.", path);
                break;
        case -EISDIR:
        case -EBADFD:
                ctl_error("%s is no regular file.", path);
                break;
        case -EPERM:
                ctl_error("%s belongs to somebody else, or is open to others; try: chmod 600.", path);
                break;
        case -ENODATA:
                ctl_error("%s is empty; a key is a line of 64 hexadecimal digits.", path);
                break;
        case -EBADMSG:
                ctl_error("%s has a line that is no key; a key is a line of 64 hexadecimal digits.", path);
                break;
        case -E2BIG:
                ctl_error("%s holds more than 8 keys.", path);
                break;
        default:
                ctl_error("Cannot read %s: %s", path, strerror(-r));
        }
        return CTL_FAILURE;
}

static CtlExit open_sealed(const Options *options, const char *place, VartaAgent **ret) {
        VartaKeyForm form = options->master_key_file ? VARTA_KEY_MASTER : VARTA_KEY_SHARED;
        uint8_t key[VARTA_KEY_SIZE];
        CtlExit code;
        int r;

        code = read_key(options->master_key_file ?: options->key_file, key);
        if (code != CTL_OK)
                return code;

        r = varta_open_secure(place, form, key, ret);
        explicit_bzero(key, sizeof(key));
        if (r == -EOPNOTSUPP)
                return no_cryptography();
        if (r < 0) {
                ctl_error("Cannot open a way to %s: %s", place, strerror(-r));
                return CTL_FAILURE;
        }
        return CTL_OK;
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

static CtlExit check_options(const Options *options) {
        if (options->udp && options->socket) {
                ctl_error("--udp= and --socket= do not go together: heartbeats go to one place.");
                return CTL_USAGE;
        }
        if (options->instance && (options->udp || options->socket)) {
                ctl_error("--instance= and %s do not go together: heartbeats go to one place.",
                          options->udp ? "--udp=" : "--socket=");
                return CTL_USAGE;
        }
        if (options->key_file && options->master_key_file) {
                ctl_error("--key-file= and --master-key-file= do not go together: a heartbeat is sealed in "
                          "one form.");
                return CTL_USAGE;
        }
        if ((options->key_file || options->master_key_file) && !options->udp) {
                ctl_error("Keys are for the network; say where to with --udp=HOST:PORT.");
                return CTL_USAGE;
        }
        return CTL_OK;
}

static CtlExit open_socket(const char *socket, VartaAgent **ret) {
        int r = varta_open(socket, ret);

        if (r == -EINVAL || r == -ENAMETOOLONG || r == -EPROTONOSUPPORT) {
                ctl_error("--socket=%s is no address; allowed: an absolute path of at most 107 bytes, or "
                          "@NAME.",
                          socket);
                return CTL_USAGE;
        }
        if (r < 0) {
                ctl_error("Cannot open a socket: %s", strerror(-r));
                return CTL_FAILURE;
        }
        return CTL_OK;
}

CtlExit beat_open(const Options *options, char ret_place[static BEAT_PLACE_SIZE], VartaAgent **ret) {
        CtlExit code;
        int r;

        code = check_options(options);
        if (code != CTL_OK)
                return code;

        if (!options->udp) {
                (void) snprintf(ret_place, BEAT_PLACE_SIZE, "%s", link_socket(options));
                return open_socket(link_socket(options), ret);
        }

        code = find_place(options->udp, ret_place);
        if (code != CTL_OK)
                return code;
        if (options->key_file || options->master_key_file)
                return open_sealed(options, ret_place, ret);

        r = varta_open(ret_place, ret);
        if (r < 0) {
                ctl_error("Cannot open a way to %s: %s", ret_place, strerror(-r));
                return CTL_FAILURE;
        }
        return CTL_OK;
}
