#pragma once
// glibc's mallopt, which Swift's own Glibc module leaves out.
#include <malloc.h>
#include <stdint.h>

// Declared by <fcntl.h> only under _GNU_SOURCE, which Swift's importer does not set.
extern int sync_file_range(int descriptor, int64_t offset, int64_t count, unsigned int flags);

/// Asks the kernel to begin writing these bytes of a file to the disk, and does not wait: SYNC_FILE_RANGE_WRITE.
static inline void begin_write_back(int descriptor, int64_t offset, int64_t count) {
  (void)sync_file_range(descriptor, offset, count, 2);
}
