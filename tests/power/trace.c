/* Writes down, in their order, everything that a process does to the files of one folder, and what it says on its standard
 * output in between: what `cargo xtask power` rebuilds the states after a power cut from. Loaded with LD_PRELOAD into a
 * process of the harness, on Linux; nothing of it is ever part of the product.
 *
 * A file is known by its inode and an entry by its path, so descriptors need no book-keeping. One lock around each call and
 * its line makes the order of the lines the order of the calls. Memory maps are not seen: SQLite writes only its `-shm`
 * through one, which it makes anew after a cut.
 *
 * TRACE_ROOT is the folder, TRACE_LOG the file to write to. A line: kind, inode, a number, three lengths, and then two paths
 * and bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE = 1, MKDIR, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, RMDIR, LINK, SAID };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int log_file = -1;


__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("TRACE_ROOT"), *path = getenv("TRACE_LOG");
    if (!folder || !path) return;
    root_length = strlen(folder);
    if (root_length >= sizeof root) abort();
    memcpy(root, folder, root_length + 1);
    log_file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_file < 0) abort();
}

static void put(const void *bytes, size_t length) {
    const char *rest = bytes;
    while (length > 0) {
        long n = syscall(SYS_write, log_file, rest, length);
        if (n <= 0) abort();
        rest += n;
        length -= (size_t)n;
    }
}

static void note(enum kind kind, uint64_t inode, uint64_t number, const char *path, const char *other, const void *bytes,
                 size_t length) {
    struct {
        uint32_t kind, path, other, spare;
        uint64_t inode, number, bytes;
    } line = {kind, path ? (uint32_t)strlen(path) : 0, other ? (uint32_t)strlen(other) : 0, 0, inode, number, length};
    int before = errno;
    put(&line, sizeof line);
    if (path) put(path, line.path);
    if (other) put(other, line.other);
    if (length) put(bytes, length);
    errno = before;
}

static int is_inside(const char *path) {
    return log_file >= 0 && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* The path of a descriptor; where it was renamed, the new one; where it was deleted, with a note of the kernel's behind it. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = 0;
    return n > 0 && is_inside(path);
}

/* The path of a name, seen from a folder. */
static int path_at(int folder, const char *name, char *path) {
    if (log_file < 0) return 0;
    char before[PATH_MAX] = "";
    if (name[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(before, sizeof before)) return 0;
        } else {
            path_of(folder, before);
        }
        strncat(before, "/", sizeof before - strlen(before) - 1);
    }
    if (strlen(before) + strlen(name) >= PATH_MAX) return 0;
    strcpy(path, before);
    strcat(path, name);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') path[--length] = 0;
    return is_inside(path);
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : (uint64_t)found.st_ino;
}

/* Opening */

