#include "vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define IMG_TARGET __attribute__((target("avx2,fma")))
#include "plain.h"

#define FAST static IMG_TARGET void
#define INLINE static inline IMG_TARGET __attribute__((always_inline))

#define BLOCKS(i, block, n, first) (size_t i = 0; i < (n); i = block_after(i, block, n, first))

INLINE __m256i load_two(const uint8_t *low, const uint8_t *high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                 _mm_loadu_si128((const __m128i *)high), 1);
}

// Four pixels at a time; a 128-bit lane holds the pairs (p0, p1) of one pixel's channels, as `pairs` picks them.
INLINE void across(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n,
                   __m256i pairs) {
  const __m256i even = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2), odd = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
  for BLOCKS(i, 4, n, 0) {
    __m256i weight = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(weights + 2 * i)));
    __m256i pixel02 = _mm256_shuffle_epi8(load_two(row + at[i], row + at[i + 2]), pairs);
    __m256i pixel13 = _mm256_shuffle_epi8(load_two(row + at[i + 1], row + at[i + 3]), pairs);
    __m256i sum02 = _mm256_madd_epi16(pixel02, _mm256_permutevar8x32_epi32(weight, even));
    __m256i sum13 = _mm256_madd_epi16(pixel13, _mm256_permutevar8x32_epi32(weight, odd));
    __m256i sums = _mm256_packs_epi32(_mm256_srai_epi32(sum02, 4), _mm256_srai_epi32(sum13, 4));
    _mm256_storeu_si256((__m256i *)(out + 4 * i), sums);
  }
}

FAST linear_across_3(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n) {
  if (n < 4) return plain_linear_across_3(out, row, at, weights, n);
  across(out, row, at, weights, n,
         _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1)));
}

FAST linear_across_4(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n) {
  if (n < 4) return plain_linear_across_4(out, row, at, weights, n);
  across(out, row, at, weights, n,
         _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1)));
}

INLINE int pair_at(const uint8_t *pixel) {
  uint16_t pair;
  memcpy(&pair, pixel, 2);
  return pair;
}

INLINE __m256i sums_of_8(const uint8_t *row, const int32_t *at, const int16_t *weights) {
  __m128i pairs = _mm_cvtsi32_si128(pair_at(row + at[0]));
  pairs = _mm_insert_epi16(pairs, pair_at(row + at[1]), 1);
  pairs = _mm_insert_epi16(pairs, pair_at(row + at[2]), 2);
  pairs = _mm_insert_epi16(pairs, pair_at(row + at[3]), 3);
  pairs = _mm_insert_epi16(pairs, pair_at(row + at[4]), 4);
  pairs = _mm_insert_epi16(pairs, pair_at(row + at[5]), 5);
  pairs = _mm_insert_epi16(pairs, pair_at(row + at[6]), 6);
  pairs = _mm_insert_epi16(pairs, pair_at(row + at[7]), 7);
  __m256i weight = _mm256_loadu_si256((const __m256i *)weights);
  return _mm256_srai_epi32(_mm256_madd_epi16(_mm256_cvtepu8_epi16(pairs), weight), 4);
}

IMG_TARGET void img_avx2_linear_across_1(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights,
                                         size_t n) {
  if (n < 16) return plain_linear_across_1(out, row, at, weights, n);
  for BLOCKS(i, 16, n, 0) {
    __m256i sums =
        _mm256_packs_epi32(sums_of_8(row, at + i, weights + 2 * i), sums_of_8(row, at + i + 8, weights + 2 * i + 16));
    _mm256_storeu_si256((__m256i *)(out + i), _mm256_permute4x64_epi64(sums, 0xd8));
  }
}

INLINE __m256i between_16(const int16_t *upper, const int16_t *lower, __m256i w0, __m256i w1) {
  __m256i high = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i *)upper), w0);
  __m256i low = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i *)lower), w1);
  return _mm256_srai_epi16(_mm256_add_epi16(_mm256_add_epi16(high, low), _mm256_set1_epi16(2)), 2);
}

// 32 numbers in their order.
INLINE __m256i bytes_between(const int16_t *upper, const int16_t *lower, __m256i w0, __m256i w1) {
  __m256i packed = _mm256_packus_epi16(between_16(upper, lower, w0, w1), between_16(upper + 16, lower + 16, w0, w1));
  return _mm256_permute4x64_epi64(packed, 0xd8);
}

FAST linear_down(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  if (n < 32) return plain_linear_down(out, upper, lower, w0, w1, n);
  const __m256i weight0 = _mm256_set1_epi16((int16_t)w0), weight1 = _mm256_set1_epi16((int16_t)w1);
  for BLOCKS(i, 32, n, 0) {
    _mm256_storeu_si256((__m256i *)(out + i), bytes_between(upper + i, lower + i, weight0, weight1));
  }
}

// The first three bytes of each four: eight pixels, 24 bytes.
INLINE void store_three_of_four(uint8_t *out, __m256i pixels) {
  const __m256i first_three =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  pixels = _mm256_shuffle_epi8(pixels, first_three);
  __m128i low = _mm256_castsi256_si128(pixels), high = _mm256_extracti128_si256(pixels, 1);
  _mm_storeu_si128((__m128i *)out, low);
  _mm_storel_epi64((__m128i *)(out + 12), high);
  int32_t rest = _mm_extract_epi32(high, 2);
  memcpy(out + 20, &rest, 4);
}

FAST linear_down_3(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  if (n < 8) return plain_linear_down_3(out, upper, lower, w0, w1, n);
  const __m256i weight0 = _mm256_set1_epi16((int16_t)w0), weight1 = _mm256_set1_epi16((int16_t)w1);
  for BLOCKS(i, 8, n, 0) {
    store_three_of_four(out + 3 * i, bytes_between(upper + 4 * i, lower + 4 * i, weight0, weight1));
  }
}

INLINE void store_plane(float *out, __m256i samples, __m256 mean, __m256 factor) {
  __m256 numbers = _mm256_cvtepi32_ps(_mm256_and_si256(samples, _mm256_set1_epi32(255)));
  _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_sub_ps(numbers, mean), factor));
}

// Eight pixels of four bytes each.
INLINE void store_planes(float *red, float *green, float *blue, __m256i pixels, const __m256 *mean,
                         const __m256 *factor) {
  store_plane(red, pixels, mean[0], factor[0]);
  store_plane(green, _mm256_srli_epi32(pixels, 8), mean[1], factor[1]);
  store_plane(blue, _mm256_srli_epi32(pixels, 16), mean[2], factor[2]);
}

FAST linear_planes_3(float *red, float *green, float *blue, const int16_t *upper, const int16_t *lower, int w0, int w1,
                     size_t n, const float *mean, const float *factor) {
  if (n < 8) return plain_linear_planes_3(red, green, blue, upper, lower, w0, w1, n, mean, factor);
  const __m256i weight0 = _mm256_set1_epi16((int16_t)w0), weight1 = _mm256_set1_epi16((int16_t)w1);
  const __m256 means[] = {_mm256_set1_ps(mean[0]), _mm256_set1_ps(mean[1]), _mm256_set1_ps(mean[2])};
  const __m256 factors[] = {_mm256_set1_ps(factor[0]), _mm256_set1_ps(factor[1]), _mm256_set1_ps(factor[2])};
  for BLOCKS(i, 8, n, floats_to_line(red) % 8) {
    __m256i pixels = bytes_between(upper + 4 * i, lower + 4 * i, weight0, weight1);
    store_planes(red + i, green + i, blue + i, pixels, means, factors);
  }
}

FAST planes_3(float *red, float *green, float *blue, const uint8_t *row, size_t n, const float *mean,
              const float *factor) {
  if (n < 8) return plain_planes_3(red, green, blue, row, n, mean, factor);
  const __m256 means[] = {_mm256_set1_ps(mean[0]), _mm256_set1_ps(mean[1]), _mm256_set1_ps(mean[2])};
  const __m256 factors[] = {_mm256_set1_ps(factor[0]), _mm256_set1_ps(factor[1]), _mm256_set1_ps(factor[2])};
  // The upper lane begins four bytes early, so that it ends with its last pixel.
  const __m256i spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                                          4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  for BLOCKS(i, 8, n, floats_to_line(red) % 8) {
    __m256i pixels = _mm256_shuffle_epi8(load_two(row + 3 * i, row + 3 * i + 8), spread);
    store_planes(red + i, green + i, blue + i, pixels, means, factors);
  }
}

// Across with taps, one pixel at a time: 16 bytes hold four pixels, whose channels `pairs01` and `pairs23` pair up.
INLINE __m128i sums_of_4_taps(const uint8_t *pixels, __m128i weights, __m128i pairs01, __m128i pairs23) {
  __m128i four = _mm_loadu_si128((const __m128i *)pixels);
  return _mm_add_epi32(_mm_madd_epi16(_mm_shuffle_epi8(four, pairs01), _mm_shuffle_epi32(weights, 0x00)),
                       _mm_madd_epi16(_mm_shuffle_epi8(four, pairs23), _mm_shuffle_epi32(weights, 0x55)));
}

