/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state directory through the eyes of recovery: what is bad in it is set aside, told of, and never believed. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "disk.h"
#include "runner.h"

#define U "worker@1.service"

static bool exists(const Disk *d, const char *name) {
        struct stat st;

        return fstatat(d->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static size_t size_of(const Disk *d, const char *name) {
        struct stat st;

        ck_assert_int_eq(fstatat(d->dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
        return (size_t) st.st_size;
}

static size_t read_file(const Disk *d, uint8_t *data, size_t size) {
        int fd = openat(d->dir, STATE_FILE_NAME, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        ck_assert_int_ge(fd, 0);
        n = read(fd, data, size);
        ck_assert_int_gt(n, 0);
        (void) close(fd);
        return (size_t) n;
}

/* Something to remember: a pause, its record, a refusal; then the observer dies. Returns the file. */
static size_t remember(Disk *d, uint8_t *data, size_t size) {
        ck_assert_int_eq(recovery_pause(d->w.recovery, U, 0, "why"), 0);
        world_expect(&d->w, "paused paused", NULL);
        world_kill(&d->w);
        return read_file(d, data, size);
}

static bool is_in_force(const Disk *d) {
        const Pause *p = recovery_pause_at(d->w.recovery, 0);

        return p && strcmp(p->what, U) == 0 && strcmp(p->reason, "why") == 0;
}

/* ---- What may stand in its place -------------------------------------------------------------------------- */

static uint8_t good[16384];
static size_t good_size;

static void place_good(Disk *d) {
        disk_write(d, STATE_FILE_NAME, good, good_size);
}

static void place_empty(Disk *d) {
        disk_write(d, STATE_FILE_NAME, NULL, 0);
}

static void place_torn(Disk *d) {
        disk_write(d, STATE_FILE_NAME, good, good_size - 1);
}

static void place_flipped(Disk *d) {
        uint8_t bad[sizeof(good)];

        memcpy(bad, good, good_size);
        bad[good_size - 1] ^= 1;
        disk_write(d, STATE_FILE_NAME, bad, good_size);
}

static void place_version(Disk *d) {
        uint8_t bad[sizeof(good)];

        memcpy(bad, good, good_size);
        bad[8]++;
        disk_write(d, STATE_FILE_NAME, bad, good_size);
}

static void place_text(Disk *d) {
        disk_write(d, STATE_FILE_NAME, (const uint8_t *) "[Pauses]\n", 9);
}

static void place_large(Disk *d) {
        int fd;

        place_good(d);
        fd = openat(d->dir, STATE_FILE_NAME, O_WRONLY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, (off_t) STATE_FILE_MAX + 1), 0);
        (void) close(fd);
}

static void place_link(Disk *d) {
        disk_write(d, "other", good, good_size);
        ck_assert_int_eq(symlinkat("other", d->dir, STATE_FILE_NAME), 0);
}

static void place_hard_link(Disk *d) {
        disk_write(d, "other", good, good_size);
        ck_assert_int_eq(linkat(d->dir, "other", d->dir, STATE_FILE_NAME, 0), 0);
}

static void place_fifo(Disk *d) {
        ck_assert_int_eq(mkfifoat(d->dir, STATE_FILE_NAME, 0600), 0);
}

static void place_directory(Disk *d) {
        ck_assert_int_eq(mkdirat(d->dir, STATE_FILE_NAME, 0700), 0);
}

static void place_socket(Disk *d) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" STATE_FILE_NAME, d->path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &sa, sizeof(sa)), 0);
        (void) close(fd);
}

static void place_writable(Disk *d) {
        place_good(d);
        ck_assert_int_eq(fchmodat(d->dir, STATE_FILE_NAME, 0620, 0), 0);
}

static void place_foreign(Disk *d) {
        place_good(d);
        ck_assert_int_eq(fchownat(d->dir, STATE_FILE_NAME, 65534, 65534, 0), 0);
}

START_TEST(test_set_aside) {
        static const struct {
                const char *title;
                void (*place)(Disk *d);
                const char *why; /* NULL: nothing is wrong */
                bool in_force, as_root;
        } rows[] = {
                { "the file as it was", place_good, NULL, true, false },
                { "an empty file", place_empty, "torn", false, false },
                { "the last byte is missing", place_torn, "torn", true, false },
                { "the last byte is another", place_flipped, "damaged", false, false },
                { "another version", place_version, "another version", false, false },
                { "something else", place_text, "something else", false, false },
                { "a huge file", place_large, "too large", false, false },
                { "a link to a good file", place_link, "a link", false, false },
                { "a good file with another name besides", place_hard_link, "others may write", false,
                  false },
                { "a FIFO", place_fifo, "no regular file", false, false },
                { "a directory", place_directory, "no regular file", false, false },
                { "a socket", place_socket, "no regular file", false, false },
                { "a good file that others may write to", place_writable, "others may write", false, false },
                { "a good file of somebody else", place_foreign, "somebody else", false, true },
        };
        Disk d;

        disk_init(&d);
        good_size = remember(&d, good, sizeof(good));
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                if (rows[i].as_root && geteuid() != 0) {
                        printf("# not root: \"%s\" is not tried\n", rows[i].title);
                        continue;
                }
                disk_clear(&d);
                rows[i].place(&d);
                disk_revive(&d);
                if (rows[i].why) {
                        ck_assert_msg(d.w.n_records == 1, "%s: %u records", rows[i].title, d.w.n_records);
                        ck_assert_msg(strstr(d.w.records[0].sentence, rows[i].why), "%s: %s", rows[i].title,
                                      d.w.records[0].sentence);
                        ck_assert_msg(!strstr(d.w.records[0].sentence, "Nothing of it") == rows[i].in_force,
                                      "%s: %s", rows[i].title, d.w.records[0].sentence);
                        world_expect(&d.w, "state set-aside", NULL);
                }
                ck_assert_msg(exists(&d, STATE_FILE_ASIDE) == !!rows[i].why, "%s", rows[i].title);
                ck_assert_msg(is_in_force(&d) == rows[i].in_force, "%s", rows[i].title);
                /* From then on all is well: the next one finds what is in force now. */
                ck_assert_int_eq(recovery_pause(d.w.recovery, U, 0, "why"), 0);
                world_expect(&d.w, "paused paused", NULL);
                world_kill(&d.w);
                disk_revive(&d);
                world_expect_nothing(&d.w);
                ck_assert_msg(is_in_force(&d), "%s", rows[i].title);
                world_kill(&d.w);
        }
        disk_done(&d);
}
END_TEST

/* Something bad after something bad of another kind: one of them is kept. */
START_TEST(test_set_aside_again) {
        void (*const places[])(Disk * d) = { place_directory, place_flipped, place_directory, place_link,
                                             place_fifo };
        Disk d;

        disk_init(&d);
        good_size = remember(&d, good, sizeof(good));
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                ck_assert_int_eq(unlinkat(d.dir, STATE_FILE_NAME, 0), 0);
                (void) unlinkat(d.dir, "other", 0);
                places[i](&d);
                disk_revive(&d);
                world_expect(&d.w, "state set-aside", NULL);
                world_kill(&d.w);
        }
        disk_done(&d);
}
END_TEST

/* Every cut: what was there a moment before is in force, nothing else, and it is told unless nothing is missing. */
START_TEST(test_torn_at_every_byte) {
        size_t from;
        Disk d;

        disk_init(&d);
        from = size_of(&d, STATE_FILE_NAME);
        good_size = remember(&d, good, sizeof(good));
        for (size_t cut = 0; cut < good_size; cut++) {
                bool told;

                disk_clear(&d);
                disk_write(&d, STATE_FILE_NAME, good, cut);
                disk_revive_at_once(&d);
                told = d.w.n_records == 1;
                ck_assert_msg(exists(&d, STATE_FILE_ASIDE) == told, "cut at %zu", cut);
                ck_assert_msg(told || cut >= STATE_HEADER_SIZE, "cut at %zu: not told of", cut);
                if (cut <= from)
                        ck_assert_msg(!is_in_force(&d), "cut at %zu", cut);
                ck_assert_uint_le(d.w.n_records, 1);
                d.w.n_records = 0;
                world_kill(&d.w);
        }
        disk_done(&d);
}
END_TEST

START_TEST(test_flipped_at_every_byte) {
        Disk d;

        disk_init(&d);
        good_size = remember(&d, good, sizeof(good));
        for (size_t i = 0; i < good_size; i++) {
                disk_clear(&d);
                good[i] ^= (uint8_t) (1U << (i % 8));
                place_good(&d);
                good[i] ^= (uint8_t) (1U << (i % 8));
                disk_revive_at_once(&d);
                world_expect(&d.w, "state set-aside", NULL);
                ck_assert_msg(!is_in_force(&d) && !recovery_history_at(d.w.recovery, 1), "byte %zu", i);
                world_kill(&d.w);
        }
        disk_done(&d);
}
END_TEST

/* ---- The directory ---------------------------------------------------------------------------------------- */

START_TEST(test_directories) {
        static const struct {
                const char *title, *why;
                mode_t mode;
                bool locked;
        } rows[] = {
                { "others may write to it", "others may write", 0770, false },
                { "another observer has it", "another observer", 0700, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                int other = -1;
                Disk d;

                disk_init(&d);
                (void) remember(&d, good, sizeof(good));
                ck_assert_int_eq(chmod(d.path, rows[i].mode), 0);
                if (rows[i].locked) {
                        other = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                        ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
                }
                disk_revive(&d);
                ck_assert_msg(strstr(d.w.records[0].sentence, rows[i].why), "%s: %s", rows[i].title,
                              d.w.records[0].sentence);
                world_expect(&d.w, "state unusable", NULL);
                ck_assert(!is_in_force(&d));
                /* It goes on without, and touches nothing. */
                ck_assert_int_eq(recovery_pause(d.w.recovery, "a.service", 0, ""), 0);
                world_expect(&d.w, "paused paused", NULL);
                world_kill(&d.w);
                if (other >= 0)
                        (void) close(other);
                ck_assert_int_eq(chmod(d.path, 0700), 0);
                disk_revive(&d);
                world_expect_nothing(&d.w);
                ck_assert(is_in_force(&d) && !recovery_pause_at(d.w.recovery, 1));
                disk_done(&d);
        }
}
END_TEST

/* A limit of the process's stands for a full disk. */
static void set_limit(rlim_t limit) {
        struct rlimit rl;

        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &rl), 0);
        rl.rlim_cur = limit;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

START_TEST(test_full_disk) {
        struct rlimit before;
        Disk d;

        (void) signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
        disk_init(&d);
        ck_assert_int_eq(recovery_pause(d.w.recovery, "first.service", 0, ""), 0);
        set_limit(size_of(&d, STATE_FILE_NAME) + 10);
        ck_assert_int_eq(recovery_pause(d.w.recovery, U, 0, "why"), 0); /* in force, and told of */
        ck_assert(recovery_pause_at(d.w.recovery, 1));
        world_settle(&d.w);
        world_expect(&d.w, "paused paused", "paused paused", "state not-written", NULL);
        for (unsigned i = 0; i < 10; i++) {
                world_stall(&d.w, world_agent(&d.w, U, 1));
                world_advance(&d.w, 30 * NSEC_PER_SEC);
        }
        for (unsigned i = 0; i < d.w.n_records; i++)
                ck_assert_int_ne(d.w.records[i].record.kind, RECORD_STATE); /* once */
        d.w.n_records = 0;
        set_limit(before.rlim_cur);
        world_advance(&d.w, NSEC_PER_MINUTE);
        ck_assert_str_eq(world_record(&d.w, d.w.n_records - 1), "state written");
        d.w.n_records = 0;
        world_kill(&d.w);
        disk_revive(&d);
        world_expect_nothing(&d.w);
        ck_assert_str_eq(recovery_pause_at(d.w.recovery, 1)->what, U);
        ck_assert_str_eq(recovery_history_at(d.w.recovery, 0)->reason, "written");
        disk_done(&d);
}
END_TEST

/* It was full, and the observer died before it was not: what is there is whole. */
START_TEST(test_full_until_death) {
        struct rlimit before;
        Disk d;

        (void) signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
        disk_init(&d);
        ck_assert_int_eq(recovery_pause(d.w.recovery, "first.service", 0, ""), 0);
        set_limit(size_of(&d, STATE_FILE_NAME) + 10);
        ck_assert_int_eq(recovery_pause(d.w.recovery, U, 0, "why"), 0);
        world_kill(&d.w);
        set_limit(0); /* not even a new file */
        d.w.n_records = 0;
        disk_revive(&d);
        world_expect(&d.w, "state not-written", NULL);
        ck_assert(recovery_pause_at(d.w.recovery, 0) && !recovery_pause_at(d.w.recovery, 1));
        world_kill(&d.w);
        set_limit(before.rlim_cur);
        disk_revive(&d);
        world_expect_nothing(&d.w);
        ck_assert(recovery_pause_at(d.w.recovery, 0) && !recovery_pause_at(d.w.recovery, 1));
        ck_assert(!exists(&d, STATE_FILE_NEXT));
        disk_done(&d);
}
END_TEST

/* ---- Size ------------------------------------------------------------------------------------------------- */

START_TEST(test_size_is_bounded) {
        size_t largest = 0, smallest = SIZE_MAX, last = 0;
        unsigned afresh = 0;
        Disk d;

        disk_init(&d);
        d.w.policy.mode = UNIT_MODE_WARN;
        for (unsigned i = 0; i < 20000; i++) {
                WorldAgent *a = world_agent(&d.w, U, 1);
                size_t size;

                d.w.n_records = 0;
                world_stall(&d.w, a);
                world_exit(&d.w, a);
                if (i % 16 == 0)
                        durable_tick(d.w.recovery, d.w.now); /* a turn of the loop */
                size = size_of(&d, STATE_FILE_NAME);
                if (size < last) {
                        afresh++;
                        smallest = MIN(smallest, size);
                }
                largest = MAX(largest, size);
                last = size;
        }
        ck_assert_uint_gt(afresh, 1);
        ck_assert_uint_lt(afresh, 20);
        ck_assert_uint_lt(smallest, (size_t) 1024 * 400); /* a full history of such decisions */
        ck_assert_uint_lt(largest, 2 * smallest + STATE_FILE_GROWTH + STATE_RECORD_MAX);
        d.w.n_records = 0;
        world_kill(&d.w);
        disk_revive(&d);
        world_expect_nothing(&d.w);
        ck_assert_ptr_nonnull(recovery_history_at(d.w.recovery, HISTORY_MAX - 1));
        ck_assert_uint_le(size_of(&d, STATE_FILE_NAME), smallest + 1024);
        disk_done(&d);
}
END_TEST

static unsigned count_descriptors(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        ck_assert_ptr_nonnull(dir);
        while (readdir(dir))
                n++;
        (void) closedir(dir);
        return n;
}

START_TEST(test_nothing_stays_open) {
        unsigned before = count_descriptors();
        Disk d;

        disk_init(&d);
        for (unsigned i = 0; i < 5; i++) {
                (void) remember(&d, good, sizeof(good));
                disk_revive(&d);
        }
        disk_done(&d);
        ck_assert_uint_eq(count_descriptors(), before);
}
END_TEST

int main(void) {
        const TTest *tests[] = {
                test_set_aside,          test_set_aside_again,
                test_torn_at_every_byte, test_flipped_at_every_byte,
                test_directories,        test_full_disk,
                test_full_until_death,   test_size_is_bounded,
                test_nothing_stays_open,
        };

        return run_tests("recovery-durable", tests, ELEMENTSOF(tests));
}
