#pragma once
#include <stdint.h>

#pragma clang assume_nonnull begin

/// A program to start; all of it belongs to the caller, who keeps it until `start_process` returns.
typedef struct process_start {
  const char *program;
  /// Ended by NULL.
  char *_Nullable const *_Nonnull arguments;
  char *_Nullable const *_Nonnull environment;
  const char *folder;
  /// Becomes its stdout and stderr. Its stdin is /dev/null, all others are closed.
  int output;
  /// RLIMIT_DATA in bytes; 0: as this process has it.
  uint64_t data_limit;
} process_start;

/// What was being done when it failed.
typedef enum process_stage { stage_none, stage_process, stage_setup, stage_folder, stage_program } process_stage;

typedef struct process_started {
  /// -1 where it did not start.
  int pid;
  process_stage failed_stage;
  int error;
} process_started;

/// Starts a program in a process group of its own, with no signal blocked or ignored.
///
/// The kernel kills it (SIGKILL) when the *thread* that called this ends, and so when this process does, in whatever way.
/// Waits until the program has taken over or has failed to. Neither fork handlers nor vfork's shared memory are involved:
/// other threads may be anywhere meanwhile.
process_started start_process(const process_start *start);

/// Keeps so much room on the disk behind the end of a file, where the file system can do that: what is appended there finds
/// it on a full disk, too.
void reserve_room(int descriptor, int64_t bytes);

/// An event descriptor that does not block: 8 bytes written make it readable, a read takes them all.
int make_bell(void);

/// A descriptor that can be read from when the process has ended (pidfd_open); -1 with `errno`.
int open_process(int pid);

/// The status as `waitpid` has it, and the most memory that the process had, in bytes.
int reap_process(int pid, int *status, int64_t *peak_bytes);

#pragma clang assume_nonnull end
