/* Stands between a program and the system's calls, for tests: counts those that touch one folder, and at the Nth of
 * them kills the process, lets the call fail, or writes half of it and kills. Preloaded (LD_PRELOAD) and idle until
 * shim_arm(). It can also keep a journal of what every call changed, from which a test works out what a disk would
 * hold that lost power: what was never synced may be there, in part, or not at all.
 *
 * Built by tests/support/shim.py with the system's C compiler. Linux with glibc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef SYS_newfstatat
#define SYS_STAT SYS_newfstatat
#else
#define SYS_STAT SYS_fstatat
#endif

enum { CHANGE = 1, READ = 2, OPEN = 4, ALLOCATION = 8, SYNC = 16 }; /* kinds of calls; CHANGE has SYNC in it */
enum { COUNT = 0, KILL = 1, FAIL = 2, FAIL_FROM = 3, TEAR = 4 };    /* what happens at the Nth */
enum { J_WRITE = 1, J_SYNC = 2, J_TRUNCATE = 3, J_RENAME = 4, J_UNLINK = 5, J_CREATE = 6, J_RMDIR = 7 };

struct shared {  /* in memory that the parent sees too: tests/support/shim.py has the same layout */
    int64_t count;
    int64_t struck;     /* whether the Nth came */
    char what[240];     /* the Nth call */
};

static volatile int armed;
static struct shared *shared;
static char prefix[PATH_MAX];
static size_t prefix_size;
static int kinds, action, error_number, journal = -1;
static int64_t nth, least_bytes;
static char saves[PATH_MAX];
static int64_t save_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void shim_arm(struct shared *where, const char *folder, int which, int act, int64_t at, int error, int64_t least,
              const char *journal_file, const char *save_folder) {
    shared = where;
    snprintf(prefix, sizeof prefix, "%s", folder);
    prefix_size = strlen(prefix);
    kinds = which, action = act, nth = at, error_number = error, least_bytes = least;
    snprintf(saves, sizeof saves, "%s", save_folder);
    if (*journal_file)
        journal = syscall(SYS_openat, AT_FDCWD, journal_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    armed = 1;
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) syscall(SYS_sched_yield);
}

/* Count a call of one of `kinds`; 0: carry it out, 1: tear it, -1: it fails, errno is set. */
static int strike(const char *name, const char *path) {
    int64_t n = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    if (action == COUNT || n < nth || (n > nth && action != FAIL_FROM)) return 0;
    if (n == nth) {
        shared->struck = 1;
        size_t size = strlen(name), most = sizeof shared->what - 2;
        memcpy(shared->what, name, size);
        shared->what[size++] = ' ';
        size_t rest = strlen(path);
        if (rest > most - size) rest = most - size;
        memcpy(shared->what + size, path, rest);
        shared->what[size + rest] = 0;
    }
    if (action == KILL) die();
    if (action == TEAR) return 1;
    errno = error_number;
    return -1;
}

/* Absolute path of a name in a call; only the links of its folder count, so no more is resolved. */
static const char *absolute(int at, const char *path, char *out) {
    if (path[0] == '/') return path;
    char link[64];
    ssize_t size;
    if (at == AT_FDCWD) {
        size = syscall(SYS_getcwd, out, PATH_MAX) - 1;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        size = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    }
    if (size < 0) return path;
    snprintf(out + size, PATH_MAX - size, "/%s", path);
    return out;
}

static const char *path_of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    out[size < 0 ? 0 : size] = 0;
    return out;
}

static int concerns(const char *path) {
    return strncmp(path, prefix, prefix_size) == 0 && (path[prefix_size] == '/' || path[prefix_size] == 0);
}

/* ---- the journal ---- */

struct record {
    int32_t kind, path_size;
    int64_t inode, offset, size_before, old_size, new_size;
};

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t done = syscall(SYS_write, journal, at, size);
        if (done <= 0) die();
        at += done, size -= done;
    }
}