INLINE void taps_across(int32_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, int taps,
                        size_t channels, size_t n, __m128i pairs01, __m128i pairs23) {
  if (n == 0) return;
  // A pixel of three channels is stored with one number too many, which the next pixel overwrites.
  size_t last = n - 1;
  for (size_t i = 0; i < last; i++) {
    const uint8_t *pixels = row + at[i];
    __m128i weight = _mm_loadl_epi64((const __m128i *)(weights + i * (size_t)taps));
    __m128i sum = sums_of_4_taps(pixels, weight, pairs01, pairs23);
    if (taps == 8) {
      weight = _mm_loadl_epi64((const __m128i *)(weights + i * 8 + 4));
      sum = _mm_add_epi32(sum, sums_of_4_taps(pixels + 4 * channels, weight, pairs01, pairs23));
    }
    _mm_storeu_si128((__m128i *)(out + i * channels), sum);
  }
  plain_taps_across_8(out + last * channels, row, at + last, weights + last * (size_t)taps, taps, (int)channels, 1);
}

IMG_TARGET void img_avx2_taps_across_8(int32_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights,
                                       int taps, int channels, size_t n) {
  const __m128i rgb01 = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const __m128i rgb23 = _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m128i rgba01 = _mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1);
  const __m128i rgba23 = _mm_setr_epi8(8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
  if (taps == 4 && channels == 3) taps_across(out, row, at, weights, 4, 3, n, rgb01, rgb23);
  else if (taps == 8 && channels == 3) taps_across(out, row, at, weights, 8, 3, n, rgb01, rgb23);
  else if (taps == 4 && channels == 4) taps_across(out, row, at, weights, 4, 4, n, rgba01, rgba23);
  else if (taps == 8 && channels == 4) taps_across(out, row, at, weights, 8, 4, n, rgba01, rgba23);
  else plain_taps_across_8(out, row, at, weights, taps, channels, n);
}

// Four means of 2x2 blocks, four 16-bit numbers each, of two rows of eight pixels in two lanes.
INLINE __m256i means_of_4(__m256i upper, __m256i lower, __m256i pairs) {
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i sums = _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_shuffle_epi8(upper, pairs), ones),
                                  _mm256_maddubs_epi16(_mm256_shuffle_epi8(lower, pairs), ones));
  return _mm256_srli_epi16(_mm256_add_epi16(sums, _mm256_set1_epi16(2)), 2);
}

IMG_TARGET void img_avx2_halve_3(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n) {
  if (n < 8) return plain_halve_3(out, upper, lower, n);
  const __m128i pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
  // The last lane begins four bytes early, so that it ends with its last pixel.
  const __m128i late = _mm_setr_epi8(4, 7, 5, 8, 6, 9, -1, -1, 10, 13, 11, 14, 12, 15, -1, -1);
  const __m256i front = _mm256_broadcastsi128_si256(pairs), back = _mm256_set_m128i(late, pairs);
  for BLOCKS(i, 8, n, 0) {
    const uint8_t *a = upper + 6 * i, *b = lower + 6 * i;
    __m256i low = means_of_4(load_two(a, a + 12), load_two(b, b + 12), front);
    __m256i high = means_of_4(load_two(a + 24, a + 32), load_two(b + 24, b + 32), back);
    store_three_of_four(out + 3 * i, _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8));
  }
}

IMG_TARGET void img_avx2_halve_4(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n) {
  if (n < 8) return plain_halve_4(out, upper, lower, n);
  const __m256i pairs =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15));
  for BLOCKS(i, 8, n, 0) {
    const uint8_t *a = upper + 8 * i, *b = lower + 8 * i;
    __m256i low = means_of_4(load_two(a, a + 16), load_two(b, b + 16), pairs);
    __m256i high = means_of_4(load_two(a + 32, a + 48), load_two(b + 32, b + 48), pairs);
    _mm256_storeu_si256((__m256i *)(out + 4 * i), _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8));
  }
}

static const img_kernels avx2 = {
    .name = "avx2",
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

const img_kernels *img_kernels_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &avx2 : NULL;
}

#else
const img_kernels *img_kernels_avx2(void) { return NULL; }
#endif
