#pragma once
// glibc's mallopt, which Swift's Glibc module does not export.
#include <malloc.h>
#include <stdint.h>
#include <sys/types.h>

// Declared by <fcntl.h> only under _GNU_SOURCE, which Swift's importer does not set.
extern int sync_file_range(int descriptor, int64_t offset, int64_t count, unsigned int flags);

// Declared by <unistd.h> only under _GNU_SOURCE.
extern int syncfs(int descriptor);

/// Asks the kernel to start writing these bytes of a file to the disk, without waiting (SYNC_FILE_RANGE_WRITE).
static inline void begin_write_back(int descriptor, int64_t offset, int64_t count) {
  (void)sync_file_range(descriptor, offset, count, 2);
}

// Declared by <unistd.h> only under _GNU_SOURCE.
extern ssize_t copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t count,
                               unsigned int flags);

/// Tells the processor that this thread is spinning in a wait loop.
static inline void pause_for_a_moment(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Declared by <sched.h> only under _GNU_SOURCE.
extern int sched_getaffinity(int process, unsigned long size, void *mask);

/// How many cores this process may use; at least 1.
static inline int usable_core_count(void) {
  unsigned long mask[64] = {0};  // 4,096 cores
  if (sched_getaffinity(0, sizeof mask, mask) < 0) return 1;
  int count = 0;
  for (int i = 0; i < 64; i++) count += __builtin_popcountl(mask[i]);
  return count > 0 ? count : 1;
}