static void note(int kind, const char *path, int64_t inode, int64_t offset, int64_t before, const void *old,
                 int64_t old_size, const struct iovec *parts, int count, int64_t new_size) {
    struct record record = {kind, (int32_t)strlen(path), inode, offset, before, old_size, new_size};
    put(&record, sizeof record);
    put(path, record.path_size);
    if (old_size) put(old, old_size);
    for (int part = 0; part < count && new_size > 0; part++) {
        int64_t size = (int64_t)parts[part].iov_len < new_size ? (int64_t)parts[part].iov_len : new_size;
        put(parts[part].iov_base, size);
        new_size -= size;
    }
}

/* What stands at offset..offset + size now, before it is overwritten. */
static void note_write(int fd, const char *path, int64_t offset, const struct iovec *parts, int count, int64_t size) {
    struct stat now;
    if (fstat(fd, &now)) return;
    int64_t old_size = now.st_size - offset < size ? now.st_size - offset : size;
    if (old_size < 0) old_size = 0;
    char *old = old_size ? __libc_malloc(old_size) : NULL;
    if (old_size) {
        char own[64];
        snprintf(own, sizeof own, "/proc/self/fd/%d", fd); /* the descriptor itself may be for writing only */
        int reader = syscall(SYS_openat, AT_FDCWD, own, O_RDONLY | O_CLOEXEC, 0);
        old_size = reader < 0 ? 0 : syscall(SYS_pread64, reader, old, old_size, offset);
        if (reader >= 0) syscall(SYS_close, reader);
        if (old_size < 0) old_size = 0;
    }
    note(J_WRITE, path, now.st_ino, offset, now.st_size, old, old_size, parts, count, size);
    free(old);
}

static void note_truncate(const char *path, int64_t to) {
    struct stat now;
    int reader = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (reader < 0) return;
    if (!fstat(reader, &now) && S_ISREG(now.st_mode)) {
        int64_t old_size = now.st_size > to ? now.st_size - to : 0;
        char *old = old_size ? __libc_malloc(old_size) : NULL;
        if (old_size) old_size = syscall(SYS_pread64, reader, old, old_size, to);
        note(J_TRUNCATE, path, now.st_ino, to, now.st_size, old, old_size < 0 ? 0 : old_size, NULL, 0, 0);
        free(old);
    }
    syscall(SYS_close, reader);
}

/* A name that goes away or is replaced: what it names is kept under saves/N. offset is N, or 0 for nothing there. */
static void note_name(int kind, const char *path, const char *replaced) {
    char both[2 * PATH_MAX + 2], save[PATH_MAX + 32];
    struct stat there;
    int64_t number = 0;
    if (replaced && !syscall(SYS_STAT, AT_FDCWD, replaced, &there, AT_SYMLINK_NOFOLLOW)) {
        number = ++save_count;
        snprintf(save, sizeof save, "%s/%lld", saves, (long long)number);
        if (S_ISDIR(there.st_mode) || syscall(SYS_linkat, AT_FDCWD, replaced, AT_FDCWD, save, 0)) number = -1;
    }
    snprintf(both, sizeof both, kind == J_RENAME ? "%s\n%s" : "%s", path, replaced);
    note(kind, both, 0, number, 0, NULL, 0, NULL, 0, 0);
}

/* ---- the calls ---- */

#define BEGIN(kind, name, path)                                 \
    int locked = journal >= 0, torn = 0;                        \
    if (locked) pthread_mutex_lock(&lock);                      \
    if (kinds & (kind)) {                                       \
        torn = strike(name, path);                              \
        if (torn < 0) {                                         \
            if (locked) pthread_mutex_unlock(&lock);            \
            return -1;                                          \
        }                                                       \
    }
#define END(result)                                             \
    do {                                                        \
        int kept = errno;                                       \
        if (locked) pthread_mutex_unlock(&lock);                \
        errno = kept;                                           \
        return result;                                          \
    } while (0)

