#pragma once
#include <mpi.h>

// Wrappers for what Swift cannot import: MPI_COMM_WORLD, MPI_FLOAT and the like are macros that cast addresses.

/// The state of the library: 0 before MPI_Init, 1 running, 2 after MPI_Finalize.
static inline int ranks_state(void) {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  return ended ? 2 : begun;
}

/// Joins the other processes. Returns 0 if the library does not allow calls from any thread, one at a time.
static inline int ranks_join(void) {
  int given = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(0, 0, MPI_THREAD_SERIALIZED, &given) != MPI_SUCCESS) return 0;
  return given >= MPI_THREAD_SERIALIZED;
}

/// The rank of this process.
static inline int ranks_own(void) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

/// The number of ranks.
static inline int ranks_count(void) {
  int count = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  return count;
}

/// Replaces the numbers by their sums over all ranks.
static inline void ranks_sum(double *numbers, int count) {
  MPI_Allreduce(MPI_IN_PLACE, numbers, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

/// Starts the same for floats and returns at once. The library owns the numbers until the request is complete.
static inline void ranks_begin_sum(float *numbers, int count, MPI_Request *request) {
  MPI_Iallreduce(MPI_IN_PLACE, numbers, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, request);
}

/// Lets the library make progress with pending requests, without waiting.
static inline void ranks_advance(int count, MPI_Request *requests) {
  int done = 0;
  MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
}

/// Waits until all requests are complete.
static inline void ranks_wait(int count, MPI_Request *requests) { MPI_Waitall(count, requests, MPI_STATUSES_IGNORE); }

/// Waits for all ranks, so that none is taken for lost while another is still communicating, and leaves.
static inline void ranks_leave(void) {
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Finalize();
}

/// Ends the processes of all ranks with this exit status.
static inline void ranks_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }
