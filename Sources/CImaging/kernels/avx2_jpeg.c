#include "vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "bodies.h"
#include "jpeg_bodies.h"

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline TARGET __attribute__((always_inline))
#define BLOCKS(i, block, n) (size_t i = 0; i < (n); i = block_after(i, block, n, 0))

// a * first + b * second for each pair (a, b) of 16-bit numbers.
INLINE __m256i weigh(__m256i pairs, int first, int second) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi32((int)((uint32_t)(uint16_t)first | (uint32_t)second << 16)));
}

// One pass over eight lines at once. `pairs[i]` holds the inputs i and i + 4 of each line, `out[i]` its output i.
INLINE void transform_lines(__m256i *out, const __m256i *pairs, int shift) {
  const __m256i half = _mm256_set1_epi32(1 << (shift - 1));
  __m256i sum = _mm256_add_epi32(weigh(pairs[0], 8192, 8192), half);
  __m256i difference = _mm256_add_epi32(weigh(pairs[0], 8192, -8192), half);
  __m256i outer = weigh(pairs[2], 10703, 4433), inner = weigh(pairs[2], 4433, -10704);
  const __m256i even[4] = {_mm256_add_epi32(sum, outer), _mm256_add_epi32(difference, inner),
                           _mm256_sub_epi32(difference, inner), _mm256_sub_epi32(sum, outer)};
  const __m256i odd[4] = {
      _mm256_add_epi32(weigh(pairs[1], 11363, 6437), weigh(pairs[3], 9633, 2260)),
      _mm256_add_epi32(weigh(pairs[1], 9633, -11362), weigh(pairs[3], -2259, -6436)),
      _mm256_add_epi32(weigh(pairs[1], 6437, 2261), weigh(pairs[3], -11362, 9633)),
      _mm256_add_epi32(weigh(pairs[1], 2260, 9633), weigh(pairs[3], -6436, -11363)),
  };
  for (int i = 0; i < 4; i++) {
    out[i] = _mm256_srai_epi32(_mm256_add_epi32(even[i], odd[i]), shift);
    out[7 - i] = _mm256_srai_epi32(_mm256_sub_epi32(even[i], odd[i]), shift);
  }
}

INLINE __m256i evens_of(__m256i low, __m256i high) {
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88));
}
INLINE __m256i odds_of(__m256i low, __m256i high) {
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0xdd));
}

// Not zero in lanes where a word of one of four vectors is not within `least`...`most`.
INLINE __m256i words_outside(const __m256i *four, int least, int most) {
  __m256i high = _mm256_max_epi16(_mm256_max_epi16(four[0], four[1]), _mm256_max_epi16(four[2], four[3]));
  __m256i low = _mm256_min_epi16(_mm256_min_epi16(four[0], four[1]), _mm256_min_epi16(four[2], four[3]));
  return _mm256_or_si256(_mm256_cmpgt_epi16(high, _mm256_set1_epi16((int16_t)most)),
                         _mm256_cmpgt_epi16(_mm256_set1_epi16((int16_t)least), low));
}

INLINE void store_rows(uint8_t *out, size_t stride, __m128i two) {
  _mm_storel_epi64((__m128i *)out, two);
  _mm_storeh_pd((double *)(out + stride), _mm_castsi128_pd(two));
}

