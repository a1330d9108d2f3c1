#include "vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define IMG_TARGET __attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl")))
#include "plain.h"

#define FAST static IMG_TARGET void
#define INLINE static inline IMG_TARGET __attribute__((always_inline))

#define BLOCKS(i, block, n, first) (size_t i = 0; i < (n); i = block_after(i, block, n, first))

INLINE __m512i load_four(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d) {
  __m512i four = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)a));
  four = _mm512_inserti32x4(four, _mm_loadu_si128((const __m128i *)b), 1);
  four = _mm512_inserti32x4(four, _mm_loadu_si128((const __m128i *)c), 2);
  return _mm512_inserti32x4(four, _mm_loadu_si128((const __m128i *)d), 3);
}

// Eight pixels at a time; a 128-bit lane holds the pairs (p0, p1) of one pixel's channels, as `pairs` picks them.
INLINE void across(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n,
                   __m512i pairs) {
  const __m512i even = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
  const __m512i odd = _mm512_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 5, 5, 7, 7, 7, 7);
  for BLOCKS(i, 8, n, 0) {
    __m512i weight = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(weights + 2 * i)));
    __m512i evens = load_four(row + at[i], row + at[i + 2], row + at[i + 4], row + at[i + 6]);
    __m512i odds = load_four(row + at[i + 1], row + at[i + 3], row + at[i + 5], row + at[i + 7]);
    evens = _mm512_madd_epi16(_mm512_shuffle_epi8(evens, pairs), _mm512_permutexvar_epi32(even, weight));
    odds = _mm512_madd_epi16(_mm512_shuffle_epi8(odds, pairs), _mm512_permutexvar_epi32(odd, weight));
    __m512i sums = _mm512_packs_epi32(_mm512_srai_epi32(evens, 4), _mm512_srai_epi32(odds, 4));
    _mm512_storeu_si512(out + 4 * i, sums);
  }
}

FAST linear_across_3(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n) {
  if (n < 8) return plain_linear_across_3(out, row, at, weights, n);
  across(out, row, at, weights, n,
         _mm512_broadcast_i32x4(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1)));
}

FAST linear_across_4(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n) {
  if (n < 8) return plain_linear_across_4(out, row, at, weights, n);
  across(out, row, at, weights, n,
         _mm512_broadcast_i32x4(_mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1)));
}

INLINE __m512i between_32(const int16_t *upper, const int16_t *lower, __m512i w0, __m512i w1) {
  __m512i high = _mm512_mulhi_epi16(_mm512_loadu_si512(upper), w0);
  __m512i low = _mm512_mulhi_epi16(_mm512_loadu_si512(lower), w1);
  return _mm512_srai_epi16(_mm512_add_epi16(_mm512_add_epi16(high, low), _mm512_set1_epi16(2)), 2);
}

// 64 numbers in their order.
INLINE __m512i bytes_between(const int16_t *upper, const int16_t *lower, __m512i w0, __m512i w1) {
  __m512i packed = _mm512_packus_epi16(between_32(upper, lower, w0, w1), between_32(upper + 32, lower + 32, w0, w1));
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed);
}

FAST linear_down(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  if (n < 64) return plain_linear_down(out, upper, lower, w0, w1, n);
  const __m512i weight0 = _mm512_set1_epi16((int16_t)w0), weight1 = _mm512_set1_epi16((int16_t)w1);
  for BLOCKS(i, 64, n, 0) {
    _mm512_storeu_si512(out + i, bytes_between(upper + i, lower + i, weight0, weight1));
  }
}

FAST linear_down_3(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  if (n < 16) return plain_linear_down_3(out, upper, lower, w0, w1, n);
  const __m512i weight0 = _mm512_set1_epi16((int16_t)w0), weight1 = _mm512_set1_epi16((int16_t)w1);
  const __m512i first_three =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const __m512i together = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
  for BLOCKS(i, 16, n, 0) {
    __m512i pixels = bytes_between(upper + 4 * i, lower + 4 * i, weight0, weight1);
    pixels = _mm512_permutexvar_epi32(together, _mm512_shuffle_epi8(pixels, first_three));
    _mm512_mask_storeu_epi32(out + 3 * i, 0x0fff, pixels);
  }
}

INLINE void store_plane(float *out, __m512i samples, __m512 mean, __m512 factor) {
  __m512 numbers = _mm512_cvtepi32_ps(_mm512_and_si512(samples, _mm512_set1_epi32(255)));
  _mm512_storeu_ps(out, _mm512_mul_ps(_mm512_sub_ps(numbers, mean), factor));
}

