/* Preloaded into a process: keeps beside each file below UNSYNCED_HOME what it held when it was last synced.
 *
 * UNSYNCED_KEPT is the folder of these copies; a copy is named like the file, with % for each /. What has no copy was
 * never synced. When the power is cut, bench/faults/power.py puts every file back to its copy: what a disk may lose.
 * Names are taken to be durable at once (a rename takes the copy along), bytes only by fsync: the harder case.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define LONGEST 4096

static int copy_name(const char *path, char *name)
{
    const char *home = getenv("UNSYNCED_HOME"), *kept = getenv("UNSYNCED_KEPT");
    if (!home || !kept || !path || strncmp(path, home, strlen(home)) || path[strlen(home)] != '/') return 0;
    int begins = snprintf(name, LONGEST, "%s/", kept);
    snprintf(name + begins, LONGEST - begins, "%s", path + strlen(home) + 1);
    for (char *at = name + begins; *at; at++)
        if (*at == '/') *at = '%';
    return 1;
}

static void keep(int descriptor)
{
    char link[64], path[LONGEST], name[LONGEST], unfinished[LONGEST + 64], part[65536];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || fstat(descriptor, &status) || !S_ISREG(status.st_mode)) return;
    path[length] = 0;
    if (!copy_name(path, name)) return;
    snprintf(unfinished, sizeof unfinished, "%s~%d", name, (int)gettid());
    /* A file that SQLite has open is read by its own descriptor: to close another one lets go of the process's locks. */
    int other = (fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_WRONLY ? REAL(open)(path, O_RDONLY) : -1;
    int from = other >= 0 ? other : descriptor, to = REAL(open)(unfinished, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t place = 0;
    while (to >= 0 && (length = pread(from, part, sizeof part, place)) > 0) {
        if (write(to, part, length) != length) break;
        place += length;
    }
    if (other >= 0) close(other);
    if (to >= 0) { close(to); REAL(rename)(unfinished, name); }
}

int fsync(int descriptor)
{
    int failed = REAL(fsync)(descriptor);
    if (!failed) keep(descriptor);
    return failed;
}
int fdatasync(int descriptor)
{
    int failed = REAL(fdatasync)(descriptor);
    if (!failed) keep(descriptor);
    return failed;
}
int rename(const char *from, const char *to)
{
    char before[LONGEST], after[LONGEST];
    int failed = REAL(rename)(from, to);
    if (!failed && copy_name(to, after) && (!copy_name(from, before) || REAL(rename)(before, after))) unlink(after);
    return failed;
}
