/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over ancillary data: made up by hand, as no kernel would, and as the kernel makes it. */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingress/control.h"
#include "rows.h"
#include "support.h"
#include "util/fd.h"

#define MESSAGES_MAX 4
#define DATA_MAX     64
#define CLOSED_MAX   512

/* Every descriptor that the walk handed over. */
static int closed[CLOSED_MAX];
static size_t n_closed;

static void remember_fd(int fd) {
        ck_assert_uint_lt(n_closed, CLOSED_MAX);
        closed[n_closed++] = fd;
}

/* ---- made up ---------------------------------------------------------------------------------------------- */

/* One control message: what its header says, and what is really there. */
typedef struct Message {
        int level, type;
        const void *data;
        size_t data_size; /* as many bytes follow the header */
        bool lies;        /* the length says `says` instead */
        size_t says;
} Message;

typedef struct Case {
        const char *title;
        Message messages[MESSAGES_MAX];
        size_t cut; /* so many bytes less are there than were written */
        size_t n_closed;
        int closed[8];
        bool has_credentials, has_drops;
        uint32_t pid, uid, drops;
} Case;

static const struct ucred somebody = { .pid = 4242, .uid = 1000, .gid = 100 };
static const struct ucred nobody = { .pid = 0, .uid = 65534, .gid = 65534 };
static const struct ucred largest = { .pid = INT32_MAX, .uid = UINT32_MAX, .gid = UINT32_MAX };
static const struct {
        struct ucred ucred;
        uint8_t more[12];
} grown = { { .pid = 4242, .uid = 1000, .gid = 100 }, { 1, 2, 3 } };
static const int fds[] = { 100, 101, 102, 103 };
static const int bad_fds[] = { -1, INT32_MIN, 100 };
static const uint32_t seven = 7;
static const char label[] = "unconfined_u:unconfined_r:unconfined_t:s0";

#define CREDENTIALS(c)                                                                                      \
        { SOL_SOCKET, SCM_CREDENTIALS, &(c), sizeof(c), false, 0 }
#define RIGHTS(n)                                                                                           \
        { SOL_SOCKET, SCM_RIGHTS, fds, (n) * sizeof(int), false, 0 }
#define DROPS                                                                                               \
        { SOL_SOCKET, SO_RXQ_OVFL, &seven, sizeof(seven), false, 0 }
#define LABEL                                                                                               \
        { SOL_SOCKET, SCM_SECURITY_TYPE, label, sizeof(label), false, 0 }

/* libc's headers do not have these. */
#define SCM_SECURITY_TYPE 0x03
#define SCM_PIDFD_TYPE    0x04 /* Linux 6.5 */

