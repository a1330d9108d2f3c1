#pragma once
#include "kernels.h"

// Kernels of the AVX2 table that the AVX-512 table has, too: they are bound by shuffling bytes, which wider vectors do
// not speed up.
#if defined(__x86_64__)
int img_avx2_idct_8x8(uint8_t *_Nonnull out, size_t stride, const int16_t *_Nonnull coefficients);
void img_avx2_widen(uint8_t *_Nonnull out, const uint8_t *_Nonnull in, size_t n);
void img_avx2_widen_between(uint8_t *_Nonnull out, const uint8_t *_Nonnull near, const uint8_t *_Nonnull far, size_t n);
void img_avx2_ycc_to_rgb(uint8_t *_Nonnull out, const uint8_t *_Nonnull luma, const uint8_t *_Nonnull blue,
                         const uint8_t *_Nonnull red, size_t n);
void img_avx2_grey_to_rgb(uint8_t *_Nonnull out, const uint8_t *_Nonnull grey, size_t n);
void img_avx2_linear_across_1(int16_t *_Nonnull out, const uint8_t *_Nonnull row, const int32_t *_Nonnull at,
                              const int16_t *_Nonnull weights, size_t n);
void img_avx2_taps_across_8(int32_t *_Nonnull out, const uint8_t *_Nonnull row, const int32_t *_Nonnull at,
                            const int16_t *_Nonnull weights, int taps, int channels, size_t n);
void img_avx2_halve_3(uint8_t *_Nonnull out, const uint8_t *_Nonnull upper, const uint8_t *_Nonnull lower, size_t n);
void img_avx2_halve_4(uint8_t *_Nonnull out, const uint8_t *_Nonnull upper, const uint8_t *_Nonnull lower, size_t n);
#endif
