/* Preloaded into a process: one kind of call on some files fails, each time with the next of some errnos.
 *
 * FAILING_CALL: open, read, write, fsync or rename. FAILING_PATH: a part of the paths meant. FAILING_ERRNOS: numbers
 * with commas. FAILING_WHILE: a file; nothing fails once it is gone. Each failure appends a line to FAILING_LOG.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int next_errno(void)
{
    static _Atomic unsigned turn;
    const char *text = getenv("FAILING_ERRNOS");
    int numbers[32], count = 0;
    while (text && *text && count < 32) {
        numbers[count++] = atoi(text);
        text = strchr(text, ',');
        if (text) text++;
    }
    return count ? numbers[turn++ % count] : EIO;
}

static int fails(const char *call, const char *path)
{
    const char *wanted = getenv("FAILING_CALL"), *part = getenv("FAILING_PATH"), *until = getenv("FAILING_WHILE");
    if (!wanted || !part || !until || strcmp(call, wanted) || !path || !strstr(path, part)) return 0;
    if (syscall(SYS_faccessat, AT_FDCWD, until, F_OK, 0)) return 0;
    int log = syscall(SYS_openat, AT_FDCWD, getenv("FAILING_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    int number = next_errno();
    char line[64];
    int length = snprintf(line, sizeof line, "%s %d\n", call, number);
    if (log >= 0) { syscall(SYS_write, log, line, length); syscall(SYS_close, log); }
    errno = number;
    return 1;
}

static int fails_on(const char *call, int descriptor)
{
    const char *wanted = getenv("FAILING_CALL");
    if (!wanted || strcmp(call, wanted)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0; }

int open(const char *path, int flags, ...)
{
    va_list rest; va_start(rest, flags); int mode = mode_of(flags, rest); va_end(rest);
    return fails("open", path) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
    va_list rest; va_start(rest, flags); int mode = mode_of(flags, rest); va_end(rest);
    return fails("open", path) ? -1 : REAL(open64)(path, flags, mode);
}
ssize_t read(int descriptor, void *to, size_t count)
{
    return fails_on("read", descriptor) ? -1 : REAL(read)(descriptor, to, count);
}
ssize_t write(int descriptor, const void *from, size_t count)
{
    return fails_on("write", descriptor) ? -1 : REAL(write)(descriptor, from, count);
}
int fsync(int descriptor) { return fails_on("fsync", descriptor) ? -1 : REAL(fsync)(descriptor); }
int rename(const char *from, const char *to) { return fails("rename", to) ? -1 : REAL(rename)(from, to); }