static const Case cases[] = {
        { .title = "nothing at all" },
        { .title = "credentials",
          .messages = { CREDENTIALS(somebody) },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000 },
        { .title = "credentials of a sender whom the kernel cannot translate",
          .messages = { CREDENTIALS(nobody) },
          .has_credentials = true,
          .pid = 0,
          .uid = 65534 },
        { .title = "the largest pid and uid",
          .messages = { CREDENTIALS(largest) },
          .has_credentials = true,
          .pid = INT32_MAX,
          .uid = UINT32_MAX },
        { .title = "credentials behind a security label, descriptors and a drop count",
          .messages = { LABEL, RIGHTS(3), DROPS, CREDENTIALS(somebody) },
          .n_closed = 3,
          .closed = { 100, 101, 102 },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000,
          .has_drops = true,
          .drops = 7 },
        { .title = "the last of two credentials counts: it is the kernel who writes them",
          .messages = { CREDENTIALS(nobody), CREDENTIALS(somebody) },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000 },
        { .title = "credentials too short by one byte are none",
          .messages = { { SOL_SOCKET, SCM_CREDENTIALS, &somebody, sizeof(somebody) - 1, false, 0 } } },
        { .title = "credentials of a header alone are none",
          .messages = { { SOL_SOCKET, SCM_CREDENTIALS, NULL, 0, false, 0 } } },
        { .title = "credentials cut off by the end of the buffer are none",
          .messages = { CREDENTIALS(somebody) },
          .cut = 8 },
        { .title = "credentials that have grown: their beginning counts",
          .messages = { { SOL_SOCKET, SCM_CREDENTIALS, &grown, sizeof(grown), false, 0 } },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000 },
        { .title = "no descriptor",
          .messages = { RIGHTS(0), CREDENTIALS(somebody) },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000 },
        { .title = "one descriptor", .messages = { RIGHTS(1) }, .n_closed = 1, .closed = { 100 } },
        { .title = "several messages of descriptors: all of them are closed",
          .messages = { RIGHTS(1), RIGHTS(2), RIGHTS(4) },
          .n_closed = 7,
          .closed = { 100, 100, 101, 100, 101, 102, 103 } },
        { .title = "half a descriptor is none",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, fds, sizeof(int) + 2, false, 0 } },
          .n_closed = 1,
          .closed = { 100 } },
        { .title = "descriptors that are no descriptors are handed over as they are",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, bad_fds, sizeof(bad_fds), false, 0 } },
          .n_closed = 3,
          .closed = { -1, INT32_MIN, 100 } },
        { .title = "a pidfd is closed like any descriptor",
          .messages = { { SOL_SOCKET, SCM_PIDFD_TYPE, fds, sizeof(int), false, 0 }, CREDENTIALS(somebody) },
          .n_closed = 1,
          .closed = { 100 },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000 },
        { .title = "descriptors before a malformed message are closed, those behind it are not there",
          .messages = { RIGHTS(2), { SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds), true, 0 }, RIGHTS(1) },
          .n_closed = 2,
          .closed = { 100, 101 } },
        { .title = "a length of zero ends the walk",
          .messages = { { SOL_SOCKET, SCM_CREDENTIALS, &somebody, sizeof(somebody), true, 0 }, RIGHTS(1) } },
        { .title = "a length below the header's ends the walk",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds), true, CMSG_LEN(0) - 1 }, RIGHTS(1) } },
        { .title = "a length of a header alone is an empty message",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, NULL, 0, true, CMSG_LEN(0) }, RIGHTS(1) },
          .n_closed = 1,
          .closed = { 100 } },
        { .title = "a length beyond the buffer by one ends the walk, and nothing of it is read",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds), true, CMSG_LEN(sizeof(fds)) + 1 } } },
        { .title = "the largest length ends the walk",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds), true, SIZE_MAX } } },
        { .title = "a length that would wrap around when it is rounded up ends the walk",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds), true, SIZE_MAX - 6 } } },
        { .title = "the largest positive length ends the walk",
          .messages = { { SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds), true, SIZE_MAX / 2 } } },
        { .title = "another level's messages are passed over, whatever their type",
          .messages = { { 41, SCM_RIGHTS, fds, sizeof(fds), false, 0 },
                        { 0, SCM_CREDENTIALS, &nobody, sizeof(nobody), false, 0 },
                        { -1, SO_RXQ_OVFL, &seven, sizeof(seven), false, 0 },
                        CREDENTIALS(somebody) },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000 },
        { .title = "types of the future are passed over",
          .messages = { { SOL_SOCKET, 0x7fffffff, fds, sizeof(fds), false, 0 },
                        { SOL_SOCKET, 0, fds, sizeof(fds), false, 0 },
                        { SOL_SOCKET, -1, fds, sizeof(fds), false, 0 },
                        CREDENTIALS(somebody) },
          .has_credentials = true,
          .pid = 4242,
          .uid = 1000 },
        { .title = "a drop count", .messages = { DROPS }, .has_drops = true, .drops = 7 },
        { .title = "a drop count too short is none",
          .messages = { { SOL_SOCKET, SO_RXQ_OVFL, &seven, 3, false, 0 } } },
};

/* Writes the messages into a block of exactly their size. Returns its size. */
static size_t write_messages(const Case *c, uint8_t **ret) {
        uint8_t buffer[MESSAGES_MAX * CMSG_SPACE(DATA_MAX)] = {};
        size_t size = 0;

        for (size_t i = 0; i < MESSAGES_MAX; i++) {
                const Message *m = &c->messages[i];
                struct cmsghdr header = {
                        .cmsg_len = m->lies ? m->says : CMSG_LEN(m->data_size),
                        .cmsg_level = m->level,
                        .cmsg_type = m->type,
                };

                if (m->level == 0 && m->type == 0)
                        break;
                memcpy(buffer + size, &header, sizeof(header));
                if (m->data_size > 0)
                        memcpy(buffer + size + CMSG_LEN(0), m->data, m->data_size);
                size += CMSG_SPACE(m->data_size);
        }
        size -= c->cut;
        *ret = malloc(size > 0 ? size : 1);
        ck_assert_ptr_nonnull(*ret);
        memcpy(*ret, buffer, size);
        return size;
}

static void check_control(const Case *c, const Control *control) {
        ck_assert_int_eq(control->has_credentials, c->has_credentials);
        ck_assert_uint_eq(control->pid, c->pid);
        ck_assert_uint_eq(control->uid, c->uid);
        ck_assert_int_eq(control->has_drops, c->has_drops);
        ck_assert_uint_eq(control->drops, c->drops);
        ck_assert_uint_eq(control->descriptors, c->n_closed);
        ck_assert_uint_eq(n_closed, c->n_closed);
        for (size_t i = 0; i < n_closed; i++)
                ck_assert_int_eq(closed[i], c->closed[i]);
}

