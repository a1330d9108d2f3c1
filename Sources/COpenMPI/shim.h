#pragma once
#include <mpi.h>

// What Swift's importer cannot see: MPI_COMM_WORLD, MPI_FLOAT and their kind are macros with casts of addresses.

/// How far the library is: 0 not begun, 1 running, 2 ended.
static inline int ranks_state(void) {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  return ended ? 2 : begun;
}

/// Joins the other processes. Calls may come from any thread, one at a time; 0 if the library cannot do that.
static inline int ranks_join(void) {
  int given = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(0, 0, MPI_THREAD_SERIALIZED, &given) != MPI_SUCCESS) return 0;
  return given >= MPI_THREAD_SERIALIZED;
}

static inline int ranks_own(void) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

static inline int ranks_count(void) {
  int count = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  return count;
}

/// Adds up over all ranks, in place.
static inline void ranks_sum(double *numbers, int count) {
  MPI_Allreduce(MPI_IN_PLACE, numbers, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

/// The same, but returns at once. The numbers are the library's until the request is done.
static inline void ranks_begin_sum(float *numbers, int count, MPI_Request *request) {
  MPI_Iallreduce(MPI_IN_PLACE, numbers, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, request);
}

/// Goes on with what has been begun; does not wait.
static inline void ranks_advance(int count, MPI_Request *requests) {
  int done = 0;
  MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
}

static inline void ranks_wait(int count, MPI_Request *requests) { MPI_Waitall(count, requests, MPI_STATUSES_IGNORE); }

/// Waits for all ranks, so that none is taken for lost while another still has something to say, and leaves them.
static inline void ranks_leave(void) {
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Finalize();
}

/// Ends all ranks.
static inline void ranks_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }
