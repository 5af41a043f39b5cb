/* Stands between till and its disk: preloaded, it records every operation on the files of one folder, and makes them
 * slow, or fail while it is told to.
 *
 *   DISK_SHIM_FOLDER   the folder, as the kernel names it
 *   DISK_SHIM_RECORD   the file that operations are appended to; none, no record
 *   DISK_SHIM_SLOW_US  how long a write waits before it happens: a moment that a kill is likelier to meet
 *   DISK_SHIM_FAULT    while this file exists, its first letter says what fails: w writes (disk full), s syncs
 *                      (I/O error), o writes (read-only file system)
 *
 * An entry is a struct entry, the name and the bytes. A write is recorded before it happens and a sync once it has, so
 * that a process killed in between never has more on disk than the record says, nor less that is durable; until the
 * moment that a sync's entry names, it may not have happened. One operation at a time: the record's order is what
 * happened. The index in shared memory (-shm) is left out: no sync ever covers it, and
 * a start makes it anew.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { OPENED = 1, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, SYNC_FOLDER, MKDIR, SYNC_FAILED };

struct entry {
    uint64_t at_ns, kind, offset, name_bytes, bytes;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *fault;
static size_t folder_bytes;
static int record = -1;
static useconds_t slow_us;

__attribute__((constructor)) static void start(void) {
    folder = getenv("DISK_SHIM_FOLDER");
    fault = getenv("DISK_SHIM_FAULT");
    folder_bytes = folder ? strlen(folder) : 0;
    slow_us = getenv("DISK_SHIM_SLOW_US") ? (useconds_t)atoi(getenv("DISK_SHIM_SLOW_US")) : 0;
    const char *file = getenv("DISK_SHIM_RECORD");
    if (file) record = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Returns the name within the folder, "" for the folder itself, NULL for what is elsewhere or left out. */
static const char *within(const char *path) {
    if (!folder_bytes || strncmp(path, folder, folder_bytes) != 0) return NULL;
    if (path[folder_bytes] == '\0') return "";
    if (path[folder_bytes] != '/') return NULL;
    size_t length = strlen(path);
    if (length >= 4 && strcmp(path + length - 4, "-shm") == 0) return NULL;
    return path + folder_bytes + 1;
}

static const char *name_of(int fd, char path[4096]) {
    char link[64];
    if (!folder_bytes) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, 4095);
    if (length <= 0) return NULL;
    path[length] = '\0';
    return within(path);
}

static void note(uint64_t at_ns, enum kind kind, const char *name, uint64_t offset, const void *bytes, uint64_t count) {
    if (record < 0) return;
    struct entry entry = {at_ns, kind, offset, strlen(name), count};
    struct iovec parts[] = {{&entry, sizeof entry}, {(void *)name, entry.name_bytes}, {(void *)bytes, bytes ? count : 0}};
    if (!bytes) entry.bytes = 0;
    if (syscall(SYS_writev, record, parts, 3) < (ssize_t)(sizeof entry + entry.name_bytes + entry.bytes)) abort();
}

/* Returns the error that the operation has to fail with, 0 for none. */
static int failing(char operation) {
    char told = 0;
    if (!fault) return 0;
    int fd = syscall(SYS_openat, AT_FDCWD, fault, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    syscall(SYS_read, fd, &told, 1);
    syscall(SYS_close, fd);
    if (operation == 's') return told == 's' ? EIO : 0;
    return told == 'w' ? ENOSPC : told == 'o' ? EROFS : 0;
}

#define REAL(function) \
    static __typeof__(function) *real; \
    if (!real) real = (__typeof__(function) *)dlsym(RTLD_NEXT, #function)

#define REFUSE(operation) \
    do { \
        int error = failing(operation); \
        if (error) { \
            errno = error; \
            return -1; \
        } \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    char path[4096];
    const char *name = name_of(fd, path);
    if (!name) return real(fd, bytes, count);
    REFUSE('w');
    if (slow_us) usleep(slow_us);
    pthread_mutex_lock(&one_at_a_time);
    note(now_ns(), WRITE, name, (uint64_t)lseek(fd, 0, SEEK_CUR), bytes, count);
    ssize_t written = real(fd, bytes, count);
    pthread_mutex_unlock(&one_at_a_time);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    char path[4096];
    const char *name = name_of(fd, path);
    if (!name) return real(fd, bytes, count, offset);
    REFUSE('w');
    if (slow_us) usleep(slow_us);
    pthread_mutex_lock(&one_at_a_time);
    note(now_ns(), WRITE, name, (uint64_t)offset, bytes, count);
    ssize_t written = real(fd, bytes, count, offset);
    pthread_mutex_unlock(&one_at_a_time);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

/* Copies within the kernel would pass by: refused, so that the caller reads and writes. */
ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t count, unsigned flags) {
    REAL(copy_file_range);
    char path[4096];
    if (!name_of(to, path)) return real(from, from_offset, to, to_offset, count, flags);
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
    REAL(sendfile64);
    char path[4096];
    if (!name_of(to, path)) return real(to, from, offset, count);
    errno = ENOSYS;
    return -1;
}

static int truncated(int fd, off64_t size, int (*real)(int, off64_t)) {
    char path[4096];
    const char *name = name_of(fd, path);
    if (!name) return real(fd, size);
    REFUSE('w');
    pthread_mutex_lock(&one_at_a_time);
    note(now_ns(), TRUNCATE, name, (uint64_t)size, NULL, 0);
    int done = real(fd, size);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return truncated(fd, size, real);
}

int ftruncate(int fd, off_t size) {
    REAL(ftruncate64);
    return truncated(fd, size, real);
}

static int synced(int fd, int (*real)(int)) {
    char path[4096];
    const char *name = name_of(fd, path);
    if (!name) return real(fd);
    int error = failing('s');
    pthread_mutex_lock(&one_at_a_time);
    if (error) {
        note(now_ns(), SYNC_FAILED, name, 0, NULL, 0);
        pthread_mutex_unlock(&one_at_a_time);
        errno = error;
        return -1;
    }
    int done = real(fd);
    struct stat what;
    int is_folder = fstat(fd, &what) == 0 && S_ISDIR(what.st_mode);
    if (done == 0) note(now_ns(), is_folder ? SYNC_FOLDER : SYNC, name, 0, NULL, 0);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int fsync(int fd) {
    REAL(fsync);
    return synced(fd, real);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return synced(fd, real);
}

int unlink(const char *path) {
    REAL(unlink);
    const char *name = within(path);
    if (!name) return real(path);
    pthread_mutex_lock(&one_at_a_time);
    note(now_ns(), UNLINK, name, 0, NULL, 0);
    int done = real(path);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    const char *name = within(path);
    if (!name) return real(path, mode);
    pthread_mutex_lock(&one_at_a_time);
    uint64_t at_ns = now_ns();
    int done = real(path, mode);
    if (done == 0) note(at_ns, MKDIR, name, 0, NULL, 0);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    const char *before = within(from), *after = within(to);
    if (!before || !after) return real(from, to);
    pthread_mutex_lock(&one_at_a_time);
    note(now_ns(), RENAME, before, 0, after, strlen(after));
    int done = real(from, to);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

static int opened(int fd, int flags) {
    char path[4096];
    const char *name = fd >= 0 && (flags & (O_CREAT | O_TRUNC)) ? name_of(fd, path) : NULL;
    if (name && *name) {
        pthread_mutex_lock(&one_at_a_time);
        note(now_ns(), OPENED, name, (flags & O_TRUNC) != 0, NULL, 0);
        pthread_mutex_unlock(&one_at_a_time);
    }
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open64(const char *path, int flags, ...) {
    REAL(open64);
    MODE(flags);
    return opened(real(path, flags, mode), flags);
}

int open(const char *path, int flags, ...) {
    REAL(open64);
    MODE(flags);
    return opened(real(path, flags, mode), flags);
}