TARGET int img_avx2_idct_8x8(uint8_t *out, size_t stride, const int16_t *coefficients) {
  __m256i pairs[4], lines[8];
  for (int i = 0; i < 4; i++) pairs[i] = _mm256_loadu_si256((const __m256i *)(coefficients + 16 * i));
  transform_lines(lines, pairs, 11);
  // The columns lie in the order 0 4 1 5 2 6 3 7: a row's pairs for the second pass are side by side.
  __m256i two[4];
  for (int i = 0; i < 4; i++) two[i] = _mm256_packs_epi32(lines[2 * i], lines[2 * i + 1]);
  __m256i outside = words_outside(two, -img_most_coefficient, img_most_coefficient);
  __m256i upper02 = evens_of(two[0], two[1]), lower02 = evens_of(two[2], two[3]);
  __m256i upper13 = odds_of(two[0], two[1]), lower13 = odds_of(two[2], two[3]);
  pairs[0] = _mm256_permute2x128_si256(upper02, lower02, 0x20);
  pairs[2] = _mm256_permute2x128_si256(upper02, lower02, 0x31);
  pairs[1] = _mm256_permute2x128_si256(upper13, lower13, 0x20);
  pairs[3] = _mm256_permute2x128_si256(upper13, lower13, 0x31);
  transform_lines(lines, pairs, 18);
  // Now a line is a column of the picture; each 128-bit lane holds four rows of it.
  for (int i = 0; i < 4; i++) two[i] = _mm256_packs_epi32(lines[2 * i], lines[2 * i + 1]);
  outside = _mm256_or_si256(outside, words_outside(two, -512, 511));
  const __m256i middle = _mm256_set1_epi8(-128);
  const __m256i across =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  __m256i left = _mm256_shuffle_epi8(_mm256_xor_si256(_mm256_packs_epi16(two[0], two[1]), middle), across);
  __m256i right = _mm256_shuffle_epi8(_mm256_xor_si256(_mm256_packs_epi16(two[2], two[3]), middle), across);
  __m256i rows0145 = _mm256_unpacklo_epi32(left, right), rows2367 = _mm256_unpackhi_epi32(left, right);
  store_rows(out, stride, _mm256_castsi256_si128(rows0145));
  store_rows(out + 2 * stride, stride, _mm256_castsi256_si128(rows2367));
  store_rows(out + 4 * stride, stride, _mm256_extracti128_si256(rows0145, 1));
  store_rows(out + 6 * stride, stride, _mm256_extracti128_si256(rows2367, 1));
  return _mm256_testz_si256(outside, outside);
}

INLINE __m256i words_at(const uint8_t *bytes) { return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)bytes)); }

INLINE __m256i three_times(__m256i x) { return _mm256_add_epi16(x, _mm256_add_epi16(x, x)); }

// The words of both as bytes, alternately; no word exceeds 255.
INLINE void store_in_turn(uint8_t *out, __m256i first, __m256i second) {
  _mm256_storeu_si256((__m256i *)out, _mm256_or_si256(first, _mm256_slli_epi16(second, 8)));
}

TARGET void img_avx2_widen(uint8_t *out, const uint8_t *in, size_t n) {
  if (n < 16) return body_widen(out, in, n);
  for BLOCKS(i, 16, n) {
    __m256i here = three_times(words_at(in + i));
    __m256i left = _mm256_add_epi16(words_at(in + i - 1), _mm256_set1_epi16(1));
    __m256i right = _mm256_add_epi16(words_at(in + i + 1), _mm256_set1_epi16(2));
    store_in_turn(out + 2 * i, _mm256_srli_epi16(_mm256_add_epi16(here, left), 2),
                  _mm256_srli_epi16(_mm256_add_epi16(here, right), 2));
  }
}

INLINE __m256i mixed_at(const uint8_t *near, const uint8_t *far) {
  return _mm256_add_epi16(three_times(words_at(near)), words_at(far));
}

TARGET void img_avx2_widen_between(uint8_t *out, const uint8_t *near, const uint8_t *far, size_t n) {
  if (n < 16) return body_widen_between(out, near, far, n);
  for BLOCKS(i, 16, n) {
    __m256i here = three_times(mixed_at(near + i, far + i));
    __m256i left = _mm256_add_epi16(mixed_at(near + i - 1, far + i - 1), _mm256_set1_epi16(8));
    __m256i right = _mm256_add_epi16(mixed_at(near + i + 1, far + i + 1), _mm256_set1_epi16(7));
    store_in_turn(out + 2 * i, _mm256_srli_epi16(_mm256_add_epi16(here, left), 4),
                  _mm256_srli_epi16(_mm256_add_epi16(here, right), 4));
  }
}

// 16 samples around 0, as words.
INLINE __m256i chroma_at(const uint8_t *bytes) { return _mm256_sub_epi16(words_at(bytes), _mm256_set1_epi16(128)); }