static int open_noted(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat found;
    pthread_mutex_lock(&lock);
    int inside = path_at(folder, name, path);
    int was_there = inside && syscall(SYS_newfstatat, folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = (int)syscall(SYS_openat, folder, name, flags | O_LARGEFILE, mode);
    if (fd >= 0 && inside) {
        if (!was_there) note(CREATE, inode_of(fd), 0, path, NULL, NULL, 0);
        else if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) note(TRUNCATE, inode_of(fd), 0, NULL, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE_OF(flags)                                                    \
    mode_t mode = 0;                                                      \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                              \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        mode = (mode_t)va_arg(rest, int);                                 \
        va_end(rest);                                                     \
    }

int open(const char *name, int flags, ...) { MODE_OF(flags) return open_noted(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE_OF(flags) return open_noted(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE_OF(flags) return open_noted(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE_OF(flags) return open_noted(folder, name, flags, mode); }
int creat(const char *name, mode_t mode) { return open_noted(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

/* Writing */

/* What was written at an offset; before the call for a descriptor that has a place of its own. */
static uint64_t place_of(int fd) {
    struct stat found;
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_APPEND)) return fstat(fd, &found) ? 0 : (uint64_t)found.st_size;
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at < 0 ? 0 : (uint64_t)at;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_of(fd, path);
    uint64_t place = inside ? place_of(fd) : 0;
    ssize_t n = syscall(SYS_write, fd, bytes, length);
    if (n > 0 && inside) note(WRITE, inode_of(fd), place, NULL, NULL, bytes, (size_t)n);
    if (n > 0 && fd == STDOUT_FILENO && log_file >= 0) note(SAID, 0, 0, NULL, NULL, bytes, (size_t)n);
    pthread_mutex_unlock(&lock);
    return n;
}

static void note_vector(int fd, uint64_t place, const struct iovec *parts, int count, ssize_t written) {
    size_t left = (size_t)written;
    for (int i = 0; i < count && left > 0; i++) {
        size_t length = parts[i].iov_len < left ? parts[i].iov_len : left;
        note(WRITE, inode_of(fd), place, NULL, NULL, parts[i].iov_base, length);
        place += length;
        left -= length;
    }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_of(fd, path);
    uint64_t place = inside ? place_of(fd) : 0;
    ssize_t n = syscall(SYS_writev, fd, parts, count);
    if (n > 0 && inside) note_vector(fd, place, parts, count, n);
    if (n > 0 && fd == STDOUT_FILENO && log_file >= 0) {
        size_t left = (size_t)n;
        for (int i = 0; i < count && left > 0; i++) {
            size_t length = parts[i].iov_len < left ? parts[i].iov_len : left;
            note(SAID, 0, 0, NULL, NULL, parts[i].iov_base, length);
            left -= length;
        }
    }
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t place) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_of(fd, path);
    ssize_t n = syscall(SYS_pwrite64, fd, bytes, length, place);
    if (n > 0 && inside) note(WRITE, inode_of(fd), (uint64_t)place, NULL, NULL, bytes, (size_t)n);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t place) { return pwrite64(fd, bytes, length, place); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t place) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_of(fd, path);
    ssize_t n = syscall(SYS_pwritev, fd, parts, count, (unsigned long)place, 0ul);
    if (n > 0 && inside) note_vector(fd, (uint64_t)place, parts, count, n);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t place) { return pwritev64(fd, parts, count, place); }

/* What copies inside the kernel says that it cannot, so that the bytes come by `write`. */
#define NOT_HERE                                                          \
    errno = ENOSYS;                                                       \
    return -1;

ssize_t copy_file_range(int in, off64_t *a, int out, off64_t *b, size_t n, unsigned flags) {
    char path[PATH_MAX];
    if (path_of(out, path)) { NOT_HERE }
    return syscall(SYS_copy_file_range, in, a, out, b, n, flags);
}

ssize_t sendfile64(int out, int in, off64_t *place, size_t n) {
    char path[PATH_MAX];
    if (path_of(out, path)) { NOT_HERE }
    return syscall(SYS_sendfile, out, in, place, n);
}

ssize_t sendfile(int out, int in, off_t *place, size_t n) { return sendfile64(out, in, place, n); }

ssize_t splice(int in, off64_t *a, int out, off64_t *b, size_t n, unsigned flags) {
    char path[PATH_MAX];
    if (path_of(out, path)) { NOT_HERE }
    return syscall(SYS_splice, in, a, out, b, n, flags);
}

static int truncate_noted(int fd, off64_t size) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_of(fd, path);
    int failed = (int)syscall(SYS_ftruncate, fd, size);
    if (!failed && inside) note(TRUNCATE, inode_of(fd), (uint64_t)size, NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int ftruncate(int fd, off_t size) { return truncate_noted(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_noted(fd, size); }

/* Room that is reserved is only a longer file here. */
static int allocate_noted(int fd, off64_t place, off64_t length) {
    struct stat found;
    if (fstat(fd, &found)) return errno;
    return found.st_size >= place + length ? 0 : truncate_noted(fd, place + length) ? errno : 0;
}

int posix_fallocate(int fd, off_t place, off_t length) { return allocate_noted(fd, place, length); }
int posix_fallocate64(int fd, off64_t place, off64_t length) { return allocate_noted(fd, place, length); }

int fallocate(int fd, int mode, off_t place, off_t length) {
    (void)mode, (void)place, (void)length, (void)fd;
    NOT_HERE
}

int fallocate64(int fd, int mode, off64_t place, off64_t length) { return fallocate(fd, mode, place, length); }

/* Syncing: a file by its inode, a folder by its inode too */

static int sync_noted(long call, int fd) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_of(fd, path);
    int failed = (int)syscall(call, fd);
    if (!failed && inside) note(SYNC, inode_of(fd), 0, path, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int fsync(int fd) { return sync_noted(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_noted(SYS_fdatasync, fd); }

/* Entries */

static int rename_noted(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    char from_path[PATH_MAX] = "", to_path[PATH_MAX] = "";
    pthread_mutex_lock(&lock);
    int inside = path_at(from_folder, from, from_path);
    inside = path_at(to_folder, to, to_path) || inside;
    int failed = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    if (!failed && inside) note(RENAME, 0, flags, from_path, to_path, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int rename(const char *from, const char *to) { return rename_noted(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_noted(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return rename_noted(a, from, b, to, flags); }

static int unlink_noted(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_at(folder, name, path);
    int failed = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (!failed && inside) note(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, path, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int unlink(const char *name) { return unlink_noted(AT_FDCWD, name, 0); }
int unlinkat(int folder, const char *name, int flags) { return unlink_noted(folder, name, flags); }
int rmdir(const char *name) { return unlink_noted(AT_FDCWD, name, AT_REMOVEDIR); }

static int mkdir_noted(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int inside = path_at(folder, name, path);
    int failed = (int)syscall(SYS_mkdirat, folder, name, mode);
    struct stat found;
    if (!failed && inside && !syscall(SYS_newfstatat, folder, name, &found, 0)) {
        note(MKDIR, (uint64_t)found.st_ino, 0, path, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return failed;
}

int mkdir(const char *name, mode_t mode) { return mkdir_noted(AT_FDCWD, name, mode); }
int mkdirat(int folder, const char *name, mode_t mode) { return mkdir_noted(folder, name, mode); }

static int link_noted(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char from_path[PATH_MAX] = "", to_path[PATH_MAX] = "";
    pthread_mutex_lock(&lock);
    path_at(from_folder, from, from_path);
    int inside = path_at(to_folder, to, to_path);
    int failed = (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    if (!failed && inside) note(LINK, 0, 0, from_path, to_path, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int link(const char *from, const char *to) { return link_noted(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return link_noted(a, from, b, to, flags); }
