// A disk that fails, for LD_PRELOAD. It concerns the files under $DISK_DIR; what it does is the first word of the file
// $DISK_MODE at that moment:
//   ok        nothing
//   full      writes fail with ENOSPC
//   room N    writes that make a file longer fail with ENOSPC where the files of $DISK_DIR would have over N octets
//   readonly  files can't be opened for writing (EROFS)
//   eio       flushes of the write-ahead log fail with EIO, after everything was written
//   eio-once  the same for the next one alone
//   slow      a flush takes 100 ms
//   power     the next write is the last one: it and everything that was not flushed is kept or lost sector by sector,
//             at random, and the process ends; the number of lost sectors is appended to $DISK_MODE.lost
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SECTOR = 512 };

// What a sector was before a write that is not flushed yet; zeros behind the end of the file.
struct undo {
  struct undo *next;
  dev_t device;
  ino_t file;
  off_t at;
  char before[SECTOR];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct undo *undos;

static void read_mode(char mode[32]) {
  const char *path = getenv("DISK_MODE");
  long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
  ssize_t length = fd < 0 ? 0 : syscall(SYS_read, fd, mode, 31);
  if (fd >= 0) syscall(SYS_close, fd);
  mode[length < 0 ? 0 : length] = 0;
}

static int is_mode(const char *wanted) {
  char mode[32];
  read_mode(mode);
  return strncmp(mode, wanted, strlen(wanted)) == 0;
}

// Octets of the files in $DISK_DIR.
static long long taken(void) {
  const char *directory = getenv("DISK_DIR");
  DIR *open = directory ? opendir(directory) : NULL;
  if (!open) return 0;
  long long octets = 0;
  struct stat stat;
  for (struct dirent *entry; (entry = readdir(open));) {
    if (!fstatat(dirfd(open), entry->d_name, &stat, 0) && S_ISREG(stat.st_mode)) octets += stat.st_size;
  }
  closedir(open);
  return octets;
}

static int lacks_room(int fd, size_t length, off_t at) {
  char mode[32];
  long long room;
  struct stat stat;
  read_mode(mode);
  if (sscanf(mode, "room %lld", &room) != 1 || fstat(fd, &stat)) return 0;
  off_t longer = at + (off_t)length - stat.st_size;
  return longer > 0 && taken() + longer > room;
}

static int is_inside(const char *path) {
  const char *directory = getenv("DISK_DIR");
  return directory && strncmp(path, directory, strlen(directory)) == 0;
}

static int concerns(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_inside(path);
}

static ssize_t really_write(int fd, const void *data, size_t length, off_t at) {
  return syscall(SYS_pwrite64, fd, data, length, at);
}

// Remembers what a write is about to change.
static void remember(int fd, size_t length, off_t at) {
  struct stat stat;
  if (fstat(fd, &stat)) return;
  for (off_t sector = at / SECTOR * SECTOR; sector < at + (off_t)length; sector += SECTOR) {
    struct undo *undo = calloc(1, sizeof *undo);
    if (!undo) abort();
    *undo = (struct undo){.next = undos, .device = stat.st_dev, .file = stat.st_ino, .at = sector};
    syscall(SYS_pread64, fd, undo->before, SECTOR, sector);
    undos = undo;
  }
}

// Undoes some of what was not flushed, through this process's own descriptors, and ends.
static void lose_power(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  unsigned random = (unsigned)now.tv_nsec;
  unsigned lost = 0;
  // Of what was written last the drive has least.
  for (struct undo *undo = undos; undo; undo = undo->next) {
    if (rand_r(&random) % 2) continue;
    for (int fd = 3; fd < 1024; fd++) {
      struct stat stat;
      if (fstat(fd, &stat) || stat.st_dev != undo->device || stat.st_ino != undo->file) continue;
      if (really_write(fd, undo->before, SECTOR, undo->at) < 0) continue;
      lost++;
      break;
    }
  }
  char path[4096], text[32];
  snprintf(path, sizeof path, "%s.lost", getenv("DISK_MODE"));
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  syscall(SYS_write, fd, text, snprintf(text, sizeof text, "%u\n", lost));
  syscall(SYS_exit_group, 137);
}

static ssize_t write_at(int fd, const void *data, size_t length, off_t at) {
  if (is_mode("full") || lacks_room(fd, length, at)) {
    errno = ENOSPC;
    return -1;
  }
  pthread_mutex_lock(&lock);
  remember(fd, length, at);
  ssize_t written = really_write(fd, data, length, at);
  if (is_mode("power")) lose_power();
  pthread_mutex_unlock(&lock);
  return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) {
  return concerns(fd) ? write_at(fd, data, length, at) : really_write(fd, data, length, at);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }

ssize_t write(int fd, const void *data, size_t length) {
  if (!concerns(fd)) return syscall(SYS_write, fd, data, length);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t written = write_at(fd, data, length, at);
  if (written > 0) lseek(fd, at + written, SEEK_SET);
  return written;
}

static int is_log(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  return length > 4 && strncmp(path + length - 4, "-wal", 4) == 0;
}

static int fails_to_flush(void) {
  pthread_mutex_lock(&lock);
  int fails = is_mode("eio");
  if (is_mode("eio-once")) {
    long mode = syscall(SYS_openat, AT_FDCWD, getenv("DISK_MODE"), O_WRONLY | O_TRUNC);
    syscall(SYS_write, mode, "ok", 2);
    syscall(SYS_close, mode);
  }
  pthread_mutex_unlock(&lock);
  return fails;
}

static int flush(int fd, long call) {
  if (!concerns(fd)) return (int)syscall(call, fd);
  if (is_mode("full")) {
    errno = ENOSPC;
    return -1;
  }
  if (is_log(fd) && fails_to_flush()) {
    errno = EIO;
    return -1;
  }
  if (is_mode("slow")) usleep(100 * 1000);
  pthread_mutex_lock(&lock);
  struct stat stat;
  int result = (int)syscall(call, fd);
  if (!result && !fstat(fd, &stat)) {
    for (struct undo **at = &undos; *at;) {
      struct undo *undo = *at;
      if (undo->device == stat.st_dev && undo->file == stat.st_ino) {
        *at = undo->next;
        free(undo);
      } else {
        at = &undo->next;
      }
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) { return flush(fd, SYS_fsync); }
int fdatasync(int fd) { return flush(fd, SYS_fdatasync); }

static int open_at(int directory, const char *path, int flags, mode_t mode) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
  if (writes && is_inside(path) && is_mode("readonly")) {
    errno = EROFS;
    return -1;
  }
  return (int)syscall(SYS_openat, directory, path, flags, mode);
}

#define OPEN(name, directory, ...)               \
  int name(__VA_ARGS__ const char *path, int flags, ...) { \
    va_list more;                                \
    va_start(more, flags);                       \
    mode_t mode = va_arg(more, mode_t);          \
    va_end(more);                                \
    return open_at(directory, path, flags, mode); \
  }
OPEN(open, AT_FDCWD, )
OPEN(open64, AT_FDCWD, )
OPEN(openat, directory, int directory, )
OPEN(openat64, directory, int directory, )
