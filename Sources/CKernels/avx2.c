#include "include/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define K_TARGET __attribute__((target("avx2")))
#include "plain.h"

#define FAST static K_TARGET void
#define INLINE static inline K_TARGET __attribute__((always_inline))

// A block that does not fit any more is moved back to end with the row: its first part is computed twice, to the same
// values. Rows shorter than one block go the plain way.
#define FOR_BLOCKS(i, block, n) \
  for (size_t i = 0; i < (n) && (i = (n) - i < (block) ? (n) - (block) : i, 1); i += (block))

INLINE __m256i load_two(const uint8_t *low, const uint8_t *high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                 _mm_loadu_si128((const __m128i *)high), 1);
}

// Four pixels at a time; a 128-bit lane holds the pairs (p0, p1) of one pixel's channels, as `pairs` picks them.
INLINE void across(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n,
                   __m256i pairs) {
  const __m256i even = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2), odd = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
  FOR_BLOCKS(i, 4, n) {
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
         _mm256_broadcastsi128_si256(
             _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1)));
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

K_TARGET void k_avx2_linear_across_1(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights,
                                     size_t n) {
  if (n < 16) return plain_linear_across_1(out, row, at, weights, n);
  FOR_BLOCKS(i, 16, n) {
    __m256i sums = _mm256_packs_epi32(sums_of_8(row, at + i, weights + 2 * i),
                                      sums_of_8(row, at + i + 8, weights + 2 * i + 16));
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
  FOR_BLOCKS(i, 32, n) {
    _mm256_storeu_si256((__m256i *)(out + i), bytes_between(upper + i, lower + i, weight0, weight1));
  }
}

FAST linear_down_3(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  if (n < 8) return plain_linear_down_3(out, upper, lower, w0, w1, n);
  const __m256i weight0 = _mm256_set1_epi16((int16_t)w0), weight1 = _mm256_set1_epi16((int16_t)w1);
  const __m256i first_three = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  FOR_BLOCKS(i, 8, n) {
    __m256i eight = bytes_between(upper + 4 * i, lower + 4 * i, weight0, weight1);
    eight = _mm256_shuffle_epi8(eight, first_three);
    __m128i low = _mm256_castsi256_si128(eight), high = _mm256_extracti128_si256(eight, 1);
    _mm_storeu_si128((__m128i *)(out + 3 * i), low);
    _mm_storel_epi64((__m128i *)(out + 3 * i + 12), high);
    int32_t rest = _mm_extract_epi32(high, 2);
    memcpy(out + 3 * i + 20, &rest, 4);
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
  FOR_BLOCKS(i, 8, n) {
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
  FOR_BLOCKS(i, 8, n) {
    __m256i pixels = _mm256_shuffle_epi8(load_two(row + 3 * i, row + 3 * i + 8), spread);
    store_planes(red + i, green + i, blue + i, pixels, means, factors);
  }
}

static const k_set avx2 = {
    .name = "AVX2",
    .linear_across_1 = k_avx2_linear_across_1,
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
    .halve_3 = plain_halve_3,
    .halve_4 = plain_halve_4,
    .taps_across_8 = plain_taps_across_8,
    .taps_across_16 = plain_taps_across_16,
    .taps_down_8 = plain_taps_down_8,
    .taps_down_16 = plain_taps_down_16,
    .cubic_down_8 = plain_cubic_down_8,
    .cubic_down_16 = plain_cubic_down_16,
    .add_weighted = plain_add_weighted,
    .round_8 = plain_round_8,
    .round_16 = plain_round_16,
};

const k_set *k_avx2(void) { return __builtin_cpu_supports("avx2") ? &avx2 : NULL; }

#else
const k_set *k_avx2(void) { return NULL; }
#endif