// (x * factor + 2^15) >> 16 of small numbers.
INLINE __m256i part_of(__m256i x, int factor) {
  __m256i twice = _mm256_mulhi_epi16(_mm256_add_epi16(x, x), _mm256_set1_epi16((int16_t)factor));
  return _mm256_srai_epi16(_mm256_add_epi16(twice, _mm256_set1_epi16(1)), 1);
}

typedef struct rgb_words {
  __m256i red, green, blue;
} rgb_words;

// Factors that exceed 2^15 are split into a whole number and a fraction: 1.402 = 1 + 0.402, 1.772 = 2 - 0.228,
// -0.71414 = -1 + 0.28586.
INLINE rgb_words rgb_of(const uint8_t *luma, const uint8_t *blue, const uint8_t *red) {
  __m256i y = words_at(luma), cb = chroma_at(blue), cr = chroma_at(red);
  const __m256i factors = _mm256_set1_epi32((int)((uint32_t)(uint16_t)-22554 | 18734u << 16));
  const __m256i half = _mm256_set1_epi32(32768);
  __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(cb, cr), factors);
  __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(cb, cr), factors);
  low = _mm256_srai_epi32(_mm256_add_epi32(low, half), 16);
  high = _mm256_srai_epi32(_mm256_add_epi32(high, half), 16);
  __m256i to_green = _mm256_sub_epi16(_mm256_packs_epi32(low, high), cr);
  return (rgb_words){
      _mm256_add_epi16(y, _mm256_add_epi16(cr, part_of(cr, 26345))),
      _mm256_add_epi16(y, to_green),
      _mm256_add_epi16(y, _mm256_add_epi16(_mm256_add_epi16(cb, cb), part_of(cb, -14942))),
  };
}

// Interleaves 32 pixels of three planes to 96 bytes. The 16 pixels of a lane make three times 16 bytes; byte t of the
// c-th 16 belongs to channel (t + c) % 3, so one shuffle puts every sample of a channel at its place in one of the three.
INLINE void store_rgb(uint8_t *out, __m256i red, __m256i green, __m256i blue) {
  const __m256i place_red =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10, 5));
  const __m256i place_green =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10));
  const __m256i place_blue =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(10, 5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15));
  const __m256i one = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0));
  const __m256i two = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0));
  red = _mm256_shuffle_epi8(red, place_red);
  green = _mm256_shuffle_epi8(green, place_green);
  blue = _mm256_shuffle_epi8(blue, place_blue);
  __m256i first = _mm256_blendv_epi8(_mm256_blendv_epi8(red, green, one), blue, two);
  __m256i second = _mm256_blendv_epi8(_mm256_blendv_epi8(green, blue, one), red, two);
  __m256i third = _mm256_blendv_epi8(_mm256_blendv_epi8(blue, red, one), green, two);
  _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(first, second, 0x20));
  _mm256_storeu_si256((__m256i *)(out + 32), _mm256_permute2x128_si256(third, first, 0x30));
  _mm256_storeu_si256((__m256i *)(out + 64), _mm256_permute2x128_si256(second, third, 0x31));
}

INLINE __m256i bytes_of(__m256i low, __m256i high) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8);
}

TARGET void img_avx2_ycc_to_rgb(uint8_t *out, const uint8_t *luma, const uint8_t *blue, const uint8_t *red, size_t n) {
  if (n < 32) return body_ycc_to_rgb(out, luma, blue, red, n);
  for BLOCKS(i, 32, n) {
    rgb_words low = rgb_of(luma + i, blue + i, red + i), high = rgb_of(luma + i + 16, blue + i + 16, red + i + 16);
    store_rgb(out + 3 * i, bytes_of(low.red, high.red), bytes_of(low.green, high.green), bytes_of(low.blue, high.blue));
  }
}

TARGET void img_avx2_grey_to_rgb(uint8_t *out, const uint8_t *grey, size_t n) {
  if (n < 32) return body_grey_to_rgb(out, grey, n);
  for BLOCKS(i, 32, n) {
    __m256i samples = _mm256_loadu_si256((const __m256i *)(grey + i));
    store_rgb(out + 3 * i, samples, samples, samples);
  }
}
#endif