static int64_t total(const struct iovec *parts, int count) {
    int64_t sum = 0;
    for (int part = 0; part < count; part++) sum += parts[part].iov_len;
    return sum;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, int64_t offset) {
    char path[PATH_MAX];
    if (!armed || !concerns(path_of(fd, path)))
        return offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    BEGIN(CHANGE, "write", path);
    int64_t size = total(parts, count), at = offset;
    if (offset < 0) {
        struct stat now;
        at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
        if (syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND && !fstat(fd, &now)) at = now.st_size;
    }
    if (torn) size /= 2;
    if (locked) note_write(fd, path, at, parts, count, size);
    if (torn) {
        for (int part = 0; part < count && size > 0; part++) {
            int64_t piece = (int64_t)parts[part].iov_len < size ? (int64_t)parts[part].iov_len : size;
            syscall(SYS_pwrite64, fd, parts[part].iov_base, piece, at);
            at += piece, size -= piece;
        }
        die();
    }
    ssize_t done =
        offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    END(done);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (!armed || fd < 3) return syscall(SYS_write, fd, data, size);
    struct iovec part = {(void *)data, size};
    return write_parts(fd, &part, 1, -1);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    struct iovec part = {(void *)data, size};
    return write_parts(fd, &part, 1, offset);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return write_parts(fd, parts, count, -1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return write_parts(fd, parts, count, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return write_parts(fd, parts, count, at); }

/* Copies inside the kernel would pass the journal by: refused, so that the program reads and writes instead. */
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    if (armed) return errno = ENOSYS, -1;
    return syscall(SYS_copy_file_range, in, from, out, to, size, flags);
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t count) {
    if (armed) return errno = ENOSYS, -1;
    return syscall(SYS_sendfile, out, in, offset, count);
}
ssize_t sendfile(int out, int in, off_t *offset, size_t count) { return sendfile64(out, in, offset, count); }

ssize_t read(int fd, void *data, size_t size) {
    char path[PATH_MAX];
    if (!armed || !(kinds & READ) || fd < 3 || !concerns(path_of(fd, path))) return syscall(SYS_read, fd, data, size);
    return strike("read", path) < 0 ? -1 : syscall(SYS_read, fd, data, size);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t offset) {
    char path[PATH_MAX];
    if (armed && kinds & READ && concerns(path_of(fd, path)) && strike("pread", path) < 0) return -1;
    return syscall(SYS_pread64, fd, data, size, offset);
}
ssize_t pread(int fd, void *data, size_t size, off_t offset) { return pread64(fd, data, size, offset); }
ssize_t __read_chk(int fd, void *data, size_t size, size_t room) { return room < size ? abort(), 0 : read(fd, data, size); }
ssize_t __pread_chk(int fd, void *data, size_t size, off_t offset, size_t room) {
    return room < size ? abort(), 0 : pread64(fd, data, size, offset);
}
ssize_t __pread64_chk(int fd, void *data, size_t size, off64_t offset, size_t room) {
    return room < size ? abort(), 0 : pread64(fd, data, size, offset);
}

static int open_at(int at, const char *name, int flags, mode_t mode) {
    char out[PATH_MAX];
    const char *path;
    if (!armed || !concerns(path = absolute(at, name, out))) return syscall(SYS_openat, at, name, flags, mode);
    int missing = 0, makes = (flags & (O_CREAT | O_TRUNC)) != 0;
    BEGIN((makes ? CHANGE : 0) | OPEN, "open", path);
    if (torn) die();
    if (locked && makes) {
        struct stat there;
        missing = syscall(SYS_STAT, AT_FDCWD, path, &there, 0) != 0;
        if (missing && flags & O_CREAT) note_name(J_CREATE, path, NULL);
        if (!missing && flags & O_TRUNC) note_truncate(path, 0);
    }
    int fd = syscall(SYS_openat, at, name, flags, mode);
    END(fd);
}

#define MODE(flags, last)                                       \
    mode_t mode = 0;                                            \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                                           \
        va_start(rest, last);                                   \
        mode = va_arg(rest, mode_t);                            \
        va_end(rest);                                           \
    }
int open(const char *name, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags, flags) return open_at(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags, flags) return open_at(at, name, flags, mode); }
int creat(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }
int __open_2(const char *name, int flags) { return open_at(AT_FDCWD, name, flags, 0); }
int __open64_2(const char *name, int flags) { return open_at(AT_FDCWD, name, flags, 0); }
int __openat_2(int at, const char *name, int flags) { return open_at(at, name, flags, 0); }
int __openat64_2(int at, const char *name, int flags) { return open_at(at, name, flags, 0); }