START_TEST(test_made_up) {
        const Case *c = &cases[_i];
        struct msghdr message = {};
        Control control;
        uint8_t *block;

        message.msg_controllen = write_messages(c, &block);
        message.msg_control = message.msg_controllen > 0 ? block : NULL;
        n_closed = 0;
        control_parse(&message, remember_fd, &control);
        free(block);
        check_control(c, &control);
}
END_TEST

/* Whatever the kernel left of it, the walk reads nothing beyond; a sanitizer or valgrind watches. */
START_TEST(test_cut_anywhere) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t *block;
                size_t size = write_messages(&cases[i], &block);

                for (size_t n = 0; n <= size; n++) {
                        _cleanup_free_ uint8_t *part = malloc(n > 0 ? n : 1);
                        struct msghdr message = { .msg_control = part, .msg_controllen = n };
                        Control control;

                        ck_assert_ptr_nonnull(part);
                        memcpy(part, block, n);
                        n_closed = 0;
                        control_parse(&message, remember_fd, &control);
                        ck_assert_uint_eq(control.descriptors, n_closed);
                        ck_assert(!control.has_credentials || cases[i].has_credentials);
                }
                free(block);
        }
}
END_TEST

/* ---- the kernel's ----------------------------------------------------------------------------------------- */

static void close_fd(int fd) {
        (void) safe_close(fd);
}

/* Sends one byte with so many descriptors, in `n_messages` control messages. */
static void send_fds(int socket, size_t n, size_t n_messages) {
        static uint8_t control[CMSG_SPACE(300 * sizeof(int))];
        struct msghdr message = { .msg_iov = &(struct iovec){ .iov_base = "x", .iov_len = 1 },
                                  .msg_iovlen = 1,
                                  .msg_control = n > 0 ? control : NULL };
        size_t each = n / n_messages;

        for (size_t i = 0; i < n_messages && n > 0; i++) {
                struct cmsghdr header = { .cmsg_len = CMSG_LEN(each * sizeof(int)),
                                          .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS };
                uint8_t *p = control + message.msg_controllen;

                memcpy(p, &header, sizeof(header));
                for (size_t k = 0; k < each; k++)
                        memcpy(p + CMSG_LEN(0) + k * sizeof(int), &(int){ STDERR_FILENO }, sizeof(int));
                message.msg_controllen += CMSG_SPACE(each * sizeof(int));
        }
        ck_assert_int_eq(sendmsg(socket, &message, 0), 1);
}

typedef struct KernelCase {
        const char *title;
        size_t n_fds, n_messages;
} KernelCase;

static const KernelCase kernel_cases[] = {
        { "the kernel's credentials", 0, 1 },
        { "the kernel's credentials and one descriptor", 1, 1 },
        { "the kernel's credentials and 50 descriptors", 50, 1 },
        { "the kernel's credentials and 200 descriptors", 200, 1 },
        { "as many descriptors as the kernel takes in one message", 253, 1 },
        { "descriptors sent in several messages", 200, 2 },
};

START_TEST(test_kernel) {
        const KernelCase *c = &kernel_cases[_i];
        static uint8_t buffer[CONTROL_SIZE] __attribute__((aligned(8)));
        uint8_t byte;
        struct msghdr message = { .msg_iov = &(struct iovec){ .iov_base = &byte, .iov_len = 1 },
                                  .msg_iovlen = 1,
                                  .msg_control = buffer,
                                  .msg_controllen = sizeof(buffer) };
        size_t before = count_fds();
        Control control;
        int pair[2], yes = 1;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)), 0);
        send_fds(pair[0], c->n_fds, c->n_messages);
        ck_assert_int_eq(recvmsg(pair[1], &message, 0), 1);
        ck_assert_int_eq(message.msg_flags & MSG_CTRUNC, 0);
        control_parse(&message, close_fd, &control);
        ck_assert_int_eq(close(pair[0]), 0);
        ck_assert_int_eq(close(pair[1]), 0);

        ck_assert(control.has_credentials);
        ck_assert_uint_eq(control.pid, (uint32_t) getpid());
        ck_assert_uint_eq(control.uid, getuid());
        ck_assert_uint_eq(control.descriptors, c->n_fds);
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

int main(void) {
        Suite *s = suite_create("ingress-control");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                suite_add_row(s, cases[i].title, test_made_up, (int) i);
        suite_add_row(s, "each of them, cut off after every byte", test_cut_anywhere, 0);
        for (size_t i = 0; i < ELEMENTSOF(kernel_cases); i++)
                suite_add_row(s, kernel_cases[i].title, test_kernel, (int) i);
        return suite_run(s);
}