// Sixteen pixels of four bytes each.
INLINE void store_planes(float *red, float *green, float *blue, __m512i pixels, const __m512 *mean,
                         const __m512 *factor) {
  store_plane(red, pixels, mean[0], factor[0]);
  store_plane(green, _mm512_srli_epi32(pixels, 8), mean[1], factor[1]);
  store_plane(blue, _mm512_srli_epi32(pixels, 16), mean[2], factor[2]);
}

FAST linear_planes_3(float *red, float *green, float *blue, const int16_t *upper, const int16_t *lower, int w0, int w1,
                     size_t n, const float *mean, const float *factor) {
  if (n < 16) return plain_linear_planes_3(red, green, blue, upper, lower, w0, w1, n, mean, factor);
  const __m512i weight0 = _mm512_set1_epi16((int16_t)w0), weight1 = _mm512_set1_epi16((int16_t)w1);
  const __m512 means[] = {_mm512_set1_ps(mean[0]), _mm512_set1_ps(mean[1]), _mm512_set1_ps(mean[2])};
  const __m512 factors[] = {_mm512_set1_ps(factor[0]), _mm512_set1_ps(factor[1]), _mm512_set1_ps(factor[2])};
  for BLOCKS(i, 16, n, floats_to_line(red) % 16) {
    __m512i pixels = bytes_between(upper + 4 * i, lower + 4 * i, weight0, weight1);
    store_planes(red + i, green + i, blue + i, pixels, means, factors);
  }
}

FAST planes_3(float *red, float *green, float *blue, const uint8_t *row, size_t n, const float *mean,
              const float *factor) {
  if (n < 16) return plain_planes_3(red, green, blue, row, n, mean, factor);
  const __m512 means[] = {_mm512_set1_ps(mean[0]), _mm512_set1_ps(mean[1]), _mm512_set1_ps(mean[2])};
  const __m512 factors[] = {_mm512_set1_ps(factor[0]), _mm512_set1_ps(factor[1]), _mm512_set1_ps(factor[2])};
  const __m128i front = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  // The last lane begins four bytes early, so that it ends with its last pixel.
  const __m128i back = _mm_setr_epi8(4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  const __m512i spread = _mm512_inserti32x4(_mm512_broadcast_i32x4(front), back, 3);
  for BLOCKS(i, 16, n, floats_to_line(red) % 16) {
    const uint8_t *from = row + 3 * i;
    __m512i pixels = _mm512_shuffle_epi8(load_four(from, from + 12, from + 24, from + 32), spread);
    store_planes(red + i, green + i, blue + i, pixels, means, factors);
  }
}

static const img_kernels avx512 = {
    .name = "avx512",
    .linear_across_1 = img_avx2_linear_across_1,
    .linear_across_3 = linear_across_3,
    .linear_across_4 = linear_across_4,
    .linear_down = linear_down,
    .linear_down_3 = linear_down_3,
    .linear_planes_1 = plain_linear_planes_1,
    .linear_planes_3 = linear_planes_3,
    .planes_1 = plain_planes_1,
    .planes_3 = planes_3,
    .split_3 = plain_split_3,
    .halve_1 = plain_halve_1,
    .halve_3 = img_avx2_halve_3,
    .halve_4 = img_avx2_halve_4,
    .taps_across_8 = img_avx2_taps_across_8,
    .taps_across_16 = plain_taps_across_16,
    .taps_down_8 = plain_taps_down_8,
    .taps_down_16 = plain_taps_down_16,
    .cubic_down_8 = plain_cubic_down_8,
    .cubic_down_16 = plain_cubic_down_16,
    .lerp_across_16 = plain_lerp_across_16,
    .lerp_down_16 = plain_lerp_down_16,
    .add_weighted = plain_add_weighted,
    .round_8 = plain_round_8,
    .round_16 = plain_round_16,
    .idct_8x8 = img_avx2_idct_8x8,
    .widen = img_avx2_widen,
    .widen_between = img_avx2_widen_between,
    .between = plain_between,
    .ycc_to_rgb = img_avx2_ycc_to_rgb,
    .grey_to_rgb = img_avx2_grey_to_rgb,
    .shift_hls = plain_shift_hls,
};

const img_kernels *img_kernels_avx512(void) {
  return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
             ? &avx512
             : NULL;
}

#else
const img_kernels *img_kernels_avx512(void) { return NULL; }
#endif
