#define _GNU_SOURCE
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct failure {
  process_stage stage;
  int error;
} failure;

/// The descriptor of the pipe that reports a failure: the one after the standard streams, so that all above it can be
/// closed.
enum { report = 3 };

static void close_above(int last) {
  if (syscall(SYS_close_range, last + 1, ~0U, 0) == 0) return;
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  for (rlim_t file = (rlim_t)last + 1; file < files.rlim_cur && file < 1 << 20; file++) close((int)file);
}

/// Turns the forked child into the program. Calls only what is safe between fork and exec: system calls.
static failure become(const process_start *start, int parent) {
  failure setup = {stage_setup, 0};
  setpgid(0, 0);
  // If the parent has ended before this call, nobody would kill this process.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) goto failed;
  if (getppid() != parent) _exit(127);
  struct sigaction usual = {.sa_handler = SIG_DFL};
  for (int number = 1; number <= 64; number++) sigaction(number, &usual, NULL);
  int input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, 0) < 0 || dup2(start->output, 1) < 0 || dup2(start->output, 2) < 0) goto failed;
  close_above(report);
  if (start->data_limit > 0) {
    struct rlimit limit = {start->data_limit, start->data_limit};
    if (setrlimit(RLIMIT_DATA, &limit) != 0) goto failed;
  }
  if (chdir(start->folder) != 0) {
    setup.stage = stage_folder;
    goto failed;
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(start->program, start->arguments, start->environment);
  setup.stage = stage_program;
failed:
  setup.error = errno;
  return setup;
}

process_started start_process(const process_start *start) {
  process_started result = {-1, stage_process, 0};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    result.error = errno;
    return result;
  }
  int parent = getpid();
  // A handler of this process must not run in the new one.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // Without the handlers of pthread_atfork: OpenBLAS's would end the threads of a computation that runs now.
  int pid = _Fork();
  if (pid == 0) {
    process_start own = *start;
    // The output may have the number that the report pipe is to get.
    if (own.output == report) own.output = fcntl(report, F_DUPFD_CLOEXEC, report + 1);
    if (ends[1] != report && dup3(ends[1], report, O_CLOEXEC) < 0) _exit(127);
    failure failed = become(&own, parent);
    ssize_t written = write(report, &failed, sizeof failed);
    _exit(written == sizeof failed ? 127 : 126);
  }
  result.error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(ends[1]);
  if (pid > 0) {
    setpgid(pid, pid);
    failure failed;
    ssize_t got;
    do got = read(ends[0], &failed, sizeof failed);
    while (got < 0 && errno == EINTR);
    if (got == sizeof failed) {
      waitpid(pid, NULL, 0);
      result = (process_started){-1, failed.stage, failed.error};
    } else {
      result = (process_started){pid, stage_none, 0};
    }
  }
  close(ends[0]);
  return result;
}

void reserve_room(int descriptor, int64_t bytes) {
  struct stat file;
  if (fstat(descriptor, &file) != 0 || !S_ISREG(file.st_mode)) return;
  // Not posix_fallocate, which would write zeros where the file system has no such call.
  (void)fallocate(descriptor, FALLOC_FL_KEEP_SIZE, file.st_size, bytes);
}

int make_bell(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int open_process(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int reap_process(int pid, int *status, int64_t *peak_bytes) {
  struct rusage usage;
  int got;
  do got = wait4(pid, status, 0, &usage);
  while (got < 0 && errno == EINTR);
  if (got == pid) *peak_bytes = (int64_t)usage.ru_maxrss * 1024;
  return got;
}