static int sync_file(int fd, long number) {
    char path[PATH_MAX];
    struct stat now;
    if (!armed || !concerns(path_of(fd, path))) return syscall(number, fd);
    BEGIN(CHANGE | SYNC, "fsync", path);
    if (torn) die();
    int result = syscall(number, fd);
    if (locked && !result && !fstat(fd, &now)) note(J_SYNC, path, now.st_ino, 0, 0, NULL, 0, NULL, 0, 0);
    END(result);
}
int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

int ftruncate64(int fd, off64_t size) {
    char path[PATH_MAX];
    if (!armed || !concerns(path_of(fd, path))) return syscall(SYS_ftruncate, fd, size);
    BEGIN(CHANGE, "ftruncate", path);
    if (torn) die();
    if (locked) note_truncate(path, size);
    int result = syscall(SYS_ftruncate, fd, size);
    END(result);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int rename_at(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char out[PATH_MAX], out2[PATH_MAX];
    const char *path, *target;
    if (!armed || !concerns(target = absolute(to_at, to, out2)))
        return syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    path = absolute(from_at, from, out);
    BEGIN(CHANGE, "rename", target);
    if (torn) die();
    if (locked) note_name(J_RENAME, path, target);
    int result = syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    END(result);
}
int rename(const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_at(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return rename_at(a, from, b, to, flags); }

int unlinkat(int at, const char *name, int flags) {
    char out[PATH_MAX];
    const char *path;
    if (!armed || !concerns(path = absolute(at, name, out))) return syscall(SYS_unlinkat, at, name, flags);
    BEGIN(CHANGE, "unlink", path);
    if (torn) die();
    if (locked) note_name(flags & AT_REMOVEDIR ? J_RMDIR : J_UNLINK, path, path);
    int result = syscall(SYS_unlinkat, at, name, flags);
    END(result);
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

/* mkdir, link and symlink: names that come up */
#define NAMES(call, name_at, new_name, number, ...)                             \
    char out[PATH_MAX];                                                         \
    const char *path;                                                           \
    if (!armed || !concerns(path = absolute(name_at, new_name, out))) return syscall(number, __VA_ARGS__); \
    BEGIN(CHANGE, call, path);                                                  \
    if (torn) die();                                                            \
    int result = syscall(number, __VA_ARGS__);                                  \
    if (locked && !result) note_name(J_CREATE, path, NULL);                     \
    END(result);
int mkdirat(int at, const char *name, mode_t mode) { NAMES("mkdir", at, name, SYS_mkdirat, at, name, mode) }
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    NAMES("link", b, to, SYS_linkat, a, from, b, to, flags)
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlinkat(const char *from, int at, const char *to) { NAMES("symlink", at, to, SYS_symlinkat, from, at, to) }
int symlink(const char *from, const char *to) { return symlinkat(from, AT_FDCWD, to); }

/* ---- memory ---- */

static int lacks(size_t size) {
    return armed && kinds & ALLOCATION && (int64_t)size >= least_bytes && strike("allocation", "") < 0;
}
void *malloc(size_t size) { return lacks(size) ? (errno = ENOMEM, NULL) : __libc_malloc(size); }
void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || lacks(bytes)) return errno = ENOMEM, NULL;
    return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) { return lacks(size) ? (errno = ENOMEM, NULL) : __libc_realloc(old, size); }
void *memalign(size_t align, size_t size) { return lacks(size) ? (errno = ENOMEM, NULL) : __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { return memalign(align, size); }
int posix_memalign(void **out, size_t align, size_t size) {
    void *made = memalign(align, size);
    if (!made) return ENOMEM;
    *out = made;
    return 0;
}
void *mmap64(void *where, size_t size, int protect, int flags, int fd, off64_t offset) {
    if (flags & MAP_ANONYMOUS && lacks(size)) return errno = ENOMEM, MAP_FAILED;
    return (void *)syscall(SYS_mmap, where, size, protect, flags, fd, offset);
}
void *mmap(void *where, size_t size, int protect, int flags, int fd, off_t offset) {
    return mmap64(where, size, protect, flags, fd, offset);
}
