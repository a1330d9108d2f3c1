#include <stddef.h>
#include <stdint.h>

/// libFuzzer's entry point for programs with a `main` of their own; SwiftPM gives every executable one.
int LLVMFuzzerRunDriver(int *_Nonnull argc, char *_Nullable *_Nonnull *_Nonnull argv,
                        int (*_Nonnull test_one)(const uint8_t *_Nullable data, size_t byte_count));
