#pragma once
#include <stdint.h>

#pragma clang assume_nonnull begin

/// A program to start. The caller owns all pointers and keeps them valid until `start_process` returns.
typedef struct process_start {
  const char *program;
  /// Terminated by NULL, and so is the environment.
  char *_Nullable const *_Nonnull arguments;
  char *_Nullable const *_Nonnull environment;
  /// Its working folder.
  const char *folder;
  /// Becomes its stdout and stderr. Its stdin is /dev/null, and all other descriptors are closed.
  int output;
  /// RLIMIT_DATA in bytes; 0: the limit of this process.
  uint64_t data_limit;
} process_start;

/// The step that failed.
typedef enum process_stage { stage_none, stage_process, stage_setup, stage_folder, stage_program } process_stage;

typedef struct process_started {
  /// -1 if it did not start.
  int pid;
  process_stage failed_stage;
  /// The `errno` of the step that failed.
  int error;
} process_started;

/// Starts a program in a process group of its own, with no signal blocked or ignored.
///
/// The kernel kills it (SIGKILL) when the *thread* that called this function ends, and therefore when this process
/// ends, for whatever reason. The call waits until `exec` has succeeded or failed. Neither fork handlers nor vfork's
/// shared memory are involved, so other threads may be doing anything meanwhile.
process_started start_process(const process_start *start);

/// Reserves so many bytes of disk space after the end of a file, so that they can be appended even when the disk is
/// full. Does nothing where the file system does not support it.
void reserve_room(int descriptor, int64_t bytes);

/// A non-blocking event descriptor (eventfd): writing 8 bytes makes it readable, and a read resets it.
int make_bell(void);

/// A descriptor that becomes readable when the process ends (pidfd_open); -1 with `errno` on failure.
int open_process(int pid);

/// Waits for the process to end. Gives its status, as `waitpid`, and its peak memory in bytes; returns -1 with
/// `errno` on failure.
int reap_process(int pid, int *status, int64_t *peak_bytes);

#pragma clang assume_nonnull end
