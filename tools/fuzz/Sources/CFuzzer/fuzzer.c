#define _GNU_SOURCE
#include "fuzzer.h"

#include <sys/mman.h>

int fuzzer_memory_file(void) { return memfd_create("fuzz", MFD_CLOEXEC); }
