#pragma once
// The plain form of the kernels of JPEG. ITU T.81 leaves the arithmetic open; this is the one that libjpeg documents: the
// integer DCT of Loeffler, Ligtenberg and Moschytz with 13 bits of fraction, 2 of which are kept between its passes; the
// triangle filter for chroma; JFIF's colour equations with 16 bits of fraction.
#include <string.h>

#include "kernels.h"

// One pass over eight numbers, which are `step` apart, to eight with 13 more bits of fraction. The products are grouped by
// pairs of inputs, which changes nothing in whole numbers.
static inline __attribute__((always_inline)) void transform_8(int32_t *out, const int32_t *in, size_t step) {
  int32_t a = in[0], b = in[step], c = in[2 * step], d = in[3 * step];
  int32_t e = in[4 * step], f = in[5 * step], g = in[6 * step], h = in[7 * step];
  int32_t sum = (a + e) * 8192, difference = (a - e) * 8192;
  int32_t inner = c * 4433 - g * 10704, outer = c * 10703 + g * 4433;
  int32_t even[4] = {sum + outer, difference + inner, difference - inner, sum - outer};
  int32_t odd[4] = {
      b * 11363 + d * 9633 + f * 6437 + h * 2260,
      b * 9633 - d * 2259 - f * 11362 - h * 6436,
      b * 6437 - d * 11362 + f * 2261 + h * 9633,
      b * 2260 - d * 6436 + f * 9633 - h * 11363,
  };
  for (int i = 0; i < 4; i++) {
    out[i] = even[i] + odd[i];
    out[7 - i] = even[i] - odd[i];
  }
}

static inline __attribute__((always_inline)) int body_idct_8x8(uint8_t *out, size_t stride,
                                                               const int16_t *coefficients) {
  int32_t block[64], line[8];
  for (size_t row = 0; row < 8; row++)
    for (size_t column = 0; column < 8; column++)
      block[row * 8 + column] = coefficients[img_coefficient_at(row, column)];
  int32_t least = 0, most = 0;
  for (size_t x = 0; x < 8; x++) {
    transform_8(line, block + x, 8);
    for (size_t y = 0; y < 8; y++) {
      int32_t number = (line[y] + (1 << 10)) >> 11;
      if (number < least) least = number;
      if (number > most) most = number;
      block[y * 8 + x] = number;
    }
  }
  if (least < -img_most_coefficient || most > img_most_coefficient) return 0;
  least = most = 0;
  for (size_t y = 0; y < 8; y++) {
    transform_8(line, block + y * 8, 1);
    for (size_t x = 0; x < 8; x++) {
      int32_t sample = (line[x] + (1 << 17)) >> 18;
      if (sample < least) least = sample;
      if (sample > most) most = sample;
      out[y * stride + x] = (uint8_t)(sample < -128 ? 0 : sample > 127 ? 255 : sample + 128);
    }
  }
  return least >= -512 && most <= 511;
}

static inline __attribute__((always_inline)) void body_widen(uint8_t *restrict out, const uint8_t *in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int here = 3 * in[i];
    out[2 * i] = (uint8_t)((here + in[(ptrdiff_t)i - 1] + 1) >> 2);
    out[2 * i + 1] = (uint8_t)((here + in[i + 1] + 2) >> 2);
  }
}

static inline __attribute__((always_inline)) void body_widen_between(uint8_t *restrict out, const uint8_t *near,
                                                                     const uint8_t *far, size_t n) {
  for (size_t i = 0; i < n; i++) {
    ptrdiff_t at = (ptrdiff_t)i;
    int left = 3 * near[at - 1] + far[at - 1], right = 3 * near[at + 1] + far[at + 1];
    int here = 3 * (3 * near[at] + far[at]);
    out[2 * i] = (uint8_t)((here + left + 8) >> 4);
    out[2 * i + 1] = (uint8_t)((here + right + 7) >> 4);
  }
}

static inline __attribute__((always_inline)) void body_between(uint8_t *restrict out, const uint8_t *near,
                                                               const uint8_t *far, int bias, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = (uint8_t)((3 * near[i] + far[i] + bias) >> 2);
}

static inline __attribute__((always_inline)) uint8_t within_byte(int32_t value) {
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static inline __attribute__((always_inline)) void body_ycc_to_rgb(uint8_t *restrict out, const uint8_t *luma,
                                                                  const uint8_t *blue, const uint8_t *red, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int32_t y = luma[i], cb = blue[i] - 128, cr = red[i] - 128;
    out[3 * i] = within_byte(y + ((91881 * cr + 32768) >> 16));
    out[3 * i + 1] = within_byte(y + ((-22554 * cb - 46802 * cr + 32768) >> 16));
    out[3 * i + 2] = within_byte(y + ((116130 * cb + 32768) >> 16));
  }
}

static inline __attribute__((always_inline)) void body_grey_to_rgb(uint8_t *restrict out, const uint8_t *grey,
                                                                   size_t n) {
  for (size_t i = 0; i < n; i++) out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = grey[i];
}
