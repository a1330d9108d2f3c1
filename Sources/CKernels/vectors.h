#pragma once
#include "include/kernels.h"

// Kernels of the AVX2 table that the AVX-512 table takes over: they are bound by picking bytes, which wider vectors do
// not speed up.
#if defined(__x86_64__)
void k_avx2_linear_across_1(int16_t *_Nonnull out, const uint8_t *_Nonnull row, const int32_t *_Nonnull at,
                            const int16_t *_Nonnull weights, size_t n);
void k_avx2_taps_across_8(int32_t *_Nonnull out, const uint8_t *_Nonnull row, const int32_t *_Nonnull at,
                          const int16_t *_Nonnull weights, int taps, int channels, size_t n);
void k_avx2_halve_3(uint8_t *_Nonnull out, const uint8_t *_Nonnull upper, const uint8_t *_Nonnull lower, size_t n);
void k_avx2_halve_4(uint8_t *_Nonnull out, const uint8_t *_Nonnull upper, const uint8_t *_Nonnull lower, size_t n);
#endif
